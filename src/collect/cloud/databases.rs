//! RDS and Aurora: instances, clusters, their copies.

use super::page::{self, List, Question, switch};
use super::{Store, unlisted};
use crate::collect::answer::clean;
use crate::collect::aws::{Client, Texts};
use crate::model::cloud::Exposure;
use crate::model::database::{AtRest, Backup, BackupMeans, Layer, Sign};
use crate::model::{Fact, Trouble};
use jiff::Timestamp;
use std::collections::BTreeMap;

const VERSION: &str = "2014-10-31";

/// The newest copy of each database, and why more may not be known.
struct Copies {
    newest: BTreeMap<String, Timestamp>,
    cut: Option<Trouble>,
}

/// Asks for databases, and for their copies.
pub async fn ask(client: &Client<'_>, now: Timestamp) -> (Vec<Store>, Vec<Sign>) {
    let list = |action, member, right| async move {
        let result = format!("{action}Response/{action}Result");
        let (members, next) = (format!("{result}/{member}"), format!("{result}/Marker"));
        let next = ("Marker", next.as_str());
        page::all(client, &Question { action, version: VERSION, fields: &[], members: &members, next, right }).await
    };
    let instances = list("DescribeDBInstances", "DBInstances/DBInstance", "rds:DescribeDBInstances").await;
    let clusters = list("DescribeDBClusters", "DBClusters/DBCluster", "rds:DescribeDBClusters").await;
    let of_instances = list("DescribeDBSnapshots", "DBSnapshots/DBSnapshot", "rds:DescribeDBSnapshots").await;
    let right = "rds:DescribeDBClusterSnapshots";
    let of_clusters = list("DescribeDBClusterSnapshots", "DBClusterSnapshots/DBClusterSnapshot", right).await;
    let right = "rds:DescribeDBInstanceAutomatedBackups";
    let member = "DBInstanceAutomatedBackups/DBInstanceAutomatedBackup";
    let automated = list("DescribeDBInstanceAutomatedBackups", member, right).await;

    let mut stores: Vec<Store> = Vec::new();
    let copies = newest(&of_instances, "DBInstanceIdentifier");
    stores.extend(instances.members.iter().map(|instance| {
        let name = name(instance, "DBInstanceIdentifier");
        let clustered = instance.first("DBClusterIdentifier").is_some_and(|cluster| !cluster.is_empty());
        Store {
            part: format!("rds {name}"),
            at_rest: Ok(at_rest(instance, "DescribeDBInstances")),
            // The copies of a cluster are those of all its instances.
            backup: (!clustered).then(|| Ok(backup(instance, &name, &copies, now))),
            exposure: Ok(exposure(instance)),
        }
    }));
    let copies = newest(&of_clusters, "DBClusterIdentifier");
    stores.extend(clusters.members.iter().map(|cluster| {
        let name = name(cluster, "DBClusterIdentifier");
        Store {
            part: format!("rds cluster {name}"),
            at_rest: Ok(at_rest(cluster, "DescribeDBClusters")),
            backup: Some(Ok(backup(cluster, &name, &copies, now))),
            exposure: Ok(of_cluster(cluster, &instances)),
        }
    }));
    stores.extend(instances.cut.iter().map(|why| Store::unlisted("rds", why)));
    stores.extend(clusters.cut.iter().map(|why| Store::unlisted("rds cluster", why)));

    let mut signs = Vec::new();
    for (list, id, encrypted, words) in [
        (&of_instances, "DBSnapshotIdentifier", "Encrypted", "snapshot"),
        (&of_clusters, "DBClusterSnapshotIdentifier", "StorageEncrypted", "cluster snapshot"),
        (&automated, "DBInstanceIdentifier", "Encrypted", "automated backups of"),
    ] {
        signs.extend(list.members.iter().map(|one| {
            let yes = switch(one, encrypted);
            let seen = if yes == Fact::Known(true) { "encrypted" } else { "not encrypted" };
            Sign::new(&format!("rds {words} {}", name(one, id)), yes, seen)
        }));
        signs.extend(list.cut.iter().map(|why| unlisted(&format!("rds list of each {words}"), why)));
    }
    (stores, signs)
}

fn name(texts: &Texts, path: &str) -> String {
    clean(texts.first(path).unwrap_or("without a name"))
}

fn instant(texts: &Texts, path: &str) -> Option<Timestamp> {
    texts.first(path)?.parse().ok()
}

/// The newest whole copy of each database.
fn newest(list: &List<Texts>, of: &str) -> Copies {
    let mut newest: BTreeMap<String, Timestamp> = BTreeMap::new();
    for copy in list.members.iter().filter(|copy| copy.first("Status") == Some("available")) {
        if let Some(at) = instant(copy, "SnapshotCreateTime") {
            let known = newest.entry(name(copy, of)).or_insert(at);
            *known = (*known).max(at);
        }
    }
    Copies { newest, cut: list.cut.clone() }
}

fn at_rest(store: &Texts, action: &str) -> AtRest {
    let encrypted = switch(store, "StorageEncrypted");
    let named = store.first("KmsKeyId").is_some_and(|key| !key.is_empty());
    let told = |yes: &Fact<bool>| yes.known() == Some(&true);
    let untold = "the control plane does not tell it";
    // An instance has its address in an element, a cluster has two beside each other.
    let port = store.first("Endpoint/Port").or_else(|| store.first("Port")).unwrap_or_default();
    let names = ["Endpoint/Address", "Endpoint", "ReaderEndpoint"];
    let serves = names.iter().filter_map(|name| store.first(name)).filter(|name| !name.is_empty());
    AtRest {
        serves: serves.map(|name| clean(&format!("{name}:{port}")).to_ascii_lowercase()).collect(),
        applicable: true,
        layers: vec![Layer {
            layer: "disk".to_owned(),
            // By the provider's word: an encrypted store is under AES-256.
            algorithm: if told(&encrypted) { Fact::Known("AES".to_owned()) } else { Fact::unknown(untold) },
            key_bits: if told(&encrypted) { Fact::Known(256) } else { Fact::unknown(untold) },
            mode: Fact::unknown("the provider names AES-256, and no mode"),
            scope: "data, logs, automated backups and read replicas of the region".to_owned(),
            level: 3,
            source: format!("{action}: StorageEncrypted"),
            key_location: if named { Fact::Known("kms".to_owned()) } else { Fact::Known("provider".to_owned()) },
            encrypted,
        }],
        files: Vec::new(),
        not_covered: vec!["exports to buckets".to_owned(), "copies in other accounts and regions".to_owned()],
        would_show: Vec::new(),
    }
}

/// The newest point to which the service can bring the database back.
fn backup(store: &Texts, name: &str, copies: &Copies, now: Timestamp) -> Backup {
    const NAME: &str = "copies that the service keeps";
    let days: Option<u64> = store.first("BackupRetentionPeriod").and_then(|days| days.parse().ok());
    let snapshot = copies.newest.get(name).copied();
    let point = instant(store, "LatestRestorableTime").filter(|_| days != Some(0));
    let of_snapshots = match snapshot {
        Some(at) => format!("the newest snapshot is of {at}"),
        None => "there is no snapshot".to_owned(),
    };
    let means = match (point.max(snapshot), days, &copies.cut) {
        (Some(at), _, _) => {
            let kept = days.map_or_else(|| "not told".to_owned(), |days| days.to_string());
            let point = point.map_or_else(|| "not told".to_owned(), |at| at.to_string());
            let seen = format!("automated backups for {kept} days, restorable to {point}; {of_snapshots}");
            BackupMeans::new(NAME, Fact::Known(at), Fact::Known(false), seen, now)
        }
        (None, Some(0), None) => {
            let never = || Fact::unknown("nothing was ever copied");
            let seen = format!("automated backups are off (BackupRetentionPeriod 0), and {of_snapshots}");
            BackupMeans::new(NAME, never(), Fact::Known(true), seen, now)
        }
        (None, _, Some(why)) => BackupMeans::untold(NAME, &format!("the snapshots are not known: {why}")),
        (None, ..) => BackupMeans::untold(NAME, "the service tells no point to which it can bring the database back"),
    };
    Backup { applicable: true, means: vec![means] }
}

fn exposure(instance: &Texts) -> Exposure {
    let yes = switch(instance, "PubliclyAccessible");
    let seen = match yes.known() {
        Some(true) => "it has an address that is reachable from the internet, as far as its security groups let in",
        _ => "it has no address outside its own network",
    };
    Exposure { applicable: true, ways: vec![Sign::new("PubliclyAccessible", yes, seen)] }
}

/// A cluster is reached by its instances.
fn of_cluster(cluster: &Texts, instances: &List<Texts>) -> Exposure {
    let id = cluster.first("DBClusterIdentifier");
    let members: Vec<&Texts> =
        instances.members.iter().filter(|instance| instance.first("DBClusterIdentifier") == id).collect();
    let mut ways: Vec<Sign> = members
        .iter()
        .map(|instance| {
            let mut way = exposure(instance).ways.remove(0);
            way.name = format!("PubliclyAccessible of {}", name(instance, "DBInstanceIdentifier"));
            way
        })
        .collect();
    if let Some(why) = &instances.cut {
        ways.push(unlisted("instances", why));
    } else if ways.is_empty() {
        ways.push(Sign::new("PubliclyAccessible", Fact::Known(false), "the cluster has no instance to be reached by"));
    }
    Exposure { applicable: true, ways }
}
