//! Known clients: the hellos that they send, as captured, and the limits that they set.

use serde::{Deserialize, Serialize};

/// What stands in a list for a value that a client makes up anew each time (RFC 8701).
pub const GREASE: u16 = 0x0A0A;
/// How it is written in the table.
const GREASE_WORD: &str = "GREASE";

/// Values among the suites that are none: TLS_EMPTY_RENEGOTIATION_INFO_SCSV and TLS_FALLBACK_SCSV.
const SIGNALS: [u16; 2] = [0x00FF, 0x5600];
const SUPPORTED_VERSIONS: u16 = 43;
const TLS10: u16 = 0x0301;
const TLS12: u16 = 0x0303;

/// Whether a value is one of those that clients make up (RFC 8701).
pub fn is_grease(value: u16) -> bool {
    value & 0x0F0F == 0x0A0A && value >> 8 == value & 0xFF
}

/// A row of `clients.csv`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// For example `firefox-esr-140`.
    pub id: String,
    /// For people.
    pub name: String,
    /// The version captured.
    pub version: String,
    /// The library that speaks TLS.
    pub library: String,
    /// A browser.
    pub browser: bool,
    /// In wide use at the date of capture.
    pub current: bool,
    /// The suites, in its order, values that only signal included.
    pub suites: Vec<u16>,
    /// The groups, in its order; empty where it names none.
    pub groups: Vec<u16>,
    /// The signature schemes, in its order; empty where it names none.
    pub schemes: Vec<u16>,
    /// The versions that it lists, in its order; the one of `client_version` where it has no list.
    pub versions: Vec<u16>,
    /// The oldest version that it takes, whatever it lists: `None` is not known.
    pub oldest: Option<u16>,
    /// The groups of its key shares, in its order.
    pub shares: Vec<u16>,
    /// The application protocols.
    pub alpn: Vec<String>,
    /// The extensions, in its order.
    pub extensions: Vec<Extension>,
    /// `client_version`.
    pub hello_version: u16,
    /// The version of the record.
    pub record_version: u16,
    /// Length of the session id.
    pub session_id: usize,
    /// The compression methods.
    pub compression: Vec<u16>,
    /// It changes the order of its extensions each time.
    pub shuffled: bool,
    /// The smallest finite field that it takes: `None` is not known, 0 no limit.
    pub min_dh_bits: Option<u32>,
    /// The largest finite field that it takes: `None` is not known, `u32::MAX` no limit.
    pub max_dh_bits: Option<u32>,
    /// It refuses chains that are signed with SHA-1 or older: `None` is not known.
    pub requires_sha2_cert: Option<bool>,
    /// The date of capture.
    pub captured: String,
    /// Where the client comes from.
    pub source: String,
    /// How it was made to send its hello.
    pub method: String,
}

/// An extension of a client's hello.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extension {
    /// Its type.
    pub kind: u16,
    /// Its data, where it is always the same and not told by another column.
    pub body: Vec<u8>,
}

impl Client {
    /// It counts for forward secrecy and authenticated encryption: a browser of today that has both with RSA.
    pub fn is_reference(&self) -> bool {
        let good = |id: &u16| {
            super::suite(u32::from(*id), false).is_some_and(|row| row.kx == "ECDHE" && row.auth == "RSA" && row.aead)
        };
        self.browser && self.current && self.suites.iter().any(good)
    }

    /// It makes up values (RFC 8701).
    pub fn greases(&self) -> bool {
        self.suites.contains(&GREASE) || self.extensions.iter().any(|extension| extension.kind == GREASE)
    }

    /// The suites, without what is no suite: made up values and signals.
    pub fn real_suites(&self) -> impl Iterator<Item = u16> {
        self.suites.iter().copied().filter(|id| *id != GREASE && !SIGNALS.contains(id))
    }

    /// Whether a server may answer with this version.
    pub fn offers(&self, version: u16) -> bool {
        match self.sends(SUPPORTED_VERSIONS) {
            true => self.versions.contains(&version),
            false => version <= self.hello_version,
        }
    }

    /// Whether it goes on when a server answers with this version, which it offers.
    ///
    /// # Errors
    /// Where that was not tried.
    pub fn takes(&self, version: u16) -> Result<bool, String> {
        match self.oldest {
            Some(oldest) if version >= oldest => Ok(true),
            // SSLv3 was not tried, and only a client without a list of versions may take it.
            Some(_) if version < TLS10 => Err(format!("whether {} takes SSLv3 was not tried", self.name)),
            Some(_) => Ok(false),
            None if version >= TLS12 => Ok(true),
            None => Err(format!("whether {} takes versions before TLSv1.2 was not tried", self.name)),
        }
    }

    /// Whether its hello has an extension of this type.
    pub fn sends(&self, kind: u16) -> bool {
        self.extensions.iter().any(|extension| extension.kind == kind)
    }

    /// What it says to a finite field of this size: nothing, `dh_too_small` or `dh_too_big`.
    ///
    /// # Errors
    /// Where its limits are not known.
    pub fn refuses_field(&self, bits: u32) -> Result<Option<&'static str>, String> {
        match (self.min_dh_bits, self.max_dh_bits) {
            (Some(least), _) if bits < least => Ok(Some("dh_too_small")),
            (_, Some(most)) if bits > most => Ok(Some("dh_too_big")),
            (Some(_), Some(_)) => Ok(None),
            _ => Err(format!("which sizes of finite fields {} takes is not known", self.name)),
        }
    }
}

/// A row as it stands in the table. The listener of the tests writes it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the columns are those of the record")]
pub struct Row {
    pub id: String,
    pub name: String,
    pub version: String,
    pub library: String,
    pub browser: u8,
    pub current: u8,
    pub captured: String,
    pub source: String,
    pub method: String,
    pub hello_version: String,
    pub record_version: String,
    pub session_id: usize,
    pub compression: String,
    pub versions: String,
    pub oldest: String,
    pub suites: String,
    pub groups: String,
    pub schemes: String,
    pub shares: String,
    pub alpn: String,
    pub extensions: String,
    pub shuffled: u8,
    pub grease: u8,
    pub min_dh_bits: Option<i64>,
    pub max_dh_bits: Option<i64>,
    pub requires_sha2_cert: Option<u8>,
}

/// The record of a row; `None` where a column does not read.
pub(super) fn client_of(row: Row) -> Option<Client> {
    // -1 is no limit.
    let limit = |bits: Option<i64>, none: u32| Some(bits.map(|bits| u32::try_from(bits).unwrap_or(none)));
    let client = Client {
        browser: row.browser == 1,
        current: row.current == 1,
        suites: list(&row.suites)?,
        groups: list(&row.groups)?,
        schemes: list(&row.schemes)?,
        versions: list(&row.versions)?,
        oldest: if row.oldest.is_empty() { None } else { Some(code(&row.oldest)?) },
        shares: list(&row.shares)?,
        alpn: row.alpn.split_whitespace().map(str::to_owned).collect(),
        extensions: row.extensions.split_whitespace().map(extension).collect::<Option<_>>()?,
        hello_version: code(&row.hello_version)?,
        record_version: code(&row.record_version)?,
        session_id: row.session_id,
        compression: list(&row.compression)?,
        shuffled: row.shuffled == 1,
        min_dh_bits: limit(row.min_dh_bits, 0)?,
        max_dh_bits: limit(row.max_dh_bits, u32::MAX)?,
        requires_sha2_cert: row.requires_sha2_cert.map(|word| word == 1),
        id: row.id,
        name: row.name,
        version: row.version,
        library: row.library,
        captured: row.captured,
        source: row.source,
        method: row.method,
    };
    (client.greases() == (row.grease == 1)).then_some(client)
}

fn list(words: &str) -> Option<Vec<u16>> {
    words.split_whitespace().map(code).collect()
}

fn code(word: &str) -> Option<u16> {
    match word {
        GREASE_WORD => Some(GREASE),
        _ => u16::from_str_radix(word.strip_prefix("0x")?, 16).ok(),
    }
}

/// `0xFF01:00`, or the type alone.
fn extension(word: &str) -> Option<Extension> {
    let (kind, body) = word.split_once(':').unwrap_or((word, ""));
    let bytes = body.as_bytes().chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok());
    Some(Extension { kind: code(kind)?, body: bytes.collect::<Option<_>>()? })
}
