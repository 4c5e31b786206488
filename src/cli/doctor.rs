//! `doctor`: what would be missing from a run, and what to do about it.

use super::output::{self, OneTable};
use super::system::{self, Show};
use super::{Ending, Failure, scan};
use crate::catalogue::Catalogue;
use crate::collect::grants;
use crate::gate::Exit;
use crate::report::Format;
use crate::report::text::escape;
use crate::target;
use crate::worker::doctor::{Examination, Problem, examine};
use crate::worker::{self, SystemSecrets};
use clap::Args;
use std::fmt::Write as _;
use std::path::PathBuf;

/// Say what would be missing from a run: names, ports, trust, credentials, privileges, clocks, the store
#[derive(Args)]
#[command(after_help = "\
Examples:
  probity doctor                            looks at what probity.yaml declares, as a scan would
  probity doctor main_pg shop               at these targets of it
  probity doctor -o json=doctor.json
  probity doctor --grants main_pg           the script that gives the account of main_pg its rights

It reads as a scan does, judges nothing and keeps nothing. The exit code is 0 where a scan could judge everything, and 1
where something is to be done first.")]
pub struct Doctor {
    /// Targets by their ids; all of the configuration where none is given
    targets: Vec<String>,
    /// The configuration
    #[arg(short, long, value_name = "FILE", default_value = "probity.yaml")]
    config: PathBuf,
    /// Print the script or policy with the rights that this target's account needs, and do nothing else
    #[arg(long, value_name = "TARGET", conflicts_with_all = ["targets", "output"])]
    grants: Option<String>,
    /// The folder of the store that runs are kept in, where there is one
    #[arg(long, value_name = "DIR", default_value = ".probity")]
    store: PathBuf,
    #[command(flatten)]
    shown: OneTable,
}

impl Doctor {
    /// Runs the command.
    pub fn run(self) -> Ending {
        let catalogue = Catalogue::built_in()?;
        let mut config = target::load(&self.config)?;
        scan::names(&config, &catalogue)?;
        let known = |id: &String| config.targets.iter().any(|target| target.id == *id);
        if let Some(other) = self.targets.iter().chain(&self.grants).find(|id| !known(id)) {
            let help = "write the id of a target of the configuration, as `probity doctor` lists them";
            return Err(Failure::help(format!("there is no target `{}`", escape(other)), help));
        }
        if let Some(id) = &self.grants {
            let target = config.targets.iter().find(|target| target.id == *id);
            let target = target.ok_or_else(|| Failure::new(format!("there is no target `{id}`")))?;
            let help = "README.md says for each store what an account of its needs";
            let persons = config.erasure.is_some() || config.portability.is_some();
            let script =
                grants::script(target, config.retention.as_ref(), persons).map_err(|why| Failure::help(why, help))?;
            output::print(format!("{script}\n").as_bytes())?;
            return Ok(Exit::Passed.code());
        }
        if !self.targets.is_empty() {
            config.targets.retain(|target| self.targets.contains(&target.id));
        }
        self.shown.prepare("what is missing is")?;
        let show = Show { progress: !self.shown.quiet, connections: false };
        let evidence = system::look(&config, self.shown.limits(), show)?;
        let interrupted = evidence.run.interrupted;
        let assessment = worker::judge(evidence, &catalogue)?;
        let found = examine(&assessment, &SystemSecrets, Some(&self.store));
        self.shown.write(|out| match out.format {
            Format::Json => json(&found),
            _ => Ok(table(&found).into_bytes()),
        })?;
        Ok(match (interrupted, found.is_well()) {
            (true, _) => Exit::Interrupted,
            (false, true) => Exit::Passed,
            (false, false) => Exit::Failed,
        }
        .code())
    }
}

fn json(found: &Examination) -> Result<Vec<u8>, Failure> {
    let mut bytes = serde_json::to_vec_pretty(found)
        .map_err(|error| Failure::new(format!("this cannot be written as JSON: {error}")))?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// Targets with what is to be done about each; writing to a text cannot fail.
fn table(found: &Examination) -> String {
    let mut out = String::new();
    let mut count = 0;
    let mut tell = |out: &mut String, problems: &[Problem]| {
        for Problem { checks, what, act } in problems {
            count += 1;
            let waiting = match checks {
                0 => String::new(),
                1 => "; 1 check waits".to_owned(),
                n => format!("; {n} checks wait"),
            };
            let _ = writeln!(out, "      {}{waiting}", escape(what));
            for (n, line) in act.lines().enumerate() {
                let _ = writeln!(out, "      {} {}", if n == 0 { "→" } else { " " }, escape(line));
            }
        }
    };
    for target in &found.targets {
        let mark = if target.problems.is_empty() { "●" } else { "▲" };
        let clock = target.clock_ahead_s.map(|skew| format!(", its clock {skew:+} s")).unwrap_or_default();
        let (id, kind) = (escape(&target.target), target.kind);
        let _ = writeln!(out, "  {mark} {id}  {kind}, {} of {} records of evidence{clock}", target.seen, target.wanted);
        tell(&mut out, &target.problems);
    }
    if let Some(store) = &found.store {
        let mark = if store.problems.is_empty() { "●" } else { "▲" };
        let runs = if store.runs == 1 { "1 run".to_owned() } else { format!("{} runs", store.runs) };
        let _ = writeln!(out, "  {mark} {}  store, {runs}", escape(&store.folder));
        tell(&mut out, &store.problems);
    }
    let end = match count {
        0 => "all is there: a scan can judge everything".to_owned(),
        1 => "1 thing to do before a scan can judge everything".to_owned(),
        n => format!("{n} things to do before a scan can judge everything"),
    };
    let _ = writeln!(out, "\n  {end}");
    out
}
