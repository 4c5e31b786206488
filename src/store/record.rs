//! The records of a run as they are stored: one a line, with their data by digest, and the roots that commit to them.

use super::tree::{self, Hash};
use crate::model::observation::{Exchange, Method, ObservationStatus};
use crate::model::{CheckResult, Observation, Severity, Status, Trouble, digest};
use aws_lc_rs::hmac;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Something stored under its digest: 64 hexadecimal digits of SHA-256 over its bytes.
pub type Digest = String;

/// An observation without its data and transcript, which stand under their digests. Its id follows from its content.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    kind: String,
    target: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    part: String,
    collector: String,
    method: Method,
    collected: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires: Option<Timestamp>,
    status: ObservationStatus,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    trouble: Option<Trouble>,
    data: Digest,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    transcript: Option<Digest>,
    /// Places of records before this one in the same run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    inputs: Vec<u32>,
}

/// A result with the places of the records it rests on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outcome {
    check: String,
    target: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    part: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    item: String,
    status: Status,
    severity: Severity,
    reason: String,
    expected: Value,
    actual: Value,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    records: Vec<u32>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    relaxed: Vec<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    accepted: bool,
}

/// One line of the file of records.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Line {
    /// The salt of the run: what the salts of all fields are made from. Always the first line.
    Salt(String),
    /// What a check was: its id, to version, origin and digest of its file.
    Check(String, [String; 3]),
    /// What was seen or derived.
    Record(Box<Record>),
    /// How it was judged.
    Result(Box<Outcome>),
}

/// A run's records being written.
pub struct Writing {
    lines: Vec<u8>,
    salt: hmac::Key,
    places: BTreeMap<String, u32>,
    leaves: Vec<Hash>,
    checks: BTreeMap<String, [String; 3]>,
}

/// What is stored beside the lines: bytes by digest.
pub type Artefacts = BTreeMap<Digest, Vec<u8>>;

/// Why records cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// A value does not serialise: a fault of our types.
    #[error("a record cannot be written: {0}")]
    Write(#[from] serde_json::Error),
    /// A line is not of the form.
    #[error("line {0} of the records is not of the form")]
    Line(usize),
    /// A record names another that is not before it.
    #[error("record {0} names one that is not there")]
    Place(usize),
    /// An artefact is not of the form.
    #[error("the artefact {0} is not of the form of its record")]
    Artefact(Digest),
    /// An artefact is not there.
    #[error("{0}")]
    Missing(String),
}

impl Writing {
    /// Records under this salt.
    ///
    /// # Errors
    /// When a value does not serialise.
    pub fn new(salt: &[u8; 32]) -> Result<Writing, RecordError> {
        let mut writing = Writing {
            lines: Vec::new(),
            salt: hmac::Key::new(hmac::HMAC_SHA256, salt),
            places: BTreeMap::new(),
            leaves: Vec::new(),
            checks: BTreeMap::new(),
        };
        writing.line(&Line::Salt(digest::hex(salt)))?;
        Ok(writing)
    }

    fn line(&mut self, line: &Line) -> Result<(), RecordError> {
        self.lines.extend(digest::canonical(line)?.into_bytes());
        self.lines.push(b'\n');
        Ok(())
    }

    /// Adds an observation, after those that it was derived from.
    ///
    /// # Errors
    /// When it does not serialise, or was derived from one that was not added before.
    pub fn observation(&mut self, seen: &Observation, artefacts: &mut Artefacts) -> Result<(), RecordError> {
        let place = self.leaves.len();
        let inputs = seen.inputs.iter().map(|id| self.places.get(id).copied()).collect::<Option<Vec<u32>>>();
        let data = keep(artefacts, digest::canonical(&seen.data)?);
        let transcript = match &seen.transcript[..] {
            [] => None,
            some => Some(keep(artefacts, digest::canonical(some)?)),
        };
        let record = Record {
            kind: seen.kind.clone(),
            target: seen.target.clone(),
            part: seen.part.clone(),
            collector: seen.collector.clone(),
            method: seen.method,
            collected: seen.collected,
            expires: seen.expires,
            status: seen.status,
            trouble: seen.trouble.clone(),
            data,
            transcript,
            inputs: inputs.ok_or(RecordError::Place(place))?,
        };
        self.line(&Line::Record(Box::new(record)))?;
        self.leaves.push(commitment(&self.salt, place, seen)?);
        self.places.insert(seen.id.clone(), u32::try_from(place).unwrap_or(u32::MAX));
        Ok(())
    }

    /// Adds a result.
    ///
    /// # Errors
    /// When it does not serialise, or rests on an observation that was not added.
    pub fn result(&mut self, result: &CheckResult) -> Result<(), RecordError> {
        let about = [result.version.clone(), result.origin.clone(), result.digest.clone()];
        if self.checks.get(&result.check) != Some(&about) {
            self.line(&Line::Check(result.check.clone(), about.clone()))?;
            self.checks.insert(result.check.clone(), about);
        }
        let records = result.observations.iter().map(|id| self.places.get(id).copied()).collect::<Option<Vec<u32>>>();
        let outcome = Outcome {
            check: result.check.clone(),
            target: result.target.clone(),
            part: result.part.clone(),
            item: result.item.clone(),
            status: result.status,
            severity: result.severity,
            reason: result.reason.clone(),
            expected: result.expected.clone(),
            actual: result.actual.clone(),
            records: records.ok_or(RecordError::Place(self.leaves.len()))?,
            relaxed: result.relaxed.clone(),
            accepted: result.accepted,
        };
        self.line(&Line::Result(Box::new(outcome)))
    }

    /// The file, and the root over the records.
    pub fn finish(self) -> (Vec<u8>, Hash, usize) {
        let (root, count) = (tree::root(&self.leaves), self.leaves.len());
        (self.lines, root, count)
    }
}

fn keep(artefacts: &mut Artefacts, text: String) -> Digest {
    let bytes = text.into_bytes();
    let digest = digest::sha256(&bytes);
    artefacts.entry(digest.clone()).or_insert(bytes);
    digest
}

/// What the run commits to for one record: its id, and the root over its salted fields, so that a field can be withheld
/// later and the rest still be shown to be what it was.
fn commitment(salt: &hmac::Key, place: usize, seen: &Observation) -> Result<Hash, serde_json::Error> {
    let mut content = seen.id.clone().into_bytes();
    content.extend(tree::root(&fields(salt, place, seen)?));
    Ok(tree::leaf(&content))
}

/// One salted leaf a field, in the order of their names; the data's fields each apart, as `data.NAME`.
fn fields(salt: &hmac::Key, place: usize, seen: &Observation) -> Result<Vec<Hash>, serde_json::Error> {
    let mut fields: BTreeMap<String, Value> = BTreeMap::new();
    if let Value::Object(record) = serde_json::to_value(seen)? {
        for (name, value) in record {
            match (name.as_str(), value) {
                ("id", _) => {}
                ("data", Value::Object(data)) => {
                    fields.extend(data.into_iter().map(|(name, value)| (format!("data.{name}"), value)));
                }
                (_, value) => drop(fields.insert(name, value)),
            }
        }
    }
    fields
        .iter()
        .map(|(name, value)| {
            let mut content = hmac::sign(salt, format!("{place}\n{name}").as_bytes()).as_ref().to_vec();
            content.extend(digest::canonical(&(name, value))?.into_bytes());
            Ok(tree::leaf(&content))
        })
        .collect()
}

/// A run's records read back.
pub struct Reading {
    /// What was seen and derived, in the order in which it was stored.
    pub observations: Vec<Observation>,
    /// How it was judged.
    pub results: Vec<CheckResult>,
    /// The root over the records.
    pub root: Hash,
}

/// The lines of a file of records.
///
/// # Errors
/// With the first line that is not of the form.
pub fn lines(bytes: &[u8]) -> impl Iterator<Item = Result<Line, RecordError>> + '_ {
    let lines = bytes.strip_suffix(b"\n").unwrap_or(bytes).split(|byte| *byte == b'\n');
    lines.enumerate().map(|(n, line)| serde_json::from_slice(line).map_err(|_| RecordError::Line(n + 1)))
}

/// The digests of everything that the lines name.
///
/// # Errors
/// With the first line that is not of the form.
pub fn named(bytes: &[u8]) -> Result<Vec<Digest>, RecordError> {
    let mut digests = Vec::new();
    for line in lines(bytes) {
        if let Line::Record(record) = line? {
            digests.push(record.data);
            digests.extend(record.transcript);
        }
    }
    digests.sort();
    digests.dedup();
    Ok(digests)
}

/// Reads the records of a run; `artefact` gives the bytes of a digest.
///
/// # Errors
/// When a line or an artefact is not of the form, or is not there.
pub fn read(
    bytes: &[u8],
    mut artefact: impl FnMut(&Digest) -> Result<Vec<u8>, String>,
) -> Result<Reading, RecordError> {
    let mut salt = hmac::Key::new(hmac::HMAC_SHA256, &[]);
    let (mut observations, mut results, mut leaves): (Vec<Observation>, Vec<CheckResult>, Vec<Hash>) =
        Default::default();
    let mut checks: BTreeMap<String, [String; 3]> = BTreeMap::new();
    for (n, line) in lines(bytes).enumerate() {
        let ids = |places: &[u32]| -> Option<Vec<String>> {
            places.iter().map(|place| Some(observations.get(*place as usize)?.id.clone())).collect()
        };
        match line? {
            Line::Salt(text) if n == 0 => {
                let bytes = data_encoding::HEXLOWER.decode(text.as_bytes()).map_err(|_| RecordError::Line(1))?;
                salt = hmac::Key::new(hmac::HMAC_SHA256, &bytes);
            }
            Line::Salt(_) => return Err(RecordError::Line(n + 1)),
            Line::Check(id, about) => drop(checks.insert(id, about)),
            Line::Record(record) => {
                let inputs = ids(&record.inputs).ok_or(RecordError::Place(observations.len()))?;
                let seen = observation(*record, inputs, &mut artefact)?;
                leaves.push(commitment(&salt, observations.len(), &seen)?);
                observations.push(seen);
            }
            Line::Result(outcome) => {
                let rests_on = ids(&outcome.records).ok_or(RecordError::Place(observations.len()))?;
                let about = checks.get(&outcome.check).cloned().ok_or(RecordError::Line(n + 1))?;
                results.push(result(*outcome, about, rests_on));
            }
        }
    }
    Ok(Reading { observations, results, root: tree::root(&leaves) })
}

fn observation(
    record: Record,
    inputs: Vec<String>,
    artefact: &mut impl FnMut(&Digest) -> Result<Vec<u8>, String>,
) -> Result<Observation, RecordError> {
    let mut bytes = |digest: &Digest| artefact(digest).map_err(RecordError::Missing);
    let data: Map<String, Value> =
        serde_json::from_slice(&bytes(&record.data)?).map_err(|_| RecordError::Artefact(record.data.clone()))?;
    let transcript: Vec<Exchange> = match &record.transcript {
        Some(digest) => serde_json::from_slice(&bytes(digest)?).map_err(|_| RecordError::Artefact(digest.clone()))?,
        None => Vec::new(),
    };
    Ok(Observation {
        id: String::new(),
        kind: record.kind,
        target: record.target,
        part: record.part,
        collector: record.collector,
        method: record.method,
        collected: record.collected,
        expires: record.expires,
        status: record.status,
        trouble: record.trouble,
        data,
        inputs,
        transcript,
    }
    .sealed())
}

fn result(outcome: Outcome, [version, origin, digest]: [String; 3], observations: Vec<String>) -> CheckResult {
    CheckResult {
        check: outcome.check,
        version,
        origin,
        digest,
        target: outcome.target,
        part: outcome.part,
        item: outcome.item,
        status: outcome.status,
        severity: outcome.severity,
        reason: outcome.reason,
        expected: outcome.expected,
        actual: outcome.actual,
        observations,
        relaxed: outcome.relaxed,
        accepted: outcome.accepted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Reason;
    use serde_json::json;

    fn now() -> Timestamp {
        "2026-11-25T10:00:00Z".parse().unwrap()
    }

    fn seen() -> [Observation; 3] {
        let exchange = Exchange { sent: "hello".to_owned(), received: "alert".to_owned() };
        let one = Observation::complete("tls.protocols", "shop", "a:443", "tls", now(), &json!({"b": 1.0, "a": [2.5]}));
        let one = one.unwrap().with_transcript(vec![exchange]);
        let two = Observation::failed("tls.suites", "shop", "", "tls", now(), Trouble::new(Reason::TimedOut, "slow"));
        let three = Observation::complete("tls.grade", "shop", "", "grade", now(), &json!({"letter": "A"})).unwrap();
        let three = three.from_inputs(vec![one.id.clone()]);
        [one, two, three]
    }

    fn written(seen: &[Observation]) -> (Vec<u8>, Hash, Artefacts) {
        let mut artefacts = Artefacts::new();
        let mut writing = Writing::new(&[7; 32]).unwrap();
        seen.iter().for_each(|one| writing.observation(one, &mut artefacts).unwrap());
        let (bytes, root, count) = writing.finish();
        assert_eq!(count, seen.len());
        (bytes, root, artefacts)
    }

    #[test]
    fn observations_come_back_as_they_were() {
        let (bytes, root, artefacts) = written(&seen());
        let reading = read(&bytes, |digest| artefacts.get(digest).cloned().ok_or_else(String::new)).unwrap();
        assert_eq!(reading.root, root);
        let ids = |all: &[Observation]| all.iter().map(|one| one.id.clone()).collect::<Vec<_>>();
        assert_eq!(ids(&reading.observations), ids(&seen()));
        assert_eq!(reading.observations[0].transcript, seen()[0].transcript);
    }

    #[test]
    fn equal_data_is_stored_once_and_commits_to_another_root() {
        let [one, two, three] = seen();
        let mut later = one.clone();
        later.collected = "2026-11-26T10:00:00Z".parse().unwrap();
        let (_, root, artefacts) = written(&[one, two.clone(), three]);
        let (_, other, again) = written(&[later.sealed(), two]);
        assert_ne!(root, other);
        let shared = artefacts.keys().filter(|digest| again.contains_key(*digest)).count();
        assert_eq!(shared, again.len());
    }

    #[test]
    fn a_record_derived_from_what_is_not_there_is_refused() {
        let [_, _, three] = seen();
        let mut writing = Writing::new(&[7; 32]).unwrap();
        assert!(matches!(writing.observation(&three, &mut Artefacts::new()), Err(RecordError::Place(0))));
    }

    #[test]
    fn a_record_without_its_artefact_is_not_read() {
        let (bytes, ..) = written(&seen());
        assert!(matches!(read(&bytes, |_| Err("gone".to_owned())), Err(RecordError::Missing(_))));
    }
}
