//! Zones as they are exported: master files (RFC 1035 section 5), which the output of `dig axfr` is, too. Names with an
//! address or an alias are hosts; every other record is passed over.

mod entry;

use super::address;
use crate::model::service::Service;
use crate::yaml::Diagnostic;
use entry::{Entries, Entry, Fault, Word};
use std::collections::HashSet;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

/// So many mistakes of a zone are told.
const MISTAKES: usize = 20;
/// The longest name, with escapes.
const NAME: usize = 1024;
/// So many of the names that are left out are told.
const SHOWN: usize = 5;

/// What a zone names.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Zone {
    /// Owners of addresses and aliases, each once, in their order.
    pub hosts: Vec<String>,
    /// Mail exchangers and services of SRV records, as `smtp://mx.example:25`, each once, in their order.
    pub services: Vec<String>,
    /// Owners that stand for any name.
    pub wildcards: LeftOut,
    /// Owners that are not the name of a host, such as `_dmarc`.
    pub odd: LeftOut,
    /// SRV records of services that are not known here, or not over TCP.
    pub unknown: LeftOut,
}

/// What is not looked at: how many, and the first of them.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// How many.
    pub count: u64,
    /// The first ones.
    pub first: Vec<String>,
}

impl LeftOut {
    fn note(&mut self, name: &str) {
        self.count += 1;
        if self.first.len() < SHOWN {
            self.first.push(name.chars().take(253).collect());
        }
    }

    /// In words, where there is any.
    fn words(&self, what: &str) -> Option<String> {
        let more = if self.count > self.first.len() as u64 { ", ..." } else { "" };
        (self.count > 0).then(|| format!("{} {what} ({}{more})", self.count, self.first.join(", ")))
    }
}

impl Zone {
    /// Reads a zone.
    ///
    /// # Errors
    /// With the place of what cannot be read.
    pub fn read(file: &str, text: &str) -> Result<Zone, Vec<Diagnostic>> {
        let mut reader = Reader::default();
        let mut faults = Vec::new();
        for entry in Entries::new(text) {
            if let Err(fault) = entry.and_then(|entry| reader.take(&entry)) {
                faults.push(fault);
                if faults.len() == MISTAKES {
                    break;
                }
            }
        }
        if faults.is_empty() {
            return Ok(reader.zone);
        }
        let source: Arc<str> = Arc::from(text);
        let placed =
            |fault: Fault| Diagnostic::at(file, Arc::clone(&source), fault.span, fault.message).help(fault.help);
        Err(faults.into_iter().map(placed).collect())
    }

    /// What is not looked at, in words; nothing where all is.
    pub fn left_out(&self) -> Option<String> {
        let parts = [
            self.wildcards.words("for any name"),
            self.odd.words("not the name of a host"),
            self.unknown.words("of services that are not known here"),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        (!parts.is_empty()).then(|| parts.join("; "))
    }
}

/// Any bytes as a zone, for the fuzzer. What is named is a host.
pub fn fuzz(data: &[u8]) {
    if let Ok(zone) = Zone::read("zone", &String::from_utf8_lossy(data)) {
        let _ = zone.left_out();
        for target in zone.hosts.iter().chain(&zone.services) {
            assert!(address::parse(target, 443).is_ok(), "{target} is no target");
        }
    }
}

/// What holds for the entries that follow.
#[derive(Default)]
struct Reader {
    origin: Option<String>,
    owner: Option<String>,
    zone: Zone,
    seen: HashSet<String>,
}

impl Reader {
    fn take(&mut self, entry: &Entry<'_>) -> Result<(), Fault> {
        let Some((first, rest)) = entry.words.split_first() else { return Ok(()) };
        if first.text.starts_with('$') && !entry.blank {
            return self.directive(first, rest);
        }
        if entry.blank {
            return self.record(first, &entry.words);
        }
        // A record whose owner cannot be told must not stand under the owner before.
        self.owner = None;
        self.owner = Some(self.absolute(first)?);
        self.record(first, rest)
    }

    fn directive(&mut self, name: &Word<'_>, rest: &[Word<'_>]) -> Result<(), Fault> {
        match name.text.to_ascii_uppercase().as_str() {
            "$ORIGIN" => {
                let missing = || Fault::new(&name.span, "$ORIGIN names nothing", "write  $ORIGIN shop.example.");
                self.origin = Some(self.absolute(rest.first().ok_or_else(missing)?)?);
                Ok(())
            }
            "$TTL" => Ok(()),
            "$INCLUDE" | "$GENERATE" => {
                let help = "export the zone whole, for example with `named-compilezone` or `dig axfr`";
                Err(Fault::new(&name.span, format!("{} is not followed", name.text), help))
            }
            _ => Err(Fault::new(&name.span, "this directive is not known", "$ORIGIN and $TTL are")),
        }
    }

    /// A record after its owner: time to live and class in any order, the type, the data.
    fn record(&mut self, first: &Word<'_>, words: &[Word<'_>]) -> Result<(), Fault> {
        let (mut class, mut ttl) = (None, false);
        let mut words = words.iter();
        let kind = loop {
            let Some(word) = words.next() else {
                let help = "a record is a name, a type and its data, such as  www A 192.0.2.1";
                return Err(Fault::new(&first.span, "this record has no type", help));
            };
            let upper = word.text.to_ascii_uppercase();
            match upper.as_str() {
                "IN" | "CH" | "HS" | "CS" if class.is_none() => class = Some(upper),
                _ if !ttl && is_time(word.text) => ttl = true,
                _ if is_type(word.text) => break upper,
                _ => {
                    let help = "a record is a name, a type and its data; a name that is not spelled out to the root has no dot at its end";
                    return Err(Fault::new(&word.span, "this is not the type of a record", help));
                }
            }
        };
        if class.is_some_and(|class| class != "IN") {
            return Ok(());
        }
        let Some(owner) = self.owner.clone() else {
            let help = "begin the line with the name of the record";
            return Err(Fault::new(&first.span, "no record with a name of its own stands before this one", help));
        };
        let data: Vec<&Word<'_>> = words.collect();
        let missing = || Fault::new(&first.span, format!("this {kind} record lacks data"), "see RFC 1035 section 5");
        match kind.as_str() {
            "A" | "AAAA" => {
                let word = data.first().ok_or_else(missing)?;
                let fits = match kind.as_str() {
                    "A" => word.text.parse::<Ipv4Addr>().is_ok(),
                    _ => word.text.parse::<Ipv6Addr>().is_ok(),
                };
                // RFC 3597 has a form for data of any type.
                if !fits && word.text != "\\#" {
                    let message = format!("this is no address of the type {kind}");
                    return Err(Fault::new(&word.span, message, "A holds an IPv4 address, AAAA an IPv6 address"));
                }
                self.host(owner);
            }
            "CNAME" => {
                data.first().ok_or_else(missing)?;
                self.host(owner);
            }
            "MX" => {
                let host = self.absolute(data.get(1).ok_or_else(missing)?)?;
                self.service(&owner, Some("smtp"), &host, "25");
            }
            "SRV" => {
                let host = self.absolute(data.get(3).ok_or_else(missing)?)?;
                let port = data.get(2).ok_or_else(missing)?;
                let mut labels = owner.split('.');
                let word = labels.next().and_then(|label| label.strip_prefix('_')).map(str::to_owned);
                let word = word.filter(|_| labels.next() == Some("_tcp"));
                self.service(&owner, word.as_deref(), &host, port.text);
            }
            _ => {}
        }
        Ok(())
    }

    /// A name to the root, in lower case and without the last dot; empty for the root itself.
    fn absolute(&self, word: &Word<'_>) -> Result<String, Fault> {
        let origin = || {
            let help = "write  $ORIGIN shop.example.  in the first line, with the name of the zone";
            let origin = self.origin.as_deref();
            origin.ok_or_else(|| {
                Fault::new(&word.span, "this name ends without a dot, and no $ORIGIN stands before it", help)
            })
        };
        let name = match word.text {
            "@" => origin()?.to_owned(),
            "." => String::new(),
            text => match text.strip_suffix('.').filter(|name| !name.ends_with('\\')) {
                Some(name) => name.to_ascii_lowercase(),
                None => match origin()? {
                    "" => text.to_ascii_lowercase(),
                    origin => format!("{}.{origin}", text.to_ascii_lowercase()),
                },
            },
        };
        if name.len() > NAME {
            return Err(Fault::new(&word.span, "this name is too long", "a name has at most 253 characters"));
        }
        Ok(name)
    }

    fn host(&mut self, owner: String) {
        if self.seen.contains(&owner) {
            return;
        }
        if owner == "*" || owner.starts_with("*.") {
            self.zone.wildcards.note(&owner);
        } else if is_host(&owner) {
            self.zone.hosts.push(owner.clone());
        } else {
            self.zone.odd.note(&owner);
        }
        self.seen.insert(owner);
    }

    fn service(&mut self, owner: &str, word: Option<&str>, host: &str, port: &str) {
        // The root stands for: there is none (RFC 2782, RFC 7505).
        if host.is_empty() {
            return;
        }
        let word = word.and_then(Service::find).map(|service| service.word);
        let target = word.map(|word| format!("{word}://{host}:{port}"));
        match target.filter(|target| is_host(host) && address::parse(target, 443).is_ok()) {
            Some(target) if self.seen.contains(&target) => {}
            Some(target) => {
                self.zone.services.push(target.clone());
                self.seen.insert(target);
            }
            None => self.zone.unknown.note(owner),
        }
    }
}

/// A name that a host may have: no underscore, no escape.
fn is_host(name: &str) -> bool {
    name.is_ascii() && !name.contains('_') && address::parse(name, 443).is_ok_and(|parsed| parsed.host == name)
}

/// Seconds, or times such as `1h30m`.
fn is_time(word: &str) -> bool {
    word.starts_with(|first: char| first.is_ascii_digit())
        && word.bytes().all(|byte| byte.is_ascii_digit() || b"smhdwSMHDW".contains(&byte))
}

fn is_type(word: &str) -> bool {
    word.len() <= 16
        && word.starts_with(|first: char| first.is_ascii_alphabetic())
        && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Zone {
        Zone::read("zone", text).unwrap_or_else(|mistakes| panic!("{mistakes:?}"))
    }

    fn mistakes(text: &str) -> Vec<(u32, u32, String)> {
        let mistakes = Zone::read("zone", text).unwrap_err();
        mistakes.into_iter().map(|mistake| (mistake.line, mistake.column, mistake.message)).collect()
    }

    const ZONE: &str = "\
$ORIGIN shop.example.
$TTL 1h
@\t3600 IN SOA ns1 host (
        2026112501 ; serial
        1h 15m 4w 5m )
        IN NS ns1
        IN A 192.0.2.1 ; the shop itself
        AAAA 2001:db8::1
WWW     CNAME @
*       A 192.0.2.9
*.dev   CNAME www
api.    A 192.0.2.3
ns1     1d IN A 192.0.2.2
_dmarc  TXT \"v=DMARC1; p=none; rua=mailto:a@shop.example (\"
s1._domainkey CNAME s1.mail.example.
@       MX 10 mx1
@       MX 20 mx.other.example.
null    MX 0 .
_imaps._tcp SRV 0 1 9993 mail
_sip._udp   SRV 0 1 5060 sip
_submission._tcp SRV 0 1 587 mx1
_pop3._tcp  SRV 0 0 0 .
old     CH A 192.0.2.4
txt     IN TYPE65534 \\# 2 0102
odd\\.name A 192.0.2.5
any     A \\# 4 C0000205
$ORIGIN eu
www     0 IN A 192.0.2.6
        HINFO \"a\" \"b\"
";

    #[test]
    fn hosts_are_the_owners_of_addresses_and_aliases() {
        let zone = read(ZONE);
        let hosts =
            ["shop.example", "www.shop.example", "api", "ns1.shop.example", "any.shop.example", "www.eu.shop.example"];
        assert_eq!(zone.hosts, hosts);
        assert_eq!(zone.wildcards.first, ["*.shop.example", "*.dev.shop.example"]);
        assert_eq!(zone.odd.first, ["s1._domainkey.shop.example", "odd\\.name.shop.example"]);
        let services = [
            "smtp://mx1.shop.example:25",
            "smtp://mx.other.example:25",
            "imaps://mail.shop.example:9993",
            "submission://mx1.shop.example:587",
        ];
        assert_eq!(zone.services, services);
        assert_eq!(zone.unknown.first, ["_sip._udp.shop.example"]);
        assert_eq!(
            zone.left_out().unwrap(),
            "2 for any name (*.shop.example, *.dev.shop.example); 2 not the name of a host \
             (s1._domainkey.shop.example, odd\\.name.shop.example); 1 of services that are not known here (_sip._udp.shop.example)"
        );
    }

    #[test]
    fn what_cannot_be_read_is_told_at_its_place() {
        let message = |text: &str| mistakes(text).remove(0);
        assert_eq!(
            message("www A 192.0.2.1"),
            (1, 1, "this name ends without a dot, and no $ORIGIN stands before it".into())
        );
        assert_eq!(message(" A 192.0.2.1").2, "no record with a name of its own stands before this one");
        assert_eq!(message("a.example. A 192.0.2.256"), (1, 14, "this is no address of the type A".into()));
        assert_eq!(message("a.example.\n").2, "this record has no type");
        assert_eq!(message("a.example. 300 IN A").2, "this A record lacks data");
        assert_eq!(message("a.example. host:port x"), (1, 12, "this is not the type of a record".into()));
        assert_eq!(message("$include other.zone").2, "$include is not followed");
        assert_eq!(message("$GENERATE 1-9 a$ A 192.0.2.$").2, "$GENERATE is not followed");
        assert_eq!(message("$X 1").2, "this directive is not known");
        assert_eq!(message("$ORIGIN ; x").2, "$ORIGIN names nothing");
        assert_eq!(message(&format!("{}. A 192.0.2.1", "a".repeat(2000))).2, "this name is too long");
        // An owner that cannot be told gives its records to nobody else.
        let all = mistakes("a.example. A 192.0.2.1\nb A 192.0.2.2\n A 192.0.2.3\nc.example. A x\n");
        assert_eq!(all.iter().map(|(line, ..)| *line).collect::<Vec<_>>(), [2, 3, 4]);
        assert_eq!(mistakes(&"x\n".repeat(100)).len(), MISTAKES);
    }

    #[test]
    fn a_name_that_grows_by_each_origin_ends() {
        let text = format!("$ORIGIN a.\n{}", format!("$ORIGIN {}\n", "b".repeat(60)).repeat(60));
        assert!(mistakes(&text).iter().all(|(.., message)| message == "this name is too long"));
    }

    proptest! {
        #[test]
        fn any_text_never_panics(text in "[-a-z0-9.*@_$;()\"\\\\ \t\r\n]{0,200}") {
            fuzz(text.as_bytes());
        }

        #[test]
        fn any_bytes_never_panic(data in proptest::collection::vec(any::<u8>(), 0..300)) {
            fuzz(&data);
        }

        #[test]
        fn a_record_means_the_same_however_it_is_laid_out(
            label in "[a-z]([a-z0-9-]{0,8}[a-z0-9])?", ttl in "(300|1h30m)?", class in "(IN|in)?", swap in any::<bool>(),
            gap in "[ \t]{1,3}", comment in "(;[ -~]{0,9})?"
        ) {
            let middle = if swap { format!("{class}{gap}{ttl}") } else { format!("{ttl}{gap}{class}") };
            let text = format!("$ORIGIN example.{comment}\n{label}{gap}{middle}{gap}({comment}\n A\n){gap}192.0.2.1{comment}\n");
            prop_assert_eq!(read(&text).hosts, [format!("{label}.example")]);
        }
    }
}
