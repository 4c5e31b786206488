//! Random bytes: those of the system, and a sequence for tests.

use super::Random;
use std::sync::atomic::{AtomicU64, Ordering};

/// The random generator of the cryptographic library.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemRandom;

impl Random for SystemRandom {
    fn fill(&self, buffer: &mut [u8]) {
        // The library's generator reports no failure in practice; the clock keeps a hello from being constant if it does.
        if aws_lc_rs::rand::fill(buffer).is_err() {
            let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
            SeededRandom::new(u64::try_from(now.as_nanos() & u128::from(u64::MAX)).unwrap_or_default()).fill(buffer);
        }
    }
}

/// A sequence that is the same for the same seed. For tests: it is no secret.
#[derive(Debug, Default)]
pub struct SeededRandom(AtomicU64);

impl SeededRandom {
    /// The sequence of this seed.
    pub fn new(seed: u64) -> SeededRandom {
        SeededRandom(AtomicU64::new(seed))
    }
}

impl Random for SeededRandom {
    fn fill(&self, buffer: &mut [u8]) {
        for chunk in buffer.chunks_mut(8) {
            // SplitMix64.
            let mut value = self.0.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed);
            value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            value ^= value >> 31;
            for (byte, random) in chunk.iter_mut().zip(value.to_be_bytes()) {
                *byte = random;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_one_sequence_and_the_system_another_each_time() {
        let mut buffers = [[0; 32]; 4];
        SeededRandom::new(7).fill(&mut buffers[0]);
        SeededRandom::new(7).fill(&mut buffers[1]);
        SystemRandom.fill(&mut buffers[2]);
        SystemRandom.fill(&mut buffers[3]);
        assert_eq!(buffers[0], buffers[1]);
        assert_ne!(buffers[2], buffers[3]);
        assert_ne!(buffers[0], [0; 32]);
    }
}
