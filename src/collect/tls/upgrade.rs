//! The dialogue before TLS.

use crate::model::{Reason, Trouble};
use crate::net::Stream;
use crate::wire::postgres::{Reply, SSL_REQUEST};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// How long a server may take to answer.
const ANSWER: Duration = Duration::from_secs(10);

/// The dialogue of a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Upgrade {
    /// None: TLS from the first byte.
    Direct,
    /// SSLRequest of PostgreSQL.
    Postgresql,
}

impl Upgrade {
    /// The dialogue of this word in `probity.yaml`; an error for words that no dialogue exists for.
    pub fn of(word: Option<&str>) -> Result<Upgrade, Trouble> {
        match word {
            None => Ok(Upgrade::Direct),
            Some("postgresql" | "postgres") => Ok(Upgrade::Postgresql),
            Some(other) => {
                Err(Trouble::new(Reason::Unsupported, format!("starttls {other} is not spoken by this version")))
            }
        }
    }

    /// The application protocols that a client of the service offers.
    pub fn alpn(self) -> Vec<&'static str> {
        match self {
            Upgrade::Direct => vec!["h2", "http/1.1"],
            Upgrade::Postgresql => vec!["postgresql"],
        }
    }

    /// How long the first byte after our hello may take.
    pub fn patience(self) -> Duration {
        match self {
            Upgrade::Direct => Duration::from_secs(6),
            Upgrade::Postgresql => Duration::from_secs(10),
        }
    }

    /// Leads the dialogue until the server is ready for a ClientHello.
    ///
    /// # Errors
    /// When the server does not offer TLS, or answers something else.
    pub async fn lead(self, stream: &mut dyn Stream) -> Result<(), Trouble> {
        match self {
            Upgrade::Direct => Ok(()),
            Upgrade::Postgresql => tokio::time::timeout(ANSWER, postgresql(stream))
                .await
                .map_err(|_| Trouble::new(Reason::TimedOut, "no answer to SSLRequest"))?,
        }
    }
}

async fn postgresql(stream: &mut dyn Stream) -> Result<(), Trouble> {
    let lost = |_| Trouble::new(Reason::Refused, "the connection was closed in answer to SSLRequest");
    stream.write_all(&SSL_REQUEST).await.map_err(lost)?;
    // One byte is read and no more: what a man in the middle slips in behind it must not be taken for TLS.
    match Reply::parse(stream.read_u8().await.map_err(lost)?) {
        Reply::Accepted => Ok(()),
        Reply::NotOffered => Err(Trouble::new(Reason::Unsupported, "the server answers SSLRequest with N: TLS is off")),
        Reply::Error => Err(Trouble::new(Reason::Refused, "the server answers SSLRequest with an error")),
        Reply::Strange(byte) => Err(Trouble::new(
            Reason::ProtocolViolation,
            format!("the server answers SSLRequest with the byte 0x{byte:02X}"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn answer(bytes: &[u8]) -> Result<(), Trouble> {
        let (mut ours, mut theirs) = tokio::io::duplex(64);
        theirs.write_all(bytes).await.unwrap();
        drop(theirs);
        Upgrade::Postgresql.lead(&mut ours).await
    }

    #[tokio::test]
    async fn only_the_letter_s_leads_on() {
        // The other end is gone by the time we write, which duplex reports as a broken pipe.
        let (mut ours, mut theirs) = tokio::io::duplex(64);
        theirs.write_all(b"S").await.unwrap();
        assert!(Upgrade::Postgresql.lead(&mut ours).await.is_ok());
        let (mut ours, mut theirs) = tokio::io::duplex(64);
        theirs.write_all(b"N").await.unwrap();
        assert_eq!(Upgrade::Postgresql.lead(&mut ours).await.unwrap_err().reason, Reason::Unsupported);
        assert_eq!(answer(b"").await.unwrap_err().reason, Reason::Refused);
    }

    #[test]
    fn a_word_without_dialogue_is_unsupported() {
        assert!(Upgrade::of(Some("smtp")).unwrap_err().detail.contains("smtp"));
        assert_eq!(Upgrade::of(None), Ok(Upgrade::Direct));
    }
}
