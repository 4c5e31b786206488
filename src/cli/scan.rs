//! `scan`, and its two halves `collect` and `evaluate`.

use super::output::{self, Output};
use super::{Ending, Failure, baseline, system};
use crate::catalogue::Catalogue;
use crate::check::{Engine, derive};
use crate::collect::Limits;
use crate::gate;
use crate::model::assessment::{Evidence, Verdict};
use crate::model::policy::Judging;
use crate::model::target::{Depth, Profile};
use crate::model::{Assessment, SecretRef, Severity};
use crate::net::SystemRandom;
use crate::report::Detail;
use crate::report::text::escape;
use crate::store::Store;
use crate::target::{self, Config};
use crate::worker;
use crate::yaml::Diagnostic;
use clap::{Args, ValueEnum};
use std::num::NonZeroU16;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The largest file that `evaluate` reads.
const EVIDENCE_BYTES: u64 = 1024 * 1024 * 1024;

/// Look at targets, judge what was seen, report it, and gate on it
#[derive(Args)]
#[command(after_help = "\
Examples:
  probity scan shop.example
  probity scan shop.example:8443 '[2001:db8::7]:443' --fail-on medium
  probity scan smtp://mx.example imaps://mail.example ldap://dir.example
  probity scan shop.example --policy mozilla-intermediate,pci
  probity scan -c probity.yaml -o html=report.html -o json=report.json
  probity scan -c probity.yaml -o junit=junit.xml -o sarif=probity.sarif")]
pub struct Scan {
    #[command(flatten)]
    what: What,
    #[command(flatten)]
    how: How,
    #[command(flatten)]
    judged: Judged,
}

/// Look at targets and write down what was seen, to be judged later or elsewhere
#[derive(Args)]
#[command(after_help = "\
Examples:
  probity collect -c probity.yaml -o json=obs.json
  probity collect shop.example > obs.json")]
pub struct Collect {
    #[command(flatten)]
    what: What,
    #[command(flatten)]
    how: How,
    /// Where to write: json=PATH, or json for standard output
    #[arg(short, long, value_name = "json[=PATH]", default_value = "json", help_heading = "Output")]
    output: Output,
    /// Show no progress
    #[arg(short, long, help_heading = "Output")]
    quiet: bool,
}

/// Judge what `collect` wrote; needs no network
#[derive(Args)]
#[command(after_help = "\
Examples:
  probity evaluate obs.json
  probity evaluate obs.json -o json=report.json --checks our-checks/
  probity evaluate obs.json -c probity.yaml    under this policy, not its own")]
pub struct Evaluate {
    /// The file that `collect` wrote
    evidence: PathBuf,
    /// Take policy, overlays and waivers from this configuration
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    judged: Judged,
}

/// What is looked at.
#[derive(Args)]
struct What {
    /// Endpoints: a host, host:port, [address]:port or https address; port 443 where none is given.
    /// SERVICE://host[:port] for others: smtp, submission, lmtp, imap, pop3, sieve, ftp, nntp, xmpp, xmpp-server, irc,
    /// ldap, postgresql, mysql, mssql, rdp, amqp, telnet (TLS on request); smtps, imaps, pop3s, ftps, nntps, xmpps,
    /// xmpps-server, ircs, ldaps, postgresql-direct, mssql-strict, mongodb, rediss, amqps, mqtts, dot, elasticsearch,
    /// kubernetes, etcd
    #[arg(value_name = "TARGET")]
    targets: Vec<String>,
    /// A configuration file; see `probity init`
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// PEM file of a certification authority of your own (repeatable)
    #[arg(long, value_name = "FILE")]
    ca: Vec<PathBuf>,
    /// Say what connections are planned for a target, and afterwards what they were spent on
    #[arg(long, help_heading = "Limits")]
    show_connections: bool,
}

/// Within which limits.
#[derive(Args)]
#[command(next_help_heading = "Limits")]
pub(super) struct How {
    /// Parallel connections to one target
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=256))]
    connections: u16,
    /// New connections to one target in a second, at most; as many as there are where it is not given
    #[arg(long, value_name = "N", value_parser = rate)]
    rate: Option<NonZeroU16>,
    /// Seconds for one target
    #[arg(long, value_name = "SECONDS", default_value_t = 300, value_parser = clap::value_parser!(u64).range(1..=86400))]
    target_time: u64,
    /// Known clients: computed from what was seen, or live, with a connection each
    #[arg(long, value_name = "computed|live", default_value = "computed", hide_possible_values = true)]
    clients: KnownClients,
    /// What is asked: `full`, or `quick` for what the grade and the checks need
    #[arg(long, value_name = "quick|full", default_value = "full", hide_possible_values = true)]
    profile: Asked,
    /// Leave out tests for flaws that a server may not bear (Heartbleed, ROBOT and their kin)
    #[arg(long)]
    no_intrusive: bool,
    /// Ask at the addresses that certificates name: responders (OCSP) and lists whether they are revoked, and for issuers
    /// that were not sent; the authority then learns of the look
    #[arg(long)]
    revocation: bool,
    /// How often a server is asked for a new handshake in one session, where the first was taken up; 10 shows a limit that 3
    /// do not reach
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=10))]
    renegotiations: u32,
    /// Send early data (0-RTT) where a ticket of TLS 1.3 allows it, a HEAD request, to see whether it is accepted
    #[arg(long)]
    early_data: bool,
}

/// How it is found out what known clients end up with.
#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum KnownClients {
    Computed,
    Live,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Asked {
    Quick,
    Full,
}

/// How it is judged and reported.
#[derive(Args)]
#[command(next_help_heading = "Judging and reports")]
struct Judged {
    /// A report: table, json, html, junit, sarif, csv, xlsx, md, github, gitlab or prometheus, to a file or to standard output (repeatable)
    #[arg(short, long, value_name = "FORMAT[=PATH]")]
    output: Vec<Output>,
    /// Fail the gate at this severity and above: info, low, medium, high, critical
    #[arg(long, value_name = "SEVERITY", value_parser = severity)]
    fail_on: Option<Severity>,
    /// Per cent of results that must have been judged
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=100))]
    min_coverage: Option<u8>,
    /// A policy for TLS to set endpoints against: mozilla-modern, mozilla-intermediate, mozilla-old (with an edition:
    /// mozilla-old@5.7), pci, nist, nist-public, nist-legacy, bsi, anssi (repeatable, or separated by commas)
    #[arg(long, value_name = "NAME", value_delimiter = ',', value_parser = policy)]
    policy: Vec<String>,
    /// What `probity prove` wrote, joined to what was seen (repeatable)
    #[arg(long, value_name = "FILE")]
    proof: Vec<PathBuf>,
    /// What failures that a waiver covers do to the gate
    #[arg(long, value_name = "pass|fail", default_value = "pass", hide_possible_values = true)]
    waived: Waived,
    /// A folder with checks of your own
    #[arg(long, value_name = "DIR")]
    checks: Option<PathBuf>,
    /// Fail the gate for what this baseline does not know alone; see `probity baseline`
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    /// Keep the run in the store in this folder, which is made where there is none
    #[arg(long, value_name = "DIR")]
    store: Option<PathBuf>,
    /// Sign the store's log with this key: file:PATH, env:NAME or exec:COMMAND; see `probity key new`
    #[arg(long, value_name = "SECRET", requires = "store", value_parser = super::key::secret)]
    sign: Option<SecretRef>,
    /// Show passes, too
    #[arg(short, long, conflicts_with = "quiet")]
    verbose: bool,
    /// Show the verdict alone
    #[arg(short, long)]
    quiet: bool,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Waived {
    Pass,
    Fail,
}

fn rate(text: &str) -> Result<NonZeroU16, String> {
    text.parse().map_err(|_| "a rate is a whole number from 1 to 65535".to_owned())
}

fn severity(word: &str) -> Result<Severity, String> {
    Severity::parse(word).ok_or_else(|| "the severities are info, low, medium, high and critical".to_owned())
}

fn policy(name: &str) -> Result<String, String> {
    derive::policy::find(name).map(|policy| policy.id)
}

impl Scan {
    /// Runs the command.
    pub fn run(self) -> Ending {
        let catalogue = self.judged.catalogue()?;
        let config = self.what.config(&catalogue)?;
        // A mistake in an overlay is found before a long look, not after it.
        let engine = Engine::new(&catalogue, &config.judging).map_err(|mistakes| placed(&config, mistakes))?;
        output::prepare(&self.judged.output)?;
        self.judged.baseline.as_deref().map(baseline::read).transpose()?;
        let mut evidence = system::look(&config, self.how.limits(), self.what.show(self.judged.quiet))?;
        super::prove::join(&mut evidence, &self.judged.proof)?;
        self.judged.finish(evidence, &catalogue, Some(engine))
    }
}

impl Collect {
    /// Runs the command.
    pub fn run(self) -> Ending {
        if self.output.format != crate::report::Format::Json {
            return Err(Failure::help("what was seen is written as JSON", "write -o json=PATH"));
        }
        let config = self.what.config(&Catalogue::built_in()?)?;
        output::prepare([&self.output])?;
        let evidence = system::look(&config, self.how.limits(), self.what.show(self.quiet))?;
        let bytes = worker::write_evidence(&evidence)
            .map_err(|error| Failure::new(format!("the evidence cannot be written as JSON: {error}")))?;
        match &self.output.path {
            Some(path) => output::write_file(path, &bytes)?,
            None => output::print(&bytes)?,
        }
        let interrupted = evidence.run.interrupted;
        Ok(if interrupted { gate::Exit::Interrupted } else { gate::Exit::Passed }.code())
    }
}

impl Evaluate {
    /// Runs the command.
    pub fn run(self) -> Ending {
        let catalogue = self.judged.catalogue()?;
        let mut evidence = stored(&self.evidence)?;
        super::prove::join(&mut evidence, &self.judged.proof)?;
        let mut engine = None;
        if let Some(file) = &self.config {
            let config = target::load(file)?;
            names(&config, &catalogue)?;
            engine = Some(Engine::new(&catalogue, &config.judging).map_err(|mistakes| placed(&config, mistakes))?);
            evidence.judging = config.judging;
        }
        self.judged.finish(evidence, &catalogue, engine)
    }
}

/// What `collect` wrote into this file.
pub(super) fn stored(file: &Path) -> Result<Evidence, Failure> {
    let shown = file.display();
    let help = "give the file that `probity collect -o json=PATH` wrote";
    let unreadable =
        |error: std::io::Error| Failure::help(format!("{shown} cannot be read: {}", output::cause(&error)), help);
    let size = std::fs::metadata(file).map_err(unreadable)?.len();
    if size > EVIDENCE_BYTES {
        return Err(Failure::new(format!("{shown} is larger than {} MiB", EVIDENCE_BYTES >> 20)));
    }
    let bytes = std::fs::read(file).map_err(unreadable)?;
    worker::read_evidence(&bytes).map_err(|error| Failure::help(format!("{shown}: {error}"), help))
}

impl What {
    fn show(&self, quiet: bool) -> system::Show {
        system::Show { progress: !quiet, connections: self.show_connections }
    }

    fn config(&self, catalogue: &Catalogue) -> Result<Config, Failure> {
        let mut config = match (&self.config, self.targets.is_empty()) {
            (Some(_), false) => {
                let help = "put the targets into the configuration, or leave -c away";
                return Err(Failure::help("targets stand either on the command line or in a configuration", help));
            }
            (Some(file), true) => target::load(file)?,
            (None, false) => target::from_arguments(&self.targets)?,
            (None, true) => {
                let help =
                    "`probity scan shop.example`, or `probity init shop.example` for a configuration to start from";
                return Err(Failure::help("there is nothing to look at", help));
            }
        };
        names(&config, catalogue)?;
        for hint in std::mem::take(&mut config.hints) {
            anstream::eprint!("{:?}", super::diagnostic::report(hint));
        }
        for target in &mut config.targets {
            target.connection.ca_files.extend(self.ca.iter().cloned());
        }
        Ok(config)
    }
}

/// Refuses names of checks and frameworks that the catalogue lacks.
pub(super) fn names(config: &Config, catalogue: &Catalogue) -> Result<(), Failure> {
    let checks: Vec<&str> = catalogue.checks().keys().map(String::as_str).collect();
    let frameworks: Vec<&str> = catalogue.frameworks().keys().map(String::as_str).collect();
    let mut mistakes = config.unknown_names(&checks, &frameworks);
    for (at, name) in config.judging.policy.tls.iter().enumerate() {
        if let (Err(why), Some(source)) = (derive::policy::find(name), &config.sources.config) {
            mistakes.push(source.root().key("policy").key("tls").item(at).mistake(why));
        }
    }
    if mistakes.is_empty() { Ok(()) } else { Err(mistakes.into()) }
}

/// Gives mistakes in overlays, which the engine names by their key, the place in the configuration.
pub(super) fn placed(config: &Config, mistakes: Vec<Diagnostic>) -> Failure {
    let place = |mistake: Diagnostic| {
        let source = config.sources.config.as_ref()?;
        let key = mistake.file.strip_prefix("checks.").filter(|_| mistake.line == 0)?;
        let (id, param) = key.split_once(".params.").map_or((key, None), |(id, param)| (id, Some(param)));
        let spot = source.root().key("checks").key(id);
        let found = match param {
            Some(param) => spot.key("params").key(param).mistake(&*mistake.message),
            None => spot.mistake_in_key(&*mistake.message),
        };
        Some(Diagnostic { help: mistake.help.clone(), label: mistake.label.clone(), ..found })
    };
    Failure::Mistakes(mistakes.into_iter().map(|mistake| place(mistake.clone()).unwrap_or(mistake)).collect())
}

impl How {
    pub(super) fn limits(&self) -> Limits {
        let profile = match self.profile {
            Asked::Quick => Profile::Quick,
            Asked::Full => Profile::Full,
        };
        Limits {
            connections: usize::from(self.connections),
            rate: self.rate,
            target_time: Duration::from_secs(self.target_time),
            live_clients: self.clients == KnownClients::Live,
            revocation: self.revocation,
            renegotiations: self.renegotiations,
            early_data: self.early_data,
            depth: Depth { profile, intrusive: !self.no_intrusive },
        }
    }
}

impl Judged {
    fn catalogue(&self) -> Result<Catalogue, Failure> {
        Ok(match &self.checks {
            Some(folder) => Catalogue::with_folder(folder)?,
            None => Catalogue::built_in()?,
        })
    }

    fn detail(&self) -> Detail {
        match (self.quiet, self.verbose) {
            (true, _) => Detail::Quiet,
            (_, true) => Detail::Verbose,
            _ => Detail::Normal,
        }
    }

    /// Judges, reports and gates: by checks that are ready, where the overlays have been seen to already.
    fn finish(&self, mut evidence: Evidence, catalogue: &Catalogue, engine: Option<Engine>) -> Ending {
        self.overrule(&mut evidence.judging);
        let baseline = self.baseline.as_deref().map(baseline::read).transpose()?;
        let judging = evidence.judging.clone();
        let judge = match engine {
            Some(engine) => worker::Judge::by(engine, catalogue, judging),
            None => worker::Judge::new(catalogue, judging)?,
        };
        let assessment = judge.assess(evidence);
        let verdict = gate::decide_against(&assessment, self.waived == Waived::Fail, baseline.as_ref());
        let kept = self.keep(&assessment, &verdict, catalogue);
        output::write_all(&self.output, &assessment, &verdict, catalogue.checks(), self.detail())?;
        kept?;
        Ok(verdict.exit)
    }

    /// Brings the run into the store, where one is named, and prints the checkpoint, for whoever keeps it elsewhere.
    fn keep(&self, assessment: &Assessment, verdict: &Verdict, catalogue: &Catalogue) -> Result<(), Failure> {
        let Some(folder) = &self.store else { return Ok(()) };
        let signer = self.sign.as_ref().map(super::key::signer).transpose()?;
        let named = signer.as_ref().map(|signer| signer.verifier().name().to_owned());
        let origin = named.or_else(|| assessment.run.organisation.clone());
        let store = Store::open_or_make(folder, &origin.unwrap_or_else(|| assessment.run.host.clone()))?;
        let stored = worker::keep(&store, assessment, verdict, catalogue, &SystemRandom, signer.as_ref())?;
        let checkpoint = stored.note.checkpoint.text();
        let line = checkpoint.trim_end().split('\n').map(escape).collect::<Vec<_>>().join(" ");
        anstream::eprintln!("kept as {} in {} · checkpoint {line}", escape(&stored.id), folder.display());
        Ok(())
    }

    fn overrule(&self, judging: &mut Judging) {
        if let Some(severity) = self.fail_on {
            judging.policy.fail_on = severity;
        }
        if let Some(percent) = self.min_coverage {
            judging.policy.min_coverage = percent;
        }
        if !self.policy.is_empty() {
            judging.policy.tls.clone_from(&self.policy);
        }
    }
}
