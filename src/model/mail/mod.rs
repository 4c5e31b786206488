//! What a domain says about its mail: the data of the `mail.*` observation kinds, and their texts read.

pub mod dkim;
pub mod dmarc;
pub mod spf;
pub mod sts;

use super::Fact;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Reads arbitrary bytes as every text that a domain publishes about its mail: the entry of the fuzzer.
pub fn fuzz(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let _ = (
        dkim::parse(&text),
        spf::parse(&text),
        dmarc::parse(&text),
        sts::policy(&text),
        sts::id(&text),
        sts::reports(&text),
    );
    if let Some((pattern, host)) = text.split_once(' ') {
        let _ = sts::matches(pattern, host);
    }
}

/// `mail.mx`: where a domain takes mail.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Mx {
    /// The hosts, the preferred one first. Without records the domain itself is one (RFC 5321).
    pub hosts: Vec<String>,
    /// There are records.
    pub present: bool,
    /// The domain says that it takes no mail (RFC 7505).
    pub null: bool,
}

/// `mail.spf`: who may send mail of a domain (RFC 7208).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Spf {
    /// A record is published.
    pub present: bool,
    /// It can be evaluated: one record, without fault, within the limits.
    pub valid: bool,
    /// Why it cannot; else empty.
    pub why: String,
    /// What meets everybody else: `-`, `~`, `?`, `+`, or `none` where nothing is said.
    pub all: String,
    /// Terms that ask the DNS, those of included records counted; at most 10 are allowed.
    pub lookups: u32,
    /// Of them, those that found nothing; at most 2 are allowed.
    pub void_lookups: u32,
    /// The mechanism `ptr` is used, which receivers are told not to follow.
    pub ptr: bool,
}

/// `mail.dkim`: the keys with which a domain signs its mail (RFC 6376).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Dkim {
    /// The user has named selectors.
    pub named: bool,
    /// Each of them.
    pub selectors: Vec<Selector>,
}

/// A selector and its key.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Selector {
    /// Its name.
    pub name: String,
    /// There is a record.
    pub present: bool,
    /// The record can be used.
    pub valid: bool,
    /// Why it cannot; else empty.
    pub why: String,
    /// The key is taken back.
    pub revoked: bool,
    /// `rsa`, `ed25519`, or empty.
    pub key_type: String,
    /// The size of the key.
    pub bits: u32,
    /// Receivers are told that signatures are in test.
    pub testing: bool,
}

/// `mail.dmarc`: what receivers are to do with mail that claims the domain falsely (RFC 7489).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Dmarc {
    /// A record is published at the domain or its organisational domain.
    pub present: bool,
    /// The name at which it stands, or empty.
    pub found_at: String,
    /// It can be followed.
    pub valid: bool,
    /// Why it cannot; else empty.
    pub why: String,
    /// What holds for this domain: `none`, `quarantine`, `reject`, or empty.
    pub policy: String,
    /// What holds for names below it: the same words.
    pub subdomain_policy: String,
    /// To how much of the mail it applies, in percent.
    pub percent: u32,
    /// Reports of summaries are wanted.
    pub reports: bool,
    /// Receivers of reports in other domains that do not say that they want them.
    pub unauthorised: Vec<String>,
    /// Alignment of signatures is strict.
    pub strict_dkim: bool,
    /// Alignment of senders is strict.
    pub strict_spf: bool,
}

/// `mail.mta_sts`: whether senders are held to TLS towards the domain (RFC 8461, RFC 7672).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MtaSts {
    /// The domain takes mail.
    pub applicable: bool,
    /// The record is published.
    pub present: bool,
    /// The record and the policy are as they should be.
    pub valid: bool,
    /// Why they are not; else empty.
    pub why: String,
    /// `enforce`, `testing`, `none`, or empty.
    pub mode: String,
    /// Seconds for which senders keep the policy.
    pub max_age: u64,
    /// Patterns of mail exchangers in the policy.
    pub patterns: Vec<String>,
    /// Mail exchangers that no pattern names.
    pub unlisted: Vec<String>,
    /// Mail exchangers without a usable TLSA record that the DNS signs.
    pub without_dane: Fact<Vec<String>>,
    /// Either way enforces TLS to every mail exchanger.
    pub enforced: Fact<bool>,
}

/// `mail.exchangers`: whether the hosts that take a domain's mail take it over TLS.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Exchangers {
    /// The domain takes mail.
    pub applicable: bool,
    /// Each address of each host, the preferred host first.
    pub exchangers: Vec<Exchanger>,
}

/// A mail exchanger at one of its addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Exchanger {
    /// The host.
    pub host: String,
    /// The address, or empty where it is not known.
    pub address: String,
    /// TLS is offered to who asks: `yes`, `no`, `unclean` where bytes in clear follow the positive answer.
    pub offered: Fact<String>,
    /// The versions that were accepted of TLS 1.0 to 1.3, with suites in common use.
    pub protocols: Vec<String>,
    /// TLS 1.2 or newer is among them.
    pub modern: Fact<bool>,
    /// Where the certificate leads: `trusted`, `incomplete`, `self-signed`, `untrusted`, `expired`, `not-yet-valid`,
    /// `not-for-server`; `none` where no TLS is offered.
    pub trust: Fact<String>,
    /// In words, why it is not trusted; else empty.
    pub trust_detail: String,
    /// The certificate is for the name of the host.
    pub name_matches: Fact<bool>,
    /// Days until it ends; 0 where it was not seen.
    pub days_left: i64,
    /// The policy of MTA-STS names the host: `yes`, `no`, `no-policy`.
    pub listed: Fact<String>,
    /// What the DNS says of the certificate: `match`, `mismatch`, `none`, `insecure` (not signed, and thus ignored),
    /// `unusable` (of no form that mail uses).
    pub dane: Fact<String>,
    /// TLS in a version that is in date, with a certificate that senders can hold the host to: one that the DNS vouches for,
    /// or that an authority gave for the host's name where it does not; and a policy that names the host where there is one.
    pub sound: Fact<bool>,
    /// What keeps it from being sound, in words; else empty.
    pub why: String,
    /// The certificate alone does, and nothing holds senders to one.
    pub lenient: bool,
    /// What was seen of the request for TLS, in words.
    pub seen: String,
}

/// `mail.tls_rpt`: where failures of TLS are reported to (RFC 8460).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TlsRpt {
    /// The domain takes mail.
    pub applicable: bool,
    /// A record is published.
    pub present: bool,
    /// It names somewhere to report to.
    pub valid: bool,
    /// Why it does not; else empty.
    pub why: String,
    /// How many places it names.
    pub destinations: u32,
}

/// Tags of the form `name=value; name=value`, in their order, names in lower case.
fn tags(text: &str) -> Vec<(String, &str)> {
    let parts = text.split(';').take(100).filter_map(|part| part.split_once('='));
    parts.map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim())).collect()
}
