//! The hosts that take a domain's mail: whether each offers TLS on its port for mail, in which versions, and whether its
//! certificate is what the name, the policy of MTA-STS and the DNS promise.

use super::sts;
use crate::collect::CollectContext;
use crate::collect::dns::chain::Walker;
use crate::collect::dns::tlsa;
use crate::collect::tls::certificate::Anchors;
use crate::collect::tls::exchanger::{self, Door};
use crate::model::mail::{Exchanger, Exchangers, MtaSts, Mx, sts as texts};
use crate::model::tls::Deployment;
use crate::model::{Exchange, Fact, Reason, Target, TargetKind, Trouble, dns};
use crate::wire::dns::Name;
use crate::wire::dns::record;
use std::net::{IpAddr, SocketAddr};

/// The most addresses of one host that are looked at.
const ADDRESSES: usize = 4;

/// What the look needs beside the names.
pub struct Surroundings<'a> {
    /// The domain.
    pub target: &'a Target,
    /// The port for mail; another one than 25 is for tests.
    pub port: u16,
    /// The run.
    pub cx: &'a CollectContext,
}

/// Looks at every host, side by side; and what was asked of them.
pub async fn look(
    walker: &Walker<'_>,
    domain: &Name,
    mx: &Mx,
    policy: &Result<MtaSts, Trouble>,
    around: &Surroundings<'_>,
) -> Result<(Exchangers, Vec<Exchange>), Trouble> {
    if mx.null {
        return Ok((Exchangers::default(), Vec::new()));
    }
    let anchors = Anchors::new(&around.target.connection.ca_files)?;
    let mut doors = Vec::new();
    for host in &mx.hosts {
        doors.extend(addresses(walker, host).await.into_iter().map(|address| (host, address)));
    }
    let looks = doors.into_iter().map(|(host, address)| {
        let anchors = &anchors;
        async move {
            let seen = match &address {
                Ok(ip) => {
                    let address = SocketAddr::new(*ip, around.port);
                    exchanger::look(&target(around, host), address, anchors, around.cx).await
                }
                Err(trouble) => Err(trouble.clone()),
            };
            (host, address.ok(), seen)
        }
    });
    let seen = futures_util::future::join_all(looks).await;
    let listed = listed(walker, domain, mx).await;
    let (mut exchangers, mut exchanges) = (Vec::new(), Vec::new());
    for (host, ip, seen) in seen {
        let (mut exchanger, shown) = facts(host, ip, seen);
        if let Some(ip) = ip {
            let sent = format!("request for TLS in smtp to {host} at {}", SocketAddr::new(ip, around.port));
            exchanges.push(Exchange { sent, received: exchanger.seen.clone() });
        }
        exchanger.listed = of_policy(host, policy);
        exchanger.dane = vouched(walker, host, &listed, &shown).await;
        exchanger.sound = sound(&exchanger);
        if exchanger.sound == Fact::Known(false) {
            (exchanger.why, exchanger.lenient) = fault(&exchanger);
        }
        exchangers.push(exchanger);
    }
    Ok((Exchangers { applicable: true, exchangers }, exchanges))
}

/// The addresses of a host; what cannot be looked at is an address that is not known.
async fn addresses(walker: &Walker<'_>, host: &str) -> Vec<Result<IpAddr, Trouble>> {
    let unsupported = |detail: String| Err(Trouble::new(Reason::Unsupported, detail));
    let Some(name) = Name::parse(host) else { return vec![unsupported(format!("{host} is not the name of a host"))] };
    let mut addresses = Vec::new();
    for kind in [record::A, record::AAAA] {
        match walker.resolver.find(&name, kind).await {
            Ok(found) => addresses.extend(found.records.iter().filter_map(record::address).map(Ok)),
            Err(trouble) => addresses.push(Err(trouble)),
        }
    }
    if addresses.is_empty() {
        let detail = format!("{host} has no address");
        return vec![Err(Trouble::new(Reason::Unreachable, detail))];
    }
    if addresses.len() > ADDRESSES {
        addresses.truncate(ADDRESSES);
        let detail = format!("of the addresses of {host} {ADDRESSES} are looked at");
        addresses.push(Err(Trouble::new(Reason::TooLarge, detail)));
    }
    addresses
}

/// The exchanger as a target of its own.
fn target(around: &Surroundings<'_>, host: &str) -> Target {
    let domain = around.target;
    let mut target = Target::new(domain.id.clone(), TargetKind::Endpoint, format!("{host}:{}", around.port));
    target.connection.clone_from(&domain.connection);
    host.clone_into(&mut target.connection.host);
    target.connection.port = around.port;
    target.connection.server_name = None;
    target.connection.starttls = Some("smtp".to_owned());
    target
}

/// Whether senders can trust the list of exchangers: without that, they do not follow the records of the hosts either
/// (RFC 7672 section 2.2.1).
async fn listed(walker: &Walker<'_>, domain: &Name, mx: &Mx) -> Result<bool, Trouble> {
    if !mx.present {
        return Ok(true);
    }
    tlsa::trusted(walker, domain, record::MX).await.map(|trusted| trusted.is_ok())
}

/// What was seen of an exchanger, and the certificate that it showed.
fn facts(host: &str, ip: Option<IpAddr>, seen: Result<Door, Trouble>) -> (Exchanger, Fact<Vec<Deployment>>) {
    let door = match seen {
        Ok(door) => door,
        Err(trouble) => {
            let why = trouble.to_string();
            let (offered, modern) = (Fact::unknown(why.clone()), Fact::unknown(why.clone()));
            let exchanger = Exchanger { offered, modern, seen: why.clone(), ..named(host, ip) };
            return shown(exchanger, Fact::unknown(why));
        }
    };
    // Bytes in clear behind the positive answer may be a stranger's.
    let clean = door.upgrade.extra_bytes.known().is_some_and(|word| word == "no");
    let offered = match door.upgrade.offered.known().map(String::as_str) {
        Some("yes") if !clean => Fact::Known("unclean".to_owned()),
        _ => door.upgrade.offered,
    };
    let (protocols, modern, seen) = (door.protocols, door.modern, door.upgrade.seen);
    if offered == Fact::Known("no".to_owned()) {
        // Where there is no TLS, there is no version of it and no certificate: that is known.
        let (trust, name_matches) = (Fact::Known("none".to_owned()), false.into());
        let none = Exchanger { offered, modern: false.into(), trust, name_matches, seen, ..named(host, ip) };
        return (none, Vec::new().into());
    }
    shown(Exchanger { offered, protocols, modern, seen, ..named(host, ip) }, door.deployment)
}

fn named(host: &str, ip: Option<IpAddr>) -> Exchanger {
    let address = ip.map(|ip| ip.to_string()).unwrap_or_default();
    Exchanger { host: host.to_owned(), address, ..Exchanger::default() }
}

fn shown(exchanger: Exchanger, deployment: Fact<Deployment>) -> (Exchanger, Fact<Vec<Deployment>>) {
    match deployment {
        Fact::Unknown(why) => {
            let (trust, name_matches) = (Fact::unknown(why.unknown.clone()), Fact::unknown(why.unknown.clone()));
            (Exchanger { trust, name_matches, ..exchanger }, Fact::unknown(why.unknown))
        }
        Fact::Known(deployment) => {
            let exchanger = Exchanger {
                trust: deployment.trust.clone(),
                trust_detail: deployment.trust_detail.clone(),
                name_matches: deployment.name_matches.into(),
                days_left: deployment.days_left,
                ..exchanger
            };
            (exchanger, vec![deployment].into())
        }
    }
}

/// Whether the policy of MTA-STS names a host; `no-policy` where senders have none to follow.
fn of_policy(host: &str, policy: &Result<MtaSts, Trouble>) -> Fact<String> {
    let word = match policy {
        Err(trouble) => return Fact::unknown(trouble.to_string()),
        // What was wrong with a policy that could not be had stands in its words.
        Ok(policy) if !policy.valid || policy.mode == "none" => "no-policy",
        Ok(policy) if policy.patterns.iter().any(|pattern| texts::matches(pattern, host)) => "yes",
        Ok(_) => "no",
    };
    Fact::Known(word.to_owned())
}

/// What the DNS says of a host's certificate.
async fn vouched(
    walker: &Walker<'_>,
    host: &str,
    listed: &Result<bool, Trouble>,
    shown: &Fact<Vec<Deployment>>,
) -> Fact<String> {
    let Some(name) = Name::parse(host) else { return Fact::unknown(format!("{host} is not the name of a host")) };
    match tlsa::compared(walker, &name, sts::MAIL, true, shown).await {
        Err(trouble) => Fact::unknown(trouble.to_string()),
        Ok(records) => word_of(&records, listed, shown.known().is_none_or(|shown| !shown.is_empty())),
    }
}

fn word_of(records: &dns::Tlsa, listed: &Result<bool, Trouble>, shown: bool) -> Fact<String> {
    let word = match (&records.matches, listed) {
        // Where there are no records, nothing depends on signatures.
        _ if !records.present => "none",
        _ if !records.secure => "insecure",
        (_, Err(trouble)) => return Fact::unknown(trouble.to_string()),
        (_, Ok(false)) => "insecure",
        _ if records.records.iter().all(|record| record.result == "unusable") => "unusable",
        // Without a certificate nothing matches.
        _ if !shown => "mismatch",
        (Fact::Known(true), _) => "match",
        (Fact::Known(false), _) => "mismatch",
        (Fact::Unknown(why), _) => return Fact::unknown(why.unknown.clone()),
    };
    Fact::Known(word.to_owned())
}

/// Whether senders can be held to TLS with this host. One thing that is amiss decides, whatever else is not known.
fn sound(seen: &Exchanger) -> Fact<bool> {
    let is = |fact: &Fact<String>, words: &[&str]| match fact {
        Fact::Known(word) => words.contains(&word.as_str()).into(),
        Fact::Unknown(why) => Fact::unknown(why.unknown.clone()),
    };
    let by_authority = [is(&seen.trust, &["trusted"]), seen.name_matches.clone()];
    let certificate = match seen.dane.known().map(String::as_str) {
        Some("match") => vec![true.into()],
        Some("mismatch") => vec![false.into()],
        Some(_) => by_authority.into(),
        None => vec![is(&seen.dane, &[])],
    };
    let others = [is(&seen.offered, &["yes"]), seen.modern.clone(), is(&seen.listed, &["yes", "no-policy"])];
    let all: Vec<Fact<bool>> = others.into_iter().chain(certificate).collect();
    if all.contains(&Fact::Known(false)) {
        return false.into();
    }
    all.into_iter().find(|fact| fact.known().is_none()).unwrap_or(Fact::Known(true))
}

/// The gravest thing that is amiss, in words; and whether it is the certificate alone, which nothing holds senders to.
fn fault(seen: &Exchanger) -> (String, bool) {
    let word = |fact: &Fact<String>| fact.known().cloned().unwrap_or_default();
    let (offered, listed, dane, trust) = (word(&seen.offered), word(&seen.listed), word(&seen.dane), word(&seen.trust));
    let grave = match offered.as_str() {
        "no" => Some(format!("no TLS: {}", seen.seen)),
        "unclean" => Some(seen.seen.clone()),
        _ if seen.modern == Fact::Known(false) && seen.protocols.is_empty() => Some("no version in use".to_owned()),
        _ if seen.modern == Fact::Known(false) => Some(format!("only {}", seen.protocols.join(", "))),
        _ if listed == "no" => Some("not named by the MTA-STS policy".to_owned()),
        _ if dane == "mismatch" => Some("a certificate that the TLSA records do not name".to_owned()),
        _ => None,
    };
    if let Some(words) = grave {
        return (words, false);
    }
    let words = match (trust.as_str(), seen.trust_detail.as_str()) {
        ("trusted", _) => "a certificate for another name".to_owned(),
        (trust, "") => format!("a certificate that is {trust}"),
        (trust, detail) => format!("a certificate that is {trust}: {detail}"),
    };
    (words, listed == "no-policy")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::dns::{Association, Tlsa};

    #[test]
    fn what_the_dns_vouches_for_is_one_word() {
        let association = |result: &str| Association { usage: 3, selector: 1, matching: 1, result: result.to_owned() };
        let with = |present, secure, listed, results: &[&str], matches: Fact<bool>, shown| {
            let records = results.iter().map(|result| association(result)).collect();
            word_of(&Tlsa { present, secure, records, matches, ..Tlsa::default() }, &listed, shown)
        };
        let of =
            |present, secure, listed, results: &[&str], matches| with(present, secure, listed, results, matches, true);
        let word = |fact: Fact<String>| fact.known().cloned().unwrap_or_default();
        assert_eq!(word(of(false, false, Ok(true), &[], Fact::default())), "none");
        assert_eq!(word(of(true, false, Ok(true), &["match"], true.into())), "insecure");
        assert_eq!(
            word(of(true, true, Ok(false), &["match"], true.into())),
            "insecure",
            "the list of hosts is not signed"
        );
        assert_eq!(word(of(true, true, Ok(true), &["unusable"], Fact::unknown("x"))), "unusable");
        assert_eq!(word(of(true, true, Ok(true), &["match", "unusable"], true.into())), "match");
        assert_eq!(word(of(true, true, Ok(true), &["mismatch"], false.into())), "mismatch");
        assert!(of(true, true, Ok(true), &["unknown"], Fact::unknown("x")).known().is_none());
        let late = || Err(Trouble::new(Reason::TimedOut, "late"));
        assert_eq!(word(of(false, false, late(), &[], Fact::default())), "none");
        assert_eq!(word(of(true, true, late(), &["match"], true.into())), "");
        assert_eq!(word(with(true, true, Ok(true), &["unknown"], Fact::unknown("x"), false)), "mismatch");
    }

    #[test]
    fn one_fault_decides_and_what_is_not_known_passes_nothing() {
        let word = |word: &str| Fact::Known(word.to_owned());
        let good = Exchanger {
            offered: word("yes"),
            modern: true.into(),
            trust: word("trusted"),
            name_matches: true.into(),
            listed: word("no-policy"),
            dane: word("none"),
            ..Exchanger::default()
        };
        let of = |change: &dyn Fn(&mut Exchanger)| {
            let mut seen = good.clone();
            change(&mut seen);
            sound(&seen).known().copied()
        };
        assert_eq!(of(&|_| ()), Some(true));
        assert_eq!(of(&|seen| seen.offered = word("no")), Some(false));
        assert_eq!(of(&|seen| seen.offered = word("unclean")), Some(false));
        assert_eq!(of(&|seen| seen.modern = false.into()), Some(false));
        assert_eq!(of(&|seen| seen.listed = word("no")), Some(false));
        assert_eq!(of(&|seen| seen.trust = word("self-signed")), Some(false));
        assert_eq!(of(&|seen| (seen.trust, seen.dane) = (word("self-signed"), word("match"))), Some(true));
        assert_eq!(of(&|seen| seen.dane = word("mismatch")), Some(false));
        assert_eq!(of(&|seen| seen.dane = Fact::unknown("x")), None);
        assert_eq!(of(&|seen| seen.listed = Fact::unknown("x")), None);
        assert_eq!(of(&|seen| (seen.offered, seen.dane) = (word("no"), Fact::unknown("x"))), Some(false));
        assert_eq!(sound(&Exchanger::default()).known(), None);
        let why = |change: &dyn Fn(&mut Exchanger)| {
            let mut seen = good.clone();
            change(&mut seen);
            fault(&seen)
        };
        assert_eq!(why(&|seen| seen.trust = word("expired")), ("a certificate that is expired".to_owned(), true));
        assert!(!why(&|seen| (seen.trust, seen.listed) = (word("expired"), word("yes"))).1);
        assert_eq!(why(&|seen| seen.name_matches = false.into()).0, "a certificate for another name");
        assert!(!why(&|seen| seen.dane = word("mismatch")).1);
        assert!(why(&|seen| seen.offered = word("no")).0.starts_with("no TLS"));
    }

    #[test]
    fn only_a_policy_that_senders_follow_names_hosts() {
        let policy = |valid, mode: &str| {
            let patterns = vec!["*.shop.example".to_owned()];
            Ok(MtaSts { valid, mode: mode.to_owned(), patterns, ..MtaSts::default() })
        };
        let word = |policy| of_policy("mx.shop.example", &policy).known().cloned().unwrap_or_default();
        assert_eq!(word(policy(true, "enforce")), "yes");
        assert_eq!(of_policy("mx.other.example", &policy(true, "testing")).known().unwrap(), "no");
        assert_eq!(word(policy(true, "none")), "no-policy");
        assert_eq!(word(policy(false, "enforce")), "no-policy");
        assert_eq!(word(Err(Trouble::new(Reason::TimedOut, "late"))), "");
    }
}
