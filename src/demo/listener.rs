//! A loopback listener: one thread that accepts, one for each connection, both bounded.

use std::io;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// Connections served at once; one more waits in the queue of the system.
const CONNECTIONS: usize = 64;
/// How long a connection may be silent.
const SILENCE: Duration = Duration::from_secs(10);

/// Speaks on one connection until it is done.
pub trait Serve: Send + Sync {
    /// Speaks. An error ends the connection, and nothing else.
    ///
    /// # Errors
    /// When the peer goes away or does not speak the protocol.
    fn serve(&self, stream: TcpStream) -> io::Result<()>;
}

/// A listener that ends when it is dropped.
pub struct Listener {
    port: u16,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Listener {
    /// Listens on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// When there is no port or no thread to be had.
    pub fn start(server: Arc<dyn Serve>) -> io::Result<Listener> {
        let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = socket.local_addr()?.port();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::Builder::new().spawn(move || accept(&socket, &server, &stopped))?;
        Ok(Listener { port, stop, thread: Some(thread) })
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }
}

fn accept(socket: &TcpListener, server: &Arc<dyn Serve>, stop: &AtomicBool) {
    let busy = Arc::new(AtomicUsize::new(0));
    for stream in socket.incoming() {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let Ok(stream) = stream else { continue };
        while busy.load(Ordering::Relaxed) >= CONNECTIONS {
            std::thread::sleep(Duration::from_millis(5));
        }
        let (server, done) = (Arc::clone(server), Arc::clone(&busy));
        busy.fetch_add(1, Ordering::Relaxed);
        let started = std::thread::Builder::new().spawn(move || {
            let timed = stream.set_read_timeout(Some(SILENCE)).and_then(|()| stream.set_write_timeout(Some(SILENCE)));
            if timed.and_then(|()| stream.set_nodelay(true)).is_ok() {
                // The peer's trouble is the peer's.
                let _ = server.serve(stream);
            }
            done.fetch_sub(1, Ordering::Relaxed);
        });
        if started.is_err() {
            busy.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // A connection of our own wakes the thread that waits for one.
        let woken =
            TcpStream::connect_timeout(&(Ipv4Addr::LOCALHOST, self.port).into(), Duration::from_secs(1)).is_ok();
        if let Some(thread) = self.thread.take().filter(|_| woken) {
            let _ = thread.join();
        }
    }
}
