//! Strict reading of what people write. The only room that knows the YAML crate.

use serde::de::DeserializeOwned;

/// What is wrong with a document.
#[derive(Debug, thiserror::Error)]
#[error("{file}: {message}")]
pub struct Diagnostic {
    file: String,
    message: String,
}

/// Reads one document of this type.
///
/// # Errors
/// When the text is not YAML or does not fit the type.
pub fn read<T: DeserializeOwned>(file_name: &str, text: &str) -> Result<T, Vec<Diagnostic>> {
    serde_yaml::from_str_with_options(text, serde_yaml::options! { strict_booleans: true })
        .map_err(|error| vec![Diagnostic { file: file_name.to_owned(), message: error.to_string() }])
}
