//! A network in memory whose servers misbehave by plan. Virtual time: a server answers at once or never, and what a
//! client waits for is a timer.

use probity::model::{Reason, Trouble};
use probity::net::{Dial, Dialing, Stream};
use std::future::Future as _;
use std::io::{Error, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

/// A fatal alert internal_error.
const ALERT_80: [u8; 7] = [21, 3, 1, 0, 2, 2, 80];
/// How long a server's thread may really take for an answer.
const REAL: Duration = Duration::from_secs(20);

/// What happens to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// There is none.
    Refuse,
    /// It is closed as soon as it is open.
    Close,
    /// It is reset as soon as it is open.
    Reset,
    /// It is taken, and nothing ever comes.
    Silence,
    /// The answer of this number breaks off; what remains of it is drawn from the second number.
    Cut(u32, u64),
    /// An alert internal_error comes instead of the answer.
    Alert,
    /// Every answer takes so much longer.
    Slow(Duration),
}

/// What becomes of each connection.
pub type Weather = Box<dyn Fn(Moment) -> Fault + Send + Sync>;

/// When a connection is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// Its number, from 0 on.
    pub number: u32,
    /// The time since the first.
    pub time: Duration,
    /// How many are open.
    pub open: u32,
}

/// Serves one connection to its end.
pub trait Serve: Send + Sync {
    /// Serves it. A read that gives nothing is the client's end.
    fn serve(&self, pipe: Pipe);
}

/// What passed.
#[derive(Default)]
struct Counts {
    asked: AtomicU32,
    open: AtomicU32,
    /// When each was opened, and how many were open then.
    openings: Mutex<Vec<(Duration, u32)>>,
    begin: Mutex<Option<Instant>>,
}

/// The network: one server behind every address.
pub struct Network {
    server: Arc<dyn Serve>,
    weather: Weather,
    round_trip: Duration,
    counts: Arc<Counts>,
}

impl Network {
    /// This server, so far away, in this weather.
    pub fn new(server: Arc<dyn Serve>, round_trip: Duration, weather: Weather) -> Network {
        Network { server, weather, round_trip, counts: Arc::default() }
    }

    /// How many connections were asked for.
    pub fn asked(&self) -> u32 {
        self.counts.asked.load(Ordering::Relaxed)
    }

    /// Each connection: when it was opened, and how many were open then.
    pub fn openings(&self) -> Vec<(Duration, u32)> {
        self.counts.openings.lock().unwrap().clone()
    }

    /// The time since the first connection was asked for.
    fn since(&self) -> Duration {
        self.counts.begin.lock().unwrap().get_or_insert_with(Instant::now).elapsed()
    }
}

impl Dial for Network {
    fn resolve<'a>(&'a self, _: &'a str, _: u16) -> Dialing<'a, Vec<SocketAddr>> {
        Box::pin(async { Ok(vec![([192, 0, 2, 1], 443).into()]) })
    }

    fn connect(&self, address: SocketAddr, _: Duration) -> Dialing<'_, Box<dyn Stream>> {
        Box::pin(async move {
            let number = self.counts.asked.fetch_add(1, Ordering::Relaxed);
            let open = self.counts.open.load(Ordering::Relaxed);
            let fault = (self.weather)(Moment { number, time: self.since(), open });
            tokio::time::sleep(self.round_trip).await;
            if fault == Fault::Refuse {
                return Err(Trouble::new(Reason::Refused, format!("{address} refuses connections")));
            }
            let open = self.counts.open.fetch_add(1, Ordering::Relaxed) + 1;
            self.counts.openings.lock().unwrap().push((self.since(), open));
            let wire = Arc::new(Wire::default());
            if !matches!(fault, Fault::Close | Fault::Reset | Fault::Silence | Fault::Alert) {
                let (server, pipe) = (Arc::clone(&self.server), Pipe(Arc::clone(&wire)));
                thread::spawn(move || server.serve(pipe));
            }
            let counts = Arc::clone(&self.counts);
            let slow = if let Fault::Slow(more) = fault { more } else { Duration::ZERO };
            let delay = self.round_trip + slow;
            Ok(Box::new(End {
                wire,
                fault,
                counts,
                delay,
                ready: None,
                answers: 0,
                fresh: true,
                left: None,
                waker: None,
            }) as Box<dyn Stream>)
        })
    }
}

/// Both directions of a connection.
#[derive(Default)]
struct Wire {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    to_server: Vec<u8>,
    to_client: Vec<u8>,
    client_gone: bool,
    /// The server waits for the client: it has said what it has to say.
    waiting: bool,
    done: bool,
}

/// The server's end. Dropping it closes the connection.
pub struct Pipe(Arc<Wire>);

impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let mut state = self.0.state.lock().unwrap();
        while state.to_server.is_empty() {
            if state.client_gone {
                return Ok(0);
            }
            state.waiting = true;
            self.0.changed.notify_all();
            state = self.0.changed.wait(state).unwrap();
        }
        state.waiting = false;
        let count = buffer.len().min(state.to_server.len());
        buffer[..count].copy_from_slice(&state.to_server[..count]);
        state.to_server.drain(..count);
        Ok(count)
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.state.lock().unwrap().to_client.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        self.0.state.lock().unwrap().done = true;
        self.0.changed.notify_all();
    }
}

/// The client's end.
struct End {
    wire: Arc<Wire>,
    fault: Fault,
    counts: Arc<Counts>,
    delay: Duration,
    /// When the answer to what was last written has come.
    ready: Option<Pin<Box<Sleep>>>,
    /// Answers that have begun.
    answers: u32,
    /// Something was written since the last answer began.
    fresh: bool,
    /// Bytes that still come before the connection breaks off.
    left: Option<usize>,
    waker: Option<Waker>,
}

impl Drop for End {
    fn drop(&mut self) {
        self.counts.open.fetch_sub(1, Ordering::Relaxed);
        self.wire.state.lock().unwrap().client_gone = true;
        self.wire.changed.notify_all();
    }
}

impl End {
    /// What the server has said, once it has no more to say; `None` where it waits for the client.
    fn said(&self) -> Option<Vec<u8>> {
        let state = self.wire.state.lock().unwrap();
        let quiet = |state: &mut State| !(state.done || (state.waiting && state.to_server.is_empty()));
        let (mut state, late) = self.wire.changed.wait_timeout_while(state, REAL, quiet).unwrap();
        assert!(!late.timed_out(), "a server in memory does not come to an end");
        match state.to_client.is_empty() && !state.done {
            true => None,
            false => Some(std::mem::take(&mut state.to_client)),
        }
    }

    fn unsay(&self, bytes: &[u8]) {
        self.wire.state.lock().unwrap().to_client.splice(0..0, bytes.iter().copied());
    }
}

impl AsyncRead for End {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        if let Some(ready) = &mut self.ready {
            std::task::ready!(ready.as_mut().poll(cx));
            self.ready = None;
        }
        let mut bytes = match self.fault {
            Fault::Close => return Poll::Ready(Ok(())),
            Fault::Reset => return Poll::Ready(Err(Error::from(ErrorKind::ConnectionReset))),
            Fault::Silence => return Poll::Pending,
            Fault::Alert if self.answers > 0 => return Poll::Ready(Ok(())),
            Fault::Alert if self.fresh => ALERT_80.to_vec(),
            _ if self.left == Some(0) => return Poll::Ready(Ok(())),
            _ => match self.said() {
                Some(bytes) => bytes,
                None => {
                    self.waker = Some(cx.waker().clone());
                    return Poll::Pending;
                }
            },
        };
        if self.fresh && !bytes.is_empty() {
            if let Fault::Cut(number, drawn) = self.fault
                && number == self.answers
            {
                self.left = Some(usize::try_from(drawn).unwrap() % bytes.len());
            }
            self.fresh = false;
            self.answers += 1;
        }
        let count = bytes.len().min(buffer.remaining()).min(self.left.unwrap_or(usize::MAX));
        buffer.put_slice(&bytes[..count]);
        self.unsay(&bytes.split_off(count));
        self.left = self.left.map(|left| left - count);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for End {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        if self.fault == Fault::Reset {
            return Poll::Ready(Err(Error::from(ErrorKind::ConnectionReset)));
        }
        let mut state = self.wire.state.lock().unwrap();
        state.to_server.extend_from_slice(bytes);
        drop(state);
        self.wire.changed.notify_all();
        self.fresh = true;
        self.ready = Some(Box::pin(tokio::time::sleep(self.delay)));
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Numbers that look drawn, and are the same for the same seed (splitmix64).
pub struct Draw(u64);

impl Draw {
    /// From this seed.
    pub fn new(seed: u64) -> Draw {
        Draw(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(0x1234_5678))
    }

    /// The next.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// The next below this.
    pub fn below(&mut self, most: u64) -> u64 {
        self.next() % most
    }
}
