//! What the server tells of its transport: the ports that it listens on.

use super::session::Session;
use crate::collect::direct::Told;
use crate::model::database::Sign;
use crate::model::{Fact, Reason, Trouble};

/// The way in that the server's own ports show.
pub const RULE: &str = "ports without TLS";
/// Ports that take clients without TLS.
const PLAIN: [&str; 4] = ["http_port", "tcp_port", "mysql_port", "postgresql_port"];
/// Ports that take them with TLS.
const SECURE: [&str; 2] = ["https_port", "tcp_port_secure"];

/// A port by its name; nothing where there is none.
async fn port(session: &Session<'_>, name: &str) -> Result<Option<u16>, Trouble> {
    let told = session.row(&format!("SELECT toString(getServerPort('{name}'))"), name).await;
    match told {
        Ok(row) => {
            let number = row.first().cloned().flatten().and_then(|text| text.parse().ok());
            number.map(Some).ok_or_else(|| Trouble::new(Reason::ProtocolViolation, format!("{name} is no number")))
        }
        Err(trouble) => Err(trouble),
    }
}

/// The ports of these names that are on.
async fn ports(session: &Session<'_>, names: &[&str]) -> Result<Vec<String>, Trouble> {
    let mut on = Vec::new();
    for name in names {
        match port(session, name).await {
            Ok(Some(number)) => on.push(format!("{name} {number}")),
            Ok(None) => {}
            // There is no port of this name; whether the server knows such a thing as its ports was asked before.
            Err(trouble) if trouble.reason == Reason::Unsupported => {}
            Err(trouble) => return Err(trouble),
        }
    }
    Ok(on)
}

/// Asks the server.
pub async fn ask(session: &Session<'_>) -> Told {
    // An older server has no such function, and that must not look like ports that are off.
    let known =
        session.row("SELECT toString(count()) FROM system.functions WHERE name = 'getServerPort'", "system.functions");
    match known.await {
        Ok(row) if row.first().cloned().flatten().as_deref() == Some("1") => {}
        Ok(_) => return Told::nothing(&Trouble::new(Reason::Unsupported, "the server does not tell its ports"), RULE),
        Err(trouble) => return Told::nothing(&trouble, RULE),
    }
    let replicas = session.row("SELECT toString(count()) FROM system.replicas", "system.replicas").await;
    let between = ports(session, &["interserver_http_port"]).await;
    facts(
        ports(session, &PLAIN).await,
        ports(session, &SECURE).await,
        replicas.map(|row| row.first().cloned().flatten()),
        between,
    )
}

fn facts(
    plain: Result<Vec<String>, Trouble>,
    secure: Result<Vec<String>, Trouble>,
    replicas: Result<Option<String>, Trouble>,
    between: Result<Vec<String>, Trouble>,
) -> Told {
    const NAME: &str = "traffic of replication";
    let rule = match plain {
        // One of them must be on, since we came by it: ports can have names of the user's own.
        Ok(on) if on.is_empty() && !secure.as_ref().is_ok_and(|on| !on.is_empty()) => {
            Sign::new(RULE, Fact::unknown("the server names none of its ports"), "")
        }
        Ok(on) if on.is_empty() => Sign::new(RULE, Fact::Known(false), "no port without TLS is on"),
        Ok(on) => Sign::new(RULE, Fact::Known(true), format!("{} take clients without TLS", on.join(", "))),
        Err(trouble) => Sign::new(RULE, Fact::unknown(trouble.to_string()), ""),
    };
    let replication = match (replicas, between) {
        (Ok(Some(count)), _) if count == "0" => None,
        (Ok(Some(_)), Ok(on)) => {
            let seen = if on.is_empty() {
                "interserver_http_port is off".to_owned()
            } else {
                format!("{} is on", on.join(", "))
            };
            Some(Sign::new(NAME, Fact::Known(on.is_empty()), seen))
        }
        (Err(trouble), _) | (_, Err(trouble)) => Some(Sign::new(NAME, Fact::unknown(trouble.to_string()), "")),
        (Ok(None), _) => Some(Sign::new(NAME, Fact::unknown("whether tables are replicated is not told"), "")),
    };
    let untold = "the server does not tell by which port a client came";
    Told {
        switch: match secure {
            Ok(on) => Fact::Known(if on.is_empty() { "off" } else { "on" }.to_owned()),
            Err(trouble) => Fact::unknown(trouble.to_string()),
        },
        versions: Fact::unknown("the server does not tell which versions of TLS it accepts"),
        sessions: Fact::unknown(untold),
        encryption: replication.into_iter().collect(),
        plaintext: vec![rule],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn denied<T>() -> Result<T, Trouble> {
        Err(Trouble::new(Reason::PermissionDenied, "may not"))
    }

    #[test]
    fn a_port_without_tls_is_a_way_in() {
        let one = || vec!["http_port 8123".to_owned()];
        let told = facts(Ok(one()), Ok(vec![]), Ok(Some("0".to_owned())), Ok(one()));
        assert_eq!((&told.plaintext[0].yes, &told.switch), (&Fact::Known(true), &Fact::Known("off".to_owned())));
        assert!(told.encryption.is_empty());
        let told = facts(Ok(vec![]), Ok(one()), Ok(Some("2".to_owned())), Ok(one()));
        assert_eq!(told.plaintext[0].yes, Fact::Known(false));
        assert_eq!(told.encryption[0].yes, Fact::Known(false));
        assert!(facts(Ok(vec![]), Ok(vec![]), denied(), denied()).plaintext[0].yes.known().is_none());
        let told = facts(denied(), denied(), denied(), denied());
        assert!(told.plaintext[0].yes.known().is_none() && told.switch.known().is_none());
        assert!(told.encryption[0].yes.known().is_none());
    }
}
