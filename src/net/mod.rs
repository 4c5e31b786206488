//! The `Dial` seam: connections with deadlines and budgets. Knows no protocol.

mod budget;
mod place;
mod random;
mod spare;
mod tcp;

pub use budget::Budget;
pub use place::Place;
pub use random::{SeededRandom, SystemRandom};
pub use tcp::TcpDial;

use crate::model::{Reason, Trouble};
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};

/// How long a connection may take to open, and how long at the second try.
pub const CONNECT: [Duration; 2] = [Duration::from_secs(5), Duration::from_secs(10)];

/// A connection.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// A future that a [`Dial`] returns.
pub type Dialing<'a, T> = Pin<Box<dyn Future<Output = Result<T, Trouble>> + Send + 'a>>;

/// Tells the datagram that answers from the others, which are passed over.
pub type Accepts<'a> = &'a (dyn Fn(&[u8]) -> bool + Send + Sync);

/// Opens connections. The only way to the network for what looks at targets.
pub trait Dial: Send + Sync {
    /// The addresses of a name or literal, in a fixed order (IPv4 first, then by value).
    fn resolve<'a>(&'a self, host: &'a str, port: u16) -> Dialing<'a, Vec<SocketAddr>>;
    /// Opens a TCP connection within this time.
    fn connect(&self, address: SocketAddr, timeout: Duration) -> Dialing<'_, Box<dyn Stream>>;
    /// Waits until a client of its own may open a connection to this address, and keeps its place.
    fn place(&self, _address: SocketAddr) -> Dialing<'_, Place> {
        Box::pin(std::future::ready(Ok(Place::default())))
    }
    /// Sends a datagram from a port of its own, and waits this long for the one that answers it.
    fn exchange<'a>(
        &'a self,
        address: SocketAddr,
        _datagram: &'a [u8],
        _accepts: Accepts<'a>,
        _timeout: Duration,
    ) -> Dialing<'a, Vec<u8>> {
        let trouble = Trouble::new(Reason::Unsupported, format!("no datagrams are sent to {address} from here"));
        Box::pin(std::future::ready(Err(trouble)))
    }
}

/// Random bytes enter here.
pub trait Random: Send + Sync {
    /// Fills the buffer.
    fn fill(&self, buffer: &mut [u8]);
}
