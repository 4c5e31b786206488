//! `evidence`: what lies in a store.

use super::{Ending, output};
use crate::gate::{self, Exit};
use crate::model::assessment::Gate;
use crate::report::Detail;
use crate::report::text::escape;
use crate::store::{FOLDER, Store, Stored};
use crate::worker;
use clap::{Args, Subcommand};
use comfy_table::{ContentArrangement, Table, presets};
use std::path::PathBuf;

/// List, show and judge again the runs in a store
#[derive(Args)]
#[command(after_help = "\
Examples:
  probity evidence list
  probity evidence show latest -o html=report.html
  probity evidence show 2026-11-25 --store /srv/evidence")]
pub struct Evidence {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// List the runs, oldest first
    List(List),
    /// Report a run as it was judged then
    Show(Show),
    /// Make the index of a store anew from the rest
    Reindex(Reindex),
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  probity evidence list
  probity evidence list --store /srv/evidence")]
struct List {
    #[command(flatten)]
    place: Place,
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  probity evidence show latest
  probity evidence show latest~1 -o json=before.json
  probity evidence show 2026-11-25T10 -o html=report.html")]
struct Show {
    /// The run: its id, the beginning of one, latest, or latest~N for the Nth before it
    #[arg(default_value = "latest")]
    run: String,
    /// A report: table, json, html, junit or sarif, to a file or to standard output (repeatable)
    #[arg(short, long, value_name = "FORMAT[=PATH]")]
    output: Vec<output::Output>,
    /// Show passes, too
    #[arg(short, long)]
    verbose: bool,
    #[command(flatten)]
    place: Place,
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  probity evidence reindex
  probity evidence reindex --store /srv/evidence")]
struct Reindex {
    #[command(flatten)]
    place: Place,
}

/// Which store.
#[derive(Args)]
pub(super) struct Place {
    /// The folder of the store
    #[arg(long, value_name = "DIR", default_value = FOLDER)]
    store: PathBuf,
}

impl Place {
    fn open(&self) -> Result<Store, super::Failure> {
        Ok(Store::open(&self.store)?)
    }
}

impl Evidence {
    /// Runs the command.
    pub fn run(self) -> Ending {
        match self.command {
            Command::List(list) => list.run(),
            Command::Show(show) => show.run(),
            Command::Reindex(reindex) => {
                reindex.place.open()?.reindex()?;
                Ok(Exit::Passed.code())
            }
        }
    }
}

impl List {
    fn run(self) -> Ending {
        let store = self.place.open()?;
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
        table.set_header(["run", "by", "gate", "passed", "failed", "open", "signed by"]);
        let ids = store.runs()?;
        for id in &ids {
            let Stored { manifest, note, .. } = store.stored(id)?;
            let count = |words: &[&str]| {
                let counts = words.iter().filter_map(|word| manifest.results.get(*word));
                counts.sum::<u64>().to_string()
            };
            let signers: Vec<_> = note.signers().map(escape).collect();
            table.add_row([
                escape(id).into_owned(),
                escape(&manifest.run.trigger).into_owned(),
                manifest.verdict.gate.word().to_owned(),
                count(&["pass"]),
                count(&["fail"]),
                count(&["error", "not-evaluated", "needs-review"]),
                if signers.is_empty() { "nobody".to_owned() } else { signers.join(", ") },
            ]);
        }
        let text = if ids.is_empty() { "the store holds no run yet".to_owned() } else { table.trim_fmt() };
        output::print(format!("{text}\n").as_bytes())?;
        Ok(Exit::Passed.code())
    }
}

impl Show {
    fn run(self) -> Ending {
        output::prepare(&self.output)?;
        let store = self.place.open()?;
        let recalled = store.recall(&store.find(&self.run)?)?;
        let waived_fails = recalled.manifest.verdict.gate == Gate::Waived;
        let (assessment, catalogue) = worker::assessment(recalled)?;
        let verdict = gate::decide(&assessment, waived_fails);
        let detail = if self.verbose { Detail::Verbose } else { Detail::Normal };
        output::write_all(&self.output, &assessment, &verdict, catalogue.checks(), detail)?;
        Ok(Exit::Passed.code())
    }
}
