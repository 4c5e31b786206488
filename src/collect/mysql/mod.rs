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

use crate::collect::CollectContext;
use crate::collect::channel;
use crate::collect::limit::{self, Limit};
use crate::collect::server::{Greeted, Look, Server, distrusted, may_go_in_clear};
use crate::collect::traces::Wanted;
use crate::model::target::Engine;
use crate::model::{Exchange, Method, Observation, Reason, Target, TargetKind, Trouble};
use crate::net::Dialing;
use connection::Connection;
use greeting::Offer;
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

impl Server for Mysql {
    type Greeting = Greeting;
    type Entry = Entry;
    const ID: &'static str = "mysql";
    const YIELDS: &'static [&'static str] = &[
        "data.inventory",
        "data.retention",
        "data.subjects",
        "db.at_rest",
        "db.audit",
        "db.auth",
        "db.backup",
        "db.transport",
    ];

    fn is_of(target: &Target) -> bool {
        target.kind == TargetKind::Database && target.engine.is_some_and(Engine::speaks_mysql)
    }

    async fn greet(&self, look: &Look<'_>, address: SocketAddr) -> Greeted<Greeting, Entry> {
        let (mut greeting, entry) = arrive(look, address).await?;
        look.step(1, "trying a login without TLS");
        greeting.plain = greeting::try_plaintext(look.cx, address, user(look)).await;
        Ok((greeting, entry))
    }

    fn unentered(&self, look: &Look<'_>, greeting: &Greeting, why: &Trouble, address: SocketAddr) -> Observation {
        transport(look, greeting, &Answers::none(why), address)
    }

    async fn enter(
        &self,
        look: &Look<'_>,
        address: SocketAddr,
        greeting: &Greeting,
        entry: Entry,
    ) -> Result<Vec<Observation>, Trouble> {
        let tls = greeting.session.is_ok();
        let reopen = || reopen(look, address, tls);
        look.step(2, "logging in");
        let session = log_in(look, entry, &reopen).await?;
        look.step(3, "reading settings and the server's own tables");
        let settings = Settings::read(&session).await;
        let accounts = accounts::read(&session).await;
        let answers = Answers::ask(&session, &settings, &accounts).await;
        let mut seen = vec![transport(look, greeting, &answers, address)];
        let (auth, cut) = auth::facts(&session, &settings, &accounts).await;
        let auth = look.complete("db.auth", &auth);
        seen.push(match cut {
            Some(trouble) => auth.partial(trouble),
            None => auth,
        });
        seen.push(look.told("db.audit", &audit::facts(&session, &settings).await));
        seen.push(look.complete("db.at_rest", &rest::facts(&session, &settings).await));
        seen.push(look.complete("db.backup", &backup::ask(&session, look.now).await));
        // What was asked while the user stopped the run was not answered.
        if let Err(stopped) = look.going_on() {
            session.close().await;
            return Err(stopped);
        }
        look.step(4, "counting rows past their time");
        seen.extend(self.measure(look, &session, &settings).await);
        seen.push(self.persons(look, &session, &settings).await);
        session.close().await;
        Ok(seen)
    }

    async fn leave(&self, entry: Entry) {
        entry.connection.hang_up().await;
    }
}

impl Mysql {
    /// Measures what the retention schedule names for this store.
    async fn measure(
        &self,
        look: &Look<'_>,
        session: &Session<'_>,
        settings: &Result<Settings, Trouble>,
    ) -> [Observation; 2] {
        let both = |trouble: &Trouble| ["data.inventory", "data.retention"].map(|kind| look.failed(kind, trouble));
        let Some(schedule) = &look.cx.documents.retention else {
            return both(&Trouble::new(Reason::Unsupported, "there is no retention schedule"));
        };
        let store = &look.target.id;
        let default_schema = look.target.connection.database.as_deref().unwrap_or_default();
        let whole = tokio::time::timeout(look.cx.limits.target_time, async {
            let inventory = retention::inventory(session, settings, schedule, (store, default_schema)).await;
            let place = retention::Place { store, default_schema, as_of: look.now };
            (inventory, retention::measure(session, settings, schedule, place, self.effort).await)
        });
        let (inventory, facts) = match whole.await {
            Ok(measured) => measured,
            Err(_) => {
                session.abandon().await;
                return both(&Trouble::new(Reason::TimedOut, "the counting of rows took longer than a target may"));
            }
        };
        if look.cx.cancel.is_cancelled() {
            return both(&Trouble::new(Reason::Interrupted, "stopped by the user"));
        }
        let inventory = match inventory {
            Ok((inventory, None)) => look.complete("data.inventory", &inventory),
            Ok((inventory, Some(cut))) => look.complete("data.inventory", &inventory).partial(cut),
            Err(trouble) => look.failed("data.inventory", &trouble),
        };
        [inventory, look.complete("data.retention", &facts).by(Method::Test)]
    }

    /// Looks for the persons whom the ledger of erasures and the export name.
    async fn persons(
        &self,
        look: &Look<'_>,
        session: &Session<'_>,
        settings: &Result<Settings, Trouble>,
    ) -> Observation {
        let wanted = match Wanted::of(look.cx) {
            Ok(wanted) => wanted,
            Err(trouble) => return look.failed("data.subjects", &trouble),
        };
        let default_schema = look.target.connection.database.as_deref().unwrap_or_default();
        let place = (look.target.id.as_str(), default_schema);
        let finding = subjects::find(session, settings, &wanted, place, self.effort);
        let failed = |reason, words: &str| look.failed("data.subjects", &Trouble::new(reason, words));
        match tokio::time::timeout(look.cx.limits.target_time, finding).await {
            Ok(_) if look.cx.cancel.is_cancelled() => failed(Reason::Interrupted, "stopped by the user"),
            Ok(found) => look.complete("data.subjects", &found).by(Method::Test),
            Err(_) => {
                session.abandon().await;
                failed(Reason::TimedOut, "the look for persons took longer than a target may")
            }
        }
    }
}

/// Makes a channel to an address.
async fn arrive(look: &Look<'_>, address: SocketAddr) -> Greeted<Greeting, Entry> {
    look.step(0, "asking for TLS");
    let limit = Limit::new(look.cx.limits.target_time, "the greeting");
    let offer = limit::run(look.cx, limit, greeting::open(look.cx, address)).await??;
    Ok(meet(look.target, look.cx, address, offer).await)
}

/// Makes the channel that the server offers, and says whether it may have the password.
async fn meet(
    target: &Target,
    cx: &CollectContext,
    address: SocketAddr,
    offer: Offer,
) -> (Greeting, Result<Entry, Trouble>) {
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
            let entry = may_go_in_clear(address).map(|()| Entry { connection, greeting, tls: false });
            return (facts, entry);
        }
    };
    let channel = match channel::Settings::of(target) {
        Ok(settings) => settings.handshake(cx, stream).await,
        Err(trouble) => Err(trouble),
    };
    match channel {
        Ok(channel) => {
            let facts = of(&greeting.version, true, Ok(channel.session), channel.distrust.clone());
            let entry = match channel.distrust {
                None => Ok(Entry { connection: Connection::inside(channel.stream), greeting, tls: true }),
                Some(why) => Err(distrusted(&why)),
            };
            (facts, entry)
        }
        Err(trouble) => (of(&greeting.version, true, Err(trouble.clone()), None), Err(trouble)),
    }
}

async fn log_in<'s>(look: &'s Look<'_>, entry: Entry, reopen: session::Reopen<'s>) -> Result<Session<'s>, Trouble> {
    look.user()?;
    Session::open(look.cx, entry, user(look), look.password()?, reopen).await
}

/// A further connection to the same server, of the same kind.
fn reopen<'a>(look: &'a Look<'_>, address: SocketAddr, tls: bool) -> Dialing<'a, Entry> {
    Box::pin(async move {
        // It carries the word that the server is to stop, also where the user has stopped the run.
        let cx = &CollectContext { cancel: CancellationToken::new(), ..look.cx.clone() };
        let offer = greeting::open(cx, address).await?;
        let entry = meet(look.target, cx, address, offer).await.1?;
        match entry.tls == tls {
            true => Ok(entry),
            false => Err(Trouble::new(Reason::ProtocolViolation, "the server changed its mind about TLS")),
        }
    })
}

fn user<'a>(look: &Look<'a>) -> &'a str {
    look.target.connection.user.as_deref().unwrap_or("probity")
}

fn transport(look: &Look<'_>, greeting: &Greeting, answers: &Answers, address: SocketAddr) -> Observation {
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
    look.complete("db.transport", &facts).by(Method::Test).with_transcript(exchanges)
}
