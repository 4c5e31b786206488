//! The whole command against hosts that mean it ill: bounded in time and memory, and never a pass.

use crate::support::scan::{MEMORY, scan, start};
use crate::support::tls::scripted;
use crate::support::{Scratch, free_port, signal, wait_to_interrupt};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

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
        // PostgreSQL has nothing that these three look at, whatever it answers.
        let foreign = |check: &str| matches!(check, "db.at_rest.logs" | "db.at_rest.temp" | "db.auth.reach");
        let open =
            |(check, status): &(String, String)| status != "pass" && (status != "not-applicable" || foreign(check));
        assert!(statuses.iter().all(open), "{statuses:?}");
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

#[test]
fn a_second_interrupt_ends_a_run_that_hangs() {
    // The command that gives the password cannot be cancelled: what waits for it hangs for ten seconds.
    let scratch = Scratch::new("adversary-twice");
    let database = scripted(|mut stream| {
        let mut buffer = [0; 4096];
        let _ = stream.read(&mut buffer);
        let _ = stream.write_all(b"N");
        while matches!(stream.read(&mut buffer), Ok(1..)) {}
    });
    let configuration = format!(
        "targets:\n  - {{ id: db, kind: database, engine: postgresql, address: '{database}', database: app, \
         credentials: {{ user: audit, password: 'exec:sleep 9' }} }}\n"
    );
    let mut child = start(&scratch, &configuration).spawn().unwrap();
    let mut words = BufReader::new(child.stderr.take().unwrap()).lines();
    wait_to_interrupt(child.id(), Duration::from_millis(1500));
    assert!(signal(child.id(), "INT"));
    assert!(words.next().unwrap().unwrap().contains("once more ends at once"));
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(child.try_wait().unwrap(), None, "the first interrupt ended at once what hangs");
    let begin = Instant::now();
    assert!(signal(child.id(), "INT"));
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(begin.elapsed() < Duration::from_secs(2), "{:?}", begin.elapsed());
}

#[test]
fn an_interrupt_is_heard_after_the_look_as_well() {
    let scratch = Scratch::new("adversary-report");
    let closed = free_port();
    let mut configuration = "targets:\n".to_owned();
    // So many that the report does not fit into a pipe, which nobody reads here.
    for n in 0..60 {
        configuration.push_str(&format!("  - {{ id: t{n}, kind: endpoint, address: '127.0.0.1:{closed}' }}\n"));
    }
    let mut command = start(&scratch, &configuration);
    let mut child = command.args(["-o", "json"]).spawn().unwrap();
    let mut words = BufReader::new(child.stderr.take().unwrap()).lines();
    wait_to_interrupt(child.id(), Duration::from_secs(4));
    assert_eq!(child.try_wait().unwrap(), None, "the report went into the pipe");
    assert!(signal(child.id(), "INT"));
    assert!(words.next().unwrap().unwrap().contains("once more ends at once"));
    assert!(signal(child.id(), "INT"));
    let begin = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if begin.elapsed() > Duration::from_secs(2) {
            child.kill().unwrap();
            panic!("the second interrupt is not heard");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(child.wait().unwrap().code(), Some(130));
}
