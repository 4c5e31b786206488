//! Signed notes and checkpoints, as the C2SP specifications signed-note and tlog-checkpoint write them.
//!
//! A checkpoint is three lines: whose log it is, how many runs are in it, and the root over them. Below an empty line
//! stand the signatures.

use super::key::{Signer, Verifier};
use super::tree::Hash;
use data_encoding::BASE64;

/// The most bytes that a note has.
const BYTES: usize = 16 * 1024;
/// The most signatures that are read.
const SIGNATURES: usize = 16;

/// What a log was at one instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Whose log.
    pub origin: String,
    /// How many runs.
    pub size: u64,
    /// The root over them.
    pub root: Hash,
}

/// A signature on a note.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Signature {
    name: String,
    /// Four bytes that hint at the key, and what it signed.
    bytes: Vec<u8>,
}

/// A checkpoint with its signatures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// What is signed.
    pub checkpoint: Checkpoint,
    signatures: Vec<Signature>,
}

/// Why a note is not taken.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum NoteError {
    /// It is not a checkpoint.
    #[error("this is not a checkpoint: {0}")]
    Form(&'static str),
    /// No signature is by the key.
    #[error("it carries no signature of the key {0}")]
    Unsigned(String),
    /// The signature is not that of the key.
    #[error("the signature of {0} is false")]
    False(String),
}

impl Checkpoint {
    /// The signed text, with its last line break.
    pub fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, BASE64.encode(&self.root))
    }

    /// The note, signed where there is a key.
    ///
    /// # Errors
    /// In words, when the key cannot sign.
    pub fn note(self, signer: Option<&Signer>) -> Result<Note, String> {
        let signatures = match signer {
            Some(signer) => {
                let mut bytes = signer.verifier().hint().to_vec();
                bytes.extend(signer.sign(self.text().as_bytes())?);
                vec![Signature { name: signer.verifier().name().to_owned(), bytes }]
            }
            None => Vec::new(),
        };
        Ok(Note { checkpoint: self, signatures })
    }
}

impl Note {
    /// The text of the file.
    pub fn text(&self) -> String {
        let mut text = format!("{}\n", self.checkpoint.text());
        for signature in &self.signatures {
            text.push_str(&format!("\u{2014} {} {}\n", signature.name, BASE64.encode(&signature.bytes)));
        }
        text
    }

    /// Reads a note.
    ///
    /// # Errors
    /// When it is not one, is written in another way than [`Note::text`] writes it, or is larger than a note may be.
    pub fn parse(text: &str) -> Result<Note, NoteError> {
        use NoteError::Form;
        if text.len() > BYTES {
            return Err(Form("it is too large"));
        }
        let (body, signed) = text.split_once("\n\n").ok_or(Form("there is no empty line below the root"))?;
        let lines: Vec<&str> = body.split('\n').collect();
        let [origin, size, root] = lines[..] else { return Err(Form("it does not have three lines")) };
        let size = size.parse().map_err(|_| Form("the size is no number"))?;
        let root = BASE64.decode(root.as_bytes()).ok().and_then(|bytes| Hash::try_from(bytes).ok());
        let root = root.ok_or(Form("the root is no hash"))?;
        if origin.is_empty() || origin.chars().any(char::is_control) {
            return Err(Form("the origin is no line"));
        }
        let mut signatures = Vec::new();
        for line in signed.lines() {
            let words = line.strip_prefix("\u{2014} ").and_then(|rest| rest.split_once(' '));
            let (name, bytes) = words.ok_or(Form("a signature is no line of three words"))?;
            let bytes = BASE64.decode(bytes.as_bytes()).map_err(|_| Form("a signature is not in base 64"))?;
            signatures.push(Signature { name: name.to_owned(), bytes });
            if signatures.len() > SIGNATURES {
                return Err(Form("it has too many signatures"));
            }
        }
        let note = Note { checkpoint: Checkpoint { origin: origin.to_owned(), size, root }, signatures };
        // One way of writing it: a changed byte that means the same would else pass unseen.
        if note.text() == text { Ok(note) } else { Err(Form("it is not written as a checkpoint is")) }
    }

    /// Whether anybody signed it.
    pub fn is_signed(&self) -> bool {
        !self.signatures.is_empty()
    }

    /// The names of those that signed it.
    pub fn signers(&self) -> impl Iterator<Item = &str> {
        self.signatures.iter().map(|signature| signature.name.as_str())
    }

    /// Whether this key signed it.
    ///
    /// # Errors
    /// When it did not, or its signature is false.
    pub fn verify(&self, key: &Verifier) -> Result<(), NoteError> {
        let named = |signature: &&Signature| signature.name == key.name();
        let Some(signature) = self.signatures.iter().find(named) else {
            return Err(NoteError::Unsigned(key.name().to_owned()));
        };
        match signature.bytes.split_at_checked(4) {
            Some((hint, bytes)) if hint == key.hint() && key.verifies(self.checkpoint.text().as_bytes(), bytes) => {
                Ok(())
            }
            _ => Err(NoteError::False(key.name().to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tree;
    use super::*;

    fn note(signer: Option<&Signer>) -> Note {
        let checkpoint = Checkpoint { origin: "evidence.example/shop".to_owned(), size: 3, root: tree::leaf(b"x") };
        checkpoint.note(signer).unwrap()
    }

    #[test]
    fn a_note_reads_as_it_was_written() {
        let signer = Signer::generate("auditor").unwrap();
        for note in [note(None), note(Some(&signer))] {
            assert_eq!(Note::parse(&note.text()), Ok(note));
        }
    }

    #[test]
    fn each_changed_byte_of_a_signed_note_is_noticed() {
        let signer = Signer::generate("auditor").unwrap();
        let text = note(Some(&signer)).text();
        for at in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[at] ^= 1;
            let read = String::from_utf8(bytes).ok().and_then(|text| Note::parse(&text).ok());
            assert!(read.is_none_or(|note| note.verify(signer.verifier()).is_err()), "byte {at}");
        }
    }

    #[test]
    fn a_note_without_the_key_is_not_signed_by_it() {
        let (one, other) = (Signer::generate("one").unwrap(), Signer::generate("other").unwrap());
        let note = note(Some(&one));
        assert_eq!(note.verify(other.verifier()), Err(NoteError::Unsigned("other".to_owned())));
        let namesake = Signer::generate("one").unwrap();
        assert_eq!(note.verify(namesake.verifier()), Err(NoteError::False("one".to_owned())));
    }

    #[test]
    fn what_is_no_checkpoint_is_refused() {
        for text in ["", "a\n1\n\n", "a\nx\nAAAA\n\n", "\n1\n\n\n", "a\n1\nAAAA\n\n"] {
            assert!(Note::parse(text).is_err(), "{text:?}");
        }
    }
}
