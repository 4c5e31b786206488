//! The real seams of a run: clock, network, randomness, secrets, who and where, and Ctrl-C.

use super::Failure;
use super::progress::Bars;
use crate::collect::{self, Collector, Limits, Progress};
use crate::model::SystemClock;
use crate::model::assessment::Evidence;
use crate::net::{SystemRandom, TcpDial};
use crate::target::Config;
use crate::worker::{self, Setup, SystemSecrets};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Looks at every target of a configuration from this machine.
pub fn look(config: &Config, limits: Limits, show_progress: bool) -> Result<Evidence, Failure> {
    let bars = Bars::new(show_progress);
    let progress = bars.clone();
    let evidence = run(limits, progress, collect::all(), async |setup| worker::collect(config, setup).await)?;
    bars.clear();
    Ok(evidence)
}

/// Does something with the seams of this machine, until it ends or the user stops it.
pub fn run<T>(
    limits: Limits,
    progress: Arc<dyn Progress>,
    collectors: Vec<Box<dyn Collector>>,
    act: impl AsyncFnOnce(&Setup) -> T,
) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(format!("the runtime cannot be started: {error}")))?;
    let cancel = CancellationToken::new();
    let setup = Setup {
        clock: Arc::new(SystemClock),
        dial: Arc::new(TcpDial),
        random: Arc::new(SystemRandom),
        progress,
        secrets: Arc::new(SystemSecrets),
        cancel: cancel.clone(),
        limits,
        trigger: if variable("CI").is_some() { "ci" } else { "manual" }.to_owned(),
        principal: principal(),
        host: host(),
        collectors: Arc::new(collectors),
    };
    let ended = runtime.block_on(async {
        tokio::spawn(stop_on_interrupt(cancel));
        act(&setup).await
    });
    // A look that was given up may still wait for a peer; the run does not.
    runtime.shutdown_background();
    Ok(ended)
}

/// The first Ctrl-C or end signal ends the run cleanly, the second at once.
async fn stop_on_interrupt(cancel: CancellationToken) {
    interrupted().await;
    cancel.cancel();
    anstream::eprintln!("stopping: what was seen is reported; once more ends at once");
    interrupted().await;
    std::process::exit(i32::from(crate::gate::Exit::Interrupted.code()));
}

async fn interrupted() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut end) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = end.recv() => {}
            }
            return;
        }
    }
    let _ = tokio::signal::ctrl_c().await;
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
