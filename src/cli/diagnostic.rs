//! Mistakes as people see them: the thing, the place, the reason and the next step.

use crate::report::text;
use crate::yaml;
use miette::{Diagnostic, LabeledSpan, NamedSource, Report, SourceCode};
use std::fmt;

/// A mistake in a text that a person wrote.
struct Mistake {
    message: String,
    label: String,
    help: Option<String>,
    source: Option<NamedSource<String>>,
    span: Option<std::ops::Range<usize>>,
}

impl fmt::Debug for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Mistake {}

impl Diagnostic for Mistake {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.source.as_ref().map(|source| source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let span = self.span.clone()?;
        let label = (!self.label.is_empty()).then(|| self.label.clone());
        Some(Box::new(std::iter::once(LabeledSpan::new_with_span(label, span))))
    }
}

/// A mistake with its place.
pub fn report(mistake: yaml::Diagnostic) -> Report {
    // A snippet stays on its line, so that a caret points where it should; only what a terminal would obey is replaced.
    let harmless: String =
        mistake.source.chars().map(|c| if c.is_control() && c != '\n' && c != '\t' { '\u{fffd}' } else { c }).collect();
    let same_length = harmless.len() == mistake.source.len();
    let placed = mistake.span.is_some() && same_length;
    let message = text::escape(&mistake.message).to_string();
    let place = if mistake.line > 0 && !placed {
        format!("{}:{}: ", mistake.file, mistake.line)
    } else if placed {
        String::new()
    } else {
        format!("{}: ", mistake.file)
    };
    Report::new(Mistake {
        message: format!("{place}{message}"),
        label: mistake.label.map(|label| text::escape(&label).to_string()).unwrap_or_default(),
        help: mistake.help.map(|help| text::escape(&help).to_string()),
        source: placed.then(|| NamedSource::new(mistake.file, harmless)),
        span: if placed { mistake.span } else { None },
    })
}

/// A failure that has no place in a text.
pub fn words(message: String, help: Option<String>) -> Report {
    Report::new(Mistake {
        message: text::escape(&message).to_string(),
        label: String::new(),
        help: help.map(|help| text::escape(&help).to_string()),
        source: None,
        span: None,
    })
}
