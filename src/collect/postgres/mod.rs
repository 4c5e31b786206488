//! The collector of PostgreSQL servers.
//!
//! It looks at the greeting first, without credentials: is TLS offered, whose is the certificate, does the server go
//! on with a login in clear. Then it logs in once, over a channel that may have the password, and reads settings and
//! catalogues. Each address of a name is an item of its own; the login is made at the first that answers, and the others are
//! greeted alone. Rows of a user's table are counted by [`retention`] alone, as the user's schedule says.

mod audit;
mod auth;
mod backup;
mod canary;
mod channel;
mod cron;
mod expiry;
mod files;
mod greeting;
mod hba;
mod limit;
mod rest;
pub mod retention;
mod rights;
mod session;
mod settings;
pub mod subjects;
mod transport;

use crate::collect::CollectContext;
use crate::collect::server::{Greeted, Look, Server, distrusted, may_go_in_clear};
use crate::collect::traces::Wanted;
use crate::model::target::Engine;
use crate::model::{Exchange, Method, Observation, Reason, Target, TargetKind, Trouble};
use crate::net::{Dialing, Stream};
pub use canary::prove;
use channel::{Channel, Made};
use greeting::Offer;
use limit::Limit;
pub use rights::grants;
use session::{Login, Session};
use settings::Settings;
use std::net::SocketAddr;
use tokio_util::sync::CancellationToken;
use transport::{Answers, Greeting};

/// Looks at PostgreSQL servers.
pub struct Postgres;

/// Reads arbitrary bytes as the first message of a server, and as a session: the entry of the fuzzer.
pub fn fuzz(data: &[u8]) {
    if let Some((kind, body)) = data.split_first() {
        let _ = greeting::judge(*kind, body);
    }
    let mut guard = limit::Guard::new(());
    // A session comes in pieces of any size.
    for part in data.chunks(7) {
        if guard.follow(part).is_err() {
            break;
        }
    }
}

/// A channel over which a password may be sent.
type Entry = (Box<dyn Stream>, Made);

impl Server for Postgres {
    type Greeting = Greeting;
    type Entry = Entry;
    const ID: &'static str = "postgres";
    const YIELDS: &'static [&'static str] = &[
        "data.inventory",
        "data.retention",
        "data.subjects",
        "db.at_rest",
        "db.audit",
        "db.auth",
        "db.backup",
        "db.files",
        "db.transport",
    ];

    fn is_of(target: &Target) -> bool {
        target.kind == TargetKind::Database && target.engine == Some(Engine::Postgresql)
    }

    async fn greet(&self, look: &Look<'_>, address: SocketAddr) -> Greeted<Greeting, Entry> {
        let (mut greeting, entry) = arrive(look, address).await?;
        look.step(1, "trying a login without TLS");
        let (user, database) = names(look.target);
        greeting.plain = greeting::try_plaintext(look.cx, address, &user, &database).await;
        Ok((greeting, entry))
    }

    fn unentered(&self, look: &Look<'_>, greeting: &Greeting, why: &Trouble, address: SocketAddr) -> Observation {
        transport(look, greeting, &Answers::none(why), address)
    }

    async fn enter(
        &self,
        look: &Look<'_>,
        address: SocketAddr,
        greeting: &Greeting,
        entry: Entry,
    ) -> Result<Vec<Observation>, Trouble> {
        let tls = greeting.session.is_ok();
        let reopen = || reopen(look, address, tls);
        look.step(2, "logging in");
        let session = log_in(look, entry, &reopen).await?;
        look.step(3, "reading settings and catalogues");
        let settings = Settings::read(&session).await;
        let answers = Answers::ask(&session, &settings).await;
        let mut seen = vec![transport(look, greeting, &answers, address)];
        let (auth, cut) = auth::facts(&session, &settings, &answers.rules).await;
        let auth = look.complete("db.auth", &auth);
        seen.push(match cut {
            Some(trouble) => auth.partial(trouble),
            None => auth,
        });
        seen.push(look.told("db.audit", &audit::facts(&settings)));
        seen.push(look.complete("db.at_rest", &rest::facts(&session, &settings).await));
        seen.push(look.told("db.backup", &backup::ask(&session, &settings, look.now).await));
        seen.push(look.told("db.files", &files::ask(&session, &settings).await));
        // What was asked while the user stopped the run was not answered.
        if let Err(stopped) = look.going_on() {
            session.close().await;
            return Err(stopped);
        }
        look.step(4, "counting rows past their time");
        seen.extend(measure(look, &session).await);
        seen.push(persons(look, &session).await);
        session.close().await;
        Ok(seen)
    }

    async fn leave(&self, _: Entry) {}
}

/// Makes a channel to an address.
async fn arrive(look: &Look<'_>, address: SocketAddr) -> Greeted<Greeting, Entry> {
    look.step(0, "asking for TLS");
    let asking = greeting::ask_for_tls(look.cx, address);
    // A connection that is not made yet hears of no end; of many addresses each would take its time.
    let limit = Limit::new(look.cx.limits.target_time, "the greeting");
    let offer = limit::run(look.cx, limit, asking).await??;
    Ok(meet(look, address, offer).await)
}

/// Makes the channel that the server offers, and says whether it may have the password.
async fn meet(look: &Look<'_>, address: SocketAddr, offer: Offer) -> (Greeting, Result<Entry, Trouble>) {
    let untried = || Err(Trouble::new(Reason::Internal, "not tried"));
    let stream = match offer {
        Offer::Tls(stream) => stream,
        Offer::Plain(stream) => {
            let none = Trouble::new(Reason::Unsupported, "the server offers no TLS");
            let greeting = Greeting { offered: false, session: Err(none), distrust: None, plain: untried() };
            return (greeting, may_go_in_clear(address).map(|()| (stream, Made(None))));
        }
    };
    let channel = match channel::Settings::of(look.target) {
        Ok(settings) => settings.handshake(look.cx, stream).await,
        Err(trouble) => Err(trouble),
    };
    match channel {
        Ok(Channel { stream, session, distrust, binding }) => {
            let entry = match &distrust {
                None => Ok((stream, Made(binding))),
                Some(why) => Err(distrusted(why)),
            };
            (Greeting { offered: true, session: Ok(session), distrust, plain: untried() }, entry)
        }
        Err(trouble) => {
            let greeting = Greeting { offered: true, session: Err(trouble.clone()), distrust: None, plain: untried() };
            (greeting, Err(trouble))
        }
    }
}

/// Measures what the retention schedule names for this store.
async fn measure(look: &Look<'_>, session: &Session<'_>) -> [Observation; 2] {
    let both = |trouble: &Trouble| ["data.inventory", "data.retention"].map(|kind| look.failed(kind, trouble));
    let Some(schedule) = &look.cx.documents.retention else {
        return both(&Trouble::new(Reason::Unsupported, "there is no retention schedule"));
    };
    let limit = Limit::new(look.cx.limits.target_time, "the counting of rows");
    let store = &look.target.id;
    let measured = session.bounded(limit, async {
        let inventory = retention::inventory(&session.client, schedule, store).await;
        (inventory, retention::measure(&session.client, schedule, store, look.now).await)
    });
    let (inventory, facts) = match measured.await {
        Ok(measured) => measured,
        Err(trouble) => return both(&trouble),
    };
    let inventory = match inventory {
        Ok((inventory, None)) => look.complete("data.inventory", &inventory),
        Ok((inventory, Some(cut))) => look.complete("data.inventory", &inventory).partial(cut),
        Err(trouble) => look.failed("data.inventory", &trouble),
    };
    [inventory, look.complete("data.retention", &facts).by(Method::Test)]
}

/// Looks for the persons whom the ledger of erasures and the export name.
async fn persons(look: &Look<'_>, session: &Session<'_>) -> Observation {
    let limit = Limit::new(look.cx.limits.target_time, "the look for persons");
    let wanted = match Wanted::of(look.cx) {
        Ok(wanted) => wanted,
        Err(trouble) => return look.failed("data.subjects", &trouble),
    };
    let finding = subjects::find(&session.client, &wanted, &look.target.id);
    match session.bounded(limit, finding).await {
        Ok(found) => look.complete("data.subjects", &found).by(Method::Test),
        Err(trouble) => look.failed("data.subjects", &trouble),
    }
}

async fn log_in<'s>(look: &'s Look<'_>, entry: Entry, reopen: session::Reopen<'s>) -> Result<Session<'s>, Trouble> {
    let (stream, made) = entry;
    look.user()?;
    let password = look.password()?;
    let (user, database) = names(look.target);
    Session::open(look.cx, stream, made, Login { user: &user, database: &database, password }, reopen).await
}

/// A further channel to the same server, of the same kind.
fn reopen<'a>(look: &'a Look<'_>, address: SocketAddr, tls: bool) -> Dialing<'a, Entry> {
    Box::pin(async move {
        // It carries the word that the server is to stop, also where the user has stopped the run.
        let cx = &CollectContext { cancel: CancellationToken::new(), ..look.cx.clone() };
        match greeting::ask_for_tls(cx, address).await? {
            Offer::Tls(stream) if tls => {
                let settings = channel::Settings::of(look.target)?;
                let channel = settings.handshake(cx, stream).await?;
                match channel.distrust {
                    None => Ok((channel.stream, Made(channel.binding))),
                    Some(why) => Err(Trouble::new(Reason::HandshakeRejected, why)),
                }
            }
            Offer::Plain(stream) if !tls => Ok((stream, Made(None))),
            _ => Err(Trouble::new(Reason::ProtocolViolation, "the server changed its mind about TLS")),
        }
    })
}

/// The user, and the database: the user's own name where none is given, as the server has it.
fn names(target: &Target) -> (String, String) {
    let user = target.connection.user.clone().unwrap_or_else(|| "probity".to_owned());
    let database = target.connection.database.clone().unwrap_or_else(|| user.clone());
    (user, database)
}

fn transport(look: &Look<'_>, greeting: &Greeting, answers: &Answers, address: SocketAddr) -> Observation {
    let facts = transport::facts(greeting, answers);
    let mut exchanges = vec![Exchange {
        sent: format!("SSLRequest to {address}"),
        received: if greeting.offered { "S" } else { "N" }.to_owned(),
    }];
    exchanges.extend(facts.plaintext.first().map(|sign| Exchange {
        sent: format!("StartupMessage without TLS to {address}"),
        received: sign.yes.reason().unwrap_or(&sign.seen).to_owned(),
    }));
    look.complete("db.transport", &facts).by(Method::Test).with_transcript(exchanges)
}
