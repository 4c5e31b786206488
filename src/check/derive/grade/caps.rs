//! The caps of the rating guide: what limits the letter, and why.

use super::facts::Facts;
use crate::model::tls::{SimulatedClient, Suite};

/// A cap that fires: code, reason in words, and the kinds it rests on.
pub type Fired = (&'static str, String, &'static [&'static str]);

/// Every cap that fires, in no particular order.
pub fn fired(facts: &Facts) -> Vec<Fired> {
    let mut caps = Vec::new();
    protocols(facts, &mut caps);
    ciphers(facts, &mut caps);
    keys(facts, &mut caps);
    flaws(facts, &mut caps);
    clients(facts, &mut caps);
    caps
}

const PROTOCOLS: &[&str] = &["tls.protocols"];
const SUITES: &[&str] = &["tls.suites"];
const CERTIFICATES: &[&str] = &["tls.certificates"];
const FLAWS: &[&str] = &["tls.vulnerabilities"];
const CLIENTS: &[&str] = &["tls.clients", "tls.suites"];

fn protocols(facts: &Facts, caps: &mut Vec<Fired>) {
    let rules: [(&str, &str, &str); 4] = [
        ("SSLv2", "CAP_SSL2", "SSLv2 answers"),
        ("SSLv3", "CAP_SSL3", "SSLv3 is offered"),
        ("TLSv1.0", "CAP_TLS10", "TLSv1.0 is offered"),
        ("TLSv1.1", "CAP_TLS11", "TLSv1.1 is offered"),
    ];
    for (name, code, reason) in rules {
        if facts.offers(name) {
            caps.push((code, reason.to_owned(), PROTOCOLS));
        }
    }
    let any_tls = ["TLSv1.0", "TLSv1.1", "TLSv1.2", "TLSv1.3"].iter().any(|name| facts.offers(name));
    if !any_tls && (facts.offers("SSLv3") || facts.offers("SSLv2")) {
        caps.push(("CAP_SSL3_BEST", "the best protocol is SSLv3 or older".to_owned(), PROTOCOLS));
    }
    if !facts.offers("TLSv1.2") && !facts.offers("TLSv1.3") {
        caps.push(("CAP_NO_TLS12", "neither TLSv1.2 nor TLSv1.3 is offered".to_owned(), PROTOCOLS));
    }
    if facts.offers("SSLv3") && suites(facts).any(|s| s.protocol == "SSLv3" && is_cbc(s)) {
        caps.push(("CAP_POODLE_SSL3", "SSLv3 accepts a CBC suite (POODLE)".to_owned(), SUITES));
    }
}

fn ciphers(facts: &Facts, caps: &mut Vec<Fired>) {
    let mut name = |code: &'static str, what: &str, test: &dyn Fn(&Suite) -> bool| {
        let found = names(facts, test);
        if !found.is_empty() {
            caps.push((code, format!("{what}: {found}"), SUITES));
        }
    };
    name("CAP_EXPORT", "export suites are accepted", &|s| s.export);
    name("CAP_FREAK", "export RSA key exchange is accepted (FREAK)", &|s| {
        s.export && s.kx == "RSA" && s.protocol != "SSLv2"
    });
    let keys = facts.features.iter().flat_map(|features| &features.temporary_rsa);
    let short: Vec<String> = keys
        .filter(|key| !key.export && key.bits <= 512)
        .map(|key| format!("a temporary RSA key of {} bits comes with {} (FREAK)", key.bits, key.name))
        .collect();
    name("CAP_NULL", "suites without encryption are accepted", &|s| s.bits == 0);
    name("CAP_ANON", "anonymous suites are accepted", &|s| s.auth == "anon");
    name("CAP_LOW_CIPHER", "suites below 112 bits are accepted", &|s| s.bits < 112);
    name("CAP_RC4", "RC4 is accepted", &is_rc4);
    caps.extend(short.into_iter().map(|reason| ("CAP_FREAK", reason, &["tls.features"][..])));
    if suites(facts).next().is_some() && suites(facts).all(is_rc4) {
        caps.push(("CAP_RC4_ONLY", "only RC4 is accepted".to_owned(), SUITES));
    }
    let weak_group = facts.groups.iter().flat_map(|g| &g.groups).find(|g| g.rsa_equiv_bits < 2048 && g.kind == "ecdhe");
    if let Some(group) = weak_group {
        caps.push(("CAP_WEAK_DH", format!("the group {} has less than 224 bits", group.name), &["tls.groups"]));
    }
    let compression = facts.features.as_ref().and_then(|f| f.compression.known());
    if compression.is_some_and(|method| method != "none" && method != "not-applicable") {
        caps.push(("CAP_CRIME", "TLS compression is accepted (CRIME)".to_owned(), &["tls.features"]));
    }
}

fn keys(facts: &Facts, caps: &mut Vec<Fired>) {
    for parameters in facts.dh.iter().flat_map(|dh| &dh.parameters) {
        let bits = parameters.bits;
        let composite = parameters.composite.known() == Some(&true);
        if bits < 1024 || composite {
            let why = if composite { ", and p is not prime" } else { "" };
            caps.push(("CAP_DH_INSECURE", format!("DH parameters of {bits} bits{why}"), &["tls.dh"]));
        }
        if bits < 2048 {
            caps.push(("CAP_WEAK_DH", format!("DH parameters of {bits} bits"), &["tls.dh"]));
        }
    }
    for deployment in facts.certificates.iter().flat_map(|c| &c.deployments) {
        let leaf = &deployment.leaf;
        let key = format!("{} {}", leaf.key_type, leaf.key_bits);
        // Every rule that fires is listed, the milder one beside the harsher one.
        let limits = [("CAP_KEY_INSECURE", 1024), ("CAP_WEAK_KEY", 2048)];
        for (code, _) in limits.into_iter().filter(|(_, bits)| leaf.key_strength < *bits) {
            caps.push((code, format!("the certificate's key is {key}"), CERTIFICATES));
        }
        let weak = [(&leaf.known_key, "is known to others"), (&leaf.roca, "bears the mark of CVE-2017-15361 (ROCA)")];
        for (_, why) in weak.into_iter().filter(|(fact, _)| fact.known() == Some(&true)) {
            caps.push(("CAP_DEBIAN_KEY", format!("the certificate's key {why}"), CERTIFICATES));
        }
        if leaf.exponent == "1" {
            caps.push(("CAP_RSA_EXPONENT", "the RSA exponent is 1".to_owned(), CERTIFICATES));
        }
        let broken = deployment
            .chain
            .iter()
            .enumerate()
            .find(|(n, link)| (*n == 0 || link.subject != link.issuer) && link.signature_hash.starts_with("md"));
        if let Some((_, link)) = broken {
            caps.push(("CAP_SIG_MD", format!("a certificate is signed with {}", link.signature_hash), CERTIFICATES));
        }
        if deployment.trust.known().is_some_and(|trust| trust == "incomplete") {
            let why = "the chain as served lacks a certificate that a trusted path needs";
            caps.push(("CAP_CHAIN_INCOMPLETE", why.to_owned(), CERTIFICATES));
        }
    }
}

fn flaws(facts: &Facts, caps: &mut Vec<Fired>) {
    let rules: [(&str, &str, &str); 8] = [
        ("insecure_renegotiation", "CAP_INSECURE_RENEG", "insecure renegotiation is accepted"),
        ("heartbleed", "CAP_HEARTBLEED", "Heartbleed (CVE-2014-0160)"),
        ("ccs", "CAP_CCS", "early ChangeCipherSpec is accepted (CVE-2014-0224)"),
        ("poodle_tls", "CAP_POODLE_TLS", "CBC padding is not checked (CVE-2014-8730)"),
        ("cve_2016_2107", "CAP_CVE_2016_2107", "padding oracle of AES-NI (CVE-2016-2107)"),
        ("ticketbleed", "CAP_TICKETBLEED", "Ticketbleed (CVE-2016-9244)"),
        ("robot", "CAP_ROBOT", "Bleichenbacher oracle (ROBOT)"),
        ("drown", "CAP_DROWN", "SSLv2 with the same key or name (DROWN, CVE-2016-0800)"),
    ];
    for (name, code, reason) in rules {
        if facts.vulnerable(name) == Some(true) {
            caps.push((code, reason.to_owned(), FLAWS));
        }
    }
    if facts.offers("SSLv2") && facts.vulnerable("drown").is_none() {
        // SSLv2 on this very endpoint is DROWN by definition; other endpoints need their own look.
        caps.push(("CAP_DROWN", "SSLv2 on this endpoint (DROWN, CVE-2016-0800)".to_owned(), PROTOCOLS));
    }
    let oracles: [(&str, &str); 4] = [
        ("zombie_poodle", "CAP_ZOMBIE_POODLE"),
        ("goldendoodle", "CAP_GOLDENDOODLE"),
        ("zero_length", "CAP_ZERO_LENGTH"),
        ("sleeping_poodle", "CAP_SLEEPING_POODLE"),
    ];
    for (name, code) in oracles {
        if facts.observable(name) {
            caps.push((code, format!("a padding oracle that can be seen on the path ({name})"), FLAWS));
        }
    }
}

fn clients(facts: &Facts, caps: &mut Vec<Fired>) {
    let simulated: &[SimulatedClient] = facts.clients.as_ref().map_or(&[], |c| &c.clients);
    let connected = || simulated.iter().filter(|client| client.connects.known() == Some(&true));
    let suite_of = |client: &SimulatedClient| {
        suites(facts).find(|s| s.protocol == client.protocol && s.id == client.suite).cloned()
    };
    let modern = |client: &SimulatedClient| ["TLSv1.1", "TLSv1.2", "TLSv1.3"].contains(&client.protocol.as_str());
    let mut negotiates = |code: &'static str, what: &str, test: &dyn Fn(&Suite) -> bool| {
        let found = connected().filter(|c| modern(c)).find(|c| suite_of(c).is_some_and(|s| test(&s)));
        if let Some(client) = found {
            caps.push((code, format!("{} negotiates {what} with {}", client.label(), client.protocol), CLIENTS));
        }
    };
    negotiates("CAP_RC4_MODERN", "RC4", &is_rc4);
    negotiates("CAP_64BIT_MODERN", "a 64-bit block cipher", &|s| s.block_bits == 64);
    let known = facts.whole("tls.suites");
    let mut lacks = |code: &'static str, what: &str, test: &dyn Fn(&Suite) -> bool| {
        if known && !suites(facts).any(test) {
            caps.push((code, format!("no suite with {what} is accepted"), SUITES));
            return;
        }
        let found = connected().filter(|c| c.reference).find(|c| suite_of(c).is_some_and(|s| !test(&s)));
        if let Some(client) = found {
            caps.push((code, format!("{} connects without {what}", client.label()), CLIENTS));
        }
    };
    lacks("CAP_NO_FS", "forward secrecy", &|s| s.pfs);
    lacks("CAP_NO_AEAD", "authenticated encryption", &|s| s.aead);
}

fn suites(facts: &Facts) -> impl Iterator<Item = &Suite> {
    facts.suites.iter().flat_map(|suites| &suites.suites)
}

fn is_rc4(suite: &Suite) -> bool {
    suite.enc.starts_with("RC4")
}

fn is_cbc(suite: &Suite) -> bool {
    !suite.aead && suite.block_bits > 0
}

fn names(facts: &Facts, test: &dyn Fn(&Suite) -> bool) -> String {
    let mut names: Vec<&str> = suites(facts).filter(|s| test(s)).map(|s| s.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let more = names.len().saturating_sub(4);
    names.truncate(4);
    let shown = names.join(", ");
    if more > 0 { format!("{shown} and {more} more") } else { shown }
}
