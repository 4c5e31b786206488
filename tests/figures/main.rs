//! Measures what endpoint scanning costs, ours and that of other scanners, in one run and over one network.
//!
//! `tests/figures/run` builds it and runs it; words select rows by their names. Servers are real and on loopback; the way
//! to them is made long by a proxy that counts. It measures and asserts nothing.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a measurement stops at what it does not expect, and says so"
)]

mod bare;
mod look;
mod peer;
mod proxy;
mod rows;
#[expect(dead_code, reason = "the tests use the rest")]
mod support;
mod table;
mod truth;

use std::io::Write as _;
use std::process::ExitCode;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let mut words = words.iter().map(String::as_str);
    let written = match words.next() {
        Some("look") => look::print(&words.collect::<Vec<&str>>()),
        Some("way") => rows::way(&words.collect::<Vec<&str>>()),
        Some("bare") => bare::print(&words.collect::<Vec<&str>>()),
        first => {
            rows::measure(&first.into_iter().chain(words).collect::<Vec<&str>>());
            return ExitCode::SUCCESS;
        }
    };
    match std::io::stdout().write_all(format!("{written}\n").as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
