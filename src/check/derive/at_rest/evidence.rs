//! The pieces of evidence about the files of one store, each as a statement about kinds of file.

use crate::model::database::{AtRest, Layer, StoredFile};
use crate::model::host::Disk;
use crate::model::proof::Proof;
use crate::model::{Fact, Trouble};

/// Files that one thing is said of: a kind, and a path where there are several of the kind.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Subject {
    /// `data`, `wal`, `temp`.
    pub kind: String,
    /// The path on the machine, or empty.
    pub path: String,
}

impl Subject {
    /// The files of a kind.
    pub fn kind(kind: &str) -> Subject {
        Subject { kind: kind.to_owned(), path: String::new() }
    }
}

/// What a statement is about.
#[derive(Clone, Debug)]
pub enum Covers {
    /// Everything that the store writes.
    All,
    /// These kinds.
    Kinds(Vec<String>),
    /// What lies at one path, and further kinds that lie there, too.
    Place(Subject, Vec<String>),
}

/// One statement about files.
pub struct Statement {
    /// What it is about.
    pub covers: Covers,
    /// How far down it looks: 0 the table, 1 the server, 2 the file, 3 the disk.
    pub depth: u8,
    /// `None` where the source could not tell.
    pub encrypted: Option<bool>,
    /// The strength of the source.
    pub level: u8,
    /// Plain is what was seen in the files, not the mere absence of a layer: it speaks against every layer above, too.
    pub seen: bool,
    /// The statement in words.
    pub words: String,
    /// Why the source could not tell, where it could not.
    pub untold: Option<String>,
    /// The layer, where one is named.
    pub layer: Option<Layer>,
}

impl Statement {
    /// Whether it is about these files.
    pub fn is_about(&self, subject: &Subject) -> bool {
        match &self.covers {
            Covers::All => true,
            Covers::Kinds(kinds) => kinds.contains(&subject.kind),
            Covers::Place(place, also) => {
                let kind = &subject.kind;
                place == subject || (subject.path.is_empty() && (place.kind == *kind || also.contains(kind)))
            }
        }
    }

    /// Whether it shows that a layer of which another statement says that it encrypts does not.
    pub fn contradicts(&self, claim: &Statement) -> bool {
        self.encrypted == Some(false) && if self.seen { self.depth >= claim.depth } else { self.depth == claim.depth }
    }
}

/// Everything that is said of one store.
#[derive(Default)]
pub struct Evidence {
    /// The store's id.
    pub store: String,
    /// It is on a machine that no target is named for.
    pub hostless: bool,
    /// What is said.
    pub statements: Vec<Statement>,
    /// Files that must be encrypted.
    pub required: Vec<Subject>,
    /// What could not be looked at, and could be the one plain file.
    pub troubles: Vec<Trouble>,
    /// What else is to be told.
    pub notes: Vec<String>,
    /// Nothing or something is stored, as far as anything says so.
    pub applicable: Option<bool>,
    /// Kinds of file whose state a source could not tell.
    pub untold: Vec<String>,
    /// What no layer covers.
    pub not_covered: Vec<String>,
    /// What would settle what is unknown.
    pub would_show: Vec<String>,
}

impl Evidence {
    /// Nothing is said yet.
    pub fn of(store: &str) -> Evidence {
        Evidence { store: store.to_owned(), ..Evidence::default() }
    }

    /// Tells a trouble that spoils nothing.
    pub fn note(&mut self, trouble: Option<&Trouble>) {
        self.notes.extend(trouble.map(|trouble| format!("not seen: {trouble}")));
    }

    /// What the store's own collector says.
    pub fn take_facts(&mut self, facts: &AtRest) {
        self.applicable = Some(self.applicable.unwrap_or_default() || facts.applicable);
        let strongest = facts.layers.iter().map(|layer| layer.level).max().unwrap_or_default();
        let encrypts = facts.layers.iter().any(|layer| layer.encrypted.known() == Some(&true));
        self.statements.extend(facts.layers.iter().map(of_layer));
        for file in &facts.files {
            self.take_file(file, strongest, encrypts);
        }
        self.not_covered.extend(facts.not_covered.iter().cloned());
        self.would_show.extend(facts.would_show.iter().cloned());
    }

    fn take_file(&mut self, file: &StoredFile, level: u8, encrypts: bool) {
        let (encrypted, words) = match &file.state {
            Fact::Known(state) if state == "absent" => return,
            Fact::Known(state) => (Some(state == "encrypted"), format!("{} files are {state}", file.kind)),
            Fact::Unknown(why) => (None, format!("{} files: {}", file.kind, why.unknown)),
        };
        if encrypted.is_none() {
            self.untold.push(file.kind.clone());
        }
        if encrypted == Some(false) {
            self.required.push(Subject::kind(&file.kind));
        }
        self.statements.push(Statement {
            covers: Covers::Kinds(vec![file.kind.clone()]),
            depth: 2,
            // A state without any layer that encrypts names nothing that could be relied on.
            encrypted: encrypted.filter(|yes| !yes || encrypts),
            level,
            seen: true,
            words: format!("{words}, by {}", file.source),
            untold: file.state.reason().map(str::to_owned),
            layer: None,
        });
    }

    /// What the machine says of the disks below the store's files.
    pub fn take_disk(&mut self, disk: &Disk) {
        let mut any = false;
        for place in disk.places.iter().filter(|place| place.store == self.store) {
            any = true;
            if place.stored.known() == Some(&false) {
                self.notes.push(place.headline.clone());
                continue;
            }
            let subject = Subject { kind: place.kind.clone(), path: place.path.clone() };
            let level = place.layers.iter().map(|layer| layer.level).max().unwrap_or(4);
            let source = place.layers.iter().map(|layer| layer.source.clone()).take(3).collect::<Vec<_>>().join("; ");
            let layer = Layer {
                layer: "disk".to_owned(),
                encrypted: place.encrypted.clone(),
                algorithm: place.algorithm.clone(),
                key_bits: place.key_bits.clone(),
                mode: place.mode.clone(),
                scope: place.path.clone(),
                level,
                source: if source.is_empty() { place.way.join(" > ") } else { source },
                key_location: Fact::unknown("the kernel does not tell where the key comes from"),
            };
            self.statements.push(Statement {
                covers: Covers::Place(subject.clone(), place.also.clone()),
                depth: 3,
                encrypted: place.encrypted.known().copied(),
                level,
                seen: false,
                words: format!("disk layer, {} files at {}", place.kind, place.headline),
                untold: place.encrypted.reason().map(str::to_owned),
                layer: Some(layer),
            });
            self.required.push(subject);
            if !place.would_show.is_empty() && place.encrypted.known().is_none() {
                self.would_show.push(place.would_show.clone());
            }
        }
        if !any {
            self.notes
                .push("the machine was looked at, and where the files of this store lie on it is not known".to_owned());
            self.would_show.push("the folder of the files, as `data` of this database or from the server".to_owned());
        }
    }

    /// What a search of the bytes showed.
    pub fn take_proof(&mut self, proof: &Proof) {
        for part in &proof.searched {
            let state = part.state.known().map(String::as_str);
            if state == Some("absent") {
                continue;
            }
            let encrypted = state.map(|state| state == "encrypted");
            let device = part.kind == "device";
            let name = if device { "disk" } else { "file" };
            let untold = || Fact::unknown("the bytes do not tell");
            let what = if device { "the device".to_owned() } else { format!("{} files", part.kind) };
            let layer = Layer {
                layer: name.to_owned(),
                encrypted: encrypted.map_or_else(untold_state(&part.state), Fact::Known),
                algorithm: untold(),
                key_bits: Fact::unknown("the bytes do not tell"),
                mode: untold(),
                scope: what.clone(),
                level: 5,
                source: part.why.clone(),
                key_location: untold(),
            };
            let words = match state {
                Some(state) => format!("{what} are {state} by their bytes: {} (strength 5/5)", part.why),
                None => format!("{what}, by their bytes: {}", part.why),
            };
            if encrypted == Some(false) {
                self.required.push(Subject::kind(if device { "data" } else { &part.kind }));
            }
            self.statements.push(Statement {
                covers: if device { Covers::All } else { Covers::Kinds(vec![part.kind.clone()]) },
                depth: if device { 3 } else { 2 },
                encrypted,
                level: 5,
                seen: true,
                words,
                untold: part.state.reason().map(str::to_owned),
                layer: Some(layer),
            });
        }
    }
}

/// The reason of a state that is not known.
fn untold_state(state: &Fact<String>) -> impl FnOnce() -> Fact<bool> {
    let why = state.reason().unwrap_or("not told").to_owned();
    move || Fact::unknown(why)
}

/// What a layer says by itself.
fn of_layer(layer: &Layer) -> Statement {
    let (depth, covers) = match layer.layer.as_str() {
        "column" | "table" => (0, Covers::Kinds(vec!["data".to_owned(), "tablespace".to_owned()])),
        "file" => (2, Covers::Kinds(vec!["data".to_owned()])),
        "disk" => (3, Covers::All),
        _ => (1, Covers::All),
    };
    Statement {
        covers,
        depth,
        encrypted: layer.encrypted.known().copied(),
        level: layer.level,
        seen: layer.level == 5,
        words: layer_words(layer),
        untold: layer.encrypted.reason().map(str::to_owned),
        layer: Some(layer.clone()),
    }
}

/// A layer in one sentence.
pub fn layer_words(layer: &Layer) -> String {
    let state = match &layer.encrypted {
        Fact::Known(true) => format!("encrypted ({})", cipher(layer)),
        Fact::Known(false) => "plain".to_owned(),
        Fact::Unknown(why) => format!("not known: {}", why.unknown),
    };
    format!("{} layer, {}: {state}, by {} (strength {}/5)", layer.layer, layer.scope, layer.source, layer.level)
}

/// For example `AES-256 XTS`, with what is not known named so.
pub fn cipher(layer: &Layer) -> String {
    let algorithm = match (&layer.algorithm, &layer.key_bits) {
        (Fact::Known(algorithm), Fact::Known(bits)) => format!("{algorithm}-{bits}"),
        (Fact::Known(algorithm), Fact::Unknown(_)) => format!("{algorithm}, key size not known"),
        (Fact::Unknown(_), _) => "algorithm not known".to_owned(),
    };
    match &layer.mode {
        Fact::Known(mode) => format!("{algorithm} {mode}"),
        Fact::Unknown(_) => algorithm,
    }
}
