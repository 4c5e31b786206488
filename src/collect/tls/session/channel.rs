//! The records of one connection, both ways: in clear at first, then protected.

use super::Failure;
use super::protection::{Broken, Protection};
use crate::net::{Random, Stream};
use crate::wire::record::{self, Event, RecordReader};
use crate::wire::{Alert, Version, alert};
use std::io::ErrorKind;
use std::sync::Arc;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::Instant;

/// What came, decrypted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// A handshake message: its type and body.
    Message(u8, Vec<u8>),
    /// An alert that does not end the connection.
    Warning(Alert),
    /// change_cipher_spec: what follows is protected by new keys.
    ChangeCipherSpec,
    /// Application data: so many bytes. What they say is not kept.
    Data(usize),
    /// A record of another type.
    Other(u8),
}

/// A connection.
pub struct Channel {
    stream: Box<dyn Stream>,
    random: Arc<dyn Random>,
    records: RecordReader,
    out: Vec<u8>,
    version: u16,
    write: Option<Protection>,
    read: Option<Protection>,
    seen: Vec<(u8, usize)>,
    buffer: Vec<u8>,
}

impl Channel {
    /// A connection in clear.
    pub fn new(stream: Box<dyn Stream>, random: Arc<dyn Random>) -> Channel {
        Channel {
            stream,
            random,
            records: RecordReader::new(),
            out: Vec::new(),
            version: Version::Tls10.code(),
            write: None,
            read: None,
            seen: Vec::new(),
            buffer: vec![0; 8 * 1024],
        }
    }

    /// The random bytes of this connection.
    pub fn random(&self) -> &dyn Random {
        &*self.random
    }

    /// The version that records carry from now on.
    pub fn set_version(&mut self, version: Version) {
        self.version = version.code();
    }

    /// What is sent from now on is protected so.
    pub fn protect(&mut self, write: Protection) {
        self.write = Some(write);
    }

    /// What is read from now on is protected so.
    pub fn unprotect(&mut self, read: Protection) {
        self.read = Some(read);
    }

    /// The protection of what is sent, for records that are made by hand.
    pub fn writer(&mut self) -> Option<&mut Protection> {
        self.write.as_mut()
    }

    /// The type and length of each record that came, as everybody on the path can see them.
    pub fn seen(&self) -> &[(u8, usize)] {
        &self.seen
    }

    /// Puts a record into the next write.
    ///
    /// # Errors
    /// When it cannot be protected.
    pub fn put(&mut self, kind: u8, content: &[u8]) -> Result<(), Broken> {
        let fragment = match &mut self.write {
            Some(write) => write.seal(kind, content, &*self.random)?,
            None => content.to_vec(),
        };
        self.put_fragment(kind, &fragment);
        Ok(())
    }

    /// Puts a record with this fragment into the next write, as it is.
    pub fn put_fragment(&mut self, kind: u8, fragment: &[u8]) {
        self.out.extend(record::write(kind, self.version, fragment));
    }

    /// Puts a record of application data into the next write whose plaintext is these whole blocks, whatever they hold.
    ///
    /// # Errors
    /// When the suite has no blocks, or these are not whole ones.
    pub fn put_forged(&mut self, kind: u8, plain: Vec<u8>) -> Result<(), Broken> {
        let fragment = self.write.as_mut().ok_or(Broken)?.forge(kind, plain, &*self.random)?;
        self.put_fragment(kind, &fragment);
        Ok(())
    }

    /// Writes what was put. A peer that has closed may still have said why, so a failure shows when reading.
    pub async fn flush(&mut self, end: Instant) {
        let out = std::mem::take(&mut self.out);
        let _ = tokio::time::timeout_at(end, async {
            self.stream.write_all(&out).await?;
            self.stream.flush().await
        })
        .await;
    }

    /// The next thing that comes before this time.
    ///
    /// # Errors
    /// A fatal alert or close_notify; closed, reset or silent; what is not TLS, too long or not protected as agreed.
    pub async fn next(&mut self, end: Instant) -> Result<Item, Failure> {
        loop {
            if let Some(item) = self.buffered()? {
                return Ok(item);
            }
            match tokio::time::timeout_at(end, self.stream.read(&mut self.buffer)).await {
                Err(_) => return Err(Failure::Silent),
                Ok(Err(error)) if matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe) => {
                    return Err(Failure::Reset);
                }
                Ok(Err(_) | Ok(0)) => return Err(Failure::Closed),
                Ok(Ok(count)) => self.records.push(self.buffer.get(..count).unwrap_or_default())?,
            }
        }
    }

    fn buffered(&mut self) -> Result<Option<Item>, Failure> {
        loop {
            if let Some(Event::Message(kind, body)) = self.records.message()? {
                return Ok(Some(Item::Message(kind, body)));
            }
            let Some((kind, fragment)) = self.records.record()? else { return Ok(None) };
            self.seen.push((kind, fragment.len()));
            let content = match &mut self.read {
                Some(read) => read.open(kind, &fragment)?,
                None => fragment,
            };
            let length = content.len();
            match self.records.absorb(kind, content)? {
                Some(Event::Message(kind, body)) => return Ok(Some(Item::Message(kind, body))),
                Some(Event::Alert(alert)) if alert.is_fatal() || alert.description == alert::CLOSE_NOTIFY => {
                    return Err(Failure::Alert(alert));
                }
                Some(Event::Alert(warning)) => return Ok(Some(Item::Warning(warning))),
                Some(Event::Other(record::CHANGE_CIPHER_SPEC)) => return Ok(Some(Item::ChangeCipherSpec)),
                Some(Event::Other(record::APPLICATION_DATA)) if self.read.is_some() => {
                    return Ok(Some(Item::Data(length)));
                }
                Some(Event::Other(kind)) => return Ok(Some(Item::Other(kind))),
                None => {}
            }
        }
    }
}
