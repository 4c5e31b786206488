//! The stage of whole sessions, after the enumeration: resumption, renegotiation and Ticketbleed. Each connection answers
//! more than one question, and what would spoil a session for later is asked in its last one.

use super::facts::{Facts, Standing};
use super::flaws::DISABLED;
use super::flaws::ticketbleed::{self, Echo};
use super::prober::Prober;
use super::psk::{self, Psk};
use super::psk_modes;
use super::session::{Agreed, Failure, Suite};
use super::steadiness::INSECURE_RENEGOTIATION;
use super::{renegotiation, visit};
use crate::model::target::{Depth, Profile};
use crate::model::tls::VulnerabilityTest;
use crate::model::tls_session::{Renegotiation, Resumption};
use crate::model::{Fact, digest};
use crate::wire::{ClientHello, Ticket, Version};

/// What sessions showed.
pub struct Sessions {
    /// `tls.resumption`.
    pub resumption: Resumption,
    /// `tls.renegotiation`.
    pub renegotiation: Renegotiation,
    /// The rows of `tls.flaws` that need no session of their own.
    pub rows: Vec<VulnerabilityTest>,
}

/// Makes the sessions, side by side.
pub async fn look(prober: &Prober<'_>, facts: &Facts, server_name: &str, depth: Depth) -> Sessions {
    let intrusive = depth.intrusive;
    let older = Older::of(prober, facts);
    let modern = facts.standing(Version::Tls13);
    let tickets = facts.ledger.ride.tickets;
    // A machine that lacks tickets can be reached among others that have them, so one yes is enough.
    let ticketed = tickets.yes > 0 || tickets.no == 0;
    let (id, ticket, (psk, psk_without_exchange)) = tokio::join!(
        ById::look(prober, &older, intrusive),
        ByTicket::look(prober, &older, ticketed, intrusive),
        modern_tickets(prober, &modern, server_name, depth.profile)
    );
    let rows = vec![renegotiation::row(&ticket.insecure), ticket.bleed];
    let (ticket_key, ticket_key_sha256) = key_names(ticket.tickets.iter().chain(&psk.tickets), &older, &modern);
    let doubt = prober.steadiness.doubt().filter(|_| ticket_key == word("single"));
    let lacking =
        ticket.resumed.reason().or(psk.resumed.reason()).or(doubt.as_ref().map(|doubt| doubt.detail.as_str()));
    let (ticket_key, ticket_key_sha256) = match lacking {
        // Keys that differ do so whatever was not seen.
        Some(why) if ticket_key != word("different") => (Fact::unknown(why), String::new()),
        _ => (ticket_key, ticket_key_sha256),
    };
    let resumption = Resumption {
        session_id: id.session_id,
        ticket: ticket.resumed,
        ticket_lifetime: ticket.lifetime,
        psk_lifetime: of_tickets(&psk, |ticket| ticket.lifetime),
        early_data: early_data(&psk),
        early_data_size: of_tickets(&psk, |ticket| ticket.early_data.unwrap_or(0)),
        psk: psk.resumed,
        early_data_sent: psk.early,
        psk_without_exchange,
        ticket_key,
        ticket_key_sha256,
    };
    let renegotiation = Renegotiation {
        legacy_handshake: match &older {
            Older::Unknown(why) if !facts.offers_older() => Fact::unknown(why.clone()),
            older => Fact::Known(!matches!(older, Older::Absent)),
        },
        client_initiated: id.client,
        accepted: id.accepted,
        insecure: ticket.insecure,
    };
    Sessions { resumption, renegotiation, rows }
}

/// TLS 1.0 to 1.2 of the target.
enum Older {
    /// The newest version, and its suites that a session can be made with.
    Offered(Version, Vec<Suite>),
    /// Not offered.
    Absent,
    /// Why no session can be made.
    Unknown(String),
}

impl Older {
    fn of(prober: &Prober<'_>, facts: &Facts) -> Older {
        if let Some((version, suites)) = visit::suites(prober).into_iter().next() {
            return Older::Offered(version, suites);
        }
        let mut unknown = None;
        for version in visit::VERSIONS.into_iter().chain([Version::Ssl3]) {
            match facts.standing(version) {
                Standing::Offered(_) => {
                    let why = "no accepted version and suite are ones that a session can be made with here";
                    return Older::Unknown(why.to_owned());
                }
                Standing::Unknown(trouble) => unknown = unknown.or(Some(trouble.detail)),
                Standing::Refused(_) => {}
            }
        }
        unknown.map_or(Older::Absent, Older::Unknown)
    }

    /// What is said where no session can be made.
    fn instead(&self) -> Fact<String> {
        match self {
            Older::Unknown(why) => Fact::unknown(why.clone()),
            _ => word("not-applicable"),
        }
    }
}

/// What the sessions with an id showed.
struct ById {
    session_id: Fact<String>,
    client: Fact<String>,
    accepted: u32,
}

impl ById {
    async fn look(prober: &Prober<'_>, older: &Older, intrusive: bool) -> ById {
        let Older::Offered(version, suites) = older else {
            return ById { session_id: older.instead(), client: older.instead(), accepted: 0 };
        };
        let hello = visit::hello(prober, *version, suites);
        let unknown = |session_id: Option<Fact<String>>, failure: &Failure| {
            let why = Fact::unknown(failure.words());
            ById { session_id: session_id.unwrap_or_else(|| why.clone()), client: why, accepted: 0 }
        };
        let first = match visit::open(prober, &hello, None, "session").await {
            Ok(first) => first,
            Err(failure) => return unknown(None, &failure),
        };
        let id = first.agreed().hello.session_id.clone();
        let (session_id, last) = if id.is_empty() {
            (word("no"), first)
        } else {
            let earlier = first.agreed().clone();
            visit::leave(first).await;
            let again = ClientHello { session_id: id, ..visit::hello(prober, *version, suites) };
            match visit::open(prober, &again, Some(&earlier), "resumption by id").await {
                Ok(last) => (resumed(last.agreed().resumed), last),
                Err(failure) => return unknown(None, &failure),
            }
        };
        if !intrusive {
            return ById { session_id, client: Fact::unknown(DISABLED), accepted: 0 };
        }
        // A session that was asked to renegotiate may be thrown away by the server, so it comes last.
        let (client, accepted) = renegotiation::client(prober, last, suites).await;
        ById { session_id, client, accepted }
    }
}

/// What the sessions with a ticket showed.
struct ByTicket {
    resumed: Fact<String>,
    lifetime: Fact<u32>,
    tickets: Vec<Ticket>,
    insecure: Fact<String>,
    bleed: VulnerabilityTest,
}

impl ByTicket {
    async fn look(prober: &Prober<'_>, older: &Older, ticketed: bool, intrusive: bool) -> ByTicket {
        let Older::Offered(version, suites) = older else {
            let lifetime = match older {
                Older::Unknown(why) => Fact::unknown(why.clone()),
                _ => Fact::Known(0),
            };
            let echo = [Err(Failure::Unsupported("no session could be made"))];
            let echo = matches!(older, Older::Unknown(_)).then_some(echo.as_slice());
            return ByTicket {
                resumed: older.instead(),
                lifetime,
                tickets: Vec::new(),
                insecure: older.instead(),
                bleed: ticketbleed::judge(echo),
            };
        };
        let guest = Guest { prober, version: *version, suites, intrusive };
        if !ticketed {
            return guest.without(Ok(())).await;
        }
        let asking = visit::with_ticket(visit::hello(prober, *version, suites), &[]);
        let first = match visit::open(prober, &asking, None, "ticket").await {
            Ok(first) => first,
            Err(failure) => return guest.without(Err(failure)).await,
        };
        let earlier = first.agreed().clone();
        visit::leave(first).await;
        match earlier.ticket.clone().filter(|ticket| !ticket.bytes.is_empty()) {
            Some(ticket) => guest.with(&earlier, ticket).await,
            None => guest.without(Ok(())).await,
        }
    }
}

/// Who makes sessions with one ticket, or without any.
struct Guest<'a> {
    prober: &'a Prober<'a>,
    version: Version,
    suites: &'a [Suite],
    intrusive: bool,
}

impl Guest<'_> {
    /// No ticket came; the question of insecure renegotiation needs a session all the same.
    async fn without(&self, asked: Result<(), Failure>) -> ByTicket {
        let insecure = self.insecure_without(&asked).await;
        let (resumed, lifetime, echo) = match asked {
            Ok(()) => (word("no"), Fact::Known(0), None),
            Err(failure) => (Fact::unknown(failure.words()), Fact::unknown(failure.words()), Some([Err(failure)])),
        };
        let bleed = ticketbleed::judge(echo.as_ref().map(<[_; 1]>::as_slice));
        ByTicket { resumed, lifetime, tickets: Vec::new(), insecure, bleed }
    }

    async fn insecure_without(&self, asked: &Result<(), Failure>) -> Fact<String> {
        if !self.intrusive {
            return Fact::unknown(DISABLED);
        }
        let hello = renegotiation::silent_hello(self.prober, self.version, self.suites);
        match visit::open(self.prober, &hello, None, "session without RFC 5746").await {
            Ok(session) => renegotiation::insecure(self.prober, session, self.suites).await,
            Err(failure) => match asked {
                Ok(()) => self.refused(failure).await,
                Err(first) => Fact::unknown(first.words()),
            },
        }
    }

    /// The ticket is shown as any client would.
    async fn plainly(&self, earlier: &Agreed, ticket: &Ticket) -> Result<bool, Failure> {
        let plain = visit::hello(self.prober, self.version, self.suites);
        let mut id = vec![0; 32];
        self.prober.cx.random.fill(&mut id);
        let shown = show(plain, id, ticket);
        let session = visit::open(self.prober, &shown, Some(earlier), "resumption by ticket").await?;
        let resumed = session.agreed().resumed;
        visit::leave(session).await;
        Ok(resumed)
    }

    /// The ticket is shown with a session id of 31 bytes and without a word of RFC 5746: one connection answers whether
    /// it is taken, whether the id comes back as it was, and whether the session can be renegotiated insecurely.
    async fn with(&self, earlier: &Agreed, ticket: Ticket) -> ByTicket {
        let lifetime = Fact::Known(ticket.lifetime);
        if !self.intrusive {
            let resumed = self.plainly(earlier, &ticket).await.map_or_else(|failure| unknown(&failure), resumed);
            let bleed = VulnerabilityTest::unknown("ticketbleed", DISABLED);
            return ByTicket { resumed, lifetime, tickets: vec![ticket], insecure: Fact::unknown(DISABLED), bleed };
        }
        let id = self.id();
        let silent = renegotiation::silent_hello(self.prober, self.version, self.suites);
        let shown = show(silent, id.clone(), &ticket);
        let mut tickets = vec![ticket.clone()];
        let (mut resumed_by, echo, insecure);
        match visit::open(self.prober, &shown, Some(earlier), "resumption by ticket").await {
            Ok(session) => {
                let agreed = session.agreed();
                echo = Ok(Echo::of(&id, &agreed.hello.session_id));
                resumed_by = Ok(agreed.resumed);
                tickets.extend(agreed.ticket.clone().filter(|ticket| !ticket.bytes.is_empty()));
                insecure = renegotiation::insecure(self.prober, session, self.suites).await;
            }
            Err(failure) => {
                // The hello is odd in two ways; a plain one tells which of them it was.
                insecure = match failure {
                    Failure::Alert(_) => {
                        self.prober.steadiness.infer(INSECURE_RENEGOTIATION);
                        word("no")
                    }
                    _ => Fact::unknown(failure.words()),
                };
                echo = self.echo(earlier, &ticket).await;
                resumed_by = Err(failure);
            }
        }
        if resumed_by != Ok(true) {
            resumed_by = self.plainly(earlier, &ticket).await;
        }
        let resumed = resumed_by.map_or_else(|failure| unknown(&failure), resumed);
        let mut echoes = vec![echo];
        while ticketbleed::wants_more(&echoes) {
            echoes.push(self.echo(earlier, &ticket).await);
        }
        let bleed = ticketbleed::judge(Some(&echoes));
        ByTicket { resumed, lifetime, tickets, insecure, bleed }
    }

    /// A server that takes sessions, but by an alert none without RFC 5746, cannot be renegotiated with insecurely.
    async fn refused(&self, failure: Failure) -> Fact<String> {
        let plain = visit::hello(self.prober, self.version, self.suites);
        let alert = matches!(failure, Failure::Alert(_));
        match alert && visit::open(self.prober, &plain, None, "session").await.is_ok() {
            true => {
                self.prober.steadiness.infer(INSECURE_RENEGOTIATION);
                word("no")
            }
            false => Fact::unknown(failure.words()),
        }
    }

    /// What comes back of a short session id.
    async fn echo(&self, earlier: &Agreed, ticket: &Ticket) -> Result<Echo, Failure> {
        let id = self.id();
        let plain = visit::hello(self.prober, self.version, self.suites);
        match visit::open(self.prober, &show(plain, id.clone(), ticket), Some(earlier), "Ticketbleed").await {
            Ok(session) => Ok(Echo::of(&id, &session.agreed().hello.session_id)),
            // A refusal of the id tells nothing of the server's memory.
            Err(Failure::Alert(_)) => {
                self.prober.steadiness.infer("ticketbleed");
                Ok(Echo::Harmless)
            }
            Err(failure) => Err(failure),
        }
    }

    fn id(&self) -> Vec<u8> {
        let mut id = vec![0; ticketbleed::LENGTH];
        self.prober.cx.random.fill(&mut id);
        id
    }
}

fn show(hello: ClientHello, session_id: Vec<u8>, ticket: &Ticket) -> ClientHello {
    ClientHello { session_id, ..visit::with_ticket(hello, &ticket.bytes) }
}

/// Tickets of TLS 1.3, and whether one is taken without a key exchange.
async fn modern_tickets(
    prober: &Prober<'_>,
    modern: &Standing,
    server_name: &str,
    profile: Profile,
) -> (Psk, Fact<String>) {
    let instead = match modern {
        Standing::Offered(_) => {
            let psk = psk::look(prober, server_name).await;
            let modes = match (profile, psk.resumed.known().map(String::as_str)) {
                (_, Some("no")) => word("not-applicable"),
                (Profile::Quick, _) => Fact::unknown("disabled: the quick profile does not ask for it"),
                (Profile::Full, _) => Box::pin(psk_modes::without_exchange(prober)).await,
            };
            return (psk, modes);
        }
        Standing::Refused(_) => word("not-applicable"),
        Standing::Unknown(trouble) => Fact::unknown(trouble.detail.clone()),
    };
    (Psk::without(instead.clone()), instead)
}

/// The greatest value of the tickets of TLS 1.3, where it is known whether there are any.
fn of_tickets(psk: &Psk, value: impl Fn(&Ticket) -> u32) -> Fact<u32> {
    match (&psk.resumed, psk.tickets.iter().map(value).max()) {
        (_, Some(most)) => Fact::Known(most),
        (Fact::Unknown(unknown), None) => Fact::Unknown(unknown.clone()),
        (Fact::Known(_), None) => Fact::Known(0),
    }
}

fn early_data(psk: &Psk) -> Fact<String> {
    match &psk.resumed {
        _ if psk.tickets.iter().any(|ticket| ticket.early_data.is_some_and(|size| size > 0)) => word("advertised"),
        _ if !psk.tickets.is_empty() => word("no"),
        Fact::Known(word) if word == "no" => Fact::Known(word.clone()),
        other => other.clone(),
    }
}

/// Whether the tickets name one key, and the digest of its name.
fn key_names<'a>(
    tickets: impl Iterator<Item = &'a Ticket>,
    older: &Older,
    modern: &Standing,
) -> (Fact<String>, String) {
    let tickets: Vec<&Ticket> = tickets.collect();
    let names: Vec<Option<&[u8]>> = tickets.iter().map(|ticket| ticket.key_name()).collect();
    match names.as_slice() {
        [] => match (older, modern) {
            (Older::Unknown(why), _) => (Fact::unknown(why.clone()), String::new()),
            (_, Standing::Unknown(trouble)) => (Fact::unknown(trouble.detail.clone()), String::new()),
            _ => (word("not-applicable"), String::new()),
        },
        [_] => (word("single"), String::new()),
        [Some(first), rest @ ..] if rest.iter().all(|name| *name == Some(*first)) => {
            (word("same"), digest::sha256(first))
        }
        _ => (word("different"), String::new()),
    }
}

fn unknown(failure: &Failure) -> Fact<String> {
    Fact::unknown(failure.words())
}

fn resumed(resumed: bool) -> Fact<String> {
    word(if resumed { "yes" } else { "issued-not-resumed" })
}

fn word(word: &str) -> Fact<String> {
    Fact::Known(word.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticket(first: u8, early_data: Option<u32>) -> Ticket {
        Ticket { lifetime: 7200, bytes: vec![first; 64], early_data }
    }

    #[test]
    fn tickets_of_one_key_begin_alike() {
        let refused = Standing::Refused(super::super::prober::Refusal {
            proven: true,
            version: true,
            seen: "alert protocol_version".to_owned(),
        });
        let names = |tickets: &[Ticket]| key_names(tickets.iter(), &Older::Absent, &refused);
        assert_eq!(names(&[]).0, word("not-applicable"));
        assert_eq!(names(&[ticket(1, None)]).0, word("single"));
        let (same, name) = names(&[ticket(1, None), ticket(1, None)]);
        assert_eq!((same, name), (word("same"), digest::sha256(&[1; 16])));
        assert_eq!(names(&[ticket(1, None), ticket(2, None)]), (word("different"), String::new()));
        let short = Ticket { bytes: vec![1], ..ticket(1, None) };
        assert_eq!(names(&[short.clone(), short]).0, word("different"));
    }

    #[test]
    fn early_data_is_what_a_ticket_allows() {
        let psk = |resumed: &str, tickets: Vec<Ticket>| Psk { tickets, ..Psk::without(word(resumed)) };
        assert_eq!(early_data(&psk("yes", vec![ticket(1, Some(16_384))])), word("advertised"));
        assert_eq!(early_data(&psk("yes", vec![ticket(1, Some(0))])), word("no"));
        assert_eq!(early_data(&psk("issued-not-resumed", vec![ticket(1, None)])), word("no"));
        assert_eq!(early_data(&psk("no", Vec::new())), word("no"));
        assert_eq!(early_data(&psk("not-applicable", Vec::new())), word("not-applicable"));
        assert_eq!(of_tickets(&psk("yes", vec![ticket(1, Some(9))]), |t| t.lifetime), Fact::Known(7200));
        assert_eq!(of_tickets(&psk("no", Vec::new()), |t| t.lifetime), Fact::Known(0));
    }
}
