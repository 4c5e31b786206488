//! The collector of PostgreSQL servers.
//!
//! It looks at the greeting first, without credentials: is TLS offered, whose is the certificate, does the server go
//! on with a login in clear. Then it logs in once, over a channel that may have the password, and reads settings and
//! catalogues. Each address of a name is an item of its own; the login is made at the first that answers, and the others are
//! greeted alone. Rows of a user's table are counted by [`retention`] alone, as the user's schedule says.

mod audit;
mod auth;
mod backup;
mod canary;
mod channel;
mod cron;
mod expiry;
mod files;
mod greeting;
mod hba;
mod limit;
mod rest;
pub mod retention;
mod session;
mod settings;
pub mod subjects;
mod transport;

use crate::collect::traces::Wanted;
use crate::collect::{CollectContext, Collecting, Collector, Job};
use crate::model::target::Engine;
use crate::model::{Exchange, Method, Observation, Reason, Target, TargetKind, Trouble};
use crate::net::Stream;
pub use canary::prove;
use channel::{Channel, Made};
use greeting::Offer;
use jiff::Timestamp;
use limit::Limit;
use serde::Serialize;
use session::{Login, Session};
use settings::Settings;
use std::net::SocketAddr;
use tokio_util::sync::CancellationToken;
use transport::{Answers, Greeting};

/// Looks at PostgreSQL servers.
pub struct Postgres;

/// The kinds that need a login.
const INSIDE: [&str; 8] =
    ["db.auth", "db.audit", "db.at_rest", "db.backup", "db.files", "data.inventory", "data.retention", "data.subjects"];

/// Reads arbitrary bytes as the first message of a server, and as a session: the entry of the fuzzer.
pub fn fuzz(data: &[u8]) {
    if let Some((kind, body)) = data.split_first() {
        let _ = greeting::judge(*kind, body);
    }
    let mut guard = limit::Guard::new(());
    // A session comes in pieces of any size.
    for part in data.chunks(7) {
        if guard.follow(part).is_err() {
            break;
        }
    }
}

impl Collector for Postgres {
    fn id(&self) -> &'static str {
        "postgres"
    }

    fn accepts(&self, target: &Target) -> bool {
        target.kind == TargetKind::Database && target.engine == Some(Engine::Postgresql)
    }

    fn yields(&self) -> &'static [&'static str] {
        &[
            "data.inventory",
            "data.retention",
            "data.subjects",
            "db.at_rest",
            "db.audit",
            "db.auth",
            "db.backup",
            "db.files",
            "db.transport",
        ]
    }

    fn collect<'a>(&'a self, job: &'a Job, cx: &'a CollectContext) -> Collecting<'a> {
        Box::pin(async move {
            let now = cx.clock.now();
            let all = &job.addresses;
            let look_at = |address: &SocketAddr| Look {
                target: &job.target,
                // The only address of a name needs no part of its own.
                part: if all.len() > 1 { address.to_string() } else { String::new() },
                cx,
                now,
            };
            if all.is_empty() {
                let none = Trouble::new(Reason::Unreachable, "the host has no address");
                let look = Look { target: &job.target, part: String::new(), cx, now };
                return look.all_failed(&none);
            }
            let mut seen = Vec::new();
            let mut rest = all.iter();
            let mut entered = None;
            // One login, at the first address that answers: that the others lead to the same data is not known.
            for address in rest.by_ref() {
                let look = look_at(address);
                match look.greet(*address).await {
                    Ok((greeting, entry)) => {
                        seen.extend(look.enter(*address, greeting, entry).await);
                        entered = Some(address);
                        break;
                    }
                    Err(trouble) => seen.extend(look.all_failed(&trouble)),
                }
            }
            if let Some(entered) = entered {
                let others = rest.map(|address| async move { look_at(address).outside(*address, *entered).await });
                seen.extend(futures_util::future::join_all(others).await.into_iter().flatten());
            }
            seen
        })
    }
}

/// One look at one address of a server.
struct Look<'a> {
    target: &'a Target,
    /// The address, where the name has several.
    part: String,
    cx: &'a CollectContext,
    now: Timestamp,
}

/// A channel over which a password may be sent, or why there is none.
type Entry = Result<(Box<dyn Stream>, Made), Trouble>;

impl Look<'_> {
    /// Makes a channel to an address.
    async fn arrive(&self, address: SocketAddr) -> Result<(Greeting, Entry), Trouble> {
        self.step(0, "asking for TLS");
        let asking = greeting::ask_for_tls(self.cx, address);
        // A connection that is not made yet hears of no end; of many addresses each would take its time.
        let limit = Limit::new(self.cx.limits.target_time, "the greeting");
        let offer = limit::run(self.cx, limit, asking).await??;
        Ok(self.meet(address, offer).await)
    }

    /// Looks at what an address shows to everybody.
    async fn greet(&self, address: SocketAddr) -> Result<(Greeting, Entry), Trouble> {
        let (mut greeting, entry) = self.arrive(address).await?;
        self.step(1, "trying a login without TLS");
        let (user, database) = self.names();
        greeting.plain = greeting::try_plaintext(self.cx, address, &user, &database).await;
        Ok((greeting, entry))
    }

    /// Looks at a further address of the name without a login.
    async fn outside(&self, address: SocketAddr, entered: SocketAddr) -> Vec<Observation> {
        let trouble = Trouble::new(
            Reason::Unsupported,
            format!(
                "the login was made at {entered} alone, and whether this address leads to the same server is not known; \
                 give each address as a target of its own"
            ),
        );
        match self.greet(address).await {
            Ok((greeting, _)) => self.unentered(&greeting, &trouble, address),
            Err(trouble) => self.all_failed(&trouble),
        }
    }

    /// What the greeting showed, where nobody logged in for this reason.
    fn unentered(&self, greeting: &Greeting, trouble: &Trouble, address: SocketAddr) -> Vec<Observation> {
        let mut seen = vec![self.transport(greeting, &Answers::none(trouble), address)];
        seen.extend(INSIDE.iter().map(|kind| self.failed(kind, trouble)));
        seen
    }

    fn all_failed(&self, trouble: &Trouble) -> Vec<Observation> {
        Postgres.yields().iter().map(|kind| self.failed(kind, trouble)).collect()
    }

    /// Makes the channel that the server offers, and says whether it may have the password.
    async fn meet(&self, address: SocketAddr, offer: Offer) -> (Greeting, Entry) {
        let untried = || Err(Trouble::new(Reason::Internal, "not tried"));
        let stream = match offer {
            Offer::Tls(stream) => stream,
            Offer::Plain(stream) => {
                let none = Trouble::new(Reason::Unsupported, "the server offers no TLS");
                let greeting = Greeting { offered: false, session: Err(none), distrust: None, plain: untried() };
                return (greeting, plain_entry(address, stream));
            }
        };
        let channel = match channel::Settings::of(self.target) {
            Ok(settings) => settings.handshake(self.cx, stream).await,
            Err(trouble) => Err(trouble),
        };
        match channel {
            Ok(Channel { stream, session, distrust, binding }) => {
                let entry = match &distrust {
                    None => Ok((stream, Made(binding))),
                    Some(why) => Err(Trouble::new(
                        Reason::HandshakeRejected,
                        format!("the password was not sent, since the server is not known to be the right one: {why}"),
                    )),
                };
                (Greeting { offered: true, session: Ok(session), distrust, plain: untried() }, entry)
            }
            Err(trouble) => {
                let greeting =
                    Greeting { offered: true, session: Err(trouble.clone()), distrust: None, plain: untried() };
                (greeting, Err(trouble))
            }
        }
    }

    /// Logs in and reads what the server tells; without a login, what the greeting showed remains.
    async fn enter(&self, address: SocketAddr, greeting: Greeting, entry: Entry) -> Vec<Observation> {
        let tls = greeting.session.is_ok();
        let reopen = || self.reopen(address, tls);
        self.step(2, "logging in");
        let session = match self.log_in(entry, &reopen).await {
            Ok(session) => session,
            Err(trouble) => return self.unentered(&greeting, &trouble, address),
        };
        self.step(3, "reading settings and catalogues");
        let settings = Settings::read(&session).await;
        let answers = Answers::ask(&session, &settings).await;
        let mut seen = vec![self.transport(&greeting, &answers, address)];
        let (auth, cut) = auth::facts(&session, &settings, &answers.rules).await;
        let auth = self.complete("db.auth", &auth);
        seen.push(match cut {
            Some(trouble) => auth.partial(trouble),
            None => auth,
        });
        seen.push(match audit::facts(&settings) {
            Ok(audit) => self.complete("db.audit", &audit),
            Err(trouble) => self.failed("db.audit", &trouble),
        });
        seen.push(self.complete("db.at_rest", &rest::facts(&session, &settings).await));
        seen.push(match backup::ask(&session, &settings, self.now).await {
            Ok(backup) => self.complete("db.backup", &backup),
            Err(trouble) => self.failed("db.backup", &trouble),
        });
        seen.push(match files::ask(&session, &settings).await {
            Ok(files) => self.complete("db.files", &files),
            Err(trouble) => self.failed("db.files", &trouble),
        });
        // What was asked while the user stopped the run was not answered; what was complete before stays.
        if self.cx.cancel.is_cancelled() {
            session.close().await;
            let stopped = Trouble::new(Reason::Interrupted, "stopped by the user");
            return self.unentered(&greeting, &stopped, address);
        }
        self.step(4, "counting rows past their time");
        seen.extend(self.measure(&session).await);
        seen.push(self.persons(&session).await);
        session.close().await;
        seen
    }

    /// Measures what the retention schedule names for this store.
    async fn measure(&self, session: &Session<'_>) -> [Observation; 2] {
        let both = |trouble: &Trouble| ["data.inventory", "data.retention"].map(|kind| self.failed(kind, trouble));
        let Some(schedule) = &self.cx.documents.retention else {
            return both(&Trouble::new(Reason::Unsupported, "there is no retention schedule"));
        };
        let limit = Limit::new(self.cx.limits.target_time, "the counting of rows");
        let store = &self.target.id;
        let measured = session.bounded(limit, async {
            let inventory = retention::inventory(&session.client, schedule, store).await;
            (inventory, retention::measure(&session.client, schedule, store, self.now).await)
        });
        let (inventory, facts) = match measured.await {
            Ok(measured) => measured,
            Err(trouble) => return both(&trouble),
        };
        let inventory = match inventory {
            Ok((inventory, None)) => self.complete("data.inventory", &inventory),
            Ok((inventory, Some(cut))) => self.complete("data.inventory", &inventory).partial(cut),
            Err(trouble) => self.failed("data.inventory", &trouble),
        };
        [inventory, self.complete("data.retention", &facts).by(Method::Test)]
    }

    /// Looks for the persons whom the ledger of erasures and the export name.
    async fn persons(&self, session: &Session<'_>) -> Observation {
        let limit = Limit::new(self.cx.limits.target_time, "the look for persons");
        let wanted = match Wanted::of(self.cx) {
            Ok(wanted) => wanted,
            Err(trouble) => return self.failed("data.subjects", &trouble),
        };
        let finding = subjects::find(&session.client, &wanted, &self.target.id);
        match session.bounded(limit, finding).await {
            Ok(found) => self.complete("data.subjects", &found).by(Method::Test),
            Err(trouble) => self.failed("data.subjects", &trouble),
        }
    }

    async fn log_in<'s>(&'s self, entry: Entry, reopen: session::Reopen<'s>) -> Result<Session<'s>, Trouble> {
        let (stream, made) = entry?;
        let connection = &self.target.connection;
        if connection.user.is_none() {
            return Err(Trouble::new(Reason::AuthenticationFailed, "no user is given for this target"));
        }
        let password = match &connection.password {
            Some(reference) => Some(self.cx.secrets.read(reference).map_err(|why| {
                Trouble::new(Reason::AuthenticationFailed, format!("the password cannot be had: {why}"))
            })?),
            None => None,
        };
        let (user, database) = self.names();
        Session::open(self.cx, stream, made, Login { user: &user, database: &database, password }, reopen).await
    }

    /// A further channel to the same server, of the same kind.
    fn reopen(&self, address: SocketAddr, tls: bool) -> crate::net::Dialing<'_, (Box<dyn Stream>, Made)> {
        Box::pin(async move {
            // It carries the word that the server is to stop, also where the user has stopped the run.
            let cx = &CollectContext { cancel: CancellationToken::new(), ..self.cx.clone() };
            match greeting::ask_for_tls(cx, address).await? {
                Offer::Tls(stream) if tls => {
                    let settings = channel::Settings::of(self.target)?;
                    let channel = settings.handshake(cx, stream).await?;
                    match channel.distrust {
                        None => Ok((channel.stream, Made(channel.binding))),
                        Some(why) => Err(Trouble::new(Reason::HandshakeRejected, why)),
                    }
                }
                Offer::Plain(stream) if !tls => Ok((stream, Made(None))),
                _ => Err(Trouble::new(Reason::ProtocolViolation, "the server changed its mind about TLS")),
            }
        })
    }

    /// The user, and the database: the user's own name where none is given, as the server has it.
    fn names(&self) -> (String, String) {
        let user = self.target.connection.user.clone().unwrap_or_else(|| "probity".to_owned());
        let database = self.target.connection.database.clone().unwrap_or_else(|| user.clone());
        (user, database)
    }

    fn transport(&self, greeting: &Greeting, answers: &Answers, address: SocketAddr) -> Observation {
        let facts = transport::facts(greeting, answers);
        let mut exchanges = vec![Exchange {
            sent: format!("SSLRequest to {address}"),
            received: if greeting.offered { "S" } else { "N" }.to_owned(),
        }];
        exchanges.extend(facts.plaintext.first().map(|sign| Exchange {
            sent: format!("StartupMessage without TLS to {address}"),
            received: sign.yes.reason().unwrap_or(&sign.seen).to_owned(),
        }));
        self.complete("db.transport", &facts).by(Method::Test).with_transcript(exchanges)
    }

    fn complete<T: Serialize>(&self, kind: &str, facts: &T) -> Observation {
        Observation::complete(kind, &self.target.id, &self.part, "postgres", self.now, facts)
            .map(|observation| observation.by(Method::Examine))
            .unwrap_or_else(|_| self.failed(kind, &Trouble::new(Reason::Internal, "the facts have no JSON form")))
    }

    fn failed(&self, kind: &str, trouble: &Trouble) -> Observation {
        Observation::failed(kind, &self.target.id, &self.part, "postgres", self.now, trouble.clone())
    }

    fn step(&self, done: u32, step: &str) {
        self.cx.progress.step(&self.target.id, &self.part, done, 5, step);
    }
}

/// A connection in clear may have a password only where it does not leave this machine.
fn plain_entry(address: SocketAddr, stream: Box<dyn Stream>) -> Entry {
    if address.ip().to_canonical().is_loopback() {
        Ok((stream, Made(None)))
    } else {
        Err(Trouble::new(
            Reason::Unsupported,
            "the password was not sent, since the server offers no TLS and is on another machine",
        ))
    }
}
