//! What the tests share: real servers on loopback, scratch folders, the command under test.

pub mod authority;
#[cfg(feature = "clickhouse")]
pub mod clickhouse;
pub mod desk;
pub mod dialogue;
pub mod estate;
pub mod faulty;
pub mod lab;
pub mod machine;
pub mod mariadb;
#[cfg(feature = "mongodb")]
pub mod mongodb;
pub mod moto;
pub mod mysql8;
pub mod names;
pub mod oracle;
pub mod postgres;
pub mod proxy;
pub mod recorded;
pub mod redis;
pub mod scan;
mod server;
pub mod services;
pub mod simulated;
pub mod store;
pub mod tls;
pub mod zones;

pub use server::*;

/// The command under test, with an environment that nothing leaks into.
pub fn probity() -> assert_cmd::Command {
    let mut command = assert_cmd::Command::new(env!("CARGO_BIN_EXE_probity"));
    command.env_clear().env("PATH", std::env::var("PATH").unwrap_or_default()).env("NO_COLOR", "1");
    command
}
