//! Facts about files, copies and logs.

use super::settings::Settings;
use crate::collect::answer::map;
use crate::collect::direct::Log;
use crate::model::database::{AtRest, Audit, Backup, BackupMeans, Layer, Sign, StoredFile};
use crate::model::{Fact, Trouble};

/// What no answer of a server covers.
const NOT_COVERED: [&str; 5] = [
    "keys kept apart from the data",
    "replicas elsewhere",
    "older snapshots, backups and exports",
    "the server's own log",
    "memory, swap and core dumps",
];

/// Encryption by the storage engine, as it is told.
struct Engine {
    encrypted: Fact<bool>,
    /// `AES256-CBC`, `AES256-GCM`.
    cipher: Fact<Option<String>>,
    key: Fact<String>,
    level: u8,
    source: &'static str,
}

/// What the server says: its state counts more than the options that it was started with.
fn engine(settings: &Settings) -> Engine {
    const STATE: &str = "serverStatus.encryptionAtRest";
    const OPTIONS: &str = "getCmdLineOpts.parsed.security";
    let untold = |why: &str| Engine {
        encrypted: Fact::unknown(why),
        cipher: Fact::unknown(why),
        key: Fact::unknown(why),
        level: 2,
        source: STATE,
    };
    match settings.status.text("encryptionAtRest/encryptionEnabled") {
        Fact::Known(Some(state)) if state == "true" => {
            let key = match settings.status.text("encryptionAtRest/encryptionKeyId") {
                Fact::Known(Some(id)) if id == "local" => Fact::Known("local_file".to_owned()),
                Fact::Known(Some(_)) => Fact::Known("kms".to_owned()),
                Fact::Known(None) => Fact::unknown("the server does not tell where the key is"),
                Fact::Unknown(why) => Fact::Unknown(why),
            };
            let cipher = settings.status.text("encryptionAtRest/encryptionCipherMode");
            return Engine { encrypted: Fact::Known(true), cipher, key, level: 2, source: STATE };
        }
        // Many builds report no such section: then the options are all that there is.
        Fact::Known(_) => {}
        Fact::Unknown(why) => return untold(&why.unknown),
    }
    match settings.option("security/enableEncryption", "") {
        Fact::Known(Some(switch)) if switch == "true" => {
            let cipher = map(&settings.option("security/encryptionCipherMode", ""), |mode| {
                Some(mode.clone().unwrap_or_else(|| "AES256-CBC".to_owned()))
            });
            let beside = settings.options.has("parsed/security/encryptionKeyFile");
            let key = map(&beside, |beside| if *beside { "local_file" } else { "kms" }.to_owned());
            Engine { encrypted: Fact::Known(true), cipher, key, level: 1, source: OPTIONS }
        }
        Fact::Known(_) => {
            untold("the server does not encrypt its files itself, and cannot tell what the disk below does")
        }
        Fact::Unknown(why) => untold(&why.unknown),
    }
}

/// What is encrypted at rest.
///
/// # Errors
/// Where the server tells nothing of its storage.
pub fn at_rest(settings: &Settings) -> Result<AtRest, Trouble> {
    if let (Some(trouble), Some(_)) = (settings.status.trouble(), settings.options.trouble()) {
        return Err(trouble.clone());
    }
    let router = settings.is_router().known() == Some(&true);
    let memory =
        settings.status.text("storageEngine/persistent").known().is_some_and(|kept| kept.as_deref() == Some("false"));
    let stored = !memory;
    let told = match router {
        false => engine(settings),
        true => {
            const WHY: &str =
                "a router stores nothing itself: name each shard and the configuration servers as databases";
            Engine {
                encrypted: Fact::unknown(WHY),
                cipher: Fact::unknown(WHY),
                key: Fact::unknown(WHY),
                level: 2,
                source: "hello",
            }
        }
    };
    let (algorithm, bits, mode) = cipher(&told.cipher);
    let state = match &told.encrypted {
        Fact::Known(true) => Fact::Known("encrypted".to_owned()),
        Fact::Known(false) => Fact::Known("plain".to_owned()),
        Fact::Unknown(why) => Fact::Unknown(why.clone()),
    };
    let file = |kind: &str| StoredFile { kind: kind.to_owned(), state: state.clone(), source: told.source.to_owned() };
    let files = if stored { vec![file("data"), file("journal")] } else { Vec::new() };
    let folder = match settings.option("storage/dbPath", "") {
        Fact::Known(Some(folder)) => folder,
        _ => "the server's folder (storage.dbPath)".to_owned(),
    };
    let would_show = match (stored, &told.encrypted) {
        (true, Fact::Unknown(_)) => vec![format!(
            "the state of the disk below {folder}, as its host sees it: name it as `host` and the folder as `data` of this database"
        )],
        _ => Vec::new(),
    };
    Ok(AtRest {
        serves: Vec::new(),
        applicable: stored,
        layers: vec![Layer {
            layer: "instance".to_owned(),
            encrypted: told.encrypted,
            algorithm,
            key_bits: bits,
            mode,
            scope: "the whole server".to_owned(),
            level: told.level,
            source: told.source.to_owned(),
            key_location: told.key,
        }],
        files,
        not_covered: NOT_COVERED.iter().map(|what| (*what).to_owned()).collect(),
        would_show,
    })
}

/// Algorithm, size of the key and mode of `AES256-GCM`.
fn cipher(told: &Fact<Option<String>>) -> (Fact<String>, Fact<u32>, Fact<String>) {
    let split = match told {
        Fact::Known(Some(text)) => {
            text.strip_prefix("AES256-").map(str::to_owned).ok_or("the cipher is not one that is known here")
        }
        Fact::Known(None) => Err("the server does not tell the cipher"),
        Fact::Unknown(why) => {
            return (Fact::Unknown(why.clone()), Fact::Unknown(why.clone()), Fact::Unknown(why.clone()));
        }
    };
    match split {
        Ok(mode) => (Fact::Known("AES".to_owned()), Fact::Known(256), Fact::Known(mode)),
        Err(why) => (Fact::unknown(why), Fact::unknown(why), Fact::unknown(why)),
    }
}

/// The copies against loss: of none does the server know.
pub fn backup() -> Backup {
    let why =
        "the server keeps no record of its copies (mongodump, snapshots of the disk, Ops Manager, a provider's own)";
    Backup { applicable: true, means: vec![BackupMeans::untold("copies by other programs", why)] }
}

/// What is written down.
///
/// # Errors
/// Where the options may not be read.
pub fn audit(settings: &Settings) -> Result<Audit, Trouble> {
    if let Some(trouble) = settings.options.trouble() {
        return Err(trouble.clone());
    }
    // Sessions are logged unless the log is made quiet.
    let quiet = settings.option("systemLog/quiet", "");
    let sessions = map(&quiet, |quiet| quiet.as_deref() != Some("true"));
    let seen = quiet
        .known()
        .map(|quiet| format!("systemLog.quiet is {}", quiet.as_deref().unwrap_or("false")))
        .unwrap_or_default();
    let place = match (settings.option("systemLog/destination", ""), settings.option("systemLog/path", "")) {
        (Fact::Known(Some(kind)), Fact::Known(path)) => Fact::Known(match path.as_deref() {
            Some("/dev/null") => String::new(),
            Some(path) if kind == "file" => path.to_owned(),
            _ => kind,
        }),
        (Fact::Known(None), _) => Fact::Known("stdout".to_owned()),
        (Fact::Unknown(why), _) | (_, Fact::Unknown(why)) => Fact::Unknown(why),
    };
    let extension = settings.options.has("parsed/auditLog/destination");
    let filter = settings.options.has("parsed/auditLog/filter");
    let (definitions, words) = match (&extension, &filter) {
        (Fact::Known(false), _) => (Fact::Known(false), "there is no audit log (auditLog.destination)"),
        (Fact::Known(true), Fact::Known(false)) => (Fact::Known(true), "auditLog.destination is set, without a filter"),
        (Fact::Known(true), Fact::Known(true)) => {
            (Fact::unknown("auditLog.filter decides what is written down, and is not read here"), "")
        }
        (Fact::Unknown(why), _) | (_, Fact::Unknown(why)) => (Fact::Unknown(why.clone()), ""),
    };
    let log = Log { sessions, seen, definitions: Sign::new("changes of definitions", definitions, words), place };
    Ok(Audit {
        extension_classes: match (&extension, &filter) {
            (Fact::Known(false), _) => Fact::Known("none".to_owned()),
            (Fact::Known(true), Fact::Known(false)) => Fact::Known("all".to_owned()),
            _ => Fact::unknown("a filter decides"),
        },
        extension,
        ..log.audit(settings.version())
    })
}

#[cfg(test)]
mod tests {
    use super::super::settings::Told;
    use super::super::settings::tests::{blind, settings};
    use super::*;
    use bson::{RawDocumentBuf, rawdoc};

    fn layer(security: RawDocumentBuf, status: RawDocumentBuf) -> (Layer, AtRest) {
        let facts = at_rest(&settings(rawdoc! { "security": security }, status)).unwrap();
        (facts.layers[0].clone(), facts)
    }

    #[test]
    fn the_state_counts_more_than_the_options() {
        let on = || rawdoc! { "enableEncryption": true, "encryptionKeyFile": "/etc/key" };
        let (one, facts) = layer(
            rawdoc! {},
            rawdoc! { "encryptionAtRest": { "encryptionEnabled": true, "encryptionCipherMode": "AES256-GCM", "encryptionKeyId": "7" } },
        );
        assert_eq!((one.encrypted, one.level, one.mode), (Fact::Known(true), 2, Fact::Known("GCM".to_owned())));
        assert_eq!((one.key_bits, one.key_location), (Fact::Known(256), Fact::Known("kms".to_owned())));
        assert!(facts.would_show.is_empty() && facts.files[1].state == Fact::Known("encrypted".to_owned()));
        let (one, _) = layer(on(), rawdoc! {});
        assert_eq!((one.encrypted, one.level, one.mode), (Fact::Known(true), 1, Fact::Known("CBC".to_owned())));
        assert_eq!(one.key_location, Fact::Known("local_file".to_owned()));
        // Broken bytes are neither yes nor no.
        let (one, _) = layer(on(), rawdoc! { "encryptionAtRest": "x" });
        assert!(one.encrypted.known().is_none());
    }

    #[test]
    fn no_encryption_of_its_own_says_nothing_of_the_disk() {
        for security in [rawdoc! {}, rawdoc! { "enableEncryption": false }] {
            let (one, facts) = layer(security, rawdoc! { "encryptionAtRest": { "encryptionEnabled": false } });
            assert!(facts.applicable && one.encrypted.known().is_none() && facts.files[0].state.known().is_none());
            assert_eq!(facts.would_show.len(), 1);
        }
        let memory = at_rest(&settings(rawdoc! {}, rawdoc! { "storageEngine": { "persistent": false } })).unwrap();
        assert!(!memory.applicable && memory.files.is_empty());
        let mut router = settings(rawdoc! { "security": { "enableEncryption": true } }, rawdoc! {});
        router.hello = Told::new(Ok(rawdoc! { "msg": "isdbgrid" }), "hello");
        assert!(at_rest(&router).unwrap().layers[0].encrypted.known().is_none());
        assert!(at_rest(&blind()).is_err() && audit(&blind()).is_err());
    }

    #[test]
    fn an_audit_log_with_a_filter_may_leave_out_what_matters() {
        let of = |options| audit(&settings(options, rawdoc! {})).unwrap();
        let plain = of(rawdoc! {});
        assert_eq!(plain.connections, Fact::Known(true));
        assert_eq!(plain.logging[2].yes, Fact::Known(false));
        let log = || rawdoc! { "destination": "file" };
        assert_eq!(of(rawdoc! { "auditLog": log() }).logging[2].yes, Fact::Known(true));
        let filtered = of(rawdoc! { "auditLog": { "destination": "file", "filter": "{}" } });
        assert!(filtered.logging[2].yes.known().is_none());
        let quiet = of(rawdoc! { "systemLog": { "quiet": true, "destination": "file", "path": "/dev/null" } });
        assert_eq!((quiet.connections, quiet.logging[3].yes.clone()), (Fact::Known(false), Fact::Known(false)));
    }
}
