//! A check made ready for judging: its expressions compiled, its parameters as the user set them.

use super::expression::{Expression, Fault};
use super::shape::Shape;
use super::walk::Scope;
use crate::catalogue::form;
use crate::model::check::ParamKind;
use crate::model::policy::Overlay;
use crate::model::{Check, Severity, kind};
use crate::yaml::{Diagnostic, Document, Spot};
use serde_json::{Map, Value};
use std::sync::Arc;

/// A check, ready for judging.
#[derive(Debug)]
pub(super) struct Compiled {
    /// The check as its file says it.
    pub check: Check,
    /// The severity of a failure.
    pub severity: Severity,
    /// The user said the severity, so that `severity_of` is not asked.
    pub severity_is_set: bool,
    /// The parameters.
    pub params: Value,
    /// Parameters that are laxer than the default, in words.
    pub relaxed: Vec<String>,
    /// When it applies.
    pub applies: Option<Applies>,
    /// The population.
    pub each: Option<Expression>,
    /// The name of an item.
    pub key: Option<Expression>,
    /// The good condition.
    pub rule: Expression,
    /// What is wanted.
    pub expected: Option<Expression>,
    /// What is seen.
    pub actual: Option<Expression>,
    /// The severity of an item.
    pub severity_of: Option<Expression>,
}

/// When a check applies.
#[derive(Debug)]
pub(super) struct Applies {
    /// The condition.
    pub when: Expression,
    /// Asked of every item, rather than once.
    pub of_item: bool,
    /// The reason where it does not apply.
    pub otherwise: Otherwise,
}

/// A reason: an expression where the text is one and its names are known, or the text itself.
#[derive(Debug)]
pub(super) enum Otherwise {
    /// To be evaluated.
    Expression(Expression),
    /// As it is written.
    Text(String),
}

impl Compiled {
    /// Makes a check ready, with a user's changes.
    pub(super) fn new(check: &Check, overlay: Option<&Overlay>) -> Result<Compiled, Vec<Diagnostic>> {
        let mut problems = Vec::new();
        let (params, relaxed) = parameters(check, overlay, &mut problems);
        let mut compiler = Compiler { check, problems };
        let whole = scope(check);
        let each = check.each.as_deref().and_then(|text| compiler.compile(&["each"], text, &whole));
        let mut within = whole.clone();
        if let Some(each) = &each {
            within.item = compiler.member(each);
        }
        let of = |compiler: &mut Compiler<'_>, key: &'static str, text: &Option<String>| {
            text.as_deref().and_then(|text| compiler.compile(&[key], text, &within))
        };
        let key = of(&mut compiler, "key", &check.key);
        let rule = of(&mut compiler, "rule", &Some(check.rule.clone()));
        let expected = of(&mut compiler, "expected", &check.expected);
        let actual = of(&mut compiler, "actual", &check.actual);
        let severity_of = of(&mut compiler, "severity_of", &check.severity_of);
        let applies = check.applies.as_ref().and_then(|applies| {
            let when = compiler.compile(&["applies", "when"], &applies.when, &within)?;
            let otherwise = match Expression::compile(&applies.otherwise, &within) {
                Ok(expression) => Otherwise::Expression(expression),
                Err(_) => Otherwise::Text(applies.otherwise.clone()),
            };
            Some(Applies { of_item: when.names_item(), when, otherwise })
        });
        match (rule, compiler.problems) {
            (Some(rule), problems) if problems.is_empty() => {
                let set = overlay.and_then(|overlay| overlay.severity);
                let severity = set.unwrap_or(check.severity);
                let severity_is_set = set.is_some();
                let check = check.clone();
                Ok(Compiled {
                    check,
                    severity,
                    severity_is_set,
                    params,
                    relaxed,
                    applies,
                    each,
                    key,
                    rule,
                    expected,
                    actual,
                    severity_of,
                })
            }
            (_, problems) => Err(problems),
        }
    }
}

/// The file of a check, as the user knows it.
pub(super) fn file_of(check: &Check) -> String {
    if check.origin == crate::catalogue::BUILT_IN {
        format!("checks/{}.yaml", check.id.replace('.', "/"))
    } else {
        check.origin.clone()
    }
}

struct Compiler<'a> {
    check: &'a Check,
    problems: Vec<Diagnostic>,
}

impl Compiler<'_> {
    fn compile(&mut self, keys: &[&str], text: &str, scope: &Scope) -> Option<Expression> {
        let compiled =
            if keys == ["each"] { Expression::population(text, scope) } else { Expression::compile(text, scope) };
        match compiled {
            Ok(expression) => Some(expression),
            Err(fault) => {
                let document = self.document();
                let spot = keys.iter().fold(document.root(), |spot, key| spot.key(key));
                self.problems.push(place(&spot, text, fault));
                None
            }
        }
    }

    /// The file, read for the places in it where something is wrong.
    fn document(&self) -> Document {
        Document::new(file_of(self.check), &self.check.source)
    }

    /// The form of the members of a population.
    fn member(&mut self, each: &Expression) -> Option<Shape> {
        let member = each.shape.member();
        if member.is_none() {
            let mistake = self.document().root().key("each").mistake("`each` gives no list");
            self.problems.push(mistake.label("not a list"));
        }
        member
    }
}

/// A fault of an expression, as a mistake in the file that holds it.
fn place(spot: &Spot<'_>, text: &str, fault: Fault) -> Diagnostic {
    let whole = spot.mistake(fault.message.clone());
    let span = whole.span.clone().unwrap_or(0..0);
    let word = text.get(fault.span.clone()).unwrap_or_default();
    let written = whole.source.get(span.start..).unwrap_or_default();
    // Quotes, folded lines and the like move the expression within its value: it is looked for, then its word alone.
    let at = match written.find(text.trim_end()) {
        Some(at) => Some(span.start + at + fault.span.start),
        None => written.find(word).filter(|_| !word.is_empty()).map(|at| span.start + at),
    };
    let mut found = match at {
        Some(at) => Diagnostic::at(whole.file, Arc::clone(&whole.source), at..at + word.len().max(1), fault.message),
        None => whole,
    };
    found = found.label(fault.label);
    match fault.help {
        Some(help) => found.help(help),
        None => found,
    }
}

fn scope(check: &Check) -> Scope {
    let kinds = check
        .needs
        .iter()
        .filter_map(|need| kind::find(need).map(|kind| (need.clone(), Shape::of_kind(kind))))
        .collect();
    let shape = |param: ParamKind| match param {
        ParamKind::List => Shape::List(Box::new(Shape::Scalar)),
        ParamKind::String | ParamKind::Integer | ParamKind::Boolean => Shape::Scalar,
    };
    let params = check.params.iter().map(|(name, param)| (name.clone(), shape(param.kind))).collect();
    Scope { kinds, params, item: None }
}

/// The parameters with a user's values, and those made laxer.
fn parameters(check: &Check, overlay: Option<&Overlay>, problems: &mut Vec<Diagnostic>) -> (Value, Vec<String>) {
    let mut values: Map<String, Value> =
        check.params.iter().map(|(name, param)| (name.clone(), param.default.clone())).collect();
    let mut relaxed = Vec::new();
    for (name, value) in overlay.iter().flat_map(|overlay| &overlay.params) {
        let named = format!("checks.{}.params.{name}", check.id);
        let Some(param) = check.params.get(name) else {
            let known: Vec<&str> = check.params.keys().map(String::as_str).collect();
            let problem = Diagnostic::of_file(named, format!("the check `{}` has no parameter `{name}`", check.id));
            let help = if known.is_empty() { "it has none".to_owned() } else { format!("it has {}", known.join(", ")) };
            problems.push(problem.help(help));
            continue;
        };
        if let Err(why) = form::accepts(param, value) {
            problems.push(Diagnostic::of_file(named, why));
            continue;
        }
        if form::is_laxer(param, value) {
            relaxed.push(format!("{name}: {value} instead of {}", param.default));
        }
        values.insert(name.clone(), value.clone());
    }
    (Value::Object(values), relaxed)
}
