//! The collector of machines: what encrypts the disks under the paths that are declared, and under the files of the
//! databases that name the machine.
//!
//! It reads what the kernel shows in `/proc` and `/sys`, and asks `dmsetup`, `zfs` and `fscryptctl` where they are
//! installed. It looks at the machine that it runs on, or at another's folders that are mounted here.

mod cipher;
mod command;
mod cover;
mod crypt;
mod filesystem;
mod machine;
mod roots;
mod walk;

use crate::collect::{CollectContext, Collecting, Collector, Job};
use crate::model::host::{Disk, DiskPlace, Files, StorePath};
use crate::model::{Fact, Method, Observation, ObservationStatus, Reason, Target, TargetKind, Trouble};
use crate::wire::mountinfo;
use cover::Cover;
use jiff::Timestamp;
use roots::{Roots, words};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use walk::Walk;

/// Looks at machines.
pub struct Host;

const KIND: &str = "host.disk";
/// The most paths of one machine.
const PATHS: usize = 1000;
/// Where PostgreSQL keeps the number that tells its clusters apart.
const CONTROL: &str = "global/pg_control";

impl Collector for Host {
    fn id(&self) -> &'static str {
        "host"
    }

    fn accepts(&self, target: &Target) -> bool {
        target.kind == TargetKind::Host
    }

    fn yields(&self) -> &'static [&'static str] {
        &[KIND]
    }

    fn collect<'a>(&'a self, job: &'a Job, cx: &'a CollectContext) -> Collecting<'a> {
        Box::pin(async move {
            let now = cx.clock.now();
            let failed = |trouble| vec![Observation::failed(KIND, &job.target.id, "", "host", now, trouble)];
            let stop = Arc::new(AtomicBool::new(false));
            let look = Look {
                target: job.target.clone(),
                earlier: job.earlier.clone(),
                roots: Roots::of(&job.target.connection.roots),
                now,
                stop: Arc::clone(&stop),
            };
            if let Some(trouble) = elsewhere(&job.target) {
                return failed(trouble);
            }
            cx.progress.step(&job.target.id, "", 0, 1, "following paths down to the disks");
            // A file system can hang, so it is asked on a thread that may be left behind.
            let work = tokio::task::spawn_blocking(move || look.all());
            let trouble = tokio::select! {
                seen = work => match seen {
                    Ok(seen) => return seen,
                    Err(_) => Trouble::new(Reason::Internal, "the thread that looked at the machine broke"),
                },
                () = cx.cancel.cancelled() => Trouble::new(Reason::Interrupted, "stopped by the user"),
                () = tokio::time::sleep(cx.limits.target_time) => {
                    Trouble::new(Reason::TimedOut, "the paths were not followed in time")
                }
            };
            stop.store(true, Ordering::Relaxed);
            failed(trouble)
        })
    }
}

/// Why a machine cannot be looked at from here, where it is another one.
fn elsewhere(target: &Target) -> Option<Trouble> {
    let address = target.connection.host.as_str();
    let own = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let here = ["", "localhost", "127.0.0.1", "::1"].contains(&address) || address == own.trim();
    (!here).then(|| {
        Trouble::new(
            Reason::Unsupported,
            format!(
                "{} is another machine; disks are looked at from the machine itself: run probity there, with the address \
                 localhost",
                words(Path::new(address))
            ),
        )
    })
}

/// One path that is to be followed.
struct Wanted {
    store: String,
    kind: String,
    path: Result<PathBuf, Trouble>,
    /// Further kinds of file that lie there.
    also: Vec<String>,
    /// What is known already to speak against the path's being the right one.
    doubt: Option<Trouble>,
}

struct Look {
    target: Target,
    earlier: Vec<Observation>,
    roots: Roots,
    now: Timestamp,
    stop: Arc<AtomicBool>,
}

impl Look {
    fn all(&self) -> Vec<Observation> {
        let mut walk = Walk::new(&self.roots, Arc::clone(&self.stop));
        let wanted = self.wanted();
        let cut =
            (wanted.len() > PATHS).then(|| Trouble::new(Reason::TooLarge, "more paths are named than are followed"));
        let mut places = Vec::new();
        for one in wanted.iter().take(PATHS) {
            places.extend(follow(&mut walk, one));
        }
        places.sort_by(|one, other| one.key.cmp(&other.key));
        places.dedup_by(|one, other| one.key == other.key);
        let swap = self.swap(&mut walk);
        let facts = Disk { machine: walk.machine().clone(), places, swap };
        let fault = || Trouble::new(Reason::Internal, "the facts have no JSON form");
        let seen = Observation::complete(KIND, &self.target.id, "", "host", self.now, &facts)
            .unwrap_or_else(|_| Observation::failed(KIND, &self.target.id, "", "host", self.now, fault()))
            .by(Method::Examine);
        vec![match cut {
            Some(trouble) => seen.partial(trouble),
            None => seen,
        }]
    }

    /// The paths that the target declares, and those that databases on the machine name.
    fn wanted(&self) -> Vec<Wanted> {
        let declared = self.target.connection.disk_paths.iter().map(|path| Wanted {
            kind: if path.store.is_empty() { "declared" } else { "data" }.to_owned(),
            store: path.store.clone(),
            path: Ok(path.path.clone()),
            also: Vec::new(),
            doubt: None,
        });
        let mut wanted: Vec<Wanted> = declared.collect();
        for seen in self.earlier.iter().filter(|seen| seen.kind == "db.files") {
            let untold = |trouble| Wanted {
                store: seen.target.clone(),
                kind: "data".to_owned(),
                path: Err(trouble),
                also: Vec::new(),
                doubt: None,
            };
            match (seen.status, seen.read::<Files>()) {
                (ObservationStatus::Complete, Ok(files)) => {
                    // What the server tells names the declared folder, too.
                    wanted.retain(|one| one.store != seen.target);
                    wanted.extend(self.of_store(&seen.target, &files));
                }
                _ => {
                    wanted.push(untold(seen.trouble.clone().unwrap_or_else(|| {
                        Trouble::new(Reason::Internal, "where the files lie is told in another form")
                    })))
                }
            }
        }
        wanted
    }

    /// The files of a store, which lie in the declared folder where there is one: a container has other paths than its node.
    fn of_store(&self, store: &str, files: &Files) -> Vec<Wanted> {
        let told = files.files.iter().find(|file| file.kind == "data").map(|file| PathBuf::from(&file.path));
        let data = self.declared(store).cloned().or_else(|| told.clone());
        let moved = |path: &str| {
            let rest = told.as_ref().and_then(|told| Path::new(path).strip_prefix(told).ok());
            match (rest, &data) {
                (Some(rest), Some(data)) if rest.as_os_str().is_empty() => data.clone(),
                (Some(rest), Some(data)) => data.join(rest),
                _ => PathBuf::from(path),
            }
        };
        let doubt = match (&files.identity, &data) {
            (Some(identity), Some(data)) => self.another(data, identity),
            _ => None,
        };
        let wanted = |file: &StorePath| Wanted {
            store: store.to_owned(),
            also: if file.kind == "data" { files.beside.clone() } else { Vec::new() },
            kind: file.kind.clone(),
            path: Ok(moved(&file.path)),
            doubt: doubt.clone(),
        };
        files.files.iter().map(wanted).collect()
    }

    /// The folder that is declared for a store.
    fn declared(&self, store: &str) -> Option<&PathBuf> {
        let mut all = self.target.connection.disk_paths.iter();
        all.find(|path| !store.is_empty() && path.store == store).map(|path| &path.path)
    }

    /// Why a folder is not that of the cluster with this number, where it is not, or where that cannot be told.
    fn another(&self, data: &Path, identity: &str) -> Option<Trouble> {
        let read = || {
            let path = self.roots.resolve(&data.join(CONTROL))?;
            let head = roots::head(&self.roots.here(&path), 8)?;
            let bytes: [u8; 8] = head
                .try_into()
                .map_err(|_| Trouble::new(Reason::ProtocolViolation, format!("{CONTROL} is too short")))?;
            Ok([u64::from_le_bytes(bytes).to_string(), u64::from_be_bytes(bytes).to_string()])
        };
        match read() {
            Ok(numbers) if numbers.iter().any(|number| number == identity) => None,
            Ok(_) => Some(Trouble::new(
                Reason::ProtocolViolation,
                format!("the folder {} holds the data of another server, not of the one that was asked", words(data)),
            )),
            Err(trouble) => Some(trouble),
        }
    }

    fn swap(&self, walk: &mut Walk<'_>) -> Fact<Vec<DiskPlace>> {
        let read = || {
            let table = roots::read(&self.roots.proc.join("swaps"), 64 * 1024)?;
            mountinfo::swaps(&table).map_err(|error| Trouble::new(Reason::ProtocolViolation, error.to_string()))
        };
        let areas = match read() {
            Ok(areas) => areas,
            Err(trouble) => return Fact::unknown(trouble.to_string()),
        };
        let area = |(name, is_file): (Vec<u8>, bool)| {
            let path = roots::path(&name);
            let cover = if is_file {
                walk.path(&path)
            } else {
                match walk.named(&name) {
                    Ok(device) => walk.device(device),
                    Err(trouble) => Cover::unknown(trouble.to_string(), "a look from the machine itself"),
                }
            };
            place("", "swap", &path, cover)
        };
        Fact::Known(areas.into_iter().map(area).collect())
    }
}

/// A path, and the mounts that stand inside it.
fn follow(walk: &mut Walk<'_>, wanted: &Wanted) -> Vec<DiskPlace> {
    let untold = |path: &Path, trouble: &Trouble| {
        let words = trouble.to_string();
        let shown = "a look as root from the machine that the database runs on";
        let cover = Cover { stored: Fact::unknown(words.clone()), ..Cover::unknown(words, shown) };
        place(&wanted.store, &wanted.kind, path, cover)
    };
    let path = match (&wanted.path, &wanted.doubt) {
        (Ok(path), None) => path,
        (Ok(path), Some(trouble)) => return vec![untold(path, trouble)],
        (Err(trouble), _) => return vec![untold(Path::new("not told"), trouble)],
    };
    let inside = walk.inside(path);
    let paths: BTreeSet<&Path> = std::iter::once(path.as_path()).chain(inside.iter().map(PathBuf::as_path)).collect();
    let mut places = Vec::new();
    for at in paths.into_iter().take(PATHS) {
        let cover = walk.path(at);
        let mut place = place(&wanted.store, &wanted.kind, at, cover);
        // Beside a file that is mounted by itself lies what another disk has.
        if at == path && !walk.is_mounted_file(path) {
            place.also.clone_from(&wanted.also);
        }
        places.push(place);
    }
    places
}

fn place(store: &str, kind: &str, path: &Path, mut cover: Cover) -> DiskPlace {
    if let (Fact::Unknown(why), false) = (&mut cover.encrypted, cover.would_show.is_empty()) {
        why.unknown.push_str("; it would be shown by ");
        why.unknown.push_str(&cover.would_show);
    }
    let shown = words(path);
    let strongest = cover.layers.iter().map(|layer| layer.level).max().unwrap_or_default();
    let sources: Vec<&str> = cover.layers.iter().map(|layer| layer.source.as_str()).take(3).collect();
    let headline = match (&cover.stored, &cover.encrypted) {
        (Fact::Known(false), _) => format!("{shown}: kept in memory alone"),
        (_, Fact::Known(true)) => {
            format!("{shown}: encrypted, shown by {} (strength {strongest}/5)", sources.join("; "))
        }
        (_, Fact::Known(false)) => format!("{shown}: no layer that encrypts on a way down: {}", cover.way.join(" > ")),
        (_, Fact::Unknown(why)) => format!("{shown}: not known: {}", why.unknown),
    };
    let cipher = cover.cipher;
    let of = |why: &str| cipher.clone().unwrap_or_else(|| cipher::Cipher::unknown(why));
    let cipher = match &cover.encrypted {
        Fact::Known(true) => of("no cipher was seen"),
        Fact::Known(false) => cipher::Cipher::known("none", 0, "none"),
        Fact::Unknown(why) => cipher::Cipher::unknown(&why.unknown),
    };
    let key = [store, kind, &shown].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ");
    DiskPlace {
        key,
        path: shown,
        store: store.to_owned(),
        kind: kind.to_owned(),
        also: Vec::new(),
        stored: cover.stored,
        encrypted: cover.encrypted,
        algorithm: cipher.algorithm,
        key_bits: cipher.key_bits,
        mode: cipher.mode,
        layers: cover.layers,
        way: cover.way,
        headline,
        would_show: cover.would_show,
    }
}
