//! Whether bytes are spread as chance would spread them, and beginnings that only plain files have.

/// The bytes of a block.
pub const BLOCK: usize = 4096;
/// The most blocks that are weighed of one kind of file.
pub const BLOCKS: u64 = 256;

/// A chi-square test on the counts of bytes, with 255 degrees of freedom.
pub fn is_uniform(block: &[u8]) -> bool {
    if block.len() < BLOCK {
        return false;
    }
    let mut counts = [0u32; 256];
    for byte in block {
        if let Some(count) = counts.get_mut(usize::from(*byte)) {
            *count += 1;
        }
    }
    let expected = block.len() as f64 / 256.0;
    let chi_square: f64 = counts.iter().map(|count| (f64::from(*count) - expected).powi(2) / expected).sum();
    (190.0..=330.0).contains(&chi_square)
}

/// At least 98 of 100 blocks are uniform, of two or more. Of eight or more one further block may be out: chance itself puts
/// one of 520 out, and so at least one of 48 in nine looks of a hundred.
pub fn is_high(uniform: u64, blocks: u64) -> bool {
    let out = blocks.saturating_sub(uniform);
    blocks >= 2 && out <= blocks / 50 + u64::from(blocks >= 8)
}

/// What the beginning of a plain file is, where it is known.
pub fn plain_head(head: &[u8]) -> Option<&'static str> {
    const HEADS: [(&[u8], &str); 5] = [
        (b"SQLite format 3\0", "SQLite"),
        (b"REDIS0", "a dump of Redis"),
        (b"PGDMP", "a dump of PostgreSQL"),
        (b"-- MySQL dump", "a dump of MySQL"),
        (b"\xfebin", "a binary log of MySQL"),
    ];
    let known = HEADS.iter().find(|(magic, _)| head.starts_with(magic)).map(|(_, name)| *name);
    known.or_else(|| is_postgres_page(head).then_some("a page of PostgreSQL"))
}

/// The header of a page of PostgreSQL: its size and version, and three pointers in their order.
fn is_postgres_page(page: &[u8]) -> bool {
    let field = |at: usize| page.get(at..at + 2).and_then(|two| two.try_into().ok()).map(u16::from_le_bytes);
    match (field(12), field(14), field(16), field(18)) {
        (Some(lower), Some(upper), Some(special), Some(size)) => {
            size & 0xff00 == 0x2000 && (24..=upper).contains(&lower) && upper <= special && special <= 8192
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::{Random as _, SeededRandom};

    #[test]
    fn chance_is_uniform_and_text_is_not() {
        let mut noise = vec![0; BLOCK * 256];
        SeededRandom::new(7).fill(&mut noise);
        let uniform = noise.chunks(BLOCK).filter(|block| is_uniform(block)).count();
        assert!(uniform >= 251, "{uniform}");
        assert!(!is_uniform(&[0; BLOCK]) && !is_uniform("plain words ".repeat(342).as_bytes()));
        assert!(!is_uniform(&noise[..100]), "too few bytes say nothing");
        assert!(is_high(250, 256) && !is_high(249, 256) && !is_high(1, 1));
        assert!(is_high(47, 48) && !is_high(46, 48) && is_high(7, 7) && !is_high(6, 7));
    }

    #[test]
    fn beginnings_of_plain_files_are_known() {
        assert_eq!(plain_head(b"SQLite format 3\0 and more"), Some("SQLite"));
        let mut page = vec![0; 8192];
        page[12..20].copy_from_slice(&[40, 0, 0, 31, 0, 32, 4, 32]);
        assert_eq!(plain_head(&page), Some("a page of PostgreSQL"));
        page[12] = 10;
        assert_eq!(plain_head(&page), None);
        assert_eq!(plain_head(b""), None);
    }
}
