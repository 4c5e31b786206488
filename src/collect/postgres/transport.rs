//! Facts about what goes over the network.

use super::greeting::PlainLogin;
use super::hba::{self, Rule};
use super::session::{Row, Session, fact, number, text, yes};
use super::settings::Settings;
use crate::model::database::{self, Sign, Transport};
use crate::model::{Fact, Reason, Trouble};

/// The grant for the rows of other sessions.
const STATS: &str = "GRANT pg_read_all_stats (or pg_monitor) TO the audit role would show it";
/// The grant for the rules.
const RULES: &str = "GRANT SELECT ON pg_hba_file_rules TO the audit role and GRANT EXECUTE ON FUNCTION \
                     pg_hba_file_rules() TO it and GRANT EXECUTE ON FUNCTION pg_catalog.pg_stat_file(text) TO it and \
                     GRANT pg_read_all_settings TO it would show it";
/// The grant for where the file of rules is.
const PLACE: &str = "GRANT pg_read_all_settings (or pg_monitor) TO the audit role would show it";
/// The grant for the time of the file of rules.
const TIME: &str = "GRANT EXECUTE ON FUNCTION pg_catalog.pg_stat_file(text) TO the audit role would show it";
/// The most rules that are taken.
const MOST_RULES: usize = 2000;

/// What was seen before the login.
pub struct Greeting {
    /// The server agreed to TLS.
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
    /// The server's switch, and the versions it accepts.
    ssl: Fact<String>,
    min: Fact<String>,
    max: Fact<String>,
    forced: Option<bool>,
    own: Result<Row, Trouble>,
    sessions: Fact<(u64, u64)>,
    /// The rules.
    pub rules: Fact<Vec<Rule>>,
}

impl Answers {
    /// Asks the server.
    pub async fn ask(session: &Session<'_>, settings: &Result<Settings, Trouble>) -> Answers {
        let own = "SELECT s.ssl, coalesce(host(a.client_addr), '') FROM pg_catalog.pg_stat_ssl s \
                   JOIN pg_catalog.pg_stat_activity a USING (pid) WHERE pid = pg_backend_pid()";
        let setting = |name| match settings {
            Ok(settings) => settings.fact(name),
            Err(trouble) => Fact::unknown(trouble.to_string()),
        };
        let forced = settings.as_ref().ok().and_then(|settings| settings.switch("rds.force_ssl").known().copied());
        Answers {
            ssl: setting("ssl"),
            min: version(setting("ssl"), setting("ssl_min_protocol_version"), "TLSv1.0"),
            max: version(setting("ssl"), setting("ssl_max_protocol_version"), "TLSv1.3"),
            forced: settings.is_ok().then_some(()).and(forced),
            own: session.row(own).await,
            sessions: sessions(session).await,
            rules: rules(session).await,
        }
    }

    /// The answers where nobody could log in.
    pub fn none(trouble: &Trouble) -> Answers {
        let unknown = || Fact::unknown(trouble.to_string());
        Answers {
            ssl: unknown(),
            min: unknown(),
            max: unknown(),
            forced: None,
            own: Err(trouble.clone()),
            sessions: Fact::unknown(trouble.to_string()),
            rules: Fact::unknown(trouble.to_string()),
        }
    }
}

/// Sessions from other machines: those without TLS, and all.
async fn sessions(session: &Session<'_>) -> Fact<(u64, u64)> {
    let allowed = session.row("SELECT pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE')").await;
    match allowed.and_then(|row| yes(&row, 0)) {
        Ok(true) => {}
        // Without it, the rows of others are there with null in their addresses: they would not be counted.
        Ok(false) => {
            let hidden = Trouble::new(Reason::PermissionDenied, "the audit role may not see the sessions of others");
            return fact(Err(hidden), STATS);
        }
        Err(trouble) => return fact(Err(trouble), STATS),
    }
    let sql = "SELECT count(*) FILTER (WHERE NOT s.ssl), count(*) FROM pg_catalog.pg_stat_ssl s \
               JOIN pg_catalog.pg_stat_activity a USING (pid) WHERE a.client_addr IS NOT NULL \
               AND NOT (a.client_addr <<= '127.0.0.0/8' OR a.client_addr = '::1') \
               AND a.backend_type IN ('client backend', 'walsender')";
    let counted = session.row(sql).await.and_then(|row| Ok((number(&row, 0)?, number(&row, 1)?)));
    fact(counted, STATS)
}

/// The rules as the server reads its file now, where that is also what it goes by.
async fn rules(session: &Session<'_>) -> Fact<Vec<Rule>> {
    let ask = |order: &str| {
        format!("SELECT {} FROM pg_catalog.pg_hba_file_rules ORDER BY {order} LIMIT {}", hba::COLUMNS, MOST_RULES + 1)
    };
    // From version 16 a file may include others, and lines alone give no order.
    let mut rows = session.rows(&ask("rule_number NULLS FIRST")).await;
    let includes = !rows.as_ref().is_err_and(|trouble| trouble.reason == Reason::Unsupported);
    if !includes {
        rows = session.rows(&ask("line_number")).await;
    }
    let read = rows.and_then(|rows| rows.iter().map(Rule::read).collect::<Result<Vec<_>, _>>());
    let rules = match fact(read, RULES) {
        Fact::Known(rules) => rules,
        unknown @ Fact::Unknown(_) => return unknown,
    };
    if rules.len() > MOST_RULES {
        return Fact::unknown(format!("there are more than {MOST_RULES} rules"));
    }
    if let Some(line) = rules.iter().find_map(Rule::faulty) {
        return Fact::unknown(format!(
            "the server cannot read line {line} of its rules, so it goes by older ones that nothing shows"
        ));
    }
    // The view shows the file as it is now. Only a file that is older than its loading is what the server goes by.
    match changed(session, includes).await {
        Ok(false) => Fact::Known(rules),
        Ok(true) => Fact::unknown("the file of rules was changed after the server loaded it, or in the same second"),
        Err(why) => Fact::unknown(format!("whether the server goes by the rules in its file is not known: {why}")),
    }
}

/// Whether a file of rules was changed after the server loaded it, or in words why that cannot be told.
async fn changed(session: &Session<'_>, includes: bool) -> Result<bool, String> {
    let place = session.row("SELECT pg_catalog.current_setting('hba_file')").await;
    place.map_err(|trouble| granted(&trouble, PLACE))?;
    let files = if includes { " UNION SELECT file_name FROM pg_catalog.pg_hba_file_rules" } else { "" };
    // A file that was moved here may have been written long ago: then the change of its entry is what is new. Times of
    // files are in whole seconds, so one of the very second of the loading may be that of a later change.
    let newer = format!(
        "SELECT coalesce(bool_or(greatest(s.modification, s.change) \
         >= pg_catalog.date_trunc('second', pg_catalog.pg_conf_load_time())), true) \
         FROM (SELECT pg_catalog.current_setting('hba_file'){files}) f (name), pg_catalog.pg_stat_file(f.name) s"
    );
    let trouble = match session.row(&newer).await.and_then(|row| yes(&row, 0)) {
        Ok(changed) => return Ok(changed),
        Err(trouble) => trouble,
    };
    let sql = "SELECT pg_catalog.has_function_privilege('pg_catalog.pg_stat_file(text)', 'EXECUTE')";
    let may = session.row(sql).await.and_then(|row| yes(&row, 0));
    if trouble.reason == Reason::PermissionDenied && may == Ok(true) {
        // The right to look there is the right to read every file of the server's, so that it is not proposed.
        return Err(format!(
            "{trouble}; the file is outside the server's own folder, where the time of a file is shown to a superuser \
             alone: a run as a superuser on the server itself would show it"
        ));
    }
    Err(granted(&trouble, TIME))
}

/// A trouble in words, with the grant that would mend it where a right is missing.
fn granted(trouble: &Trouble, grant: &str) -> String {
    match trouble.reason {
        Reason::PermissionDenied => format!("{trouble}; {grant}"),
        _ => trouble.to_string(),
    }
}

/// A protocol version as a fact. With TLS off the setting looks good and means nothing.
fn version(ssl: Fact<String>, setting: Fact<String>, unset: &str) -> Fact<String> {
    match (ssl, setting) {
        (Fact::Known(ssl), _) if ssl != "on" => Fact::unknown("TLS is off, so the setting has no effect"),
        (Fact::Unknown(unknown), _) | (_, Fact::Unknown(unknown)) => Fact::Unknown(unknown),
        (_, Fact::Known(value)) => Fact::Known(match value.as_str() {
            "" => unset.to_owned(),
            "TLSv1" => "TLSv1.0".to_owned(),
            _ => value,
        }),
    }
}

/// The facts from both.
pub fn facts(greeting: &Greeting, answers: &Answers) -> Transport {
    let (plain_sessions, remote_sessions) = match &answers.sessions {
        Fact::Known((plain, all)) => (Fact::Known(*plain), Fact::Known(*all)),
        Fact::Unknown(why) => (Fact::Unknown(why.clone()), Fact::Unknown(why.clone())),
    };
    let hba = match &answers.rules {
        Fact::Known(rules) => Fact::Known(hba::facts(rules)),
        Fact::Unknown(why) => Fact::Unknown(why.clone()),
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
        min_protocol: answers.min.clone(),
        max_protocol: answers.max.clone(),
        plaintext_login: fact(
            greeting.plain.clone().map(|login| if login.accepted { "accepted" } else { "refused" }.to_owned()),
            "",
        ),
        plain_sessions,
        remote_sessions,
        hba,
        encryption: encryption(greeting, answers),
        plaintext: plaintext(greeting, answers),
    }
}

/// Whether the server offers TLS. One byte says so; that it was TLS which followed must have shown, be it in a refusal.
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
    let offer = if greeting.offered { "the server agreed to TLS" } else { "the server refused TLS" };
    let own = match (&greeting.session, &answers.own) {
        (Err(trouble), _) if greeting.offered => Sign::new("own session", Fact::unknown(trouble.to_string()), ""),
        (Err(_), _) => Sign::new("own session", Fact::Known(false), "the server offers no TLS"),
        (Ok(session), own) => own_session(session, own.as_ref().ok()),
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
fn own_session(session: &database::Session, server: Option<&Row>) -> Sign {
    let made = format!("{} with {} was negotiated", session.protocol, session.cipher);
    let seen_there = server.and_then(|row| Some((yes(row, 0).ok()?, text(row, 1).ok()?)));
    match seen_there {
        Some((false, address))
            if !address.is_empty() && !address.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback()) =>
        {
            let seen = format!(
                "{made}, but TLS ends before the server, which sees a session without TLS from another machine"
            );
            Sign::new("own session", Fact::Known(false), seen)
        }
        Some((false, _)) => {
            Sign::new("own session", Fact::Known(true), format!("{made}, and ends on the server's own machine"))
        }
        _ => Sign::new("own session", Fact::Known(true), made),
    }
}

/// The ways to log in without TLS.
fn plaintext(greeting: &Greeting, answers: &Answers) -> Vec<Sign> {
    let trial = match &greeting.plain {
        Ok(login) => Sign::new("login tried without TLS", Fact::Known(login.accepted), login.seen.clone()),
        Err(trouble) => Sign::new("login tried without TLS", Fact::unknown(trouble.to_string()), ""),
    };
    let name = "rules for other machines";
    let rules = match (&answers.rules, answers.forced) {
        (_, Some(true)) => Sign::new(name, Fact::Known(false), "rds.force_ssl is on"),
        (Fact::Known(rules), _) => {
            let lines = hba::plaintext_lines(rules);
            let seen = if lines.is_empty() {
                "no rule admits another machine without TLS".to_owned()
            } else {
                let named: Vec<String> = lines.iter().take(20).map(u32::to_string).collect();
                format!("line {} admits other machines without TLS", named.join(", "))
            };
            Sign::new(name, Fact::Known(!lines.is_empty()), seen)
        }
        (Fact::Unknown(why), _) => Sign::new(name, Fact::Unknown(why.clone()), ""),
    };
    vec![trial, rules]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(text: &str) -> Fact<String> {
        Fact::Known(text.to_owned())
    }

    #[test]
    fn a_version_means_nothing_where_tls_is_off() {
        assert!(version(known("off"), known("TLSv1.2"), "TLSv1.0").known().is_none());
        assert_eq!(version(known("on"), known("TLSv1"), "TLSv1.0"), known("TLSv1.0"));
        assert_eq!(version(known("on"), known(""), "TLSv1.0"), known("TLSv1.0"));
        assert_eq!(version(known("on"), known("TLSv1.3"), "TLSv1.0"), known("TLSv1.3"));
    }

    #[test]
    fn tls_that_ends_before_the_server_is_no_encryption() {
        let session =
            database::Session { protocol: "TLSv1.3".into(), cipher: "TLS_AES_256_GCM_SHA384".into(), bits: 256 };
        let row = |ssl: &str, address: &str| vec![Some(ssl.to_owned()), Some(address.to_owned())];
        assert_eq!(own_session(&session, Some(&row("f", "10.0.0.7"))).yes, Fact::Known(false));
        assert_eq!(own_session(&session, Some(&row("f", ""))).yes, Fact::Known(true));
        assert_eq!(own_session(&session, Some(&row("f", "127.0.0.1"))).yes, Fact::Known(true));
        assert_eq!(own_session(&session, Some(&row("t", "10.0.0.7"))).yes, Fact::Known(true));
    }

    #[test]
    fn a_refusal_in_tls_shows_that_tls_is_offered() {
        let trouble = Trouble::new(Reason::HandshakeRejected, "alert handshake_failure");
        let greeting = |offered| {
            let session = Err(trouble.clone());
            Greeting { offered, session, distrust: None, plain: Err(trouble.clone()) }
        };
        assert_eq!(super::offered(&greeting(true)), Fact::Known(true));
        assert_eq!(super::offered(&greeting(false)), Fact::Known(false));
    }

    #[test]
    fn what_is_not_known_is_neither_yes_nor_no() {
        let trouble = Trouble::new(Reason::TimedOut, "nothing came");
        let greeting =
            Greeting { offered: true, session: Err(trouble.clone()), distrust: None, plain: Err(trouble.clone()) };
        let facts = facts(&greeting, &Answers::none(&trouble));
        assert!(facts.tls_offered.known().is_none(), "one byte is no TLS");
        assert!(facts.encryption.iter().all(|sign| sign.yes.known().is_none()));
        assert!(facts.plaintext.iter().all(|sign| sign.yes.known().is_none()));
        assert!(facts.certificate_verified.known().is_none() && facts.plaintext_login.known().is_none());
    }
}
