//! `evidence`: what lies in a store.

use super::{Ending, Failure, output};
use crate::gate::{self, Exit};
use crate::model::SecretRef;
use crate::model::assessment::Gate;
use crate::report::text::escape;
use crate::report::{self, Context, Detail, Format};
use crate::store::{FOLDER, Store, Stored, bundle};
use crate::worker;
use clap::{Args, Subcommand};
use comfy_table::{ContentArrangement, Table, presets};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// List, show and judge again the runs in a store
#[derive(Args)]
#[command(after_help = "\
Examples:
  probity evidence list
  probity evidence show latest -o html=report.html
  probity evidence show 2026-11-25 --store /srv/evidence
  probity evidence export latest -o november.probity.tar.zst --sign file:probity.key")]
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
    /// Write a run with its proofs into one file, for somebody without the store
    Export(Export),
    /// Make the index of a store anew from the rest
    Reindex(Reindex),
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  probity evidence export latest -o november.probity.tar.zst --sign file:probity.key
  probity verify november.probity.tar.zst --key probity.pub --re-derive")]
struct Export {
    /// The run: its id, the beginning of one, latest, or latest~N for the Nth before it
    #[arg(default_value = "latest")]
    run: String,
    /// The file; its name is to end with .probity.tar.zst
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Sign the statement with this key: file:PATH, env:NAME or exec:COMMAND; see `probity key new`
    #[arg(long, value_name = "SECRET", value_parser = super::key::secret)]
    sign: Option<SecretRef>,
    #[command(flatten)]
    place: Place,
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
    /// A report: table, json, html, junit, sarif, csv, xlsx, md, github, gitlab or prometheus, to a file or to standard output (repeatable)
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
    pub(super) fn open(&self) -> Result<Store, super::Failure> {
        Ok(Store::open(&self.store)?)
    }
}

impl Evidence {
    /// Runs the command.
    pub fn run(self) -> Ending {
        match self.command {
            Command::List(list) => list.run(),
            Command::Show(show) => show.run(),
            Command::Export(export) => export.run(),
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

impl Export {
    fn run(self) -> Ending {
        let shown = self.output.display().to_string();
        if !shown.ends_with(bundle::ENDING) {
            let help = format!("name it so that `probity verify` knows it, for example  -o run{}", bundle::ENDING);
            return Err(Failure::help(format!("{shown} does not end with {}", bundle::ENDING), help));
        }
        let signer = self.sign.as_ref().map(super::key::signer).transpose()?;
        let store = self.place.open()?;
        let id = store.find(&self.run)?;
        let recalled = store.recall(&id)?;
        let waived_fails = recalled.manifest.verdict.gate == Gate::Waived;
        let (assessment, catalogue) = worker::assessment(recalled)?;
        let verdict = gate::decide(&assessment, waived_fails);
        let mut reports = BTreeMap::new();
        for format in [Format::Html, Format::Json] {
            let context = Context { width: 100, colour: false, detail: Detail::Normal, checks: catalogue.checks() };
            let bytes = report::render(format, &assessment, &verdict, &context).map_err(|error| {
                Failure::new(format!("failed to {error}: this is a fault of probity; please report it"))
            })?;
            reports.insert(format!("report.{}", format.word()), bytes);
        }
        let bytes = bundle::export(&store, &id, reports, signer.as_ref())?;
        output::write_file(&self.output, &bytes)?;
        anstream::eprintln!("{shown}: run {}, {} KiB", escape(&id), bytes.len().div_ceil(1024));
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
