//! Derives the evaluation of transfers.
