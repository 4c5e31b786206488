//! `baseline`: the failures of a run, so that a gate can be shut for new ones alone.

use super::evidence::Place;
use super::{Ending, Failure, output};
use crate::gate::Exit;
use crate::model::baseline::Baseline as File;
use crate::store::disk;
use crate::worker;
use clap::Args;
use std::path::{Path, PathBuf};

/// The largest baseline that is read.
const BYTES: u64 = 64 * 1024 * 1024;

/// Write down the failures of a run, for `--baseline`: a gate that is shut for new ones alone
#[derive(Args)]
#[command(after_help = "\
Examples:
  probity baseline -o baseline.json
  probity baseline 2026-11-25 --store /srv/evidence -o baseline.json
  probity scan -c probity.yaml --baseline baseline.json

What could not be judged is never part of a baseline.")]
pub struct Baseline {
    /// The run: its id, the beginning of one, latest, or latest~N for the Nth before it
    #[arg(default_value = "latest")]
    run: String,
    /// Where to write; standard output where it is not given
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    place: Place,
}

impl Baseline {
    /// Runs the command.
    pub fn run(self) -> Ending {
        let store = self.place.open()?;
        let (assessment, _) = worker::assessment(store.recall(&store.find(&self.run)?)?)?;
        let baseline = File::of(&assessment.run.id, assessment.run.ended, &assessment.findings);
        let mut bytes = serde_json::to_vec_pretty(&baseline)
            .map_err(|error| Failure::new(format!("the baseline cannot be written as JSON: {error}")))?;
        bytes.push(b'\n');
        match &self.output {
            Some(path) => output::write_file(path, &bytes)?,
            None => output::print(&bytes)?,
        }
        Ok(Exit::Passed.code())
    }
}

/// Reads a baseline.
pub(super) fn read(path: &Path) -> Result<File, Failure> {
    let help = "give a file that `probity baseline` wrote";
    let bytes = disk::read(path, BYTES).map_err(|error| Failure::help(error.to_string(), help))?;
    File::parse(&bytes).map_err(|wrong| Failure::help(format!("{}: {wrong}", path.display()), help))
}
