//! The order in which every server of databases is looked at.
//!
//! First each address is greeted without credentials; then one login is made, at the first that answers, since that the
//! others lead to the same data is not known. What cannot be had fails with its reason, kind by kind.

use super::{CollectContext, Collecting, Collector, Job, Secret};
use crate::model::{Method, Observation, Reason, Target, Trouble};
use jiff::Timestamp;
use serde::Serialize;
use std::future::Future;
use std::net::SocketAddr;

/// The kind that a greeting alone gives.
const TRANSPORT: &str = "db.transport";

/// What everybody is shown, and a connection that may have the password, or why there is none.
pub type Greeted<G, E> = Result<(G, Result<E, Trouble>), Trouble>;

/// A kind of server: how it is greeted, and what it is asked.
pub trait Server: Send + Sync {
    /// What everybody is shown.
    type Greeting: Send + Sync;
    /// A connection over which a password may be sent.
    type Entry: Send;
    /// The collector's id.
    const ID: &'static str;
    /// The kinds that it records, `db.transport` among them.
    const YIELDS: &'static [&'static str];

    /// Whether the target is of this kind.
    fn is_of(target: &Target) -> bool;

    /// Looks at what an address shows to everybody, and makes a connection that may have the password.
    fn greet(
        &self,
        look: &Look<'_>,
        address: SocketAddr,
    ) -> impl Future<Output = Greeted<Self::Greeting, Self::Entry>> + Send;

    /// What the greeting shows, where nobody logged in for this reason.
    fn unentered(&self, look: &Look<'_>, greeting: &Self::Greeting, why: &Trouble, address: SocketAddr) -> Observation;

    /// Logs in and reads what the server tells: every kind, `db.transport` included.
    ///
    /// # Errors
    /// Where nobody could log in, with the greeting.
    fn enter(
        &self,
        look: &Look<'_>,
        address: SocketAddr,
        greeting: &Self::Greeting,
        entry: Self::Entry,
    ) -> impl Future<Output = Result<Vec<Observation>, Trouble>> + Send;

    /// Gives a connection up that nobody logs in over.
    fn leave(&self, entry: Self::Entry) -> impl Future<Output = ()> + Send;
}

impl<S: Server> Collector for S {
    fn id(&self) -> &'static str {
        S::ID
    }

    fn accepts(&self, target: &Target) -> bool {
        S::is_of(target)
    }

    fn yields(&self) -> &'static [&'static str] {
        S::YIELDS
    }

    fn collect<'a>(&'a self, job: &'a Job, cx: &'a CollectContext) -> Collecting<'a> {
        Box::pin(look(self, job, cx))
    }
}

/// Looks at every address of a server.
async fn look<S: Server>(server: &S, job: &Job, cx: &CollectContext) -> Vec<Observation> {
    let all = &job.addresses;
    let now = cx.clock.now();
    let look_at = |address: &SocketAddr| Look {
        // The only address of a name needs no part of its own.
        part: if all.len() > 1 { address.to_string() } else { String::new() },
        now,
        ..Look::of::<S>(&job.target, cx)
    };
    if all.is_empty() {
        return Look::of::<S>(&job.target, cx)
            .all_failed(&Trouble::new(Reason::Unreachable, "the host has no address"));
    }
    let mut seen = Vec::new();
    let mut rest = all.iter();
    let mut entered = None;
    for address in rest.by_ref() {
        let look = look_at(address);
        match server.greet(&look, *address).await {
            Ok((greeting, entry)) => {
                let inside = match entry {
                    Ok(entry) => server.enter(&look, *address, &greeting, entry).await,
                    Err(trouble) => Err(trouble),
                };
                seen.extend(inside.unwrap_or_else(|trouble| without(server, &look, &greeting, &trouble, *address)));
                entered = Some(address);
                break;
            }
            Err(trouble) => seen.extend(look.all_failed(&trouble)),
        }
    }
    if let Some(entered) = entered {
        let others = rest.map(|address| {
            let look = look_at(address);
            async move { outside(server, &look, *address, *entered).await }
        });
        seen.extend(futures_util::future::join_all(others).await.into_iter().flatten());
    }
    seen
}

/// Looks at a further address of the name without a login.
async fn outside<S: Server>(server: &S, look: &Look<'_>, address: SocketAddr, entered: SocketAddr) -> Vec<Observation> {
    let trouble = Trouble::new(
        Reason::Unsupported,
        format!(
            "the login was made at {entered} alone, and whether this address leads to the same server is not known; \
             give each address as a target of its own"
        ),
    );
    match server.greet(look, address).await {
        Ok((greeting, entry)) => {
            if let Ok(entry) = entry {
                server.leave(entry).await;
            }
            without(server, look, &greeting, &trouble, address)
        }
        Err(trouble) => look.all_failed(&trouble),
    }
}

/// What the greeting showed, and nothing of what needs a login.
fn without<S: Server>(
    server: &S,
    look: &Look<'_>,
    greeting: &S::Greeting,
    trouble: &Trouble,
    address: SocketAddr,
) -> Vec<Observation> {
    let mut seen = vec![server.unentered(look, greeting, trouble, address)];
    let inside = look.yields.iter().filter(|kind| **kind != TRANSPORT);
    seen.extend(inside.map(|kind| look.failed(kind, trouble)));
    seen
}

/// One look at one address of a server.
pub struct Look<'a> {
    /// What is looked at.
    pub target: &'a Target,
    /// Clock, network and limits.
    pub cx: &'a CollectContext,
    /// The instant of the look.
    pub now: Timestamp,
    id: &'static str,
    yields: &'static [&'static str],
    /// The address, where the name has several.
    part: String,
}

impl<'a> Look<'a> {
    /// A look at a server of which one address is looked at.
    pub fn of<S: Server>(target: &'a Target, cx: &'a CollectContext) -> Look<'a> {
        Look { target, cx, now: cx.clock.now(), id: S::ID, yields: S::YIELDS, part: String::new() }
    }
}

impl Look<'_> {
    /// Facts of a kind.
    pub fn complete<T: Serialize>(&self, kind: &str, facts: &T) -> Observation {
        Observation::complete(kind, &self.target.id, &self.part, self.id, self.now, facts)
            .map(|observation| observation.by(Method::Examine))
            .unwrap_or_else(|_| self.failed(kind, &Trouble::new(Reason::Internal, "the facts have no JSON form")))
    }

    /// Facts of a kind, or why there are none.
    pub fn told<T: Serialize>(&self, kind: &str, facts: &Result<T, Trouble>) -> Observation {
        match facts {
            Ok(facts) => self.complete(kind, facts),
            Err(trouble) => self.failed(kind, trouble),
        }
    }

    /// Why there are no facts of a kind.
    pub fn failed(&self, kind: &str, trouble: &Trouble) -> Observation {
        Observation::failed(kind, &self.target.id, &self.part, self.id, self.now, trouble.clone())
    }

    fn all_failed(&self, trouble: &Trouble) -> Vec<Observation> {
        self.yields.iter().map(|kind| self.failed(kind, trouble)).collect()
    }

    /// The name of what is looked at, for people.
    pub fn engine(&self) -> &'static str {
        self.target.engine.map_or("databases", crate::model::target::Engine::name)
    }

    /// Tells which step this is.
    pub fn step(&self, done: u32, step: &str) {
        self.cx.progress.step(&self.target.id, &self.part, done, 5, step);
    }

    /// The user who logs in.
    ///
    /// # Errors
    /// Where none is declared.
    pub fn user(&self) -> Result<&str, Trouble> {
        let user = self.target.connection.user.as_deref();
        user.ok_or_else(|| Trouble::new(Reason::AuthenticationFailed, "no user is given for this target"))
    }

    /// The user's password, where one is declared.
    ///
    /// # Errors
    /// Where it cannot be had.
    pub fn password(&self) -> Result<Option<Secret>, Trouble> {
        let reference = self.target.connection.password.as_ref();
        reference
            .map(|reference| self.cx.secrets.read(reference))
            .transpose()
            .map_err(|why| Trouble::new(Reason::AuthenticationFailed, format!("the password cannot be had: {why}")))
    }

    /// What the user stopped was not answered.
    ///
    /// # Errors
    /// Where the run was stopped.
    pub fn going_on(&self) -> Result<(), Trouble> {
        match self.cx.cancel.is_cancelled() {
            true => Err(Trouble::new(Reason::Interrupted, "stopped by the user")),
            false => Ok(()),
        }
    }
}

/// A connection in clear may have a password only where it does not leave this machine.
///
/// # Errors
/// Where it does.
pub fn may_go_in_clear(address: SocketAddr) -> Result<(), Trouble> {
    match address.ip().to_canonical().is_loopback() {
        true => Ok(()),
        false => Err(Trouble::new(
            Reason::Unsupported,
            "the password was not sent, since the server offers no TLS and is on another machine",
        )),
    }
}

/// Why a password was not sent to a server whose certificate is not trusted.
pub fn distrusted(why: &str) -> Trouble {
    Trouble::new(
        Reason::HandshakeRejected,
        format!("the password was not sent, since the server is not known to be the right one: {why}"),
    )
}
