//! Facts about who may log in, and what it can reach. No hash is asked for.

use super::session::Session;
use crate::collect::answer::{Row, clean, fact, map, text};
use crate::model::database::{self, Auth, AuthMethod, DefaultAccount, PublicGrant, Sign};
use crate::model::{Fact, Reason, Trouble};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// The account that an installation makes, and that every client without a name is.
const DEFAULT: &str = "default";
const USERS: &str = "SELECT name, toString(auth_type), arrayStringConcat(host_ip, ' '), \
                     arrayStringConcat(arrayConcat(host_names, host_names_regexp, host_names_like), ' ') FROM system.users";
const GRANTS: &str = "SELECT user_name, role_name, toString(access_type) FROM system.grants \
                      WHERE database IS NULL AND is_partial_revoke = 0";
const ROLES: &str = "SELECT user_name, role_name, granted_role_name FROM system.role_grants";
/// Whoever may do one of these gives himself every other right.
const SUPER: [&str; 6] = ["ALL", "ACCESS MANAGEMENT", "CREATE USER", "ALTER USER", "ROLE ADMIN", "ALTER ROLE"];
/// Rights by which an account reaches files, other servers, or the server itself.
const FAR: [&str; 12] = [
    "FILE",
    "HDFS",
    "JDBC",
    "MYSQL",
    "ODBC",
    "POSTGRES",
    "REMOTE",
    "S3",
    "SOURCES",
    "SYSTEM",
    "SYSTEM SHUTDOWN",
    "URL",
];
/// The most lines of one list.
const MOST: usize = 100_000;

#[derive(Clone, Debug, PartialEq, Eq)]
struct Account {
    name: String,
    ways: Vec<String>,
    remote: bool,
    rights: BTreeSet<String>,
}

impl Account {
    fn has(&self, rights: &[&str]) -> Vec<String> {
        rights.iter().filter(|right| self.rights.contains(**right)).map(|right| (*right).to_owned()).collect()
    }

    fn is_superuser(&self) -> bool {
        !self.has(&SUPER).is_empty()
    }

    fn is_open(&self) -> bool {
        self.ways.iter().any(|way| way == "no_password")
    }
}

/// Asks the server.
pub async fn ask(session: &Session<'_>) -> Auth {
    let users = session.rows(USERS, "system.users").await;
    let grants = session.rows(GRANTS, "system.grants").await;
    let roles = session.rows(ROLES, "system.role_grants").await;
    let accounts = users.and_then(|users| accounts(&users, &grants?, &roles?));
    judge(&fact(accounts, &session.grant("SHOW ACCESS ON *.*")))
}

fn accounts(users: &[Row], grants: &[Row], roles: &[Row]) -> Result<Vec<Account>, Trouble> {
    if users.len().max(grants.len()).max(roles.len()) > MOST {
        return Err(Trouble::new(Reason::TooLarge, format!("more than {MOST} accounts or grants")));
    }
    // Rights and roles of each holder; a role's name is told apart from a user's.
    let mut rights: BTreeMap<(bool, String), BTreeSet<String>> = BTreeMap::new();
    for row in grants {
        rights.entry(holder(row)?).or_default().insert(text(row, 2)?);
    }
    let mut held: BTreeMap<(bool, String), BTreeSet<String>> = BTreeMap::new();
    for row in roles {
        held.entry(holder(row)?).or_default().insert(text(row, 2)?);
    }
    let account = |row: &Row| {
        let name = text(row, 0)?;
        let (mut all, mut met, mut next) = (BTreeSet::new(), BTreeSet::new(), vec![(false, name.clone())]);
        while let Some(one) = next.pop() {
            all.extend(rights.get(&one).into_iter().flatten().cloned());
            let roles = held.get(&one).into_iter().flatten().map(|role| (true, role.clone()));
            next.extend(roles.filter(|role| met.insert(role.1.clone())).collect::<Vec<_>>());
        }
        Ok(Account { name: clean(&name), ways: ways(&text(row, 1)?), remote: is_remote(row)?, rights: all })
    };
    users.iter().map(account).collect()
}

fn holder(row: &Row) -> Result<(bool, String), Trouble> {
    match (row.first(), row.get(1)) {
        (Some(Some(user)), Some(None)) => Ok((false, user.clone())),
        (Some(None), Some(Some(role))) => Ok((true, role.clone())),
        _ => Err(Trouble::new(Reason::ProtocolViolation, "a grant has no holder, or two")),
    }
}

/// `sha256_password`, or since version 24.9 a list: `['sha256_password','ssh_key']`.
fn ways(told: &str) -> Vec<String> {
    told.trim_matches(['[', ']'])
        .split(',')
        .map(|way| clean(way.trim_matches('\'')))
        .filter(|way| !way.is_empty())
        .collect()
}

/// Whether clients of other machines may log in as it.
fn is_remote(row: &Row) -> Result<bool, Trouble> {
    let near = |word: &str| {
        let (address, bits) = word.split_once('/').unwrap_or((word, ""));
        let whole = matches!(bits, "" | "32" | "128");
        address
            .parse::<IpAddr>()
            .is_ok_and(|ip| ip.to_canonical().is_loopback() && (whole || ip.is_ipv4() && bits == "8"))
    };
    let (addresses, names) = (text(row, 2)?, text(row, 3)?);
    Ok(!addresses.split_whitespace().all(near) || !names.split_whitespace().all(|name| name == "localhost"))
}

fn strength(ways: &[String]) -> &'static str {
    const ORDER: [(&str, &str); 13] = [
        ("no_password", "none"),
        ("plaintext_password", "cleartext"),
        ("double_sha1_password", "sha1"),
        ("double_sha1_hash", "sha1"),
        ("sha256_password", "strong"),
        ("sha256_hash", "strong"),
        ("bcrypt_password", "strong"),
        ("scram_sha256_password", "strong"),
        ("ldap", "external"),
        ("kerberos", "external"),
        ("ssl_certificate", "external"),
        ("ssh_key", "external"),
        ("http", "external"),
    ];
    // The weakest of an account's ways decides, and one that is not known is worse than a good one.
    let known = |way: &String| ORDER.iter().any(|(name, _)| name == way);
    let weakest = ORDER.iter().find(|(name, _)| ways.iter().any(|way| way == name));
    match weakest {
        Some((_, strength)) if matches!(*strength, "none" | "cleartext" | "sha1") || ways.iter().all(known) => strength,
        _ => "unknown",
    }
}

fn judge(accounts: &Fact<Vec<Account>>) -> Auth {
    let names = |wanted: &dyn Fn(&Account) -> bool| {
        map(accounts, |all| all.iter().filter(|one| wanted(one)).map(|one| one.name.clone()).collect::<Vec<_>>())
    };
    let count = |kinds: &'static [&'static str]| {
        map(accounts, |all| {
            all.iter().filter(|one| one.ways.iter().any(|way| kinds.contains(&way.as_str()))).count() as u64
        })
    };
    let fast =
        count(&["plaintext_password", "double_sha1_password", "double_sha1_hash", "sha256_password", "sha256_hash"]);
    let is_default_open = |all: &Vec<Account>| all.iter().any(|one| one.name == DEFAULT && one.is_open());
    Auth {
        applicable: true,
        methods: map(accounts, |all| all.iter().map(method).collect()),
        password_encryption: Fact::unknown("each account says for itself how its password is kept"),
        password_storage: vec![Sign::new(
            "stored passwords",
            map(&fast, |count| *count == 0),
            fast.known()
                .map(|count| format!("{count} accounts have a hash that is fast to guess, or none"))
                .unwrap_or_default(),
        )],
        fast_hashes: fast,
        slow_hashes: count(&["bcrypt_password", "scram_sha256_password"]),
        accounts_without_password: map(accounts, |all| all.iter().filter(|one| one.is_open()).count() as u64),
        superusers: names(&Account::is_superuser),
        login_superusers: names(&Account::is_superuser),
        privileged: names(&|one| !one.is_superuser() && !one.has(&FAR).is_empty()),
        public_create: map(accounts, is_default_open),
        public_grants: map(accounts, |all| match is_default_open(all) {
            true => {
                vec![PublicGrant {
                    object: format!("the store, as {DEFAULT}"),
                    privileges: "all that it may do".to_owned(),
                }]
            }
            false => Vec::new(),
        }),
        default_accounts: map(accounts, |all| {
            let own = all.iter().find(|one| one.name == DEFAULT);
            vec![DefaultAccount {
                name: DEFAULT.to_owned(),
                login: own.is_some(),
                misplaced: false,
                open: Fact::Known(own.is_some_and(Account::is_open)),
                remote: Fact::Known(own.is_some_and(|own| own.remote)),
            }]
        }),
        reach: vec![reach(accounts)],
    }
}

fn method(one: &Account) -> AuthMethod {
    let strength = strength(&one.ways);
    AuthMethod {
        rule: one.name.clone(),
        line: 0,
        method: one.ways.join(", "),
        kind: "account".to_owned(),
        address: String::new(),
        remote: one.remote,
        strength: strength.to_owned(),
        weak: database::is_weak(strength),
        seen: format!("{} for {}", one.ways.join(", "), one.name),
    }
}

fn reach(accounts: &Fact<Vec<Account>>) -> Sign {
    let far = map(accounts, |all| {
        let one = |one: &Account| (!one.is_superuser()).then(|| (one.name.clone(), one.has(&FAR)));
        all.iter().filter_map(one).filter(|(_, far)| !far.is_empty()).collect::<Vec<_>>()
    });
    let seen = match far.known().map(Vec::as_slice) {
        Some([]) => "none but superusers may reach files, other servers or the server itself".to_owned(),
        Some(far) => {
            let one = |(name, far): &(String, Vec<String>)| format!("{name} has {}", far.join(", "));
            far.iter().take(10).map(one).collect::<Vec<_>>().join("; ")
        }
        None => String::new(),
    };
    Sign::new("rights beyond an account's tables", map(&far, Vec::is_empty), seen)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(cells: &[&str]) -> Row {
        cells.iter().map(|cell| (*cell != "-").then(|| (*cell).to_owned())).collect()
    }

    fn of(users: &[&[&str]], grants: &[&[&str]], roles: &[&[&str]]) -> Result<Auth, Trouble> {
        let rows = |rows: &[&[&str]]| rows.iter().map(|one| row(one)).collect::<Vec<_>>();
        accounts(&rows(users), &rows(grants), &rows(roles)).map(|all| judge(&Fact::Known(all)))
    }

    #[test]
    fn rights_come_by_roles_of_roles_too() {
        let users: &[&[&str]] = &[&["root", "sha256_password", "::1", ""], &["app", "['bcrypt_password']", "::/0", ""]];
        let roles: &[&[&str]] = &[&["root", "-", "a"], &["-", "a", "b"], &["-", "b", "a"], &["app", "-", "c"]];
        let auth = of(users, &[&["-", "b", "ACCESS MANAGEMENT"], &["-", "c", "S3"]], roles).unwrap();
        assert_eq!(auth.superusers, Fact::Known(vec!["root".to_owned()]));
        assert_eq!(auth.privileged, Fact::Known(vec!["app".to_owned()]));
        assert_eq!((auth.fast_hashes, auth.slow_hashes), (Fact::Known(1), Fact::Known(1)));
        assert_eq!(auth.reach[0].seen, "app has S3");
        let methods = auth.methods.known().unwrap();
        assert_eq!((methods[0].remote, methods[1].remote), (false, true));
        assert!(!auth.default_accounts.known().unwrap()[0].login);
        // A grant that nobody holds is no answer.
        assert!(of(users, &[&["-", "-", "ALL"]], &[]).is_err() && of(&[&["a"]], &[], &[]).is_err());
    }

    #[test]
    fn the_weakest_way_counts() {
        for (told, wanted) in [
            ("no_password", "none"),
            ("plaintext_password", "cleartext"),
            ("['sha256_password','no_password']", "none"),
            ("['bcrypt_password','ssh_key']", "strong"),
            ("['bcrypt_password','new_thing']", "unknown"),
            ("ldap", "external"),
            ("", "unknown"),
        ] {
            assert_eq!(strength(&ways(told)), wanted, "{told}");
        }
        let auth = of(&[&["default", "no_password", "::/0", ""]], &[], &[]).unwrap();
        let default = &auth.default_accounts.known().unwrap()[0];
        assert_eq!((default.login, &default.open, &default.remote), (true, &Fact::Known(true), &Fact::Known(true)));
        assert_eq!(auth.public_create, Fact::Known(true));
    }
}
