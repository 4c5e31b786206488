//! Application protocols: one loop over the list, and who orders it.

use super::super::handshake::{Ask, Versions};
use super::super::key_kind::{KeyKind, schemes_of};
use super::super::offer::Offer;
use super::super::probe::Outcome;
use super::super::prober::Prober;
use super::{Known, signatures};
use crate::model::shape::ApplicationProtocols;
use crate::model::{Fact, Reason, Trouble};
use crate::wire::alert;
use crate::wire::extension::{self, Extension};

/// What is asked of every service, most wanted first.
const LIST: [&str; 10] =
    ["h2", "http/1.1", "http/1.0", "spdy/3.1", "spdy/3", "spdy/2", "spdy/1", "acme-tls/1", "grpc-exp", "dot"];
const STEP: &str = "application protocols";

/// The answer to a list.
enum Chosen {
    Protocol(String),
    NoExtension,
    Alert,
    Unknown(Trouble),
}

/// Runs the loop. The first list is reversed: against the choice that the enumeration saw, it shows who orders.
pub(super) async fn look(prober: &Prober<'_>, known: &Known<'_>) -> (ApplicationProtocols, Option<Trouble>) {
    let usual = prober.upgrade.alpn();
    let service = usual.iter().copied().filter(|name| !LIST.contains(name));
    let mut left: Vec<&'static str> = service.chain(LIST).rev().collect();
    let mut protocols: Vec<String> = Vec::new();
    let mut trouble = None;
    let unknown_list = loop {
        match ask(prober, known, &left).await {
            Chosen::Protocol(name) if left.contains(&name.as_str()) => {
                left.retain(|other| *other != name);
                protocols.push(name);
            }
            Chosen::Protocol(_) => break Fact::Known("unoffered".to_owned()),
            Chosen::NoExtension => break Fact::Known("no-extension".to_owned()),
            Chosen::Alert => break Fact::Known("alert".to_owned()),
            Chosen::Unknown(why) => {
                let reason = Fact::unknown(why.detail.clone());
                trouble = Some(why);
                break reason;
            }
        }
    };
    let order = order(&protocols, known, &usual, trouble.as_ref());
    let next_protocols = next_protocols(prober, known).await;
    (ApplicationProtocols { protocols, order, unknown_list, next_protocols }, trouble)
}

fn order(protocols: &[String], known: &Known<'_>, usual: &[&str], trouble: Option<&Trouble>) -> Fact<String> {
    let both = usual.iter().filter(|name| protocols.iter().any(|known| known == *name)).count() >= 2;
    let word = match (protocols, trouble) {
        ([], None) => "not-applicable",
        ([_], None) => "single",
        ([], Some(trouble)) | ([_], Some(trouble)) => return Fact::unknown(trouble.detail.clone()),
        ([first, ..], _) if both => {
            // In the usual list the first of the usual protocols is the client's favourite, in the reversed one it is last.
            let forward = known.ledger.ride.alpn.iter().chain(known.alpn).find(|name| !name.is_empty());
            match forward {
                Some(forward) if forward == first => "server",
                Some(_) => "client",
                None => return Fact::unknown("the choice from the usual list is encrypted, and was not read"),
            }
        }
        _ => return Fact::unknown("the usual list holds one of the protocols alone"),
    };
    Fact::Known(word.to_owned())
}

/// In clear where an older version answers, else by a whole handshake.
async fn ask(prober: &Prober<'_>, known: &Known<'_>, list: &[&'static str]) -> Chosen {
    if let Some(trouble) = prober.stopped() {
        return Chosen::Unknown(trouble);
    }
    let Some((version, suites)) = known.older() else { return shaken(prober, known, list).await };
    let offer = Offer::new(version, suites);
    let mut manner = prober.manner();
    if manner.minimal {
        return Chosen::Unknown(Trouble::new(Reason::Unsupported, "the server bears none but minimal hellos"));
    }
    manner.alpn = list.to_vec();
    let words = format!(", {} application protocols", list.len());
    let first = prober.ask_with(&offer, &manner, &words, STEP).await;
    match read(&first) {
        Chosen::Unknown(trouble) => {
            if prober.apart().await.is_err() {
                return Chosen::Unknown(trouble);
            }
            read(&prober.ask_with(&offer, &manner, &words, STEP).await)
        }
        chosen => chosen,
    }
}

fn read(outcome: &Outcome) -> Chosen {
    match outcome {
        Outcome::Hello(flight) => match flight.hello.extension(extension::ALPN) {
            None => Chosen::NoExtension,
            Some(_) => match flight.hello.alpn() {
                Some(name) => Chosen::Protocol(name),
                None => Chosen::Unknown(Trouble::new(Reason::ProtocolViolation, "an empty list came")),
            },
        },
        Outcome::Alert(refusal) if refusal.description == alert::NO_APPLICATION_PROTOCOL => Chosen::Alert,
        other => Chosen::Unknown(other.trouble()),
    }
}

async fn shaken(prober: &Prober<'_>, known: &Known<'_>, list: &[&'static str]) -> Chosen {
    let ask = Ask {
        groups: Vec::new(),
        server_name: known.server_name.to_owned(),
        versions: Versions::Tls13,
        schemes: schemes_of(&KeyKind::ALL),
        alpn: list.iter().map(|name| (*name).to_owned()).collect(),
    };
    let words = format!("TLSv1.3 handshake, {} application protocols", list.len());
    match super::shake(prober, &ask, words, STEP).await {
        Ok(seen) => seen.alpn.map_or(Chosen::NoExtension, Chosen::Protocol),
        Err(trouble) if trouble.detail == "alert no_application_protocol" => Chosen::Alert,
        Err(trouble) => Chosen::Unknown(trouble),
    }
}

/// The older way, by a hello of its own; the loop over signature schemes has asked for it where it ran.
async fn next_protocols(prober: &Prober<'_>, known: &Known<'_>) -> Fact<Vec<String>> {
    let Some((version, suites)) = known.older() else {
        // TLS 1.3 has no such extension.
        return known.open.map_or_else(|| Fact::Known(Vec::new()), |trouble| Fact::unknown(trouble.detail.clone()));
    };
    if signatures::rides(known) {
        return Fact::unknown("the hello that asked for it was not answered");
    }
    let offer = Offer::new(version, suites);
    let mut manner = prober.manner();
    manner.alpn.clear();
    manner.extra.push(Extension::empty(extension::NEXT_PROTOCOLS));
    match prober.ask_with(&offer, &manner, ", next protocols", STEP).await {
        Outcome::Hello(flight) => match signatures::next_protocols(&flight) {
            Some(list) => Fact::Known(list),
            None => Fact::unknown("the list that came is broken"),
        },
        other => Fact::unknown(other.words()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::tls::ledger::Ledger;

    #[test]
    fn who_orders_follows_from_two_lists() {
        let mut ledger = Ledger::default();
        let usual = ["h2", "http/1.1"];
        let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let order = |ledger: &Ledger, protocols: &[&str]| {
            let known = Known { ledger, unseen: None, open: None, server_name: "a.example", alpn: &[] };
            order(&list(protocols), &known, &usual, None)
        };
        assert!(order(&ledger, &["h2", "http/1.1"]).known().is_none());
        ledger.ride.alpn.insert("h2".to_owned());
        assert_eq!(order(&ledger, &["h2", "http/1.1"]), Fact::Known("server".to_owned()));
        assert_eq!(order(&ledger, &["http/1.1", "h2"]), Fact::Known("client".to_owned()));
        assert_eq!(order(&ledger, &["h2"]), Fact::Known("single".to_owned()));
        assert_eq!(order(&ledger, &[]), Fact::Known("not-applicable".to_owned()));
        assert!(order(&ledger, &["http/1.0", "spdy/3"]).known().is_none());
    }
}
