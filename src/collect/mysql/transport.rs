//! Facts about what goes over the network.

use super::accounts::{self, Account, hostname};
use super::greeting::PlainLogin;
use super::session::Session;
use super::settings::Settings;
use crate::collect::answer::{fact, map, number, text};
use crate::model::database::{self, Sign, Transport};
use crate::model::{Fact, Reason, Trouble};

/// The versions of TLS, oldest first, as the servers and as we write them.
const VERSIONS: [(&str, &str); 4] =
    [("TLSv1", "TLSv1.0"), ("TLSv1.1", "TLSv1.1"), ("TLSv1.2", "TLSv1.2"), ("TLSv1.3", "TLSv1.3")];
/// The right to see how others are connected.
const THREADS: &str = "SELECT ON performance_schema.threads";

/// What was seen before the login.
pub struct Greeting {
    /// The server's version.
    pub version: String,
    /// The server offers TLS.
    pub offered: bool,
    /// The session that was made, or why none was.
    pub session: Result<database::Session, Trouble>,
    /// Why the certificate is not trusted, where it is not.
    pub distrust: Option<String>,
    /// What a login without TLS met.
    pub plain: Result<PlainLogin, Trouble>,
}

/// What the server said after the login.
pub struct Answers {
    ssl: Fact<String>,
    versions: Fact<String>,
    /// The server's rule that every session from another machine is inside TLS.
    rule: Fact<bool>,
    /// The server's own view of our session: its version of TLS, and from where we come.
    own: Result<(String, String), Trouble>,
    sessions: Fact<(u64, u64)>,
    /// Accounts that may log in from other machines without TLS.
    plain_accounts: Fact<Vec<String>>,
    /// Ours is one of them.
    plain_own: Fact<bool>,
}

impl Answers {
    /// Asks the server.
    pub async fn ask(
        session: &Session<'_>,
        settings: &Result<Settings, Trouble>,
        accounts: &Result<Vec<Account>, Trouble>,
    ) -> Answers {
        let of = |name: &str| match settings {
            Ok(settings) => settings.fact(name),
            Err(trouble) => Fact::unknown(trouble.to_string()),
        };
        let host = hostname(settings);
        let known = session.fact(accounts.clone(), accounts::right(session.mariadb));
        let plain = |one: &&Account| {
            one.logs_in() && !one.tls && one.is_remote(&host) && !one.ways.iter().all(|w| w.is_local())
        };
        Answers {
            ssl: map(&of("have_ssl"), |value| if value.eq_ignore_ascii_case("yes") { "on" } else { "off" }.to_owned()),
            versions: of("tls_version"),
            rule: match settings {
                Ok(settings) => settings.switch("require_secure_transport"),
                Err(trouble) => Fact::unknown(trouble.to_string()),
            },
            own: own(session).await,
            sessions: sessions(session, settings).await,
            plain_accounts: map(&known, |all| all.iter().filter(plain).map(Account::name).collect()),
            plain_own: match &known {
                Fact::Known(all) => {
                    let ours = all.iter().find(|one| format!("'{}'@'{}'", one.user, one.host) == session.account);
                    ours.map_or_else(
                        || Fact::unknown("our own account is not in the list"),
                        |one| Fact::Known(!one.tls),
                    )
                }
                Fact::Unknown(why) => Fact::Unknown(why.clone()),
            },
        }
    }

    /// The answers where nobody could log in.
    pub fn none(trouble: &Trouble) -> Answers {
        let why = trouble.to_string();
        Answers {
            ssl: Fact::unknown(&why),
            versions: Fact::unknown(&why),
            rule: Fact::unknown(&why),
            own: Err(trouble.clone()),
            sessions: Fact::unknown(&why),
            plain_accounts: Fact::unknown(&why),
            plain_own: Fact::unknown(&why),
        }
    }
}

async fn own(session: &Session<'_>) -> Result<(String, String), Trouble> {
    let status = session.row("SHOW SESSION STATUS LIKE 'Ssl_version'").await?;
    let from = session.row("SELECT SUBSTRING_INDEX(USER(), '@', -1)").await?;
    Ok((text(&status, 1)?, text(&from, 0)?))
}

/// Sessions from other machines: those without TLS, and all.
async fn sessions(session: &Session<'_>, settings: &Result<Settings, Trouble>) -> Fact<(u64, u64)> {
    match settings.as_ref().map(|settings| settings.is_on("performance_schema")) {
        Ok(Some(true)) => {}
        Ok(_) => {
            return Fact::unknown(
                "performance_schema is off, so that the server does not tell how others are connected; it is switched on \
                 where the server starts",
            );
        }
        Err(trouble) => return Fact::unknown(trouble.to_string()),
    }
    let sql = "SELECT COALESCE(SUM(CONNECTION_TYPE = 'TCP/IP'), 0), COUNT(*), COALESCE(SUM(CONNECTION_TYPE IS NULL), 0) \
               FROM performance_schema.threads WHERE TYPE = 'FOREGROUND' AND PROCESSLIST_USER IS NOT NULL \
               AND PROCESSLIST_HOST NOT IN ('localhost', '127.0.0.1', '::1')";
    let counted = session.row(sql).await;
    match counted.and_then(|row| Ok((number(&row, 0)?, number(&row, 1)?, number(&row, 2)?))) {
        Ok((plain, all, 0)) => Fact::Known((plain, all)),
        Ok((_, _, untold)) => {
            Fact::unknown(format!("of {untold} sessions the server does not tell how they are connected"))
        }
        Err(trouble) => session.fact(Err(trouble), THREADS),
    }
}

/// The facts from both.
pub fn facts(greeting: &Greeting, answers: &Answers) -> Transport {
    let (plain_sessions, remote_sessions) = match &answers.sessions {
        Fact::Known((plain, all)) => (Fact::Known(*plain), Fact::Known(*all)),
        Fact::Unknown(why) => (Fact::Unknown(why.clone()), Fact::Unknown(why.clone())),
    };
    Transport {
        applicable: true,
        tls_offered: offered(greeting),
        certificate_verified: match &greeting.session {
            Ok(_) => Fact::Known(greeting.distrust.is_none()),
            Err(trouble) => Fact::unknown(trouble.to_string()),
        },
        session: fact(greeting.session.clone(), ""),
        ssl_setting: answers.ssl.clone(),
        min_protocol: version(greeting, &answers.versions, false),
        max_protocol: version(greeting, &answers.versions, true),
        plaintext_login: fact(greeting.plain.clone().map(|login| login.word.to_owned()), ""),
        plain_sessions,
        remote_sessions,
        hba: Fact::Known(Vec::new()),
        encryption: encryption(greeting, answers),
        plaintext: vec![trial(greeting, answers), rule(answers)],
    }
}

/// The oldest or the newest version of the list.
fn version(greeting: &Greeting, list: &Fact<String>, newest: bool) -> Fact<String> {
    let list = match list {
        _ if !greeting.offered => return Fact::unknown("TLS is off, so the setting has no effect"),
        Fact::Known(list) => list,
        Fact::Unknown(why) => return Fact::Unknown(why.clone()),
    };
    let words: Vec<&str> = list.split(',').map(str::trim).collect();
    if words.iter().any(|word| !VERSIONS.iter().any(|(theirs, _)| theirs.eq_ignore_ascii_case(word))) {
        return Fact::unknown("tls_version names versions that are not known here");
    }
    let mut named = VERSIONS
        .iter()
        .filter(|(theirs, _)| words.iter().any(|word| theirs.eq_ignore_ascii_case(word)))
        .map(|(_, ours)| (*ours).to_owned());
    let found = if newest { named.next_back() } else { named.next() };
    found.map_or_else(|| Fact::unknown("tls_version names no version"), Fact::Known)
}

/// Whether the server offers TLS. A flag says so; that it was TLS which followed must have shown, be it in a refusal.
fn offered(greeting: &Greeting) -> Fact<bool> {
    match &greeting.session {
        Err(trouble) if greeting.offered && trouble.reason != Reason::HandshakeRejected => {
            Fact::unknown(trouble.to_string())
        }
        _ => Fact::Known(greeting.offered),
    }
}

/// Where encryption was looked for.
fn encryption(greeting: &Greeting, answers: &Answers) -> Vec<Sign> {
    let offer = if greeting.offered { "the greeting offers TLS" } else { "the greeting offers no TLS" };
    let own = match &greeting.session {
        Err(trouble) if greeting.offered => Sign::new("own session", Fact::unknown(trouble.to_string()), ""),
        Err(_) => Sign::new("own session", Fact::Known(false), "the server offers no TLS"),
        Ok(session) => own_session(session, answers.own.as_ref().ok()),
    };
    let mut signs = vec![Sign::new("offer of TLS", offered(greeting), offer), own];
    let name = "sessions of other machines";
    match &answers.sessions {
        // No session says nothing about sessions.
        Fact::Known((_, 0)) => {}
        Fact::Known((plain, all)) => signs.push(Sign::new(
            name,
            Fact::Known(*plain == 0),
            format!("{plain} of {all} sessions of other machines are without TLS at this moment"),
        )),
        Fact::Unknown(why) => signs.push(Sign::new(name, Fact::Unknown(why.clone()), "")),
    }
    signs
}

/// Our own session: encrypted where we see it, and at the server's end as well.
fn own_session(session: &database::Session, server: Option<&(String, String)>) -> Sign {
    let made = format!("{} with {} was negotiated", session.protocol, session.cipher);
    let is_near = |from: &str| from == "localhost" || from.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback());
    match server {
        Some((version, from)) if version.is_empty() && !is_near(from) => {
            let seen = format!(
                "{made}, but TLS ends before the server, which sees a session without TLS from another machine"
            );
            Sign::new("own session", Fact::Known(false), seen)
        }
        Some((version, _)) if version.is_empty() => {
            Sign::new("own session", Fact::Known(true), format!("{made}, and ends on the server's own machine"))
        }
        _ => Sign::new("own session", Fact::Known(true), made),
    }
}

/// What a login without TLS meets. Servers ask for the proof first and refuse then, so that their rule decides.
fn trial(greeting: &Greeting, answers: &Answers) -> Sign {
    let name = "login tried without TLS";
    let login = match &greeting.plain {
        Ok(login) => login,
        Err(trouble) => return Sign::new(name, Fact::unknown(trouble.to_string()), ""),
    };
    match (login.word, &answers.rule, &answers.plain_own) {
        ("refused", ..) => Sign::new(name, Fact::Known(false), login.seen.clone()),
        ("accepted", ..) => Sign::new(name, Fact::Known(true), login.seen.clone()),
        (_, Fact::Known(true), _) => {
            let seen = format!("{}; with require_secure_transport on, the server refuses then", login.seen);
            Sign::new(name, Fact::Known(false), seen)
        }
        (_, Fact::Known(false), Fact::Known(false)) => Sign::new(
            name,
            Fact::Known(false),
            format!("{}; the account must use TLS, and is refused then", login.seen),
        ),
        (_, Fact::Known(false), Fact::Known(true)) => Sign::new(name, Fact::Known(true), login.seen.clone()),
        (_, Fact::Unknown(why), _) | (_, _, Fact::Unknown(why)) => Sign::new(
            name,
            Fact::unknown(format!(
                "the server {}, and whether it refuses then is not known: {}",
                login.seen, why.unknown
            )),
            "",
        ),
    }
}

/// The server's rule, or else those of the accounts.
fn rule(answers: &Answers) -> Sign {
    let name = "rules for other machines";
    match (&answers.rule, &answers.plain_accounts) {
        (Fact::Known(true), _) => Sign::new(name, Fact::Known(false), "require_secure_transport is on"),
        (Fact::Unknown(why), _) | (_, Fact::Unknown(why)) => Sign::new(name, Fact::Unknown(why.clone()), ""),
        (_, Fact::Known(accounts)) if accounts.is_empty() => {
            let seen = "require_secure_transport is off, and every account of other machines must use TLS";
            Sign::new(name, Fact::Known(false), seen)
        }
        (_, Fact::Known(accounts)) => {
            let named: Vec<&str> = accounts.iter().take(20).map(String::as_str).collect();
            let seen = format!("require_secure_transport is off, and TLS is not asked of {}", named.join(", "));
            Sign::new(name, Fact::Known(true), seen)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn greeting(word: &'static str) -> Greeting {
        Greeting {
            version: "8.0.40".to_owned(),
            offered: true,
            session: Err(Trouble::new(Reason::HandshakeRejected, "no")),
            distrust: None,
            plain: Ok(PlainLogin { word, seen: "asked for a proof".to_owned() }),
        }
    }

    fn answers(rule: Fact<bool>, own: Fact<bool>) -> Answers {
        Answers { rule, plain_own: own, ..Answers::none(&Trouble::new(Reason::TimedOut, "late")) }
    }

    #[test]
    fn a_question_for_a_proof_is_judged_by_the_rule() {
        let unknown = || Fact::unknown("may not read");
        for (word, rule, own, yes) in [
            ("asked", Fact::Known(true), unknown(), Some(false)),
            ("asked", Fact::Known(false), Fact::Known(true), Some(true)),
            ("asked", Fact::Known(false), Fact::Known(false), Some(false)),
            ("asked", Fact::Known(false), unknown(), None),
            ("asked", unknown(), unknown(), None),
            ("accepted", Fact::Known(true), unknown(), Some(true)),
            ("refused", unknown(), unknown(), Some(false)),
        ] {
            assert_eq!(trial(&greeting(word), &answers(rule, own)).yes.known().copied(), yes, "{word}");
        }
    }

    #[test]
    fn the_oldest_and_the_newest_version_of_a_list() {
        let of = |list: &str, newest| version(&greeting("asked"), &Fact::Known(list.to_owned()), newest);
        assert_eq!(of("TLSv1.2,TLSv1.3", false), Fact::Known("TLSv1.2".to_owned()));
        assert_eq!(of("TLSv1.3, TLSv1 ,TLSv1.1", false), Fact::Known("TLSv1.0".to_owned()));
        assert_eq!(of("TLSv1.1,TLSv1.2", true), Fact::Known("TLSv1.2".to_owned()));
        assert!(of("", false).known().is_none() && of("TLSv1.2,TLSv1.4", false).known().is_none());
        let off = Greeting { offered: false, ..greeting("asked") };
        assert!(version(&off, &Fact::Known("TLSv1.3".to_owned()), false).known().is_none());
    }

    #[test]
    fn tls_that_ends_before_the_server_is_no_encryption() {
        let session =
            database::Session { protocol: "TLSv1.3".into(), cipher: "TLS_AES_256_GCM_SHA384".into(), bits: 256 };
        let seen = |version: &str, from: &str| {
            own_session(&session, Some(&(version.to_owned(), from.to_owned()))).yes.known().copied()
        };
        assert_eq!(seen("", "10.0.0.7"), Some(false));
        assert_eq!((seen("", "localhost"), seen("TLSv1.3", "10.0.0.7")), (Some(true), Some(true)));
    }
}
