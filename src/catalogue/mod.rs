//! Checks, controls, registries and profiles as data. Validates their form; does not judge.

pub mod registry;

use std::borrow::Cow;

#[derive(rust_embed::Embed)]
#[folder = "checks/"]
struct Files;

/// Everything in `checks/`, and what the user added.
pub struct Catalogue {}

/// The bytes of a file in `checks/`, for example `registries/cipher-suites.csv`.
pub fn file(path: &str) -> Option<Cow<'static, [u8]>> {
    Files::get(path).map(|file| file.data)
}

impl Catalogue {
    /// What is built in.
    ///
    /// # Errors
    /// Never, in this build.
    pub fn built_in() -> Result<Catalogue, std::convert::Infallible> {
        Ok(Catalogue {})
    }
}
