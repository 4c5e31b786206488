//! `checks/README.md`: the catalogue as a table, made from the catalogue itself.

use super::Catalogue;
use std::fmt::Write as _;

/// A function of the rule language, as the page shows it. The rule language itself is not known here.
pub struct FunctionDoc {
    /// How it is written.
    pub form: &'static str,
    /// What it gives.
    pub gives: &'static str,
    /// An expression that holds.
    pub example: &'static str,
}

/// The text of `checks/README.md`.
pub fn readme(catalogue: &Catalogue, functions: &[FunctionDoc]) -> String {
    let mut page = String::from(
        "# The catalogue\n\n\
         Made by `PROBITY_UPDATE=1 cargo test --test it catalogue`; do not edit.\n\n\
         A check is one file: its id with dots as slashes. It judges facts that collectors recorded; evidence that is \
         missing is never a pass.\n\n\
         | check | title | severity | subject | needs | SOC 2 |\n| --- | --- | --- | --- | --- | --- |\n",
    );
    for check in catalogue.checks().values().filter(|check| check.origin == super::BUILT_IN) {
        let controls: Vec<String> = catalogue
            .controls_of(&check.id)
            .iter()
            .filter_map(|control| control.strip_prefix("soc2:").map(str::to_owned))
            .collect();
        let _ = writeln!(
            page,
            "| [`{}`]({}.yaml) | {} | {} | {} | {} | {} |",
            check.id,
            check.id.replace('.', "/"),
            check.title.replace('|', "\\|"),
            check.severity.word(),
            subject(check),
            check.needs.iter().map(|need| format!("`{need}`")).collect::<Vec<_>>().join(" "),
            controls.join(" "),
        );
    }
    page.push_str(
        "\n## The rule language\n\n\
         Rules are written in CEL, the language of Kubernetes admission rules. An expression sees the kinds that the \
         check `needs`, `params`, `item` where there is `each`, and the date `as_of` (`as_of_time` is the instant). Lists \
         are gone over with `all`, `exists`, `exists_one`, `filter` and `map`, at most two within each other. There is no \
         `has()` and no computed index: a fact that may be absent is recorded with a boolean.\n\n\
         | function | gives | example, which is true |\n| --- | --- | --- |\n",
    );
    for function in functions {
        let cell = |text: &str| text.replace('|', "\\|");
        let _ = writeln!(page, "| `{}` | {} | `{}` |", function.form, cell(function.gives), cell(function.example));
    }
    page.push_str(
        "\n## Control frameworks\n\n| framework | edition | controls | checks mapped |\n| --- | --- | --- | --- |\n",
    );
    for framework in catalogue.frameworks().values() {
        let _ = writeln!(
            page,
            "| [`{}`](controls/{}.yaml) {} | {} | {} | {} |",
            framework.id,
            framework.id,
            framework.name,
            framework.edition,
            framework.controls.len(),
            framework.checks.len(),
        );
    }
    page
}

fn subject(check: &crate::model::Check) -> &'static str {
    use crate::model::check::Subject;
    match check.subject {
        Subject::Endpoint => "endpoint",
        Subject::Upgrade => "upgrade",
        Subject::Database => "database",
        Subject::Managed => "database, cloud",
        Subject::Store => "database, bucket",
        Subject::Objects => "bucket, cloud",
        Subject::Cloud => "cloud",
        Subject::Domain => "domain",
        Subject::Host => "host",
        Subject::Register => "register",
        Subject::Requests => "requests",
        Subject::Erasure => "erasure",
        Subject::Export => "export",
    }
}
