//! What the server tells of its transport: its ports, the versions of TLS, and by which port each client came.

use super::session::Session;
use super::settings::{Info, Settings, strange};
use crate::collect::direct::Told;
use crate::model::database::Sign;
use crate::model::{Fact, Trouble};
use crate::wire::resp::Value;
use std::net::{IpAddr, SocketAddr};

/// The way in that the server's own settings show.
pub const RULE: &str = "rules for other machines";
/// The versions of TLS, oldest first.
const VERSIONS: [(&str, &str); 4] =
    [("tlsv1", "TLSv1.0"), ("tlsv1.1", "TLSv1.1"), ("tlsv1.2", "TLSv1.2"), ("tlsv1.3", "TLSv1.3")];

/// Asks the server.
pub async fn ask(session: &Session<'_>, settings: &Result<Settings, Trouble>, info: &Result<Info, Trouble>) -> Told {
    let grant = session.grant("config|get");
    let settings = match settings {
        Ok(settings) => settings,
        Err(trouble) => {
            let why = crate::collect::answer::fact::<()>(Err(trouble.clone()), &grant);
            let trouble = Trouble::new(trouble.reason, why.reason().unwrap_or_default());
            return Told { sessions: sessions(session, None).await, ..Told::nothing(&trouble, RULE) };
        }
    };
    let replica = info.as_ref().ok().and_then(|info| info.get("role")).map(|role| role == "slave");
    let clustered = info.as_ref().ok().and_then(|info| info.get("cluster_enabled")).map(|on| on == "1");
    let between = [("replication", "tls-replication", replica), ("the cluster", "tls-cluster", clustered)];
    let used = between.into_iter().filter(|(_, _, used)| *used != Some(false));
    let encryption = used.map(|(what, setting, used)| {
        let name = format!("traffic of {what}");
        match (settings.get(setting), used) {
            (Some("yes"), _) => Sign::new(&name, Fact::Known(true), format!("{setting} is yes")),
            (_, None) => Sign::new(&name, Fact::unknown(format!("INFO does not tell whether there is {what}")), ""),
            (Some(value), _) => Sign::new(&name, Fact::Known(false), format!("{setting} is {value}")),
            (None, _) => Sign::new(&name, Fact::Known(false), format!("the server has no setting {setting}")),
        }
    });
    Told {
        switch: match settings.get("tls-port") {
            None | Some("0") => Fact::Known("off".to_owned()),
            Some(_) => Fact::Known("on".to_owned()),
        },
        versions: versions(settings),
        encryption: encryption.collect(),
        plaintext: vec![rule(settings)],
        sessions: sessions(session, settings.get("port")).await,
    }
}

/// The versions of TLS that are accepted. Where none are named, they are those of the server's library, 1.2 and 1.3.
fn versions(settings: &Settings) -> Fact<(String, String)> {
    let list = match settings.get("tls-protocols") {
        None => return Fact::unknown("the server has no setting tls-protocols"),
        Some("") => "tlsv1.2 tlsv1.3".to_owned(),
        Some(list) => list.to_ascii_lowercase(),
    };
    let words: Vec<&str> = list.split_whitespace().collect();
    if words.iter().any(|word| !VERSIONS.iter().any(|(theirs, _)| theirs == word)) {
        return Fact::unknown("tls-protocols names versions that are not known here");
    }
    let mut named = VERSIONS.iter().filter(|(theirs, _)| words.contains(theirs)).map(|(_, ours)| (*ours).to_owned());
    let oldest = named.next();
    let newest = named.next_back().or_else(|| oldest.clone());
    oldest.zip(newest).map_or_else(|| Fact::unknown("tls-protocols names no version"), Fact::Known)
}

/// Whether a port without TLS is open to other machines.
fn rule(settings: &Settings) -> Sign {
    match (settings.get("port"), settings.is_reachable()) {
        (Some("0"), _) => Sign::new(RULE, Fact::Known(false), "the port without TLS is off (port is 0)"),
        (Some(port), Fact::Known(false)) => {
            Sign::new(RULE, Fact::Known(false), format!("port {port} takes clients without TLS, of this machine alone"))
        }
        (Some(port), Fact::Known(true)) => Sign::new(
            RULE,
            Fact::Known(true),
            format!("port {port} takes clients without TLS, those of other machines too"),
        ),
        (Some(_), Fact::Unknown(why)) => Sign::new(RULE, Fact::Unknown(why), ""),
        (None, _) => Sign::new(RULE, Fact::unknown("the server has no setting port"), ""),
    }
}

/// Sessions from other machines: those that came by the port without TLS, and all.
async fn sessions(session: &Session<'_>, port: Option<&str>) -> Fact<(u64, u64)> {
    let answer = session.value(vec![b"CLIENT", b"LIST"], "CLIENT LIST").await;
    let text = match answer {
        Ok(Value::Text(text)) => text,
        Ok(_) => return Fact::unknown(strange("CLIENT LIST").to_string()),
        Err(trouble) => return session.fact(Err(trouble), "client|list"),
    };
    let Some(port) = port.and_then(|port| port.parse::<u16>().ok()) else {
        return Fact::unknown("which port is the one without TLS is not known");
    };
    count(&String::from_utf8_lossy(&text), port)
}

/// Counts lines `id=3 addr=10.0.0.9:50000 laddr=10.0.0.5:6379 …`. Names and commands of clients are passed over.
fn count(list: &str, plain: u16) -> Fact<(u64, u64)> {
    let (mut without, mut all) = (0, 0);
    for line in list.lines().filter(|line| !line.trim().is_empty()) {
        let field = |name: &str| line.split(' ').find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
        let Some(from) = field("addr") else { return Fact::unknown(strange("CLIENT LIST").to_string()) };
        let far = from.parse::<SocketAddr>().map(|from| !is_near(from.ip()));
        match (far, field("laddr").map(str::parse::<SocketAddr>)) {
            // A path is a socket of this machine.
            (Err(_), _) | (Ok(false), _) => {}
            (Ok(true), Some(Ok(to))) => {
                all += 1;
                without += u64::from(to.port() == plain);
            }
            (Ok(true), _) => {
                return Fact::unknown("before version 6.2 the server does not tell by which port a client came");
            }
        }
    }
    Fact::Known((without, all))
}

fn is_near(ip: IpAddr) -> bool {
    ip.to_canonical().is_loopback()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_are_counted_by_the_port_that_they_came_by() {
        let list = "id=3 addr=127.0.0.1:50000 laddr=127.0.0.1:6379 name=x\nid=4 addr=10.0.0.9:1 laddr=10.0.0.5:6379 user=a\n\
                    id=5 addr=10.0.0.9:2 laddr=10.0.0.5:6380\nid=6 addr=/run/redis.sock:0 laddr=/run/redis.sock:0\n";
        assert_eq!(count(list, 6379), Fact::Known((1, 2)));
        assert_eq!(count("", 6379), Fact::Known((0, 0)));
        assert!(count("id=4 addr=10.0.0.9:1 fd=8", 6379).known().is_none());
        assert!(count("garbage", 6379).known().is_none());
    }

    #[test]
    fn versions_of_tls_by_setting() {
        let of = |list: &str| versions(&Settings::of(&[("tls-protocols", list)]));
        let pair = |one: &str, other: &str| Fact::Known((one.to_owned(), other.to_owned()));
        assert_eq!(of(""), pair("TLSv1.2", "TLSv1.3"));
        assert_eq!(of("TLSv1.3"), pair("TLSv1.3", "TLSv1.3"));
        assert_eq!(of("TLSv1 TLSv1.2 TLSv1.3"), pair("TLSv1.0", "TLSv1.3"));
        assert!(of("TLSv9").known().is_none());
    }

    #[test]
    fn a_port_without_tls_that_others_reach_is_a_way_in() {
        let of = |pairs: &[(&str, &str)]| rule(&Settings::of(pairs)).yes.known().copied();
        assert_eq!(of(&[("port", "0"), ("bind", "*")]), Some(false));
        assert_eq!(of(&[("port", "6379"), ("bind", "*")]), Some(true));
        assert_eq!(of(&[("port", "6379"), ("bind", "127.0.0.1")]), Some(false));
        assert_eq!(of(&[("port", "6379")]), None);
        assert_eq!(of(&[]), None);
    }
}
