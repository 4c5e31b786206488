//! `retention`: the data sets of the schedule, what was counted of each, and what that cost.

use super::output::{self, OneTable};
use super::system::{self, Show};
use super::{Ending, Failure, scan};
use crate::catalogue::Catalogue;
use crate::gate;
use crate::model::TargetKind;
use crate::model::assessment::Evidence;
use crate::report::retention::{FAMILY, render};
use crate::target;
use crate::worker;
use clap::Args;
use std::path::{Path, PathBuf};

/// Show each data set of the retention schedule: rule, cutoff, oldest, overdue, how it was counted and what that cost
#[derive(Args)]
#[command(after_help = "\
Examples:
  probity retention                                 looks at the databases of probity.yaml
  probity retention -c shop.yaml -o json=retention.json
  probity retention obs.json                        from what `probity collect` wrote; needs no network
  probity retention obs.json -c shop.yaml           the same, under this policy and these waivers

It counts and reads oldest dates, and selects no value of a person. The exit code is that of the gate over the checks
data.retention and below: 0 nothing overdue, 1 something is, 3 something could not be counted or shown.")]
pub struct Retention {
    /// A file that `collect` wrote, in the place of a look
    evidence: Option<PathBuf>,
    /// The configuration with the schedule; probity.yaml where neither is given
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    shown: OneTable,
}

impl Retention {
    /// Runs the command.
    pub fn run(self) -> Ending {
        self.shown.prepare("data sets are")?;
        let catalogue = Catalogue::built_in()?;
        let evidence = match &self.evidence {
            Some(file) => self.stored(file, &catalogue)?,
            None => self.look(&catalogue)?,
        };
        let assessment = worker::judge_family(evidence, &catalogue, FAMILY)?;
        let verdict = gate::decide(&assessment, false);
        self.shown.write(|out| {
            render(&assessment, &verdict, out.format, output::columns(out)).map_err(|error| {
                Failure::new(format!("failed to {error}: this is a fault of probity; please report it"))
            })
        })?;
        Ok(verdict.exit)
    }

    fn stored(&self, file: &Path, catalogue: &Catalogue) -> Result<Evidence, Failure> {
        let mut evidence = scan::stored(file)?;
        if let Some(file) = &self.config {
            let config = target::load(file)?;
            scan::names(&config, catalogue)?;
            evidence.judging = config.judging;
        }
        evidence.targets.retain(|target| holds_data(target.kind));
        if !evidence.observations.iter().any(|seen| seen.kind == "data.retention") {
            let help = "give what `probity collect -c FILE -o json=PATH` wrote of a configuration with a schedule";
            return Err(Failure::help(format!("{} holds no look at data sets", file.display()), help));
        }
        Ok(evidence)
    }

    fn look(&self, catalogue: &Catalogue) -> Result<Evidence, Failure> {
        let file = self.config.clone().unwrap_or_else(|| PathBuf::from("probity.yaml"));
        let config = target::load(&file)?;
        scan::names(&config, catalogue)?;
        let shown = file.display();
        if config.retention.is_none() {
            let help = "write `retention:` with its data sets; README.md shows one";
            return Err(Failure::help(format!("{shown} has no retention schedule"), help));
        }
        let mut databases = config;
        databases.targets.retain(|target| holds_data(target.kind));
        if databases.targets.is_empty() {
            let help = "declare the stores of the schedule as targets of kind database or file";
            return Err(Failure::help(format!("{shown} declares no database"), help));
        }
        system::look(&databases, self.shown.limits(), Show { progress: !self.shown.quiet, connections: false })
    }
}

fn holds_data(kind: TargetKind) -> bool {
    matches!(kind, TargetKind::Database | TargetKind::File | TargetKind::Objects)
}
