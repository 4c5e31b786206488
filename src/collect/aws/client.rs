//! Signed questions (AWS Signature Version 4) to a service of Amazon's, or one that speaks its protocol. They read alone.

use crate::collect::witness::Authorities;
use crate::collect::{CollectContext, Secret};
use crate::model::{Reason, Target, Trouble};
use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings, UriPathNormalizationMode,
    sign,
};
use aws_sigv4::sign::v4;
use reqwest::Method;
use std::net::SocketAddr;
use std::time::Duration;
use url::Url;

/// Time for one answer.
const ANSWER: Duration = Duration::from_secs(15);
/// The most bytes of one.
const BODY: usize = 8 << 20;

/// Asks one service.
pub struct Client<'a> {
    /// Its name in signatures.
    service: &'static str,
    http: reqwest::Client,
    base: Url,
    address: SocketAddr,
    region: String,
    credentials: Option<Credentials>,
    cx: &'a CollectContext,
}

/// What came back.
pub struct Answer {
    /// The status of HTTP.
    pub status: u16,
    /// The service's word for what went wrong.
    pub code: String,
    /// The body.
    pub body: Vec<u8>,
    /// `x-amz-server-side-encryption`.
    pub encryption: Option<String>,
    /// Where the bucket is, if elsewhere.
    region: Option<String>,
}

impl<'a> Client<'a> {
    /// Gets ready to ask a service, at the target's endpoint or else at Amazon's of the region.
    ///
    /// # Errors
    /// Where the endpoint, its address or the credentials cannot be had.
    pub async fn new(target: &Target, service: &'static str, cx: &'a CollectContext) -> Result<Client<'a>, Trouble> {
        let connection = &target.connection;
        let internal = |why: &str| Trouble::new(Reason::Internal, why.to_owned());
        let region = connection.region.clone().unwrap_or_else(|| "us-east-1".to_owned());
        let endpoint = connection.endpoint.clone().unwrap_or_else(|| amazon(service, &region));
        let base = Url::parse(&endpoint).map_err(|_| internal("the endpoint is no address"))?;
        let (Some(host), Some(port)) = (base.host_str(), base.port_or_known_default()) else {
            return Err(internal("the endpoint names no host"));
        };
        let bare = host.trim_matches(['[', ']']);
        let found = cx.dial.resolve(bare, port).await?;
        let address = *found.first().ok_or_else(|| Trouble::new(Reason::Unreachable, "the host has no address"))?;
        if base.scheme() != "https" && !address.ip().to_canonical().is_loopback() {
            let words = "the endpoint is without TLS and on another machine: nothing that is signed goes there";
            return Err(Trouble::new(Reason::Unsupported, words));
        }
        let read = |reference: &crate::model::SecretRef, what: &str| {
            let why = |why| Trouble::new(Reason::AuthenticationFailed, format!("{what} cannot be had: {why}"));
            cx.secrets.read(reference).map_err(why)
        };
        let secret = connection.password.as_ref().map(|one| read(one, "the secret access key")).transpose()?;
        let token = connection.token.as_ref().map(|one| read(one, "the session token")).transpose()?;
        let credentials = match (&connection.user, secret) {
            (Some(id), Some(Secret(secret))) => {
                Some(Credentials::new(id.clone(), secret, token.map(|Secret(token)| token), None, "probity"))
            }
            _ => None,
        };
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(Authorities::new(&connection.ca_files)?.strict()?)
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(ANSWER)
            .retry(reqwest::retry::never())
            .http1_only()
            .http1_max_headers(100)
            .user_agent(concat!("probity/", env!("CARGO_PKG_VERSION")))
            .resolve(host, SocketAddr::new(address.ip(), 0))
            .build()
            .map_err(|error| Trouble::new(Reason::Internal, error.to_string()))?;
        Ok(Client { service, http, base, address, region, credentials, cx })
    }

    /// A question about the bucket, by this query.
    ///
    /// # Errors
    /// Where no answer came. A refusal is an answer.
    pub async fn get(&self, bucket: &str, query: &[(&str, &str)]) -> Result<Answer, Trouble> {
        self.ask(Method::GET, &[bucket], query).await
    }

    /// A question about no bucket.
    ///
    /// # Errors
    /// The same.
    pub async fn root(&self, query: &[(&str, &str)]) -> Result<Answer, Trouble> {
        self.ask(Method::GET, &[], query).await
    }

    /// The region that is asked.
    pub fn region(&self) -> &str {
        &self.region
    }

    /// The head of an object.
    ///
    /// # Errors
    /// The same.
    pub async fn head(&self, bucket: &str, key: &str) -> Result<Answer, Trouble> {
        let parts: Vec<&str> = std::iter::once(bucket).chain(key.split('/')).collect();
        self.ask(Method::HEAD, &parts, &[]).await
    }

    /// A question by a form, as RDS, EC2 and others have it.
    ///
    /// # Errors
    /// The same.
    pub async fn form(&self, fields: &[(&str, &str)]) -> Result<Answer, Trouble> {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let fields = [("content-type", "application/x-www-form-urlencoded")];
        self.send(Method::POST, self.base.clone(), &fields, body).await
    }

    /// A question by JSON, as DynamoDB and the key service have it.
    ///
    /// # Errors
    /// The same.
    pub async fn json(&self, action: &str, body: &serde_json::Value) -> Result<Answer, Trouble> {
        let kind = if self.service == "kms" { "application/x-amz-json-1.1" } else { "application/x-amz-json-1.0" };
        let fields = [("content-type", kind), ("x-amz-target", action)];
        self.send(Method::POST, self.base.clone(), &fields, body.to_string()).await
    }

    async fn ask(&self, method: Method, path: &[&str], query: &[(&str, &str)]) -> Result<Answer, Trouble> {
        let mut url = self.base.clone();
        url.path_segments_mut()
            .map_err(|()| Trouble::new(Reason::Internal, "the endpoint cannot have a path"))?
            .clear()
            .extend(path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
            // A plus is not a blank to who checks the signature.
            let plain = url.query().unwrap_or_default().replace('+', "%20");
            url.set_query(Some(&plain));
        }
        self.send(method, url, &[], String::new()).await
    }

    async fn send(&self, method: Method, url: Url, fields: &[(&str, &str)], body: String) -> Result<Answer, Trouble> {
        let mut request = self.http.request(method.clone(), url.clone());
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        for (name, value) in self.signature(method.as_str(), &url, fields, body.as_bytes())? {
            request = request.header(name, value);
        }
        if method == Method::POST {
            request = request.body(body);
        }
        let place = self.cx.dial.place(self.address).await?;
        place.opened();
        let asked = async {
            let mut answer = request.send().await.map_err(|error| lost(&error))?;
            let head = |name: &str| {
                answer.headers().get(name).and_then(|value| value.to_str().ok()).map(crate::collect::answer::clean)
            };
            let (encryption, region) = (head("x-amz-server-side-encryption"), head("x-amz-bucket-region"));
            let status = answer.status().as_u16();
            let mut body = Vec::new();
            while let Some(chunk) = answer.chunk().await.map_err(|error| lost(&error))? {
                body.extend_from_slice(&chunk);
                if body.len() > BODY {
                    return Err(Trouble::new(Reason::TooLarge, format!("an answer of more than {} MiB", BODY >> 20)));
                }
            }
            Ok(Answer { status, code: code(status, &body), body, encryption, region })
        };
        let answer = tokio::select! {
            answer = asked => answer?,
            () = self.cx.cancel.cancelled() => {
                return Err(Trouble::new(Reason::Interrupted, "stopped by the user"));
            }
        };
        drop(place);
        Ok(answer)
    }

    /// The fields that sign a request; none without credentials.
    fn signature(
        &self,
        method: &str,
        url: &Url,
        fields: &[(&str, &str)],
        body: &[u8],
    ) -> Result<Vec<(String, String)>, Trouble> {
        let Some(credentials) = &self.credentials else { return Ok(Vec::new()) };
        let fault = || Trouble::new(Reason::Internal, "the request could not be signed");
        let mut settings = SigningSettings::default();
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        let identity = credentials.clone().into();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name(self.service)
            .time(self.cx.clock.now().into())
            .settings(settings)
            .build()
            .map_err(|_| fault())?
            .into();
        let request = SignableRequest::new(method, url.as_str(), fields.iter().copied(), SignableBody::Bytes(body))
            .map_err(|_| fault())?;
        let (instructions, _) = sign(request, &params).map_err(|_| fault())?.into_parts();
        Ok(instructions.headers().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }
}

impl Answer {
    /// The answer where it is a good one, else what the refusal means, with the right that would help.
    ///
    /// # Errors
    /// The refusal.
    pub fn good(self, right: &str) -> Result<Answer, Trouble> {
        if (200..300).contains(&self.status) {
            return Ok(self);
        }
        Err(self.refusal(right))
    }

    /// What a refusal means. The service's own words are left out: they can hold names and keys.
    pub fn refusal(&self, right: &str) -> Trouble {
        let (reason, words) = match (self.code.as_str(), self.status) {
            (
                "AccessDenied"
                | "AllAccessDisabled"
                | "AccessDeniedException"
                | "UnauthorizedOperation"
                | "OptInRequired",
                _,
            ) => (Reason::PermissionDenied, format!("the audit account may not: a policy with {right} would show it")),
            (
                "InvalidAccessKeyId"
                | "SignatureDoesNotMatch"
                | "ExpiredToken"
                | "InvalidToken"
                | "TokenRefreshRequired"
                | "InvalidClientTokenId"
                | "UnrecognizedClientException"
                | "InvalidSignatureException"
                | "IncompleteSignature"
                | "ExpiredTokenException"
                | "AuthFailure",
                _,
            ) => (Reason::AuthenticationFailed, format!("the service does not accept the credentials ({})", self.code)),
            ("RequestTimeTooSkewed" | "RequestExpired", _) => {
                (Reason::AuthenticationFailed, "this machine's clock is too far from the service's".to_owned())
            }
            ("NoSuchBucket", _) => (Reason::Unreachable, "there is no bucket of this name".to_owned()),
            (_, 301 | 307 | 400) if self.region.is_some() => {
                let region = self.region.as_deref().unwrap_or_default();
                (Reason::Unsupported, format!("the bucket is elsewhere: write  region: {region}"))
            }
            (
                "SlowDown"
                | "ServiceUnavailable"
                | "Throttling"
                | "ThrottlingException"
                | "RequestLimitExceeded"
                | "ProvisionedThroughputExceededException",
                _,
            )
            | (_, 429 | 503) => (Reason::Refused, "the service asks to be asked less".to_owned()),
            (_, 403) => (Reason::PermissionDenied, format!("the service refuses: a policy with {right} may show it")),
            ("NotImplemented" | "MethodNotAllowed", _) | (_, 404 | 405 | 501) => {
                (Reason::Unsupported, "the service does not have what was asked for".to_owned())
            }
            (_, status) => (Reason::Refused, format!("the service answers with HTTP status {status}")),
        };
        Trouble::new(reason, words)
    }
}

/// Amazon's address of a service in a region.
fn amazon(service: &str, region: &str) -> String {
    let end = if region.starts_with("cn-") { ".cn" } else { "" };
    format!("https://{service}.{region}.amazonaws.com{end}")
}

/// The word in the body of a refusal, in each form that services have.
fn code(status: u16, body: &[u8]) -> String {
    if (200..300).contains(&status) || body.is_empty() {
        return String::new();
    }
    let word = match serde_json::from_slice::<serde_json::Value>(body) {
        Ok(told) => {
            let kind = told.get("__type").and_then(serde_json::Value::as_str).unwrap_or_default();
            kind.rsplit('#').next().unwrap_or_default().to_owned()
        }
        Err(_) => {
            let texts = super::xml::Texts::read(body).unwrap_or_default();
            let places = ["Error/Code", "ErrorResponse/Error/Code", "Response/Errors/Error/Code"];
            places.iter().find_map(|place| texts.first(place)).unwrap_or_default().to_owned()
        }
    };
    let fits = word.len() <= 60 && word.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '.');
    // What EC2 puts behind a dot tells which of its many kinds is meant, and nothing that matters here.
    if fits { word.split('.').next().unwrap_or_default().to_owned() } else { String::new() }
}

fn lost(error: &reqwest::Error) -> Trouble {
    if error.is_timeout() {
        Trouble::new(Reason::TimedOut, "no answer came in time")
    } else if error.is_connect() {
        Trouble::new(Reason::Refused, "the connection was refused, or the server's certificate is not trusted")
    } else {
        Trouble::new(Reason::ProtocolViolation, "no HTTP answer came")
    }
}
