//! Many endpoints at once: lists, lines, stops, resuming, and asking known endpoints again.

use crate::support::proxy::Proxy;
use crate::support::tls::nginx;
use crate::support::zones::{Names, Signing, Zone};
use crate::support::{Scratch, Server, free_port, probity, signal};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

const MODERN: &str = "ssl_protocols TLSv1.2 TLSv1.3; ssl_prefer_server_ciphers on;
    ssl_ciphers ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384;";

/// An nginx on the first hosts of 127.3.0.0/28.
fn fleet(scratch: &Scratch, port: u16, lines: &str) -> Option<(Server, u16)> {
    let listens: Vec<String> = (1..=14).map(|host| format!("listen 127.3.0.{host}:{port} ssl http2;")).collect();
    nginx(scratch, &format!("{} {lines}", listens.join(" ")))
}

fn lines(file: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(file).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn targets(lines: &[Value]) -> BTreeSet<String> {
    lines.iter().skip(1).map(|line| line["target"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_network_is_swept_line_by_line_and_judged_as_one() {
    let scratch = Scratch::new("sweep-network");
    let port = free_port();
    let Some((_server, _)) = fleet(&scratch, port, MODERN) else { return };
    let dead = free_port();
    let list =
        scratch.write("list.txt", format!("# the fleet\n127.3.0.0/28:{port}\n127.3.0.1:{port}\n127.0.0.1:{dead}\n"));
    let out = scratch.path().join("sweep.ndjson");
    let sweep = probity().arg("sweep").arg("--from").arg(&list).arg("-o").arg(&out).output().unwrap();
    assert_eq!(sweep.status.code(), Some(1), "{}", String::from_utf8_lossy(&sweep.stderr));
    let lines = lines(&out);
    assert_eq!(lines[0]["endpoints"], 15);
    assert_eq!(targets(&lines).len(), 15);
    for line in &lines[1..] {
        let closed = line["target"] == format!("127.0.0.1:{dead}").as_str();
        // Nothing is known of the one that is closed, and that is no pass.
        assert_eq!(line["judgement"]["exit"], if closed { 3 } else { 1 }, "{line}");
        assert_eq!(line["judgement"]["grade"], if closed { Value::Null } else { "T".into() });
    }

    let report = scratch.path().join("report.json");
    let mut evaluate = probity();
    evaluate.arg("evaluate").arg(&out).arg("-o").arg(format!("json={}", report.display())).arg("-q");
    assert_eq!(evaluate.output().unwrap().status.code(), Some(1));
    let report: Value = serde_json::from_slice(&std::fs::read(report).unwrap()).unwrap();
    assert_eq!(report["targets"].as_array().unwrap().len(), 15);
    assert_eq!(report["run"]["interrupted"], false);
}

#[test]
fn a_sweep_that_was_killed_goes_on_where_it_was() {
    let scratch = Scratch::new("sweep-kill");
    let port = free_port();
    let Some((_server, _)) = fleet(&scratch, port, MODERN) else { return };
    let out = scratch.path().join("sweep.ndjson");
    let sweep = |more: &[&str]| {
        let mut command = probity();
        command.args(["sweep", &format!("127.3.0.0/28:{port}"), "--facts", "--parallel", "2"]).arg("-o").arg(&out);
        command.args(more);
        command
    };
    let mut first = std::process::Command::new(env!("CARGO_BIN_EXE_probity"));
    first.args(["sweep", &format!("127.3.0.0/28:{port}"), "--facts", "--parallel", "2", "--rate", "60", "-o"]);
    let mut first = first.arg(&out).stderr(Stdio::null()).spawn().unwrap();
    let end = Instant::now() + Duration::from_secs(60);
    let written = || std::fs::read(&out).map_or(0, |bytes| bytes.iter().filter(|byte| **byte == b'\n').count());
    while written() < 4 {
        assert!(Instant::now() < end, "no lines came");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(signal(first.id(), "KILL"));
    first.wait().unwrap();
    // As if the kill had come in the middle of a line.
    let whole = std::fs::read(&out).unwrap();
    let kept = whole.iter().filter(|byte| **byte == b'\n').count();
    assert!(kept < 15, "it was not stopped in the middle");
    let half = [&whole[..], b"{\"schema\":\"probity.sweep/1\",\"targ"].concat();
    std::fs::write(&out, half).unwrap();

    // Half a sweep is not judged as a whole one.
    let mut evaluate = probity();
    let whole_lines =
        scratch.write("whole.ndjson", &whole[..whole.iter().rposition(|byte| *byte == b'\n').unwrap() + 1]);
    assert_eq!(evaluate.arg("evaluate").arg(whole_lines).output().unwrap().status.code(), Some(130));

    let refused = sweep(&[]).output().unwrap();
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("--resume"));
    assert_eq!(sweep(&["--resume"]).output().unwrap().status.code(), Some(0));
    let all = lines(&out);
    assert_eq!((all.len(), targets(&all).len()), (15, 14));
    let text = std::fs::read(&out).unwrap();
    assert!(text.starts_with(&whole), "what had been written was changed");

    let mut other = probity();
    other.args(["sweep", &format!("127.3.0.0/29:{port}"), "--facts", "--resume"]).arg("-o").arg(&out);
    let other = other.output().unwrap();
    assert!(String::from_utf8_lossy(&other.stderr).contains("another list"));
    assert_eq!(std::fs::read(&out).unwrap(), text);
}

#[test]
fn what_failed_before_a_stop_fails_the_sweep_that_goes_on() {
    let scratch = Scratch::new("sweep-failed");
    let port = free_port();
    let Some((_server, _)) = fleet(&scratch, port, MODERN) else { return };
    let out = scratch.path().join("sweep.ndjson");
    let sweep = |more: &[&str]| {
        let mut command = probity();
        command.args(["sweep", &format!("127.3.0.0/30:{port}")]).arg("-o").arg(&out).args(more);
        command.output().unwrap()
    };
    // The certificate signs itself, so every endpoint fails.
    assert_eq!(sweep(&[]).status.code(), Some(1));
    let again = sweep(&["--resume"]);
    assert_eq!(again.status.code(), Some(1), "{}", String::from_utf8_lossy(&again.stderr));
    assert!(String::from_utf8_lossy(&again.stderr).contains("2 of 2 endpoints written; 2 failed"));
    // Lines that were never judged do not pass a sweep that judges.
    let facts = scratch.path().join("facts.ndjson");
    let mut command = probity();
    command.args(["sweep", &format!("127.3.0.0/30:{port}"), "--facts"]).arg("-o").arg(&facts);
    assert_eq!(command.output().unwrap().status.code(), Some(0));
    let mut command = probity();
    command.args(["sweep", &format!("127.3.0.0/30:{port}"), "--resume"]).arg("-o").arg(&facts);
    assert_eq!(command.output().unwrap().status.code(), Some(3));
}

#[test]
fn known_endpoints_are_asked_again_with_a_few_hellos() {
    let scratch = Scratch::new("sweep-again");
    let port = free_port();
    let known = scratch.path().join("known.ndjson");
    let reverify = |name: &str| {
        let out = scratch.path().join(name);
        let done = probity().arg("sweep").arg("--reverify").arg(&known).arg("-o").arg(&out).output().unwrap();
        (done.status.code().unwrap(), lines(&out))
    };
    {
        let Some((_server, _)) = fleet(&scratch, port, MODERN) else { return };
        let network = format!("127.3.0.0/30:{port}");
        assert!(probity().args(["sweep", &network, "--facts", "-o"]).arg(&known).output().unwrap().status.success());
        let (code, lines) = reverify("same.ndjson");
        assert_eq!((code, lines.len()), (0, 3));
        for line in &lines[1..] {
            assert_eq!(line["reverification"]["result"], "unchanged", "{line}");
            let observations = line["evidence"]["observations"].as_array().unwrap();
            assert_eq!(observations.len(), 1, "it is no full look");
            assert!(observations[0]["data"]["connections"].as_u64().unwrap() <= 6);
        }
        // Judged as a scan it would be, it establishes nothing.
        let mut evaluate = probity();
        let out = scratch.path().join("same.ndjson");
        assert_eq!(evaluate.arg("evaluate").arg(out).output().unwrap().status.code(), Some(3));
    }
    {
        // Another certificate, and a suite without forward secrecy.
        let weaker = "ssl_protocols TLSv1.2 TLSv1.3; ssl_prefer_server_ciphers on;
            ssl_ciphers ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384:AES128-SHA;";
        let Some((_server, _)) = fleet(&scratch, port, weaker) else { return };
        let (code, lines) = reverify("changed.ndjson");
        assert_eq!(code, 1);
        let differences = lines[1]["reverification"]["differences"].to_string();
        assert!(differences.contains("accepted with 0x002F"), "{differences}");
        assert!(differences.contains("certificate of TLSv1.3"), "{differences}");
    }
    let (code, lines) = reverify("gone.ndjson");
    assert_eq!(code, 3);
    assert_eq!(lines[1]["reverification"]["result"], "unknown");

    // A record that was changed is refused before the first connection.
    let text = std::fs::read_to_string(&known).unwrap().replace("TLSv1.3", "TLSv1.1");
    std::fs::write(&known, text).unwrap();
    let out = scratch.path().join("never.ndjson");
    let done = probity().arg("sweep").arg("--reverify").arg(&known).arg("-o").arg(&out).output().unwrap();
    assert_eq!(done.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&done.stderr).contains("changed after it was sealed"));
    assert!(!out.exists());
}

#[test]
fn mistakes_in_a_list_are_told_with_their_place() {
    let scratch = Scratch::new("sweep-mistakes");
    let list = scratch.write("list.txt", "shop.example\nuser@shop.example\n192.0.2.0/40\n");
    let done = probity().args(["sweep", "--from"]).arg(&list).output().unwrap();
    assert_eq!(done.status.code(), Some(2));
    let words = String::from_utf8_lossy(&done.stderr);
    assert!(words.contains("list.txt:2:1") && words.contains("list.txt:3:1"), "{words}");
    for (arguments, expected) in [
        (vec!["sweep"], "nothing to look at"),
        (vec!["sweep", "10.0.0.0/8"], "more than 1000000 endpoints"),
        (vec!["sweep", "--from", "/nowhere/list"], "cannot be read"),
    ] {
        let done = probity().args(&arguments).output().unwrap();
        assert_eq!(done.status.code(), Some(2));
        let words = String::from_utf8_lossy(&done.stderr);
        assert!(words.contains(expected), "{words}");
    }
}

#[test]
fn a_signed_zone_is_swept_by_its_names() {
    let records =
        "www CNAME @\n*.dev A 127.0.0.1\napi A 127.0.0.2\n_dmarc TXT \"v=DMARC1; p=none\"\n@ MX 10 mx\nmx AAAA ::1";
    let zone = Zone { label: "shop", signing: Signing::Hashed, vouched: true, records: records.to_owned() };
    let Some(names) = Names::start("sweep-zone", &[zone]) else { return };
    let file = names.folder().join("shop.example.zone");
    assert!(std::fs::read_to_string(&file).unwrap().contains("NSEC3"), "the zone is not signed");
    let out = names.folder().join("sweep.ndjson");
    let mut sweep = probity();
    sweep.args([
        "sweep",
        "--zone-services",
        "--port",
        &free_port().to_string(),
        "--profile",
        "quick",
        "--facts",
        "--zone",
    ]);
    let done = sweep.arg(&file).arg("-o").arg(&out).output().unwrap();
    let words = String::from_utf8_lossy(&done.stderr);
    assert!(words.contains("left out: 1 for any name (*.dev.shop.example)"), "{words}");
    let hosts: Vec<String> = targets(&lines(&out)).iter().map(|id| id.split(':').next().unwrap().to_owned()).collect();
    assert_eq!(hosts, ["api.shop.example", "mx.shop.example", "mx.shop.example", "shop.example", "www.shop.example"]);
    let mail: Vec<Value> = lines(&out).into_iter().filter(|line| line["target"] == "mx.shop.example:25").collect();
    assert_eq!(mail[0]["evidence"]["targets"][0]["starttls"], "smtp", "{}", mail[0]);

    let broken = names.folder().join("broken.zone");
    std::fs::write(&broken, "$ORIGIN shop.example.\nwww A 192.0.2.1\n$INCLUDE other.zone\n").unwrap();
    let done = probity().args(["sweep", "--zone"]).arg(&broken).output().unwrap();
    assert_eq!(done.status.code(), Some(2));
    let words = String::from_utf8_lossy(&done.stderr);
    assert!(words.contains("broken.zone:3:1") && words.contains("$INCLUDE is not followed"), "{words}");
}

/// An nginx over TLS and in clear, each behind a proxy that counts; the one in clear redirects to the other.
fn counted(scratch: &Scratch) -> Option<(Server, Proxy, Proxy)> {
    let ports = [free_port(), free_port()];
    let [secure, plain] = ports.map(|port| Proxy::start(port, Duration::ZERO));
    let redirect = format!(
        "}} server {{ listen 127.0.0.1:{}; return 301 https://127.0.0.1:{}/;",
        ports[1],
        secure.address().port()
    );
    let (server, _) = nginx(scratch, &format!("listen 127.0.0.1:{} ssl; {MODERN} {redirect}", ports[0]))?;
    Some((server.and_port(ports[1]), secure, plain))
}

#[test]
fn what_connections_were_spent_on_is_shown_and_is_what_was_seen() {
    let scratch = Scratch::new("sweep-counted");
    let Some((_server, secure, plain)) = counted(&scratch) else { return };
    let config = format!(
        "targets:\n  - {{ id: shop, kind: endpoint, address: \"127.0.0.1:{}\", http: {} }}\n",
        secure.address().port(),
        plain.address().port()
    );
    let config = scratch.write("probity.yaml", config);
    let mut scan = probity();
    scan.args(["scan", "--show-connections", "-q", "--profile", "quick", "--config"]).arg(config);
    let done = scan.output().unwrap();
    let words = String::from_utf8_lossy(&done.stderr).into_owned();
    let last = words.lines().last().unwrap();
    let opened: u32 = last.split(' ').next().unwrap().parse().unwrap_or_else(|_| panic!("{words}"));
    assert_eq!(opened, secure.connections() + plain.connections(), "{words}");
    assert!(plain.connections() >= 2, "{words}");
    let row = format!("{} ", plain.address());
    let row = words.lines().find(|line| line.trim_start().starts_with(&row)).unwrap_or_else(|| panic!("{words}"));
    let asked: u32 = row.split_whitespace().next_back().unwrap().parse().unwrap();
    assert!(row.contains("http") && asked == plain.connections(), "{words}");
}

#[test]
fn what_connections_were_spent_on_is_shown() {
    let scratch = Scratch::new("sweep-spent");
    let Some((_server, port)) = nginx(&scratch, MODERN) else { return };
    let address = format!("127.0.0.1:{port}");
    let done = probity().args(["scan", &address, "--show-connections", "-q"]).output().unwrap();
    let words = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(words.starts_with("connections to one target: 8 at once"), "{words}");
    let rows = words.lines().filter(|line| line.trim_start().starts_with(&format!("{address} ")));
    let counts: Vec<u32> = rows.map(|row| row.split_whitespace().next_back().unwrap().parse().unwrap()).collect();
    let last = words.lines().last().unwrap();
    let opened: u32 = last.split(' ').next().unwrap().parse().unwrap();
    assert!(opened > 30 && opened <= counts.iter().sum::<u32>(), "{words}");
    assert!(counts.len() > 10, "{words}");
}
