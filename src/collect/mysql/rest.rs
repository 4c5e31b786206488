//! Facts about the encryption of the server's files, as far as the server can tell, each kind of file apart.
//!
//! Where the server encrypts nothing, the disk below it may: that is not known here. Where it encrypts tables, a kind
//! of file that it leaves as it is stands out as plain.

use super::session::Session;
use super::settings::Settings;
use super::spaces::{Engines, Spaces};
use crate::collect::answer::{clean, text};
use crate::model::database::{AtRest, Layer, StoredFile};
use crate::model::{Fact, Reason, Trouble};

/// What no answer of a server covers.
const NOT_COVERED: [&str; 6] = [
    "keys kept apart from the data",
    "replicas elsewhere",
    "older snapshots and backups",
    "exports",
    "the error log, the general log and the slow log",
    "memory, swap and core dumps",
];
const BELOW: &str = "what the disk below does, the server cannot tell";

/// Asks the server.
pub async fn facts(session: &Session<'_>, settings: &Result<Settings, Trouble>) -> AtRest {
    let spaces = Spaces::read(session).await;
    let engines = Engines::read(session, settings).await;
    let settings = match settings {
        Ok(settings) => settings,
        Err(trouble) => {
            let data = Fact::unknown(trouble.to_string());
            return put_together(vec![layer("the tables", &data, Cipher::unknown(&trouble.to_string()))], Vec::new());
        }
    };
    let sight = Sight { mariadb: session.mariadb, settings, in_use: spaces.as_ref().is_ok_and(Spaces::any_encrypted) };
    let data = data(&sight, &spaces, &engines, session);
    let cipher = match session.mariadb {
        true => Cipher::of_mariadb(settings),
        false => Cipher::of_mysql(keyring(session).await),
    };
    let scope = spaces.as_ref().map_or_else(|_| "the tables".to_owned(), Spaces::scope);
    let mut files = vec![
        StoredFile { kind: "data".to_owned(), state: data.clone(), source: engines.source() },
        sight.file("redo log", if session.mariadb { "innodb_encrypt_log" } else { "innodb_redo_log_encrypt" }),
        undo(&sight, &spaces),
        binary_log(&sight, session).await,
    ];
    if session.mariadb {
        files.push(aria_log(&sight, &engines));
    }
    files.push(temporary(&sight));
    let mut facts = put_together(vec![layer(&scope, &data, cipher)], files);
    if !session.mariadb && sight.in_use {
        facts.not_covered.push("the system tablespace, which MySQL does not encrypt".to_owned());
    }
    if let Some(unseen) = engines.unseen {
        facts.not_covered.push(unseen);
    }
    facts
}

fn put_together(layers: Vec<Layer>, files: Vec<StoredFile>) -> AtRest {
    let unknown = layers.iter().any(|layer| layer.encrypted.known().is_none());
    let below = "the state of the disk below datadir and every log, as its host sees it, or the record of the provider";
    AtRest {
        serves: Vec::new(),
        applicable: true,
        layers,
        files,
        not_covered: NOT_COVERED.iter().map(|what| (*what).to_owned()).collect(),
        would_show: if unknown { vec![below.to_owned()] } else { Vec::new() },
    }
}

/// The settings, and whether the server encrypts any table.
struct Sight<'a> {
    mariadb: bool,
    settings: &'a Settings,
    in_use: bool,
}

impl Sight<'_> {
    /// The state of a kind of file that one switch decides.
    fn file(&self, kind: &str, switch: &str) -> StoredFile {
        let state = match self.settings.is_on(switch) {
            Some(true) => Fact::Known("encrypted".to_owned()),
            Some(false) => self.left(&format!("{switch} is off")),
            None => self.left(&format!("the server has no switch {switch}")),
        };
        StoredFile { kind: kind.to_owned(), state, source: switch.to_owned() }
    }

    /// What the server leaves as it is.
    fn left(&self, why: &str) -> Fact<String> {
        match self.in_use {
            true => Fact::Known("plain".to_owned()),
            false => Fact::unknown(format!("{why}; {BELOW}")),
        }
    }
}

/// The tables, of every engine.
fn data(sight: &Sight<'_>, spaces: &Result<Spaces, Trouble>, engines: &Engines, session: &Session<'_>) -> Fact<String> {
    let spaces = match spaces {
        Ok(spaces) => spaces,
        Err(trouble) => return session.fact(Err(trouble.clone()), "PROCESS ON *.*"),
    };
    if !sight.in_use {
        return Fact::unknown(format!("the server encrypts no tablespace; {BELOW}"));
    }
    if spaces.any_plain(sight.mariadb) || !engines.plain.is_empty() {
        return Fact::Known("plain".to_owned());
    }
    match &engines.unknown {
        Some(why) => Fact::unknown(why),
        None => Fact::Known("encrypted".to_owned()),
    }
}

/// The undo logs: tablespaces of their own, else part of the system tablespace.
fn undo(sight: &Sight<'_>, spaces: &Result<Spaces, Trouble>) -> StoredFile {
    let state = match spaces {
        Err(trouble) => Fact::unknown(trouble.to_string()),
        Ok(spaces) => match (spaces.undo.total(), sight.mariadb) {
            (0, true) if spaces.system.encrypted > 0 && spaces.system.plain == 0 => Fact::Known("encrypted".to_owned()),
            (0, true) => sight.left("the undo logs are in the system tablespace, which is not encrypted"),
            (0, false) => Fact::unknown("the server shows no undo tablespace"),
            _ if spaces.undo.plain > 0 => sight.left("undo tablespaces are not encrypted"),
            // What is written from now on counts as well.
            _ if sight.settings.is_on("innodb_undo_log_encrypt") == Some(false) => {
                sight.left("innodb_undo_log_encrypt is off")
            }
            _ => Fact::Known("encrypted".to_owned()),
        },
    };
    StoredFile { kind: "undo log".to_owned(), state, source: "the list of tablespaces".to_owned() }
}

/// The binary logs. MySQL tells of each file whether it is encrypted.
async fn binary_log(sight: &Sight<'_>, session: &Session<'_>) -> StoredFile {
    let kind = "binary log".to_owned();
    if sight.settings.is_on("log_bin") == Some(false) {
        return StoredFile { kind, state: Fact::Known("absent".to_owned()), source: "log_bin".to_owned() };
    }
    if sight.mariadb {
        return sight.file("binary log", "encrypt_binlog");
    }
    let mut file = sight.file("binary log", "binlog_encryption");
    if file.state == Fact::Known("encrypted".to_owned()) {
        "SHOW BINARY LOGS".clone_into(&mut file.source);
        file.state = match session.rows("SHOW BINARY LOGS").await {
            Ok(rows) if rows.is_empty() => Fact::unknown("the server shows no binary log"),
            Ok(rows) => {
                let plain = rows.iter().filter(|row| row.get(2).and_then(Option::as_deref) != Some("Yes")).count();
                match plain {
                    0 => Fact::Known("encrypted".to_owned()),
                    _ => sight.left(&format!("{plain} binary logs from before are not encrypted")),
                }
            }
            Err(trouble) => session.fact(Err(trouble), "REPLICATION CLIENT ON *.*"),
        };
    }
    file
}

/// The log of Aria, which no switch encrypts.
fn aria_log(sight: &Sight<'_>, engines: &Engines) -> StoredFile {
    let state = match engines.aria {
        Some(0) if engines.unseen.is_none() => Fact::unknown(format!(
            "MariaDB has no switch that encrypts it; it holds changes of the server's own tables, since none of a user's \
             is of Aria; {BELOW}"
        )),
        Some(1..) => sight.left("MariaDB has no switch that encrypts it"),
        _ => Fact::unknown(format!(
            "MariaDB has no switch that encrypts it; whether tables of a user's write to it is not seen; {BELOW}"
        )),
    };
    StoredFile { kind: "Aria log".to_owned(), state, source: "the engines of the tables".to_owned() }
}

/// Temporary files: by three switches of MariaDB's, or two of Percona's.
fn temporary(sight: &Sight<'_>) -> StoredFile {
    let switches: &[&str] = match sight.mariadb {
        true => &["encrypt_tmp_files", "encrypt_tmp_disk_tables", "innodb_encrypt_temporary_tables"],
        false => &["encrypt_tmp_files", "innodb_temp_tablespace_encrypt"],
    };
    let states: Vec<Option<bool>> = switches.iter().map(|switch| sight.settings.is_on(switch)).collect();
    let off: Vec<&str> =
        switches.iter().zip(&states).filter(|(_, on)| **on != Some(true)).map(|(switch, _)| *switch).collect();
    let state = match () {
        () if off.is_empty() => Fact::Known("encrypted".to_owned()),
        () if states.contains(&None) => Fact::unknown(format!("the server has no switch {}; {BELOW}", off.join(", "))),
        () => sight.left(&format!("{} is off", off.join(", "))),
    };
    StoredFile { kind: "temp".to_owned(), state, source: switches.join(", ") }
}

/// How tables are encrypted.
struct Cipher {
    algorithm: Fact<String>,
    key_bits: Fact<u32>,
    mode: Fact<String>,
    key_location: Fact<String>,
    source: &'static str,
}

impl Cipher {
    fn unknown(why: &str) -> Cipher {
        Cipher {
            algorithm: Fact::unknown(why),
            key_bits: Fact::unknown(why),
            mode: Fact::unknown(why),
            key_location: Fact::unknown(why),
            source: "the list of tablespaces",
        }
    }

    /// MySQL's manual names one cipher.
    fn of_mysql(key_location: Fact<String>) -> Cipher {
        Cipher {
            algorithm: Fact::Known("AES".to_owned()),
            key_bits: Fact::Known(256),
            mode: Fact::Known("CBC".to_owned()),
            key_location,
            source: "information_schema.INNODB_TABLESPACES",
        }
    }

    /// MariaDB leaves it to the plugin that has the keys.
    fn of_mariadb(settings: &Settings) -> Cipher {
        let source = "information_schema.INNODB_TABLESPACES_ENCRYPTION";
        let Some(algorithm) = settings.get("file_key_management_encryption_algorithm") else {
            let why = "the plugin that has the keys does not tell it";
            return Cipher { source, ..Cipher::unknown(why) };
        };
        let mode = match algorithm.to_ascii_lowercase().as_str() {
            "aes_ctr" => Fact::Known("CTR".to_owned()),
            "aes_cbc" => Fact::Known("CBC".to_owned()),
            _ => Fact::unknown("the mode is not one that is known here"),
        };
        Cipher {
            algorithm: Fact::Known("AES".to_owned()),
            key_bits: Fact::unknown(
                "the length of the key is in the file of keys, which is not read: its owner can tell, four bits for \
                 each digit",
            ),
            mode,
            key_location: Fact::Known("local_file".to_owned()),
            source,
        }
    }
}

fn layer(scope: &str, data: &Fact<String>, cipher: Cipher) -> Layer {
    let encrypted = match data {
        Fact::Known(state) => Fact::Known(state == "encrypted"),
        Fact::Unknown(why) => Fact::Unknown(why.clone()),
    };
    let cipher = match encrypted.known() {
        Some(true) => cipher,
        _ => Cipher { source: cipher.source, ..Cipher::unknown("not known to be encrypted") },
    };
    Layer {
        layer: "table".to_owned(),
        encrypted,
        algorithm: cipher.algorithm,
        key_bits: cipher.key_bits,
        mode: cipher.mode,
        scope: scope.to_owned(),
        level: 2,
        source: cipher.source.to_owned(),
        key_location: cipher.key_location,
    }
}

/// Where MySQL's keys are: in a component, or in a plugin of older versions.
async fn keyring(session: &Session<'_>) -> Fact<String> {
    let component = "SELECT STATUS_KEY, STATUS_VALUE FROM performance_schema.keyring_component_status LIMIT 50";
    let rows = match session.rows(component).await {
        Ok(rows) => rows,
        Err(trouble) if trouble.reason == Reason::Unsupported => Vec::new(),
        Err(trouble) => {
            return session.fact(Err(trouble), "SELECT ON performance_schema.keyring_component_status");
        }
    };
    let value = |wanted: &str| {
        let row = rows.iter().find(|row| text(row, 0).is_ok_and(|key| key == wanted));
        row.and_then(|row| text(row, 1).ok()).map(|value| clean(&value))
    };
    let name = match value("Component_name").or_else(|| value("Implementation_name")) {
        Some(_) if value("Component_status").as_deref() != Some("Active") => {
            return Fact::unknown("the component that has the keys is not active");
        }
        Some(name) => name,
        None => {
            let plugins = "SELECT PLUGIN_NAME FROM information_schema.PLUGINS WHERE PLUGIN_NAME LIKE 'keyring%' \
                           AND PLUGIN_STATUS = 'ACTIVE' AND PLUGIN_NAME NOT LIKE 'keyring_udf%' ORDER BY 1 LIMIT 1";
            match session.rows(plugins).await.map(|rows| rows.first().map(|row| text(row, 0))) {
                Ok(Some(Ok(name))) => clean(&name),
                Ok(_) => return Fact::unknown("the server shows no keyring"),
                Err(trouble) => return Fact::unknown(trouble.to_string()),
            }
        }
    };
    location(&name)
}

/// Where a keyring of this name has its keys.
fn location(name: &str) -> Fact<String> {
    let name = name.to_ascii_lowercase();
    match () {
        () if name.contains("file") => Fact::Known("local_file".to_owned()),
        () if ["okv", "kmip", "kms", "aws", "oci", "vault", "hashicorp"].iter().any(|word| name.contains(word)) => {
            Fact::Known("kms".to_owned())
        }
        () => Fact::unknown(format!("where {name} keeps its keys is not known here")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sight(settings: &Settings, mariadb: bool, in_use: bool) -> Sight<'_> {
        Sight { mariadb, settings, in_use }
    }

    #[test]
    fn a_log_left_plain_beside_encrypted_tables_is_plain_and_else_not_known() {
        let settings = Settings::of(&[("innodb_encrypt_log", "OFF")]);
        let of = |in_use| sight(&settings, true, in_use).file("redo log", "innodb_encrypt_log").state;
        assert_eq!(of(true), Fact::Known("plain".to_owned()));
        assert!(of(false).reason().unwrap().contains("disk below"));
        let settings = Settings::of(&[("innodb_encrypt_log", "ON")]);
        assert_eq!(sight(&settings, true, true).file("", "innodb_encrypt_log").state, Fact::Known("encrypted".into()));
    }

    #[test]
    fn temporary_files_need_every_switch() {
        let mut pairs = vec![("encrypt_tmp_files", "ON"), ("encrypt_tmp_disk_tables", "ON")];
        assert!(temporary(&sight(&Settings::of(&pairs), true, true)).state.known().is_none());
        pairs.push(("innodb_encrypt_temporary_tables", "OFF"));
        assert_eq!(temporary(&sight(&Settings::of(&pairs), true, true)).state, Fact::Known("plain".to_owned()));
        pairs[2].1 = "ON";
        assert_eq!(temporary(&sight(&Settings::of(&pairs), true, true)).state, Fact::Known("encrypted".to_owned()));
        assert!(temporary(&sight(&Settings::of(&[]), false, true)).state.known().is_none());
    }

    #[test]
    fn the_cipher_by_server() {
        let cipher = Cipher::of_mariadb(&Settings::of(&[("file_key_management_encryption_algorithm", "AES_CTR")]));
        assert_eq!((cipher.mode, cipher.key_bits.known()), (Fact::Known("CTR".to_owned()), None));
        assert_eq!(Cipher::of_mysql(Fact::unknown("")).key_bits, Fact::Known(256));
        assert_eq!(location("component_keyring_file"), Fact::Known("local_file".to_owned()));
        assert_eq!(location("keyring_hashicorp"), Fact::Known("kms".to_owned()));
        assert!(location("keyring_of_the_house").known().is_none());
    }
}
