//! How probity compares with other scanners: each looks at the same real servers, and what each says is set against what
//! is true of them. `tests/peers/run` brings the scanners and runs it; it takes minutes, so it is no part of `tests/run`.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "what a test sets up must succeed, and what was seen is printed"
)]

mod comparison;
mod facts;
mod gnutls;
mod grades;
mod peers;
mod probity;
mod raw;
mod servers;
#[path = "../it/support/mod.rs"]
#[expect(dead_code, reason = "it is shared with the other tests, which use more of it")]
mod support;
mod truth;
mod way;
mod written;
