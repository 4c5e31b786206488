//! `key`: what signs the log of a store, and what verifies it.

use super::{Ending, Failure, output};
use crate::collect::Secrets as _;
use crate::gate::Exit;
use crate::model::SecretRef;
use crate::store::disk;
use crate::store::key::Signer;
use crate::worker::SystemSecrets;
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// Keys that sign evidence
#[derive(Args)]
#[command(after_help = "\
Examples:
  probity key new shop.example -o probity.key
  probity key show probity.key --pem > probity.pub")]
pub struct Key {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make a key: the private part to a file, what verifies it to standard output
    New(New),
    /// Show what verifies a key's signatures
    Show(Show),
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  probity key new shop.example -o probity.key
  probity scan -c probity.yaml --store .probity --sign file:probity.key")]
struct New {
    /// The key's name, such as a host name of yours: it stands beside each signature
    name: String,
    /// The file of the private key, for its owner alone; it must not exist
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  probity key show probity.key
  probity key show probity.key --pem > probity.pub    for openssl")]
struct Show {
    /// The file of the private key
    file: PathBuf,
    /// In PEM, for other tools
    #[arg(long)]
    pem: bool,
}

/// Reads the reference of a key on the command line.
pub(super) fn secret(text: &str) -> Result<SecretRef, String> {
    let help = "say where the key is to be had: file:PATH, env:NAME or exec:COMMAND";
    SecretRef::parse(text).ok_or_else(|| help.to_owned())
}

/// The key that a reference names.
pub(super) fn signer(reference: &SecretRef) -> Result<Signer, Failure> {
    let secret = SystemSecrets.read(reference).map_err(Failure::new)?;
    Signer::parse(&secret.0).map_err(|wrong| Failure::new(format!("{}: {wrong}", reference.name())))
}

impl Key {
    /// Runs the command.
    pub fn run(self) -> Ending {
        match self.command {
            Command::New(new) => new.run(),
            Command::Show(show) => show.run(),
        }
    }
}

impl New {
    fn run(self) -> Ending {
        let shown = self.output.display();
        if self.output.exists() {
            return Err(Failure::help(
                format!("{shown} is there already"),
                "a key is never written over: name another file",
            ));
        }
        let signer = Signer::generate(&self.name).map_err(Failure::new)?;
        let pem = signer.pem().map_err(Failure::new)?;
        disk::write(&self.output, pem.as_bytes())?;
        output::print(format!("{}\n", signer.verifier().line()).as_bytes())?;
        anstream::eprintln!(
            "{shown} signs; keep it where only the runs can read it, and give the line above to whoever verifies"
        );
        Ok(Exit::Passed.code())
    }
}

impl Show {
    fn run(self) -> Ending {
        let bytes = disk::read(&self.file, 64 * 1024)?;
        let signer = Signer::parse(&String::from_utf8_lossy(&bytes)).map_err(Failure::new)?;
        let verifier = signer.verifier();
        let text = if self.pem { verifier.pem() } else { format!("{}\n", verifier.line()) };
        output::print(text.as_bytes())?;
        Ok(Exit::Passed.code())
    }
}
