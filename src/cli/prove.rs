//! `prove`: the one look that writes, and only where it is asked for.

use super::output::{self, Output};
use super::progress::{Bars, Display as _};
use super::system::{self, Setting};
use super::{Ending, Failure};
use crate::collect::proof::Prover;
use crate::collect::{Collector as _, Limits};
use crate::gate::Exit;
use crate::model::assessment::Evidence;
use crate::model::proof::Proof;
use crate::model::{Observation, Target};
use crate::net::TcpDial;
use crate::report::text::escape;
use crate::target::{self, Config};
use crate::worker;
use clap::{Args, Subcommand};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// The kinds that proofs are of.
const PROOFS: [&str; 2] = [crate::collect::drill::KIND, crate::collect::proof::KIND];

/// Show by a test that writes what no look can show
#[derive(Args)]
#[command(after_help = "\
Examples:
  probity prove at-rest -c probity.yaml --target main_pg --dry-run
  probity prove at-rest -c probity.yaml --target main_pg -o json=proof.json
  probity prove erasure -c probity.yaml --subject email=env:CANARY --insert ./sign-up --erase ./forget -o json=drill.json
  probity scan -c probity.yaml --proof proof.json --proof drill.json")]
pub struct Prove {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Write a value through a database, look for it in the bytes of its files, and take it out again
    AtRest(AtRest),
    /// Have a person who does not exist inserted and erased by the product's own means, and look for it before and after
    Erasure(super::drill::Erasure),
}

/// The proof that the bytes of a database's files are encrypted, or that they are not.
#[derive(Args)]
#[command(after_help = "\
Examples:
  probity prove at-rest -c probity.yaml --target archive --dry-run      says what would be done, and does nothing
  probity prove at-rest -c probity.yaml --target archive -o json=proof.json
  probity prove at-rest -c probity.yaml --target main_pg --device /dev/nvme0n1p3
  probity evaluate obs.json --proof proof.json                          joined to what a look has seen

It writes to the database: run it on a copy or a snapshot where there is one. It needs the right to create a table and, on a
server, a schema and a checkpoint, and must be able to read the files.")]
struct AtRest {
    /// The configuration that declares the target
    #[arg(short, long, value_name = "FILE")]
    config: PathBuf,
    /// The id of the target
    #[arg(short, long, value_name = "ID")]
    target: String,
    /// The folder of the data on this machine, where it is not where the server says
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
    /// The device below the file system and its encryption, or an image of it, to be searched, too
    #[arg(long, value_name = "PATH")]
    device: Option<PathBuf>,
    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// Seconds; a fifth of them is kept for taking the value out
    #[arg(long, value_name = "SECONDS", default_value_t = 600, value_parser = clap::value_parser!(u32).range(30..=86_400))]
    target_time: u32,
    /// Where to write: json=PATH, or json for standard output
    #[arg(short, long, value_name = "json[=PATH]", default_value = "json")]
    output: Output,
    /// Show no progress
    #[arg(short, long)]
    quiet: bool,
}

impl Prove {
    /// Runs the command.
    pub fn run(self) -> Ending {
        match self.what {
            What::AtRest(proof) => proof.run(),
            What::Erasure(drill) => drill.run(),
        }
    }
}

impl AtRest {
    fn run(self) -> Ending {
        only_json(&self.output)?;
        let config = target::load(&self.config)?;
        let target = self.find(&config)?;
        let prover = Prover {
            device: self.device.clone(),
            data: self.data.clone().or_else(|| target.connection.data_folder.clone()),
        };
        if let Some(why) = prover.refuses(&target) {
            return Err(Failure::help(format!("`{}`: {why}", self.target), "name a target with an `engine`"));
        }
        if self.dry_run {
            return say(&target, &prover);
        }
        output::prepare([&self.output])?;
        let evidence = self.look(&config, target, prover)?;
        write(&self.output, &evidence)?;
        let told = evidence.observations.first().map_or(Exit::Inconclusive, |seen| tell(seen, self.quiet));
        Ok(if evidence.run.interrupted { Exit::Interrupted } else { told }.code())
    }

    fn find(&self, config: &Config) -> Result<Target, Failure> {
        let ids: Vec<&str> = config.targets.iter().map(|target| target.id.as_str()).collect();
        config.target(&self.target).cloned().ok_or_else(|| {
            Failure::help(
                format!("{} declares no target `{}`", self.config.display(), self.target),
                format!("it declares {}", ids.join(", ")),
            )
        })
    }

    fn look(&self, config: &Config, target: Target, prover: Prover) -> Result<Evidence, Failure> {
        let limits = Limits { target_time: Duration::from_secs(self.target_time.into()), ..Limits::default() };
        let bars = Bars::new(!self.quiet, 1);
        let setting = Setting {
            limits,
            dial: Arc::new(TcpDial),
            progress: bars.clone(),
            display: bars.clone(),
            collectors: vec![Box::new(prover)],
        };
        let alone = Config { targets: vec![target], ..config.clone() };
        let evidence = system::run(setting, async |setup| worker::collect(&alone, setup).await)?;
        bars.clear();
        Ok(evidence)
    }
}

/// Refuses another format than JSON.
pub(super) fn only_json(output: &Output) -> Result<(), Failure> {
    match output.format {
        crate::report::Format::Json => Ok(()),
        _ => Err(Failure::help("what was seen is written as JSON", "write -o json=PATH")),
    }
}

/// Writes what was seen.
pub(super) fn write(output: &Output, evidence: &Evidence) -> Result<(), Failure> {
    let bytes = worker::write_evidence(evidence)
        .map_err(|error| Failure::new(format!("the evidence cannot be written as JSON: {error}")))?;
    match &output.path {
        Some(path) => output::write_file(path, &bytes),
        None => output::print(&bytes),
    }
}

/// Says what would be done.
fn say(target: &Target, prover: &Prover) -> Ending {
    let mut text = format!("on {} ({}), and on nothing else:\n", escape(&target.id), prover.id());
    for (number, step) in prover.plan(target).iter().enumerate() {
        text.push_str(&format!("{}. {}\n", number + 1, escape(step)));
    }
    text.push_str("nothing was done\n");
    output::print(text.as_bytes())?;
    Ok(Exit::Passed.code())
}

/// Says in short what was shown, beside the record.
fn tell(seen: &Observation, quiet: bool) -> Exit {
    let Ok(proof) = seen.read::<Proof>() else {
        let why = seen.trouble.as_ref().map(ToString::to_string).unwrap_or_default();
        anstream::eprintln!("nothing was shown: {}", escape(&why));
        return Exit::Inconclusive;
    };
    if !quiet {
        for part in &proof.searched {
            let state = part.state.known().map_or("not known", String::as_str);
            anstream::eprintln!("{}: {}: {}", escape(&part.kind), escape(state), escape(&part.why));
        }
    }
    if proof.removed.known() != Some(&true) {
        anstream::eprintln!("the value was not taken out; left: {}", escape(&proof.left.join("; ")));
        return Exit::Inconclusive;
    }
    Exit::Passed
}

/// Joins proofs to what a look has seen: those of its own targets, each record as it was sealed.
pub(super) fn join(evidence: &mut Evidence, proofs: &[PathBuf]) -> Result<(), Failure> {
    for path in proofs {
        let proof = read(path)?;
        let before = evidence.observations.len();
        let known: Vec<&str> = evidence.targets.iter().map(|target| target.id.as_str()).collect();
        let of = |seen: &Observation| PROOFS.contains(&seen.kind.as_str()) && known.contains(&seen.target.as_str());
        let taken: Vec<Observation> = proof.observations.into_iter().filter(of).collect();
        evidence.observations.extend(taken);
        if evidence.observations.len() == before {
            return Err(Failure::help(
                format!("{} holds no proof for a target of this run", path.display()),
                "give a file that `probity prove` wrote, of a target with the same id",
            ));
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<Evidence, Failure> {
    let shown = path.display();
    let help = "give a file that `probity prove` wrote";
    let bytes = std::fs::read(path)
        .map_err(|error| Failure::help(format!("{shown} cannot be read: {}", output::cause(&error)), help))?;
    worker::read_evidence(&bytes).map_err(|error| Failure::help(format!("{shown}: {error}"), help))
}
