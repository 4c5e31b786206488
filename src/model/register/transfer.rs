//! Transfers to third countries and the mechanisms that they rest on.

use super::words::Country;
use crate::model::words::words;
use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// A transfer under one law to one country.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Transfer {
    /// Which law restricts it.
    pub regime: Option<Regime>,
    /// Where the data leaves from.
    pub from_country: Option<Country>,
    /// Where it goes, or is looked at from.
    pub to_country: Option<Country>,
    /// The role of the one who sends.
    pub exporter_role: Option<Party>,
    /// The role of the one who receives.
    pub importer_role: Option<Party>,
    /// What it rests on; may be empty.
    pub mechanisms: Option<Vec<Mechanism>>,
}

/// What a transfer rests on: adequacy, or an instrument of `transfers.yaml`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Mechanism {
    /// `adequacy`, or the id of an instrument in `transfers.yaml`.
    #[serde(rename = "type")]
    pub kind: String,
    /// When it was signed.
    #[schemars(with = "Option<String>")]
    pub signed_on: Option<Date>,
    /// The module of the 2021 clauses.
    pub module: Option<u8>,
    /// The modules, where several are signed.
    pub modules: Option<BTreeSet<u8>>,
    /// Whether the docking clause is part of it.
    pub docking: Option<bool>,
    /// Whether the processing stayed as it was when the legacy clauses were signed.
    pub processing_unchanged: Option<bool>,
    /// The transfer impact assessment.
    pub tia: Option<Tia>,
    /// The authority's approval.
    pub approval_ref: Option<String>,
    /// Whether the adaptations for Switzerland are made.
    pub swiss_adaptations: Option<bool>,
    /// Whether the addendum sits on the 2021 clauses.
    pub base_scc_2021: Option<bool>,
    /// The state on the Data Privacy Framework's list.
    pub dpf_status: Option<DpfStatus>,
    /// Whether that certification covers human resources data.
    pub dpf_covers_hr: Option<bool>,
    /// When the list was last looked at.
    #[schemars(with = "Option<String>")]
    pub dpf_checked_on: Option<Date>,
    /// When the certification must be renewed.
    #[schemars(with = "Option<String>")]
    pub dpf_next_certification_due: Option<Date>,
    /// Laws that the importer is itself subject to.
    pub importer_subject_to: Option<BTreeSet<ImporterLaw>>,
    /// Whether the importer is on the list of the ended programme.
    pub listed: Option<bool>,
    /// Whether the UK Extension is taken up.
    pub uk_extension: Option<bool>,
    /// Whether the Swiss part is taken up.
    pub swiss: Option<bool>,
    /// The paragraph of Art. 49 relied on.
    pub derogation_ground: Option<String>,
    /// Answers to other conditions that `transfers.yaml` names.
    pub conditions: BTreeMap<String, bool>,
}

/// A transfer impact assessment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Tia {
    /// When it was made.
    #[schemars(with = "Option<String>")]
    pub done_on: Option<Date>,
    /// What it found.
    pub outcome: Option<TiaOutcome>,
    /// Supplementary measures.
    pub measures: Vec<String>,
}

words! {
    /// A law that restricts transfers.
    Regime {
        /// The GDPR in the EU and EEA.
        Eu = "eu",
        /// The UK GDPR.
        Uk = "uk",
        /// The Swiss FADP.
        Ch = "ch",
    }
    /// A role in a transfer.
    Party {
        /// Controller.
        Controller = "c",
        /// Processor or sub-processor.
        Processor = "p",
    }
    /// A state on the list of the Data Privacy Framework.
    DpfStatus {
        /// On the list.
        Active = "active",
        /// On the list of former participants.
        Inactive = "inactive",
        /// Withdrawn.
        Withdrawn = "withdrawn",
        /// Not known.
        Unknown = "unknown",
    }
    /// What a transfer impact assessment found.
    TiaOutcome {
        /// The law there is no obstacle.
        Adequate = "adequate",
        /// Measures are needed beside the tool.
        Supplementary = "supplementary",
        /// No measure helps.
        NotAdequate = "not_adequate",
    }
    /// A law that an importer may be subject to.
    ImporterLaw {
        /// Canada.
        Pipeda = "pipeda",
        /// Japan.
        Appi = "appi",
        /// The Republic of Korea.
        Pipa = "pipa",
        /// The GDPR itself, under Art. 3(2).
        Gdpr32 = "gdpr_3_2",
    }
}
