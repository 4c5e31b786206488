//! One expression of a check: guarded, parsed, and its fact paths verified before any evidence is there.

use super::path::{Depth, Reads};
use super::shape::Shape;
use super::walk::{Scope, walk};
use cel::{Context, ExecutionError, Program, Value};
use std::ops::Range;

/// The longest expression, in bytes.
const MAX_BYTES: usize = 4 * 1024;
/// The deepest nesting of brackets and conditionals.
const MAX_NESTING: usize = 16;

/// An expression that was accepted.
#[derive(Debug)]
pub(super) struct Expression {
    program: Program,
    /// The paths that it reads.
    pub reads: Reads,
    /// The form of its value.
    pub shape: Shape,
}

/// Why an expression is refused, and where in its text.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Fault {
    /// What is wrong.
    pub message: String,
    /// Words under the caret.
    pub label: String,
    /// What to do.
    pub help: Option<String>,
    /// Bytes of the expression.
    pub span: Range<usize>,
}

impl Fault {
    /// A fault at these bytes.
    pub(super) fn new(span: Range<usize>, message: impl Into<String>, label: impl Into<String>) -> Fault {
        Fault { message: message.into(), label: label.into(), help: None, span }
    }

    /// The same, with a sentence that says what to do.
    pub(super) fn help(mut self, help: impl Into<String>) -> Fault {
        self.help = Some(help.into());
        self
    }
}

impl Expression {
    /// Accepts an expression, or says why not.
    pub(super) fn compile(text: &str, scope: &Scope) -> Result<Expression, Fault> {
        Expression::read(text, scope, Depth::Whole)
    }

    /// Accepts an expression that gives a population: its members are looked at one by one, later.
    pub(super) fn population(text: &str, scope: &Scope) -> Result<Expression, Fault> {
        Expression::read(text, scope, Depth::Form)
    }

    fn read(text: &str, scope: &Scope, depth: Depth) -> Result<Expression, Fault> {
        guard(text)?;
        let program = Program::compile(text).map_err(|errors| syntax(text, &errors))?;
        let (reads, shape) = walk(text, &program, scope, depth)?;
        Ok(Expression { program, reads, shape })
    }

    /// True where it names `item`, so that it says something about each.
    pub(super) fn names_item(&self) -> bool {
        self.program.references().has_variable("item")
    }

    /// Its value. What it reads must be known: see [`Reads::gap`].
    pub(super) fn evaluate(&self, context: &Context<'_, '_>) -> Result<Value, ExecutionError> {
        self.program.execute(context)
    }
}

/// Refuses what could exhaust the parser.
fn guard(text: &str) -> Result<(), Fault> {
    if text.len() > MAX_BYTES {
        let message = format!("an expression has at most {MAX_BYTES} bytes, this one has {}", text.len());
        return Err(Fault::new(0..1, message, "too long").help("split it into several checks, or derive a fact"));
    }
    if text.trim().is_empty() {
        return Err(Fault::new(0..text.len(), "an expression is empty", "nothing here"));
    }
    if let Some(at) = text.find('\\') {
        // Without escapes the end of every text is plain to see.
        return Err(Fault::new(at..at + 1, "a backslash is not part of the rule language", "not allowed"));
    }
    let (mut depth, mut choices, mut quote) = (0_usize, 0_usize, None);
    for (at, letter) in text.char_indices() {
        match (quote, letter) {
            (Some(open), _) if open == letter => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(letter),
            (None, '(' | '[' | '{') => depth += 1,
            (None, ')' | ']' | '}') => depth = depth.saturating_sub(1),
            (None, '?') => choices += 1,
            (None, _) => {}
        }
        if depth + choices > MAX_NESTING {
            let message = format!("an expression nests at most {MAX_NESTING} levels deep");
            return Err(Fault::new(at..at + letter.len_utf8(), message, "one level too deep"));
        }
    }
    Ok(())
}

fn syntax(text: &str, errors: &cel::ParseErrors) -> Fault {
    let Some(first) = errors.errors.first() else {
        return Fault::new(0..text.len(), "the expression does not parse", "here");
    };
    let line = usize::try_from(first.pos.0).unwrap_or(1).saturating_sub(1);
    let column = usize::try_from(first.pos.1).unwrap_or(1).saturating_sub(1);
    let start: usize = text.split_inclusive('\n').take(line).map(str::len).sum();
    let at = text[start.min(text.len())..].char_indices().nth(column).map_or(text.len(), |(offset, _)| start + offset);
    let what = first.msg.lines().next().unwrap_or_default();
    Fault::new(at..(at + 1).min(text.len().max(at)), format!("the expression does not parse: {what}"), "here")
}
