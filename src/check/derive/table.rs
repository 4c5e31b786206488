//! Tables of `checks/` that derivations read.

use serde::de::DeserializeOwned;

/// Reads a YAML file of `checks/`, for example `registries/transfers.yaml`.
///
/// # Errors
/// When the file is not there or not of this form: a fault of probity, not of the user.
pub fn read<T: DeserializeOwned>(path: &str) -> Result<T, String> {
    let bytes = crate::catalogue::file(path).ok_or_else(|| format!("checks/{path} is not there"))?;
    let text = std::str::from_utf8(&bytes).map_err(|_| format!("checks/{path} is not UTF-8"))?;
    crate::yaml::read(path, text).map_err(|_| format!("checks/{path} is not of its form"))
}
