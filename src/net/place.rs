//! The place of a connection that a client of its own opens.

use std::sync::atomic::{AtomicBool, Ordering};

/// What a [`Dial`](super::Dial) gives to a client that opens its connections itself, one for each connection. Whatever
/// limits there are hold until it is dropped.
#[derive(Default)]
pub struct Place {
    held: Vec<Box<dyn Send + Sync>>,
    told: Vec<Box<dyn Fn() + Send + Sync>>,
    open: AtomicBool,
}

impl Place {
    /// Keeps this until the place is given back.
    pub fn hold(&mut self, what: impl Send + Sync + 'static) {
        self.held.push(Box::new(what));
    }

    /// Does this once the connection is open.
    pub fn on_open(&mut self, tell: impl Fn() + Send + Sync + 'static) {
        self.told.push(Box::new(tell));
    }

    /// The connection is open. What is told a second time is passed over.
    pub fn opened(&self) {
        if !self.open.swap(true, Ordering::Relaxed) {
            self.told.iter().for_each(|tell| tell());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::AtomicU32;

    #[test]
    fn an_open_connection_is_told_of_once() {
        let count = Arc::new(AtomicU32::new(0));
        let mut place = Place::default();
        for _ in 0..2 {
            let count = Arc::clone(&count);
            place.on_open(move || {
                count.fetch_add(1, Ordering::Relaxed);
            });
        }
        assert_eq!(count.load(Ordering::Relaxed), 0);
        place.opened();
        place.opened();
        assert_eq!(count.load(Ordering::Relaxed), 2);
    }
}
