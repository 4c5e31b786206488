//! `verify`: whether evidence is what it was.

use super::{Ending, Failure, output};
use crate::gate::Exit;
use crate::report::text::escape;
use crate::store::bundle::Opened;
use crate::store::key::Verifier;
use crate::store::note::Note;
use crate::store::verify::{self, Asked, Report, Weight};
use crate::store::{FOLDER, Recalled, Store, disk};
use crate::worker;
use clap::Args;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// The largest file with a key or a checkpoint.
const SMALL: u64 = 64 * 1024;

/// Verify that evidence is what it was: digests, log, signatures; needs no network
#[derive(Args)]
#[command(after_help = "\
Examples:
  probity verify
  probity verify /srv/evidence --key probity.pub
  probity verify --since last-year.checkpoint    nothing that was there then was changed or cut off
  probity verify --re-derive                     judge every run again and compare
  probity verify november.probity.tar.zst        one run, without its store

Exit codes:
  0  everything is what it was    5  something was changed or removed
  2  there is nothing to verify   6  a signature that was asked for is absent")]
pub struct Verify {
    /// The folder of a store, or a file that `probity evidence export` wrote
    #[arg(value_name = "STORE|FILE", default_value = FOLDER)]
    path: PathBuf,
    /// The key that must have signed: a file or a line `name+hint+key`, as `probity key new` prints it
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// A checkpoint of this log that was kept elsewhere
    #[arg(long, value_name = "FILE")]
    since: Option<PathBuf>,
    /// Judge the stored observations again with the stored checks, and compare every result
    #[arg(long)]
    re_derive: bool,
    /// Name what is in order, too
    #[arg(short, long)]
    verbose: bool,
}

impl Verify {
    /// Runs the command.
    pub fn run(self) -> Ending {
        let asked = Asked { key: self.key()?, since: self.since()? };
        let report = if self.path.is_file() { self.bundle(&asked)? } else { self.store(&asked)? };
        // Nothing was changed in nothing, and that proves nothing.
        if report.runs == 0 && report.worst() < Weight::Unsigned {
            return Err(Failure::new(format!("{} holds no run: there is nothing to verify", self.path.display())));
        }
        output::print(self.words(&report).as_bytes())?;
        Ok(match report.worst() {
            Weight::Fine | Weight::Note => Exit::Passed,
            Weight::Unsigned => Exit::Unsigned,
            Weight::Tampered => Exit::Tampered,
        }
        .code())
    }

    fn store(&self, asked: &Asked) -> Result<Report, Failure> {
        let store = Store::open(&self.path)?;
        let mut report = verify::verify(&store, asked, &mut |_, _| {});
        if self.re_derive && report.worst() < Weight::Tampered {
            for id in store.runs()? {
                derive(&id, store.recall(&id).map_err(|error| error.to_string()), &mut report);
            }
        }
        Ok(report)
    }

    fn bundle(&self, asked: &Asked) -> Result<Report, Failure> {
        let help = "give the folder of a store, or a file that `probity evidence export` wrote";
        let opened = Opened::open(&self.path);
        let opened = opened.map_err(|wrong| Failure::help(format!("{}: {wrong}", self.path.display()), help))?;
        let mut report = opened.verify(asked);
        if self.re_derive && report.worst() < Weight::Tampered {
            derive("in the bundle", opened.recall(), &mut report);
        }
        Ok(report)
    }

    fn key(&self) -> Result<Option<Verifier>, Failure> {
        let Some(text) = &self.key else { return Ok(None) };
        let path = Path::new(text);
        let line = if path.is_file() { text_of(path)? } else { text.clone() };
        let help = "give the line that `probity key new` printed, or a file with it or with a public key in PEM";
        Verifier::parse(&line).map(Some).map_err(|wrong| Failure::help(wrong, help))
    }

    fn since(&self) -> Result<Option<Note>, Failure> {
        let Some(path) = &self.since else { return Ok(None) };
        let help = "give a copy of a store's `log/checkpoint`";
        let note = Note::parse(&text_of(path)?);
        note.map(Some).map_err(|error| Failure::help(format!("{}: {error}", path.display()), help))
    }

    fn words(&self, report: &Report) -> String {
        let mut text = String::new();
        for item in &report.items {
            let word = match item.weight {
                Weight::Fine if !self.verbose => continue,
                Weight::Fine => "in order",
                Weight::Note => "note",
                Weight::Unsigned => "NOT SIGNED",
                Weight::Tampered => "CHANGED",
            };
            let _ = writeln!(text, "{word:10}  {}: {}", escape(&item.what), escape(&item.found));
        }
        let wrong = report.items.iter().filter(|item| item.weight > Weight::Note).count();
        let runs = report.runs;
        let runs = if runs == 1 { "1 run".to_owned() } else { format!("{runs} runs") };
        let _ = match wrong {
            0 => writeln!(text, "nothing was changed in {runs}"),
            _ => writeln!(text, "{wrong} not as asked for or not as it was, in {runs}"),
        };
        if let Some(note) = &report.checkpoint {
            let checkpoint = note.checkpoint.text();
            let signers: Vec<_> = note.signers().map(escape).collect();
            let by = if signers.is_empty() { "by nobody".to_owned() } else { format!("by {}", signers.join(", ")) };
            let line = checkpoint.trim_end().split('\n').map(escape).collect::<Vec<_>>().join(" ");
            let _ = writeln!(text, "checkpoint {line}, signed {by}");
        }
        text
    }
}

/// Judges a run again and compares.
fn derive(id: &str, recalled: Result<Recalled, String>, report: &mut Report) {
    let what = format!("run {id}, judged again");
    let again = recalled
        .and_then(|recalled| worker::again(&recalled).map_err(|_| "its stored checks cannot be used".to_owned()));
    match again {
        Err(error) => report.add(Weight::Tampered, what, error),
        Ok(again) if again.differences.is_empty() => {
            report.add(Weight::Fine, what, format!("{} results are the same", again.results));
        }
        Ok(again) if !again.tables.is_empty() => {
            let found = format!(
                "differs; this version has other tables than the run ({}), so judge with its version: {}",
                again.tables.join(", "),
                again.differences.join("; ")
            );
            report.add(Weight::Tampered, what, found);
        }
        Ok(again) => report.add(Weight::Tampered, what, again.differences.join("; ")),
    }
}

fn text_of(path: &Path) -> Result<String, Failure> {
    Ok(String::from_utf8_lossy(&disk::read(path, SMALL)?).into_owned())
}
