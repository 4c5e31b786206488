//! Entry points for fuzzing: any bytes, no panic. Each names the parser that it drives.

use super::dialogue::table::SCRIPTS;
use super::dialogue::{Dialogue, Names, Step, tds};
use super::key_exchange::{Form, Kind, ServerKeyExchange};
use super::ticket::Ticket;
use super::{
    ClientHello, FlightReader, ServerHello, alert::Alert, certificate, dns, luks, mountinfo, mysql, postgres,
    record::RecordReader, resp, sct::Sct, ssl2,
};

/// The first flight of a server, in pieces whose size the first byte sets.
pub fn server_flight(data: &[u8]) {
    let Some((&first, data)) = data.split_first() else { return };
    let form = Form { kind: kind(first), hint: first & 4 != 0, signed: first & 8 != 0 };
    let mut reader = FlightReader::new(|_| Some(form));
    for part in data.chunks(usize::from(first).max(1)) {
        if !matches!(reader.push(part), Ok(false)) {
            break;
        }
    }
    let _ = reader.into_flight();
}

/// Records and the reassembly of messages.
pub fn records(data: &[u8]) {
    let mut reader = RecordReader::new();
    if reader.push(data).is_ok() {
        while let Ok(Some(_)) = reader.event() {}
    }
}

/// A ClientHello and its extensions. What parses must be written and parsed to the same.
pub fn client_hello(data: &[u8]) {
    let Ok(hello) = ClientHello::parse(data) else { return };
    let _ = (hello.server_name(), hello.groups(), hello.schemes(), hello.versions(), hello.alpn(), hello.shares());
    let _ = (hello.exact_length(), hello.to_exact_record(0x0301));
    let again = hello.to_message();
    let _ = again.get(4..).map(ClientHello::parse);
}

/// A ServerHello.
pub fn server_hello(data: &[u8]) {
    let Ok(hello) = ServerHello::parse(data) else { return };
    let _ = (hello.negotiated(), hello.group(), hello.alpn(), hello.marks_downgrade(), hello.to_message());
}

/// Certificate, CertificateStatus and CertificateRequest.
pub fn certificate(data: &[u8]) {
    let _ = certificate::parse_chain(data);
    let _ = certificate::parse_status(data);
    let _ = certificate::CertificateRequest::parse(data, 0x0303);
    let _ = certificate::CertificateRequest::parse(data, 0x0301);
}

/// ServerKeyExchange in each of its forms.
pub fn key_exchange(data: &[u8]) {
    let Some((&first, data)) = data.split_first() else { return };
    let form = Form { kind: kind(first), hint: first & 4 != 0, signed: first & 8 != 0 };
    let version = if first & 16 != 0 { 0x0303 } else { 0x0301 };
    if let Ok(message) = ServerKeyExchange::parse(data, version, form) {
        let _ = message.to_message(None);
    }
}

/// Alerts.
pub fn alert(data: &[u8]) {
    let _ = Alert::parse(data).map(Alert::name);
}

/// Signed certificate timestamps. What parses and holds none of another version is written to the same.
pub fn sct(data: &[u8]) {
    if let Ok(list) = Sct::parse_list(data) {
        let _ = Sct::write_list(&list.into_iter().flatten().collect::<Vec<_>>());
    }
}

/// Session tickets, old and new.
pub fn ticket(data: &[u8]) {
    if let Ok(ticket) = Ticket::parse(data) {
        let _ = (ticket.key_name(), Ticket::parse(&ticket.to_body()));
    }
    let _ = Ticket::parse_modern(data);
}

/// The SSLv2 hellos of both sides.
pub fn ssl2(data: &[u8]) {
    let _ = ssl2::Answer::read(data);
    let _ = ssl2::ClientHello::parse(data);
}

/// What a PostgreSQL server answers to a request for TLS.
pub fn postgres(data: &[u8]) {
    let _ = postgres::is_ssl_request(data);
    let _ = data.first().map(|&byte| postgres::Reply::parse(byte));
}

/// Every dialogue before TLS, in pieces whose size the first byte sets; the second byte chooses one where it can.
pub fn dialogue(data: &[u8]) {
    let Some((&size, data)) = data.split_first() else { return };
    let Some((&chosen, data)) = data.split_first() else { return };
    let one = SCRIPTS.get(usize::from(chosen));
    for script in SCRIPTS.iter().filter(|script| one.is_none_or(|one| one.word == script.word)) {
        let mut dialogue = Dialogue::new(script, Names::new("probe.example", "shop.example"));
        let mut parts = data.chunks(usize::from(size).max(1));
        loop {
            match dialogue.step() {
                Step::Say(_) => {}
                Step::End(_) => break,
                Step::Hear => match parts.next() {
                    Some(part) if dialogue.push(part).is_ok() => {}
                    _ => break,
                },
            }
        }
    }
    let _ = tds::Packet::read(data);
}

/// The tags of a page.
pub fn html(data: &[u8]) {
    let _ = super::html::read(&String::from_utf8_lossy(data));
}

/// A message of DNS. What parses can be looked at in every way that we look.
pub fn dns(data: &[u8]) {
    let Ok(message) = dns::Message::parse(data) else { return };
    for record in message.answers.iter().chain(&message.authorities) {
        let _ = (record.canonical(), record.name.to_string(), record.name.parent());
        let _ = (dns::record::Caa::read(&record.data), dns::record::Tlsa::read(&record.data));
        let _ = (dns::record::Mx::read(&record.data), dns::record::text(&record.data));
        let _ = (dns::record::Ds::read(&record.data), dns::record::Dnskey::read(&record.data));
        let _ = (dns::record::Rrsig::read(&record.data), dns::record::Nsec::read(&record.data));
        let _ = (dns::record::Nsec3::read(&record.data), dns::record::address(record));
    }
}

/// The header of a LUKS volume, and its JSON alone, which a checksum guards otherwise.
pub fn luks(data: &[u8]) {
    let _ = (luks::length(data), luks::parse(data), luks::areas(data));
}

/// Tables of mounts and of swap areas.
pub fn mountinfo(data: &[u8]) {
    if let Ok(mounts) = mountinfo::parse(data) {
        for mount in mounts.iter().take(32) {
            let _ = mountinfo::covering(&mounts, &mount.point);
        }
    }
    let _ = mountinfo::swaps(data);
}

fn kind(byte: u8) -> Kind {
    match byte & 3 {
        0 => Kind::Curve,
        1 => Kind::Field,
        2 => Kind::Rsa,
        _ => Kind::None,
    }
}

/// Packets of a MySQL server, at every place where one may come.
pub fn mysql(data: &[u8]) {
    let Some((&columns, data)) = data.split_first() else { return };
    let _ = (mysql::first(data), mysql::login_reply(data), mysql::query_reply(data));
    let _ = mysql::line(data, columns.into());
}

/// Answers of Redis, in pieces whose size the first byte sets.
pub fn resp(data: &[u8]) {
    let Some((&first, data)) = data.split_first() else { return };
    let mut reader = resp::Reader::new();
    for part in data.chunks(usize::from(first).max(1)) {
        reader.push(part);
        while let Ok(Some(value)) = reader.value() {
            let _ = value;
        }
    }
}

/// Messages of MongoDB, and a walk over the fields of each.
#[cfg(feature = "mongodb")]
pub fn op_msg(data: &[u8]) {
    let mut reader = super::op_msg::Reader::new();
    for part in data.chunks(7) {
        reader.push(part);
        match reader.message() {
            Ok(None) => {}
            Ok(Some((id, document))) => {
                let fields = document.iter().take_while(Result::is_ok).count();
                let _ = (fields, document.get_document("a"), document.get_array("b"));
                let _ = super::op_msg::command(id, &document);
            }
            Err(_) => break,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_bytes_never_panic(data in proptest::collection::vec(any::<u8>(), 0..600)) {
            for entry in [server_flight, records, client_hello, server_hello, certificate, key_exchange, alert, sct, ssl2, postgres, dialogue, ticket, html, dns, luks, mountinfo, resp] {
                entry(&data);
            }
        }

        #[test]
        fn any_bytes_behind_a_record_header_never_panic(
            kind in 20u8..=24, data in proptest::collection::vec(any::<u8>(), 0..600), step in 1u8..=255
        ) {
            let mut bytes = vec![step];
            bytes.extend(crate::wire::record::write(kind, 0x0303, &data));
            server_flight(&bytes);
            records(&bytes[1..]);
        }

        #[test]
        fn any_bytes_in_a_dialogue_never_panic(
            size in 1u8..=255, chosen in 0u8..20, start in "(220|250|a1|\\* |\\+OK|<|AMQP|0|OK)?",
            data in proptest::collection::vec(any::<u8>(), 0..600)
        ) {
            let mut bytes = vec![size, chosen];
            bytes.extend(start.as_bytes());
            bytes.extend(data);
            dialogue(&bytes);
        }
    }
}
