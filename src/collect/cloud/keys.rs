//! The key service: keys that are the customer's own.

use super::page::{List, strange};
use crate::collect::answer::clean;
use crate::collect::aws::Client;
use crate::model::cloud::Key;
use crate::model::{Fact, Trouble};
use serde_json::{Value, json};

/// The most keys, and pages of their ids.
const KEYS: usize = 500;
const PAGES: usize = 20;
/// The days between two changes where the service names none: its own default.
const PERIOD: u64 = 365;

/// Asks for keys. Those that Amazon manages are left out: it changes them by itself.
pub async fn ask(client: &Client<'_>) -> Vec<Key> {
    let ids = ids(client).await;
    let mut keys = Vec::new();
    for id in &ids.members {
        match question(client, "DescribeKey", &json!({ "KeyId": id }), "kms:DescribeKey").await {
            Ok(told) => {
                let told = told.get("KeyMetadata").cloned().unwrap_or_default();
                if told.get("KeyManager").and_then(Value::as_str) != Some("AWS") {
                    keys.push(key(client, id, &told).await);
                }
            }
            Err(trouble) => keys.push(unknown(id, &trouble)),
        }
    }
    keys.extend(ids.cut.iter().map(unlisted));
    keys
}

/// A list that is not known to be whole.
pub fn unlisted(why: &Trouble) -> Key {
    let words = format!("the list is not known to be whole: {why}");
    unknown("list of keys", &Trouble::new(why.reason, words))
}

fn unknown(id: &str, why: &Trouble) -> Key {
    Key {
        id: clean(id),
        state: Fact::unknown(why.to_string()),
        rotated: Fact::unknown(why.to_string()),
        period_days: Fact::unknown(why.to_string()),
        rotatable: Fact::unknown(why.to_string()),
        seen: why.to_string(),
    }
}

async fn question(client: &Client<'_>, action: &str, body: &Value, right: &str) -> Result<Value, Trouble> {
    let answer = client.json(&format!("TrentService.{action}"), body).await?.good(right)?;
    serde_json::from_slice(&answer.body).map_err(|_| strange())
}

async fn ids(client: &Client<'_>) -> List<String> {
    let mut members: Vec<String> = Vec::new();
    let mut next: Option<String> = None;
    for _ in 0..PAGES {
        let body = match &next {
            None => json!({ "Limit": 100 }),
            Some(marker) => json!({ "Limit": 100, "Marker": marker }),
        };
        let page = match question(client, "ListKeys", &body, "kms:ListKeys").await {
            Ok(page) => page,
            Err(trouble) => return List::cut(members, trouble),
        };
        let Some(keys) = page.get("Keys").and_then(Value::as_array) else { return List::cut(members, strange()) };
        members.extend(keys.iter().filter_map(|key| key.get("KeyId")?.as_str()).map(str::to_owned));
        if members.len() > KEYS {
            members.truncate(KEYS);
            return List::endless(members);
        }
        let more = page.get("Truncated").and_then(Value::as_bool).unwrap_or_default();
        let marker = page.get("NextMarker").and_then(Value::as_str).map(str::to_owned);
        match (more, marker) {
            (false, _) => return List { members, cut: None },
            (true, Some(marker)) if Some(&marker) != next.as_ref() => next = Some(marker),
            (true, _) => return List::cut(members, strange()),
        }
    }
    List::endless(members)
}

async fn key(client: &Client<'_>, id: &str, told: &Value) -> Key {
    let word = |name: &str| told.get(name).and_then(Value::as_str).map(clean);
    let untold = |name: &str| format!("the answer does not tell {name}");
    let fact = |name: &str| word(name).map_or_else(|| Fact::unknown(untold(name)), Fact::Known);
    let state = fact("KeyState");
    // Pairs, keys for codes and material from outside are changed by hand alone.
    let rotatable = match (word("KeySpec"), word("Origin")) {
        (Some(spec), Some(origin)) => Fact::Known(spec == "SYMMETRIC_DEFAULT" && origin == "AWS_KMS"),
        _ => Fact::unknown(untold("KeySpec and Origin")),
    };
    // What the service cannot change, or is about to delete, it changes at no time.
    let leaving = matches!(state.known().map(String::as_str), Some("PendingDeletion" | "PendingReplicaDeletion"));
    let never = rotatable == Fact::Known(false) || leaving;
    let (rotated, period_days) = if never { (Fact::Known(false), Fact::Known(0)) } else { rotation(client, id).await };
    let words = match (&rotatable, &rotated) {
        (_, Fact::Known(true)) => {
            format!("changed every {} days", period_days.known().copied().unwrap_or(PERIOD))
        }
        (Fact::Known(false), _) => "of a sort that the service does not change by itself".to_owned(),
        (_, Fact::Known(false)) => "not changed by itself".to_owned(),
        (_, Fact::Unknown(why)) => why.unknown.clone(),
    };
    let seen = format!("{}, {words}", state.known().map_or("state not told", String::as_str));
    Key { id: clean(id), state, rotated, period_days, rotatable, seen }
}

/// Whether the service changes the key, and after how many days.
async fn rotation(client: &Client<'_>, id: &str) -> (Fact<bool>, Fact<u64>) {
    let about = json!({ "KeyId": id });
    match question(client, "GetKeyRotationStatus", &about, "kms:GetKeyRotationStatus").await {
        Ok(status) => {
            let rotated = status.get("KeyRotationEnabled").and_then(Value::as_bool);
            let untold = || Fact::unknown("the answer does not tell KeyRotationEnabled");
            let period = status.get("RotationPeriodInDays").and_then(Value::as_u64).unwrap_or(PERIOD);
            (rotated.map_or_else(untold, Fact::Known), Fact::Known(period))
        }
        Err(trouble) => (Fact::unknown(trouble.to_string()), Fact::unknown(trouble.to_string())),
    }
}
