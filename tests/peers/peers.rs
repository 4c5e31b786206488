//! The other scanners: how each is run, and what it says, read from its own machine format.

mod nmap;
mod sslscan;
mod sslyze;
mod testssl;

use crate::facts::Facts;
use crate::support::{Scratch, program};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A scanner.
pub struct Peer {
    /// Its name.
    pub name: &'static str,
    /// The command that looks at this port on 127.0.0.1 and writes this file; none where it has no word for the protocol.
    command: fn(&Scratch, u16, Option<&str>, &Path) -> Option<Command>,
    /// What it says, by what it wrote; none where that is not whole, or says that no connection was made.
    read: fn(&str) -> Option<Facts>,
}

/// What came of a look.
pub enum Said {
    Facts(Facts),
    /// It cannot speak the server's protocol.
    NoWord,
    /// It was not asked, for this reason.
    LeftOut(&'static str),
    /// No answer, for this reason: it took too long, or ended without a word.
    Nothing(String),
}

impl Said {
    pub fn facts(&self) -> Option<&Facts> {
        match self {
            Said::Facts(facts) => Some(facts),
            _ => None,
        }
    }
}

/// How long one look may take. What goes on after that gives no answer.
const LONGEST: Duration = Duration::from_secs(300);

/// All of them.
pub const PEERS: [Peer; 4] = [
    Peer { name: "sslyze", command: sslyze::command, read: sslyze::read },
    Peer { name: "testssl", command: testssl::command, read: testssl::read },
    Peer { name: "sslscan", command: sslscan::command, read: sslscan::read },
    Peer { name: "nmap", command: nmap::command, read: nmap::read },
];

impl Peer {
    /// Looks, and keeps what it wrote in this folder; with PROBITY_PEERS_KEPT set, reads what is there already.
    pub fn look(&self, scratch: &Scratch, port: u16, word: Option<&str>, keep: &Path) -> Said {
        let file = keep.join(self.name);
        let Some(mut command) = (self.command)(scratch, port, word, &file) else { return Said::NoWord };
        let kept = std::env::var_os("PROBITY_PEERS_KEPT").and_then(|_| self.read(&file));
        if let Some(facts) = kept {
            return Said::Facts(facts);
        }
        let _ = std::fs::remove_file(&file);
        let log = |end: &str| std::fs::File::create(keep.join(format!("{}.{end}", self.name))).unwrap();
        command.stdin(Stdio::null()).stdout(log("out")).stderr(log("err")).process_group(0);
        let mut child = command.spawn().unwrap();
        let end = Instant::now() + LONGEST;
        while child.try_wait().unwrap().is_none() {
            if Instant::now() > end {
                // With all that it started.
                let _ = Command::new("kill").args(["-KILL", "--", &format!("-{}", child.id())]).status();
                let _ = child.wait();
                return Said::Nothing(format!("it took longer than {} s", LONGEST.as_secs()));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        self.read(&file).map_or_else(|| Said::Nothing("it wrote nothing that is whole".into()), Said::Facts)
    }

    fn read(&self, file: &Path) -> Option<Facts> {
        (self.read)(&std::fs::read_to_string(file).ok()?)
    }
}

/// The command of a scanner that must be there: without one, there is nothing to compare with.
fn scanner(name: &str) -> Command {
    Command::new(program(name).unwrap_or_else(|| panic!("{name} is not installed; see tests/peers/run")))
}

/// The value of an attribute in one tag.
fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = tag.split_once(&format!(" {name}=\""))?;
    rest.split_once('"').map(|(value, _)| value)
}

/// Each tag with what follows it up to the next one.
fn tags(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.split('<').filter_map(|part| part.split_once('>'))
}
