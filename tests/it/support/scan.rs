//! Scans by the whole command, watched for time and memory.

use super::Scratch;
use serde_json::Value;
use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// What a run gave.
pub struct Ran {
    pub code: Option<i32>,
    pub time: Duration,
    /// The most memory of its own that was seen, in KiB; the program's file is not counted.
    pub memory: u64,
    pub printed: String,
    pub report: Value,
}

impl Ran {
    /// The checks of a target with their statuses.
    pub fn statuses(&self, target: &str) -> Vec<(String, String)> {
        let results = self.report["results"].as_array().unwrap();
        let of = |result: &&Value| result["target"] == target;
        let word = |value: &Value| value.as_str().unwrap().to_owned();
        results.iter().filter(of).map(|result| (word(&result["check"]), word(&result["status"]))).collect()
    }
}

/// The command that scans what this configuration names, not started yet, with all its output to be read.
pub fn start(scratch: &Scratch, configuration: &str) -> Command {
    let file = scratch.write("probity.yaml", configuration);
    let mut command = Command::new(env!("CARGO_BIN_EXE_probity"));
    command.env_clear().env("NO_COLOR", "1").env("PATH", std::env::var("PATH").unwrap_or_default());
    command.env("PROBITY_TEST_PASSWORD", "canary-4711").arg("scan").arg("-c").arg(file);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Scans what this configuration names, and watches the process.
pub fn scan(scratch: &Scratch, configuration: &str, interrupt: Option<Duration>) -> Ran {
    let report = scratch.path().join("report.json");
    let mut command = start(scratch, configuration);
    command.arg("-o").arg("table").arg("-o").arg(format!("json={}", report.display()));
    watch(command, &report, interrupt)
}

/// Runs a command that writes this report, and watches the process.
pub fn watch(mut command: Command, report: &Path, interrupt: Option<Duration>) -> Ran {
    let mut begin = Instant::now();
    let mut child = command.spawn().unwrap();
    if interrupt.is_some() {
        super::wait_to_interrupt(child.id(), Duration::ZERO);
        begin = Instant::now();
    }
    let (mut out, mut err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let reader = std::thread::spawn(move || {
        let (mut bytes, mut more) = (Vec::new(), Vec::new());
        out.read_to_end(&mut bytes).unwrap();
        err.read_to_end(&mut more).unwrap();
        String::from_utf8_lossy(&[bytes, more].concat()).into_owned()
    });
    let (mut memory, mut asked) = (0, false);
    let status = loop {
        memory = memory.max(own_memory(child.id()));
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if interrupt.is_some_and(|after| begin.elapsed() > after) && !asked {
            asked = true;
            assert!(super::signal(child.id(), "INT"));
        }
        assert!(begin.elapsed() < Duration::from_secs(60), "the scan does not end");
        std::thread::sleep(Duration::from_millis(5));
    };
    let time = begin.elapsed();
    let printed = reader.join().unwrap();
    Ran { code: status.code(), time, memory, printed, report: json(report) }
}

fn json(file: &Path) -> Value {
    let text = std::fs::read_to_string(file).unwrap();
    assert!(!text.contains("canary-4711"), "a password is in a report");
    serde_json::from_str(&text).unwrap()
}

/// Memory of a process that is not backed by a file, in KiB. Where the system does not tell, nothing is asserted.
fn own_memory(id: u32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok()).unwrap_or_default()
}

/// The most memory that any scan may take, in KiB.
pub const MEMORY: u64 = 64 * 1024;
