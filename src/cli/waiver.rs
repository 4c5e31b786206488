//! `waiver`: how the waivers of a configuration stand, and which of them somebody should look at.

use super::{Ending, Failure, output, scan};
use crate::catalogue::Catalogue;
use crate::finding::{Standing, standing, utc_date};
use crate::gate::Exit;
use crate::model::{CheckResult, Clock as _, SystemClock};
use crate::report::text::escape;
use crate::store::Store;
use crate::target;
use crate::worker;
use clap::{Args, Subcommand};
use comfy_table::{ContentArrangement, Table, presets};
use std::path::PathBuf;

/// List waivers with the days that they have left, and tell those that somebody should look at
#[derive(Args)]
#[command(after_help = "\
Examples:
  probity waiver list                       every waiver of probity.yaml, its end and its owner
  probity waiver lint                       those that ended, end soon, or are for nothing; exit 1 where there is one
  probity waiver lint --run latest          and those that cover no failure of the newest run of the store
  probity waiver list --run obs.json --json

A waiver that does not hold to its form (no end, longer than a year, no owner, an unknown check) is a mistake in the
configuration, and ends every command with 2.")]
pub struct Waiver {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Every waiver
    #[command(after_help = "\
Examples:
  probity waiver list
  probity waiver list --run obs.json --json")]
    List(Which),
    /// Those that somebody should look at
    #[command(after_help = "\
Examples:
  probity waiver lint
  probity waiver lint --run latest --days 14")]
    Lint(Which),
}

#[derive(Args)]
struct Which {
    /// The configuration
    #[arg(short, long, value_name = "FILE", default_value = "probity.yaml")]
    config: PathBuf,
    /// The run that is looked at for what they cover: a run of the store (`latest`), or a file that `collect` wrote
    #[arg(long, value_name = "RUN|FILE")]
    run: Option<String>,
    /// The folder of the store
    #[arg(long, value_name = "DIR", default_value = ".probity")]
    store: PathBuf,
    /// Days before its end on which a waiver is to be looked at
    #[arg(long, value_name = "DAYS", default_value_t = 30, value_parser = clap::value_parser!(i32).range(0..=366))]
    days: i32,
    /// Write JSON
    #[arg(long)]
    json: bool,
}

impl Waiver {
    /// Runs the command.
    pub fn run(self) -> Ending {
        let (which, lint) = match &self.command {
            Command::List(which) => (which, false),
            Command::Lint(which) => (which, true),
        };
        let catalogue = Catalogue::built_in()?;
        let config = target::load(&which.config)?;
        scan::names(&config, &catalogue)?;
        let results = which.results(&catalogue, &config.judging)?;
        let ids: Vec<&str> = config.targets.iter().map(|target| target.id.as_str()).collect();
        let today = utc_date(SystemClock.now());
        let mut all = standing(&config.judging.waivers, &ids, results.as_deref(), today, which.days);
        let sound = all.iter().all(|one| one.problems.is_empty());
        if lint {
            all.retain(|one| !one.problems.is_empty());
        }
        let text = match (which.json, all.is_empty()) {
            (true, _) => serde_json::to_string_pretty(&all)
                .map_err(|error| Failure::new(format!("this cannot be written as JSON: {error}")))?,
            (false, true) if lint => "no waiver has to be looked at".to_owned(),
            (false, true) => "the configuration has no waiver".to_owned(),
            (false, false) => table(&all),
        };
        output::print(format!("{text}\n").as_bytes())?;
        Ok(if lint && !sound { Exit::Failed } else { Exit::Passed }.code())
    }
}

impl Which {
    /// The results of the run that was named.
    fn results(
        &self,
        catalogue: &Catalogue,
        judging: &crate::model::policy::Judging,
    ) -> Result<Option<Vec<CheckResult>>, Failure> {
        let Some(run) = &self.run else { return Ok(None) };
        let file = PathBuf::from(run);
        let assessment = if file.is_file() {
            let mut evidence = scan::stored(&file)?;
            evidence.judging = judging.clone();
            worker::judge(evidence, catalogue)?
        } else {
            let store = Store::open(&self.store)?;
            worker::assessment(store.recall(&store.find(run)?)?)?.0
        };
        Ok(Some(assessment.results))
    }
}

fn table(all: &[Standing<'_>]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(["waiver", "check", "target", "until", "days", "covers", "owner", "to look at"]);
    for one in all {
        let waiver = &one.waiver;
        let place = match waiver.item {
            Some(item) => format!("{} {item}", waiver.target),
            None => waiver.target.to_owned(),
        };
        table.add_row([
            escape(waiver.id).into_owned(),
            escape(waiver.check).into_owned(),
            escape(&place).into_owned(),
            waiver.expires.clone(),
            one.days_left.to_string(),
            one.covers.map_or_else(String::new, |covers| covers.to_string()),
            escape(waiver.owner).into_owned(),
            escape(&one.problems.join("; ")).into_owned(),
        ]);
    }
    table.trim_fmt()
}
