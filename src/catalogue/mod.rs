//! Checks, controls, registries and profiles as data. Validates their form; does not judge, and does not know the rule
//! language.

pub mod form;
mod framework;
mod readme;
pub mod registry;

pub use crate::yaml::Diagnostic as Problem;
pub use readme::{FunctionDoc, readme};

use crate::model::digest;
use crate::model::{Check, Framework};
use crate::yaml::Document;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The origin of a check that is part of this binary.
pub const BUILT_IN: &str = "built-in";

/// What the name of a user's own check begins with among the texts of a catalogue.
const OWN: &str = "own:";
/// Folders in `checks/` that hold no checks.
const OTHER_FOLDERS: &[&str] = &["controls", "profiles", "registries"];
/// How deep a user's folder is searched.
const MAX_DEPTH: usize = 8;
/// How many files a user's folder may hold.
const MAX_FILES: usize = 5_000;
/// The largest check file, in bytes.
const MAX_BYTES: u64 = 256 * 1024;

#[derive(rust_embed::Embed)]
#[folder = "checks/"]
struct Files;

/// Everything in `checks/`, and what the user added.
#[derive(Clone, Debug)]
pub struct Catalogue {
    checks: BTreeMap<String, Check>,
    frameworks: BTreeMap<String, Framework>,
}

/// The bytes of a file in `checks/`, for example `registries/cipher-suites.csv`.
pub fn file(path: &str) -> Option<Cow<'static, [u8]>> {
    Files::get(path).map(|file| file.data)
}

/// Whether a file in `checks/` is read by derivations of this program: a table or a profile.
pub fn is_table(path: &str) -> bool {
    path.starts_with("profiles/") || path.starts_with("registries/")
}

/// The names of all files in `checks/`, sorted.
pub fn files() -> Vec<String> {
    let mut names: Vec<String> = Files::iter().map(Cow::into_owned).collect();
    names.sort();
    names
}

impl Catalogue {
    /// What is part of this binary; a debug build reads it from `checks/` anew.
    ///
    /// # Errors
    /// When a file in `checks/` is not of the right form.
    pub fn built_in() -> Result<Catalogue, Vec<Problem>> {
        let mut catalogue = Catalogue { checks: BTreeMap::new(), frameworks: BTreeMap::new() };
        let mut problems = Vec::new();
        for name in files() {
            let shown = format!("checks/{name}");
            match (role(&name), file(&name).map(|bytes| String::from_utf8(bytes.into_owned()))) {
                (Role::Other, _) => {}
                (role, Some(Ok(text))) => {
                    problems.extend(catalogue.add(role, &shown, &name, &text).err().into_iter().flatten())
                }
                _ => problems.push(Problem::of_file(shown, "the file is not text in UTF-8")),
            }
        }
        if catalogue.checks.is_empty() && problems.is_empty() {
            problems.push(Problem::of_file("checks/", "there is no check"));
        }
        if problems.is_empty() { Ok(catalogue) } else { Err(problems) }
    }

    /// What is part of this binary, and a user's own checks: every `.yaml` file below this folder.
    ///
    /// # Errors
    /// When the folder cannot be read, holds no check, or a check is not of the right form or has the id of another.
    pub fn with_folder(folder: &Path) -> Result<Catalogue, Vec<Problem>> {
        let mut catalogue = Catalogue::built_in()?;
        let mut found = Vec::new();
        search(folder, MAX_DEPTH, &mut found)?;
        found.sort();
        if found.is_empty() {
            return Err(vec![
                Problem::of_file(folder.display().to_string(), "the folder holds no check")
                    .help("a check is a file that ends in `.yaml`"),
            ]);
        }
        let mut problems = Vec::new();
        for path in found {
            let shown = path.display().to_string();
            let below = path.strip_prefix(folder).unwrap_or(&path);
            let name = below.components().map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/");
            let added = read(&path).and_then(|text| catalogue.add_check(&shown, &name, &text, &shown));
            problems.extend(added.err().into_iter().flatten());
        }
        if problems.is_empty() { Ok(catalogue) } else { Err(problems) }
    }

    /// The texts that [`Catalogue::texts`] gave, read again: judges as it was judged then.
    ///
    /// # Errors
    /// When a text is not of the right form.
    pub fn from_texts(texts: &BTreeMap<String, String>) -> Result<Catalogue, Vec<Problem>> {
        let mut catalogue = Catalogue { checks: BTreeMap::new(), frameworks: BTreeMap::new() };
        let mut problems = Vec::new();
        for (name, text) in texts {
            let added = match name.strip_prefix(OWN).and_then(|rest| rest.split_once('\n')) {
                Some((origin, below)) => catalogue.add_check(origin, below, text, origin),
                None => catalogue.add(role(name), &format!("checks/{name}"), name, text),
            };
            problems.extend(added.err().into_iter().flatten());
        }
        if problems.is_empty() { Ok(catalogue) } else { Err(problems) }
    }

    /// Every text that judging hangs on: the files in `checks/`, and the user's own checks.
    pub fn texts(&self) -> BTreeMap<String, String> {
        let built_in = files().into_iter().filter(|name| name != "README.md").filter_map(|name| {
            let text = String::from_utf8(file(&name)?.into_owned()).ok()?;
            Some((name, text))
        });
        let own =
            self.checks.values().filter(|check| check.origin != BUILT_IN).map(|check| {
                (format!("{OWN}{}\n{}.yaml", check.origin, check.id.replace('.', "/")), check.source.clone())
            });
        built_in.chain(own).collect()
    }

    /// Every check, by id.
    pub fn checks(&self) -> &BTreeMap<String, Check> {
        &self.checks
    }

    /// The check of this id.
    pub fn check(&self, id: &str) -> Option<&Check> {
        self.checks.get(id)
    }

    /// The same with this check alone.
    pub fn only(&self, id: &str) -> Catalogue {
        let checks = self.checks.iter().filter(|(known, _)| *known == id);
        let checks = checks.map(|(id, check)| (id.clone(), check.clone())).collect();
        Catalogue { checks, frameworks: self.frameworks.clone() }
    }

    /// Keeps the checks that this holds for.
    pub fn keep(&mut self, wanted: impl Fn(&Check) -> bool) {
        self.checks.retain(|_, check| wanted(check));
    }

    /// Every control framework, by id.
    pub fn frameworks(&self) -> &BTreeMap<String, Framework> {
        &self.frameworks
    }

    /// The controls that a check gives evidence for, as `soc2:CC6.7`, over all frameworks.
    pub fn controls_of(&self, check: &str) -> Vec<String> {
        self.frameworks
            .values()
            .flat_map(|framework| {
                let supports = framework.checks.get(check).into_iter().flatten();
                supports.map(|support| format!("{}:{}", framework.id, support.control))
            })
            .collect()
    }

    /// A file in `checks/`, such as a registry or a profile.
    pub fn file(&self, path: &str) -> Option<Cow<'static, [u8]>> {
        file(path)
    }

    /// `sha256:` and the digest over the ids and digests of all checks, and the frameworks.
    pub fn digest(&self) -> String {
        let checks: BTreeMap<&str, &str> =
            self.checks.iter().map(|(id, check)| (id.as_str(), check.digest.as_str())).collect();
        digest::of(&(checks, &self.frameworks)).unwrap_or_default()
    }

    fn add(&mut self, role: Role, shown: &str, name: &str, text: &str) -> Result<(), Vec<Problem>> {
        match role {
            Role::Check => self.add_check(shown, name, text, BUILT_IN),
            Role::Framework => self.add_framework(shown, name, text),
            Role::Other => Ok(()),
        }
    }

    fn add_check(&mut self, shown: &str, name: &str, text: &str, origin: &str) -> Result<(), Vec<Problem>> {
        let document = Document::new(shown, text);
        let mut check: Check = document.read()?;
        check.origin = origin.to_owned();
        check.digest = digest::sha256(text.as_bytes());
        check.source = text.to_owned();
        let mut problems = form::problems(&check, &document, name);
        if let Some(other) = self.checks.get(&check.id) {
            let message = format!("the id `{}` belongs to another check, which is {}", check.id, other.origin);
            problems.push(
                document.root().key("id").mistake(message).help("an overlay changes a check; a new one needs a new id"),
            );
        }
        if problems.is_empty() {
            self.checks.insert(check.id.clone(), check);
            return Ok(());
        }
        Err(problems)
    }

    fn add_framework(&mut self, shown: &str, name: &str, text: &str) -> Result<(), Vec<Problem>> {
        let document = Document::new(shown, text);
        let framework: Framework = document.read()?;
        let problems = framework::problems(&framework, &document, name);
        if problems.is_empty() {
            self.frameworks.insert(framework.id.clone(), framework);
            return Ok(());
        }
        Err(problems)
    }
}

/// What a file in `checks/` is.
#[derive(Clone, Copy)]
enum Role {
    Check,
    Framework,
    /// A table, a profile, a page: read by whoever needs it.
    Other,
}

fn role(name: &str) -> Role {
    match name.split('/').next().unwrap_or_default() {
        "controls" => Role::Framework,
        "README.md" => Role::Other,
        folder if OTHER_FOLDERS.contains(&folder) => Role::Other,
        _ => Role::Check,
    }
}

/// Finds the check files below a folder. Hidden files and folders are passed over.
fn search(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) -> Result<(), Vec<Problem>> {
    let trouble = |what: String| vec![Problem::of_file(folder.display().to_string(), what)];
    let entries = std::fs::read_dir(folder).map_err(|error| trouble(format!("the folder cannot be read: {error}")))?;
    for entry in entries {
        let path = entry.map_err(|error| trouble(format!("the folder cannot be read: {error}")))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with('.') {
            continue;
        }
        if path.is_dir() {
            if depth == 0 {
                return Err(trouble(format!("folders are nested more than {MAX_DEPTH} deep")));
            }
            search(&path, depth - 1, found)?;
        } else if name.ends_with(".yaml") {
            found.push(path);
        } else if name.ends_with(".yml") {
            // To pass over it in silence would leave a check unexamined.
            return Err(vec![Problem::of_file(path.display().to_string(), "a check is a file that ends in `.yaml`")]);
        }
        if found.len() > MAX_FILES {
            return Err(trouble(format!("there are more than {MAX_FILES} files")));
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<String, Vec<Problem>> {
    let trouble = |what: String| vec![Problem::of_file(path.display().to_string(), what)];
    let size = std::fs::metadata(path).map_err(|error| trouble(format!("the file cannot be read: {error}")))?.len();
    if size > MAX_BYTES {
        return Err(trouble(format!("a check has at most {} KiB", MAX_BYTES / 1024)));
    }
    std::fs::read_to_string(path).map_err(|error| trouble(format!("the file cannot be read: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn embedded_files_are_found() {
        assert!(file("registries/cipher-suites.csv").is_some());
        assert!(file("registries/none.csv").is_none());
        assert!(files().iter().any(|name| name == "registries/groups.csv"));
    }
}
