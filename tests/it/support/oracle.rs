//! A simulated server of TLS 1.2 with RSA key transport alone, whose treatment of a client's second flight is a test's.

use super::Scratch;
use super::tls::{pair, scripted};
use num_bigint::BigUint;
use probity::wire::record::{self, Event, HANDSHAKE, RecordReader};
use probity::wire::{ClientHello, ServerHello, certificate, flight};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// TLS_RSA_WITH_AES_128_CBC_SHA.
const SUITE: u16 = 0x002F;

/// What follows the server's flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Second {
    /// Wrong padding gets another alert than right padding: a weak oracle.
    WeakOracle,
    /// Wrong padding of two kinds gets two alerts: a strong oracle.
    StrongOracle,
    /// Every block gets the same alert.
    Deaf,
    /// The server closes, and answers nobody any more.
    Dies,
    /// The server says nothing, and answers nobody any more.
    Hangs,
}

/// Starts it.
pub fn start(scratch: &Scratch, second: Second) -> SocketAddr {
    let (key, pem) = pair(scratch, "rsa");
    let leaf = openssl(&["x509", "-in", pem.to_str().unwrap(), "-outform", "DER"]);
    let text = String::from_utf8(openssl(&["pkey", "-in", key.to_str().unwrap(), "-noout", "-text"])).unwrap();
    let (modulus, exponent) = (number(&text, "modulus:"), number(&text, "privateExponent:"));
    let gone = Arc::new(AtomicBool::new(false));
    scripted(move |stream| serve(stream, second, &leaf, &modulus, &exponent, &gone))
}

fn openssl(arguments: &[&str]) -> Vec<u8> {
    let output = Command::new("openssl").args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// A number of a key's text: lines of bytes in hexadecimal after its name.
fn number(text: &str, name: &str) -> BigUint {
    let lines = text.lines().skip_while(|line| *line != name).skip(1).take_while(|line| line.starts_with(' '));
    let digits: String = lines.flat_map(str::chars).filter(char::is_ascii_hexdigit).collect();
    BigUint::parse_bytes(digits.as_bytes(), 16).unwrap()
}

fn serve(mut stream: TcpStream, second: Second, leaf: &[u8], modulus: &BigUint, exponent: &BigUint, gone: &AtomicBool) {
    let leave = |stream: &TcpStream| {
        if second == Second::Hangs {
            let _ = stream.peek(&mut [0]);
            std::thread::sleep(Duration::from_secs(60));
        }
    };
    if gone.load(Ordering::Relaxed) {
        return leave(&stream);
    }
    let mut reader = RecordReader::new();
    let Some(Event::Message(1, body)) = next(&mut stream, &mut reader) else { return };
    let hello = ClientHello::parse(&body).unwrap();
    if hello.version != 0x0303 || !hello.suites.contains(&SUITE) {
        let description = if hello.version == 0x0303 { 40 } else { 70 };
        let _ = stream.write_all(&record::write(record::ALERT, 0x0303, &[2, description]));
        return;
    }
    let answer = ServerHello {
        version: 0x0303,
        random: [7; 32],
        session_id: Vec::new(),
        suite: SUITE,
        compression: 0,
        extensions: Vec::new(),
    };
    let flight =
        [answer.to_message(), certificate::write_chain(&[leaf.to_vec()]), flight::server_hello_done()].concat();
    let _ = stream.write_all(&record::write(HANDSHAKE, 0x0303, &flight));
    let event = next(&mut stream, &mut reader);
    if event.is_some() && matches!(second, Second::Dies | Second::Hangs) {
        gone.store(true, Ordering::Relaxed);
        return leave(&stream);
    }
    let description = match event {
        Some(Event::Message(16, body)) => {
            let block = BigUint::from_bytes_be(&body[2..]).modpow(exponent, modulus).to_bytes_be();
            alert_for(second, &block)
        }
        Some(_) => 10,
        None => return,
    };
    let _ = stream.write_all(&record::write(record::ALERT, 0x0303, &[2, description]));
    // What the client still sends is taken, so that the end is no reset.
    let _ = stream.set_read_timeout(Some(Duration::from_millis(200)));
    while matches!(stream.read(&mut [0; 4096]), Ok(1..)) {}
}

/// The block has lost its first zero byte.
fn alert_for(second: Second, block: &[u8]) -> u8 {
    let zero = block.iter().skip(1).position(|byte| *byte == 0);
    let begins = block.first() == Some(&2);
    let placed = zero.is_some_and(|at| block.len() - at - 2 == 48);
    match (second, begins, placed) {
        (Second::WeakOracle, true, true) => 20,
        (Second::WeakOracle, ..) => 51,
        (Second::StrongOracle, false, _) => 51,
        (Second::StrongOracle, true, false) => 47,
        _ => 20,
    }
}

fn next(stream: &mut TcpStream, reader: &mut RecordReader) -> Option<Event> {
    let mut buffer = [0; 4096];
    loop {
        if let Some(event) = reader.event().ok()? {
            return Some(event);
        }
        let count = stream.read(&mut buffer).ok().filter(|count| *count > 0)?;
        reader.push(&buffer[..count]).ok()?;
    }
}
