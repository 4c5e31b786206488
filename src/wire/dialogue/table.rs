//! What each protocol says and awaits until TLS begins: data alone.

use super::super::postgres::SSL_REQUEST;
use super::{Heard, database, directory, mail, message, terminal, transfer, xmpp};

/// The dialogue of a protocol.
#[derive(Debug)]
pub struct Script {
    /// Its name.
    pub word: &'static str,
    /// It is made of lines, which have limits of their own.
    pub text: bool,
    /// What is said and awaited, in order.
    pub stages: &'static [Stage],
    /// A harmless command that a sound server forgets when it comes in one segment with the request for TLS; or empty.
    pub second: &'static [u8],
}

/// Something said, and how its answer is read.
#[derive(Debug)]
pub struct Stage {
    /// Its name, for people.
    pub name: &'static str,
    /// What is said.
    pub say: Say,
    /// Reads the answer.
    pub hear: fn(&[u8]) -> Heard,
    /// It asks for TLS.
    pub asks: bool,
}

/// What is said.
#[derive(Clone, Copy, Debug)]
pub enum Say {
    /// Nothing: the other side begins.
    Nothing,
    /// These bytes.
    Bytes(&'static [u8]),
    /// This text, with our own name in it.
    OwnName(&'static str),
    /// This text, with the domain that is asked for in it.
    Domain(&'static str),
}

const fn greeting(hear: fn(&[u8]) -> Heard) -> Stage {
    Stage { name: "the connection", say: Say::Nothing, hear, asks: false }
}

const fn tell(name: &'static str, say: Say, hear: fn(&[u8]) -> Heard) -> Stage {
    Stage { name, say, hear, asks: false }
}

const fn ask(name: &'static str, bytes: &'static [u8], hear: fn(&[u8]) -> Heard) -> Stage {
    Stage { name, say: Say::Bytes(bytes), hear, asks: true }
}

const fn text(word: &'static str, second: &'static [u8], stages: &'static [Stage]) -> Script {
    Script { word, text: true, stages, second }
}

const fn binary(word: &'static str, second: &'static [u8], stages: &'static [Stage]) -> Script {
    Script { word, text: false, stages, second }
}

const XMPP_CLIENT: &str = "<?xml version='1.0'?><stream:stream xmlns='jabber:client' \
    xmlns:stream='http://etherx.jabber.org/streams' to='{}' version='1.0'>";
const XMPP_SERVER: &str = "<?xml version='1.0'?><stream:stream xmlns='jabber:server' \
    xmlns:stream='http://etherx.jabber.org/streams' to='{}' version='1.0'>";
const XMPP_STARTTLS: &[u8] = b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>";

/// Every dialogue.
pub const SCRIPTS: &[Script] = &[
    text(
        "smtp",
        b"NOOP\r\n",
        &[
            greeting(mail::smtp_greeting),
            tell("EHLO", Say::OwnName("EHLO {}\r\n"), mail::smtp_hello),
            ask("STARTTLS", b"STARTTLS\r\n", mail::smtp_starttls),
        ],
    ),
    text(
        "lmtp",
        b"NOOP\r\n",
        &[
            greeting(mail::smtp_greeting),
            tell("LHLO", Say::OwnName("LHLO {}\r\n"), mail::smtp_hello),
            ask("STARTTLS", b"STARTTLS\r\n", mail::smtp_starttls),
        ],
    ),
    text(
        "imap",
        b"a3 NOOP\r\n",
        &[
            greeting(mail::imap_greeting),
            tell("CAPABILITY", Say::Bytes(b"a1 CAPABILITY\r\n"), mail::imap_capability),
            ask("STARTTLS", b"a2 STARTTLS\r\n", mail::imap_starttls),
        ],
    ),
    text(
        "pop3",
        b"CAPA\r\n",
        &[
            greeting(mail::pop3_greeting),
            tell("CAPA", Say::Bytes(b"CAPA\r\n"), mail::pop3_capability),
            ask("STLS", b"STLS\r\n", mail::pop3_starttls),
        ],
    ),
    text(
        "sieve",
        b"NOOP\r\n",
        &[greeting(mail::sieve_greeting), ask("STARTTLS", b"STARTTLS\r\n", mail::sieve_starttls)],
    ),
    text(
        "ftp",
        b"FEAT\r\n",
        &[
            greeting(transfer::ftp_greeting),
            tell("FEAT", Say::Bytes(b"FEAT\r\n"), transfer::ftp_features),
            ask("AUTH TLS", b"AUTH TLS\r\n", transfer::ftp_auth_tls),
            tell("AUTH SSL", Say::Bytes(b"AUTH SSL\r\n"), transfer::ftp_auth_ssl),
        ],
    ),
    text(
        "nntp",
        b"DATE\r\n",
        &[
            greeting(transfer::nntp_greeting),
            tell("CAPABILITIES", Say::Bytes(b"CAPABILITIES\r\n"), transfer::nntp_capabilities),
            ask("STARTTLS", b"STARTTLS\r\n", transfer::nntp_starttls),
        ],
    ),
    binary(
        "xmpp",
        b"",
        &[
            tell("the head of the stream", Say::Domain(XMPP_CLIENT), xmpp::features),
            ask("starttls", XMPP_STARTTLS, xmpp::proceed),
        ],
    ),
    binary(
        "xmpp-server",
        b"",
        &[
            tell("the head of the stream", Say::Domain(XMPP_SERVER), xmpp::features),
            ask("starttls", XMPP_STARTTLS, xmpp::proceed),
        ],
    ),
    text("irc", b"", &[ask("STARTTLS", b"CAP LS 302\r\nSTARTTLS\r\n", message::irc)]),
    binary("ldap", b"", &[ask("StartTLS", directory::START_TLS, directory::start_tls)]),
    // What follows a request that is not encrypted must never be read as if it had been.
    binary("postgresql", b"\0\0", &[ask("SSLRequest", &SSL_REQUEST, database::postgresql)]),
    binary(
        "mysql",
        b"",
        &[greeting(database::mysql_greeting), ask("SSLRequest", database::MYSQL_SSL_REQUEST, database::mysql_request)],
    ),
    binary("mssql", b"", &[ask("PRELOGIN", database::PRELOGIN, database::prelogin)]),
    binary("rdp", b"", &[ask("the connection request", terminal::CONNECT, terminal::rdp)]),
    binary("amqp", b"", &[ask("the AMQP header", &message::AMQP_TLS, message::amqp)]),
    binary(
        "telnet",
        b"",
        &[
            tell("WILL START_TLS", Say::Bytes(terminal::WILL), terminal::telnet_option),
            ask("START_TLS FOLLOWS", terminal::FOLLOWS, terminal::telnet_follows),
        ],
    ),
];

impl Script {
    /// The dialogue of this name.
    pub fn find(word: &str) -> Option<&'static Script> {
        SCRIPTS.iter().find(|script| script.word == word)
    }
}
