use super::*;
use crate::collect::{CollectContext, Collecting, Collector, Job, Limits, Silent};
use crate::model::Trouble;
use crate::model::{FixedClock, Observation, ObservationStatus, Reason, Target, TargetKind};
use crate::net::{Dial, Dialing, SeededRandom, Stream, TcpDial};
use crate::target::Config;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Panics on one target, and sees something on every other.
struct Fragile;

impl Collector for Fragile {
    fn id(&self) -> &'static str {
        "fragile"
    }
    fn accepts(&self, target: &Target) -> bool {
        target.kind == TargetKind::File
    }
    fn yields(&self) -> &'static [&'static str] {
        &["db.at_rest"]
    }
    fn collect<'a>(&'a self, job: &'a Job, cx: &'a CollectContext) -> Collecting<'a> {
        Box::pin(async move {
            assert_ne!(job.target.id, "bad", "a fault of the collector's own");
            let facts = serde_json::json!({"applicable": true});
            vec![Observation::complete("db.at_rest", &job.target.id, "", "fragile", cx.clock.now(), &facts).unwrap()]
        })
    }
}

fn setup() -> Setup {
    Setup {
        clock: Arc::new(FixedClock("2026-11-23T12:00:00Z".parse().unwrap())),
        dial: Arc::new(TcpDial),
        random: Arc::new(SeededRandom::new(1)),
        progress: Arc::new(Silent),
        secrets: Arc::new(SystemSecrets),
        cancel: CancellationToken::new(),
        limits: Limits::default(),
        trigger: "manual".to_owned(),
        principal: "tester".to_owned(),
        host: "here".to_owned(),
        collectors: Arc::new(vec![Box::new(Fragile)]),
    }
}

fn config(ids: &[&str]) -> Config {
    let targets = ids.iter().map(|id| Target::new(*id, TargetKind::File, *id)).collect();
    Config { targets, ..Config::default() }.sealed()
}

fn looked(config: &Config, setup: &Setup) -> Evidence {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(collect(config, setup))
}

#[test]
fn a_panic_of_one_look_is_recorded_and_ends_nothing_else() {
    let evidence = looked(&config(&["bad", "good"]), &setup());
    assert_eq!(evidence.observations.len(), 2);
    assert_eq!(evidence.observations[0].status, ObservationStatus::Failed);
    assert_eq!(evidence.observations[0].trouble.as_ref().unwrap().reason, Reason::Internal);
    assert_eq!(evidence.observations[1].status, ObservationStatus::Complete);
}

#[test]
fn a_stopped_run_says_so_and_records_what_was_not_looked_at() {
    let setup = setup();
    setup.cancel.cancel();
    let evidence = looked(&config(&["good"]), &setup);
    assert!(evidence.run.interrupted);
    assert_eq!(evidence.observations[0].trouble.as_ref().unwrap().reason, Reason::Interrupted);
}

/// A name with as many addresses as it is told.
struct Many(u8);

impl Dial for Many {
    fn resolve<'a>(&'a self, _: &'a str, port: u16) -> Dialing<'a, Vec<SocketAddr>> {
        Box::pin(async move { Ok((1..=self.0).map(|n| SocketAddr::from(([192, 0, 2, n], port))).collect()) })
    }
    fn connect(&self, _: SocketAddr, _: Duration) -> Dialing<'_, Box<dyn Stream>> {
        Box::pin(async { Err(Trouble::new(Reason::Refused, "nobody is there")) })
    }
}

/// Sees something good on every address that it is given.
struct Content;

impl Collector for Content {
    fn id(&self) -> &'static str {
        "content"
    }
    fn accepts(&self, _: &Target) -> bool {
        true
    }
    fn yields(&self) -> &'static [&'static str] {
        &["tls.protocols"]
    }
    fn collect<'a>(&'a self, job: &'a Job, cx: &'a CollectContext) -> Collecting<'a> {
        let facts = serde_json::json!({});
        let of = |address: &SocketAddr| {
            let part = address.to_string();
            Observation::complete("tls.protocols", &job.target.id, &part, "content", cx.clock.now(), &facts).unwrap()
        };
        let seen = job.addresses.iter().map(of).collect();
        Box::pin(async move { seen })
    }
}

#[test]
fn an_address_that_is_not_looked_at_is_told_of() {
    let collectors: Arc<Vec<Box<dyn Collector>>> = Arc::new(vec![Box::new(Content)]);
    let setup = Setup { dial: Arc::new(Many(20)), collectors, ..setup() };
    let targets = vec![Target::new("many", TargetKind::Endpoint, "many.example:443")];
    let evidence = looked(&Config { targets, ..Config::default() }.sealed(), &setup);
    assert_eq!(evidence.observations.len(), 20);
    let failed: Vec<&Observation> =
        evidence.observations.iter().filter(|seen| seen.status == ObservationStatus::Failed).collect();
    assert_eq!(failed.len(), 4);
    assert!(failed.iter().all(|seen| seen.trouble.as_ref().unwrap().reason == Reason::TooLarge));
    assert!(failed.iter().any(|seen| seen.part.starts_with("192.0.2.20:")));
}

/// One of two collectors, the second of which may begin when the first is halfway. It says how many records it knew.
struct Pair {
    leads: bool,
    tells: bool,
    follower_began: Arc<tokio::sync::Notify>,
}

impl Collector for Pair {
    fn id(&self) -> &'static str {
        if self.leads { "leader" } else { "follower" }
    }
    fn accepts(&self, _: &Target) -> bool {
        true
    }
    fn yields(&self) -> &'static [&'static str] {
        if self.leads { &["tls.protocols"] } else { &["http.plain"] }
    }
    fn follows(&self) -> Option<&'static str> {
        (!self.leads).then_some("leader")
    }
    fn collect<'a>(&'a self, job: &'a Job, cx: &'a CollectContext) -> Collecting<'a> {
        Box::pin(async move {
            if !self.leads {
                self.follower_began.notify_one();
            } else if self.tells {
                cx.halfway.notify_one();
                // It goes on until the other is there: one after the other, they would never end.
                self.follower_began.notified().await;
            }
            let facts = serde_json::json!({"earlier": job.earlier.len()});
            let kind = self.yields()[0];
            vec![Observation::complete(kind, &job.target.id, "", self.id(), cx.clock.now(), &facts).unwrap()]
        })
    }
}

#[test]
fn a_collector_that_follows_begins_halfway_or_at_the_end_and_then_knows_what_was_seen() {
    for (tells, known) in [(true, 0), (false, 1)] {
        let began = Arc::<tokio::sync::Notify>::default();
        let pair = [true, false].map(|leads| Pair { leads, tells, follower_began: Arc::clone(&began) });
        let collectors = pair.into_iter().map(|one| Box::new(one) as Box<dyn Collector>).collect();
        let evidence = looked(&config(&["one"]), &Setup { collectors: Arc::new(collectors), ..setup() });
        let follower = evidence.observations.iter().find(|seen| seen.kind == "http.plain").unwrap();
        assert_eq!((evidence.observations.len(), follower.status), (2, ObservationStatus::Complete), "{follower:?}");
        assert_eq!(follower.data["earlier"], known, "tells: {tells}");
    }
}

#[test]
fn evidence_is_read_back_and_a_changed_record_is_refused() {
    let evidence = looked(&config(&["good"]), &setup());
    let bytes = write_evidence(&evidence).unwrap();
    let again = read_evidence(&bytes).unwrap();
    assert_eq!(write_evidence(&again).unwrap(), bytes);

    let text = String::from_utf8(bytes).unwrap();
    let changed = text.replace("\"applicable\": true", "\"applicable\": false");
    assert_ne!(changed, text);
    assert!(matches!(read_evidence(changed.as_bytes()), Err(EvidenceError::Changed { .. })));
    let mut fewer = again;
    fewer.observations.clear();
    let fewer = write_evidence(&fewer).unwrap();
    assert!(matches!(read_evidence(&fewer), Err(EvidenceError::Incomplete(id)) if id == evidence.run.id));
    let newer = text.replace(EVIDENCE_SCHEMA, "probity.observations/9");
    assert!(matches!(read_evidence(newer.as_bytes()), Err(EvidenceError::Schema(schema)) if schema.ends_with("/9")));
    assert!(matches!(read_evidence(b"{}"), Err(EvidenceError::Form(_))));
    assert!(matches!(read_evidence(b"not json"), Err(EvidenceError::Form(_))));
}
