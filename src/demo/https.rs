//! The estate's web servers: HTTP/1.1 over rustls, and in clear.

use super::DemoError;
use super::listener::Serve;
use super::pki::Identity;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

/// The largest request head that is read.
const HEAD: usize = 16 * 1024;

/// Which TLS versions are spoken.
#[derive(Clone, Copy)]
pub enum Versions {
    /// TLS 1.2 and 1.3.
    Both,
    /// TLS 1.2 alone.
    Tls12,
}

/// What is answered.
pub enum Site {
    /// A shop with every good header.
    Shop,
    /// An interface with a short HSTS, a bare session cookie and a version number.
    Api,
    /// A redirect to this address.
    Redirect(String),
}

/// A site over TLS.
pub fn tls(identity: &Identity, versions: Versions, site: Site) -> Result<Arc<dyn Serve>, DemoError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let wanted: &[&rustls::SupportedProtocolVersion] = match versions {
        Versions::Both => rustls::ALL_VERSIONS,
        Versions::Tls12 => &[&rustls::version::TLS12],
    };
    let (chain, key) = identity.for_rustls();
    let config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(wanted)?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    Ok(Arc::new(Secure { config: Arc::new(config), site }))
}

/// A site in clear.
pub fn plain(site: Site) -> Arc<dyn Serve> {
    Arc::new(Plain { site })
}

struct Secure {
    config: Arc<ServerConfig>,
    site: Site,
}

impl Serve for Secure {
    fn serve(&self, stream: TcpStream) -> io::Result<()> {
        let connection = ServerConnection::new(Arc::clone(&self.config)).map_err(io::Error::other)?;
        let mut stream = StreamOwned::new(connection, stream);
        // An alert that rustls has queued for a client it refuses must still be sent.
        let served = speak(&mut stream, &self.site);
        stream.conn.send_close_notify();
        let flushed = stream.flush();
        served.and(flushed)
    }
}

struct Plain {
    site: Site,
}

impl Serve for Plain {
    fn serve(&self, mut stream: TcpStream) -> io::Result<()> {
        speak(&mut stream, &self.site)
    }
}

/// Answers one request and closes.
fn speak<S: Read + Write>(stream: &mut S, site: &Site) -> io::Result<()> {
    let mut head = Vec::new();
    let mut buffer = [0; 1024];
    while !head.windows(4).any(|four| four == b"\r\n\r\n") {
        let n = stream.read(&mut buffer)?;
        if n == 0 || head.len() > HEAD {
            return Ok(());
        }
        head.extend(buffer.iter().take(n));
    }
    let head = String::from_utf8_lossy(&head);
    let path = head.split(' ').nth(1).unwrap_or("/");
    stream.write_all(site.answer(path).as_bytes())?;
    stream.flush()
}

impl Site {
    fn answer(&self, path: &str) -> String {
        let (status, fields, body) = match (self, path) {
            (Site::Redirect(to), _) => ("308 Permanent Redirect", format!("Location: {to}\r\n"), ""),
            (Site::Shop, "/.well-known/security.txt") => {
                ("200 OK", "Content-Type: text/plain; charset=utf-8\r\n".to_owned(), CONTACT)
            }
            (Site::Shop, "/") => ("200 OK", SHOP_FIELDS.replace('\n', "\r\n"), "<!doctype html><title>Shop</title>"),
            (Site::Api, "/") => ("200 OK", API_FIELDS.replace('\n', "\r\n"), "{\"status\":\"up\"}"),
            _ => ("404 Not Found", String::new(), "not here"),
        };
        let length = body.len();
        format!("HTTP/1.1 {status}\r\n{fields}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}")
    }
}

const CONTACT: &str = "Contact: https://shop.demo.example/report\nExpires: 2037-01-01T00:00:00Z\n";

const SHOP_FIELDS: &str = "\
Content-Type: text/html; charset=utf-8
Strict-Transport-Security: max-age=63072000; includeSubDomains
Content-Security-Policy: default-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'
X-Content-Type-Options: nosniff
Referrer-Policy: strict-origin-when-cross-origin
Set-Cookie: session=demo; Path=/; Secure; HttpOnly; SameSite=Lax
";

const API_FIELDS: &str = "\
Content-Type: application/json
Server: demo/1.4.2
Strict-Transport-Security: max-age=300
Set-Cookie: session=demo; Path=/
";
