//! The known flaws of TLS that a look at an endpoint is to find or to rule out, and the rows that tell what was found.

use super::tls::VulnerabilityTest;
use super::{Fact, Severity};

/// A known flaw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flaw {
    /// Its name in rows, codes and fingerprints.
    pub name: &'static str,
    /// What people call it.
    pub title: &'static str,
    /// How much it matters where it is certain.
    pub severity: Severity,
}

const fn flaw(name: &'static str, title: &'static str, severity: Severity) -> Flaw {
    Flaw { name, title, severity }
}

/// Every flaw. Each has a row in `tls.vulnerabilities`: one that is absent is a fault, and never reads as good.
pub const FLAWS: &[Flaw] = &[
    flaw("heartbleed", "Heartbleed (CVE-2014-0160)", Severity::Critical),
    flaw("ccs", "early ChangeCipherSpec (CVE-2014-0224)", Severity::High),
    flaw("robot", "Bleichenbacher oracle (ROBOT)", Severity::High),
    flaw("ticketbleed", "Ticketbleed (CVE-2016-9244)", Severity::High),
    flaw("drown", "DROWN (CVE-2016-0800)", Severity::Critical),
    flaw("poodle", "POODLE (CVE-2014-3566)", Severity::High),
    flaw("poodle_tls", "POODLE against TLS (CVE-2014-8730)", Severity::High),
    flaw("zombie_poodle", "Zombie POODLE", Severity::High),
    flaw("goldendoodle", "GOLDENDOODLE", Severity::High),
    flaw("zero_length", "0-length padding oracle (CVE-2019-1559)", Severity::High),
    flaw("sleeping_poodle", "Sleeping POODLE", Severity::High),
    flaw("cbc_oracle_other", "another oracle of CBC padding", Severity::Medium),
    flaw("cve_2016_2107", "padding oracle of AES-NI (CVE-2016-2107)", Severity::High),
    flaw("insecure_renegotiation", "insecure renegotiation (CVE-2009-3555)", Severity::High),
    flaw("freak", "FREAK (CVE-2015-0204)", Severity::High),
    flaw("logjam", "Logjam (CVE-2015-4000)", Severity::High),
    flaw("sweet32", "SWEET32 (CVE-2016-2183)", Severity::Medium),
    flaw("rc4", "RC4 (CVE-2013-2566)", Severity::Medium),
    flaw("beast", "BEAST (CVE-2011-3389)", Severity::Low),
    flaw("lucky13", "LUCKY13 (CVE-2013-0169)", Severity::Low),
    flaw("crime", "CRIME (CVE-2012-4929)", Severity::Medium),
    flaw("breach", "BREACH (CVE-2013-3587)", Severity::Low),
    flaw("null_cipher", "suites without encryption", Severity::High),
    flaw("anonymous", "suites without authentication", Severity::High),
    flaw("export", "export suites", Severity::High),
    flaw("opossum", "Opossum (CVE-2025-49812)", Severity::Medium),
];

/// The flaw of this name.
pub fn find(name: &str) -> Option<&'static Flaw> {
    FLAWS.iter().find(|flaw| flaw.name == name)
}

/// A positive result is certain.
pub const CERTAIN: &str = "certain";
/// A positive result is likely: something was seen that the flaw would explain best.
pub const LIKELY: &str = "likely";
/// The precondition holds, and what else it takes is not tested from outside.
pub const POTENTIAL: &str = "potential";

impl VulnerabilityTest {
    fn row(name: &str, vulnerable: Fact<bool>, detail: String) -> VulnerabilityTest {
        let severity = find(name).map_or(Severity::Medium, |flaw| flaw.severity);
        VulnerabilityTest {
            name: name.to_owned(),
            applies: true,
            vulnerable,
            certainty: CERTAIN.to_owned(),
            observable: false,
            severity: severity.word().to_owned(),
            detail,
            connections: Vec::new(),
        }
    }

    /// The flaw is there, for this that was seen.
    pub fn found(name: &str, detail: impl Into<String>) -> VulnerabilityTest {
        VulnerabilityTest { observable: true, ..VulnerabilityTest::row(name, true.into(), detail.into()) }
    }

    /// The flaw is likely there: a lower severity.
    pub fn likely(name: &str, detail: impl Into<String>) -> VulnerabilityTest {
        let mut row = VulnerabilityTest::found(name, detail);
        let lower = match find(name).map(|flaw| flaw.severity) {
            Some(Severity::Critical) => Severity::High,
            Some(Severity::High) => Severity::Medium,
            _ => Severity::Low,
        };
        LIKELY.clone_into(&mut row.certainty);
        lower.word().clone_into(&mut row.severity);
        row
    }

    /// The precondition holds, and whether the flaw is there cannot be told, for this reason.
    pub fn potential(name: &str, detail: impl Into<String>) -> VulnerabilityTest {
        let detail = detail.into();
        let mut row = VulnerabilityTest::row(name, Fact::unknown(detail.clone()), detail);
        POTENTIAL.clone_into(&mut row.certainty);
        row
    }

    /// The flaw is not there, for this that was seen.
    pub fn safe(name: &str, detail: impl Into<String>) -> VulnerabilityTest {
        VulnerabilityTest::row(name, false.into(), detail.into())
    }

    /// The precondition does not hold.
    pub fn inapplicable(name: &str, detail: impl Into<String>) -> VulnerabilityTest {
        VulnerabilityTest { applies: false, ..VulnerabilityTest::safe(name, detail) }
    }

    /// Whether the flaw is there is not known, for this reason.
    pub fn unknown(name: &str, reason: impl Into<String>) -> VulnerabilityTest {
        let reason = reason.into();
        VulnerabilityTest::row(name, Fact::unknown(reason.clone()), reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique() {
        let names: std::collections::BTreeSet<_> = FLAWS.iter().map(|flaw| flaw.name).collect();
        assert_eq!(names.len(), FLAWS.len());
    }

    #[test]
    fn what_is_likely_matters_less() {
        assert_eq!(VulnerabilityTest::found("ccs", "").severity, "high");
        assert_eq!(VulnerabilityTest::likely("ccs", "").severity, "medium");
        assert_eq!(VulnerabilityTest::potential("breach", "why").vulnerable.known(), None);
        assert!(!VulnerabilityTest::inapplicable("robot", "").applies);
    }
}
