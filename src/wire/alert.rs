//! Alerts and what each says as the answer to a ClientHello.

use super::WireError;
use super::cursor::Reader;

/// An alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alert {
    /// 1 is a warning, 2 is fatal.
    pub level: u8,
    /// The description.
    pub description: u8,
}

/// `close_notify`.
pub const CLOSE_NOTIFY: u8 = 0;
/// `handshake_failure`.
pub const HANDSHAKE_FAILURE: u8 = 40;
/// `illegal_parameter`.
pub const ILLEGAL_PARAMETER: u8 = 47;
/// `decode_error`.
pub const DECODE_ERROR: u8 = 50;
/// `protocol_version`.
pub const PROTOCOL_VERSION: u8 = 70;
/// `insufficient_security`.
pub const INSUFFICIENT_SECURITY: u8 = 71;
/// `inappropriate_fallback`.
pub const INTERNAL_ERROR: u8 = 80;
/// inappropriate_fallback.
pub const INAPPROPRIATE_FALLBACK: u8 = 86;
/// `no_renegotiation`.
pub const NO_RENEGOTIATION: u8 = 100;
/// `missing_extension`.
pub const MISSING_EXTENSION: u8 = 109;
/// `unrecognized_name`.
pub const UNRECOGNIZED_NAME: u8 = 112;
/// `unknown_psk_identity`.
pub const UNKNOWN_PSK_IDENTITY: u8 = 115;
/// `no_application_protocol`.
pub const NO_APPLICATION_PROTOCOL: u8 = 120;

impl Alert {
    /// A fatal alert.
    pub fn fatal(description: u8) -> Alert {
        Alert { level: 2, description }
    }

    /// Reads the fragment of an alert record.
    ///
    /// # Errors
    /// When it is not two bytes with a known level.
    pub fn parse(fragment: &[u8]) -> Result<Alert, WireError> {
        let mut reader = Reader::new(fragment, "alert");
        let alert = Alert { level: reader.u8()?, description: reader.u8()? };
        reader.end()?;
        if alert.level == 1 || alert.level == 2 { Ok(alert) } else { Err(reader.malformed()) }
    }

    /// The fragment.
    pub fn to_bytes(self) -> [u8; 2] {
        [self.level, self.description]
    }

    /// Whether it ends the connection.
    pub fn is_fatal(self) -> bool {
        self.level != 1
    }

    /// The name of the description, or its number.
    pub fn name(self) -> String {
        NAMES
            .iter()
            .find(|(code, _)| *code == self.description)
            .map_or_else(|| self.description.to_string(), |(_, name)| (*name).to_owned())
    }
}

const NAMES: &[(u8, &str)] = &[
    (CLOSE_NOTIFY, "close_notify"),
    (10, "unexpected_message"),
    (20, "bad_record_mac"),
    (21, "decryption_failed"),
    (22, "record_overflow"),
    (30, "decompression_failure"),
    (HANDSHAKE_FAILURE, "handshake_failure"),
    (41, "no_certificate"),
    (42, "bad_certificate"),
    (43, "unsupported_certificate"),
    (44, "certificate_revoked"),
    (45, "certificate_expired"),
    (46, "certificate_unknown"),
    (ILLEGAL_PARAMETER, "illegal_parameter"),
    (48, "unknown_ca"),
    (49, "access_denied"),
    (DECODE_ERROR, "decode_error"),
    (51, "decrypt_error"),
    (60, "export_restriction"),
    (PROTOCOL_VERSION, "protocol_version"),
    (INSUFFICIENT_SECURITY, "insufficient_security"),
    (80, "internal_error"),
    (INAPPROPRIATE_FALLBACK, "inappropriate_fallback"),
    (90, "user_canceled"),
    (NO_RENEGOTIATION, "no_renegotiation"),
    (MISSING_EXTENSION, "missing_extension"),
    (110, "unsupported_extension"),
    (111, "certificate_unobtainable"),
    (UNRECOGNIZED_NAME, "unrecognized_name"),
    (113, "bad_certificate_status_response"),
    (114, "bad_certificate_hash_value"),
    (UNKNOWN_PSK_IDENTITY, "unknown_psk_identity"),
    (116, "certificate_required"),
    (NO_APPLICATION_PROTOCOL, "no_application_protocol"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alerts_go_round() {
        let alert = Alert::parse(&[2, 70]).unwrap();
        assert_eq!(alert, Alert::fatal(PROTOCOL_VERSION));
        assert_eq!(alert.name(), "protocol_version");
        assert_eq!(alert.to_bytes(), [2, 70]);
        assert_eq!(Alert::fatal(200).name(), "200");
    }

    #[test]
    fn a_wrong_length_or_level_is_malformed() {
        for bytes in [&[2][..], &[2, 70, 0], &[3, 70], &[]] {
            assert!(Alert::parse(bytes).is_err());
        }
    }
}
