//! What a sample draws.

use super::rule_of_three;
use crate::model::digest;

/// How many numbers a sample tries at the most; some are of no row.
pub const TRIES: usize = 20_000;
/// The rows of a sample that is clean at 1 in 1,000, and those of the largest.
const FEWEST: u64 = 3000;
const MOST: u64 = TRIES as u64;

/// How many rows are enough of a sample: those that bound the rate which the schedule accepts. Each row may cost a page.
pub fn enough(accept_rate: Option<f64>) -> u64 {
    let accepted = accept_rate.unwrap_or(1.0) * 1_000_000.0;
    (FEWEST..=MOST).find(|rows| rule_of_three(*rows) as f64 <= accepted).unwrap_or(MOST)
}

/// Whole numbers by chance between these two, the same ones for the same set: a run can be repeated.
pub fn draws(set: &str, least: i64, greatest: i64) -> impl Iterator<Item = i64> {
    let seed = digest::of(&serde_json::Value::String(set.to_owned())).unwrap_or_default();
    let mut state =
        seed.bytes().fold(0xcbf2_9ce4_8422_2325u64, |sum, byte| (sum ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
    let span = u128::from(greatest.abs_diff(least)) + 1;
    std::iter::repeat_with(move || {
        // SplitMix64.
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        let step = u64::try_from((u128::from(mixed) * span) >> 64).unwrap_or_default();
        least.wrapping_add_unsigned(step)
    })
}
