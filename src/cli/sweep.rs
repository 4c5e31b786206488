//! `sweep`: thousands of endpoints, one line of JSON each, as they end.

use super::output;
use super::progress::{able, draw_target};
use super::scan::{self, How};
use super::system::Setting;
use super::{Ending, Failure, system};
use crate::catalogue::Catalogue;
use crate::check::Engine;
use crate::collect::{self, Collector, Silent};
use crate::gate::{self, Exit};
use crate::model::assessment::Evidence;
use crate::model::digest;
use crate::model::policy::Judging;
use crate::net::TcpDial;
use crate::report::sweep::{Comparison, Header, Judgement, Line, SCHEMA, line};
use crate::report::text;
use crate::target::list::{self, List};
use crate::target::{self, Config};
use crate::worker::{self, EvidenceError, Judge, Plan};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Look at thousands of endpoints: from files, networks or standard input, one line of JSON each as it ends
#[derive(Args)]
#[command(after_help = "\
Examples:
  probity sweep --from hosts.txt -o sweep.ndjson
  probity sweep 192.0.2.0/24 --port 443,8443 > sweep.ndjson
  cut -d, -f1 inventory.csv | probity sweep --from - -o sweep.ndjson
  probity sweep --zone shop.example.zone -o sweep.ndjson
  probity sweep --from hosts.txt -o sweep.ndjson --resume     after a stop or a kill
  probity evaluate sweep.ndjson -o html=report.html           one report of all
  probity sweep --reverify sweep.ndjson -o today.ndjson       is each still as it was? six hellos")]
pub struct Sweep {
    /// Endpoints as `scan` takes them, and networks such as 192.0.2.0/24 or 192.0.2.0/24:8443
    #[arg(value_name = "TARGET")]
    targets: Vec<String>,
    /// A file with a target a line, or - for standard input (repeatable)
    #[arg(long, value_name = "FILE")]
    from: Vec<PathBuf>,
    /// A zone as a master file or the output of `dig axfr`: every name with an address or alias (repeatable)
    #[arg(long, value_name = "FILE")]
    zone: Vec<PathBuf>,
    /// Also the mail exchangers and services (MX, SRV) that a zone names
    #[arg(long, requires = "zone")]
    zone_services: bool,
    /// Ask the endpoints of this earlier sweep, or file of `collect`, with a few hellos whether they are as they were
    #[arg(long, value_name = "FILE", conflicts_with_all = ["targets", "from", "zone", "facts", "config", "checks"])]
    reverify: Option<PathBuf>,
    /// Ports of targets that name none
    #[arg(long, value_name = "PORT", value_delimiter = ',', default_value = "443", value_parser = clap::value_parser!(u16).range(1..))]
    port: Vec<u16>,
    /// PEM file of a certification authority of your own (repeatable)
    #[arg(long, value_name = "FILE")]
    ca: Vec<PathBuf>,
    /// Targets looked at side by side
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=1024), help_heading = "Limits")]
    parallel: u16,
    #[command(flatten)]
    how: How,
    /// Where to write; standard output where it is not given
    #[arg(short, long, value_name = "PATH", help_heading = "Judging and output")]
    output: Option<PathBuf>,
    /// Go on with the file of a sweep that was stopped
    #[arg(long, requires = "output", help_heading = "Judging and output")]
    resume: bool,
    /// Write what was seen and judge nothing
    #[arg(long, help_heading = "Judging and output")]
    facts: bool,
    /// Take policy, overlays and waivers from this configuration
    #[arg(short, long, value_name = "FILE", help_heading = "Judging and output")]
    config: Option<PathBuf>,
    /// A folder with checks of your own
    #[arg(long, value_name = "DIR", help_heading = "Judging and output")]
    checks: Option<PathBuf>,
    /// Show no progress
    #[arg(short, long, help_heading = "Judging and output")]
    quiet: bool,
}

/// How many ended how.
#[derive(Default)]
struct Tally {
    written: u64,
    failed: u64,
    inconclusive: u64,
}

impl Sweep {
    /// Runs the command.
    pub fn run(self) -> Ending {
        let catalogue = match &self.checks {
            Some(folder) => Catalogue::with_folder(folder)?,
            None => Catalogue::built_in()?,
        };
        let judging = self.judging(&catalogue)?;
        let work = match &self.reverify {
            Some(file) => Work::again(file)?,
            None => Work::of(self.list()?),
        };
        let finish = match (&self.reverify, self.facts) {
            (Some(_), _) => compared(),
            (None, true) => judged(None),
            (None, false) => judged(Some(Arc::new(Judge::new(catalogue, judging.clone())?))),
        };
        let header = Header { schema: SCHEMA.to_owned(), endpoints: work.count, list: work.digest };
        let mut out = Out::open(self.output.as_deref(), self.resume, &header)?;
        let seal = json!({ "list": header.list, "judging": judging, "ca": self.ca });
        let digest = digest::of(&seal).unwrap_or_default();
        let config = Arc::new(Config { judging, digest, ..Config::default() });
        let done = std::mem::take(&mut out.done);
        let bar = self.bar(header.endpoints, done.len() as u64);
        let plans = work.plans.filter(|plan| !done.contains_key(&plan.target.id)).map(|mut plan| {
            plan.target.connection.ca_files.extend(self.ca.iter().cloned());
            plan
        });
        // What ended before a stop counts as well: the exit code is that of the whole list.
        let mut tally = Tally::default();
        done.values().for_each(|exit| tally.note(exit.unwrap_or(self.without_judgement())));
        let setting = Setting {
            limits: self.how.limits(),
            dial: Arc::new(TcpDial),
            progress: Arc::new(Silent),
            display: Arc::new(bar.clone()),
            collectors: work.collectors,
        };
        let stopped = system::run(setting, async |setup| {
            let take = |line: Result<(u8, Vec<u8>), serde_json::Error>| -> Result<(), Failure> {
                let (exit, bytes) = line.map_err(|error| unserialised(&error))?;
                out.write(&bytes)?;
                tally.note(exit);
                bar.inc(1);
                bar.set_message(tally.words());
                Ok(())
            };
            worker::sweep(plans, &config, setup, usize::from(self.parallel), finish, take).await?;
            Ok::<bool, Failure>(setup.cancel.is_cancelled())
        })?;
        bar.finish_and_clear();
        let stopped = stopped?;
        out.end()?;
        if !self.quiet {
            anstream::eprintln!("{} of {} endpoints written{}", tally.written, header.endpoints, tally.words());
        }
        Ok(if stopped { Exit::Interrupted } else { tally.exit(header.endpoints) }.code())
    }

    /// What a line that was not judged stands for.
    fn without_judgement(&self) -> u8 {
        if self.facts { Exit::Passed } else { Exit::Inconclusive }.code()
    }

    fn list(&self) -> Result<List, Failure> {
        let mut list = List::new(&self.port);
        for target in &self.targets {
            list.argument(target)?;
        }
        for file in &self.from {
            let (name, text) = named(file, "give a file with a target a line")?;
            list.file(&name, &text)?;
        }
        for file in &self.zone {
            let (name, text) = named(file, "give a zone as a master file")?;
            let zone = list.zone(&name, &text, self.zone_services)?;
            if let Some(left_out) = zone.left_out().filter(|_| !self.quiet) {
                anstream::eprintln!("{name}: left out: {}", text::escape(&left_out));
            }
        }
        if list.is_empty() {
            return Err(Failure::help(
                "there is nothing to look at",
                "name targets, or a file of them by --from or --zone",
            ));
        }
        Ok(list)
    }

    fn judging(&self, catalogue: &Catalogue) -> Result<Judging, Failure> {
        let Some(file) = &self.config else { return Ok(Judging::default()) };
        let config = target::load(file)?;
        scan::names(&config, catalogue)?;
        Engine::new(catalogue, &config.judging).map_err(|mistakes| scan::placed(&config, mistakes))?;
        Ok(config.judging)
    }

    fn bar(&self, all: u64, done: u64) -> ProgressBar {
        let style = "  {bar:32.cyan}  {pos}/{len} endpoints  {per_sec:.0}  {eta} left{msg}";
        let style = ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar());
        let target = draw_target(!self.quiet && able());
        let bar = ProgressBar::with_draw_target(Some(all), target)
            .with_style(style.progress_chars("━━╌"))
            .with_position(done);
        bar.reset_eta();
        bar
    }
}

/// What a sweep is of.
struct Work {
    count: u64,
    digest: String,
    plans: Box<dyn Iterator<Item = Plan>>,
    collectors: Vec<Box<dyn Collector>>,
}

impl Work {
    fn of(list: List) -> Work {
        Work {
            count: list.targets().count() as u64,
            digest: list.digest(),
            plans: Box::new(list.into_targets().map(|target| Plan { target, earlier: Vec::new() })),
            collectors: collect::all(),
        }
    }

    /// Every line is read once before the first connection, so that a file that was changed is refused whole.
    fn again(file: &Path) -> Result<Work, Failure> {
        let refuse = |error: EvidenceError| {
            let help = "give the file that `probity sweep` or `probity collect` wrote";
            Failure::help(format!("{}: {error}", file.display()), help)
        };
        let mut ids = Vec::new();
        for plan in worker::known(file).map_err(refuse)? {
            let plan = plan.map_err(refuse)?;
            ids.push((plan.target.id, plan.earlier.into_iter().map(|seen| seen.id).collect::<Vec<String>>()));
        }
        let plans = worker::known(file).map_err(refuse)?;
        Ok(Work {
            count: ids.len() as u64,
            digest: digest::of(&ids).unwrap_or_default(),
            plans: Box::new(plans.map_while(Result::ok)),
            collectors: collect::reverifying(),
        })
    }
}

/// Makes a line of what was seen of a target, and says what exit code it stands for.
type Finish = Arc<dyn Fn(Evidence) -> Result<(u8, Vec<u8>), serde_json::Error> + Send + Sync>;

fn judged(judge: Option<Arc<Judge<Catalogue>>>) -> Finish {
    Arc::new(move |evidence| {
        let judgement = judge.as_ref().map(|judge| {
            let assessment = judge.assess(evidence.clone());
            Judgement::of(&assessment, &gate::decide(&assessment, false))
        });
        let exit = judgement.as_ref().map_or(Exit::Passed.code(), |judgement| judgement.exit);
        Ok((exit, whole(evidence, judgement, None)?))
    })
}

fn compared() -> Finish {
    Arc::new(|evidence| {
        let comparison = Comparison::of(&evidence.observations);
        Ok((exit_of(&comparison), whole(evidence, None, Some(comparison))?))
    })
}

/// The exit code that a comparison stands for.
fn exit_of(comparison: &Comparison) -> u8 {
    let exit = match comparison.result.as_str() {
        "unchanged" => Exit::Passed,
        "changed" => Exit::Failed,
        _ => Exit::Inconclusive,
    };
    exit.code()
}

fn whole(
    evidence: Evidence,
    judgement: Option<Judgement>,
    reverification: Option<Comparison>,
) -> Result<Vec<u8>, serde_json::Error> {
    let target = evidence.targets.first().map(|target| target.id.clone()).unwrap_or_default();
    let whole = Line { schema: SCHEMA.to_owned(), target, judgement, reverification, evidence };
    line(&whole)
}

fn unserialised(error: &serde_json::Error) -> Failure {
    Failure::new(format!("a line cannot be written as JSON: {error}: this is a fault of probity; please report it"))
}

/// The name of a file as it is told, and its text.
fn named(file: &Path, help: &str) -> Result<(String, String), Failure> {
    let name = if file == Path::new("-") { "standard input".to_owned() } else { file.display().to_string() };
    match read(file) {
        Ok(text) => Ok((name, text)),
        Err(error) => Err(Failure::help(format!("{name} cannot be read: {}", output::cause(&error)), help)),
    }
}

fn read(file: &Path) -> std::io::Result<String> {
    let source: Box<dyn std::io::Read> =
        if file == Path::new("-") { Box::new(std::io::stdin().lock()) } else { Box::new(File::open(file)?) };
    let mut text = String::new();
    source.take(list::BYTES + 1).read_to_string(&mut text)?;
    if text.len() as u64 > list::BYTES {
        let words = format!("it is larger than {} MiB", list::BYTES >> 20);
        return Err(std::io::Error::new(std::io::ErrorKind::FileTooLarge, words));
    }
    Ok(text)
}

impl Tally {
    fn note(&mut self, exit: u8) {
        self.written += 1;
        match exit {
            exit if exit == Exit::Failed.code() => self.failed += 1,
            exit if exit == Exit::Passed.code() => {}
            _ => self.inconclusive += 1,
        }
    }

    fn words(&self) -> String {
        match (self.failed, self.inconclusive) {
            (0, 0) => String::new(),
            (failed, inconclusive) => format!("; {failed} failed, {inconclusive} inconclusive"),
        }
    }

    /// An endpoint that has no line has not been looked at, and that is no pass.
    fn exit(&self, endpoints: u64) -> Exit {
        match (self.failed, self.inconclusive) {
            (1.., _) => Exit::Failed,
            (0, 0) if self.written >= endpoints => Exit::Passed,
            _ => Exit::Inconclusive,
        }
    }
}

/// Where lines go, each whole, and the targets that have theirs already, with the exit codes that these stand for.
struct Out {
    to: Box<dyn Write>,
    name: String,
    done: BTreeMap<String, Option<u8>>,
}

impl Out {
    fn open(path: Option<&Path>, resume: bool, header: &Header) -> Result<Out, Failure> {
        let Some(path) = path else {
            let mut out =
                Out { to: Box::new(std::io::stdout()), name: "standard output".to_owned(), done: BTreeMap::new() };
            out.write(&line(header).map_err(|error| unserialised(&error))?)?;
            return Ok(out);
        };
        let name = path.display().to_string();
        let failed =
            |error: std::io::Error| Failure::new(format!("{name} cannot be written: {}", output::cause(&error)));
        let empty = std::fs::metadata(path).map_or(true, |file| file.is_file() && file.len() == 0);
        if !empty && !resume {
            let help = "go on with it by --resume, or name another file: what was seen is not overwritten";
            return Err(Failure::help(format!("{name} exists"), help));
        }
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(failed)?;
        }
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).map_err(failed)?;
        let done = if empty { BTreeMap::new() } else { Self::done(&mut file, &name, header)? };
        let mut out = Out { to: Box::new(file), name, done };
        if empty {
            out.write(&line(header).map_err(|error| unserialised(&error))?)?;
        }
        Ok(out)
    }

    /// Reads what is there, and cuts off a last line that a kill left half written.
    fn done(file: &mut File, name: &str, header: &Header) -> Result<BTreeMap<String, Option<u8>>, Failure> {
        let failed = |error: std::io::Error| Failure::new(format!("{name} cannot be read: {}", output::cause(&error)));
        let mut reader = BufReader::new(&*file);
        let (mut done, mut whole, mut number) = (BTreeMap::new(), 0_u64, 0_u64);
        let mut text = Vec::new();
        loop {
            text.clear();
            (&mut reader).take(worker::LINE).read_until(b'\n', &mut text).map_err(failed)?;
            let Some(content) = text.strip_suffix(b"\n") else { break };
            number += 1;
            let refuse = |what: &str| {
                Failure::help(
                    format!("{name}, line {number}: {what}"),
                    "give the same targets and the file that their sweep wrote",
                )
            };
            if number == 1 {
                match serde_json::from_slice::<Header>(content) {
                    Ok(known) if known == *header => {}
                    Ok(known) if known.schema == SCHEMA => return Err(refuse("this is the sweep of another list")),
                    _ => return Err(refuse("this is not the file of a sweep")),
                }
            } else {
                let line: Named =
                    serde_json::from_slice(content).map_err(|_| refuse("this is not a line of a sweep"))?;
                let exit = line.judgement.map(|judged| judged.exit).or(line.reverification.as_ref().map(exit_of));
                done.insert(line.target, exit);
            }
            whole += text.len() as u64;
        }
        if number == 0 {
            let help = "name another file, or take this one away";
            return Err(Failure::help(format!("{name} is not the file of a sweep"), help));
        }
        file.set_len(whole).map_err(failed)?;
        file.seek(SeekFrom::Start(whole)).map_err(failed)?;
        Ok(done)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.to.write_all(bytes).map_err(|error| self.failure(&error))
    }

    fn end(&mut self) -> Result<(), Failure> {
        self.to.flush().map_err(|error| self.failure(&error))
    }

    fn failure(&self, error: &std::io::Error) -> Failure {
        Failure::new(format!("{} cannot be written: {}", self.name, output::cause(error)))
    }
}

/// What resuming needs of a line.
#[derive(Deserialize)]
struct Named {
    target: String,
    judgement: Option<Judged>,
    reverification: Option<Comparison>,
}

/// What resuming needs of a judgement.
#[derive(Deserialize)]
struct Judged {
    exit: u8,
}
