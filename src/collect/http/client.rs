//! Fetching over a pinned address: every request goes to the address that is being looked at, redirects are followed
//! by ourselves within the scope, and a certificate error is recorded, not hidden.

use super::connection;
use crate::collect::witness::{Authorities, Witness};
use crate::model::{Reason, Trouble};
use crate::net::{Dial, Place};
use std::error::Error as _;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use url::{Host, Url};

/// Limits of http-posture section 1.
const REDIRECTS: usize = 20;
const REQUEST_TIME: Duration = Duration::from_secs(10);
/// The most bytes of a body.
pub const BODY: usize = 2 * 1024 * 1024;
const FIELDS: usize = 200;
const FIELD_BYTES: u32 = 64 * 1024;

/// An answer, cut to what is looked at.
#[derive(Clone, Debug)]
pub struct Response {
    /// What was asked for.
    pub url: Url,
    /// The status.
    pub status: u16,
    /// Names in lower case, in the order they came.
    pub fields: Vec<(String, String)>,
    /// The body up to the limit, as text, where it was asked for.
    pub body: String,
    /// How many bytes of body came, up to the limit.
    pub body_bytes: u64,
}

impl Response {
    /// Every value of a field.
    pub fn all(&self, name: &str) -> Vec<&str> {
        self.fields.iter().filter(|(n, _)| n == name).map(|(_, value)| value.as_str()).collect()
    }

    /// The first value of a field.
    pub fn first(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// Where a redirect leads.
    pub fn location(&self) -> Option<Url> {
        let to = match self.status {
            301 | 302 | 303 | 307 | 308 => self.first("location")?,
            _ => return None,
        };
        self.url.join(to).ok()
    }
}

/// A way of redirects: the answers in order, and why it was left, if it was.
#[derive(Debug, Default)]
pub struct Way {
    /// The answers.
    pub responses: Vec<Response>,
    /// A redirect that leads out of the scope and was not followed.
    pub left: Option<Url>,
    /// The trouble that ended it.
    pub trouble: Option<Trouble>,
}

/// What is kept of the bodies on a way. A long way of large bodies would fill the memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bodies {
    /// Their lengths.
    Counted,
    /// The text of the last one as well.
    Last,
}

/// Fetches from one address.
pub struct Client {
    http: reqwest::Client,
    host: String,
    address: IpAddr,
    dial: Arc<dyn Dial>,
    witness: Arc<Witness>,
}

impl Client {
    /// A client for this host, pinned to this address.
    ///
    /// # Errors
    /// When the set-up fails.
    pub fn new(
        host: &str,
        address: SocketAddr,
        authorities: &Authorities,
        now: jiff::Timestamp,
        dial: &Arc<dyn Dial>,
    ) -> Result<Client, Trouble> {
        let (mut tls, witness) = authorities.config(now)?;
        tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        tls.resumption = connection::noted();
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(REQUEST_TIME)
            // Each request has a connection of its own, and each connection a place among those of the target.
            .pool_max_idle_per_host(0)
            .retry(reqwest::retry::never())
            .connector_layer(connection::Noting)
            .http1_max_headers(FIELDS)
            .http2_max_header_list_size(FIELD_BYTES)
            .user_agent(concat!("probity/", env!("CARGO_PKG_VERSION")))
            // The port is that of each request: a port here would win over the one that a scheme stands for, and a request
            // for plain HTTP would go to the port of TLS.
            .resolve(host, SocketAddr::new(address.ip(), 0))
            .build()
            .map_err(|error| Trouble::new(Reason::Internal, error.to_string()))?;
        Ok(Client { http, host: host.to_owned(), address: address.ip(), dial: Arc::clone(dial), witness })
    }

    /// What was wrong with a certificate on the way, if anything.
    pub fn certificate_error(&self) -> Option<String> {
        self.witness.distrust()
    }

    /// Whether a certificate was shown that is not to be trusted; false where none was shown.
    pub fn saw_bad_certificate(&self) -> bool {
        self.witness.has_judged() && self.witness.distrust().is_some()
    }

    /// Follows redirects from this address, as long as they stay on the host.
    pub async fn follow(&self, start: Url, bodies: Bodies) -> Way {
        let mut way = Way::default();
        let mut next = Some(start);
        while let Some(url) = next.take() {
            if way.responses.len() > REDIRECTS {
                way.trouble = Some(Trouble::new(Reason::TooLarge, format!("more than {REDIRECTS} redirects")));
                break;
            }
            match self.get(url, bodies).await {
                Err(trouble) => {
                    way.trouble = Some(trouble);
                    break;
                }
                Ok(response) => {
                    let to = response.location();
                    way.responses.push(response);
                    match to {
                        Some(url) if self.is_in_scope(&url) => next = Some(url),
                        to => way.left = to,
                    }
                }
            }
        }
        way
    }

    /// Whether a server that speaks plain HTTP offers to go on with TLS on the same connection (RFC 2817).
    ///
    /// # Errors
    /// When no answer came, with its class.
    pub async fn offers_tls(&self, url: Url) -> Result<bool, Trouble> {
        let place = self.place(&url).await?;
        let request = self.http.get(url).header("connection", "Upgrade").header("upgrade", "TLS/1.0");
        let answer = connection::within(&place, request.send()).await.map_err(|error| trouble(&error))?;
        let offers = answer.headers().get_all("upgrade").iter().any(|value| {
            let words = String::from_utf8_lossy(value.as_bytes()).to_ascii_uppercase();
            words.split(',').any(|word| word.trim().starts_with("TLS/"))
        });
        Ok(offers || answer.status().as_u16() == 101)
    }

    /// Only the host that was named is in scope; an address that the peer names is never followed elsewhere.
    fn is_in_scope(&self, url: &Url) -> bool {
        matches!(url.scheme(), "http" | "https")
            && url.host_str().is_some_and(|host| host.trim_matches(['[', ']']).eq_ignore_ascii_case(&self.host))
    }

    /// One request.
    ///
    /// # Errors
    /// When no answer came, with its class.
    pub async fn get(&self, url: Url, bodies: Bodies) -> Result<Response, Trouble> {
        let mut request = self.http.get(url.clone());
        if bodies == Bodies::Counted {
            // Whether text comes compressed is a fact; a body that is read is asked for as it is.
            request = request.header("accept-encoding", "gzip, deflate, br, zstd");
        }
        self.answer(request, url, bodies).await
    }

    /// Asks what a foreign origin may do with this address, as a browser does before it reads.
    ///
    /// # Errors
    /// When no answer came, with its class.
    pub async fn options(&self, url: Url, origin: &str) -> Result<Response, Trouble> {
        let request = self.http.request(reqwest::Method::OPTIONS, url.clone());
        let request = request.header("Origin", origin).header("Access-Control-Request-Method", "GET");
        self.answer(request, url, Bodies::Counted).await
    }

    /// Sends a request when it is its turn, and keeps the place of its connection until the answer is read.
    async fn answer(&self, request: reqwest::RequestBuilder, url: Url, bodies: Bodies) -> Result<Response, Trouble> {
        let place = self.place(&url).await?;
        let answer = connection::within(&place, request.send()).await.map_err(|error| trouble(&error))?;
        read(answer, url, bodies).await
    }

    async fn place(&self, url: &Url) -> Result<Arc<Place>, Trouble> {
        let port = url.port_or_known_default().unwrap_or_default();
        self.dial.place(SocketAddr::new(self.address, port)).await.map(Arc::new)
    }
}

/// Reads an answer up to the limits.
async fn read(mut answer: reqwest::Response, url: Url, bodies: Bodies) -> Result<Response, Trouble> {
    let status = answer.status().as_u16();
    // HTTP/2 counts the bytes of the fields itself, HTTP/1 the fields alone: a long way of large heads adds up.
    let size: usize = answer.headers().iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if size > FIELD_BYTES as usize {
        return Err(Trouble::new(Reason::TooLarge, format!("a head of more than {} KiB", FIELD_BYTES >> 10)));
    }
    let fields = answer
        .headers()
        .iter()
        .map(|(name, value)| {
            // Field values are bytes; each becomes the character of the same number, so that nothing is lost.
            (name.as_str().to_owned(), value.as_bytes().iter().map(|&byte| char::from(byte)).collect())
        })
        .collect();
    let mut response = Response { url, status, fields, body: String::new(), body_bytes: 0 };
    let keep = bodies == Bodies::Last && response.location().is_none();
    let (mut body, mut length) = (Vec::new(), 0);
    while let Some(chunk) = answer.chunk().await.map_err(|error| trouble(&error))? {
        let taken = chunk.len().min(BODY.saturating_sub(length));
        length = length.saturating_add(taken);
        if keep {
            body.extend(chunk.iter().take(taken));
        }
        if length >= BODY {
            break;
        }
    }
    response.body = String::from_utf8_lossy(&body).into_owned();
    response.body_bytes = length as u64;
    Ok(response)
}

/// The class of a failed request, in words without the address's query.
fn trouble(error: &reqwest::Error) -> Trouble {
    if error.is_timeout() {
        return Trouble::new(Reason::TimedOut, format!("no answer within {} s", REQUEST_TIME.as_secs()));
    }
    let mut source = error.source();
    let mut words = Vec::new();
    let mut reason = Reason::ProtocolViolation;
    while let Some(inner) = source {
        if let Some(io) = inner.downcast_ref::<std::io::Error>() {
            reason = match io.kind() {
                std::io::ErrorKind::ConnectionRefused => Reason::Refused,
                std::io::ErrorKind::TimedOut => Reason::TimedOut,
                std::io::ErrorKind::NetworkUnreachable | std::io::ErrorKind::HostUnreachable => Reason::Unreachable,
                _ => reason,
            };
        }
        if is_tls(inner) {
            reason = Reason::HandshakeRejected;
        }
        if is_excess(inner) {
            reason = Reason::TooLarge;
        }
        words.push(inner.to_string());
        source = inner.source();
    }
    Trouble::new(reason, words.pop().unwrap_or_else(|| "the request failed".to_owned()))
}

/// Whether an error is that of TLS, however many errors of I/O it is wrapped in.
fn is_tls(error: &(dyn std::error::Error + 'static)) -> bool {
    let inside = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
    error.is::<rustls::Error>() || inside.is_some_and(|inner| is_tls(inner))
}

/// Whether a limit of ours was hit. The library tells this of a head by a fixed sentence alone.
fn is_excess(error: &(dyn std::error::Error + 'static)) -> bool {
    let words = error.to_string();
    ["message head is too large", "chunk extensions over limit"].iter().any(|limit| words.ends_with(limit))
}

/// The address of a path on a host and port.
pub fn url(scheme: &str, host: &str, port: u16, path: &str) -> Option<Url> {
    let host = match host.parse::<IpAddr>() {
        Ok(IpAddr::V6(address)) => format!("[{address}]"),
        _ => host.to_owned(),
    };
    Url::parse(&format!("{scheme}://{host}:{port}{path}")).ok()
}

/// True where an address's host is a literal.
pub fn is_ip(url: &Url) -> bool {
    matches!(url.host(), Some(Host::Ipv4(_) | Host::Ipv6(_)))
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::net::{Budget, TcpDial};
    use std::sync::atomic::{AtomicU32, Ordering};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    fn client(address: SocketAddr) -> Client {
        within(address, &(Arc::new(TcpDial) as Arc<dyn Dial>))
    }

    fn within(address: SocketAddr, dial: &Arc<dyn Dial>) -> Client {
        let now = "2026-11-25T00:00:00Z".parse().unwrap();
        Client::new("a.example", address, &Authorities::new(&[]).unwrap(), now, dial).unwrap()
    }

    /// A response made by hand.
    pub fn response(url: &str, status: u16, fields: &[(&str, &str)]) -> Response {
        Response {
            url: Url::parse(url).unwrap(),
            status,
            fields: fields.iter().map(|(n, v)| (n.to_ascii_lowercase(), (*v).to_owned())).collect(),
            body: String::new(),
            body_bytes: 0,
        }
    }

    #[test]
    fn a_location_is_resolved_and_only_redirects_have_one() {
        let redirect = response("http://a.example:8080/x", 301, &[("Location", "/y")]);
        assert_eq!(redirect.location().unwrap().as_str(), "http://a.example:8080/y");
        assert!(response("http://a.example/", 200, &[("Location", "/y")]).location().is_none());
        assert!(response("http://a.example/", 302, &[]).location().is_none());
    }

    #[test]
    fn an_address_of_version_six_gets_brackets() {
        assert_eq!(url("https", "::1", 8443, "/").unwrap().as_str(), "https://[::1]:8443/");
        assert_eq!(url("http", "a.example", 80, "/").unwrap().as_str(), "http://a.example/");
    }

    #[tokio::test]
    async fn a_request_goes_to_the_port_of_its_scheme_and_not_to_that_of_the_target() {
        // An address of this machine on which nothing else listens.
        let listener = std::net::TcpListener::bind("127.91.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let client = client(listener.local_addr().unwrap());
        let trouble = client.get(url("http", "a.example", 80, "/").unwrap(), Bodies::Counted).await.unwrap_err();
        assert_eq!(trouble.reason, Reason::Refused, "{}", trouble.detail);
        assert!(listener.accept().is_err(), "a request for port 80 came to the port of the target");
    }

    /// A budget, also as what a client takes.
    fn budget(connections: usize, rate: Option<u16>) -> (Budget, Arc<dyn Dial>) {
        let budget = Budget::new(Arc::new(TcpDial), connections, Duration::from_secs(60));
        let budget = budget.paced(rate.and_then(std::num::NonZeroU16::new));
        (budget.clone(), Arc::new(budget))
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn requests_keep_to_the_places_and_the_pace_of_their_target() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen: Arc<[AtomicU32; 3]> = Arc::default();
        let counts = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let counts = Arc::clone(&counts);
                tokio::spawn(async move {
                    counts[0].fetch_add(1, Ordering::SeqCst);
                    while stream.read(&mut [0; 4096]).await.is_ok_and(|count| count > 0) {
                        let open = counts[1].fetch_add(1, Ordering::SeqCst) + 1;
                        counts[2].fetch_max(open, Ordering::SeqCst);
                        tokio::time::sleep(Duration::from_millis(20)).await;
                        counts[1].fetch_sub(1, Ordering::SeqCst);
                        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.unwrap();
                    }
                });
            }
        });
        let (counted, dial) = budget(2, Some(50));
        let client = within(address, &dial);
        let url = url("http", "a.example", address.port(), "/").unwrap();
        let begin = std::time::Instant::now();
        let asked = (0..8).map(|_| client.get(url.clone(), Bodies::Last));
        for answer in futures_util::future::join_all(asked).await {
            assert_eq!(answer.unwrap().body, "ok");
        }
        client.offers_tls(url).await.unwrap();
        assert!(begin.elapsed() >= Duration::from_millis(160), "{:?}", begin.elapsed());
        let [connections, _, most] = [0, 1, 2].map(|n| seen[n].load(Ordering::SeqCst));
        assert_eq!((connections, counted.opened()), (9, 9), "each connection is counted once");
        assert!(most <= 2, "{most} requests at once");
    }

    #[tokio::test]
    async fn a_connection_is_counted_where_it_opens_whatever_comes_of_it() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (counted, dial) = budget(8, None);
        let client = within(address, &dial);
        let asked = |scheme: &str| url(scheme, "a.example", address.port(), "/").unwrap();
        for (scheme, opened) in [("http", 1), ("https", 2)] {
            // The connection is taken, and then closed without a word.
            let (answer, _) =
                tokio::join!(client.get(asked(scheme), Bodies::Last), async { drop(listener.accept().await.unwrap()) });
            assert!(answer.is_err());
            assert_eq!(counted.opened(), opened, "{scheme}");
        }
        // It is taken, and nothing comes, not even the end of the handshake.
        let silent = tokio::time::timeout(Duration::from_millis(300), client.get(asked("https"), Bodies::Last)).await;
        assert!(silent.is_err() && counted.opened() == 3, "{}", counted.opened());
        drop(listener);
        for scheme in ["http", "https"] {
            assert_eq!(client.get(asked(scheme), Bodies::Last).await.unwrap_err().reason, Reason::Refused);
        }
        assert_eq!(counted.opened(), 3, "what was refused was never open");
    }

    #[test]
    fn only_the_named_host_is_in_scope() {
        let client = client("127.0.0.1:1".parse().unwrap());
        for (url, expected) in [
            ("https://A.example:8443/x", true),
            ("http://a.example/", true),
            ("https://www.a.example/", false),
            ("https://127.0.0.1/", false),
            ("ftp://a.example/", false),
        ] {
            assert_eq!(client.is_in_scope(&Url::parse(url).unwrap()), expected, "{url}");
        }
    }
}
