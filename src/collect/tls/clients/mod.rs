//! Known clients, live: their own hellos are sent, and the answers say what they end up with.
//!
//! A stage of its own after all loops, off unless it is asked for: it costs a connection a client.

mod hello;

use super::certificate;
use super::facts::Data;
use super::probe::{self, Outcome};
use super::prober::{APART, Answer, Prober};
use crate::catalogue::registry::{self, Client};
use crate::model::tls::{Clients, SimulatedClient};
use crate::model::{Fact, Reason, Trouble};
use crate::wire::key_exchange::{Params, bit_length};
use crate::wire::{ServerFlight, Version, alert, extension};
use futures_util::future::join_all;

/// What every known client ends up with.
pub async fn look(prober: &Prober<'_>, server_name: &str) -> Data<Clients> {
    let rows = join_all(registry::clients().iter().map(|client| row(prober, client, server_name))).await;
    let doubt = prober.steadiness.doubt();
    let settled = |(row, inferred): (SimulatedClient, bool)| match doubt.as_ref().filter(|_| inferred) {
        Some(doubt) => SimulatedClient::new(&row.id, &row.name, &row.version, row.reference).unknown(&doubt.detail),
        None => row,
    };
    let clients: Vec<SimulatedClient> = rows.into_iter().map(settled).collect();
    let open = clients.iter().find_map(|row| row.connects.reason().map(|reason| format!("{}: {reason}", row.label())));
    let trouble = open.map(|detail| match prober.stopped() {
        Some(stopped) => stopped,
        None => Trouble::new(Reason::HandshakeRejected, detail),
    });
    (Clients { clients, notes: Vec::new() }, trouble)
}

/// The row of a client, and whether it rests on silence.
async fn row(prober: &Prober<'_>, client: &Client, server_name: &str) -> (SimulatedClient, bool) {
    let row = SimulatedClient::new(&client.id, &client.name, &client.version, client.is_reference());
    let first = ask(prober, client, server_name).await;
    if let Some(row) = clear(prober, client, &row, &first) {
        return (row, false);
    }
    if let Err(trouble) = prober.pause(APART).await {
        return (row.unknown(&trouble.detail), false);
    }
    let second = ask(prober, client, server_name).await;
    if let Some(row) = clear(prober, client, &row, &second) {
        prober.changed(&first, &second);
        return (row, false);
    }
    match prober.infer(&first, &second).await {
        Answer::No(refusal) => (row.failing("refused", refusal.seen), true),
        Answer::Unknown(trouble) => (row.unknown(&trouble.detail), false),
        Answer::Yes(_) => (row.unknown("inconsistent answers"), false),
    }
}

/// One connection with the client's hello.
async fn ask(prober: &Prober<'_>, client: &Client, server_name: &str) -> Outcome {
    if let Some(trouble) = prober.stopped() {
        return Outcome::NoTransport(trouble);
    }
    // A browser's protocols mean nothing to a service of another kind.
    let with_alpn = prober.upgrade.word().is_none();
    let look = async {
        let hello = match hello::record(client, server_name, with_alpn, &*prober.cx.random) {
            Ok(hello) => hello,
            Err(reason) => return Outcome::NoTransport(Trouble::new(Reason::Unsupported, reason)),
        };
        match prober.open().await {
            Ok(mut stream) => probe::answer(&mut *stream, &hello, prober.upgrade.patience()).await,
            Err(trouble) => Outcome::NoTransport(trouble),
        }
    };
    let outcome = tokio::select! {
        outcome = look => outcome,
        () = prober.cx.cancel.cancelled() => {
            Outcome::NoTransport(Trouble::new(Reason::Interrupted, "the run was stopped"))
        }
    };
    prober.record_words(format!("ClientHello of {} {}", client.name, client.version), outcome.words(), "known clients");
    outcome
}

/// The row that an outcome gives by itself.
fn clear(prober: &Prober<'_>, client: &Client, row: &SimulatedClient, outcome: &Outcome) -> Option<SimulatedClient> {
    let row = row.clone();
    match outcome {
        Outcome::Hello(flight) => Some(answered(prober, client, row, flight)),
        Outcome::Alert(fatal) => {
            let failure = match fatal.description {
                alert::PROTOCOL_VERSION => "no_version",
                alert::HANDSHAKE_FAILURE | alert::INSUFFICIENT_SECURITY => "no_suite",
                alert::UNRECOGNIZED_NAME if !client.sends(extension::SERVER_NAME) => "sni_needed",
                alert::UNRECOGNIZED_NAME | alert::NO_APPLICATION_PROTOCOL => "refused",
                _ => return None,
            };
            Some(row.failing(failure, outcome.words()))
        }
        Outcome::NoTransport(trouble) if matches!(trouble.reason, Reason::Interrupted | Reason::Unsupported) => {
            Some(row.unknown(&trouble.detail))
        }
        _ => None,
    }
}

/// What the client makes of a ServerHello.
fn answered(prober: &Prober<'_>, client: &Client, row: SimulatedClient, flight: &ServerFlight) -> SimulatedClient {
    let hello = &flight.hello;
    let Some(version) = Version::from_code(hello.negotiated()) else {
        return row.unknown(&format!("ServerHello with version 0x{:04X}", hello.negotiated()));
    };
    let suite = hello.suite;
    if !client.real_suites().any(|id| id == suite) {
        return row.unknown(&format!("ServerHello with suite 0x{suite:04X}, which was not offered"));
    }
    match client.takes(version.code()) {
        Err(reason) => return row.unknown(&reason),
        Ok(takes) if !takes || !client.offers(version.code()) => {
            return row.failing("no_version", format!("the client does not go on with {}", version.name()));
        }
        Ok(_) => {}
    }
    let facts = Exchange::of(prober, version, flight);
    if let Some(bits) = facts.field {
        match client.refuses_field(bits) {
            Err(reason) => return row.unknown(&reason),
            Ok(Some(failure)) => return row.failing(failure, format!("a field of {bits} bits")),
            Ok(None) => {}
        }
    }
    match (facts.weak, client.requires_sha2_cert) {
        (Some(false), _) | (_, Some(false)) => {}
        (Some(true), Some(true)) => return row.failing("cert_alg", "the chain is signed with SHA-1 or older"),
        _ => return row.unknown("whether the client takes the chain that is served is not known"),
    }
    let registered = registry::suite(u32::from(suite), false);
    let word = |yes: Option<bool>| match yes {
        Some(yes) => Fact::Known(if yes { "yes" } else { "no" }.to_owned()),
        None => Fact::unknown("a suite without an entry in the registry"),
    };
    SimulatedClient {
        connects: Fact::Known(true),
        protocol: version.name().to_owned(),
        suite: format!("0x{suite:04X}"),
        suite_name: registered.map_or_else(|| format!("0x{suite:04X}"), |known| known.name.clone()),
        group: facts.name,
        strength: facts.strength,
        forward_secrecy: word(registered.map(|known| known.pfs)),
        aead: word(registered.map(|known| known.aead)),
        ..row
    }
}

/// The key exchange of an answer.
struct Exchange {
    name: Fact<String>,
    strength: Fact<u32>,
    /// Bits of a finite field of the server's own.
    field: Option<u32>,
    /// The chain has a signature with SHA-1 or older.
    weak: Option<bool>,
}

impl Exchange {
    fn of(prober: &Prober<'_>, version: Version, flight: &ServerFlight) -> Exchange {
        // In TLS 1.3 the chain is encrypted: those that whole handshakes showed stand for it.
        let chains: Vec<Vec<Vec<u8>>> = match version {
            Version::Tls13 => prober.with_ledger(|ledger| {
                let modern = ledger.chains.values().filter(|chain| chain.versions.contains(&Version::Tls13));
                modern.map(|chain| chain.certificates.clone()).collect()
            }),
            _ => vec![flight.chain.clone()],
        };
        let weak: Vec<Option<bool>> = chains.iter().map(|chain| certificate::is_weakly_signed(chain)).collect();
        let weak = match weak.split_first() {
            Some((first, rest)) if rest.iter().all(|other| other == first) => *first,
            _ => None,
        };
        let key = chains.iter().filter_map(|chain| certificate::key_of(chain.first()?)).map(|key| key.strength).min();
        let key = key.map_or_else(|| Fact::unknown("the key of the certificate was not seen"), Fact::Known);
        let with = |bits: u32| match &key {
            Fact::Known(key) => Fact::Known(bits.min(*key)),
            unknown => unknown.clone(),
        };
        let group = match flight.key_exchange.as_ref().map(|exchange| &exchange.params) {
            Some(Params::Curve { group, .. }) => Some(*group),
            Some(Params::Field { p, .. }) => {
                let bits = bit_length(p);
                let name = Fact::Known(format!("dh-{bits}"));
                return Exchange { name, strength: with(bits), field: Some(bits), weak };
            }
            _ => flight.hello.group(),
        };
        let named = |group: u16| registry::group(group);
        let (name, strength) = match group {
            Some(group) => (
                Fact::Known(named(group).map_or_else(|| format!("0x{group:04X}"), |row| row.name.clone())),
                named(group).map_or_else(|| Fact::unknown("a group without an entry"), |row| with(row.rsa_equiv_bits)),
            ),
            None => (Fact::Known(String::new()), key.clone()),
        };
        Exchange { name, strength, field: None, weak }
    }
}
