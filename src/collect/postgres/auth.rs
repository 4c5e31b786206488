//! Facts about who may log in, and how they prove who they are.

use super::hba::{self, Rule};
use super::session::{Session, clean, fact, number, text, yes};
use super::settings::Settings;
use crate::collect::answer::map;
use crate::model::database::{Auth, DefaultAccount, PublicGrant, Sign};
use crate::model::{Fact, Reason, Trouble};

/// What would show how passwords are stored. A grant would hand out the hashes, so that none is proposed.
const HASHES: &str = "a run as a superuser would show it; no grant is proposed, since it would hand out the hashes, so \
                      that otherwise a superuser counts their kinds and the count is kept as evidence";
/// The most grants that are listed; one more says that there were more.
const MOST_GRANTS: usize = 200;

/// A role.
struct Role {
    name: String,
    superuser: bool,
    login: bool,
    privileged: bool,
    first: bool,
}

/// Asks the server. A list cut short is told beside the facts.
pub async fn facts(
    session: &Session<'_>,
    settings: &Result<Settings, Trouble>,
    rules: &Fact<Vec<Rule>>,
) -> (Auth, Option<Trouble>) {
    let roles = roles(session).await;
    let hashes = hashes(session).await;
    let (grants, cut) = grants(session).await;
    let password_encryption = match settings {
        Ok(settings) => settings.fact("password_encryption"),
        Err(trouble) => Fact::unknown(trouble.to_string()),
    };
    let names = |wanted: fn(&Role) -> bool| {
        let names =
            |roles: &Vec<Role>| roles.iter().filter(|role| wanted(role)).map(|role| role.name.clone()).collect();
        fact(roles.as_ref().map(names).map_err(Trouble::clone), "")
    };
    let of = |index: usize| match &hashes {
        Ok(counts) => counts.get(index).copied().map_or_else(|| Fact::unknown("not counted"), Fact::Known),
        Err(trouble) => fact(Err(trouble.clone()), HASHES),
    };
    let auth = Auth {
        applicable: true,
        methods: map(rules, |rules| hba::methods(rules)),
        password_storage: storage(&password_encryption, &of(0)),
        password_encryption,
        fast_hashes: of(0),
        slow_hashes: of(1),
        accounts_without_password: of(2),
        superusers: names(|role| role.superuser),
        login_superusers: names(|role| role.superuser && role.login),
        privileged: names(|role| role.privileged && role.login && !role.superuser),
        public_create: public_create(session).await,
        public_grants: grants,
        default_accounts: defaults(&roles, rules),
        reach: Vec::new(),
    };
    (auth, cut)
}

async fn roles(session: &Session<'_>) -> Result<Vec<Role>, Trouble> {
    // The installation's own superuser has the object id 10, whatever its name.
    let sql = "SELECT rolname, rolsuper, rolcanlogin, rolbypassrls OR rolcreaterole OR rolreplication, oid = 10 \
               FROM pg_catalog.pg_roles WHERE rolsuper OR rolbypassrls OR rolcreaterole OR rolreplication \
               OR oid = 10 ORDER BY rolname";
    let rows = session.rows(sql).await?;
    let role = |row: &Vec<Option<String>>| {
        Ok(Role {
            name: clean(&text(row, 0)?),
            superuser: yes(row, 1)?,
            login: yes(row, 2)?,
            privileged: yes(row, 3)?,
            first: yes(row, 4)?,
        })
    };
    let mut roles = rows.iter().map(role).collect::<Result<Vec<_>, Trouble>>()?;
    roles.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(roles)
}

/// Accounts with MD5, accounts with SCRAM, and accounts without a password that may log in.
async fn hashes(session: &Session<'_>) -> Result<Vec<u64>, Trouble> {
    let sql = "SELECT count(*) FILTER (WHERE rolpassword LIKE 'md5%'), \
               count(*) FILTER (WHERE rolpassword LIKE 'SCRAM-SHA-256$%'), \
               count(*) FILTER (WHERE rolcanlogin AND rolpassword IS NULL) FROM pg_catalog.pg_authid";
    let row = session.row(sql).await?;
    Ok(vec![number(&row, 0)?, number(&row, 1)?, number(&row, 2)?])
}

/// How passwords are stored.
fn storage(setting: &Fact<String>, md5: &Fact<u64>) -> Vec<Sign> {
    let new = map(setting, |setting| setting == "scram-sha-256");
    let seen = setting.known().map(|setting| format!("password_encryption is {setting}")).unwrap_or_default();
    let old = map(md5, |count| *count == 0);
    let counted = md5.known().map(|count| format!("{count} accounts have an MD5 hash")).unwrap_or_default();
    vec![Sign::new("new passwords", new, seen), Sign::new("stored passwords", old, counted)]
}

async fn public_create(session: &Session<'_>) -> Fact<bool> {
    let sql = "SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_namespace n, \
               aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) a \
               WHERE n.nspname = 'public' AND a.grantee = 0 AND a.privilege_type = 'CREATE')";
    fact(session.row(sql).await.and_then(|row| yes(&row, 0)), "")
}

/// What everybody was granted in this database, beyond what the server gives by itself.
async fn grants(session: &Session<'_>) -> (Fact<Vec<PublicGrant>>, Option<Trouble>) {
    let sql = format!(
        "SELECT object, string_agg(DISTINCT privilege, ', ' ORDER BY privilege) FROM (\
         SELECT CASE c.relkind WHEN 'S' THEN 'sequence ' WHEN 'v' THEN 'view ' WHEN 'm' THEN 'view ' ELSE 'table ' END \
         || quote_ident(n.nspname) || '.' || quote_ident(c.relname) AS object, a.privilege_type AS privilege \
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace, aclexplode(c.relacl) a \
         WHERE a.grantee = 0 AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' \
         AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid \
         AND d.deptype = 'e') \
         UNION ALL SELECT 'column ' || quote_ident(n.nspname) || '.' || quote_ident(c.relname) || '.' \
         || quote_ident(t.attname), a.privilege_type FROM pg_attribute t JOIN pg_class c ON c.oid = t.attrelid \
         JOIN pg_namespace n ON n.oid = c.relnamespace, aclexplode(t.attacl) a WHERE a.grantee = 0 \
         AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' \
         UNION ALL SELECT 'schema ' || quote_ident(n.nspname), a.privilege_type FROM pg_namespace n, \
         aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) a \
         WHERE a.grantee = 0 AND a.privilege_type = 'CREATE' \
         UNION ALL SELECT 'this database', a.privilege_type FROM pg_database b, \
         aclexplode(coalesce(b.datacl, acldefault('d', b.datdba))) a \
         WHERE b.datname = current_database() AND a.grantee = 0 AND a.privilege_type = 'CREATE' \
         UNION ALL SELECT CASE d.defaclobjtype WHEN 'S' THEN 'future sequences' WHEN 'n' THEN 'future schemas' \
         ELSE 'future tables' END || ' of ' || quote_ident(pg_get_userbyid(d.defaclrole)), a.privilege_type \
         FROM pg_default_acl d, aclexplode(d.defaclacl) a WHERE a.grantee = 0 AND d.defaclobjtype IN ('r', 'S', 'n')\
         ) granted GROUP BY object ORDER BY object LIMIT {}",
        MOST_GRANTS + 1
    );
    let read = session.rows(&sql).await.and_then(|rows| {
        let grant = |row: &Vec<Option<String>>| {
            Ok(PublicGrant { object: clean(&text(row, 0)?), privileges: clean(&text(row, 1)?) })
        };
        rows.iter().map(grant).collect::<Result<Vec<_>, Trouble>>()
    });
    let mut grants = fact(read, "");
    let mut cut = None;
    if let Fact::Known(grants) = &mut grants {
        if grants.len() > MOST_GRANTS {
            cut = Some(Trouble::new(Reason::TooLarge, format!("more than {MOST_GRANTS} grants to everybody")));
            grants.truncate(MOST_GRANTS);
        }
        grants.sort_by(|one, other| one.object.cmp(&other.object));
    }
    (grants, cut)
}

/// The account that the installation made, and whether the rules leave it open.
fn defaults(roles: &Result<Vec<Role>, Trouble>, rules: &Fact<Vec<Rule>>) -> Fact<Vec<DefaultAccount>> {
    let roles = match roles {
        Ok(roles) => roles,
        Err(trouble) => return Fact::unknown(trouble.to_string()),
    };
    let answer = |role: &Role, ask: fn(&[Rule], &str) -> Option<bool>| match rules {
        Fact::Unknown(why) => Fact::Unknown(why.clone()),
        Fact::Known(_) if !role.login => Fact::Known(false),
        Fact::Known(rules) => ask(rules, &role.name)
            .map_or_else(|| Fact::unknown("it rests on a group or an expression in a rule"), Fact::Known),
    };
    let account = |role: &Role| DefaultAccount {
        name: role.name.clone(),
        login: role.login,
        misplaced: false,
        open: answer(role, hba::open),
        remote: answer(role, hba::tried_from_afar),
    };
    Fact::Known(roles.iter().filter(|role| role.first).map(account).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_count_of_hashes_hides_no_weak_setting() {
        let signs = storage(&Fact::Known("md5".to_owned()), &Fact::unknown("may not read"));
        assert_eq!(signs[0].yes, Fact::Known(false));
        assert!(signs[1].yes.known().is_none());
        let signs = storage(&Fact::Known("scram-sha-256".to_owned()), &Fact::Known(2));
        assert_eq!((&signs[0].yes, &signs[1].yes), (&Fact::Known(true), &Fact::Known(false)));
    }

    #[test]
    fn a_default_account_is_unknown_without_rules() {
        let role = Role { name: "postgres".into(), superuser: true, login: true, privileged: true, first: true };
        let accounts = defaults(&Ok(vec![role]), &Fact::unknown("may not read"));
        assert!(accounts.known().unwrap()[0].open.known().is_none());
    }
}
