//! `schema`: the JSON Schemas of what people write and what we write.

use super::{Ending, Failure, output};
use crate::{gate::Exit, report, target};
use clap::{Args, ValueEnum};

/// Print a JSON Schema, for editors and for readers of our JSON
#[derive(Args)]
#[command(after_help = "\
Examples:
  probity schema config > probity.schema.json
  probity schema assessment")]
pub struct Schema {
    /// Of `probity.yaml`, or of the JSON report
    which: Which,
}

#[derive(Clone, Copy, ValueEnum)]
enum Which {
    Config,
    Assessment,
}

impl Schema {
    /// Runs the command.
    pub fn run(self) -> Ending {
        let schema = match self.which {
            Which::Config => target::schema(),
            Which::Assessment => report::json::schema(),
        };
        let mut text = serde_json::to_string_pretty(&schema)
            .map_err(|error| Failure::new(format!("the schema cannot be written: {error}")))?;
        text.push('\n');
        output::print(text.as_bytes())?;
        Ok(Exit::Passed.code())
    }
}
