//! A drill of the erasure: a person who does not exist is brought in and erased by the product's own means, and looked for in
//! every data set before and after.
//!
//! Probity writes nothing here: commands of the user's do, or the user by hand. What a step that broke off may have left
//! behind stands in the record.

use super::looking::{collect, seal};
use super::{Setup, command};
use crate::check::derive::erasure::Stores;
use crate::collect::drill::{KIND, Seeker, searches};
use crate::collect::traces::Wanted;
use crate::collect::{Limits, Silent};
use crate::model::assessment::Evidence;
use crate::model::erasure::{Drill, DrilledSet, Presence};
use crate::model::retention::{DataSet, Slug};
use crate::model::{Fact, Observation, Reason, SecretRef, Target, Trouble};
use crate::target::Config;
use jiff::SignedDuration;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use zeroize::Zeroizing;

/// How long a drill is good evidence.
const GOOD: SignedDuration = SignedDuration::from_hours(90 * 24);
/// Time for one look at one store.
const LOOK: Duration = Duration::from_secs(60);
/// The pauses between looks, of which each is twice as long as the one before.
const PAUSE: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(10));

/// What is to be done.
pub struct Plan {
    /// The person: for each kind of key, where the key is to be had. It is read once the person was brought in.
    pub subjects: BTreeMap<Slug, SecretRef>,
    /// The command that brings the person in; by hand where there is none.
    pub insert: Option<String>,
    /// The command that erases the person; by hand where there is none.
    pub erase: Option<String>,
    /// How long a command may take, and how long what it does may take to show in the stores.
    pub within: Duration,
}

/// A store with data sets that know persons by one of the kinds of key.
pub struct Scope {
    /// The store.
    pub target: Target,
    /// Its data sets that do.
    pub sets: Vec<String>,
    /// Those that know persons by another kind of key.
    pub left_out: Vec<String>,
}

impl Plan {
    /// The stores that the drill is about.
    pub fn scope(&self, config: &Config) -> Vec<Scope> {
        let Some(schedule) = &config.retention else { return Vec::new() };
        let of = |target: &Target| {
            let sets = schedule.sets_of(&target.id).into_iter();
            let keyed = sets.filter_map(|set| Some((set, &set.subject_key.as_ref()?.namespace)));
            let (sets, left_out): (Vec<_>, Vec<_>) = keyed.partition(|(_, kind)| self.subjects.contains_key(*kind));
            let ids = |sets: Vec<(&DataSet, &Slug)>| sets.into_iter().map(|(set, _)| set.id.to_string()).collect();
            (!sets.is_empty()).then(|| Scope { target: target.clone(), sets: ids(sets), left_out: ids(left_out) })
        };
        config.targets.iter().filter_map(of).collect()
    }
}

/// Makes the drill. `say` tells the user what is to be done by hand.
pub async fn drill(config: &Config, setup: &Setup, plan: &Plan, say: &dyn Fn(&str)) -> Evidence {
    let started = setup.clock.now();
    let stores = plan.scope(config);
    let targets: Vec<Target> = stores.iter().map(|store| store.target.clone()).collect();
    let looked_at = targets.iter().filter(|target| searches(target)).cloned().collect();
    let config = Config { targets: looked_at, ..config.clone() };
    let drilling = Drilling { plan, stores: &stores, config: &config, setup, say };
    let course = drilling.run().await;
    let now = setup.clock.now();
    let seen = stores.iter().map(|store| course.told(store, plan, now)).collect();
    seal(&config, setup, targets, started, seen)
}

struct Drilling<'a> {
    plan: &'a Plan,
    stores: &'a [Scope],
    config: &'a Config,
    setup: &'a Setup,
    say: &'a dyn Fn(&str),
}

/// What a look saw, by data set.
type Seen = BTreeMap<String, Presence>;

/// What was seen on both sides, and the step at which the drill broke off.
struct Course {
    before: Seen,
    after: Seen,
    broken: Option<Trouble>,
}

impl Course {
    fn told(&self, store: &Scope, plan: &Plan, now: jiff::Timestamp) -> Observation {
        let failed = |words: &str| {
            Observation::failed(KIND, &store.target.id, "", "drill", now, Trouble::new(Reason::Internal, words))
        };
        let pairs = store.sets.iter().filter_map(|set| self.before.get(set).zip(self.after.get(set)));
        let by = |command: &Option<String>| if command.is_some() { "command" } else { "by hand" }.to_owned();
        let facts = Drill {
            namespaces: plan.subjects.keys().map(ToString::to_string).collect(),
            inserted: by(&plan.insert),
            erased: by(&plan.erase),
            within_seconds: plan.within.as_secs(),
            sets: pairs.map(|(before, after)| DrilledSet::new(before, after, self.broken.as_ref())).collect(),
            left_out: store.left_out.clone(),
        };
        if facts.sets.len() != store.sets.len() {
            return failed("a data set was lost between the looks");
        }
        match Observation::complete(KIND, &store.target.id, "", "drill", now, &facts) {
            Ok(mut seen) => {
                seen.expires = now.checked_add(GOOD).ok();
                seen.sealed()
            }
            Err(_) => failed("the facts have no JSON form"),
        }
    }
}

impl Drilling<'_> {
    async fn run(&self) -> Course {
        let within = self.plan.within;
        let inserted = self.act("inserts", self.plan.insert.as_deref()).await;
        let wanted = match self.wanted() {
            Ok(wanted) => wanted,
            Err(trouble) => {
                let trouble = inserted.err().unwrap_or(trouble);
                let dark = self.dark(&trouble);
                return Course { before: dark.clone(), after: dark, broken: Some(trouble) };
            }
        };
        // After a step that broke off one look says what is left.
        let wait = |done: &Result<(), Trouble>| if done.is_ok() { within } else { Duration::ZERO };
        if self.plan.insert.is_none() {
            (self.say)(&format!(
                "insert the person now, where it is not there yet; looking for {} s",
                within.as_secs()
            ));
        }
        self.step("looking for the person before the erasure");
        let before = self.look(&wanted, wait(&inserted), |rows| rows > 0).await;
        let erased = match inserted {
            Ok(()) => self.erase(&before).await,
            Err(trouble) => Err(trouble),
        };
        self.step("looking for the person after the erasure");
        let after = self.look(&wanted, wait(&erased), |rows| rows == 0).await;
        let broken = match erased {
            _ if self.setup.cancel.is_cancelled() => Some(stopped()),
            Ok(()) => self.untried(&before, &after),
            Err(trouble) => Some(trouble),
        };
        Course { before, after, broken }
    }

    async fn erase(&self, before: &Seen) -> Result<(), Trouble> {
        if self.plan.erase.is_none() && !self.setup.cancel.is_cancelled() {
            if !holds(before) {
                return Err(Trouble::new(
                    Reason::Unreachable,
                    "the person was seen nowhere, so that there was nothing to erase",
                ));
            }
            (self.say)(&format!("erase the person now; looking for {} s", self.plan.within.as_secs()));
        }
        self.act("erases", self.plan.erase.as_deref()).await
    }

    /// Whoever was to erase by hand, and nothing is gone: that anybody did is not known.
    fn untried(&self, before: &Seen, after: &Seen) -> Option<Trouble> {
        let gone = |set: &String| after.get(set).is_some_and(|seen| seen.rows == Fact::Known(0));
        let went = before.iter().any(|(set, seen)| seen.rows.known().is_some_and(|rows| *rows > 0) && gone(set));
        let words = "it was to be done by hand, and nothing was erased in time: whether it was tried is not known";
        (self.plan.erase.is_none() && !went).then(|| Trouble::new(Reason::TimedOut, words))
    }

    /// Runs a command of the user's, where there is one for this step.
    async fn act(&self, what: &str, given: Option<&str>) -> Result<(), Trouble> {
        let Some(given) = given else { return Ok(()) };
        if self.setup.cancel.is_cancelled() {
            return Err(stopped());
        }
        self.step(&format!("running the command that {what} the person"));
        let told = |trouble: Trouble| {
            Trouble::new(trouble.reason, format!("the command that {what} the person {}", trouble.detail))
        };
        command::run(given, self.plan.within, &self.setup.cancel).await.map_err(told)
    }

    /// The person, by each kind of key.
    fn wanted(&self) -> Result<Arc<Vec<Wanted>>, Trouble> {
        let Some(schedule) = &self.config.retention else {
            return Err(Trouble::new(Reason::Unsupported, "there is no retention schedule"));
        };
        let of = |(namespace, reference): (&Slug, &SecretRef)| {
            let key = self.setup.secrets.read(reference).map_err(|why| {
                Trouble::new(Reason::AuthenticationFailed, format!("the person's key cannot be had: {why}"))
            })?;
            Ok(Wanted::person(schedule, namespace, Zeroizing::new(key.0), self.setup.clock.now()))
        };
        self.plan.subjects.iter().map(of).collect::<Result<Vec<_>, _>>().map(Arc::new)
    }

    /// Looks until every data set is as it should be, or the time is over. What the last look saw counts.
    async fn look(&self, wanted: &Arc<Vec<Wanted>>, time: Duration, fits: impl Fn(u64) -> bool) -> Seen {
        let end = Instant::now() + time;
        let mut pause = PAUSE.0;
        let mut last: Option<Seen> = None;
        loop {
            let seen = self.once(wanted).await;
            if self.setup.cancel.is_cancelled() {
                return last.unwrap_or(seen);
            }
            // Stores in which nobody looks never show anything.
            let looked_at = self.stores.iter().filter(|store| searches(&store.target)).flat_map(|store| &store.sets);
            let mut rows = looked_at.map(|set| seen.get(set).and_then(|seen| seen.rows.known()));
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() || rows.all(|rows| rows.is_some_and(|rows| fits(*rows))) {
                return seen;
            }
            last = Some(seen);
            tokio::select! {
                () = tokio::time::sleep(pause.min(left)) => {}
                () = self.setup.cancel.cancelled() => {}
            }
            pause = (pause * 2).min(PAUSE.1);
        }
    }

    /// One look at every store, side by side.
    async fn once(&self, wanted: &Arc<Vec<Wanted>>) -> Seen {
        let setup = Setup {
            collectors: Arc::new(vec![Box::new(Seeker(Arc::clone(wanted)))]),
            progress: Arc::new(Silent),
            limits: Limits { target_time: LOOK, ..self.setup.limits },
            ..self.setup.clone()
        };
        let evidence = collect(self.config, &setup).await;
        let stores = Stores::new(&evidence.observations.iter().collect::<Vec<_>>());
        self.each(|store, set| {
            let held = stores.get(store)?.present.iter().find(|seen| seen.key == set);
            held.cloned().ok_or_else(|| "the look at its store does not name it".to_owned())
        })
    }

    /// Every data set, not seen for this reason.
    fn dark(&self, trouble: &Trouble) -> Seen {
        self.each(|_, _| Err(trouble.to_string()))
    }

    fn each(&self, seen: impl Fn(&str, &str) -> Result<Presence, String>) -> Seen {
        let all = self.stores.iter().flat_map(|store| store.sets.iter().map(|set| (store.target.id.as_str(), set)));
        let unseen = |set: &String, why| Presence { key: set.clone(), rows: Fact::unknown(why), capped: false };
        all.map(|(store, set)| (set.clone(), seen(store, set).unwrap_or_else(|why| unseen(set, why)))).collect()
    }

    fn step(&self, words: &str) {
        self.setup.progress.step("drill", "", 0, 0, words);
    }
}

fn holds(seen: &Seen) -> bool {
    seen.values().any(|seen| seen.rows.known().is_some_and(|rows| *rows > 0))
}

fn stopped() -> Trouble {
    Trouble::new(Reason::Interrupted, "stopped by the user")
}
