//! Judges one check on one part of one target. The gates stand outside the expressions: see the comments.

use super::builder::ResultBuilder;
use super::compiled::{Applies, Compiled, Otherwise};
use super::expression::Expression;
use super::path::{Root, unknown};
use super::value::{to_cel, to_json};
use super::{function, words};
use crate::model::check::CheckKind;
use crate::model::{CheckResult, Observation, ObservationStatus, Severity, Status};
use cel::common::types::CelString;
use cel::common::value::{CowVal, Val};
use cel::context::VariableResolver;
use cel::{Context, Env, ExecutionError, Value as Cel};
use jiff::Timestamp;
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::Arc;

/// How many items a population may have.
const MAX_ITEMS: usize = 100_000;

/// One thing to judge: a check, a part of a target, and an observation for each kind that the check needs.
pub(super) struct Unit<'a> {
    /// The check.
    pub compiled: &'a Compiled,
    /// The target's id.
    pub target: &'a str,
    /// The part, or empty.
    pub part: &'a str,
    /// In the order of `needs`.
    pub evidence: Vec<Option<&'a Fact>>,
}

/// An observation, with its data as a value of the rule language.
pub(super) struct Fact {
    /// The observation, without its data.
    pub observation: Observation,
    data: Value,
    value: Box<dyn Val>,
}

impl Fact {
    /// Makes an observation ready for judging.
    pub(super) fn new(observation: &Observation) -> Result<Fact, ExecutionError> {
        let data = Value::Object(observation.data.clone());
        let value: Box<dyn Val> = to_cel(&data).try_into()?;
        // The transcript is long, and nothing judges by it.
        let observation = Observation { transcript: Vec::new(), data: serde_json::Map::new(), ..observation.clone() };
        Ok(Fact { observation, data, value })
    }
}

/// What stays the same over a run.
pub(super) struct Constants {
    env: Arc<Env>,
    as_of: Timestamp,
    date: String,
    time: String,
}

impl Constants {
    /// For a run that judges as of this instant.
    pub(super) fn new(as_of: Timestamp) -> Constants {
        let date = as_of.to_zoned(jiff::tz::TimeZone::UTC).date().to_string();
        let env = Arc::new(Env::default().with_optional_support(false).with_stdlib());
        Constants { env, as_of, date, time: as_of.to_string() }
    }
}

/// The variables of an expression.
struct Names<'a> {
    facts: Vec<(&'a str, &'a dyn Val)>,
    params: Box<dyn Val>,
    constants: &'a Constants,
}

impl VariableResolver for Names<'_> {
    fn resolve<'b>(&'b self, name: &str) -> Option<CowVal<'b, 'b>> {
        match name {
            "params" => Some(CowVal::Borrowed(self.params.as_ref())),
            "as_of" => Some(CowVal::owned(CelString::from(self.constants.date.as_str()))),
            "as_of_time" => Some(CowVal::owned(CelString::from(self.constants.time.as_str()))),
            _ => self.facts.iter().find(|(kind, _)| *kind == name).map(|(_, value)| CowVal::Borrowed(*value)),
        }
    }
}

/// The results of one unit: one, or one an item.
pub(super) fn judge(unit: &Unit<'_>, constants: &Constants) -> Vec<CheckResult> {
    let check = &unit.compiled.check;
    let mut facts = Vec::new();
    // Gate 1: every observation in `needs` must be there, seen and in date.
    for (need, fact) in check.needs.iter().zip(&unit.evidence) {
        let Some(fact) = fact else {
            let (status, reason) = if check.kind == CheckKind::Attestation {
                (Status::NeedsReview, format!("nobody has stated {need}"))
            } else {
                (Status::NotEvaluated, format!("there is no observation of {need}"))
            };
            return vec![ResultBuilder::new(unit.compiled, unit.target, unit.part, &[]).end(status, reason)];
        };
        facts.push(*fact);
    }
    let evidence: Vec<&Observation> = facts.iter().map(|fact| &fact.observation).collect();
    let result = || ResultBuilder::new(unit.compiled, unit.target, unit.part, &evidence);
    if let Some(failed) = evidence.iter().find(|observation| observation.status == ObservationStatus::Failed) {
        return vec![result().end(Status::NotEvaluated, words::trouble(failed))];
    }
    if let Some((old, expired)) = evidence.iter().find_map(|observation| {
        observation.expires.filter(|expires| *expires <= constants.as_of).map(|expires| (observation, expires))
    }) {
        let reason = format!("the evidence of {} expired at {expired}", old.kind);
        return vec![result().end(Status::NotEvaluated, reason)];
    }
    let params: Result<Box<dyn Val>, ExecutionError> = to_cel(&unit.compiled.params).try_into();
    let params = match params {
        Ok(params) => params,
        Err(error) => return vec![result().end(Status::Error, broke("params", &error))],
    };
    let named = check.needs.iter().zip(&facts).map(|(need, fact)| (need.as_str(), fact.value.as_ref()));
    let names = Names { facts: named.collect(), params, constants };
    let mut context = Context::with_env(Arc::clone(&constants.env));
    context.set_variable_resolver(&names);
    if let Err(error) = function::add_to(&mut context) {
        return vec![result().end(Status::Error, format!("the rule language is not ready: {error}"))];
    }
    Judge { unit, facts: &facts, evidence: &evidence, context }.population()
}

struct Judge<'a, 'c> {
    unit: &'a Unit<'a>,
    facts: &'a [&'a Fact],
    evidence: &'a [&'a Observation],
    context: Context<'c, 'c>,
}

/// Why a value cannot be had.
enum Stop {
    /// A fact is not known.
    Gap(String),
    /// The evaluation broke.
    Broken(String),
}

impl Stop {
    fn end(self, result: ResultBuilder<'_>) -> CheckResult {
        match self {
            Stop::Gap(reason) => result.end(Status::NotEvaluated, reason),
            Stop::Broken(reason) => result.end(Status::Error, reason),
        }
    }
}

/// An item, or nothing where the check has no `each`.
struct Item {
    key: String,
    data: Option<Value>,
}

impl Judge<'_, '_> {
    fn result(&self) -> ResultBuilder<'_> {
        ResultBuilder::new(self.unit.compiled, self.unit.target, self.unit.part, self.evidence)
    }

    /// `applies` where it is about the whole, then the population, then each item.
    fn population(&self) -> Vec<CheckResult> {
        let compiled = self.unit.compiled;
        let nothing = Item { key: String::new(), data: None };
        let applies = compiled.applies.as_ref().filter(|applies| !applies.of_item);
        if let Some(result) = applies.and_then(|applies| self.applies(applies, &nothing, &self.context)) {
            return vec![result];
        }
        let Some(each) = &compiled.each else {
            return vec![self.item(&nothing, &self.context)];
        };
        let members = match self.value("each", each, None, &self.context) {
            Ok(Cel::List(members)) => members,
            Ok(_) => return vec![self.result().end(Status::Error, "`each` gives no list")],
            Err(stop) => return vec![stop.end(self.result())],
        };
        if members.is_empty() {
            return vec![self.empty()];
        }
        if members.len() > MAX_ITEMS {
            let reason = format!("the population has {} members, and at most {MAX_ITEMS} are judged", members.len());
            return vec![self.result().end(Status::Error, reason)];
        }
        self.members(&members)
    }

    /// Gate 3: an empty population proves nothing, unless the check says that it does.
    fn empty(&self) -> CheckResult {
        let Some(on_empty) = &self.unit.compiled.check.on_empty else {
            return self.result().end(Status::NotEvaluated, "there is nothing to judge: the population is empty");
        };
        let partial = self.evidence.iter().find(|observation| observation.status == ObservationStatus::Partial);
        match partial {
            Some(partial) => {
                let reason = format!("nothing was seen, yet {}", words::trouble(partial));
                self.result().end(Status::NotEvaluated, reason)
            }
            None => self.result().end(on_empty.status, on_empty.why.clone()),
        }
    }

    fn members(&self, members: &[Cel]) -> Vec<CheckResult> {
        let mut keys = BTreeSet::new();
        let mut results = Vec::new();
        for (at, member) in members.iter().enumerate() {
            let data = to_json(member);
            let mut context = self.context.new_inner_scope();
            let bound: Result<Box<dyn Val>, ExecutionError> = member.clone().try_into();
            let (Some(data), Ok(bound)) = (data, bound) else {
                let result = self.result().item(&format!("#{}", at + 1));
                results.push(result.end(Status::Error, "the item is not a value that can be judged"));
                continue;
            };
            context.add_variable_as_val("item", bound);
            let item = Item { key: String::new(), data: Some(data) };
            let result = match self.key(&item, &context) {
                Ok(key) if !keys.insert(key.clone()) => {
                    let reason = format!("two items have the key `{}`", words::clean(&key));
                    self.result().item(&format!("{key}#{}", at + 1)).end(Status::Error, reason)
                }
                Ok(key) => self.item(&Item { key, ..item }, &context),
                Err(stop) => stop.end(self.result().item(&format!("#{}", at + 1))),
            };
            results.push(result);
        }
        results
    }

    fn key(&self, item: &Item, context: &Context<'_, '_>) -> Result<String, Stop> {
        let Some(key) = &self.unit.compiled.key else {
            return Err(Stop::Broken("`each` without `key`".to_owned()));
        };
        match self.value("key", key, item.data.as_ref(), context)? {
            Cel::String(text) if text.is_empty() => Err(Stop::Broken("`key` gives an empty text".to_owned())),
            Cel::String(text) => Ok(text.to_string()),
            Cel::Int(number) => Ok(number.to_string()),
            Cel::UInt(number) => Ok(number.to_string()),
            _ => Err(Stop::Broken("`key` gives neither a text nor a whole number".to_owned())),
        }
    }

    /// Judges one item: `applies`, a person's decision, then the rule.
    fn item(&self, item: &Item, context: &Context<'_, '_>) -> CheckResult {
        let compiled = self.unit.compiled;
        let result = || self.result().item(&item.key);
        if let Some(reason) = item.data.as_ref().and_then(unknown) {
            return result().end(Status::NotEvaluated, format!("the item is not known: {}", words::clean(reason)));
        }
        let applies = compiled.applies.as_ref().filter(|applies| applies.of_item);
        if let Some(result) = applies.and_then(|applies| self.applies(applies, item, context)) {
            return result;
        }
        let (expected, actual, notes) = self.values(item, context);
        let severity = match self.severity(item, context) {
            Ok(severity) => severity,
            Err(stop) => return stop.end(result().values(expected, actual)),
        };
        let stated = item.data.as_ref().and_then(stated_reason);
        let accepted = item.data.as_ref().and_then(|data| data.get("accepted")) == Some(&Value::Bool(true));
        let judged = result().severity(severity).values(expected.clone(), actual.clone()).accepted(accepted);
        if item.data.as_ref().and_then(|data| data.get("result")).and_then(Value::as_str) == Some("review") {
            return judged.end(Status::NeedsReview, stated.unwrap_or_else(|| "a person must decide".to_owned()));
        }
        let holds = match self.value("rule", &compiled.rule, item.data.as_ref(), context) {
            Ok(Cel::Bool(holds)) => holds,
            Ok(_) => return judged.end(Status::Error, "`rule` gives neither true nor false"),
            Err(stop) => return stop.end(judged),
        };
        let reason = stated.or_else(|| words::seen(&expected, &actual)).unwrap_or_else(|| {
            let so = if holds { "it holds that" } else { "it does not hold that" };
            format!("{so}: {}", compiled.check.title)
        });
        judged.end(if holds { Status::Pass } else { Status::Fail }, reason + &notes)
    }

    /// The result where the check does not apply, or where that is not known.
    fn applies(&self, applies: &Applies, item: &Item, context: &Context<'_, '_>) -> Option<CheckResult> {
        let result = || self.result().item(&item.key);
        match self.value("applies", &applies.when, item.data.as_ref(), context) {
            Ok(Cel::Bool(true)) => None,
            Ok(Cel::Bool(false)) => {
                // A list that lacks members may lack the one that makes the check apply.
                if let Some(partial) = self.partial_list(&applies.when) {
                    return Some(result().end(Status::NotEvaluated, words::trouble(partial)));
                }
                let reason = match &applies.otherwise {
                    Otherwise::Text(text) => text.clone(),
                    Otherwise::Expression(expression) => {
                        match self.value("otherwise", expression, item.data.as_ref(), context) {
                            Ok(value) => to_json(&value).map(|value| words::shown(&value)).unwrap_or_default(),
                            Err(Stop::Gap(reason) | Stop::Broken(reason)) => reason,
                        }
                    }
                };
                Some(result().end(Status::NotApplicable, reason))
            }
            Ok(_) => Some(result().end(Status::Error, "`applies` gives neither true nor false")),
            Err(stop) => Some(stop.end(result())),
        }
    }

    /// A partial observation of which the expression reads a list.
    fn partial_list(&self, expression: &Expression) -> Option<&Observation> {
        expression.reads.paths.keys().find_map(|path| {
            let Root::Kind(kind) = &path.root else { return None };
            let fact = self.facts.iter().find(|fact| fact.observation.kind == *kind)?;
            let partial = fact.observation.status == ObservationStatus::Partial && path.meets_list(&fact.data);
            partial.then_some(&fact.observation)
        })
    }

    /// What is wanted and what is seen, as far as it is known, and a remark where it is not.
    fn values(&self, item: &Item, context: &Context<'_, '_>) -> (Value, Value, String) {
        let mut notes = String::new();
        let mut show = |name: &str, expression: &Option<Expression>| {
            let Some(expression) = expression else { return Value::Null };
            match self.value(name, expression, item.data.as_ref(), context) {
                Ok(value) => to_json(&value).unwrap_or(Value::Null),
                Err(Stop::Gap(reason) | Stop::Broken(reason)) => {
                    notes.push_str("; ");
                    notes.push_str(&reason);
                    Value::Null
                }
            }
        };
        let expected = show("expected", &self.unit.compiled.expected);
        let actual = show("actual", &self.unit.compiled.actual);
        (expected, actual, notes)
    }

    fn severity(&self, item: &Item, context: &Context<'_, '_>) -> Result<Severity, Stop> {
        let compiled = self.unit.compiled;
        let Some(expression) = compiled.severity_of.as_ref().filter(|_| !compiled.severity_is_set) else {
            return Ok(compiled.severity);
        };
        match self.value("severity_of", expression, item.data.as_ref(), context)? {
            Cel::String(word) => Severity::parse(&word).ok_or_else(|| {
                Stop::Broken(format!("`severity_of` gives `{}`, which is no severity", words::clean(&word)))
            }),
            _ => Err(Stop::Broken("`severity_of` gives no text".to_owned())),
        }
    }

    /// Gates 2 and 4: what is read must be known before the evaluation, and a broken evaluation is an error.
    fn value(
        &self,
        name: &str,
        expression: &Expression,
        item: Option<&Value>,
        context: &Context<'_, '_>,
    ) -> Result<Cel, Stop> {
        let gap = expression.reads.gap(|root| match root {
            Root::Item => item,
            Root::Kind(kind) => self.facts.iter().find(|fact| fact.observation.kind == *kind).map(|fact| &fact.data),
        });
        if let Some(gap) = gap {
            let partial = self.evidence.iter().find(|observation| observation.status == ObservationStatus::Partial);
            let more = partial.map(|partial| format!("; {}", words::trouble(partial))).unwrap_or_default();
            return Err(Stop::Gap(words::clean(&gap.to_string()) + &more));
        }
        expression.evaluate(context).map_err(|error| Stop::Broken(broke(name, &error)))
    }
}

/// A broken evaluation in words.
fn broke(name: &str, error: &ExecutionError) -> String {
    format!("`{name}` could not be evaluated: {}", words::clean(&error.to_string()))
}

/// The reason that a row of a rule table gives itself.
fn stated_reason(item: &Value) -> Option<String> {
    let reason = item.get("reason")?.as_str()?.trim();
    if reason.is_empty() { None } else { Some(words::clean(reason)) }
}
