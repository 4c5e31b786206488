//! The accounts of a server and what each may run, from the lines of `ACL LIST`. A hash is counted and never kept.

use super::session::Session;
use super::settings::strange;
use crate::collect::answer::clean;
use crate::model::{Reason, Trouble};
use crate::wire::resp::Value;

/// The most accounts that are read.
const MOST: usize = 10_000;

/// A command with the categories that it is in, as the servers' own tables have them.
pub struct Command {
    name: &'static str,
    sub: &'static str,
    categories: &'static [&'static str],
}

const fn command(name: &'static str, sub: &'static str, categories: &'static [&'static str]) -> Command {
    Command { name, sub, categories }
}

/// Whoever may run it gives himself every other right.
const MASTER: Command = command("acl", "setuser", &["admin", "slow", "dangerous"]);
/// Commands by which an account reaches beyond its keys.
const FAR: [Command; 7] = [
    command("config", "set", &["admin", "slow", "dangerous"]),
    command("module", "load", &["admin", "slow", "dangerous"]),
    command("debug", "", &["admin", "slow", "dangerous"]),
    command("shutdown", "", &["admin", "slow", "dangerous"]),
    command("replicaof", "", &["admin", "slow", "dangerous"]),
    command("flushall", "", &["keyspace", "write", "slow", "dangerous"]),
    command("monitor", "", &["admin", "slow", "dangerous"]),
];

/// An account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its name.
    pub name: String,
    /// It may log in.
    on: bool,
    /// Any password will do, and none.
    pub nopass: bool,
    /// How many passwords it has.
    pub passwords: u32,
    /// Its rules about commands, and those of each further selector, in their order.
    selectors: Vec<Vec<String>>,
}

impl Account {
    /// Reads a line: `user NAME on nopass ~* &* +@all (~k* +get)`.
    fn parse(line: &str) -> Option<Account> {
        let mut words = line.split_ascii_whitespace();
        if words.next() != Some("user") {
            return None;
        }
        let mut account =
            Account { name: clean(words.next()?), on: false, nopass: false, passwords: 0, selectors: vec![Vec::new()] };
        let mut inside = false;
        for word in words {
            let bare = word.trim_matches(['(', ')']);
            if word.starts_with('(') {
                account.selectors.push(Vec::new());
                inside = true;
            }
            let at = if inside { account.selectors.len() - 1 } else { 0 };
            match bare {
                "on" => account.on = true,
                "nopass" => account.nopass = true,
                _ if bare.starts_with('#') => account.passwords = account.passwords.saturating_add(1),
                _ if bare.starts_with(['+', '-']) || matches!(bare, "allcommands" | "nocommands") => {
                    account.selectors.get_mut(at)?.push(bare.to_ascii_lowercase());
                }
                _ => {}
            }
            inside &= !word.ends_with(')');
        }
        Some(account)
    }

    /// Somebody can log in as it.
    pub fn logs_in(&self) -> bool {
        self.on && (self.nopass || self.passwords > 0)
    }

    /// It may run the command: in each selector the last rule that is about it decides.
    fn may(&self, wanted: &Command) -> bool {
        self.selectors.iter().any(|rules| {
            rules.iter().fold(false, |allowed, rule| match rule.as_str() {
                "allcommands" => true,
                "nocommands" => false,
                rule => {
                    let (sign, name) = rule.split_at(1);
                    let category = name.strip_prefix('@');
                    let is_about = match category {
                        Some(category) => category == "all" || wanted.categories.contains(&category),
                        None => {
                            let (command, sub) = name.split_once('|').unwrap_or((name, ""));
                            command == wanted.name && (sub.is_empty() || sub == wanted.sub)
                        }
                    };
                    if is_about { sign == "+" } else { allowed }
                }
            })
        })
    }

    /// It can do everything, or give itself the right to.
    pub fn is_superuser(&self) -> bool {
        self.may(&MASTER)
    }

    /// The commands beyond its keys that it may run.
    pub fn far(&self) -> Vec<String> {
        let name =
            |one: &Command| if one.sub.is_empty() { one.name.to_owned() } else { format!("{} {}", one.name, one.sub) };
        FAR.iter().filter(|one| self.may(one)).map(name).collect()
    }

    /// What it may run, as the list has it.
    pub fn rules(&self) -> String {
        let all: Vec<String> = self.selectors.iter().flatten().take(20).cloned().collect();
        clean(&all.join(" "))
    }
}

/// Asks the server.
pub async fn read(session: &Session<'_>) -> Result<Vec<Account>, Trouble> {
    let Value::List(lines) = session.value(vec![b"ACL", b"LIST"], "ACL LIST").await? else {
        return Err(strange("ACL LIST"));
    };
    if lines.len() > MOST {
        return Err(Trouble::new(Reason::TooLarge, format!("more than {MOST} accounts")));
    }
    let account = |line: &Value| match line {
        Value::Text(line) => std::str::from_utf8(line).ok().and_then(Account::parse),
        _ => None,
    };
    lines.iter().map(|line| account(line).ok_or_else(|| strange("ACL LIST"))).collect()
}

#[cfg(test)]
pub mod tests {
    use super::*;

    pub fn account(line: &str) -> Account {
        Account::parse(line).unwrap()
    }

    #[test]
    fn a_line_is_read_without_its_hashes() {
        let one = account("user app on sanitize-payload #9f86d081 #deadbeef ~app:* resetchannels -@all +@read +set");
        assert_eq!((one.name.as_str(), one.logs_in(), one.nopass, one.passwords), ("app", true, false, 2));
        assert!(!one.is_superuser() && one.far().is_empty() && !format!("{one:?}").contains("9f86"));
        assert!(!account("user off off nopass ~* &* +@all").logs_in());
        assert!(!account("user none on ~* +@all").logs_in());
        assert!(Account::parse("default on nopass").is_none() && Account::parse("").is_none());
    }

    #[test]
    fn the_last_rule_about_a_command_decides() {
        let superuser = |rules: &str| account(&format!("user a on #1 ~* &* {rules}")).is_superuser();
        for rules in
            ["+@all", "allcommands", "-@all +acl", "-@all +acl|setuser", "-@all +@admin", "+@all -@dangerous +acl"]
        {
            assert!(superuser(rules), "{rules}");
        }
        for rules in
            ["-@all", "+@all -@admin", "+@all -@dangerous", "+@all -acl", "+@all -acl|setuser", "-@all +acl|list", ""]
        {
            assert!(!superuser(rules), "{rules}");
        }
        assert!(superuser("-@all (~x +@all)"));
        assert_eq!(account("user a on #1 -@all +config|set +config|get").far(), ["config set"]);
        assert_eq!(account("user a on #1 -@all +@write").far(), ["flushall"]);
    }
}
