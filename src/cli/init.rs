//! `init`: a commented configuration to start from.

use super::{Ending, Failure, output};
use crate::{gate::Exit, target};
use clap::Args;
use std::path::PathBuf;

/// Write a commented configuration to start from
#[derive(Args)]
#[command(after_help = "\
Examples:
  probity init shop.example                      writes probity.yaml
  probity init shop.example -o audit/probity.yaml")]
pub struct Init {
    /// The host to start with
    #[arg(default_value = "shop.example")]
    host: String,
    /// Where to write; `-` is standard output
    #[arg(short, long, value_name = "PATH", default_value = "probity.yaml")]
    output: PathBuf,
    /// Replace a file that is there
    #[arg(long)]
    force: bool,
}

impl Init {
    /// Runs the command.
    pub fn run(self) -> Ending {
        // The host is checked as a target is, so that what is written can be read.
        target::from_arguments(std::slice::from_ref(&self.host))?;
        let text = target::starter(&self.host);
        if self.output.as_os_str() == "-" {
            output::print(text.as_bytes())?;
            return Ok(Exit::Passed.code());
        }
        let shown = self.output.display();
        if self.output.exists() && !self.force {
            return Err(Failure::help(
                format!("{shown} is there already"),
                "write it elsewhere with -o, or replace it with --force",
            ));
        }
        output::write_file(&self.output, text.as_bytes())?;
        anstream::eprintln!("wrote {shown}; next: probity scan -c {shown}");
        Ok(Exit::Passed.code())
    }
}
