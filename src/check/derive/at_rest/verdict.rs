//! What the statements about one store come to.

use super::evidence::{Covers, Evidence, Statement, Subject, cipher, layer_words};
use crate::model::Fact;
use crate::model::database::{Encryption, KindOfFile, Layer, LayerState};
use std::cmp::Reverse;
use std::collections::BTreeSet;

/// What stands before the evidence that would settle something.
const SHOWN_BY: &str = "; it would be shown by ";
/// Kinds of file that are logs of changes.
const LOGS: [&str; 6] = ["wal", "journal", "redo log", "undo log", "binary log", "Aria log"];
/// The layers by their depth.
const LAYERS: [&str; 4] = ["table", "instance", "file", "disk"];
/// The weakest evidence that is more than a claim.
const SHOWN: u8 = 2;

/// The state of the files of one kind or place.
enum State<'a> {
    /// Encrypted, by the strongest of these; the second one names the cipher.
    Encrypted(&'a Statement, &'a Statement),
    /// Nothing but a claim says that they are encrypted.
    Claimed(&'a Statement),
    /// Not encrypted; with the claim that this speaks against, where there is one.
    Plain(&'a Statement, Option<&'a Statement>),
    /// Nothing tells.
    Unknown,
}

/// Puts the evidence together.
pub fn combine(mut evidence: Evidence) -> Encryption {
    // Of equal strength one that names its layer comes first.
    let order = |one: &Statement| (Reverse(one.level), one.layer.is_none(), one.words.clone());
    evidence.statements.sort_by_cached_key(order);
    let subjects = subjects(&evidence);
    let states: Vec<(&Subject, State<'_>)> =
        subjects.iter().map(|subject| (subject, state(&evidence.statements, subject))).collect();
    let plain = states.iter().find_map(|(_, state)| match state {
        State::Plain(plain, claim) => Some((*plain, *claim)),
        _ => None,
    });
    let conflict = states.iter().any(|(_, state)| matches!(state, State::Plain(_, Some(_))));
    let claim = states.iter().find_map(|(_, state)| match state {
        State::Claimed(claim) => Some(*claim),
        _ => None,
    });
    let open = states.iter().find(|(_, state)| matches!(state, State::Unknown)).map(|(subject, _)| *subject);
    let would_show = would_show(&evidence, plain.is_none() && claim.is_none() && open.is_some());
    let encrypted = match (plain, claim, open) {
        (Some(_), ..) => Fact::Known(false),
        (None, Some(claim), _) => {
            Fact::unknown(format!("claimed, not verified (strength {}/5): {}", claim.level, claim.words))
        }
        (None, None, Some(subject)) => Fact::unknown(why(&evidence, Some(subject), &would_show)),
        (None, None, None) if !evidence.troubles.is_empty() => Fact::unknown(why(&evidence, None, &would_show)),
        (None, None, None) => Fact::Known(true),
    };
    let shown: Vec<(&Statement, &Statement)> = states
        .iter()
        .filter_map(|(_, state)| match state {
            State::Encrypted(best, cipher) if encrypted.known() == Some(&true) => Some((*best, *cipher)),
            _ => None,
        })
        .collect();
    let best = shown.iter().min_by_key(|(best, _)| best.level).map(|(best, _)| *best);
    let weakest = weakest(&shown);
    let level = match &encrypted {
        Fact::Known(true) => best.map_or(0, |statement| statement.level),
        Fact::Known(false) => plain.map_or(0, |(statement, _)| statement.level),
        Fact::Unknown(_) => 0,
    };
    let not_covered = not_covered(&evidence, best);
    let headline = headline(&evidence.store, &encrypted, best.zip(weakest), plain, &not_covered);
    let mut facts: Vec<String> = evidence.statements.iter().map(|statement| statement.words.clone()).collect();
    facts.extend(evidence.notes.iter().cloned());
    facts.extend(evidence.troubles.iter().map(|trouble| format!("not seen: {trouble}")));
    let kinds = kinds(&evidence);
    Encryption {
        kinds,
        applicable: evidence.applicable.unwrap_or(true) || !evidence.required.is_empty(),
        headline,
        level,
        conflict,
        algorithm: property(&encrypted, weakest, "none".to_owned(), |layer| &layer.algorithm),
        key_bits: property(&encrypted, weakest, 0, |layer| &layer.key_bits),
        mode: property(&encrypted, weakest, "none".to_owned(), |layer| &layer.mode),
        encrypted,
        facts,
        not_covered,
        would_show,
    }
}

/// What must be encrypted: the data, every place that the machine knows, and what anything says is plain.
fn subjects(evidence: &Evidence) -> Vec<Subject> {
    let mut subjects: BTreeSet<Subject> = evidence.required.iter().cloned().collect();
    subjects.insert(Subject::kind("data"));
    let placed: BTreeSet<String> =
        subjects.iter().filter(|subject| !subject.path.is_empty()).map(|subject| subject.kind.clone()).collect();
    // A place says more than its kind alone.
    subjects.retain(|subject| !subject.path.is_empty() || !placed.contains(&subject.kind));
    subjects.into_iter().collect()
}

/// Every kind and place that anything speaks of, each by itself.
fn kinds(evidence: &Evidence) -> Vec<KindOfFile> {
    let mut all: BTreeSet<Subject> = subjects(evidence).into_iter().collect();
    let placed: BTreeSet<String> = all.iter().map(|subject| subject.kind.clone()).collect();
    let named = evidence.statements.iter().flat_map(|statement| match &statement.covers {
        Covers::Kinds(kinds) if statement.layer.as_ref().is_none_or(|layer| layer.level == 5) => kinds.clone(),
        _ => Vec::new(),
    });
    all.extend(named.filter(|kind| !placed.contains(kind)).map(|kind| Subject::kind(&kind)));
    all.iter().map(|subject| kind_of_file(evidence, subject)).collect()
}

fn kind_of_file(evidence: &Evidence, subject: &Subject) -> KindOfFile {
    let state = state(&evidence.statements, subject);
    let (encrypted, level, seen) = match &state {
        State::Encrypted(best, _) => (Fact::Known(true), best.level, best.words.clone()),
        State::Plain(plain, _) => (Fact::Known(false), plain.level, plain.words.clone()),
        State::Claimed(claim) => {
            (Fact::unknown(format!("claimed, not verified: {}", claim.words)), claim.level, claim.words.clone())
        }
        State::Unknown => {
            let why = why(evidence, Some(subject), &[]);
            (Fact::unknown(why.clone()), 0, why)
        }
    };
    let place = if subject.path.is_empty() { String::new() } else { format!(" {}", subject.path) };
    KindOfFile {
        name: format!("{}{place}", subject.kind),
        kind: subject.kind.clone(),
        is_log: LOGS.contains(&subject.kind.as_str()),
        encrypted,
        level,
        seen,
        conflict: matches!(state, State::Plain(_, Some(_))),
        layers: LAYERS.iter().zip(0..).map(|(layer, depth)| layer_state(evidence, subject, layer, depth)).collect(),
    }
}

/// What the statements at one depth say; of those that tell, the strongest.
fn layer_state(evidence: &Evidence, subject: &Subject, layer: &str, depth: u8) -> LayerState {
    let here = || evidence.statements.iter().filter(|one| one.depth == depth && one.is_about(subject));
    let strongest = here().find(|one| one.encrypted.is_some()).or_else(|| here().next());
    let untold = || strongest.and_then(|one| one.untold.clone()).unwrap_or_else(|| "nothing speaks of it".to_owned());
    let encrypted = strongest.and_then(|one| one.encrypted);
    let named = here().filter(|one| one.encrypted == Some(true)).filter_map(|one| one.layer.as_ref());
    let known = named.clone().find(|layer| layer.algorithm.known().is_some());
    LayerState {
        layer: layer.to_owned(),
        said: strongest.is_some(),
        encrypted: encrypted.map_or_else(|| Fact::unknown(untold()), Fact::Known),
        level: strongest.filter(|one| one.encrypted.is_some()).map_or(0, |one| one.level),
        cipher: known.map(cipher).unwrap_or_default(),
    }
}

fn state<'a>(statements: &'a [Statement], subject: &Subject) -> State<'a> {
    let about: Vec<&Statement> = statements.iter().filter(|statement| statement.is_about(subject)).collect();
    let claims = || about.iter().copied().filter(|statement| statement.encrypted == Some(true));
    let plain = || about.iter().copied().filter(|statement| statement.encrypted == Some(false));
    let conflict = claims().find_map(|claim| Some((plain().find(|plain| plain.contradicts(claim))?, claim)));
    if let Some((plain, claim)) = conflict {
        return State::Plain(plain, Some(claim));
    }
    match (claims().next(), plain().next()) {
        (Some(best), _) if best.level >= SHOWN => {
            let tells = |statement: &&Statement| {
                statement.layer.as_ref().is_some_and(|layer| layer.algorithm.known().is_some())
            };
            State::Encrypted(best, claims().filter(|claim| claim.level >= SHOWN).find(tells).unwrap_or(best))
        }
        (_, Some(plain)) => State::Plain(plain, None),
        (Some(claim), None) => State::Claimed(claim),
        (None, None) => State::Unknown,
    }
}

/// The weakest cipher over all files; one that is not known leaves the whole unknown.
fn weakest<'a>(shown: &[(&'a Statement, &'a Statement)]) -> Option<&'a Layer> {
    let layers = shown.iter().filter_map(|(_, cipher)| cipher.layer.as_ref());
    let rank = |layer: &&Layer| {
        let aes = layer.algorithm.known().map(|name| name == "AES");
        (aes.is_some(), aes, layer.key_bits.known().copied(), layer.mode.known().is_some())
    };
    layers.min_by_key(rank)
}

/// What would settle the state, where it is open.
fn would_show(evidence: &Evidence, open: bool) -> Vec<String> {
    let mut all: Vec<String> = evidence.would_show.iter().cloned().collect::<BTreeSet<_>>().into_iter().collect();
    if evidence.hostless && open && !all.is_empty() {
        all.push("a target of kind host, named as `host` of this database".to_owned());
    }
    all
}

/// Why it is not known, from what was not seen and from the sources that could not tell, and what would show it.
fn why(evidence: &Evidence, subject: Option<&Subject>, would_show: &[String]) -> String {
    let about = evidence.statements.iter().filter(|one| subject.is_none_or(|subject| one.is_about(subject)));
    let untold = about.filter_map(|statement| statement.untold.clone());
    let troubles = evidence.troubles.iter().map(ToString::to_string);
    let words: Vec<String> = troubles.chain(untold).chain(evidence.notes.iter().cloned()).take(3).collect();
    let words = if words.is_empty() {
        "nothing was seen that says anything about the files".to_owned()
    } else {
        words.join("; ")
    };
    let place = subject.filter(|subject| subject.kind != "data");
    let words = place.map_or(words.clone(), |subject| format!("{} files: {words}", subject.kind));
    match would_show {
        [first, ..] if !words.contains(SHOWN_BY) => format!("{words}{SHOWN_BY}{first}"),
        _ => words,
    }
}

/// A property of the layer that counts, or of nothing where nothing is encrypted.
fn property<T: Clone>(
    encrypted: &Fact<bool>,
    layer: Option<&Layer>,
    nothing: T,
    of: fn(&Layer) -> &Fact<T>,
) -> Fact<T> {
    match (encrypted, layer) {
        (Fact::Known(true), Some(layer)) => of(layer).clone(),
        (Fact::Known(true), None) => Fact::unknown("no layer names its cipher"),
        (Fact::Known(false), _) => Fact::Known(nothing),
        (Fact::Unknown(why), _) => Fact::Unknown(why.clone()),
    }
}

fn not_covered(evidence: &Evidence, best: Option<&Statement>) -> Vec<String> {
    let mut all: BTreeSet<String> = evidence.not_covered.iter().cloned().collect();
    for kind in &evidence.untold {
        if !matches!(state(&evidence.statements, &Subject::kind(kind)), State::Encrypted(..)) {
            all.insert(format!("{kind} files"));
        }
    }
    let plain_above = |best: &Statement| {
        let above = |one: &Statement| one.encrypted == Some(false) && one.depth < best.depth;
        best.depth == 3 && evidence.statements.iter().any(above)
    };
    if best.is_some_and(plain_above) {
        all.insert(
            "copies of the files that are made while the disk is open, since the files themselves are plain".to_owned(),
        );
    }
    all.into_iter().collect()
}

/// The state in one sentence.
fn headline(
    store: &str,
    encrypted: &Fact<bool>,
    shown: Option<(&Statement, &Layer)>,
    plain: Option<(&Statement, Option<&Statement>)>,
    not_covered: &[String],
) -> String {
    let words = |statement: &Statement| statement.layer.as_ref().map_or(statement.words.clone(), layer_words);
    match (encrypted, shown, plain) {
        (Fact::Known(true), Some((best, cipher_layer)), _) => {
            let (scope, name, source) =
                best.layer.as_ref().map_or(("its kind", "file", best.words.as_str()), |layer| {
                    (layer.scope.as_str(), layer.layer.as_str(), layer.source.as_str())
                });
            format!(
                "{store}: data files of {scope} are encrypted ({}, {name} layer), shown by {source} (strength {}/5); \
                 not shown: {}",
                cipher(cipher_layer),
                best.level,
                if not_covered.is_empty() { "nothing named".to_owned() } else { not_covered.join(", ") }
            )
        }
        (Fact::Known(_), _, Some((plain, Some(claim)))) => {
            let (first, second) = if claim.level > plain.level { (claim, plain) } else { (plain, claim) };
            format!("{store}: the evidence conflicts: {}; but {}", words(first), words(second))
        }
        (Fact::Known(_), _, Some((plain, None))) => format!("{store}: not encrypted: {}", plain.words),
        (Fact::Known(true), ..) => format!("{store}: encrypted"),
        (Fact::Known(_), ..) => format!("{store}: not encrypted"),
        (Fact::Unknown(why), ..) => format!("{store}: not known: {}", why.unknown),
    }
}
