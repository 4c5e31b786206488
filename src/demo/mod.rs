//! The embedded estate: real listeners on loopback, a database file and a register, good members beside bad ones.
//!
//! Everything is made at start and described by an ordinary configuration, so that a demo is an ordinary run.

mod documents;
mod https;
mod legacy;
mod listener;
mod pki;

use crate::target::{self, Config};
use crate::yaml::Diagnostic;
use https::Site;
use jiff::Timestamp;
use listener::Listener;
use pki::{Authority, Identity};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Why the estate could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// A file or a listener could not be made.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// A certificate could not be made.
    #[error("a certificate cannot be made: {0}")]
    Certificate(#[from] rcgen::Error),
    /// A TLS server could not be set up.
    #[error("a TLS server cannot be set up: {0}")]
    Tls(#[from] rustls::Error),
    /// The database file could not be made.
    #[error("the database file cannot be made: {0}")]
    Database(#[from] rusqlite::Error),
    /// The time is out of the calendar's range.
    #[error("the dates cannot be computed: {0}")]
    Time(#[from] jiff::Error),
}

/// A running estate. Its listeners and its folder go with it.
pub struct Estate {
    folder: PathBuf,
    _listeners: Vec<Listener>,
}

impl Estate {
    /// Starts every listener and writes every file into a new folder below this one.
    ///
    /// # Errors
    /// When a port, a file or a certificate cannot be had.
    pub fn start(below: &Path, now: Timestamp) -> Result<Estate, DemoError> {
        let folder = below.join(format!("probity-demo-{}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        let mut estate = Estate { folder, _listeners: Vec::new() };
        let authority = Authority::new("probity demo authority", now)?;
        std::fs::write(estate.folder.join("ca.pem"), authority.pem())?;
        let shop = estate.shop(&authority, now)?;
        let api = estate.api(&authority, now)?;
        let kiosk = estate.kiosk(&authority, now)?;
        documents::visitors(&estate.folder.join("visitors.sqlite"), now)?;
        std::fs::write(estate.folder.join("retention.yaml"), documents::RETENTION)?;
        std::fs::write(estate.folder.join("register.yaml"), documents::register(now)?)?;
        std::fs::write(estate.folder.join("probity.yaml"), configuration(&[shop, api, kiosk]))?;
        Ok(estate)
    }

    /// The configuration of the estate, read as a user's is.
    ///
    /// # Errors
    /// When what the demo wrote is not what the reader takes: a fault of ours.
    pub fn config(&self) -> Result<Config, Vec<Diagnostic>> {
        target::load(&self.folder.join("probity.yaml"))
    }

    /// A shop as it should be: TLS 1.2 and 1.3, HSTS, good headers, a redirect from plain HTTP.
    fn shop(&mut self, authority: &Authority, now: Timestamp) -> Result<Member, DemoError> {
        let identity = Identity::ecdsa(authority, "shop.demo.example", now)?;
        let secure = Listener::start(https::tls(&identity, https::Versions::Both, Site::Shop)?)?;
        let to = format!("https://shop.demo.example:{}/", secure.port());
        let plain = Listener::start(https::plain(Site::Redirect(to)))?;
        let member = Member::new("shop", "shop.demo.example", secure.port(), Some(plain.port()));
        self._listeners.extend([secure, plain]);
        Ok(member)
    }

    /// An interface with weak spots: TLS 1.2 alone, a short HSTS, another host's certificate, content over plain HTTP.
    fn api(&mut self, authority: &Authority, now: Timestamp) -> Result<Member, DemoError> {
        let identity = Identity::ecdsa(authority, "old-api.demo.example", now)?;
        let secure = Listener::start(https::tls(&identity, https::Versions::Tls12, Site::Api)?)?;
        let plain = Listener::start(https::plain(Site::Api))?;
        let member = Member::new("api", "api.demo.example", secure.port(), Some(plain.port()));
        self._listeners.extend([secure, plain]);
        Ok(member)
    }

    /// A terminal that never learnt anything after TLS 1.0, spoken by our own codec.
    fn kiosk(&mut self, authority: &Authority, now: Timestamp) -> Result<Member, DemoError> {
        let identity = Identity::rsa(authority, "kiosk.demo.example", now)?;
        let server = Listener::start(Arc::new(legacy::Server::new(identity.chain())))?;
        let member = Member::new("kiosk", "kiosk.demo.example", server.port(), None);
        self._listeners.push(server);
        Ok(member)
    }
}

impl Drop for Estate {
    fn drop(&mut self) {
        // The folder holds nothing that anybody needs; a rest in the temporary folder does no harm.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// An endpoint of the estate.
struct Member {
    id: &'static str,
    name: &'static str,
    port: u16,
    http: Option<u16>,
}

impl Member {
    fn new(id: &'static str, name: &'static str, port: u16, http: Option<u16>) -> Member {
        Member { id, name, port, http }
    }
}

/// The estate as a user would describe it.
fn configuration(members: &[Member]) -> String {
    let mut text =
        String::from("# Written by `probity demo`: an ordinary configuration of an estate on loopback.\ntargets:\n");
    for Member { id, name, port, http } in members {
        let _ = writeln!(text, "  - id: {id}");
        let _ = writeln!(text, "    kind: endpoint");
        let _ = writeln!(text, "    address: 127.0.0.1:{port}");
        let _ = writeln!(text, "    server_name: {name}");
        if let Some(http) = http {
            let _ = writeln!(text, "    http: {http}");
        }
        let _ = writeln!(text, "    tls: {{ ca: ca.pem }}");
    }
    text.push_str(documents::REST);
    text
}
