//! The look of a drill: for the persons of the drill alone, by one login a store and one count a data set. What else a scan
//! reads of a database stays out of it, since a drill looks again and again until the persons are there, or gone.

use super::traces::Wanted;
use super::{CollectContext, Collecting, Collector, Job, sqlite};
use crate::model::erasure::{Presence, Subjects};
use crate::model::target::Engine;
use crate::model::{Method, Observation, Reason, Target, Trouble};
use std::future::Future;
use std::sync::Arc;

/// The kind that a drill records.
pub const KIND: &str = "data.drill";
/// The kind that one look gives.
pub const LOOK: &str = "data.subjects";

/// Looks for these persons.
pub struct Seeker(pub Arc<Vec<Wanted>>);

/// Whether persons are looked for in stores of this kind, by this build.
pub fn searches(target: &Target) -> bool {
    match target.engine {
        Some(Engine::Sqlite) => true,
        Some(Engine::Postgresql) => cfg!(feature = "postgres"),
        Some(engine) => engine.speaks_mysql() && cfg!(feature = "mysql"),
        None => false,
    }
}

impl Collector for Seeker {
    fn id(&self) -> &'static str {
        "drill"
    }

    fn accepts(&self, target: &Target) -> bool {
        searches(target)
    }

    fn yields(&self) -> &'static [&'static str] {
        &[LOOK]
    }

    fn collect<'a>(&'a self, job: &'a Job, cx: &'a CollectContext) -> Collecting<'a> {
        Box::pin(async move {
            let (target, now) = (&job.target.id, cx.clock.now());
            let seen = self.look(job, cx).await.and_then(|present| {
                let found = Subjects { present, ..Subjects::default() };
                Observation::complete(LOOK, target, "", "drill", now, &found)
                    .map_err(|_| Trouble::new(Reason::Internal, "the facts have no JSON form"))
            });
            vec![match seen {
                Ok(seen) => seen.by(Method::Test),
                Err(trouble) => Observation::failed(LOOK, target, "", "drill", now, trouble),
            }]
        })
    }
}

impl Seeker {
    async fn look(&self, job: &Job, cx: &CollectContext) -> Result<Vec<Presence>, Trouble> {
        match job.target.engine {
            Some(Engine::Sqlite) => sqlite::subjects::persons(job, cx, &self.0).await,
            #[cfg(feature = "postgres")]
            Some(Engine::Postgresql) => super::postgres::subjects::persons(job, cx, &self.0).await,
            #[cfg(feature = "mysql")]
            Some(engine) if engine.speaks_mysql() => super::mysql::subjects::persons(job, cx, &self.0).await,
            _ => Err(Trouble::new(Reason::Unsupported, "there is no look for persons in this kind of store")),
        }
    }
}

/// What the first gives that answers; the others are not tried.
///
/// # Errors
/// The trouble of the last one, where none answers.
pub async fn first<T>(tries: impl Iterator<Item = impl Future<Output = Result<T, Trouble>>>) -> Result<T, Trouble> {
    let mut silent = Trouble::new(Reason::Unreachable, "the host has no address");
    for one in tries {
        match one.await {
            Ok(arrived) => return Ok(arrived),
            Err(trouble) => silent = trouble,
        }
    }
    Err(silent)
}
