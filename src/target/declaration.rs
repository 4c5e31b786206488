//! One declared target: which keys its kind allows, its address, its credentials.

use super::file::{Credentials, Declaration, Entry, Kind};
use super::{address, secrets};
use crate::model::target::{Connection, Depth, DiskPath, Engine, Roots};
use crate::model::{SecretRef, Target, TargetKind};
use crate::yaml::{Diagnostic, Spot};
use std::path::Path;

const PASSWORD_HELP: &str = "write where the password is to be had: \"env:NAME\", \"file:PATH\" or \"exec:COMMAND\"; if this file was shared, change the password";
const ABSOLUTE: &str = "write it as the machine has it, from its `/` on";
const LOGIN_HELP: &str = "write the host and port as the address, the user and the name of the secret under `credentials`, for example  credentials: { user: auditor, password: \"env:NAME\" }";

/// The target of an entry that stands at this place.
pub(super) fn target(entry: &Entry, spot: &Spot<'_>, folder: &Path) -> Result<Target, Vec<Diagnostic>> {
    match entry {
        Entry::Host(text) => {
            let address = address::parse(text, 443)
                .map_err(|wrong| vec![spot.mistake(hidden_login(text).unwrap_or(wrong.message)).help(wrong.help)])?;
            let mut target = Target::new(text, TargetKind::Endpoint, address.joined());
            address.note_in(&mut target.connection);
            Ok(target)
        }
        Entry::Declared(declaration) => Reading { declaration, spot, mistakes: Vec::new() }.target(folder),
    }
}

fn hidden_login(text: &str) -> Option<String> {
    secrets::holds_login(text).then(|| "an address must not hold a user or a password".to_owned())
}

struct Reading<'a, 't> {
    declaration: &'a Declaration,
    spot: &'a Spot<'t>,
    mistakes: Vec<Diagnostic>,
}

impl Reading<'_, '_> {
    fn target(mut self, folder: &Path) -> Result<Target, Vec<Diagnostic>> {
        self.id();
        self.keys();
        let mut target = Target::new(&self.declaration.id, self.declaration.kind.into(), "");
        match self.declaration.kind {
            Kind::Endpoint => self.network(&mut target, None),
            Kind::Database => self.database(&mut target, folder),
            Kind::File => self.file(&mut target, folder),
            Kind::Domain => self.domain(&mut target),
            Kind::Host => self.host(&mut target, folder),
            Kind::Objects => self.bucket(&mut target, folder),
            Kind::Cloud => self.account(&mut target, folder),
        }
        self.shared(&mut target, folder);
        if self.mistakes.is_empty() { Ok(target) } else { Err(self.mistakes) }
    }

    fn id(&mut self) {
        let id = &self.declaration.id;
        let spot = self.spot.key("id");
        if id.trim().is_empty() {
            self.mistakes.push(spot.mistake("the id is empty").help("give the target an id of its own"));
        } else if id.trim() != id || id.chars().any(char::is_control) || id.len() > 200 {
            let mistake = spot.mistake("the id is not fit to be shown");
            self.mistakes.push(mistake.help("use at most 200 letters, no line breaks, no space at its ends"));
        }
    }

    /// Keys that have no meaning for the kind are mistakes: nothing that is written is passed over.
    fn keys(&mut self) {
        use Kind::{Cloud, Database, Domain, Endpoint, File, Host, Objects};
        let it = self.declaration;
        let keys: [(&str, bool, &[Kind]); 17] = [
            ("http", it.http.is_some(), &[Endpoint]),
            ("starttls", it.starttls.is_some(), &[Endpoint]),
            ("hello_name", it.hello_name.is_some(), &[Endpoint]),
            ("server_name", it.server_name.is_some(), &[Endpoint, Database]),
            ("engine", it.engine.is_some(), &[Database, File]),
            ("database", it.database.is_some(), &[Database]),
            ("credentials", it.credentials.is_some(), &[Database, File, Objects, Cloud]),
            ("tls", it.tls.is_some(), &[Endpoint, Database, Domain, Objects, Cloud]),
            ("region", it.region.is_some(), &[Objects, Cloud]),
            ("endpoint", it.endpoint.is_some(), &[Objects, Cloud]),
            ("profile", it.profile.is_some(), &[Endpoint, Database]),
            ("intrusive", it.intrusive.is_some(), &[Endpoint, Database]),
            ("dkim", it.dkim.is_some(), &[Domain]),
            ("host", it.host.is_some(), &[Endpoint, Database, File]),
            ("paths", it.paths.is_some(), &[Host]),
            ("roots", it.roots.is_some(), &[Host]),
            ("data", it.data.is_some(), &[Database]),
        ];
        let kind = TargetKind::from(it.kind).word();
        for (key, written, kinds) in keys {
            if written && !kinds.contains(&it.kind) {
                let kinds: Vec<_> = kinds.iter().map(|kind| TargetKind::from(*kind).word()).collect();
                let mistake = self.spot.key(key).mistake_in_key(format!("`{key}` has no meaning for kind {kind}"));
                self.mistakes.push(mistake.help(format!("it belongs to kind {}", kinds.join(" or "))));
            }
        }
    }

    fn missing(&mut self, key: &str, help: &str) {
        let kind = TargetKind::from(self.declaration.kind).word();
        let mistake = self.spot.key("kind").mistake(format!("missing key `{key}` for a target of kind {kind}"));
        self.mistakes.push(mistake.help(help));
    }

    /// True where an address holds no login; a mistake otherwise.
    fn clear(&mut self, address: &str) -> bool {
        let Some(message) = hidden_login(address) else { return true };
        self.mistakes.push(self.spot.key("address").mistake(message).help(LOGIN_HELP));
        false
    }

    fn network(&mut self, target: &mut Target, default_port: Option<u16>) {
        let starttls = self.declaration.starttls.map(|starttls| starttls.0);
        target.connection.hello_name.clone_from(&self.declaration.hello_name);
        let Some(text) = &self.declaration.address else {
            return self
                .missing("address", "write a host, or a host and a port, for example  address: shop.example:8443");
        };
        if !self.clear(text) {
            return;
        }
        let port = default_port.or(starttls.map(|service| service.port)).unwrap_or(443);
        match address::parse(text, port) {
            Ok(address) if address.service.is_some() && (starttls.is_some() || default_port.is_some()) => {
                let mistake = self.spot.key("address").mistake("the service is named twice");
                self.mistakes.push(mistake.help("write the host and the port alone"));
            }
            Ok(address) => {
                target.address = address.joined();
                address.note_in(&mut target.connection);
                if let Some(service) = starttls {
                    target.connection.starttls = Some(service.word.to_owned());
                }
            }
            Err(wrong) => self.mistakes.push(self.spot.key("address").mistake(wrong.message).help(wrong.help)),
        }
        if self.declaration.http == Some(0) {
            let mistake = self.spot.key("http").mistake("this is not a port number");
            self.mistakes.push(mistake.help("a port is a whole number from 1 to 65535"));
        }
        target.connection.http_port = self.declaration.http;
    }

    /// A domain: its name is its address, or else its id.
    fn domain(&mut self, target: &mut Target) {
        let written = self.declaration.address.as_deref();
        let key = if written.is_some() { "address" } else { "id" };
        let text = written.unwrap_or(&self.declaration.id);
        match address::domain(text) {
            Ok(name) => {
                target.address.clone_from(&name);
                target.connection.host = name;
            }
            Err(wrong) => self.mistakes.push(self.spot.key(key).mistake(wrong.message).help(wrong.help)),
        }
        let selectors = self.declaration.dkim.iter().flatten();
        for (selector, item) in selectors.zip(self.spot.key("dkim").items()) {
            match address::domain(selector) {
                Ok(name) => target.connection.dkim_selectors.push(name),
                Err(_) => self.mistakes.push(
                    item.mistake("this is not the name of a selector")
                        .help("write what stands before `._domainkey` in the name of the key's record"),
                ),
            }
        }
    }

    /// A machine: this one, or one whose folders are mounted here.
    fn host(&mut self, target: &mut Target, folder: &Path) {
        let address = self.declaration.address.as_deref();
        self.clear(address.unwrap_or_default());
        target.address = address.unwrap_or(&self.declaration.id).to_owned();
        target.connection.host = address.unwrap_or_default().to_owned();
        for (path, item) in self.declaration.paths.iter().flatten().zip(self.spot.key("paths").items()) {
            if Path::new(path).is_absolute() {
                let path = DiskPath { path: path.into(), store: String::new() };
                target.connection.disk_paths.push(path);
            } else {
                self.mistakes.push(item.mistake("this is not an absolute path").help(ABSOLUTE));
            }
        }
        let Some(written) = &self.declaration.roots else { return };
        let place = |path: &Option<String>| path.as_ref().map(|path| folder.join(path));
        target.connection.roots = Roots {
            proc: place(&written.proc),
            sys: place(&written.sys),
            dev: place(&written.dev),
            files: place(&written.files),
        };
        let named = [&written.proc, &written.sys, &written.dev, &written.files];
        if named.iter().any(|path| path.is_none()) && named.iter().any(|path| path.is_some()) {
            let mistake = self.spot.key("roots").mistake_in_key("some of the folders are left out");
            self.mistakes.push(mistake.help("name all of proc, sys, dev and files, so that they are of one machine"));
        }
    }

    fn database(&mut self, target: &mut Target, folder: &Path) {
        match self.declaration.engine.map(Engine::reach) {
            Some(Some(reach)) => {
                self.network(target, Some(reach.port));
                target.connection.starttls = reach.starttls.map(str::to_owned);
                target.connection.service = reach.service.map(str::to_owned);
            }
            Some(None) => self.mistakes.push(
                self.spot
                    .key("engine")
                    .mistake("an SQLite database is a file, not a server")
                    .help("write  kind: file  and the path as its address"),
            ),
            None => self.missing("engine", "write which database it is, for example  engine: postgresql"),
        }
        if let Some(credentials) = &self.declaration.credentials {
            self.credentials(credentials, &mut target.connection, folder);
        }
        target.connection.database.clone_from(&self.declaration.database);
        if let Some(data) = &self.declaration.data {
            if !Path::new(data).is_absolute() {
                self.mistakes.push(self.spot.key("data").mistake("this is not an absolute path").help(ABSOLUTE));
            }
            target.connection.data_folder = Some(data.into());
        }
    }

    fn credentials(&mut self, credentials: &Credentials, connection: &mut Connection, folder: &Path) {
        connection.user.clone_from(&credentials.user);
        connection.password = self.secret("password", credentials.password.as_deref(), folder);
        connection.token = self.secret("token", credentials.token.as_deref(), folder);
    }

    fn secret(&mut self, key: &str, written: Option<&str>, folder: &Path) -> Option<SecretRef> {
        let secret = SecretRef::parse(written?).map(|secret| match secret {
            SecretRef::File(path) => SecretRef::File(folder.join(path).display().to_string()),
            other => other,
        });
        if secret.is_none() {
            let spot = self.spot.key("credentials").key(key);
            self.mistakes.push(spot.mistake("a secret is written in clear").label("hidden here").help(PASSWORD_HELP));
        }
        secret
    }

    /// A bucket: `s3://NAME`, at Amazon's address of the region or at another endpoint.
    fn bucket(&mut self, target: &mut Target, folder: &Path) {
        let Some(address) = self.declaration.address.as_deref() else {
            return self.missing("address", "write the bucket, for example  address: s3://shop-uploads");
        };
        let name = address.strip_prefix("s3://").unwrap_or_default().trim_end_matches('/');
        let fits = (3..=63).contains(&name.len())
            && name
                .chars()
                .all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || matches!(letter, '.' | '-'))
            && name.starts_with(|letter: char| letter.is_ascii_alphanumeric());
        if !fits {
            let mistake = self.spot.key("address").mistake("this is not the name of a bucket");
            self.mistakes.push(mistake.help("write s3:// and 3 to 63 small letters, digits, dots and hyphens"));
            return;
        }
        target.address = format!("s3://{name}");
        target.connection.database = Some(name.to_owned());
        self.service(target, folder);
    }

    /// An account: `aws` is looked at; others are declared, and reported as not looked at.
    fn account(&mut self, target: &mut Target, folder: &Path) {
        let address = self.declaration.address.as_deref();
        self.clear(address.unwrap_or_default());
        target.address = address.unwrap_or(&self.declaration.id).to_owned();
        if target.address == "aws" && self.declaration.region.is_none() {
            self.missing("region", "an account is looked at region by region, for example  region: eu-west-1");
        }
        self.service(target, folder);
    }

    /// Where services that are asked with signed requests are, and who asks.
    fn service(&mut self, target: &mut Target, folder: &Path) {
        let region = self.declaration.region.as_deref();
        if region.is_some_and(|region| {
            region.is_empty()
                || !region.chars().all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-')
        }) {
            self.mistakes
                .push(self.spot.key("region").mistake("this is not a region").help("for example  region: eu-west-1"));
        }
        target.connection.region = region.map(str::to_owned);
        let Some(endpoint) = &self.declaration.endpoint else { return self.signer(target, folder) };
        let bare = url::Url::parse(endpoint).is_ok_and(|url| {
            matches!(url.scheme(), "http" | "https")
                && url.host_str().is_some_and(|host| !host.is_empty())
                && url.username().is_empty()
                && url.password().is_none()
                && matches!(url.path(), "" | "/")
                && url.query().is_none()
        });
        if bare {
            target.connection.endpoint = Some(endpoint.clone());
        } else {
            let mistake = self.spot.key("endpoint").mistake("this is not the address of a store");
            self.mistakes.push(mistake.help("write a scheme, a host and perhaps a port: https://minio.example:9000"));
        }
        self.signer(target, folder);
    }

    fn signer(&mut self, target: &mut Target, folder: &Path) {
        if let Some(credentials) = &self.declaration.credentials {
            self.credentials(credentials, &mut target.connection, folder);
        }
    }

    fn file(&mut self, target: &mut Target, folder: &Path) {
        match self.declaration.engine {
            Some(Engine::Sqlite) => {}
            Some(engine) => {
                let name = if engine.speaks_mysql() { "MySQL or MariaDB" } else { engine.name() };
                let mistake = self.spot.key("engine").mistake(format!("a {name} database is a server, not a file"));
                self.mistakes.push(mistake.help("write  kind: database  and its host and port as the address"));
            }
            None => self.missing("engine", "write what the file is, for example  engine: sqlite"),
        }
        if let Some(credentials) = &self.declaration.credentials {
            self.credentials(credentials, &mut target.connection, folder);
        }
        match self.declaration.address.as_deref() {
            None | Some("") => self.missing("address", "write the path of the file, relative to this one"),
            Some(address) => {
                self.clear(address);
                target.address = address.to_owned();
                target.connection.path = Some(folder.join(address));
            }
        }
    }

    /// What every kind has.
    fn shared(&mut self, target: &mut Target, folder: &Path) {
        let it = self.declaration;
        target.engine = it.engine;
        target.labels.clone_from(&it.labels);
        target.owner.clone_from(&it.owner);
        target.environment.clone_from(&it.environment);
        target.connection.server_name.clone_from(&it.server_name);
        target.connection.host_target.clone_from(&it.host);
        target.connection.depth =
            Depth { profile: it.profile.unwrap_or_default(), intrusive: it.intrusive.unwrap_or(true) };
        if let Some(tls) = &it.tls {
            let authorities = tls.ca.iter().flat_map(super::file::Paths::all);
            target.connection.ca_files = authorities.map(|path| folder.join(path)).collect();
            target.connection.weak_keys_file = tls.weak_keys_file.as_ref().map(|path| folder.join(path));
            target.connection.revocation = tls.revocation.unwrap_or_default();
            target.connection.responders.clone_from(&tls.responders);
            target.connection.hsts_preload_list = tls.hsts_preload_list.as_ref().map(|path| folder.join(path));
            target.connection.ct_log_list = tls.ct_log_list.as_ref().map(|path| folder.join(path));
        }
    }
}
