//! Connections opened ahead of need, so that the next question costs one round trip instead of two.

use super::{CONNECT, Stream};
use crate::model::Trouble;
use futures_util::FutureExt as _;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::AsyncReadExt as _;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// One that is older than this is not used.
const AGE: Duration = Duration::from_secs(1);

/// What opening a connection gives.
pub(super) type Opened = Result<Box<dyn Stream>, Trouble>;

/// Connections that are open or opening and have not been used, oldest first: a server that serves one after the other
/// takes them in this order.
#[derive(Clone, Default)]
pub(super) struct Spares(Arc<Mutex<VecDeque<Spare>>>);

struct Spare {
    address: SocketAddr,
    begun: Instant,
    task: JoinHandle<Opened>,
}

impl Drop for Spare {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Spares {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.lock().len()
    }

    /// One more, which this task opens.
    pub(super) fn add(&self, address: SocketAddr, task: JoinHandle<Opened>) {
        self.lock().push_back(Spare { address, begun: Instant::now(), task });
    }

    /// Closes those to this address. Whether there were any.
    pub(super) fn close(&self, address: SocketAddr) -> bool {
        let mut spares = self.lock();
        let before = spares.len();
        spares.retain(|spare| spare.address != address);
        spares.len() < before
    }

    /// The oldest to this address that is still of use: not closed, and not so old that it may be at any moment.
    pub(super) async fn take(&self, address: SocketAddr) -> Option<Box<dyn Stream>> {
        while let Some(mut spare) = self.oldest(address) {
            if spare.begun.elapsed() > AGE {
                continue;
            }
            let opened = tokio::time::timeout(CONNECT[0], &mut spare.task).await;
            if let Ok(Ok(Ok(mut stream))) = opened
                && is_quiet(&mut stream)
            {
                return Some(stream);
            }
        }
        None
    }

    fn oldest(&self, address: SocketAddr) -> Option<Spare> {
        let mut spares = self.lock();
        let place = spares.iter().position(|spare| spare.address == address)?;
        spares.remove(place)
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Spare>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether nothing came yet, neither bytes nor an end. What has come was no answer to anything.
fn is_quiet(stream: &mut Box<dyn Stream>) -> bool {
    stream.read(&mut [0]).now_or_never().is_none()
}
