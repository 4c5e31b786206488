//! EC2: volumes, and snapshots of them.

use super::page::{self, Question, switch};
use super::unlisted;
use crate::collect::answer::clean;
use crate::collect::aws::{Client, Texts};
use crate::model::Fact;
use crate::model::database::Sign;

const VERSION: &str = "2016-11-15";
/// The most entries of a page.
const PAGE: (&str, &str) = ("MaxResults", "500");

/// Asks for volumes, and for the default of new ones.
pub async fn ask(client: &Client<'_>) -> Vec<Sign> {
    let action = "GetEbsEncryptionByDefault";
    let question = Question {
        action,
        version: VERSION,
        fields: &[],
        members: "GetEbsEncryptionByDefaultResponse",
        next: ("NextToken", "GetEbsEncryptionByDefaultResponse/nextToken"),
        right: "ec2:GetEbsEncryptionByDefault",
    };
    let told = page::all(client, &question).await;
    const DEFAULT: &str = "default of new volumes";
    let mut signs = vec![match (told.members.first(), told.cut) {
        (Some(told), None) => {
            let yes = switch(told, "ebsEncryptionByDefault");
            let seen =
                if yes == Fact::Known(true) { "encryption by default is on" } else { "encryption by default is off" };
            Sign::new(DEFAULT, yes, seen)
        }
        (_, Some(why)) => Sign::new(DEFAULT, Fact::unknown(why.to_string()), ""),
        (None, None) => Sign::new(DEFAULT, Fact::unknown(page::strange().to_string()), ""),
    }];
    let question = Question {
        action: "DescribeVolumes",
        version: VERSION,
        fields: &[PAGE],
        members: "DescribeVolumesResponse/volumeSet/item",
        next: ("NextToken", "DescribeVolumesResponse/nextToken"),
        right: "ec2:DescribeVolumes",
    };
    let list = page::all(client, &question).await;
    signs.extend(list.members.iter().map(|volume| sign("ebs", "volumeId", volume)));
    signs.extend(list.cut.iter().map(|why| unlisted("ebs list of volumes", why)));
    signs
}

/// Asks for the account's own snapshots.
pub async fn snapshots(client: &Client<'_>) -> Vec<Sign> {
    let question = Question {
        action: "DescribeSnapshots",
        version: VERSION,
        fields: &[("Owner.1", "self"), PAGE],
        members: "DescribeSnapshotsResponse/snapshotSet/item",
        next: ("NextToken", "DescribeSnapshotsResponse/nextToken"),
        right: "ec2:DescribeSnapshots",
    };
    let list = page::all(client, &question).await;
    let mut signs: Vec<Sign> =
        list.members.iter().map(|snapshot| sign("ebs snapshot", "snapshotId", snapshot)).collect();
    signs.extend(list.cut.iter().map(|why| unlisted("ebs list of snapshots", why)));
    signs
}

fn sign(what: &str, id: &str, entry: &Texts) -> Sign {
    let yes = switch(entry, "encrypted");
    let seen = if yes == Fact::Known(true) { "encrypted" } else { "not encrypted" };
    Sign::new(&format!("{what} {}", clean(entry.first(id).unwrap_or("without an id"))), yes, seen)
}
