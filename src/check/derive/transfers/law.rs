//! The law tables of transfers: `checks/registries/transfers.yaml`.

use crate::model::register::{Country, Regime};
use jiff::civil::Date;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// Adequacy, instruments and conditions, with their dates.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Law {
    /// Printed with every result that used the tables.
    pub law_data_version: String,
    /// Since when each law restricts transfers.
    pub regimes: BTreeMap<Regime, RegimeLaw>,
    /// Where data moves without restriction.
    pub free_areas: BTreeMap<Regime, FreeArea>,
    /// What is assumed where the register does not answer a condition.
    pub condition_defaults: BTreeMap<String, bool>,
    /// Adequacy decisions.
    pub adequacy: BTreeMap<Regime, Vec<Adequacy>>,
    /// Transfer tools.
    pub instruments: Vec<Instrument>,
    /// Programmes that rest on a list of importers.
    pub list_programmes: BTreeMap<String, Programme>,
    /// Dates worth knowing.
    pub milestones: Vec<Milestone>,
}

/// A law that restricts transfers.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegimeLaw {
    /// Its name.
    pub name: String,
    /// The text.
    pub instrument: String,
    /// Since when it is in force.
    pub from: Date,
    /// A remark.
    pub note: Option<String>,
}

/// Where data moves without restriction.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FreeArea {
    /// The countries.
    pub members: BTreeSet<Country>,
    /// Countries that once belonged to it.
    #[serde(default)]
    pub former: Vec<Former>,
    /// A remark.
    pub note: Option<String>,
}

/// A country that once belonged to a free area.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Former {
    /// The country.
    pub country: Country,
    /// Its last day.
    pub to: Date,
}

/// An adequacy decision.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Adequacy {
    /// Names the row.
    pub id: String,
    /// The country.
    pub country: Option<Country>,
    /// The countries.
    #[serde(default)]
    pub countries: Vec<Country>,
    /// The free area of this law.
    pub country_group: Option<Regime>,
    /// The act.
    pub act: String,
    /// Acts that changed it.
    #[serde(default)]
    pub amended_by: Vec<String>,
    /// The first day.
    pub from: Date,
    /// The last day.
    pub to: Option<Date>,
    /// Whether it ends by itself.
    #[serde(default)]
    pub sunset: bool,
    /// Whom it is for.
    pub scope: Scope,
    /// The condition, where there is one.
    pub condition: Option<String>,
    /// What ended it.
    pub ended_by: Option<String>,
    /// The first day without it.
    pub ended_on: Option<Date>,
    /// When the Commission last confirmed it.
    pub reviewed: Option<Date>,
    /// Whether it must be confirmed before it is relied on.
    #[serde(default)]
    pub verify: bool,
    /// A remark.
    pub note: Option<String>,
}

/// Whom an adequacy decision is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Every importer.
    All,
    /// Importers that meet a condition.
    Conditional,
}

/// A transfer tool.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Instrument {
    /// Names it in a register.
    pub id: String,
    /// The law it is for.
    pub regime: Regime,
    /// The act.
    pub act: String,
    /// When it was adopted.
    pub adopted: Option<Date>,
    /// The pairs of roles it is for.
    #[serde(default)]
    pub pairs: Vec<String>,
    /// The pair of roles of each module.
    #[serde(default)]
    pub modules: BTreeMap<u8, String>,
    /// The first day on which it could be signed.
    pub signable_from: Option<Date>,
    /// The last day on which it could be signed.
    pub signable_to: Option<Date>,
    /// The last day on which it counts.
    pub valid_to: Option<Date>,
    /// When it was repealed for new contracts.
    pub repealed_on: Option<Date>,
    /// A condition on its use.
    pub condition: Option<String>,
    /// What must stand beside it.
    #[serde(default)]
    pub needs: Vec<Need>,
    /// The best that it can give.
    pub result_cap: Option<Cap>,
    /// A remark.
    pub note: Option<String>,
}

/// What must stand beside a transfer tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Need {
    /// The module that fits the roles.
    Module,
    /// A transfer impact assessment.
    Tia,
    /// An authority's approval.
    ApprovalRef,
    /// The 2021 clauses below it.
    #[serde(rename = "base_scc_2021")]
    BaseScc2021,
    /// The adaptations for Switzerland.
    SwissAdaptations,
    /// The ground of Art. 49.
    DerogationGround,
}

/// The best that a tool can give.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cap {
    /// Never more than conditional.
    Conditional,
}

/// A programme that rests on a list of importers.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Programme {
    /// Its name.
    pub program: String,
    /// When the list closed.
    pub list_closed: Option<Date>,
    /// What is read of it.
    #[serde(default)]
    pub fields: Vec<String>,
    /// The programme it stands on.
    pub requires: Option<String>,
    /// A remark.
    pub note: Option<String>,
}

/// A date worth knowing.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Milestone {
    /// The day.
    pub date: Date,
    /// What happened.
    pub what: String,
}

impl Law {
    /// The tables that come with probity.
    ///
    /// # Errors
    /// When the file is not there or not of this form: a fault of probity.
    pub fn load() -> Result<Law, String> {
        crate::check::derive::table::read("registries/transfers.yaml")
    }

    /// Whether this law restricts nothing towards this country on this day.
    pub fn is_free(&self, regime: Regime, country: &Country, day: Date) -> bool {
        self.free_areas.get(&regime).is_some_and(|area| {
            area.members.contains(country)
                || area.former.iter().any(|former| former.country == *country && day <= former.to)
        })
    }

    /// The adequacy decisions of this law about this country.
    pub fn adequacy_of<'a>(&'a self, regime: Regime, country: &'a Country) -> impl Iterator<Item = &'a Adequacy> {
        self.adequacy.get(&regime).into_iter().flatten().filter(move |row| {
            row.country.as_ref() == Some(country)
                || row.countries.contains(country)
                || row
                    .country_group
                    .and_then(|group| self.free_areas.get(&group))
                    .is_some_and(|area| area.members.contains(country))
        })
    }

    /// The transfer tool of this id.
    pub fn instrument(&self, id: &str) -> Option<&Instrument> {
        self.instruments.iter().find(|instrument| instrument.id == id)
    }

    /// The adequacy decision of this id.
    pub fn adequacy_row(&self, id: &str) -> Option<&Adequacy> {
        self.adequacy.values().flatten().find(|row| row.id == id)
    }
}

impl Adequacy {
    /// Whether it can be relied on on this day.
    pub fn is_in_force(&self, day: Date) -> bool {
        self.from <= day && self.to.is_none_or(|to| day <= to)
    }
}

impl Instrument {
    /// A set of clauses that was repealed or has a last day.
    pub fn is_legacy(&self) -> bool {
        self.valid_to.is_some()
    }
}
