//! Targets on a command line.

use super::{address, secrets};
use crate::model::{Target, TargetKind};
use crate::yaml::Diagnostic;
use std::sync::Arc;

const DECLARE_DATABASE: &str = "a database is declared in probity.yaml: - { id: main, kind: database, engine: postgresql, address: \"db.example:5432\", credentials: { user: auditor, password: \"env:NAME\" } }";
const DECLARE_FILE: &str =
    "a file is declared in probity.yaml: - { id: archive, kind: file, engine: sqlite, address: data/archive.sqlite }";

/// The endpoints that these arguments name, and hints at what may not be meant.
pub(super) fn targets(arguments: &[String]) -> Result<(Vec<Target>, Vec<Diagnostic>), Vec<Diagnostic>> {
    let targets = endpoints(arguments)?;
    let databases = targets.iter().filter(|target| target.connection.starttls.as_deref() == Some("postgresql"));
    let hint =
        |target: &Target| mistake(&target.id, "only how this database speaks TLS is looked at").help(DECLARE_DATABASE);
    let hints = databases.map(hint).collect();
    Ok((targets, hints))
}

fn endpoints(arguments: &[String]) -> Result<Vec<Target>, Vec<Diagnostic>> {
    let mut targets: Vec<Target> = Vec::new();
    let mut mistakes = Vec::new();
    if arguments.is_empty() {
        mistakes.push(Diagnostic::of_file("command line", "there is nothing to look at").help("name a host"));
    }
    for argument in arguments {
        match target(argument) {
            Ok(target) if targets.iter().any(|other| other.id == target.id) => {
                mistakes.push(mistake(argument, "repeated target").help("name each target once"));
            }
            Ok(target) => targets.push(target),
            Err(mistake) => mistakes.push(*mistake),
        }
    }
    if mistakes.is_empty() { Ok(targets) } else { Err(mistakes) }
}

fn target(argument: &str) -> Result<Target, Box<Diagnostic>> {
    let scheme = argument.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
    match scheme.as_deref() {
        // With no more than a host, how it speaks TLS is looked at; what is in it needs a declaration.
        Some("postgresql" | "postgres" | "mysql" | "mariadb" | "mongodb" | "redis") if names_database(argument) => {
            return Err(mistake(argument, "a database cannot be named on the command line")
                .help(DECLARE_DATABASE)
                .into());
        }
        Some("sqlite" | "file") => {
            return Err(mistake(argument, "a file cannot be named on the command line").help(DECLARE_FILE).into());
        }
        None if looks_like_file(argument) => {
            return Err(mistake(argument, "a file cannot be named on the command line").help(DECLARE_FILE).into());
        }
        _ => {}
    }
    let address =
        address::parse(argument, 443).map_err(|wrong| Box::new(mistake(argument, &wrong.message).help(wrong.help)))?;
    let mut target = Target::new(argument, TargetKind::Endpoint, address.joined());
    address.note_in(&mut target.connection);
    Ok(target)
}

/// Whether a URL names a database in a server, or who logs in to it, or a service that TLS is no part of.
fn names_database(argument: &str) -> bool {
    let (scheme, rest) = argument.split_once("://").unwrap_or_default();
    scheme.eq_ignore_ascii_case("redis") || rest.trim_end_matches('/').contains(['/', '@', '?'])
}

fn looks_like_file(argument: &str) -> bool {
    let ending = argument.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase());
    argument.contains(['/', '\\'])
        || matches!(ending.as_deref(), Some("sqlite" | "sqlite3" | "db" | "db3" | "yaml" | "yml"))
}

/// A mistake in an argument, which stands in the place of a text. A login in it is hidden.
fn mistake(argument: &str, message: &str) -> Diagnostic {
    let shown: String = if secrets::holds_login(argument) {
        argument.chars().map(|_| '•').collect()
    } else {
        argument.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
    };
    let end = shown.len();
    Diagnostic::at("command line", Arc::from(shown), 0..end, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first_mistake(argument: &str) -> Diagnostic {
        endpoints(&[argument.to_owned()]).err().and_then(|mistakes| mistakes.into_iter().next()).unwrap()
    }

    #[test]
    fn an_endpoint_keeps_the_text_as_its_id() {
        let targets = endpoints(&["https://Shop.example/".to_owned(), "[::1]:8443".to_owned()]).unwrap_or_default();
        let seen: Vec<_> = targets.iter().map(|t| (t.id.as_str(), t.address.as_str(), t.connection.port)).collect();
        assert_eq!(seen, [("https://Shop.example/", "shop.example:443", 443), ("[::1]:8443", "[::1]:8443", 8443)]);
    }

    #[test]
    fn a_service_is_named_before_the_host() {
        let targets =
            endpoints(&["smtp://mx.example".to_owned(), "mysql://db.example:3307".to_owned()]).unwrap_or_default();
        let seen: Vec<_> = targets.iter().map(|t| (t.address.as_str(), t.connection.starttls.as_deref())).collect();
        assert_eq!(seen, [("mx.example:25", Some("smtp")), ("db.example:3307", Some("mysql"))]);
        let hints = |argument: &str| super::targets(&[argument.to_owned()]).map(|(_, hints)| hints.len()).unwrap_or(9);
        assert_eq!((hints("postgresql://db.example"), hints("smtp://mx.example")), (1, 0));
        assert!(first_mistake("smpt://mx.example").help.unwrap().contains("did you mean `smtp://`?"));
    }

    #[test]
    fn databases_and_files_are_refused_with_what_to_write() {
        assert!(first_mistake("postgresql://db.example/app").help.unwrap().contains("kind: database"));
        assert!(first_mistake("redis://db.example").help.unwrap().contains("kind: database"));
        assert!(first_mistake("data/archive.sqlite").help.unwrap().contains("kind: file"));
        assert!(first_mistake("archive.db").help.unwrap().contains("kind: file"));
    }

    #[test]
    fn a_login_is_not_shown() {
        let mistake = first_mistake("postgresql://auditor:hunter2@db.example/app");
        assert!(!format!("{mistake:?}").contains("hunter2"));
        let mistake = first_mistake("https://auditor:hunter2@shop.example/");
        assert!(!format!("{mistake:?}").contains("hunter2"));
    }

    #[test]
    fn every_mistake_is_told() {
        let arguments = ["shop.example", "shop.example", "shop.example:0"].map(str::to_owned);
        assert_eq!(endpoints(&arguments).err().map(|mistakes| mistakes.len()), Some(2));
        assert!(endpoints(&[]).is_err());
    }
}
