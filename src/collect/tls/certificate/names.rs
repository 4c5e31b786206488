//! Which names a certificate is for (RFC 9525), and which its authorities may vouch for (RFC 5280 section 4.2.1.10).

use std::net::IpAddr;

/// Whether one of these names is this host. The subject's common name never counts.
///
/// A wildcard is a whole left-most label, stands for exactly one label, and needs two labels behind it.
pub(super) fn matches(host: &str, dns: &[String], addresses: &[Vec<u8>]) -> bool {
    let host = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    if let Ok(address) = host.parse::<IpAddr>() {
        let octets = match address {
            IpAddr::V4(address) => address.octets().to_vec(),
            IpAddr::V6(address) => address.octets().to_vec(),
        };
        return addresses.contains(&octets);
    }
    let host = host.strip_suffix('.').unwrap_or(host);
    !host.is_empty() && !host.contains('*') && dns.iter().any(|name| name_matches(host, name))
}

fn name_matches(host: &str, name: &str) -> bool {
    match name.strip_prefix("*.") {
        Some(parent) => match host.split_once('.') {
            Some((label, rest)) => {
                !label.is_empty() && parent.contains('.') && !parent.contains('*') && rest.eq_ignore_ascii_case(parent)
            }
            None => false,
        },
        None => !name.contains('*') && host.eq_ignore_ascii_case(name),
    }
}

/// The names that an authority may vouch for.
#[derive(Clone, Debug, Default)]
pub(super) struct Constraints {
    /// Permitted.
    pub permitted: Vec<Subtree>,
    /// Excluded.
    pub excluded: Vec<Subtree>,
}

/// A part of a name space.
#[derive(Clone, Debug)]
pub(super) enum Subtree {
    /// A domain and what is below it.
    Dns(String),
    /// Address and mask.
    Ip(Vec<u8>),
    /// Mail addresses, which matter only for certificates with mail addresses.
    Mail,
    /// Addresses of resources, which matter only for certificates with such.
    Uri,
    /// A form that is not evaluated here.
    Other(&'static str),
}

/// The names in a certificate that constraints apply to.
pub(super) struct Names<'a> {
    pub dns: &'a [String],
    pub addresses: &'a [Vec<u8>],
    pub mail: bool,
    pub uri: bool,
}

/// What constraints say about names.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Judgement {
    /// Every name is allowed.
    Allowed,
    /// This one is not.
    Forbidden(String),
    /// It cannot be told, for this reason.
    Unable(String),
}

impl Constraints {
    /// Judges the names of a certificate.
    pub fn judge(&self, names: &Names<'_>) -> Judgement {
        for subtree in self.permitted.iter().chain(&self.excluded) {
            let form = match subtree {
                Subtree::Other(form) => form,
                Subtree::Mail if names.mail => "mail addresses",
                Subtree::Uri if names.uri => "resource addresses",
                _ => continue,
            };
            return Judgement::Unable(format!("name constraints on {form} are not evaluated"));
        }
        for name in names.dns {
            match self.judge_dns(name) {
                Judgement::Allowed => {}
                other => return other,
            }
        }
        for address in names.addresses {
            let within = |subtree: &Subtree| matches!(subtree, Subtree::Ip(range) if ip_within(address, range));
            let constrained = self.permitted.iter().any(|subtree| matches!(subtree, Subtree::Ip(_)));
            if self.excluded.iter().any(within) || (constrained && !self.permitted.iter().any(within)) {
                return Judgement::Forbidden("an IP address".to_owned());
            }
        }
        Judgement::Allowed
    }

    fn judge_dns(&self, name: &str) -> Judgement {
        let within = |subtree: &Subtree| matches!(subtree, Subtree::Dns(base) if dns_within(name, base));
        let constrained = self.permitted.iter().any(|subtree| matches!(subtree, Subtree::Dns(_)));
        if self.excluded.iter().any(within) || (constrained && !self.permitted.iter().any(within)) {
            return Judgement::Forbidden(name.to_owned());
        }
        // A wildcard may stand for a label that is excluded.
        let could = |subtree: &Subtree| matches!(subtree, Subtree::Dns(base) if name.strip_prefix("*.").is_some_and(|parent| dns_within(base.trim_start_matches('.'), parent)));
        if self.excluded.iter().any(could) {
            return Judgement::Unable(format!("the wildcard {name} covers an excluded name"));
        }
        Judgement::Allowed
    }
}

/// `base` holds itself and what is below it; with a leading dot, only what is below it; empty, everything.
fn dns_within(name: &str, base: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let base = base.to_ascii_lowercase();
    if base.is_empty() {
        return true;
    }
    match base.strip_prefix('.') {
        Some(_) => name.ends_with(&base),
        None => name == base || name.strip_suffix(&base).is_some_and(|front| front.ends_with('.')),
    }
}

fn ip_within(address: &[u8], range: &[u8]) -> bool {
    let Some((base, mask)) = range.split_at_checked(range.len() / 2) else { return false };
    base.len() == address.len()
        && mask.len() == address.len()
        && address.iter().zip(base).zip(mask).all(|((a, b), m)| a & m == b & m)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_for(host: &str, name: &str) -> bool {
        matches(host, &[name.to_owned()], &[])
    }

    #[test]
    fn names_match_as_in_rfc_9525() {
        for (host, name) in [
            ("www.example.com", "www.example.com"),
            ("WWW.example.com", "www.EXAMPLE.com"),
            ("www.example.com.", "www.example.com"),
            ("www.example.com", "*.example.com"),
            ("xn--bcher-kva.example.com", "*.example.com"),
            ("xn--bcher-kva.example", "XN--BCHER-KVA.example"),
            ("localhost", "localhost"),
        ] {
            assert!(is_for(host, name), "{host} is {name}");
        }
    }

    #[test]
    fn near_misses_do_not_match() {
        for (host, name) in [
            ("example.com", "*.example.com"),
            ("a.b.example.com", "*.example.com"),
            (".example.com", "*.example.com"),
            ("www.example.com", "w*.example.com"),
            ("www.example.com", "*w.example.com"),
            ("www.example.com", "www.*.com"),
            ("www.example.com", "*.*.com"),
            ("www.example.com", "*"),
            ("example.com", "*.com"),
            ("xn--bcher-kva.example.com", "xn--*.example.com"),
            ("www.example.com", "www.example.com."),
            ("www.example.com", "www.example.com\0.evil.test"),
            ("www.example.com", "example.com"),
            ("*.example.com", "*.example.com"),
            ("", ""),
            ("127.0.0.1", "127.0.0.1"),
            ("1.2.3.4", "*.2.3.4"),
        ] {
            assert!(!is_for(host, name), "{host} is not {name}");
        }
    }

    #[test]
    fn addresses_match_by_their_bytes() {
        let v4 = vec![vec![127, 0, 0, 1]];
        let mut v6 = vec![0; 15];
        v6.push(1);
        assert!(matches("127.0.0.1", &[], &v4));
        assert!(!matches("127.0.0.2", &[], &v4));
        assert!(matches("::1", &[], &[v6.clone()]));
        assert!(matches("[::1]", &[], &[v6]));
        assert!(!matches("localhost", &[], &v4));
    }

    #[test]
    fn constraints_are_kept() {
        let dns = |name: &str| Subtree::Dns(name.to_owned());
        let judge = |constraints: &Constraints, name: &str| {
            constraints.judge(&Names { dns: &[name.to_owned()], addresses: &[], mail: false, uri: false })
        };
        let inside = Constraints { permitted: vec![dns("example.com")], excluded: vec![dns("bad.example.com")] };
        assert_eq!(judge(&inside, "www.example.com"), Judgement::Allowed);
        assert_eq!(judge(&inside, "example.com"), Judgement::Allowed);
        assert!(matches!(judge(&inside, "notexample.com"), Judgement::Forbidden(_)));
        assert!(matches!(judge(&inside, "www.bad.example.com"), Judgement::Forbidden(_)));
        assert!(matches!(judge(&inside, "*.example.com"), Judgement::Unable(_)));
        let dotted = Constraints { permitted: vec![dns(".tr")], excluded: vec![] };
        assert_eq!(judge(&dotted, "kamu.gov.tr"), Judgement::Allowed);
        assert!(matches!(judge(&dotted, "example.com"), Judgement::Forbidden(_)));
        let other = Constraints { permitted: vec![Subtree::Other("directory names")], excluded: vec![] };
        assert!(matches!(judge(&other, "example.com"), Judgement::Unable(_)));
        let mail = Constraints { permitted: vec![Subtree::Mail], excluded: vec![] };
        assert_eq!(judge(&mail, "example.com"), Judgement::Allowed);
    }

    #[test]
    fn address_constraints_are_kept() {
        let ten = Constraints { permitted: vec![Subtree::Ip(vec![10, 0, 0, 0, 255, 0, 0, 0])], excluded: vec![] };
        let judge = |address: Vec<u8>| ten.judge(&Names { dns: &[], addresses: &[address], mail: false, uri: false });
        assert_eq!(judge(vec![10, 1, 2, 3]), Judgement::Allowed);
        assert!(matches!(judge(vec![11, 1, 2, 3]), Judgement::Forbidden(_)));
        assert!(matches!(judge(vec![0; 16]), Judgement::Forbidden(_)));
    }
}
