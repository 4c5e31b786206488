//! A value that nobody else has, in the forms in which it is looked for. It is never kept.

use crate::model::digest;
use crate::net::Random;

/// The value, and the name of what holds it.
pub struct Canary {
    raw: [u8; 64],
    /// The name of its table or schema, which says nothing of the value.
    pub name: String,
    /// What chooses the blocks that are weighed.
    pub seed: u64,
}

impl Canary {
    /// A new one.
    pub fn new(random: &dyn Random) -> Canary {
        let (mut raw, mut name, mut seed) = ([0; 64], [0; 6], [0; 8]);
        random.fill(&mut raw);
        random.fill(&mut name);
        random.fill(&mut seed);
        Canary { raw, name: format!("probity_canary_{}", digest::hex(&name)), seed: u64::from_be_bytes(seed) }
    }

    /// As text: 128 hexadecimal digits.
    pub fn text(&self) -> String {
        digest::hex(&self.raw)
    }

    /// The forms in which a file may hold it.
    pub fn forms(&self) -> [(&'static str, Vec<u8>); 3] {
        let text = self.text();
        let wide = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        [("utf-8", text.into_bytes()), ("utf-16le", wide), ("raw", self.raw.to_vec())]
    }
}
