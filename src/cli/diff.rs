//! `diff`: what changed between two runs, and what it means.

use super::evidence::Place;
use super::{Ending, Failure, output};
use crate::gate::Exit;
use crate::report::text::escape;
use crate::store::diff::{self, Change, Diff as Found, Meaning, Side, Turn};
use crate::store::{Recalled, Store};
use crate::worker;
use clap::{Args, ValueEnum};
use serde_json::Value;
use std::fmt::Write as _;

/// The most characters of a value that are shown in a line.
const SHOWN: usize = 120;

/// Show what changed between two runs: in scope, in facts, and in what they mean
#[derive(Args)]
#[command(after_help = "\
Examples:
  probity diff                                  the latest run and the one before it
  probity diff latest~7 latest --facts
  probity diff 2026-10 2026-11 -f json > diff.json
  probity diff --exit-code                      ends with 1 when something is worse or lost")]
pub struct Diff {
    /// The older run: its id, the beginning of one, latest, or latest~N for the Nth before it
    #[arg(default_value = "latest~1")]
    before: String,
    /// The newer run
    #[arg(default_value = "latest")]
    after: String,
    /// Show every changed fact, too
    #[arg(long)]
    facts: bool,
    /// The form: text or json
    #[arg(short, long, value_name = "text|json", default_value = "text", hide_possible_values = true)]
    format: Form,
    /// End with 1 when a result is worse, or can no longer be judged
    #[arg(long)]
    exit_code: bool,
    #[command(flatten)]
    place: Place,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Form {
    Text,
    Json,
}

impl Diff {
    /// Runs the command.
    pub fn run(self) -> Ending {
        let store = self.place.open()?;
        let (before, after) = (Judged::of(&store, &self.before)?, Judged::of(&store, &self.after)?);
        let found = diff::compare(&before.side(), &after.side());
        let bytes = match self.format {
            Form::Json => {
                let mut text = serde_json::to_string_pretty(&found)
                    .map_err(|error| Failure::new(format!("the comparison cannot be written as JSON: {error}")))?;
                text.push('\n');
                crate::report::text::harmless_json(&text)
            }
            Form::Text => self.text(&before, &after, &found),
        };
        output::print(bytes.as_bytes())?;
        let bad = found.results.iter().any(|turn| matches!(turn.meaning, Meaning::Worse | Meaning::Lost));
        Ok(if self.exit_code && bad { Exit::Failed } else { Exit::Passed }.code())
    }

    fn text(&self, before: &Judged, after: &Judged, found: &Found) -> String {
        let mut text = format!("{} to {}\n\n", escape(&before.id), escape(&after.id));
        for id in &found.added {
            let _ = writeln!(text, "+ {} is in scope now", escape(id));
        }
        for id in &found.removed {
            let _ = writeln!(text, "- {} is no longer in scope", escape(id));
        }
        found.results.iter().for_each(|turn| self.turn(&mut text, turn));
        if self.facts && !found.facts.is_empty() {
            text.push_str("\nfacts\n");
            found.facts.iter().for_each(|change| fact(&mut text, change));
        }
        let count = |wanted: Meaning| found.results.iter().filter(|turn| turn.meaning == wanted).count();
        let words = [Meaning::Worse, Meaning::Lost, Meaning::Other, Meaning::Gained, Meaning::Fixed, Meaning::Gone]
            .into_iter()
            .filter(|meaning| count(*meaning) > 0)
            .map(|meaning| format!("{} {}", count(meaning), meaning.word()))
            .collect::<Vec<_>>();
        let words = if words.is_empty() { "no result changed".to_owned() } else { words.join(" · ") };
        let _ = writeln!(text, "\n{words} · {} facts changed{}", found.facts.len(), self.hint(found));
        text
    }

    fn hint(&self, found: &Found) -> &'static str {
        if self.facts || found.facts.is_empty() { "" } else { " (--facts names them)" }
    }

    fn turn(&self, text: &mut String, turn: &Turn) {
        let place = [&turn.target, &turn.part, &turn.item];
        let place: Vec<_> = place.into_iter().filter(|part| !part.is_empty()).map(|part| escape(part)).collect();
        let word = |status: Option<crate::model::Status>| status.map_or("not there", |status| status.word());
        let _ = writeln!(
            text,
            "{:6} {:8} {}  {}: {} → {}  {}",
            turn.meaning.word(),
            turn.severity.word(),
            escape(&turn.check),
            place.join(" "),
            word(turn.before),
            word(turn.after),
            escape(&turn.reason)
        );
    }
}

fn fact(text: &mut String, change: &Change) {
    let shown = |value: &Option<Value>| match value {
        Some(value) => {
            let whole = value.to_string();
            let mut cut: String = whole.chars().take(SHOWN).collect();
            if cut.len() < whole.len() {
                cut.push('…');
            }
            escape(&cut).into_owned()
        }
        None => "nothing".to_owned(),
    };
    let place = if change.part.is_empty() { &change.target } else { &change.part };
    let (place, kind, path) = (escape(place), escape(&change.kind), escape(&change.path));
    let _ = writeln!(text, "  {place}  {kind}.{path}: {} → {}", shown(&change.before), shown(&change.after));
}

/// A run with everything that is compared.
struct Judged {
    id: String,
    assessment: crate::model::Assessment,
}

impl Judged {
    fn of(store: &Store, wanted: &str) -> Result<Judged, Failure> {
        let id = store.find(wanted)?;
        let recalled: Recalled = store.recall(&id)?;
        Ok(Judged { id, assessment: worker::assessment(recalled)?.0 })
    }

    fn side(&self) -> Side<'_> {
        let assessment = &self.assessment;
        Side { targets: &assessment.targets, observations: &assessment.observations, results: &assessment.results }
    }
}
