//! A workbook for the auditor: run, blind spots, population, results, exceptions, controls and evidence, a sheet each.
//!
//! Every cell is a string to the spreadsheet, so none is a formula or a link. The time of creation is the run's.

use super::sheet;
use super::{Context, RenderError};
use crate::model::{Assessment, Verdict};
use rust_xlsxwriter::{DocProperties, ExcelDateTime, Format, FormatAlign, Workbook};

/// The widest column, in letters.
const MAX_WIDTH: usize = 60;

pub(super) fn render(
    assessment: &Assessment,
    verdict: &Verdict,
    context: &Context<'_>,
) -> Result<Vec<u8>, RenderError> {
    let mut book = Workbook::new();
    let created = ExcelDateTime::from_timestamp(assessment.run.ended.as_second())?;
    book.set_properties(&DocProperties::new().set_title("Assessment").set_creation_datetime(&created));
    let head = Format::new().set_bold().set_align(FormatAlign::Top);
    let body = Format::new().set_text_wrap().set_align(FormatAlign::Top);
    for sheet in sheet::all(assessment, verdict, context) {
        let page = book.add_worksheet().set_name(sheet.name)?;
        for (column, name) in (0u16..).zip(sheet.head) {
            page.write_string_with_format(0, column, *name, &head)?;
            let widest = sheet.rows.iter().filter_map(|row| row.get(usize::from(column)));
            let widest = widest.map(|cell| cell.chars().count()).max().unwrap_or_default();
            let width = u32::try_from(widest.max(name.len()).min(MAX_WIDTH) + 2).unwrap_or_default();
            page.set_column_width(column, width)?;
        }
        for (line, row) in (1u32..).zip(&sheet.rows) {
            for (column, cell) in (0u16..).zip(row) {
                page.write_string_with_format(line, column, cell, &body)?;
            }
        }
        page.set_freeze_panes(1, 0)?;
        let last = u32::try_from(sheet.rows.len()).unwrap_or(u32::MAX);
        let columns = u16::try_from(sheet.head.len().saturating_sub(1)).unwrap_or(u16::MAX);
        page.autofilter(0, 0, last, columns)?;
        page.set_landscape().set_print_fit_to_pages(1, 0).set_repeat_rows(0, 0)?;
    }
    Ok(book.save_to_buffer()?)
}
