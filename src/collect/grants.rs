//! What gives an audit account the rights that a look needs, and no more: a script, or a policy, for each kind of store.

use crate::model::Target;
use crate::model::TargetKind;
use crate::model::retention::Schedule;
use crate::model::target::Engine;

/// What stands in the place of a password that a person chooses.
const CHOOSE: &str = "a long random one";

/// The script or policy for the account that the target names, with what the retention schedule counts there and, where
/// `persons` are looked for, the columns that name one.
///
/// # Errors
/// In words, where there is none for this kind of target or this name of an account.
pub fn script(target: &Target, schedule: Option<&Schedule>, persons: bool) -> Result<String, String> {
    let user = target.connection.user.as_deref().unwrap_or("auditor");
    // A script is run by an administrator: a name that could end a word of it is written by hand.
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "_-.".contains(letter);
    if target.engine.is_some() && (user.is_empty() || !user.chars().all(plain)) {
        return Err("the account has a name of other than letters, digits, `_`, `-` and `.`".to_owned());
    }
    match (target.kind, target.engine) {
        (TargetKind::Objects, _) => Ok(super::objects::policy(target.connection.database.as_deref().unwrap_or("*"))),
        (TargetKind::Cloud, _) if target.address == "aws" => Ok(super::cloud::POLICY.to_owned()),
        (_, Some(engine)) => of_engine(engine, target, user, (schedule, persons)),
        (kind, None) => Err(format!("a target of kind {} has no account", kind.word())),
    }
}

fn of_engine(
    engine: Engine,
    target: &Target,
    user: &str,
    (schedule, persons): (Option<&Schedule>, bool),
) -> Result<String, String> {
    let database = target.connection.database.as_deref().unwrap_or_default();
    let sets = schedule.map(|schedule| schedule.sets_of(&target.id)).unwrap_or_default();
    let lines = match engine {
        #[cfg(feature = "postgres")]
        Engine::Postgresql => super::postgres::grants(user, &sets, persons),
        #[cfg(feature = "mysql")]
        Engine::Mysql | Engine::Mariadb => {
            let account = format!("'{user}'@'%'");
            let mut lines = vec![
                "-- in the place of % stands the network that the account comes from, such as 10.0.0.%".to_owned(),
                format!("CREATE USER {account} IDENTIFIED BY '{CHOOSE}' REQUIRE SSL;"),
            ];
            lines.extend(super::mysql::grants(engine == Engine::Mariadb, &account, &sets, database, persons));
            lines
        }
        Engine::Redis | Engine::Valkey => {
            vec![format!("ACL SETUSER {user} on >a-long-random-one {}", super::redis::RIGHTS)]
        }
        #[cfg(feature = "clickhouse")]
        Engine::Clickhouse => {
            let mut lines =
                vec![format!("CREATE USER {user} IDENTIFIED BY '{CHOOSE}' HOST ANY SETTINGS readonly = 1;")];
            lines.extend(super::clickhouse::RIGHTS.iter().map(|right| format!("GRANT {right} TO {user};")));
            lines
        }
        #[cfg(feature = "mongodb")]
        Engine::Mongodb => vec![
            "use admin".to_owned(),
            super::mongodb::ROLE.to_owned(),
            format!(
                "db.createUser({{ user: \"{user}\", pwd: \"{CHOOSE}\", roles: [\"audit\"], mechanisms: [\"SCRAM-SHA-256\"] }})"
            ),
        ],
        Engine::Sqlite => return Err("a file has no accounts; whoever looks needs to read it".to_owned()),
        #[cfg(not(all(feature = "clickhouse", feature = "mongodb", feature = "mysql", feature = "postgres")))]
        _ => return Err(format!("this build does not look at {}", engine.name())),
    };
    Ok(lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(engine: Engine, user: &str) -> Target {
        let mut target = Target::new("db", TargetKind::Database, "db.example");
        target.engine = Some(engine);
        target.connection.user = Some(user.to_owned());
        target
    }

    #[test]
    fn a_name_that_could_end_a_word_is_refused() {
        for name in ["a'b", "a b", "a;b", "a\"b", "a\nb", ""] {
            for engine in [Engine::Redis, Engine::Sqlite] {
                assert!(script(&target(engine, name), None, false).is_err(), "{name}");
            }
        }
        assert!(
            script(&target(Engine::Redis, "auditor-1"), None, false).unwrap().starts_with("ACL SETUSER auditor-1 on >")
        );
    }

    #[test]
    fn what_has_no_account_says_so() {
        assert!(script(&Target::new("a", TargetKind::Domain, "a.example"), None, false).is_err());
        assert!(script(&Target::new("a", TargetKind::Cloud, "elsewhere"), None, false).is_err());
        let mut bucket = Target::new("a", TargetKind::Objects, "s3://shop");
        bucket.connection.database = Some("shop".to_owned());
        let policy: serde_json::Value = serde_json::from_str(&script(&bucket, None, false).unwrap()).unwrap();
        assert_eq!(policy["Statement"][0]["Resource"][0], "arn:aws:s3:::shop");
    }

    #[test]
    fn the_scripts_are_those_of_the_readme() {
        let readme = include_str!("../../README.md");
        for engine in
            [Engine::Postgresql, Engine::Redis, Engine::Clickhouse, Engine::Mongodb, Engine::Mariadb, Engine::Mysql]
        {
            let script = script(&target(engine, "auditor"), None, false).unwrap();
            for line in script.lines().filter(|line| !line.starts_with("--") && *line != "use admin") {
                let line = line.replace("'%'", "'10.0.0.%'").replace("HOST ANY", "HOST IP '10.0.0.0/24'");
                assert!(readme.contains(&line), "README.md lacks {line}");
            }
        }
    }
}
