//! Derives encryption at rest by store.
//!
//! Every piece of evidence about the files of one database, from whichever target it was seen at, is put together: the
//! strongest that says encrypted counts, unless any says plain.

use super::{Derivation, Inputs};
use crate::model::database::{AtRest, Encryption, Layer, StoredFile};
use crate::model::{Fact, Observation, ObservationStatus, Target, TargetKind, Trouble};
use std::collections::{BTreeMap, BTreeSet};

/// Gives `db.encryption` for every target with a database engine.
pub const AT_REST: Derivation = Derivation { id: "db.encryption", yields: &["db.encryption"], derive };

/// The weakest evidence that is more than a claim.
const SHOWN: u8 = 2;

/// One statement about the files.
struct Statement {
    /// `None` where the source could not tell.
    encrypted: Option<bool>,
    level: u8,
    words: String,
    /// Why the source could not tell, where it could not.
    untold: Option<String>,
    layer: Option<Layer>,
}

/// What speaks about files, by target, and in the order in which it was seen.
type Told<'a> = BTreeMap<&'a str, BTreeMap<usize, &'a Observation>>;

fn derive(inputs: &Inputs<'_>) -> Vec<Observation> {
    let mut told = Told::new();
    for (n, observation) in inputs.observations.iter().enumerate().filter(|(_, seen)| seen.kind == "db.at_rest") {
        told.entry(&observation.target).or_default().insert(n, observation);
    }
    let stores = inputs.targets.iter().filter(|target| target.engine.is_some());
    stores.map(|target| of_target(inputs, target, &told)).collect()
}

/// The state of one store, from its own evidence and that of the machine below it.
fn of_target(inputs: &Inputs<'_>, target: &Target, told: &Told<'_>) -> Observation {
    let below = target.connection.host_target.as_deref();
    let places = [Some(target.id.as_str()), below].into_iter().flatten();
    let seen: BTreeMap<usize, &Observation> =
        places.filter_map(|place| told.get(place)).flatten().map(|(n, seen)| (*n, *seen)).collect();
    let ids: Vec<String> = seen.values().map(|observation| observation.id.clone()).collect();
    let mut evidence = Vec::new();
    let mut troubles = Vec::new();
    for observation in seen.into_values() {
        match (observation.status, observation.read::<AtRest>()) {
            (ObservationStatus::Failed, _) => troubles.extend(observation.trouble.clone()),
            (_, Ok(facts)) => {
                evidence.push(facts);
                // A list cut short may lack the one plain file.
                troubles.extend(observation.trouble.clone());
            }
            (_, Err(_)) => troubles.push(Trouble::new(crate::model::Reason::Internal, "evidence of another form")),
        }
    }
    let facts = combine(&target.id, &evidence, &troubles, target.kind == TargetKind::Database && below.is_none());
    let fault = || Trouble::new(crate::model::Reason::Internal, "the facts have no JSON form");
    Observation::complete("db.encryption", &target.id, "", "derive", inputs.as_of, &facts)
        .unwrap_or_else(|_| Observation::failed("db.encryption", &target.id, "", "derive", inputs.as_of, fault()))
        .from_inputs(ids)
}

/// Puts the evidence together.
fn combine(store: &str, evidence: &[AtRest], troubles: &[Trouble], hostless: bool) -> Encryption {
    let applicable = evidence.is_empty() || evidence.iter().any(|facts| facts.applicable);
    let mut statements: Vec<Statement> = evidence.iter().flat_map(statements).collect();
    statements.sort_by(|one, other| other.level.cmp(&one.level).then_with(|| one.words.cmp(&other.words)));
    let best = statements.iter().find(|statement| statement.encrypted == Some(true) && statement.layer.is_some());
    let plain = statements.iter().find(|statement| statement.encrypted == Some(false));
    let mut facts: Vec<String> = statements.iter().map(|statement| statement.words.clone()).collect();
    facts.extend(troubles.iter().map(|trouble| format!("not seen: {trouble}")));
    let mut would_show = gather(evidence, |facts| &facts.would_show);
    if hostless && best.is_none() && plain.is_none() && !would_show.is_empty() {
        would_show.push("a target of kind host, named as `host` of this database".to_owned());
    }
    let encrypted = match (best, plain) {
        (_, Some(_)) => Fact::Known(false),
        (Some(best), None) if best.level < SHOWN => {
            Fact::unknown(format!("claimed, not verified (strength {}/5): {}", best.level, best.words))
        }
        (Some(_), None) if !troubles.is_empty() => Fact::unknown(why(&statements, troubles, &would_show)),
        (Some(_), None) => Fact::Known(true),
        (None, None) => Fact::unknown(why(&statements, troubles, &would_show)),
    };
    let level = match &encrypted {
        Fact::Known(true) => best.map_or(0, |statement| statement.level),
        Fact::Known(false) => plain.map_or(0, |statement| statement.level),
        Fact::Unknown(_) => 0,
    };
    let mut not_covered = gather(evidence, |facts| &facts.not_covered);
    let untold = |file: &&StoredFile| file.state.known().is_none();
    let untold = evidence.iter().flat_map(|facts| &facts.files).filter(untold);
    not_covered.extend(untold.map(|file| format!("{} files", file.kind)));
    let shown = (encrypted.known() == Some(&true)).then_some(best).flatten();
    Encryption {
        applicable,
        headline: headline(store, &encrypted, best, plain, &not_covered),
        level,
        conflict: best.is_some() && plain.is_some(),
        algorithm: property(&encrypted, shown, "none".to_owned(), |layer| &layer.algorithm),
        key_bits: property(&encrypted, shown, 0, |layer| &layer.key_bits),
        mode: property(&encrypted, shown, "none".to_owned(), |layer| &layer.mode),
        encrypted,
        facts,
        not_covered,
        would_show,
    }
}

/// Why it is not known, from what was not seen and from the sources that could not tell, and what would show it.
fn why(statements: &[Statement], troubles: &[Trouble], would_show: &[String]) -> String {
    let untold = statements.iter().filter_map(|statement| statement.untold.clone());
    let words: Vec<String> = troubles.iter().map(ToString::to_string).chain(untold).take(3).collect();
    let words = if words.is_empty() {
        "nothing was seen that says anything about the files".to_owned()
    } else {
        words.join("; ")
    };
    match would_show {
        [] => words,
        [first, ..] => format!("{words}; it would be shown by {first}"),
    }
}

/// A property of the layer that counts, or of nothing where nothing is encrypted.
fn property<T: Clone>(
    encrypted: &Fact<bool>,
    shown: Option<&Statement>,
    nothing: T,
    of: fn(&Layer) -> &Fact<T>,
) -> Fact<T> {
    match (encrypted, shown.and_then(|statement| statement.layer.as_ref())) {
        (Fact::Known(true), Some(layer)) => of(layer).clone(),
        (Fact::Known(_), _) => Fact::Known(nothing),
        (Fact::Unknown(why), _) => Fact::Unknown(why.clone()),
    }
}

fn gather(evidence: &[AtRest], of: fn(&AtRest) -> &Vec<String>) -> Vec<String> {
    let all: BTreeSet<&String> = evidence.iter().flat_map(of).collect();
    all.into_iter().cloned().collect()
}

/// What one observation says: a statement for each layer, and one for each kind of file.
fn statements(facts: &AtRest) -> Vec<Statement> {
    let strongest = facts.layers.iter().map(|layer| layer.level).max().unwrap_or_default();
    let layers = facts.layers.iter().map(|layer| Statement {
        encrypted: layer.encrypted.known().copied(),
        level: layer.level,
        words: layer_words(layer),
        untold: layer.encrypted.reason().map(str::to_owned),
        layer: Some(layer.clone()),
    });
    let files = facts.files.iter().filter_map(|file| {
        let (encrypted, words) = match &file.state {
            Fact::Known(state) if state == "absent" => return None,
            Fact::Known(state) => (Some(state == "encrypted"), format!("{} files are {state}", file.kind)),
            Fact::Unknown(why) => (None, format!("{} files: {}", file.kind, why.unknown)),
        };
        let words = format!("{words}, by {}", file.source);
        let untold = file.state.reason().map(str::to_owned);
        Some(Statement { encrypted, level: strongest, words, untold, layer: None })
    });
    layers.chain(files).collect()
}

fn layer_words(layer: &Layer) -> String {
    let state = match &layer.encrypted {
        Fact::Known(true) => format!("encrypted ({})", cipher(layer)),
        Fact::Known(false) => "plain".to_owned(),
        Fact::Unknown(why) => format!("not known: {}", why.unknown),
    };
    format!("{} layer, {}: {state}, by {} (strength {}/5)", layer.layer, layer.scope, layer.source, layer.level)
}

/// For example `AES-256 XTS`, with what is not known named so.
fn cipher(layer: &Layer) -> String {
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

/// The state in one sentence.
fn headline(
    store: &str,
    encrypted: &Fact<bool>,
    best: Option<&Statement>,
    plain: Option<&Statement>,
    not_covered: &[String],
) -> String {
    let best_layer = best.and_then(|statement| statement.layer.as_ref());
    match (encrypted, best_layer, plain) {
        (Fact::Known(true), Some(layer), _) => format!(
            "{store}: data files of {} are encrypted ({}, {} layer), shown by {} (strength {}/5); not shown: {}",
            layer.scope,
            cipher(layer),
            layer.layer,
            layer.source,
            layer.level,
            if not_covered.is_empty() { "nothing named".to_owned() } else { not_covered.join(", ") }
        ),
        (Fact::Known(_), Some(layer), Some(plain)) => {
            let claim = layer_words(layer);
            let (first, second) =
                if layer.level > plain.level { (&claim, &plain.words) } else { (&plain.words, &claim) };
            format!("{store}: the evidence conflicts: {first}; but {second}")
        }
        (Fact::Known(_), _, Some(plain)) => format!("{store}: not encrypted: {}", plain.words),
        (Fact::Known(_), ..) => format!("{store}: not encrypted"),
        (Fact::Unknown(why), ..) => format!("{store}: not known: {}", why.unknown),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Reason;

    fn layer(name: &str, encrypted: Fact<bool>, level: u8) -> Layer {
        Layer {
            layer: name.to_owned(),
            encrypted,
            algorithm: Fact::Known("AES".to_owned()),
            key_bits: Fact::Known(256),
            mode: Fact::Known("XTS".to_owned()),
            scope: "the volume".to_owned(),
            level,
            source: format!("{name} source"),
            key_location: Fact::unknown("not told"),
        }
    }

    fn seen(layers: Vec<Layer>, files: Vec<(&str, &str)>) -> AtRest {
        let file = |(kind, state): (&str, &str)| StoredFile {
            kind: kind.to_owned(),
            state: Fact::Known(state.to_owned()),
            source: "its first bytes".to_owned(),
        };
        AtRest {
            applicable: true,
            layers,
            files: files.into_iter().map(file).collect(),
            not_covered: vec!["exports".to_owned()],
            would_show: vec!["the host".to_owned()],
        }
    }

    fn state(layers: Vec<Layer>, files: Vec<(&str, &str)>) -> Encryption {
        combine("db", &[seen(layers, files)], &[], true)
    }

    #[test]
    fn the_strongest_evidence_that_says_encrypted_counts() {
        let state = state(vec![layer("instance", Fact::Known(true), 2), layer("disk", Fact::Known(true), 4)], vec![]);
        assert_eq!((state.encrypted, state.level, state.conflict), (Fact::Known(true), 4, false));
        assert_eq!((state.algorithm, state.key_bits), (Fact::Known("AES".to_owned()), Fact::Known(256)));
        assert_eq!(
            state.headline,
            "db: data files of the volume are encrypted (AES-256 XTS, disk layer), shown by disk source (strength 4/5); \
             not shown: exports"
        );
    }

    #[test]
    fn a_plain_word_at_any_level_is_a_conflict_and_both_are_shown() {
        for (claim, plain) in [(4, 2), (2, 5)] {
            let state =
                state(vec![layer("disk", Fact::Known(true), claim), layer("file", Fact::Known(false), plain)], vec![]);
            assert_eq!((&state.encrypted, state.conflict), (&Fact::Known(false), true));
            assert!(state.headline.contains("disk source") && state.headline.contains("file source"));
            let first = if claim > plain { "disk layer" } else { "file layer" };
            assert!(state.headline.contains(&format!("conflicts: {first}")), "{}", state.headline);
            assert_eq!(state.facts.len(), 2);
        }
    }

    #[test]
    fn one_plain_kind_of_file_spoils_encrypted_tables() {
        let table = || vec![layer("table", Fact::Known(true), 2)];
        assert_eq!(state(table(), vec![("wal", "plain")]).encrypted, Fact::Known(false));
        assert_eq!(state(table(), vec![("wal", "encrypted"), ("temp", "absent")]).encrypted, Fact::Known(true));
    }

    #[test]
    fn only_plain_is_plain_without_conflict() {
        let state = state(vec![layer("file", Fact::Known(false), 5)], vec![]);
        assert_eq!((state.encrypted, state.conflict, state.level), (Fact::Known(false), false, 5));
        assert_eq!((state.algorithm, state.key_bits), (Fact::Known("none".to_owned()), Fact::Known(0)));
    }

    #[test]
    fn no_evidence_and_mere_claims_are_unknown() {
        assert!(combine("db", &[], &[], true).encrypted.known().is_none());
        let untold = state(vec![layer("instance", Fact::unknown("it cannot tell"), 2)], vec![]);
        assert!(untold.encrypted.reason().unwrap().contains("it cannot tell"));
        assert_eq!((untold.level, untold.would_show.len()), (0, 2));
        let claim = state(vec![layer("disk", Fact::Known(true), 1)], vec![]);
        assert!(claim.encrypted.reason().unwrap().starts_with("claimed, not verified"));
        assert!(claim.algorithm.known().is_none());
    }

    #[test]
    fn what_was_not_seen_spoils_a_yes_and_no_no() {
        let trouble = [Trouble::new(Reason::TimedOut, "nothing came")];
        let yes = [seen(vec![layer("disk", Fact::Known(true), 4)], vec![])];
        assert!(combine("db", &yes, &trouble, false).encrypted.reason().unwrap().contains("nothing came"));
        let no = [seen(vec![layer("file", Fact::Known(false), 5)], vec![])];
        assert_eq!(combine("db", &no, &trouble, false).encrypted, Fact::Known(false));
    }

    #[test]
    fn files_alone_name_no_layer_and_prove_nothing() {
        let state = state(vec![], vec![("data", "encrypted")]);
        assert!(state.encrypted.known().is_none());
    }
}
