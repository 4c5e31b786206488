//! The shape of the project: rooms and ranks, sizes, entries of the top level, and a fuzz entry for every parser.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The rooms by rank, as `src/README.md` lists them. A room uses only rooms of a lower rank.
const RANKS: &[&[&str]] = &[
    &["model", "yaml"],
    &["catalogue", "target", "wire"],
    &["net"],
    &["check", "collect", "demo"],
    &["finding"],
    &["control"],
    &["gate", "report", "store"],
    &["worker"],
    &["cli"],
];

/// What a room must not use although the rank would let it.
const FORBIDDEN: &[(&str, &[&str])] = &[
    ("finding", &["net", "collect"]),
    ("control", &["net", "collect"]),
    ("gate", &["net", "collect"]),
    ("report", &["net", "collect", "check"]),
    ("store", &["net", "collect", "report"]),
];

/// The demonstration is used by the command line and by nobody else.
const ONLY_IN_CLI: &str = "demo";

/// Rooms that may hold asynchronous code; `cli` starts the runtime, and the demonstration listens.
const ASYNC: &[&str] = &["net", "collect", "worker", "demo", "cli"];

/// What may stand at the top, as the repository holds it.
const TOP: &[&str] = &[
    ".ci",
    ".clippy.toml",
    ".config",
    ".gitignore",
    ".justfile",
    ".rustfmt.toml",
    "CHANGELOG.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "README.md",
    "checks",
    "deny.toml",
    "reports",
    "src",
    "tests",
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every file under a folder whose name ends so, sorted, with its path from the root. An empty folder is a failure:
/// a walk that finds nothing examines nothing.
fn files(folder: &str, ending: &str) -> Vec<(String, String)> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        for path in entries.map(|entry| entry.unwrap().path()) {
            // What a fuzzer built is no part of the project.
            if path.ends_with("fuzz/target") || path.ends_with("fuzz/artifacts") || path.ends_with("fuzz/corpus") {
                continue;
            }
            if path.is_dir() { walk(&path, found) } else { found.push(path) }
        }
    }
    let mut paths = Vec::new();
    walk(&root().join(folder), &mut paths);
    paths.sort();
    let files: Vec<(String, String)> = paths
        .iter()
        .filter(|path| path.to_string_lossy().ends_with(ending))
        .map(|path| {
            let name = path.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
            (name, std::fs::read_to_string(path).unwrap())
        })
        .collect();
    assert!(!files.is_empty(), "there is no {ending} file under {folder}");
    files
}

fn rank(room: &str) -> Option<usize> {
    RANKS.iter().position(|rooms| rooms.contains(&room))
}

/// The room of a file under `src/`, or nothing for `lib.rs` and `main.rs`.
fn room(file: &str) -> Option<&str> {
    file.strip_prefix("src/")?.split_once('/').map(|(room, _)| room)
}

/// Rust with comments, strings and characters blanked, so that words in them are not taken for code.
fn bare(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let skipped = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if let Some(length) = raw_string(rest).filter(|_| !out.ends_with(is_word)) {
            length
        } else if first == '"' {
            quoted(rest, '"')
        } else if first == '\'' && is_character(rest) {
            quoted(rest, '\'')
        } else {
            out.push(first);
            rest = &rest[first.len_utf8()..];
            continue;
        };
        out.extend(rest[..skipped].chars().filter(|&c| c == '\n'));
        out.push(' ');
        rest = &rest[skipped..];
    }
    out
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The length of the raw string that starts here.
fn raw_string(text: &str) -> Option<usize> {
    let after = text.strip_prefix('r').or_else(|| text.strip_prefix("br"))?;
    let hashes = after.len() - after.trim_start_matches('#').len();
    after[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let start = text.len() - after.len() + hashes + 1;
    text[start..].find(&end).map(|at| start + at + end.len())
}

/// A quote that starts a character, not a lifetime.
fn is_character(text: &str) -> bool {
    let mut chars = text.chars().skip(1);
    matches!((chars.next(), chars.next()), (Some('\\'), _) | (Some(_), Some('\'')))
}

fn quoted(text: &str, end: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == end => return at + c.len_utf8(),
            _ => {}
        }
    }
    text.len()
}

/// The code of a file without its unit tests, which stand last.
fn without_tests(text: &str) -> &str {
    text.find("\n#[cfg(test)]").map_or(text, |at| &text[..at])
}

fn is_test_file(file: &str) -> bool {
    file.ends_with("/tests.rs") || file.contains("/tests/")
}

/// The rooms that code names behind `crate::`, in a path or in a list.
fn named_rooms(code: &str) -> BTreeSet<String> {
    let mut rooms = BTreeSet::new();
    for (at, found) in code.match_indices("crate::") {
        if code[..at].ends_with(is_word) {
            continue;
        }
        let after = code[at + found.len()..].trim_start();
        match after.strip_prefix('{') {
            Some(list) => rooms.extend(first_words(list)),
            None => rooms.extend(word(after)),
        }
    }
    rooms
}

fn word(text: &str) -> Option<String> {
    let word: String = text.trim_start().chars().take_while(|&c| is_word(c)).collect();
    (!word.is_empty()).then_some(word)
}

/// The first word of each member of a list, up to its closing brace.
fn first_words(list: &str) -> Vec<String> {
    let mut depth = 0_i32;
    let mut words: Vec<String> = word(list).into_iter().collect();
    for (at, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => words.extend(word(&list[at + 1..])),
            _ => {}
        }
    }
    words
}

/// How many `super` a file may write before it has left its room.
fn levels(file: &str) -> usize {
    let inside = file.trim_start_matches("src/").trim_end_matches(".rs").trim_end_matches("/mod");
    inside.split('/').count()
}

/// The longest chain of `super::`.
fn supers(code: &str) -> usize {
    let squeezed: String = code.split_whitespace().collect::<Vec<_>>().join(" ");
    (1..20).take_while(|&n| squeezed.contains(&"super::".repeat(n))).last().unwrap_or(0)
}

#[test]
fn the_reader_of_code_sees_paths_and_no_words() {
    let text = "use crate::{gate::{Exit, A}, target};\n// crate::wire\nlet a = \"crate::net\"; crate :: x; let c = '\"'; \
                fn f<'a>(x: crate::model::Target) { r#\"crate::cli \" \"#; b'\\''; crate::check::run() }";
    let rooms: Vec<String> = named_rooms(&bare(text)).into_iter().collect();
    assert_eq!(rooms, ["check", "gate", "model", "target"]);
    assert_eq!(levels("src/wire/mod.rs"), 1);
    assert_eq!(levels("src/collect/tls/facts.rs"), 3);
    assert_eq!(supers("use super::super::a; super::b"), 2);
}

#[test]
fn a_room_uses_only_rooms_of_a_lower_rank() {
    let mut wrong = Vec::new();
    let mut uses = 0;
    for (file, text) in files("src", ".rs") {
        let Some(own) = room(&file) else { continue };
        let own_rank = rank(own).unwrap_or_else(|| panic!("{file} stands in a room without a rank"));
        let code = bare(&text);
        for other in named_rooms(&code).iter().filter(|other| *other != own) {
            uses += 1;
            let Some(other_rank) = rank(other) else {
                wrong.push(format!("{file} uses `crate::{other}`, which is no room"));
                continue;
            };
            if other_rank >= own_rank {
                wrong.push(format!("{file} uses `{other}` of rank {other_rank}, and its own is {own_rank}"));
            }
            if FORBIDDEN.iter().any(|(room, not)| *room == own && not.contains(&other.as_str())) {
                wrong.push(format!("{file} uses `{other}`, which `{own}` must not know"));
            }
            if other == ONLY_IN_CLI && own != "cli" {
                wrong.push(format!("{file} uses `{other}`, which is for the command line alone"));
            }
        }
        // Unit tests stand one level deeper in a module of their own.
        if supers(&bare(without_tests(&text))) >= levels(&file) {
            wrong.push(format!("{file} leaves its room by `super`; name the room behind `crate::`"));
        }
    }
    assert!(uses > 100, "only {uses} uses of other rooms were seen: the reader of code is broken");
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn the_library_lists_every_room_in_the_order_of_ranks() {
    let text = std::fs::read_to_string(root().join("src/lib.rs")).unwrap();
    let mut listed: Vec<(usize, String)> = Vec::new();
    let mut stated = None;
    for line in text.lines() {
        if let Some(number) = line.strip_prefix("// rank ") {
            stated = Some(number.parse::<usize>().unwrap());
        }
        if let Some(name) = line.strip_prefix("pub mod ").and_then(|rest| rest.strip_suffix(';')) {
            assert_eq!(rank(name), stated, "the room `{name}` stands under the wrong rank");
            listed.push((stated.unwrap(), name.to_owned()));
        }
    }
    let ranks: Vec<usize> = listed.iter().map(|(rank, _)| *rank).collect();
    assert!(ranks.is_sorted(), "the rooms are not in the order of their ranks: {listed:?}");

    let known: BTreeSet<&str> = RANKS.iter().flat_map(|rooms| rooms.iter().copied()).collect();
    assert_eq!(listed.iter().map(|(_, name)| name.as_str()).collect::<BTreeSet<_>>(), known);
    let folders: BTreeSet<String> =
        files("src", ".rs").iter().filter_map(|(file, _)| room(file)).map(str::to_owned).collect();
    assert_eq!(folders.iter().map(String::as_str).collect::<BTreeSet<_>>(), known, "a room is a folder");
}

#[test]
fn files_stay_small() {
    let mut sizes: Vec<(usize, String)> = files("src", ".rs")
        .into_iter()
        .filter(|(file, _)| !is_test_file(file))
        .map(|(file, text)| (without_tests(&text).lines().count(), file))
        .collect();
    sizes.sort();
    sizes.reverse();
    let huge: Vec<_> = sizes.iter().filter(|(lines, _)| *lines > 600).collect();
    assert!(huge.is_empty(), "over 600 lines, to be split by noun: {huge:?}");
    let large: Vec<_> = sizes.iter().filter(|(lines, _)| *lines > 400).collect();
    assert!(large.len() * 10 <= sizes.len(), "more than one file in ten is over 400 lines: {large:?}");

    let main = std::fs::read_to_string(root().join("src/main.rs")).unwrap();
    assert!(main.lines().count() < 20, "main.rs holds logic");
}

#[test]
fn nothing_is_switched_off_in_silence() {
    let mut wrong = Vec::new();
    for folder in ["src", "tests"] {
        for (file, text) in files(folder, ".rs") {
            let code = bare(&text);
            let squeezed: String = code.chars().filter(|c| !c.is_whitespace()).collect();
            if squeezed.contains("#[allow(") || squeezed.contains("#![allow(") {
                wrong.push(format!("{file} allows a lint; expect it, with a reason"));
            }
            if squeezed.contains("#[ignore]") {
                wrong.push(format!("{file} ignores a test without a reason"));
            }
            if code.contains("unsafe ") {
                wrong.push(format!("{file} has unsafe code"));
            }
            if folder == "src" {
                wrong.extend(in_the_wrong_room(&file, &text));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// Printing and asynchronous code outside their rooms.
fn in_the_wrong_room(file: &str, text: &str) -> Vec<String> {
    let Some(own) = room(file).filter(|_| !is_test_file(file)) else { return Vec::new() };
    let code = bare(without_tests(text));
    let mut wrong = Vec::new();
    if own != "cli" && ["print!", "println!", "dbg!"].iter().any(|name| code.contains(name)) {
        wrong.push(format!("{file} prints, which is for the command line alone"));
    }
    let is_async = ["async fn", "async move", "async {", "tokio::"].iter().any(|word| code.contains(word));
    if is_async && !ASYNC.contains(&own) {
        wrong.push(format!("{file} is asynchronous"));
    }
    wrong
}

#[test]
fn public_items_have_a_purpose_and_files_begin_with_theirs() {
    let without: Vec<String> = files("src", ".rs")
        .into_iter()
        .filter(|(file, text)| !is_test_file(file) && !text.starts_with("//!"))
        .map(|(file, _)| file)
        .collect();
    assert!(without.is_empty(), "these files do not say what they are for: {without:?}");

    let vague = ["util", "utils", "helper", "helpers", "common", "misc"];
    for (file, _) in files("src", "") {
        let stem = Path::new(&file).file_stem().unwrap().to_string_lossy().into_owned();
        assert!(!vague.contains(&stem.as_str()), "{file} names no noun");
    }
}

#[test]
fn the_top_level_holds_only_what_belongs_there() {
    let listed = std::process::Command::new("git").args(["ls-files"]).current_dir(root()).output();
    let held: BTreeSet<String> = match listed {
        Ok(output) if output.status.success() && !output.stdout.is_empty() => String::from_utf8_lossy(&output.stdout)
            .lines()
            .map(|line| line.split('/').next().unwrap_or_default().to_owned())
            .collect(),
        // An unpacked archive: what a build or a run leaves is no part of it.
        _ => std::fs::read_dir(root())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .filter(|name| !["target", ".git", ".probity", "probity-demo.html"].contains(&name.as_str()))
            .collect(),
    };
    assert!(held.len() > 5, "the top level was not read: {held:?}");
    let allowed: BTreeSet<String> = TOP.iter().map(|name| (*name).to_owned()).collect();
    let strange: Vec<_> = held.difference(&allowed).collect();
    assert!(strange.is_empty(), "these do not belong at the top level: {strange:?}");
    for name in TOP {
        assert!(root().join(name).exists(), "{name} is missing");
    }
}

#[test]
fn files_speak_of_the_project_alone() {
    let mut wrong = Vec::new();
    let mut texts = files("src", ".rs");
    texts.extend(files("checks", ".yaml"));
    texts.extend(files("checks", ".md"));
    texts.extend(files("tests/it", ".rs"));
    for name in ["README.md", "CHANGELOG.md", ".justfile", ".ci/run", "tests/run", "Cargo.toml", "src/README.md"] {
        texts.push((name.to_owned(), std::fs::read_to_string(root().join(name)).unwrap()));
    }
    for (file, text) in texts.iter().filter(|(file, _)| file != "tests/it/architecture.rs") {
        for (number, line) in text.lines().enumerate() {
            // A word of the format of calendars.
            let line = line.replace("VTODO", "");
            let found = ["/work/", "/home/", "/tmp/wt", "TODO", "FIXME", "issue #", "pull request #"]
                .into_iter()
                .find(|words| line.contains(words));
            if let Some(words) = found {
                wrong.push(format!("{file}:{}: `{words}`", number + 1));
            }
        }
        // The word is a verdict that nobody but an auditor gives.
        if !file.starts_with("tests/") && text.to_lowercase().contains("compliant") {
            wrong.push(format!("{file} calls something compliant"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn the_changelog_names_every_check() {
    let changelog = std::fs::read_to_string(root().join("CHANGELOG.md")).unwrap();
    let catalogue = probity::catalogue::Catalogue::built_in().unwrap_or_else(|_| panic!("the catalogue does not load"));
    let missed: Vec<_> = catalogue.checks().keys().filter(|id| !changelog.contains(&format!("`{id}`"))).collect();
    assert!(missed.is_empty(), "verdicts move with checks, and CHANGELOG.md does not name {missed:?}");
}

/// The fuzz entries of the library: public functions that take bytes and give nothing.
fn fuzz_entries() -> BTreeSet<String> {
    let mut entries = BTreeSet::new();
    for (file, text) in files("src", ".rs") {
        let inside = file.trim_start_matches("src/").trim_end_matches(".rs").trim_end_matches("/mod");
        let path = inside.replace('/', "::");
        for line in bare(without_tests(&text)).lines() {
            let Some(rest) = line.strip_prefix("pub fn ") else { continue };
            let Some((name, _)) = rest.split_once("(data: &[u8]) {") else { continue };
            if path.ends_with("::fuzz") || name == "fuzz" {
                entries.insert(format!("probity::{path}::{name}"));
            }
        }
    }
    assert!(entries.len() >= 10, "{entries:?}");
    entries
}

#[test]
fn every_fuzz_entry_has_a_target_and_every_target_has_seeds() {
    let manifest = std::fs::read_to_string(root().join("tests/fuzz/Cargo.toml")).unwrap();
    let replay = std::fs::read_to_string(root().join("tests/it/corpus.rs")).unwrap();
    let targets: BTreeMap<String, String> = files("tests/fuzz/targets", ".rs")
        .into_iter()
        .map(|(file, text)| (Path::new(&file).file_stem().unwrap().to_string_lossy().into_owned(), text))
        .collect();
    for entry in fuzz_entries() {
        let named = targets.values().filter(|text| text.contains(&format!("{entry}(data)"))).count();
        assert_eq!(named, 1, "{entry} is not driven by one file of tests/fuzz/targets");
    }
    for (name, text) in &targets {
        assert!(manifest.contains(&format!("path = \"targets/{name}.rs\"")), "tests/fuzz/Cargo.toml lacks {name}");
        assert!(replay.contains(&format!("(\"{name}\",")), "tests/it/corpus.rs does not replay {name}");
        assert!(text.contains("(data)"), "{name} drives nothing");
    }
    assert_eq!(manifest.matches("[[bin]]").count(), targets.len(), "tests/fuzz/Cargo.toml names a target without file");
}

#[test]
fn every_parser_of_the_wire_is_reached_by_a_fuzz_entry() {
    let sources: BTreeMap<String, String> = files("src/wire", ".rs")
        .into_iter()
        .map(|(file, text)| {
            let stem = Path::new(&file).file_stem().unwrap().to_string_lossy().into_owned();
            (stem, bare(without_tests(&text)))
        })
        .collect();
    let mut reached = BTreeSet::from(["fuzz".to_owned()]);
    let mut waiting = vec!["fuzz".to_owned()];
    while let Some(name) = waiting.pop() {
        for (other, text) in &sources {
            if !reached.contains(other) && mentions(&sources[&name], other, text) {
                reached.insert(other.clone());
                waiting.push(other.clone());
            }
        }
    }
    let parsers: Vec<&String> = sources
        .iter()
        .filter(|(_, text)| ["fn parse", "fn read", "fn push"].iter().any(|name| text.contains(name)))
        .map(|(name, _)| name)
        .collect();
    assert!(parsers.len() >= 8, "{parsers:?}");
    let missed: Vec<_> = parsers.iter().filter(|name| !reached.contains(**name)).collect();
    assert!(missed.is_empty(), "no fuzz entry reaches the parsers in {missed:?}");
}

/// True where code names a file's module, or a public type of it.
fn mentions(code: &str, module: &str, text: &str) -> bool {
    let types = text.lines().filter_map(|line| {
        let rest = line.strip_prefix("pub struct ").or_else(|| line.strip_prefix("pub enum "))?;
        word(rest)
    });
    let names: Vec<String> = types.chain([module.to_owned()]).collect();
    code.split(|c: char| !is_word(c)).any(|w| names.iter().any(|name| name == w))
}
