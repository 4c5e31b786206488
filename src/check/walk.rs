//! Walks a parsed expression: which fact paths it reads, whether they can exist, and whether it calls only what is
//! allowed. A path through a variable of `all`, `exists`, `filter` or `map` is that of the members of its list.

use super::expression::Fault;
use super::function;
use super::path::{Depth, Path, Reads, Root, Step};
use super::seen::{self, Alternatives, Seen, is_list, shape_of};
use super::shape::Shape;
use crate::yaml::nearest;
use cel::Program;
use cel::common::ast::{CallExpr, ComprehensionExpr, EntryExpr, Expr, IdedExpr, LiteralValue};
use std::collections::BTreeMap;
use std::ops::Range;

/// How deep a parsed expression may be.
const MAX_DEPTH: usize = 96;
/// How many comprehensions may stand in each other.
const MAX_COMPREHENSIONS: usize = 2;

/// What an expression may name.
#[derive(Clone, Debug, Default)]
pub(super) struct Scope {
    /// The kinds in `needs`, with the form of their data.
    pub kinds: BTreeMap<String, Shape>,
    /// The parameters.
    pub params: BTreeMap<String, Shape>,
    /// The form of `item`, where the check has `each`.
    pub item: Option<Shape>,
}

/// Walks a parsed expression, whose value is read as deep as this.
pub(super) fn walk(text: &str, program: &Program, scope: &Scope, depth: Depth) -> Result<(Reads, Shape), Fault> {
    let mut walker =
        Walker { text, program, scope, locals: Vec::new(), reads: Reads::default(), depth: 0, comprehensions: 0 };
    let result = walker.visit(program.expression())?;
    walker.read(&result, depth);
    Ok((walker.reads, shape_of(&result)))
}

struct Walker<'a> {
    text: &'a str,
    program: &'a Program,
    scope: &'a Scope,
    locals: Vec<(String, Alternatives)>,
    reads: Reads,
    depth: usize,
    comprehensions: usize,
}

impl Walker<'_> {
    fn visit(&mut self, node: &IdedExpr) -> Result<Alternatives, Fault> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(Fault::new(self.span(node), "the expression is nested too deeply", "here"));
        }
        let seen = match &node.expr {
            Expr::Ident(_) | Expr::Select(_) => self.visit_path(node),
            Expr::Call(call) => self.visit_call(node, call),
            Expr::Comprehension(comprehension) => self.visit_comprehension(node, comprehension),
            Expr::List(list) => {
                let mut members = Vec::new();
                for element in &list.elements {
                    members.extend(self.visit(element)?);
                }
                Ok(vec![Seen::List(members)])
            }
            Expr::Map(map) => self.visit_map(node, map.entries.iter().map(|entry| &entry.expr)),
            Expr::Literal(LiteralValue::Bytes(_)) | Expr::Struct(_) | Expr::Unspecified => {
                Err(Fault::new(self.span(node), "this form of value is not part of the rule language", "not allowed"))
            }
            Expr::Literal(_) => Ok(vec![Seen::Value(Shape::Scalar)]),
        };
        self.depth -= 1;
        seen
    }

    /// Names and fields: `tls.protocols.offered`, `item.name`, `params.oldest`, `as_of`.
    fn visit_path(&mut self, node: &IdedExpr) -> Result<Alternatives, Fault> {
        let (base, fields) = chain(node);
        if let Some(at) = fields.iter().position(|field| field.test) {
            let name = fields.get(at).map_or("", |field| field.name);
            return Err(Fault::new(self.find(name, node), "`has()` is not part of the rule language", "not allowed")
                .help("a fact that may be absent is recorded with a boolean, for example `hsts.present`"));
        }
        let names: Vec<&str> = fields.iter().map(|field| field.name).collect();
        let (seen, rest) = match &base.expr {
            Expr::Ident(name) => self.resolve(node, name, &names)?,
            _ => (self.visit(base)?, 0),
        };
        names.iter().enumerate().skip(rest).try_fold(seen, |seen, (at, name)| self.field(node, seen, &names, at, name))
    }

    /// What a name stands for, and how many of the fields after it belong to the name.
    fn resolve(&self, node: &IdedExpr, name: &str, fields: &[&str]) -> Result<(Alternatives, usize), Fault> {
        if let Some((_, seen)) = self.locals.iter().rev().find(|(local, _)| local == name) {
            return Ok((seen.clone(), 0));
        }
        match name {
            "item" => {
                if let Some(shape) = &self.scope.item {
                    let path = Path { root: Root::Item, steps: Vec::new() };
                    return Ok((vec![Seen::Fact { path, shape: shape.clone() }], 0));
                }
                return Err(Fault::new(self.find("item", node), "there is no `item` here", "unknown")
                    .help("give the check an `each`, which says what the items are"));
            }
            "as_of" | "as_of_time" => return Ok((vec![Seen::Value(Shape::Scalar)], 0)),
            "params" => return self.param(node, fields),
            _ => {}
        }
        // The longest kind wins: `db.auth.roles` before `db.auth`.
        for taken in (0..=fields.len()).rev() {
            let id = std::iter::once(name).chain(fields.iter().take(taken).copied()).collect::<Vec<_>>().join(".");
            if let Some(shape) = self.scope.kinds.get(&id) {
                let path = Path { root: Root::Kind(id), steps: Vec::new() };
                return Ok((vec![Seen::Fact { path, shape: shape.clone() }], taken));
            }
        }
        Err(self.unknown_name(node, name, fields))
    }

    fn unknown_name(&self, node: &IdedExpr, name: &str, fields: &[&str]) -> Fault {
        let written = std::iter::once(name).chain(fields.iter().copied()).collect::<Vec<_>>().join(".");
        let known = crate::model::kind::KINDS
            .iter()
            .map(|kind| kind.id)
            .filter(|id| written == **id || written.starts_with(&format!("{id}.")))
            .max_by_key(|id| id.len());
        if let Some(id) = known {
            return Fault::new(self.find(id, node), format!("`{id}` is not in `needs`"), "not needed")
                .help(format!("add `{id}` to `needs`"));
        }
        let names: Vec<&str> = self.scope.kinds.keys().map(String::as_str).collect();
        Fault::new(self.find(name, node), format!("unknown name `{written}`"), "unknown").help(format!(
            "an expression sees {}, `params`, `as_of` and, with `each`, `item`",
            names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
        ))
    }

    fn param(&self, node: &IdedExpr, fields: &[&str]) -> Result<(Alternatives, usize), Fault> {
        let Some(name) = fields.first() else {
            return Err(Fault::new(self.find("params", node), "a parameter is named as `params.NAME`", "which one?"));
        };
        match self.scope.params.get(*name) {
            Some(shape) => Ok((vec![Seen::Value(shape.clone())], 1)),
            None => {
                let fault = Fault::new(self.find(name, node), format!("unknown parameter `{name}`"), "not declared");
                Err(fault.help(format!("declare it under `params`{}", did_you_mean(name, self.scope.params.keys()))))
            }
        }
    }

    fn field(
        &self,
        node: &IdedExpr,
        seen: Alternatives,
        names: &[&str],
        at: usize,
        name: &str,
    ) -> Result<Alternatives, Fault> {
        let mut found = Vec::new();
        for one in &seen {
            match one {
                Seen::Fact { path, shape } => {
                    if let Some(shape) = shape.field(name) {
                        found.push(Seen::Fact { path: path.then(Step::Field(name.to_owned())), shape });
                    }
                }
                Seen::Object(fields) => found.extend(fields.get(name).cloned().unwrap_or_default()),
                Seen::Value(shape) => found.extend(shape.field(name).map(Seen::Value)),
                Seen::List(_) => {}
            }
        }
        // A field of a loop variable over nothing is as empty as its list.
        if found.is_empty() && !seen.is_empty() {
            return Err(self.no_such_field(node, &seen, names, at, name));
        }
        Ok(found)
    }

    fn no_such_field(&self, node: &IdedExpr, seen: &[Seen], names: &[&str], at: usize, name: &str) -> Fault {
        let of = seen.iter().find_map(|one| match one {
            Seen::Fact { path, .. } => Some(path.to_string()),
            _ => None,
        });
        let of = of.unwrap_or_else(|| "this value".to_owned());
        let fields = shape_of(seen).names();
        let message = format!("`{of}` has no field `{name}`");
        let help = match nearest(name, fields.iter().map(String::as_str)) {
            Some(near) => format!("did you mean `{near}`?"),
            None if fields.is_empty() => "it has no fields at all".to_owned(),
            None => format!("its fields are {}", fields.into_iter().collect::<Vec<_>>().join(", ")),
        };
        Fault::new(self.find_field(node, names, at), message, "no such fact").help(help)
    }

    fn visit_call(&mut self, node: &IdedExpr, call: &CallExpr) -> Result<Alternatives, Fault> {
        if call.func_name == "_[_]" {
            return self.visit_index(node, call);
        }
        if !function::is_known(&call.func_name) {
            return Err(self.unknown_function(node, &call.func_name));
        }
        let operands: Vec<&IdedExpr> = call.target.as_deref().into_iter().chain(&call.args).collect();
        let mut values = Vec::new();
        for operand in &operands {
            values.push(self.visit(operand)?);
        }
        match (call.func_name.as_str(), values.as_slice()) {
            ("_?_:_", [condition, yes, no]) => {
                self.read(condition, Depth::Whole);
                return Ok(yes.iter().chain(no).cloned().collect());
            }
            ("_+_", [left, right]) if is_list(left) || is_list(right) => {
                return Ok(left.iter().chain(right).cloned().collect());
            }
            ("size", [of]) => self.read(of, Depth::Form),
            ("_==_" | "_!=_", [left, right]) => {
                for (value, other) in [(left, operands.get(1)), (right, operands.first())] {
                    if other.is_some_and(|other| matches!(other.expr, Expr::Literal(LiteralValue::Null))) {
                        let paths = value.iter().filter_map(|one| match one {
                            Seen::Fact { path, .. } => Some(path.clone()),
                            _ => None,
                        });
                        self.reads.nullable.extend(paths);
                    }
                    self.read(value, Depth::Whole);
                }
            }
            _ => values.iter().for_each(|value| self.read(value, Depth::Whole)),
        }
        Ok(vec![Seen::Value(Shape::Scalar)])
    }

    /// Only a name or a number in the text itself: what a computed index names cannot be verified.
    fn visit_index(&mut self, node: &IdedExpr, call: &CallExpr) -> Result<Alternatives, Fault> {
        let (Some(of), Some(index)) = (call.args.first(), call.args.get(1)) else {
            return Err(Fault::new(self.span(node), "an index names no value", "here"));
        };
        let seen = self.visit(of)?;
        match &index.expr {
            Expr::Literal(LiteralValue::String(name)) => {
                let name = name.inner().to_owned();
                self.field(index, seen, &[], 0, &name)
            }
            Expr::Literal(LiteralValue::Int(_)) => Ok(seen::members(&seen)),
            _ => Err(Fault::new(self.span(index), "a computed index is not part of the rule language", "not allowed")
                .help("name the field, or go over the list with `all`, `exists`, `filter` or `map`")),
        }
    }

    fn unknown_function(&self, node: &IdedExpr, name: &str) -> Fault {
        let known: Vec<&str> = function::FUNCTIONS
            .iter()
            .map(|function| function.name)
            .chain(["all", "exists", "exists_one", "filter", "map"])
            .collect();
        let help = match nearest(name, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("the functions are {}", known.join(", ")),
        };
        Fault::new(self.find(name, node), format!("unknown function `{name}`"), "not in the list").help(help)
    }

    fn visit_comprehension(
        &mut self,
        node: &IdedExpr,
        comprehension: &ComprehensionExpr,
    ) -> Result<Alternatives, Fault> {
        let range = self.visit(&comprehension.iter_range)?;
        self.read(&range, Depth::Form);
        if !range.is_empty() && shape_of(&range).member().is_none() {
            return Err(Fault::new(self.span(node), "only a list can be gone over", "not a list"));
        }
        self.comprehensions += 1;
        if self.comprehensions > MAX_COMPREHENSIONS {
            let message =
                format!("at most {MAX_COMPREHENSIONS} of `all`, `exists`, `filter`, `map` stand in each other");
            return Err(Fault::new(self.span(node), message, "one too many"));
        }
        let members = seen::members(&range);
        self.locals.push((comprehension.iter_var.clone(), members));
        let start = self.visit(&comprehension.accu_init)?;
        self.locals.push((comprehension.accu_var.clone(), start));
        let condition = self.visit(&comprehension.loop_cond)?;
        self.read(&condition, Depth::Whole);
        let step = self.visit(&comprehension.loop_step)?;
        self.locals.pop();
        self.locals.push((comprehension.accu_var.clone(), step));
        let result = self.visit(&comprehension.result)?;
        self.locals.truncate(self.locals.len().saturating_sub(2));
        self.comprehensions -= 1;
        Ok(result)
    }

    fn visit_map<'e>(
        &mut self,
        node: &IdedExpr,
        entries: impl Iterator<Item = &'e EntryExpr>,
    ) -> Result<Alternatives, Fault> {
        let mut fields = BTreeMap::new();
        for entry in entries {
            let EntryExpr::MapEntry(entry) = entry else { continue };
            let Expr::Literal(LiteralValue::String(name)) = &entry.key.expr else {
                return Err(Fault::new(self.span(node), "the keys of a mapping are written as texts", "not a text"));
            };
            fields.insert(name.inner().to_owned(), self.visit(&entry.value)?);
        }
        Ok(vec![Seen::Object(fields)])
    }

    /// Notes that these values are read.
    fn read(&mut self, seen: &[Seen], depth: Depth) {
        for one in seen {
            match one {
                Seen::Fact { path, .. } => self.reads.add(path.clone(), depth),
                Seen::List(members) if depth == Depth::Whole => self.read(members, depth),
                Seen::Object(fields) if depth == Depth::Whole => {
                    fields.values().for_each(|field| self.read(field, depth));
                }
                Seen::List(_) | Seen::Object(_) | Seen::Value(_) => {}
            }
        }
    }

    /// The bytes of a node; the parser counts characters.
    fn span(&self, node: &IdedExpr) -> Range<usize> {
        let (start, stop) = self.program.source_info().offset_for(node.id).unwrap_or((0, 0));
        let byte = |at: u32| {
            let at = usize::try_from(at).unwrap_or(usize::MAX);
            self.text.char_indices().nth(at).map_or(self.text.len(), |(byte, _)| byte)
        };
        let start = byte(start);
        start..byte(stop.saturating_add(1)).max(start)
    }

    /// The bytes of a word, near a node.
    fn find(&self, word: &str, node: &IdedExpr) -> Range<usize> {
        let near = self.span(node);
        // A node of several words is placed at its operator, so that the word may stand before it.
        let places: Vec<usize> = self.text.match_indices(word).map(|(at, _)| at).collect();
        match places.iter().min_by_key(|at| at.abs_diff(near.start)) {
            Some(at) => *at..*at + word.len(),
            None => near,
        }
    }

    /// The bytes of one field of a written path.
    fn find_field(&self, node: &IdedExpr, names: &[&str], at: usize) -> Range<usize> {
        let Some(name) = names.get(at) else { return self.span(node) };
        let written = names.iter().take(at + 1).copied().collect::<Vec<_>>().join(".");
        let whole = self.find(&format!(".{written}"), node);
        if self.text.get(whole.clone()).is_some_and(|text| text.ends_with(name)) {
            return whole.end - name.len()..whole.end;
        }
        self.find(name, node)
    }
}

struct Field<'e> {
    name: &'e str,
    test: bool,
}

/// What a chain of fields begins with, and the fields.
fn chain(node: &IdedExpr) -> (&IdedExpr, Vec<Field<'_>>) {
    let (mut base, mut fields) = (node, Vec::new());
    while let Expr::Select(select) = &base.expr {
        fields.push(Field { name: &select.field, test: select.test });
        base = &select.operand;
    }
    fields.reverse();
    (base, fields)
}

fn did_you_mean<'n>(word: &str, names: impl Iterator<Item = &'n String>) -> String {
    nearest(word, names.map(String::as_str)).map(|near| format!(", or did you mean `{near}`?")).unwrap_or_default()
}
