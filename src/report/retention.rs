//! The data sets of the retention schedule, each with its rule, what was counted and what that cost: for people and for
//! machines.

use super::text::{counted, harmless_json, shown, wrap};
use super::{Format, RenderError};
use crate::model::retention::{Cost, Inventory, Measured, MechanismFacts, Retention, Strategy};
use crate::model::{Assessment, Fact, Observation, Verdict};
use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;

/// The version of the form for machines. A field may be added under the same number, never changed or removed.
pub const SCHEMA: &str = "probity.retention/1";
/// The checks that judge what is shown here; the verdict is theirs.
pub const FAMILY: &str = "data.retention";
/// Tables without a rule that are named to people before the rest is counted.
const MAX_NAMES: usize = 12;
/// The fewest columns that are used.
const MIN_WIDTH: u16 = 80;

/// Everything that is shown.
#[derive(Serialize)]
struct Page<'a> {
    schema: &'static str,
    as_of: String,
    exit: u8,
    gate: &'a str,
    reason: &'a str,
    stores: Vec<Store<'a>>,
}

/// One store, by the address that was looked at.
#[derive(Serialize)]
struct Store<'a> {
    store: &'a str,
    part: &'a str,
    /// Why nothing was counted, where nothing was.
    #[serde(skip_serializing_if = "Option::is_none")]
    trouble: Option<String>,
    server_version: Fact<String>,
    tz_version: Fact<String>,
    skew_s: Fact<i64>,
    data_sets: Vec<Set>,
    coverage: Fact<Coverage>,
}

/// One data set.
#[derive(Serialize)]
struct Set {
    /// The result of `data.retention` for it: `pass`, `fail`, `not-evaluated` and others.
    status: String,
    severity: String,
    reason: String,
    measured: Measured,
    means: Option<MechanismFacts>,
}

/// How far the schedule covers the tables that were seen.
#[derive(Serialize)]
struct Coverage {
    tables: usize,
    /// Tables with columns whose names suggest personal data.
    personal: usize,
    scheduled: usize,
    exempt: usize,
    /// Personal-looking tables that have neither a rule nor an exemption.
    uncovered: Vec<String>,
    /// Why tables may be missing from the list; empty where none is.
    unseen: String,
}

/// Makes the page, as a table or as JSON.
///
/// # Errors
/// Where a value has no form in JSON, which is a fault of probity.
pub fn render(assessment: &Assessment, verdict: &Verdict, format: Format, width: u16) -> Result<Vec<u8>, RenderError> {
    let page = Page {
        schema: SCHEMA,
        as_of: assessment.run.ended.to_string(),
        exit: verdict.exit,
        gate: verdict.gate.word(),
        reason: &verdict.reason,
        stores: stores(assessment),
    };
    if format == Format::Json {
        let mut json = harmless_json(&serde_json::to_string_pretty(&page)?);
        json.push('\n');
        return Ok(json.into_bytes());
    }
    Ok(page.text(width.max(MIN_WIDTH)).into_bytes())
}

fn stores(assessment: &Assessment) -> Vec<Store<'_>> {
    let of_kind = |kind: &'static str| assessment.observations.iter().filter(move |seen| seen.kind == kind);
    let store = |seen: &'_ Observation| -> (Option<Retention>, Option<String>) {
        match seen.read::<Retention>() {
            Ok(facts) => (Some(facts), None),
            Err(_) => {
                let why = seen.trouble.as_ref().map(ToString::to_string);
                (None, Some(why.unwrap_or_else(|| "the record is of another form".to_owned())))
            }
        }
    };
    of_kind("data.retention")
        .map(|seen| {
            let (facts, trouble) = store(seen);
            let inventory =
                of_kind("data.inventory").find(|other| other.target == seen.target && other.part == seen.part);
            let unseen = || trouble.clone().unwrap_or_else(|| "not told".to_owned());
            let (version, zones, skew, sets) = match facts {
                Some(Retention { data_sets, mut mechanisms, skew_s, server_version, tz_version, .. }) => {
                    let sets = data_sets.into_iter().map(|measured| {
                        let means = mechanisms.iter().position(|means| means.key == measured.id);
                        let means = means.map(|place| mechanisms.swap_remove(place));
                        set(assessment, seen, measured, means)
                    });
                    (server_version, tz_version, skew_s, sets.collect())
                }
                None => (Fact::unknown(unseen()), Fact::unknown(unseen()), Fact::unknown(unseen()), Vec::new()),
            };
            Store {
                store: &seen.target,
                part: &seen.part,
                server_version: version,
                tz_version: zones,
                skew_s: skew,
                data_sets: sets,
                coverage: coverage(inventory),
                trouble,
            }
        })
        .collect()
}

fn set(assessment: &Assessment, seen: &Observation, measured: Measured, means: Option<MechanismFacts>) -> Set {
    let result = assessment.results.iter().find(|result| {
        result.check == FAMILY && result.target == seen.target && result.part == seen.part && result.item == measured.id
    });
    Set {
        status: result.map_or("not-evaluated", |result| result.status.word()).to_owned(),
        severity: result.map_or_else(|| measured.severity.clone(), |result| result.severity.word().to_owned()),
        reason: result.map_or_else(|| measured.summary.clone(), |result| result.reason.clone()),
        measured,
        means,
    }
}

fn coverage(inventory: Option<&Observation>) -> Fact<Coverage> {
    let Some(seen) = inventory else { return Fact::unknown("the tables were not looked at") };
    let trouble = seen.trouble.as_ref().map(ToString::to_string);
    let Ok(facts) = seen.read::<Inventory>() else {
        return Fact::unknown(trouble.unwrap_or_else(|| "the record is of another form".to_owned()));
    };
    let personal = || facts.tables.iter().filter(|table| table.personal);
    Fact::Known(Coverage {
        tables: facts.tables.len(),
        personal: personal().count(),
        scheduled: facts.tables.iter().filter(|table| table.scheduled).count(),
        exempt: facts.tables.iter().filter(|table| !table.scheduled && !table.exempt.is_empty()).count(),
        uncovered: personal()
            .filter(|table| !table.scheduled && table.exempt.is_empty())
            .map(|table| table.name.clone())
            .collect(),
        unseen: trouble.unwrap_or_default(),
    })
}

impl Page<'_> {
    fn text(&self, width: u16) -> String {
        let mut text = String::new();
        for store in &self.stores {
            store.write(&mut text, width);
            text.push('\n');
        }
        if self.stores.is_empty() {
            text.push_str("no store was looked at\n\n");
        }
        let verdict = format!("verdict: {} · {} · exit {}", self.gate, shown(self.reason), self.exit);
        for line in wrap(&verdict, usize::from(width).max(40)) {
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

impl Store<'_> {
    fn write(&self, text: &mut String, width: u16) {
        let part = if self.part.is_empty() { String::new() } else { format!(" ({})", shown(self.part)) };
        let version = self.server_version.known().map(|version| format!("  {}", shown(version))).unwrap_or_default();
        text.push_str(&format!("{}{part}{version}\n", shown(self.store)));
        if let Some(why) = &self.trouble {
            lines(text, width, "not evaluated", why);
        } else if self.data_sets.is_empty() {
            text.push_str("  the schedule has no data set in this store\n");
        } else {
            self.table(text, width);
        }
        for set in &self.data_sets {
            set.remarks(text, width);
        }
        match &self.coverage {
            Fact::Known(coverage) => lines(text, width, "schedule", &coverage.words()),
            Fact::Unknown(why) => lines(text, width, "schedule", &format!("coverage not evaluated: {}", why.unknown)),
        }
    }

    fn table(&self, text: &mut String, width: u16) {
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
        table.set_header(["data set", "rule", "cutoff", "oldest", "overdue", "how", "cost"]);
        for set in &self.data_sets {
            table.add_row(set.cells());
        }
        text.push_str(&table.trim_fmt());
        text.push('\n');
    }
}

impl Set {
    fn cells(&self) -> [String; 7] {
        let Measured { id, anchor, max_age, grace, cutoff_day, time_zone, .. } = &self.measured;
        let grace = if grace.starts_with('0') || grace.is_empty() { String::new() } else { format!(", grace {grace}") };
        let oldest = match (&self.measured.oldest_day, self.measured.overdue_days.known()) {
            (Fact::Unknown(_), _) => "not known".to_owned(),
            (Fact::Known(day), Some(late)) if *late > 0 => format!("{day}, {} late", counted_days(*late)),
            (Fact::Known(day), _) => day.clone(),
        };
        [
            shown(id),
            shown(&format!("{max_age} by {anchor}{grace}")),
            shown(&format!("{cutoff_day} {time_zone}")),
            shown(&oldest),
            format!("{}: {}", self.status, self.overdue()),
            how(&self.measured),
            cost(&self.measured.cost),
        ]
    }

    /// The count, or what bounds it.
    fn overdue(&self) -> String {
        let measured = &self.measured;
        match &measured.violating {
            Fact::Known(rows) => {
                let least = if measured.capped || (*rows > 0 && !measured.exact) { "at least " } else { "" };
                let held = measured.held.known().filter(|rows| **rows > 0);
                let held = held.map(|rows| format!(", {rows} held")).unwrap_or_default();
                format!("{least}{}{held}", count_rows(*rows))
            }
            Fact::Unknown(_) if measured.sampled.rate_bound_ppm > 0 => {
                let ppm = measured.sampled.rate_bound_ppm;
                format!("at most {}.{:04} % of {}", ppm / 10_000, ppm % 10_000, shown(&measured.sampled.unit))
            }
            Fact::Unknown(_) => "not known".to_owned(),
        }
    }

    /// What does not fit into the table.
    fn remarks(&self, text: &mut String, width: u16) {
        let id = shown(&self.measured.id);
        if let Some(why) = self.measured.violating.reason() {
            lines(text, width, &id, why);
        }
        let also = [
            (&self.measured.undatable, "without a date"),
            (&self.measured.future, "dated in the future"),
            (&self.measured.soft_deleted, "marked as deleted and still there"),
        ];
        for (count, what) in also {
            match count {
                Fact::Known(0) => {}
                Fact::Known(rows) => lines(text, width, &id, &format!("{} {what}", count_rows(*rows))),
                Fact::Unknown(why) if self.measured.violating.known().is_some() => {
                    lines(text, width, &id, &format!("rows {what} not counted: {}", why.unknown));
                }
                Fact::Unknown(_) => {}
            }
        }
        for note in &self.measured.notes {
            lines(text, width, &id, note);
        }
        let means = match &self.means {
            None => "the means was not looked for".to_owned(),
            Some(means) => {
                let works = match (means.found.known(), &means.effective) {
                    (_, Fact::Known(true)) => "works",
                    (_, Fact::Known(false)) => "does not work",
                    (Some(true), Fact::Unknown(_)) => "found, whether it works is not known",
                    _ => "not seen",
                };
                let name = if means.reference.is_empty() { String::new() } else { format!(" {}", means.reference) };
                format!("means {}{name}: {works}: {}", means.declared, means.seen)
            }
        };
        lines(text, width, &id, &means);
    }
}

impl Coverage {
    fn words(&self) -> String {
        let Coverage { tables, personal, scheduled, exempt, uncovered, unseen } = self;
        let mut words = format!(
            "{}, {personal} with personal-looking columns; {scheduled} scheduled, {exempt} exempt",
            counted(*tables, "table", "tables")
        );
        if uncovered.is_empty() {
            words.push_str(", none without a rule");
        } else {
            let names: Vec<&str> = uncovered.iter().take(MAX_NAMES).map(String::as_str).collect();
            words.push_str(&format!(", {} without a rule: {}", uncovered.len(), names.join(", ")));
            if uncovered.len() > MAX_NAMES {
                words.push_str(&format!(" and {} more", uncovered.len() - MAX_NAMES));
            }
        }
        if !unseen.is_empty() {
            words.push_str(&format!("; some may be missing: {unseen}"));
        }
        words
    }
}

fn how(measured: &Measured) -> String {
    match (measured.strategy, measured.sampled.unit.as_str()) {
        (Strategy::Index, _) => "index".to_owned(),
        (Strategy::Partitions, _) => "partitions".to_owned(),
        (Strategy::SmallTable, _) => "every row".to_owned(),
        (Strategy::Sample, "pages") => {
            format!("sample of {} pages, {}", measured.sampled.pages, count_rows(measured.sampled.rows))
        }
        (Strategy::Sample, _) => format!("sample of {}", count_rows(measured.sampled.rows)),
        (Strategy::None, _) => "not measured".to_owned(),
    }
}

fn cost(cost: &Cost) -> String {
    let read = match (&cost.read, cost.statements) {
        (_, 0) => return "not told".to_owned(),
        (Fact::Known(amount), _) => format!("{amount} {}", shown(&cost.unit)),
        (Fact::Unknown(_), _) => format!("{} not told", shown(&cost.unit)),
    };
    format!("{read}, {} statements, {} ms", cost.statements, cost.milliseconds)
}

fn count_rows(rows: u64) -> String {
    format!("{rows} {}", if rows == 1 { "row" } else { "rows" })
}

fn counted_days(days: i64) -> String {
    format!("{days} {}", if days == 1 { "day" } else { "days" })
}

/// A remark, continued under itself where it is wider than the page.
fn lines(text: &mut String, width: u16, about: &str, words: &str) {
    let room = usize::from(width).saturating_sub(4).max(40);
    for (n, line) in wrap(&format!("{about}: {}", shown(words)), room).iter().enumerate() {
        text.push_str(if n == 0 { "  " } else { "    " });
        text.push_str(line.trim_end());
        text.push('\n');
    }
}
