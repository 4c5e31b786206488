//! `check`: the catalogue, for reading and for testing checks of one's own.

use super::{Ending, Failure, output};
use crate::catalogue::Catalogue;
use crate::check::{Engine, test};
use crate::gate::Exit;
use crate::model::check::Check as Definition;
use crate::model::policy::Judging;
use crate::report::text::escape;
use crate::target;
use clap::{Args, Subcommand};
use comfy_table::{ContentArrangement, Table, presets};
use std::fmt::Write as _;
use std::path::PathBuf;

/// List, explain and test checks
#[derive(Args)]
#[command(after_help = "\
Examples:
  probity check list
  probity check show tls.grade
  probity check test our-checks/")]
pub struct Check {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// List every check
    List(List),
    /// Explain a check: why, the rule, how to repeat it, how to fix it
    Show(Show),
    /// Run the tests that checks carry
    Test(Test),
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  probity check list
  probity check list --checks our-checks/")]
struct List {
    /// A folder with checks of your own
    #[arg(long, value_name = "DIR")]
    checks: Option<PathBuf>,
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  probity check show tls.protocols.legacy
  probity check show tls.grade -c probity.yaml    with the parameters set there")]
struct Show {
    /// The check's id
    id: String,
    /// Show the parameters as this configuration sets them
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// A folder with checks of your own
    #[arg(long, value_name = "DIR")]
    checks: Option<PathBuf>,
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  probity check test
  probity check test our-checks/")]
struct Test {
    /// A folder with checks of your own; the built-in ones where none is given
    folder: Option<PathBuf>,
}

fn catalogue(folder: Option<&PathBuf>) -> Result<Catalogue, Failure> {
    Ok(match folder {
        Some(folder) => Catalogue::with_folder(folder)?,
        None => Catalogue::built_in()?,
    })
}

impl Check {
    /// Runs the command.
    pub fn run(self) -> Ending {
        match self.command {
            Command::List(list) => list.run(),
            Command::Show(show) => show.run(),
            Command::Test(test) => test.run(),
        }
    }
}

impl List {
    fn run(self) -> Ending {
        let catalogue = catalogue(self.checks.as_ref())?;
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
        table.set_header(["id", "severity", "title", "SOC 2"]);
        for check in catalogue.checks().values() {
            let controls = catalogue.controls_of(&check.id);
            let soc2: Vec<&str> = controls.iter().filter_map(|id| id.strip_prefix("soc2:")).collect();
            table.add_row([
                escape(&check.id).to_string(),
                check.severity.word().to_owned(),
                escape(&check.title).to_string(),
                soc2.join(" "),
            ]);
        }
        let count = catalogue.checks().len();
        let text = format!("{}\n\n{count} checks; `probity check show ID` explains one\n", table.trim_fmt());
        output::print(text.as_bytes())?;
        Ok(Exit::Passed.code())
    }
}

impl Show {
    fn run(self) -> Ending {
        let catalogue = catalogue(self.checks.as_ref())?;
        let judging = match &self.config {
            Some(file) => target::load(file)?.judging,
            None => Judging::default(),
        };
        let Some(check) = catalogue.check(&self.id) else {
            let known = catalogue.checks().keys().map(String::as_str);
            let help = match crate::yaml::nearest(&self.id, known) {
                Some(near) => format!("did you mean `{near}`? `probity check list` names all"),
                None => "`probity check list` names all".to_owned(),
            };
            return Err(Failure::help(format!("there is no check `{}`", self.id), help));
        };
        output::print(page(check, &judging, &catalogue.controls_of(&check.id)).as_bytes())?;
        Ok(Exit::Passed.code())
    }
}

/// What people read about one check.
fn page(check: &Definition, judging: &Judging, controls: &[String]) -> String {
    let overlay = judging.checks.get(&check.id);
    let severity = overlay.and_then(|overlay| overlay.severity).unwrap_or(check.severity);
    let mut page = String::new();
    let mut line = |text: &str| {
        let _ = writeln!(page, "{}", text.trim_end());
    };
    line(&format!("{}  {}", check.id, check.title));
    line(&format!("severity {} · version {} · {}", severity.word(), check.version, check.origin));
    if let Some(reason) = overlay.filter(|overlay| overlay.enabled == Some(false)).and_then(|o| o.reason.as_ref()) {
        line(&format!("off: {reason}"));
    }
    let mut section = |title: &str, text: &str| {
        let text = text.trim();
        if !text.is_empty() {
            let _ = writeln!(page, "\n{title}");
            for paragraph in text.lines() {
                for part in wrapped(paragraph, 90) {
                    let _ = writeln!(page, "  {part}");
                }
            }
        }
    };
    section("Why", &check.docs.why);
    let mut rule = format!("needs {}\n", check.needs.join(", "));
    if let Some(applies) = &check.applies {
        let _ = writeln!(rule, "applies when {}", applies.when);
    }
    if let Some(each) = &check.each {
        let _ = writeln!(rule, "each of {each}");
    }
    let _ = write!(rule, "{}", check.rule);
    section("Rule", &rule);
    let mut params = String::new();
    for (name, param) in &check.params {
        let set = overlay.and_then(|overlay| overlay.params.get(name));
        let value = set.unwrap_or(&param.default);
        let origin = if set.is_some() { "set here" } else { "default" };
        let _ = writeln!(params, "{name} = {value} ({origin}) {}", param.help.as_deref().unwrap_or_default());
    }
    section("Parameters", &params);
    section("How an auditor repeats it", &check.docs.audit);
    section("How to fix it", &check.docs.remediation);
    section("What a pass does not establish", &check.docs.does_not_establish);
    section("Controls", &controls.join("  "));
    section("References", &check.docs.references.join("\n"));
    page.lines().map(|line| format!("{}\n", escape(line))).collect()
}

/// Breaks a paragraph at spaces. Continued lines keep the indent of the first.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let room = lines
            .last()
            .is_some_and(|line| line.is_empty() || line.chars().count() + 1 + word.chars().count() <= width);
        match lines.last_mut() {
            Some(line) if room => {
                if !line.is_empty() {
                    line.push(' ');
                }
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

impl Test {
    fn run(self) -> Ending {
        let mut catalogue = catalogue(self.folder.as_ref())?;
        // Rules are compiled first, so that a mistake is shown at its place.
        Engine::new(&catalogue, &Judging::default())?;
        if self.folder.is_some() {
            catalogue.keep(|check| check.origin != crate::catalogue::BUILT_IN);
        }
        let outcomes = test(&catalogue, None);
        let mut text = String::new();
        for outcome in outcomes.iter().filter(|outcome| !outcome.passed()) {
            let why = outcome.failure.as_deref().unwrap_or_default();
            let _ = writeln!(
                text,
                "FAIL  {}  {}: {}\n      {}",
                escape(&outcome.check),
                escape(&outcome.name),
                escape(why),
                escape(&outcome.file)
            );
        }
        let failed = outcomes.iter().filter(|outcome| !outcome.passed()).count();
        let checks = catalogue.checks().len();
        let _ = writeln!(text, "{checks} checks, {} tests passed, {failed} failed", outcomes.len() - failed);
        output::print(text.as_bytes())?;
        Ok(if failed == 0 { Exit::Passed } else { Exit::Failed }.code())
    }
}
