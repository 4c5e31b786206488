//! S3: the account's buckets in the region, each with what is read of one that is declared.

use super::page::strange;
use crate::collect::answer::clean;
use crate::collect::aws::{Client, Texts};
use crate::collect::objects::bucket;
use crate::model::bucket::Bucket;
use crate::model::{Reason, Trouble};

/// The most buckets.
const BUCKETS: usize = 200;

/// Asks for buckets, and for the settings of each.
pub async fn ask(client: &Client<'_>) -> Vec<(String, Result<Bucket, Trouble>)> {
    let (names, cut) = match names(client).await {
        Ok(names) => names,
        Err(trouble) => return vec![("s3".to_owned(), Err(trouble))],
    };
    let mut seen = Vec::new();
    for name in names {
        seen.push((format!("s3 {}", clean(&name)), bucket::facts(client, &name).await));
    }
    seen.extend(cut.map(|why| ("s3".to_owned(), Err(why))));
    seen
}

async fn names(client: &Client<'_>) -> Result<(Vec<String>, Option<Trouble>), Trouble> {
    let answer = client.root(&[("bucket-region", client.region())]).await?.good("s3:ListAllMyBuckets")?;
    let texts = Texts::read(&answer.body)?.rooted(&["ListAllMyBucketsResult"])?;
    if !texts.has("ListAllMyBucketsResult/Buckets") {
        return Err(strange());
    }
    let mut names: Vec<String> = texts.all("ListAllMyBucketsResult/Buckets/Bucket/Name").map(str::to_owned).collect();
    let many = names.len() > BUCKETS || texts.first("ListAllMyBucketsResult/ContinuationToken").is_some();
    names.truncate(BUCKETS);
    let cut = many.then(|| Trouble::new(Reason::TooLarge, format!("there are more than {BUCKETS} buckets")));
    Ok((names, cut))
}
