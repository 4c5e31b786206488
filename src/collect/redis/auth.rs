//! Facts about who may log in, and what it can reach.

use super::accounts::Account;
use super::session::Session;
use super::settings::Settings;
use crate::collect::answer::map;
use crate::collect::direct::Knock;
use crate::model::database::{self, Auth, AuthMethod, DefaultAccount, PublicGrant, Sign};
use crate::model::{Fact, Trouble};

/// The account that every connection has before it logs in.
const DEFAULT: &str = "default";

/// The facts.
pub fn facts(
    session: &Session<'_>,
    settings: &Result<Settings, Trouble>,
    accounts: &Result<Vec<Account>, Trouble>,
    plain: &Result<Knock, Trouble>,
) -> Auth {
    judge(&session.fact(accounts.clone(), "acl|list"), settings, plain, &session.grant("config|get"))
}

fn judge(
    accounts: &Fact<Vec<Account>>,
    settings: &Result<Settings, Trouble>,
    plain: &Result<Knock, Trouble>,
    grant: &str,
) -> Auth {
    let reachable = match settings {
        Ok(settings) => settings.is_reachable(),
        Err(trouble) => untold(trouble, grant),
    };
    let names = |wanted: fn(&Account) -> bool| {
        map(accounts, |all| all.iter().filter(|one| wanted(one)).map(|one| one.name.clone()).collect::<Vec<_>>())
    };
    let count = |wanted: fn(&Account) -> bool| map(accounts, |all| all.iter().filter(|one| wanted(one)).count() as u64);
    let hashed = count(|one| one.passwords > 0);
    Auth {
        applicable: true,
        methods: map(accounts, |all| methods(all, &reachable)),
        password_encryption: Fact::Known("SHA-256 without a salt".to_owned()),
        password_storage: vec![Sign::new(
            "stored passwords",
            map(&hashed, |count| *count == 0),
            hashed
                .known()
                .map(|count| format!("{count} accounts have a SHA-256 hash without a salt"))
                .unwrap_or_default(),
        )],
        fast_hashes: hashed,
        slow_hashes: Fact::Known(0),
        accounts_without_password: count(|one| one.logs_in() && one.nopass),
        superusers: names(Account::is_superuser),
        login_superusers: names(|one| one.is_superuser() && one.logs_in()),
        privileged: names(|one| !one.is_superuser() && one.logs_in() && !one.far().is_empty()),
        public_create: map(accounts, |all| all.iter().any(|one| is_open(one) && !one.rules().is_empty())),
        public_grants: map(accounts, |all| {
            let open = all.iter().filter(|one| is_open(one) && !one.rules().is_empty());
            open.map(|one| PublicGrant { object: format!("the store, as {}", one.name), privileges: one.rules() })
                .collect()
        }),
        default_accounts: default_account(accounts, settings, plain, &reachable),
        reach: reach(accounts, settings, grant),
    }
}

fn untold<T>(trouble: &Trouble, grant: &str) -> Fact<T> {
    crate::collect::answer::fact(Err(trouble.clone()), grant)
}

/// Everybody is this account.
fn is_open(account: &Account) -> bool {
    account.name == DEFAULT && account.logs_in() && account.nopass
}

fn methods(accounts: &[Account], reachable: &Fact<bool>) -> Vec<AuthMethod> {
    let logging_in = accounts.iter().filter(|one| one.logs_in());
    let method = |one: &Account| {
        let strength = if one.nopass { "none" } else { "strong" };
        AuthMethod {
            rule: one.name.clone(),
            line: 0,
            method: if one.nopass { "nopass" } else { "password" }.to_owned(),
            kind: "account".to_owned(),
            address: String::new(),
            // Where that is not known, the worse is taken for the weight; whether it is weak does not rest on it.
            remote: reachable.known().copied().unwrap_or(true),
            strength: strength.to_owned(),
            weak: database::is_weak(strength),
            seen: match one.nopass {
                true => format!("no password for {}", one.name),
                false => {
                    format!("{} passwords for {}, each sent as it is inside the connection", one.passwords, one.name)
                }
            },
        }
    };
    logging_in.map(method).collect()
}

fn default_account(
    accounts: &Fact<Vec<Account>>,
    settings: &Result<Settings, Trouble>,
    plain: &Result<Knock, Trouble>,
    reachable: &Fact<bool>,
) -> Fact<Vec<DefaultAccount>> {
    let own = map(accounts, |all| all.iter().find(|one| one.name == DEFAULT).cloned());
    let (login, open) = match (&own, plain) {
        (Fact::Known(Some(own)), _) => (own.logs_in(), Fact::Known(own.logs_in() && own.nopass)),
        (Fact::Known(None), _) => return Fact::unknown("the list of accounts has no default"),
        // A question without a login shows it as well.
        (Fact::Unknown(_), Ok(knock)) if knock.word == "accepted" => (true, Fact::Known(true)),
        (Fact::Unknown(_), Ok(knock)) if knock.word == "asked" => (true, Fact::Known(false)),
        (Fact::Unknown(why), _) => (true, Fact::Unknown(why.clone())),
    };
    // Protected mode shuts other machines out as long as this account has no password.
    let protected = settings.as_ref().is_ok_and(|settings| settings.get("protected-mode") == Some("yes"));
    let remote = match (reachable, &open) {
        (Fact::Known(true), Fact::Known(true)) => Fact::Known(!protected),
        (other, _) => other.clone(),
    };
    Fact::Known(vec![DefaultAccount { name: DEFAULT.to_owned(), login, misplaced: false, open, remote }])
}

/// Switches and rights that widen what an account reaches.
fn reach(accounts: &Fact<Vec<Account>>, settings: &Result<Settings, Trouble>, grant: &str) -> Vec<Sign> {
    let mut signs = Vec::new();
    let switches = [
        ("files of the server", "enable-protected-configs", "no"),
        ("debugging", "enable-debug-command", "no"),
        ("programs loaded at run time", "enable-module-command", "no"),
        ("clients of other machines without a password", "protected-mode", "yes"),
    ];
    for (name, setting, closed) in switches {
        let value = match settings {
            Ok(settings) => settings.fact(setting),
            Err(trouble) => untold(trouble, grant),
        };
        let seen = value.known().map(|value| format!("{setting} is {value}")).unwrap_or_default();
        signs.push(Sign::new(name, map(&value, |value| value == closed), seen));
    }
    let far = map(accounts, |all| {
        let one = |one: &Account| (!one.is_superuser() && one.logs_in()).then(|| (one.name.clone(), one.far()));
        all.iter().filter_map(one).filter(|(_, far)| !far.is_empty()).collect::<Vec<_>>()
    });
    let seen = match far.known().map(Vec::as_slice) {
        Some([]) => "none but superusers may run a command that reaches beyond its keys".to_owned(),
        Some(far) => {
            let one = |(name, far): &(String, Vec<String>)| format!("{name} may run {}", far.join(", "));
            far.iter().take(10).map(one).collect::<Vec<_>>().join("; ")
        }
        None => String::new(),
    };
    signs.push(Sign::new("commands beyond an account's keys", map(&far, Vec::is_empty), seen));
    signs
}

#[cfg(test)]
mod tests {
    use super::super::accounts::tests::account;
    use super::*;
    use crate::model::Reason;

    fn judged(lines: &[&str], pairs: &[(&str, &str)]) -> Auth {
        let accounts = Fact::Known(lines.iter().map(|line| account(line)).collect());
        let plain = Err(Trouble::new(Reason::TimedOut, "late"));
        judge(&accounts, &Ok(Settings::of(pairs)), &plain, "")
    }

    fn default_of(auth: &Auth) -> (bool, Option<bool>, Option<bool>) {
        let all = auth.default_accounts.known().unwrap();
        (all[0].login, all[0].open.known().copied(), all[0].remote.known().copied())
    }

    #[test]
    fn protected_mode_shuts_out_only_where_there_is_no_password() {
        let open = "user default on nopass ~* &* +@all";
        let bound = [("bind", "*"), ("protected-mode", "yes")];
        assert_eq!(default_of(&judged(&[open], &bound)), (true, Some(true), Some(false)));
        assert_eq!(
            default_of(&judged(&[open], &[("bind", "*"), ("protected-mode", "no")])),
            (true, Some(true), Some(true))
        );
        let guarded = "user default on #12 ~* &* +@all";
        assert_eq!(default_of(&judged(&[guarded], &bound)), (true, Some(false), Some(true)));
        assert!(!default_of(&judged(&["user default off ~* +@all"], &bound)).0);
    }

    #[test]
    fn a_question_without_a_login_stands_in_for_the_list() {
        let accounts = Fact::unknown("may not read");
        for (word, open) in [("accepted", Some(true)), ("asked", Some(false)), ("refused", None)] {
            let plain = Ok(Knock { word, seen: String::new() });
            let auth = judge(&accounts, &Ok(Settings::of(&[("bind", "127.0.0.1")])), &plain, "");
            assert_eq!(default_of(&auth).1, open, "{word}");
            assert!(auth.methods.known().is_none() && auth.public_grants.known().is_none());
        }
    }

    #[test]
    fn rights_beyond_keys_are_named() {
        let auth = judged(&["user default off", "user app on #1 ~* +@all -@admin", "user root on #2 ~* +@all"], &[]);
        assert_eq!(auth.login_superusers, Fact::Known(vec!["root".to_owned()]));
        assert_eq!(auth.privileged, Fact::Known(vec!["app".to_owned()]));
        let last = auth.reach.last().unwrap();
        assert_eq!((last.yes.clone(), last.seen.as_str()), (Fact::Known(false), "app may run flushall"));
    }
}
