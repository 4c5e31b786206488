//! Facts about the encryption of the server's files, as far as the server can tell.

use super::session::{Session, fact, number, text};
use super::settings::Settings;
use crate::model::database::{AtRest, Layer, StoredFile};
use crate::model::{Fact, Reason, Trouble};

/// What no answer of a server covers.
const NOT_COVERED: [&str; 6] = [
    "keys kept apart from the data",
    "replicas elsewhere",
    "older snapshots and backups",
    "exports",
    "the server's own log",
    "memory, swap and core dumps",
];

/// Asks the server.
pub async fn facts(session: &Session<'_>, settings: &Result<Settings, Trouble>) -> AtRest {
    let mut facts = AtRest {
        serves: Vec::new(),
        applicable: true,
        layers: vec![instance(session).await],
        files: Vec::new(),
        not_covered: NOT_COVERED.iter().map(|what| (*what).to_owned()).collect(),
        would_show: Vec::new(),
    };
    tables(session, settings, &mut facts).await;
    let managed = settings.as_ref().is_ok_and(|settings| settings.get("rds.force_ssl").is_some());
    if facts.layers.iter().any(|layer| layer.encrypted.known().is_none()) {
        facts.would_show = vec![if managed {
            "the provider's own record: DescribeDBInstances with StorageEncrypted and KmsKeyId".to_owned()
        } else {
            "the state of the disk below data_directory, every tablespace and pg_wal, as its host sees it".to_owned()
        }];
    }
    facts
}

/// The whole server. EDB's has a column of its own; PostgreSQL itself encrypts nothing.
async fn instance(session: &Session<'_>) -> Layer {
    let answer = session.value("SELECT data_encryption_version FROM pg_catalog.pg_control_init()").await;
    let version = answer.and_then(|version| {
        version.parse::<i64>().map_err(|_| Trouble::new(Reason::ProtocolViolation, "an answer is no number"))
    });
    let encrypted = match version {
        Ok(version) if version >= 1 => Fact::Known(true),
        // Off in the server says nothing about the disk below it.
        Ok(_) => Fact::unknown("encryption by the server is off; what the disk does, the server cannot tell"),
        Err(trouble) if trouble.reason == Reason::Unsupported => {
            Fact::unknown("the server has no encryption of its own, and cannot tell what the disk below does")
        }
        Err(trouble) => {
            fact(Err(trouble), "GRANT EXECUTE ON FUNCTION pg_control_init() TO the audit role would show it")
        }
    };
    let known = encrypted.known().is_some();
    let told = |what: &str| Fact::unknown(if known { what } else { "not known to be encrypted" });
    Layer {
        layer: "instance".to_owned(),
        algorithm: if known { Fact::Known("AES".to_owned()) } else { told("") },
        key_bits: Fact::unknown(if known {
            "the server does not tell the length of its key: the record of initdb, or pg_controldata, does"
        } else {
            "not known to be encrypted"
        }),
        mode: told("the server does not tell the mode"),
        key_location: told("the server does not tell where its key is"),
        encrypted,
        scope: "the whole server".to_owned(),
        level: 2,
        source: "pg_control_init()".to_owned(),
    }
}

/// The tables, where Percona's extension pg_tde is in this database.
async fn tables(session: &Session<'_>, settings: &Result<Settings, Trouble>, facts: &mut AtRest) {
    let place = "SELECT quote_ident(n.nspname) FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n \
                 ON n.oid = p.pronamespace JOIN pg_catalog.pg_depend d ON d.objid = p.oid AND d.deptype = 'e' \
                 JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid \
                 WHERE p.proname = 'pg_tde_is_encrypted' AND e.extname = 'pg_tde' LIMIT 1";
    let schema = match session.rows(place).await.map(|rows| rows.first().map(|row| text(row, 0))) {
        Ok(Some(Ok(schema))) => schema,
        Ok(None) => return,
        Ok(Some(Err(trouble))) | Err(trouble) => {
            facts.layers.push(table_layer(Err(trouble), None));
            return;
        }
    };
    let sql = format!(
        "SELECT count(*) FILTER (WHERE encrypted), count(*) FILTER (WHERE NOT encrypted) FROM (SELECT \
         {schema}.pg_tde_is_encrypted(c.oid) AS encrypted FROM pg_catalog.pg_class c \
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'i', 't', 'm', 'S') \
         AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND c.oid >= 16384) relations"
    );
    let counts = session.row(&sql).await.and_then(|row| Ok((number(&row, 0)?, number(&row, 1)?)));
    let setting = |name| settings.as_ref().ok().and_then(|settings| settings.get(name));
    facts.files.push(StoredFile {
        kind: "wal".to_owned(),
        state: match setting("pg_tde.wal_encrypt") {
            Some("on") => Fact::Known("encrypted".to_owned()),
            Some(_) => {
                Fact::unknown("pg_tde does not encrypt the log; what the disk below does, the server cannot tell")
            }
            None => Fact::unknown("the server shows no setting pg_tde.wal_encrypt"),
        },
        source: "pg_tde.wal_encrypt".to_owned(),
    });
    facts.layers.push(table_layer(counts, setting("pg_tde.cipher")));
    facts.not_covered.push("temporary files and system catalogs".to_owned());
}

fn table_layer(counts: Result<(u64, u64), Trouble>, cipher: Option<&str>) -> Layer {
    let scope = match &counts {
        Ok((encrypted, plain)) => {
            format!("{encrypted} of {} relations of this database", encrypted.saturating_add(*plain))
        }
        Err(_) => "the relations of this database".to_owned(),
    };
    let encrypted = match counts {
        Ok((0, 0)) => Fact::unknown("this database has no relation of a user"),
        Ok((_, 0)) => Fact::Known(true),
        Ok((_, plain)) => Fact::unknown(format!(
            "pg_tde leaves {plain} relations as they are; what the disk below does, the server cannot tell"
        )),
        Err(trouble) => {
            fact(Err(trouble), "GRANT EXECUTE ON FUNCTION pg_tde_is_encrypted TO the audit role would show it")
        }
    };
    let bits = match cipher {
        Some("aes_128") => Some(128),
        Some("aes_256") => Some(256),
        _ => None,
    };
    let untold = || "the server does not tell it".to_owned();
    Layer {
        layer: "table".to_owned(),
        encrypted,
        algorithm: bits.map_or_else(|| Fact::unknown(untold()), |_| Fact::Known("AES".to_owned())),
        key_bits: bits.map_or_else(|| Fact::unknown(untold()), Fact::Known),
        mode: Fact::unknown(untold()),
        scope,
        level: 2,
        source: "pg_tde_is_encrypted()".to_owned(),
        key_location: Fact::unknown(untold()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_relations_must_be_encrypted() {
        assert_eq!(table_layer(Ok((12, 0)), Some("aes_256")).encrypted, Fact::Known(true));
        assert_eq!(table_layer(Ok((12, 0)), Some("aes_256")).key_bits, Fact::Known(256));
        assert_eq!(table_layer(Ok((12, 0)), Some("aes_128")).key_bits, Fact::Known(128));
        assert!(table_layer(Ok((12, 0)), None).key_bits.known().is_none());
        assert!(table_layer(Ok((11, 1)), Some("aes_256")).encrypted.known().is_none());
        assert!(table_layer(Ok((0, 0)), Some("aes_256")).encrypted.known().is_none());
        let trouble = Trouble::new(Reason::PermissionDenied, "may not read");
        assert!(table_layer(Err(trouble), None).encrypted.reason().unwrap().contains("GRANT EXECUTE"));
    }
}
