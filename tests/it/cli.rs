//! The command line as its users meet it: help, errors, files, exit codes, Ctrl-C.

use crate::support::{Scratch, free_port, probity};
use assert_cmd::assert::Assert;
use serde_json::Value;
use std::io::Read as _;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const COMMANDS: &[&str] = &[
    "scan",
    "collect",
    "evaluate",
    "retention",
    "doctor",
    "waiver",
    "prove",
    "demo",
    "check",
    "init",
    "schema",
    "completions",
    "man",
];

/// Runs it and gives its exit code, standard output and standard error.
fn run(arguments: &[&str]) -> (i32, String, String) {
    let assert: Assert = probity().args(arguments).timeout(Duration::from_secs(120)).assert();
    let output = assert.get_output();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// What `collect` saw of a port at which nothing listens.
fn evidence(scratch: &Scratch) -> PathBuf {
    let file = scratch.path().join("seen.json");
    let target = format!("127.0.0.1:{}", free_port());
    let (code, _, errors) = run(&["collect", &target, "-q", "-o", &format!("json={}", file.display())]);
    assert_eq!(code, 0, "{errors}");
    file
}

#[test]
fn help_begins_with_a_sentence_and_shows_examples() {
    for command in COMMANDS {
        let (code, help, errors) = run(&[command, "--help"]);
        assert_eq!(code, 0, "{command}: {errors}");
        let first = help.lines().next().unwrap();
        assert!(first.chars().next().unwrap().is_uppercase() && first.len() > 20, "{command}: {first}");
        let (examples, options) = (help.find("Examples:"), help.find("-h, --help"));
        assert!(examples.is_some() && examples < options, "{command} does not begin with examples");
        assert!(help.contains(&format!("probity {command}")), "{command} does not show itself");
        assert!(!help.contains('!'), "{command} shouts");
    }
    let (code, help, _) = run(&["--help"]);
    assert_eq!(code, 0);
    for command in COMMANDS {
        assert!(help.contains(&format!("\n  {command} ")), "--help does not name {command}");
    }
    assert!(help.contains("Exit codes:"));
}

/// The help of every command, as README.md shows it.
fn help_page() -> String {
    let mut page = format!("\n```text\n{}```\n", run(&["--help"]).1);
    for command in COMMANDS {
        let help = run(&[command, "--help"]).1;
        page.push_str(&format!(
            "\n<details><summary><code>probity {command}</code></summary>\n\n```text\n{help}```\n\n"
        ));
        page.push_str("</details>\n");
    }
    page.push('\n');
    // Lines of a page have no blanks at their ends.
    page.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

#[test]
fn the_help_in_the_readme_is_fresh() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
    let readme = std::fs::read_to_string(file).unwrap();
    let start = readme.find("<!-- help:").unwrap();
    let start = start + readme[start..].find('\n').unwrap() + 1;
    let end = readme.find("<!-- /help -->").unwrap();
    let page = help_page();
    if std::env::var_os("PROBITY_UPDATE").is_some() {
        std::fs::write(file, format!("{}{page}{}", &readme[..start], &readme[end..])).unwrap();
        return;
    }
    assert!(readme[start..end] == page, "README.md is stale: run `PROBITY_UPDATE=1 cargo test --test it help`");
}

#[test]
fn the_version_is_that_of_the_package() {
    assert_eq!(run(&["--version"]), (0, format!("probity {}\n", env!("CARGO_PKG_VERSION")), String::new()));
}

#[test]
fn mistakes_of_usage_end_with_two_and_say_what_to_do() {
    for (arguments, words) in [
        (vec!["scan"], "there is nothing to look at"),
        (vec!["scan", "shop.example", "-o", "docx=x"], "table, json, html, junit, sarif"),
        (vec!["scan", "shop.example", "--fail-on", "grave"], "info, low, medium, high and critical"),
        (vec!["scan", "shop.example", "-c", "x.yaml"], "targets stand either on the command line"),
        (vec!["scan", "-c", "/nonexistent/probity.yaml"], "/nonexistent/probity.yaml"),
        (vec!["scan", "shop.example", "--no-such-option"], "--no-such-option"),
        (vec!["scan", "postgres://db.example/app"], "database"),
        (vec!["evaluate", "/nonexistent/seen.json"], "probity collect"),
        (vec!["collect", "shop.example", "-o", "html=x.html"], "JSON"),
        (vec!["check", "show", "tls.grad"], "tls.grade"),
        (vec!["check", "test", "/nonexistent"], "/nonexistent"),
        (vec!["nonsense"], "nonsense"),
    ] {
        let (code, out, errors) = run(&arguments);
        assert_eq!(code, 2, "{arguments:?}: {out}{errors}");
        // Words may be broken over lines by the width of the terminal.
        let squeezed = errors.split(|c: char| c.is_whitespace() || c == '│').filter(|w| !w.is_empty());
        let squeezed = squeezed.collect::<Vec<_>>().join(" ");
        assert!(squeezed.contains(words), "{arguments:?} does not say `{words}`: {errors}");
        assert!(out.is_empty(), "{arguments:?} printed to standard output: {out}");
    }
}

#[test]
fn the_starting_configuration_is_read_and_never_overwritten() {
    let scratch = Scratch::new("cli-init");
    let file = scratch.path().join("probity.yaml");
    let host = format!("127.0.0.1:{}", free_port());
    let (code, out, errors) = run(&["init", &host, "-o", text(&file)]);
    assert_eq!((code, out.as_str()), (0, ""), "{errors}");
    assert!(errors.contains("probity scan -c"), "{errors}");

    // Nothing listens there, so that nothing can be judged: inconclusive, never passed.
    let report = scratch.path().join("report.json");
    let (code, out, errors) = run(&["scan", "-c", text(&file), "-o", &format!("json={}", report.display())]);
    assert_eq!(code, 3, "{out}{errors}");
    assert!(out.trim_end().lines().last().unwrap().contains("exit 3"), "the verdict does not stand last: {out}");
    let report: Value = serde_json::from_slice(&std::fs::read(&report).unwrap()).unwrap();
    assert!(report.is_object());

    let before = std::fs::read(&file).unwrap();
    let (code, _, errors) = run(&["init", "other.example", "-o", text(&file)]);
    assert_eq!(code, 2);
    assert!(errors.contains("--force"), "{errors}");
    assert_eq!(std::fs::read(&file).unwrap(), before);
    assert_eq!(run(&["init", "other.example", "-o", text(&file), "--force"]).0, 0);
    assert!(std::fs::read_to_string(&file).unwrap().contains("other.example"));
    assert!(run(&["init", "third.example", "-o", "-"]).1.contains("third.example"));
}

#[test]
fn a_report_may_go_into_a_new_folder_and_a_bad_path_is_told_before_the_look() {
    let scratch = Scratch::new("cli-folders");
    let target = format!("127.0.0.1:{}", free_port());
    let report = scratch.path().join("reports/today/report.json");
    assert_eq!(run(&["scan", &target, "-q", "-o", &format!("json={}", report.display())]).0, 3);
    assert!(report.is_file());
    let pages = scratch.path().join("man/pages");
    assert_eq!(run(&["man", text(&pages)]).0, 0);
    assert!(pages.join("probity-scan.1").is_file());

    // A listener that would see a look: none comes, since the mistake is found first.
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.set_nonblocking(true).unwrap();
    let target = listener.local_addr().unwrap().to_string();
    let bad = format!("html={}/x.html", report.display());
    for arguments in [["scan", &target, "-o", &bad], ["scan", &target, "-o", &format!("json={}", pages.display())]] {
        let (code, out, errors) = run(&arguments);
        assert_eq!((code, out.as_str()), (2, ""), "{errors}");
        assert!(errors.contains("cannot be written") || errors.contains("is a folder"), "{errors}");
        assert!(!errors.contains("os error"), "{errors}");
    }
    assert!(listener.accept().is_err(), "the target was looked at all the same");
}

#[test]
fn a_mistake_in_the_configuration_is_shown_at_its_place() {
    let scratch = Scratch::new("cli-mistake");
    let file =
        scratch.write("probity.yaml", "targets:\n  - id: api\n    kind: endpoint\n    adress: api.example:443\n");
    let (code, out, errors) = run(&["scan", "-c", text(&file)]);
    assert_eq!((code, out.as_str()), (2, ""));
    assert!(errors.contains("probity.yaml:4:") && errors.contains("adress"), "{errors}");
}

#[test]
fn schemas_are_schemas_and_the_written_report_fits_its_own() {
    for which in ["config", "assessment"] {
        let (code, out, errors) = run(&["schema", which]);
        assert_eq!(code, 0, "{errors}");
        let schema: Value = serde_json::from_str(&out).unwrap();
        assert!(jsonschema::meta::is_valid(&schema), "the schema of {which} is none");
    }
    let scratch = Scratch::new("cli-schema");
    let seen = evidence(&scratch);
    let (_, report, errors) = run(&["evaluate", text(&seen), "-o", "json"]);
    let schema: Value = serde_json::from_str(&run(&["schema", "assessment"]).1).unwrap();
    let report: Value = serde_json::from_str(&report).unwrap_or_else(|error| panic!("{error}: {errors}"));
    let validator = jsonschema::validator_for(&schema).unwrap();
    let wrong: Vec<String> = validator.iter_errors(&report).map(|error| error.to_string()).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn checks_are_listed_explained_and_tested() {
    let (code, list, errors) = run(&["check", "list"]);
    assert_eq!(code, 0, "{errors}");
    for id in ["tls.grade", "http.hsts", "db.at_rest", "vendor.dpa"] {
        assert!(list.contains(id), "{id} is not listed");
    }
    let (code, page, errors) = run(&["check", "show", "tls.protocols.legacy"]);
    assert_eq!(code, 0, "{errors}");
    for words in ["TLSv1.2", "openssl s_client", "ssl_protocols", "CC6.7", "RFC 8996", "rank(item.name)"] {
        assert!(page.contains(words), "the page lacks `{words}`: {page}");
    }
    let (code, out, errors) = run(&["check", "test"]);
    assert_eq!(code, 0, "{out}{errors}");
    assert!(out.contains(" 0 failed"), "{out}");
}

/// A check of a user's own: the example of README.md, which must work as it stands there.
fn own_check() -> String {
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let start = readme.find("id: own.tls13_only").expect("README.md shows a check of one's own");
    let end = start + readme[start..].find("```").unwrap();
    readme[start..end].to_owned()
}

#[test]
fn a_check_of_ones_own_is_tested_and_judges() {
    let scratch = Scratch::new("cli-own");
    let seen = evidence(&scratch);
    scratch.write("ours/own/tls13_only.yaml", own_check());
    let ours = scratch.path().join("ours");
    let (code, out, errors) = run(&["check", "test", text(&ours)]);
    assert_eq!(code, 0, "{out}{errors}");
    assert!(out.starts_with("1 check"), "{out}");
    let (code, out, errors) = run(&["evaluate", text(&seen), "--checks", text(&ours), "-o", "json"]);
    assert_eq!(code, 3, "{errors}");
    assert!(out.contains("own.tls13_only"));

    // A test that does not hold fails the command.
    scratch.write("ours/own/tls13_only.yaml", own_check().replace("rule: item.name ==", "rule: item.name !="));
    let (code, out, _) = run(&["check", "test", text(&ours)]);
    assert_eq!(code, 1, "{out}");
    assert!(out.contains("FAIL"), "{out}");
}

#[test]
fn the_configuration_of_the_readme_is_read() {
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let start = readme.find("organisation:").expect("README.md shows a configuration");
    let example = &readme[start..start + readme[start..].find("```").unwrap()];
    let scratch = Scratch::new("cli-readme");
    let file = scratch.write("probity.yaml", example);
    for name in ["certs/internal-ca.pem", "retention.yaml", "register.yaml", "requests.yaml"] {
        let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/config");
        scratch.write(name, std::fs::read(Path::new(golden).join(name)).unwrap());
    }
    // What is in the lists is read when a target is looked at.
    for name in ["known-keys.txt", "log_list.json", "transport_security_state_static.json"] {
        scratch.write(&format!("lists/{name}"), "");
    }
    let read = |file: &Path| {
        if let Err(mistakes) = probity::target::load(file) {
            panic!("{}", mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"));
        }
    };
    read(&file);
    // Further targets stand by themselves.
    let blocks = readme.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next());
    let lists: Vec<&str> = blocks.filter(|block| block.starts_with("  - id: ")).collect();
    assert!(lists.len() >= 2, "{lists:?}");
    for list in lists {
        read(&scratch.write("probity.yaml", format!("targets:\n{list}")));
    }
}

#[test]
fn completions_and_manual_pages_come_from_the_same_definition() {
    for shell in ["bash", "zsh", "fish"] {
        let (code, out, errors) = run(&["completions", shell]);
        assert_eq!(code, 0, "{errors}");
        assert!(out.contains("evaluate"), "{shell}");
    }
    let scratch = Scratch::new("cli-man");
    let (code, _, errors) = run(&["man", text(scratch.path())]);
    assert_eq!(code, 0, "{errors}");
    assert!(std::fs::read_to_string(scratch.path().join("probity-scan.1")).unwrap().contains("fail"));
}

#[test]
fn the_same_evidence_is_judged_to_the_same_bytes() {
    let scratch = Scratch::new("cli-again");
    let seen = evidence(&scratch);
    for format in ["json", "html", "junit", "sarif", "table"] {
        let first = run(&["evaluate", text(&seen), "-o", format]);
        let second = run(&["evaluate", text(&seen), "-o", format]);
        assert_eq!(first.0, 3, "{format}: {}", first.2);
        assert!(!first.1.is_empty(), "{format} is empty");
        assert_eq!(first.1, second.1, "{format} differs between two runs");
    }
}

#[test]
fn evidence_that_was_changed_is_refused() {
    let scratch = Scratch::new("cli-tampered");
    let seen = evidence(&scratch);
    let original = std::fs::read_to_string(&seen).unwrap();
    let changed = original.replacen("\"status\": \"failed\"", "\"status\": \"complete\"", 1);
    assert_ne!(changed, original);
    std::fs::write(&seen, changed).unwrap();
    let (code, out, errors) = run(&["evaluate", text(&seen)]);
    assert_eq!((code, out.as_str()), (2, ""));
    assert!(errors.contains("was changed"), "{errors}");
    for broken in ["", "{}", "[1", "{\"schema\": \"probity.observations/9\"}"] {
        std::fs::write(&seen, broken).unwrap();
        assert_eq!(run(&["evaluate", text(&seen)]).0, 2, "{broken}");
    }
}

#[cfg(unix)]
#[test]
fn an_interrupt_ends_a_scan_with_a_report() {
    let scratch = Scratch::new("cli-interrupt");
    // It takes the connection and never says a word.
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = silent.local_addr().unwrap().port();
    let report = scratch.path().join("report.json");
    let mut scan = Command::new(env!("CARGO_BIN_EXE_probity"))
        .env_clear()
        .args(["scan", &format!("127.0.0.1:{port}"), "-o", &format!("json={}", report.display())])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let connection = silent.accept().unwrap();
    assert!(crate::support::signal(scan.id(), "INT"));
    let asked = Instant::now();
    let status = scan.wait().unwrap();
    let mut errors = String::new();
    scan.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
    assert_eq!(status.code(), Some(130), "{errors}");
    assert!(asked.elapsed() < Duration::from_secs(10), "it took {:?}", asked.elapsed());
    let report = std::fs::read_to_string(&report).unwrap();
    assert!(report.contains("\"interrupted\": true"), "{report}");
    drop(connection);
}
