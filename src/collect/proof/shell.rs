//! A session with a database file that needs a key: the program `sqlcipher`, which is told statements one after another.
//!
//! The key goes to the program alone, through its input.

use crate::collect::Secret;
use crate::model::{Reason, Trouble};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// Where the program may be.
const FOLDERS: [&str; 3] = ["/usr/bin", "/usr/local/bin", "/bin"];
/// How long a step may take.
const STEP: Duration = Duration::from_secs(20);
/// The most lines of an answer, and the most bytes of one.
const LINES: usize = 1000;
const LINE: u64 = 4096;

/// A running program.
pub struct Shell {
    child: Child,
    input: ChildStdin,
    lines: Receiver<String>,
    step: u32,
}

impl Shell {
    /// Opens a file with its key.
    ///
    /// # Errors
    /// Where the program is not installed, or the key is not the file's.
    pub fn open(path: &Path, key: &Secret) -> Result<Shell, Trouble> {
        let program =
            FOLDERS.iter().map(|folder| Path::new(folder).join("sqlcipher")).find(|program| program.is_file());
        let program = program.ok_or_else(|| {
            Trouble::new(Reason::Unsupported, "the file needs a key, and the program sqlcipher is not installed")
        })?;
        let path: PathBuf = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let mut child = Command::new(program)
            .args(["-batch", "-bail", "-init", "/dev/null"])
            .arg(path)
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| {
                Trouble::new(Reason::Unsupported, format!("sqlcipher cannot be started: {}", error.kind()))
            })?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(Trouble::new(Reason::Internal, "sqlcipher has no input or output"));
        };
        let (tell, lines) = channel();
        std::thread::spawn(move || {
            let mut output = BufReader::new(output);
            loop {
                let mut line = Vec::new();
                match output.by_ref().take(LINE).read_until(b'\n', &mut line) {
                    Ok(read) if read > 0 => {
                        if tell.send(String::from_utf8_lossy(&line).trim_end().to_owned()).is_err() {
                            break;
                        }
                    }
                    _ => break,
                }
            }
        });
        let mut shell = Shell { child, input, lines, step: 0 };
        shell.run(&format!("PRAGMA key = '{}';", key.0.replace('\'', "''")))?;
        shell
            .run("SELECT count(*) FROM sqlite_master;")
            .map_err(|_| Trouble::new(Reason::AuthenticationFailed, "sqlcipher cannot open the file with this key"))?;
        Ok(shell)
    }

    /// Runs statements and gives the lines that they print.
    pub fn run(&mut self, sql: &str) -> Result<Vec<String>, Trouble> {
        self.step += 1;
        let mark = format!("step-{}-done", self.step);
        let ended = || Trouble::new(Reason::Refused, "sqlcipher refused a statement");
        writeln!(self.input, "{sql}\n.print {mark}").and_then(|()| self.input.flush()).map_err(|_| ended())?;
        let end = Instant::now() + STEP;
        let mut answer = Vec::new();
        loop {
            let left = end.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) if line == mark => return Ok(answer),
                Ok(line) if answer.len() < LINES => answer.push(line),
                Ok(_) => return Err(Trouble::new(Reason::TooLarge, "sqlcipher printed more than is read")),
                Err(std::sync::mpsc::RecvTimeoutError::Timeout) => {
                    return Err(Trouble::new(Reason::TimedOut, "sqlcipher did not answer in time"));
                }
                // With `-bail` an error ends the program.
                Err(_) => return Err(ended()),
            }
        }
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        let _ = writeln!(self.input, ".quit");
        let _ = self.input.flush();
        let end = Instant::now() + Duration::from_secs(2);
        while Instant::now() < end {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
