//! What shows that a vendor keeps its word: certificates, tests, reviews, terms of exit.

use super::agreement::Answer;
use super::words::{Country, Presence};
use crate::model::words::words;
use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// A certificate or an audit report.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Certification {
    /// What it is.
    #[serde(rename = "type")]
    pub kind: Option<CertificationKind>,
    /// The edition of the standard.
    pub edition: Option<String>,
    /// Who issued it.
    pub issuer: Option<String>,
    /// What it covers.
    pub scope: Option<String>,
    /// When it was issued.
    #[schemars(with = "Option<String>")]
    pub issued_on: Option<Date>,
    /// The first day it speaks about.
    #[schemars(with = "Option<String>")]
    pub period_start: Option<Date>,
    /// The last day it speaks about.
    #[schemars(with = "Option<String>")]
    pub period_end: Option<Date>,
    /// The last good day.
    #[schemars(with = "Option<String>")]
    pub expires_on: Option<Date>,
    /// The auditor's opinion.
    pub opinion: Option<Opinion>,
    /// The categories examined.
    pub categories: Option<BTreeSet<TrustCategory>>,
    /// How sub-service organisations are treated.
    pub subservice_method: Option<SubserviceMethod>,
    /// The vendor's letter about the time after the period.
    pub bridge_letter: Option<BridgeLetter>,
    /// The last surveillance audit.
    #[schemars(with = "Option<String>")]
    pub last_surveillance_on: Option<Date>,
    /// When a business associate agreement was signed.
    #[schemars(with = "Option<String>")]
    pub signed_on: Option<Date>,
    /// The document on file.
    pub evidence: Option<String>,
}

/// A vendor's letter about the time after an audit period.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct BridgeLetter {
    /// The first day.
    #[schemars(with = "Option<String>")]
    pub covers_from: Option<Date>,
    /// The last day.
    #[schemars(with = "Option<String>")]
    pub covers_to: Option<Date>,
    /// When it was written.
    #[schemars(with = "Option<String>")]
    pub issued_on: Option<Date>,
}

/// A penetration test of the vendor.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Pentest {
    /// When it was made.
    #[schemars(with = "Option<String>")]
    pub performed_on: Option<Date>,
    /// Whether the tester is named.
    pub tester: Presence,
    /// Whether the tester is independent.
    pub independent: Option<bool>,
    /// What was tested.
    pub scope: Option<String>,
    /// Critical findings still open.
    pub open_critical: Option<u32>,
    /// High findings still open.
    pub open_high: Option<u32>,
    /// The report on file.
    pub report_evidence: Option<String>,
}

/// The organisation's own review of the vendor.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SecurityReview {
    /// When it was last made.
    #[schemars(with = "Option<String>")]
    pub last_on: Option<Date>,
    /// How it ended.
    pub outcome: Option<ReviewOutcome>,
    /// Conditions not yet met.
    pub conditions_open: Option<u32>,
    /// When the next is due.
    #[schemars(with = "Option<String>")]
    pub next_due: Option<Date>,
}

/// The terms of the end.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Exit {
    /// What happens to the data.
    pub return_or_delete: Option<ExitDuty>,
    /// Days until it is deleted.
    pub deletion_days: Option<u32>,
    /// Whether a certificate of deletion is promised or was given.
    pub certificate: Option<bool>,
    /// Days until backups are gone.
    pub backups_days: Option<u32>,
}

/// Somebody who works for the vendor on the data.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Subprocessor {
    /// Its id, where it is itself in the register.
    pub id: Option<String>,
    /// Its name.
    pub name: Option<String>,
    /// Where it works.
    pub country: Option<Country>,
    /// What it does.
    pub service: Option<String>,
    /// Whether it has the same duties (Art. 28(4)).
    pub flow_down: Option<Answer>,
    /// What shows that.
    pub flow_down_evidence: Option<String>,
    /// Since when it works for the vendor.
    #[schemars(with = "Option<String>")]
    pub since: Option<Date>,
}

/// The vendor's sub-processors: a list, or the word `none`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Subprocessors {
    /// There is none.
    None(NoneWord),
    /// These.
    List(Vec<Subprocessor>),
}

/// The promised time of a breach notice: hours, or the words `undue_delay`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum BreachNotice {
    /// Hours.
    Hours(u32),
    /// Without undue delay, unmeasured.
    Vague(VagueWord),
}

words! {
    /// The word for an empty list.
    NoneWord {
        /// None at all.
        None = "none",
    }
    /// The law's own words for a time.
    VagueWord {
        /// Without undue delay.
        UndueDelay = "undue_delay",
    }
    /// Kinds of certificate and report.
    CertificationKind {
        /// SOC 2 Type I.
        Soc2Type1 = "soc2_type1",
        /// SOC 2 Type II.
        Soc2Type2 = "soc2_type2",
        /// SOC 3.
        Soc3 = "soc3",
        /// ISO/IEC 27001.
        Iso27001 = "iso27001",
        /// ISO/IEC 27017.
        Iso27017 = "iso27017",
        /// ISO/IEC 27018.
        Iso27018 = "iso27018",
        /// ISO/IEC 27701.
        Iso27701 = "iso27701",
        /// PCI DSS attestation of compliance.
        PciAoc = "pci_aoc",
        /// HIPAA business associate agreement.
        HipaaBaa = "hipaa_baa",
        /// CSA STAR, self-assessment.
        CsaStar1 = "csa_star_1",
        /// CSA STAR attestation.
        CsaStar2Attestation = "csa_star_2_attestation",
        /// CSA STAR certification.
        CsaStar2Certification = "csa_star_2_certification",
        /// HITRUST.
        Hitrust = "hitrust",
        /// FedRAMP.
        Fedramp = "fedramp",
        /// BSI C5.
        C5 = "c5",
        /// EU-US Privacy Shield: historic.
        PrivacyShield = "privacy_shield",
        /// Data Privacy Framework.
        Dpf = "dpf",
        /// Anything else.
        Other = "other",
    }
    /// An auditor's opinion.
    Opinion {
        /// Without reservation.
        Unqualified = "unqualified",
        /// With a reservation.
        Qualified = "qualified",
        /// Against.
        Adverse = "adverse",
        /// None given.
        Disclaimer = "disclaimer",
    }
    /// What a service report examines.
    TrustCategory {
        /// Security.
        Security = "security",
        /// Availability.
        Availability = "availability",
        /// Confidentiality.
        Confidentiality = "confidentiality",
        /// Processing integrity.
        ProcessingIntegrity = "processing_integrity",
        /// Privacy.
        Privacy = "privacy",
    }
    /// How a report treats sub-service organisations.
    SubserviceMethod {
        /// They were examined.
        Inclusive = "inclusive",
        /// They were left out.
        CarveOut = "carve_out",
    }
    /// How a review ended.
    ReviewOutcome {
        /// Accepted.
        Accepted = "accepted",
        /// Accepted with conditions.
        AcceptedWithConditions = "accepted_with_conditions",
        /// Rejected.
        Rejected = "rejected",
    }
    /// What happens to the data at the end.
    ExitDuty {
        /// It is returned.
        Return = "return",
        /// It is deleted.
        Delete = "delete",
        /// As the controller chooses.
        Either = "either",
    }
}
