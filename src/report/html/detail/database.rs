//! A database: layers of encryption with the strength of their evidence as steps, and the ages of its data as axes.

use super::super::view::round;
use crate::model::Fact;
use crate::model::database::{Encryption, KindOfFile, LayerState};
use crate::report::summary::Facts;
use crate::report::text::{clip, value};
use jiff::civil::Date;
use serde::Serialize;
use serde_json::Value;

/// Columns of the drawing of an axis.
const WIDTH: f64 = 600.0;
/// What each level of evidence is.
const LEVELS: [&str; 6] =
    ["a person says so", "configuration", "the server says so", "the provider says so", "the kernel", "the bytes"];

/// Encryption in transit and at rest.
#[derive(Serialize)]
pub struct Database {
    headline: String,
    transport: Vec<(&'static str, String)>,
    stack: Option<Stack>,
    kinds: Vec<Kind>,
    layers: Vec<Layer>,
    not_covered: Vec<String>,
    would_show: Vec<String>,
    levels: [&'static str; 6],
}

/// The layers as bands, from the table down to the disk, with the kinds of file across.
#[derive(Serialize)]
struct Stack {
    width: usize,
    height: usize,
    words: String,
    heads: Vec<Text>,
    bands: Vec<Band>,
}

#[derive(Serialize)]
struct Text {
    x: usize,
    text: String,
}

#[derive(Serialize)]
struct Band {
    y: usize,
    name: &'static str,
    cells: Vec<Cell>,
}

#[derive(Serialize)]
struct Cell {
    x: usize,
    class: &'static str,
    text: String,
}

/// The files of one kind, in words.
#[derive(Serialize)]
struct Kind {
    name: String,
    mark: &'static str,
    answer: &'static str,
    level: u8,
    seen: String,
}

#[derive(Serialize)]
struct Layer {
    layer: String,
    answer: &'static str,
    mark: &'static str,
    why: String,
    algorithm: String,
    scope: String,
    level: u64,
    source: String,
}

/// How old the data of one set are, against how old they may be.
#[derive(Serialize)]
pub struct Axis {
    id: String,
    object: String,
    max_age: String,
    anchor: String,
    cutoff: String,
    oldest: String,
    today: String,
    violating: String,
    overdue_days: String,
    held: String,
    undatable: String,
    summary: String,
    mechanism: String,
    known: bool,
    is_over: bool,
    cutoff_x: f64,
    oldest_x: f64,
    overdue_width: f64,
}

/// What is shown of a database; `None` where no collector for databases looked at this part.
pub fn database(facts: &Facts<'_>) -> Option<Database> {
    let transport = facts.data("db.transport").filter(|seen| seen["applicable"] == true);
    let encryption = facts.data("db.encryption");
    let all = facts.index.observations(facts.target).iter();
    let here = all.filter(|seen| seen.part == facts.part && seen.kind == "db.at_rest");
    let layers: Vec<Layer> =
        here.filter_map(|seen| seen.data.get("layers")?.as_array()).flatten().take(12).map(layer).collect();
    if transport.is_none() && encryption.is_none() && layers.is_empty() {
        return None;
    }
    let list = |name: &str| -> Vec<String> {
        let members = encryption.as_ref().and_then(|seen| seen[name].as_array());
        members.into_iter().flatten().filter_map(|word| word.as_str().map(str::to_owned)).collect()
    };
    let kinds = facts.read::<Encryption>("db.encryption").map(|seen| seen.kinds).unwrap_or_default();
    Some(Database {
        headline: encryption.as_ref().and_then(|seen| seen["headline"].as_str()).unwrap_or_default().to_owned(),
        transport: transport.as_ref().map(in_transit).unwrap_or_default(),
        stack: stack(&kinds),
        kinds: kinds.iter().map(kind).collect(),
        layers,
        not_covered: list("not_covered"),
        would_show: list("would_show"),
        levels: LEVELS,
    })
}

/// Kinds of file that are drawn beside each other.
const COLUMNS: usize = 5;
/// Where the columns begin, and the width and height of a cell with the space around it.
const LEFT: usize = 80;
const CELL: usize = 150;
const BAND: usize = 34;

/// Draws the layers; `None` where nothing is known of any kind of file.
fn stack(kinds: &[KindOfFile]) -> Option<Stack> {
    let shown = kinds.get(..kinds.len().min(COLUMNS)).filter(|shown| !shown.is_empty())?;
    let x = |n: usize| LEFT + n * CELL;
    let names = ["table", "server", "file", "disk"];
    let mut bands: Vec<Band> = Vec::new();
    for (row, name) in names.into_iter().enumerate() {
        let cells = shown.iter().enumerate().filter_map(|(n, kind)| Some(layer_cell(kind.layers.get(row)?, x(n))));
        bands.push(Band { y: 24 + row * BAND, name, cells: cells.collect() });
    }
    let whole = shown.iter().enumerate().map(|(n, kind)| {
        let (mark, answer) = answer(kind);
        Cell { x: x(n), class: mark, text: format!("{} {answer}", sign(mark)) }
    });
    bands.push(Band { y: 32 + names.len() * BAND, name: "together", cells: whole.collect() });
    let words: Vec<String> = kinds.iter().map(|kind| format!("{}: {}", kind.kind, answer(kind).1)).collect();
    Some(Stack {
        width: x(shown.len()),
        height: 36 + bands.len() * BAND,
        words: words.join(", "),
        heads: shown.iter().enumerate().map(|(n, kind)| Text { x: x(n), text: kind.kind.clone() }).collect(),
        bands,
    })
}

/// A layer that encrypts is drawn full; one that does not is empty, since another one may.
fn layer_cell(layer: &LayerState, x: usize) -> Cell {
    let level = layer.level;
    let (class, text) = match &layer.encrypted {
        Fact::Known(true) if layer.cipher.is_empty() => ("pass", format!("● encrypts ({level}/5)")),
        Fact::Known(true) => ("pass", format!("● {} ({level}/5)", layer.cipher)),
        Fact::Known(false) => ("none", format!("▫ does not ({level}/5)")),
        Fact::Unknown(_) if layer.said => ("open", "◌ not known".to_owned()),
        Fact::Unknown(_) => ("none", "·".to_owned()),
    };
    Cell { x, class, text: clip(&text, 22).into_owned() }
}

fn sign(mark: &str) -> &'static str {
    match mark {
        "pass" => "●",
        "fail" => "▲",
        _ => "◌",
    }
}

fn answer(kind: &KindOfFile) -> (&'static str, &'static str) {
    match &kind.encrypted {
        Fact::Known(true) => ("pass", "encrypted"),
        Fact::Known(false) if kind.conflict => ("fail", "in conflict"),
        Fact::Known(false) => ("fail", "plain"),
        Fact::Unknown(_) => ("open", "not known"),
    }
}

fn kind(seen: &KindOfFile) -> Kind {
    let (mark, answer) = answer(seen);
    Kind { name: seen.name.clone(), mark, answer, level: seen.level.min(5), seen: clip(&seen.seen, 400).into_owned() }
}

fn in_transit(seen: &Value) -> Vec<(&'static str, String)> {
    let session = match seen["session"]["protocol"].as_str() {
        Some(protocol) => format!("{protocol}, {}", value(&seen["session"]["cipher"])),
        None => fact(&seen["session"]),
    };
    vec![
        ("offers TLS", fact(&seen["tls_offered"])),
        ("certificate verified", fact(&seen["certificate_verified"])),
        ("session", session),
        ("oldest version accepted", fact(&seen["min_protocol"])),
        ("login without TLS", fact(&seen["plaintext_login"])),
        ("plain sessions now", fact(&seen["plain_sessions"])),
    ]
}

fn layer(seen: &Value) -> Layer {
    let (answer, mark) = match seen["encrypted"].as_bool() {
        Some(true) => ("encrypted", "pass"),
        Some(false) => ("plain", "fail"),
        None => ("not known", "open"),
    };
    let algorithm = match (seen["algorithm"].as_str(), seen["key_bits"].as_u64()) {
        (Some(name), Some(bits)) => format!("{name}-{bits} {}", seen["mode"].as_str().unwrap_or_default()),
        (Some(name), None) => name.to_owned(),
        _ => "not known".to_owned(),
    };
    Layer {
        layer: value(&seen["layer"]),
        answer,
        mark,
        why: seen["encrypted"]["unknown"].as_str().unwrap_or_default().to_owned(),
        algorithm,
        scope: value(&seen["scope"]),
        level: seen["level"].as_u64().unwrap_or_default().min(5),
        source: value(&seen["source"]),
    }
}

/// The axis of every data set that was measured.
pub fn axes(facts: &Facts<'_>) -> Vec<Axis> {
    let Some(seen) = facts.data("data.retention") else { return Vec::new() };
    seen["data_sets"].as_array().into_iter().flatten().take(100).map(axis).collect()
}

fn axis(set: &Value) -> Axis {
    let day = |name: &str| set[name].as_str().and_then(|day| day.get(..10)?.parse::<Date>().ok());
    let (today, cutoff, oldest) = (day("as_of_day"), day("cutoff_day"), day("oldest_day"));
    let mut axis = Axis {
        id: value(&set["id"]),
        object: value(&set["object"]),
        max_age: value(&set["max_age"]),
        anchor: value(&set["anchor"]),
        cutoff: value(&set["cutoff_day"]),
        oldest: fact(&set["oldest_day"]),
        today: value(&set["as_of_day"]),
        violating: at_least(set),
        overdue_days: fact(&set["overdue_days"]),
        held: fact(&set["held"]),
        undatable: fact(&set["undatable"]),
        summary: value(&set["summary"]),
        mechanism: value(&set["mechanism"]),
        known: oldest.is_some() && set["violating"].is_u64(),
        is_over: set["violating"].as_u64().is_some_and(|rows| rows > 0),
        cutoff_x: WIDTH / 3.0,
        oldest_x: 0.0,
        overdue_width: 0.0,
    };
    let (Some(today), Some(cutoff)) = (today, cutoff) else { return axis };
    let first = oldest.map_or(cutoff, |oldest| oldest.min(cutoff));
    axis.cutoff_x = place(first, today, cutoff);
    axis.oldest_x = place(first, today, oldest.unwrap_or(cutoff));
    axis.overdue_width = if axis.is_over { round((axis.cutoff_x - axis.oldest_x).max(0.0)) } else { 0.0 };
    axis
}

/// Where a date stands on an axis from the first day to the present one, with a margin at both ends for its mark.
fn place(first: Date, today: Date, date: Date) -> f64 {
    let share = days(first, date) / days(first, today).max(1.0);
    round(30.0 + (WIDTH - 60.0) * share.clamp(0.0, 1.0))
}

/// Days from one date to another, as a length.
fn days(from: Date, to: Date) -> f64 {
    to.duration_since(from).as_secs_f64() / 86_400.0
}

fn at_least(set: &Value) -> String {
    match set["capped"].as_bool() {
        Some(true) => format!("at least {}", fact(&set["violating"])),
        _ => fact(&set["violating"]),
    }
}

/// A fact in words, with the reason where it is not known.
fn fact(seen: &Value) -> String {
    match seen {
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::Object(members) => match members.get("unknown").and_then(Value::as_str) {
            Some(why) => format!("not known: {why}"),
            None => value(seen),
        },
        Value::Null => "not known".to_owned(),
        other => value(other),
    }
}
