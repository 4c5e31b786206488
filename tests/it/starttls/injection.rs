//! Commands that are sent in clear behind the request for TLS.

use super::{context, known, loopback, request, upgrade};
use crate::support::dialogue::{accept_tls, speak, speak_with, turns};
use crate::support::postgres::{Postgres, Posture};
use crate::support::tls::scripted;
use probity::model::tls::Upgrade;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};

/// The text protocols, what their second command looks like, and an answer to it.
const COMMANDS: [(&str, &str, &[u8]); 7] = [
    ("smtp", "NOOP", b"250 ok\r\n"),
    ("lmtp", "NOOP", b"250 ok\r\n"),
    ("imap", "a3 NOOP", b"a3 OK done\r\n"),
    ("pop3", "CAPA", b"+OK\r\nUSER\r\n.\r\n"),
    ("sieve", "NOOP", b"OK \"done\"\r\n"),
    ("ftp", "FEAT", b"211 none\r\n"),
    ("nntp", "DATE", b"111 20261125000000\r\n"),
];

/// What a server does with a second command.
#[derive(Clone, Copy, PartialEq)]
enum Manner {
    /// Forgets it.
    Sound,
    /// Answers it within TLS.
    Buffered,
    /// Answers it in clear, before the handshake.
    InClear,
    /// Complains in clear and hangs up, as a server whose library takes the command for a broken hello.
    Complains,
    /// Hangs up.
    HangsUp,
}

fn server(word: &'static str, answer: &'static [u8], manner: Manner) -> SocketAddr {
    scripted(move |stream| serve(word, answer, manner, stream, &Mutex::default()))
}

/// Serves a client in this manner, and notes how it asked for TLS.
fn serve(word: &str, answer: &[u8], manner: Manner, mut stream: TcpStream, requests: &Mutex<Vec<String>>) {
    let (last, first) = turns(word).split_last().unwrap();
    speak(&mut stream, first);
    let mut heard = [0; 4096];
    let count = stream.peek(&mut heard).unwrap_or(0);
    let request = String::from_utf8_lossy(&heard[..count]).into_owned();
    let second = request.matches('\n').count() > 1;
    requests.lock().unwrap().push(request);
    match manner {
        Manner::HangsUp if second => return,
        Manner::Complains if second => {
            speak_with(&mut stream, &[*last], b"500 OOPS: wrong version number\r\n");
            return;
        }
        Manner::InClear if second => drop(speak_with(&mut stream, &[*last], answer)),
        _ => drop(speak(&mut stream, &[*last])),
    }
    let Some(mut tls) = accept_tls(stream) else { return };
    // ManageSieve names its capabilities again, unasked.
    let mut said = if word == "sieve" { b"\"SASL\" \"PLAIN\"\r\nOK\r\n".to_vec() } else { Vec::new() };
    if second && manner == Manner::Buffered {
        said.extend_from_slice(answer);
    }
    if tls.write_all(&said).is_ok() && tls.flush().is_ok() {
        let _ = tls.read(&mut heard);
    }
}

#[test]
fn a_command_that_crosses_into_tls_is_found_and_a_sound_server_is_not_blamed() {
    let expected = [
        (Manner::Sound, "not-vulnerable"),
        (Manner::Buffered, "vulnerable"),
        (Manner::InClear, "likely"),
        (Manner::Complains, "not-vulnerable"),
        (Manner::HangsUp, "not-vulnerable"),
    ];
    std::thread::scope(|scope| {
        for (word, _, answer) in COMMANDS {
            scope.spawn(move || {
                for (manner, verdict) in expected {
                    let facts = upgrade(word, server(word, answer, manner));
                    assert_eq!(known(&facts.injection), verdict, "{word}: {facts:?}");
                    assert_eq!(known(&facts.offered), "yes", "{word}");
                }
            });
        }
    });
}

#[test]
fn the_second_command_comes_in_one_segment_with_the_request_and_is_harmless() {
    for (word, command, answer) in COMMANDS {
        let requests: Arc<Mutex<Vec<String>>> = Arc::default();
        let heard = Arc::clone(&requests);
        let address = scripted(move |stream| serve(word, answer, Manner::Sound, stream, &heard));
        assert_eq!(known(&upgrade(word, address).injection), "not-vulnerable", "{word}");
        let requests = requests.lock().unwrap();
        let alone = requests.first().unwrap();
        assert_eq!(alone.matches("\r\n").count(), 1, "{word}: {alone:?}");
        assert!(requests.contains(&format!("{alone}{command}\r\n")), "{word}: {requests:?}");
    }
}

#[test]
fn a_postgresql_that_is_sound_complains_and_one_that_is_not_waits() {
    if let Some(postgres) = Postgres::start(Posture::Mixed) {
        let facts = upgrade("postgresql", loopback(postgres.port));
        assert_eq!(known(&facts.injection), "not-vulnerable", "{facts:?}");
    }
    let address = scripted(|mut stream| {
        let mut heard = [0; 8];
        let _ = stream.read_exact(&mut heard);
        // The two bytes behind the request wait to be taken for protected ones.
        stream.set_read_timeout(Some(std::time::Duration::from_millis(50))).unwrap();
        let mut kept = [0; 2];
        if matches!(stream.peek(&mut kept), Ok(2)) && kept == [0, 0] {
            let _ = stream.read_exact(&mut kept);
        }
        let _ = stream.write_all(b"S");
        let Some(mut tls) = accept_tls(stream) else { return };
        let _ = tls.read(&mut [0; 64]);
    });
    assert_eq!(known(&upgrade("postgresql", address).injection), "vulnerable");
}

#[test]
fn the_test_can_be_switched_off_and_is_then_unknown() {
    let address = server("smtp", b"250 ok\r\n", Manner::Buffered);
    let mut cx = context();
    cx.limits.depth.intrusive = false;
    let facts: Upgrade = request("smtp", address, &cx).read().unwrap();
    assert_eq!(facts.injection.reason(), Some("disabled: intrusive tests are switched off"));
}
