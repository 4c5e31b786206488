//! The budget of one target: parallel connections, and a deadline.

use super::spare::{Opened, Spares};
use super::{Accepts, CONNECT, Dial, Dialing, Place, Stream};
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
    throttle: Arc<Mutex<Throttle>>,
}

/// How far the parallel connections have been lowered.
struct Throttle {
    /// Connections at once from now on.
    most: usize,
    /// Places that are still taken and are not given back.
    owed: usize,
    /// When they were last lowered.
    lowered: Option<Instant>,
    /// Nothing is opened before.
    rest: Instant,
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
            throttle: Arc::new(Mutex::new(Throttle {
                most: connections.max(1),
                owed: 0,
                lowered: None,
                rest: Instant::now(),
            })),
        }
    }

    /// Halves the connections at once, down to one, and opens none for `pause`. Once in a pause, since what goes wrong
    /// goes wrong with several connections at the same time. Gives how many there may be from now on, where that is new.
    pub fn slow_down(&self, pause: Duration) -> Option<usize> {
        let mut throttle = self.throttle.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if throttle.most == 1 || throttle.lowered.is_some_and(|at| now < at + pause) {
            return None;
        }
        let fewer = throttle.most - throttle.most / 2;
        throttle.most -= fewer;
        throttle.owed += fewer - self.permits.forget_permits(fewer);
        throttle.lowered = Some(now);
        throttle.rest = throttle.rest.max(now + pause);
        Some(throttle.most)
    }

    /// Opens no connection for so long.
    pub fn rest(&self, pause: Duration) {
        let mut throttle = self.throttle.lock().unwrap_or_else(PoisonError::into_inner);
        throttle.rest = throttle.rest.max(Instant::now() + pause);
    }

    fn rests_until(&self) -> Instant {
        self.throttle.lock().unwrap_or_else(PoisonError::into_inner).rest
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
    /// it idle, nor where connections are to keep a distance or the target was throttling.
    pub fn ahead(&self, address: SocketAddr) {
        let slowed = self.throttle.lock().unwrap_or_else(PoisonError::into_inner).lowered.is_some();
        let distant = self.pace.is_some() || !self.apart.is_zero() || slowed;
        if distant || self.spares.len() >= self.connections / 2 || self.is_over() {
            return;
        }
        let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() else { return };
        let budget = self.clone();
        let mut opening: Pin<Box<dyn Future<Output = Opened> + Send>> = Box::pin(async move {
            let stream = budget.dial.connect(address, CONNECT[0]).await?;
            budget.opened.fetch_add(1, Ordering::Relaxed);
            let seat = Seat { ended: budget.ended, throttle: budget.throttle, permit: Some(permit) };
            Ok(Box::new(Held { stream, _seat: seat }) as Box<dyn Stream>)
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

    /// Waits for a free place among the connections, and for its turn.
    async fn seat(&self) -> Result<Seat, Trouble> {
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
        while Instant::now() < self.rests_until().min(self.deadline) {
            tokio::time::sleep_until(self.rests_until().min(self.deadline)).await;
        }
        if self.is_over() {
            return Err(over());
        }
        let ended = *self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(ended) = ended.filter(|_| !self.apart.is_zero()) {
            tokio::time::sleep_until(ended + self.apart).await;
        }
        let (ended, throttle) = (Arc::clone(&self.ended), Arc::clone(&self.throttle));
        Ok(Seat { ended, throttle, permit: Some(permit) })
    }
}

impl Dial for Budget {
    fn resolve<'a>(&'a self, host: &'a str, port: u16) -> Dialing<'a, Vec<SocketAddr>> {
        self.dial.resolve(host, port)
    }

    fn connect(&self, address: SocketAddr, timeout: Duration) -> Dialing<'_, Box<dyn Stream>> {
        Box::pin(async move {
            let seat = self.seat().await?;
            let stream = self.dial.connect(address, timeout).await?;
            self.opened.fetch_add(1, Ordering::Relaxed);
            Ok(Box::new(Held { stream, _seat: seat }) as Box<dyn Stream>)
        })
    }

    fn place(&self, address: SocketAddr) -> Dialing<'_, Place> {
        Box::pin(async move {
            let seat = self.seat().await?;
            let mut place = self.dial.place(address).await?;
            let opened = Arc::clone(&self.opened);
            place.on_open(move || {
                opened.fetch_add(1, Ordering::Relaxed);
            });
            place.hold(seat);
            Ok(place)
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

/// A place among the connections, which is given back when it is dropped.
struct Seat {
    ended: Arc<Mutex<Option<Instant>>>,
    throttle: Arc<Mutex<Throttle>>,
    permit: Option<OwnedSemaphorePermit>,
}

impl Drop for Seat {
    fn drop(&mut self) {
        *self.ended.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        let mut throttle = self.throttle.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(permit) = self.permit.take_if(|_| throttle.owed > 0) {
            throttle.owed -= 1;
            permit.forget();
        }
    }
}

/// A connection that gives its place back when it is dropped.
struct Held {
    stream: Box<dyn Stream>,
    _seat: Seat,
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
    async fn the_connections_of_another_client_take_places_and_turns() {
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let budget = Budget::new(Arc::new(TcpDial), 1, Duration::from_secs(60));
        let within = Budget::new(Arc::new(budget.clone()), 5, Duration::from_secs(60));
        let place = within.place(address).await.unwrap();
        assert_eq!(budget.opened(), 0);
        place.opened();
        assert_eq!((budget.opened(), within.opened()), (1, 1));
        let waiting = tokio::time::timeout(Duration::from_millis(50), budget.open(address)).await;
        assert!(waiting.is_err(), "a second connection was opened");
        drop(place);
        budget.open(address).await.unwrap();
        let paced = budget.paced(NonZeroU16::new(20));
        let begin = Instant::now();
        for _ in 0..3 {
            drop(paced.place(address).await.unwrap());
        }
        assert!(begin.elapsed() >= Duration::from_millis(100), "{:?}", begin.elapsed());
    }

    #[tokio::test]
    async fn fewer_are_open_at_once_after_each_throttling() {
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let pause = Duration::from_millis(20);
        let budget = Budget::new(Arc::new(TcpDial), 8, Duration::from_secs(60));
        let mut held = Vec::new();
        for _ in 0..6 {
            held.push(budget.open(address).await.unwrap());
        }
        let begin = Instant::now();
        assert_eq!((budget.slow_down(pause), budget.slow_down(pause)), (Some(4), None));
        held.truncate(3);
        held.push(budget.open(address).await.unwrap());
        assert!(begin.elapsed() >= pause, "{:?}", begin.elapsed());
        let fifth = tokio::time::timeout(Duration::from_millis(50), budget.open(address)).await;
        assert!(fifth.is_err(), "a fifth connection was opened");
        assert_eq!(budget.slow_down(pause), Some(2));
        tokio::time::sleep(pause).await;
        assert_eq!(budget.slow_down(pause), Some(1));
        tokio::time::sleep(pause).await;
        assert_eq!(budget.slow_down(pause), None);
        held.clear();
        let _only = budget.open(address).await.unwrap();
        let second = tokio::time::timeout(Duration::from_millis(50), budget.open(address)).await;
        assert!(second.is_err(), "a second connection was opened");
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
