//! The command line: one file a subcommand. The only room that prints.

mod baseline;
mod check;
mod completions;
mod connections;
mod demo;
mod diagnostic;
mod diff;
mod doctor;
mod drill;
mod evidence;
mod init;
mod key;
mod output;
mod progress;
mod prove;
mod retention;
mod scan;
mod schema;
mod sweep;
mod system;
mod verify;
mod waiver;

use crate::gate::Exit;
use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use std::process::ExitCode;

/// Gathers audit evidence and checks security posture: endpoints, databases, registers.
#[derive(Parser)]
#[command(name = "probity", version, max_term_width = 100, arg_required_else_help = true, after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  probity demo                              an estate of its own; needs nothing
  probity scan shop.example                 look at one endpoint and judge it
  probity init shop.example                 write a configuration to start from
  probity scan -c probity.yaml -o html=report.html
  probity check show tls.protocols.legacy   why it matters, how to fix it

Exit codes:
  0  passed                 1  failed
  2  usage, configuration   3  inconclusive
  4  only waived failures   5  verify: changed
  6  verify: not signed     130  interrupted";

/// One sentence, then examples, then what may be given.
const HELP: &str = "\
{about-with-newline}
{usage-heading} {usage}{after-help}

{all-args}";

#[derive(Subcommand)]
enum Command {
    Scan(scan::Scan),
    Collect(scan::Collect),
    Evaluate(scan::Evaluate),
    Sweep(sweep::Sweep),
    Prove(prove::Prove),
    Retention(retention::Retention),
    Doctor(doctor::Doctor),
    Demo(demo::Demo),
    Check(check::Check),
    Evidence(evidence::Evidence),
    Diff(diff::Diff),
    Baseline(baseline::Baseline),
    Waiver(waiver::Waiver),
    Verify(verify::Verify),
    Key(key::Key),
    Init(init::Init),
    Schema(schema::Schema),
    Completions(completions::Completions),
    Man(completions::Man),
}

/// Runs the command line.
pub fn main() -> ExitCode {
    // One provider for every TLS client in the process, whatever a dependency may bring.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let parsed = with_examples_first(Cli::command()).try_get_matches();
    let cli = match parsed.and_then(|matches| Cli::from_arg_matches(&matches)) {
        Ok(cli) => cli,
        Err(error) => {
            let code = if error.use_stderr() { Exit::Usage } else { Exit::Passed };
            let _ = error.print();
            return ExitCode::from(code.code());
        }
    };
    let exit = match cli.command {
        Command::Scan(command) => command.run(),
        Command::Collect(command) => command.run(),
        Command::Evaluate(command) => command.run(),
        Command::Sweep(command) => command.run(),
        Command::Prove(command) => command.run(),
        Command::Retention(command) => command.run(),
        Command::Doctor(command) => command.run(),
        Command::Demo(command) => command.run(),
        Command::Check(command) => command.run(),
        Command::Evidence(command) => command.run(),
        Command::Diff(command) => command.run(),
        Command::Baseline(command) => command.run(),
        Command::Waiver(command) => command.run(),
        Command::Verify(command) => command.run(),
        Command::Key(command) => command.run(),
        Command::Init(command) => command.run(),
        Command::Schema(command) => command.run(),
        Command::Completions(command) => command.run(),
        Command::Man(command) => command.run(),
    };
    ExitCode::from(exit.unwrap_or_else(|failure| {
        failure.print();
        Exit::Usage.code()
    }))
}

/// The command and all below it, with the examples before the options.
fn with_examples_first(command: clap::Command) -> clap::Command {
    command.help_template(HELP).mut_subcommands(with_examples_first)
}

/// What ends a command before it has a verdict. Each is the user's to mend, or a fault of ours that says so.
enum Failure {
    /// Mistakes in what a person wrote.
    Mistakes(Vec<crate::yaml::Diagnostic>),
    /// Anything else: what went wrong, and what to do.
    Words {
        /// What went wrong.
        message: String,
        /// What to do.
        help: Option<String>,
    },
}

impl Failure {
    fn new(message: impl Into<String>) -> Failure {
        Failure::Words { message: message.into(), help: None }
    }

    fn help(message: impl Into<String>, help: impl Into<String>) -> Failure {
        Failure::Words { message: message.into(), help: Some(help.into()) }
    }

    fn print(self) {
        let reports: Vec<miette::Report> = match self {
            Failure::Mistakes(mistakes) => mistakes.into_iter().map(diagnostic::report).collect(),
            Failure::Words { message, help } => vec![diagnostic::words(message, help)],
        };
        for report in reports {
            anstream::eprint!("{report:?}");
        }
    }
}

impl From<crate::store::StoreError> for Failure {
    fn from(error: crate::store::StoreError) -> Failure {
        use crate::store::StoreError;
        let help = match &error {
            StoreError::Absent(_) => "`probity scan -c probity.yaml --store DIR` makes one",
            StoreError::Locked(_) => {
                "wait until it has ended; if that process is gone, try again: its lock went with it"
            }
            StoreError::Damaged { .. } => "`probity verify DIR` names everything that is not what it was",
            StoreError::Io { .. } => "see that the disk has room and that the folder belongs to you",
            StoreError::Run(_) => "`probity evidence list` names the runs",
            StoreError::Index(_) => "`probity evidence reindex` makes the index anew from the rest",
            StoreError::Record(_) | StoreError::Seal(_) => "this is a fault of probity; please report it",
        };
        Failure::help(error.to_string(), help)
    }
}

impl From<Vec<crate::yaml::Diagnostic>> for Failure {
    fn from(mistakes: Vec<crate::yaml::Diagnostic>) -> Failure {
        Failure::Mistakes(mistakes)
    }
}

/// How a command ends: the exit code of a verdict, or a failure.
type Ending = Result<u8, Failure>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_has_examples() {
        let root = Cli::command();
        let below = root.get_subcommands().flat_map(|command| command.get_subcommands());
        for command in root.get_subcommands().chain(below) {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains("Examples:"), "{} has no examples", command.get_name());
        }
    }
}
