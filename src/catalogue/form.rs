//! The form of a check: what can be said of its file without knowing the rule language.

use super::{BUILT_IN, Problem};
use crate::model::check::{Check, CheckTest, Param, ParamKind, Stricter};
use crate::model::trouble::Reason;
use crate::model::{Status, kind};
use crate::yaml::{Document, Spot, nearest};
use serde_json::Value;

/// The first words of the ids of our own checks.
pub const FAMILIES: &[&str] =
    &["tls", "http", "dns", "mail", "db", "store", "host", "data", "vendor", "org", "access", "probity"];
/// The longest title, in characters.
const MAX_TITLE: usize = 75;
/// The longest id, in characters.
const MAX_ID: usize = 80;

/// What is wrong with the form of a check.
pub(super) fn problems(check: &Check, document: &Document, name: &str) -> Vec<Problem> {
    let root = document.root();
    let mut form = Form { check, root, problems: Vec::new() };
    form.identity(name);
    form.words();
    form.needs();
    form.population();
    form.params();
    form.tests();
    form.problems
}

struct Form<'a> {
    check: &'a Check,
    root: Spot<'a>,
    problems: Vec<Problem>,
}

impl Form<'_> {
    fn refuse(&mut self, key: &str, message: impl Into<String>) {
        let problem = self.root.key(key).mistake(message);
        self.problems.push(problem);
    }

    fn identity(&mut self, name: &str) {
        let id = &self.check.id;
        if !is_id(id) {
            self.refuse("id", format!("an id is lower-case words joined by dots, at most {MAX_ID} characters"));
        }
        let family = id.split('.').next().unwrap_or_default();
        if self.check.origin == BUILT_IN && !FAMILIES.contains(&family) {
            self.refuse("id", format!("the first word of an id is one of {}", FAMILIES.join(", ")));
        }
        let wanted = format!("{}.yaml", id.replace('.', "/"));
        if wanted != name {
            self.refuse("id", format!("a check of this id is the file {wanted}, not {name}"));
        }
        let numbers: Vec<&str> = self.check.version.split('.').collect();
        let is_number = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if numbers.len() != 3 || !numbers.iter().all(is_number) {
            self.refuse("version", "a version is three numbers, for example 1.0.0");
        }
    }

    fn words(&mut self) {
        let title = self.check.title.trim();
        if title.is_empty() || title.chars().count() > MAX_TITLE {
            self.refuse("title", format!("a title has 1 to {MAX_TITLE} characters"));
        }
        let docs = &self.check.docs;
        let texts = [
            ("why", &docs.why),
            ("audit", &docs.audit),
            ("remediation", &docs.remediation),
            ("does_not_establish", &docs.does_not_establish),
        ];
        for (key, text) in texts {
            if text.trim().is_empty() {
                let problem = self.root.key("docs").key(key).mistake(format!("`{key}` is empty"));
                self.problems.push(problem);
            }
        }
    }

    fn needs(&mut self) {
        if self.check.needs.is_empty() {
            self.refuse("needs", "a check needs at least one observation kind");
        }
        for (at, need) in self.check.needs.iter().enumerate() {
            let spot = self.root.key("needs").item(at);
            if kind::find(need).is_none() {
                let problem = spot.mistake(format!("there is no observation kind `{need}`"));
                self.problems.push(match nearest(need, kind::KINDS.iter().map(|kind| kind.id)) {
                    Some(near) => problem.help(format!("did you mean `{near}`?")),
                    None => problem,
                });
            } else if self.check.needs.iter().take(at).any(|other| other == need) {
                self.problems.push(spot.mistake(format!("`{need}` is named twice")));
            }
        }
    }

    fn population(&mut self) {
        match (&self.check.each, &self.check.key) {
            (Some(_), None) => self.refuse("each", "`each` needs a `key`, which names an item"),
            (None, Some(_)) => self.refuse("key", "`key` without `each` names nothing"),
            _ => {}
        }
        let Some(on_empty) = &self.check.on_empty else { return };
        if self.check.each.is_none() {
            self.refuse("on_empty", "`on_empty` without `each` says nothing");
        }
        if !matches!(on_empty.status, Status::Pass | Status::NotApplicable) {
            self.refuse("on_empty", "`on_empty` is `pass` or `not-applicable`");
        }
        if on_empty.why.trim().is_empty() {
            self.refuse("on_empty", "`on_empty` says why");
        }
    }

    fn params(&mut self) {
        for (name, param) in &self.check.params {
            let spot = self.root.key("params").key(name);
            if !is_word(name) {
                self.problems.push(spot.mistake_in_key("the name of a parameter is a lower-case word"));
            }
            for value in &param.allowed {
                if !is_of(param.kind, value) {
                    let message = format!("`{}` is not {}", shown(value), words(param.kind));
                    self.problems.push(spot.key("enum").mistake(message));
                }
            }
            if let Err(why) = accepts(param, &param.default) {
                self.problems.push(spot.key("default").mistake(why));
            }
            if param.stricter.is_some() && param.kind == ParamKind::String && param.allowed.is_empty() {
                self.problems.push(spot.key("stricter").mistake("a text has an order only with `enum`"));
            }
        }
    }

    fn tests(&mut self) {
        for wanted in [Status::Pass, Status::Fail, Status::NotEvaluated] {
            if !self.check.tests.iter().any(|test| test.expect == wanted) {
                self.refuse("tests", format!("no test expects `{}`", wanted.word()));
            }
        }
        for (at, test) in self.check.tests.iter().enumerate() {
            let spot = self.root.key("tests").item(at);
            let doubled = self.check.tests.iter().take(at).any(|other| other.name == test.name);
            if doubled || test.name.trim().is_empty() {
                self.problems.push(spot.key("name").mistake("a test has a name of its own"));
            }
            let wrong = test_problems(self.check, test, &spot);
            self.problems.extend(wrong);
        }
    }
}

fn test_problems(check: &Check, test: &CheckTest, spot: &Spot<'_>) -> Vec<Problem> {
    let mut problems = Vec::new();
    for kind in test.facts.keys().filter(|kind| !check.needs.contains(kind)) {
        problems.push(spot.key("facts").key(kind).mistake_in_key(format!("`{kind}` is not in `needs`")));
    }
    for (kind, word) in &test.partial {
        let spot = spot.key("partial").key(kind);
        if !test.facts.contains_key(kind) {
            problems.push(spot.mistake_in_key(format!("`{kind}` is not among `facts`")));
        }
        if Reason::parse(word).is_none() {
            problems.push(spot.mistake(format!("`{word}` is no reason of a trouble, such as `timed-out`")));
        }
    }
    if let Some(word) = test.trouble.as_ref().filter(|word| Reason::parse(word).is_none()) {
        problems.push(spot.key("trouble").mistake(format!("`{word}` is no reason of a trouble, such as `timed-out`")));
    }
    if test.as_of.as_ref().is_some_and(|date| date.parse::<jiff::civil::Date>().is_err()) {
        problems.push(spot.key("as_of").mistake("a date is written as 2026-11-25"));
    }
    for (name, value) in &test.params {
        let spot = spot.key("params").key(name);
        match check.params.get(name).map(|param| accepts(param, value)) {
            Some(Ok(())) => {}
            Some(Err(why)) => problems.push(spot.mistake(why)),
            None => problems.push(spot.mistake_in_key(format!("the check has no parameter `{name}`"))),
        }
    }
    problems
}

/// Whether a parameter may have this value.
///
/// # Errors
/// When it may not: the reason, in words.
pub fn accepts(param: &Param, value: &Value) -> Result<(), String> {
    if !is_of(param.kind, value) {
        return Err(format!("`{}` is not {}", shown(value), words(param.kind)));
    }
    if !param.allowed.is_empty() && !param.allowed.contains(value) {
        let allowed: Vec<String> = param.allowed.iter().map(shown).collect();
        return Err(format!("`{}` is not one of {}", shown(value), allowed.join(", ")));
    }
    Ok(())
}

/// Whether a value is laxer than the default, as far as `stricter` says.
pub fn is_laxer(param: &Param, value: &Value) -> bool {
    let Some(stricter) = param.stricter else { return false };
    let (higher, lower) = match stricter {
        Stricter::Higher => (&param.default, value),
        Stricter::Lower => (value, &param.default),
    };
    // Laxer: what ought to be the higher of the two is not reached.
    if !param.allowed.is_empty() {
        let place = |value: &Value| param.allowed.iter().position(|allowed| allowed == value);
        return place(lower) < place(higher);
    }
    match (lower, higher) {
        (Value::Number(lower), Value::Number(higher)) => lower.as_i64() < higher.as_i64(),
        (Value::Bool(lower), Value::Bool(higher)) => !lower & higher,
        (Value::Array(lower), Value::Array(higher)) => !higher.iter().all(|member| lower.contains(member)),
        _ => false,
    }
}

fn is_of(kind: ParamKind, value: &Value) -> bool {
    match kind {
        ParamKind::String => value.is_string(),
        ParamKind::Integer => value.as_i64().is_some(),
        ParamKind::Boolean => value.is_boolean(),
        ParamKind::List => value.as_array().is_some_and(|members| members.iter().all(Value::is_string)),
    }
}

fn words(kind: ParamKind) -> &'static str {
    match kind {
        ParamKind::String => "a text",
        ParamKind::Integer => "a whole number",
        ParamKind::Boolean => "true or false",
        ParamKind::List => "a list of texts",
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn is_id(id: &str) -> bool {
    id.len() <= MAX_ID && id.contains('.') && id.split('.').all(is_word)
}

fn is_word(word: &str) -> bool {
    word.starts_with(|first: char| first.is_ascii_lowercase())
        && word.chars().all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_')
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn param(kind: &str, stricter: &str, default: Value, allowed: Value) -> Param {
        serde_json::from_value(json!({"type": kind, "enum": allowed, "default": default, "stricter": stricter}))
            .unwrap()
    }

    #[test]
    fn laxer_is_against_the_direction_that_is_stricter() {
        let oldest = param("string", "higher", json!("TLSv1.2"), json!(["TLSv1.0", "TLSv1.2", "TLSv1.3"]));
        assert!(is_laxer(&oldest, &json!("TLSv1.0")));
        assert!(!is_laxer(&oldest, &json!("TLSv1.2")));
        assert!(!is_laxer(&oldest, &json!("TLSv1.3")));
        let most = param("integer", "lower", json!(3), json!([]));
        assert!(is_laxer(&most, &json!(4)));
        assert!(!is_laxer(&most, &json!(3)));
        assert!(!is_laxer(&most, &json!(2)));
        let on = param("boolean", "higher", json!(true), json!([]));
        assert!(is_laxer(&on, &json!(false)));
        assert!(!is_laxer(&on, &json!(true)));
        let allowed = param("list", "lower", json!(["a", "b"]), json!([]));
        assert!(is_laxer(&allowed, &json!(["a", "b", "c"])));
        assert!(!is_laxer(&allowed, &json!(["a"])));
    }

    #[test]
    fn values_must_fit_the_type_and_the_list() {
        let oldest = param("string", "higher", json!("TLSv1.2"), json!(["TLSv1.2"]));
        assert!(accepts(&oldest, &json!("TLSv1.2")).is_ok());
        assert!(accepts(&oldest, &json!("TLSv1.1")).is_err());
        assert!(accepts(&oldest, &json!(12)).is_err());
    }

    #[test]
    fn ids_are_dotted_words() {
        assert!(is_id("tls.protocols.legacy"));
        for id in ["tls", "Tls.x", "tls..x", "tls.1", "tls.x-y", ""] {
            assert!(!is_id(id), "{id}");
        }
    }
}
