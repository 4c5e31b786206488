//! Retention: the schedule that a person writes, periods and the cutoff, and what a measuring found.
//!
//! Collectors and checks share this arithmetic; nothing here opens a database.

pub mod cutoff;
pub mod expiry;
pub mod expression;
pub mod measured;
pub mod period;
pub mod schedule;
pub mod timestamp;
mod word;

pub use cutoff::{Cutoff, OutOfRange};
pub use expiry::{Action, Hold, Mechanism, MechanismKind, Scope};
pub use expression::{Dialect, Expression, ExpressionError};
pub use measured::{
    BackupFacts, Cost, HoldFacts, Inventory, Measured, MechanismFacts, Retention, Sampled, Sentinel, Strategy,
    TableFacts,
};
pub use period::{Grace, Period, PeriodError};
pub use schedule::{Anchor, Copy, CopyKind, DataSet, Exemption, Object, Schedule, StrategyWish};
pub use timestamp::{Bound, TimestampType};
pub use word::{Delay, Slug, Zone};

/// Reads arbitrary bytes as declared SQL and as each of the words of a schedule: the entry of the fuzzer. What is
/// sent must not end a statement that the text did not hold.
pub fn fuzz(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let _ = (text.parse::<Period>(), text.parse::<Grace>(), text.parse::<TimestampType>(), text.parse::<Delay>());
    let _ = (text.parse::<Slug>(), text.parse::<Zone>());
    let Ok(expression) = text.parse::<Expression>() else { return };
    for dialect in [Dialect::Postgres, Dialect::Sqlite, Dialect::Mysql] {
        let _ = expression.column(dialect);
        let Ok(sql) = expression.sql(dialect) else { continue };
        assert!(!sql.contains(';') || text.contains(';'), "a statement ends in what is sent: {sql}");
    }
}
