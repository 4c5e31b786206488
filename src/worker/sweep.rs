//! Many targets one after another, so many at once, each handed over as it ends: memory does not grow with their number.

use super::looking::{self, Setup};
use super::{EVIDENCE_SCHEMA, EvidenceError, verified};
use crate::model::assessment::Evidence;
use crate::model::{Observation, Target};
use crate::report::sweep::{Header, Line, SCHEMA};
use crate::target::{Config, list};
use futures_util::StreamExt as _;
use std::collections::HashSet;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::sync::Arc;

/// The longest line that is read.
pub const LINE: u64 = 64 * 1024 * 1024;

/// What is known before a target is looked at.
pub struct Plan {
    /// The target.
    pub target: Target,
    /// What was seen of it before, for collectors that compare.
    pub earlier: Vec<Observation>,
}

/// Looks at targets, at most `parallel` at once. `finish` turns what was seen of one into what is handed over, beside
/// the looking; `take` gets it, in the order in which targets end. A target that a stop of the run cut short is not
/// handed over: it has not been looked at.
///
/// # Errors
/// The first error of `take`, which ends the sweep.
pub async fn sweep<T: Send + 'static, E>(
    plans: impl Iterator<Item = Plan>,
    config: &Arc<Config>,
    setup: &Setup,
    parallel: usize,
    finish: Arc<dyn Fn(Evidence) -> T + Send + Sync>,
    mut take: impl FnMut(T) -> Result<(), E>,
) -> Result<(), E> {
    let open = plans.take_while(|_| !setup.cancel.is_cancelled());
    let looks = open.map(|Plan { target, earlier }| {
        let (config, setup, finish) = (Arc::clone(config), setup.clone(), Arc::clone(&finish));
        let task = tokio::spawn(async move {
            let evidence = looking::alone(&config, &setup, target, earlier).await;
            if setup.cancel.is_cancelled() {
                return None;
            }
            // Judging is arithmetic: sockets must not wait for it.
            tokio::task::spawn_blocking(move || finish(evidence)).await.ok()
        });
        async move { task.await.ok().flatten() }
    });
    let mut ended = futures_util::stream::iter(looks).buffer_unordered(parallel.max(1));
    while let Some(one) = ended.next().await {
        if let Some(one) = one {
            take(one)?;
        }
    }
    Ok(())
}

/// What an earlier look or sweep knows, target by target: for each the target and what was seen of it. Each line is
/// read when its turn comes, so that memory does not grow with the file.
///
/// # Errors
/// When the file cannot be read, or is neither evidence nor a sweep. A line that was changed gives an error in its turn.
pub fn known(path: &Path) -> Result<Box<dyn Iterator<Item = Result<Plan, EvidenceError>>>, EvidenceError> {
    let form = |error: std::io::Error| EvidenceError::Form(error.to_string());
    let mut reader = BufReader::new(File::open(path).map_err(form)?);
    let mut first = Vec::new();
    (&mut reader).take(LINE).read_until(b'\n', &mut first).map_err(form)?;
    if header(&first).is_none() {
        let evidence = super::read_evidence(&std::fs::read(path).map_err(form)?)?;
        let Evidence { targets, observations, .. } = evidence;
        return Ok(Box::new(targets.into_iter().map(move |target| {
            let earlier = observations.iter().filter(|seen| seen.target == target.id).cloned().collect();
            again(target, earlier)
        })));
    }
    let mut number = 1;
    Ok(Box::new(std::iter::from_fn(move || {
        let mut text = Vec::new();
        number += 1;
        let read = (&mut reader).take(LINE).read_until(b'\n', &mut text).map_err(form);
        match read {
            Ok(0) => None,
            Ok(_) => Some(plan(&text).map_err(|error| EvidenceError::Line { line: number, error: Box::new(error) })),
            Err(error) => Some(Err(error)),
        }
    })))
}

fn plan(text: &[u8]) -> Result<Plan, EvidenceError> {
    let line: Line = serde_json::from_slice(text).map_err(|error| EvidenceError::Form(error.to_string()))?;
    let Evidence { mut targets, observations, .. } = verified(line.evidence)?;
    match (targets.pop(), targets.is_empty()) {
        (Some(target), true) => again(target, observations),
        _ => Err(EvidenceError::Form("a line of a sweep is about one target".to_owned())),
    }
}

fn again(target: Target, earlier: Vec<Observation>) -> Result<Plan, EvidenceError> {
    let target = list::again(target).map_err(EvidenceError::Form)?;
    Ok(Plan { target, earlier })
}

/// The header, where this is the file of a sweep.
pub(super) fn header(bytes: &[u8]) -> Option<Header> {
    let first = bytes.split(|byte| *byte == b'\n').next()?;
    serde_json::from_slice(first).ok().filter(|header: &Header| header.schema == SCHEMA)
}

/// The evidence of all lines as that of one run. A sweep that lacks lines counts as one that was stopped.
pub(super) fn read(header: &Header, bytes: &[u8]) -> Result<Evidence, EvidenceError> {
    let mut whole: Option<Evidence> = None;
    let mut ids = HashSet::new();
    for (number, text) in bytes.split(|byte| *byte == b'\n').enumerate().skip(1) {
        if text.is_empty() {
            continue;
        }
        let placed = |error| EvidenceError::Line { line: number + 1, error: Box::new(error) };
        let Line { evidence, .. } =
            serde_json::from_slice(text).map_err(|error| placed(EvidenceError::Form(error.to_string())))?;
        if evidence.schema != EVIDENCE_SCHEMA {
            return Err(placed(EvidenceError::Schema(evidence.schema.chars().take(80).collect())));
        }
        let evidence = verified(evidence).map_err(placed)?;
        if !evidence.targets.iter().all(|target| ids.insert(target.id.clone())) {
            return Err(placed(EvidenceError::Form("the target stands in another line, too".to_owned())));
        }
        match &mut whole {
            None => whole = Some(evidence),
            Some(whole) => {
                let run = &mut whole.run;
                if (&run.tool, &run.config_digest) != (&evidence.run.tool, &evidence.run.config_digest)
                    || whole.judging != evidence.judging
                {
                    return Err(EvidenceError::Mixed);
                }
                run.started = run.started.min(evidence.run.started);
                run.ended = run.ended.max(evidence.run.ended);
                run.interrupted |= evidence.run.interrupted;
                whole.targets.extend(evidence.targets);
                whole.observations.extend(evidence.observations);
            }
        }
    }
    let mut whole = whole.ok_or_else(|| EvidenceError::Form("no target of the sweep has ended".to_owned()))?;
    whole.run.interrupted |= (whole.targets.len() as u64) < header.endpoints;
    whole.targets.sort_by(|a, b| a.id.cmp(&b.id));
    looking::sort(&mut whole.observations);
    whole.run.id = looking::run_id(&whole.run, &whole.targets, &whole.observations);
    Ok(whole)
}
