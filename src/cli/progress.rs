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
/// The columns of a name; with the rest of its line they fit into 60.
const NAME: usize = 28;
/// How often the line for all is drawn, so that a silent target does not look like a dead program.
const TICK: Duration = Duration::from_millis(120);

/// Bars on standard error.
pub struct Bars {
    all: MultiProgress,
    total: ProgressBar,
    /// By target and part.
    bars: Mutex<BTreeMap<(String, String), ProgressBar>>,
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
        Arc::new(Bars { all, total, bars: Mutex::new(BTreeMap::new()) })
    }

    /// Takes every line away.
    pub fn clear(&self) {
        let mut bars = self.bars();
        std::mem::take(&mut *bars).values().for_each(ProgressBar::finish_and_clear);
        self.total.finish_and_clear();
        let _ = self.all.clear();
    }

    /// Writes a line above the bars.
    pub fn say(&self, line: &str) {
        self.all.suspend(|| anstream::eprintln!("{line}"));
    }

    fn bars(&self) -> MutexGuard<'_, BTreeMap<(String, String), ProgressBar>> {
        self.bars.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn bar(&self, target: &str, part: &str) -> ProgressBar {
        let template = format!("  {{prefix:{NAME}.bold}}  {{bar:12.cyan}}  {{pos:>3}}/{{len:3}}  {{wide_msg}}");
        let bar =
            ProgressBar::new(1).with_style(style(&template).progress_chars("━━╌")).with_prefix(name(target, part));
        self.all.insert_before(&self.total, bar)
    }
}

impl Progress for Bars {
    fn step(&self, target: &str, part: &str, done: u32, total: u32, step: &str) {
        let mut bars = self.bars();
        if !part.is_empty()
            && let Some(whole) = bars.remove(&(target.to_owned(), String::new()))
        {
            whole.finish_and_clear();
        }
        let key = (target.to_owned(), part.to_owned());
        if bars.len() >= LINES && !bars.contains_key(&key) {
            return;
        }
        let bar = bars.entry(key).or_insert_with(|| self.bar(target, part));
        bar.set_length(u64::from(total.max(1)));
        bar.set_position(u64::from(done.min(total)));
        bar.set_message(text::escape(step).to_string());
    }

    fn done(&self, target: &str) {
        self.bars().retain(|(of, _), bar| {
            if of == target {
                bar.finish_and_clear();
            }
            of != target
        });
        self.total.inc(1);
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// The part where there is room for it beside the target, and what fits of the target.
fn name(target: &str, part: &str) -> String {
    let whole = if part.is_empty() { target.to_owned() } else { format!("{target} {part}") };
    let shown = text::escape(&whole);
    match shown.chars().count() > NAME {
        true => shown.chars().take(NAME - 1).chain(['…']).collect(),
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
    fn a_name_fits_its_columns_and_is_harmless() {
        assert_eq!(name("shop.example", "192.0.2.1:443"), "shop.example 192.0.2.1:443");
        let long = name("a-very-long-name-of-a-shop.example", "[2001:db8::7]:443");
        assert_eq!((long.chars().count(), long.ends_with('…')), (NAME, true));
        assert_eq!(name("a\n\u{1b}", ""), "a\\n\\u{1b}");
    }
}
