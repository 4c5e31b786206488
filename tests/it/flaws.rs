//! Known flaws of TLS servers: real servers that have them, real servers that do not, and servers that break off.

use crate::support::Scratch;
use crate::support::lab::{self, Options, node};
use crate::support::tls::{look, loopback};

#[test]
fn each_server_speaks_tls() {
    let all = [
        lab::OPENSSL_1_0_0F,
        lab::OPENSSL_1_0_0M,
        lab::OPENSSL_1_0_1E,
        lab::OPENSSL_1_0_1E_MENDED,
        lab::OPENSSL_1_0_2O,
        lab::OPENSSL_1_1_1K,
        lab::OPENSSL_3_5,
    ];
    for version in all {
        let scratch = Scratch::new("lab");
        let Some((_server, port)) = node(&scratch, version, &Options::default()) else { return };
        let seen = look(loopback(port));
        assert!(!seen.protocols().is_empty(), "{version}");
    }
}
