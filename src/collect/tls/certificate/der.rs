//! The little of DER that is needed beside the parsers: cutting out raw values, wrapping them, and a limit on nesting.

/// How deeply a certificate or an OCSP response may be nested before it is refused.
const DEPTH: usize = 32;

/// One value with its tag.
#[derive(Clone, Copy)]
pub(super) struct Value<'a> {
    /// The tag byte.
    pub tag: u8,
    /// What is inside.
    pub content: &'a [u8],
    /// With tag and length.
    pub raw: &'a [u8],
}

/// The first value and what follows it. Only single-byte tags and definite lengths are known.
pub(super) fn first(data: &[u8]) -> Option<(Value<'_>, &[u8])> {
    let (&tag, rest) = data.split_first()?;
    let (&short, rest) = rest.split_first()?;
    if tag & 0x1f == 0x1f {
        return None;
    }
    let (length, rest) = match short {
        0..=0x7f => (usize::from(short), rest),
        0x81..=0x84 => {
            let (bytes, rest) = rest.split_at_checked(usize::from(short & 0x7f))?;
            (bytes.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    let (raw, _) = data.split_at_checked(data.len() - rest.len())?;
    Some((Value { tag, content, raw }, rest))
}

/// The values inside a constructed value, in order; what cannot be read ends the list.
pub(super) fn members(mut data: &[u8]) -> Vec<Value<'_>> {
    let mut values = Vec::new();
    while let Some((value, rest)) = first(data) {
        values.push(value);
        data = rest;
    }
    values
}

/// These bytes as the content of a SEQUENCE.
pub(super) fn sequence(content: &[u8]) -> Vec<u8> {
    wrap(0x30, content)
}

/// These bytes as the content of a value with this tag.
pub(super) fn wrap(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let mut out = vec![tag];
    match u8::try_from(length) {
        Ok(short) if short < 0x80 => out.push(short),
        _ => {
            let bytes: Vec<u8> = length.to_be_bytes().into_iter().skip_while(|byte| *byte == 0).collect();
            out.push(0x80 | u8::try_from(bytes.len()).unwrap_or(8));
            out.extend(bytes);
        }
    }
    out.extend(content);
    out
}

/// Whether nothing in these bytes is nested too deeply for the parsers.
pub(super) fn shallow(data: &[u8]) -> bool {
    let mut open = vec![(data, 0)];
    while let Some((data, depth)) = open.pop() {
        let Some((value, rest)) = first(data) else { continue };
        if !rest.is_empty() {
            open.push((rest, depth));
        }
        if value.tag & 0x20 != 0 {
            if depth == DEPTH {
                return false;
            }
            open.push((value.content, depth + 1));
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_and_wraps() {
        let wrapped = sequence(&[7; 300]);
        assert_eq!(&wrapped[..4], [0x30, 0x82, 0x01, 0x2c]);
        let (value, rest) = first(&wrapped).unwrap();
        assert_eq!((value.content.len(), value.raw.len(), rest.len()), (300, 304, 0));
        assert!(first(&[0x30, 0x05, 0x00]).is_none());
        assert!(first(&[0x30, 0x80, 0x00, 0x00]).is_none());
        assert_eq!(sequence(&[1; 127])[1], 127);
        assert_eq!(sequence(&[1; 128])[..3], [0x30, 0x81, 0x80]);
    }

    #[test]
    fn deep_nesting_is_seen() {
        let nested = |levels: usize| (0..levels).fold(Vec::new(), |inner, _| sequence(&inner));
        assert!(shallow(&nested(32)));
        assert!(!shallow(&nested(33)));
        assert!(!shallow(&nested(3000)));
    }
}
