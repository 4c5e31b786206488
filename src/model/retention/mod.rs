//! Retention: the schedule that a person writes, periods and the cutoff, and what a measuring found.
//!
//! Collectors and checks share this arithmetic; nothing here opens a database.

pub mod cutoff;
pub mod expression;
pub mod measured;
pub mod period;
pub mod schedule;
pub mod timestamp;
mod word;

pub use cutoff::{Cutoff, OutOfRange};
pub use expression::{Dialect, Expression, ExpressionError};
pub use measured::{BackupFacts, HoldFacts, Inventory, Measured, Retention, Sampled, Sentinel, Strategy, TableFacts};
pub use period::{Grace, Period, PeriodError};
pub use schedule::{
    Action, Anchor, Copy, CopyKind, DataSet, Exemption, Hold, Mechanism, Object, Schedule, Scope, StrategyWish,
};
pub use timestamp::{Bound, TimestampType};
pub use word::{Category, Delay, Slug, Zone};
