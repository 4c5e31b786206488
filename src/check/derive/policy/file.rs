//! Policies as files: `checks/profiles/policies/*.yaml`. A rule is written as a check is, in the same rule language.

use crate::catalogue;
use crate::model::Severity;
use crate::model::check::{Applies, Check, CheckKind, Docs, OnEmpty, Param, ParamKind, Subject};
use crate::yaml::{self, Diagnostic};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// Where the files are.
const FOLDER: &str = "profiles/policies/";
/// The populations that rules of several policies go over.
const POPULATIONS: &str = "profiles/policy-populations.yaml";

/// A policy that can be chosen, with its parameters in place.
#[derive(Clone, Debug)]
pub struct Policy {
    /// As it is chosen: `pci`, or `mozilla-old@5.7`.
    pub id: String,
    /// What it is called.
    pub title: String,
    /// The edition.
    pub edition: String,
    /// Its rules.
    pub rules: Vec<Rule>,
}

/// A rule of a policy.
#[derive(Clone, Debug)]
pub struct Rule {
    /// As its file says it.
    pub written: Written,
    /// The rule as a check, or the fact that no version of this tool looks at yet.
    pub check: Result<Box<Check>, String>,
}

/// How much a rule binds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// A breach means that the policy is not met.
    Must,
    /// A breach is a warning.
    Should,
    /// Worth knowing.
    Info,
}

impl Level {
    /// The level in a word.
    pub fn word(self) -> &'static str {
        match self {
            Level::Must => "must",
            Level::Should => "should",
            Level::Info => "info",
        }
    }

    /// How much a breach matters.
    pub fn severity(self) -> Severity {
        match self {
            Level::Must => Severity::Medium,
            Level::Should => Severity::Low,
            Level::Info => Severity::Info,
        }
    }
}

/// A rule as its file says it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Written {
    /// For example `PCI.versions`.
    pub id: String,
    /// The good condition, in words of our own.
    pub title: String,
    /// How much it binds.
    pub level: Level,
    /// Where the document says it.
    pub reference: String,
    /// False where the reference was not compared with the text of the document.
    #[serde(default = "yes")]
    pub verified: bool,
    /// A population by name.
    #[serde(default)]
    of: Option<String>,
    /// The kinds it reads, beside those of its population.
    #[serde(default)]
    needs: Vec<String>,
    /// CEL: when it concerns an endpoint or item.
    #[serde(default)]
    when: Option<Applies>,
    /// CEL: true where the good condition holds.
    #[serde(default)]
    rule: Option<String>,
    /// CEL: what was seen.
    #[serde(default)]
    actual: Option<String>,
    /// In the place of `rule`: the fact that is not looked at yet.
    #[serde(default)]
    unseen: Option<String>,
}

fn yes() -> bool {
    true
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    id: String,
    title: String,
    edition: String,
    #[serde(default)]
    params: BTreeMap<String, Value>,
    /// Further policies over the same rules; without any the file is one policy.
    #[serde(default)]
    variants: Vec<Variant>,
    rules: Vec<Written>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Variant {
    id: String,
    title: String,
    #[serde(default)]
    params: BTreeMap<String, Value>,
    /// The edition chosen where none is named, if it is another than the file's.
    #[serde(default)]
    edition: Option<String>,
    /// Other editions, and what differs in them.
    #[serde(default)]
    editions: BTreeMap<String, BTreeMap<String, Value>>,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Population {
    needs: Vec<String>,
    #[serde(default)]
    each: Option<String>,
    #[serde(default)]
    key: Option<String>,
    #[serde(default)]
    on_empty: Option<OnEmpty>,
}

/// Every policy that can be chosen, in the order of their files.
///
/// # Errors
/// When a file is not of the right form: a fault of ours.
pub fn policies() -> Result<&'static [Policy], &'static [Diagnostic]> {
    static ALL: LazyLock<Result<Vec<Policy>, Vec<Diagnostic>>> = LazyLock::new(load);
    ALL.as_deref().map_err(Vec::as_slice)
}

fn load() -> Result<Vec<Policy>, Vec<Diagnostic>> {
    let populations: BTreeMap<String, Population> = read(POPULATIONS)?;
    let mut found = Vec::new();
    for name in catalogue::files().iter().filter(|name| name.starts_with(FOLDER)) {
        let mut file: File = read(name)?;
        let own = Variant {
            id: file.id.clone(),
            title: file.title.clone(),
            params: BTreeMap::new(),
            edition: None,
            editions: BTreeMap::new(),
        };
        let variants = if file.variants.is_empty() { vec![own] } else { std::mem::take(&mut file.variants) };
        for variant in variants {
            let edition = variant.edition.as_ref().unwrap_or(&file.edition);
            let params = merged(&file.params, &variant.params);
            found.push(policy(&file, &variant, variant.id.clone(), edition, &params, &populations));
            found.push(policy(&file, &variant, format!("{}@{edition}", variant.id), edition, &params, &populations));
            for (edition, changes) in &variant.editions {
                let params = merged(&params, changes);
                let id = format!("{}@{edition}", variant.id);
                found.push(policy(&file, &variant, id, edition, &params, &populations));
            }
        }
    }
    Ok(found)
}

fn read<T: serde::de::DeserializeOwned>(name: &str) -> Result<T, Vec<Diagnostic>> {
    let shown = format!("checks/{name}");
    let bytes = catalogue::file(name).ok_or_else(|| vec![Diagnostic::of_file(&shown, "the file is missing")])?;
    let text =
        std::str::from_utf8(&bytes).map_err(|_| vec![Diagnostic::of_file(&shown, "the file is not text in UTF-8")])?;
    yaml::read(&shown, text)
}

fn merged(base: &BTreeMap<String, Value>, changes: &BTreeMap<String, Value>) -> BTreeMap<String, Value> {
    base.iter().chain(changes).map(|(name, value)| (name.clone(), value.clone())).collect()
}

fn policy(
    file: &File,
    variant: &Variant,
    id: String,
    edition: &str,
    params: &BTreeMap<String, Value>,
    populations: &BTreeMap<String, Population>,
) -> Policy {
    let params: BTreeMap<String, Param> =
        params.iter().map(|(name, value)| (name.clone(), param(value.clone()))).collect();
    let rules = file.rules.iter().map(|written| Rule {
        check: check(written, &id, edition, &params, populations).map(Box::new),
        written: written.clone(),
    });
    let rules = rules.collect();
    Policy { id, title: variant.title.clone(), edition: edition.to_owned(), rules }
}

fn param(default: Value) -> Param {
    let kind = match default {
        Value::Array(_) => ParamKind::List,
        Value::Bool(_) => ParamKind::Boolean,
        Value::Number(_) => ParamKind::Integer,
        _ => ParamKind::String,
    };
    Param { kind, allowed: Vec::new(), default, stricter: None, help: None }
}

/// The rule as a check, so that the engine and its gates judge it.
fn check(
    written: &Written,
    policy: &str,
    edition: &str,
    params: &BTreeMap<String, Param>,
    populations: &BTreeMap<String, Population>,
) -> Result<Check, String> {
    let Some(rule) = &written.rule else {
        let what = written.unseen.as_deref().unwrap_or("what it reads");
        return Err(format!("{what}: not looked at by this version"));
    };
    let none = Population { needs: Vec::new(), each: None, key: None, on_empty: None };
    let of = match &written.of {
        Some(name) => populations.get(name).ok_or_else(|| format!("there is no population `{name}`"))?.clone(),
        None => none,
    };
    let mut needs = of.needs;
    needs.extend(written.needs.iter().cloned());
    if let Some(missing) = needs.iter().find(|need| crate::model::kind::find(need).is_none()) {
        return Err(format!("{missing}: not looked at by this version"));
    }
    let empty = String::new;
    Ok(Check {
        id: format!("{policy} {}", written.id),
        version: edition.to_owned(),
        title: written.title.clone(),
        kind: CheckKind::Machine,
        severity: written.level.severity(),
        subject: Subject::Endpoint,
        needs,
        params: params.clone(),
        applies: written.when.clone(),
        each: of.each,
        key: of.key,
        rule: rule.clone(),
        on_empty: of.on_empty,
        expected: None,
        actual: written.actual.clone(),
        severity_of: None,
        docs: Docs {
            why: empty(),
            audit: empty(),
            remediation: empty(),
            does_not_establish: empty(),
            references: vec![written.reference.clone()],
        },
        tests: Vec::new(),
        origin: format!("checks/{FOLDER}"),
        digest: empty(),
        source: empty(),
    })
}
