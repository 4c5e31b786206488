//! NewSessionTicket, of TLS 1.2 and older (RFC 5077) and of TLS 1.3 (RFC 8446 section 4.6.1).

use super::cursor::{Reader, put_vec16};
use super::{WireError, extension};

/// The part of a ticket that names the key it is made with, where a server follows RFC 5077 section 4.
const KEY_NAME: usize = 16;

/// A ticket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// The lifetime in seconds; with TLS 1.2 and older a hint, and 0 says nothing.
    pub lifetime: u32,
    /// The ticket.
    pub bytes: Vec<u8>,
    /// How much early data may come with it (TLS 1.3), if any may.
    pub early_data: Option<u32>,
}

impl Ticket {
    /// Reads the body of the message of TLS 1.2 and older.
    ///
    /// # Errors
    /// When it breaks its length rules.
    pub fn parse(body: &[u8]) -> Result<Ticket, WireError> {
        let mut reader = Reader::new(body, "NewSessionTicket");
        let lifetime = u32::from_be_bytes(reader.array()?);
        let bytes = reader.vec16()?.to_vec();
        reader.end()?;
        Ok(Ticket { lifetime, bytes, early_data: None })
    }

    /// Reads the body of the message of TLS 1.3.
    ///
    /// # Errors
    /// When it breaks its length rules.
    pub fn parse_modern(body: &[u8]) -> Result<Ticket, WireError> {
        Issued::parse(body).map(|issued| issued.ticket)
    }

    /// The body of the message of TLS 1.2 and older.
    pub fn to_body(&self) -> Vec<u8> {
        let mut body = self.lifetime.to_be_bytes().to_vec();
        put_vec16(&mut body, &self.bytes);
        body
    }

    /// What names the key, if the ticket is long enough for it.
    pub fn key_name(&self) -> Option<&[u8]> {
        self.bytes.get(..KEY_NAME)
    }
}

/// A ticket of TLS 1.3 with what it takes to use it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issued {
    /// The ticket.
    pub ticket: Ticket,
    /// What is added to its age, so that nobody on the path can tell it.
    pub age_add: u32,
    /// What its key is derived with.
    pub nonce: Vec<u8>,
}

impl Issued {
    /// Reads the body of the message of TLS 1.3.
    ///
    /// # Errors
    /// When it breaks its length rules.
    pub fn parse(body: &[u8]) -> Result<Issued, WireError> {
        let mut reader = Reader::new(body, "NewSessionTicket");
        let lifetime = u32::from_be_bytes(reader.array()?);
        let age_add = u32::from_be_bytes(reader.array()?);
        let nonce = reader.vec8()?.to_vec();
        let bytes = reader.vec16()?.to_vec();
        let extensions = extension::parse_block(&mut reader, "NewSessionTicket")?;
        reader.end()?;
        let early_data = match extension::find(&extensions, extension::EARLY_DATA) {
            Some(body) => Some(u32::from_be_bytes(body.try_into().map_err(|_| reader.malformed())?)),
            None => None,
        };
        Ok(Issued { ticket: Ticket { lifetime, bytes, early_data }, age_add, nonce })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_tickets_go_round_and_broken_ones_are_malformed() {
        let ticket = Ticket { lifetime: 300, bytes: vec![7; 20], early_data: None };
        let body = ticket.to_body();
        assert_eq!(ticket.key_name(), Some(&[7; 16][..]));
        assert_eq!(Ticket::parse(&body), Ok(ticket));
        for length in 0..body.len() {
            assert!(Ticket::parse(&body[..length]).is_err());
        }
        assert_eq!(Ticket::parse(&[0, 0, 0, 0, 0, 0]).unwrap().key_name(), None);
    }

    #[test]
    fn a_ticket_of_tls_1_3_tells_its_lifetime_and_early_data() {
        let mut body = vec![0, 0, 0x1C, 0x20, 9, 9, 9, 9, 1, 0, 0, 2, 5, 6];
        let without = [body.clone(), vec![0, 0]].concat();
        let expected = Ticket { lifetime: 7200, bytes: vec![5, 6], early_data: None };
        assert_eq!(Ticket::parse_modern(&without), Ok(expected.clone()));
        let issued = Issued::parse(&without).unwrap();
        assert_eq!((issued.age_add, issued.nonce), (0x0909_0909, vec![0]));
        body.extend([0, 8, 0, 42, 0, 4, 0, 0, 0x40, 0]);
        assert_eq!(Ticket::parse_modern(&body), Ok(Ticket { early_data: Some(16_384), ..expected }));
        for length in 0..body.len() {
            assert!(Ticket::parse_modern(&body[..length]).is_err());
        }
    }
}
