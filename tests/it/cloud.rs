//! Accounts: an emulator of Amazon's interfaces in good and bad postures, and what is left where evidence is missing.

use crate::support::moto::{self, Keyed, Moto, SECRET};
use crate::support::tls::{context, scripted};
use probity::catalogue::Catalogue;
use probity::check::{Case, Engine, derive};
use probity::collect::cloud::{Cloud, POLICY};
use probity::collect::{Collector as _, Job};
use probity::model::policy::Judging;
use probity::model::target::Engine as Database;
use probity::model::{FixedClock, Observation, ObservationStatus, Status, Target, TargetKind};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Write as _};
use std::sync::{Arc, Mutex};

fn target(endpoint: &str) -> Target {
    let target = Target::new("prod", TargetKind::Cloud, "aws");
    moto::signed(target, endpoint)
}

fn look(target: &Target) -> Vec<Observation> {
    let cx = probity::collect::CollectContext {
        clock: Arc::new(FixedClock(jiff::Timestamp::now())),
        secrets: Arc::new(Keyed),
        ..context()
    };
    let job = Job { target: target.clone(), addresses: Vec::new(), earlier: Vec::new() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let seen = runtime.block_on(Cloud.collect(&job, &cx));
    assert!(!serde_json::to_string(&seen).unwrap().contains(SECRET), "the secret stands in the evidence");
    let kinds: BTreeSet<&str> = seen.iter().map(|seen| seen.kind.as_str()).collect();
    assert_eq!(kinds, Cloud.yields().iter().copied().collect(), "a kind is missing");
    seen
}

/// Verdicts by check, part and item.
fn judge(targets: &[Target], seen: &[Observation]) -> BTreeMap<String, Status> {
    let catalogue = Catalogue::built_in().unwrap();
    let engine = Engine::new(&catalogue, &Judging::default()).unwrap_or_else(|_| panic!("the checks do not compile"));
    let as_of = jiff::Timestamp::now();
    let mut all = seen.to_vec();
    all.extend(derive::run(targets, seen, &Judging::default(), &catalogue, as_of));
    let results = engine.judge(&Case { targets, observations: &all, as_of });
    let key = |parts: [&str; 3]| parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" | ");
    results.into_iter().map(|result| (key([&result.check, &result.part, &result.item]), result.status)).collect()
}

/// The volumes, tables, databases and keys of an account.
fn furnish(moto: &Moto, good: bool) -> String {
    let key = moto.json("kms", "TrentService.CreateKey", "{}");
    let key = key["KeyMetadata"]["KeyId"].as_str().unwrap().to_owned();
    let encrypted = if good { "true" } else { "false" };
    let public = if good { "false" } else { "true" };
    let days = if good { 7 } else { 0 };
    if good {
        moto.json("kms", "TrentService.EnableKeyRotation", &format!(r#"{{"KeyId":"{key}"}}"#));
        moto.form("ec2", "Action=EnableEbsEncryptionByDefault&Version=2016-11-15");
    }
    moto.form(
        "rds",
        &format!(
            "Action=CreateDBInstance&Version=2014-10-31&DBInstanceIdentifier=shop-db&Engine=postgres&DBInstanceClass=db.m5.large\
             &AllocatedStorage=20&MasterUsername=root&MasterUserPassword=hunter22hunter&StorageEncrypted={encrypted}\
             &PubliclyAccessible={public}&BackupRetentionPeriod={days}"
        ),
    );
    moto.form(
        "ec2",
        &format!("Action=CreateVolume&Version=2016-11-15&Size=8&AvailabilityZone=eu-west-1a&Encrypted={encrypted}"),
    );
    moto.json(
        "dynamodb",
        "DynamoDB_20120810.CreateTable",
        r#"{"TableName":"orders","AttributeDefinitions":[{"AttributeName":"id","AttributeType":"S"}],
           "KeySchema":[{"AttributeName":"id","KeyType":"HASH"}],"BillingMode":"PAY_PER_REQUEST"}"#,
    );
    if good {
        moto.json(
            "dynamodb",
            "DynamoDB_20120810.UpdateContinuousBackups",
            r#"{"TableName":"orders","PointInTimeRecoverySpecification":{"PointInTimeRecoveryEnabled":true}}"#,
        );
    }
    let place =
        "<CreateBucketConfiguration><LocationConstraint>eu-west-1</LocationConstraint></CreateBucketConfiguration>";
    moto.send("PUT", "/shop-uploads", &[], place);
    key
}

#[test]
fn an_account_that_is_well_kept_passes() {
    let Some(moto) = Moto::start() else { return };
    let key = furnish(&moto, true);
    let snapshot =
        "Action=CreateDBSnapshot&Version=2014-10-31&DBInstanceIdentifier=shop-db&DBSnapshotIdentifier=of-today";
    moto.form("rds", snapshot);
    let target = target(&moto.endpoint());
    let verdicts = judge(std::slice::from_ref(&target), &look(&target));
    for (wanted, of) in [
        (Status::Pass, "db.at_rest | rds shop-db"),
        (Status::Pass, "db.at_rest | dynamodb orders"),
        (Status::Pass, "db.backup.exists | rds shop-db | copies that the service keeps"),
        (Status::Pass, "db.backup.exists | dynamodb orders | point-in-time recovery"),
        (Status::Pass, "db.exposure | rds shop-db | PubliclyAccessible"),
        (Status::Pass, "db.at_rest.backups | rds snapshot of-today"),
        (Status::Pass, "store.volume.at_rest | default of new volumes"),
        (Status::Fail, "store.object.tls_only | s3 shop-uploads | requests without TLS"),
    ] {
        assert_eq!(verdicts.get(of), Some(&wanted), "{of} in {verdicts:#?}");
    }
    assert_eq!(verdicts.get(&format!("store.kms.rotation | {key}")), Some(&Status::Pass), "{verdicts:#?}");
    let volumes: Vec<_> = verdicts.iter().filter(|(of, _)| of.starts_with("store.volume.at_rest | ebs vol-")).collect();
    assert!(volumes.len() == 1 && volumes.iter().all(|(_, status)| **status == Status::Pass), "{verdicts:#?}");
}

#[test]
fn an_account_that_is_not_fails_and_tells_each_by_its_name() {
    let Some(moto) = Moto::start() else { return };
    let key = furnish(&moto, false);
    moto.json("kms", "TrentService.ScheduleKeyDeletion", &format!(r#"{{"KeyId":"{key}","PendingWindowInDays":7}}"#));
    moto.json("kms", "TrentService.CreateKey", "{}");
    let snapshot = "Action=CreateDBSnapshot&Version=2014-10-31&DBInstanceIdentifier=shop-db&DBSnapshotIdentifier=plain";
    moto.form("rds", snapshot);
    let target = target(&moto.endpoint());
    let seen = look(&target);
    let verdicts = judge(std::slice::from_ref(&target), &seen);
    for of in [
        "db.at_rest | rds shop-db",
        "db.exposure | rds shop-db | PubliclyAccessible",
        "db.at_rest.backups | rds snapshot plain",
        "store.volume.at_rest | default of new volumes",
        "store.object.public | s3 shop-uploads | no guard against what is to come",
    ] {
        let wanted = if of.contains("no guard") { Status::NotEvaluated } else { Status::Fail };
        assert_eq!(verdicts.get(of), Some(&wanted), "{of} in {verdicts:#?}");
    }
    let keys: Vec<_> = verdicts.iter().filter(|(of, _)| of.starts_with("store.kms.rotation")).collect();
    assert!(keys.len() == 2 && keys.iter().all(|(_, status)| **status == Status::Fail), "{verdicts:#?}");
    // Backups on demand are not seen, so that recovery is off is not evaluated.
    let table = "db.backup.exists | dynamodb orders | point-in-time recovery";
    assert_eq!(verdicts.get(table), Some(&Status::NotEvaluated), "{verdicts:#?}");
}

#[test]
fn an_account_without_anything_is_said_to_be_empty() {
    let Some(moto) = Moto::start() else { return };
    let target = target(&moto.endpoint());
    let verdicts = judge(std::slice::from_ref(&target), &look(&target));
    for of in [
        "db.at_rest",
        "db.backup.exists",
        "db.exposure",
        "db.at_rest.backups",
        "store.kms.rotation",
        "store.object.public",
    ] {
        assert_eq!(verdicts.get(of), Some(&Status::NotApplicable), "{of} in {verdicts:#?}");
    }
    assert_eq!(verdicts.get("store.volume.at_rest | default of new volumes"), Some(&Status::Fail), "{verdicts:#?}");
}

#[test]
fn a_declared_database_has_the_evidence_of_the_account_it_runs_in() {
    let Some(moto) = Moto::start() else { return };
    furnish(&moto, true);
    let account = target(&moto.endpoint());
    let seen = look(&account);
    let told = seen.iter().find(|seen| seen.kind == "db.at_rest" && seen.part == "rds shop-db").unwrap();
    let address = told.data["serves"][0].as_str().unwrap().to_owned();
    let database = |address: &str| {
        let mut database = Target::new("shop", TargetKind::Database, address);
        database.engine = Some(Database::Postgresql);
        database.connection.host_target = Some("prod".to_owned());
        database
    };
    let state = |address: &str| {
        let targets = [account.clone(), database(address)];
        let catalogue = Catalogue::built_in().unwrap();
        let derived = derive::run(&targets, &seen, &Judging::default(), &catalogue, jiff::Timestamp::now());
        let of = derived.iter().find(|seen| seen.kind == "db.encryption" && seen.target == "shop").unwrap();
        of.data["encrypted"].clone()
    };
    assert_eq!(state(&address.to_uppercase()), true);
    // What is said of another server says nothing of this one.
    assert!(state("other.example:5432").is_object(), "{}", state("other.example:5432"));
}

/// An endpoint that gives to each request what the second argument makes of its head and body.
fn answering(answer: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static) -> String {
    let address = scripted(move |mut stream| {
        let mut heard = Vec::new();
        let mut buffer = [0; 8192];
        while let Ok(read @ 1..) = stream.read(&mut buffer) {
            heard.extend_from_slice(buffer.get(..read).unwrap_or_default());
            let text = String::from_utf8_lossy(&heard);
            let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
            let length =
                head.to_ascii_lowercase().lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
            if body.len() >= length.unwrap_or(0) {
                break;
            }
        }
        let _ = stream.write_all(&answer(&String::from_utf8_lossy(&heard)));
    });
    format!("http://{address}")
}

fn with_status(status: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

#[test]
fn missing_evidence_is_no_pass() {
    let denied = |body: &'static str| answering(move |_| with_status("403 F", body));
    for endpoint in [
        denied("<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>"),
        denied("<Response><Errors><Error><Code>UnauthorizedOperation</Code></Error></Errors></Response>"),
        denied(r#"{"__type":"com.amazon#AccessDeniedException","Message":"no"}"#),
        denied("<ErrorResponse><Error><Code>SignatureDoesNotMatch</Code></Error></ErrorResponse>"),
        answering(|_| with_status("400 B", r#"{"__type":"ThrottlingException"}"#)),
        answering(|_| with_status("200 OK", "<a><b>")),
        answering(|_| with_status("200 OK", "<Other/>")),
        answering(|_| with_status("200 OK", "{}")),
        answering(|_| with_status("200 OK", "")),
        answering(|_| b"220 mail.example ESMTP\r\n".to_vec()),
        answering(|_| b"HTTP/1.1 200 OK\r\ncontent-length: 99999999\r\n\r\n<a>".to_vec()),
        format!("http://127.0.0.1:{}", crate::support::free_port()),
        "http://192.0.2.7:9000".to_owned(),
    ] {
        let target = target(&endpoint);
        let verdicts = judge(std::slice::from_ref(&target), &look(&target));
        assert!(verdicts.len() >= 9, "{endpoint}: {verdicts:#?}");
        for (of, status) in &verdicts {
            assert_eq!(*status, Status::NotEvaluated, "{endpoint}: {of} in {verdicts:#?}");
        }
    }
}

#[test]
fn a_list_that_is_cut_or_never_ends_is_not_taken_for_whole() {
    let instance = "<DBInstance><DBInstanceIdentifier>one</DBInstanceIdentifier><StorageEncrypted>true</StorageEncrypted>\
        <PubliclyAccessible>false</PubliclyAccessible></DBInstance>";
    let page = move |marker: &str| {
        with_status(
            "200 OK",
            &format!(
                "<DescribeDBInstancesResponse><DescribeDBInstancesResult><DBInstances>{instance}</DBInstances>\
                 <Marker>{marker}</Marker></DescribeDBInstancesResult></DescribeDBInstancesResponse>"
            ),
        )
    };
    let count = Arc::new(Mutex::new(0));
    let counter = Arc::clone(&count);
    let endless = answering(move |asked| {
        if !asked.contains("Action=DescribeDBInstances&") {
            return with_status("500 I", "");
        }
        let mut count = counter.lock().unwrap();
        *count += 1;
        page(&count.to_string())
    });
    let round = answering(move |_| page("the-same"));
    let cut = answering(move |asked| {
        if asked.contains("Marker=") {
            with_status("403 F", "<E><Error><Code>AccessDenied</Code></Error></E>")
        } else {
            page("2")
        }
    });
    for endpoint in [endless, round, cut] {
        let target = target(&endpoint);
        let seen = look(&target);
        let verdicts = judge(std::slice::from_ref(&target), &seen);
        assert_eq!(verdicts.get("db.at_rest | rds one"), Some(&Status::Pass), "{verdicts:#?}");
        assert_eq!(verdicts.get("db.at_rest | rds"), Some(&Status::NotEvaluated), "{verdicts:#?}");
        assert_eq!(verdicts.get("db.exposure | rds"), Some(&Status::NotEvaluated), "{verdicts:#?}");
    }
    assert_eq!(*count.lock().unwrap(), 50, "pages of one list");
}

#[test]
fn requests_are_signed_for_their_service_and_read_alone() {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let keep = Arc::clone(&heard);
    let endpoint = answering(move |asked| {
        keep.lock().unwrap().push(asked.to_owned());
        with_status("403 F", "")
    });
    let target = target(&endpoint);
    let seen = look(&target);
    assert!(seen.iter().all(|seen| seen.part.is_empty() || seen.status == ObservationStatus::Failed), "{seen:#?}");
    let heard = heard.lock().unwrap();
    let policy: serde_json::Value = serde_json::from_str(POLICY).unwrap();
    let rights: Vec<&str> =
        policy["Statement"][0]["Action"].as_array().unwrap().iter().filter_map(serde_json::Value::as_str).collect();
    for (service, least) in [("rds", 5), ("ec2", 3), ("dynamodb", 1), ("kms", 1), ("s3", 1)] {
        let signed = format!("/eu-west-1/{service}/aws4_request");
        let of: Vec<&String> = heard.iter().filter(|asked| asked.contains(&signed)).collect();
        assert_eq!(of.len(), least, "{service}: {heard:#?}");
        for asked in of {
            let action = asked.split("Action=").nth(1).and_then(|rest| rest.split('&').next());
            let target = asked.split("x-amz-target: ").nth(1).and_then(|rest| rest.lines().next()?.split('.').nth(1));
            let action = action.or(target).unwrap_or("ListAllMyBuckets");
            assert!(
                rights.contains(&format!("{service}:{action}").as_str()),
                "{service}:{action} is not in the policy"
            );
            assert!(["Describe", "Get", "List"].iter().any(|word| action.starts_with(word)), "{action}");
        }
    }
    assert!(heard.iter().all(|asked| !asked.contains(SECRET)));
}
