//! Servers whose port speaks TLS from the first byte, or never: both are tried, each on a connection of its own.

use super::answer::map;
use super::channel::{Channel, Settings};
use super::limit::{self, Limit};
use super::server::{Look, distrusted, may_go_in_clear};
use crate::model::database::{Audit, Session, Sign, Transport};
use crate::model::{Exchange, Fact, Method, Observation, Reason, Trouble};
use crate::net::{Dialing, Stream};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::time::Instant;

/// How long a server that answers in clear may take for a handshake at least: some wait for the rest of what they take for
/// a command. A slower one has twenty times the time of its answer.
const PATIENCE: Duration = Duration::from_secs(3);
/// Time for one step of a greeting.
pub const STEP: Duration = Duration::from_secs(6);

/// What a question in clear and without credentials met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Knock {
    /// `refused`, `asked` or `accepted`.
    pub word: &'static str,
    /// In words.
    pub seen: String,
}

/// What a server shows before anybody logs in.
pub struct Meeting {
    /// It speaks TLS on this port.
    pub offered: Fact<bool>,
    /// The session that was made, or why none was.
    pub session: Result<Session, Trouble>,
    /// Why the certificate is not trusted, where it is not.
    pub distrust: Option<String>,
    /// What a question in clear met.
    pub plain: Result<Knock, Trouble>,
}

/// A connection over which a password may be sent.
pub struct Entry {
    /// The connection, inside TLS or in clear.
    pub stream: Box<dyn Stream>,
    /// It is inside TLS.
    pub tls: bool,
}

/// Asks a stream in clear something harmless, and judges the answer: nothing where the connection was closed, or what came
/// is not of the store's protocol.
pub type Asking<'a> = &'a (dyn Fn(Box<dyn Stream>) -> Dialing<'a, Option<Knock>> + Send + Sync);

/// Asks a question in clear, and then tries TLS.
///
/// # Errors
/// Where neither was answered.
pub async fn meet(
    look: &Look<'_>,
    address: SocketAddr,
    ask: Asking<'_>,
) -> Result<(Meeting, Result<Entry, Trouble>), Trouble> {
    look.step(0, "asking without TLS");
    let connect = || {
        let limit = Limit::new(look.cx.limits.target_time, "the greeting");
        async { limit::run(look.cx, limit, look.cx.dial.connect(address, STEP)).await? }
    };
    let stream = connect().await?;
    let asked = Instant::now();
    let plain = limit::run(look.cx, Limit::new(STEP, "the answer to a question without TLS"), ask(stream)).await;
    let plain = plain.and_then(|knock| knock);
    look.step(1, "trying TLS");
    let patience = match &plain {
        Ok(Some(_)) => PATIENCE.max(asked.elapsed().saturating_mul(20)),
        _ => look.cx.limits.target_time,
    };
    let channel = async {
        let stream = connect().await?;
        let settings = Settings::of(look.target)?;
        limit::run(look.cx, Limit::new(patience, "the TLS handshake"), settings.handshake(look.cx, stream)).await?
    };
    match (channel.await, plain) {
        (Err(trouble), _) if trouble.reason == Reason::Interrupted => Err(trouble),
        (Ok(Channel { stream, session, distrust, .. }), plain) => {
            // A port of TLS that hangs up on anything else takes no login in clear.
            let plain = plain.map(|knock| {
                knock.unwrap_or_else(|| Knock {
                    word: "refused",
                    seen: "the port speaks TLS alone: a question in clear was not answered".to_owned(),
                })
            });
            let entry = match &distrust {
                None => Ok(Entry { stream, tls: true }),
                Some(why) => Err(distrusted(why)),
            };
            Ok((Meeting { offered: Fact::Known(true), session: Ok(session), distrust, plain }, entry))
        }
        (Err(trouble), plain) if trouble.reason == Reason::HandshakeRejected => {
            let entry = Err(trouble.clone());
            let silent = || Trouble::new(Reason::Refused, "a question in clear was not answered");
            let plain = plain.and_then(|knock| knock.ok_or_else(silent));
            Ok((Meeting { offered: Fact::Known(true), session: Err(trouble), distrust: None, plain }, entry))
        }
        (Err(_), Ok(Some(knock))) => {
            let none = Trouble::new(Reason::Unsupported, "the server offers no TLS on this port");
            let meeting = Meeting { offered: Fact::Known(false), session: Err(none), distrust: None, plain: Ok(knock) };
            let entry = match may_go_in_clear(address) {
                Ok(()) => reopen(look, address).await,
                Err(trouble) => Err(trouble),
            };
            Ok((meeting, entry))
        }
        (Err(_), Ok(None)) => {
            let words = format!("the server speaks neither TLS nor the protocol of {} on this port", look.engine());
            Err(Trouble::new(Reason::ProtocolViolation, words))
        }
        (Err(_), Err(trouble)) => Err(trouble),
    }
}

async fn reopen(look: &Look<'_>, address: SocketAddr) -> Result<Entry, Trouble> {
    let stream = limit::run(look.cx, Limit::new(STEP, "a connection"), look.cx.dial.connect(address, STEP)).await??;
    Ok(Entry { stream, tls: false })
}

/// What a server tells of its transport after the login.
pub struct Told {
    /// Its own switch: `on` or `off`.
    pub switch: Fact<String>,
    /// The oldest and the newest version of TLS that it accepts.
    pub versions: Fact<(String, String)>,
    /// Sessions from other machines: those without TLS, and all.
    pub sessions: Fact<(u64, u64)>,
    /// Further places where encryption was looked for.
    pub encryption: Vec<Sign>,
    /// Further ways to log in without TLS.
    pub plaintext: Vec<Sign>,
}

impl Told {
    /// Nothing, for this reason; `rule` is the name of the way in that would have been read.
    pub fn nothing(why: &Trouble, rule: &str) -> Told {
        Told {
            switch: Fact::unknown(why.to_string()),
            versions: Fact::unknown(why.to_string()),
            sessions: Fact::unknown(why.to_string()),
            encryption: Vec::new(),
            plaintext: vec![Sign::new(rule, Fact::unknown(why.to_string()), "")],
        }
    }
}

/// A server's one log, as far as it tells of it.
pub struct Log {
    /// It has the begin and the end of each session.
    pub sessions: Fact<bool>,
    /// What shows that.
    pub seen: String,
    /// Whether changes of definitions are written down.
    pub definitions: Sign,
    /// Where it goes; empty where it goes nowhere.
    pub place: Fact<String>,
}

impl Log {
    /// The facts of a server of this version without an extension for auditing, and that logs no statement.
    pub fn audit(self, server_version: Fact<String>) -> Audit {
        let Log { sessions, seen, definitions, place } = self;
        let goes = match &place {
            Fact::Known(place) if place.is_empty() => "the log goes nowhere".to_owned(),
            Fact::Known(place) => format!("the log goes to {place}"),
            Fact::Unknown(_) => String::new(),
        };
        Audit {
            applicable: true,
            logging: vec![
                Sign::new("new sessions", sessions.clone(), seen.clone()),
                Sign::new("ends of sessions", sessions.clone(), seen),
                definitions,
                Sign::new("a place for the log", map(&place, |place| !place.is_empty()), goes),
            ],
            connections: sessions.clone(),
            disconnections: sessions,
            statements: Fact::Known("none".to_owned()),
            collector: map(&place, |place| !matches!(place.as_str(), "" | "stdout" | "syslog")),
            destination: place,
            extension: Fact::Known(false),
            extension_classes: Fact::Known("none".to_owned()),
            server_version,
        }
    }
}

/// The observation from both.
pub fn transport(look: &Look<'_>, meeting: &Meeting, told: Told, address: SocketAddr) -> Observation {
    let split = |first: bool| match &told.sessions {
        Fact::Known((plain, all)) => Fact::Known(if first { *plain } else { *all }),
        Fact::Unknown(why) => Fact::Unknown(why.clone()),
    };
    let version = |first: bool| match (&meeting.offered, &told.versions) {
        (Fact::Known(false), _) => Fact::unknown("the port that was looked at speaks no TLS"),
        (_, Fact::Known((oldest, newest))) => Fact::Known(if first { oldest } else { newest }.clone()),
        (_, Fact::Unknown(why)) => Fact::Unknown(why.clone()),
    };
    let untold = |trouble: &Trouble| trouble.to_string();
    let own = match (&meeting.session, &meeting.offered) {
        (Ok(session), _) => Sign::new(
            "own session",
            Fact::Known(true),
            format!("{} with {} was negotiated", session.protocol, session.cipher),
        ),
        (Err(_), Fact::Known(false)) => {
            Sign::new("own session", Fact::Known(false), "the server offers no TLS on this port")
        }
        (Err(trouble), _) => Sign::new("own session", Fact::unknown(untold(trouble)), ""),
    };
    let offer = match &meeting.offered {
        Fact::Known(true) => "the port speaks TLS",
        _ => "the port speaks no TLS",
    };
    let mut encryption = vec![Sign::new("offer of TLS", meeting.offered.clone(), offer), own];
    if let Fact::Known((plain, all)) = &told.sessions
        && *all > 0
    {
        let seen = format!("{plain} of {all} sessions of other machines are without TLS at this moment");
        encryption.push(Sign::new("sessions of other machines", Fact::Known(*plain == 0), seen));
    }
    encryption.extend(told.encryption);
    let trial = match &meeting.plain {
        Ok(knock) => Sign::new("login tried without TLS", Fact::Known(knock.word != "refused"), knock.seen.clone()),
        Err(trouble) => Sign::new("login tried without TLS", Fact::unknown(untold(trouble)), ""),
    };
    let exchanges = vec![
        Exchange { sent: format!("ClientHello to {address}"), received: offer.to_owned() },
        Exchange {
            sent: format!("a question in clear and without credentials to {address}"),
            received: trial.yes.reason().unwrap_or(&trial.seen).to_owned(),
        },
    ];
    let mut plaintext = vec![trial];
    plaintext.extend(told.plaintext);
    let facts = Transport {
        applicable: true,
        tls_offered: meeting.offered.clone(),
        certificate_verified: match &meeting.session {
            Ok(_) => Fact::Known(meeting.distrust.is_none()),
            Err(trouble) => Fact::unknown(untold(trouble)),
        },
        session: match &meeting.session {
            Ok(session) => Fact::Known(session.clone()),
            Err(trouble) => Fact::unknown(untold(trouble)),
        },
        ssl_setting: told.switch.clone(),
        min_protocol: version(true),
        max_protocol: version(false),
        plaintext_login: match &meeting.plain {
            Ok(knock) => Fact::Known(knock.word.to_owned()),
            Err(trouble) => Fact::unknown(untold(trouble)),
        },
        plain_sessions: split(true),
        remote_sessions: split(false),
        hba: Fact::Known(Vec::new()),
        encryption,
        plaintext,
    };
    look.complete("db.transport", &facts).by(Method::Test).with_transcript(exchanges)
}
