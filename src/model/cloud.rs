//! What the control plane of a cloud tells of an account's stores.

use super::Fact;
use super::database::Sign;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `db.exposure`: whether a database can be reached from everywhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Exposure {
    /// False where there is no database.
    pub applicable: bool,
    /// The ways in; yes means open to everybody's machines.
    pub ways: Vec<Sign>,
}

/// `store.snapshots`: copies of databases and volumes that the account keeps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Snapshots {
    /// Each copy; yes means encrypted. A list that is not known to be whole is an entry of its own.
    pub encryption: Vec<Sign>,
}

/// `store.volumes`: block devices of the account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Volumes {
    /// Each volume, and the default of new ones; yes means encrypted. A list that is not known to be whole is an entry of
    /// its own.
    pub encryption: Vec<Sign>,
}

/// `store.keys`: keys of the key service that are the customer's own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Keys {
    /// Each key. A list that is not known to be whole is an entry of its own.
    pub keys: Vec<Key>,
}

/// A key of the key service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Key {
    /// Its id, which says nothing of the key.
    pub id: String,
    /// `Enabled`, `Disabled`, `PendingDeletion`, and other words of the service.
    pub state: Fact<String>,
    /// It is changed by the service, at fixed times; never where the service cannot, or is to delete it.
    pub rotated: Fact<bool>,
    /// The days between two changes; 0 where there are none.
    pub period_days: Fact<u64>,
    /// The service can change it: not where it is a pair, or its material came from outside.
    pub rotatable: Fact<bool>,
    /// All of it in words.
    pub seen: String,
}
