//! Facts about who may log in, and what it can reach.

use super::accounts::{Account, Accounts, Power};
use super::settings::Settings;
use crate::collect::answer::{fact, map};
use crate::model::database::{self, Auth, AuthMethod, DefaultAccount, PublicGrant, Sign};
use crate::model::{Fact, Trouble};

/// Who is nobody in particular.
const EVERYBODY: &str = "everybody, without a login";
/// What shows accounts.
const GRANT: &str = "the action viewUser on every database would show it";

/// The facts; `open` says that what needs an account is answered without a login.
pub fn facts(settings: &Settings, accounts: &Result<Accounts, Trouble>, open: &Fact<bool>) -> Auth {
    let accounts = fact(accounts.clone(), GRANT);
    let reachable = settings.is_reachable();
    let server = settings.parameters.list("authenticationMechanisms");
    let offered = |account: &Account| -> Fact<Vec<String>> {
        // What the server does not offer, no account can use; where it does not say, all that the account has.
        match &server {
            Fact::Known(server) if !server.is_empty() => {
                Fact::Known(account.mechanisms.iter().filter(|one| server.contains(one)).cloned().collect())
            }
            Fact::Known(_) => Fact::Known(account.mechanisms.clone()),
            Fact::Unknown(why) => Fact::Unknown(why.clone()),
        }
    };
    let names = |wanted: Power| match &accounts {
        Fact::Unknown(why) => Fact::Unknown(why.clone()),
        Fact::Known(accounts) => {
            let mut names = Vec::new();
            for one in &accounts.all {
                match accounts.power(one) {
                    Fact::Known(power) if power == wanted => names.push(one.name.clone()),
                    Fact::Known(_) => {}
                    Fact::Unknown(why) => return Fact::Unknown(why),
                }
            }
            Fact::Known(names)
        }
    };
    let count = |wanted: &dyn Fn(&Account) -> bool| {
        map(&accounts, |accounts| accounts.all.iter().filter(|one| wanted(one)).count() as u64)
    };
    let challenge = count(&|one| one.mechanisms.iter().any(|one| one == "MONGODB-CR"));
    Auth {
        applicable: true,
        methods: methods(&accounts, open, &reachable, &offered),
        password_encryption: Fact::Known("SCRAM".to_owned()),
        password_storage: vec![Sign::new(
            "stored passwords",
            map(&challenge, |count| *count == 0),
            challenge
                .known()
                .map(|count| format!("{count} accounts have a hash of MD5 alone (MONGODB-CR)"))
                .unwrap_or_default(),
        )],
        fast_hashes: challenge,
        slow_hashes: count(&|one| one.mechanisms.iter().any(|one| one.starts_with("SCRAM-"))),
        // An account has a password or another service that proves it; where no login is asked for, that is told below.
        accounts_without_password: map(&accounts, |_| 0),
        superusers: names(Power::Super),
        login_superusers: names(Power::Super),
        privileged: names(Power::Far),
        public_create: open.clone(),
        public_grants: map(open, |open| match open {
            true => vec![PublicGrant { object: "every database".to_owned(), privileges: "everything".to_owned() }],
            false => Vec::new(),
        }),
        default_accounts: Fact::Known(vec![DefaultAccount {
            name: EVERYBODY.to_owned(),
            login: true,
            misplaced: false,
            open: open.clone(),
            remote: reachable,
        }]),
        reach: vec![bypass(settings, &accounts)],
    }
}

fn methods(
    accounts: &Fact<Accounts>,
    open: &Fact<bool>,
    reachable: &Fact<bool>,
    offered: &dyn Fn(&Account) -> Fact<Vec<String>>,
) -> Fact<Vec<AuthMethod>> {
    let method = |rule: &str, method: String, strength: &str| AuthMethod {
        rule: rule.to_owned(),
        line: 0,
        seen: format!("{rule}: {method}"),
        method,
        kind: "account".to_owned(),
        address: String::new(),
        // Where that is not known, the worse is taken for the weight; whether it is weak does not rest on it.
        remote: reachable.known().copied().unwrap_or(true),
        strength: strength.to_owned(),
        weak: database::is_weak(strength),
    };
    if open.known() == Some(&true) {
        return Fact::Known(vec![method(EVERYBODY, "none".to_owned(), "none")]);
    }
    let accounts = match accounts {
        Fact::Known(accounts) => accounts,
        Fact::Unknown(why) => return Fact::Unknown(why.clone()),
    };
    let mut all = Vec::new();
    for one in &accounts.all {
        if one.external {
            all.push(method(&one.name, "another service".to_owned(), "external"));
            continue;
        }
        let ways = match offered(one) {
            Fact::Known(ways) => ways,
            Fact::Unknown(why) => return Fact::Unknown(why),
        };
        let has = |name: &str| ways.iter().any(|way| way == name);
        let strength = match () {
            () if has("MONGODB-CR") => "md5",
            () if has("SCRAM-SHA-1") => "sha1",
            () if has("SCRAM-SHA-256") => "strong",
            // It can log in by none of the ways that the server offers.
            () if ways.is_empty() && !one.mechanisms.is_empty() => continue,
            () => "unknown",
        };
        all.push(method(&one.name, if ways.is_empty() { "not told".to_owned() } else { ways.join(", ") }, strength));
    }
    Fact::Known(all)
}

/// Whether a client of the server's own machine may make the first account; that ends with the first one.
fn bypass(settings: &Settings, accounts: &Fact<Accounts>) -> Sign {
    const NAME: &str = "an account made from the server's machine without a login";
    let switch = settings.parameters.text("enableLocalhostAuthBypass");
    match (&switch, accounts) {
        (Fact::Known(Some(switch)), _) if switch == "false" => {
            Sign::new(NAME, Fact::Known(true), "enableLocalhostAuthBypass is false")
        }
        (_, Fact::Known(accounts)) if !accounts.all.is_empty() => {
            Sign::new(NAME, Fact::Known(true), "there are accounts, so that this is closed")
        }
        (Fact::Unknown(why), _) | (_, Fact::Unknown(why)) => Sign::new(NAME, Fact::Unknown(why.clone()), ""),
        (Fact::Known(_), Fact::Known(_)) => {
            Sign::new(NAME, Fact::Known(false), "there is no account, and enableLocalhostAuthBypass is not false")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::accounts::tests::of;
    use super::super::settings::Told;
    use super::super::settings::tests::{blind, settings};
    use super::*;
    use crate::model::Reason;
    use bson::{RawArrayBuf, RawDocumentBuf, rawdoc};

    fn user(name: &str, role: &str, mechanisms: &[&str]) -> RawDocumentBuf {
        let mut ways = RawArrayBuf::new();
        mechanisms.iter().for_each(|way| ways.push(*way));
        rawdoc! { "user": name, "db": "admin", "roles": [{ "role": role, "db": "admin" }], "mechanisms": ways }
    }

    fn judged(users: Vec<RawDocumentBuf>, server: Vec<&str>, open: bool) -> Auth {
        let mut list = RawArrayBuf::new();
        users.into_iter().for_each(|one| list.push(one));
        let mut ways = RawArrayBuf::new();
        server.into_iter().for_each(|way| ways.push(way));
        let mut settings = settings(rawdoc! { "net": { "bindIpAll": true } }, rawdoc! {});
        settings.parameters = Told::new(Ok(rawdoc! { "authenticationMechanisms": ways }), "getParameter");
        facts(&settings, &Ok(of(list, None)), &Fact::Known(open))
    }

    #[test]
    fn the_weakest_way_that_the_server_offers_counts() {
        let strength = |own: &[&str], server: Vec<&str>| {
            let methods = judged(vec![user("app", "readWrite", own)], server, false).methods;
            methods.known().unwrap().first().map(|one| one.strength.clone())
        };
        let both = ["SCRAM-SHA-1", "SCRAM-SHA-256"];
        assert_eq!(strength(&both, both.to_vec()).as_deref(), Some("sha1"));
        assert_eq!(strength(&both, vec!["SCRAM-SHA-256"]).as_deref(), Some("strong"));
        assert_eq!(strength(&["SCRAM-SHA-256"], both.to_vec()).as_deref(), Some("strong"));
        assert_eq!(strength(&["SCRAM-SHA-1"], vec!["SCRAM-SHA-256"]), None);
        assert_eq!(strength(&[], both.to_vec()).as_deref(), Some("unknown"));
    }

    #[test]
    fn without_a_login_everybody_may_do_everything() {
        let auth = judged(vec![user("app", "root", &["SCRAM-SHA-256"])], vec![], true);
        assert_eq!(auth.methods.known().unwrap()[0].strength, "none");
        assert_eq!(auth.public_create, Fact::Known(true));
        assert_eq!(auth.public_grants.known().unwrap().len(), 1);
        assert_eq!(auth.default_accounts.known().unwrap()[0].open, Fact::Known(true));
        assert_eq!(auth.login_superusers, Fact::Known(vec!["app@admin".to_owned()]));
    }

    #[test]
    fn what_may_not_be_read_is_unknown() {
        let denied = Err(Trouble::new(Reason::PermissionDenied, "may not"));
        let auth = facts(&blind(), &denied, &Fact::Known(false));
        assert!(auth.methods.reason().unwrap().contains("viewUser"));
        assert!(auth.superusers.known().is_none() && auth.privileged.known().is_none());
        assert!(auth.reach[0].yes.known().is_none() && auth.password_storage[0].yes.known().is_none());
        // One role that is not shown makes the list of superusers unknown, and no shorter.
        let auth = judged(vec![user("a", "ours", &["SCRAM-SHA-256"]), user("b", "root", &[])], vec![], false);
        assert!(auth.superusers.known().is_none());
    }

    #[test]
    fn the_first_account_ends_the_bypass() {
        assert_eq!(judged(vec![], vec![], false).reach[0].yes, Fact::Known(false));
        assert_eq!(judged(vec![user("a", "read", &[])], vec![], false).reach[0].yes, Fact::Known(true));
    }
}
