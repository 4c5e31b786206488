//! Reading and writing big-endian fields and length-prefixed vectors.

use super::WireError;

/// Reads fields off the front of a slice. Every method fails where bytes are missing.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
    what: &'static str,
}

impl<'a> Reader<'a> {
    /// A reader of these bytes; `what` names them in errors.
    pub fn new(bytes: &'a [u8], what: &'static str) -> Reader<'a> {
        Reader { rest: bytes, what }
    }

    /// The error of this reader.
    pub fn malformed(&self) -> WireError {
        WireError::Malformed(self.what)
    }

    /// The next `count` bytes.
    ///
    /// # Errors
    /// When there are fewer.
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], WireError> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or_else(|| self.malformed())?;
        self.rest = rest;
        Ok(taken)
    }

    /// The next bytes as an array.
    ///
    /// # Errors
    /// When there are too few.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        self.take(N)?.try_into().map_err(|_| self.malformed())
    }

    /// One byte.
    ///
    /// # Errors
    /// When nothing is left.
    pub fn u8(&mut self) -> Result<u8, WireError> {
        Ok(u8::from_be_bytes(self.array()?))
    }

    /// Two bytes.
    ///
    /// # Errors
    /// When fewer are left.
    pub fn u16(&mut self) -> Result<u16, WireError> {
        Ok(u16::from_be_bytes(self.array()?))
    }

    /// Three bytes.
    ///
    /// # Errors
    /// When fewer are left.
    pub fn u24(&mut self) -> Result<usize, WireError> {
        let [high, middle, low] = self.array()?;
        Ok(usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low))
    }

    /// A vector with a length of one byte.
    ///
    /// # Errors
    /// When it goes beyond the end.
    pub fn vec8(&mut self) -> Result<&'a [u8], WireError> {
        let length = self.u8()?;
        self.take(usize::from(length))
    }

    /// A vector with a length of two bytes.
    ///
    /// # Errors
    /// When it goes beyond the end.
    pub fn vec16(&mut self) -> Result<&'a [u8], WireError> {
        let length = self.u16()?;
        self.take(usize::from(length))
    }

    /// A vector with a length of three bytes.
    ///
    /// # Errors
    /// When it goes beyond the end.
    pub fn vec24(&mut self) -> Result<&'a [u8], WireError> {
        let length = self.u24()?;
        self.take(length)
    }

    /// What has not been read.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Whether everything has been read.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Asserts that everything has been read.
    ///
    /// # Errors
    /// When bytes are left over.
    pub fn end(&self) -> Result<(), WireError> {
        if self.rest.is_empty() { Ok(()) } else { Err(self.malformed()) }
    }
}

/// A list of two-byte values that fills the slice.
///
/// # Errors
/// When the length is odd.
pub fn u16_list(bytes: &[u8], what: &'static str) -> Result<Vec<u16>, WireError> {
    let mut reader = Reader::new(bytes, what);
    let mut list = Vec::with_capacity(bytes.len() / 2);
    while !reader.is_empty() {
        list.push(reader.u16()?);
    }
    Ok(list)
}

/// Appends a vector with a length of one byte; what does not fit is cut off.
pub fn put_vec8(out: &mut Vec<u8>, bytes: &[u8]) {
    let length = u8::try_from(bytes.len()).unwrap_or(u8::MAX);
    out.push(length);
    out.extend(bytes.iter().take(usize::from(length)));
}

/// Appends a vector with a length of two bytes; what does not fit is cut off.
pub fn put_vec16(out: &mut Vec<u8>, bytes: &[u8]) {
    let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
    out.extend(length.to_be_bytes());
    out.extend(bytes.iter().take(usize::from(length)));
}

/// Appends a vector with a length of three bytes; what does not fit is cut off.
pub fn put_vec24(out: &mut Vec<u8>, bytes: &[u8]) {
    let length = bytes.len().min(0x00FF_FFFF);
    out.extend(length.to_be_bytes().iter().skip(size_of::<usize>() - 3));
    out.extend(bytes.iter().take(length));
}

/// The bytes of a list of two-byte values.
pub fn u16_bytes(list: &[u16]) -> Vec<u8> {
    list.iter().flat_map(|value| value.to_be_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_go_round() {
        let mut bytes = Vec::new();
        put_vec8(&mut bytes, b"a");
        put_vec16(&mut bytes, b"bc");
        put_vec24(&mut bytes, b"def");
        assert_eq!(bytes, b"\x01a\x00\x02bc\x00\x00\x03def");
        let mut reader = Reader::new(&bytes, "test");
        assert_eq!(reader.vec8().unwrap(), b"a");
        assert_eq!(reader.vec16().unwrap(), b"bc");
        assert_eq!(reader.vec24().unwrap(), b"def");
        assert!(reader.end().is_ok());
        assert_eq!(reader.u8(), Err(WireError::Malformed("test")));
    }

    #[test]
    fn an_odd_list_is_malformed() {
        assert_eq!(u16_list(&[0, 1, 2], "list"), Err(WireError::Malformed("list")));
        assert_eq!(u16_list(&[0, 1, 2, 3], "list").unwrap(), [1, 0x0203]);
    }
}
