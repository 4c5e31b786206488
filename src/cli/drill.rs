//! `prove erasure`: a person who does not exist, brought in and erased by the product's own means, and looked for before
//! and after.

use super::output::{self, Output};
use super::progress::{Bars, Display as _};
use super::system::{self, Setting};
use super::{Ending, Failure, prove};
use crate::collect::Limits;
use crate::collect::drill::searches;
use crate::gate::Exit;
use crate::model::SecretRef;
use crate::model::assessment::Evidence;
use crate::model::erasure::{Drill, DrilledSet};
use crate::model::retention::Slug;
use crate::net::TcpDial;
use crate::report::text::escape;
use crate::target::{self, Config};
use crate::worker::drill::{Plan, Scope, drill};
use clap::Args;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// A drill of the erasure.
#[derive(Args)]
#[command(after_help = "\
Examples:
  probity prove erasure -c probity.yaml --subject email=env:CANARY --insert ./sign-up --erase ./forget -o json=drill.json
  probity prove erasure -c probity.yaml --subject email=env:CANARY --subject user_id=file:canary.id --insert ./sign-up \\
    --erase ./forget --within 300 -o json=drill.json
  probity prove erasure -c probity.yaml --subject email=env:CANARY --within 3600 -o json=drill.json    by hand
  probity scan -c probity.yaml --proof drill.json

Probity writes nothing itself. The commands are run by `sh`, and what they print goes nowhere; where one is left out, do it
by hand when you are asked. The person must be one that does not exist: the erasure is real. A data set in which the person
was not seen before the erasure was not exercised, and proves nothing.

The exit code is 0 where the person was in every data set and is gone from each, 1 where something is left, 3 where that
could not be shown.")]
pub(super) struct Erasure {
    /// The configuration with the retention schedule
    #[arg(short, long, value_name = "FILE")]
    config: PathBuf,
    /// The person: the kind of key in the schedule, and where the key is to be had, as env:NAME, file:PATH or exec:COMMAND; it
    /// is read after the person was inserted (repeatable)
    #[arg(short, long, value_name = "KIND=SECRET", required = true)]
    subject: Vec<String>,
    /// The command that inserts the person through the product
    #[arg(long, value_name = "COMMAND")]
    insert: Option<String>,
    /// The command that erases the person through the product
    #[arg(long, value_name = "COMMAND")]
    erase: Option<String>,
    /// Seconds that a command may take, and again what it does to show in the stores
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    within: u32,
    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// Where to write: json=PATH, or json for standard output
    #[arg(short, long, value_name = "json[=PATH]", default_value = "json")]
    output: Output,
    /// Show no progress
    #[arg(short, long)]
    quiet: bool,
}

impl Erasure {
    pub(super) fn run(self) -> Ending {
        prove::only_json(&self.output)?;
        let plan = Plan {
            subjects: subjects(&self.subject)?,
            insert: self.insert.clone(),
            erase: self.erase.clone(),
            within: Duration::from_secs(self.within.into()),
        };
        let config = target::load(&self.config)?;
        let scope = plan.scope(&config);
        self.fits(&plan, &config, &scope)?;
        if self.dry_run {
            return say(&plan, &scope);
        }
        output::prepare([&self.output])?;
        let evidence = self.look(&config, &plan)?;
        prove::write(&self.output, &evidence)?;
        let told = tell(&evidence, self.quiet);
        Ok(if evidence.run.interrupted { Exit::Interrupted } else { told }.code())
    }

    /// Refuses a kind of key that no data set of the schedule has.
    fn fits(&self, plan: &Plan, config: &Config, scope: &[Scope]) -> Result<(), Failure> {
        let keys =
            config.retention.iter().flat_map(|schedule| &schedule.data_sets).filter_map(|set| set.subject_key.as_ref());
        let known: BTreeSet<&Slug> = keys.map(|key| &key.namespace).collect();
        let shown = self.config.display();
        if known.is_empty() {
            let help = "write `retention:` with data sets that have a `subject_key`; README.md shows one";
            return Err(Failure::help(format!("{shown} has no data set that says whose its rows are"), help));
        }
        if let Some(other) = plan.subjects.keys().find(|kind| !known.contains(kind)) {
            let words = known.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            let help = format!("the kinds of key (`namespace` of a `subject_key`) are {words}");
            return Err(Failure::help(format!("no data set of {shown} knows persons by `{other}`"), help));
        }
        if !scope.iter().any(|store| searches(&store.target)) {
            let help = "persons are looked for in PostgreSQL, MySQL, MariaDB and SQLite";
            return Err(Failure::help("none of the data sets is in a store where persons are looked for", help));
        }
        Ok(())
    }

    fn look(&self, config: &Config, plan: &Plan) -> Result<Evidence, Failure> {
        let bars = Bars::new(!self.quiet, 1);
        let setting = Setting {
            limits: Limits::default(),
            dial: Arc::new(TcpDial),
            progress: bars.clone(),
            display: bars.clone(),
            collectors: Vec::new(),
        };
        let told = Arc::clone(&bars);
        let evidence = system::run(setting, async |setup| drill(config, setup, plan, &|words| told.say(words)).await)?;
        bars.clear();
        Ok(evidence)
    }
}

/// The person. What was written is not repeated: it may be the key itself.
fn subjects(written: &[String]) -> Result<BTreeMap<Slug, SecretRef>, Failure> {
    let mut subjects = BTreeMap::new();
    let help = "write  --subject KIND=env:NAME  (or file:PATH, exec:COMMAND), for example  --subject email=env:CANARY";
    for one in written {
        let pair = one.split_once('=').and_then(|(kind, secret)| Some((kind.parse().ok()?, SecretRef::parse(secret)?)));
        let Some((kind, secret)) = pair else {
            return Err(Failure::help(
                "a --subject is not of the form KIND=SECRET, or its key is written in clear",
                help,
            ));
        };
        if subjects.insert(kind, secret).is_some() {
            return Err(Failure::help(
                "a kind of key is given twice",
                "a drill is about one person: name each kind once",
            ));
        }
    }
    Ok(subjects)
}

/// Says what would be done.
fn say(plan: &Plan, scope: &[Scope]) -> Ending {
    let within = plan.within.as_secs();
    let by = |command: &Option<String>, what: &str| match command {
        Some(command) => format!("run `{}` by sh, for {within} s at the most, without what it prints", escape(command)),
        None => format!("ask you to {what} the person by hand"),
    };
    let sets = |scope: &[Scope]| {
        let of = |store: &Scope| format!("{} of {}", store.sets.join(", "), escape(&store.target.id));
        scope.iter().filter(|store| searches(&store.target)).map(of).collect::<Vec<_>>().join("; ")
    };
    let kinds: Vec<String> =
        plan.subjects.iter().map(|(kind, secret)| format!("{kind} from {}", escape(&secret.name()))).collect();
    let mut steps = vec![
        by(&plan.insert, "insert"),
        format!("read the person's key: {}", kinds.join(", ")),
        format!("count the person's rows until each has some, for {within} s at the most: {}", sets(scope)),
        by(&plan.erase, "erase"),
        format!("count again until none has any, for {within} s at the most"),
    ];
    let blind: Vec<String> = scope
        .iter()
        .filter(|store| !searches(&store.target))
        .map(|store| format!("{} of {}", store.sets.join(", "), escape(&store.target.id)))
        .chain(scope.iter().filter(|store| !store.left_out.is_empty()).map(|store| {
            format!("{} of {}, known by another kind of key", store.left_out.join(", "), escape(&store.target.id))
        }))
        .collect();
    if !blind.is_empty() {
        steps.push(format!("look through none of these: {}", blind.join("; ")));
    }
    let numbered = steps.iter().enumerate().map(|(number, step)| format!("{}. {step}\n", number + 1));
    output::print(format!("{}nothing was done\n", numbered.collect::<String>()).as_bytes())?;
    Ok(Exit::Passed.code())
}

/// Says in short what was shown, and what may be left behind, beside the record.
fn tell(evidence: &Evidence, quiet: bool) -> Exit {
    let drills: Vec<Drill> = evidence.observations.iter().filter_map(|seen| seen.read().ok()).collect();
    let sets: Vec<&DrilledSet> = drills.iter().flat_map(|drill| &drill.sets).collect();
    if !quiet {
        for set in &sets {
            let state = match set.gone.known() {
                Some(true) => "gone",
                Some(false) => "left",
                None => "not evaluated",
            };
            anstream::eprintln!("{}: {state}: {}", escape(&set.key), escape(&set.summary));
        }
        let left_out: Vec<&str> = drills.iter().flat_map(|drill| &drill.left_out).map(String::as_str).collect();
        if !left_out.is_empty() {
            anstream::eprintln!(
                "not looked through, since they know persons by another kind of key: {}",
                left_out.join(", ")
            );
        }
    }
    let left: Vec<String> = sets.iter().filter_map(|set| set.left()).collect();
    if !left.is_empty() {
        anstream::eprintln!("the person may be left in: {}", escape(&left.join(", ")));
    }
    let whole = drills.len() == evidence.observations.len() && !sets.is_empty();
    match sets.iter().any(|set| set.gone.known() == Some(&false)) {
        true => Exit::Failed,
        false if whole && sets.iter().all(|set| set.gone.known() == Some(&true)) => Exit::Passed,
        false => Exit::Inconclusive,
    }
}
