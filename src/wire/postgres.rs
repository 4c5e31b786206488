//! The dialogue before TLS of a PostgreSQL server.

/// SSLRequest.
pub const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xD2, 0x16, 0x2F];

/// The server's answer to SSLRequest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// `S`: TLS follows.
    Accepted,
    /// `N`: TLS is off.
    NotOffered,
    /// `E`: an error message follows; it comes before any authentication and is not read.
    Error,
    /// Something else.
    Strange(u8),
}

impl Reply {
    /// Reads the one byte of the answer.
    pub fn parse(byte: u8) -> Reply {
        match byte {
            b'S' => Reply::Accepted,
            b'N' => Reply::NotOffered,
            b'E' => Reply::Error,
            other => Reply::Strange(other),
        }
    }
}

/// Whether these bytes are an SSLRequest.
pub fn is_ssl_request(bytes: &[u8]) -> bool {
    bytes == SSL_REQUEST
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_request_is_length_and_code() {
        assert_eq!(u32::from_be_bytes(SSL_REQUEST[4..].try_into().unwrap()), 80_877_103);
        assert!(is_ssl_request(&SSL_REQUEST));
        assert_eq!(Reply::parse(b'S'), Reply::Accepted);
        assert_eq!(Reply::parse(b'N'), Reply::NotOffered);
        assert_eq!(Reply::parse(b'E'), Reply::Error);
        assert_eq!(Reply::parse(b'H'), Reply::Strange(b'H'));
    }
}
