//! Where reports go: `-o FORMAT[=PATH]`, one run, many outputs.

use super::Failure;
use crate::collect::Limits;
use crate::model::{Assessment, Check, Verdict};
use crate::report::{self, Context, Detail, Format};
use std::collections::BTreeMap;
use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// One output: a format, and a file or standard output.
#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    /// The format.
    pub format: Format,
    /// The file; standard output where there is none.
    pub path: Option<PathBuf>,
}

impl std::str::FromStr for Output {
    type Err = String;

    fn from_str(text: &str) -> Result<Output, String> {
        let (word, path) = text.split_once('=').map_or((text, None), |(word, path)| (word, Some(path)));
        let format = Format::parse(word).ok_or_else(|| {
            let words: Vec<&str> = Format::ALL.iter().map(|format| format.word()).collect();
            format!("there is no format `{word}`; there are {}", words.join(", "))
        })?;
        match path {
            Some("") => Err(format!("the path after `{word}=` is empty; `{word}=-` is standard output")),
            Some("-") | None => Ok(Output { format, path: None }),
            Some(path) => Ok(Output { format, path: Some(path.into()) }),
        }
    }
}

/// What a command that shows one table, or the same as JSON, looks with and writes to.
#[derive(clap::Args)]
pub struct OneTable {
    /// Where to write: table or json, to a file or to standard output (repeatable)
    #[arg(short, long, value_name = "table|json[=PATH]", default_value = "table")]
    output: Vec<Output>,
    /// Seconds for one target
    #[arg(long, value_name = "SECONDS", default_value_t = 300, value_parser = clap::value_parser!(u64).range(1..=86400))]
    target_time: u64,
    /// Show no progress
    #[arg(short, long)]
    pub quiet: bool,
}

impl OneTable {
    /// Refuses formats that `what` has not, and makes ready to write.
    pub fn prepare(&self, what: &str) -> Result<(), Failure> {
        match self.output.iter().find(|out| !matches!(out.format, Format::Table | Format::Json)) {
            None => prepare(&self.output),
            Some(other) => {
                let words = format!("{what} shown as table or json, not as {}", other.format.word());
                Err(Failure::help(words, "write -o json=PATH; `probity scan` writes the other formats"))
            }
        }
    }

    /// The limits of a look.
    pub fn limits(&self) -> Limits {
        Limits { target_time: Duration::from_secs(self.target_time), ..Limits::default() }
    }

    /// Writes what is made for each output.
    pub fn write(&self, make: impl Fn(&Output) -> Result<Vec<u8>, Failure>) -> Result<(), Failure> {
        for out in &self.output {
            let bytes = make(out)?;
            match &out.path {
                Some(path) => write_file(path, &bytes)?,
                None => print(&bytes)?,
            }
        }
        Ok(())
    }
}

/// Writes every output. A terminal summary is shown as well, unless standard output is taken.
pub fn write_all(
    outputs: &[Output],
    assessment: &Assessment,
    verdict: &Verdict,
    checks: &BTreeMap<String, Check>,
    detail: Detail,
) -> Result<(), Failure> {
    let table = Output { format: Format::Table, path: None };
    let taken = outputs.iter().any(|output| output.path.is_none());
    let all = outputs.iter().chain((!taken).then_some(&table));
    for output in all {
        let on_terminal = output.path.is_none() && std::io::stdout().is_terminal();
        if on_terminal && output.format == Format::Xlsx {
            return Err(Failure::help("a workbook is not for a terminal", "name a file: -o xlsx=report.xlsx"));
        }
        let context = Context { width: width(on_terminal), colour: on_terminal && colour(), detail, checks };
        let bytes = report::render(output.format, assessment, verdict, &context).map_err(|error| {
            Failure::new(format!("failed to {error}: this is a fault of probity; please report it"))
        })?;
        match &output.path {
            None => print(&bytes)?,
            Some(path) => write_file(path, &bytes)?,
        }
    }
    Ok(())
}

/// The columns that a table of this output has.
pub fn columns(output: &Output) -> u16 {
    width(output.path.is_none() && std::io::stdout().is_terminal())
}

/// Columns of the terminal, or 100 where there is none.
fn width(on_terminal: bool) -> u16 {
    if !on_terminal {
        return std::env::var("COLUMNS").ok().and_then(|text| text.parse().ok()).unwrap_or(100);
    }
    comfy_table::Table::new().width().unwrap_or(100)
}

/// Whether colour is wanted (no-color.org).
fn colour() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
        && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// Writes to standard output. A reader that has gone away is no failure.
pub fn print(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Failure::new(format!("standard output cannot be written: {error}")))
        }
        _ => Ok(()),
    }
}

/// Makes the folders of all files, and finds out that one cannot be written before a long look, not after it.
pub fn prepare<'a>(outputs: impl IntoIterator<Item = &'a Output>) -> Result<(), Failure> {
    for path in outputs.into_iter().filter_map(|output| output.path.as_deref()) {
        if path.is_dir() {
            return Err(Failure::help(format!("{} is a folder", path.display()), "name a file in it"));
        }
        if is_special(path) {
            continue;
        }
        let beside = beside(path);
        make_folder(path)
            .and_then(|()| std::fs::write(&beside, b""))
            .and_then(|()| std::fs::remove_file(&beside))
            .map_err(|error| unwritable(path, &error))?;
    }
    Ok(())
}

/// Writes a file whole or not at all: beside it first, then in its place.
pub fn write_file(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let failed = |error: std::io::Error| unwritable(path, &error);
    if is_special(path) {
        return std::fs::write(path, bytes).map_err(failed);
    }
    let beside = beside(path);
    make_folder(path).and_then(|()| std::fs::write(&beside, bytes)).map_err(failed)?;
    std::fs::rename(&beside, path).map_err(|error| {
        let _ = std::fs::remove_file(&beside);
        failed(error)
    })
}

/// A pipe or a device, which is written as it is.
fn is_special(path: &Path) -> bool {
    path.exists() && !path.is_file()
}

/// The name under which a file is written until it is whole.
fn beside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.part", std::process::id()));
    path.with_file_name(name)
}

fn make_folder(path: &Path) -> std::io::Result<()> {
    path.parent().map_or(Ok(()), std::fs::create_dir_all)
}

fn unwritable(path: &Path, error: &std::io::Error) -> Failure {
    let help = "name a file in a folder that you may write to";
    Failure::help(format!("{} cannot be written: {}", path.display(), cause(error)), help)
}

/// What the system says, without its number.
pub fn cause(error: &std::io::Error) -> String {
    let words = error.to_string();
    let words = words.split(" (os error").next().unwrap_or_default();
    words.chars().take(1).flat_map(char::to_lowercase).chain(words.chars().skip(1)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_are_a_format_and_perhaps_a_path() {
        let html = Output { format: Format::Html, path: Some("a=b.html".into()) };
        assert_eq!("html=a=b.html".parse(), Ok(html));
        assert_eq!("json".parse(), Ok(Output { format: Format::Json, path: None }));
        assert_eq!("json=-".parse(), Ok(Output { format: Format::Json, path: None }));
        assert!("docx=x".parse::<Output>().unwrap_err().contains("table, json, html, junit, sarif"));
        assert!("html=".parse::<Output>().unwrap_err().contains("empty"));
    }
}
