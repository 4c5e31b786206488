//! Facts about files, copies and logs: what is written to the disk, when it last was, and what is written down.

use super::settings::{Info, Settings};
use crate::collect::answer::map;
use crate::collect::direct::Log;
use crate::model::database::{AtRest, Audit, Backup, BackupMeans, Layer, Sign, StoredFile};
use crate::model::{Fact, Trouble};
use jiff::Timestamp;

/// What no answer of a server covers.
const NOT_COVERED: [&str; 5] = [
    "keys kept apart from the data",
    "replicas elsewhere",
    "older snapshots, backups and exports",
    "the server's own log",
    "memory, swap and core dumps",
];

/// Why the server cannot tell.
const NO_ENCRYPTION: &str = "the server has no encryption of its own, and cannot tell what the disk below does";

/// What is encrypted at rest.
///
/// # Errors
/// Where neither settings nor INFO say whether anything is stored at all.
pub fn at_rest(settings: &Result<Settings, Trouble>, info: &Result<Info, Trouble>) -> Result<AtRest, Trouble> {
    let (snapshots, log) = match (settings, info) {
        (Ok(settings), _) => {
            let of = |name: &str, off: &str| map(&settings.fact(name), |value| value != off);
            (of("save", ""), of("appendonly", "no"))
        }
        // INFO tells of the log alone.
        (Err(_), Ok(info)) => (
            Fact::unknown("the setting save is not shown"),
            match info.number("aof_enabled") {
                Some(on) => Fact::Known(on != 0),
                None => Fact::unknown("INFO does not tell whether there is a log"),
            },
        ),
        (Err(trouble), Err(_)) => return Err(trouble.clone()),
    };
    let folder = settings.as_ref().ok().and_then(|settings| settings.get("dir"));
    let stored = match (&snapshots, &log) {
        (Fact::Known(false), Fact::Known(false)) => leftovers(settings, info),
        _ => true,
    };
    let unknown = || Fact::unknown(NO_ENCRYPTION);
    let state = |written: &Fact<bool>| match written {
        Fact::Known(false) => Fact::Known("absent".to_owned()),
        _ => Fact::unknown("the file is plain by its form; what the disk below does, the server cannot tell"),
    };
    let file = |kind: &str, written: &Fact<bool>, source: &str| StoredFile {
        kind: kind.to_owned(),
        state: state(written),
        source: source.to_owned(),
    };
    let place = folder.unwrap_or("the server's folder (CONFIG GET dir)");
    Ok(AtRest {
        serves: Vec::new(),
        applicable: stored,
        layers: vec![Layer {
            layer: "instance".to_owned(),
            encrypted: unknown(),
            algorithm: Fact::unknown(NO_ENCRYPTION),
            key_bits: Fact::unknown(NO_ENCRYPTION),
            mode: Fact::unknown(NO_ENCRYPTION),
            scope: "the whole server".to_owned(),
            level: 2,
            source: "the server's kind".to_owned(),
            key_location: Fact::unknown(NO_ENCRYPTION),
        }],
        files: match stored {
            true => vec![file("data", &snapshots, "save"), file("journal", &log, "appendonly")]
                .into_iter()
                // The store as a whole is never absent, be it in the log alone.
                .filter(|file| file.kind != "data" || file.state.known().is_none())
                .collect(),
            false => Vec::new(),
        },
        not_covered: NOT_COVERED.iter().map(|what| (*what).to_owned()).collect(),
        would_show: match stored {
            true => vec![format!(
                "the state of the disk below {place}, as its host sees it: name it as `host` and the folder as `data` of this \
                 database"
            )],
            false => Vec::new(),
        },
    })
}

/// Whether something may be on the disk although nothing is to be written: a file of an earlier time, or one for a replica.
fn leftovers(settings: &Result<Settings, Trouble>, info: &Result<Info, Trouble>) -> bool {
    let number = |name: &str| info.as_ref().ok().and_then(|info| info.number(name));
    let diskless = settings.as_ref().is_ok_and(|settings| settings.get("repl-diskless-sync") == Some("yes"));
    let saved = number("rdb_saves").is_none_or(|saves| saves > 0);
    let loaded = number("rdb_last_load_keys_loaded").is_none_or(|keys| keys > 0);
    let replicas = number("connected_slaves").is_none_or(|replicas| replicas > 0);
    saved || loaded || (replicas && !diskless)
}

/// The copies against loss that the server makes.
pub fn backup(
    settings: &Result<Settings, Trouble>,
    info: &Result<Info, Trouble>,
    now: Timestamp,
) -> Result<Backup, Trouble> {
    let info = info.as_ref().map_err(Trouble::clone)?;
    let on = match settings {
        Ok(settings) => map(&settings.fact("save"), |value| !value.is_empty()),
        Err(trouble) => Fact::unknown(trouble.to_string()),
    };
    let saved = last_saved(info, now);
    let failed = match info.get("rdb_last_bgsave_status") {
        Some("ok") => Fact::Known(false),
        Some(_) => Fact::Known(true),
        None => Fact::unknown("INFO does not tell how the last snapshot ended"),
    };
    let words = match (&saved, &failed) {
        (_, Fact::Known(true)) => "the last snapshot failed".to_owned(),
        (Fact::Known(at), _) => format!("the last snapshot is of {at}"),
        (Fact::Unknown(why), _) => why.unknown.clone(),
    };
    let snapshot = match on {
        Fact::Known(false) => {
            BackupMeans::untold("snapshots", "the server makes no snapshots by itself (save is empty)")
        }
        _ => BackupMeans::new("snapshots", saved, failed, words, now),
    };
    Ok(Backup {
        applicable: true,
        means: vec![
            snapshot,
            BackupMeans::untold(
                "copies elsewhere",
                "a snapshot lies on the server's own disk, and the server does not tell whether it is carried elsewhere",
            ),
        ],
    })
}

/// When the last snapshot was made. A server that has made none yet gives the time of its own start.
fn last_saved(info: &Info, now: Timestamp) -> Fact<Timestamp> {
    let Some(saved) = info.number("rdb_last_save_time") else {
        return Fact::unknown("INFO tells no time of a snapshot");
    };
    let Ok(at) = Timestamp::from_second(saved) else { return Fact::unknown("INFO tells an impossible time") };
    let started = info.number("uptime_in_seconds").map(|uptime| now.as_second().saturating_sub(uptime));
    let real = match (info.number("rdb_saves"), started) {
        (Some(saves), _) => saves > 0,
        // Two seconds for the roundings of both.
        (None, Some(started)) => saved > started.saturating_add(2),
        (None, None) => false,
    };
    match real {
        true => Fact::Known(at),
        false => Fact::unknown("no snapshot was made since the server started, and of earlier ones it knows nothing"),
    }
}

/// What is written down. There is no log of audits in these servers.
pub fn audit(settings: &Result<Settings, Trouble>, info: &Result<Info, Trouble>) -> Result<Audit, Trouble> {
    let settings = settings.as_ref().map_err(Trouble::clone)?;
    let level = settings.fact("loglevel");
    let sessions = map(&level, |level| matches!(level.as_str(), "debug" | "verbose"));
    let seen = level.known().map(|level| format!("loglevel is {level}")).unwrap_or_default();
    let syslog = settings.get("syslog-enabled") == Some("yes");
    let place = match (settings.get("logfile"), syslog) {
        (_, true) => Fact::Known("syslog".to_owned()),
        (Some("/dev/null"), _) => Fact::Known(String::new()),
        // The standard output is taken by whatever started the server, or by nobody.
        (Some(""), _) => Fact::Known("stdout".to_owned()),
        (Some(file), _) => Fact::Known(file.to_owned()),
        (None, _) => settings.fact("logfile"),
    };
    let none = "the server writes down no change of accounts or settings";
    let definitions = Sign::new("changes of definitions", Fact::Known(false), none);
    let version = match info {
        Ok(info) => info.version(),
        Err(trouble) => Fact::unknown(trouble.to_string()),
    };
    Ok(Log { sessions, seen, definitions, place }.audit(version))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        Timestamp::from_second(1_700_000_000).unwrap()
    }

    fn info(text: &str) -> Result<Info, Trouble> {
        Ok(Info::parse(text))
    }

    #[test]
    fn a_store_in_memory_alone_is_one_that_has_never_saved() {
        let off = || Ok(Settings::of(&[("save", ""), ("appendonly", "no"), ("repl-diskless-sync", "yes")]));
        let never = "rdb_saves:0\nrdb_last_load_keys_loaded:0\nconnected_slaves:0";
        assert!(!at_rest(&off(), &info(never)).unwrap().applicable);
        for told in [
            "rdb_saves:1\nrdb_last_load_keys_loaded:0\nconnected_slaves:0",
            "rdb_saves:0\nrdb_last_load_keys_loaded:9\nconnected_slaves:0",
            // An older version does not count.
            "connected_slaves:0",
        ] {
            assert!(at_rest(&off(), &info(told)).unwrap().applicable, "{told}");
        }
        let on = Ok(Settings::of(&[("save", "3600 1"), ("appendonly", "no"), ("dir", "/srv/redis")]));
        let facts = at_rest(&on, &info(never)).unwrap();
        assert!(facts.applicable && facts.would_show[0].contains("/srv/redis"));
        assert!(facts.layers[0].encrypted.known().is_none() && facts.files[0].state.known().is_none());
        assert_eq!(facts.files[1].state, Fact::Known("absent".to_owned()));
    }

    #[test]
    fn the_start_of_the_server_is_no_snapshot() {
        let told =
            |text: &str| backup(&Ok(Settings::of(&[("save", "60 1")])), &info(text), now()).unwrap().means.remove(0);
        let fresh = "rdb_last_save_time:1699999900\nuptime_in_seconds:100\nrdb_last_bgsave_status:ok";
        assert!(told(fresh).age_s.known().is_none());
        assert!(told(&format!("{fresh}\nrdb_saves:0")).age_s.known().is_none());
        assert_eq!(told(&format!("{fresh}\nrdb_saves:1")).age_s, Fact::Known(100));
        let later = "rdb_last_save_time:1699999950\nuptime_in_seconds:100\nrdb_last_bgsave_status:err";
        let later = told(later);
        assert_eq!((later.age_s, later.last_failed), (Fact::Known(50), Fact::Known(true)));
        let off = backup(&Ok(Settings::of(&[("save", "")])), &info(""), now()).unwrap();
        assert!(off.means.iter().all(|means| means.age_s.known().is_none()));
    }
}
