//! `demo`: the embedded estate, looked at for real and judged as any other.

use super::output::{self, Output};
use super::system::Show;
use super::{Ending, Failure, system};
use crate::catalogue::Catalogue;
use crate::collect::Limits;
use crate::demo::Estate;
use crate::model::{Clock as _, SystemClock};
use crate::report::{Detail, Format};
use crate::{gate, worker};
use clap::Args;
use std::path::PathBuf;

/// Start an estate with good and bad members on loopback, look at it for real, and report
#[derive(Args)]
#[command(after_help = "\
Examples:
  probity demo
  probity demo -o html=demo.html -o json=demo.json

The estate has flaws on purpose, so the gate fails and the command ends with 1.")]
pub struct Demo {
    /// A report: table, json, html, junit, sarif, csv, xlsx, md, github, gitlab or prometheus, to a file or to standard output (repeatable)
    #[arg(short, long, value_name = "FORMAT[=PATH]", default_value = "html=probity-demo.html")]
    output: Vec<Output>,
    /// Show passes, too
    #[arg(short, long)]
    verbose: bool,
}

impl Demo {
    /// Runs the command.
    pub fn run(self) -> Ending {
        let catalogue = Catalogue::built_in()?;
        output::prepare(&self.output)?;
        let estate = Estate::start(&std::env::temp_dir(), SystemClock.now())
            .map_err(|error| Failure::new(format!("the demo's estate cannot be started: {error}")))?;
        let config = estate.config()?;
        anstream::eprintln!("looking at three endpoints, a database file and a vendor register on this machine");
        let evidence = system::look(&config, Limits::default(), Show { progress: true, connections: false })?;
        drop(estate);
        let assessment = worker::judge(evidence, &catalogue)?;
        let verdict = gate::decide(&assessment, false);
        let detail = if self.verbose { Detail::Verbose } else { Detail::Normal };
        let pages: Vec<&PathBuf> =
            self.output.iter().filter(|o| o.format == Format::Html).filter_map(|o| o.path.as_ref()).collect();
        output::write_all(&self.output, &assessment, &verdict, catalogue.checks(), detail)?;
        for page in pages {
            let shown = std::fs::canonicalize(page).unwrap_or_else(|_| page.clone());
            anstream::eprintln!("the report for people is {}", shown.display());
        }
        anstream::eprintln!(
            "the estate has flaws on purpose: exit {} is what a CI pipeline would stop at",
            verdict.exit
        );
        Ok(verdict.exit)
    }
}
