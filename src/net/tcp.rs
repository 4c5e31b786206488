//! TCP, and single datagrams, through the operating system.

use super::{Accepts, Dial, Dialing, Stream};
use crate::model::{Reason, Trouble};
use std::io::ErrorKind;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;
use tokio::net::{TcpStream, UdpSocket};

/// How long a name may take to resolve.
const RESOLVE: Duration = Duration::from_secs(10);
/// The largest datagram.
const DATAGRAM: usize = 65_535;
/// How many addresses of a name are taken.
const ADDRESSES: usize = 256;

/// Connects through the operating system.
#[derive(Clone, Copy, Debug, Default)]
pub struct TcpDial;

impl Dial for TcpDial {
    fn resolve<'a>(&'a self, host: &'a str, port: u16) -> Dialing<'a, Vec<SocketAddr>> {
        Box::pin(async move {
            let host = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
            let look = tokio::net::lookup_host((host, port));
            let found = tokio::time::timeout(RESOLVE, look)
                .await
                .map_err(|_| Trouble::new(Reason::TimedOut, format!("no answer to the look-up of {host}")))?
                .map_err(|error| Trouble::new(Reason::Unreachable, format!("{host} does not resolve: {error}")))?;
            let mut addresses: Vec<SocketAddr> = found.collect();
            addresses.sort_unstable_by_key(|address| (address.is_ipv6(), *address));
            addresses.dedup();
            addresses.truncate(ADDRESSES);
            match addresses.is_empty() {
                true => Err(Trouble::new(Reason::Unreachable, format!("{host} has no address"))),
                false => Ok(addresses),
            }
        })
    }

    fn connect(&self, address: SocketAddr, timeout: Duration) -> Dialing<'_, Box<dyn Stream>> {
        Box::pin(async move {
            let stream = tokio::time::timeout(timeout, TcpStream::connect(address))
                .await
                .map_err(|_| late(address, timeout))?
                .map_err(|error| trouble(address, &error))?;
            // Delayed writes only cost time; a socket that refuses the option still works.
            let _ = stream.set_nodelay(true);
            Ok(Box::new(stream) as Box<dyn Stream>)
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
            let seconds = timeout.as_secs();
            let late = |_| Trouble::new(Reason::TimedOut, format!("no answer from {address} within {seconds} s"));
            let answer = tokio::time::timeout(timeout, exchange(address, datagram, accepts)).await.map_err(late)?;
            answer.map_err(|error| match error.kind() {
                ErrorKind::ConnectionRefused => Trouble::new(Reason::Refused, format!("{address} refuses datagrams")),
                _ => Trouble::new(Reason::Unreachable, format!("{address} cannot be reached: {error}")),
            })
        })
    }
}

/// A socket for one exchange: its port is new each time, and a stranger's datagrams do not reach it.
async fn exchange(address: SocketAddr, datagram: &[u8], accepts: Accepts<'_>) -> std::io::Result<Vec<u8>> {
    let any: SocketAddr = match address {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(any).await?;
    socket.connect(address).await?;
    socket.send(datagram).await?;
    let mut buffer = vec![0; DATAGRAM];
    loop {
        let length = socket.recv(&mut buffer).await?;
        if let Some(answer) = buffer.get(..length).filter(|answer| accepts(answer)) {
            return Ok(answer.to_vec());
        }
    }
}

fn late(address: SocketAddr, timeout: Duration) -> Trouble {
    Trouble::new(Reason::TimedOut, format!("no connection to {address} within {} s", timeout.as_secs()))
}

fn trouble(address: SocketAddr, error: &std::io::Error) -> Trouble {
    match error.kind() {
        ErrorKind::ConnectionRefused => Trouble::new(Reason::Refused, format!("{address} refuses connections")),
        ErrorKind::ConnectionReset => Trouble::new(Reason::Refused, format!("{address} resets connections")),
        ErrorKind::TimedOut => Trouble::new(Reason::TimedOut, format!("no connection to {address}")),
        _ => Trouble::new(Reason::Unreachable, format!("no connection to {address}: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt as _;

    #[tokio::test]
    async fn a_closed_port_is_refused() {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let trouble = TcpDial.connect(address, Duration::from_secs(5)).await.err().unwrap();
        assert_eq!(trouble.reason, Reason::Refused);
    }

    #[tokio::test]
    async fn a_datagram_that_does_not_answer_is_passed_over() {
        let server = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = server.local_addr().unwrap();
        let serve = async {
            let mut buffer = [0; 16];
            let (_, peer) = server.recv_from(&mut buffer).await.unwrap();
            server.send_to(b"other", peer).await.unwrap();
            server.send_to(b"right", peer).await.unwrap();
        };
        let accepts = |datagram: &[u8]| datagram == b"right";
        let ask = TcpDial.exchange(address, b"question", &accepts, Duration::from_secs(5));
        let ((), answer) = tokio::join!(serve, ask);
        assert_eq!(answer.unwrap(), b"right");
        let silent = TcpDial.exchange(address, b"question", &accepts, Duration::from_millis(50)).await;
        assert_eq!(silent.unwrap_err().reason, Reason::TimedOut);
        drop(server);
        let closed = TcpDial.exchange(address, b"question", &accepts, Duration::from_secs(5)).await;
        assert_eq!(closed.unwrap_err().reason, Reason::Refused);
    }

    #[tokio::test]
    async fn a_literal_resolves_to_itself_and_a_wrong_name_to_nothing() {
        let found = TcpDial.resolve("127.0.0.1", 443).await.unwrap();
        assert_eq!(found, ["127.0.0.1:443".parse().unwrap()]);
        assert_eq!(TcpDial.resolve("[::1]", 443).await.unwrap(), ["[::1]:443".parse().unwrap()]);
        let trouble = TcpDial.resolve("host.invalid", 443).await.err().unwrap();
        assert!(matches!(trouble.reason, Reason::Unreachable | Reason::TimedOut));
    }

    #[tokio::test]
    async fn a_close_and_a_reset_are_told_apart() {
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut closed = TcpDial.connect(address, Duration::from_secs(5)).await.unwrap();
        drop(listener.accept().await.unwrap());
        assert_eq!(closed.read(&mut [0; 8]).await.unwrap(), 0);
        let mut reset = TcpDial.connect(address, Duration::from_secs(5)).await.unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut reset, b"unread").await.unwrap();
        let (peer, _) = listener.accept().await.unwrap();
        peer.readable().await.unwrap();
        drop(peer);
        assert_eq!(reset.read(&mut [0; 8]).await.unwrap_err().kind(), ErrorKind::ConnectionReset);
    }
}
