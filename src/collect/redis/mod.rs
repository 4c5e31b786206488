//! The collector of servers of Redis and Valkey.
//!
//! The port is tried with TLS and with a PING in clear, without credentials. Then one login reads settings, INFO and the
//! list of accounts: by commands that read, and none of which slows a server down. Keys are walked over by [`keys`] alone,
//! as the retention schedule says.

mod accounts;
mod auth;
pub mod keys;
mod rest;
mod session;
mod settings;
mod transport;

use crate::collect::direct::{self, Entry, Meeting, Told};
use crate::collect::server::{Greeted, Look, Server};
use crate::model::target::Engine;
use crate::model::{Fact, Method, Observation, Reason, Target, TargetKind, Trouble};
use session::Session;
use settings::{Info, Settings};
use std::net::SocketAddr;

/// The rights of an account that looks, as `ACL SETUSER` takes them.
pub const RIGHTS: &str =
    "-@all +ping +info +config|get +acl|list +client|list +time +select +scan +ttl +object|idletime ~*";

/// Looks at servers of Redis and Valkey.
#[derive(Default)]
pub struct Redis {
    /// How much a walk over keys may cost.
    pub effort: keys::Effort,
}

impl Server for Redis {
    type Greeting = Meeting;
    type Entry = Entry;
    const ID: &'static str = "redis";
    const YIELDS: &'static [&'static str] =
        &["data.inventory", "data.retention", "db.at_rest", "db.audit", "db.auth", "db.backup", "db.transport"];

    fn is_of(target: &Target) -> bool {
        target.kind == TargetKind::Database && matches!(target.engine, Some(Engine::Redis | Engine::Valkey))
    }

    async fn greet(&self, look: &Look<'_>, address: SocketAddr) -> Greeted<Meeting, Entry> {
        direct::meet(look, address, &|stream| Box::pin(session::knock(stream))).await
    }

    fn unentered(&self, look: &Look<'_>, greeting: &Meeting, why: &Trouble, address: SocketAddr) -> Observation {
        direct::transport(look, greeting, Told::nothing(why, transport::RULE), address)
    }

    async fn enter(
        &self,
        look: &Look<'_>,
        address: SocketAddr,
        greeting: &Meeting,
        entry: Entry,
    ) -> Result<Vec<Observation>, Trouble> {
        look.step(2, "logging in");
        let connection = &look.target.connection;
        let session = Session::open(look.cx, entry, connection.user.as_deref(), look.password()?).await?;
        look.step(3, "reading settings and accounts");
        let settings = Settings::read(&session).await;
        let info = Info::read(&session).await;
        let accounts = accounts::read(&session).await;
        let told = transport::ask(&session, &settings, &info).await;
        let mut seen = vec![
            direct::transport(look, greeting, told, address),
            look.complete("db.auth", &auth::facts(&session, &settings, &accounts, &greeting.plain)),
            look.told("db.at_rest", &rest::at_rest(&settings, &info)),
            look.told("db.audit", &rest::audit(&settings, &info)),
            look.told("db.backup", &rest::backup(&settings, &info, look.now)),
            look.failed(
                "data.inventory",
                &Trouble::new(Reason::Unsupported, "keys have no columns whose names would tell what they hold"),
            ),
        ];
        // What was asked while the user stopped the run was not answered.
        look.going_on()?;
        look.step(4, "walking over keys");
        seen.push(self.measure(look, &session, &info).await);
        session.close().await;
        Ok(seen)
    }

    async fn leave(&self, _: Entry) {}
}

impl Redis {
    /// Measures what the retention schedule names for this store.
    async fn measure(&self, look: &Look<'_>, session: &Session<'_>, info: &Result<Info, Trouble>) -> Observation {
        const KIND: &str = "data.retention";
        let Some(schedule) = &look.cx.documents.retention else {
            return look.failed(KIND, &Trouble::new(Reason::Unsupported, "there is no retention schedule"));
        };
        if let Some(database) = look.target.connection.database.as_deref()
            && let Err(trouble) = session.value(vec![b"SELECT", database.as_bytes()], "SELECT").await
        {
            return look.failed(KIND, &trouble);
        }
        let version = match info {
            Ok(info) => info.version(),
            Err(trouble) => Fact::unknown(trouble.to_string()),
        };
        // A server of a cluster has a part of the keys; where it is not told, that is taken for granted.
        let clustered = info.as_ref().ok().and_then(|info| info.get("cluster_enabled")) != Some("0");
        let at = (look.target.id.as_str(), look.now);
        let measuring = keys::measure(session, schedule, at, self.effort, (version, clustered));
        match tokio::time::timeout(look.cx.limits.target_time, measuring).await {
            Ok(facts) => match look.going_on() {
                Ok(()) => look.complete(KIND, &facts).by(Method::Test),
                Err(trouble) => look.failed(KIND, &trouble),
            },
            Err(_) => {
                look.failed(KIND, &Trouble::new(Reason::TimedOut, "the walk over keys took longer than a target may"))
            }
        }
    }
}
