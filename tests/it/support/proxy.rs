//! A TCP proxy on loopback that counts what passes, and makes the way as long as wanted.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

/// What passed through a proxy.
#[derive(Default)]
struct Counts {
    connections: AtomicU32,
    hellos: AtomicU32,
    open: AtomicU32,
    most_open: AtomicU32,
    delay_ms: AtomicU64,
}

/// A proxy in front of a port. Its threads end with their connections; the listener ends with the process.
pub struct Proxy {
    address: SocketAddr,
    counts: Arc<Counts>,
}

impl Proxy {
    /// A proxy in front of this port on loopback. A round trip over it takes at least so long.
    pub fn start(port: u16, round_trip: Duration) -> Proxy {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let counts = Arc::new(Counts::default());
        counts.delay_ms.store(u64::try_from(round_trip.as_millis()).unwrap() / 2, Ordering::Relaxed);
        let shared = Arc::clone(&counts);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let counts = Arc::clone(&shared);
                thread::spawn(move || pass(client, port, &counts));
            }
        });
        Proxy { address, counts }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many connections were made.
    pub fn connections(&self) -> u32 {
        self.counts.connections.load(Ordering::Relaxed)
    }

    /// How many ClientHellos passed, SSLv2 included.
    pub fn hellos(&self) -> u32 {
        self.counts.hellos.load(Ordering::Relaxed)
    }

    /// How many connections were open at once.
    pub fn most_open(&self) -> u32 {
        self.counts.most_open.load(Ordering::Relaxed)
    }
}

fn pass(client: TcpStream, port: u16, counts: &Counts) {
    counts.connections.fetch_add(1, Ordering::Relaxed);
    let open = counts.open.fetch_add(1, Ordering::Relaxed) + 1;
    counts.most_open.fetch_max(open, Ordering::Relaxed);
    if let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) {
        let _ = (client.set_nodelay(true), server.set_nodelay(true));
        thread::scope(|scope| {
            scope.spawn(|| copy(&server, &client, counts, false));
            copy(&client, &server, counts, true);
        });
    }
    counts.open.fetch_sub(1, Ordering::Relaxed);
}

fn copy(mut from: &TcpStream, mut to: &TcpStream, counts: &Counts, from_client: bool) {
    let mut buffer = [0; 16 * 1024];
    let mut counted = false;
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        let bytes = &buffer[..count];
        if from_client && !counted && (matches!(bytes, [22, 3, _, _, _, 1, ..]) || bytes[0] & 0x80 != 0) {
            counted = true;
            counts.hellos.fetch_add(1, Ordering::Relaxed);
        }
        thread::sleep(Duration::from_millis(counts.delay_ms.load(Ordering::Relaxed)));
        if to.write_all(bytes).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
    if !from_client {
        let _ = from.shutdown(Shutdown::Both);
    }
}
