//! What a server says before anybody logs in: whether it takes TLS, and whether it takes a login without.

use super::connection::{self, Connection};
use crate::collect::CollectContext;
use crate::collect::limit::{self, Limit};
use crate::model::{Reason, Trouble};
use crate::net::Stream;
use crate::wire::mysql::{Greeting, Reply};
use std::net::SocketAddr;
use std::time::Duration;

/// Time for one step of a greeting.
const STEP: Duration = Duration::from_secs(6);
/// A way that no account proves itself by: the server must name the account's own before it can judge.
const NO_WAY: &str = "probity_none";

/// What the greeting leads to.
pub enum Offer {
    /// The server waits for the TLS handshake on this connection.
    Tls(Box<dyn Stream>, Greeting),
    /// The server offers no TLS, and waits for a login.
    Plain(Connection, Greeting),
}

/// What a login without TLS met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlainLogin {
    /// `refused`, `asked` or `accepted`.
    pub word: &'static str,
    /// In words.
    pub seen: String,
}

/// Opens a connection, reads the greeting, and asks for TLS where it is offered.
pub async fn open(cx: &CollectContext, address: SocketAddr) -> Result<Offer, Trouble> {
    let mut connection = Connection::new(cx.dial.connect(address, STEP).await?);
    let opening = async {
        let greeting = connection.greeting().await?;
        match greeting.offers_tls() {
            true => Ok(Offer::Tls(connection.ask_for_tls().await?, greeting)),
            false => Ok(Offer::Plain(connection, greeting)),
        }
    };
    let offer: Result<Offer, connection::Fault> = limit::run(cx, Limit::new(STEP, "the greeting"), opening).await?;
    offer.map_err(|fault| connection::trouble(&fault, "the greeting"))
}

/// Begins a login without TLS and looks at the first answer. Nothing secret is sent.
pub async fn try_plaintext(cx: &CollectContext, address: SocketAddr, user: &str) -> Result<PlainLogin, Trouble> {
    let mut connection = Connection::new(cx.dial.connect(address, STEP).await?);
    let limit = Limit::new(STEP, "the answer to a login without TLS");
    let knock = async {
        connection.greeting().await?;
        connection.knock(user, NO_WAY).await
    };
    let reply = limit::run(cx, limit, knock).await?;
    let _ = tokio::time::timeout(STEP, connection.hang_up()).await;
    match reply {
        Ok(reply) => judge(&reply),
        Err(fault) => Err(connection::trouble(&fault, "a login without TLS")),
    }
}

/// What the answer to a login without TLS and without a proof says.
fn judge(reply: &Reply) -> Result<PlainLogin, Trouble> {
    match reply {
        Reply::Ok => Ok(PlainLogin { word: "accepted", seen: "logged in without any proof, in clear".to_owned() }),
        Reply::Switch { plugin, .. } => {
            let plugin: String = plugin.chars().filter(|letter| !letter.is_control()).take(40).collect();
            let seen = format!("asked for a proof by {plugin} on a connection in clear; none was sent");
            Ok(PlainLogin { word: "asked", seen })
        }
        Reply::More(_) => {
            Ok(PlainLogin { word: "asked", seen: "asked for a proof in clear; none was sent".to_owned() })
        }
        Reply::Error(problem) if problem.code == 3159 => Ok(PlainLogin {
            word: "refused",
            seen: "refused by rule before any password was asked for (error 3159)".to_owned(),
        }),
        Reply::Error(problem) => Err(Trouble::new(
            Reason::Refused,
            format!("the server answered a login without TLS with error {}, which settles nothing", problem.code),
        )),
        Reply::Columns(_) | Reply::File => {
            Err(Trouble::new(Reason::ProtocolViolation, "the answer to a login without TLS is not one of MySQL's"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::mysql::Problem;

    #[test]
    fn only_a_refusal_by_rule_is_one() {
        assert_eq!(judge(&Reply::Error(Problem { code: 3159 })).unwrap().word, "refused");
        assert_eq!(judge(&Reply::Error(Problem { code: 1045 })).unwrap_err().reason, Reason::Refused);
        assert_eq!(judge(&Reply::Error(Problem { code: 1040 })).unwrap_err().reason, Reason::Refused);
    }

    #[test]
    fn a_question_for_a_proof_is_no_acceptance_yet() {
        let switch = Reply::Switch { plugin: "caching_sha2_password".into(), nonce: Vec::new() };
        assert_eq!(judge(&switch).unwrap().word, "asked");
        assert_eq!(judge(&Reply::Ok).unwrap().word, "accepted");
        assert!(judge(&Reply::File).is_err());
    }
}
