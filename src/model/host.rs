//! Facts about machines: what encrypts the disks under data, and where databases say that their files lie.

use super::Fact;
use super::database::Layer;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `db.files`: where a database says that its files lie, on the machine that it runs on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Files {
    /// The files and folders.
    pub files: Vec<StorePath>,
    /// Further kinds of file that lie in the folder of the data, or beside the file that it is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub beside: Vec<String>,
    /// A number that the folder of the data holds too: the same path may lie on another machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
}

/// A file or folder of a database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StorePath {
    /// `data`, `tablespace`, `wal` or `temp`.
    pub kind: String,
    /// The path, as the database's own machine sees it.
    pub path: String,
}

/// `host.disk`: what encrypts the disks under paths of one machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Disk {
    /// `physical`, or `virtual`: what encrypts the disks of a virtual machine from outside is not visible in it.
    pub machine: Fact<String>,
    /// The paths, each with what lies below it.
    pub places: Vec<DiskPlace>,
    /// The swap areas; what was in memory is written to them.
    pub swap: Fact<Vec<DiskPlace>>,
}

/// What encrypts what is kept at one path.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DiskPlace {
    /// Unique in its list: the path, with the store and the kind of file where a store has named it.
    pub key: String,
    /// The path.
    pub path: String,
    /// The id of the database whose files these are, or empty.
    pub store: String,
    /// The kind of file: `declared`, `data`, `tablespace`, `wal`, `temp` or `swap`.
    pub kind: String,
    /// Further kinds of file of the same store that lie there, too.
    #[serde(default)]
    pub also: Vec<String>,
    /// False where it is kept in memory alone.
    pub stored: Fact<bool>,
    /// Every way from the path down to a disk leads through a layer that encrypts.
    pub encrypted: Fact<bool>,
    /// The algorithm of the weakest of these layers; `none` where nothing is encrypted.
    pub algorithm: Fact<String>,
    /// The size of its key; 0 where nothing is encrypted.
    pub key_bits: Fact<u32>,
    /// Its mode; `none` where nothing is encrypted.
    pub mode: Fact<String>,
    /// The layers that encrypt.
    pub layers: Vec<Layer>,
    /// From the path to the disks, a step each.
    pub way: Vec<String>,
    /// The state in one sentence.
    pub headline: String,
    /// What would settle what is unknown, or empty.
    pub would_show: String,
}
