//! Sessions of TLS 1.0 to 1.2 that no library makes: any suite, any hello, records made by hand, handshakes inside a
//! session, and sessions that are resumed.
//!
//! A session here shows how a server behaves, and nothing secret is ever sent over it. So the server's certificate and
//! its signature are not judged; that both sides have the same keys is proven by its Finished message all the same.

mod channel;
mod exchange;
mod handshake;
mod keys;
mod modern;
mod protection;
mod resumable;
mod suite;

pub use channel::{Channel, Item};
pub use exchange::{GROUPS, RsaKey};
pub use handshake::message;
pub use keys::{Hash, Terms, prf};
pub use modern::TicketReader;
pub use protection::{Broken, Protection, pad};
pub use resumable::Resumable;
pub use suite::{Cipher, Exchange, Suite};

use crate::model::{Reason, Trouble};
use crate::net::{Random, Stream};
use crate::wire::record::APPLICATION_DATA;
use crate::wire::{Alert, ClientHello, ServerHello, Ticket, Version, WireError};
use handshake::Handshake;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How long one handshake may take in all.
const HANDSHAKE: Duration = Duration::from_secs(15);

/// Why a handshake or a read came to nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// A fatal alert, close_notify, or a warning that no new handshake will be made.
    Alert(Alert),
    /// The peer closed the connection.
    Closed,
    /// The peer reset the connection.
    Reset,
    /// Nothing came in time.
    Silent,
    /// A record is not protected as agreed.
    Broken,
    /// Bytes that are not TLS, break its rules or go beyond a limit.
    Wire(WireError),
    /// The peer chose what we cannot do.
    Unsupported(&'static str),
    /// The peer did what it may not.
    Unexpected(&'static str),
    /// There is no connection.
    Transport(Trouble),
}

impl Failure {
    /// In words, for transcripts.
    pub fn words(&self) -> String {
        match self {
            Failure::Alert(alert) => format!("alert {}", alert.name()),
            Failure::Closed => "connection closed".to_owned(),
            Failure::Reset => "connection reset".to_owned(),
            Failure::Silent => "no answer in time".to_owned(),
            Failure::Broken => Broken.to_string(),
            Failure::Wire(error) => error.to_string(),
            Failure::Unsupported(what) | Failure::Unexpected(what) => (*what).to_owned(),
            Failure::Transport(trouble) => trouble.detail.clone(),
        }
    }

    /// As the trouble of what was to be learnt.
    pub fn trouble(&self) -> Trouble {
        let reason = match self {
            Failure::Alert(_) => Reason::HandshakeRejected,
            Failure::Closed | Failure::Reset => Reason::Refused,
            Failure::Silent => Reason::TimedOut,
            Failure::Wire(WireError::TooLarge(_)) => Reason::TooLarge,
            Failure::Broken | Failure::Wire(_) | Failure::Unexpected(_) => Reason::ProtocolViolation,
            Failure::Unsupported(_) => Reason::Unsupported,
            Failure::Transport(trouble) => return trouble.clone(),
        };
        Trouble::new(reason, self.words())
    }
}

impl From<WireError> for Failure {
    fn from(error: WireError) -> Failure {
        Failure::Wire(error)
    }
}

impl From<Broken> for Failure {
    fn from(_: Broken) -> Failure {
        Failure::Broken
    }
}

/// Until when a handshake may take.
#[derive(Clone, Copy, Debug)]
pub struct Time {
    first: Instant,
    end: Instant,
}

impl Time {
    /// From now on: so long for the first answer, and fifteen seconds in all.
    pub fn from_now(patience: Duration) -> Time {
        let now = Instant::now();
        Time { first: now + patience.min(HANDSHAKE), end: now + HANDSHAKE }
    }
}

/// What a handshake agreed on. Without `Debug`, since it holds keys.
#[derive(Clone)]
pub struct Agreed {
    /// Version, suite, randoms.
    pub terms: Terms,
    /// The ServerHello.
    pub hello: ServerHello,
    /// An earlier session goes on: the abbreviated handshake was made.
    pub resumed: bool,
    /// The master secret.
    pub master: Vec<u8>,
    /// The extended master secret was agreed on.
    pub extended: bool,
    /// The ticket that came.
    pub ticket: Option<Ticket>,
    /// The content of our Finished message.
    pub client_finished: Vec<u8>,
    /// The content of the server's.
    pub server_finished: Vec<u8>,
}

impl Agreed {
    /// The version.
    pub fn version(&self) -> Version {
        self.terms.version
    }

    /// The suite.
    pub fn suite(&self) -> Suite {
        self.terms.suite
    }
}

/// A session with a server.
pub struct Session {
    channel: Channel,
    agreed: Agreed,
    answered: u32,
}

impl Session {
    /// Makes a handshake with this hello over this stream. `earlier` is the session that the hello asks to resume: its
    /// id or ticket is for the caller to put into the hello.
    ///
    /// # Errors
    /// When it does not come to its end.
    pub async fn open(
        stream: Box<dyn Stream>,
        hello: &ClientHello,
        earlier: Option<&Agreed>,
        random: Arc<dyn Random>,
        time: Time,
    ) -> Result<Session, Failure> {
        let mut channel = Channel::new(stream, random);
        let mut answered = 0;
        let agreed = Handshake::new(&mut channel, hello, time, &mut answered).run(earlier).await?;
        Ok(Session { channel, agreed, answered })
    }

    /// Makes another handshake inside the session. What it agreed on is then that of the session.
    ///
    /// # Errors
    /// When it does not come to its end; [`Session::answered`] tells whether the server took it up.
    pub async fn renegotiate(&mut self, hello: &ClientHello, time: Time) -> Result<(), Failure> {
        let handshake = Handshake::new(&mut self.channel, hello, time, &mut self.answered);
        self.agreed = handshake.run(None).await?;
        Ok(())
    }

    /// What the last handshake agreed on.
    pub fn agreed(&self) -> &Agreed {
        &self.agreed
    }

    /// How many ServerHellos came in this session.
    pub fn answered(&self) -> u32 {
        self.answered
    }

    /// The records, for what is sent or read by hand.
    pub fn channel(&mut self) -> &mut Channel {
        &mut self.channel
    }

    /// Sends application data.
    ///
    /// # Errors
    /// When it cannot be protected.
    pub async fn send(&mut self, content: &[u8], end: Instant) -> Result<(), Failure> {
        self.channel.put(APPLICATION_DATA, content)?;
        self.channel.flush(end).await;
        Ok(())
    }
}
