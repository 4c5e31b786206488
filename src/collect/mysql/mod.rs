//! The collector of MySQL and MariaDB servers, and of what is made from them.
//!
//! It looks at the greeting first, without credentials: is TLS offered, whose is the certificate, does the server go
//! on with a login in clear. Then it logs in once, over a channel that may have the password, and reads settings and
//! the server's own tables. The protocol is spoken by our own hand (`wire::mysql`), so that every connection goes through
//! the budget of the run and every byte within bounds. Each address of a name is an item of its own; the login is made
//! at the first that answers. Rows of a user's table are counted by [`retention`] alone, as the user's schedule says.

mod accounts;
mod audit;
mod auth;
mod backup;
mod canary;
mod connection;
mod expiry;
mod greeting;
mod plan;
mod proof;
mod rest;
pub mod retention;
mod rights;
mod session;
mod settings;
mod spaces;
pub mod subjects;
mod table;
mod transport;

use crate::collect::channel;
use crate::collect::limit::{self, Limit};
use crate::collect::traces::Wanted;
use crate::collect::{CollectContext, Collecting, Collector, Job};
use crate::model::target::Engine;
use crate::model::{Exchange, Method, Observation, Reason, Target, TargetKind, Trouble};
use connection::Connection;
use greeting::Offer;
use jiff::Timestamp;
use serde::Serialize;
use session::{Entry, Session};
use settings::Settings;
use std::net::SocketAddr;
use tokio_util::sync::CancellationToken;
use transport::{Answers, Greeting};

pub use canary::prove;
pub use rights::grants;

/// Looks at servers of MySQL and MariaDB.
#[derive(Default)]
pub struct Mysql {
    /// How much a measuring of rows may cost.
    pub effort: retention::Effort,
}

const ID: &str = "mysql";
const YIELDS: &[&str] = &[
    "data.inventory",
    "data.retention",
    "data.subjects",
    "db.at_rest",
    "db.audit",
    "db.auth",
    "db.backup",
    "db.transport",
];
/// The kinds that need a login.
const INSIDE: [&str; 7] =
    ["db.auth", "db.audit", "db.at_rest", "db.backup", "data.inventory", "data.retention", "data.subjects"];

impl Collector for Mysql {
    fn id(&self) -> &'static str {
        ID
    }

    fn accepts(&self, target: &Target) -> bool {
        target.kind == TargetKind::Database && target.engine.is_some_and(Engine::speaks_mysql)
    }

    fn yields(&self) -> &'static [&'static str] {
        YIELDS
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
                effort: self.effort,
            };
            if all.is_empty() {
                let none = Trouble::new(Reason::Unreachable, "the host has no address");
                return Look { target: &job.target, part: String::new(), cx, now, effort: self.effort }
                    .all_failed(&none);
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
    effort: retention::Effort,
}

impl Look<'_> {
    /// Makes a channel to an address.
    async fn arrive(&self, address: SocketAddr) -> Result<(Greeting, Result<Entry, Trouble>), Trouble> {
        self.step(0, "asking for TLS");
        let limit = Limit::new(self.cx.limits.target_time, "the greeting");
        let offer = limit::run(self.cx, limit, greeting::open(self.cx, address)).await??;
        Ok(self.meet(self.cx, address, offer).await)
    }

    /// Looks at what an address shows to everybody.
    async fn greet(&self, address: SocketAddr) -> Result<(Greeting, Result<Entry, Trouble>), Trouble> {
        let (mut greeting, entry) = self.arrive(address).await?;
        self.step(1, "trying a login without TLS");
        greeting.plain = greeting::try_plaintext(self.cx, address, self.user()).await;
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
            Ok((greeting, entry)) => {
                if let Ok(entry) = entry {
                    entry.connection.hang_up().await;
                }
                self.unentered(&greeting, &trouble, address)
            }
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
        YIELDS.iter().map(|kind| self.failed(kind, trouble)).collect()
    }

    /// Makes the channel that the server offers, and says whether it may have the password.
    async fn meet(&self, cx: &CollectContext, address: SocketAddr, offer: Offer) -> (Greeting, Result<Entry, Trouble>) {
        let untried = || Err(Trouble::new(Reason::Internal, "not tried"));
        let of = |version: &str, offered, session, distrust| Greeting {
            version: version.to_owned(),
            offered,
            session,
            distrust,
            plain: untried(),
        };
        let (stream, greeting) = match offer {
            Offer::Tls(stream, greeting) => (stream, greeting),
            Offer::Plain(connection, greeting) => {
                let none = Trouble::new(Reason::Unsupported, "the server offers no TLS");
                let facts = of(&greeting.version, false, Err(none), None);
                return (facts, plain_entry(address, Entry { connection, greeting, tls: false }));
            }
        };
        let channel = match channel::Settings::of(self.target) {
            Ok(settings) => settings.handshake(cx, stream).await,
            Err(trouble) => Err(trouble),
        };
        match channel {
            Ok(channel) => {
                let facts = of(&greeting.version, true, Ok(channel.session), channel.distrust.clone());
                let entry = match channel.distrust {
                    None => Ok(Entry { connection: Connection::inside(channel.stream), greeting, tls: true }),
                    Some(why) => Err(Trouble::new(
                        Reason::HandshakeRejected,
                        format!("the password was not sent, since the server is not known to be the right one: {why}"),
                    )),
                };
                (facts, entry)
            }
            Err(trouble) => (of(&greeting.version, true, Err(trouble.clone()), None), Err(trouble)),
        }
    }

    /// Logs in and reads what the server tells; without a login, what the greeting showed remains.
    async fn enter(&self, address: SocketAddr, greeting: Greeting, entry: Result<Entry, Trouble>) -> Vec<Observation> {
        let tls = greeting.session.is_ok();
        let reopen = || self.reopen(address, tls);
        self.step(2, "logging in");
        let session = match self.log_in(entry, &reopen).await {
            Ok(session) => session,
            Err(trouble) => return self.unentered(&greeting, &trouble, address),
        };
        self.step(3, "reading settings and the server's own tables");
        let settings = Settings::read(&session).await;
        let accounts = accounts::read(&session).await;
        let answers = Answers::ask(&session, &settings, &accounts).await;
        let mut seen = vec![self.transport(&greeting, &answers, address)];
        let (auth, cut) = auth::facts(&session, &settings, &accounts).await;
        let auth = self.complete("db.auth", &auth);
        seen.push(match cut {
            Some(trouble) => auth.partial(trouble),
            None => auth,
        });
        seen.push(match audit::facts(&session, &settings).await {
            Ok(audit) => self.complete("db.audit", &audit),
            Err(trouble) => self.failed("db.audit", &trouble),
        });
        seen.push(self.complete("db.at_rest", &rest::facts(&session, &settings).await));
        seen.push(self.complete("db.backup", &backup::ask(&session, self.now).await));
        // What was asked while the user stopped the run was not answered; what was complete before stays.
        if self.cx.cancel.is_cancelled() {
            session.close().await;
            let stopped = Trouble::new(Reason::Interrupted, "stopped by the user");
            return self.unentered(&greeting, &stopped, address);
        }
        self.step(4, "counting rows past their time");
        seen.extend(self.measure(&session, &settings).await);
        seen.push(self.persons(&session, &settings).await);
        session.close().await;
        seen
    }

    /// Measures what the retention schedule names for this store.
    async fn measure(&self, session: &Session<'_>, settings: &Result<Settings, Trouble>) -> [Observation; 2] {
        let both = |trouble: &Trouble| ["data.inventory", "data.retention"].map(|kind| self.failed(kind, trouble));
        let Some(schedule) = &self.cx.documents.retention else {
            return both(&Trouble::new(Reason::Unsupported, "there is no retention schedule"));
        };
        let store = &self.target.id;
        let default_schema = self.target.connection.database.as_deref().unwrap_or_default();
        let whole = tokio::time::timeout(self.cx.limits.target_time, async {
            let inventory = retention::inventory(session, settings, schedule, (store, default_schema)).await;
            let place = retention::Place { store, default_schema, as_of: self.now };
            (inventory, retention::measure(session, settings, schedule, place, self.effort).await)
        });
        let (inventory, facts) = match whole.await {
            Ok(measured) => measured,
            Err(_) => {
                session.abandon().await;
                return both(&Trouble::new(Reason::TimedOut, "the counting of rows took longer than a target may"));
            }
        };
        if self.cx.cancel.is_cancelled() {
            return both(&Trouble::new(Reason::Interrupted, "stopped by the user"));
        }
        let inventory = match inventory {
            Ok((inventory, None)) => self.complete("data.inventory", &inventory),
            Ok((inventory, Some(cut))) => self.complete("data.inventory", &inventory).partial(cut),
            Err(trouble) => self.failed("data.inventory", &trouble),
        };
        [inventory, self.complete("data.retention", &facts).by(Method::Test)]
    }

    /// Looks for the persons whom the ledger of erasures and the export name.
    async fn persons(&self, session: &Session<'_>, settings: &Result<Settings, Trouble>) -> Observation {
        let wanted = match Wanted::of(self.cx) {
            Ok(wanted) => wanted,
            Err(trouble) => return self.failed("data.subjects", &trouble),
        };
        let default_schema = self.target.connection.database.as_deref().unwrap_or_default();
        let place = (self.target.id.as_str(), default_schema);
        let finding = subjects::find(session, settings, &wanted, place, self.effort);
        let failed = |reason, words: &str| self.failed("data.subjects", &Trouble::new(reason, words));
        match tokio::time::timeout(self.cx.limits.target_time, finding).await {
            Ok(_) if self.cx.cancel.is_cancelled() => failed(Reason::Interrupted, "stopped by the user"),
            Ok(found) => self.complete("data.subjects", &found).by(Method::Test),
            Err(_) => {
                session.abandon().await;
                failed(Reason::TimedOut, "the look for persons took longer than a target may")
            }
        }
    }

    async fn log_in<'s>(
        &'s self,
        entry: Result<Entry, Trouble>,
        reopen: session::Reopen<'s>,
    ) -> Result<Session<'s>, Trouble> {
        let entry = entry?;
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
        Session::open(self.cx, entry, self.user(), password, reopen).await
    }

    /// A further connection to the same server, of the same kind.
    fn reopen(&self, address: SocketAddr, tls: bool) -> crate::net::Dialing<'_, Entry> {
        Box::pin(async move {
            // It carries the word that the server is to stop, also where the user has stopped the run.
            let cx = &CollectContext { cancel: CancellationToken::new(), ..self.cx.clone() };
            let offer = greeting::open(cx, address).await?;
            let entry = self.meet(cx, address, offer).await.1?;
            match entry.tls == tls {
                true => Ok(entry),
                false => Err(Trouble::new(Reason::ProtocolViolation, "the server changed its mind about TLS")),
            }
        })
    }

    fn user(&self) -> &str {
        self.target.connection.user.as_deref().unwrap_or("probity")
    }

    fn transport(&self, greeting: &Greeting, answers: &Answers, address: SocketAddr) -> Observation {
        let facts = transport::facts(greeting, answers);
        let version: String = greeting.version.chars().filter(|letter| !letter.is_control()).take(100).collect();
        let offer = if greeting.offered { "with" } else { "without" };
        let mut exchanges = vec![Exchange {
            sent: format!("connection to {address}"),
            received: format!("greeting of {version}, {offer} CLIENT_SSL"),
        }];
        exchanges.extend(facts.plaintext.first().map(|sign| Exchange {
            sent: format!("HandshakeResponse without TLS and without a proof to {address}"),
            received: sign.yes.reason().unwrap_or(&sign.seen).to_owned(),
        }));
        self.complete("db.transport", &facts).by(Method::Test).with_transcript(exchanges)
    }

    fn complete<T: Serialize>(&self, kind: &str, facts: &T) -> Observation {
        Observation::complete(kind, &self.target.id, &self.part, ID, self.now, facts)
            .map(|observation| observation.by(Method::Examine))
            .unwrap_or_else(|_| self.failed(kind, &Trouble::new(Reason::Internal, "the facts have no JSON form")))
    }

    fn failed(&self, kind: &str, trouble: &Trouble) -> Observation {
        Observation::failed(kind, &self.target.id, &self.part, ID, self.now, trouble.clone())
    }

    fn step(&self, done: u32, step: &str) {
        self.cx.progress.step(&self.target.id, &self.part, done, 5, step);
    }
}

/// A connection in clear may have a proof only where it does not leave this machine.
fn plain_entry(address: SocketAddr, entry: Entry) -> Result<Entry, Trouble> {
    match address.ip().to_canonical().is_loopback() {
        true => Ok(entry),
        false => Err(Trouble::new(
            Reason::Unsupported,
            "the password was not sent, since the server offers no TLS and is on another machine",
        )),
    }
}
