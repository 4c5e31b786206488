//! What a measuring costs its store, counted while it asks.

use crate::model::Fact;
use crate::model::retention::Cost;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Counts what is asked about one data set, and what the store read for it.
pub struct Meter {
    unit: &'static str,
    begun: Instant,
    statements: AtomicU64,
    read: Mutex<Fact<u64>>,
}

impl Meter {
    /// Begins to count, in this unit.
    pub fn new(unit: &'static str) -> Meter {
        Meter {
            unit,
            begun: Instant::now(),
            statements: AtomicU64::new(0),
            read: Mutex::new(Fact::unknown("no row was read")),
        }
    }

    /// So many statements were sent.
    pub fn asked(&self, statements: u64) {
        self.statements.fetch_add(statements, Ordering::Relaxed);
    }

    /// So much was read. What is not known once leaves the sum unknown.
    pub fn read(&self, more: Result<u64, String>) {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let begun = read.known().copied().or_else(|| (read.reason() == Some("no row was read")).then_some(0));
        *read = match (begun, more) {
            (Some(sum), Ok(more)) => Fact::Known(sum.saturating_add(more)),
            (Some(_), Err(why)) => Fact::unknown(why),
            (None, _) => return,
        };
    }

    /// What it came to.
    pub fn cost(&self) -> Cost {
        let took: Duration = self.begun.elapsed();
        Cost {
            read: self.read.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            unit: self.unit.to_owned(),
            statements: self.statements.load(Ordering::Relaxed),
            milliseconds: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_unknown_leaves_the_sum_unknown() {
        let meter = Meter::new("pages");
        assert_eq!(meter.cost().read.reason(), Some("no row was read"));
        meter.asked(2);
        meter.read(Ok(3));
        meter.read(Ok(4));
        assert_eq!((meter.cost().read, meter.cost().statements), (Fact::Known(7), 2));
        meter.read(Err("the server does not tell".to_owned()));
        meter.read(Ok(1));
        assert_eq!(meter.cost().read.reason(), Some("the server does not tell"));
    }
}
