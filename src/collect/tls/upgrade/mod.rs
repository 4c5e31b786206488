//! What comes before TLS: nothing, or a dialogue in which it is asked for.

mod collector;
mod injection;
mod wrapped;

pub use collector::Starttls;

use crate::model::target::Connection;
use crate::model::{Reason, Service, Trouble};
use crate::net::Stream;
use crate::wire::dialogue::table::Script;
use crate::wire::dialogue::{Dialogue, Ending, Names, Step};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use wrapped::Wrapped;

/// How long a dialogue may take.
const DIALOGUE: Duration = Duration::from_secs(10);
/// Connections to MySQL and MariaDB. They count those that are broken off before a login, and shut out a machine that
/// has made a hundred of them, the applications on it included.
const MYSQL_CONNECTIONS: u32 = 80;
/// The name for EHLO where our own is not known.
const NO_NAME: &str = "probity.invalid";

/// How TLS begins at a target.
#[derive(Clone, Debug)]
pub struct Upgrade {
    service: Option<&'static Service>,
    script: Option<&'static Script>,
    names: Names,
}

/// How a dialogue ended, as seen from the socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Talk {
    /// TLS follows.
    Ready,
    /// TLS follows, and so many bytes came before it: whoever sent them, they are not protected.
    Extra(usize),
    /// TLS is not to be had. Definite.
    NotOffered(String),
    /// Not now.
    Throttled(String),
    /// The dialogue did not come to its end.
    Failed(Trouble),
}

impl Talk {
    /// An error unless TLS follows.
    ///
    /// # Errors
    /// With what was seen.
    pub fn result(self) -> Result<(), Trouble> {
        match self {
            Talk::Ready => Ok(()),
            Talk::Extra(bytes) => Err(Trouble::new(
                Reason::ProtocolViolation,
                format!("upgrade unclear: {bytes} bytes in clear follow the positive answer"),
            )),
            Talk::NotOffered(seen) => Err(Trouble::new(Reason::Unsupported, format!("TLS is not offered: {seen}"))),
            Talk::Throttled(seen) => Err(Trouble::new(Reason::Refused, format!("throttled: {seen}"))),
            Talk::Failed(trouble) => Err(trouble),
        }
    }
}

impl Upgrade {
    /// How TLS begins at a target that is reached like this.
    ///
    /// # Errors
    /// For a word that no dialogue exists for.
    pub fn of(connection: &Connection, starttls: Option<&str>) -> Result<Upgrade, Trouble> {
        let word = starttls.or(connection.service.as_deref());
        let unknown = |word| Trouble::new(Reason::Unsupported, format!("{word} is not spoken by this version"));
        let service = word.map(|word| Service::find(word).ok_or_else(|| unknown(word))).transpose()?;
        let script = service.and_then(Service::dialogue).map(|word| Script::find(word).ok_or_else(|| unknown(word)));
        let own = connection.hello_name.as_deref().filter(|name| name.contains('.'));
        let domain = connection.server_name.as_deref().unwrap_or(&connection.host);
        Ok(Upgrade { service, script: script.transpose()?, names: Names::new(own.unwrap_or(NO_NAME), domain) })
    }

    /// The word of the service, where it is not HTTPS.
    pub fn word(&self) -> Option<&'static str> {
        self.service.map(|service| service.word)
    }

    /// The application protocols that a client of the service offers.
    pub fn alpn(&self) -> Vec<&'static str> {
        self.service.map_or_else(|| vec!["h2", "http/1.1"], |service| service.alpn.to_vec())
    }

    /// How long the first byte after our hello may take.
    pub fn patience(&self) -> Duration {
        Duration::from_secs(if self.script.is_some() { 10 } else { 6 })
    }

    /// Mail servers are asked one thing at a time, with a pause between.
    pub fn is_mail(&self) -> bool {
        self.service.is_some_and(|service| service.mail)
    }

    /// How many connections the server bears, where it shuts out those who make more.
    pub fn most_connections(&self) -> Option<u32> {
        self.script.filter(|script| script.word == "mysql").map(|_| MYSQL_CONNECTIONS)
    }

    /// The dialogue, where there is one.
    pub fn dialogue(&self) -> Option<Dialogue> {
        self.script.map(|script| Dialogue::new(script, self.names.clone()))
    }

    /// The dialogue's second command, for the test of injection; empty where there is none.
    pub fn second_command(&self) -> &'static [u8] {
        self.script.map_or(b"", |script| script.second)
    }

    /// Leads the dialogue until the server is ready for a ClientHello, and gives the stream to send it over.
    ///
    /// # Errors
    /// When the server does not offer TLS, or answers something else.
    pub async fn lead(&self, mut stream: Box<dyn Stream>) -> Result<Box<dyn Stream>, Trouble> {
        let Some(mut dialogue) = self.dialogue() else { return Ok(stream) };
        talk(&mut *stream, &mut dialogue).await.result()?;
        Ok(self.carry(stream))
    }

    /// The stream that carries the handshake: SQL Server wraps it in packets of its own.
    pub fn carry(&self, stream: Box<dyn Stream>) -> Box<dyn Stream> {
        match self.script {
            Some(script) if script.word == "mssql" => Box::new(Wrapped::new(stream)),
            _ => stream,
        }
    }
}

/// Leads a dialogue to its end.
pub async fn talk(stream: &mut dyn Stream, dialogue: &mut Dialogue) -> Talk {
    match tokio::time::timeout(DIALOGUE, exchange(stream, dialogue)).await {
        Ok(Ok(ending)) => ended(dialogue, ending),
        Ok(Err(trouble)) => Talk::Failed(trouble),
        Err(_) => {
            let detail = format!("no answer to {} within {} s", dialogue.stage(), DIALOGUE.as_secs());
            Talk::Failed(Trouble::new(Reason::TimedOut, detail))
        }
    }
}

async fn exchange(stream: &mut dyn Stream, dialogue: &mut Dialogue) -> Result<Ending, Trouble> {
    let closed = |stage| Trouble::new(Reason::Refused, format!("the connection was closed in answer to {stage}"));
    let mut buffer = vec![0; 4096];
    loop {
        match dialogue.step() {
            Step::End(ending) => return Ok(ending),
            Step::Say(bytes) => {
                let sent = async {
                    stream.write_all(&bytes).await?;
                    stream.flush().await
                };
                sent.await.map_err(|_| closed(dialogue.stage()))?;
            }
            Step::Hear => {
                let count = stream.read(&mut buffer).await.map_err(|_| closed(dialogue.stage()))?;
                if count == 0 {
                    return Err(closed(dialogue.stage()));
                }
                if let Err(error) = dialogue.push(buffer.get(..count).unwrap_or_default()) {
                    return Ok(Ending::Broken(error));
                }
            }
        }
    }
}

fn ended(dialogue: &Dialogue, ending: Ending) -> Talk {
    match ending {
        Ending::Accepted { extra: 0 } => Talk::Ready,
        Ending::Accepted { extra } => Talk::Extra(extra),
        Ending::NotOffered(seen) => Talk::NotOffered(seen),
        Ending::Throttled(seen) => Talk::Throttled(seen),
        Ending::Refused(seen) => Talk::Failed(Trouble::new(Reason::Refused, format!("refused: {seen}"))),
        Ending::Broken(error) => {
            let reason = match error {
                crate::wire::WireError::TooLarge(_) => Reason::TooLarge,
                _ => Reason::ProtocolViolation,
            };
            Talk::Failed(Trouble::new(reason, format!("in answer to {}: {error}", dialogue.stage())))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(word: &str) -> Result<Upgrade, Trouble> {
        Upgrade::of(&Connection { host: "shop.example".into(), ..Connection::default() }, Some(word))
    }

    async fn answered(word: &str, bytes: &[u8]) -> Talk {
        let (mut ours, mut theirs) = tokio::io::duplex(1 << 20);
        theirs.write_all(bytes).await.unwrap();
        theirs.shutdown().await.unwrap();
        talk(&mut ours, &mut of(word).unwrap().dialogue().unwrap()).await
    }

    #[tokio::test]
    async fn only_the_letter_s_leads_on() {
        assert_eq!(answered("postgresql", b"S").await, Talk::Ready);
        assert_eq!(answered("postgresql", b"SX").await, Talk::Extra(1));
        assert!(matches!(answered("postgresql", b"N").await, Talk::NotOffered(_)));
        let failed = |talk: Talk| talk.result().unwrap_err().reason;
        assert_eq!(failed(answered("postgresql", b"").await), Reason::Refused);
        assert_eq!(failed(answered("postgresql", b"H").await), Reason::ProtocolViolation);
    }

    #[tokio::test]
    async fn what_has_no_end_is_cut_off() {
        let endless = b"220-and more\r\n".repeat(200);
        assert_eq!(answered("smtp", &endless).await.result().unwrap_err().reason, Reason::TooLarge);
        assert_eq!(answered("imap", &[b'x'; 9_000]).await.result().unwrap_err().reason, Reason::TooLarge);
        assert_eq!(answered("xmpp", &[b'<'; 70_000]).await.result().unwrap_err().reason, Reason::TooLarge);
    }

    #[test]
    fn words_are_those_of_the_table_and_a_name_is_sent_only_where_it_is_one() {
        assert!(of("gopher").unwrap_err().detail.contains("gopher"));
        assert!(of("smtp").unwrap().is_mail());
        assert_eq!(of("imaps").unwrap().alpn(), ["imap"]);
        assert!(of("imaps").unwrap().dialogue().is_none());
        let mut connection = Connection { hello_name: Some("laptop".into()), ..Connection::default() };
        assert_eq!(Upgrade::of(&connection, Some("smtp")).unwrap().names.own, "probity.invalid");
        connection.hello_name = Some("probe.example".into());
        assert_eq!(Upgrade::of(&connection, Some("smtp")).unwrap().names.own, "probe.example");
        assert_eq!(Upgrade::of(&connection, None).unwrap().alpn(), ["h2", "http/1.1"]);
    }
}
