use super::*;
use crate::collect::{CollectContext, Collecting, Collector, Job, Limits, Silent};
use crate::model::{FixedClock, Observation, ObservationStatus, Reason, Target, TargetKind};
use crate::net::{SeededRandom, TcpDial};
use crate::target::Config;
use std::sync::Arc;
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
    let newer = text.replace(EVIDENCE_SCHEMA, "probity.observations/9");
    assert!(matches!(read_evidence(newer.as_bytes()), Err(EvidenceError::Schema(schema)) if schema.ends_with("/9")));
    assert!(matches!(read_evidence(b"{}"), Err(EvidenceError::Form(_))));
    assert!(matches!(read_evidence(b"not json"), Err(EvidenceError::Form(_))));
}
