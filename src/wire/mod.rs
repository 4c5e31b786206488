//! Bytes to structs and back: TLS up to the end of the server's first flight, session tickets, SSLv2, and the dialogues
//! before TLS; the tags of a page, messages of DNS, the sessions of MySQL, and what a machine's disks are told by: its
//! table of mounts, headers of volumes.
//!
//! Opens no sockets, and panics on no input: everything read here came from a peer. Every parser is bounded by
//! the bytes it is given; what may be asked for at all is bounded by [`limit`].
#![cfg_attr(not(test), deny(clippy::indexing_slicing))]

pub mod alert;
pub mod certificate;
pub mod cursor;
pub mod dialogue;
pub mod dns;
pub mod extension;
pub mod flight;
pub mod fuzz;
pub mod hello;
pub mod html;
pub mod key_exchange;
pub mod limit;
pub mod luks;
pub mod mountinfo;
pub mod mysql;
#[cfg(feature = "mongodb")]
pub mod op_msg;
pub mod postgres;
pub mod record;
pub mod resp;
pub mod sct;
pub mod server_hello;
pub mod ssl2;
pub mod ticket;
pub mod version;

pub use alert::Alert;
pub use extension::Extension;
pub use flight::{FlightReader, ServerFlight};
pub use hello::ClientHello;
pub use server_hello::ServerHello;
pub use ticket::{Issued, Ticket};
pub use version::Version;

/// Why bytes are not what they should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// They break the length rules or the grammar of the thing read.
    #[error("malformed {0}")]
    Malformed(&'static str),
    /// They go beyond a limit.
    #[error("{0} above the limit")]
    TooLarge(&'static str),
    /// They are not TLS at all; the first of them, at most 64.
    #[error("not a TLS record")]
    NotTls(Vec<u8>),
}
