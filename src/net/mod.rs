//! The `Dial` seam: connections with deadlines and budgets. Knows no protocol.

mod budget;
mod random;
mod tcp;

pub use budget::Budget;
pub use random::{SeededRandom, SystemRandom};
pub use tcp::TcpDial;

use crate::model::Trouble;
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

/// Opens connections. The only way to the network for what looks at targets.
pub trait Dial: Send + Sync {
    /// The addresses of a name or literal, in a fixed order (IPv4 first, then by value).
    fn resolve<'a>(&'a self, host: &'a str, port: u16) -> Dialing<'a, Vec<SocketAddr>>;
    /// Opens a TCP connection within this time.
    fn connect(&self, address: SocketAddr, timeout: Duration) -> Dialing<'_, Box<dyn Stream>>;
}

/// Random bytes enter here.
pub trait Random: Send + Sync {
    /// Fills the buffer.
    fn fill(&self, buffer: &mut [u8]);
}
