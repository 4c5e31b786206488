//! GnuTLS as a client, which names the finite fields of RFC 7919 in its hellos: some servers give DHE to such alone.

use crate::support::program;
use std::process::{Command, Stdio};

/// A suite by OpenSSL's name, and GnuTLS's words for its cipher and MAC.
pub const SUITES: [(&str, &str, &str); 14] = [
    ("DHE-RSA-AES128-GCM-SHA256", "AES-128-GCM", "AEAD"),
    ("DHE-RSA-AES256-GCM-SHA384", "AES-256-GCM", "AEAD"),
    ("DHE-RSA-CHACHA20-POLY1305", "CHACHA20-POLY1305", "AEAD"),
    ("DHE-RSA-AES128-CCM", "AES-128-CCM", "AEAD"),
    ("DHE-RSA-AES256-CCM", "AES-256-CCM", "AEAD"),
    ("DHE-RSA-AES128-CCM8", "AES-128-CCM-8", "AEAD"),
    ("DHE-RSA-AES256-CCM8", "AES-256-CCM-8", "AEAD"),
    ("DHE-RSA-AES128-SHA256", "AES-128-CBC", "SHA256"),
    ("DHE-RSA-AES256-SHA256", "AES-256-CBC", "SHA256"),
    ("DHE-RSA-AES128-SHA", "AES-128-CBC", "SHA1"),
    ("DHE-RSA-AES256-SHA", "AES-256-CBC", "SHA1"),
    ("DHE-RSA-CAMELLIA128-SHA", "CAMELLIA-128-CBC", "SHA1"),
    ("DHE-RSA-CAMELLIA256-SHA", "CAMELLIA-256-CBC", "SHA1"),
    ("DHE-RSA-DES-CBC3-SHA", "3DES-CBC", "SHA1"),
];

/// The fields of RFC 7919, and whichever the server likes best of them.
pub const FIELDS: [&str; 6] = ["ALL", "FFDHE2048", "FFDHE3072", "FFDHE4096", "FFDHE6144", "FFDHE8192"];

/// The bits of the prime that were agreed on with TLS 1.2 for this suite, with this field named.
pub fn agreed(port: u16, (_, cipher, mac): (&str, &str, &str), field: &str) -> Option<usize> {
    let priority = format!(
        "NONE:+VERS-TLS1.2:+DHE-RSA:+{cipher}:+{mac}:+GROUP-{field}:+SIGN-ALL:+COMP-NULL:+CTYPE-ALL:\
         %PROFILE_VERY_WEAK:%NO_TICKETS"
    );
    let client = program("gnutls-cli").expect("gnutls-cli is not installed; see tests/peers/run");
    let output = Command::new(client)
        .args(["--no-ca-verification", "--sni-hostname", "localhost", "--priority", &priority])
        .args(["--port", &port.to_string(), "127.0.0.1"])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(!text.contains("Syntax error"), "{text}");
    // - Description: (TLS1.2-X.509)-(DHE-FFDHE2048)-(RSA-SHA256)-(AES-128-GCM)
    let (_, exchange) = text.lines().find(|line| line.starts_with("- Description:"))?.split_once(")-(DHE-")?;
    let digits: String = exchange.chars().skip_while(|letter| !letter.is_ascii_digit()).collect();
    digits.chars().take_while(char::is_ascii_digit).collect::<String>().parse().ok()
}
