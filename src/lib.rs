//! `probity` gathers audit evidence and checks security posture.
//!
//! The rooms are listed in rank order: a room may use only rooms of a lower rank
//! (asserted by `tests/it/architecture.rs`). Evidence flows one way: `target` → `collect` →
//! observations → `check` → results → `finding` → `control` → assessment → `report` and `gate`.

// rank 0
pub mod model;
pub mod yaml;
// rank 1
pub mod catalogue;
pub mod target;
pub mod wire;
// rank 2
pub mod net;
// rank 3
pub mod check;
pub mod collect;
pub mod demo;
// rank 4
pub mod finding;
// rank 5
pub mod control;
// rank 6
pub mod gate;
pub mod report;
pub mod store;
// rank 7
pub mod worker;
// rank 8
pub mod cli;
