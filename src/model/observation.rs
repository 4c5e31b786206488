//! Facts that a collector recorded, and facts derived from them.

use super::{Trouble, digest};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// How a fact was come by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// A document or a setting was read.
    Examine,
    /// The system was made to act, and its answer seen.
    Test,
    /// Computed from other observations.
    Derived,
}

/// Whether the look succeeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ObservationStatus {
    /// Everything asked for was seen.
    Complete,
    /// A list in it may lack members, for the reason in `trouble`: it can prove a fail, never a pass.
    Partial,
    /// Nothing was seen, for the reason in `trouble`.
    Failed,
}

/// One exchange with the target, in words that hold no secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Exchange {
    /// What was asked.
    pub sent: String,
    /// What came back.
    pub received: String,
}

/// Facts of one kind about one part of one target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Observation {
    /// `sha256:` and the digest of the canonical record without this field.
    pub id: String,
    /// For example `tls.protocols`; the form of `data` is that kind's type in [`super::kind`].
    pub kind: String,
    /// The target's id.
    pub target: String,
    /// The address and port looked at, or empty.
    pub part: String,
    /// Which collector or derivation.
    pub collector: String,
    /// How it was come by.
    pub method: Method,
    /// When it was seen.
    #[schemars(with = "String")]
    pub collected: Timestamp,
    /// When it stops being good evidence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub expires: Option<Timestamp>,
    /// Whether the look succeeded.
    pub status: ObservationStatus,
    /// Why not wholly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<Trouble>,
    /// The facts: always an object, and empty when the look failed.
    pub data: Map<String, Value>,
    /// The ids it was derived from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<String>,
    /// What was asked and answered, bounded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub transcript: Vec<Exchange>,
}

impl Observation {
    /// A complete observation. Seal it with [`Observation::sealed`] once its fields are set.
    ///
    /// # Errors
    /// When `data` does not serialise to a JSON object: a fault of the caller's type.
    pub fn complete<T: Serialize>(
        kind: &str,
        target: &str,
        part: &str,
        collector: &str,
        collected: Timestamp,
        data: &T,
    ) -> Result<Observation, serde_json::Error> {
        let data = match serde_json::to_value(data)? {
            Value::Object(map) => map,
            _ => return Err(serde::ser::Error::custom("the data of an observation is an object")),
        };
        Ok(Observation {
            id: String::new(),
            kind: kind.to_owned(),
            target: target.to_owned(),
            part: part.to_owned(),
            collector: collector.to_owned(),
            method: Method::Test,
            collected,
            expires: None,
            status: ObservationStatus::Complete,
            trouble: None,
            data,
            inputs: Vec::new(),
            transcript: Vec::new(),
        }
        .sealed())
    }

    /// An observation that nothing was seen, and why.
    pub fn failed(
        kind: &str,
        target: &str,
        part: &str,
        collector: &str,
        collected: Timestamp,
        trouble: Trouble,
    ) -> Observation {
        Observation {
            id: String::new(),
            kind: kind.to_owned(),
            target: target.to_owned(),
            part: part.to_owned(),
            collector: collector.to_owned(),
            method: Method::Test,
            collected,
            expires: None,
            status: ObservationStatus::Failed,
            trouble: Some(trouble),
            data: Map::new(),
            inputs: Vec::new(),
            transcript: Vec::new(),
        }
        .sealed()
    }

    /// The same, marked as lacking members for this reason.
    #[must_use]
    pub fn partial(mut self, trouble: Trouble) -> Observation {
        self.status = ObservationStatus::Partial;
        self.trouble = Some(trouble);
        self.sealed()
    }

    /// The same, come by in this way.
    #[must_use]
    pub fn by(mut self, method: Method) -> Observation {
        self.method = method;
        self.sealed()
    }

    /// The same, derived from these observations.
    #[must_use]
    pub fn from_inputs(mut self, inputs: Vec<String>) -> Observation {
        self.method = Method::Derived;
        self.inputs = inputs;
        self.sealed()
    }

    /// The same, with these exchanges (at most 512 are kept).
    #[must_use]
    pub fn with_transcript(mut self, mut transcript: Vec<Exchange>) -> Observation {
        transcript.truncate(512);
        self.transcript = transcript;
        self.sealed()
    }

    /// The same with its id computed from its content.
    #[must_use]
    pub fn sealed(mut self) -> Observation {
        self.id = self.content_id();
        self
    }

    /// The id that the content has; differs from `id` when the record was changed after it was sealed.
    pub fn content_id(&self) -> String {
        let mut record = match serde_json::to_value(self) {
            Ok(Value::Object(map)) => map,
            // A record of these types always serialises to an object.
            _ => Map::new(),
        };
        record.remove("id");
        digest::of(&Value::Object(record)).unwrap_or_default()
    }

    /// The data as its kind's type.
    ///
    /// # Errors
    /// When the data is not of that form.
    pub fn read<T: serde::de::DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_value(Value::Object(self.data.clone()))
    }
}
