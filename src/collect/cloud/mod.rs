//! The collector of accounts at Amazon: what the control plane tells of databases, their copies, volumes, keys and buckets.
//!
//! Each database, table and bucket is a part of the account. Of each service the account may lack the right to ask; then
//! a part, or an entry, stands for its list and is not known, so that a list that nobody read never looks empty.

mod buckets;
mod databases;
mod keys;
mod page;
mod tables;
mod volumes;

use crate::collect::aws::Client;
use crate::collect::{CollectContext, Collecting, Collector, Job};
use crate::model::bucket::Bucket;
use crate::model::cloud::{Exposure, Keys, Snapshots, Volumes};
use crate::model::database::{AtRest, Backup, Sign};
use crate::model::{Fact, Method, Observation, Reason, Target, TargetKind, Trouble};
use jiff::Timestamp;
use serde::Serialize;

/// Looks at accounts at Amazon.
pub struct Cloud;

const ID: &str = "cloud";
const YIELDS: &[&str] =
    &["db.at_rest", "db.backup", "db.exposure", "store.keys", "store.object", "store.snapshots", "store.volumes"];
/// Kinds of which each part has its own.
const OF_PARTS: [&str; 4] = ["db.at_rest", "db.backup", "db.exposure", "store.object"];

/// The least rights that the look needs, as a policy of IAM.
pub const POLICY: &str = include_str!("policy.json");

impl Collector for Cloud {
    fn id(&self) -> &'static str {
        ID
    }

    fn accepts(&self, target: &Target) -> bool {
        target.kind == TargetKind::Cloud && target.address == "aws"
    }

    fn yields(&self) -> &'static [&'static str] {
        YIELDS
    }

    fn collect<'a>(&'a self, job: &'a Job, cx: &'a CollectContext) -> Collecting<'a> {
        Box::pin(async move {
            let mut look = Look { target: &job.target, cx, now: cx.clock.now(), seen: Vec::new() };
            let whole = tokio::time::timeout(cx.limits.target_time, look.all()).await;
            match whole {
                Ok(()) if !cx.cancel.is_cancelled() => look.seen,
                Ok(()) => look.all_failed(&Trouble::new(Reason::Interrupted, "stopped by the user")),
                Err(_) => look.all_failed(&Trouble::new(Reason::TimedOut, "the look took longer than a target may")),
            }
        })
    }
}

/// A database, or the list of a service's databases that is not known to be whole.
struct Store {
    /// The service and the name: `rds shop-db`.
    part: String,
    at_rest: Result<AtRest, Trouble>,
    /// Nothing where the copies of another part are its own.
    backup: Option<Result<Backup, Trouble>>,
    exposure: Result<Exposure, Trouble>,
}

impl Store {
    /// A list that is not known to be whole.
    fn unlisted(part: &str, why: &Trouble) -> Store {
        let fail = || why.clone();
        Store { part: part.to_owned(), at_rest: Err(fail()), backup: Some(Err(fail())), exposure: Err(fail()) }
    }
}

/// One look at an account.
struct Look<'a> {
    target: &'a Target,
    cx: &'a CollectContext,
    now: Timestamp,
    seen: Vec<Observation>,
}

impl Look<'_> {
    async fn all(&mut self) {
        let step = |done, words: &str| self.cx.progress.step(&self.target.id, "", done, 5, words);
        step(0, "asking for databases");
        let (mut stores, mut copies) = match self.client("rds").await {
            Ok(rds) => databases::ask(&rds, self.now).await,
            Err(trouble) => (vec![Store::unlisted("rds", &trouble)], vec![unlisted("snapshots of RDS", &trouble)]),
        };
        step(1, "asking for tables");
        stores.extend(match self.client("dynamodb").await {
            Ok(dynamodb) => tables::ask(&dynamodb, self.now).await,
            Err(trouble) => vec![Store::unlisted("dynamodb", &trouble)],
        });
        step(2, "asking for volumes");
        let volumes = match self.client("ec2").await {
            Ok(ec2) => {
                copies.extend(volumes::snapshots(&ec2).await);
                volumes::ask(&ec2).await
            }
            Err(trouble) => {
                copies.push(unlisted("snapshots of volumes", &trouble));
                vec![unlisted("volumes", &trouble)]
            }
        };
        step(3, "asking for keys");
        let keys = match self.client("kms").await {
            Ok(kms) => keys::ask(&kms).await,
            Err(trouble) => vec![keys::unlisted(&trouble)],
        };
        step(4, "asking for buckets");
        let buckets = match self.client("s3").await {
            Ok(s3) => buckets::ask(&s3).await,
            Err(trouble) => vec![("s3".to_owned(), Err(trouble))],
        };
        let mut seen = self.of_stores(stores);
        seen.push(self.complete("store.snapshots", "", &Snapshots { encryption: copies }));
        seen.push(self.complete("store.volumes", "", &Volumes { encryption: volumes }));
        seen.push(self.complete("store.keys", "", &Keys { keys }));
        if buckets.is_empty() {
            seen.push(self.complete("store.object", "", &Bucket::none()));
        }
        seen.extend(buckets.into_iter().map(|(part, facts)| self.told("store.object", &part, &facts)));
        self.seen = seen;
    }

    async fn client(&self, service: &'static str) -> Result<Client<'_>, Trouble> {
        Client::new(self.target, service, self.cx).await
    }

    fn of_stores(&self, stores: Vec<Store>) -> Vec<Observation> {
        if stores.is_empty() {
            // Every list was read to its end, and none had an entry.
            let nothing = AtRest {
                serves: Vec::new(),
                applicable: false,
                layers: Vec::new(),
                files: Vec::new(),
                not_covered: Vec::new(),
                would_show: Vec::new(),
            };
            return vec![
                self.complete("db.at_rest", "", &nothing),
                self.complete("db.backup", "", &Backup { applicable: false, means: Vec::new() }),
                self.complete("db.exposure", "", &Exposure { applicable: false, ways: Vec::new() }),
            ];
        }
        let mut seen = Vec::new();
        for store in stores {
            seen.push(self.told("db.at_rest", &store.part, &store.at_rest));
            seen.extend(store.backup.map(|backup| self.told("db.backup", &store.part, &backup)));
            seen.push(self.told("db.exposure", &store.part, &store.exposure));
        }
        seen
    }

    fn all_failed(&self, trouble: &Trouble) -> Vec<Observation> {
        // A part stands for what was not listed: beside other parts what has none would not be judged.
        let part = |kind: &&&str| if OF_PARTS.contains(*kind) { "aws" } else { "" };
        YIELDS.iter().map(|kind| self.failed(kind, part(&kind), trouble)).collect()
    }

    fn told<T: Serialize>(&self, kind: &str, part: &str, facts: &Result<T, Trouble>) -> Observation {
        match facts {
            Ok(facts) => self.complete(kind, part, facts),
            Err(trouble) => self.failed(kind, part, trouble),
        }
    }

    fn complete<T: Serialize>(&self, kind: &str, part: &str, facts: &T) -> Observation {
        Observation::complete(kind, &self.target.id, part, ID, self.now, facts)
            .map(|observation| observation.by(Method::Examine))
            .unwrap_or_else(|_| self.failed(kind, part, &Trouble::new(Reason::Internal, "the facts have no JSON form")))
    }

    fn failed(&self, kind: &str, part: &str, trouble: &Trouble) -> Observation {
        Observation::failed(kind, &self.target.id, part, ID, self.now, trouble.clone())
    }
}

/// A list that is not known to be whole, among what was seen.
fn unlisted(what: &str, why: &Trouble) -> Sign {
    Sign::new(what, Fact::unknown(format!("the list is not known to be whole: {why}")), "")
}
