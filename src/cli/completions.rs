//! `completions` and `man`: from the same definition as the help.

use super::{Cli, Ending, Failure, output};
use crate::gate::Exit;
use clap::{Args, CommandFactory as _};
use clap_complete::Shell;
use std::path::PathBuf;

/// Print completions for a shell
#[derive(Args)]
#[command(after_help = "\
Examples:
  probity completions bash > /etc/bash_completion.d/probity
  probity completions zsh")]
pub struct Completions {
    /// The shell
    shell: Shell,
}

impl Completions {
    /// Runs the command.
    pub fn run(self) -> Ending {
        let mut bytes = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "probity", &mut bytes);
        output::print(&bytes)?;
        Ok(Exit::Passed.code())
    }
}

/// Write the manual pages into a folder
#[derive(Args)]
#[command(after_help = "\
Examples:
  probity man pages/ && man pages/probity-scan.1")]
pub struct Man {
    /// The folder
    folder: PathBuf,
}

impl Man {
    /// Runs the command.
    pub fn run(self) -> Ending {
        std::fs::create_dir_all(&self.folder)
            .and_then(|()| clap_mangen::generate_to(Cli::command(), &self.folder))
            .map_err(|error| {
                let message = format!("the pages cannot be written: {}", output::cause(&error));
                Failure::help(message, "name a folder that you may write to")
            })?;
        let shown = self.folder.display();
        anstream::eprintln!("wrote the manual pages; read one by  man {shown}/probity-scan.1");
        Ok(Exit::Passed.code())
    }
}
