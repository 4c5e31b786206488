//! The table that is printed.

use comfy_table::{Table, presets};

/// One line of it; what was not counted is left empty.
#[derive(Default)]
pub struct Row {
    /// What was asked of which server.
    pub work: String,
    /// By whom.
    pub by: String,
    /// ClientHellos.
    pub hellos: Option<u32>,
    /// Connections, and the most at once.
    pub connections: Option<u32>,
    /// The most connections at once.
    pub at_once: Option<u32>,
    /// Wall time.
    pub seconds: Option<f64>,
    /// User and system time.
    pub cpu: Option<f64>,
    /// Peak memory of one process in MB.
    pub memory: Option<f64>,
    /// Whether what was found is right.
    pub found: String,
}

/// Prints rows as they come, and all of them at the end.
#[derive(Default)]
pub struct Figures(Vec<Row>);

impl Figures {
    /// One more.
    pub fn add(&mut self, row: Row) {
        say(&format!("{}, {}: {}", row.work, row.by, cells(&row).join(" | ")));
        self.0.push(row);
    }

    /// The table.
    pub fn print(&self) {
        let mut table = Table::new();
        table.load_style(presets::ASCII_MARKDOWN);
        table.set_header(["work", "by", "hellos", "connections", "at once", "seconds", "CPU s", "MB", "found"]);
        for row in &self.0 {
            let mut line = vec![row.work.clone(), row.by.clone()];
            line.extend(cells(row));
            table.add_row(line);
        }
        say(&table.to_string());
    }
}

fn cells(row: &Row) -> Vec<String> {
    let whole = |number: Option<u32>| number.map_or_else(String::new, |number| number.to_string());
    let parts = |number: Option<f64>| number.map_or_else(String::new, |number| format!("{number:.2}"));
    vec![
        whole(row.hellos),
        whole(row.connections),
        whole(row.at_once),
        parts(row.seconds),
        parts(row.cpu),
        parts(row.memory),
        row.found.clone(),
    ]
}

/// A line on standard output.
pub fn say(line: &str) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stdout(), "{line}");
}
