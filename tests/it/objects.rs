//! Buckets: an emulator of Amazon's interface in good and bad postures, and what is left where evidence is missing.

use crate::support::moto::{self, Keyed, Moto, SECRET};
use crate::support::store::{of, read};
use crate::support::tls::{context, scripted};
use probity::catalogue::Catalogue;
use probity::check::{Case, Engine};
use probity::collect::objects::{Effort, Objects};
use probity::collect::{Collector as _, Documents, Job};
use probity::model::bucket::Bucket;
use probity::model::policy::Judging;
use probity::model::retention::Retention;
use probity::model::{Fact, FixedClock, Observation, ObservationStatus, Reason, Status, Target, TargetKind};
use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::sync::Arc;

fn target(endpoint: &str) -> Target {
    let mut target = Target::new("uploads", TargetKind::Objects, "s3://shop-uploads");
    target.connection.database = Some("shop-uploads".to_owned());
    moto::signed(target, endpoint)
}

fn look(target: &Target, schedule: &str, now: jiff::Timestamp, effort: Effort) -> Vec<Observation> {
    let retention = (!schedule.is_empty()).then(|| serde_yaml::from_str(schedule).unwrap());
    let cx = probity::collect::CollectContext {
        clock: Arc::new(FixedClock(now)),
        secrets: Arc::new(Keyed),
        documents: Arc::new(Documents { retention, ..Documents::default() }),
        ..context()
    };
    let job = Job { target: target.clone(), addresses: Vec::new(), earlier: Vec::new() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let seen = runtime.block_on(Objects { effort }.collect(&job, &cx));
    assert!(!serde_json::to_string(&seen).unwrap().contains(SECRET), "the secret stands in the evidence");
    seen
}

fn now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}

fn bucket(seen: &[Observation]) -> Bucket {
    read(seen, "store.object")
}

fn judge(target: &Target, seen: &[Observation]) -> BTreeMap<String, Status> {
    let catalogue = Catalogue::built_in().unwrap();
    let engine = Engine::new(&catalogue, &Judging::default()).unwrap_or_else(|_| panic!("the checks do not compile"));
    let targets = [target.clone()];
    let results = engine.judge(&Case { targets: &targets, observations: seen, as_of: now() });
    results
        .into_iter()
        .map(|result| (format!("{} {}", result.check, result.item).trim_end().to_owned(), result.status))
        .collect()
}

const CLEAR: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"s3:*",
  "Resource":["arn:aws:s3:::shop-uploads","arn:aws:s3:::shop-uploads/*"],"Condition":{"Bool":{"aws:SecureTransport":"false"}}}]}"#;
const OPEN: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject",
  "Resource":"arn:aws:s3:::shop-uploads/*"}]}"#;
const GUARD: &str = "<PublicAccessBlockConfiguration><BlockPublicAcls>true</BlockPublicAcls><IgnorePublicAcls>true</IgnorePublicAcls>\
  <BlockPublicPolicy>true</BlockPublicPolicy><RestrictPublicBuckets>true</RestrictPublicBuckets></PublicAccessBlockConfiguration>";
const DEFAULT: &str = "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>aws:kms</SSEAlgorithm>\
  <KMSMasterKeyID>arn:aws:kms:eu-west-1:1:key/k</KMSMasterKeyID></ApplyServerSideEncryptionByDefault></Rule></ServerSideEncryptionConfiguration>";

fn made(moto: &Moto) {
    let place =
        "<CreateBucketConfiguration><LocationConstraint>eu-west-1</LocationConstraint></CreateBucketConfiguration>";
    moto.send("PUT", "/shop-uploads", &[], place);
}

#[test]
fn a_bucket_that_is_well_kept_passes_and_one_that_is_open_fails() {
    let Some(moto) = Moto::start() else { return };
    made(&moto);
    moto.send("PUT", "/shop-uploads?publicAccessBlock", &[], GUARD);
    moto.send("PUT", "/shop-uploads?encryption", &[], DEFAULT);
    moto.send("PUT", "/shop-uploads/a%20b/one%2Btwo.txt", &[("x-amz-server-side-encryption", "AES256")], "x");
    let target = target(&moto.endpoint());
    let seen = look(&target, "", now(), Effort::default());
    let facts = bucket(&seen);
    assert_eq!((&facts.algorithm, &facts.own_key), (&Fact::Known("aws:kms".to_owned()), &Fact::Known(true)));
    assert_eq!(facts.versioning, Fact::Known("never".to_owned()));
    let verdicts = judge(&target, &seen);
    for (key, wanted) in [
        ("store.object.at_rest default of new objects", Status::Pass),
        ("store.object.at_rest objects that are there", Status::Pass),
        ("store.object.public list of grants", Status::Pass),
        ("store.object.public no guard against what is to come", Status::Pass),
    ] {
        assert_eq!(verdicts.get(key), Some(&wanted), "{key} in {verdicts:?}\n{facts:#?}");
    }
    // The emulator obeys the policy, under which nobody without TLS reads a head any more.
    moto.send("PUT", "/shop-uploads?policy", &[], CLEAR);
    let seen = look(&target, "", now(), Effort::default());
    let verdicts = judge(&target, &seen);
    assert_eq!(verdicts["store.object.tls_only requests without TLS"], Status::Pass, "{verdicts:?}");
    assert_ne!(verdicts["store.object.public policy"], Status::Fail, "{verdicts:?}");

    moto.send("DELETE", "/shop-uploads?publicAccessBlock", &[], "");
    moto.send("DELETE", "/shop-uploads?encryption", &[], "");
    moto.send("PUT", "/shop-uploads?policy", &[], OPEN);
    moto.send("PUT", "/shop-uploads?acl", &[("x-amz-acl", "public-read")], "");
    let seen = look(&target, "", now(), Effort::default());
    let verdicts = judge(&target, &seen);
    for (key, wanted) in [
        ("store.object.public list of grants", Status::Fail),
        ("store.object.public no guard against what is to come", Status::NotEvaluated),
        ("store.object.tls_only requests without TLS", Status::Fail),
    ] {
        assert_eq!(verdicts.get(key), Some(&wanted), "{key} in {verdicts:?}\n{:#?}", bucket(&seen));
    }
}

const SCHEDULE: &str = "
data_sets:
  - id: uploads
    store: uploads
    object: { prefix: 'visitors/' }
    kind: primary
    data_categories: [identity]
    subject_categories: [visitor]
    anchor: created
    max_age: 30 days
    legal_basis: { article: 6(1)(b), purpose: uploads }
    action: delete
    mechanism: { type: lifecycle_rule, only: true }
";

fn rule(prefix: &str, more: &str) -> String {
    format!(
        "<LifecycleConfiguration><Rule><ID>end</ID><Filter><Prefix>{prefix}</Prefix></Filter><Status>Enabled</Status>{more}\
         </Rule></LifecycleConfiguration>"
    )
}

#[test]
fn objects_past_their_time_are_counted_and_rules_that_end_them_are_read() {
    let Some(moto) = Moto::start() else { return };
    made(&moto);
    for n in 0..5 {
        moto.send("PUT", &format!("/shop-uploads/visitors/alice-{n}"), &[], "x");
    }
    moto.send("PUT", "/shop-uploads/other/one", &[], "x");
    let target = target(&moto.endpoint());
    let measured = |days: i64, effort: Effort| {
        let seen = look(&target, SCHEDULE, now() + jiff::SignedDuration::from_hours(24 * days), effort);
        assert!(!serde_json::to_string(&seen).unwrap().contains("alice"), "an object's name stands in the evidence");
        let facts: Retention = read(&seen, "data.retention");
        let verdicts = judge(&target, &seen);
        (facts, verdicts["data.retention uploads"], verdicts["data.retention.mechanism uploads"])
    };
    let all = Effort::default();
    let (facts, rows, means) = measured(0, all);
    assert_eq!((rows, means), (Status::Pass, Status::Fail), "{facts:#?}");
    assert_eq!(facts.data_sets[0].total_estimate, Fact::Known(5));
    let (facts, rows, _) = measured(90, all);
    assert_eq!((rows, &facts.data_sets[0].violating), (Status::Fail, &Fact::Known(5)), "{facts:#?}");
    // With less effort the same objects show less, and never that all is well.
    let little = Effort { pages: 1, page: 2 };
    assert_eq!(measured(0, little).1, Status::NotEvaluated);
    let (facts, rows, _) = measured(90, little);
    assert!(rows == Status::Fail && facts.data_sets[0].capped, "{facts:#?}");
    let pages = Effort { pages: 9, page: 2 };
    assert_eq!(measured(90, pages).0.data_sets[0].violating, Fact::Known(5));

    for (prefix, more, wanted) in [
        ("visitors/", "<Expiration><Days>30</Days></Expiration>", Status::Pass),
        ("", "<Expiration><Days>7</Days></Expiration>", Status::Pass),
        ("visitors/", "<Expiration><Days>60</Days></Expiration>", Status::Fail),
        ("visitors/old/", "<Expiration><Days>7</Days></Expiration>", Status::Fail),
    ] {
        moto.send("PUT", "/shop-uploads?lifecycle", &[], &rule(prefix, more));
        let (facts, _, means) = measured(0, all);
        assert_eq!(means, wanted, "{prefix} {more}: {:#?}", facts.mechanisms);
    }
    // Older versions stay where nothing ends them, and are in no list.
    moto.send("PUT", "/shop-uploads?lifecycle", &[], &rule("visitors/", "<Expiration><Days>7</Days></Expiration>"));
    moto.send(
        "PUT",
        "/shop-uploads?versioning",
        &[],
        "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>",
    );
    let (facts, rows, means) = measured(0, all);
    assert_eq!((rows, means), (Status::NotEvaluated, Status::Fail), "{facts:#?}");
}

/// A store that answers every request with these bytes.
fn answering(bytes: &'static [u8]) -> String {
    let address = scripted(move |mut stream| {
        let mut buffer = [0; 8192];
        let _ = stream.read(&mut buffer);
        let _ = stream.write_all(bytes);
    });
    format!("http://{address}")
}

#[test]
fn missing_evidence_is_no_pass() {
    let denied = b"HTTP/1.1 403 F\r\ncontent-length: 38\r\n\r\n<Error><Code>AccessDenied</Code></Error>".as_slice();
    let garbage = b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n<a><b>".as_slice();
    let foreign = b"220 mail.example ESMTP\r\n".as_slice();
    let endless = b"HTTP/1.1 200 OK\r\ncontent-length: 99999999\r\n\r\n<a>".as_slice();
    let wrong =
        b"HTTP/1.1 403 F\r\ncontent-length: 47\r\n\r\n<Error><Code>SignatureDoesNotMatch</Code></Error>".as_slice();
    let gone = format!("http://127.0.0.1:{}", crate::support::free_port());
    for endpoint in
        [answering(denied), answering(garbage), answering(foreign), answering(endless), answering(wrong), gone]
    {
        let target = target(&endpoint);
        let seen = look(&target, SCHEDULE, now(), Effort::default());
        for (key, status) in judge(&target, &seen) {
            // What the schedule does not declare is not asked for.
            let undeclared = ["data.retention.legal_hold", "data.retention.backups"].contains(&key.as_str());
            assert!(
                status == Status::NotEvaluated || undeclared && status == Status::NotApplicable,
                "{key}: {status:?}"
            );
        }
    }
    // A secret goes to no machine in clear.
    let seen = look(&target("http://192.0.2.7:9000"), "", now(), Effort::default());
    assert_eq!(of(&seen, "store.object").status, ObservationStatus::Failed);
    assert_eq!(of(&seen, "store.object").trouble.as_ref().unwrap().reason, Reason::Unsupported);
}
