//! TLS that has to be asked for: at an endpoint, and at the hosts that take a domain's mail.

use crate::model::Fact;
use crate::model::mail::{Exchanger, Exchangers};
use crate::model::tls::Upgrade;
use serde::Serialize;

/// An answer and its mark.
#[derive(PartialEq, Serialize)]
pub struct Answer {
    question: &'static str,
    word: String,
    mark: &'static str,
}

/// A mail exchanger at an address.
#[derive(PartialEq, Serialize)]
pub struct Door {
    host: String,
    address: String,
    offered: Answer,
    versions: Answer,
    certificate: Answer,
    policy: Answer,
    dns: Answer,
}

/// What is neither good nor bad.
const NEUTRAL: &str = "not-applicable";

fn answer(question: &'static str, fact: &Fact<String>, words: &[(&str, &str, &'static str)]) -> Option<Answer> {
    let (word, mark) = match fact {
        Fact::Unknown(why) => (format!("not known: {}", why.unknown), "open"),
        Fact::Known(known) => match words.iter().find(|(word, ..)| word == known) {
            Some((_, "", _)) => return None,
            Some((_, words, mark)) => ((*words).to_owned(), *mark),
            None => (known.clone(), NEUTRAL),
        },
    };
    Some(Answer { question, word, mark })
}

/// The answers to a request for TLS; what the protocol has nothing to say to is left out.
pub fn upgrade(seen: &Upgrade) -> Vec<Answer> {
    let insists = [
        ("yes", "nobody is let in without", "pass"),
        ("no", "no; a client that does not insist goes on in clear", NEUTRAL),
        ("not-applicable", "", ""),
    ];
    let bytes = [("no", "none", "pass"), ("yes", "some, which nothing protects", "fail"), ("not-applicable", "", "")];
    let slipped = [
        ("not-vulnerable", "forgotten when TLS begins", "pass"),
        ("vulnerable", "taken over into TLS", "fail"),
        ("likely", "answered in clear before TLS", "fail"),
        ("not-applicable", "", ""),
    ];
    let rows = [
        answer("TLS when asked for", &seen.offered, &[("yes", "offered", "pass"), ("no", "not offered", "fail")]),
        answer("TLS insisted on", &seen.required, &insists),
        answer("Bytes in clear behind the positive answer", &seen.extra_bytes, &bytes),
        answer("A command slipped in before TLS", &seen.injection, &slipped),
        Some(Answer { question: "Seen", word: seen.seen.clone(), mark: "" }),
    ];
    rows.into_iter().flatten().collect()
}

/// Each exchanger at each address.
pub fn doors(seen: Exchangers) -> Vec<Door> {
    seen.exchangers.into_iter().map(door).collect()
}

fn door(seen: Exchanger) -> Door {
    let offered = [("yes", "offered", "pass"), ("no", "not offered", "fail"), ("unclean", "bytes in clear", "fail")];
    let policy = [("yes", "named", "pass"), ("no", "not named", "fail"), ("no-policy", "no policy", NEUTRAL)];
    let dns = [
        ("match", "matches", "pass"),
        ("mismatch", "does not match", "fail"),
        ("none", "no records", NEUTRAL),
        ("insecure", "records that are not signed", NEUTRAL),
        ("unusable", "records that mail does not use", NEUTRAL),
    ];
    let of = |fact: &Fact<String>, words: &[(&str, &str, &'static str)]| {
        answer("", fact, words).unwrap_or(Answer { question: "", word: String::new(), mark: NEUTRAL })
    };
    let none = seen.offered == Fact::Known("no".to_owned()) || seen.offered.known().is_none();
    let silent = || Answer { question: "", word: "not seen".to_owned(), mark: "open" };
    Door {
        offered: of(&seen.offered, &offered),
        versions: if none { silent() } else { versions(&seen) },
        certificate: if none { silent() } else { certificate(&seen) },
        policy: of(&seen.listed, &policy),
        dns: of(&seen.dane, &dns),
        host: seen.host,
        address: seen.address,
    }
}

fn versions(seen: &Exchanger) -> Answer {
    let mark = match seen.modern {
        Fact::Known(true) => "pass",
        Fact::Known(false) => "fail",
        Fact::Unknown(_) => "open",
    };
    let word = if seen.protocols.is_empty() { "none seen".to_owned() } else { seen.protocols.join(", ") };
    Answer { question: "", word, mark }
}

fn certificate(seen: &Exchanger) -> Answer {
    let (word, mark) = match (&seen.trust, &seen.name_matches) {
        (Fact::Unknown(why), _) | (_, Fact::Unknown(why)) => (format!("not known: {}", why.unknown), "open"),
        (Fact::Known(trust), Fact::Known(true)) if trust == "trusted" => {
            (format!("trusted, {} days left", seen.days_left), "pass")
        }
        (Fact::Known(trust), Fact::Known(true)) => (trust.clone(), "fail"),
        (Fact::Known(trust), Fact::Known(false)) => (format!("{trust}, for another name"), "fail"),
    };
    Answer { question: "", word, mark }
}
