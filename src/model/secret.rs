//! References to secrets. The value itself never enters the model.

/// Where a secret is to be had: `env:NAME`, `file:PATH` or `exec:COMMAND`.
///
/// There is no `Serialize` and the value is read only where it is used.
#[derive(Clone, PartialEq, Eq)]
pub enum SecretRef {
    /// An environment variable.
    Env(String),
    /// A file, whose last newline is cut.
    File(String),
    /// A command run by the shell; its standard output is the secret.
    Exec(String),
}

impl SecretRef {
    /// The reference as the user wrote it, which may be shown: it names the secret, and is not the secret.
    pub fn name(&self) -> String {
        match self {
            SecretRef::Env(name) => format!("env:{name}"),
            SecretRef::File(path) => format!("file:{path}"),
            SecretRef::Exec(_) => "exec:…".to_owned(),
        }
    }

    /// Reads a reference. `None` where the text is not one, so that a secret in clear is refused.
    pub fn parse(text: &str) -> Option<SecretRef> {
        let (scheme, rest) = text.split_once(':')?;
        if rest.trim().is_empty() {
            return None;
        }
        match scheme {
            "env" => Some(SecretRef::Env(rest.to_owned())),
            "file" => Some(SecretRef::File(rest.to_owned())),
            "exec" => Some(SecretRef::Exec(rest.to_owned())),
            _ => None,
        }
    }
}
