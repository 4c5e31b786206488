//! Runs judgements on a thread of their own: a deep stack, and a deadline for each, since an expression of a user's
//! check over a peer's data is bounded in kind but not in time.

use super::builder::ResultBuilder;
use super::compiled::Compiled;
use super::judge::{Constants, Fact, Unit, judge};
use super::words;
use crate::model::{CheckResult, Observation, Status};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

/// The stack of a judging thread; in a debug build the parser takes much of it.
const STACK: usize = 16 * 1024 * 1024;

/// A check to be judged on a part of a target, and the indices of the observations for its `needs`.
#[derive(Clone, Debug)]
pub(super) struct Task {
    /// The index of the check.
    pub check: usize,
    /// The target's id.
    pub target: String,
    /// The part, or empty.
    pub part: String,
    /// In the order of `needs`.
    pub evidence: Vec<Option<usize>>,
}

struct Work {
    checks: Arc<Vec<Compiled>>,
    tasks: Vec<Task>,
    observations: BTreeMap<usize, Observation>,
    as_of: Timestamp,
}

/// Runs something on a deep stack and waits for it.
///
/// # Errors
/// When the thread cannot be started, or ends in a panic.
pub(super) fn on_deep_stack<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T, String> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new()
            .name("judge".to_owned())
            .stack_size(STACK)
            .spawn_scoped(scope, work)
            .map_err(|error| format!("no thread could be started: {error}"))?;
        thread.join().map_err(|_| "the thread that compiles rules ended early: a fault of probity".to_owned())
    })
}

/// Judges every task. One that is late or breaks is an error, and the others go on.
pub(super) fn run(
    checks: &Arc<Vec<Compiled>>,
    tasks: Vec<Task>,
    observations: &[Observation],
    as_of: Timestamp,
    deadline: Duration,
) -> Vec<CheckResult> {
    let used = tasks.iter().flat_map(|task| task.evidence.iter().flatten().copied());
    let observations = used.filter_map(|at| Some((at, observations.get(at)?.clone()))).collect();
    let work = Arc::new(Work { checks: Arc::clone(checks), tasks, observations, as_of });
    let mut results = Vec::new();
    let mut next = 0;
    while next < work.tasks.len() {
        let stopped = Arc::new(AtomicBool::new(false));
        let (sender, receiver) = channel();
        let thread = {
            let (work, stopped) = (Arc::clone(&work), Arc::clone(&stopped));
            std::thread::Builder::new()
                .name("judge".to_owned())
                .stack_size(STACK)
                .spawn(move || judge_from(&work, next, &stopped, &sender))
        };
        let why = match thread {
            Ok(_) => take(&receiver, &mut results, &mut next, work.tasks.len(), deadline),
            Err(error) => Some(format!("no thread could be started: {error}")),
        };
        stopped.store(true, Ordering::Relaxed);
        if let Some(why) = why {
            results.extend(broken(&work, next, &why));
            next += 1;
        }
    }
    results
}

/// Takes results until all are there; else says why the next one is missing.
fn take(
    receiver: &Receiver<Vec<CheckResult>>,
    results: &mut Vec<CheckResult>,
    next: &mut usize,
    all: usize,
    deadline: Duration,
) -> Option<String> {
    while *next < all {
        match receiver.recv_timeout(deadline) {
            Ok(found) => {
                results.extend(found);
                *next += 1;
            }
            Err(RecvTimeoutError::Timeout) => {
                return Some(format!("the evaluation took longer than {} s", deadline.as_secs_f32()));
            }
            Err(RecvTimeoutError::Disconnected) => {
                return Some("the evaluation ended early: a fault of probity".to_owned());
            }
        }
    }
    None
}

fn broken(work: &Work, at: usize, why: &str) -> Option<CheckResult> {
    let task = work.tasks.get(at)?;
    let compiled = work.checks.get(task.check)?;
    Some(ResultBuilder::new(compiled, &task.target, &task.part, &[]).end(Status::Error, words::clean(why)))
}

/// Judges from this task on, until all are judged or nobody waits any more.
fn judge_from(work: &Work, first: usize, stopped: &AtomicBool, sender: &Sender<Vec<CheckResult>>) {
    let constants = Constants::new(work.as_of);
    let mut facts: BTreeMap<usize, Result<Fact, String>> = BTreeMap::new();
    let mut target = "";
    for task in work.tasks.iter().skip(first) {
        if stopped.load(Ordering::Relaxed) {
            return;
        }
        if task.target != target {
            // Tasks come target by target: the facts of the last one are not needed any more.
            facts.clear();
            target = &task.target;
        }
        let Some(compiled) = work.checks.get(task.check) else { return };
        for at in task.evidence.iter().flatten() {
            if let Some(observation) = work.observations.get(at) {
                facts.entry(*at).or_insert_with(|| Fact::new(observation).map_err(|error| error.to_string()));
            }
        }
        if sender.send(judge_task(compiled, task, &facts, &constants)).is_err() {
            return;
        }
    }
}

fn judge_task(
    compiled: &Compiled,
    task: &Task,
    facts: &BTreeMap<usize, Result<Fact, String>>,
    constants: &Constants,
) -> Vec<CheckResult> {
    let mut evidence = Vec::new();
    for at in &task.evidence {
        match at.and_then(|at| facts.get(&at)) {
            Some(Ok(fact)) => evidence.push(Some(fact)),
            Some(Err(why)) => {
                let why = format!("the evidence cannot be read: {}", words::clean(why));
                return vec![ResultBuilder::new(compiled, &task.target, &task.part, &[]).end(Status::Error, why)];
            }
            None => evidence.push(None),
        }
    }
    judge(&Unit { compiled, target: &task.target, part: &task.part, evidence }, constants)
}
