//! Judges observations by checks: pure, three-valued, without I/O or clock.

mod builder;
mod compiled;
pub mod derive;
mod engine;
mod expression;
pub mod function;
mod judge;
mod path;
mod run;
mod seen;
mod shape;
mod test;
mod value;
mod walk;
mod words;

pub use engine::{Case, Engine};
pub use test::{TestOutcome, test};

use crate::catalogue::FunctionDoc;

/// The functions of the rule language, as `checks/README.md` shows them.
pub fn functions() -> Vec<FunctionDoc> {
    let first = |function: &function::Function| FunctionDoc {
        form: function.form,
        gives: function.gives,
        example: function.examples.first().copied().unwrap_or_default(),
    };
    function::FUNCTIONS.iter().map(first).collect()
}
