//! Comma-separated values (RFC 4180): a row a result, for the auditor's request list.
//!
//! A spreadsheet takes a cell that begins with `=`, `+`, `-` or `@` for a formula, whatever the quotes around it. Such
//! a cell gets an apostrophe in front, which spreadsheets take for *this is text*.

use super::sheet;
use super::{Context, RenderError};
use crate::model::Assessment;

pub(super) fn render(assessment: &Assessment, context: &Context<'_>) -> Result<Vec<u8>, RenderError> {
    let sheet = sheet::results(assessment, context);
    // All is quoted: where a semicolon parts cells, one in the text would begin a new one.
    let mut writer = ::csv::WriterBuilder::new()
        .quote_style(::csv::QuoteStyle::Always)
        .terminator(::csv::Terminator::CRLF)
        .from_writer(Vec::new());
    writer.write_record(sheet.head)?;
    for row in &sheet.rows {
        writer.write_record(row.iter().map(|cell| inert(cell)))?;
    }
    writer.into_inner().map_err(|error| RenderError::Csv(error.into_error().into()))
}

/// The text as no spreadsheet computes it: blanks before the sign and the wide forms of it count, too.
fn inert(text: &str) -> String {
    let begins = text.trim_start().chars().next();
    match begins {
        Some('=' | '+' | '-' | '@' | '|' | '%' | '＝' | '＋' | '－' | '＠') => format!("'{text}"),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::inert;

    #[test]
    fn what_begins_like_a_formula_is_text() {
        for formula in ["=1+1", "+1", "-1", "@SUM(A1)", "  =1", "\u{a0}=1", "＝1", "|cmd"] {
            assert_eq!(inert(formula), format!("'{formula}"));
        }
        for text in ["", "a=1", "TLSv1.2", "'=1"] {
            assert_eq!(inert(text), text);
        }
    }
}
