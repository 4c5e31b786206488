//! Progress on standard error: one line a target part and one for all, gone when done, silent when nobody watches.

use crate::collect::Progress;
use crate::report::text;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The most lines shown at once; a mass scan must not scroll the terminal away.
const LINES: usize = 12;
/// The columns of a line that are neither name nor step.
const FIXED: usize = 25;
/// How often the line for all is drawn, so that a silent target does not look like a dead program.
const TICK: Duration = Duration::from_millis(120);

/// A target and a part of it.
type Key = (String, String);

/// Bars on standard error.
pub struct Bars {
    all: MultiProgress,
    total: ProgressBar,
    /// Columns of a name, and of what is being done.
    columns: (usize, usize),
    /// By target and part.
    bars: Mutex<BTreeMap<Key, ProgressBar>>,
}

impl Bars {
    /// Bars for so many targets, drawn only on a terminal and only where they are wanted.
    pub fn new(wanted: bool, targets: usize) -> Arc<Bars> {
        // A terminal that cannot move its cursor is found out by the library.
        let shown = wanted && std::io::stderr().is_terminal();
        let target = if shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let all = MultiProgress::with_draw_target(target);
        let template = "  {spinner} {pos} of {len} targets done, {elapsed} gone";
        let total = all.add(ProgressBar::new(targets as u64).with_style(style(template)));
        if shown {
            total.enable_steady_tick(TICK);
        }
        let width = comfy_table::Table::new().use_stderr().width().map_or(80, usize::from);
        Arc::new(Bars { all, total, columns: columns(width), bars: Mutex::new(BTreeMap::new()) })
    }

    /// Takes every line away.
    pub fn clear(&self) {
        let mut bars = self.bars();
        std::mem::take(&mut *bars).values().for_each(|bar| self.remove(bar));
        self.total.finish_and_clear();
        let _ = self.all.clear();
    }

    /// Writes a line above the bars.
    pub fn say(&self, line: &str) {
        self.all.suspend(|| anstream::eprintln!("{line}"));
    }

    fn bars(&self) -> MutexGuard<'_, BTreeMap<Key, ProgressBar>> {
        self.bars.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is being done, with how much of it is done where that is known.
    fn template(&self, counted: bool) -> ProgressStyle {
        let name = self.columns.0;
        let numbers = if counted { "{bar:10.cyan}  {pos:>3}/{len:3}" } else { "                   " };
        style(&format!("  {{prefix:{name}.bold}}  {numbers}  {{msg}}")).progress_chars("━━╌")
    }

    /// The line of this part. The collectors of a target work one after the other, so that a part takes the line over
    /// from its target, and the target from its parts.
    fn line(&self, bars: &mut BTreeMap<Key, ProgressBar>, target: &str, part: &str) -> Option<ProgressBar> {
        let key = (target.to_owned(), part.to_owned());
        let takes_over = |(of, other): &Key| of == target && (part.is_empty() != other.is_empty());
        let mut earlier: Vec<Key> = bars.keys().filter(|key| takes_over(key)).cloned().collect();
        earlier.reverse();
        if !bars.contains_key(&key) {
            let taken = earlier.pop().and_then(|key| bars.remove(&key));
            if taken.is_none() && bars.len() >= LINES {
                return None;
            }
            let new = || self.all.insert_before(&self.total, ProgressBar::new(1).with_style(self.template(false)));
            let bar = taken.unwrap_or_else(new);
            bar.set_prefix(name(target, part, self.columns.0));
            bars.insert(key.clone(), bar);
        }
        earlier.iter().filter_map(|key| bars.remove(key)).for_each(|bar| self.remove(&bar));
        bars.get(&key).cloned()
    }

    fn remove(&self, bar: &ProgressBar) {
        bar.finish_and_clear();
        self.all.remove(bar);
    }
}

impl Progress for Bars {
    fn step(&self, target: &str, part: &str, done: u32, total: u32, step: &str) {
        let mut bars = self.bars();
        let Some(bar) = self.line(&mut bars, target, part) else { return };
        bar.set_style(self.template(total > 0));
        bar.set_length(u64::from(total));
        bar.set_position(u64::from(done.min(total)));
        // One column stays free: a terminal that has filled its last one may go on to the next line.
        bar.set_message(text::escape(step).chars().take(self.columns.1).collect::<String>());
    }

    fn done(&self, target: &str) {
        self.bars().retain(|(of, _), bar| {
            if of == target {
                self.remove(bar);
            }
            of != target
        });
        self.total.inc(1);
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// Columns of a name and of a step on a terminal of this width.
fn columns(width: usize) -> (usize, usize) {
    let name = (width / 3).clamp(20, 46);
    (name, width.saturating_sub(FIXED + name + 1).max(1))
}

/// What fits of a target and its part.
fn name(target: &str, part: &str, columns: usize) -> String {
    let whole = if part.is_empty() { target.to_owned() } else { format!("{target} {part}") };
    let shown = text::escape(&whole);
    match shown.chars().count() > columns {
        true => shown.chars().take(columns.saturating_sub(1)).chain(['…']).collect(),
        false => shown.into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_leaves_with_its_target() {
        let bars = Bars::new(false, 2);
        bars.step("shop", "", 0, 1, "its addresses");
        bars.step("shop", "192.0.2.1:443", 3, 40, "suites");
        bars.step("mail", "", 0, 1, "its addresses");
        let names: Vec<_> = bars.bars().keys().cloned().collect();
        assert_eq!(names, [("mail".to_owned(), String::new()), ("shop".to_owned(), "192.0.2.1:443".to_owned())]);
        // The database behind is read after its TLS was looked at, and takes the line over.
        bars.step("mail", "192.0.2.2:5432", 3, 40, "suites");
        bars.step("mail", "", 0, 5, "settings");
        assert_eq!(bars.bars().keys().filter(|(target, _)| target == "mail").count(), 1);
        bars.done("shop");
        assert_eq!(bars.bars().len(), 1);
        assert_eq!((bars.total.position(), bars.total.length()), (1, Some(2)));
        bars.clear();
        assert!(bars.bars().is_empty());
    }

    #[test]
    fn a_mass_scan_shows_a_few_lines() {
        let bars = Bars::new(false, 500);
        (0..500).for_each(|n| bars.step(&format!("host-{n}"), "", 0, 1, "its addresses"));
        assert_eq!(bars.bars().len(), LINES);
    }

    #[test]
    fn a_line_fits_its_terminal() {
        for width in [60, 80, 140] {
            let (name, step) = columns(width);
            assert!(FIXED + name + step < width && step >= 12, "{width}: {name} {step}");
        }
    }

    #[test]
    fn a_name_fits_its_columns_and_is_harmless() {
        assert_eq!(name("shop.example", "192.0.2.1:443", 28), "shop.example 192.0.2.1:443");
        let long = name("a-very-long-name-of-a-shop.example", "[2001:db8::7]:443", 28);
        assert_eq!((long.chars().count(), long.ends_with('…')), (28, true));
        assert_eq!(name("a\n\u{1b}", "", 28), "a\\n\\u{1b}");
    }
}
