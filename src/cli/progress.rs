//! Progress on standard error: one line a target part and one for all, gone when done, silent when nobody watches.

use crate::collect::Progress;
use crate::report::text;
use console::Term;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle, TermLike};
use std::io::{self, IsTerminal as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The most parts shown at once; a mass scan must not scroll the terminal away.
const LINES: usize = 12;
/// The columns of a bar.
const BAR: usize = 10;
/// The columns of a line that are neither name nor step: margins, bar and numbers.
const FIXED: usize = BAR + 15;
/// How often the lines are drawn, so that a silent target does not look like a dead program.
const TICK: Duration = Duration::from_millis(120);

/// Lines on standard error. They are drawn as the text of one bar of the library: it draws them together and takes them
/// away together, in an order that is ours.
pub struct Bars {
    drawn: ProgressBar,
    width: usize,
    lines: Mutex<Vec<Line>>,
}

/// What is known of a part of a target.
struct Line {
    target: String,
    part: String,
    done: u32,
    total: u32,
    step: String,
}

/// Where progress is drawn, if it is.
pub fn draw_target(shown: bool) -> ProgressDrawTarget {
    match shown {
        true => ProgressDrawTarget::term_like(Box::new(Margin(Term::stderr()))),
        false => ProgressDrawTarget::hidden(),
    }
}

/// Whether somebody watches, on a terminal that can move its cursor.
pub fn able() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("TERM").map_or(cfg!(windows), |term| term != "dumb")
}

/// A terminal with a margin. The library lets the cursor rest behind the last line, which it fills up: without a margin
/// the echo of a Ctrl-C begins a line that nobody takes away.
#[derive(Debug)]
struct Margin(Term);

impl Margin {
    const COLUMNS: u16 = 4;
}

impl TermLike for Margin {
    fn width(&self) -> u16 {
        TermLike::width(&self.0).saturating_sub(Self::COLUMNS).max(1)
    }

    fn height(&self) -> u16 {
        TermLike::height(&self.0)
    }

    fn move_cursor_up(&self, n: usize) -> io::Result<()> {
        self.0.move_cursor_up(n)
    }

    fn move_cursor_down(&self, n: usize) -> io::Result<()> {
        self.0.move_cursor_down(n)
    }

    fn move_cursor_right(&self, n: usize) -> io::Result<()> {
        self.0.move_cursor_right(n)
    }

    fn move_cursor_left(&self, n: usize) -> io::Result<()> {
        self.0.move_cursor_left(n)
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        self.0.write_line(text)
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        self.0.write_str(text)
    }

    fn clear_line(&self) -> io::Result<()> {
        self.0.clear_line()
    }

    fn flush(&self) -> io::Result<()> {
        self.0.flush()
    }
}

impl Bars {
    /// Lines for so many targets, drawn only on a terminal and only where they are wanted.
    pub fn new(wanted: bool, targets: usize) -> Arc<Bars> {
        let shown = wanted && able();
        let style = ProgressStyle::with_template("{msg}  {spinner} {pos} of {len} targets done, {elapsed} gone");
        let drawn = ProgressBar::with_draw_target(Some(targets as u64), draw_target(shown))
            .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        if shown {
            drawn.enable_steady_tick(TICK);
        }
        let width = usize::from(Margin(Term::stderr()).width());
        Arc::new(Bars { drawn, width, lines: Mutex::default() })
    }

    fn lines(&self) -> MutexGuard<'_, Vec<Line>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn draw(&self, lines: &[Line]) {
        let shown: Vec<String> = lines.iter().take(LINES).map(|line| line.text(self.width) + "\n").collect();
        self.drawn.set_message(shown.concat());
    }
}

/// What is on the terminal while a run lasts.
pub trait Display: Send + Sync {
    /// Takes every line away.
    fn clear(&self);
    /// Writes a line above the others.
    fn say(&self, line: &str);
}

impl Display for Bars {
    fn clear(&self) {
        self.lines().clear();
        self.drawn.finish_and_clear();
    }

    fn say(&self, line: &str) {
        self.drawn.suspend(|| anstream::eprintln!("{line}"));
    }
}

impl Display for ProgressBar {
    fn clear(&self) {
        self.finish_and_clear();
    }

    fn say(&self, line: &str) {
        self.suspend(|| anstream::eprintln!("{line}"));
    }
}

impl Progress for Bars {
    fn step(&self, target: &str, part: &str, done: u32, total: u32, step: &str) {
        let mut lines = self.lines();
        // The collectors of a target work one after the other: a part takes the line over from its target, and the
        // target from its parts.
        let taken_over = |line: &Line| line.target == target && line.part.is_empty() != part.is_empty();
        let taken = lines.iter().position(taken_over);
        let own = lines.iter().position(|line| line.target == target && line.part == part);
        let new = Line { target: target.into(), part: part.into(), done: done.min(total), total, step: step.into() };
        match own.or(taken).and_then(|n| lines.get_mut(n)) {
            Some(line) => *line = new,
            None => lines.push(new),
        }
        lines.retain(|line| !taken_over(line));
        self.draw(&lines);
    }

    fn done(&self, target: &str) {
        let mut lines = self.lines();
        lines.retain(|line| line.target != target);
        self.draw(&lines);
        self.drawn.inc(1);
    }
}

impl Line {
    /// The line on a terminal of this width. One column stays free: a terminal that has filled its last one may go on to
    /// the next line.
    fn text(&self, width: usize) -> String {
        let name = (width / 3).clamp(20, 46);
        let step = width.saturating_sub(FIXED + name + 1);
        let whole = if self.part.is_empty() { self.target.clone() } else { format!("{} {}", self.target, self.part) };
        let whole = cut(&whole, name);
        if self.total == 0 {
            return format!("  {whole:<name$}  {}", cut(&self.step, step + FIXED - 4));
        }
        let full = usize::try_from(u64::from(self.done) * BAR as u64 / u64::from(self.total)).unwrap_or(BAR).min(BAR);
        let bar = "━".repeat(full) + &"╌".repeat(BAR - full);
        format!("  {whole:<name$}  {bar}  {:>3}/{:<3}  {}", self.done, self.total, cut(&self.step, step))
    }
}

/// A stranger's text, harmless, in at most so many columns.
fn cut(text: &str, columns: usize) -> String {
    let shown = text::escape(text);
    match shown.chars().count() > columns {
        true => shown.chars().take(columns.saturating_sub(1)).chain(['…']).collect(),
        false => shown.into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(bars: &Bars) -> Vec<String> {
        bars.lines().iter().map(|line| format!("{} {}", line.target, line.part)).collect()
    }

    #[test]
    fn a_line_leaves_with_its_target() {
        let bars = Bars::new(false, 3);
        for target in ["shop", "mail", "db"] {
            bars.step(target, "", 0, 0, "waiting");
        }
        bars.step("shop", "192.0.2.1:443", 3, 40, "suites");
        bars.step("db", "192.0.2.2:5432", 3, 40, "suites");
        bars.step("db", "192.0.2.3:5432", 3, 40, "suites");
        assert_eq!(names(&bars), ["shop 192.0.2.1:443", "mail ", "db 192.0.2.2:5432", "db 192.0.2.3:5432"]);
        // The database is read after its TLS was looked at.
        bars.step("db", "", 1, 5, "settings");
        assert_eq!(names(&bars), ["shop 192.0.2.1:443", "mail ", "db "]);
        bars.done("shop");
        assert_eq!(names(&bars), ["mail ", "db "]);
        assert_eq!((bars.drawn.position(), bars.drawn.length()), (1, Some(3)));
        bars.clear();
        assert!(names(&bars).is_empty());
    }

    #[test]
    fn a_mass_scan_shows_a_few_lines() {
        let bars = Bars::new(false, 500);
        (0..500).for_each(|n| bars.step(&format!("host-{n}"), "", 0, 0, "waiting"));
        assert_eq!(bars.drawn.message().lines().count(), LINES);
        // What was not shown comes into view as others leave.
        (0..495).for_each(|n| bars.done(&format!("host-{n}")));
        assert_eq!(bars.drawn.message().lines().count(), 5);
    }

    #[test]
    fn a_line_is_harmless_and_fits_its_terminal() {
        let line = |target: &str, part: &str, done, total, step: &str| Line {
            target: target.to_owned(),
            part: part.to_owned(),
            done,
            total,
            step: step.to_owned(),
        };
        let long = "a-very-long-name\n\u{1b}[2J".repeat(40);
        for width in [60, 80, 140] {
            for total in [0, 999] {
                let text = line(&long, "[2001:db8::7]:443", total, total, &long).text(width);
                assert_eq!(text.chars().count(), width - 1, "{text}");
                assert!(!text.chars().any(char::is_control), "{text}");
            }
        }
        let text = line("shop", "", 1, 5, "settings").text(60);
        assert_eq!(text, "  shop                  ━━╌╌╌╌╌╌╌╌    1/5    settings");
        let text = line("shop", "", 0, 0, "waiting for its first answer").text(60);
        assert_eq!(text, "  shop                  waiting for its first answer");
    }
}
