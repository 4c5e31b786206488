//! Lists of endpoints for a sweep: hosts and networks, from arguments and from files with one of them a line.
//!
//! A network is kept as it was written and unfolded one address at a time, so that a long list takes little memory.

use super::address::{self, Address};
use super::secrets;
use super::zone::Zone;
use crate::model::{Target, TargetKind, digest};
use crate::yaml::Diagnostic;
use ipnet::IpNet;
use std::collections::HashSet;
use std::sync::Arc;

/// The most endpoints of one sweep.
pub const MOST: u64 = 1_000_000;
/// The largest list that is read.
pub const BYTES: u64 = 64 * 1024 * 1024;
/// So many mistakes of a list are told.
const MISTAKES: usize = 20;

const FORMS: &str = "a line is a host, host:port, [address]:port, or a network such as 192.0.2.0/24 or 192.0.2.0/24:8443; # begins a comment";

/// What a sweep looks at.
pub struct List {
    entries: Vec<Entry>,
    ports: Vec<u16>,
    count: u64,
    written: HashSet<Box<str>>,
}

enum Entry {
    Host { address: Box<Address>, port: Option<u16> },
    Network { network: IpNet, port: Option<u16> },
}

impl Entry {
    fn unfold(&self, ports: &[u16]) -> Box<dyn Iterator<Item = Target>> {
        let of = |port: Option<u16>| port.map_or_else(|| ports.to_vec(), |port| vec![port]);
        match self {
            Entry::Host { address, port } => {
                let address = address.clone();
                Box::new(of(*port).into_iter().map(move |port| endpoint(Address { port, ..(*address).clone() })))
            }
            Entry::Network { network, port } => {
                let ports = of(*port);
                Box::new(network.hosts().flat_map(move |address| {
                    let of = |port| endpoint(Address { host: address.to_string(), port, service: None });
                    ports.iter().copied().map(of).collect::<Vec<Target>>()
                }))
            }
        }
    }

    fn words(&self) -> String {
        let (what, port) = match self {
            Entry::Host { address, port } => match address.service {
                Some(service) => (format!("{}://{}", service.word, address.host), port),
                None => (address.host.clone(), port),
            },
            Entry::Network { network, port } => (network.to_string(), port),
        };
        port.map_or_else(|| what.clone(), |port| format!("{what} {port}"))
    }
}

impl List {
    /// An empty list. What names no port has these.
    pub fn new(ports: &[u16]) -> List {
        let mut ports = ports.to_vec();
        ports.sort_unstable();
        ports.dedup();
        List { entries: Vec::new(), ports, count: 0, written: HashSet::new() }
    }

    /// How many endpoints there are.
    pub fn len(&self) -> u64 {
        self.count
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// `sha256:` over what was written and the ports.
    pub fn digest(&self) -> String {
        let entries: Vec<String> = self.entries.iter().map(Entry::words).collect();
        digest::of(&(&self.ports, entries)).unwrap_or_default()
    }

    /// Adds what an argument names.
    ///
    /// # Errors
    /// When it is neither a host nor a network.
    pub fn argument(&mut self, text: &str) -> Result<(), Vec<Diagnostic>> {
        self.add(text).map_err(|(message, help)| {
            let shown: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
            let end = shown.len();
            vec![Diagnostic::at("command line", Arc::from(shown), 0..end, message).help(help)]
        })
    }

    /// Adds every line of a file.
    ///
    /// # Errors
    /// With the place of each line that is neither a host nor a network.
    pub fn file(&mut self, name: &str, text: &str) -> Result<(), Vec<Diagnostic>> {
        let mut mistakes = Vec::new();
        let mut source: Option<Arc<str>> = None;
        let mut start = 0;
        for (number, line) in text.split_inclusive('\n').enumerate() {
            let entry = line.split('#').next().unwrap_or_default();
            let word = entry.trim();
            let place = start + (entry.len() - entry.trim_start().len());
            start += line.len();
            if !word.is_empty()
                && let Err((message, help)) = self.add(word)
            {
                if secrets::holds_login(word) {
                    let message = format!("line {}: {message}", number + 1);
                    mistakes.push(Diagnostic::of_file(name, message).help(help));
                    continue;
                }
                let source = source.get_or_insert_with(|| Arc::from(text));
                let span = place..place + word.len();
                mistakes.push(Diagnostic::at(name, Arc::clone(source), span, message).help(help));
                if mistakes.len() == MISTAKES {
                    break;
                }
            }
        }
        if mistakes.is_empty() { Ok(()) } else { Err(mistakes) }
    }

    /// Adds the hosts of a zone, and the mail exchangers and services that it names where they are wanted.
    ///
    /// # Errors
    /// With the place of what cannot be read; or when there are too many hosts.
    pub fn zone(&mut self, name: &str, text: &str, services: bool) -> Result<Zone, Vec<Diagnostic>> {
        let zone = Zone::read(name, text)?;
        for target in zone.hosts.iter().chain(zone.services.iter().filter(|_| services)) {
            self.add(target).map_err(|(message, help)| vec![Diagnostic::of_file(name, message).help(help)])?;
        }
        Ok(zone)
    }

    /// Every endpoint once, in the order in which they were written.
    pub fn targets(&self) -> impl Iterator<Item = Target> + '_ {
        let mut seen = HashSet::new();
        let all = self.entries.iter().flat_map(|entry| entry.unfold(&self.ports));
        all.filter(move |target| seen.insert(target.id.clone()))
    }

    /// The same, for good.
    pub fn into_targets(self) -> impl Iterator<Item = Target> {
        let mut seen = HashSet::new();
        let List { entries, ports, .. } = self;
        let all = entries.into_iter().flat_map(move |entry| entry.unfold(&ports));
        all.filter(move |target| seen.insert(target.id.clone()))
    }

    fn add(&mut self, text: &str) -> Result<(), (String, String)> {
        let (entry, each) = match network(text) {
            Some(Ok((network, port))) => (Entry::Network { network, port }, size(&network)),
            Some(Err(message)) => return Err((message, FORMS.to_owned())),
            None => {
                // Whether a port was written is told by two defaults that differ.
                let parse = |default| address::parse(text, default);
                let (one, other) = match (parse(1), parse(2)) {
                    (Ok(one), Ok(other)) => (one, other),
                    (Err(wrong), _) | (_, Err(wrong)) => return Err((wrong.message, FORMS.to_owned())),
                };
                let port = (one.port == other.port).then_some(one.port);
                (Entry::Host { address: Box::new(one), port }, 1)
            }
        };
        let port = match &entry {
            Entry::Host { port, .. } | Entry::Network { port, .. } => *port,
        };
        if !self.written.insert(text.into()) {
            return Ok(());
        }
        let ports = if port.is_some() { 1 } else { self.ports.len() as u64 };
        self.count = self.count.saturating_add(each.saturating_mul(ports));
        if self.count > MOST {
            let help = "sweep a part at a time, with a file of results for each";
            return Err((format!("with this there are more than {MOST} endpoints"), help.to_owned()));
        }
        self.entries.push(entry);
        Ok(())
    }
}

/// A target of an earlier sweep or look, ready to be connected to again: its address leads there.
///
/// # Errors
/// When its address is none.
pub fn again(mut target: Target) -> Result<Target, String> {
    let parsed = address::parse(&target.address, 443).map_err(|wrong| wrong.message)?;
    target.connection.host = parsed.host;
    target.connection.port = parsed.port;
    Ok(target)
}

fn endpoint(address: Address) -> Target {
    let joined = address.joined();
    let mut target = Target::new(joined.clone(), TargetKind::Endpoint, joined);
    address.note_in(&mut target.connection);
    target
}

/// `192.0.2.0/24`, `192.0.2.0/24:8443`, `2001:db8::/120`, `[2001:db8::/120]:8443`; nothing where it is no network.
fn network(text: &str) -> Option<Result<(IpNet, Option<u16>), String>> {
    if text.contains("://") || !text.contains('/') {
        return None;
    }
    let (network, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((network, "")) => (network, None),
        Some((network, rest)) => (network, Some(rest.strip_prefix(':').unwrap_or(rest))),
        None => match text.rsplit_once('/').and_then(|(_, length)| length.split_once(':')) {
            Some((_, port)) => (text.strip_suffix(&format!(":{port}")).unwrap_or(text), Some(port)),
            None => (text, None),
        },
    };
    let Ok(network) = network.parse::<IpNet>() else {
        return Some(Err("this is not a network: an address and the length of its prefix".to_owned()));
    };
    match port.map(str::parse::<u16>) {
        None => Some(Ok((network.trunc(), None))),
        Some(Ok(port)) if port > 0 => Some(Ok((network.trunc(), Some(port)))),
        Some(_) => Some(Err("this is not a port number".to_owned())),
    }
}

/// How many addresses of a network are looked at.
fn size(network: &IpNet) -> u64 {
    let bits = u32::from(network.max_prefix_len() - network.prefix_len());
    let all = 1_u64.checked_shl(bits).unwrap_or(u64::MAX);
    // The first and the last address of an IPv4 network are no hosts, but for the smallest networks (RFC 3021).
    let whole = all <= 2 || matches!(network, IpNet::V6(_));
    if whole { all } else { all - 2 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(list: &List) -> Vec<String> {
        list.targets().map(|target| target.id).collect()
    }

    #[test]
    fn hosts_and_networks_unfold_in_their_order() {
        let mut list = List::new(&[8443, 443]);
        list.file(
            "list",
            "# shops\nshop.example\n\n  api.example:9443  # inside\n192.0.2.8/30:1\n[2001:db8::/127]:2\n",
        )
        .unwrap();
        let expected = [
            "shop.example:443",
            "shop.example:8443",
            "api.example:9443",
            "192.0.2.9:1",
            "192.0.2.10:1",
            "[2001:db8::]:2",
            "[2001:db8::1]:2",
        ];
        assert_eq!(ids(&list), expected);
        assert_eq!(list.len(), expected.len() as u64);
    }

    #[test]
    fn the_count_is_that_of_what_unfolds() {
        for text in
            ["192.0.2.0/24", "192.0.2.0/31", "192.0.2.7/32", "192.0.2.7/32:99", "2001:db8::/120", "2001:db8::1/128"]
        {
            let mut list = List::new(&[443]);
            list.argument(text).unwrap();
            assert_eq!(list.targets().count() as u64, list.len(), "{text}");
        }
    }

    #[test]
    fn what_is_written_twice_is_looked_at_once() {
        let mut list = List::new(&[443]);
        list.file("list", "shop.example\nshop.example\nshop.example:443\n").unwrap();
        assert_eq!(ids(&list), ["shop.example:443"]);
    }

    #[test]
    fn services_keep_their_way_to_tls() {
        let mut list = List::new(&[443]);
        list.file("list", "smtp://mx.example\nimaps://mail.example:9993\n").unwrap();
        let targets: Vec<Target> = list.targets().collect();
        let of =
            |n: usize| (targets[n].id.as_str(), targets[n].connection.starttls.as_deref(), targets[n].connection.port);
        assert_eq!((of(0), of(1)), (("mx.example:25", Some("smtp"), 25), ("mail.example:9993", None, 9993)));
        assert_eq!(targets[1].connection.service.as_deref(), Some("imaps"));
    }

    #[test]
    fn a_zone_gives_hosts_and_services_where_they_are_wanted() {
        let text = "$ORIGIN shop.example.\n@ A 192.0.2.1\nwww CNAME @\n* A 192.0.2.2\n@ MX 10 mx\n";
        let mut list = List::new(&[443, 8443]);
        assert_eq!(list.zone("zone", text, false).unwrap().wildcards.count, 1);
        let hosts = ["shop.example:443", "shop.example:8443", "www.shop.example:443", "www.shop.example:8443"];
        assert_eq!(ids(&list), hosts);
        list.zone("zone", text, true).unwrap();
        assert_eq!(ids(&list), [hosts.as_slice(), &["mx.shop.example:25"]].concat());
        assert_eq!(list.zone("my.zone", "\nx", true).unwrap_err()[0].line, 2);
    }

    #[test]
    fn mistakes_have_their_place() {
        let mut list = List::new(&[443]);
        let mistakes =
            list.file("list.txt", "shop.example\n *.shop.example\n192.0.2.0/33\n1.2.3.0/24:0\n").unwrap_err();
        let places: Vec<_> = mistakes.iter().map(|mistake| (mistake.line, mistake.column)).collect();
        assert_eq!(places, [(2, 2), (3, 1), (4, 1)]);
        let login = list.file("list.txt", "https://auditor:hunter2@shop.example/\n").unwrap_err();
        assert!(login[0].message.starts_with("line 1:") && !format!("{login:?}").contains("hunter2"));
        assert!(list.argument("0.0.0.0/0").unwrap_err()[0].message.contains("more than 1000000"));
        assert!(list.argument("2001:db8::/32").is_err());
    }
}
