//! A server of names that is scripted: it answers each query with what the test wants, right or wrong.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};

/// A query as it came, and the pieces to answer it with.
pub struct Query {
    /// The name, labels with their lengths.
    pub name: Vec<u8>,
    /// The kind of record that is asked for.
    pub kind: u16,
    bytes: Vec<u8>,
}

/// One record of an answer: its owner as bytes of a name, its kind, its data.
pub type Line = (Vec<u8>, u16, Vec<u8>);

impl Query {
    fn read(bytes: &[u8]) -> Query {
        let mut end = 12;
        while bytes[end] != 0 {
            end += usize::from(bytes[end]) + 1;
        }
        let kind = u16::from_be_bytes([bytes[end + 1], bytes[end + 2]]);
        Query { name: bytes[12..=end].to_vec(), kind, bytes: bytes[..end + 5].to_vec() }
    }

    /// The name as text.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let mut rest = &self.name[..];
        while let [length @ 1..=63, after @ ..] = rest {
            let (label, after) = after.split_at(usize::from(*length));
            text.push_str(&String::from_utf8_lossy(label));
            text.push('.');
            rest = after;
        }
        text
    }

    /// An answer with this code, these flags beside those of any answer, and these records.
    pub fn answer(&self, code: u8, flags: u16, records: &[Line]) -> Vec<u8> {
        let mut bytes = self.bytes.clone();
        let word = 0x8180 | flags | u16::from(code);
        bytes[2..4].copy_from_slice(&word.to_be_bytes());
        bytes[6..8].copy_from_slice(&(records.len() as u16).to_be_bytes());
        bytes[8..12].fill(0);
        for (owner, kind, data) in records {
            bytes.extend(owner);
            bytes.extend(kind.to_be_bytes());
            bytes.extend([0, 1, 0, 0, 0, 60]);
            bytes.extend((data.len() as u16).to_be_bytes());
            bytes.extend(data);
        }
        bytes
    }

    /// An answer with texts, each a record of one string or more.
    pub fn texts(&self, texts: &[&str]) -> Vec<u8> {
        let records: Vec<Line> = texts
            .iter()
            .map(|text| {
                let data = text.as_bytes().chunks(255).flat_map(|part| [&[part.len() as u8], part].concat()).collect();
                (self.name.clone(), 16, data)
            })
            .collect();
        self.answer(0, 0, &records)
    }
}

/// Starts the server: for a datagram the first function gives the datagrams that are sent back, for a connection the
/// second the bytes, without one every connection is closed. The threads end with the test's process.
pub fn start(
    datagrams: impl Fn(&Query) -> Vec<Vec<u8>> + Send + 'static,
    connection: Option<fn(&Query) -> Vec<u8>>,
) -> SocketAddr {
    // A port that is free for both.
    let (udp, tcp) = loop {
        let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        if let Ok(tcp) = TcpListener::bind(udp.local_addr().unwrap()) {
            break (udp, tcp);
        }
    };
    let address = udp.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut buffer = [0; 1024];
        while let Ok((length, peer)) = udp.recv_from(&mut buffer) {
            for answer in datagrams(&Query::read(&buffer[..length])) {
                let _ = udp.send_to(&answer, peer);
            }
        }
    });
    std::thread::spawn(move || {
        while let Ok((mut stream, _)) = tcp.accept() {
            let Some(connection) = connection else { continue };
            let mut head = [0; 2];
            if stream.read_exact(&mut head).is_err() {
                continue;
            }
            let mut query = vec![0; usize::from(u16::from_be_bytes(head))];
            if stream.read_exact(&mut query).is_ok() {
                let answer = connection(&Query::read(&query));
                let _ = stream.write_all(&(answer.len() as u16).to_be_bytes());
                let _ = stream.write_all(&answer);
            }
        }
    });
    address
}
