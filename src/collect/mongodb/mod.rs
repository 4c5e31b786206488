//! The collector of servers of MongoDB.
//!
//! The port is tried with TLS and with a question in clear, without credentials. Then one login reads options, state and
//! accounts, by commands that read and for whose work the server has a limit.

mod accounts;
mod auth;
mod rest;
mod scram;
mod session;
mod settings;
mod transport;

use crate::collect::direct::{self, Entry, Meeting, Told};
use crate::collect::server::{Greeted, Look, Server};
use crate::model::target::Engine;
use crate::model::{Observation, Reason, Target, TargetKind, Trouble};
use session::Session;
use settings::Settings;
use std::net::SocketAddr;

/// The role of an account that looks, for a shell of the database `admin`.
pub const ROLE: &str = r#"db.createRole({ role: "audit", roles: ["clusterMonitor"],
  privileges: [{ resource: { db: "", collection: "" }, actions: ["viewUser", "viewRole"] }] })"#;

/// Looks at servers of MongoDB.
pub struct Mongodb;

impl Server for Mongodb {
    type Greeting = Meeting;
    type Entry = Entry;
    const ID: &'static str = "mongodb";
    const YIELDS: &'static [&'static str] =
        &["data.inventory", "data.retention", "db.at_rest", "db.audit", "db.auth", "db.backup", "db.transport"];

    fn is_of(target: &Target) -> bool {
        target.kind == TargetKind::Database && target.engine == Some(Engine::Mongodb)
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
        look.step(3, "reading options, state and accounts");
        let settings = Settings::read(&session).await;
        let accounts = accounts::read(&session).await;
        let unmeasured =
            Trouble::new(Reason::Unsupported, "the data in MongoDB are not looked at, only how the server is set up");
        let seen = vec![
            direct::transport(look, greeting, transport::facts(&settings), address),
            look.complete("db.auth", &auth::facts(&settings, &accounts, &session.open)),
            look.told("db.at_rest", &rest::at_rest(&settings)),
            look.told("db.audit", &rest::audit(&settings)),
            look.complete("db.backup", &rest::backup()),
            look.failed("data.inventory", &unmeasured),
            look.failed("data.retention", &unmeasured),
        ];
        session.close().await;
        // What was asked while the user stopped the run was not answered.
        look.going_on()?;
        Ok(seen)
    }

    async fn leave(&self, _: Entry) {}
}
