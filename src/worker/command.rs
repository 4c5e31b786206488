//! Runs a command of the user's, in a group of its own, so that nothing of it outlives its time.
//!
//! What it prints goes nowhere: it may be a person's key.

use crate::model::{Reason, Trouble};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::process::{Child, Command};
use tokio_util::sync::CancellationToken;

/// Runs the command until it ends, its time is over, or the user stops the run.
///
/// # Errors
/// Where it cannot be started, or does not end well in time. What it started then is ended with it.
pub async fn run(command: &str, time: Duration, cancel: &CancellationToken) -> Result<(), Trouble> {
    let mut shell = Command::new("sh");
    shell.args(["-c", command]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    // A Ctrl-C at the terminal is ours to pass on, so that the record says what was stopped.
    #[cfg(unix)]
    shell.process_group(0);
    let mut child = shell
        .spawn()
        .map_err(|error| Trouble::new(Reason::Unsupported, format!("cannot be started: {}", error.kind())))?;
    let trouble = tokio::select! {
        biased;
        ended = child.wait() => return judge(ended),
        () = cancel.cancelled() => Trouble::new(Reason::Interrupted, "was stopped by the user"),
        () = tokio::time::sleep(time) => {
            Trouble::new(Reason::TimedOut, format!("did not end within {} s, and was stopped", time.as_secs()))
        }
    };
    end(&mut child).await;
    Err(trouble)
}

fn judge(ended: std::io::Result<ExitStatus>) -> Result<(), Trouble> {
    match ended {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(Trouble::new(Reason::Refused, format!("ended with {status}"))),
        Err(error) => Err(Trouble::new(Reason::Internal, format!("cannot be waited for: {}", error.kind()))),
    }
}

/// Ends the command, and where the system has groups of processes, all that it started.
async fn end(child: &mut Child) {
    #[cfg(target_os = "linux")]
    if let Some(group) = child.id().and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw) {
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
    let _ = child.kill().await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    async fn told(command: &str, time: Duration) -> Result<(), Trouble> {
        run(command, time, &CancellationToken::new()).await
    }

    #[tokio::test]
    async fn a_command_ends_well_or_says_how_it_ended() {
        assert_eq!(told("echo a key", Duration::from_secs(10)).await, Ok(()));
        let failed = told("echo a key >&2; exit 3", Duration::from_secs(10)).await.unwrap_err();
        assert_eq!(failed, Trouble::new(Reason::Refused, "ended with exit status: 3"));
    }

    #[tokio::test]
    async fn what_hangs_is_ended_with_all_that_it_started() {
        let begin = Instant::now();
        let mark = std::env::temp_dir().join(format!("probity-command-{}", std::process::id()));
        let _ = std::fs::remove_file(&mark);
        let command = format!("(sleep 1; touch '{0}') & sleep 60", mark.display());
        let late = told(&command, Duration::from_millis(200)).await.unwrap_err();
        assert!(late.reason == Reason::TimedOut && begin.elapsed() < Duration::from_secs(10), "{late}");
        tokio::time::sleep(Duration::from_millis(1500)).await;
        assert!(!cfg!(target_os = "linux") || !mark.exists(), "a child of the command lives on");
        let cancel = CancellationToken::new();
        cancel.cancel();
        let stopped = run("sleep 60", Duration::from_secs(60), &cancel).await.unwrap_err();
        assert_eq!(stopped.reason, Reason::Interrupted);
    }
}
