//! The accounts of a server, and how far the roles of each reach. Credentials are not asked for.

use super::session::{Session, strange};
use crate::collect::answer::clean;
use crate::model::{Fact, Reason, Trouble};
use bson::{RawArrayBuf, RawBsonRef, RawDocument, RawDocumentBuf, rawdoc};
use std::collections::{BTreeMap, BTreeSet};

/// The most accounts that are read.
const MOST: usize = 5_000;
/// Built-in roles by which an account does everything, or gives itself the right to.
const SUPER: [&str; 2] = ["root", "__system"];
/// Those that do so only where they are held on the database of administration.
const SUPER_ON_ADMIN: [&str; 2] = ["userAdmin", "dbOwner"];
/// Built-in roles by which an account reaches beyond the data of one database.
const FAR: [&str; 12] = [
    "backup",
    "clusterAdmin",
    "clusterManager",
    "dbAdminAnyDatabase",
    "dbOwner",
    "hostManager",
    "readAnyDatabase",
    "readWriteAnyDatabase",
    "restore",
    "searchCoordinator",
    "userAdmin",
    "userAdminAnyDatabase",
];
/// Built-in roles that reach no further than the data of one database, or show the server's state.
const NEAR: [&str; 7] =
    ["clusterMonitor", "dbAdmin", "enableSharding", "read", "readWrite", "directShardOperations", "__queryableBackup"];
/// Actions by which a role of the user's own gives every right.
const MASTER: [&str; 5] = ["anyAction", "createRole", "createUser", "grantPrivilegesToRole", "grantRole"];
/// Actions of a role of the user's own that reach beyond data.
const WIDE: [&str; 10] = [
    "applyOps",
    "bypassDocumentValidation",
    "impersonate",
    "internal",
    "replSetConfigure",
    "replSetReconfig",
    "setParameter",
    "shutdown",
    "useUUID",
    "fsync",
];

/// How far something reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Power {
    /// The data of one database.
    Data,
    /// Beyond it.
    Far,
    /// Everything.
    Super,
}

/// A role, and the database that it is held on or made in.
pub type Role = (String, String);

/// An account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its name and database: `app@shop`.
    pub name: String,
    /// The ways in which it may prove who it is; none are told of accounts that another service knows.
    pub mechanisms: Vec<String>,
    /// Another service proves who it is.
    pub external: bool,
    roles: Vec<Role>,
}

/// The accounts, and what the roles that are not built in allow.
#[derive(Clone, Debug)]
pub struct Accounts {
    /// All of them.
    pub all: Vec<Account>,
    own: BTreeMap<Role, Fact<Power>>,
}

impl Accounts {
    /// How far an account reaches: the most of what its roles do.
    pub fn power(&self, account: &Account) -> Fact<Power> {
        let mut most = Power::Data;
        let mut blind = None;
        for role in &account.roles {
            match built_in(role).map_or_else(|| self.of_own(role), Fact::Known) {
                Fact::Known(power) => most = most.max(power),
                Fact::Unknown(why) => blind = Some(why),
            }
        }
        match blind {
            // More than everything there is not.
            Some(why) if most < Power::Super => Fact::Unknown(why),
            _ => Fact::Known(most),
        }
    }

    fn of_own(&self, role: &Role) -> Fact<Power> {
        self.own.get(role).cloned().unwrap_or_else(|| Fact::unknown("a role of an account is not shown"))
    }
}

/// How far a built-in role reaches.
fn built_in((name, database): &Role) -> Option<Power> {
    let name = name.as_str();
    match () {
        () if SUPER.contains(&name) || name == "userAdminAnyDatabase" => Some(Power::Super),
        () if SUPER_ON_ADMIN.contains(&name) && database == "admin" => Some(Power::Super),
        () if FAR.contains(&name) => Some(Power::Far),
        () if NEAR.contains(&name) => Some(Power::Data),
        () => None,
    }
}

/// Asks the server.
pub async fn read(session: &Session<'_>) -> Result<Accounts, Trouble> {
    let answer = session.admin(rawdoc! { "usersInfo": { "forAllDBs": true } }, "usersInfo").await?;
    let all = accounts(&answer)?;
    let own: BTreeSet<Role> =
        all.iter().flat_map(|one| &one.roles).filter(|role| built_in(role).is_none()).cloned().collect();
    let own = match own.is_empty() {
        true => BTreeMap::new(),
        false => roles(session, own).await,
    };
    Ok(Accounts { all, own })
}

async fn roles(session: &Session<'_>, wanted: BTreeSet<Role>) -> BTreeMap<Role, Fact<Power>> {
    let mut names = RawArrayBuf::new();
    for (role, database) in &wanted {
        names.push(rawdoc! { "role": role.as_str(), "db": database.as_str() });
    }
    let command = rawdoc! { "rolesInfo": names, "showPrivileges": true };
    let told = session.admin(command, "rolesInfo").await.and_then(|answer| powers(&answer));
    let one = |role: Role| {
        let power = match &told {
            Ok(told) => told
                .get(&role)
                .map_or_else(|| Fact::unknown("a role of an account is not shown"), |one| Fact::Known(*one)),
            Err(trouble) if trouble.reason == Reason::PermissionDenied => {
                Fact::unknown(format!("{trouble}; the action viewRole on every database would show it"))
            }
            Err(trouble) => Fact::unknown(trouble.to_string()),
        };
        (role, power)
    };
    wanted.into_iter().map(one).collect()
}

/// The documents of a list.
fn documents<'a>(document: &'a RawDocument, name: &str, command: &str) -> Result<Vec<&'a RawDocument>, Trouble> {
    let list = document.get_array(name).map_err(|_| strange(command))?;
    let mut documents = Vec::new();
    for item in list {
        match item {
            Ok(RawBsonRef::Document(item)) => documents.push(item),
            _ => return Err(strange(command)),
        }
        if documents.len() > MOST {
            return Err(Trouble::new(Reason::TooLarge, format!("{command} shows more than {MOST} items")));
        }
    }
    Ok(documents)
}

fn role(document: &RawDocument, command: &str) -> Result<Role, Trouble> {
    let text = |name| document.get_str(name).map(clean).map_err(|_| strange(command));
    Ok((text("role")?, text("db")?))
}

fn accounts(answer: &RawDocumentBuf) -> Result<Vec<Account>, Trouble> {
    const COMMAND: &str = "usersInfo";
    let account = |document: &RawDocument| {
        let text = |name| document.get_str(name).map(clean).map_err(|_| strange(COMMAND));
        let (user, database) = (text("user")?, text("db")?);
        let mechanisms = match document.get("mechanisms") {
            Ok(Some(RawBsonRef::Array(list))) => {
                let one = |item: bson::error::Result<RawBsonRef<'_>>| item.ok()?.as_str().map(clean);
                list.into_iter().take(20).map(one).collect::<Option<Vec<_>>>().ok_or_else(|| strange(COMMAND))?
            }
            Ok(None) => Vec::new(),
            _ => return Err(strange(COMMAND)),
        };
        let roles = documents(document, "roles", COMMAND)?;
        Ok(Account {
            name: format!("{user}@{database}"),
            external: database == "$external",
            mechanisms,
            roles: roles.into_iter().map(|one| role(one, COMMAND)).collect::<Result<_, _>>()?,
        })
    };
    documents(answer, "users", COMMAND)?.into_iter().map(account).collect()
}

fn powers(answer: &RawDocumentBuf) -> Result<BTreeMap<Role, Power>, Trouble> {
    const COMMAND: &str = "rolesInfo";
    let mut powers = BTreeMap::new();
    for document in documents(answer, "roles", COMMAND)? {
        let mut most = Power::Data;
        for inherited in documents(document, "inheritedRoles", COMMAND)? {
            // One that is not built in is shown by its privileges, which are inherited too.
            most = most.max(built_in(&role(inherited, COMMAND)?).unwrap_or(Power::Data));
        }
        for privilege in documents(document, "inheritedPrivileges", COMMAND)? {
            most = most.max(privileged(privilege)?);
        }
        powers.insert(role(document, COMMAND)?, most);
    }
    Ok(powers)
}

/// How far one privilege reaches.
fn privileged(privilege: &RawDocument) -> Result<Power, Trouble> {
    let odd = || strange("rolesInfo");
    let resource = privilege.get_document("resource").map_err(|_| odd())?;
    let everywhere = match (resource.get("db"), resource.get("cluster"), resource.get("anyResource")) {
        (Ok(Some(RawBsonRef::String(database))), ..) => database.is_empty() || database == "admin",
        (Ok(None), Ok(_), Ok(_)) => true,
        _ => return Err(odd()),
    };
    let mut most = Power::Data;
    for action in privilege.get_array("actions").map_err(|_| odd())? {
        let action = action.ok().and_then(|action| action.as_str()).ok_or_else(odd)?;
        let power = match (MASTER.contains(&action), everywhere) {
            (true, true) => Power::Super,
            (true, false) => Power::Far,
            (false, _) if WIDE.contains(&action) => Power::Far,
            (false, true) if matches!(action, "find" | "insert" | "update" | "remove" | "dropDatabase") => Power::Far,
            _ => Power::Data,
        };
        most = most.max(power);
    }
    Ok(most)
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// Accounts of these documents, and roles of these.
    pub fn of(users: RawArrayBuf, roles: Option<RawArrayBuf>) -> Accounts {
        let all = accounts(&rawdoc! { "users": users }).unwrap();
        let own = roles.map(|roles| powers(&rawdoc! { "roles": roles }).unwrap()).unwrap_or_default();
        Accounts { all, own: own.into_iter().map(|(role, power)| (role, Fact::Known(power))).collect() }
    }

    fn power(role: &str, database: &str, roles: Option<RawArrayBuf>) -> Option<Power> {
        let mut users = RawArrayBuf::new();
        users.push(rawdoc! { "user": "a", "db": "shop", "roles": [{ "role": role, "db": database }] });
        let accounts = of(users, roles);
        accounts.power(&accounts.all[0]).known().copied()
    }

    #[test]
    fn roles_reach_as_far_as_the_manual_says() {
        for (role, database, wanted) in [
            ("root", "admin", Some(Power::Super)),
            ("userAdmin", "admin", Some(Power::Super)),
            ("userAdmin", "shop", Some(Power::Far)),
            ("readWriteAnyDatabase", "admin", Some(Power::Far)),
            ("readWrite", "shop", Some(Power::Data)),
            ("clusterMonitor", "admin", Some(Power::Data)),
            // One that is not built in and not shown.
            ("ours", "shop", None),
        ] {
            assert_eq!(power(role, database, None), wanted, "{role} on {database}");
        }
    }

    #[test]
    fn a_role_of_ones_own_is_what_it_allows() {
        let role = |inherits: &str, database: &str, action: &str| {
            let mut roles = RawArrayBuf::new();
            let resource = rawdoc! { "db": database, "collection": "" };
            roles.push(rawdoc! {
                "role": "ours", "db": "admin", "inheritedRoles": [{ "role": inherits, "db": "admin" }],
                "inheritedPrivileges": [{ "resource": resource, "actions": ["changeOwnPassword", action] }]
            });
            power("ours", "admin", Some(roles))
        };
        assert_eq!(role("read", "shop", "find"), Some(Power::Data));
        assert_eq!(role("root", "shop", "find"), Some(Power::Super));
        assert_eq!(role("read", "", "grantRole"), Some(Power::Super));
        assert_eq!(role("read", "shop", "grantRole"), Some(Power::Far));
        assert_eq!(role("read", "", "remove"), Some(Power::Far));
        assert_eq!(role("read", "", "viewUser"), Some(Power::Data));
        assert_eq!(role("other", "shop", "shutdown"), Some(Power::Far));
    }

    #[test]
    fn an_answer_of_another_form_is_no_empty_list() {
        for odd in [
            rawdoc! {},
            rawdoc! { "users": "none" },
            rawdoc! { "users": [1] },
            rawdoc! { "users": [{ "user": "a" }] },
            rawdoc! { "users": [{ "user": "a", "db": "b", "roles": [{ "role": 1 }] }] },
            rawdoc! { "users": [{ "user": "a", "db": "b", "roles": [], "mechanisms": "x" }] },
        ] {
            assert_eq!(accounts(&odd).unwrap_err().reason, Reason::ProtocolViolation, "{odd:?}");
        }
        assert!(powers(&rawdoc! { "roles": [{ "role": "a", "db": "b" }] }).is_err());
    }
}
