//! Sessions of our own record layer against real servers.

use crate::support::lab::{self, Options};
use crate::support::tls::{loopback, openssl, s_server};
use crate::support::{Scratch, program};
use probity::collect::tls::session::{Agreed, Failure, GROUPS, Item, Session, Time};
use probity::net::{Dial as _, Random as _, SystemRandom, TcpDial};
use probity::wire::{ClientHello, Extension, Version, alert, extension};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

const WAIT: Duration = Duration::from_secs(5);
const ANY: &str = "ALL:COMPLEMENTOFALL:@SECLEVEL=0";

fn run<T>(look: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(look)
}

fn hello(version: Version, suites: &[u16]) -> ClientHello {
    let mut random = [0; 32];
    SystemRandom.fill(&mut random);
    ClientHello {
        version: version.code(),
        random,
        session_id: Vec::new(),
        suites: suites.to_vec(),
        compression: vec![0],
        extensions: Some(vec![
            Extension::groups(&GROUPS),
            Extension::point_formats(),
            Extension::schemes(&[0x0403, 0x0401, 0x0201, 0x0202]),
            Extension::renegotiation_info(),
        ]),
    }
}

async fn open(port: u16, hello: &ClientHello, earlier: Option<&Agreed>) -> Result<Session, Failure> {
    let stream = TcpDial.connect(loopback(port), WAIT).await.unwrap();
    Session::open(stream, hello, earlier, Arc::new(SystemRandom), Time::from_now(WAIT)).await
}

/// Asks for the page and reads until the server has closed: how much came.
async fn get(session: &mut Session) -> usize {
    let end = Instant::now() + WAIT;
    session.send(b"GET / HTTP/1.0\r\n\r\n", end).await.unwrap();
    let mut total = 0;
    loop {
        match session.channel().next(end).await {
            Ok(Item::Data(count)) => total += count,
            Ok(_) => {}
            Err(Failure::Alert(end)) if end.description == alert::CLOSE_NOTIFY => return total,
            Err(Failure::Closed) => return total,
            Err(other) => panic!("{}", other.words()),
        }
    }
}

/// The suites of RSA certificates that Debian's OpenSSL still has.
const SUITES: [u16; 25] = [
    0x0041, 0x0088, 0xC076, 0xC077, // Camellia
    0x002F, 0x0035, 0x003C, 0x003D, 0x009C, 0x009D, // RSA
    0x0033, 0x0039, 0x0067, 0x006B, 0x009E, 0x009F, 0xCCAA, // DHE
    0xC013, 0xC014, 0xC027, 0xC028, 0xC02F, 0xC030, 0xCCA8, // ECDHE
    0xC018, // anonymous
];

#[test]
fn every_suite_makes_a_session_with_a_real_server() {
    for (version, flag) in [(Version::Tls10, "-tls1"), (Version::Tls11, "-tls1_1"), (Version::Tls12, "-tls1_2")] {
        let scratch = Scratch::new("session-suites");
        let Some((_server, port)) = s_server(&scratch, "rsa", &["-www", "-cipher", ANY, flag]) else { return };
        for suite in SUITES {
            // Older versions have SHA-1 alone.
            let modern =
                !matches!(suite, 0x0041 | 0x0088 | 0x002F | 0x0035 | 0x0033 | 0x0039 | 0xC013 | 0xC014 | 0xC018);
            if modern && version != Version::Tls12 {
                continue;
            }
            for extensions in [vec![], vec![extension::ENCRYPT_THEN_MAC], vec![extension::EXTENDED_MASTER_SECRET]] {
                let mut hello = hello(version, &[suite]);
                for kind in &extensions {
                    hello = hello.with(Extension::empty(*kind));
                }
                run(async {
                    let name = format!("{} 0x{suite:04X} {extensions:?}", version.name());
                    let mut session = match open(port, &hello, None).await {
                        Ok(session) => session,
                        Err(failure) => panic!("{name}: {}", failure.words()),
                    };
                    let agreed = session.agreed();
                    assert_eq!((agreed.version(), agreed.suite().id), (version, suite), "{name}");
                    let cbc = agreed.suite().is_cbc();
                    assert_eq!(agreed.terms.encrypt_then_mac, cbc && extensions == [extension::ENCRYPT_THEN_MAC]);
                    assert_eq!(agreed.extended, extensions == [extension::EXTENDED_MASTER_SECRET]);
                    assert!(get(&mut session).await > 100, "{name}");
                });
            }
        }
    }
}

#[test]
fn a_changed_record_is_refused_by_a_real_server() {
    let scratch = Scratch::new("session-forged");
    let Some((_server, port)) = s_server(&scratch, "rsa", &["-www", "-cipher", ANY, "-tls1_2"]) else { return };
    run(async {
        let mut session = open(port, &hello(Version::Tls12, &[0x002F]), None).await.unwrap_or_else(|_| panic!());
        session.channel().put_forged(23, vec![0x41; 64]).unwrap();
        let end = Instant::now() + WAIT;
        session.channel().flush(end).await;
        let Err(Failure::Alert(answer)) = session.channel().next(end).await else { panic!() };
        assert_eq!(answer.name(), "bad_record_mac");
    });
}

#[test]
fn sessions_are_resumed_by_id_and_by_ticket() {
    let scratch = Scratch::new("session-resumed");
    let Some((_server, port)) = s_server(&scratch, "rsa", &["-www", "-tls1_2"]) else { return };
    run(async {
        let plain = hello(Version::Tls12, &[0xC02F]).with(Extension::empty(extension::EXTENDED_MASTER_SECRET));
        // The server treats one connection after the other, so each ends before the next.
        let open = async |hello: &ClientHello, earlier: Option<&Agreed>| {
            let session = open(port, hello, earlier).await;
            let mut session = session.unwrap_or_else(|failure| panic!("{}", failure.words()));
            let agreed = session.agreed().clone();
            assert!(get(&mut session).await > 100);
            agreed
        };
        let first = open(&plain, None).await;
        let id = first.hello.session_id.clone();
        assert!(!id.is_empty());
        let again = ClientHello { session_id: id.clone(), ..plain.clone() };
        let second = open(&again, Some(&first)).await;
        assert!(second.resumed);
        assert_eq!(second.hello.session_id, id);

        let asking = plain.clone().with(Extension::empty(extension::SESSION_TICKET));
        let first = open(&asking, None).await;
        let ticket = first.ticket.clone().unwrap();
        assert!(ticket.lifetime > 0);
        let showing = ClientHello { session_id: vec![9; 32], ..plain.clone() };
        let showing = showing.with(Extension::new(extension::SESSION_TICKET, ticket.bytes));
        let second = open(&showing, Some(&first)).await;
        assert!(second.resumed);
        assert_eq!(second.hello.session_id, [9; 32]);
        // What the server does not know is a new session.
        let strange = ClientHello { session_id: vec![8; 32], ..plain.clone() };
        assert!(!open(&strange, Some(&first)).await.resumed);
    });
}

#[test]
fn renegotiation_is_made_where_the_server_wants_it_and_refused_where_not() {
    for allowed in [true, false] {
        let scratch = Scratch::new("session-again");
        let mut arguments = vec!["-www", "-tls1_2"];
        if allowed {
            arguments.push("-client_renegotiation");
        }
        let Some((_server, port)) = s_server(&scratch, "rsa", &arguments) else { return };
        run(async {
            let first = hello(Version::Tls12, &[0xC02F]);
            let mut session = open(port, &first, None).await.unwrap_or_else(|_| panic!());
            for _ in 0..3 {
                let mut body = vec![12];
                body.extend(&session.agreed().client_finished);
                let again = hello(Version::Tls12, &[0xC02F]).with(Extension::new(extension::RENEGOTIATION_INFO, body));
                let outcome = session.renegotiate(&again, Time::from_now(WAIT)).await;
                if !allowed {
                    assert!(matches!(outcome, Err(Failure::Alert(alert)) if alert.name() == "no_renegotiation"));
                    assert_eq!(session.answered(), 1);
                    return;
                }
                assert_eq!(outcome, Ok(()));
            }
            assert_eq!(session.answered(), 4);
            assert!(get(&mut session).await > 100);
        });
    }
}

#[test]
fn small_and_other_keys_do() {
    if program("openssl").is_none() {
        return;
    }
    let scratch = Scratch::new("session-keys");
    let dh = scratch.path().join("dh.pem");
    openssl(&["dhparam", "-out", dh.to_str().unwrap(), "-dsaparam", "1024"]);
    let arguments = ["-www", "-cipher", ANY, "-tls1_2", "-dhparam", dh.to_str().unwrap()];
    let Some((_server, port)) = s_server(&scratch, "rsa", &arguments) else { return };
    run(async {
        let mut session = open(port, &hello(Version::Tls12, &[0x0039]), None).await.unwrap_or_else(|_| panic!());
        assert!(get(&mut session).await > 100);
    });
    let Some((_server, port)) = s_server(&scratch, "ecdsa", &["-www", "-tls1_2"]) else { return };
    for group in GROUPS {
        let hello = hello(Version::Tls12, &[0xC02B]).with(Extension::groups(&[group, 0x0017]));
        run(async {
            let mut session = open(port, &hello, None).await.unwrap_or_else(|failure| panic!("{}", failure.words()));
            assert!(get(&mut session).await > 100, "{group}");
        });
    }
}

#[test]
fn a_server_that_asks_for_a_certificate_is_told_that_there_is_none() {
    let scratch = Scratch::new("session-asked");
    let Some((_server, port)) = s_server(&scratch, "rsa", &["-www", "-tls1_2", "-verify", "1"]) else { return };
    run(async {
        let mut session = open(port, &hello(Version::Tls12, &[0xC02F]), None).await.unwrap_or_else(|_| panic!());
        assert!(get(&mut session).await > 100);
    });
}

#[test]
fn rc4_des_and_3des_make_sessions_with_an_old_server() {
    let scratch = Scratch::new("session-old");
    let options = Options { ciphers: lab::EVERY_CIPHER, ..Options::default() };
    let Some((_server, port)) = lab::node(&scratch, lab::OPENSSL_1_0_1E, &options) else { return };
    let suites = [0x0004, 0x0005, 0x0009, 0x000A, 0x0041, 0x002F];
    for version in [Version::Tls10, Version::Tls11, Version::Tls12] {
        for suite in suites {
            run(async {
                let mut session = match open(port, &hello(version, &[suite]), None).await {
                    Ok(session) => session,
                    Err(failure) => panic!("{} 0x{suite:04X}: {}", version.name(), failure.words()),
                };
                assert!(get(&mut session).await > 50, "{} 0x{suite:04X}", version.name());
            });
        }
    }
}
