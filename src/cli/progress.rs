//! Progress on standard error: one line a target part, gone when done, silent when nobody watches.

use crate::collect::Progress;
use crate::report::text;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::sync::{Arc, Mutex, PoisonError};

/// The most lines shown at once; a mass scan must not scroll the terminal away.
const LINES: usize = 12;

/// Bars on standard error.
pub struct Bars {
    all: MultiProgress,
    bars: Mutex<BTreeMap<String, ProgressBar>>,
}

impl Bars {
    /// Bars, drawn only on a terminal and only where they are wanted.
    pub fn new(wanted: bool) -> Arc<Bars> {
        let shown = wanted && std::io::stderr().is_terminal();
        let target = if shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        Arc::new(Bars { all: MultiProgress::with_draw_target(target), bars: Mutex::new(BTreeMap::new()) })
    }

    /// Takes every line away.
    pub fn clear(&self) {
        for bar in self.bars.lock().unwrap_or_else(PoisonError::into_inner).values() {
            bar.finish_and_clear();
        }
        let _ = self.all.clear();
    }
}

impl Progress for Bars {
    fn step(&self, target: &str, part: &str, done: u32, total: u32, step: &str) {
        let mut bars = self.bars.lock().unwrap_or_else(PoisonError::into_inner);
        let name = format!("{target} {part}");
        if done >= total {
            if let Some(bar) = bars.remove(&name) {
                bar.finish_and_clear();
            }
            return;
        }
        if bars.len() >= LINES && !bars.contains_key(&name) {
            return;
        }
        let bar = bars.entry(name).or_insert_with_key(|name| {
            let style = ProgressStyle::with_template("  {prefix:.bold}  {bar:24.cyan}  {pos}/{len} probes  {msg}")
                .unwrap_or_else(|_| ProgressStyle::default_bar())
                .progress_chars("━━╌");
            let prefix: String = text::escape(name).chars().take(48).collect();
            let bar = self.all.add(ProgressBar::new(1).with_style(style));
            bar.set_prefix(prefix);
            bar
        });
        bar.set_length(u64::from(total));
        bar.set_position(u64::from(done));
        bar.set_message(text::escape(step).to_string());
    }
}
