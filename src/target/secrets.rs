//! Which texts of a configuration are secrets in clear, so that no error ever shows them.

use crate::model::SecretRef;

/// True where a value is, or may be, a secret rather than the name of one.
pub(super) fn is_secret(path: &[&str], text: &str) -> bool {
    if holds_login(text) {
        return true;
    }
    if SecretRef::parse(text.trim_matches(['"', '\''])).is_some() {
        return false;
    }
    // The key of a ledger, and the person whose export is looked at; in a broken text only the key itself is known.
    if matches!(path, [.., "erasure", "key"] | [.., "portability", "subject"] | ["key" | "subject"]) {
        return true;
    }
    let inside_credentials = path.contains(&"credentials");
    match path.last() {
        Some(key) => names_secret(key) || (inside_credentials && *key != "user"),
        None => false,
    }
}

fn names_secret(key: &str) -> bool {
    let key = key.to_lowercase();
    ["password", "passwd", "passphrase", "secret", "token"].iter().any(|word| key.contains(word))
        || key == "credentials"
}

/// True for an address that carries a password, such as `postgresql://user:pass@db` or `host=db password=pass`.
pub(super) fn holds_login(text: &str) -> bool {
    let lower = text.to_lowercase();
    if lower.contains("password=") || lower.contains("pwd=") {
        return true;
    }
    let (scheme, rest) = text.split_once("://").map_or((false, text), |(_, rest)| (true, rest));
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    // A password may hold any of the characters that end an authority.
    (scheme && authority.contains('@')) || rest.rsplit_once('@').is_some_and(|(login, _)| login.contains(':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_in_clear_are_known_by_their_place() {
        assert!(is_secret(&["targets", "credentials", "password"], "hunter2"));
        assert!(is_secret(&["targets", "credentials", "pasword"], "hunter2"));
        assert!(is_secret(&["credentials"], "hunter2"));
        assert!(is_secret(&["API_TOKEN"], "hunter2"));
        assert!(is_secret(&["targets", "address"], "postgresql://auditor:hunter2@db.example/app"));
        assert!(is_secret(&[], "postgresql://auditor:hun/ter2@db.example/app"));
        assert!(is_secret(&[], "postgresql://db.example/app?sslmode=require&password=hunter2"));
        assert!(is_secret(&[], "auditor:hunter2@db.example:5432"));
    }

    #[test]
    fn names_of_secrets_and_other_texts_are_not() {
        assert!(!is_secret(&["contacts"], "privacy@example.net"));
        assert!(!is_secret(&["targets", "credentials", "password"], "env:PROBITY_PG"));
        assert!(!is_secret(&["password"], "\"file:/run/secrets/pg\""));
        assert!(!is_secret(&["targets", "credentials", "user"], "auditor"));
        assert!(!is_secret(&["targets", "address"], "https://shop.example:8443/"));
        assert!(!is_secret(&["waivers", "reason"], "see https://wiki.example/x"));
    }
}
