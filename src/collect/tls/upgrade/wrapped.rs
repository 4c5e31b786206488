//! A stream whose bytes travel in packets of TDS, as the handshake with SQL Server does.

use crate::net::Stream;
use crate::wire::dialogue::tds;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Wraps what is written, and unwraps what is read where it is wrapped.
///
/// After its handshake a server speaks plain TLS: what does not begin as a packet is passed on as it is.
pub struct Wrapped {
    stream: Box<dyn Stream>,
    /// Read, not yet unwrapped.
    raw: Vec<u8>,
    /// Unwrapped, not yet taken.
    plain: Vec<u8>,
    /// Wrapped, not yet written.
    out: Vec<u8>,
}

impl Wrapped {
    /// Carries a handshake over this stream.
    pub fn new(stream: Box<dyn Stream>) -> Wrapped {
        Wrapped { stream, raw: Vec::new(), plain: Vec::new(), out: Vec::new() }
    }

    fn unwrap_raw(&mut self) -> io::Result<()> {
        loop {
            match self.raw.first() {
                None => return Ok(()),
                Some(&(tds::PRELOGIN | tds::RESPONSE)) => {}
                Some(_) => {
                    self.plain.append(&mut self.raw);
                    return Ok(());
                }
            }
            let packet = tds::Packet::read(&self.raw).map_err(|error| io::Error::other(error.to_string()))?;
            let Some(packet) = packet else { return Ok(()) };
            self.plain.extend_from_slice(packet.payload);
            let length = packet.length;
            self.raw.drain(..length);
        }
    }

    fn poll_out(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.out.is_empty() {
            let count = ready!(Pin::new(&mut self.stream).poll_write(cx, &self.out))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.out.drain(..count.min(self.out.len()));
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Wrapped {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        while this.plain.is_empty() {
            let mut bytes = [0; 4096];
            let mut part = ReadBuf::new(&mut bytes);
            ready!(Pin::new(&mut this.stream).poll_read(cx, &mut part))?;
            if part.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
            this.raw.extend_from_slice(part.filled());
            this.unwrap_raw()?;
        }
        let count = this.plain.len().min(buffer.remaining());
        let taken: Vec<u8> = this.plain.drain(..count).collect();
        buffer.put_slice(&taken);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wrapped {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(this.poll_out(cx))?;
        this.out = tds::wrap(tds::PRELOGIN, bytes);
        // What cannot be written now is written before the next bytes, or at a flush.
        match this.poll_out(cx) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            _ => Poll::Ready(Ok(bytes.len())),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_out(cx))?;
        Pin::new(&mut this.stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_out(cx))?;
        Pin::new(&mut this.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    #[tokio::test]
    async fn bytes_are_wrapped_and_unwrapped_and_plain_ones_pass() {
        let (ours, mut theirs) = tokio::io::duplex(1 << 16);
        let mut wrapped = Wrapped::new(Box::new(ours));
        wrapped.write_all(b"\x16\x03\x01hello").await.unwrap();
        wrapped.flush().await.unwrap();
        let mut sent = [0; 16];
        theirs.read_exact(&mut sent).await.unwrap();
        assert_eq!(sent, *b"\x12\x01\x00\x10\0\0\0\0\x16\x03\x01hello");
        for byte in tds::wrap(tds::PRELOGIN, b"\x16server") {
            theirs.write_all(&[byte]).await.unwrap();
        }
        let mut heard = [0; 7];
        wrapped.read_exact(&mut heard).await.unwrap();
        assert_eq!(heard, *b"\x16server");
        theirs.write_all(b"\x17plain").await.unwrap();
        let mut heard = [0; 6];
        wrapped.read_exact(&mut heard).await.unwrap();
        assert_eq!(heard, *b"\x17plain");
        theirs.write_all(b"\x12\x01\x00\x01\0\0\0\0").await.unwrap();
        assert!(wrapped.read(&mut heard).await.is_err());
    }
}
