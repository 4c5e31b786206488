//! Fetching what a certificate names, over plain HTTP. The names come from the peer: only public addresses are asked,
//! unless the user's scope lists the host.

use crate::collect::CollectContext;
use crate::model::{Reason, Trouble};
use futures_util::future::FutureExt as _;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::OnceCell;
use url::Url;

const REDIRECTS: usize = 3;
/// How long a responder may take.
const RESPONSE: Duration = Duration::from_secs(10);
/// How long a list may take, which can be long.
const LIST: Duration = Duration::from_secs(30);

type Fetched = Result<Arc<[u8]>, Trouble>;

/// Fetches for one target. What was fetched for one address serves the others.
pub struct Fetcher {
    cx: CollectContext,
    /// Hosts, with or without a port, that may be asked although their addresses are not public.
    scope: Vec<String>,
    kept: Mutex<BTreeMap<String, Arc<OnceCell<Fetched>>>>,
}

impl Fetcher {
    /// Fetches within this scope.
    pub fn new(cx: &CollectContext, scope: &[String]) -> Fetcher {
        Fetcher { cx: cx.clone(), scope: scope.to_vec(), kept: Mutex::default() }
    }

    /// The answer of a responder to this request.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn response(&self, address: &str, request: &[u8], most: usize) -> Fetched {
        self.once(address, Some(request), most, RESPONSE).await
    }

    /// What is to be had at this address.
    ///
    /// # Errors
    /// Why there is nothing.
    pub async fn list(&self, address: &str, most: usize) -> Fetched {
        self.once(address, None, most, LIST).await
    }

    async fn once(&self, address: &str, request: Option<&[u8]>, most: usize, time: Duration) -> Fetched {
        let key = format!("{address} {}", request.map(crate::model::digest::sha256).unwrap_or_default());
        let cell = Arc::clone(self.kept.lock().unwrap_or_else(PoisonError::into_inner).entry(key).or_default());
        cell.get_or_init(|| {
            // A future of the client is large.
            let asked = async {
                let late = |_| Trouble::new(Reason::TimedOut, format!("no answer within {} s", time.as_secs()));
                tokio::time::timeout(time, self.follow(address, request, most)).await.map_err(late)?
            };
            async {
                tokio::select! {
                    outcome = asked => outcome,
                    () = self.cx.cancel.cancelled() => {
                        Err(Trouble::new(Reason::Interrupted, "the run was stopped"))
                    }
                }
            }
            .boxed()
        })
        .await
        .clone()
    }

    async fn follow(&self, address: &str, request: Option<&[u8]>, most: usize) -> Fetched {
        let unreadable = |_| Trouble::new(Reason::Unsupported, "the address cannot be read");
        let mut url = Url::parse(address).map_err(unreadable)?;
        for _ in 0..=REDIRECTS {
            let client = self.client(&url).await?;
            let asked = match request {
                Some(body) => client
                    .post(url.clone())
                    .header("content-type", "application/ocsp-request")
                    .header("accept", "application/ocsp-response")
                    .body(body.to_vec()),
                None => client.get(url.clone()),
            };
            let mut answer = asked.send().await.map_err(|error| lost(&error))?;
            let status = answer.status();
            if !status.is_redirection() {
                if status.as_u16() != 200 {
                    return Err(Trouble::new(
                        Reason::Refused,
                        format!("the answer is HTTP status {}", status.as_u16()),
                    ));
                }
                return body(&mut answer, most).await;
            }
            let to = answer.headers().get("location").and_then(|to| to.to_str().ok()).and_then(|to| url.join(to).ok());
            url = to.ok_or_else(|| Trouble::new(Reason::ProtocolViolation, "a redirect leads nowhere"))?;
        }
        Err(Trouble::new(Reason::TooLarge, format!("more than {REDIRECTS} redirects")))
    }

    /// A client for this address alone, pinned to what its host resolves to.
    async fn client(&self, url: &Url) -> Result<reqwest::Client, Trouble> {
        let unsupported = |why: &str| Trouble::new(Reason::Unsupported, why.to_owned());
        if url.scheme() != "http" {
            return Err(unsupported("only addresses of plain HTTP are asked"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(unsupported("an address with a login is not asked"));
        }
        let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
            return Err(unsupported("the address names no host"));
        };
        let bare = host.trim_matches(['[', ']']);
        let found = self.cx.dial.resolve(bare, port).await?;
        let listed = self.scope.iter().any(|one| *one == host || *one == format!("{host}:{port}"));
        let ip = found.iter().map(SocketAddr::ip).find(|ip| listed || is_public(*ip)).ok_or_else(|| {
            unsupported("its host is not a public one, and is not asked unless `tls: { responders: … }` names it")
        })?;
        reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .http1_only()
            .http1_max_headers(100)
            .user_agent(concat!("probity/", env!("CARGO_PKG_VERSION")))
            .resolve(host, SocketAddr::new(ip, port))
            .build()
            .map_err(|error| Trouble::new(Reason::Internal, error.to_string()))
    }
}

async fn body(answer: &mut reqwest::Response, most: usize) -> Fetched {
    let mut bytes = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|error| lost(&error))? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > most {
            return Err(Trouble::new(Reason::TooLarge, format!("the answer is longer than {} KiB", most >> 10)));
        }
    }
    Ok(bytes.into())
}

/// The words of the library may hold the address, which is the peer's; a class is enough.
fn lost(error: &reqwest::Error) -> Trouble {
    match error.is_connect() {
        true => Trouble::new(Reason::Refused, "the connection was refused or could not be made"),
        false => Trouble::new(Reason::ProtocolViolation, "no HTTP answer came"),
    }
}

/// Whether an address is one that anybody may ask: not one of a private network, of this machine, or of no use.
fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => {
            let [first, second, .., high, low] = ip.segments();
            let [a, b] = high.to_be_bytes();
            let [c, d] = low.to_be_bytes();
            // An address of the older kind inside one of the newer is judged as what it is.
            let older = match (first, second) {
                (0, 0) => ip.to_ipv4_mapped(),
                (0x64, 0xFF9B) => Some(Ipv4Addr::new(a, b, c, d)),
                _ => None,
            };
            // 2000::/3 is all that is given out; documentation, 6to4 and Teredo lie in it.
            let given = first & 0xE000 == 0x2000 && first != 0x2002 && !matches!((first, second), (0x2001, 0 | 0xDB8));
            older.map_or(given, is_public_v4)
        }
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    let shared = a == 100 && b & 0xC0 == 64;
    let special = a == 0 || (a, b, c) == (192, 0, 0) || a == 198 && b & 0xFE == 18 || a >= 224;
    !(ip.is_private()
        || ip.is_loopback()
        || ip.is_link_local()
        || ip.is_documentation()
        || ip.is_broadcast()
        || shared
        || special)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_addresses_are_public() {
        for ip in ["1.1.1.1", "198.20.0.1", "100.128.0.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"] {
            assert!(is_public(ip.parse().unwrap()), "{ip}");
        }
        for ip in [
            "10.0.0.1",
            "127.0.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "192.168.1.1",
            "100.64.0.1",
            "0.0.0.0",
            "192.0.0.8",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "192.0.2.1",
            "::",
            "::1",
            "fe80::1",
            "fc00::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "2001:db8::1",
            "2001::1",
            "::127.0.0.1",
        ] {
            assert!(!is_public(ip.parse().unwrap()), "{ip}");
        }
    }
}
