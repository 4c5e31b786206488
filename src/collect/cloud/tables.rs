//! DynamoDB: tables.

use super::Store;
use super::page::{List, strange};
use crate::collect::answer::clean;
use crate::collect::aws::Client;
use crate::model::cloud::Exposure;
use crate::model::database::{AtRest, Backup, BackupMeans, Layer, Sign};
use crate::model::{Fact, Trouble};
use jiff::Timestamp;
use serde_json::{Value, json};

/// The most tables, and pages of their names.
const TABLES: usize = 500;
const PAGES: usize = 50;
const SERVICE: &str = "DynamoDB_20120810";

/// Asks for tables.
pub async fn ask(client: &Client<'_>, now: Timestamp) -> Vec<Store> {
    let names = names(client).await;
    let mut stores = Vec::new();
    for name in &names.members {
        let about = json!({ "TableName": name });
        let table = question(client, "DescribeTable", &about, "dynamodb:DescribeTable").await;
        let copies = question(client, "DescribeContinuousBackups", &about, "dynamodb:DescribeContinuousBackups").await;
        stores.push(Store {
            part: format!("dynamodb {}", clean(name)),
            at_rest: table.and_then(|table| at_rest(table.get("Table").ok_or_else(strange)?)),
            backup: Some(copies.and_then(|copies| backup(&copies, now))),
            exposure: Ok(Exposure {
                applicable: true,
                ways: vec![Sign::new(
                    "network",
                    Fact::Known(false),
                    "a table has no address of its own: every request is signed by an account that may",
                )],
            }),
        });
    }
    stores.extend(names.cut.iter().map(|why| Store::unlisted("dynamodb", why)));
    stores
}

async fn question(client: &Client<'_>, action: &str, body: &Value, right: &str) -> Result<Value, Trouble> {
    let answer = client.json(&format!("{SERVICE}.{action}"), body).await?.good(right)?;
    serde_json::from_slice(&answer.body).map_err(|_| strange())
}

async fn names(client: &Client<'_>) -> List<String> {
    let mut members: Vec<String> = Vec::new();
    let mut next = Value::Null;
    for _ in 0..PAGES {
        let body = if next.is_null() { json!({}) } else { json!({ "ExclusiveStartTableName": next }) };
        let page = match question(client, "ListTables", &body, "dynamodb:ListTables").await {
            Ok(page) => page,
            Err(trouble) => return List::cut(members, trouble),
        };
        let Some(names) = page.get("TableNames").and_then(Value::as_array) else {
            return List::cut(members, strange());
        };
        members.extend(names.iter().filter_map(Value::as_str).map(str::to_owned));
        if members.len() > TABLES {
            members.truncate(TABLES);
            return List::endless(members);
        }
        match page.get("LastEvaluatedTableName") {
            None | Some(Value::Null) => return List { members, cut: None },
            Some(more) if *more == next => return List::cut(members, strange()),
            Some(more) => next = more.clone(),
        }
    }
    List::endless(members)
}

/// Every table is encrypted; what differs is whose key it is, and whether the service can still use it.
fn at_rest(table: &Value) -> Result<AtRest, Trouble> {
    let told = table.get("SSEDescription").filter(|told| !told.is_null());
    let word = |key: &str| told.and_then(|told| told.get(key)).and_then(Value::as_str).unwrap_or_default();
    let (encrypted, key, source) = match (told, word("Status")) {
        (None, _) if table.get("TableName").is_some() => {
            (Fact::Known(true), "provider", "SSEDescription is absent: under a key that the service owns".to_owned())
        }
        (None, _) => return Err(strange()),
        (Some(_), "ENABLED" | "UPDATING")
            if told.is_some_and(|told| told.get("InaccessibleEncryptionDateTime").is_none()) =>
        {
            (Fact::Known(true), "kms", format!("SSEDescription {}", clean(word("SSEType"))))
        }
        (Some(_), "ENABLED" | "UPDATING") => {
            (Fact::Known(true), "kms", "SSEDescription; the key cannot be used any more".to_owned())
        }
        (Some(_), other) => (
            Fact::unknown(format!("SSEDescription has the status {}", clean(other))),
            "kms",
            "SSEDescription".to_owned(),
        ),
    };
    Ok(AtRest {
        serves: Vec::new(),
        applicable: true,
        layers: vec![Layer {
            layer: "disk".to_owned(),
            encrypted,
            // By the provider's word.
            algorithm: Fact::Known("AES".to_owned()),
            key_bits: Fact::Known(256),
            mode: Fact::unknown("the provider names AES-256, and no mode"),
            scope: "the table, its indexes, streams and backups".to_owned(),
            level: 3,
            source: format!("DescribeTable: {source}"),
            key_location: Fact::Known(key.to_owned()),
        }],
        files: Vec::new(),
        not_covered: vec!["exports to buckets".to_owned()],
        would_show: Vec::new(),
    })
}

fn backup(copies: &Value, now: Timestamp) -> Result<Backup, Trouble> {
    const NAME: &str = "point-in-time recovery";
    let told = copies.get("ContinuousBackupsDescription").ok_or_else(strange)?;
    let recovery = told.get("PointInTimeRecoveryDescription").ok_or_else(strange)?;
    let status = recovery.get("PointInTimeRecoveryStatus").and_then(Value::as_str).ok_or_else(strange)?;
    let at = recovery.get("LatestRestorableDateTime").and_then(Value::as_f64).filter(|second| second.is_finite());
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a fraction of a second is of no use, and what is too large is no instant"
    )]
    let at = at.and_then(|second| Timestamp::from_second(second as i64).ok());
    let means = match (status, at) {
        ("ENABLED", Some(at)) => {
            BackupMeans::new(NAME, Fact::Known(at), Fact::Known(false), format!("restorable to {at}"), now)
        }
        ("ENABLED", None) => BackupMeans::untold(NAME, "it is on, and the point that it reaches to is not told"),
        ("DISABLED", _) => {
            let why = "point-in-time recovery is off; backups that are made on demand or by a plan are not looked for";
            BackupMeans::untold(NAME, why)
        }
        _ => return Err(strange()),
    };
    Ok(Backup { applicable: true, means: vec![means] })
}
