//! The facts of a server, each with the reason where it is not known.

use crate::model::shape::ServerNames;
use crate::model::tls::{Certificates, Deployment, Dh, Group, Groups, Order, Protocols, Suite, Suites};
use crate::model::{Observation, ObservationStatus, Reason, Trouble};
use crate::wire::Version;
use serde::de::DeserializeOwned;

/// What is known of a server.
pub struct Server {
    /// `tls.protocols`.
    pub protocols: Protocols,
    suites: Suites,
    /// `tls.groups`.
    pub groups: Result<Groups, String>,
    dh: Result<(Dh, bool), String>,
    certificates: Result<(Certificates, bool), String>,
    names: Result<ServerNames, String>,
}

impl Server {
    /// From what was seen of one part.
    ///
    /// # Errors
    /// Where versions or suites were not seen at all: then nothing can be said of any client.
    pub fn gather(seen: &[&Observation]) -> Result<Server, Trouble> {
        let whole = |kind: &str| find(seen, kind).is_ok_and(|one| one.status == ObservationStatus::Complete);
        let words = |trouble: Trouble| trouble.detail;
        Ok(Server {
            protocols: read(seen, "tls.protocols")?,
            suites: read(seen, "tls.suites")?,
            groups: read(seen, "tls.groups").map_err(words),
            dh: read(seen, "tls.dh").map(|dh| (dh, whole("tls.dh"))).map_err(words),
            certificates: read(seen, "tls.certificates").map(|data| (data, whole("tls.certificates"))).map_err(words),
            names: read(seen, "tls.names").map_err(words),
        })
    }

    /// Whether a version is known to be offered.
    pub fn offers(&self, version: Version) -> bool {
        self.protocols.offered.iter().any(|offered| offered.name == version.name())
    }

    /// Why a client that sends no name cannot connect, if so: it is refused, or shown a certificate that is not for the
    /// name.
    ///
    /// # Errors
    /// With the reason, where that is not known, or where what is shown without a name was not looked at further.
    pub fn needs_name(&self) -> Result<Option<&'static str>, String> {
        let names = self.names.as_ref().map_err(|why| format!("what is shown without a name is not known: {why}"))?;
        match (names.without_name.known().map(String::as_str), names.required.known()) {
            (Some("refused"), _) => Ok(Some("a hello without a name is refused")),
            (Some("other"), Some(true)) => Ok(Some("without a name the certificate of another is shown")),
            (Some("same"), _) => Ok(None),
            (Some(_), _) => Err("another certificate for the name is shown without one".to_owned()),
            (None, _) => {
                let why = names.without_name.reason().unwrap_or_default();
                Err(format!("what is shown without a name is not known: {why}"))
            }
        }
    }

    /// Whether it refuses the name that clients ask for.
    pub fn refuses_name(&self) -> bool {
        self.certificates.as_ref().is_ok_and(|(data, _)| data.server_name_refused)
    }

    /// The suites accepted with a version.
    pub fn suites(&self, version: &str) -> Result<Vec<&Suite>, String> {
        if let Some(cut) = self.suites.incomplete.iter().find(|cut| cut.protocol == version) {
            return Err(format!("not all suites of {version} are known: {}", cut.reason));
        }
        Ok(self.suites.suites.iter().filter(|suite| suite.protocol == version).collect())
    }

    /// Who chooses among them.
    pub fn order(&self, version: &str) -> Result<&Order, String> {
        let order = self.suites.order.iter().find(|order| order.protocol == version);
        order.ok_or_else(|| format!("who chooses the suite of {version} is not known"))
    }

    /// The groups of a version, in the order in which they were found, and why there may be more.
    pub fn groups(&self, version: &str) -> Result<(Vec<&Group>, Option<String>), String> {
        let groups = self.groups.as_ref().map_err(|reason| format!("the groups are not known: {reason}"))?;
        let modern = |name: &str| name == "TLSv1.3";
        // Older versions share one list, since one of them was asked.
        let of = |group: &&Group| group.protocols.iter().any(|name| modern(name) == modern(version));
        let cut = groups.incomplete.iter().find(|cut| modern(&cut.protocol) == modern(version));
        let reason = cut.map(|cut| format!("not all groups are known: {}", cut.reason));
        Ok((groups.groups.iter().filter(of).collect(), reason))
    }

    /// The sizes of the finite fields of a version, smallest first.
    pub fn fields(&self, version: &str) -> Result<Vec<u32>, String> {
        let (dh, whole) = self.dh.as_ref().map_err(|reason| format!("the finite fields are not known: {reason}"))?;
        let of = dh.parameters.iter().filter(|one| !one.export && one.protocols.iter().any(|name| name == version));
        let bits: Vec<u32> = of.map(|one| one.bits).collect();
        match (bits.is_empty(), whole) {
            (false, true) => Ok(bits),
            _ => Err(format!("not all finite fields of {version} are known")),
        }
    }

    /// The certificates served with a version.
    pub fn deployments(&self, version: &str) -> Result<Vec<&Deployment>, String> {
        let (data, whole) =
            self.certificates.as_ref().map_err(|reason| format!("the certificates are not known: {reason}"))?;
        let of = |one: &&Deployment| one.protocols.iter().any(|name| name == version);
        let found: Vec<&Deployment> = data.deployments.iter().filter(of).collect();
        match (found.is_empty(), whole) {
            (false, true) => Ok(found),
            _ => Err(format!("not all certificates of {version} are known")),
        }
    }
}

fn find<'a>(seen: &[&'a Observation], kind: &str) -> Result<&'a Observation, Trouble> {
    let found = seen.iter().find(|one| one.kind == kind);
    found.copied().ok_or_else(|| Trouble::new(Reason::Unsupported, format!("{kind} was not looked at")))
}

fn read<T: DeserializeOwned>(seen: &[&Observation], kind: &str) -> Result<T, Trouble> {
    let one = find(seen, kind)?;
    if one.status == ObservationStatus::Failed {
        let none = || Trouble::new(Reason::Internal, format!("{kind} failed"));
        return Err(one.trouble.clone().unwrap_or_else(none));
    }
    one.read().map_err(|error| Trouble::new(Reason::Internal, format!("{kind} cannot be read: {error}")))
}
