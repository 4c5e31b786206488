//! Bounds on time for what a server does.

use super::CollectContext;
use crate::model::{Reason, Trouble};
use std::future::Future;
use std::time::Duration;

/// A time and what it is for.
pub struct Limit<'a> {
    time: Duration,
    what: &'a str,
}

impl Limit<'_> {
    /// So long for this, named as a noun.
    pub fn new(time: Duration, what: &str) -> Limit<'_> {
        Limit { time, what }
    }
}

/// Runs the future until it ends, its time is over, or the user stops the run.
pub async fn run<T>(cx: &CollectContext, limit: Limit<'_>, future: impl Future<Output = T>) -> Result<T, Trouble> {
    tokio::select! {
        biased;
        () = cx.cancel.cancelled() => Err(Trouble::new(Reason::Interrupted, "stopped by the user")),
        result = tokio::time::timeout(limit.time, future) => result.map_err(|_| {
            Trouble::new(Reason::TimedOut, format!("{} did not come within {} s", limit.what, limit.time.as_secs()))
        }),
    }
}
