//! What the grade reads: the facts of one endpoint, with what is unknown kept apart.

use crate::model::flaw::CERTAIN;
use crate::model::revocation::Revocation;
use crate::model::tls::{Certificates, Clients, Dh, Features, Flaws, Groups, Protocols, Suites, Vulnerabilities};
use crate::model::{Observation, ObservationStatus, Reason, Target, TargetKind, Trouble, http};

/// The facts of one endpoint. `None` is a kind that was not seen.
#[derive(Debug, Default)]
pub struct Facts {
    /// `tls.protocols`.
    pub protocols: Option<Protocols>,
    /// `tls.suites`.
    pub suites: Option<Suites>,
    /// `tls.groups`.
    pub groups: Option<Groups>,
    /// `tls.dh`.
    pub dh: Option<Dh>,
    /// `tls.certificates`.
    pub certificates: Option<Certificates>,
    /// `tls.revocation`.
    pub revocation: Option<Revocation>,
    /// `tls.features`.
    pub features: Option<Features>,
    /// `tls.flaws`.
    pub flaws: Option<Flaws>,
    /// `tls.vulnerabilities`.
    pub vulnerabilities: Option<Vulnerabilities>,
    /// `tls.clients`.
    pub clients: Option<Clients>,
    /// `http.hsts`.
    pub hsts: Option<http::Hsts>,
    /// `http.headers`.
    pub headers: Option<http::Headers>,
    /// `http.plain`.
    pub plain: Option<http::Plain>,
    /// What is served.
    pub service: Service,
    /// It takes mail from other servers, which seldom ask who it is.
    pub relay: bool,
    /// Lists that may lack members, and looks that failed, by kind with the reason.
    pub gaps: Vec<(String, Trouble)>,
    /// Observation ids by kind.
    ids: Vec<(String, String)>,
}

/// What an endpoint serves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Service {
    /// HTTPS.
    #[default]
    Https,
    /// Another service with TLS from the first byte.
    Implicit,
    /// TLS after an upgrade of another protocol.
    Opportunistic,
}

fn is_relay(target: &Target) -> bool {
    target.connection.starttls.as_deref() == Some("smtp") && target.address.ends_with(":25")
}

impl Facts {
    /// Gathers the facts of one part of one target from what was seen of it.
    pub fn gather(target: &Target, observations: &[&Observation]) -> Facts {
        let opportunistic = target.connection.starttls.is_some() || target.kind == TargetKind::Database;
        let service = match (opportunistic, &target.connection.service) {
            (true, _) => Service::Opportunistic,
            (false, Some(_)) => Service::Implicit,
            (false, None) => Service::Https,
        };
        let mut facts = Facts { service, relay: is_relay(target), ..Facts::default() };
        for observation in observations {
            facts.take(observation);
        }
        facts
    }

    fn take(&mut self, observation: &Observation) {
        let kind = observation.kind.as_str();
        if observation.status != ObservationStatus::Complete {
            let trouble = observation.trouble.clone();
            let trouble = trouble.unwrap_or_else(|| Trouble::new(Reason::Internal, "no reason was recorded"));
            self.gaps.push((kind.to_owned(), trouble));
        }
        if observation.status == ObservationStatus::Failed {
            return;
        }
        self.ids.push((kind.to_owned(), observation.id.clone()));
        match kind {
            "tls.protocols" => self.protocols = observation.read().ok(),
            "tls.suites" => self.suites = observation.read().ok(),
            "tls.groups" => self.groups = observation.read().ok(),
            "tls.dh" => self.dh = observation.read().ok(),
            "tls.certificates" => self.certificates = observation.read().ok(),
            "tls.revocation" => self.revocation = observation.read().ok(),
            "tls.features" => self.features = observation.read().ok(),
            "tls.flaws" => self.flaws = observation.read().ok(),
            "tls.vulnerabilities" => self.vulnerabilities = observation.read().ok(),
            "tls.clients" => self.clients = observation.read().ok(),
            "http.hsts" => self.hsts = observation.read().ok(),
            "http.plain" => self.plain = observation.read().ok(),
            "http.headers" => self.headers = observation.read().ok(),
            _ => {}
        }
    }

    /// The observation ids of these kinds.
    pub fn cite(&self, kinds: &[&str]) -> Vec<String> {
        self.ids.iter().filter(|(kind, _)| kinds.contains(&kind.as_str())).map(|(_, id)| id.clone()).collect()
    }

    /// Every observation id, in a fixed order.
    pub fn inputs(&self) -> Vec<String> {
        let mut ids: Vec<String> = self.ids.iter().map(|(_, id)| id.clone()).collect();
        ids.sort();
        ids
    }

    /// True where a version is offered.
    pub fn offers(&self, name: &str) -> bool {
        self.protocols.as_ref().is_some_and(|p| p.offered.iter().any(|offered| offered.name == name))
    }

    /// True where TLS 1.2 or an older version, SSLv2 aside, is offered.
    pub fn offers_legacy_handshake(&self) -> bool {
        ["SSLv3", "TLSv1.0", "TLSv1.1", "TLSv1.2"].iter().any(|name| self.offers(name))
    }

    /// Whether a flaw is there for certain; `None` where that is unknown or was not tested.
    pub fn vulnerable(&self, name: &str) -> Option<bool> {
        let test = self.vulnerabilities.as_ref()?.tests.iter().find(|test| test.name == name)?;
        if !test.applies {
            return Some(false);
        }
        test.vulnerable.known().map(|vulnerable| *vulnerable && test.certainty == CERTAIN)
    }

    /// Why a kind is not wholly known.
    pub fn gap(&self, kind: &str) -> Trouble {
        self.gap_of(kind).unwrap_or_else(|| Trouble::new(Reason::Unsupported, format!("{kind} was not looked at")))
    }

    /// The trouble of a kind, where it has one.
    pub fn gap_of(&self, kind: &str) -> Option<Trouble> {
        self.gaps.iter().find(|(gap, _)| gap == kind).map(|(_, trouble)| trouble.clone())
    }

    /// True where the service is HTTP.
    pub fn is_http(&self) -> bool {
        self.service == Service::Https
    }

    /// Whether a flaw is there and can be seen on the path.
    pub fn observable(&self, name: &str) -> bool {
        self.vulnerabilities
            .iter()
            .flat_map(|v| &v.tests)
            .any(|test| test.name == name && test.applies && test.observable && test.vulnerable.known() == Some(&true))
    }

    /// Whether a kind was seen without gaps.
    pub fn whole(&self, kind: &str) -> bool {
        self.ids.iter().any(|(seen, _)| seen == kind) && !self.gaps.iter().any(|(gap, _)| gap == kind)
    }
}
