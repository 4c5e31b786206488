//! Runs a program under `time`, and reads what other scanners print.

use crate::support::Scratch;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

/// What a run took.
pub struct Spent {
    /// Wall time.
    pub seconds: f64,
    /// User and system time of it and its children.
    pub cpu: f64,
    /// The most memory that one process of it had at once, in MB.
    pub memory: f64,
    /// What it printed.
    pub out: String,
}

/// Runs this to its end.
pub fn run(scratch: &Scratch, program: &Path, arguments: &[String]) -> Spent {
    let file = scratch.path().join("time");
    let begin = Instant::now();
    let output = Command::new("/usr/bin/time")
        .args(["-q", "-f", "%U %S %M", "-o"])
        .arg(&file)
        .arg(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .unwrap();
    let seconds = begin.elapsed().as_secs_f64();
    let text = std::fs::read_to_string(&file).unwrap_or_default();
    let numbers: Vec<f64> = text.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let [user, system, kilobytes] = numbers.as_slice() else { panic!("/usr/bin/time said {text:?}") };
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    Spent { seconds, cpu: user + system, memory: kilobytes / 1000.0, out }
}

/// Where a program is, if it is installed.
pub fn find(names: &[&str]) -> Option<PathBuf> {
    let path = std::env::var("PATH").unwrap_or_default();
    let home = std::env::var("HOME").unwrap_or_default();
    let folders: Vec<PathBuf> =
        path.split(':').map(PathBuf::from).chain([Path::new(&home).join(".pyenv/shims")]).collect();
    names.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name))).find(|file| file.is_file())
}

/// Suites per version, as nmap prints them.
pub fn nmap(out: &str) -> BTreeMap<String, usize> {
    let mut suites: BTreeMap<String, usize> = BTreeMap::new();
    let mut version = None;
    for line in out.lines().map(|line| line.trim_start_matches(['|', '_', ' '])) {
        match line.strip_suffix(": ").or(line.strip_suffix(':')) {
            Some(name) if name.starts_with("TLSv") || name.starts_with("SSLv") => version = Some(name.to_owned()),
            _ => {}
        }
        if let Some(version) = version.as_ref().filter(|_| line.starts_with("TLS_") || line.starts_with("SSL_")) {
            *suites.entry(version.clone()).or_default() += 1;
        }
    }
    suites
}

/// Suites per version, as sslyze writes them.
pub fn sslyze(json: &str) -> BTreeMap<String, usize> {
    let names = [
        ("ssl_2_0", "SSLv2"),
        ("ssl_3_0", "SSLv3"),
        ("tls_1_0", "TLSv1.0"),
        ("tls_1_1", "TLSv1.1"),
        ("tls_1_2", "TLSv1.2"),
        ("tls_1_3", "TLSv1.3"),
    ];
    let value: serde_json::Value = serde_json::from_str(&without_long_numbers(json)).unwrap_or_default();
    let result = &value["server_scan_results"][0]["scan_result"];
    let count = |key: &str| {
        let accepted = &result[format!("{key}_cipher_suites")]["result"]["accepted_cipher_suites"];
        accepted.as_array().map_or(0, Vec::len)
    };
    names.iter().map(|(key, name)| ((*name).to_owned(), count(key))).filter(|(_, count)| *count > 0).collect()
}

/// The moduli of keys are numbers that no float holds.
fn without_long_numbers(json: &str) -> String {
    let mut rest = json;
    let mut kept = String::new();
    while let Some(at) = rest.find(|letter: char| letter.is_ascii_digit()) {
        let (before, from) = rest.split_at(at);
        let end = from.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(from.len());
        let (number, after) = from.split_at(end);
        kept.push_str(before);
        kept.push_str(if number.len() > 300 { "0" } else { number });
        rest = after;
    }
    kept + rest
}
