//! Known clients at an address: those that end alike share a row.

use crate::model::Fact;
use crate::model::tls::{Clients, SimulatedClient};
use serde::Serialize;

/// Clients that end alike.
#[derive(PartialEq, Serialize)]
pub struct Outcome {
    /// Their names, browsers first.
    clients: String,
    /// The version, or why there is none.
    version: String,
    suite: String,
    group: String,
    forward_secrecy: &'static str,
    /// `pass`, `fail` or `open`: without forward secrecy it is marked.
    mark: &'static str,
}

/// A row for each end, in the order in which clients meet it.
pub fn outcomes(seen: &Clients) -> Vec<Outcome> {
    let mut rows: Vec<Outcome> = Vec::new();
    for row in seen.clients.iter().map(outcome) {
        match rows.iter_mut().find(|known| known.end() == row.end()) {
            Some(known) => known.clients.push_str(&format!(", {}", row.clients)),
            None => rows.push(row),
        }
    }
    rows
}

impl Outcome {
    /// What those who share a row have in common.
    fn end(&self) -> (&str, &str, &str, &str) {
        (&self.version, &self.suite, &self.group, self.forward_secrecy)
    }
}

fn outcome(client: &SimulatedClient) -> Outcome {
    let none = |version: String| Outcome {
        clients: client.label(),
        version,
        suite: String::new(),
        group: String::new(),
        forward_secrecy: "",
        mark: "open",
    };
    match (&client.connects, client.forward_secrecy.known().map(String::as_str)) {
        (Fact::Unknown(unknown), _) => none(format!("not known: {}", unknown.unknown)),
        (Fact::Known(false), _) => none(format!("cannot connect: {}", client.detail)),
        (Fact::Known(true), word) => Outcome {
            version: client.protocol.clone(),
            suite: client.suite_name.clone(),
            group: client.group.known().cloned().unwrap_or_else(|| "not known".to_owned()),
            forward_secrecy: match word {
                Some("yes") => "yes",
                Some(_) => "no",
                None => "not known",
            },
            mark: match word {
                Some("yes") => "pass",
                Some(_) => "fail",
                None => "open",
            },
            ..none(String::new())
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_that_end_alike_share_a_row_and_what_is_not_known_says_so() {
        let named = |name: &str| SimulatedClient::new(name, name, "1", false);
        let connected = |name: &str, secrecy: &str| SimulatedClient {
            connects: Fact::Known(true),
            protocol: "TLSv1.2".to_owned(),
            group: Fact::Known("x25519".to_owned()),
            forward_secrecy: Fact::Known(secrecy.to_owned()),
            ..named(name)
        };
        let clients = vec![
            connected("a", "yes"),
            connected("b", "no"),
            connected("c", "yes"),
            named("d").failing("no_version", "no version in common"),
            named("e").unknown("timed out"),
        ];
        let rows = outcomes(&Clients { clients, notes: Vec::new() });
        let told: Vec<(&str, &str, &str)> =
            rows.iter().map(|row| (row.clients.as_str(), row.version.as_str(), row.mark)).collect();
        assert_eq!(
            told,
            [
                ("a 1, c 1", "TLSv1.2", "pass"),
                ("b 1", "TLSv1.2", "fail"),
                ("d 1", "cannot connect: no version in common", "open"),
                ("e 1", "not known: timed out", "open"),
            ]
        );
    }
}
