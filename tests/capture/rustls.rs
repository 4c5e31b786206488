//! The client of rustls, as its own defaults make it.

use ::rustls::pki_types::pem::PemObject as _;
use ::rustls::pki_types::{CertificateDer, ServerName};
use ::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::sync::Arc;

/// Makes a handshake with this port of this machine, with the certificate verified.
pub fn handshake(port: &str, ca: &str) -> Result<(), String> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(ca).map_err(words)?).map_err(words)?;
    let config = ClientConfig::builder_with_provider(Arc::new(::rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(words)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").map_err(words)?;
    let connection = ClientConnection::new(Arc::new(config), name).map_err(words)?;
    let port = port.parse::<u16>().map_err(words)?;
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).map_err(words)?;
    let mut stream = StreamOwned::new(connection, stream);
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n").map_err(words)?;
    let _ = stream.read(&mut [0; 16]);
    Ok(())
}

fn words(error: impl std::fmt::Display) -> String {
    error.to_string()
}
