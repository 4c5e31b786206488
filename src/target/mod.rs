//! `probity.yaml` to validated targets and policy. Secrets are references only; nothing here connects.

mod address;
mod argument;
mod declaration;
mod file;
mod judging;
pub mod list;
mod part;
mod provenance;
mod secrets;
mod starter;
mod subjects;
pub mod zone;

pub use file::schema;
pub use starter::starter;

use crate::model::dns::{Anchor, Settings};
use crate::model::erasure::Erasure;
use crate::model::policy::Judging;
use crate::model::portability::Portability;
use crate::model::register::{Organisation, Register};
use crate::model::requests::Requests;
use crate::model::retention::Schedule;
use crate::model::target::{DiskPath, Place};
use crate::model::{Target, TargetKind, digest};
use crate::yaml::{Diagnostic, Document, Spot, nearest};
use file::File;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What is looked at, and how it is judged.
#[derive(Clone, Default)]
pub struct Config {
    /// Who is looked at, as `probity.yaml` says it.
    pub organisation: Option<Organisation>,
    /// Everything that is looked at, in the order it was declared; the register comes last.
    pub targets: Vec<Target>,
    /// How long data may be kept.
    pub retention: Option<Schedule>,
    /// The vendors.
    pub register: Option<Register>,
    /// The file of the register, where it has one of its own.
    pub register_file: Option<PathBuf>,
    /// The requests of data subjects.
    pub requests: Option<Requests>,
    /// The ledger of erasures, and what is said of it.
    pub erasure: Option<Erasure>,
    /// An export of one data subject, and what is said of it.
    pub portability: Option<Portability>,
    /// How names are looked up.
    pub dns: Settings,
    /// Policy, overlays and waivers.
    pub judging: Judging,
    /// `sha256:` over the canonical form of the configuration and of the files that it names.
    pub digest: String,
    /// The configuration file.
    pub file: Option<PathBuf>,
    /// What is allowed but probably not meant.
    pub hints: Vec<Diagnostic>,
    /// The texts that this was read from.
    pub sources: Sources,
}

/// The texts of a configuration, for mistakes that are found later.
#[derive(Clone, Default)]
pub struct Sources {
    /// `probity.yaml`.
    pub config: Option<Source>,
    /// The retention schedule, wherever it stands.
    pub retention: Option<Source>,
    /// The register, or the list of vendors, wherever it stands.
    pub register: Option<Source>,
}

/// A part of a text.
#[derive(Clone)]
pub struct Source {
    document: Arc<Document>,
    path: Vec<String>,
}

impl Source {
    /// The place where the part starts; keys and items lead on from there.
    pub fn root(&self) -> Spot<'_> {
        self.path.iter().fold(self.document.root(), |spot, key| spot.key(key))
    }
}

impl Config {
    /// Gives a configuration that was put together in code its digest.
    #[must_use]
    pub fn sealed(mut self) -> Config {
        let content = json!({
            "organisation": self.organisation, "targets": self.targets, "retention": self.retention,
            "register": self.register, "requests": self.requests, "judging": self.judging,
        });
        self.digest = digest::of(&content).unwrap_or_default();
        self
    }

    /// The target of this id.
    pub fn target(&self, id: &str) -> Option<&Target> {
        self.targets.iter().find(|target| target.id == id)
    }

    /// Mistakes in the names of checks and frameworks, which only a catalogue knows.
    pub fn unknown_names(&self, checks: &[&str], frameworks: &[&str]) -> Vec<Diagnostic> {
        let Some(source) = &self.sources.config else { return Vec::new() };
        judging::unknown_names(&self.judging, &source.root(), checks, frameworks)
    }
}

/// Reads a configuration file and the files that it names.
///
/// # Errors
/// With every mistake that could be found, each with its place.
pub fn load(path: &Path) -> Result<Config, Vec<Diagnostic>> {
    let name = path.display().to_string();
    let text = part::text(path).map_err(|reason| {
        vec![
            Diagnostic::of_file(&name, format!("the configuration cannot be read: {reason}"))
                .help("give the path of a configuration file, or name a host to look at instead"),
        ]
    })?;
    let mut document = Document::new(&name, &text);
    document.hide(secrets::is_secret);
    let document = Arc::new(document);
    let file: File = document.read()?;
    let folder = path.parent().unwrap_or(Path::new("")).to_owned();
    Loading { document, folder, mistakes: Vec::new(), files: BTreeMap::new() }.config(path, file)
}

/// Takes the hosts of a command line as targets.
///
/// # Errors
/// When one is not a host, or is written twice.
pub fn from_arguments(targets: &[String]) -> Result<Config, Vec<Diagnostic>> {
    let (targets, hints) = argument::targets(targets)?;
    let digest = digest::of(&json!({ "targets": targets })).unwrap_or_default();
    Ok(Config { targets, digest, hints, ..Config::default() })
}

/// The keys that stand for a target of their own, with its id.
const RESERVED: [(&str, &str); 4] = [
    ("vendors", part::REGISTER_ID),
    ("requests", subjects::REQUESTS_ID),
    ("erasure", subjects::ERASURE_ID),
    ("portability", subjects::EXPORT_ID),
];

/// A configuration that is being read, with the mistakes found so far.
struct Loading {
    document: Arc<Document>,
    /// Where relative paths start.
    folder: PathBuf,
    mistakes: Vec<Diagnostic>,
    /// Canonical content, or digest, of each file that the configuration names.
    files: BTreeMap<String, Value>,
}

impl Loading {
    fn config(mut self, path: &Path, file: File) -> Result<Config, Vec<Diagnostic>> {
        let document = self.document.clone();
        let root = document.root();
        let mut targets = self.targets(&file, &root);
        let retention = self.retention(&root);
        let register = self.register(&root, file.organisation.as_ref());
        if root.key("vendors").exists() {
            targets.push(self.register_target(&root.key("vendors"), register.as_ref().and_then(|p| p.file.as_deref())));
        }
        below(&mut targets);
        let requests = self.requests(&root);
        let schedule = retention.as_ref().map(|part| &part.value);
        let erasure = self.erasure(file.erasure.as_ref(), &root.key("erasure"), schedule);
        let portability = self.portability(file.portability.as_ref(), &root.key("portability"), schedule);
        targets.extend(self.subject_targets(&file, &root, requests.as_ref().and_then(|part| part.file.as_deref())));
        self.unique_ids(&file, &root);
        self.related(&targets, &root);
        if let Some(part) = &retention {
            self.stores(&targets, &part.source.root().key("data_sets"));
        }
        let dns = self.dns(file.dns.as_ref(), &root.key("dns"));
        let judging = Judging { policy: file.policy, checks: file.checks, waivers: file.waivers };
        let (mistakes, hints) = judging::mistakes(&judging, &targets, &root);
        self.mistakes.extend(mistakes);
        let lists = RESERVED.iter().any(|(key, _)| root.key(key).exists());
        if file.targets.is_empty() && !lists {
            let mistake = root.key("targets").mistake_in_key("there is nothing to look at");
            self.mistakes.push(mistake.help("declare at least one target, for example  targets: [shop.example]"));
        }
        let whole: Value = self.document.read()?;
        if !self.mistakes.is_empty() {
            self.mistakes.sort_by_key(|mistake| (mistake.file.clone(), mistake.line, mistake.column));
            return Err(self.mistakes);
        }
        let content = json!({ "configuration": whole, "files": self.files });
        let source = Source { document: self.document, path: Vec::new() };
        let (retention, retention_source) = retention.map(|part| (part.value, part.source)).unzip();
        let register_file = register.as_ref().and_then(|part| part.file.clone());
        let (register, register_source) = register.map(|part| (part.value, part.source)).unzip();
        Ok(Config {
            organisation: file.organisation,
            targets,
            retention,
            register,
            register_file,
            requests: requests.map(|part| part.value),
            erasure,
            portability,
            dns,
            judging,
            digest: digest::of(&content).unwrap_or_default(),
            file: Some(path.to_owned()),
            hints,
            sources: Sources { config: Some(source), retention: retention_source, register: register_source },
        })
    }

    fn dns(&mut self, written: Option<&file::Dns>, spot: &Spot<'_>) -> Settings {
        let mut settings = Settings::default();
        let Some(written) = written else { return settings };
        if let Some(text) = &written.resolver {
            settings.resolver = address::resolver(text);
            if settings.resolver.is_none() {
                let mistake = spot.key("resolver").mistake("this is not the address of a resolver");
                self.mistakes.push(
                    mistake.help("write an IP address, with a port where it is not 53, for example  127.0.0.1:5353"),
                );
            }
        }
        for (text, item) in written.anchors.iter().zip(spot.key("anchors").items()) {
            match Anchor::parse(text) {
                Some(anchor) => settings.anchors.push(anchor),
                None => self.mistakes.push(item.mistake("this is not the digest of a key").help(
                    "write the data of the root's DS record: key tag, algorithm, type of digest, digest in hexadecimal",
                )),
            }
        }
        settings
    }

    fn targets(&mut self, file: &File, root: &Spot<'_>) -> Vec<Target> {
        let spots = root.key("targets").items();
        let mut targets = Vec::new();
        for (entry, spot) in file.targets.iter().zip(spots) {
            match declaration::target(entry, &spot, &self.folder) {
                Ok(mut target) => {
                    target.declared = Some(self.place(&spot));
                    self.ca_files(&target, &spot);
                    targets.push(target);
                }
                Err(mut mistakes) => self.mistakes.append(&mut mistakes),
            }
        }
        targets
    }

    fn place(&self, spot: &Spot<'_>) -> Place {
        Place { file: self.document.file().to_owned(), line: spot.line() }
    }

    /// The user's own certification authorities are part of what is judged against, so they go into the digest.
    fn ca_files(&mut self, target: &Target, spot: &Spot<'_>) {
        let connection = &target.connection;
        let lists = [
            ("weak_keys_file", &connection.weak_keys_file),
            ("ct_log_list", &connection.ct_log_list),
            ("hsts_preload_list", &connection.hsts_preload_list),
        ];
        for (key, path) in lists {
            if let Some((path, reason)) = path.as_ref().and_then(|path| Some((path, part::readable(path).err()?))) {
                self.mistakes.push(part::unreadable(&spot.key("tls").key(key), path, &reason));
            }
        }
        let place = spot.key("tls").key("ca");
        for (index, path) in target.connection.ca_files.iter().enumerate() {
            let place = if place.is_list() { place.item(index) } else { place.clone() };
            match part::text(path) {
                Ok(text) if text.contains("-----BEGIN CERTIFICATE-----") => {
                    let digest = format!("sha256:{}", digest::sha256(text.as_bytes()));
                    self.covers(path, Value::String(digest));
                }
                Ok(_) => self.mistakes.push(
                    place
                        .mistake(format!("`{}` holds no certificate", path.display()))
                        .help("give a PEM file with the certificates of your own authorities"),
                ),
                Err(reason) => self.mistakes.push(part::unreadable(&place, path, &reason)),
            }
        }
    }

    fn register_target(&self, spot: &Spot<'_>, file: Option<&Path>) -> Target {
        let named = file.map_or_else(|| self.document.file().to_owned(), |file| file.display().to_string());
        let mut target = Target::new(part::REGISTER_ID, TargetKind::Register, named);
        target.declared = Some(self.place(spot));
        target.connection.path = file.map(Path::to_owned);
        target
    }

    fn unique_ids(&mut self, file: &File, root: &Spot<'_>) {
        let mut seen: BTreeMap<&str, u32> = BTreeMap::new();
        let mut repeated = |id, spot: &Spot<'_>, mistake: &dyn Fn(String) -> Diagnostic| match seen.get(id) {
            Some(first) => {
                let mistake =
                    mistake(format!("repeated target id `{id}`")).label(format!("first used on line {first}"));
                self.mistakes.push(mistake.help("give each target an id of its own"));
            }
            None => {
                seen.insert(id, spot.line());
            }
        };
        for (entry, item) in file.targets.iter().zip(root.key("targets").items()) {
            let spot = if item.key("id").exists() { item.key("id") } else { item };
            repeated(entry.id(), &spot, &|message| spot.mistake(message));
        }
        for (key, id) in RESERVED {
            let spot = root.key(key);
            if spot.exists() {
                repeated(id, &spot, &|message| spot.mistake_in_key(message));
            }
        }
    }

    fn related(&mut self, targets: &[Target], root: &Spot<'_>) {
        let ids = |kinds: &[TargetKind]| -> Vec<&str> {
            targets.iter().filter(|target| kinds.contains(&target.kind)).map(|target| target.id.as_str()).collect()
        };
        let hosts = ids(&[TargetKind::Host]);
        // A database runs on a machine, or in an account whose control plane tells of it.
        let places = ids(&[TargetKind::Host, TargetKind::Cloud]);
        for item in root.key("targets").items() {
            let host = item.key("host");
            let known = if item.key("kind").text() == Some("database") { &places } else { &hosts };
            let Some(name) = host.text().filter(|name| !known.contains(name)) else { continue };
            let mistake = host.mistake(format!("`{name}` is no target of kind host"));
            self.mistakes
                .push(suggest(mistake, name, &hosts).help("declare it, for example  - { id: db1, kind: host }"));
        }
    }

    fn stores(&mut self, targets: &[Target], data_sets: &Spot<'_>) {
        let ids: Vec<&str> = targets.iter().map(|target| target.id.as_str()).collect();
        for item in data_sets.items() {
            let store = item.key("store");
            let Some(name) = store.text().filter(|name| !ids.contains(name)) else { continue };
            let mistake = store.mistake(format!("store `{name}` is no target"));
            self.mistakes.push(suggest(mistake, name, &ids).help("a store is the id of a target in the configuration"));
        }
    }
}

/// Has each machine look at the folders of the databases on it that say theirs in the configuration.
fn below(targets: &mut [Target]) {
    let folder = |target: &Target| {
        let path = target.connection.data_folder.clone()?;
        Some((target.connection.host_target.clone()?, DiskPath { path, store: target.id.clone() }))
    };
    let folders: Vec<(String, DiskPath)> = targets.iter().filter_map(folder).collect();
    for (host, path) in folders {
        if let Some(target) = targets.iter_mut().find(|target| target.id == host && target.kind == TargetKind::Host) {
            target.connection.disk_paths.push(path);
        }
    }
}

/// Says under the caret which known name may have been meant.
fn suggest(mistake: Diagnostic, name: &str, known: &[&str]) -> Diagnostic {
    match nearest(name, known.iter().copied()) {
        Some(near) => mistake.label(format!("did you mean `{near}`?")),
        None => mistake.label("not declared"),
    }
}
