//! Signed certificate timestamps (RFC 6962 section 3.3).

use super::WireError;
use super::cursor::{Reader, put_vec16};

/// Most timestamps of a list that are read.
const MOST: usize = 32;

/// A signed certificate timestamp of version 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sct {
    /// SHA-256 of the log's key.
    pub log: [u8; 32],
    /// Milliseconds since 1970.
    pub timestamp: u64,
    /// Extensions, as they are signed.
    pub extensions: Vec<u8>,
    /// Hash and signature algorithm, one byte each.
    pub algorithm: [u8; 2],
    /// The signature.
    pub signature: Vec<u8>,
}

impl Sct {
    /// Reads a list. A timestamp of another version is `None`: it must be passed over, not refused.
    ///
    /// # Errors
    /// When it breaks its length rules, is empty, or holds more than 32.
    pub fn parse_list(bytes: &[u8]) -> Result<Vec<Option<Sct>>, WireError> {
        let mut reader = Reader::new(bytes, "SCT list");
        let mut list = Reader::new(reader.vec16()?, "SCT list");
        reader.end()?;
        let mut all = Vec::new();
        while !list.is_empty() {
            if all.len() == MOST {
                return Err(WireError::TooLarge("SCT list"));
            }
            all.push(Sct::parse(list.vec16()?)?);
        }
        if all.is_empty() { Err(list.malformed()) } else { Ok(all) }
    }

    fn parse(bytes: &[u8]) -> Result<Option<Sct>, WireError> {
        let mut reader = Reader::new(bytes, "SCT");
        if reader.u8()? != 0 {
            return Ok(None);
        }
        let sct = Sct {
            log: reader.array()?,
            timestamp: u64::from_be_bytes(reader.array()?),
            extensions: reader.vec16()?.to_vec(),
            algorithm: reader.array()?,
            signature: reader.vec16()?.to_vec(),
        };
        reader.end()?;
        Ok(Some(sct))
    }

    /// The bytes of a list.
    pub fn write_list(list: &[Sct]) -> Vec<u8> {
        let mut all = Vec::new();
        for sct in list {
            let mut one = vec![0];
            one.extend(sct.log);
            one.extend(sct.timestamp.to_be_bytes());
            put_vec16(&mut one, &sct.extensions);
            one.extend(sct.algorithm);
            put_vec16(&mut one, &sct.signature);
            put_vec16(&mut all, &one);
        }
        let mut out = Vec::new();
        put_vec16(&mut out, &all);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_goes_round_and_other_versions_are_passed_over() {
        let sct = |log| Sct {
            log: [log; 32],
            timestamp: 1_700_000_000_000,
            extensions: vec![1],
            algorithm: [4, 3],
            signature: vec![9; 70],
        };
        let list = vec![sct(1), sct(2)];
        let mut bytes = Sct::write_list(&list);
        assert_eq!(Sct::parse_list(&bytes).unwrap(), [Some(sct(1)), Some(sct(2))]);
        bytes[4] = 1;
        assert_eq!(Sct::parse_list(&bytes).unwrap(), [None, Some(sct(2))]);
        assert!(Sct::parse_list(&bytes[..bytes.len() - 1]).is_err());
        assert!(Sct::parse_list(&[0, 0]).is_err());
        assert!(matches!(Sct::parse_list(&Sct::write_list(&vec![sct(1); 33])), Err(WireError::TooLarge(_))));
    }
}
