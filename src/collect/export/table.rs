//! Tables of an export: lines of fields, with their names in the first line.

use super::field::Secrets;
use super::reader::{Broken, Tally};

/// Fields divided by commas.
pub fn commas(text: &str, tallies: &mut [Tally<'_>], secrets: &mut Secrets) -> Result<u64, Broken> {
    table(text, b',', tallies, secrets)
}

/// Fields divided by tabs.
pub fn tabs(text: &str, tallies: &mut [Tally<'_>], secrets: &mut Secrets) -> Result<u64, Broken> {
    table(text, b'\t', tallies, secrets)
}

fn table(text: &str, divider: u8, tallies: &mut [Tally<'_>], secrets: &mut Secrets) -> Result<u64, Broken> {
    let mut reader = csv::ReaderBuilder::new().delimiter(divider).from_reader(text.as_bytes());
    let names = reader.headers().map_err(|_| "its first line does not name its fields")?.clone();
    if names.is_empty() || names.iter().any(|name| name.trim().is_empty()) {
        return Err("its first line does not name its fields");
    }
    let place = |key: Option<&str>| names.iter().position(|name| Some(name) == key);
    let places: Vec<Option<usize>> = tallies.iter().map(|tally| place(tally.wish().key)).collect();
    let mut records = 0;
    let mut record = csv::StringRecord::new();
    while reader.read_record(&mut record).map_err(|_| "a line does not have the fields that the first line names")? {
        records += 1;
        names.iter().zip(&record).for_each(|(name, value)| secrets.look(name, value));
        for (tally, place) in tallies.iter_mut().zip(&places) {
            tally.count(place.and_then(|place| record.get(place)));
        }
    }
    Ok(records)
}
