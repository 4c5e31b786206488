//! Reads the values of secrets where they are used. Errors name the reference, never the value.

use crate::collect::{Secret, Secrets};
use crate::model::SecretRef;
use std::io::Read as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The most a secret may hold.
const BYTES: u64 = 64 * 1024;
/// How long a command may take.
const COMMAND_TIME: Duration = Duration::from_secs(10);

/// Environment, files and commands of this machine.
pub struct SystemSecrets;

impl Secrets for SystemSecrets {
    fn read(&self, reference: &SecretRef) -> Result<Secret, String> {
        let name = reference.name();
        let value = match reference {
            SecretRef::Env(variable) => std::env::var(variable).map_err(|error| match error {
                std::env::VarError::NotPresent => format!("the environment variable {variable} is not set"),
                std::env::VarError::NotUnicode(_) => format!("the environment variable {variable} is not text"),
            }),
            SecretRef::File(path) => file(path).map_err(|error| format!("{name}: {error}")),
            SecretRef::Exec(command) => run(command).map_err(|error| format!("{name}: {error}")),
        }?;
        let value = value.strip_suffix('\n').map_or(value.as_str(), |v| v.strip_suffix('\r').unwrap_or(v));
        if value.is_empty() {
            return Err(format!("{name} is empty"));
        }
        Ok(Secret(value.to_owned()))
    }
}

fn file(path: &str) -> Result<String, String> {
    let file = std::fs::File::open(path).map_err(|error| error.to_string())?;
    bounded(file)
}

fn bounded(source: impl std::io::Read) -> Result<String, String> {
    let mut text = String::new();
    source.take(BYTES + 1).read_to_string(&mut text).map_err(|_| "it cannot be read as text".to_owned())?;
    if text.len() as u64 > BYTES {
        return Err(format!("it is longer than {} KiB", BYTES / 1024));
    }
    Ok(text)
}

fn run(command: &str) -> Result<String, String> {
    let mut child = Command::new("sh")
        .args(["-c", command])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("the command cannot be started: {error}"))?;
    let Some(output) = child.stdout.take() else { return Err("the command has no output".to_owned()) };
    let reader = std::thread::spawn(move || bounded(output));
    let end = Instant::now() + COMMAND_TIME;
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if Instant::now() < end => std::thread::sleep(Duration::from_millis(10)),
            Ok(None) => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!("the command did not end within {} s", COMMAND_TIME.as_secs()));
            }
            Err(error) => return Err(error.to_string()),
        }
    };
    // An output that is too long ends the command by a broken pipe: the length is the cause to name.
    let output = reader.join().map_err(|_| "the command's output could not be read".to_owned())??;
    if !status.success() {
        return Err(format!("the command ended with {status}"));
    }
    Ok(output)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(reference: &str) -> Result<String, String> {
        SystemSecrets.read(&SecretRef::parse(reference).unwrap()).map(|secret| secret.0)
    }

    #[test]
    fn commands_give_their_output_without_the_last_newline() {
        assert_eq!(read("exec:printf 'a b\\n'").unwrap(), "a b");
        assert_eq!(read("exec:printf 'a\\n\\n'").unwrap(), "a\n");
    }

    #[test]
    fn failures_name_the_reference_and_never_a_value() {
        assert_eq!(
            read("env:PROBITY_TEST_NOT_SET").unwrap_err(),
            "the environment variable PROBITY_TEST_NOT_SET is not set"
        );
        assert!(read("file:/nonexistent/secret").unwrap_err().starts_with("file:/nonexistent/secret: "));
        let error = read("exec:echo hunter2; exit 3").unwrap_err();
        assert!(error.contains("exit status: 3") && !error.contains("hunter2"), "{error}");
        assert!(read("exec:true").unwrap_err().contains("empty"));
        assert!(read("exec:head -c 100000 /dev/zero | tr '\\0' x").unwrap_err().contains("longer"));
    }
}
