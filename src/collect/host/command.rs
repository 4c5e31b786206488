//! Runs a command of this machine: by its absolute path, without our environment, for a bounded time and output.

use crate::model::{Reason, Trouble};
use std::io::Read as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How long a command may take.
const TIME: Duration = Duration::from_secs(10);
/// The most bytes of its output.
const BYTES: u64 = 1 << 20;

/// What a command prints.
///
/// # Errors
/// Where it is not installed, does not end in time, prints too much, or fails.
pub fn run(folders: &[PathBuf], name: &str, arguments: &[&str]) -> Result<String, Trouble> {
    run_within(folders, name, arguments, TIME)
}

fn run_within(folders: &[PathBuf], name: &str, arguments: &[&str], time: Duration) -> Result<String, Trouble> {
    let program = folders.iter().map(|folder| folder.join(name)).find(|program| program.is_file());
    let Some(program) = program.filter(|program| program.is_absolute()) else {
        return Err(Trouble::new(Reason::Unsupported, format!("the command {name} is not installed")));
    };
    let mut child = Command::new(program)
        .args(arguments)
        .env_clear()
        .env("LC_ALL", "C")
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| {
            Trouble::new(Reason::PermissionDenied, format!("{name} cannot be started: {}", error.kind()))
        })?;
    let Some(output) = child.stdout.take() else {
        return Err(Trouble::new(Reason::Internal, format!("{name} has no output")));
    };
    let reader = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        output.take(BYTES + 1).read_to_end(&mut bytes).map(|_| bytes)
    });
    let end = Instant::now() + time;
    // A command whose output is too long is stopped by a pipe that nobody reads any more.
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if Instant::now() < end => std::thread::sleep(Duration::from_millis(5)),
            _ => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(Trouble::new(Reason::TimedOut, format!("{name} did not end within {} s", time.as_secs())));
            }
        }
    };
    let output = reader.join().ok().and_then(Result::ok);
    let Some(output) = output else {
        return Err(Trouble::new(Reason::Internal, format!("the output of {name} could not be read")));
    };
    if output.len() as u64 > BYTES {
        return Err(Trouble::new(Reason::TooLarge, format!("{name} printed more than {} MiB", BYTES >> 20)));
    }
    if !status.success() {
        return Err(Trouble::new(Reason::PermissionDenied, format!("{name} ended with {status}; as root it may not")));
    }
    Ok(String::from_utf8_lossy(&output).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(command: &str) -> Result<String, Trouble> {
        run_within(&[PathBuf::from("/bin")], "sh", &["-c", command], Duration::from_millis(900))
    }

    #[test]
    fn commands_are_bounded_and_get_no_environment() {
        assert_eq!(sh("echo x").unwrap(), "x\n");
        assert_eq!(sh("echo ${HOME-none}").unwrap(), "none\n");
        assert_eq!(sh("sleep 20").unwrap_err().reason, Reason::TimedOut);
        assert_eq!(sh("exit 3").unwrap_err().reason, Reason::PermissionDenied);
        assert_eq!(
            sh("while :; do echo 0123456789012345678901234567890123456789; done").unwrap_err().reason,
            Reason::TooLarge
        );
        let absent = run(&[PathBuf::from("/bin")], "no-such-command", &[]).unwrap_err();
        assert!(absent.reason == Reason::Unsupported && absent.detail.contains("not installed"));
        assert!(run(&[PathBuf::from(".")], "Cargo.toml", &[]).is_err(), "only absolute paths are run");
    }
}
