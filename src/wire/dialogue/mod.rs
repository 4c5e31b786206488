//! The dialogues in which TLS is asked for: one machine, and a table of what each protocol says and awaits.
//!
//! A dialogue opens no socket: it says what to send and is given what came. Every answer counts towards the limits of
//! the whole dialogue, so that no peer can make it endless.

mod database;
mod directory;
mod line;
mod mail;
mod message;
mod terminal;
mod transfer;
mod xmpp;

pub mod table;
pub mod tds;

use super::{WireError, limit};
use table::{Say, Script};

/// What a stage makes of the bytes so far: nothing yet, or how many of them it took and what they mean.
pub type Heard = Result<Option<(usize, Verdict)>, WireError>;

/// What an answer means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Go on.
    Next,
    /// Go on; and whether the server insists on TLS.
    Told {
        /// It lets nobody in without.
        required: bool,
    },
    /// TLS follows.
    Accepted,
    /// TLS is not to be had. Definite.
    NotOffered(String),
    /// Not now.
    Throttled(String),
    /// The server does not want to speak with us, which says nothing about TLS.
    Refused(String),
}

/// How a dialogue ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// TLS follows. Bytes that came behind the positive answer are counted: there must be none.
    Accepted {
        /// How many.
        extra: usize,
    },
    /// TLS is not to be had. Definite.
    NotOffered(String),
    /// Not now.
    Throttled(String),
    /// The server does not want to speak with us, which says nothing about TLS.
    Refused(String),
    /// What came is not the protocol, or goes beyond a limit.
    Broken(WireError),
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Send these bytes.
    Say(Vec<u8>),
    /// Read.
    Hear,
    /// Nothing more.
    End(Ending),
}

/// The names that some protocols want to hear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    /// Our own, for EHLO.
    pub own: String,
    /// The domain that is asked for, for XMPP.
    pub domain: String,
}

impl Names {
    /// These names, without what could end a line or an attribute.
    pub fn new(own: &str, domain: &str) -> Names {
        let clean = |name: &str| {
            let fit = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '[' | ']');
            name.chars().filter(fit).take(255).collect()
        };
        Names { own: clean(own), domain: clean(domain) }
    }
}

/// A dialogue on its way.
#[derive(Clone, Debug)]
pub struct Dialogue {
    script: &'static Script,
    names: Names,
    second: bool,
    at: usize,
    said: bool,
    buffer: Vec<u8>,
    bytes: usize,
    lines: usize,
    column: usize,
    /// Whether the server said that it insists on TLS, where its protocol can say so.
    pub required: Option<bool>,
}

impl Dialogue {
    /// A dialogue that has not begun.
    pub fn new(script: &'static Script, names: Names) -> Dialogue {
        Dialogue {
            script,
            names,
            second: false,
            at: 0,
            said: false,
            buffer: Vec::new(),
            bytes: 0,
            lines: 0,
            column: 0,
            required: None,
        }
    }

    /// The same, with a harmless second command in the segment that asks for TLS: a sound server forgets it.
    #[must_use]
    pub fn with_second_command(mut self) -> Dialogue {
        self.second = true;
        self
    }

    /// What was last said, or awaited.
    pub fn stage(&self) -> &'static str {
        self.script.stages.get(self.at).map_or("the request for TLS", |stage| stage.name)
    }

    /// Whether what came behind the positive answer is a complaint, as of a server that takes a second command for a
    /// broken handshake, and no answer to that command.
    pub fn complains(&self) -> bool {
        let line = self.buffer.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let mut words = line::words(line);
        let (first, second) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let bad = |word| ["-ERR", "NO", "BAD", "BYE"].iter().any(|bad| line::is(word, bad));
        matches!(first, [b'4' | b'5', ..]) || bad(first) || bad(second)
    }

    /// Takes what came.
    ///
    /// # Errors
    /// When a limit of the whole dialogue is hit.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), WireError> {
        self.bytes = self.bytes.saturating_add(bytes.len());
        if self.bytes > limit::DIALOGUE_BYTES {
            return Err(WireError::TooLarge("the dialogue before TLS"));
        }
        if self.script.text {
            for byte in bytes {
                self.column += 1;
                if self.column > limit::DIALOGUE_LINE {
                    return Err(WireError::TooLarge("a line of the dialogue before TLS"));
                }
                if *byte == b'\n' {
                    self.column = 0;
                    self.lines += 1;
                }
            }
            if self.lines > limit::DIALOGUE_LINES {
                return Err(WireError::TooLarge("the number of lines in the dialogue before TLS"));
            }
        }
        self.buffer.extend_from_slice(bytes);
        Ok(())
    }

    /// What to do next.
    pub fn step(&mut self) -> Step {
        loop {
            let Some(stage) = self.script.stages.get(self.at) else {
                return Step::End(Ending::NotOffered("every request for TLS was refused".to_owned()));
            };
            if !self.said {
                self.said = true;
                let mut said = match stage.say {
                    Say::Nothing => Vec::new(),
                    Say::Bytes(bytes) => bytes.to_vec(),
                    Say::OwnName(text) => text.replace("{}", &self.names.own).into_bytes(),
                    Say::Domain(text) => text.replace("{}", &self.names.domain).into_bytes(),
                };
                if self.second && stage.asks {
                    said.extend_from_slice(self.script.second);
                }
                if !said.is_empty() {
                    return Step::Say(said);
                }
            }
            match (stage.hear)(&self.buffer) {
                Err(error) => return Step::End(Ending::Broken(error)),
                Ok(None) => return Step::Hear,
                Ok(Some((taken, verdict))) => {
                    self.buffer.drain(..taken.min(self.buffer.len()));
                    if let Some(ending) = self.ending(verdict) {
                        return Step::End(ending);
                    }
                    self.at += 1;
                    self.said = false;
                }
            }
        }
    }

    fn ending(&mut self, verdict: Verdict) -> Option<Ending> {
        match verdict {
            Verdict::Next => None,
            Verdict::Told { required } => {
                self.required = Some(required);
                None
            }
            Verdict::Accepted => Some(Ending::Accepted { extra: self.buffer.len() }),
            Verdict::NotOffered(seen) => Some(Ending::NotOffered(seen)),
            Verdict::Throttled(seen) => Some(Ending::Throttled(seen)),
            Verdict::Refused(seen) => Some(Ending::Refused(seen)),
        }
    }
}

#[cfg(test)]
mod tests;
