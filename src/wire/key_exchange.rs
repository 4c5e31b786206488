//! ServerKeyExchange of TLS 1.2 and older.

use super::cursor::{Reader, put_vec8, put_vec16, put_vec24};
use super::{WireError, flight, limit};

/// Which parameters the message of a suite carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An ephemeral curve point.
    Curve,
    /// An ephemeral finite-field value.
    Field,
    /// A temporary RSA key (export suites).
    Rsa,
    /// No parameters: a hint alone.
    None,
}

/// The form of the message for a suite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Form {
    /// The parameters.
    pub kind: Kind,
    /// A PSK identity hint comes first.
    pub hint: bool,
    /// A signature follows.
    pub signed: bool,
}

/// The parameters of a key exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Params {
    /// A named curve and the server's point.
    Curve {
        /// The group.
        group: u16,
        /// The point.
        point: Vec<u8>,
    },
    /// A curve spelt out: its type, 1 (prime) or 2 (characteristic two). What follows is not read.
    Explicit(u8),
    /// A finite field.
    Field {
        /// The modulus.
        p: Vec<u8>,
        /// The generator.
        g: Vec<u8>,
        /// The server's public value.
        public: Vec<u8>,
    },
    /// A temporary RSA key.
    Rsa {
        /// The modulus.
        modulus: Vec<u8>,
        /// The exponent.
        exponent: Vec<u8>,
    },
    /// None.
    None,
}

/// A ServerKeyExchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerKeyExchange {
    /// The length of the PSK identity hint, if one came. The hint itself may name people and is not kept.
    pub hint: Option<usize>,
    /// The parameters.
    pub params: Params,
    /// The signature scheme (TLS 1.2).
    pub scheme: Option<u16>,
}

impl ServerKeyExchange {
    /// Reads the body of the handshake message, by the form that the suite prescribes.
    ///
    /// # Errors
    /// When it breaks its length rules, or a modulus is too large.
    pub fn parse(body: &[u8], version: u16, form: Form) -> Result<ServerKeyExchange, WireError> {
        let mut reader = Reader::new(body, "ServerKeyExchange");
        let hint = match form.hint {
            true => Some(reader.vec16()?.len()),
            false => None,
        };
        let params = match form.kind {
            Kind::Curve => curve(&mut reader)?,
            Kind::Field => Params::Field {
                p: modulus(reader.vec16()?)?,
                g: modulus(reader.vec16()?)?,
                public: modulus(reader.vec16()?)?,
            },
            Kind::Rsa => Params::Rsa { modulus: modulus(reader.vec16()?)?, exponent: modulus(reader.vec16()?)? },
            Kind::None => Params::None,
        };
        if matches!(params, Params::Explicit(_)) {
            return Ok(ServerKeyExchange { hint, params, scheme: None });
        }
        let mut scheme = None;
        if form.signed {
            if version == 0x0303 {
                scheme = Some(reader.u16()?);
            }
            reader.vec16()?;
        }
        reader.end()?;
        Ok(ServerKeyExchange { hint, params, scheme })
    }

    /// The handshake message, its header included, with this signature.
    pub fn to_message(&self, signature: Option<&[u8]>) -> Vec<u8> {
        let mut body = Vec::new();
        if let Some(length) = self.hint {
            put_vec16(&mut body, &vec![b'h'; length]);
        }
        match &self.params {
            Params::Curve { group, point } => {
                body.push(3);
                body.extend(group.to_be_bytes());
                put_vec8(&mut body, point);
            }
            Params::Explicit(kind) => body.push(*kind),
            Params::Field { p, g, public } => [p, g, public].into_iter().for_each(|value| put_vec16(&mut body, value)),
            Params::Rsa { modulus, exponent } => {
                [modulus, exponent].into_iter().for_each(|value| put_vec16(&mut body, value));
            }
            Params::None => {}
        }
        if let Some(signature) = signature {
            if let Some(scheme) = self.scheme {
                body.extend(scheme.to_be_bytes());
            }
            put_vec16(&mut body, signature);
        }
        let mut message = vec![flight::SERVER_KEY_EXCHANGE];
        put_vec24(&mut message, &body);
        message
    }
}

fn curve(reader: &mut Reader<'_>) -> Result<Params, WireError> {
    match reader.u8()? {
        3 => Ok(Params::Curve { group: reader.u16()?, point: reader.vec8()?.to_vec() }),
        kind @ (1 | 2) => Ok(Params::Explicit(kind)),
        _ => Err(reader.malformed()),
    }
}

/// A number: not empty, and at most as long as the limit; leading zeros are cut.
fn modulus(bytes: &[u8]) -> Result<Vec<u8>, WireError> {
    if bytes.len() > limit::MODULUS {
        return Err(WireError::TooLarge("modulus"));
    }
    if bytes.is_empty() {
        return Err(WireError::Malformed("ServerKeyExchange"));
    }
    Ok(bytes.iter().copied().skip_while(|byte| *byte == 0).collect())
}

/// The bit length of a number without leading zeros.
pub fn bit_length(number: &[u8]) -> u32 {
    let Some(first) = number.first() else { return 0 };
    let whole = u32::try_from(number.len()).unwrap_or(u32::MAX / 8);
    (whole * 8).saturating_sub(first.leading_zeros())
}

#[cfg(test)]
mod tests {
    use super::*;

    const CURVE: Form = Form { kind: Kind::Curve, hint: false, signed: true };
    const FIELD: Form = Form { kind: Kind::Field, hint: false, signed: true };

    #[test]
    fn a_curve_is_read() {
        let body = [3, 0, 0x1D, 2, 9, 9, 8, 4, 0, 1, 0xAA];
        let read = ServerKeyExchange::parse(&body, 0x0303, CURVE).unwrap();
        assert_eq!(read.params, Params::Curve { group: 0x1D, point: vec![9, 9] });
        assert_eq!(read.scheme, Some(0x0804));
        assert_eq!(read.to_message(Some(&[0xAA]))[4..], body);
        // Before TLS 1.2 no scheme stands before the signature.
        let old = [3, 0, 0x17, 1, 9, 0, 1, 0xAA];
        assert_eq!(ServerKeyExchange::parse(&old, 0x0301, CURVE).unwrap().scheme, None);
        assert!(ServerKeyExchange::parse(&old, 0x0303, CURVE).is_err());
    }

    #[test]
    fn a_field_is_read_without_leading_zeros() {
        let body = [0, 3, 0, 0x7F, 1, 0, 1, 2, 0, 1, 5, 2, 1, 0, 0];
        let read = ServerKeyExchange::parse(&body, 0x0303, FIELD).unwrap();
        let Params::Field { p, g, public } = read.params else { panic!() };
        assert_eq!((p.as_slice(), g.as_slice(), public.as_slice()), (&[0x7F, 1][..], &[2][..], &[5][..]));
        assert_eq!(bit_length(&p), 15);
    }

    #[test]
    fn an_anonymous_message_has_no_signature_and_a_psk_message_a_hint() {
        let anonymous = Form { signed: false, ..FIELD };
        assert!(ServerKeyExchange::parse(&[0, 1, 23, 0, 1, 5, 0, 1, 8], 0x0303, anonymous).is_ok());
        let psk = Form { kind: Kind::None, hint: true, signed: false };
        let read = ServerKeyExchange::parse(&[0, 2, b'h', b'i'], 0x0303, psk).unwrap();
        assert_eq!((read.hint, read.params), (Some(2), Params::None));
    }

    #[test]
    fn a_huge_modulus_is_refused() {
        let mut body = Vec::new();
        put_vec16(&mut body, &[1; 2_049]);
        assert_eq!(ServerKeyExchange::parse(&body, 0x0303, FIELD), Err(WireError::TooLarge("modulus")));
    }
}
