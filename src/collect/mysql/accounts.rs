//! The accounts of a server, as its own tables have them.
//!
//! A hash never leaves the server: whether there is one is what is asked.

use super::session::Session;
use super::settings::Settings;
use crate::collect::answer::{Row, clean, number, text};
use crate::model::{Reason, Trouble};

/// The right that shows accounts, by server.
pub const fn right(mariadb: bool) -> &'static str {
    match mariadb {
        true => "SELECT (Host, User, Priv) ON mysql.global_priv",
        false => "SELECT ON mysql.user",
    }
}

/// The most accounts that are taken.
const MOST: usize = 10_000;
/// The most further ways of one account.
const WAYS: usize = 3;
/// The rights over everything that MariaDB keeps as bits: SUPER, and both GRANT OPTION and CREATE USER.
const SUPER: u64 = 1 << 15;
const MAKES_ACCOUNTS: u64 = 1 << 25 | 1 << 10;
/// FILE, GRANT OPTION, CREATE USER, REPLICATION SLAVE, SHUTDOWN.
const PRIVILEGED: [u64; 5] = [1 << 9, 1 << 10, 1 << 25, 1 << 19, 1 << 7];

/// One account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// Its name; empty for everybody.
    pub user: String,
    /// From where it may log in.
    pub host: String,
    /// How it may prove itself.
    pub ways: Vec<Way>,
    /// It must use TLS.
    pub tls: bool,
    /// It may not log in.
    pub locked: bool,
    /// It is a role, which nobody logs in as.
    pub role: bool,
    /// It may do everything, or give itself the right to.
    pub superuser: bool,
    /// It may make accounts, replicate, or reach files.
    pub privileged: bool,
    /// It may do something everywhere.
    pub global: bool,
}

/// A way to prove oneself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Way {
    /// The plugin.
    pub plugin: String,
    /// Nothing is to be proved: there is no password.
    pub empty: bool,
}

impl Account {
    /// For example `app@%`.
    pub fn name(&self) -> String {
        format!("{}@{}", self.user, self.host)
    }

    /// Somebody may log in as it.
    pub fn logs_in(&self) -> bool {
        !self.locked && !self.role && !self.ways.is_empty()
    }

    /// Clients of other machines may try.
    pub fn is_remote(&self, hostname: &str) -> bool {
        let host = self.host.to_ascii_lowercase();
        let own = host == "localhost" || (!hostname.is_empty() && host == hostname.to_ascii_lowercase());
        let loopback = host.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback()) || host.starts_with("127.0.0.");
        !own && !loopback
    }
}

impl Way {
    /// `none`, `broken`, `sha1`, `strong`, `external` or `unknown`.
    pub fn strength(&self) -> &'static str {
        match self.plugin.as_str() {
            _ if self.empty => "none",
            "mysql_old_password" => "broken",
            "" | "mysql_native_password" => "sha1",
            "caching_sha2_password" | "sha256_password" | "ed25519" | "parsec" => "strong",
            "unix_socket" | "auth_socket" => "strong",
            "pam"
            | "auth_pam"
            | "authentication_pam"
            | "authentication_ldap_simple"
            | "authentication_ldap_sasl"
            | "authentication_kerberos"
            | "authentication_windows"
            | "authentication_fido"
            | "authentication_webauthn"
            | "authentication_openid_connect"
            | "gssapi"
            | "named_pipe" => "external",
            _ => "unknown",
        }
    }

    /// Only clients on the server's own machine can take it.
    pub fn is_local(&self) -> bool {
        matches!(self.plugin.as_str(), "unix_socket" | "auth_socket" | "named_pipe")
    }

    /// It rests on a password that the server keeps a hash of.
    pub fn has_hash(&self) -> bool {
        !self.empty && matches!(self.strength(), "broken" | "sha1" | "strong") && !self.is_local()
    }
}

/// Reads every account, sorted by name.
pub async fn read(session: &Session<'_>) -> Result<Vec<Account>, Trouble> {
    let sql = if session.mariadb { of_mariadb() } else { of_mysql() };
    let rows = session.rows(&sql).await?;
    if rows.len() > MOST {
        return Err(Trouble::new(Reason::TooLarge, format!("there are more than {MOST} accounts")));
    }
    let mut accounts = rows
        .iter()
        .map(|row| if session.mariadb { mariadb(row) } else { mysql(row) })
        .collect::<Result<Vec<_>, Trouble>>()?;
    accounts.sort_by_key(Account::name);
    Ok(accounts)
}

fn of_mysql() -> String {
    format!(
        "SELECT User, Host, plugin, authentication_string = '', ssl_type <> '', account_locked = 'Y', \
         Super_priv = 'Y' OR (Grant_priv = 'Y' AND Create_user_priv = 'Y'), \
         'Y' IN (File_priv, Grant_priv, Create_user_priv, Repl_slave_priv, Shutdown_priv), \
         'Y' IN (Select_priv, Insert_priv, Update_priv, Delete_priv, Create_priv, Drop_priv, Super_priv) \
         FROM mysql.user ORDER BY User, Host LIMIT {}",
        MOST + 1
    )
}

fn mysql(row: &Row) -> Result<Account, Trouble> {
    let way = Way { plugin: clean(&text(row, 2)?), empty: number(row, 3)? == 1 };
    // Outside proofs need no string of the server's.
    let way = Way { empty: way.empty && matches!(way.strength_of_plugin(), "sha1" | "broken" | "hash"), ..way };
    Ok(Account {
        user: clean(&text(row, 0)?),
        host: clean(&text(row, 1)?),
        ways: vec![way],
        tls: number(row, 4)? == 1,
        locked: number(row, 5)? == 1,
        role: false,
        superuser: number(row, 6)? == 1,
        privileged: number(row, 7)? == 1,
        global: number(row, 8)? == 1,
    })
}

/// The table behind the view `mysql.user`, which alone tells what is locked. Each account is a document there.
fn of_mariadb() -> String {
    let value = |path: &str| format!("COALESCE(JSON_VALUE(Priv, '$.{path}'), '')");
    let state = |path: &str| {
        let string = value(&format!("{path}authentication_string"));
        format!("{}, CASE {string} WHEN '' THEN 0 WHEN 'invalid' THEN 2 ELSE 1 END", value(&format!("{path}plugin")))
    };
    let ways: Vec<String> = (0..WAYS).map(|way| state(&format!("auth_or[{way}]."))).collect();
    format!(
        "SELECT User, Host, {}, {}, {}, {}, {}, COALESCE(JSON_LENGTH(Priv, '$.auth_or'), 0), {} \
         FROM mysql.global_priv ORDER BY User, Host LIMIT {}",
        state(""),
        value("ssl_type"),
        value("account_locked"),
        value("is_role"),
        value("access"),
        ways.join(", "),
        MOST + 1
    )
}

fn mariadb(row: &Row) -> Result<Account, Trouble> {
    let main = way(row, 2)?;
    let count = number(row, 8)?;
    if count > WAYS as u64 {
        return Err(Trouble::new(Reason::Unsupported, format!("an account has more than {WAYS} ways to prove itself")));
    }
    let mut ways = Vec::new();
    for index in 0..usize::try_from(count).unwrap_or_default() {
        let further = way(row, 9 + 2 * index)?;
        // A document without anything stands for the account's own way among the others.
        let own = text(row, 9 + 2 * index)?.is_empty();
        ways.extend(if own { main.clone() } else { further });
    }
    if count == 0 {
        ways.extend(main);
    }
    let flag = |place| Ok::<_, Trouble>(!matches!(text(row, place)?.as_str(), "" | "0" | "false"));
    // What is no number says nothing of the rights, least of all that there are none.
    let access = match text(row, 7)?.as_str() {
        "" => 0,
        number => number.parse::<u64>().map_err(|_| {
            Trouble::new(Reason::ProtocolViolation, "the rights of an account are not told as a number")
        })?,
    };
    let every = |bits: u64| access & bits == bits;
    Ok(Account {
        user: clean(&text(row, 0)?),
        host: clean(&text(row, 1)?),
        ways,
        tls: flag(4)?,
        locked: flag(5)?,
        role: flag(6)?,
        superuser: every(SUPER) || every(MAKES_ACCOUNTS),
        privileged: PRIVILEGED.iter().any(|bit| every(*bit)),
        global: access != 0,
    })
}

/// A way of MariaDB's, or none where its string fits no password.
fn way(row: &Row, place: usize) -> Result<Option<Way>, Trouble> {
    let plugin = clean(&text(row, place)?);
    let state = number(row, place + 1)?;
    let way = Way { plugin, empty: false };
    let by_string = matches!(way.strength_of_plugin(), "sha1" | "broken" | "hash");
    Ok(match state {
        2 if by_string => None,
        0 => Some(Way { empty: by_string, ..way }),
        _ => Some(way),
    })
}

impl Way {
    /// The strength of its plugin, with `hash` for those strong ones that rest on a string of the server's.
    fn strength_of_plugin(&self) -> &'static str {
        let way = Way { plugin: self.plugin.clone(), empty: false };
        match way.strength() {
            "strong" if !way.is_local() => "hash",
            other => other,
        }
    }
}

/// The name of the server's own machine.
pub fn hostname(settings: &Result<Settings, Trouble>) -> String {
    settings.as_ref().ok().and_then(|settings| settings.get("hostname")).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(cells: &[&str]) -> Row {
        cells.iter().map(|cell| Some((*cell).to_owned())).collect()
    }

    fn of_ten(main: [&str; 2], count: &str, ways: [&str; 6]) -> Account {
        let mut cells = vec!["root", "localhost", main[0], main[1], "", "", "", "18446744073709551615", count];
        cells.extend(ways);
        mariadb(&row(&cells)).unwrap()
    }

    #[test]
    fn the_root_of_debian_proves_itself_by_its_socket_alone() {
        let account = of_ten(["mysql_native_password", "2"], "2", ["", "0", "unix_socket", "0", "", "0"]);
        assert_eq!(account.ways, [Way { plugin: "unix_socket".into(), empty: false }]);
        assert!(account.superuser && account.logs_in() && !account.is_remote("db1"));
    }

    #[test]
    fn nothing_to_prove_is_told_from_what_fits_nothing() {
        let open = of_ten(["", "0"], "0", ["", "0", "", "0", "", "0"]);
        assert_eq!(open.ways[0].strength(), "none");
        let shut = of_ten(["mysql_native_password", "2"], "0", ["", "0", "", "0", "", "0"]);
        assert!(!shut.logs_in());
        let hash = of_ten(["mysql_native_password", "1"], "0", ["", "0", "", "0", "", "0"]);
        assert_eq!((hash.ways[0].strength(), hash.ways[0].has_hash()), ("sha1", true));
        let strange = of_ten(["of_the_house", "0"], "0", ["", "0", "", "0", "", "0"]);
        assert_eq!(strange.ways[0].strength(), "unknown");
    }

    #[test]
    fn an_account_of_mysql() {
        let cells = ["app", "%", "caching_sha2_password", "0", "1", "0", "0", "0", "1"];
        let account = mysql(&row(&cells)).unwrap();
        assert_eq!((account.name().as_str(), account.tls, account.ways[0].strength()), ("app@%", true, "strong"));
        assert!(account.is_remote("db1") && account.logs_in());
        let cells = ["", "localhost", "caching_sha2_password", "1", "0", "0", "0", "0", "0"];
        assert_eq!(mysql(&row(&cells)).unwrap().ways[0].strength(), "none");
        let cells = ["boss", "db1", "auth_socket", "1", "0", "1", "1", "1", "1"];
        let boss = mysql(&row(&cells)).unwrap();
        assert_eq!((boss.ways[0].strength(), boss.logs_in(), boss.is_remote("DB1")), ("strong", false, false));
    }
}
