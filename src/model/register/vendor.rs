//! A vendor.

use super::agreement::{Dpa, Exception};
use super::assurance::{BreachNotice, Certification, Exit, Pentest, SecurityReview, Subprocessors};
use super::provenance::Provenance;
use super::transfer::Transfer;
use super::words::{Country, Presence, persons, slug};
use crate::model::personal::{DataCategory, SubjectCategory};
use crate::model::words::words;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// A vendor. Only the id must be there for the register to be read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Vendor {
    /// Unique in the register; 2 to 64 lower-case letters, digits and hyphens.
    #[serde(deserialize_with = "slug")]
    pub id: String,
    /// Its name.
    pub name: Option<String>,
    /// The legal person.
    pub legal_entity: Option<String>,
    /// Where the relation stands.
    pub status: Option<VendorStatus>,
    /// What it is to the data.
    pub role: Option<VendorRole>,
    /// What it does.
    pub service: Option<String>,
    /// Its host suffixes.
    #[serde(default)]
    pub domains: Vec<String>,
    /// How much depends on it.
    pub criticality: Option<Criticality>,
    /// Whether someone inside is accountable for it.
    #[serde(default)]
    pub owner: Presence,
    /// Which contacts are on file.
    pub contacts: Option<Contacts>,
    /// Whether it handles personal data.
    pub personal_data: Option<bool>,
    /// Which.
    pub data_categories: Option<BTreeSet<DataCategory>>,
    /// Whose.
    pub subject_categories: Option<BTreeSet<SubjectCategory>>,
    /// How many data subjects.
    #[serde(default, deserialize_with = "persons")]
    pub records_estimate: Option<u64>,
    /// Every place of storage and of remote access.
    pub locations: Option<Vec<Location>>,
    /// Where it sends the data on to.
    #[serde(default)]
    pub onward_transfers: Vec<Onward>,
    /// The data processing agreement.
    pub dpa: Option<Dpa>,
    /// The transfers to it and what they rest on.
    pub transfers: Option<Vec<Transfer>>,
    /// Its sub-processors.
    pub subprocessors: Option<Subprocessors>,
    /// Where it publishes them.
    pub subprocessor_list_url: Option<String>,
    /// Days of notice before a new one.
    pub subprocessor_notice_days: Option<u32>,
    /// Its certificates and reports.
    #[serde(default)]
    pub certifications: Vec<Certification>,
    /// Its last penetration test.
    pub pentest: Option<Pentest>,
    /// Its promised time of a breach notice.
    pub breach_notice_hours: Option<BreachNotice>,
    /// The terms of the end.
    pub exit: Option<Exit>,
    /// Our review of it.
    pub security_review: Option<SecurityReview>,
    /// The impact assessment it is part of.
    pub dpia_ref: Option<String>,
    /// Whether there are notes; they are not kept.
    #[serde(default)]
    pub notes: Presence,
    /// Accepted deviations.
    #[serde(default)]
    pub exceptions: Vec<Exception>,
    /// Where fields come from that say so, by their dotted path; the others are the owner's word.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub provenance: BTreeMap<String, Provenance>,
}

/// Which contacts of a vendor are on file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Contacts {
    /// For privacy.
    pub privacy_email: Presence,
    /// For security.
    pub security_email: Presence,
    /// The vendor's data protection officer.
    pub dpo: Option<VendorDpo>,
    /// The representative in the EU (Art. 27).
    pub eu_representative: Presence,
}

/// What is on file of a vendor's data protection officer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct VendorDpo {
    /// A name.
    pub name: Presence,
    /// An address.
    pub email: Presence,
}

/// A place of storage or of access.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Location {
    /// Where.
    pub country: Option<Country>,
    /// What happens there.
    pub purpose: Option<Purpose>,
    /// By which legal person.
    pub entity: Option<String>,
}

/// Where a vendor sends the data on to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Onward {
    /// Where.
    pub country: Option<Country>,
    /// To whom.
    pub to: Option<String>,
    /// What it rests on.
    pub mechanism_ref: Option<String>,
}

words! {
    /// Where the relation with a vendor stands.
    VendorStatus {
        /// Thought of.
        Proposed = "proposed",
        /// In use.
        Active = "active",
        /// Paused, and still holding data.
        Suspended = "suspended",
        /// Ended.
        Terminated = "terminated",
    }
    /// What a vendor is to the data.
    VendorRole {
        /// Works for us as controller.
        Processor = "processor",
        /// Works for us as processor.
        SubProcessor = "sub_processor",
        /// Decides itself.
        Controller = "controller",
        /// Decides together with us.
        JointController = "joint_controller",
        /// Handles no personal data.
        None = "none",
    }
    /// How much depends on a vendor.
    Criticality {
        /// Little.
        Low = "low",
        /// Some.
        Medium = "medium",
        /// Much.
        High = "high",
        /// Everything.
        Critical = "critical",
    }
    /// What happens at a location.
    Purpose {
        /// Data at rest.
        Storage = "storage",
        /// Remote access.
        Access = "access",
        /// Support with access.
        Support = "support",
        /// Copies.
        Backup = "backup",
    }
}

impl Vendor {
    /// A vendor of which nothing but the id is known.
    pub fn new(id: impl Into<String>) -> Vendor {
        Vendor {
            id: id.into(),
            name: None,
            legal_entity: None,
            status: None,
            role: None,
            service: None,
            domains: Vec::new(),
            criticality: None,
            owner: Presence::default(),
            contacts: None,
            personal_data: None,
            data_categories: None,
            subject_categories: None,
            records_estimate: None,
            locations: None,
            onward_transfers: Vec::new(),
            dpa: None,
            transfers: None,
            subprocessors: None,
            subprocessor_list_url: None,
            subprocessor_notice_days: None,
            certifications: Vec::new(),
            pentest: None,
            breach_notice_hours: None,
            exit: None,
            security_review: None,
            dpia_ref: None,
            notes: Presence::default(),
            exceptions: Vec::new(),
            provenance: BTreeMap::new(),
        }
    }
}
