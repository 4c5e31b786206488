//! Facts about what the server writes down: by a plugin for audits, or by the general log.

use super::session::Session;
use super::settings::Settings;
use crate::collect::answer::{clean, map, text};
use crate::model::database::{Audit, Sign};
use crate::model::{Fact, Reason, Trouble};

/// The facts.
pub async fn facts(session: &Session<'_>, settings: &Result<Settings, Trouble>) -> Result<Audit, Trouble> {
    let settings = settings.as_ref().map_err(Trouble::clone)?;
    let loaded = loaded(session).await;
    Ok(judge(settings, loaded, session.version.clone()))
}

/// Which plugin or component for audits is loaded.
async fn loaded(session: &Session<'_>) -> Fact<Option<String>> {
    let plugins = "SELECT PLUGIN_NAME FROM information_schema.PLUGINS WHERE PLUGIN_STATUS = 'ACTIVE' \
                   AND LOWER(PLUGIN_NAME) LIKE '%audit%' ORDER BY 1 LIMIT 1";
    let first = |rows: Vec<Vec<Option<String>>>| rows.first().map(|row| text(row, 0)).transpose();
    match session.rows(plugins).await.and_then(first) {
        Ok(Some(name)) => return Fact::Known(Some(clean(&name))),
        Ok(None) if session.mariadb => return Fact::Known(None),
        Ok(None) => {}
        Err(trouble) => return Fact::unknown(trouble.to_string()),
    }
    let components = "SELECT component_urn FROM mysql.component WHERE component_urn LIKE '%audit%' ORDER BY 1 LIMIT 1";
    match session.rows(components).await.and_then(first) {
        Ok(name) => Fact::Known(name.map(|name| clean(&name))),
        // Before version 8.0 there are no components.
        Err(trouble) if trouble.reason == Reason::Unsupported => Fact::Known(None),
        Err(trouble) => session.fact(Err(trouble), "SELECT ON mysql.component"),
    }
}

/// What one way of logging covers.
struct Coverage {
    sessions: Fact<bool>,
    statements: Fact<&'static str>,
    place: Option<String>,
    words: String,
}

fn judge(settings: &Settings, loaded: Fact<Option<String>>, version: String) -> Audit {
    let ways = [by_plugin(settings, &loaded), by_general_log(settings)];
    let sessions = any(&ways, |way| way.sessions.clone());
    let definitions = any(&ways, |way| map(&way.statements, |word| *word != "none"));
    let words =
        ways.iter().map(|way| way.words.as_str()).filter(|words| !words.is_empty()).collect::<Vec<_>>().join(", ");
    let place = place(&ways, &sessions);
    let statements = match (any(&ways, |way| map(&way.statements, |word| *word == "all")), &definitions) {
        (Fact::Known(true), _) => Fact::Known("all".to_owned()),
        (_, Fact::Known(true)) => Fact::Known("ddl".to_owned()),
        (_, Fact::Known(false)) => Fact::Known("none".to_owned()),
        (_, Fact::Unknown(why)) => Fact::Unknown(why.clone()),
    };
    let classes = match (settings.get("server_audit_events"), settings.get("audit_log_policy"), &loaded) {
        (Some(""), ..) => Fact::Known("all".to_owned()),
        (Some(events), ..) => Fact::Known(events.to_owned()),
        (_, Some(policy), _) => Fact::Known(policy.to_owned()),
        (.., Fact::Known(None)) => Fact::Known("none".to_owned()),
        (.., Fact::Known(Some(_))) => Fact::unknown("the plugin's own filters decide, which are not read"),
        (.., Fact::Unknown(why)) => Fact::Unknown(why.clone()),
    };
    Audit {
        applicable: true,
        logging: vec![
            Sign::new("new sessions", sessions.clone(), words.clone()),
            Sign::new("ends of sessions", sessions.clone(), words.clone()),
            Sign::new("changes of definitions", definitions, words),
            Sign::new(
                "a place for the log",
                map(&place, |place| !place.is_empty()),
                match &place {
                    Fact::Known(place) if place.is_empty() => "nothing is logged".to_owned(),
                    Fact::Known(place) => format!("the log goes to {place}"),
                    Fact::Unknown(_) => String::new(),
                },
            ),
        ],
        connections: sessions.clone(),
        disconnections: sessions,
        statements,
        collector: map(&place, |place| !matches!(place.as_str(), "" | "syslog" | "TABLE")),
        destination: place,
        extension: map(&loaded, Option::is_some),
        extension_classes: classes,
        server_version: Fact::Known(version),
    }
}

/// What the plugin for audits logs: MariaDB's `server_audit`, or the `audit_log` of MySQL and Percona.
fn by_plugin(settings: &Settings, loaded: &Fact<Option<String>>) -> Coverage {
    if let Some(on) = settings.is_on("server_audit_logging") {
        let events = settings.get("server_audit_events").unwrap_or_default().to_ascii_uppercase();
        let has = |wanted: &[&str]| events.is_empty() || events.split(',').any(|event| wanted.contains(&event.trim()));
        let statements = match () {
            () if on && has(&["QUERY"]) => "all",
            () if on && has(&["QUERY_DDL"]) => "ddl",
            () => "none",
        };
        let file = settings.get("server_audit_file_path").unwrap_or_default();
        let place = match settings.get("server_audit_output_type") {
            Some("syslog") => "syslog",
            _ => file,
        };
        let of = if events.is_empty() { "every event" } else { &events };
        return Coverage {
            sessions: Fact::Known(on && has(&["CONNECT"])),
            statements: Fact::Known(statements),
            place: on.then(|| place.to_owned()),
            words: format!("server_audit is {} for {of}", if on { "on" } else { "off" }),
        };
    }
    if let Some(policy) = settings.get("audit_log_policy") {
        let policy = policy.to_ascii_uppercase();
        return Coverage {
            sessions: Fact::Known(matches!(policy.as_str(), "ALL" | "LOGINS")),
            statements: Fact::Known(if matches!(policy.as_str(), "ALL" | "QUERIES") { "all" } else { "none" }),
            place: settings.get("audit_log_file").map(str::to_owned),
            words: format!("audit_log_policy is {policy}"),
        };
    }
    match loaded {
        Fact::Known(None) => Coverage {
            sessions: Fact::Known(false),
            statements: Fact::Known("none"),
            place: None,
            words: "no plugin for audits is loaded".to_owned(),
        },
        Fact::Known(Some(name)) => {
            let why = format!("{name} is loaded, and its own filters decide what it logs, which are not read");
            Coverage {
                sessions: Fact::unknown(&why),
                statements: Fact::unknown(&why),
                place: None,
                words: String::new(),
            }
        }
        Fact::Unknown(why) => Coverage {
            sessions: Fact::Unknown(why.clone()),
            statements: Fact::Unknown(why.clone()),
            place: None,
            words: String::new(),
        },
    }
}

fn by_general_log(settings: &Settings) -> Coverage {
    let output = settings.get("log_output").unwrap_or_default().to_owned();
    let on = map(&settings.switch("general_log"), |on| *on && !output.eq_ignore_ascii_case("none"));
    let words = on.known().map(|on| format!("general_log is {}", if *on { "on" } else { "off" }));
    Coverage {
        statements: map(&on, |on| if *on { "all" } else { "none" }),
        place: on.known().filter(|on| **on).map(|_| output),
        words: words.unwrap_or_default(),
        sessions: on,
    }
}

/// True where any way covers it, false where none does, else unknown.
fn any(ways: &[Coverage], of: impl Fn(&Coverage) -> Fact<bool>) -> Fact<bool> {
    let answers: Vec<Fact<bool>> = ways.iter().map(of).collect();
    if answers.contains(&Fact::Known(true)) {
        return Fact::Known(true);
    }
    answers.into_iter().find(|answer| answer.known().is_none()).unwrap_or(Fact::Known(false))
}

/// Where what is logged goes; empty for nowhere.
fn place(ways: &[Coverage], sessions: &Fact<bool>) -> Fact<String> {
    let places: Vec<&str> =
        ways.iter().filter_map(|way| way.place.as_deref()).filter(|place| !place.is_empty()).collect();
    match (places.first(), sessions) {
        (Some(place), _) => Fact::Known((*place).to_owned()),
        (None, Fact::Unknown(why)) => Fact::Unknown(why.clone()),
        (None, _) => Fact::Known(String::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn audit(pairs: &[(&str, &str)], loaded: Fact<Option<String>>) -> Audit {
        judge(&Settings::of(pairs), loaded, "8.0.40".to_owned())
    }

    fn yes(audit: &Audit) -> Vec<Option<bool>> {
        audit.logging.iter().map(|sign| sign.yes.known().copied()).collect()
    }

    const NO_GENERAL: (&str, &str) = ("general_log", "OFF");

    #[test]
    fn server_audit_by_its_events() {
        let plugin = || Fact::Known(Some("SERVER_AUDIT".to_owned()));
        let path = ("server_audit_file_path", "audit.log");
        let on = ("server_audit_logging", "ON");
        let all = audit(&[on, path, ("server_audit_events", ""), NO_GENERAL], plugin());
        assert_eq!(yes(&all), [Some(true); 4]);
        assert_eq!(all.statements, Fact::Known("all".to_owned()));
        let some = audit(&[on, path, ("server_audit_events", "CONNECT,QUERY_DDL"), NO_GENERAL], plugin());
        assert_eq!((yes(&some), some.statements), (vec![Some(true); 4], Fact::Known("ddl".to_owned())));
        let dml = audit(&[on, path, ("server_audit_events", "QUERY_DML"), NO_GENERAL], plugin());
        assert_eq!(yes(&dml), [Some(false), Some(false), Some(false), Some(true)]);
        let off = audit(&[("server_audit_logging", "OFF"), path, NO_GENERAL], plugin());
        assert_eq!(yes(&off), [Some(false); 4]);
    }

    #[test]
    fn the_general_log_or_a_policy_will_do() {
        let general = audit(&[("general_log", "ON"), ("log_output", "FILE")], Fact::Known(None));
        assert_eq!(yes(&general), [Some(true); 4]);
        let nowhere = audit(&[("general_log", "ON"), ("log_output", "NONE")], Fact::Known(None));
        assert_eq!(yes(&nowhere), [Some(false); 4]);
        let logins = audit(&[("audit_log_policy", "LOGINS"), ("audit_log_file", "a"), NO_GENERAL], Fact::Known(None));
        assert_eq!(yes(&logins), [Some(true), Some(true), Some(false), Some(true)]);
    }

    #[test]
    fn what_is_not_read_is_unknown() {
        let filters = audit(&[NO_GENERAL], Fact::Known(Some("file://component_audit_log_filter".to_owned())));
        assert_eq!(yes(&filters), [None; 4]);
        let hidden = audit(&[NO_GENERAL], Fact::unknown("may not read"));
        assert_eq!((yes(&hidden), hidden.extension.known()), (vec![None; 4], None));
    }
}
