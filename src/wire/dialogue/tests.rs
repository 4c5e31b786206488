use super::table::{SCRIPTS, Script};
use super::*;
use crate::model::service::SERVICES;
use std::collections::BTreeSet;

/// Leads a dialogue with these answers, one to each thing said; what was said, and how it ended.
fn lead(word: &str, answers: &[&[u8]]) -> (Vec<Vec<u8>>, Ending, Option<bool>) {
    let mut dialogue = Dialogue::new(Script::find(word).unwrap(), Names::new("probe.example", "shop.example"));
    let (mut said, mut answers) = (Vec::new(), answers.iter());
    loop {
        match dialogue.step() {
            Step::Say(bytes) => said.push(bytes),
            Step::Hear => {
                let answer = answers.next().unwrap_or_else(|| panic!("{word} awaits more at {}", dialogue.stage()));
                if let Err(error) = dialogue.push(answer) {
                    return (said, Ending::Broken(error), dialogue.required);
                }
            }
            Step::End(ending) => return (said, ending, dialogue.required),
        }
    }
}

fn ending(word: &str, answers: &[&[u8]]) -> Ending {
    lead(word, answers).1
}

const CLEAN: Ending = Ending::Accepted { extra: 0 };

/// For each protocol answers that lead to TLS; the last one is the positive answer, unless nothing is awaited.
const GOOD: &[(&str, &[&[u8]])] = &[
    ("smtp", &[b"220 mx\r\n", b"250-mx hello\r\n250-SIZE 9\r\n250 StartTLS\r\n", b"220 go\r\n"]),
    ("lmtp", &[b"220-a\r\n220 b\r\n", b"250-mx\r\n250-STARTTLS\r\n250 8BITMIME\r\n", b"220 2.0.0 go\r\n"]),
    (
        "imap",
        &[
            b"* OK ready\r\n",
            b"* CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED\r\na1 OK done\r\n",
            b"a2 OK begin\r\n",
        ],
    ),
    ("pop3", &[b"+OK\r\n", b"+OK\r\nUSER\r\nSTLS\r\n.\r\n", b"+OK begin\r\n"]),
    ("sieve", &[b"\"IMPLEMENTATION\" \"x\"\r\n\"SASL\" \"\"\r\n\"STARTTLS\"\r\nOK \"ready\"\r\n", b"OK \"begin\"\r\n"]),
    ("ftp", &[b"220-hi\r\n 220 no\r\n220 hi\r\n", b"211-F\r\n AUTH TLS\r\n211 End\r\n", b"234 go\r\n"]),
    ("nntp", &[b"200 hi\r\n", b"101 list\r\nVERSION 2\r\nSTARTTLS\r\n.\r\n", b"382 go\r\n"]),
    (
        "xmpp",
        &[
            b"<?xml version='1.0'?><stream:stream id='1'><stream:features><starttls xmlns='x'><required/></starttls></stream:features>",
            b"<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>",
        ],
    ),
    (
        "xmpp-server",
        &[b"<stream:stream><stream:features><starttls xmlns='x'/><dialback/></stream:features>", b"<proceed></proceed>"],
    ),
    ("irc", &[b":x NOTICE * :hi\r\n:x CAP * LS * :multi-prefix\r\n:x CAP * LS :tls sasl\r\n:x 670 * :go\r\n"]),
    ("ldap", &[b"\x30\x0C\x02\x01\x01\x78\x07\x0A\x01\x00\x04\x00\x04\x00"]),
    ("postgresql", &[b"S"]),
    ("mysql", &[b"\x23\0\0\0\x0A10.11\0\x01\0\0\0abcdefgh\0\xFE\xFF\x08\x02\0\xFF\x81\x15\0\0\0\0\0\0\0"]),
    ("mssql", &[b"\x04\x01\x00\x1A\0\0\x01\0\x00\x00\x0B\x00\x06\x01\x00\x11\x00\x01\xFF\x0F\0\x08\0\0\0\x01"]),
    ("rdp", &[b"\x03\0\0\x13\x0E\xD0\0\0\x12\x34\0\x02\x1F\x08\0\x02\0\0\0"]),
    ("amqp", &[b"AMQP\x02\x01\x00\x00"]),
    ("telnet", &[b"\xFF\xFD\x18login\xFF\xFD\x2E", b"\xFF\xFA\x2E\x01\xFF\xF0"]),
];

#[test]
fn every_service_with_an_upgrade_has_a_dialogue_and_every_dialogue_an_example() {
    let named: BTreeSet<_> = SERVICES.iter().filter_map(|service| service.dialogue()).collect();
    let scripts: BTreeSet<_> = SCRIPTS.iter().map(|script| script.word).collect();
    let examples: BTreeSet<_> = GOOD.iter().map(|(word, _)| *word).collect();
    assert_eq!(named, scripts);
    assert_eq!(examples, scripts);
    for script in SCRIPTS {
        assert_eq!(script.stages.iter().filter(|stage| stage.asks).count(), 1, "{}", script.word);
    }
}

#[test]
fn every_protocol_is_led_to_tls() {
    for (word, answers) in GOOD {
        assert_eq!(ending(word, answers), CLEAN, "{word}");
    }
    assert_eq!(lead("imap", GOOD[2].1).2, Some(true));
    assert_eq!(lead("sieve", GOOD[4].1).2, Some(true));
    assert_eq!(lead("xmpp", GOOD[7].1).2, Some(true));
    assert_eq!(lead("xmpp-server", GOOD[8].1).2, Some(false));
    assert_eq!(lead("smtp", GOOD[0].1).2, None);
}

#[test]
fn an_answer_is_not_judged_before_it_is_whole() {
    for (word, answers) in GOOD {
        let mut dialogue = Dialogue::new(Script::find(word).unwrap(), Names::new("a", "b"));
        for answer in *answers {
            for byte in *answer {
                assert_eq!(unsaid(&mut dialogue), Step::Hear, "{word} in {:?}", dialogue.stage());
                dialogue.push(&[*byte]).unwrap();
            }
        }
        assert_eq!(unsaid(&mut dialogue), Step::End(CLEAN), "{word}");
    }
}

/// The next step that is not to say something.
fn unsaid(dialogue: &mut Dialogue) -> Step {
    loop {
        match dialogue.step() {
            Step::Say(_) => {}
            step => return step,
        }
    }
}

#[test]
fn what_is_said_is_what_the_page_of_the_protocol_wants() {
    let said = |word: &str| lead(word, GOOD.iter().find(|(other, _)| *other == word).unwrap().1).0;
    assert_eq!(said("smtp"), [b"EHLO probe.example\r\n".as_slice(), b"STARTTLS\r\n"]);
    assert!(String::from_utf8(said("xmpp-server").remove(0)).unwrap().contains("'jabber:server'"));
    assert!(String::from_utf8(said("xmpp").remove(0)).unwrap().contains("to='shop.example'"));
    let [request] = said("mysql").try_into().unwrap();
    assert_eq!(request.len(), 36);
    assert_eq!(request[..8], [0x20, 0, 0, 1, 0, 0x8A, 0, 0]);
    let [request] = said("ldap").try_into().unwrap();
    assert_eq!((request.len(), request[1]), (31, 29));
    let [request] = said("mssql").try_into().unwrap();
    assert_eq!((request.len(), request[3]), (26, 26));
    let [request] = said("rdp").try_into().unwrap();
    assert_eq!((request.len(), request[3]), (19, 19));
}

#[test]
fn bytes_behind_the_positive_answer_are_counted() {
    for (word, answers) in GOOD {
        let mut answers = answers.to_vec();
        let last = [answers.pop().unwrap(), b"220 x\r\n"].concat();
        answers.push(&last);
        assert_eq!(ending(word, &answers), Ending::Accepted { extra: 7 }, "{word}");
    }
}

#[test]
fn definite_refusals_are_no_offer() {
    let refusals: &[(&str, &[&[u8]])] = &[
        ("smtp", &[b"220 a\r\n", b"250-a\r\n250 SIZE\r\n"]),
        ("smtp", &[b"220 a\r\n", b"502 what\r\n"]),
        ("smtp", &[b"220 a\r\n", b"250-a\r\n250 STARTTLS\r\n", b"554 no\r\n"]),
        ("imap", &[b"* PREAUTH hi\r\n"]),
        ("imap", &[b"* OK a\r\n", b"* CAPABILITY IMAP4rev1\r\na1 OK b\r\n"]),
        ("imap", &[b"* OK a\r\n", b"* CAPABILITY STARTTLS\r\na1 OK b\r\n", b"a2 BAD no\r\n"]),
        ("pop3", &[b"+OK\r\n", b"+OK\r\nUSER\r\n.\r\n"]),
        ("pop3", &[b"+OK\r\n", b"-ERR what\r\n", b"-ERR what\r\n"]),
        ("sieve", &[b"\"SASL\" \"PLAIN\"\r\nOK\r\n"]),
        ("sieve", &[b"\"STARTTLS\"\r\nOK\r\n", b"NO \"no\"\r\n"]),
        ("ftp", &[b"220 a\r\n", b"500 what\r\n", b"530 login\r\n", b"530 login\r\n"]),
        ("nntp", &[b"200 a\r\n", b"101 a\r\nREADER\r\n.\r\n"]),
        ("nntp", &[b"200 a\r\n", b"500 what\r\n", b"580 no\r\n"]),
        ("xmpp", &[b"<stream:stream><stream:features><mechanisms/></stream:features>"]),
        ("xmpp", &[b"<stream:features><starttls/></stream:features>", b"<failure xmlns='x'/></stream:stream>"]),
        ("irc", &[b":x CAP * LS :sasl\r\n"]),
        ("irc", &[b":x 421 * CAP :what\r\n:x 451 * :register\r\n"]),
        ("ldap", &[b"\x30\x84\0\0\0\x10\x02\x01\x01\x78\x84\0\0\0\x07\x0A\x01\x02\x04\x00\x04\x00"]),
        ("postgresql", &[b"N"]),
        ("mysql", &[b"\x23\0\0\0\x0A10.11\0\x01\0\0\0abcdefgh\0\xFE\xF7\x08\x02\0\xFF\x81\x15\0\0\0\0\0\0\0"]),
        ("mssql", &[b"\x04\x01\x00\x0F\0\0\x01\0\x01\x00\x06\x00\x01\xFF\x02"]),
        ("rdp", &[b"\x03\0\0\x0B\x06\xD0\0\0\x12\x34\0"]),
        ("rdp", &[b"\x03\0\0\x13\x0E\xD0\0\0\x12\x34\0\x03\0\x08\0\x02\0\0\0"]),
        ("amqp", &[b"AMQP\x00\x01\x00\x00"]),
        ("telnet", &[b"\xFF\xFE\x2E"]),
    ];
    for (word, answers) in refusals {
        let ending = ending(word, answers);
        assert!(matches!(ending, Ending::NotOffered(_)), "{word} {answers:?}: {ending:?}");
    }
}

#[test]
fn what_passes_is_no_refusal_of_tls() {
    let passing: &[(&str, &[&[u8]])] = &[
        ("smtp", &[b"421 too many connections\r\n"]),
        ("smtp", &[b"220 a\r\n", b"250-a\r\n250 STARTTLS\r\n", b"454 later\r\n"]),
        ("imap", &[b"* BYE too many\r\n"]),
        ("imap", &[b"* OK a\r\n", b"* CAPABILITY STARTTLS\r\na1 OK b\r\n", b"a2 NO [UNAVAILABLE] later\r\n"]),
        ("pop3", &[b"-ERR [IN-USE] busy\r\n"]),
        ("pop3", &[b"+OK\r\n", b"-ERR\r\n", b"-ERR [SYS/TEMP] later\r\n"]),
        ("sieve", &[b"BYE \"busy\"\r\n"]),
        ("ftp", &[b"421 too many\r\n"]),
        ("nntp", &[b"400 full\r\n"]),
        ("xmpp", &[b"<stream:stream><stream:error><resource-constraint/></stream:error>"]),
        ("irc", &[b"ERROR :Closing link: too many\r\n"]),
        ("ldap", &[b"\x30\x0C\x02\x01\x01\x78\x07\x0A\x01\x33\x04\x00\x04\x00"]),
        ("mysql", &[b"\x07\0\0\0\xFF\x69\x04busy"]),
    ];
    for (word, answers) in passing {
        let ending = ending(word, answers);
        assert!(matches!(ending, Ending::Throttled(_)), "{word} {answers:?}: {ending:?}");
    }
    let unwanted: &[(&str, &[&[u8]])] = &[
        ("smtp", &[b"554 no service\r\n"]),
        ("smtp", &[b"220 a\r\n", b"550 not you\r\n"]),
        ("xmpp", &[b"<stream:stream><stream:error><host-unknown/></stream:error>"]),
        ("ldap", &[b"\x30\x0C\x02\x01\x01\x78\x07\x0A\x01\x34\x04\x00\x04\x00"]),
        ("postgresql", &[b"E"]),
        ("mysql", &[b"\x07\0\0\0\xFF\x6A\x04host"]),
    ];
    for (word, answers) in unwanted {
        let ending = ending(word, answers);
        assert!(matches!(ending, Ending::Refused(_)), "{word} {answers:?}: {ending:?}");
    }
}

#[test]
fn other_protocols_are_no_answers() {
    for script in SCRIPTS.iter().filter(|script| script.word != "telnet") {
        let ending = ending(script.word, &[b"HTTP/1.1 400 Bad Request\r\n\r\n"]);
        assert!(matches!(ending, Ending::Broken(_)), "{}: {ending:?}", script.word);
    }
}

#[test]
fn no_text_dialogue_goes_on_for_ever() {
    for (script, (_, answers)) in SCRIPTS.iter().zip(GOOD).filter(|(script, _)| script.text) {
        for block in [b"x".repeat(300), b"* OK x\r\n".repeat(30), b"220-more\r\n".repeat(30)] {
            let mut dialogue = Dialogue::new(script, Names::new("a", "b"));
            let mut rounds = 0;
            loop {
                match dialogue.step() {
                    Step::Say(_) => {}
                    Step::End(_) => break,
                    Step::Hear if dialogue.push(&block).is_err() => break,
                    Step::Hear => rounds += 1,
                }
                assert!(rounds < 400, "{} {answers:?}", script.word);
            }
        }
    }
}

#[test]
fn names_end_no_line_and_no_attribute() {
    assert_eq!(Names::new("a\r\nQUIT", "b' x='").own, "aQUIT");
    assert_eq!(Names::new("a", "b' x='").domain, "bx");
}

#[test]
fn a_handshake_is_wrapped_in_packets_and_unwrapped() {
    let bytes = vec![7; 5_000];
    let wrapped = tds::wrap(tds::PRELOGIN, &bytes);
    let first = tds::Packet::read(&wrapped).unwrap().unwrap();
    assert_eq!((first.kind, first.length, first.payload.len()), (0x12, 4096, 4088));
    let second = tds::Packet::read(&wrapped[first.length..]).unwrap().unwrap();
    assert_eq!(first.payload.len() + second.payload.len(), 5_000);
    assert!(tds::Packet::read(&[4, 1, 0, 7, 0, 0, 0, 0]).is_err());
    assert_eq!(tds::Packet::read(&wrapped[..100]), Ok(None));
}
