//! The way to a server: a proxy that asks for TLS in the server's own protocol, so that any client of TLS can follow.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

/// A port on which TLS comes first, whatever this server wants before it.
pub fn direct(port: u16, word: Option<&'static str>) -> u16 {
    let Some(word) = word else { return port };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let direct = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            thread::spawn(move || {
                if let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) {
                    let _ = (client.set_nodelay(true), server.set_nodelay(true));
                    if upgrade(&server, word).is_some() {
                        pass(&client, &server);
                    }
                }
            });
        }
    });
    direct
}

/// The dialogue up to the moment at which TLS may begin.
fn upgrade(mut server: &TcpStream, word: &str) -> Option<()> {
    server.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
    match word {
        "imap" => {
            let mut lines = BufReader::with_capacity(1, server);
            line(&mut lines)?;
            server.write_all(b"a STARTTLS\r\n").ok()?;
            line(&mut lines)?.starts_with("a OK").then_some(())?;
        }
        "ldap" => {
            // ExtendedRequest 1.3.6.1.4.1.1466.20037 (RFC 4511, section 4.14); resultCode success in the answer.
            server.write_all(b"\x30\x1d\x02\x01\x01\x77\x18\x80\x161.3.6.1.4.1.1466.20037").ok()?;
            let mut head = [0; 2];
            server.read_exact(&mut head).ok()?;
            let mut rest = vec![0; usize::from(head[1])];
            server.read_exact(&mut rest).ok()?;
            rest.windows(3).any(|bytes| bytes == [10, 1, 0]).then_some(())?;
        }
        "postgresql" => {
            server.write_all(&[0, 0, 0, 8, 4, 210, 22, 47]).ok()?;
            let mut answer = [0];
            server.read_exact(&mut answer).ok()?;
            (answer == *b"S").then_some(())?;
        }
        "mysql" => {
            let mut head = [0; 4];
            server.read_exact(&mut head).ok()?;
            let mut greeting = vec![0; usize::from(head[0]) | usize::from(head[1]) << 8];
            server.read_exact(&mut greeting).ok()?;
            // SSLRequest: CLIENT_PROTOCOL_41, CLIENT_SSL and CLIENT_SECURE_CONNECTION, 16 MiB, utf8mb4.
            let mut request = vec![32, 0, 0, 1, 0, 0x8a, 0, 0, 0, 0, 0, 1, 45];
            request.resize(36, 0);
            server.write_all(&request).ok()?;
        }
        other => panic!("no dialogue of {other} is written here"),
    }
    server.set_read_timeout(None).ok()
}

fn line(lines: &mut BufReader<&TcpStream>) -> Option<String> {
    let mut text = String::new();
    lines.read_line(&mut text).ok().filter(|count| *count > 0)?;
    Some(text)
}

fn pass(client: &TcpStream, server: &TcpStream) {
    thread::scope(|scope| {
        scope.spawn(|| {
            let _ = std::io::copy(&mut &*server, &mut &*client);
            let _ = client.shutdown(Shutdown::Both);
        });
        let _ = std::io::copy(&mut &*client, &mut &*server);
        let _ = server.shutdown(Shutdown::Write);
    });
}
