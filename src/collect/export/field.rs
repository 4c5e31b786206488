//! Fields of records: names and forms that give a secret away.

use crate::collect::declared::words;
use crate::model::portability::SecretField;
use std::collections::BTreeSet;

/// Fields that are told of one file.
const MAX_FIELDS: usize = 100;

/// Words in the name of a field that holds a secret.
const WORDS: &[&str] = &[
    "password",
    "passwd",
    "pwd",
    "passphrase",
    "secret",
    "token",
    "apikey",
    "privatekey",
    "credential",
    "otp",
    "totp",
    "salt",
];
/// Pairs of words that do so together.
const PAIRS: &[(&str, &str)] = &[
    ("api", "key"),
    ("private", "key"),
    ("access", "key"),
    ("session", "id"),
    ("recovery", "code"),
    ("recovery", "codes"),
];
/// Beginnings of stored passwords, keys and tokens.
const FORMS: &[&str] = &[
    "$2a$",
    "$2b$",
    "$2y$",
    "$argon2",
    "$5$",
    "$6$",
    "$y$",
    "$scrypt$",
    "$pbkdf2",
    "pbkdf2_sha",
    "SCRAM-SHA-256$",
    "{SSHA",
    "-----BEGIN",
];

/// The fields of a file that hold, or seem to hold, a secret.
#[derive(Default)]
pub struct Secrets(BTreeSet<(String, &'static str)>);

/// One of them.
pub struct Secret {
    field: String,
    by: &'static str,
}

impl Secret {
    /// The fact, with the file's name.
    pub fn in_file(self, file: &str) -> SecretField {
        SecretField { key: format!("{file} {}", self.field), by: self.by.to_owned() }
    }
}

impl Secrets {
    /// Looks at a field that has a value.
    pub fn look(&mut self, name: &str, value: &str) {
        if value.is_empty() || self.0.len() >= MAX_FIELDS {
            return;
        }
        if names_secret(name) {
            self.0.insert((shown(name), "name"));
        } else if has_form(value) {
            self.0.insert((shown(name), "form"));
        }
    }

    /// All of them.
    pub fn end(self) -> Vec<Secret> {
        self.0.into_iter().map(|(field, by)| Secret { field, by }).collect()
    }
}

/// Whether the name of a field says that it holds a secret.
pub fn names_secret(name: &str) -> bool {
    let words = words(name);
    let single =
        words.iter().any(|word| WORDS.iter().any(|known| word == known || word.strip_suffix('s') == Some(known)));
    let pair = words.windows(2).any(|pair| matches!(pair, [one, two] if PAIRS.contains(&(one.as_str(), two.as_str()))));
    // A day on which a password was changed is no password.
    let about = words
        .last()
        .is_some_and(|word| matches!(word.as_str(), "at" | "on" | "date" | "changed" | "enabled" | "count" | "hint"));
    (single || pair) && !about
}

/// Whether a value has the form of a stored password, a private key or a signed token.
fn has_form(value: &str) -> bool {
    let value = value.trim();
    let jwt = value.starts_with("eyJ") && value.split('.').count() == 3 && value.len() > 40 && !value.contains(' ');
    let pem = value.starts_with("-----BEGIN") && !value.contains("PRIVATE KEY");
    jwt || (FORMS.iter().any(|form| value.starts_with(form)) && !pem)
}

/// A name that can be shown: in some exports a person's key stands in the place of a name.
fn shown(name: &str) -> String {
    let fits = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-' | '.');
    if (1..=64).contains(&name.len()) && name.chars().all(fits) { name.to_owned() } else { "(a field)".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_known_by_name_or_form() {
        for name in [
            "password",
            "password_hash",
            "passwordHash",
            "apiKey",
            "api_keys_token",
            "refresh_token",
            "totpSecret",
            "private_key",
            "session_id",
            "tokens",
        ] {
            assert!(names_secret(name), "{name}");
        }
        for name in ["name", "password_changed_at", "secretary", "tokenizer", "key", "session", "keyboard", ""] {
            assert!(!names_secret(name), "{name}");
        }
        assert!(has_form("$2b$12$abcdefghijklmnopqrstuv") && has_form("-----BEGIN EC PRIVATE KEY-----"));
        assert!(has_form("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N"));
        assert!(!has_form("-----BEGIN CERTIFICATE-----") && !has_form("eyJ") && !has_form("$20"));
    }

    #[test]
    fn a_name_that_may_be_a_persons_key_is_not_shown() {
        let mut secrets = Secrets::default();
        secrets.look("ann@example.org", "$2b$12$abcdefghijklmnopqrstuv");
        let fact = secrets.end().remove(0).in_file("a.json");
        assert_eq!((fact.key.as_str(), fact.by.as_str()), ("a.json (a field)", "form"));
    }
}
