//! TLS behind a request for it: real servers, scripted ones for what no server is to be had of, and hostile ones.

mod hostile;
mod injection;

use crate::support::dialogue::{PROTOCOLS, front};
use crate::support::services::{self, SUITES, Services};
use crate::support::tls::{Seen, context, look_with, loopback, nginx, target};
use crate::support::{Scratch, probity};
use probity::collect::tls::Starttls;
use probity::collect::{CollectContext, Collector, Job};
use probity::model::tls::{Certificates, Features, Upgrade};
use probity::model::{Fact, Observation, Target};
use probity::net::{Dial, Dialing, Stream};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// A target in which TLS is asked for like this.
fn asked(word: &str, address: SocketAddr) -> Target {
    let mut target = target(address);
    target.connection.starttls = Some(word.to_owned());
    target
}

/// The request alone, without long waits.
fn request(word: &str, address: SocketAddr, cx: &CollectContext) -> Observation {
    let waits = [10, 10, 10].map(Duration::from_millis);
    let collector = Starttls { silence: Duration::from_millis(700), back_off: waits };
    let job = Job { target: asked(word, address), addresses: vec![address], earlier: Vec::new() };
    assert!(collector.accepts(&job.target));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let mut seen = runtime.block_on(collector.collect(&job, cx));
    assert_eq!(seen.len(), 1);
    seen.remove(0)
}

fn upgrade(word: &str, address: SocketAddr) -> Upgrade {
    let seen = request(word, address, &context());
    seen.read().unwrap_or_else(|_| panic!("{word}: {:?}", seen.trouble))
}

fn known(fact: &Fact<String>) -> &str {
    fact.known().map_or("unknown", String::as_str)
}

/// What is offered equals what is configured, suite by suite.
fn expect_configured(word: &str, seen: &Seen) {
    assert_eq!(seen.protocols(), ["TLSv1.2", "TLSv1.3"], "{word}");
    assert_eq!(seen.suites("TLSv1.2"), SUITES.map(String::from).into(), "{word}");
    let modern = ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"];
    assert_eq!(seen.suites("TLSv1.3"), modern.map(String::from).into(), "{word}");
    let certificates: Certificates = seen.read("tls.certificates");
    assert_eq!(certificates.deployments.len(), 1, "{word}");
    assert_eq!(certificates.deployments[0].protocols, ["TLSv1.2", "TLSv1.3"], "{word}");
    assert_eq!(certificates.deployments[0].leaf.names, ["shop.example"], "{word}");
}

/// Looks at each service of a server, all at the same time.
fn look_at_all(services: &Services, check: impl Fn(&str, &Seen, &Upgrade) + Sync) {
    std::thread::scope(|scope| {
        for (word, port) in &services.ports {
            let check = &check;
            scope.spawn(move || {
                let address = loopback(*port);
                let facts = upgrade(word, address);
                assert_eq!(known(&facts.offered), "yes", "{word}: {facts:?}");
                assert_eq!(known(&facts.extra_bytes), "no", "{word}");
                let seen = look_with(asked(word, address), address, &context());
                eprintln!("{word}: {} exchanges, {:?}", seen.of("tls.suites").transcript.len(), seen.time);
                check(word, &seen, &facts);
            });
        }
    });
}

#[test]
fn a_dovecot_is_seen_as_it_is_configured_in_each_of_its_protocols() {
    let scratch = Scratch::new("dovecot");
    let Some(services) = services::dovecot(&scratch) else { return };
    look_at_all(&services, |word, seen, facts| {
        expect_configured(word, seen);
        assert_eq!(known(&facts.injection), "not-vulnerable", "{word}: {facts:?}");
    });
}

#[test]
fn a_postfix_is_seen_as_it_is_configured() {
    let scratch = Scratch::new("postfix");
    let Some(services) = services::postfix(&scratch) else { return };
    look_at_all(&services, |word, seen, facts| {
        expect_configured(word, seen);
        assert_eq!(known(&facts.injection), "not-vulnerable", "{facts:?}");
    });
}

#[test]
fn a_prosody_is_seen_as_it_is_configured_and_insists_on_tls_from_clients() {
    let scratch = Scratch::new("prosody");
    let Some(services) = services::prosody(&scratch) else { return };
    look_at_all(&services, |word, seen, facts| {
        expect_configured(word, seen);
        let required = if word == "xmpp" { "yes" } else { "no" };
        assert_eq!(known(&facts.required), required, "{word}");
        assert_eq!(known(&facts.injection), "not-applicable", "{word}");
    });
}

#[test]
fn a_vsftpd_is_seen_as_it_is_configured() {
    let scratch = Scratch::new("vsftpd");
    let Some(services) = services::vsftpd(&scratch) else { return };
    look_at_all(&services, |word, seen, facts| {
        expect_configured(word, seen);
        assert_eq!(known(&facts.injection), "not-vulnerable", "{facts:?}");
    });
}

#[test]
fn an_xrdp_is_seen_as_it_is_configured() {
    let scratch = Scratch::new("xrdp");
    let Some(services) = services::xrdp(&scratch) else { return };
    look_at_all(&services, |word, seen, _| expect_configured(word, seen));
}

#[test]
fn servers_with_gnutls_are_seen_as_they_are_configured() {
    let scratch = Scratch::new("slapd");
    if let Some(services) = services::slapd(&scratch) {
        expect_gnutls(&services, &["ECDHE-RSA", "DHE-RSA"]);
    }
    let scratch = Scratch::new("inspircd");
    if let Some(services) = services::inspircd(&scratch) {
        expect_gnutls(&services, &["ECDHE-RSA"]);
    }
}

fn expect_gnutls(services: &Services, exchanges: &[&str]) {
    look_at_all(services, |word, seen, _| {
        assert_eq!(seen.protocols(), ["TLSv1.2", "TLSv1.3"], "{word}");
        let ciphers = ["AES128-GCM-SHA256", "AES256-GCM-SHA384", "CHACHA20-POLY1305"];
        let expected = exchanges.iter().flat_map(|kx| ciphers.map(|cipher| format!("{kx}-{cipher}"))).collect();
        assert_eq!(seen.suites("TLSv1.2"), expected);
        assert_eq!(seen.suites("TLSv1.3").len(), 3);
    });
}

#[test]
fn a_mariadb_is_seen_as_it_is_configured() {
    let scratch = Scratch::new("mariadb");
    let ciphers = format!("--ssl-cipher={}", SUITES.join(":"));
    let Some(services) = services::mariadb(&scratch, &[&ciphers]) else { return };
    look_at_all(&services, |word, seen, _| expect_configured(word, seen));
}

/// Connects from another address of this machine: a server never shuts out 127.0.0.1.
struct From(Ipv4Addr);

impl Dial for From {
    fn resolve<'a>(&'a self, _: &'a str, port: u16) -> Dialing<'a, Vec<SocketAddr>> {
        Box::pin(async move { Ok(vec![loopback(port)]) })
    }

    fn connect(&self, address: SocketAddr, _: Duration) -> Dialing<'_, Box<dyn Stream>> {
        Box::pin(async move {
            let socket = tokio::net::TcpSocket::new_v4().unwrap();
            socket.bind((self.0, 0).into()).unwrap();
            Ok(Box::new(socket.connect(address).await.unwrap()) as Box<dyn Stream>)
        })
    }
}

#[test]
fn a_look_at_a_mariadb_does_not_get_its_machine_shut_out() {
    let scratch = Scratch::new("mariadb-errors");
    let Some(services) = services::mariadb(&scratch, &["--ssl-cipher=ALL:@SECLEVEL=0"]) else { return };
    let address = loopback(services.ports[0].1);
    let cx = CollectContext { dial: Arc::new(From(Ipv4Addr::new(127, 0, 0, 2))), ..context() };
    let before = request("mysql", address, &cx);
    let seen = look_with(asked("mysql", address), address, &cx);
    let connections = seen.observations[0].transcript.len();
    eprintln!("mysql: {connections} exchanges, {:?}", seen.time);
    let troubles: Vec<_> = seen.observations.iter().filter_map(|seen| seen.trouble.as_ref()).collect();
    assert!(troubles.iter().any(|trouble| trouble.detail.contains("shut out this machine")), "{troubles:?}");
    // One that was shut out would read an error instead of a greeting.
    let after = request("mysql", address, &cx);
    for observation in [before, after] {
        assert_eq!(known(&observation.read::<Upgrade>().unwrap().offered), "yes");
    }
    assert!(seen.observations.iter().any(|observation| observation.read::<Features>().is_ok()));
}

#[test]
fn every_protocol_leads_to_the_facts_of_the_server_behind_it() {
    let scratch = Scratch::new("fronts");
    let lines = format!("ssl_protocols TLSv1.2 TLSv1.3; ssl_ciphers {};", SUITES.join(":"));
    let Some((_server, port)) = nginx(&scratch, &lines) else { return };
    std::thread::scope(|scope| {
        for (word, _) in PROTOCOLS {
            scope.spawn(move || {
                let address = front(word, port);
                let facts = upgrade(word, address);
                assert_eq!(known(&facts.offered), "yes", "{word}: {facts:?}");
                let seen = look_with(asked(word, address), address, &context());
                expect_configured(word, &seen);
            });
        }
    });
}

#[test]
fn mail_is_asked_one_thing_at_a_time() {
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
    static OPEN: AtomicUsize = AtomicUsize::new(0);
    static MOST: AtomicUsize = AtomicUsize::new(0);
    let address = crate::support::tls::scripted(|mut stream| {
        MOST.fetch_max(OPEN.fetch_add(1, SeqCst) + 1, SeqCst);
        crate::support::dialogue::speak(&mut stream, crate::support::dialogue::turns("smtp"));
        let _ = std::io::Read::read(&mut stream, &mut [0; 4096]);
        let _ = std::io::Write::write_all(&mut stream, &[21, 3, 1, 0, 2, 2, 40]);
        OPEN.fetch_sub(1, SeqCst);
    });
    look_with(asked("smtp", address), address, &context());
    // A server may notice the end of one a moment after the next has begun.
    assert!(MOST.load(SeqCst) <= 2, "{} open at once", MOST.load(SeqCst));
}

#[test]
fn a_service_is_named_on_the_command_line() {
    let scratch = Scratch::new("starttls-cli");
    let Some((_server, port)) = nginx(&scratch, "ssl_protocols TLSv1.3;") else { return };
    let address = front("ftp", port);
    let target = format!("ftp://127.0.0.1:{}", address.port());
    let output = probity().args(["collect", "-q", &target]).timeout(Duration::from_secs(60)).output().unwrap();
    let evidence: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let kinds: Vec<_> = evidence["observations"].as_array().unwrap().iter().map(|o| o["kind"].clone()).collect();
    assert!(kinds.contains(&"tls.upgrade".into()) && kinds.contains(&"tls.protocols".into()), "{kinds:?}");
    let help = String::from_utf8(probity().args(["scan", "--help"]).output().unwrap().stdout).unwrap();
    for service in probity::model::service::SERVICES {
        assert!(
            help.split(|c: char| !c.is_alphanumeric() && c != '-').any(|word| word == service.word),
            "{}",
            service.word
        );
    }
    let output = probity().args(["scan", "smpt://127.0.0.1"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let words = String::from_utf8_lossy(&output.stderr).replace(char::is_whitespace, " ");
    assert!(words.contains("did you mean `smtp://`?") && words.contains("xmpp-server"), "{words}");
}
