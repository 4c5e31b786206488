//! What the server tells of itself: documents, whose fields are found by paths.

use super::session::{Session, strange};
use crate::collect::answer::clean;
use crate::model::{Fact, Reason, Trouble};
use bson::{RawBsonRef, RawDocument, RawDocumentBuf, rawdoc};
use std::net::IpAddr;

/// A document that was asked for, or why it is not here.
pub struct Told {
    document: Result<RawDocumentBuf, Trouble>,
    command: &'static str,
}

impl Told {
    /// An answer of a command; where it was refused, with the role that would show it.
    pub fn new(answer: Result<RawDocumentBuf, Trouble>, command: &'static str) -> Told {
        let document = answer.map_err(|trouble| match trouble.reason {
            Reason::PermissionDenied => {
                let words = format!("{}; the role clusterMonitor would show it", trouble.detail);
                Trouble::new(trouble.reason, words)
            }
            _ => trouble,
        });
        Told { document, command }
    }

    /// Why it is not here.
    pub fn trouble(&self) -> Option<&Trouble> {
        self.document.as_ref().err()
    }

    /// A text, a number or a switch as text; nothing where it is not set.
    pub fn text(&self, path: &str) -> Fact<Option<String>> {
        let document = match &self.document {
            Ok(document) => document,
            Err(trouble) => return Fact::unknown(trouble.to_string()),
        };
        let value = match find(document, path) {
            Ok(value) => value,
            Err(()) => return Fact::unknown(strange(self.command).to_string()),
        };
        match value {
            None => Fact::Known(None),
            Some(RawBsonRef::String(text)) => Fact::Known(Some(clean(text))),
            Some(RawBsonRef::Boolean(switch)) => Fact::Known(Some(switch.to_string())),
            Some(RawBsonRef::Int32(number)) => Fact::Known(Some(number.to_string())),
            Some(RawBsonRef::Int64(number)) => Fact::Known(Some(number.to_string())),
            Some(RawBsonRef::Double(number)) => Fact::Known(Some(number.to_string())),
            Some(_) => Fact::unknown(strange(self.command).to_string()),
        }
    }

    /// Something is set at the path, whatever it is.
    pub fn has(&self, path: &str) -> Fact<bool> {
        match &self.document {
            Ok(document) => match find(document, path) {
                Ok(value) => Fact::Known(value.is_some()),
                Err(()) => Fact::unknown(strange(self.command).to_string()),
            },
            Err(trouble) => Fact::unknown(trouble.to_string()),
        }
    }

    /// The texts of a list.
    pub fn list(&self, path: &str) -> Fact<Vec<String>> {
        let document = match &self.document {
            Ok(document) => document,
            Err(trouble) => return Fact::unknown(trouble.to_string()),
        };
        match find(document, path) {
            Ok(Some(RawBsonRef::Array(list))) => {
                let text = |item: bson::error::Result<RawBsonRef<'_>>| item.ok()?.as_str().map(clean);
                let texts: Option<Vec<String>> = list.into_iter().take(1_000).map(text).collect();
                texts.map_or_else(|| Fact::unknown(strange(self.command).to_string()), Fact::Known)
            }
            Ok(None) => Fact::Known(Vec::new()),
            _ => Fact::unknown(strange(self.command).to_string()),
        }
    }
}

/// What stands at a path such as `net/tls/mode`; an error where the bytes there are broken.
fn find<'a>(document: &'a RawDocument, path: &str) -> Result<Option<RawBsonRef<'a>>, ()> {
    let mut at = document;
    // Names of fields can have dots.
    let mut steps = path.split('/').peekable();
    while let Some(step) = steps.next() {
        let value = at.get(step).map_err(|_| ())?;
        match (value, steps.peek()) {
            (value, None) => return Ok(value),
            (Some(RawBsonRef::Document(inner)), Some(_)) => at = inner,
            (None, Some(_)) => return Ok(None),
            (Some(_), Some(_)) => return Err(()),
        }
    }
    Ok(None)
}

/// Everything that the server tells of itself.
pub struct Settings {
    /// The options that it was started with.
    pub options: Told,
    /// Its state.
    pub status: Told,
    /// Its build.
    pub build: Told,
    /// Parameters of the login.
    pub parameters: Told,
    /// Whether it is a router of a cluster, or a member of a replica set.
    pub hello: Told,
}

impl Settings {
    /// Asks the server.
    pub async fn read(session: &Session<'_>) -> Settings {
        let status = rawdoc! {
            "serverStatus": 1, "encryptionAtRest": 1, "metrics": 0, "wiredTiger": 0, "tcmalloc": 0, "locks": 0, "opLatencies": 0
        };
        let parameters = rawdoc! { "getParameter": 1, "authenticationMechanisms": 1, "enableLocalhostAuthBypass": 1 };
        let ask = async |document, name: &'static str| Told::new(session.admin(document, name).await, name);
        Settings {
            options: ask(rawdoc! { "getCmdLineOpts": 1 }, "getCmdLineOpts").await,
            status: ask(status, "serverStatus").await,
            build: ask(rawdoc! { "buildInfo": 1 }, "buildInfo").await,
            parameters: ask(parameters, "getParameter").await,
            hello: ask(rawdoc! { "hello": 1 }, "hello").await,
        }
    }

    /// An option that may have an older name, which was valid before version 4.2.
    pub fn option(&self, path: &str, older: &str) -> Fact<Option<String>> {
        match self.options.text(&format!("parsed/{path}")) {
            Fact::Known(None) if !older.is_empty() => self.options.text(&format!("parsed/{older}")),
            other => other,
        }
    }

    /// Whether clients of other machines reach the server's port at all.
    pub fn is_reachable(&self) -> Fact<bool> {
        let (all, some) = (self.option("net/bindIpAll", ""), self.option("net/bindIp", ""));
        match (all, some) {
            (Fact::Unknown(why), _) | (_, Fact::Unknown(why)) => Fact::Unknown(why),
            (Fact::Known(all), _) if all.as_deref() == Some("true") => Fact::Known(true),
            // What is said nowhere is loopback, since version 3.6.
            (_, Fact::Known(None)) => Fact::Known(false),
            (_, Fact::Known(Some(addresses))) => {
                let near = |word: &str| {
                    word == "localhost"
                        || word.starts_with('/')
                        || word.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
                };
                Fact::Known(!addresses.split([',', ';']).map(str::trim).filter(|word| !word.is_empty()).all(near))
            }
        }
    }

    /// It passes commands on, and stores nothing itself.
    pub fn is_router(&self) -> Fact<bool> {
        crate::collect::answer::map(&self.hello.text("msg"), |kind| kind.as_deref() == Some("isdbgrid"))
    }

    /// Name and version.
    pub fn version(&self) -> Fact<String> {
        match self.build.text("version") {
            Fact::Known(Some(version)) => Fact::Known(format!("MongoDB {version}")),
            Fact::Known(None) => Fact::unknown("buildInfo tells no version"),
            Fact::Unknown(why) => Fact::Unknown(why),
        }
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// Settings of these options and this state.
    pub fn settings(options: RawDocumentBuf, status: RawDocumentBuf) -> Settings {
        Settings {
            options: Told::new(Ok(rawdoc! { "parsed": options }), "getCmdLineOpts"),
            status: Told::new(Ok(status), "serverStatus"),
            build: Told::new(Ok(rawdoc! { "version": "7.0.14" }), "buildInfo"),
            parameters: Told::new(Ok(rawdoc! {}), "getParameter"),
            hello: Told::new(Ok(rawdoc! {}), "hello"),
        }
    }

    /// Settings that may not be read.
    pub fn blind() -> Settings {
        let told = |name| Told::new(Err(Trouble::new(Reason::PermissionDenied, "may not")), name);
        Settings {
            options: told("getCmdLineOpts"),
            status: told("serverStatus"),
            build: told("buildInfo"),
            parameters: told("getParameter"),
            hello: told("hello"),
        }
    }

    #[test]
    fn only_loopback_shuts_other_machines_out() {
        for (bind, reachable) in [
            (rawdoc! {}, false),
            (rawdoc! { "bindIp": "127.0.0.1,::1" }, false),
            (rawdoc! { "bindIp": "localhost,/tmp/mongodb.sock" }, false),
            (rawdoc! { "bindIp": "127.0.0.1, 10.0.0.5" }, true),
            (rawdoc! { "bindIp": "db.internal" }, true),
            (rawdoc! { "bindIpAll": true }, true),
        ] {
            let words = format!("{bind:?}");
            assert_eq!(settings(rawdoc! { "net": bind }, rawdoc! {}).is_reachable(), Fact::Known(reachable), "{words}");
        }
        assert!(blind().is_reachable().reason().unwrap().contains("clusterMonitor"));
    }

    #[test]
    fn a_path_through_what_is_no_document_is_strange_and_not_unset() {
        let told = settings(rawdoc! { "net": "x", "security": { "a": [1] } }, rawdoc! {}).options;
        assert!(told.text("parsed/net/tls/mode").known().is_none());
        assert!(told.text("parsed/security/a").known().is_none() && told.list("parsed/security/a").known().is_none());
        assert_eq!(told.text("parsed/storage/dbPath"), Fact::Known(None));
    }
}
