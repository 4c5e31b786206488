//! Hosts and ports as people write them.

use crate::model::service::{SERVICES, Service, Start};
use crate::model::target::Connection;
use crate::yaml::nearest;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// A host and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    /// A name in its ASCII form, or an IP address without brackets.
    pub(super) host: String,
    /// The port.
    pub(super) port: u16,
    /// The service that the text names, as in `smtp://mx.example`.
    pub(super) service: Option<&'static Service>,
}

impl Address {
    /// Notes at a connection what the text names.
    pub(super) fn note_in(&self, connection: &mut Connection) {
        connection.host.clone_from(&self.host);
        connection.port = self.port;
        match self.service.map(|service| (service.start, service.word.to_owned())) {
            Some((Start::Upgrade(_), word)) => connection.starttls = Some(word),
            Some((Start::Direct, word)) => connection.service = Some(word),
            Some((Start::Web, _)) | None => {}
        }
    }

    /// Host and port as one text, an IPv6 address in brackets.
    pub(super) fn joined(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

/// What is wrong with an address, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    pub(super) message: String,
    pub(super) help: String,
}

fn wrong(message: impl Into<String>, help: &str) -> Wrong {
    Wrong { message: message.into(), help: help.to_owned() }
}

const EXAMPLES: &str =
    "write a host, or a host and a port, for example  shop.example  or  shop.example:8443  or  [::1]:443";

/// The words that may stand before `://`.
fn known_words() -> String {
    let words: Vec<_> = SERVICES.iter().map(|service| service.word).collect();
    words.join(", ")
}

/// Reads `host`, `host:port`, `[::1]:443`, `https://host[:port]/` or the same with the word of another service.
pub(super) fn parse(text: &str, default_port: u16) -> Result<Address, Wrong> {
    let service = text.split_once("://").and_then(|(scheme, _)| Service::find(scheme));
    let rest = match text.split_once("://") {
        None => text,
        Some((_, rest)) if service.is_some() => web(rest)?,
        Some((scheme, _)) if scheme.eq_ignore_ascii_case("http") => {
            return Err(wrong(
                "a target is not an http URL",
                "write the host alone: plain http is looked at beside https, on port 80 or the one that `http:` names",
            ));
        }
        Some((scheme, _)) => {
            let known: Vec<_> = SERVICES.iter().map(|service| service.word).collect();
            let help = match nearest(scheme, known) {
                Some(near) => format!("did you mean `{near}://`? The services are {}", known_words()),
                None => format!("the services are {}", known_words()),
            };
            return Err(wrong("no service of this name is known", &help));
        }
    };
    if rest.contains('@') {
        return Err(wrong("a target is a host and a port, without a user", EXAMPLES));
    }
    let (host, port) = split(rest)?;
    let port = match port {
        None => service.map_or(default_port, |service| service.port),
        Some(port) => number(port)?,
    };
    Ok(Address { host: name(host)?, port, service: service.filter(|service| service.start != Start::Web) })
}

/// The address of a resolver: an IP address, with a port or without.
pub(super) fn resolver(text: &str) -> Option<SocketAddr> {
    let bare = text.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, 53));
    bare.or_else(|_| text.parse()).ok().filter(|address| address.port() > 0)
}

/// A domain: a name without a port.
pub(super) fn domain(text: &str) -> Result<String, Wrong> {
    const HELP: &str = "write the name of a domain alone, for example  shop.example";
    match name(text) {
        Ok(name) if name.parse::<IpAddr>().is_err() => Ok(name),
        _ => Err(wrong("this is not the name of a domain", HELP)),
    }
}

/// The host and port of a URL.
fn web(rest: &str) -> Result<&str, Wrong> {
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    if !path.is_empty() || authority.contains(['?', '#']) {
        return Err(wrong("a target is a host and a port, not a page", "leave out what follows the host and the port"));
    }
    Ok(authority)
}

fn split(text: &str) -> Result<(&str, Option<&str>), Wrong> {
    if let Some(rest) = text.strip_prefix('[') {
        let (host, after) = rest.split_once(']').ok_or_else(|| wrong("the bracket is not closed", EXAMPLES))?;
        if host.parse::<Ipv6Addr>().is_err() {
            return Err(wrong("what is in brackets is not an IPv6 address", EXAMPLES));
        }
        return match after.strip_prefix(':') {
            Some(port) => Ok((host, Some(port))),
            None if after.is_empty() => Ok((host, None)),
            None => Err(wrong("only a port may follow the bracket", EXAMPLES)),
        };
    }
    if text.parse::<Ipv6Addr>().is_ok() {
        return Ok((text, None));
    }
    Ok(text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port))))
}

fn number(port: &str) -> Result<u16, Wrong> {
    let help = "a port is a whole number from 1 to 65535";
    match port.parse::<u16>() {
        Ok(port) if port > 0 => Ok(port),
        _ if port.is_empty() => Err(wrong("there is no port after the colon", help)),
        _ => Err(wrong("this is not a port number", help)),
    }
}

/// A host name in its ASCII form, or an IP address.
fn name(host: &str) -> Result<String, Wrong> {
    if let Ok(ip) = host.parse::<IpAddr>() {
        return Ok(ip.to_string());
    }
    let host = host.strip_suffix('.').unwrap_or(host);
    if host.is_empty() {
        return Err(wrong("there is no host", EXAMPLES));
    }
    if host.contains(['/', '\\', '*', '%', ' ']) {
        return Err(wrong("this is not a host name", EXAMPLES));
    }
    let ascii = match url::Host::parse(host) {
        Ok(url::Host::Domain(name)) => name,
        // Old forms such as `127.1` or `2130706433`, which few people mean.
        Ok(_) => return Err(wrong("this is not an IP address in its usual form", EXAMPLES)),
        Err(_) => return Err(wrong("this is not a host name", EXAMPLES)),
    };
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    let numeric = |last: &str| last.bytes().all(|byte| byte.is_ascii_digit());
    if ascii.len() > 253 || !ascii.split('.').all(label) || ascii.rsplit('.').next().is_some_and(numeric) {
        return Err(wrong("this is not a host name", EXAMPLES));
    }
    debug_assert!(ascii.parse::<Ipv4Addr>().is_err());
    Ok(ascii)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn joined(text: &str) -> String {
        parse(text, 443).map_or_else(|wrong| format!("wrong: {}", wrong.message), |address| address.joined())
    }

    #[test]
    fn the_usual_forms_are_read() {
        for (text, expected) in [
            ("shop.example", "shop.example:443"),
            ("Shop.Example.", "shop.example:443"),
            ("shop.example:8443", "shop.example:8443"),
            ("https://shop.example", "shop.example:443"),
            ("https://shop.example:8443/", "shop.example:8443"),
            ("HTTPS://[2001:db8::7]/", "[2001:db8::7]:443"),
            ("[::1]:8443", "[::1]:8443"),
            ("::1", "[::1]:443"),
            ("127.0.0.1:80", "127.0.0.1:80"),
            ("localhost", "localhost:443"),
            ("_dmarc.shop.example", "_dmarc.shop.example:443"),
            ("bücher.example", "xn--bcher-kva.example:443"),
            ("smtp://mx.example", "mx.example:25"),
            ("IMAPS://mail.example/", "mail.example:993"),
            ("imap://mail.example:1143", "mail.example:1143"),
            ("ldap://[::1]", "[::1]:389"),
            ("etcd://127.0.0.1", "127.0.0.1:2379"),
        ] {
            assert_eq!(joined(text), expected, "{text}");
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for text in [
            "",
            ":443",
            "shop.example:",
            "shop.example:0",
            "shop.example:65536",
            "shop.example:x",
            "shop.example:443:443",
            "https://shop.example/login",
            "https://shop.example?x",
            "http://shop.example",
            "gopher://shop.example",
            "smtp://user@mx.example",
            "smtp://mx.example/box",
            "postgresql://db.example/app",
            "user@shop.example",
            "https://user:pass@shop.example/",
            "[::1",
            "[shop.example]:443",
            "[::1]443",
            "*.shop.example",
            "shop example",
            "shop..example",
            "-shop.example",
            "127.1",
            "2130706433",
            "1.2.3.4.5",
            "data/archive.sqlite",
        ] {
            assert!(joined(text).starts_with("wrong: "), "{text} gave {}", joined(text));
        }
        assert!(joined(&"a".repeat(64)).starts_with("wrong: "));
        assert!(joined(&["a"; 127].join(".")).starts_with("a.a"));
        assert!(joined(&["a"; 128].join(".")).starts_with("wrong: "));
    }

    #[test]
    fn an_unknown_service_is_told_which_are_known() {
        let wrong = parse("smtpp://mx.example", 443).unwrap_err();
        assert!(wrong.help.contains("did you mean `smtp://`?"));
        assert!(wrong.help.contains("xmpp-server"));
    }

    #[test]
    fn a_service_is_noted_by_how_it_begins() {
        let noted = |text| {
            let mut connection = Connection::default();
            parse(text, 443).unwrap().note_in(&mut connection);
            (connection.starttls, connection.service, connection.port)
        };
        assert_eq!(noted("mariadb://db.example"), (Some("mysql".to_owned()), None, 3306));
        assert_eq!(noted("ldaps://db.example"), (None, Some("ldaps".to_owned()), 636));
        assert_eq!(noted("kubernetes://k.example"), (None, None, 6443));
        assert_eq!(noted("https://k.example"), (None, None, 443));
    }

    proptest! {
        #[test]
        fn what_is_read_can_be_read_again(text in "\\PC{0,40}") {
            if let Ok(address) = parse(&text, 443) {
                prop_assert_eq!(parse(&address.joined(), 1).unwrap(), address);
            }
        }
    }
}
