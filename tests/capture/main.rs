//! Captures the hellos of a real client and prints its row of `checks/registries/clients.csv`.
//!
//! It listens on loopback, starts the client once for each hello, with `{port}` in its command replaced, reads the
//! first hello of each run, refuses it with an alert, and ends the client. What differs from run to run is either known
//! to be made up anew (randoms, key shares, GREASE, the order of extensions), or an error.
//!
//! What a hello does not say (the oldest version and the fields that the client takes, and whether it takes a chain with
//! SHA-1) is tried with `--limits yes`. `tests/capture/all` has the commands of every row.

mod limits;
mod row;
mod rustls;

use probity::wire::{ClientHello, record};
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

/// A client may take so long to send its hello.
const PATIENCE: Duration = Duration::from_secs(60);
/// No hello is longer.
const BYTES: usize = 64 * 1024;

/// A hello, and the version of the record that it came in.
pub struct Captured {
    /// The hello.
    pub hello: ClientHello,
    /// The version of the record.
    pub record_version: u16,
}

fn main() -> ExitCode {
    match run(std::env::args().skip(1).collect()) {
        Ok(line) => {
            let _ = std::io::stdout().write_all(&line);
            ExitCode::SUCCESS
        }
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "capture: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(mut arguments: Vec<String>) -> Result<Vec<u8>, String> {
    if let [word, port, ca] = arguments.as_slice()
        && word == "--client"
    {
        return rustls::handshake(port, ca).map(|()| Vec::new());
    }
    let at = arguments.iter().position(|word| word == "--").ok_or("the command of the client comes after --")?;
    let command = arguments.split_off(at + 1);
    arguments.pop();
    let mut options = row::Options::read(&arguments)?;
    let lab = limits::Lab::new(&std::env::temp_dir().join("probity-capture"))?;
    let plain = command;
    let command = lab.command(&plain);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(|error| error.to_string())?;
    listener.set_nonblocking(true).map_err(|error| error.to_string())?;
    let mut captured = Vec::new();
    for _ in 0..options.runs {
        captured.push(first_hello(&listener, &command)?);
    }
    if options.limits {
        let fields = row::offers_fields(&captured);
        options.set(lab.measure(&plain, fields, options.trusts)?);
    }
    row::write(&options, &plain, &captured)
}

/// Starts the client, takes its first hello, and ends it.
fn first_hello(listener: &TcpListener, command: &[String]) -> Result<Captured, String> {
    let port = listener.local_addr().map_err(|error| error.to_string())?.port().to_string();
    let mut words = command.iter().map(|word| word.replace("{port}", &port));
    let program = words.next().ok_or("the command of the client is empty")?;
    let client = Command::new(&program)
        .args(words)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("{program} cannot be started: {error}"))?;
    let mut client = Running(client);
    let end = Instant::now() + PATIENCE;
    loop {
        match listener.accept() {
            // A connection without a hello is one that a browser keeps in store.
            Ok((stream, _)) => {
                if let Ok(captured) = hello_of(stream) {
                    client.finish();
                    drop(client);
                    // What the client had under way when it was ended is not the first hello of the next run.
                    while listener.accept().is_ok() {}
                    return Ok(captured);
                }
            }
            Err(_) if Instant::now() > end => return Err(format!("{program} sent no hello")),
            Err(_) => std::thread::sleep(Duration::from_millis(20)),
        }
    }
}

fn hello_of(mut stream: TcpStream) -> Result<Captured, String> {
    let words = |error: std::io::Error| error.to_string();
    stream.set_nonblocking(false).map_err(words)?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).map_err(words)?;
    let mut reader = record::RecordReader::new();
    let mut start = Vec::new();
    let mut buffer = [0; 4096];
    while start.len() < BYTES {
        let count = stream.read(&mut buffer).map_err(words)?;
        if count == 0 {
            return Err("the client closed".to_owned());
        }
        start.extend_from_slice(&buffer[..count]);
        reader.push(&buffer[..count]).map_err(|error| error.to_string())?;
        if let Some(record::Event::Message(1, body)) = reader.event().map_err(|error| error.to_string())? {
            let hello = ClientHello::parse(&body).map_err(|error| error.to_string())?;
            // handshake_failure: a client that is refused in silence may try again in another way.
            let _ = stream.write_all(&[0x15, 3, 3, 0, 2, 2, 40]);
            return Ok(Captured { hello, record_version: u16::from_be_bytes([start[1], start[2]]) });
        }
    }
    Err("the hello is too long".to_owned())
}

/// A client that is ended when it is no longer needed.
pub struct Running(Child);

impl Running {
    /// Ends it.
    pub fn end(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }

    /// Gives it time to end by itself.
    fn finish(&mut self) {
        let end = Instant::now() + Duration::from_secs(2);
        while Instant::now() < end && matches!(self.0.try_wait(), Ok(None)) {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}
