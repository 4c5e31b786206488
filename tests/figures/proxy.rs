//! A way to a server that is as long as wanted, and counts.
//!
//! A connection over it costs a round trip, as over a real network: the system accepts at once, so what a client sends
//! in the first round trip of its connection waits for the end of it.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// What passed.
#[derive(Default)]
pub struct Counts {
    connections: AtomicU32,
    hellos: AtomicU32,
    open: AtomicU32,
    most_open: AtomicU32,
    /// What each connection carried, where it is kept.
    kept: Option<Mutex<Vec<Vec<Passed>>>>,
}

/// A piece of a conversation.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub enum Passed {
    /// From the client.
    Sent(Vec<u8>),
    /// So many bytes from the server.
    Got(usize),
}

/// Ways to servers. They end with it.
pub struct Proxies {
    runtime: Runtime,
    counts: Arc<Counts>,
    round_trip: Duration,
}

impl Proxies {
    /// Ways of this length.
    pub fn new(round_trip: Duration, keep: bool) -> Proxies {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let kept = keep.then(Mutex::default);
        Proxies { runtime, counts: Arc::new(Counts { kept, ..Counts::default() }), round_trip }
    }

    /// One more way, to this port on loopback.
    pub fn to(&self, port: u16) -> SocketAddr {
        let listener = self.runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).unwrap();
        let address = listener.local_addr().unwrap();
        let (counts, round_trip) = (Arc::clone(&self.counts), self.round_trip);
        self.runtime.spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(pass(client, port, round_trip, Arc::clone(&counts)));
            }
        });
        address
    }

    /// Connections, hellos, and the most that were open at once; counting begins anew.
    pub fn take(&self) -> (u32, u32, u32) {
        let take = |count: &AtomicU32| count.swap(0, Ordering::Relaxed);
        (take(&self.counts.connections), take(&self.counts.hellos), take(&self.counts.most_open))
    }

    /// What was kept.
    pub fn kept(&self) -> Vec<Vec<Passed>> {
        self.counts.kept.as_ref().map(|kept| std::mem::take(&mut *kept.lock().unwrap())).unwrap_or_default()
    }
}

async fn pass(client: TcpStream, port: u16, round_trip: Duration, counts: Arc<Counts>) {
    let ready = Instant::now() + round_trip;
    counts.connections.fetch_add(1, Ordering::Relaxed);
    let open = counts.open.fetch_add(1, Ordering::Relaxed) + 1;
    counts.most_open.fetch_max(open, Ordering::Relaxed);
    if let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await {
        let _ = (client.set_nodelay(true), server.set_nodelay(true));
        let kept = Mutex::new(Vec::new());
        let ((client_read, client_write), (server_read, server_write)) = (client.into_split(), server.into_split());
        let half = round_trip / 2;
        let closed = AtomicBool::new(false);
        let close = || {
            if !closed.swap(true, Ordering::Relaxed) {
                counts.open.fetch_sub(1, Ordering::Relaxed);
            }
        };
        tokio::select! {
            () = copy(client_read, server_write, |now| now.max(ready) + half, |bytes, first| {
                if bytes.is_empty() {
                    return close();
                }
                if first && is_hello(bytes) {
                    counts.hellos.fetch_add(1, Ordering::Relaxed);
                }
                kept.lock().unwrap().push(Passed::Sent(bytes.to_vec()));
            }) => {}
            () = copy(server_read, client_write, |now| now + half, |bytes, _| {
                if !bytes.is_empty() {
                    kept.lock().unwrap().push(Passed::Got(bytes.len()));
                }
            }) => {}
        }
        close();
        if let Some(all) = &counts.kept {
            all.lock().unwrap().push(kept.into_inner().unwrap());
        }
    }
}

fn is_hello(bytes: &[u8]) -> bool {
    matches!(bytes, [22, 3, _, _, _, 1, ..]) || bytes.first().is_some_and(|byte| byte & 0x80 != 0)
}

/// Passes on what comes, each piece at its time, until one side has closed.
async fn copy(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    due: impl Fn(Instant) -> Instant,
    mut note: impl FnMut(&[u8], bool),
) {
    let (queue, mut pieces) = mpsc::unbounded_channel::<(Instant, Vec<u8>)>();
    let read = async move {
        let mut buffer = vec![0; 16 * 1024];
        let mut first = true;
        while let Ok(count @ 1..) = from.read(&mut buffer).await {
            let bytes = &buffer[..count];
            note(bytes, first);
            first = false;
            let _ = queue.send((due(Instant::now()), bytes.to_vec()));
        }
        note(&[], false);
        let _ = queue.send((due(Instant::now()), Vec::new()));
    };
    let write = async move {
        while let Some((at, bytes)) = pieces.recv().await {
            tokio::time::sleep_until(at).await;
            if bytes.is_empty() || to.write_all(&bytes).await.is_err() {
                break;
            }
        }
    };
    tokio::join!(read, write);
}
