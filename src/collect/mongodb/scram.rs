//! The proof of a password by SCRAM-SHA-256 (RFC 5802, RFC 7677), in which each side shows the other that it knows it.

use crate::collect::Secret;
use crate::model::{Reason, Trouble};
use aws_lc_rs::{constant_time, digest, hmac, pbkdf2};
use data_encoding::BASE64;
use std::num::NonZeroU32;

/// The name of the mechanism.
pub const NAME: &str = "SCRAM-SHA-256";
/// What the standard asks for at least; fewer rounds would make the proof worth guessing from.
const FEWEST: u32 = 4096;
/// What a server may make us work at most: under a second.
const MOST: u32 = 500_000;

/// The client's side, after its first message.
pub struct Client {
    nonce: String,
    bare: String,
}

/// The client's side, after its proof.
pub struct Proven {
    expected: hmac::Tag,
}

impl Client {
    /// Begins as a user, with eighteen random bytes, and gives the first message.
    pub fn new(user: &str, random: [u8; 18]) -> (Client, String) {
        let nonce = BASE64.encode(&random);
        let bare = format!("n={},r={nonce}", user.replace('=', "=3D").replace(',', "=2C"));
        let first = format!("n,,{bare}");
        (Client { nonce, bare }, first)
    }

    /// The proof, for the server's first message.
    ///
    /// # Errors
    /// Where the message breaks the rules, or the password has characters that none may have.
    pub fn prove(self, Secret(password): &Secret, first: &str) -> Result<(Proven, String), Trouble> {
        let mut parts = first.split(',');
        let mut part = |name: &str| parts.next().and_then(|part| part.strip_prefix(name)).ok_or_else(broken);
        let (nonce, salt, rounds) = (part("r=")?, part("s=")?, part("i=")?);
        let salt = BASE64.decode(salt.as_bytes()).map_err(|_| broken())?;
        let rounds = rounds.parse().ok().filter(|rounds| (FEWEST..=MOST).contains(rounds)).and_then(NonZeroU32::new);
        let rounds = rounds.ok_or_else(broken)?;
        // A longer one that begins with ours: else an old answer is played again.
        if nonce.len() <= self.nonce.len() || !nonce.starts_with(&self.nonce) {
            return Err(broken());
        }
        let password = stringprep::saslprep(password).map_err(|_| {
            Trouble::new(Reason::AuthenticationFailed, "the password has characters that this login does not allow")
        })?;
        let mut salted = [0; 32];
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, rounds, &salt, password.as_bytes(), &mut salted);
        let salted = hmac::Key::new(hmac::HMAC_SHA256, &salted);
        let client = hmac::sign(&salted, b"Client Key");
        let stored = digest::digest(&digest::SHA256, client.as_ref());
        let bound = format!("c=biws,r={nonce}");
        let message = format!("{},{first},{bound}", self.bare);
        let signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, stored.as_ref()), message.as_bytes());
        let proof: Vec<u8> = client.as_ref().iter().zip(signature.as_ref()).map(|(key, sign)| key ^ sign).collect();
        let server = hmac::sign(&salted, b"Server Key");
        let expected = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, server.as_ref()), message.as_bytes());
        Ok((Proven { expected }, format!("{bound},p={}", BASE64.encode(&proof))))
    }
}

impl Proven {
    /// Whether the server knows the password too.
    ///
    /// # Errors
    /// Where it does not show that.
    pub fn verify(&self, last: &str) -> Result<(), Trouble> {
        let given = last.split(',').next().and_then(|part| part.strip_prefix("v="));
        let given = given.and_then(|given| BASE64.decode(given.as_bytes()).ok()).ok_or_else(broken)?;
        constant_time::verify_slices_are_equal(&given, self.expected.as_ref()).map_err(|_| {
            Trouble::new(Reason::AuthenticationFailed, "the server does not show that it knows the password")
        })
    }
}

fn broken() -> Trouble {
    Trouble::new(Reason::ProtocolViolation, "the server broke the rules of the login (SCRAM-SHA-256)")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 7677, section 3.
    const FIRST: &str = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";

    fn client() -> Client {
        let nonce = "rOprNGfwEbeRWgbNEkqO".to_owned();
        Client { bare: format!("n=user,r={nonce}"), nonce }
    }

    fn pencil() -> Secret {
        Secret("pencil".to_owned())
    }

    #[test]
    fn the_example_of_the_standard() {
        let (proven, last) = client().prove(&pencil(), FIRST).unwrap();
        assert_eq!(
            last,
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
        );
        assert_eq!(proven.verify("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="), Ok(()));
        assert_eq!(proven.verify("v=AAAA").unwrap_err().reason, Reason::AuthenticationFailed);
        assert_eq!(proven.verify("e=other-error").unwrap_err().reason, Reason::ProtocolViolation);
    }

    #[test]
    fn a_server_that_breaks_the_rules_gets_no_proof() {
        for (good, bad) in [
            ("i=4096", "i=1"),
            ("i=4096", "i=4000000000"),
            ("i=4096", "i=x"),
            ("s=W2", "s=*"),
            ("r=rO", "r=xO"),
            ("%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0", ""),
            ("r=", "m=ext,r="),
        ] {
            let first = FIRST.replacen(good, bad, 1);
            let refused = client().prove(&pencil(), &first).map(|(_, proof)| proof);
            assert_eq!(refused.unwrap_err().reason, Reason::ProtocolViolation, "{first}");
        }
    }

    #[test]
    fn a_name_is_written_so_that_it_ends_where_it_ends() {
        let (_, first) = Client::new("a=b,c", [0; 18]);
        assert_eq!(first, "n,,n=a=3Db=2Cc,r=AAAAAAAAAAAAAAAAAAAAAAAA");
    }
}
