//! One HTML file for people: no script, no outside resource, light and dark, on screen and on paper.
//!
//! Every value passes [`harmless`] and is then escaped by the template engine; nothing but the style sheet of our own
//! is let through unescaped. The policy in the page allows that one style sheet, by its digest, and nothing else.

mod detail;
mod matrix;
mod view;

use super::text::{clip, escape};
use super::{Context, RenderError, json};
use crate::model::digest;
use crate::model::{Assessment, Verdict};
use data_encoding::BASE64;
use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment, UndefinedBehavior};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;

/// Work that a template may do: far more than the largest report needs.
const FUEL: u64 = 200_000_000;
/// The longest text of one value.
const MAX_TEXT: usize = 4000;

#[derive(rust_embed::Embed)]
#[folder = "reports/html/"]
struct Files;

pub(super) fn render(
    assessment: &Assessment,
    verdict: &Verdict,
    context: &Context<'_>,
) -> Result<Vec<u8>, RenderError> {
    let record = json::render(assessment, verdict, context)?;
    let style = file("style.css")?;
    let page = harmless(serde_json::to_value(view::page(assessment, verdict, context, digest::sha256(&record)))?);
    let mut environment = Environment::new();
    environment.set_fuel(Some(FUEL));
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?);
    for name in ["report.html", "picture.html", "target.html"] {
        environment.add_template_owned(name, file(name)?)?;
    }
    let own = minijinja::Value::from_safe_string;
    let policy = own(format!("sha256-{}", BASE64.encode(&Sha256::digest(style.as_bytes()))));
    let values = minijinja::context! { page, policy, style => own(style) };
    Ok(environment.get_template("report.html")?.render(values)?.into_bytes())
}

/// A file of `reports/html/`.
fn file(name: &'static str) -> Result<String, RenderError> {
    let bytes = Files::get(name).ok_or(RenderError::Missing(name))?.data;
    String::from_utf8(bytes.into_owned()).map_err(|_| RenderError::Missing(name))
}

/// The value for the template: every text bounded, on one line, and without what hides or reorders what is read. Our own
/// texts of several lines come as lists of lines.
fn harmless(value: Value) -> minijinja::Value {
    match value {
        Value::Null => minijinja::Value::from(()),
        Value::Bool(truth) => truth.into(),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => whole.into(),
            (None, broken) => broken.unwrap_or_default().into(),
        },
        Value::String(text) => escape(&clip(&text, MAX_TEXT)).into_owned().into(),
        Value::Array(members) => members.into_iter().map(harmless).collect::<Vec<_>>().into(),
        Value::Object(members) => {
            let members = members.into_iter().map(|(name, value)| (name, harmless(value)));
            members.collect::<BTreeMap<String, minijinja::Value>>().into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manifest_stands_beside_its_template() {
        let manifest = file("report.yaml").unwrap();
        for line in ["id: html", "media_type: text/html", "template: report.html"] {
            assert!(manifest.lines().any(|known| known == line), "{line}");
        }
    }
}
