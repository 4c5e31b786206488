//! The data processing agreement with a vendor.

use super::words::Presence;
use crate::model::words::words;
use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A data processing agreement.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Dpa {
    /// How far it got.
    pub status: Option<DpaStatus>,
    /// The version that was agreed.
    pub version: Option<String>,
    /// When we signed, or accepted the terms.
    #[schemars(with = "Option<String>")]
    pub signed_on: Option<Date>,
    /// When the vendor signed.
    #[schemars(with = "Option<String>")]
    pub counter_signed_on: Option<Date>,
    /// When it takes effect; the later signature where absent.
    #[schemars(with = "Option<String>")]
    pub effective_on: Option<Date>,
    /// The last good day; the life of the service where absent.
    #[schemars(with = "Option<String>")]
    pub expires_on: Option<Date>,
    /// When it was last read against the needs.
    #[schemars(with = "Option<String>")]
    pub last_reviewed_on: Option<Date>,
    /// The document on file: an id with its digest.
    pub document_evidence: Option<String>,
    /// Where the terms are published.
    pub terms_url: Option<String>,
    /// Which version of the terms.
    pub terms_version: Option<String>,
    /// Which clauses were found.
    pub clauses: BTreeMap<Clause, Answer>,
    /// How sub-processors are authorised (Art. 28(2)).
    pub authorisation: Option<Authorisation>,
    /// The law that governs it.
    pub governing_law: Option<String>,
    /// Whether standard contractual clauses are part of it.
    pub scc_incorporated: Option<bool>,
}

/// An accepted deviation from one rule.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Exception {
    /// The rule's id.
    pub rule: Option<String>,
    /// Why it is accepted.
    pub reason: Option<String>,
    /// Whether someone approved it.
    pub approved_by: Presence,
    /// The last day on which it counts.
    #[schemars(with = "Option<String>")]
    pub expires_on: Option<Date>,
}

words! {
    /// How far an agreement got.
    DpaStatus {
        /// There is none.
        None = "none",
        /// A text.
        Draft = "draft",
        /// A text that the other side has.
        Sent = "sent",
        /// We signed.
        SignedByUs = "signed_by_us",
        /// Both signed.
        SignedByBoth = "signed_by_both",
        /// Part of terms that were accepted.
        IncorporatedByTerms = "incorporated_by_terms",
    }
    /// What was found when a document was read.
    Answer {
        /// It is there.
        Yes = "yes",
        /// It is not.
        No = "no",
        /// Nobody looked.
        Unknown = "unknown",
    }
    /// How sub-processors are authorised.
    Authorisation {
        /// In advance, with notice of changes.
        General = "general",
        /// One by one.
        Specific = "specific",
        /// Not at all.
        None = "none",
    }
    /// The clauses that an agreement must carry (Art. 28(3) and around).
    Clause {
        /// Subject matter, duration, nature, purpose, data, subjects, rights and duties.
        Scope = "scope",
        /// Only on documented instructions (28(3)(a)).
        Instructions = "instructions",
        /// Persons are bound to secrecy (28(3)(b)).
        Confidentiality = "confidentiality",
        /// Art. 32 measures (28(3)(c)).
        Security = "security",
        /// Prior authorisation and a chance to object (28(3)(d)).
        Subprocessing = "subprocessing",
        /// Same duties on sub-processors (28(4)).
        FlowDown = "flow_down",
        /// Help with requests (28(3)(e)).
        SubjectRights = "subject_rights",
        /// Help with Art. 32 to 36 (28(3)(f)).
        Assistance = "assistance",
        /// Return or delete at the end (28(3)(g)).
        Deletion = "deletion",
        /// Information and audits (28(3)(h)).
        Audit = "audit",
        /// A word when an instruction breaks the law (28(3), last paragraph).
        UnlawfulInstruction = "unlawful_instruction",
        /// Notice of a breach without undue delay (33(2)).
        BreachNotice = "breach_notice",
        /// The transfer tool is named (chapter V).
        TransferTerms = "transfer_terms",
    }
}
