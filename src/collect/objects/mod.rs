//! The collector of buckets in object stores that speak the protocol of Amazon S3.
//!
//! It asks for settings, lists, and the heads of a few objects: nothing is written, and no object is read.

pub mod bucket;
mod keys;

use crate::collect::aws::{Client, Texts};
use crate::collect::{CollectContext, Collecting, Collector, Job};
use crate::model::{Method, Observation, Reason, Target, TargetKind, Trouble};
use jiff::Timestamp;
use serde::Serialize;

/// Reads arbitrary bytes as an answer of a store: the entry of the fuzzer.
pub fn fuzz(data: &[u8]) {
    if let Ok(texts) = Texts::read(data) {
        for member in texts.members("ListBucketResult/Contents") {
            let _ = member.first("Key");
        }
    }
}

/// The rights of an account that looks at a bucket.
const RIGHTS: [&str; 9] = [
    "s3:GetBucketAcl",
    "s3:GetBucketPolicy",
    "s3:GetBucketPolicyStatus",
    "s3:GetBucketPublicAccessBlock",
    "s3:GetBucketVersioning",
    "s3:GetEncryptionConfiguration",
    "s3:GetLifecycleConfiguration",
    "s3:GetObject",
    "s3:ListBucket",
];

/// The least rights that a look at this bucket needs, as a policy of IAM.
pub fn policy(bucket: &str) -> String {
    let places = [format!("arn:aws:s3:::{bucket}"), format!("arn:aws:s3:::{bucket}/*")];
    let policy = serde_json::json!({
        "Version": "2012-10-17",
        "Statement": [{ "Effect": "Allow", "Action": RIGHTS, "Resource": places }]
    });
    format!("{policy:#}")
}

/// Looks at buckets.
#[derive(Default)]
pub struct Objects {
    /// How much a walk over objects may cost.
    pub effort: keys::Effort,
}

pub use keys::Effort;

const ID: &str = "objects";
const YIELDS: &[&str] = &["data.retention", "store.object"];

impl Collector for Objects {
    fn id(&self) -> &'static str {
        ID
    }

    fn accepts(&self, target: &Target) -> bool {
        target.kind == TargetKind::Objects
    }

    fn yields(&self) -> &'static [&'static str] {
        YIELDS
    }

    fn collect<'a>(&'a self, job: &'a Job, cx: &'a CollectContext) -> Collecting<'a> {
        Box::pin(async move {
            let look = Look { target: &job.target, now: cx.clock.now() };
            match tokio::time::timeout(cx.limits.target_time, look.all(cx, self.effort)).await {
                Ok(Ok(seen)) => seen,
                Ok(Err(trouble)) => look.all_failed(&trouble),
                Err(_) => look.all_failed(&Trouble::new(Reason::TimedOut, "the look took longer than a target may")),
            }
        })
    }
}

/// One look at one bucket.
struct Look<'a> {
    target: &'a Target,
    now: Timestamp,
}

impl Look<'_> {
    async fn all(&self, cx: &CollectContext, effort: Effort) -> Result<Vec<Observation>, Trouble> {
        let name = self.target.connection.database.as_deref().unwrap_or_default();
        cx.progress.step(&self.target.id, "", 0, 2, "asking for the bucket's settings");
        let client = Client::new(self.target, "s3", cx).await?;
        let facts = bucket::facts(&client, name).await?;
        cx.progress.step(&self.target.id, "", 1, 2, "listing objects past their time");
        let retention = match &cx.documents.retention {
            None => {
                let none = Trouble::new(Reason::Unsupported, "there is no retention schedule");
                self.failed("data.retention", &none)
            }
            Some(schedule) => {
                let at = (self.target.id.as_str(), self.now);
                let measured = keys::measure(&client, name, schedule, at, effort, &facts).await;
                self.complete("data.retention", &measured).by(Method::Test)
            }
        };
        if cx.cancel.is_cancelled() {
            return Err(Trouble::new(Reason::Interrupted, "stopped by the user"));
        }
        Ok(vec![retention, self.complete("store.object", &facts)])
    }

    fn all_failed(&self, trouble: &Trouble) -> Vec<Observation> {
        YIELDS.iter().map(|kind| self.failed(kind, trouble)).collect()
    }

    fn complete<T: Serialize>(&self, kind: &str, facts: &T) -> Observation {
        Observation::complete(kind, &self.target.id, "", ID, self.now, facts)
            .map(|observation| observation.by(Method::Examine))
            .unwrap_or_else(|_| self.failed(kind, &Trouble::new(Reason::Internal, "the facts have no JSON form")))
    }

    fn failed(&self, kind: &str, trouble: &Trouble) -> Observation {
        Observation::failed(kind, &self.target.id, "", ID, self.now, trouble.clone())
    }
}
