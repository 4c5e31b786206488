//! Messages of DNS (RFC 1035, RFC 6891): a query to bytes, an answer from bytes.

pub mod name;
pub mod record;

use super::WireError;
pub use name::Name;
pub use record::Record;

/// The most records of one section that are read.
const RECORDS: usize = 2_000;
/// The size of a datagram that we ask for: one that is not cut into fragments on the way.
const DATAGRAM: u16 = 1_232;

/// An answer, as far as it is looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The number of the query that it answers.
    pub id: u16,
    /// It is an answer, not a query.
    pub is_answer: bool,
    /// It was cut to fit a datagram.
    pub truncated: bool,
    /// 0 no error, 2 server failure, 3 no such name, 5 refused.
    pub code: u8,
    /// What was asked.
    pub question: Option<(Name, u16)>,
    /// The answer section.
    pub answers: Vec<Record>,
    /// The authority section, which proves that something is not there.
    pub authorities: Vec<Record>,
}

impl Message {
    /// Reads a message. The additional section is not looked at.
    ///
    /// # Errors
    /// When it breaks the grammar, or has more records than are read.
    pub fn parse(bytes: &[u8]) -> Result<Message, WireError> {
        let mut reader = Reader { bytes, at: 0 };
        let (id, flags) = (reader.u16()?, reader.u16()?);
        let (questions, answers, authorities, _) = (reader.u16()?, reader.u16()?, reader.u16()?, reader.u16()?);
        let mut question = None;
        for _ in 0..questions {
            let name = reader.name()?;
            let (kind, _class) = (reader.u16()?, reader.u16()?);
            question.get_or_insert((name, kind));
        }
        Ok(Message {
            id,
            is_answer: flags & 0x8000 != 0,
            truncated: flags & 0x0200 != 0,
            code: (flags & 0x000F) as u8,
            question,
            answers: reader.records(answers)?,
            authorities: reader.records(authorities)?,
        })
    }
}

/// A query for one kind of record: recursion wanted, signatures wanted, and no check of them by the resolver, so that
/// a fault in them is seen and not hidden behind a failure.
pub fn query(id: u16, name: &Name, kind: u16) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(64);
    for word in [id, 0x0110, 1, 0, 0, 1] {
        bytes.extend(word.to_be_bytes());
    }
    bytes.extend(name.canonical());
    bytes.extend(kind.to_be_bytes());
    bytes.extend(1_u16.to_be_bytes());
    // The root, OPT, our size of a datagram, no extended code, version 0, DNSSEC wanted, no options.
    bytes.push(0);
    bytes.extend(41_u16.to_be_bytes());
    bytes.extend(DATAGRAM.to_be_bytes());
    bytes.extend([0, 0, 0x80, 0, 0, 0]);
    bytes
}

/// Reads a message in order; names may lead back.
pub(super) struct Reader<'m> {
    bytes: &'m [u8],
    at: usize,
}

impl<'m> Reader<'m> {
    fn take(&mut self, length: usize) -> Result<&'m [u8], WireError> {
        let end = self.at.checked_add(length).ok_or(WireError::Malformed("DNS message"))?;
        let taken = self.bytes.get(self.at..end).ok_or(WireError::Malformed("DNS message"))?;
        self.at = end;
        Ok(taken)
    }

    fn u16(&mut self) -> Result<u16, WireError> {
        let bytes = self.take(2)?.first_chunk().ok_or(WireError::Malformed("DNS message"))?;
        Ok(u16::from_be_bytes(*bytes))
    }

    fn u32(&mut self) -> Result<u32, WireError> {
        let bytes = self.take(4)?.first_chunk().ok_or(WireError::Malformed("DNS message"))?;
        Ok(u32::from_be_bytes(*bytes))
    }

    fn name(&mut self) -> Result<Name, WireError> {
        let (name, end) = Name::read(self.bytes, self.at)?;
        self.at = end;
        Ok(name)
    }

    fn records(&mut self, count: u16) -> Result<Vec<Record>, WireError> {
        if usize::from(count) > RECORDS {
            return Err(WireError::TooLarge("DNS records"));
        }
        (0..count).map(|_| self.record()).collect()
    }

    fn record(&mut self) -> Result<Record, WireError> {
        let name = self.name()?;
        let (kind, class, ttl) = (self.u16()?, self.u16()?, self.u32()?);
        let length = usize::from(self.u16()?);
        let start = self.at;
        let data = self.take(length)?;
        let data = record::expanded(kind, self.bytes, start, data)?;
        Ok(Record { name, kind, class, ttl, data })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An answer by hand: a CNAME with compressed names, and an A record.
    fn answer() -> Vec<u8> {
        let mut bytes = query(7, &Name::parse("WWW.shop.example").unwrap(), record::A);
        bytes.truncate(bytes.len() - 11);
        bytes[2] = 0x81;
        bytes[3] = 0x80;
        bytes[7] = 2;
        bytes[11] = 0;
        // www.shop.example CNAME shop.example, both by reference to the question.
        bytes.extend([0xC0, 12, 0, 5, 0, 1, 0, 0, 0, 60, 0, 2, 0xC0, 16]);
        bytes.extend([0xC0, 16, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 1]);
        bytes
    }

    #[test]
    fn an_answer_is_read_and_its_names_are_expanded() {
        let message = Message::parse(&answer()).unwrap();
        assert!(message.is_answer && !message.truncated && message.id == 7 && message.code == 0);
        assert_eq!(message.question.as_ref().unwrap().0.to_string(), "www.shop.example");
        let [cname, address] = &message.answers[..] else { panic!("{message:?}") };
        assert_eq!((cname.name.to_string(), cname.kind), ("www.shop.example".to_owned(), record::CNAME));
        assert_eq!(record::target(cname).unwrap().to_string(), "shop.example");
        assert_eq!(record::address(address), Some("127.0.0.1".parse().unwrap()));
    }

    #[test]
    fn a_query_is_read_as_it_was_meant() {
        let message = Message::parse(&query(9, &Name::parse("shop.example").unwrap(), record::CAA)).unwrap();
        assert!(!message.is_answer && message.id == 9);
        assert_eq!(message.question.unwrap().1, record::CAA);
    }

    #[test]
    fn cut_and_looping_messages_are_refused() {
        let whole = answer();
        for end in 0..whole.len() {
            assert!(Message::parse(&whole[..end]).is_err(), "{end}");
        }
        let mut looping = whole;
        let at = looping.len() - 16;
        looping[at..at + 2].copy_from_slice(&[0xC0, at as u8]);
        assert!(Message::parse(&looping).is_err());
    }
}
