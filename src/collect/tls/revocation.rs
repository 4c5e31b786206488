//! `tls.revocation`: what staples, and where they are asked responders and lists, say of the certificates of each path.
//!
//! A definite word ends the search: staple, then responders, then lists. Whatever is not one is kept with its reason.

use super::certificate::{LIST_BYTES, Questioned, RESPONSE_BYTES, Said};
use super::fetch::Fetcher;
use super::prober::Prober;
use crate::model::revocation::{CertificateStatus, Revocation, RevocationAnswer};
use crate::model::{Fact, Trouble};
use futures_util::future::join_all;
use std::sync::Arc;

/// Most responders that are asked about one certificate.
const RESPONDERS: usize = 2;
/// Most lists that are fetched for one certificate.
const LISTS: usize = 4;
const NOT_ASKED: &str = "nothing valid was stapled, and responders and lists are not asked (--revocation)";

/// A deployment and the certificates whose revocation is a question.
pub struct Deployed {
    /// SHA-256 of the leaf.
    pub id: String,
    /// The stapled response.
    pub staple: Option<Vec<u8>>,
    /// The certificates, leaf first.
    pub questioned: Vec<Arc<Questioned>>,
}

/// Reads the staples and, with a fetcher, asks responders and lists.
pub async fn look(prober: &Prober<'_>, fetcher: Option<&Fetcher>, deployed: Vec<Deployed>) -> Revocation {
    let inquiries = deployed.iter().flat_map(|one| {
        one.questioned.iter().map(|about| {
            let staple = one.staple.as_deref().filter(|_| about.place == 0);
            Inquiry { prober, fetcher, about, staple }.row(&one.id)
        })
    });
    let certificates = join_all(inquiries).await;
    let is_revoked = |row: &&CertificateStatus| row.status.known().is_some_and(|word| word == "revoked");
    let mut revoked: Vec<String> = certificates.iter().filter(is_revoked).map(|row| row.deployment.clone()).collect();
    revoked.dedup();
    Revocation { asked: fetcher.is_some(), certificates, revoked }
}

/// The search for a word about one certificate.
struct Inquiry<'a> {
    prober: &'a Prober<'a>,
    fetcher: Option<&'a Fetcher>,
    about: &'a Arc<Questioned>,
    staple: Option<&'a [u8]>,
}

impl Inquiry<'_> {
    async fn row(self, deployment: &str) -> CertificateStatus {
        let said = Box::pin(self.said()).await;
        let decisive = said.iter().find(|said| said.row.status.known().is_some());
        let status = match decisive {
            Some(said) => said.row.status.clone(),
            None => Fact::unknown(self.why(&said)),
        };
        CertificateStatus {
            deployment: deployment.to_owned(),
            sha256: self.about.sha256().to_owned(),
            subject: self.about.subject().to_owned(),
            place: self.about.place,
            looked: self.fetcher.is_some() || self.staple.is_some(),
            status,
            source: decisive.map(|said| said.row.source.clone()).unwrap_or_default(),
            reason: decisive.map(|said| said.reason.clone()).unwrap_or_default(),
            revoked_at: decisive.map(|said| said.revoked_at.clone()).unwrap_or_default(),
            short_lived: self.about.is_short_lived(),
            answers: said.into_iter().map(|said| said.row).collect(),
        }
    }

    /// What the sources said, up to the first definite word.
    async fn said(&self) -> Vec<Said> {
        let mut all = Vec::new();
        let is_definite = |all: &[Said]| all.last().is_some_and(|said| said.row.status.known().is_some());
        if let Some(staple) = self.staple {
            all.push(from(self.about.by_response(staple, self.prober.cx.clock.now()), "staple", ""));
        }
        let Some(fetcher) = self.fetcher.filter(|_| !is_definite(&all)) else { return all };
        for address in self.about.responders().iter().take(RESPONDERS) {
            all.push(from(self.by_responder(fetcher, address).await, "ocsp", address));
            if is_definite(&all) {
                return all;
            }
        }
        for address in self.about.lists().iter().take(LISTS) {
            all.push(from(self.by_list(fetcher, address).await, "crl", address));
            if is_definite(&all) {
                return all;
            }
        }
        all
    }

    async fn by_responder(&self, fetcher: &Fetcher, address: &str) -> Said {
        let request = match self.about.request() {
            Ok(request) => request,
            Err(why) => return Said::nothing(why),
        };
        let fetched = self.prober.until_stopped(fetcher.response(address, &request, RESPONSE_BYTES)).await;
        self.prober.record_words(format!("OCSP request to {address}"), received(&fetched), "revocation");
        match fetched {
            Ok(response) => self.about.by_response(&response, self.prober.cx.clock.now()),
            Err(trouble) => Said::nothing(trouble.to_string()),
        }
    }

    async fn by_list(&self, fetcher: &Fetcher, address: &str) -> Said {
        let fetched = self.prober.until_stopped(fetcher.list(address, LIST_BYTES)).await;
        self.prober.record_words(format!("GET {address}"), received(&fetched), "revocation");
        let list = match fetched {
            Ok(list) => list,
            Err(trouble) => return Said::nothing(trouble.to_string()),
        };
        let (about, now) = (Arc::clone(self.about), self.prober.cx.clock.now());
        // A list can be long, and other sockets must not wait for its signature.
        let judged = tokio::task::spawn_blocking(move || about.by_list(&list, now)).await;
        judged.unwrap_or_else(|_| Said::nothing("the list could not be judged"))
    }

    /// Why there is no definite word.
    fn why(&self, said: &[Said]) -> String {
        let last = said.iter().filter_map(|said| Some((&said.row, said.row.status.reason()?))).next_back();
        match (self.fetcher, last) {
            (_, Some((row, why))) if !row.address.is_empty() => format!("{}: {why}", row.address),
            (Some(_), Some((_, why))) => why.to_owned(),
            (Some(_), None) => "the certificate names neither a responder nor a list".to_owned(),
            (None, _) => NOT_ASKED.to_owned(),
        }
    }
}

fn from(said: Said, source: &str, address: &str) -> Said {
    Said { row: RevocationAnswer { source: source.to_owned(), address: address.to_owned(), ..said.row }, ..said }
}

fn received(fetched: &Result<Arc<[u8]>, Trouble>) -> String {
    match fetched {
        Ok(bytes) => format!("{} bytes", bytes.len()),
        Err(trouble) => trouble.to_string(),
    }
}
