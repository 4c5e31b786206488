//! An export of one person's data: what is declared of it, what was read in it, and how it compares with the stores.

use super::retention::Slug;
use super::{Fact, SecretRef};
use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// What is said of an export in the configuration.
#[derive(Clone)]
pub struct Portability {
    /// Where the key of the one person is to be had: a canary's, or that of somebody who agreed.
    pub subject: SecretRef,
    /// What kind of key it is.
    pub namespace: Slug,
    /// The file or the folder.
    pub export: PathBuf,
    /// What the export is to hold, and where in it.
    pub content: Content,
}

/// What an export is to hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Content {
    /// Under which article it was asked for.
    #[serde(default)]
    pub scope: Scope,
    /// The day on which it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub taken_on: Option<Date>,
    /// Where each data set is in it.
    #[serde(default)]
    pub map: Vec<Mapped>,
    /// Data sets that are not to be in it, each with a reason.
    #[serde(default)]
    pub left_out: Vec<LeftOut>,
}

/// Where a data set is in an export.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Mapped {
    /// The data set.
    pub data_set: Slug,
    /// The file, by its path within the export; the export's own name where it is a single file.
    pub file: String,
    /// The list of records in a JSON file, as a pointer (`/orders`), or the name of a record's element in XML.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub records: Option<String>,
    /// The field of a record that holds the person's key, where it holds one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// By how many records the export may differ from the store.
    #[serde(default)]
    pub tolerance: u64,
}

/// A data set that is not to be in an export.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LeftOut {
    /// The data set.
    pub data_set: Slug,
    /// Why.
    pub reason: String,
}

/// Under which article an export was asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Portability: what the person gave, and what was observed of them.
    #[default]
    Art20,
    /// Access: everything.
    Art15,
}

impl Scope {
    /// The word used in the configuration and in evidence.
    pub fn word(self) -> &'static str {
        match self {
            Scope::Art20 => "art20",
            Scope::Art15 => "art15",
        }
    }
}

/// `data.export`: what was read in an export. Names of files and fields and counts; no value.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ExportFacts {
    /// Each file.
    pub files: Vec<FileFacts>,
    /// Each data set that is to be in it.
    pub sets: Vec<SetInExport>,
    /// Fields whose name or form says that they hold a secret.
    pub secrets: Vec<SecretField>,
    /// Under which article it was asked for.
    pub scope: String,
    /// Data sets of the schedule with this kind of key: the id and the store.
    pub in_scope: Vec<(String, String)>,
    /// Data sets that are left out for a reason.
    pub left_out: Vec<String>,
}

/// One file of an export.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FileFacts {
    /// Its path within the export.
    pub key: String,
    /// `json`, `ndjson`, `csv`, `xml`, `ical`, `vcard`, `mbox`, `pdf`, `image` or `other`.
    pub format: String,
    /// A program can read it: the format is an open one, the text is UTF-8, and it was read to its end.
    pub readable: Fact<bool>,
    /// How many records.
    pub records: Fact<u64>,
    /// In words.
    pub summary: String,
}

/// One data set in an export.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SetInExport {
    /// The data set.
    pub key: String,
    /// Records of it; unknown where its file was not read.
    pub records: Fact<u64>,
    /// Records whose key is another person's.
    pub foreign: Fact<u64>,
    /// By how many records it may differ.
    pub tolerance: u64,
}

/// A field that holds, or seems to hold, a secret.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct SecretField {
    /// The file and the field: `profile.json password_hash`.
    pub key: String,
    /// `name` or `form`: what gave it away.
    pub by: String,
}

/// `data.portability`: the export against the stores.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Ported {
    /// Each data set in scope.
    pub sets: Vec<PortedRow>,
    /// Each file's format.
    pub formats: Vec<FileFacts>,
    /// Records of other persons, by data set.
    pub foreign: Vec<ForeignRow>,
    /// Fields that hold, or seem to hold, a secret; unknown where a file was not read and none was found.
    pub secrets: Fact<u64>,
    /// Their names.
    pub secret_fields: Vec<String>,
    /// Data sets in scope.
    pub in_scope: u64,
    /// Those of them of which the store holds rows, and the export records.
    pub exercised: Fact<u64>,
    /// The share of them in words.
    pub coverage: String,
}

/// A data set in an export against its store.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PortedRow {
    /// The data set.
    pub key: String,
    /// The export holds what the store holds.
    pub complete: Fact<bool>,
    /// `high` where the export holds nothing of what is there, else `low`.
    pub severity: String,
    /// Both numbers in words.
    pub summary: String,
}

/// Records of other persons.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ForeignRow {
    /// The data set.
    pub key: String,
    /// How many.
    pub records: Fact<u64>,
}
