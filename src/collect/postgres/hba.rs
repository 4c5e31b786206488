//! What the rules of `pg_hba.conf` let in: pure arithmetic over rules in their order.

use super::session::{Row, clean, number, text, yes};
use crate::model::database::{self, AuthMethod, HbaRule};
use crate::model::{Reason, Trouble};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// A rule as the server reads it.
#[derive(Clone, Debug, Default)]
pub struct Rule {
    line: u32,
    kind: String,
    databases: Vec<String>,
    users: Vec<String>,
    address: String,
    netmask: String,
    method: String,
    error: bool,
}

/// The columns that [`Rule::read`] takes.
pub const COLUMNS: &str = "line_number, coalesce(type, ''), array_to_json(database)::text, \
                           array_to_json(user_name)::text, coalesce(address, ''), coalesce(netmask, ''), \
                           coalesce(auth_method, ''), error IS NOT NULL";

/// The ways in which a connection can be made.
const WAYS: [&str; 4] = ["local", "plain", "tls", "gss"];

impl Rule {
    /// Reads a row of the view.
    pub fn read(row: &Row) -> Result<Rule, Trouble> {
        let error = yes(row, 7)?;
        let list = |index: usize| match (text(row, index), error) {
            (Ok(json), _) => serde_json::from_str(&json)
                .map_err(|_| Trouble::new(Reason::ProtocolViolation, "a rule's list of names is not one")),
            // A rule that the server cannot read may have no names.
            (Err(_), true) => Ok(Vec::new()),
            (Err(trouble), false) => Err(trouble),
        };
        Ok(Rule {
            line: u32::try_from(number(row, 0)?).unwrap_or_default(),
            kind: clean(&text(row, 1)?),
            databases: list(2)?,
            users: list(3)?,
            address: clean(&text(row, 4)?),
            netmask: clean(&text(row, 5)?),
            method: clean(&text(row, 6)?),
            error,
        })
    }

    /// The line, where the server could not read it.
    pub fn faulty(&self) -> Option<u32> {
        self.error.then_some(self.line)
    }

    /// Whether a connection made in this way can match.
    fn takes(&self, way: &str) -> bool {
        match self.kind.as_str() {
            "local" => way == "local",
            "host" => way != "local",
            "hostssl" => way == "tls",
            "hostnossl" => way == "plain" || way == "gss",
            "hostgssenc" => way == "gss",
            "hostnogssenc" => way == "plain" || way == "tls",
            // A type of a later version: it may take anything but it covers nothing.
            _ => false,
        }
    }

    /// A client on another machine can match.
    fn remote(&self) -> bool {
        if self.kind == "local" {
            return false;
        }
        match self.address.as_str() {
            "samehost" | "localhost" => false,
            address => match address.parse::<IpAddr>() {
                Ok(IpAddr::V4(ip)) => !(ip.is_loopback() && prefix(&self.netmask).is_some_and(|bits| bits >= 8)),
                Ok(IpAddr::V6(ip)) => !(ip.is_loopback() && prefix(&self.netmask) == Some(128)),
                // `all`, `samenet`, and host names.
                Err(_) => true,
            },
        }
    }

    /// Every client that the other rule could match in this way matches this one.
    fn covers(&self, other: &Rule, way: &str) -> bool {
        !self.error
            && self.takes(way)
            && covers_names(&self.databases, &other.databases, true)
            && covers_names(&self.users, &other.users, false)
            && (way == "local" || self.covers_address(other))
    }

    fn covers_address(&self, other: &Rule) -> bool {
        if self.address == "all" || (self.address == other.address && self.netmask == other.netmask) {
            return true;
        }
        match (network(self), network(other)) {
            (Some((IpAddr::V4(mine), bits)), Some((IpAddr::V4(theirs), more))) if bits <= more => {
                let mask = u32::MAX.checked_shl(32_u32.saturating_sub(bits)).unwrap_or(0);
                (mine.to_bits() & mask) == (theirs.to_bits() & mask)
            }
            (Some((IpAddr::V6(mine), bits)), Some((IpAddr::V6(theirs), more))) if bits <= more => {
                let mask = u128::MAX.checked_shl(128_u32.saturating_sub(bits)).unwrap_or(0);
                (mine.to_bits() & mask) == (theirs.to_bits() & mask)
            }
            _ => false,
        }
    }

    /// This role matches; `None` where that rests on a group or an expression.
    fn is_for(&self, role: &str) -> Option<bool> {
        if self.users.iter().any(|name| name == "all" || name == role) {
            return Some(true);
        }
        let by_more = self.users.iter().any(|name| name.starts_with(['+', '/', '@']));
        if by_more { None } else { Some(false) }
    }

    /// The rule in the words of its file, with counts in place of names.
    fn words(&self) -> String {
        let words = [
            self.kind.clone(),
            count(&self.databases, "database"),
            count(&self.users, "user"),
            address(self),
            self.method.clone(),
        ];
        words.iter().filter(|word| !word.is_empty()).map(String::as_str).collect::<Vec<_>>().join(" ")
    }
}

/// The names cover those of another rule. `all` databases leaves out the word `replication`.
fn covers_names(mine: &[String], theirs: &[String], databases: bool) -> bool {
    let all = mine.iter().any(|name| name == "all");
    theirs.iter().all(|name| mine.contains(name) || (all && !(databases && name == "replication")))
}

fn network(rule: &Rule) -> Option<(IpAddr, u32)> {
    Some((rule.address.parse().ok()?, prefix(&rule.netmask)?))
}

/// The number of leading ones of a mask that is nothing but leading ones.
fn prefix(mask: &str) -> Option<u32> {
    match mask.parse().ok()? {
        IpAddr::V4(mask) => {
            let bits = mask.to_bits();
            (bits.leading_ones() == bits.count_ones()).then(|| bits.leading_ones())
        }
        IpAddr::V6(mask) => {
            let bits = mask.to_bits();
            (bits.leading_ones() == bits.count_ones()).then(|| bits.leading_ones())
        }
    }
}

/// The rule is reached by somebody who connects in this way.
fn reached(rules: &[Rule], index: usize, way: &str) -> bool {
    rules.get(index).is_some_and(|rule| {
        let known = WAYS.iter().any(|way| rule.takes(way));
        (rule.takes(way) || !known) && !rules.iter().take(index).any(|before| before.covers(rule, way))
    })
}

fn admits(rule: &Rule) -> bool {
    !rule.error && rule.method != "reject"
}

/// The rules as facts.
pub fn facts(rules: &[Rule]) -> Vec<HbaRule> {
    let fact = |(index, rule): (usize, &Rule)| HbaRule {
        line: rule.line,
        kind: rule.kind.clone(),
        databases: count(&rule.databases, "database"),
        users: count(&rule.users, "user"),
        address: address(rule),
        method: rule.method.clone(),
        plaintext_possible: admits(rule) && reached(rules, index, "plain"),
        remote: rule.remote(),
        shadowed: !WAYS.iter().any(|way| reached(rules, index, way)),
        error: rule.error,
    };
    rules.iter().enumerate().map(fact).collect()
}

/// The ways in, each with its method.
pub fn methods(rules: &[Rule]) -> Vec<AuthMethod> {
    let used = |(index, rule): &(usize, &Rule)| admits(rule) && WAYS.iter().any(|way| reached(rules, *index, way));
    let mut met: BTreeMap<String, u32> = BTreeMap::new();
    let mut method = |(_, rule): (usize, &Rule)| {
        let strength = strength(&rule.method);
        let words = rule.words();
        let times = met.entry(words.clone()).or_default();
        *times = times.saturating_add(1);
        AuthMethod {
            rule: if *times == 1 { words } else { format!("{words} ({times})") },
            line: rule.line,
            method: rule.method.clone(),
            kind: rule.kind.clone(),
            address: address(rule),
            remote: rule.remote(),
            strength: strength.to_owned(),
            weak: database::is_weak(strength),
            seen: format!("{} in line {}", rule.method, rule.line),
        }
    };
    rules.iter().enumerate().filter(used).map(&mut method).collect()
}

/// The lines of the rules that let clients of other machines in without TLS.
pub fn plaintext_lines(rules: &[Rule]) -> Vec<u32> {
    facts(rules).iter().filter(|rule| rule.plaintext_possible && rule.remote).map(|rule| rule.line).collect()
}

/// Whether somebody can be this role without any proof; `None` where that rests on a group or an expression.
pub fn open(rules: &[Rule], role: &str) -> Option<bool> {
    any(ways_in(rules, role).filter(|(rule, _)| strength(&rule.method) == "none"))
}

/// Whether clients of other machines may try to be this role; `None` likewise.
pub fn tried_from_afar(rules: &[Rule], role: &str) -> Option<bool> {
    any(ways_in(rules, role).filter(|(rule, _)| rule.remote()))
}

/// One sure way is enough; without one, an unsure way leaves it open.
fn any<'a>(ways: impl Iterator<Item = (&'a Rule, bool)>) -> Option<bool> {
    let sure: Vec<bool> = ways.map(|(_, sure)| sure).collect();
    if sure.is_empty() { Some(false) } else { sure.contains(&true).then_some(true) }
}

/// The rules that let this role in, each with whether it surely does.
fn ways_in<'a>(rules: &'a [Rule], role: &'a str) -> impl Iterator<Item = (&'a Rule, bool)> {
    rules.iter().enumerate().filter(|(_, rule)| admits(rule)).filter_map(move |(index, rule)| {
        let sure = match rule.is_for(role) {
            Some(false) => return None,
            other => other == Some(true),
        };
        let mine = Rule { users: vec![role.to_owned()], ..rule.clone() };
        let taken = |way: &str| rules.iter().take(index).any(|before| before.covers(&mine, way));
        let comes = WAYS.iter().any(|way| reached(rules, index, way) && !taken(way));
        comes.then_some((rule, sure))
    })
}

fn strength(method: &str) -> &'static str {
    match method {
        "trust" => "none",
        "password" => "cleartext",
        "ident" => "claimed",
        "md5" => "md5",
        "scram-sha-256" | "cert" | "peer" | "gss" | "sspi" => "strong",
        "ldap" | "radius" | "pam" | "bsd" | "oauth" => "external",
        _ => "unknown",
    }
}

fn count(names: &[String], noun: &str) -> String {
    match names {
        [] => "none".to_owned(),
        _ if names.iter().any(|name| name == "all") => "all".to_owned(),
        [name] if noun == "database" && name == "replication" => name.clone(),
        [_] => format!("1 {noun}"),
        more => format!("{} {noun}s", more.len()),
    }
}

fn address(rule: &Rule) -> String {
    match prefix(&rule.netmask) {
        Some(bits) => format!("{}/{bits}", rule.address),
        None if rule.netmask.is_empty() => rule.address.clone(),
        None => format!("{} {}", rule.address, rule.netmask),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Fact;

    /// Rules written as in the file, with the mask as a prefix.
    fn rules(file: &str) -> Vec<Rule> {
        let rule = |(index, line): (usize, &str)| {
            let mut words = line.split_whitespace();
            let mut next = || words.next().unwrap_or_default().to_owned();
            let (kind, databases, users) = (next(), next(), next());
            let address = if kind == "local" { String::new() } else { next() };
            let (address, netmask) = match address.split_once('/') {
                Some((address, bits)) => (address.to_owned(), mask(address, bits.parse().unwrap())),
                None => (address, String::new()),
            };
            let names = |text: String| text.split(',').map(str::to_owned).collect();
            Rule {
                line: index as u32 + 1,
                kind,
                databases: names(databases),
                users: names(users),
                address,
                netmask,
                method: next(),
                error: false,
            }
        };
        file.lines().map(str::trim).filter(|line| !line.is_empty()).enumerate().map(rule).collect()
    }

    fn mask(address: &str, bits: u32) -> String {
        match address.parse().unwrap() {
            IpAddr::V4(_) => std::net::Ipv4Addr::from_bits(u32::MAX.checked_shl(32 - bits).unwrap_or(0)).to_string(),
            IpAddr::V6(_) => std::net::Ipv6Addr::from_bits(u128::MAX.checked_shl(128 - bits).unwrap_or(0)).to_string(),
        }
    }

    #[test]
    fn a_host_rule_admits_plaintext_unless_a_reject_comes_first() {
        assert_eq!(plaintext_lines(&rules("host all all 0.0.0.0/0 scram-sha-256")), [1]);
        assert_eq!(plaintext_lines(&rules("hostssl all all 0.0.0.0/0 scram-sha-256")), [] as [u32; 0]);
        let first = "hostnossl all all all reject\nhost all all 0.0.0.0/0 scram-sha-256";
        assert!(plaintext_lines(&rules(first)).is_empty());
        let after = "host all all 0.0.0.0/0 scram-sha-256\nhostnossl all all all reject";
        assert_eq!(plaintext_lines(&rules(after)), [1]);
        let before_tls = "hostssl all all 0.0.0.0/0 scram-sha-256\nhost all all 0.0.0.0/0 scram-sha-256";
        assert_eq!(plaintext_lines(&rules(before_tls)), [2]);
    }

    #[test]
    fn a_reject_of_fewer_clients_hides_nothing() {
        for narrow in [
            "hostnossl all all 10.0.0.0/8 reject",
            "hostnossl app all all reject",
            "hostnossl all bob all reject",
            "hostssl all all all reject",
            "local all all reject",
        ] {
            assert_eq!(plaintext_lines(&rules(&format!("{narrow}\nhost all all 0.0.0.0/0 md5"))), [2], "{narrow}");
        }
        let wide = "hostnossl all all 10.0.0.0/8 reject\nhost app bob 10.1.2.0/24 md5";
        assert!(plaintext_lines(&rules(wide)).is_empty());
        let replication = "hostnossl all all all reject\nhost replication all 10.0.0.0/8 md5";
        assert_eq!(plaintext_lines(&rules(replication)), [2]);
        let other_family = "hostnossl all all 0.0.0.0/0 reject\nhost all all ::/0 md5";
        assert_eq!(plaintext_lines(&rules(other_family)), [2]);
    }

    #[test]
    fn loopback_and_sockets_are_this_machine() {
        let rules = rules(
            "local all all trust\nhost all all 127.0.0.1/32 trust\nhost all all ::1/128 trust\n\
             host all all 127.0.0.0/7 md5\nhost all all samehost md5\nhost all all samenet md5\nhost all all db.example md5",
        );
        let remote: Vec<bool> = facts(&rules).iter().map(|rule| rule.remote).collect();
        assert_eq!(remote, [false, false, false, true, false, true, true]);
    }

    #[test]
    fn a_rule_that_is_never_reached_is_no_way_in() {
        let rules = rules("host all all all scram-sha-256\nhostssl all bob 10.0.0.0/8 trust\nlocal all all peer");
        let methods = methods(&rules);
        assert_eq!(methods.len(), 2);
        assert!(methods.iter().all(|method| method.weak == Fact::Known(false)));
        assert!(facts(&rules)[1].shadowed);
    }

    #[test]
    fn weak_methods_are_named() {
        let rules = rules(
            "host all a all trust\nhost all b all password\nhost all c all ident\nhost all d all md5\nhost all e all ldap",
        );
        let strengths: Vec<String> = methods(&rules).into_iter().map(|method| method.strength).collect();
        assert_eq!(strengths, ["none", "cleartext", "claimed", "md5", "external"]);
    }

    #[test]
    fn the_first_account_is_open_where_trust_reaches_it() {
        assert_eq!(open(&rules("local all all trust"), "postgres"), Some(true));
        assert_eq!(open(&rules("host all postgres 10.0.0.0/8 trust"), "postgres"), Some(true));
        assert_eq!(open(&rules("host all +admins all trust"), "postgres"), None);
        assert_eq!(open(&rules("host all bob all trust"), "postgres"), Some(false));
        let rejected = rules("host all postgres all reject\nhost all all all trust");
        assert_eq!((open(&rejected, "postgres"), open(&rejected, "bob")), (Some(false), Some(true)));
        let afar = |file| tried_from_afar(&rules(file), "postgres");
        assert_eq!(afar("hostssl all all all scram-sha-256"), Some(true));
        assert_eq!(afar("hostssl all all 127.0.0.1/32 scram-sha-256"), Some(false));
    }

    #[test]
    fn a_way_in_is_named_by_what_it_says() {
        let rules = rules("local all all peer\nhostssl a,b bob 10.0.0.0/8 md5\nhostssl c,d eve 10.0.0.0/8 md5");
        let names: Vec<String> = methods(&rules).into_iter().map(|method| method.rule).collect();
        let twice = "hostssl 2 databases 1 user 10.0.0.0/8 md5";
        assert_eq!(names, ["local all all peer", twice, &format!("{twice} (2)")]);
    }

    #[test]
    fn an_unknown_type_is_taken_as_reached() {
        let rules = rules("host all all all scram-sha-256\nhostquic all all all trust");
        assert_eq!(methods(&rules)[1].weak, Fact::Known(true));
        // What comes in clear is taken by the first rule already.
        assert_eq!(plaintext_lines(&rules), [1]);
        assert_eq!(plaintext_lines(&rules[1..]), [2]);
    }

    #[test]
    fn names_become_counts() {
        let facts = facts(&rules("host a,b bob 10.0.0.0/8 md5\nhost replication all all md5"));
        assert_eq!((facts[0].databases.as_str(), facts[0].users.as_str()), ("2 databases", "1 user"));
        assert_eq!((facts[1].databases.as_str(), facts[1].users.as_str()), ("replication", "all"));
        assert_eq!(facts[0].address, "10.0.0.0/8");
    }
}
