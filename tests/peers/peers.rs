//! The other scanners: how each is run, and what it says, read from its own machine format.

mod nmap;
mod sslscan;
mod sslyze;
mod testssl;

use crate::facts::Facts;
use crate::support::{Scratch, program};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A scanner.
pub struct Peer {
    /// Its name.
    pub name: &'static str,
    /// The command that looks at this port on 127.0.0.1 and writes this file; none where it has no word for the protocol.
    command: fn(&Scratch, u16, Option<&str>, &Path) -> Option<Command>,
    /// What it says, by what it wrote.
    read: fn(&str) -> Facts,
}

/// How long one look may take. What goes on after that has no facts but this one.
const LONGEST: Duration = Duration::from_secs(900);

/// All of them.
pub const PEERS: [Peer; 4] = [
    Peer { name: "sslyze", command: sslyze::command, read: sslyze::read },
    Peer { name: "testssl", command: testssl::command, read: testssl::read },
    Peer { name: "sslscan", command: sslscan::command, read: sslscan::read },
    Peer { name: "nmap", command: nmap::command, read: nmap::read },
];

impl Peer {
    /// Looks, and keeps what it wrote in this folder; with PROBITY_PEERS_KEPT set, reads what is there already.
    /// None where it cannot speak the protocol.
    pub fn look(&self, scratch: &Scratch, port: u16, word: Option<&str>, keep: &Path) -> Option<Facts> {
        let file = keep.join(self.name);
        let mut command = (self.command)(scratch, port, word, &file)?;
        let kept = std::fs::read_to_string(&file).unwrap_or_default();
        if std::env::var_os("PROBITY_PEERS_KEPT").is_some() && !kept.is_empty() {
            return Some((self.read)(&kept));
        }
        let _ = std::fs::remove_file(&file);
        let log = |end: &str| std::fs::File::create(keep.join(format!("{}.{end}", self.name))).unwrap();
        command.stdin(Stdio::null()).stdout(log("out")).stderr(log("err"));
        let mut child = command.spawn().unwrap();
        let end = Instant::now() + LONGEST;
        while child.try_wait().unwrap().is_none() {
            if Instant::now() > end {
                let _ = child.kill();
                let _ = child.wait();
                return Some(Facts::from([("an end".to_owned(), "not reached".into())]));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let text =
            std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{} wrote nothing: {error}", self.name));
        Some((self.read)(&text))
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
