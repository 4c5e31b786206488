//! The collector of servers of ClickHouse, by their HTTP interface.
//!
//! The port is tried with TLS and with a query in clear, without credentials. Then one login reads ports, accounts, disks
//! and logs, by queries of tables of the system.

mod auth;
mod rest;
mod session;
mod transport;

use crate::collect::direct::{self, Entry, Meeting, Told};
use crate::collect::server::{Greeted, Look, Server};
use crate::model::target::Engine;
use crate::model::{Observation, Reason, Target, TargetKind, Trouble};
use session::Session;
use std::net::SocketAddr;

/// The rights of an account that looks.
pub const RIGHTS: [&str; 3] = [
    "SHOW TABLES, SHOW ACCESS ON *.*",
    "SELECT(event_time) ON system.query_log",
    "SELECT(event_time) ON system.session_log",
];

/// Looks at servers of ClickHouse.
pub struct Clickhouse;

impl Server for Clickhouse {
    type Greeting = Meeting;
    type Entry = Entry;
    const ID: &'static str = "clickhouse";
    const YIELDS: &'static [&'static str] =
        &["data.inventory", "data.retention", "db.at_rest", "db.audit", "db.auth", "db.backup", "db.transport"];

    fn is_of(target: &Target) -> bool {
        target.kind == TargetKind::Database && target.engine == Some(Engine::Clickhouse)
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
        let user = connection.user.as_deref();
        let session = Session::open(look.cx, entry, &connection.host, user, look.password()?).await?;
        look.step(3, "reading ports, accounts, disks and logs");
        let unmeasured = Trouble::new(
            Reason::Unsupported,
            "the data in ClickHouse are not looked at, only how the server is set up",
        );
        let told = transport::ask(&session).await;
        let seen = vec![
            direct::transport(look, greeting, told, address),
            look.complete("db.auth", &auth::ask(&session).await),
            look.told("db.at_rest", &rest::at_rest(&session).await),
            look.told("db.audit", &rest::audit(&session, look.now).await),
            look.told("db.backup", &rest::backup(&session, look.now).await),
            look.failed("data.inventory", &unmeasured),
            look.failed("data.retention", &unmeasured),
        ];
        // What was asked while the user stopped the run was not answered.
        look.going_on()?;
        Ok(seen)
    }

    async fn leave(&self, _: Entry) {}
}
