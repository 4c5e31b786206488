//! A bucket's own settings, and a look at the heads of a few of its objects.

use crate::collect::answer::{clean, map};
use crate::collect::aws::{Answer, Client, Texts};
use crate::model::bucket::{Bucket, Expiry};
use crate::model::database::Sign;
use crate::model::{Fact, Reason, Trouble};
use serde_json::Value;

/// How many objects are looked at for their encryption.
const SAMPLE: usize = 20;
/// Everybody, and everybody with an account anywhere.
const GROUPS: [&str; 2] =
    ["http://acs.amazonaws.com/groups/global/AllUsers", "http://acs.amazonaws.com/groups/global/AuthenticatedUsers"];

/// Asks for all of it.
///
/// # Errors
/// Where the bucket cannot be asked at all.
pub async fn facts(client: &Client<'_>, bucket: &str) -> Result<Bucket, Trouble> {
    // Whoever may not even do this is told why once; a bucket without the setting is still a bucket.
    let versioning = read(client, bucket, "versioning", "s3:GetBucketVersioning").await;
    // The second name is an emulator's.
    let roots = ["VersioningConfiguration", "GetBucketVersioningResponse"];
    let versioning = versioning.and_then(|texts| texts.rooted(&roots));
    if let Err(trouble) = &versioning
        && matches!(
            trouble.reason,
            Reason::AuthenticationFailed
                | Reason::Unreachable
                | Reason::Refused
                | Reason::TimedOut
                | Reason::Interrupted
        )
    {
        return Err(trouble.clone());
    }
    let versioning = fact(versioning.map(|texts| {
        let status = roots.iter().find_map(|root| texts.first(&format!("{root}/Status")));
        status.map_or_else(|| "never".to_owned(), clean)
    }));
    let encryption = default_encryption(client, bucket).await;
    let algorithm = map(&encryption, |(algorithm, _)| algorithm.clone());
    let own_key = map(&encryption, |(_, key)| *key);
    let default = Sign::new(
        "default of new objects",
        map(&algorithm, |algorithm| matches!(algorithm.as_str(), "AES256" | "aws:kms" | "aws:kms:dsse")),
        algorithm.known().map(|algorithm| format!("the default is {algorithm}")).unwrap_or_default(),
    );
    let guard = guard(client, bucket).await;
    Ok(Bucket {
        applicable: true,
        encryption: std::iter::once(default).chain(sampled(client, bucket).await).collect(),
        algorithm,
        own_key,
        public: vec![
            policy(client, bucket, &guard).await,
            acl(client, bucket, &guard).await,
            Sign::new(
                "no guard against what is to come",
                match &guard {
                    Fact::Known(Some(guard)) => Fact::Known(!guard.all()),
                    Fact::Known(None) => Fact::unknown(
                        "the bucket has no public access block of its own, and whether its account has one is not read",
                    ),
                    Fact::Unknown(why) => Fact::Unknown(why.clone()),
                },
                guard.known().and_then(Option::as_ref).map(Guard::words).unwrap_or_default(),
            ),
        ],
        plaintext: vec![in_clear(client, bucket).await],
        versioning,
        lifecycle: fact(lifecycle(client, bucket).await),
    })
}

async fn read(client: &Client<'_>, bucket: &str, what: &str, right: &str) -> Result<Texts, Trouble> {
    Texts::read(&client.get(bucket, &[(what, "")]).await?.good(right)?.body)
}

fn fact<T>(answer: Result<T, Trouble>) -> Fact<T> {
    match answer {
        Ok(value) => Fact::Known(value),
        Err(trouble) => Fact::unknown(trouble.to_string()),
    }
}

/// An answer, or nothing where the store says by this word that nothing is set.
fn unless(answer: Answer, word: &str, right: &str) -> Result<Option<Answer>, Trouble> {
    if answer.code == word { Ok(None) } else { answer.good(right).map(Some) }
}

/// The algorithm of new objects, and whether a key is named.
async fn default_encryption(client: &Client<'_>, bucket: &str) -> Fact<(String, bool)> {
    let right = "s3:GetEncryptionConfiguration";
    fact(
        async {
            let answer = client.get(bucket, &[("encryption", "")]).await?;
            let Some(answer) = unless(answer, "ServerSideEncryptionConfigurationNotFoundError", right)? else {
                return Ok(("none".to_owned(), false));
            };
            let texts = Texts::read(&answer.body)?;
            let rule = "ServerSideEncryptionConfiguration/Rule/ApplyServerSideEncryptionByDefault";
            let algorithm = texts.first(&format!("{rule}/SSEAlgorithm")).ok_or_else(strange)?;
            let key = texts.first(&format!("{rule}/KMSMasterKeyID")).is_some_and(|key| !key.is_empty());
            Ok((clean(algorithm), key))
        }
        .await,
    )
}

fn strange() -> Trouble {
    Trouble::new(Reason::ProtocolViolation, "the answer lacks what it must have")
}

/// The heads of the first objects. The store encrypts by default since 2023; what is older may lie there plain.
async fn sampled(client: &Client<'_>, bucket: &str) -> Option<Sign> {
    const NAME: &str = "objects that are there";
    let number = SAMPLE.to_string();
    let listed = async {
        let query = [("list-type", "2"), ("max-keys", number.as_str())];
        let answer = client.get(bucket, &query).await?.good("s3:ListBucket")?;
        let texts = Texts::read(&answer.body)?.rooted(&["ListBucketResult"])?;
        let keys: Vec<String> = texts.all("ListBucketResult/Contents/Key").take(SAMPLE).map(str::to_owned).collect();
        Ok((keys, texts.first("ListBucketResult/IsTruncated") != Some("false")))
    };
    let (keys, more) = match listed.await {
        Ok(listed) => listed,
        Err(trouble) => return Some(Sign::new(NAME, fact(Err::<bool, Trouble>(trouble)), "")),
    };
    let (mut plain, mut whole) = (0, 0);
    for key in &keys {
        let head = client.head(bucket, key).await.and_then(|answer| answer.good("s3:GetObject"));
        match head {
            Ok(answer) => {
                whole += 1;
                plain += usize::from(answer.encryption.is_none());
            }
            Err(trouble) if plain == 0 => return Some(Sign::new(NAME, fact(Err::<bool, Trouble>(trouble)), "")),
            Err(_) => break,
        }
    }
    let seen = format!("of {whole} objects that were looked at {plain} are told to lie there without encryption");
    let yes = match (plain, more) {
        (1.., _) => Fact::Known(false),
        (0, false) if whole == 0 => return None,
        (0, false) => Fact::Known(true),
        (0, true) => Fact::unknown(format!("{seen}; the others were not looked at")),
    };
    Some(Sign::new(NAME, yes, seen))
}

/// The switches of a public access block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Guard {
    block_acls: bool,
    ignore_acls: bool,
    block_policy: bool,
    restrict: bool,
}

impl Guard {
    fn all(&self) -> bool {
        self.block_acls && self.ignore_acls && self.block_policy && self.restrict
    }

    fn words(&self) -> String {
        format!(
            "BlockPublicAcls {}, IgnorePublicAcls {}, BlockPublicPolicy {}, RestrictPublicBuckets {}",
            self.block_acls, self.ignore_acls, self.block_policy, self.restrict
        )
    }
}

async fn guard(client: &Client<'_>, bucket: &str) -> Fact<Option<Guard>> {
    let right = "s3:GetBucketPublicAccessBlock";
    fact(
        async {
            let answer = client.get(bucket, &[("publicAccessBlock", "")]).await?;
            let Some(answer) = unless(answer, "NoSuchPublicAccessBlockConfiguration", right)? else { return Ok(None) };
            let texts = Texts::read(&answer.body)?.rooted(&["PublicAccessBlockConfiguration"])?;
            let on = |name: &str| match texts.first(&format!("PublicAccessBlockConfiguration/{name}")) {
                Some(word) if word.eq_ignore_ascii_case("true") => Ok(true),
                Some(word) if word.eq_ignore_ascii_case("false") => Ok(false),
                None => Ok(false),
                Some(_) => Err(strange()),
            };
            Ok(Some(Guard {
                block_acls: on("BlockPublicAcls")?,
                ignore_acls: on("IgnorePublicAcls")?,
                block_policy: on("BlockPublicPolicy")?,
                restrict: on("RestrictPublicBuckets")?,
            }))
        }
        .await,
    )
}

/// Whether what would open the bucket is held off by a switch of its guard.
fn held_off(open: bool, guard: &Fact<Option<Guard>>, switch: fn(&Guard) -> bool) -> Fact<bool> {
    match (open, guard) {
        (false, _) => Fact::Known(false),
        (true, Fact::Known(guard)) => Fact::Known(!guard.as_ref().is_some_and(switch)),
        (true, Fact::Unknown(why)) => Fact::Unknown(why.clone()),
    }
}

/// Whether the policy gives rights to everybody, by the store's own judgement.
async fn policy(client: &Client<'_>, bucket: &str, guard: &Fact<Option<Guard>>) -> Sign {
    const NAME: &str = "policy";
    let right = "s3:GetBucketPolicyStatus";
    let open = async {
        let answer = client.get(bucket, &[("policyStatus", "")]).await?;
        let Some(answer) = unless(answer, "NoSuchBucketPolicy", right)? else { return Ok(None) };
        match Texts::read(&answer.body)?.first("PolicyStatus/IsPublic").map(str::to_ascii_lowercase).as_deref() {
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            _ => Err(strange()),
        }
    };
    match open.await {
        Ok(None) => Sign::new(NAME, Fact::Known(false), "there is no policy"),
        Ok(Some(open)) => {
            let seen = if open { "the policy gives rights to everybody" } else { "the policy gives none to everybody" };
            Sign::new(NAME, held_off(open, guard, |guard| guard.restrict), seen)
        }
        Err(trouble) => Sign::new(NAME, fact(Err::<bool, Trouble>(trouble)), ""),
    }
}

/// Whether the list of grants names everybody.
async fn acl(client: &Client<'_>, bucket: &str, guard: &Fact<Option<Guard>>) -> Sign {
    const NAME: &str = "list of grants";
    let grants = read(client, bucket, "acl", "s3:GetBucketAcl").await;
    match grants.and_then(|texts| texts.rooted(&["AccessControlPolicy/AccessControlList"])) {
        Ok(texts) => {
            let grants = texts.members("AccessControlPolicy/AccessControlList/Grant");
            let given = |grant: &&Texts| grant.first("Grantee/URI").is_some_and(|group| GROUPS.contains(&group));
            let rights: Vec<String> =
                grants.iter().filter(given).map(|grant| clean(grant.first("Permission").unwrap_or("?"))).collect();
            let seen = match rights.is_empty() {
                true => "no grant names everybody".to_owned(),
                false => format!("grants to everybody: {}", rights.join(", ")),
            };
            Sign::new(NAME, held_off(!rights.is_empty(), guard, |guard| guard.ignore_acls), seen)
        }
        Err(trouble) => Sign::new(NAME, fact(Err::<bool, Trouble>(trouble)), ""),
    }
}

/// Whether requests without TLS are served: the store listens for them, unless a policy refuses them all.
async fn in_clear(client: &Client<'_>, bucket: &str) -> Sign {
    const NAME: &str = "requests without TLS";
    let document = async {
        let answer = client.get(bucket, &[("policy", "")]).await?;
        let Some(answer) = unless(answer, "NoSuchBucketPolicy", "s3:GetBucketPolicy")? else { return Ok(None) };
        serde_json::from_slice::<Value>(&answer.body).map(Some).map_err(|_| strange())
    };
    match document.await {
        Ok(None) => Sign::new(NAME, Fact::Known(true), "there is no policy that refuses them"),
        Ok(Some(document)) => {
            let refused = refuses_clear(&document, bucket);
            let seen = if refused { "a statement refuses them all" } else { "no statement refuses them all" };
            Sign::new(NAME, Fact::Known(!refused), seen)
        }
        Err(trouble) => Sign::new(NAME, fact(Err::<bool, Trouble>(trouble)), ""),
    }
}

/// Whether one statement refuses everybody everything in the bucket where `aws:SecureTransport` is false, and nothing narrows
/// it.
fn refuses_clear(document: &Value, bucket: &str) -> bool {
    let list = |value: &Value| -> Vec<String> {
        match value {
            Value::Array(all) => all.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            Value::String(one) => vec![one.clone()],
            Value::Bool(one) => vec![one.to_string()],
            _ => Vec::new(),
        }
    };
    let of = |statement: &Value, key: &str| statement.get(key).map(list).unwrap_or_default();
    let statements = match document.get("Statement") {
        Some(Value::Array(all)) => all.iter().collect(),
        Some(one) => vec![one],
        None => Vec::new(),
    };
    // The part of an ARN after the service: `arn:aws:s3:::name`.
    let named = |resource: &str| resource.splitn(6, ':').nth(5).unwrap_or_default().to_owned();
    statements.into_iter().any(|statement| {
        let everybody = match statement.get("Principal") {
            Some(Value::String(who)) => who == "*",
            Some(Value::Object(who)) => who.get("AWS").is_some_and(|who| list(who).iter().any(|one| one == "*")),
            _ => false,
        };
        let resources = of(statement, "Resource");
        let covers = |wanted: &str| resources.iter().any(|one| one == "*" || named(one) == wanted);
        let both = (covers(bucket) || covers("*") || covers(&format!("{bucket}*")))
            && (covers(&format!("{bucket}/*")) || covers("*") || covers(&format!("{bucket}*")));
        let alone = statement.get("Condition").and_then(Value::as_object).is_some_and(|all| {
            all.len() == 1
                && all.get("Bool").and_then(Value::as_object).is_some_and(|keys| {
                    keys.len() == 1
                        && keys.iter().all(|(key, value)| {
                            key.eq_ignore_ascii_case("aws:SecureTransport")
                                && list(value).iter().any(|word| word.eq_ignore_ascii_case("false"))
                        })
                })
        });
        of(statement, "Effect") == ["Deny"]
            && everybody
            && of(statement, "Action").iter().any(|action| action == "*" || action.eq_ignore_ascii_case("s3:*"))
            && both
            && alone
            && !["NotPrincipal", "NotAction", "NotResource"].iter().any(|key| statement.get(key).is_some())
    })
}

/// The rules that end objects by their age.
pub async fn lifecycle(client: &Client<'_>, bucket: &str) -> Result<Vec<Expiry>, Trouble> {
    let right = "s3:GetLifecycleConfiguration";
    let answer = client.get(bucket, &[("lifecycle", "")]).await?;
    let Some(answer) = unless(answer, "NoSuchLifecycleConfiguration", right)? else { return Ok(Vec::new()) };
    let rules = Texts::read(&answer.body)?.rooted(&["LifecycleConfiguration"])?.members("LifecycleConfiguration/Rule");
    Ok(rules.iter().map(rule).collect())
}

fn rule(rule: &Texts) -> Expiry {
    let number = |path: &str| rule.first(path).and_then(|text| text.trim().parse().ok());
    // A filter is a prefix, or several conditions joined by `And`; all but a prefix leave objects out.
    let narrow = ["Tag", "ObjectSizeGreaterThan", "ObjectSizeLessThan"]
        .iter()
        .any(|name| rule.has(&format!("Filter/{name}")) || rule.has(&format!("Filter/And/{name}")));
    let prefix = ["Filter/Prefix", "Filter/And/Prefix", "Prefix"].iter().find_map(|path| rule.first(path));
    Expiry {
        id: clean(rule.first("ID").unwrap_or_default()),
        prefix: prefix.unwrap_or_default().to_owned(),
        whole: rule.first("Status") == Some("Enabled") && !narrow,
        days: number("Expiration/Days"),
        noncurrent_days: number("NoncurrentVersionExpiration/NoncurrentDays"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn statement(change: impl FnOnce(&mut Value)) -> Value {
        let mut one = json!({
            "Effect": "Deny", "Principal": "*", "Action": "s3:*",
            "Resource": ["arn:aws:s3:::shop", "arn:aws:s3:::shop/*"],
            "Condition": { "Bool": { "aws:SecureTransport": "false" } }
        });
        change(&mut one);
        json!({ "Statement": [one] })
    }

    #[test]
    fn only_a_refusal_of_everything_to_everybody_counts() {
        assert!(refuses_clear(&statement(|_| {}), "shop"));
        assert!(refuses_clear(&statement(|one| one["Principal"] = json!({"AWS": ["*"]})), "shop"));
        assert!(refuses_clear(&statement(|one| one["Resource"] = json!("*")), "shop"));
        assert!(refuses_clear(
            &statement(|one| one["Condition"]["Bool"]["aws:SecureTransport"] = json!(false)),
            "shop"
        ));
        type Change = fn(&mut Value);
        let narrower: [Change; 9] = [
            |one| one["Effect"] = json!("Allow"),
            |one| one["Principal"] = json!({"AWS": "arn:aws:iam::1:root"}),
            |one| one["Action"] = json!(["s3:PutObject"]),
            |one| one["Resource"] = json!("arn:aws:s3:::shop/*"),
            |one| one["Resource"] = json!(["arn:aws:s3:::other", "arn:aws:s3:::other/*"]),
            |one| one["Condition"]["Bool"]["aws:SecureTransport"] = json!("true"),
            |one| one["Condition"]["IpAddress"] = json!({"aws:SourceIp": "10.0.0.0/8"}),
            |one| one["Condition"]["Bool"]["aws:ViaAWSService"] = json!("false"),
            |one| one["NotAction"] = json!("s3:GetObject"),
        ];
        for change in narrower {
            let document = statement(change);
            assert!(!refuses_clear(&document, "shop"), "{document}");
        }
        assert!(!refuses_clear(&json!({}), "shop") && !refuses_clear(&json!([]), "shop"));
    }

    #[test]
    fn a_rule_that_leaves_objects_out_is_not_whole() {
        let of = |xml: &str| {
            let whole = format!("<LifecycleConfiguration><Rule>{xml}</Rule></LifecycleConfiguration>");
            rule(&Texts::read(whole.as_bytes()).unwrap().members("LifecycleConfiguration/Rule")[0])
        };
        let plain = of(
            "<Filter><Prefix>logs/</Prefix></Filter><Status>Enabled</Status><Expiration><Days>30</Days></Expiration>",
        );
        assert!(plain.whole && plain.prefix == "logs/" && plain.days == Some(30));
        assert!(!of("<Filter><Tag><Key>a</Key></Tag></Filter><Status>Enabled</Status>").whole);
        assert!(
            !of("<Filter><And><Prefix>a</Prefix><Tag><Key>a</Key></Tag></And></Filter><Status>Enabled</Status>").whole
        );
        assert!(!of("<Prefix/><Status>Disabled</Status>").whole);
    }
}
