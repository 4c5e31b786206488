//! The real seams of a run: clock, network, randomness, secrets, who and where, and Ctrl-C.

use super::Failure;
use super::progress::Bars;
use crate::collect::{self, Limits};
use crate::model::SystemClock;
use crate::model::assessment::Evidence;
use crate::net::{SystemRandom, TcpDial};
use crate::target::Config;
use crate::worker::{self, Setup, SystemSecrets};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Looks at every target of a configuration from this machine.
pub fn look(config: &Config, limits: Limits, show_progress: bool) -> Result<Evidence, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(format!("the runtime cannot be started: {error}")))?;
    let bars = Bars::new(show_progress, config.targets.len());
    let cancel = CancellationToken::new();
    let setup = Setup {
        clock: Arc::new(SystemClock),
        dial: Arc::new(TcpDial),
        random: Arc::new(SystemRandom),
        progress: bars.clone(),
        secrets: Arc::new(SystemSecrets),
        cancel: cancel.clone(),
        limits,
        trigger: if variable("CI").is_some() { "ci" } else { "manual" }.to_owned(),
        principal: principal(),
        host: host(),
        collectors: Arc::new(collect::all()),
    };
    stop_on_interrupt(cancel, bars.clone())?;
    let evidence = runtime.block_on(worker::collect(config, &setup));
    bars.clear();
    // A look that was given up may still wait for a peer; the run does not.
    runtime.shutdown_background();
    Ok(evidence)
}

/// The first Ctrl-C or end signal ends the run cleanly, the second at once.
///
/// The signals are waited for on a thread of their own, until the program ends: whoever waits for a report that cannot be
/// written, or for a look that hangs, must get out, too.
fn stop_on_interrupt(cancel: CancellationToken, bars: Arc<Bars>) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::new(format!("signals cannot be waited for: {error}"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    // Before the run begins, so that no signal is missed.
    let mut signals = runtime.block_on(async { Signals::new() }).map_err(failed)?;
    let wait = move || {
        runtime.block_on(signals.next());
        cancel.cancel();
        bars.say("stopping: what was seen is reported; once more ends at once");
        runtime.block_on(signals.next());
        bars.clear();
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
