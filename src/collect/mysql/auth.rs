//! Facts about who may log in, and how they prove who they are.

use super::accounts::{self, Account, hostname};
use super::session::Session;
use super::settings::Settings;
use crate::collect::answer::{Row, clean, map, text};
use crate::model::database::{self, Auth, AuthMethod, DefaultAccount, PublicGrant, Sign};
use crate::model::{Fact, Reason, Trouble};

/// The most grants to everybody that are kept.
const MOST_GRANTS: usize = 200;
/// The rights on tables of a database that both servers have.
const RIGHTS: [&str; 19] = [
    "Select",
    "Insert",
    "Update",
    "Delete",
    "Create",
    "Drop",
    "Grant",
    "References",
    "Index",
    "Alter",
    "Create_tmp_table",
    "Lock_tables",
    "Create_view",
    "Show_view",
    "Create_routine",
    "Alter_routine",
    "Execute",
    "Event",
    "Trigger",
];
/// What shows the grants to everybody.
const GRANTS: &str = "SELECT ON mysql.db";

/// The facts, and why the list of grants is cut short, where it is.
pub async fn facts(
    session: &Session<'_>,
    settings: &Result<Settings, Trouble>,
    accounts: &Result<Vec<Account>, Trouble>,
) -> (Auth, Option<Trouble>) {
    let known = session.fact(accounts.clone(), accounts::right(session.mariadb));
    let own = hostname(settings);
    let names = |wanted: fn(&Account) -> bool| {
        map(&known, |accounts| accounts.iter().filter(|one| wanted(one)).map(Account::name).collect::<Vec<_>>())
    };
    let count =
        |wanted: fn(&Account) -> bool| map(&known, |accounts| accounts.iter().filter(|one| wanted(one)).count() as u64);
    let fast = |account: &Account| {
        account.ways.iter().any(|way| way.has_hash() && matches!(way.strength(), "sha1" | "broken"))
    };
    let fast_hashes = count(fast);
    let encryption = new_passwords(session.mariadb, settings);
    let (public_create, public_grants, cut) = grants(session, settings, &known).await;
    let auth = Auth {
        applicable: true,
        methods: map(&known, |accounts| methods(accounts, &own)),
        password_storage: storage(&encryption, &fast_hashes),
        password_encryption: encryption,
        fast_hashes,
        slow_hashes: count(|account| account.ways.iter().any(|way| way.has_hash() && way.strength() == "strong")),
        accounts_without_password: count(|account| account.logs_in() && account.ways.iter().any(|way| way.empty)),
        superusers: names(|account| account.superuser),
        login_superusers: names(|account| account.superuser && account.logs_in()),
        privileged: names(|account| account.privileged && !account.superuser && account.logs_in()),
        public_create,
        public_grants,
        default_accounts: map(&known, |accounts| defaults(accounts, &own)),
        reach: reach(settings),
    };
    (auth, cut)
}

/// Every way in of every account.
fn methods(accounts: &[Account], own: &str) -> Vec<AuthMethod> {
    let mut found = Vec::new();
    for account in accounts.iter().filter(|account| account.logs_in()) {
        for way in &account.ways {
            let name = account.name();
            let strength = way.strength();
            let method = if way.plugin.is_empty() { "mysql_native_password" } else { way.plugin.as_str() };
            let words = if way.empty { "no password" } else { method };
            found.push(AuthMethod {
                rule: if account.ways.len() == 1 { name.clone() } else { format!("{name} by {words}") },
                line: 0,
                method: method.to_owned(),
                kind: "account".to_owned(),
                address: account.host.clone(),
                remote: account.is_remote(own) && !way.is_local(),
                strength: strength.to_owned(),
                weak: database::is_weak(strength),
                seen: format!("{words} for {name}"),
            });
        }
    }
    found.sort_by(|one, other| one.rule.cmp(&other.rule));
    found.dedup_by(|one, other| one.rule == other.rule);
    found
}

/// What accounts are made with where nothing else is said. MariaDB has no setting for it.
fn new_passwords(mariadb: bool, settings: &Result<Settings, Trouble>) -> Fact<String> {
    let settings = match settings {
        Ok(settings) => settings,
        Err(trouble) => return Fact::unknown(trouble.to_string()),
    };
    if mariadb {
        return Fact::unknown("MariaDB has no setting for it: each account names its own");
    }
    let policy = settings.get("authentication_policy").and_then(|policy| policy.split(',').next()).map(str::trim);
    match (policy, settings.get("default_authentication_plugin")) {
        (Some("" | "*"), Some(plugin)) => Fact::Known(plugin.to_owned()),
        // From version 8.4 nothing else is the default.
        (Some("" | "*"), None) => Fact::Known("caching_sha2_password".to_owned()),
        (Some(factor), _) => Fact::Known(factor.trim_start_matches("*:").to_owned()),
        (None, Some(plugin)) => Fact::Known(plugin.to_owned()),
        (None, None) => Fact::unknown("the server has no setting default_authentication_plugin"),
    }
}

/// How passwords are stored.
fn storage(encryption: &Fact<String>, fast: &Fact<u64>) -> Vec<Sign> {
    let mut signs = Vec::new();
    // Where no setting decides, none is judged: what accounts have is all there is.
    if let Fact::Known(plugin) = encryption {
        let modern = !matches!(plugin.as_str(), "mysql_native_password" | "mysql_old_password");
        signs.push(Sign::new(
            "new passwords",
            Fact::Known(modern),
            format!("new accounts prove themselves by {plugin}"),
        ));
    }
    let seen = fast.known().map(|count| format!("{count} accounts have an unsalted SHA-1 hash, or an older one"));
    signs.push(Sign::new("stored passwords", map(fast, |count| *count == 0), seen.unwrap_or_default()));
    signs
}

/// The accounts that an installation makes: root, and those without a name, which everybody is.
fn defaults(accounts: &[Account], own: &str) -> Vec<DefaultAccount> {
    let is_default = |account: &&Account| !account.role && matches!(account.user.as_str(), "" | "root");
    let found = accounts.iter().filter(is_default).map(|account| {
        let remote = account.is_remote(own);
        DefaultAccount {
            name: account.name(),
            login: account.logs_in(),
            misplaced: account.user.is_empty() || remote,
            open: Fact::Known(account.logs_in() && account.ways.iter().any(|way| way.empty)),
            remote: Fact::Known(remote && account.logs_in()),
        }
    });
    let mut found: Vec<DefaultAccount> = found.collect();
    if found.is_empty() {
        found.push(DefaultAccount {
            name: "root".to_owned(),
            login: false,
            misplaced: false,
            open: Fact::Known(false),
            remote: Fact::Known(false),
        });
    }
    found
}

/// What everybody may do: by accounts without a name, by the role PUBLIC of MariaDB, or by roles that all must take.
async fn grants(
    session: &Session<'_>,
    settings: &Result<Settings, Trouble>,
    accounts: &Fact<Vec<Account>>,
) -> (Fact<bool>, Fact<Vec<PublicGrant>>, Option<Trouble>) {
    let unknown = |why: &str| (Fact::unknown(why), Fact::unknown(why), None);
    let accounts = match accounts {
        Fact::Known(accounts) => accounts,
        Fact::Unknown(why) => return unknown(&why.unknown),
    };
    let mut found = Vec::new();
    let mut create = false;
    for (sql, right) in statements() {
        let rows = match session.rows(&sql).await {
            Ok(rows) => rows,
            Err(trouble) => return unknown(session.fact::<()>(Err(trouble), right).reason().unwrap_or_default()),
        };
        for row in &rows {
            match grant(row) {
                Ok(grant) if !grant.privileges.is_empty() => {
                    create |= grant.privileges.split(", ").any(|right| right.eq_ignore_ascii_case("create"));
                    found.push(grant);
                }
                Ok(_) => {}
                Err(trouble) => return unknown(&trouble.to_string()),
            }
        }
    }
    let everybody = |account: &&Account| account.global && (account.user.is_empty() || account.user == "PUBLIC");
    found.extend(accounts.iter().filter(everybody).map(|account| PublicGrant {
        object: format!("everything, by {}", account.name()),
        privileges: "global rights".to_owned(),
    }));
    let roles = settings.as_ref().ok().and_then(|settings| settings.get("mandatory_roles")).unwrap_or_default();
    found.extend(
        roles
            .split(',')
            .map(str::trim)
            .filter(|role| !role.is_empty())
            .map(|role| PublicGrant { object: format!("role {role}"), privileges: "mandatory".to_owned() }),
    );
    found.sort_by(|one, other| one.object.cmp(&other.object));
    let cut = (found.len() > MOST_GRANTS)
        .then(|| Trouble::new(Reason::TooLarge, format!("more than {MOST_GRANTS} grants to everybody")));
    found.truncate(MOST_GRANTS);
    (Fact::Known(create), Fact::Known(found), cut)
}

/// What is asked about grants to everybody, and the right that it needs.
fn statements() -> [(String, &'static str); 3] {
    let everybody = "User IN ('', 'PUBLIC')";
    let rights: Vec<String> =
        RIGHTS.iter().map(|right| format!("IF({right}_priv = 'Y', '{}', NULL)", right.to_uppercase())).collect();
    let limit = MOST_GRANTS + 1;
    [
        (
            format!(
                "SELECT CONCAT('database ', Db), CONCAT_WS(', ', {}) FROM mysql.db WHERE {everybody} \
                 ORDER BY Db LIMIT {limit}",
                rights.join(", ")
            ),
            GRANTS,
        ),
        (
            format!(
                "SELECT CONCAT('table ', Db, '.', Table_name), REPLACE(CONCAT_WS(',', NULLIF(Table_priv, ''), \
                 NULLIF(Column_priv, '')), ',', ', ') FROM mysql.tables_priv WHERE {everybody} \
                 ORDER BY Db, Table_name LIMIT {limit}"
            ),
            "SELECT ON mysql.tables_priv",
        ),
        (
            format!(
                "SELECT CONCAT('routine ', Db, '.', Routine_name), REPLACE(Proc_priv, ',', ', ') FROM mysql.procs_priv \
                 WHERE {everybody} ORDER BY Db, Routine_name LIMIT {limit}"
            ),
            "SELECT ON mysql.procs_priv",
        ),
    ]
}

fn grant(row: &Row) -> Result<PublicGrant, Trouble> {
    Ok(PublicGrant { object: clean(&text(row, 0)?), privileges: clean(&text(row, 1)?) })
}

/// Switches that widen what an account reaches.
fn reach(settings: &Result<Settings, Trouble>) -> Vec<Sign> {
    let settings = match settings {
        Ok(settings) => settings,
        Err(trouble) => return vec![Sign::new("files of clients", Fact::unknown(trouble.to_string()), "")],
    };
    let shown = |name: &str| settings.get(name).map(|value| format!("{name} is {value}")).unwrap_or_default();
    let files = match settings.get("secure_file_priv") {
        Some(folder) => Sign::new(
            "files of the server",
            Fact::Known(!folder.is_empty()),
            match folder {
                "" => {
                    "secure_file_priv is empty: whoever has FILE reads and writes every file of the server's".to_owned()
                }
                folder => format!("secure_file_priv is {folder}"),
            },
        ),
        None => Sign::new("files of the server", settings.switch("secure_file_priv"), ""),
    };
    let clients = map(&settings.switch("local_infile"), |on| !on);
    vec![Sign::new("files of clients", clients, shown("local_infile")), files]
}

#[cfg(test)]
mod tests {
    use super::super::accounts::Way;
    use super::*;

    fn account(user: &str, host: &str, plugin: &str, empty: bool) -> Account {
        let ways = vec![Way { plugin: plugin.to_owned(), empty }];
        Account { user: user.to_owned(), host: host.to_owned(), ways, ..Account::default() }
    }

    #[test]
    fn root_from_afar_and_accounts_of_everybody_are_misplaced() {
        let accounts = [
            account("", "%", "mysql_native_password", true),
            account("root", "%", "caching_sha2_password", false),
            account("root", "localhost", "unix_socket", false),
            account("app", "%", "caching_sha2_password", false),
        ];
        let found = defaults(&accounts, "db1");
        let told: Vec<_> = found.iter().map(|one| (one.name.as_str(), one.misplaced, one.open.clone())).collect();
        let known = Fact::Known;
        assert_eq!(
            told,
            [("@%", true, known(true)), ("root@%", true, known(false)), ("root@localhost", false, known(false))]
        );
        assert!(!defaults(&accounts[3..], "db1")[0].login);
    }

    #[test]
    fn each_way_in_is_named() {
        let mut both = account("root", "localhost", "unix_socket", false);
        both.ways.push(Way { plugin: "mysql_native_password".into(), empty: false });
        let locked = Account { locked: true, ..account("mariadb.sys", "localhost", "mysql_native_password", true) };
        let open = account("old", "%", "", true);
        let found = methods(&[both, locked, open], "db1");
        let told: Vec<_> = found.iter().map(|one| (one.rule.as_str(), one.strength.as_str(), one.remote)).collect();
        assert_eq!(
            told,
            [
                ("old@%", "none", true),
                ("root@localhost by mysql_native_password", "sha1", false),
                ("root@localhost by unix_socket", "strong", false)
            ]
        );
    }

    #[test]
    fn the_default_of_new_accounts() {
        let of = |pairs: &[(&str, &str)]| new_passwords(false, &Ok(Settings::of(pairs)));
        let known = |word: &str| Fact::Known(word.to_owned());
        assert_eq!(of(&[("default_authentication_plugin", "mysql_native_password")]), known("mysql_native_password"));
        assert_eq!(of(&[("authentication_policy", "*,,")]), known("caching_sha2_password"));
        assert_eq!(of(&[("authentication_policy", "*:mysql_native_password,,")]), known("mysql_native_password"));
        assert!(of(&[]).known().is_none());
        assert_eq!(storage(&new_passwords(true, &Ok(Settings::of(&[]))), &Fact::Known(0)).len(), 1);
    }

    #[test]
    fn switches_that_are_not_there_are_unknown() {
        let signs = reach(&Ok(Settings::of(&[("local_infile", "ON"), ("secure_file_priv", "")])));
        assert_eq!((&signs[0].yes, &signs[1].yes), (&Fact::Known(false), &Fact::Known(false)));
        let signs = reach(&Ok(Settings::of(&[("secure_file_priv", "NULL")])));
        assert!(signs[0].yes.known().is_none());
        assert_eq!(signs[1].yes, Fact::Known(true));
    }
}
