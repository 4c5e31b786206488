//! Facts about what the server writes down.

use super::settings::Settings;
use crate::model::database::{Audit, Sign};
use crate::model::{Fact, Trouble};

/// The facts that the settings hold.
pub fn facts(settings: &Result<Settings, Trouble>) -> Result<Audit, Trouble> {
    let settings = settings.as_ref().map_err(Trouble::clone)?;
    let extension = extension(settings);
    let classes = match (settings.get("pgaudit.log"), &extension) {
        (Some(classes), _) => Fact::Known(if classes.is_empty() { "none" } else { classes }.to_owned()),
        (None, Fact::Known(_)) => Fact::Known("none".to_owned()),
        (None, Fact::Unknown(why)) => Fact::Unknown(why.clone()),
    };
    let logging = vec![
        switch("new sessions", settings.switch("log_connections"), "log_connections"),
        switch("ends of sessions", settings.switch("log_disconnections"), "log_disconnections"),
        statements(settings.fact("log_statement"), &classes),
        destination(&settings.fact("log_destination")),
    ];
    Ok(Audit {
        applicable: true,
        logging,
        connections: settings.switch("log_connections"),
        disconnections: settings.switch("log_disconnections"),
        statements: settings.fact("log_statement"),
        destination: settings.fact("log_destination"),
        collector: settings.switch("logging_collector"),
        extension,
        extension_classes: classes,
        server_version: settings.fact("server_version"),
    })
}

/// Whether pgaudit is loaded: its own setting shows it, else the list of libraries, which not every role sees.
fn extension(settings: &Settings) -> Fact<bool> {
    if settings.get("pgaudit.log").is_some() {
        return Fact::Known(true);
    }
    match settings.fact("shared_preload_libraries") {
        Fact::Known(libraries) => Fact::Known(libraries.split(',').any(|library| library.trim() == "pgaudit")),
        Fact::Unknown(why) => Fact::Unknown(why),
    }
}

fn switch(name: &str, yes: Fact<bool>, setting: &str) -> Sign {
    let seen = yes.known().map(|on| format!("{setting} is {}", if *on { "on" } else { "off" }));
    Sign::new(name, yes, seen.unwrap_or_default())
}

/// Changes of definitions are logged by the server or by the extension; one of them is enough.
fn statements(setting: Fact<String>, classes: &Fact<String>) -> Sign {
    let by_server = setting.known().map(|setting| matches!(setting.as_str(), "ddl" | "mod" | "all"));
    let by_extension = classes.known().map(|classes| covers_ddl(classes));
    let words = |fact: &Fact<String>| fact.known().cloned().unwrap_or_else(|| "not known".to_owned());
    let seen = format!("log_statement is {}, pgaudit.log is {}", words(&setting), words(classes));
    let yes = match (by_server, by_extension) {
        (Some(true), _) | (_, Some(true)) => Fact::Known(true),
        (Some(false), Some(false)) => Fact::Known(false),
        (None, _) => Fact::unknown(setting.reason().unwrap_or("not known")),
        (_, None) => Fact::unknown(classes.reason().unwrap_or("not known")),
    };
    Sign::new("changes of definitions", yes, seen)
}

/// The classes hold `ddl`: named or by `all`, and not taken away again.
fn covers_ddl(classes: &str) -> bool {
    let classes: Vec<String> = classes.split(',').map(|class| class.trim().to_ascii_lowercase()).collect();
    let has = |wanted: &str| classes.iter().any(|class| class == wanted);
    (has("all") || has("ddl")) && !has("-ddl") && !has("-all")
}

fn destination(setting: &Fact<String>) -> Sign {
    match setting {
        Fact::Known(place) => {
            Sign::new("a place for the log", Fact::Known(!place.is_empty()), format!("log_destination is {place}"))
        }
        Fact::Unknown(why) => Sign::new("a place for the log", Fact::Unknown(why.clone()), ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sign(pairs: &[(&str, &str)]) -> Fact<bool> {
        facts(&Ok(Settings::of(pairs))).unwrap().logging[2].yes.clone()
    }

    #[test]
    fn either_the_server_or_the_extension_logs_definitions() {
        assert_eq!(sign(&[("log_statement", "ddl")]), Fact::Known(true));
        assert_eq!(sign(&[("log_statement", "none"), ("pgaudit.log", "role, ddl")]), Fact::Known(true));
        assert_eq!(sign(&[("log_statement", "none"), ("pgaudit.log", "all, -ddl")]), Fact::Known(false));
        assert_eq!(sign(&[("log_statement", "none"), ("shared_preload_libraries", "")]), Fact::Known(false));
        assert!(sign(&[("log_statement", "none")]).known().is_none());
        assert!(sign(&[]).known().is_none());
    }

    #[test]
    fn version_18_lists_what_it_logs_of_connections() {
        let settings = Settings::of(&[("log_connections", "receipt,authorization")]);
        assert_eq!(facts(&Ok(settings)).unwrap().connections, Fact::Known(true));
        let settings = Settings::of(&[("log_connections", "")]);
        assert_eq!(facts(&Ok(settings)).unwrap().connections, Fact::Known(false));
    }
}
