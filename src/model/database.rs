//! Facts about databases: the data of the `db.*` observation kinds.

use super::Fact;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One thing that was looked at, answered with yes, no or unknown.
///
/// A list of these keeps one unknown answer from hiding what another one shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Sign {
    /// What was looked at; unique in its list.
    pub name: String,
    /// The answer; what yes means stands at the list.
    pub yes: Fact<bool>,
    /// What the answer rests on, in words.
    pub seen: String,
}

impl Sign {
    /// A sign with what it rests on.
    pub fn new(name: &str, yes: Fact<bool>, seen: impl Into<String>) -> Sign {
        Sign { name: name.to_owned(), yes, seen: seen.into() }
    }
}

/// `db.transport`: whether what goes over the network is encrypted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Transport {
    /// False for a database file, which no network reaches.
    pub applicable: bool,
    /// The server agreed to TLS when it was asked to.
    pub tls_offered: Fact<bool>,
    /// The server's certificate leads to an authority that is trusted here, and names the server.
    pub certificate_verified: Fact<bool>,
    /// The TLS session that was made with the server.
    pub session: Fact<Session>,
    /// The server's own switch: `on` or `off`.
    pub ssl_setting: Fact<String>,
    /// The oldest version that the server is set to accept: `TLSv1.0` … `TLSv1.3`, or `any`.
    pub min_protocol: Fact<String>,
    /// The newest version that the server is set to accept, or `any`.
    pub max_protocol: Fact<String>,
    /// What a login without TLS met, before any password was sent: `refused`, `accepted`, or `asked` where the server
    /// went on to ask for a proof, which it may yet refuse.
    pub plaintext_login: Fact<String>,
    /// Sessions from other machines that are without TLS now.
    pub plain_sessions: Fact<u64>,
    /// Sessions from other machines now.
    pub remote_sessions: Fact<u64>,
    /// The rules by which the server admits clients, in their order; none where each account has its own.
    pub hba: Fact<Vec<HbaRule>>,
    /// Where encryption was looked for; yes means encrypted.
    pub encryption: Vec<Sign>,
    /// The ways to log in without TLS; yes means admitted.
    pub plaintext: Vec<Sign>,
}

/// A TLS session with a database server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Session {
    /// `TLSv1.2`, `TLSv1.3`.
    pub protocol: String,
    /// The IANA name of the cipher suite.
    pub cipher: String,
    /// Key length of the cipher.
    pub bits: u32,
}

/// One rule of a server's host-based authentication.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HbaRule {
    /// Its line, or its place in the list where lines are not told.
    pub line: u32,
    /// `local`, `host`, `hostssl`, `hostnossl`, `hostgssenc`, `hostnogssenc`.
    #[serde(rename = "type")]
    pub kind: String,
    /// `all`, or how many databases: `2 databases`.
    pub databases: String,
    /// `all`, or how many users: `1 user`.
    pub users: String,
    /// The address and mask, a keyword such as `all`, or empty.
    pub address: String,
    /// The method, for example `scram-sha-256`.
    pub method: String,
    /// A client without TLS can match it.
    pub plaintext_possible: bool,
    /// A client on another machine can match it.
    pub remote: bool,
    /// A rule before it takes every client that it could match.
    pub shadowed: bool,
    /// The server could not read the rule.
    pub error: bool,
}

/// `db.auth`: who may log in, and how they prove who they are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Auth {
    /// False for a database file, which has no accounts.
    pub applicable: bool,
    /// The methods by which clients are admitted: the rules that are reached and do not reject, or the accounts that
    /// are not locked.
    pub methods: Fact<Vec<AuthMethod>>,
    /// How new passwords are stored where nothing else is said, for example `scram-sha-256`.
    pub password_encryption: Fact<String>,
    /// Accounts with a hash that is fast to guess: MD5, or SHA-1.
    pub fast_hashes: Fact<u64>,
    /// Accounts with a hash that takes many rounds, such as SCRAM's.
    pub slow_hashes: Fact<u64>,
    /// Accounts that may log in and have no password.
    pub accounts_without_password: Fact<u64>,
    /// How passwords are stored; yes means by a modern hash.
    pub password_storage: Vec<Sign>,
    /// Names of the superusers.
    pub superusers: Fact<Vec<String>>,
    /// Names of the superusers that may log in.
    pub login_superusers: Fact<Vec<String>>,
    /// Names of further accounts that may log in and pass row security, make accounts, replicate, or reach files.
    pub privileged: Fact<Vec<String>>,
    /// Everybody may create objects in a schema that is open to all.
    pub public_create: Fact<bool>,
    /// What everybody was granted beyond the server's defaults.
    pub public_grants: Fact<Vec<PublicGrant>>,
    /// The accounts that an installation makes.
    pub default_accounts: Fact<Vec<DefaultAccount>>,
    /// Switches that widen what an account reaches; yes means closed.
    pub reach: Vec<Sign>,
}

/// Whether a way of proving oneself is weak; unknown where the way is.
pub fn is_weak(strength: &str) -> Fact<bool> {
    match strength {
        "unknown" => Fact::unknown("the method is not one that is known here"),
        other => Fact::Known(matches!(other, "none" | "cleartext" | "claimed" | "broken" | "md5" | "sha1")),
    }
}

/// A way in, and how a client proves who it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AuthMethod {
    /// Names the rule by what it says, for example `hostssl all all 0.0.0.0/0 md5`, with a number where two are equal;
    /// or the account, for example `app@%`.
    pub rule: String,
    /// Its line, which moves when the file is edited; nought for an account.
    pub line: u32,
    /// The method.
    pub method: String,
    /// The rule's type.
    #[serde(rename = "type")]
    pub kind: String,
    /// The rule's address, or empty.
    pub address: String,
    /// A client on another machine can match it.
    pub remote: bool,
    /// `none` (trust, or an empty password), `cleartext` (password), `claimed` (ident), `broken`, `md5`, `sha1`,
    /// `strong`, `external` or `unknown`.
    pub strength: String,
    /// The strength is one of the first six.
    pub weak: Fact<bool>,
    /// The method and where it stands, in words.
    pub seen: String,
}

/// What everybody may do to an object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PublicGrant {
    /// The object with its kind, for example `table app.orders`.
    pub object: String,
    /// The privileges, sorted and joined by a comma.
    pub privileges: String,
}

/// An account that an installation makes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DefaultAccount {
    /// Its name.
    pub name: String,
    /// It may log in at all.
    pub login: bool,
    /// It should not be there at all, or not for other machines, whatever its password.
    pub misplaced: bool,
    /// Somebody can log in as it without any proof.
    pub open: Fact<bool>,
    /// Clients of other machines may try.
    pub remote: Fact<bool>,
}

/// `db.audit`: what the server writes down.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Audit {
    /// False for a database file, which has no server that could log.
    pub applicable: bool,
    /// What is logged; yes means logged.
    pub logging: Vec<Sign>,
    /// New sessions are logged.
    pub connections: Fact<bool>,
    /// Ends of sessions are logged.
    pub disconnections: Fact<bool>,
    /// Which statements are logged: `none`, `ddl`, `mod`, `all`.
    pub statements: Fact<String>,
    /// Where the log goes, for example `stderr`; empty means nowhere.
    pub destination: Fact<String>,
    /// The server collects its log into files itself.
    pub collector: Fact<bool>,
    /// The audit extension is loaded.
    pub extension: Fact<bool>,
    /// The classes of statements that the audit extension logs, or `none`.
    pub extension_classes: Fact<String>,
    /// The server's version, for example `15.14`.
    pub server_version: Fact<String>,
}

/// `db.backup`: copies against loss, as far as the store itself tells of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Backup {
    /// False for a database file, which makes no copies of itself.
    pub applicable: bool,
    /// The means that the store has, and what it cannot tell.
    pub means: Vec<BackupMeans>,
}

/// One means that makes copies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BackupMeans {
    /// What it is; unique in its list.
    pub name: String,
    /// When it last succeeded, in UTC.
    pub last_success: Fact<String>,
    /// How many seconds ago that was.
    pub age_s: Fact<i64>,
    /// Its latest try failed, or it is switched off where the service knows of every copy.
    pub last_failed: Fact<bool>,
    /// What was seen, in words.
    pub seen: String,
}

impl BackupMeans {
    /// The least age of a copy, in seconds, that is taken for one of now.
    const SKEW: i64 = -300;

    /// A means that last succeeded then, looked at now.
    pub fn new(
        name: &str,
        last: Fact<jiff::Timestamp>,
        last_failed: Fact<bool>,
        seen: impl Into<String>,
        now: jiff::Timestamp,
    ) -> BackupMeans {
        let (last_success, age_s) = match last {
            Fact::Known(at) => {
                let age = now.as_second().saturating_sub(at.as_second());
                // Two clocks differ a little; a copy of tomorrow would be a recent one for ever.
                let age = match age {
                    BackupMeans::SKEW.. => Fact::Known(age.max(0)),
                    _ => Fact::unknown(format!("{at} lies in the future: the clocks here and there differ")),
                };
                (Fact::Known(at.to_string()), age)
            }
            Fact::Unknown(why) => (Fact::Unknown(why.clone()), Fact::Unknown(why)),
        };
        BackupMeans { name: name.to_owned(), last_success, age_s, last_failed, seen: seen.into() }
    }

    /// A means of which the store cannot tell, for this reason.
    pub fn untold(name: &str, why: &str) -> BackupMeans {
        BackupMeans {
            name: name.to_owned(),
            last_success: Fact::unknown(why),
            age_s: Fact::unknown(why),
            last_failed: Fact::unknown(why),
            seen: why.to_owned(),
        }
    }
}

/// `db.at_rest`: what one collector saw of the encryption of the files of one database.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AtRest {
    /// The addresses of the server that this is about, where it is told by another than the server: `host:port`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub serves: Vec<String>,
    /// False where nothing is stored.
    pub applicable: bool,
    /// The layers at which the files may be encrypted.
    pub layers: Vec<Layer>,
    /// Kinds of file beside each other: one encrypted kind says nothing about another.
    pub files: Vec<StoredFile>,
    /// What no layer here covers, in words.
    pub not_covered: Vec<String>,
    /// The evidence that would settle what is unknown, in words.
    pub would_show: Vec<String>,
}

/// A layer at which files may be encrypted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Layer {
    /// `disk`, `instance`, `table` or `file`.
    pub layer: String,
    /// The layer encrypts what is in its scope.
    pub encrypted: Fact<bool>,
    /// `AES`, or another algorithm's name.
    pub algorithm: Fact<String>,
    /// The size of the key.
    pub key_bits: Fact<u32>,
    /// `GCM`, `XTS`, `CTR`, `CBC-HMAC`, `CBC`, `ECB`.
    pub mode: Fact<String>,
    /// What it covers, for example `the whole server` or `the file`.
    pub scope: String,
    /// Strength of the evidence, from 0 (a person says so) to 5 (the bytes themselves).
    pub level: u8,
    /// What shows it, for example `pg_control_init()`.
    pub source: String,
    /// `local_file`, `kms`, `hsm`, `keyring`, `provider`.
    pub key_location: Fact<String>,
}

/// The state of one kind of file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StoredFile {
    /// `data`, `wal`, `temp`, `journal`; `redo log`, `undo log`, `binary log`, `Aria log`.
    pub kind: String,
    /// `encrypted`, `plain` or `absent`.
    pub state: Fact<String>,
    /// What shows it.
    pub source: String,
}

/// The files of one kind, or at one place, with all that is known of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct KindOfFile {
    /// The kind, and its path where the machine knows it: `wal /srv/wal`.
    pub name: String,
    /// The kind: `data`, `tablespace`, `wal`, `journal`, `temp`, `redo`, `binlog`.
    pub kind: String,
    /// It is a log of changes, which holds what the data hold.
    pub is_log: bool,
    /// They are encrypted.
    pub encrypted: Fact<bool>,
    /// Strength of the evidence that decides, 0 where none does.
    pub level: u8,
    /// The evidence that decides, or why none does.
    pub seen: String,
    /// One piece of evidence says encrypted and another shows plain.
    pub conflict: bool,
    /// What each layer does for them, from the table down to the disk.
    pub layers: Vec<LayerState>,
}

/// What one layer does for the files of one kind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LayerState {
    /// `table`, `instance`, `file` or `disk`.
    pub layer: String,
    /// Anything speaks of it at all.
    pub said: bool,
    /// It encrypts them.
    pub encrypted: Fact<bool>,
    /// Strength of the strongest evidence, 0 where there is none.
    pub level: u8,
    /// The cipher in words, or empty.
    pub cipher: String,
}

/// `db.encryption`, derived from everything that says something about the files of one database.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Encryption {
    /// False where nothing is stored.
    pub applicable: bool,
    /// The files are encrypted: some evidence says so, and none says that any of them is plain.
    pub encrypted: Fact<bool>,
    /// Strength of the strongest evidence for `encrypted`, 0 where there is none.
    pub level: u8,
    /// One piece of evidence says encrypted and another says plain.
    pub conflict: bool,
    /// The algorithm; `none` where nothing is encrypted.
    pub algorithm: Fact<String>,
    /// The size of the key; 0 where nothing is encrypted.
    pub key_bits: Fact<u32>,
    /// The mode; `none` where nothing is encrypted.
    pub mode: Fact<String>,
    /// The files by kind and place, each by itself.
    #[serde(default)]
    pub kinds: Vec<KindOfFile>,
    /// The state in one sentence.
    pub headline: String,
    /// Every piece of evidence in one sentence each, strongest first.
    pub facts: Vec<String>,
    /// What no layer covers.
    pub not_covered: Vec<String>,
    /// The evidence that would settle what is unknown.
    pub would_show: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_of_the_future_has_no_age() {
        let at = |second| jiff::Timestamp::from_second(second).unwrap();
        let age = |made| BackupMeans::new("a", Fact::Known(at(made)), Fact::Known(false), "", at(1_000)).age_s;
        assert_eq!((age(900), age(1_000), age(1_299)), (Fact::Known(100), Fact::Known(0), Fact::Known(0)));
        assert!(age(1_301).known().is_none());
    }
}
