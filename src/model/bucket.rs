//! What was seen of a bucket in an object store that speaks the protocol of Amazon S3.

use super::Fact;
use super::database::Sign;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `store.object`: how a bucket is protected, as its own settings tell and its objects show.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Bucket {
    /// False where an account has no bucket.
    pub applicable: bool,
    /// What is encrypted: by default, and of the objects that were looked at.
    pub encryption: Vec<Sign>,
    /// The algorithm of the default: `AES256`, `aws:kms` or `aws:kms:dsse`, or `none`.
    pub algorithm: Fact<String>,
    /// A key of the customer's own is named for the default.
    pub own_key: Fact<bool>,
    /// Ways by which everybody reads or writes.
    pub public: Vec<Sign>,
    /// Ways by which requests without TLS are served.
    pub plaintext: Vec<Sign>,
    /// `Enabled`, `Suspended` or `never`: whether older versions of objects are kept.
    pub versioning: Fact<String>,
    /// What ends objects by their age.
    pub lifecycle: Fact<Vec<Expiry>>,
}

impl Bucket {
    /// What is said of an account without a bucket.
    pub fn none() -> Bucket {
        let why = "there is no bucket";
        Bucket {
            applicable: false,
            encryption: Vec::new(),
            algorithm: Fact::unknown(why),
            own_key: Fact::unknown(why),
            public: Vec::new(),
            plaintext: Vec::new(),
            versioning: Fact::unknown(why),
            lifecycle: Fact::unknown(why),
        }
    }
}

/// A rule of a bucket that ends objects by their age.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Expiry {
    /// Its name.
    pub id: String,
    /// The beginning of the names that it is about; empty for all.
    pub prefix: String,
    /// It is on, and no tag or size leaves objects out.
    pub whole: bool,
    /// Days from an object's upload to its end.
    pub days: Option<u64>,
    /// Days from the day on which a newer version took an object's place to its end.
    pub noncurrent_days: Option<u64>,
}
