//! The real seams of a run: clock, network, randomness, secrets, who and where, and Ctrl-C.

use super::Failure;
use super::connections::Spending;
use super::progress::{Bars, Display};
use crate::collect::{self, Collector, Limits, Progress};
use crate::model::SystemClock;
use crate::model::assessment::Evidence;
use crate::net::{Dial, SystemRandom, TcpDial};
use crate::target::Config;
use crate::worker::{self, Setup, SystemSecrets};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// How a run is shown, and what it may use beside the seams of this machine.
pub struct Setting {
    /// Limits of one target.
    pub limits: Limits,
    /// The network.
    pub dial: Arc<dyn Dial>,
    /// Told of each step.
    pub progress: Arc<dyn Progress>,
    /// What is on the terminal meanwhile.
    pub display: Arc<dyn Display>,
    /// The collectors, in the order in which each target meets them.
    pub collectors: Vec<Box<dyn Collector>>,
}

/// Looks at every target of a configuration from this machine.
pub fn look(config: &Config, limits: Limits, show: Show) -> Result<Evidence, Failure> {
    let bars = Bars::new(show.progress, config.targets.len());
    let spending = show.connections.then(|| Spending::new(bars.clone()));
    let dial: Arc<dyn Dial> = Arc::new(TcpDial);
    let setting = Setting {
        limits,
        dial: spending.as_ref().map_or_else(|| Arc::clone(&dial), |spending| spending.counting(Arc::clone(&dial))),
        progress: match &spending {
            Some(spending) => spending.clone(),
            None => bars.clone(),
        },
        display: bars.clone(),
        collectors: collect::all(),
    };
    if spending.is_some() {
        anstream::eprint!("{}", Spending::plan(limits));
    }
    let evidence = run(setting, async |setup| worker::collect(config, setup).await)?;
    bars.clear();
    if let Some(spending) = spending {
        anstream::eprint!("{}", spending.spent());
    }
    Ok(evidence)
}

/// What is shown while a run lasts.
#[derive(Clone, Copy)]
pub struct Show {
    /// Progress, where somebody watches.
    pub progress: bool,
    /// The connections that are planned, and those that were spent.
    pub connections: bool,
}

/// Does something with the seams of this machine, until it ends or the user stops it.
pub fn run<T>(setting: Setting, act: impl AsyncFnOnce(&Setup) -> T) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(format!("the runtime cannot be started: {error}")))?;
    let cancel = CancellationToken::new();
    let setup = Setup {
        clock: Arc::new(SystemClock),
        dial: setting.dial,
        random: Arc::new(SystemRandom),
        progress: setting.progress,
        secrets: Arc::new(SystemSecrets),
        cancel: cancel.clone(),
        limits: setting.limits,
        trigger: if variable("CI").is_some() { "ci" } else { "manual" }.to_owned(),
        principal: principal(),
        host: host(),
        collectors: Arc::new(setting.collectors),
    };
    stop_on_interrupt(cancel, setting.display)?;
    let ended = runtime.block_on(act(&setup));
    // A look that was given up may still wait for a peer; the run does not.
    runtime.shutdown_background();
    Ok(ended)
}

/// The first Ctrl-C or end signal ends the run cleanly, the second at once.
///
/// The signals are waited for on a thread of their own, until the program ends: whoever waits for a report that cannot be
/// written, or for a look that hangs, must get out, too.
fn stop_on_interrupt(cancel: CancellationToken, display: Arc<dyn Display>) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::new(format!("signals cannot be waited for: {error}"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    // Before the run begins, so that no signal is missed.
    let mut signals = runtime.block_on(async { Signals::new() }).map_err(failed)?;
    let wait = move || {
        runtime.block_on(signals.next());
        cancel.cancel();
        display.say("stopping: what was seen is reported; once more ends at once");
        runtime.block_on(signals.next());
        display.clear();
        std::process::exit(i32::from(crate::gate::Exit::Interrupted.code()));
    };
    std::thread::Builder::new().name("signals".to_owned()).spawn(wait).map(drop).map_err(failed)
}

/// What a person or a system sends to stop a program. One listener for all, so that none is missed between two waits.
#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    end: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> std::io::Result<Signals> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Signals { interrupt: signal(SignalKind::interrupt())?, end: signal(SignalKind::terminate())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.end.recv() => {}
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn new() -> std::io::Result<Signals> {
        Ok(Signals)
    }

    async fn next(&mut self) {
        let _ = tokio::signal::ctrl_c().await;
    }
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Who runs it: the CI system's word for it, or the user's name.
fn principal() -> String {
    ["GITHUB_ACTOR", "GITLAB_USER_LOGIN", "BUILD_USER_ID", "USER", "LOGNAME"]
        .iter()
        .find_map(|name| variable(name))
        .unwrap_or_else(|| "unknown".to_owned())
}

fn host() -> String {
    let read = |path| std::fs::read_to_string(path).ok().map(|name| name.trim().to_owned());
    read("/proc/sys/kernel/hostname")
        .or_else(|| variable("HOSTNAME"))
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "unknown".to_owned())
}
