//! A DSSE envelope with an in-toto Statement over the files of a bundle (in-toto Statement v1, DSSE 1.0).

use super::key::{Signer, Verifier};
use data_encoding::BASE64;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// What is in the envelope.
const PAYLOAD: &str = "application/vnd.in-toto+json";
/// The form of a Statement.
const STATEMENT: &str = "https://in-toto.io/Statement/v1";
/// What the Statement says of its subjects: the predicate is the run's manifest.
const PREDICATE: &str = "urn:probity:run:1";
/// The most signatures that are read.
const SIGNATURES: usize = 16;

/// An in-toto Statement: these files belong to this run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    #[serde(rename = "_type")]
    kind: String,
    subject: Vec<Subject>,
    #[serde(rename = "predicateType")]
    predicate_type: String,
    /// The manifest of the run.
    pub predicate: Value,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Subject {
    name: String,
    digest: BTreeMap<String, String>,
}

/// A signed text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Envelope {
    #[serde(rename = "payloadType")]
    payload_type: String,
    payload: String,
    signatures: Vec<Signature>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Signature {
    keyid: String,
    sig: String,
}

impl Statement {
    /// The statement about files, each with its SHA-256.
    pub fn new(files: &BTreeMap<String, String>, predicate: Value) -> Statement {
        let subject = |(name, digest): (&String, &String)| Subject {
            name: name.clone(),
            digest: BTreeMap::from([("sha256".to_owned(), digest.clone())]),
        };
        Statement {
            kind: STATEMENT.to_owned(),
            subject: files.iter().map(subject).collect(),
            predicate_type: PREDICATE.to_owned(),
            predicate,
        }
    }

    /// The files with their SHA-256.
    pub fn files(&self) -> BTreeMap<String, String> {
        let pair = |subject: &Subject| Some((subject.name.clone(), subject.digest.get("sha256")?.clone()));
        self.subject.iter().filter_map(pair).collect()
    }

    /// The envelope, signed where there is a key.
    ///
    /// # Errors
    /// In words, when the key does not sign or the statement does not serialise.
    pub fn sealed(&self, signer: Option<&Signer>) -> Result<Envelope, String> {
        let payload = serde_json::to_vec(self).map_err(|error| error.to_string())?;
        let signatures = match signer {
            Some(signer) => {
                let sig = BASE64.encode(&signer.sign(&signed(PAYLOAD, &payload))?);
                vec![Signature { keyid: signer.verifier().id(), sig }]
            }
            None => Vec::new(),
        };
        Ok(Envelope { payload_type: PAYLOAD.to_owned(), payload: BASE64.encode(&payload), signatures })
    }
}

/// What is signed: the pre-authentication encoding of DSSE.
fn signed(kind: &str, payload: &[u8]) -> Vec<u8> {
    let mut bytes = format!("DSSEv1 {} {kind} {} ", kind.len(), payload.len()).into_bytes();
    bytes.extend(payload);
    bytes
}

impl Envelope {
    /// The bytes of the file.
    ///
    /// # Errors
    /// When it does not serialise: a fault of our types.
    pub fn bytes(&self) -> Result<Vec<u8>, serde_json::Error> {
        let mut bytes = serde_json::to_vec(self)?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// Reads an envelope and the statement in it.
    ///
    /// # Errors
    /// In words, when either is not of the form.
    pub fn parse(bytes: &[u8]) -> Result<(Envelope, Statement), String> {
        let envelope: Envelope =
            serde_json::from_slice(bytes).map_err(|error| format!("it is no envelope: {error}"))?;
        if envelope.bytes().ok().as_deref() != Some(bytes) {
            return Err("it is not written as it was".to_owned());
        }
        if envelope.payload_type != PAYLOAD || envelope.signatures.len() > SIGNATURES {
            return Err("it holds no statement".to_owned());
        }
        let payload =
            BASE64.decode(envelope.payload.as_bytes()).map_err(|_| "its payload is not in base 64".to_owned())?;
        let statement: Statement =
            serde_json::from_slice(&payload).map_err(|error| format!("its payload is no statement: {error}"))?;
        if statement.kind != STATEMENT || statement.predicate_type != PREDICATE {
            return Err("its statement is of another kind".to_owned());
        }
        Ok((envelope, statement))
    }

    /// Whether anybody signed it.
    pub fn is_signed(&self) -> bool {
        !self.signatures.is_empty()
    }

    /// Whether this key signed it: nothing where no signature names the key.
    pub fn verify(&self, key: &Verifier) -> Option<bool> {
        let payload = BASE64.decode(self.payload.as_bytes()).ok()?;
        let mine = self.signatures.iter().find(|signature| signature.keyid == key.id())?;
        let bytes = BASE64.decode(mine.sig.as_bytes()).unwrap_or_default();
        Some(key.verifies(&signed(&self.payload_type, &payload), &bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_encoding_is_that_of_the_specification() {
        assert_eq!(
            signed("http://example.com/HelloWorld", b"hello world"),
            b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
        );
    }

    #[test]
    fn an_envelope_reads_as_it_was_written_and_only_its_key_verifies_it() {
        let (signer, other) = (Signer::generate("a").unwrap(), Signer::generate("b").unwrap());
        let files = BTreeMap::from([("run.json".to_owned(), "00".to_owned())]);
        let statement = Statement::new(&files, json!({"run": 1}));
        let envelope = statement.sealed(Some(&signer)).unwrap();
        let (again, inside) = Envelope::parse(&envelope.bytes().unwrap()).unwrap();
        assert_eq!((&again, &inside), (&envelope, &statement));
        assert_eq!(inside.files(), files);
        assert_eq!(again.verify(signer.verifier()), Some(true));
        assert_eq!(again.verify(other.verifier()), None);
        let mut forged = again;
        forged.payload = Statement::new(&files, json!({"run": 2})).sealed(None).unwrap().payload;
        assert_eq!(forged.verify(signer.verifier()), Some(false));
    }
}
