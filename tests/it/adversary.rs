//! The whole command against hosts that mean it ill: bounded in time and memory, and never a pass.

use crate::support::tls::scripted;
use crate::support::{Scratch, free_port};
use serde_json::Value;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// What a run gave.
struct Ran {
    code: Option<i32>,
    time: Duration,
    /// The most memory of its own that was seen, in KiB; the program's file is not counted.
    memory: u64,
    printed: String,
    report: Value,
}

impl Ran {
    fn statuses(&self, target: &str) -> Vec<(String, String)> {
        let results = self.report["results"].as_array().unwrap();
        let of = |result: &&Value| result["target"] == target;
        let word = |value: &Value| value.as_str().unwrap().to_owned();
        results.iter().filter(of).map(|result| (word(&result["check"]), word(&result["status"]))).collect()
    }
}

/// Scans what this configuration names, and watches the process.
fn scan(scratch: &Scratch, configuration: &str, interrupt: Option<Duration>) -> Ran {
    let file = scratch.write("probity.yaml", configuration);
    let report = scratch.path().join("report.json");
    let begin = Instant::now();
    let mut command = Command::new(env!("CARGO_BIN_EXE_probity"));
    command.env_clear().env("NO_COLOR", "1").env("PATH", std::env::var("PATH").unwrap_or_default());
    command.env("PROBITY_TEST_PASSWORD", "canary-4711");
    command.arg("scan").arg("-c").arg(file).arg("-o").arg("table");
    command.arg("-o").arg(format!("json={}", report.display()));
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
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
            assert!(crate::support::signal(child.id(), "INT"));
        }
        assert!(begin.elapsed() < Duration::from_secs(60), "the scan does not end");
        std::thread::sleep(Duration::from_millis(5));
    };
    let time = begin.elapsed();
    let printed = reader.join().unwrap();
    Ran { code: status.code(), time, memory, printed, report: json(&report) }
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

const MEMORY: u64 = 64 * 1024;

fn silent() -> SocketAddr {
    scripted(|mut stream| while matches!(stream.read(&mut [0; 4096]), Ok(1..)) {})
}

#[test]
fn what_cannot_be_judged_is_inconclusive_and_the_rest_goes_on() {
    let scratch = Scratch::new("adversary-endpoints");
    let closes = scripted(|mut stream| drop(stream.read(&mut [0; 4096])));
    let http = scripted(|mut stream| {
        let _ = stream.read(&mut [0; 4096]);
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
    });
    let plain = scripted(|mut stream| {
        let _ = stream.read(&mut [0; 4096]);
        let _ = stream.write_all(b"HTTP/1.1 301 Moved\r\nLocation: https://localhost/\r\nContent-Length: 0\r\n\r\n");
    });
    let targets = [
        ("nowhere", "host.invalid:443".to_owned()),
        ("closed", format!("127.0.0.1:{}", free_port())),
        ("silent", silent().to_string()),
        ("closes", closes.to_string()),
        ("http", http.to_string()),
    ];
    let mut configuration = "targets:\n".to_owned();
    for (id, address) in &targets {
        // A redirect on the plain port would pass, were it judged.
        let port = plain.port();
        configuration.push_str(&format!("  - {{ id: {id}, kind: endpoint, address: '{address}', http: {port} }}\n"));
    }
    let ran = scan(&scratch, &configuration, None);
    assert_eq!(ran.code, Some(3), "{}", ran.printed);
    assert!(ran.time < Duration::from_secs(30), "{:?}", ran.time);
    for (id, _) in &targets {
        let statuses = ran.statuses(id);
        assert!(statuses.iter().any(|(check, _)| check == "tls.only"), "{id}");
        for (check, status) in statuses {
            // An address has no name whose records could be judged, whatever it answers.
            let nameless = *id != "nowhere" && check.starts_with("dns.");
            assert_eq!(status, if nameless { "not-applicable" } else { "not-evaluated" }, "{id} {check}");
        }
    }
    assert!(ran.memory < MEMORY, "{} KiB", ran.memory);
}

/// A PostgreSQL server that takes any login and then sends this without end.
fn flood(after: Vec<u8>, block: Vec<u8>) -> SocketAddr {
    scripted(move |mut stream: TcpStream| {
        let mut buffer = [0; 4096];
        let Ok(8) = stream.read(&mut buffer) else { return };
        let _ = stream.write_all(b"N");
        let _ = stream.read(&mut buffer);
        let _ = stream.write_all(b"R\0\0\0\x08\0\0\0\0");
        let _ = stream.write_all(&after);
        while stream.write_all(&block).is_ok() {}
    })
}

#[test]
fn a_database_that_floods_is_cut_off() {
    let message = |kind: u8, body: &[u8]| {
        let mut bytes = vec![kind];
        bytes.extend_from_slice(&(body.len() as u32 + 4).to_be_bytes());
        bytes.extend_from_slice(body);
        bytes
    };
    let scratch = Scratch::new("adversary-database");
    let parameters = (0..2000).flat_map(|n| message(b'S', format!("k{n}\0{}\0", "v".repeat(200)).as_bytes())).collect();
    let ready = message(b'Z', b"I");
    let row = message(b'D', &[&[0, 1, 0, 0, 0x1F, 0x40][..], &[b'a'; 8000]].concat());
    let floods = [flood(Vec::new(), parameters), flood(ready, row.repeat(8))];
    let mut configuration = "targets:\n".to_owned();
    for (n, address) in floods.iter().enumerate() {
        configuration.push_str(&format!(
            "  - {{ id: db{n}, kind: database, engine: postgresql, address: '{address}', database: app, \
             credentials: {{ user: audit, password: 'env:PROBITY_TEST_PASSWORD' }} }}\n"
        ));
    }
    let ran = scan(&scratch, &configuration, None);
    assert!(ran.time < Duration::from_secs(30), "{:?}", ran.time);
    assert!(ran.memory < MEMORY, "{} KiB", ran.memory);
    assert!(!ran.printed.contains("canary-4711"));
    for target in ["db0", "db1"] {
        let statuses = ran.statuses(target);
        assert!(!statuses.is_empty());
        assert!(statuses.iter().all(|(_, status)| status != "pass" && status != "not-applicable"), "{statuses:?}");
    }
}

#[test]
fn an_interrupt_keeps_what_was_seen() {
    let scratch = Scratch::new("adversary-interrupt");
    let (closed, slow) = (free_port(), silent());
    let configuration = format!(
        "targets:\n  - {{ id: closed, kind: endpoint, address: '127.0.0.1:{closed}' }}\n  \
         - {{ id: slow, kind: endpoint, address: '{slow}' }}\n"
    );
    let ran = scan(&scratch, &configuration, Some(Duration::from_secs(2)));
    assert_eq!(ran.code, Some(130), "{}", ran.printed);
    assert!(ran.time < Duration::from_secs(6), "{:?}", ran.time);
    let observations = ran.report["observations"].as_array().unwrap();
    let reason = |target: &str| {
        let seen = observations.iter().find(|seen| seen["target"] == target && seen["kind"] == "tls.protocols");
        seen.unwrap()["trouble"]["reason"].as_str().unwrap().to_owned()
    };
    assert_eq!((reason("closed").as_str(), reason("slow").as_str()), ("refused", "interrupted"));
}
