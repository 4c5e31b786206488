//! The TLS collector against servers that are broken, or mean it ill: bounded, and never a fact.

use crate::support::scan::scan;
use crate::support::tls::{context, look, look_with, loopback, openssl, pair, scripted, target};
use crate::support::{Scratch, free_port, program};
use probity::collect::{CollectContext, Limits};
use probity::model::tls::{Features, Groups, Protocols, Suites};
use probity::model::{Fact, ObservationStatus, Reason};
use probity::wire::record::{self, Event, HANDSHAKE, RecordReader};
use probity::wire::ssl2::{self, Answer};
use probity::wire::{ClientHello, Extension, ServerHello, certificate, extension};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// The hello of a client, if it is one of SSLv3 or newer.
fn read_hello(stream: &mut TcpStream) -> Option<ClientHello> {
    let mut reader = RecordReader::new();
    let mut buffer = [0; 4096];
    loop {
        let count = stream.read(&mut buffer).ok().filter(|count| *count > 0)?;
        reader.push(&buffer[..count]).ok()?;
        if let Some(Event::Message(1, body)) = reader.event().ok()? {
            return ClientHello::parse(&body).ok();
        }
    }
}

/// A ServerHello of TLS 1.2 that chooses the last suite of the hello.
fn server_hello(hello: &ClientHello) -> ServerHello {
    ServerHello {
        version: 0x0303,
        random: [7; 32],
        session_id: Vec::new(),
        suite: *hello.suites.last().unwrap(),
        compression: 0,
        extensions: Vec::new(),
    }
}

fn expect_failed(address: SocketAddr, reason: Reason, words: &str, within: u64) {
    let seen = look(address);
    let (found, detail) = seen.trouble();
    assert_eq!(found, reason, "{detail}");
    assert!(detail.contains(words), "{detail}");
    assert!(seen.time < Duration::from_secs(within), "{:?}", seen.time);
}

#[test]
fn a_server_that_says_nothing_is_silent_and_not_secure() {
    let address = scripted(|mut stream| while matches!(stream.read(&mut [0; 4096]), Ok(1..)) {});
    expect_failed(address, Reason::TimedOut, "no answer in time", 15);
}

#[test]
fn a_server_that_closes_after_each_hello_proves_nothing() {
    let address = scripted(|mut stream| drop(stream.read(&mut [0; 4096])));
    expect_failed(address, Reason::HandshakeRejected, "each of four first hellos", 10);
    let refusing = free_port();
    expect_failed(loopback(refusing), Reason::Refused, "refuses", 10);
}

#[test]
fn plain_http_on_the_port_of_tls_is_named() {
    let address = scripted(|mut stream| {
        let _ = stream.read(&mut [0; 4096]);
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
    });
    expect_failed(address, Reason::ProtocolViolation, "speaks plain HTTP", 10);
}

#[test]
fn garbage_is_no_tls() {
    let address = scripted(|mut stream| {
        let _ = stream.read(&mut [0; 4096]);
        let _ = stream.write_all(&[0x42; 300]);
    });
    expect_failed(address, Reason::ProtocolViolation, "does not speak TLS", 10);
}

#[test]
fn endless_data_is_cut_off() {
    for block in [
        vec![0u8; 65536],
        record::write(HANDSHAKE, 0x0303, &[0; 4]).repeat(1000),
        record::write(21, 0x0303, &[1, 112]).repeat(1000),
    ] {
        let address = scripted(move |mut stream| {
            let _ = stream.read(&mut [0; 4096]);
            while stream.write_all(&block).is_ok() {}
        });
        let seen = look(address);
        let (reason, detail) = seen.trouble();
        assert!(matches!(reason, Reason::TooLarge | Reason::ProtocolViolation), "{reason:?} {detail}");
        assert!(seen.time < Duration::from_secs(10));
    }
}

#[test]
fn a_certificate_of_16_megabytes_is_not_read() {
    let address = scripted(|mut stream| {
        let Some(hello) = read_hello(&mut stream) else { return };
        let _ = stream.write_all(&record::write(HANDSHAKE, 0x0303, &server_hello(&hello).to_message()));
        let _ = stream.write_all(&record::write(HANDSHAKE, 0x0303, &[11, 0xFF, 0xFF, 0xFF]));
        while stream.write_all(&record::write(HANDSHAKE, 0x0303, &[0x30; 16_000])).is_ok() {}
    });
    expect_failed(address, Reason::TooLarge, "handshake message", 10);
}

#[test]
fn records_of_one_byte_come_to_an_end() {
    let address = scripted(|mut stream| {
        let Some(hello) = read_hello(&mut stream) else { return };
        let messages = [server_hello(&hello).to_message(), certificate::write_chain(&[vec![0x30; 2000]])].concat();
        for byte in messages {
            if stream.write_all(&record::write(HANDSHAKE, 0x0303, &[byte])).is_err() {
                return;
            }
        }
    });
    expect_failed(address, Reason::TooLarge, "number of records", 10);
}

#[test]
fn a_key_exchange_that_was_not_sent_leaves_the_groups_open() {
    let address = scripted(|mut stream| {
        let Some(hello) = read_hello(&mut stream) else { return };
        let bytes = match hello.suites.contains(&0xC02F) && hello.version == 0x0303 {
            true => {
                record::write(HANDSHAKE, 0x0303, &ServerHello { suite: 0xC02F, ..server_hello(&hello) }.to_message())
            }
            false => record::write(21, 0x0301, &[2, 40]),
        };
        let _ = stream.write_all(&bytes);
    });
    let seen = look(address);
    assert_eq!(seen.protocols(), ["TLSv1.2"]);
    let groups = seen.of("tls.groups");
    // Whole and empty, it would say that no suite needs a group.
    assert_eq!(groups.status, ObservationStatus::Partial);
    assert!(groups.read::<Groups>().unwrap().groups.is_empty());
}

#[test]
fn a_slow_drip_is_bounded() {
    let address = scripted(|mut stream| {
        let _ = stream.read(&mut [0; 4096]);
        for byte in record::write(HANDSHAKE, 0x0303, &[0; 2000]) {
            if stream.write_all(&[byte]).is_err() {
                return;
            }
            std::thread::sleep(Duration::from_millis(300));
        }
    });
    expect_failed(address, Reason::TimedOut, "no whole answer in time", 31);
}

#[test]
fn an_answer_to_another_question_is_no_support() {
    let address = scripted(|mut stream| {
        let Some(hello) = read_hello(&mut stream) else { return };
        let lie = ServerHello { suite: 0x4242, ..server_hello(&hello) };
        let _ = stream.write_all(&record::write(HANDSHAKE, 0x0303, &lie.to_message()));
    });
    expect_failed(address, Reason::ProtocolViolation, "0x4242, which was not offered", 10);
}

#[test]
fn a_server_that_dies_leaves_the_rest_unknown() {
    let alive = std::sync::atomic::AtomicI32::new(9);
    let address = scripted(move |mut stream| {
        if alive.fetch_sub(1, std::sync::atomic::Ordering::Relaxed) <= 0 {
            return;
        }
        let Some(hello) = read_hello(&mut stream) else { return };
        let answer = match hello.version {
            0x0303 => {
                let flight =
                    [server_hello(&hello).to_message(), certificate::write_chain(&[vec![0x30, 0]]), vec![14, 0, 0, 0]];
                record::write(HANDSHAKE, 0x0303, &flight.concat())
            }
            _ => record::write(21, 0x0301, &[2, 70]),
        };
        let _ = stream.write_all(&answer);
        let _ = stream.read(&mut [0; 4096]);
    });
    let cx =
        CollectContext { limits: Limits { target_time: Duration::from_secs(8), ..Limits::default() }, ..context() };
    let seen = look_with(target(address), address, &cx);
    assert!(seen.time < Duration::from_secs(12), "{:?}", seen.time);
    let protocols = seen.of("tls.protocols");
    let data: Protocols = protocols.read().unwrap();
    assert!(data.offered.iter().any(|offered| offered.name == "TLSv1.2"), "{data:?}");
    assert!(!data.refused.contains(&"SSLv2".to_owned()), "silence after its death is no refusal: {data:?}");
    let suites = seen.of("tls.suites");
    assert_eq!(suites.status, ObservationStatus::Partial);
    assert!(!suites.read::<Suites>().unwrap().incomplete.is_empty());
}

#[test]
fn a_run_that_is_stopped_ends_at_once_and_says_so() {
    let address = scripted(|mut stream| while matches!(stream.read(&mut [0; 4096]), Ok(1..)) {});
    let cx = context();
    let cancel = cx.cancel.clone();
    std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(300));
        cancel.cancel();
    });
    let seen = look_with(target(address), address, &cx);
    assert_eq!(seen.trouble().0, Reason::Interrupted);
    assert!(seen.time < Duration::from_secs(3));
}

#[test]
fn an_upgrade_that_is_not_spoken_is_unsupported() {
    let mut target = target(loopback(free_port()));
    target.connection.starttls = Some("gopher".into());
    let address = loopback(target.connection.port);
    let (reason, detail) = look_with(target, address, &context()).trouble();
    assert_eq!(reason, Reason::Unsupported);
    assert!(detail.contains("gopher"));
}

/// Speaks SSLv2 with this answer, and refuses every newer hello.
fn ssl2_server(answer: Answer) -> SocketAddr {
    scripted(move |mut stream| {
        let mut hello = [0; 4096];
        let Ok(count @ 3..) = stream.read(&mut hello) else { return };
        let bytes = match ssl2::ClientHello::parse(&hello[2..count]) {
            Ok(hello) => {
                assert_eq!((hello.version, hello.kinds.len()), (2, 13));
                answer.to_record()
            }
            Err(_) => record::write(21, 0x0300, &[2, 40]),
        };
        let _ = stream.write_all(&bytes);
        let _ = stream.read(&mut hello);
    })
}

#[test]
fn ssl2_is_seen_with_its_kinds_and_without_any() {
    let seen = look(ssl2_server(Answer::Hello { certificate: vec![0x30, 0], kinds: vec![0x0700C0, 0x020080] }));
    assert_eq!(seen.protocols(), ["SSLv2"]);
    let suites: Suites = seen.read("tls.suites");
    let kinds: Vec<_> = suites.suites.iter().map(|suite| (suite.id.as_str(), suite.block_bits, suite.export)).collect();
    assert_eq!(kinds, [("0x020080", 0, true), ("0x0700C0", 64, false)]);
    assert_eq!(suites.suites[0].strength, Fact::Known(512));
    assert_eq!(suites.suites[1].strength.known(), None, "the certificate holds no key");
    let features: Features = seen.read("tls.features");
    assert_eq!(features.legacy_handshake, Fact::Known(false));
    let seen = look(ssl2_server(Answer::Error(1)));
    assert_eq!(seen.protocols(), ["SSLv2"]);
    assert!(seen.read::<Protocols>("tls.protocols").ssl2_without_kinds);
}

/// Speaks SSLv3 with these suites in its own order of preference, and refuses every newer hello and SSLv2.
fn ssl3_server(scratch: &Scratch, suites: &'static [u16]) -> SocketAddr {
    let (_, pem) = pair(scratch, "rsa");
    let der = scratch.path().join("leaf.der");
    openssl(&["x509", "-in", pem.to_str().unwrap(), "-outform", "DER", "-out", der.to_str().unwrap()]);
    let leaf = std::fs::read(der).unwrap();
    scripted(move |mut stream| {
        let Some(hello) = read_hello(&mut stream) else { return };
        let chosen = suites.iter().copied().find(|suite| hello.suites.contains(suite));
        let bytes = match chosen {
            Some(suite) if hello.version == 0x0300 => {
                assert!(hello.extensions.is_none(), "SSLv3 knows no extensions");
                let answer = ServerHello { version: 0x0300, suite, ..server_hello(&hello) };
                let done = vec![14, 0, 0, 0];
                let flight =
                    [answer.to_message(), certificate::write_chain(std::slice::from_ref(&leaf)), done].concat();
                record::write(HANDSHAKE, 0x0300, &flight)
            }
            _ => record::write(21, 0x0300, &[2, 40]),
        };
        let _ = stream.write_all(&bytes);
        let _ = stream.read(&mut [0; 4096]);
    })
}

#[test]
fn an_accepted_ssl3_is_seen_with_its_suites() {
    let Some(_) = program("openssl") else { return };
    let address = ssl3_server(&Scratch::new("ssl3"), &[0x000A, 0x0005, 0x002F]);
    let seen = look(address);
    assert_eq!(seen.protocols(), ["SSLv3"]);
    let suites: Suites = seen.read("tls.suites");
    let mut ids: Vec<_> = suites.suites.iter().map(|suite| (suite.protocol.as_str(), suite.id.as_str())).collect();
    ids.sort_unstable();
    assert_eq!(ids, [("SSLv3", "0x0005"), ("SSLv3", "0x000A"), ("SSLv3", "0x002F")]);
}

/// The whole command on an endpoint that speaks SSLv3 alone: what fails, and how the grade is capped.
#[test]
fn an_accepted_ssl3_fails_and_caps_the_grade() {
    let Some(_) = program("openssl") else { return };
    let grade = |suites: &'static [u16]| {
        let scratch = Scratch::new("ssl3-grade");
        let address = ssl3_server(&scratch, suites);
        let configuration = format!("targets: [{{ id: old, kind: endpoint, address: '{address}' }}]\n");
        let ran = scan(&scratch, &configuration, None);
        assert_eq!(ran.code, Some(1), "{}", ran.printed);
        let results = ran.report["results"].as_array().unwrap();
        let of = |check: &str, item: &str| {
            let found =
                results.iter().find(|result| result["check"] == check && (item.is_empty() || result["item"] == item));
            found.unwrap_or_else(|| panic!("{check} {item}"))["status"].as_str().unwrap().to_owned()
        };
        assert_eq!(of("tls.protocols.legacy", "SSLv3"), "fail");
        let seen = ran.report["observations"].as_array().unwrap();
        let seen = seen.iter().find(|seen| seen["kind"] == "tls.grade").unwrap()["data"].clone();
        assert_eq!(seen["letter_ignoring_trust"], "F", "{seen}");
        seen["caps"].to_string()
    };
    // A block cipher in SSLv3 is what POODLE reads; a stream cipher leaves the other caps.
    let caps = grade(&[0x002F]);
    assert!(
        ["CAP_SSL3_BEST", "CAP_POODLE_SSL3", "CAP_SSL3\"", "CAP_NO_TLS12"].iter().all(|cap| caps.contains(cap)),
        "{caps}"
    );
    let caps = grade(&[0x0005]);
    assert!(caps.contains("CAP_SSL3_BEST") && !caps.contains("POODLE"), "{caps}");
}

#[test]
fn a_server_that_refuses_everything_gives_no_fact() {
    let address = scripted(|mut stream| {
        let _ = stream.read(&mut [0; 4096]);
        let _ = stream.write_all(&record::write(21, 0x0301, &[2, 40]));
        let _ = stream.read(&mut [0; 4096]);
    });
    expect_failed(address, Reason::HandshakeRejected, "every hello was refused", 10);
}

#[test]
fn a_refused_name_is_left_out_and_asked_without() {
    let address = scripted(|mut stream| {
        let Some(hello) = read_hello(&mut stream) else { return };
        let bytes = match hello.server_name() {
            Some(_) => record::write(21, 0x0301, &[2, 112]),
            None if hello.version == 0x0303 && hello.versions().contains(&0x0303) && hello.suites.contains(&0x009C) => {
                let answer = ServerHello { suite: 0x009C, ..server_hello(&hello) };
                let flight = [answer.to_message(), certificate::write_chain(&[vec![0x30, 0]]), vec![14, 0, 0, 0]];
                record::write(HANDSHAKE, 0x0303, &flight.concat())
            }
            None => record::write(21, 0x0301, &[2, 40]),
        };
        let _ = stream.write_all(&bytes);
        let _ = stream.read(&mut [0; 4096]);
    });
    assert_eq!(look(address).protocols(), ["TLSv1.2"]);
}

#[test]
fn a_server_that_wants_a_key_share_gets_one() {
    let address = scripted(|mut stream| {
        let Some(hello) = read_hello(&mut stream) else { return };
        let share = hello.extension(extension::KEY_SHARE).unwrap_or_default();
        let bytes = match share {
            _ if !hello.versions().contains(&0x0304) => record::write(21, 0x0301, &[2, 70]),
            [0, 0] => record::write(21, 0x0301, &[2, 47]),
            [_, _, 0, group @ (0x17 | 0x1D), ..] if hello.suites.contains(&0x1301) => {
                let key = vec![0, *group, 0, 1, 9];
                let answer = ServerHello {
                    suite: 0x1301,
                    extensions: vec![
                        Extension::new(extension::SUPPORTED_VERSIONS, vec![3, 4]),
                        Extension::new(extension::KEY_SHARE, key),
                    ],
                    ..server_hello(&hello)
                };
                record::write(HANDSHAKE, 0x0303, &answer.to_message())
            }
            _ => record::write(21, 0x0301, &[2, 40]),
        };
        let _ = stream.write_all(&bytes);
        let _ = stream.read(&mut [0; 4096]);
    });
    let seen = look(address);
    assert_eq!(seen.protocols(), ["TLSv1.3"]);
    let groups: Groups = seen.read("tls.groups");
    assert_eq!(groups.groups.iter().map(|group| group.name.as_str()).collect::<Vec<_>>(), ["x25519", "secp256r1"]);
    // No handshake with it ends, so its certificate stays unseen, and nothing is said of it.
    assert_eq!(seen.of("tls.certificates").status, ObservationStatus::Partial);
}

#[test]
fn a_server_that_closes_instead_of_refusing_is_understood_by_inference() {
    let address = scripted(|mut stream| {
        let Some(hello) = read_hello(&mut stream) else { return };
        if hello.version == 0x0303 && hello.versions().contains(&0x0303) && hello.suites.contains(&0x009C) {
            let answer = ServerHello { suite: 0x009C, ..server_hello(&hello) };
            let flight = [answer.to_message(), certificate::write_chain(&[vec![0x30, 0]]), vec![14, 0, 0, 0]].concat();
            let _ = stream.write_all(&record::write(HANDSHAKE, 0x0303, &flight));
            let _ = stream.read(&mut [0; 4096]);
        }
    });
    let seen = look(address);
    assert_eq!(seen.protocols(), ["TLSv1.2"]);
    let suites: Suites = seen.read("tls.suites");
    assert_eq!(suites.suites.len(), 1);
    let protocols: Protocols = seen.read("tls.protocols");
    for proof in &protocols.proofs {
        let expected = match proof.name.as_str() {
            // A lower answer to an offer of both is definite.
            "TLSv1.2" | "TLSv1.3" => "proven",
            _ => "inferred",
        };
        assert_eq!(proof.confidence, expected, "{proof:?}");
    }
}
