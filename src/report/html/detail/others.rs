//! What a page brings in from others, and what it sets before anybody has agreed.

use crate::model::Fact;
use crate::model::http::{Consent, ThirdParties};
use serde::Serialize;

/// So many rows are shown; the record has all.
const MOST: usize = 40;

/// A host, a cookie or a script.
#[derive(PartialEq, Serialize)]
pub struct Row {
    name: String,
    what: String,
    recognised: String,
    word: String,
    mark: &'static str,
}

/// The hosts of others.
pub fn hosts(seen: ThirdParties) -> Vec<Row> {
    let rows = seen.hosts.into_iter().take(MOST).map(|host| {
        let (word, mark) = match host.declared {
            Fact::Unknown(why) => (format!("not known: {}", why.unknown), "open"),
            Fact::Known(true) => (host.vendor, "pass"),
            Fact::Known(false) if host.ended => (format!("{}, terminated", host.vendor), "fail"),
            Fact::Known(false) => ("not in the register".to_owned(), "fail"),
        };
        Row { name: host.host, what: host.elements.join(", "), recognised: host.recognised, word, mark }
    });
    rows.collect()
}

/// What a first visit sets and runs.
pub fn early(seen: Consent) -> Vec<Row> {
    let rows = seen.items.into_iter().take(MOST).map(|item| {
        let (word, mark) = match item.harmless {
            Fact::Unknown(why) => (format!("not known: {}", why.unknown), "open"),
            Fact::Known(true) => ("follows nobody".to_owned(), "pass"),
            Fact::Known(false) => ("follows who visits".to_owned(), "fail"),
        };
        Row { name: item.name, what: item.what, recognised: item.recognised, word, mark }
    });
    rows.collect()
}
