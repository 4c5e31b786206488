//! The budget of one target: parallel connections, and a deadline.

use super::spare::{Opened, Spares};
use super::{Accepts, CONNECT, Dial, Dialing, Stream};
use crate::model::{Reason, Trouble};
use futures_util::FutureExt as _;
use std::net::SocketAddr;
use std::num::NonZeroU16;
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

/// Connections to one target, at most so many at once, until a deadline. A [`Dial`] itself.
#[derive(Clone)]
pub struct Budget {
    dial: Arc<dyn Dial>,
    permits: Arc<Semaphore>,
    connections: usize,
    spares: Spares,
    opened: Arc<AtomicU32>,
    /// The time between two connections, and when the next may open.
    pace: Option<(Duration, Arc<Mutex<Instant>>)>,
    deadline: Instant,
    apart: Duration,
    ended: Arc<Mutex<Option<Instant>>>,
}

impl Budget {
    /// A budget of `connections` at once, for this time from now.
    pub fn new(dial: Arc<dyn Dial>, connections: usize, time: Duration) -> Budget {
        Budget {
            dial,
            permits: Arc::new(Semaphore::new(connections.max(1))),
            connections,
            spares: Spares::default(),
            opened: Arc::new(AtomicU32::new(0)),
            pace: None,
            deadline: Instant::now() + time,
            apart: Duration::ZERO,
            ended: Arc::new(Mutex::new(None)),
        }
    }

    /// With so many new connections a second at most, evenly apart.
    #[must_use]
    pub fn paced(self, rate: Option<NonZeroU16>) -> Budget {
        let pace =
            rate.map(|rate| (Duration::from_secs(1) / u32::from(rate.get()), Arc::new(Mutex::new(Instant::now()))));
        Budget { pace, ..self }
    }

    /// When this connection may open.
    fn turn(&self) -> Instant {
        let Some((apart, next)) = &self.pace else { return Instant::now() };
        let mut next = next.lock().unwrap_or_else(PoisonError::into_inner);
        let turn = (*next).max(Instant::now());
        *next = turn + *apart;
        turn
    }

    /// The same, with this pause between the end of a connection and the next one.
    #[must_use]
    pub fn apart(mut self, pause: Duration) -> Budget {
        self.apart = pause;
        self
    }

    /// How many connections may be open at once.
    pub fn connections(&self) -> usize {
        self.connections
    }

    /// How many connections were opened.
    pub fn opened(&self) -> u32 {
        self.opened.load(Ordering::Relaxed)
    }

    /// When the target's time is over.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Whether the target's time is over.
    pub fn is_over(&self) -> bool {
        Instant::now() >= self.deadline
    }

    /// Opens a connection that will be wanted soon, in the background. None beyond the budget, nor more than half of
    /// it idle, nor where connections are to keep a distance.
    pub fn ahead(&self, address: SocketAddr) {
        if self.pace.is_some() || !self.apart.is_zero() || self.spares.len() >= self.connections / 2 || self.is_over() {
            return;
        }
        let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() else { return };
        let budget = self.clone();
        let mut opening: Pin<Box<dyn Future<Output = Opened> + Send>> = Box::pin(async move {
            let stream = budget.dial.connect(address, CONNECT[0]).await?;
            budget.opened.fetch_add(1, Ordering::Relaxed);
            Ok(Box::new(Held { stream, ended: budget.ended, _permit: permit }) as Box<dyn Stream>)
        });
        // Begun here, so that connections reach the server in the order in which they are wanted.
        let task = match (&mut opening).now_or_never() {
            Some(opened) => tokio::spawn(std::future::ready(opened)),
            None => tokio::spawn(opening),
        };
        self.spares.add(address, task);
    }

    /// A connection that was opened ahead and has not been closed since.
    pub async fn spare(&self, address: SocketAddr) -> Option<Box<dyn Stream>> {
        self.spares.take(address).await
    }

    /// Closes those to this address that were opened ahead. Whether there were any.
    pub fn close_spares(&self, address: SocketAddr) -> bool {
        self.spares.close(address)
    }

    /// Opens a connection within five seconds, or else within ten.
    ///
    /// # Errors
    /// When the address refuses, cannot be reached, or does not answer; or when the target's time is over.
    pub async fn open(&self, address: SocketAddr) -> Result<Box<dyn Stream>, Trouble> {
        let [first, second] = CONNECT;
        match self.connect(address, first).await {
            Err(trouble) if trouble.reason == Reason::TimedOut && !self.is_over() => {
                self.connect(address, second).await
            }
            outcome => outcome,
        }
    }
}

impl Dial for Budget {
    fn resolve<'a>(&'a self, host: &'a str, port: u16) -> Dialing<'a, Vec<SocketAddr>> {
        self.dial.resolve(host, port)
    }

    fn connect(&self, address: SocketAddr, timeout: Duration) -> Dialing<'_, Box<dyn Stream>> {
        Box::pin(async move {
            let over = || Trouble::new(Reason::TimedOut, "the time limit of the target is over");
            let permit = tokio::time::timeout_at(self.deadline, Arc::clone(&self.permits).acquire_owned())
                .await
                .map_err(|_| over())?
                .map_err(|_| Trouble::new(Reason::Internal, "the connection budget is closed"))?;
            let turn = self.turn();
            if turn >= self.deadline {
                return Err(over());
            }
            tokio::time::sleep_until(turn).await;
            if self.is_over() {
                return Err(over());
            }
            let ended = *self.ended.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(ended) = ended.filter(|_| !self.apart.is_zero()) {
                tokio::time::sleep_until(ended + self.apart).await;
            }
            let stream = self.dial.connect(address, timeout).await?;
            self.opened.fetch_add(1, Ordering::Relaxed);
            Ok(Box::new(Held { stream, ended: Arc::clone(&self.ended), _permit: permit }) as Box<dyn Stream>)
        })
    }

    fn exchange<'a>(
        &'a self,
        address: SocketAddr,
        datagram: &'a [u8],
        accepts: Accepts<'a>,
        timeout: Duration,
    ) -> Dialing<'a, Vec<u8>> {
        Box::pin(async move {
            if self.is_over() {
                return Err(Trouble::new(Reason::TimedOut, "the time limit of the target is over"));
            }
            self.dial.exchange(address, datagram, accepts, timeout).await
        })
    }
}

/// A connection that gives its place back when it is dropped.
struct Held {
    stream: Box<dyn Stream>,
    ended: Arc<Mutex<Option<Instant>>>,
    // Dropped after the time of the end has been noted.
    _permit: OwnedSemaphorePermit,
}

impl Drop for Held {
    fn drop(&mut self) {
        *self.ended.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }
}

impl AsyncRead for Held {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Held {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::super::TcpDial;
    use super::*;
    use std::net::Ipv4Addr;

    #[tokio::test]
    async fn no_more_than_the_budget_are_open_at_once() {
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let budget = Budget::new(Arc::new(TcpDial), 2, Duration::from_secs(60));
        let first = budget.open(address).await.unwrap();
        let _second = budget.open(address).await.unwrap();
        let waiting = tokio::time::timeout(Duration::from_millis(50), budget.open(address)).await;
        assert!(waiting.is_err(), "a third connection was opened");
        drop(first);
        budget.open(address).await.unwrap();
        assert_eq!(budget.opened(), 3);
    }

    #[tokio::test]
    async fn connections_keep_their_distance() {
        let budget = Budget::new(Arc::new(TcpDial), 8, Duration::from_secs(60)).paced(NonZeroU16::new(1));
        let first = budget.turn();
        assert!(first <= Instant::now());
        let turns: Vec<u64> = (0..3).map(|_| (budget.turn() - first).as_secs()).collect();
        assert_eq!(turns, [1, 2, 3]);
        assert!(Budget::new(Arc::new(TcpDial), 8, Duration::ZERO).turn() <= Instant::now());
    }

    #[tokio::test]
    async fn connections_that_are_to_be_apart_are() {
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let budget = Budget::new(Arc::new(TcpDial), 1, Duration::from_secs(60)).apart(Duration::from_millis(50));
        let begin = Instant::now();
        for _ in 0..4 {
            drop(budget.open(address).await.unwrap());
        }
        assert!(begin.elapsed() >= Duration::from_millis(150), "{:?}", begin.elapsed());
    }

    #[tokio::test]
    async fn half_of_the_budget_at_most_is_opened_ahead_and_what_was_closed_is_passed_over() {
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let budget = Budget::new(Arc::new(TcpDial), 4, Duration::from_secs(60));
        for _ in 0..4 {
            budget.ahead(address);
        }
        let (first, _) = listener.accept().await.unwrap();
        let (_second, _) = listener.accept().await.unwrap();
        let third = tokio::time::timeout(Duration::from_millis(50), listener.accept()).await;
        assert!(third.is_err(), "a third connection was opened ahead");
        drop(first);
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert!(budget.spare(address).await.is_some());
        assert!(budget.spare(address).await.is_none(), "the closed one was given out");
        let paced = Budget::new(Arc::new(TcpDial), 4, Duration::from_secs(60)).paced(NonZeroU16::new(9));
        paced.ahead(address);
        assert!(paced.spare(address).await.is_none());
        budget.ahead(address);
        assert!(budget.close_spares(address));
        assert!(budget.spare(address).await.is_none());
    }

    #[tokio::test]
    async fn a_target_whose_time_is_over_is_not_connected_to() {
        let budget = Budget::new(Arc::new(TcpDial), 2, Duration::ZERO);
        let trouble = budget.open((Ipv4Addr::LOCALHOST, 9).into()).await.err().unwrap();
        assert_eq!(trouble.reason, Reason::TimedOut);
    }
}
