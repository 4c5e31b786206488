//! Servers that are broken or mean it ill before TLS begins.

use super::{asked, known, request, upgrade};
use crate::support::dialogue::{PROTOCOLS, Turn, speak, speak_with};
use crate::support::tls::{context, look_with, scripted};
use probity::collect::tls::Tls;
use probity::collect::{Collector, Job};
use probity::model::tls::Upgrade;
use probity::model::{ObservationStatus, Reason};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// Every protocol against such a server, side by side.
fn each(
    serve: impl Fn(&'static str, &'static [Turn], TcpStream) + Copy + Send + Sync + 'static,
    check: impl Fn(&'static str, SocketAddr) + Sync,
) {
    std::thread::scope(|scope| {
        for (word, turns) in PROTOCOLS {
            let check = &check;
            let address = scripted(move |stream| serve(word, turns, stream));
            scope.spawn(move || check(word, address));
        }
    });
}

/// The request and the look both fail with one of these reasons, soon, and say nothing else.
fn expect_failed(word: &str, address: SocketAddr, reasons: &[Reason]) {
    let begin = Instant::now();
    let seen = request(word, address, &context());
    let trouble = seen.trouble.unwrap_or_else(|| panic!("{word}: {:?}", seen.data));
    assert!(reasons.contains(&trouble.reason), "{word}: {trouble:?}");
    assert_eq!(seen.status, ObservationStatus::Failed);
    assert!(begin.elapsed() < Duration::from_secs(15), "{word}: {:?}", begin.elapsed());
    let (reason, detail) = look_with(asked(word, address), address, &context()).trouble();
    assert!(reasons.contains(&reason), "{word}: {detail}");
}

fn is_text(word: &str) -> bool {
    !["xmpp", "xmpp-server", "ldap", "postgresql", "mysql", "mssql", "rdp", "amqp", "telnet"].contains(&word)
}

#[test]
fn a_banner_without_end_is_cut_off() {
    let serve = |_: &'static str, _: &'static [Turn], mut stream: TcpStream| {
        while stream.write_all(&[b'x'; 4096]).is_ok() {}
    };
    each(serve, |word, address| match word {
        // What is no command of Telnet is the text of its terminal, and counts towards the limit.
        "telnet" => expect_failed(word, address, &[Reason::TooLarge]),
        _ => expect_failed(word, address, &[Reason::TooLarge, Reason::ProtocolViolation, Reason::Refused]),
    });
}

#[test]
fn an_answer_of_many_lines_without_end_is_cut_off() {
    let serve = |word: &'static str, turns: &'static [Turn], mut stream: TcpStream| {
        let line: &[u8] = match word {
            "imap" => b"* OK still here\r\n",
            "sieve" => b"\"MORE\" \"x\"\r\n",
            "irc" => b":x NOTICE * :still here\r\n",
            "pop3" | "nntp" => b"MORE\r\n",
            _ => b"250-more\r\n",
        };
        // Up to the capabilities all is well.
        let (first, begin): (&[Turn], &[u8]) = match word {
            "sieve" => (&[], b""),
            "pop3" => (&turns[..1], b"+OK\r\n"),
            "nntp" => (&turns[..1], b"101 list\r\n"),
            _ => (&turns[..1], b""),
        };
        speak(&mut stream, first);
        if word != "sieve" {
            let _ = stream.read(&mut [0; 4096]);
        }
        let _ = stream.write_all(begin);
        while stream.write_all(line).is_ok() {}
    };
    each(serve, |word, address| {
        if is_text(word) {
            expect_failed(word, address, &[Reason::TooLarge]);
        }
    });
}

/// What is no text has lengths that lie, and elements, packets or options that never end.
#[test]
fn an_answer_of_any_other_form_without_end_is_cut_off() {
    let endless = |word: &str| -> Option<(&[u8], &[u8])> {
        Some(match word {
            "xmpp" | "xmpp-server" => (b"<stream:stream id='1'><stream:features>", b"<more xmlns='x'/>"),
            "ldap" => (b"\x30\x84\x7F\xFF\xFF\xFF\x02\x01\x01\x78", b"\x04\x02xx"),
            "postgresql" => (b"E\x7F\xFF\xFF\xFF", b"SERROR\0"),
            "mysql" => (b"\xFF\xFF\xFF\0\x0A", b"10.11"),
            "mssql" => (b"", b"\x04\x00\x10\x00\0\0\x01\0\x01\x00\x06\x00\x01\xFF"),
            "rdp" => (b"\x03\0\xFF\xFF", b"\x0E\xD0\0\0"),
            "telnet" => (b"", b"\xFF\xFD\x18\xFF\xFB\x01"),
            _ => return None,
        })
    };
    let serve = move |word: &'static str, _: &'static [Turn], mut stream: TcpStream| {
        let Some((begin, more)) = endless(word) else { return };
        // Who speaks first does so; all others have heard the request.
        if !["mysql", "telnet"].contains(&word) {
            let _ = stream.read(&mut [0; 4096]);
        }
        let _ = stream.write_all(begin);
        let more = more.repeat(100);
        while stream.write_all(&more).is_ok() {}
    };
    each(serve, |word, address| {
        // The answer of AMQP has eight bytes, whatever they are.
        if !is_text(word) && word != "amqp" {
            let reasons = [Reason::TooLarge, Reason::ProtocolViolation, Reason::Refused, Reason::TimedOut];
            expect_failed(word, address, &reasons);
        }
    });
}

/// The positive answer, and then nothing but the end: TLS was promised and not seen.
#[test]
fn an_end_after_a_positive_answer_is_no_offer() {
    let serve = |_: &'static str, turns: &'static [Turn], mut stream: TcpStream| {
        speak(&mut stream, turns);
        let _ = stream.read(&mut [0; 4096]);
    };
    each(serve, |word, address| {
        let facts = upgrade(word, address);
        assert_eq!(known(&facts.offered), "unknown", "{word}: {facts:?}");
        assert_eq!(known(&facts.injection), "unknown", "{word}: {facts:?}");
        let (reason, detail) = look_with(asked(word, address), address, &context()).trouble();
        let reasons = [Reason::Refused, Reason::HandshakeRejected, Reason::ProtocolViolation];
        assert!(reasons.contains(&reason), "{word}: {detail}");
    });
}

/// MySQL says nothing after the request, so what may stand before the handshake stands behind the greeting.
#[test]
fn what_follows_the_greeting_of_mysql_is_seen() {
    let address = scripted(|mut stream| {
        let turns = crate::support::dialogue::turns("mysql");
        let Turn::Says(greeting) = turns[0] else { panic!() };
        let _ = stream.write_all(&[greeting, b"\x01\0\0\x01x"].concat());
        let _ = stream.read(&mut [0; 4096]);
        let _ = stream.read(&mut [0; 4096]);
    });
    let facts = request("mysql", address, &context());
    match facts.read::<Upgrade>() {
        Ok(facts) => assert_ne!((known(&facts.offered), known(&facts.extra_bytes)), ("yes", "no"), "{facts:?}"),
        Err(_) => assert_eq!(facts.trouble.unwrap().reason, Reason::ProtocolViolation),
    }
}

#[test]
fn a_server_that_says_nothing_is_not_waited_for_long() {
    let serve = |_: &'static str, _: &'static [Turn], mut stream: TcpStream| {
        while matches!(stream.read(&mut [0; 4096]), Ok(1..)) {}
    };
    each(serve, |word, address| {
        let begin = Instant::now();
        let seen = request(word, address, &context());
        let trouble = seen.trouble.unwrap_or_else(|| panic!("{word}: {:?}", seen.data));
        assert_eq!(trouble.reason, Reason::TimedOut, "{word}: {trouble:?}");
        assert!(begin.elapsed() < Duration::from_secs(13), "{word}: {:?}", begin.elapsed());
    });
}

#[test]
fn a_server_that_hangs_up_says_nothing_about_tls() {
    each(|_, _, stream| drop(stream), |word, address| expect_failed(word, address, &[Reason::Refused]));
}

#[test]
fn what_follows_a_positive_answer_in_clear_is_seen_and_never_taken_for_tls() {
    let serve = |_: &'static str, turns: &'static [Turn], mut stream: TcpStream| {
        speak_with(&mut stream, turns, b"250 ok\r\n");
        let _ = stream.read(&mut [0; 4096]);
    };
    each(serve, |word, address| {
        // After the request of MySQL nothing is awaited, so that nothing can come before our hello.
        if word == "mysql" {
            return;
        }
        let facts = upgrade(word, address);
        assert_eq!((known(&facts.offered), known(&facts.extra_bytes)), ("yes", "yes"), "{word}: {facts:?}");
        assert!(facts.seen.contains("8 bytes in clear"), "{word}: {}", facts.seen);
        assert_eq!(known(&facts.injection), "unknown", "{word}");
        let (reason, detail) = look_with(asked(word, address), address, &context()).trouble();
        assert_eq!(reason, Reason::ProtocolViolation, "{word}: {detail}");
        assert!(detail.contains("upgrade unclear"), "{word}: {detail}");
    });
}

#[test]
fn plain_text_after_a_positive_answer_is_no_offer() {
    let serve = |_: &'static str, turns: &'static [Turn], mut stream: TcpStream| {
        speak(&mut stream, turns);
        let _ = stream.read(&mut [0; 4096]);
        let _ = stream.write_all(b"500 command not recognised\r\n");
        let _ = stream.read(&mut [0; 4096]);
    };
    each(serve, |word, address| {
        let facts = upgrade(word, address);
        assert_eq!(known(&facts.offered), "unknown", "{word}: {facts:?}");
        assert!(facts.offered.reason().unwrap().contains("accepted, and then"), "{word}: {facts:?}");
        let (reason, detail) = look_with(asked(word, address), address, &context()).trouble();
        let reasons = [Reason::ProtocolViolation, Reason::HandshakeRejected];
        assert!(reasons.contains(&reason), "{word}: {detail}");
    });
}

#[test]
fn a_server_without_tls_offers_none_and_one_without_time_is_asked_again() {
    let refusals: &[(&str, &[u8], &str)] = &[
        ("smtp", b"502 no\r\n", "421 too many\r\n"),
        ("imap", b"a1 OK nothing\r\n", "* BYE busy\r\n"),
        ("pop3", b"+OK\r\nUSER\r\n.\r\n", "-ERR [IN-USE] busy\r\n"),
        ("nntp", b"101 list\r\nREADER\r\n.\r\n", "400 full\r\n"),
        ("irc", b":x CAP * LS :sasl\r\n", "ERROR :busy\r\n"),
    ];
    for (word, refusal, busy) in refusals {
        let turns = crate::support::dialogue::turns(word);
        let address = scripted(move |mut stream| {
            speak(&mut stream, &turns[..1]);
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(refusal);
            let _ = stream.read(&mut [0; 4096]);
        });
        let facts = upgrade(word, address);
        assert_eq!((known(&facts.offered), known(&facts.extra_bytes)), ("no", "not-applicable"), "{word}: {facts:?}");
        assert_eq!(known(&facts.injection), "not-applicable");
        let (reason, detail) = look_with(asked(word, address), address, &context()).trouble();
        assert_eq!(reason, Reason::Unsupported, "{word}: {detail}");

        // Busy three times, then not: what it offers then counts.
        let times = std::sync::atomic::AtomicUsize::new(0);
        let address = scripted(move |mut stream| {
            if times.fetch_add(1, std::sync::atomic::Ordering::SeqCst) < 3 {
                let _ = stream.write_all(busy.as_bytes());
                let _ = stream.read(&mut [0; 4096]);
            } else {
                speak(&mut stream, &turns[..1]);
                let _ = stream.read(&mut [0; 4096]);
                let _ = stream.write_all(refusal);
            }
        });
        assert_eq!(known(&upgrade(word, address).offered), "no", "{word}");
        let always = scripted(move |mut stream| {
            let _ = stream.write_all(busy.as_bytes());
            let _ = stream.read(&mut [0; 4096]);
        });
        let trouble = request(word, always, &context()).trouble.unwrap();
        assert_eq!(trouble.reason, Reason::Refused, "{word}");
        assert!(trouble.detail.starts_with("throttled"), "{word}: {trouble:?}");
    }
}

#[test]
fn a_look_at_a_server_that_is_always_busy_ends() {
    let address = scripted(|mut stream| {
        let _ = stream.write_all(b"421 too many\r\n");
        let _ = stream.read(&mut [0; 4096]);
    });
    let seen = look_with(asked("smtp", address), address, &context());
    let (reason, detail) = seen.trouble();
    assert_eq!(reason, Reason::Refused, "{detail}");
    assert!(detail.starts_with("throttled"), "{detail}");
    assert!(seen.time < Duration::from_secs(25), "{:?}", seen.time);
}

#[test]
fn what_the_request_has_shown_is_not_asked_again() {
    let connections = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counted = std::sync::Arc::clone(&connections);
    let address = scripted(move |mut stream| {
        counted.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        let _ = stream.write_all(b"* PREAUTH welcome\r\n");
        let _ = stream.read(&mut [0; 4096]);
    });
    let earlier = vec![request("imap", address, &context())];
    let job = Job { target: asked("imap", address), addresses: vec![address], earlier };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let seen = runtime.block_on(Tls.collect(&job, &context()));
    assert!(seen.iter().all(|seen| seen.trouble.as_ref().is_some_and(|t| t.reason == Reason::Unsupported)), "{seen:?}");
    assert_eq!(seen.len(), Tls.yields().len());
    assert_eq!(connections.load(std::sync::atomic::Ordering::SeqCst), 1);
}

#[test]
fn a_session_that_is_logged_in_from_the_start_cannot_be_protected() {
    let address = scripted(|mut stream| {
        let _ = stream.write_all(b"* PREAUTH welcome\r\n");
        let _ = stream.read(&mut [0; 4096]);
    });
    let facts: Upgrade = upgrade("imap", address);
    assert_eq!(known(&facts.offered), "no");
    assert!(facts.seen.contains("PREAUTH"));
}
