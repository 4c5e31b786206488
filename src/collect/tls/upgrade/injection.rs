//! Whether what is sent in clear behind the request for TLS is taken for something that came protected
//! (CVE-2011-0411 and its kin; CVE-2021-23222 in PostgreSQL).

use super::super::handshake::{self, Ask, Versions};
use super::super::key_kind::{KeyKind, schemes_of};
use super::{Talk, Upgrade, talk};
use crate::model::{Fact, Reason, Trouble};
use crate::net::{Budget, Stream};
use rustls::ClientConnection;
use std::io::Read as _;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::AsyncReadExt as _;
use tokio::time::Instant;

/// How long a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(15);
/// Most bytes that are heard within TLS.
const BYTES: usize = 64 * 1024;

/// What is tested, and how.
pub struct Test<'a> {
    /// The dialogue.
    pub upgrade: &'a Upgrade,
    /// The connections of the target.
    pub budget: &'a Budget,
    /// The address.
    pub address: SocketAddr,
    /// The name to send.
    pub server_name: &'a str,
    /// How long an answer is waited for.
    pub silence: Duration,
}

/// What was heard of one upgrade.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Heard {
    /// Bytes in clear behind the positive answer.
    InClear,
    /// So many lines within TLS; and whether the server then hung up.
    InTls { bytes: usize, lines: usize, closed: bool },
}

impl Test<'_> {
    /// `vulnerable`, `likely`, `not-vulnerable`, or why that is not known.
    pub async fn run(&self) -> Fact<String> {
        let first = match self.once(true).await {
            Ok(heard) => heard,
            // A server may refuse the second command by breaking off. It must take the request without it.
            Err(trouble) => {
                return match self.once(false).await {
                    Ok(Heard::InTls { .. }) => known("not-vulnerable"),
                    Ok(Heard::InClear) => Fact::unknown("bytes in clear follow even a request alone"),
                    Err(_) => Fact::unknown(format!("no upgrade came to its end: {}", trouble.detail)),
                };
            }
        };
        let verdict = self.read(&first, None);
        if verdict == "not-vulnerable" {
            return known(verdict);
        }
        // What is bad is seen twice, beside an upgrade without the second command.
        let control = match self.once(false).await {
            Ok(heard) => heard,
            Err(trouble) => return Fact::unknown(format!("the upgrade without a second command failed: {trouble}")),
        };
        let verdict = self.read(&first, Some(&control));
        match self.once(true).await {
            _ if verdict == "not-vulnerable" => known(verdict),
            Ok(second) if self.read(&second, Some(&control)) == verdict => known(verdict),
            Ok(_) => Fact::unknown("inconsistent: two tries gave different answers"),
            Err(trouble) => Fact::unknown(format!("inconsistent: the second try failed: {trouble}")),
        }
    }

    fn read(&self, heard: &Heard, control: Option<&Heard>) -> &'static str {
        if self.upgrade.word() == Some("postgresql") {
            return match heard {
                // A sound server complains within TLS, or hangs up.
                Heard::InTls { bytes, closed, .. } if *bytes > 0 || *closed => "not-vulnerable",
                Heard::InTls { .. } => "vulnerable",
                Heard::InClear => "likely",
            };
        }
        // Some servers speak first within TLS, as ManageSieve has them do: only what goes beyond that is an answer.
        let unasked = match control {
            Some(Heard::InTls { lines, .. }) => *lines,
            _ => 0,
        };
        match (heard, control) {
            (Heard::InClear, Some(Heard::InClear)) => "not-vulnerable",
            (Heard::InClear, _) => "likely",
            (Heard::InTls { lines, .. }, _) if *lines > unasked => "vulnerable",
            (Heard::InTls { .. }, _) => "not-vulnerable",
        }
    }

    async fn once(&self, second: bool) -> Result<Heard, Trouble> {
        let Some(mut dialogue) = self.upgrade.dialogue() else {
            return Err(Trouble::new(Reason::Internal, "there is no dialogue"));
        };
        if second {
            dialogue = dialogue.with_second_command();
        }
        let mut stream = self.budget.open(self.address).await?;
        match talk(&mut *stream, &mut dialogue).await {
            Talk::Extra(_) if second && dialogue.complains() => {
                return Err(Trouble::new(Reason::ProtocolViolation, "the server complains in clear"));
            }
            Talk::Extra(_) => return Ok(Heard::InClear),
            other => other.result()?,
        }
        let ask = Ask {
            groups: Vec::new(),
            server_name: self.server_name.to_owned(),
            versions: Versions::Both,
            schemes: schemes_of(&KeyKind::ALL),
            alpn: Vec::new(),
        };
        let mut client = handshake::client(&ask)?;
        listen(self.upgrade.carry(stream), &mut client, self.silence).await
    }
}

fn known(word: &str) -> Fact<String> {
    Fact::Known(word.to_owned())
}

/// Makes a handshake, says nothing, and listens.
async fn listen(
    mut stream: Box<dyn Stream>,
    client: &mut ClientConnection,
    silence: Duration,
) -> Result<Heard, Trouble> {
    let (mut bytes, mut lines, mut open) = (0, 0, false);
    let mut deadline = Instant::now() + HANDSHAKE;
    let mut buffer = vec![0; 16 * 1024];
    loop {
        handshake::send(&mut stream, client).await?;
        if !open && !client.is_handshaking() {
            open = true;
            deadline = Instant::now() + silence;
        }
        let mut plain = [0; 4096];
        while let Ok(count @ 1..) = client.reader().read(&mut plain) {
            bytes += count;
            lines += plain.iter().take(count).filter(|byte| **byte == b'\n').count();
        }
        let heard = |closed| Ok(Heard::InTls { bytes, lines, closed });
        let read = tokio::time::timeout_at(deadline, stream.read(&mut buffer)).await;
        let count = match read {
            _ if bytes > BYTES => return heard(false),
            Err(_) if open => return heard(false),
            Err(_) => return Err(Trouble::new(Reason::TimedOut, "the handshake did not end in time")),
            Ok(Ok(0) | Err(_)) if open => return heard(true),
            Ok(Ok(0)) => return Err(handshake::closed(0)),
            Ok(Err(error)) => return Err(handshake::lost(error)),
            Ok(Ok(count)) => count,
        };
        let mut rest = buffer.get(..count).unwrap_or_default();
        while !rest.is_empty() {
            let taken = client.read_tls(&mut rest).map_err(handshake::lost)?;
            match client.process_new_packets() {
                Ok(_) if taken == 0 => return if open { heard(true) } else { Err(handshake::closed(count)) },
                Ok(_) => {}
                // An alert within TLS ends what could be heard.
                Err(_) if open => return heard(true),
                Err(error) => return Err(handshake::refusal(&error)),
            }
        }
    }
}
