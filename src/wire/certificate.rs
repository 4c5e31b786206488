//! Certificate, CertificateStatus and CertificateRequest of TLS 1.2 and older.

use super::cursor::{Reader, put_vec24, u16_list};
use super::{WireError, flight, limit};

/// Reads the body of a Certificate message: the chain as served, leaf first.
///
/// # Errors
/// When it breaks its length rules, or holds too many certificates.
pub fn parse_chain(body: &[u8]) -> Result<Vec<Vec<u8>>, WireError> {
    let mut reader = Reader::new(body, "Certificate");
    let mut list = Reader::new(reader.vec24()?, "Certificate");
    reader.end()?;
    let mut chain = Vec::new();
    while !list.is_empty() {
        if chain.len() == limit::CERTIFICATES {
            return Err(WireError::TooLarge("number of certificates"));
        }
        let der = list.vec24()?;
        if der.is_empty() {
            return Err(list.malformed());
        }
        chain.push(der.to_vec());
    }
    Ok(chain)
}

/// A Certificate message, its header included.
pub fn write_chain(chain: &[Vec<u8>]) -> Vec<u8> {
    let mut list = Vec::new();
    for der in chain {
        put_vec24(&mut list, der);
    }
    let mut body = Vec::new();
    put_vec24(&mut body, &list);
    let mut message = vec![flight::CERTIFICATE];
    put_vec24(&mut message, &body);
    message
}

/// Reads the body of a CertificateStatus message: the OCSP response, unread.
///
/// # Errors
/// When it breaks its length rules.
pub fn parse_status(body: &[u8]) -> Result<Vec<u8>, WireError> {
    let mut reader = Reader::new(body, "CertificateStatus");
    if reader.u8()? != 1 {
        return Err(reader.malformed());
    }
    let response = reader.vec24()?;
    reader.end()?;
    if response.len() > 64 * 1024 {
        return Err(WireError::TooLarge("OCSP response"));
    }
    Ok(response.to_vec())
}

/// What a server wants of a client's certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateRequest {
    /// The certificate types.
    pub types: Vec<u8>,
    /// The signature schemes (TLS 1.2).
    pub schemes: Vec<u16>,
    /// How many authorities it names.
    pub authorities: usize,
}

impl CertificateRequest {
    /// Reads the body of the handshake message.
    ///
    /// # Errors
    /// When it breaks its length rules.
    pub fn parse(body: &[u8], version: u16) -> Result<CertificateRequest, WireError> {
        let mut reader = Reader::new(body, "CertificateRequest");
        let types = reader.vec8()?.to_vec();
        let schemes = match version {
            0x0303 => u16_list(reader.vec16()?, "CertificateRequest")?,
            _ => Vec::new(),
        };
        let mut names = Reader::new(reader.vec16()?, "CertificateRequest");
        reader.end()?;
        let mut authorities = 0;
        while !names.is_empty() {
            names.vec16()?;
            authorities += 1;
        }
        Ok(CertificateRequest { types, schemes, authorities })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_goes_round_and_another_parser_reads_the_same() {
        let chain = vec![vec![0x30, 0x00], vec![0x30, 0x01, 0x05]];
        let message = write_chain(&chain);
        assert_eq!(message[..12], [11, 0, 0, 14, 0, 0, 11, 0, 0, 2, 0x30, 0]);
        assert_eq!(parse_chain(&message[4..]).unwrap(), chain);
        let (_, other) = tls_parser::parse_tls_message_handshake(&message).unwrap();
        let tls_parser::TlsMessage::Handshake(tls_parser::TlsMessageHandshake::Certificate(other)) = other else {
            panic!("{other:?}");
        };
        let read: Vec<_> = other.cert_chain.iter().map(|certificate| certificate.data.to_vec()).collect();
        assert_eq!(read, chain);
    }

    #[test]
    fn long_chains_are_refused() {
        let message = write_chain(&vec![vec![0x30]; 33]);
        assert_eq!(parse_chain(&message[4..]), Err(WireError::TooLarge("number of certificates")));
    }

    #[test]
    fn a_request_is_read() {
        let body = [1, 1, 0, 4, 4, 3, 8, 4, 0, 4, 0, 2, 0x30, 0];
        let request = CertificateRequest::parse(&body, 0x0303).unwrap();
        assert_eq!(request.types, [1]);
        assert_eq!(request.schemes, [0x0403, 0x0804]);
        assert_eq!(request.authorities, 1);
        assert!(CertificateRequest::parse(&body, 0x0302).is_err());
    }

    #[test]
    fn a_staple_is_taken_out() {
        assert_eq!(parse_status(&[1, 0, 0, 2, 5, 6]).unwrap(), [5, 6]);
        assert!(parse_status(&[2, 0, 0, 0]).is_err());
    }
}
