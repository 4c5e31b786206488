//! The walk from a path down to the disks: mount, file system, device, and what the device stands on.

use super::cipher::Cipher;
use super::cover::Cover;
use super::crypt::{self, Table};
use super::roots::{self, Roots, words};
use super::{filesystem, machine};
use crate::model::{Fact, Reason, Trouble};
use crate::wire::mountinfo::{self, Mount};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// How deep things may stand on each other.
const DEPTH: usize = 16;
/// The most devices that are looked at.
const DEVICES: usize = 1024;

/// Beginnings of the names of disks.
const DISKS: [&str; 9] = ["sd", "hd", "nvme", "mmcblk", "vd", "xvd", "pmem", "dasd", "sr"];
/// Beginnings of the names of devices whose bytes are on another machine.
const REMOTE: [&str; 3] = ["nbd", "rbd", "drbd"];

const PROVIDER: &str =
    "the record of the machine's provider (for example DescribeVolumes with Encrypted), or of its hypervisor";

/// A device by its major and minor number.
type Number = (u32, u32);

/// Looks downward on one machine.
pub struct Walk<'a> {
    pub(super) roots: &'a Roots,
    mounts: Result<Vec<Mount>, Trouble>,
    table: Table,
    machine: Fact<String>,
    stop: Arc<AtomicBool>,
    done: BTreeMap<Number, Cover>,
    going: BTreeSet<Number>,
    depth: usize,
}

impl<'a> Walk<'a> {
    /// Reads what every walk needs.
    pub fn new(roots: &'a Roots, stop: Arc<AtomicBool>) -> Walk<'a> {
        let read = |path: PathBuf| {
            let table = roots::read(&path, mountinfo::BYTES)?;
            mountinfo::parse(&table).map_err(|error| Trouble::new(Reason::ProtocolViolation, error.to_string()))
        };
        Walk {
            roots,
            mounts: read(roots.mountinfo()),
            table: crypt::table(roots),
            machine: machine::kind(roots),
            stop,
            done: BTreeMap::new(),
            going: BTreeSet::new(),
            depth: 0,
        }
    }

    /// Whether the machine is a virtual one.
    pub fn machine(&self) -> &Fact<String> {
        &self.machine
    }

    /// What lies below a path.
    pub fn path(&mut self, path: &Path) -> Cover {
        if self.depth >= DEPTH || self.stop.load(Ordering::Relaxed) {
            return Cover::unknown("what lies below is too deep, or the run was stopped", "");
        }
        self.depth += 1;
        let cover = self.resolved(path).unwrap_or_else(|trouble| {
            let shown = "a look from the machine itself, as root";
            Cover { stored: Fact::unknown(trouble.to_string()), ..Cover::unknown(trouble.to_string(), shown) }
        });
        self.depth -= 1;
        cover
    }

    fn resolved(&mut self, path: &Path) -> Result<Cover, Trouble> {
        let path = self.roots.resolve(path)?;
        let mounts = self.mounts.as_ref().map_err(Trouble::clone)?;
        let mount = mountinfo::covering(mounts, roots::bytes(&path))
            .cloned()
            .ok_or_else(|| Trouble::new(Reason::ProtocolViolation, "the table of mounts has no mount for this path"))?;
        let about = filesystem::about(&self.roots.here(&path), &path)?;
        let step = format!("{} on {} ({})", words(&path), words(&roots::path(&mount.point)), mount.kind);
        // The table and the file itself must mean the same device, or the table is not of these files.
        if self.roots.own && mount.device.0 != 0 && about.device != mount.device {
            return Err(Trouble::new(
                Reason::ProtocolViolation,
                "the table of mounts and the file itself name different devices",
            ));
        }
        let mut cover = filesystem::below(self, &mount, &path);
        if about.encrypted {
            cover = filesystem::fscrypt(self.roots, &path).over(cover);
        } else if about.is_file && cover.encrypted.known() != Some(&true) {
            cover = self.container(&path, cover);
        }
        Ok(cover.behind(step))
    }

    /// A file that is an encrypted volume itself.
    fn container(&self, path: &Path, below: Cover) -> Cover {
        match crypt::header(&self.roots.here(path)) {
            Ok(Some(header)) => match crypt::of_header(&header).filter(|cipher| cipher.encrypts) {
                Some(cipher) => {
                    let source = format!("its header of LUKS{}", header.version);
                    Cover::layer("file", cipher, words(path), source, 2).over(below)
                }
                None => below,
            },
            _ => below,
        }
    }

    /// The mounts that stand inside a path, which the path's own mount says nothing about.
    pub fn inside(&self, path: &Path) -> Vec<PathBuf> {
        let (Ok(path), Ok(mounts)) = (self.roots.resolve(path), &self.mounts) else { return Vec::new() };
        let inside = |mount: &&Mount| {
            mountinfo::within(&mount.point, roots::bytes(&path))
                && mount.point != roots::bytes(&path)
                && !filesystem::keeps_nothing(&mount.kind)
                && mountinfo::covering(mounts, &mount.point).is_some_and(|top| top.id == mount.id)
        };
        let mut points: Vec<PathBuf> = mounts.iter().filter(inside).map(|mount| roots::path(&mount.point)).collect();
        points.sort();
        points.dedup();
        points
    }

    /// A file that is a mount of its own; one that cannot be looked at counts as such, too.
    pub fn is_mounted_file(&self, path: &Path) -> bool {
        let (Ok(path), Ok(mounts)) = (self.roots.resolve(path), &self.mounts) else { return true };
        let is_file = filesystem::about(&self.roots.here(&path), &path).map_or(true, |about| about.is_file);
        is_file && mounts.iter().any(|mount| mount.point == roots::bytes(&path))
    }

    /// What a device stands on.
    pub fn device(&mut self, device: Number) -> Cover {
        if let Some(known) = self.done.get(&device) {
            return known.clone();
        }
        let (major, minor) = device;
        if self.going.contains(&device) || self.depth >= DEPTH || self.done.len() >= DEVICES {
            return Cover::unknown(format!("the devices below {major}:{minor} stand on each other without an end"), "");
        }
        if self.stop.load(Ordering::Relaxed) {
            return Cover::unknown("the run was stopped", "");
        }
        self.going.insert(device);
        self.depth += 1;
        let cover = self.descend(device).unwrap_or_else(|trouble| {
            Cover::unknown(
                format!("what {major}:{minor} stands on is not seen: {trouble}"),
                "a look from the machine itself, outside of a container",
            )
        });
        self.depth -= 1;
        self.going.remove(&device);
        self.done.insert(device, cover.clone());
        cover
    }

    fn descend(&mut self, (major, minor): (u32, u32)) -> Result<Cover, Trouble> {
        let link = self.roots.sys.join(format!("dev/block/{major}:{minor}"));
        let folder = self.inside_sys(&link)?;
        let name = folder.file_name().map(|name| words(Path::new(name))).unwrap_or_default();
        let uuid = roots::line(&folder.join("dm/uuid"))?.unwrap_or_default();
        let mapped = roots::line(&folder.join("dm/name"))?.unwrap_or_default();
        let below = children(&folder)?;
        let encrypting = self.encrypting(&name, &uuid, &mapped, &below);
        if let Some(cover) = encrypting {
            let kind = crypt::kind(&uuid).unwrap_or("dm-crypt");
            return Ok(cover.behind(format!("{name} ({kind})")));
        }
        if !below.is_empty() {
            let ways = below.iter().map(|(_, device)| self.device(*device)).collect();
            return Ok(Cover::all(ways).behind(name));
        }
        if let Some(file) = roots::line(&folder.join("loop/backing_file"))? {
            return Ok(self.path(Path::new(&file)).behind(name));
        }
        if folder.join("partition").exists() {
            let parent = folder.parent().ok_or_else(|| Trouble::new(Reason::Unreachable, "a partition has no disk"))?;
            return Ok(self.device(number(&parent.join("dev"))?).behind(name));
        }
        Ok(self.disk(&folder, &name).behind(name))
    }

    /// The layer that a mapped device is, where it encrypts.
    fn encrypting(&self, name: &str, uuid: &str, mapped: &str, below: &[(String, Number)]) -> Option<Cover> {
        let kind = crypt::kind(uuid);
        let mapping = self.table.as_ref().ok().and_then(|table| table.get(mapped));
        if let Some(mapping) = mapping.filter(|mapping| kind.is_some() || !mapping.ciphers.is_empty()) {
            let cipher = crypt::of_mapping(mapping)?;
            let source = format!("dmsetup table of {name}");
            return Some(Cover::layer("disk", cipher, name.to_owned(), source, 4));
        }
        let kind = kind?;
        let shown = format!("the kernel's uuid of {name} (CRYPT-{kind})");
        // The header lies at the beginning of the only device below, unless it is kept apart.
        let header = match below {
            [(device, _)] if kind.starts_with("LUKS") => crypt::header(&self.roots.dev.join(device)),
            _ => Ok(None),
        };
        let why = match header {
            Ok(Some(header)) if crypt::is_of(&header, uuid) => {
                let cipher = crypt::of_header(&header)?;
                let source = format!("{shown} and the header of LUKS{}", header.version);
                return Some(Cover::layer("disk", cipher, name.to_owned(), source, 4));
            }
            Ok(_) => "dmsetup table --target crypt, as root, would show the cipher".to_owned(),
            Err(trouble) => format!("the cipher is not seen: {trouble}; dmsetup table, as root, would show it"),
        };
        Some(Cover::layer("disk", Cipher::unknown(&why), name.to_owned(), shown, 4))
    }

    /// What has nothing below it.
    fn disk(&self, folder: &Path, name: &str) -> Cover {
        let is = |words: &[&str]| {
            words.iter().any(|word| {
                name.strip_prefix(word)
                    .is_some_and(|rest| rest.chars().any(|c| c.is_ascii_digit() || c.is_ascii_lowercase()))
            })
        };
        if name.starts_with("zram") || name.starts_with("ram") {
            return match roots::line(&folder.join("backing_dev")) {
                Ok(None) => Cover::memory(),
                Ok(Some(backing)) if backing == "none" => Cover::memory(),
                _ => Cover::unknown(format!("{name} writes to a further device"), "the device in backing_dev"),
            };
        }
        if is(&REMOTE) {
            return Cover::unknown(format!("{name} is kept on another machine"), "a look at that machine");
        }
        if name.starts_with("zd") {
            return Cover::unknown(format!("{name} is a volume of ZFS"), "zfs get encryption of the volume");
        }
        if !is(&DISKS) {
            return Cover::unknown(format!("{name} is a device of a kind that is not known here"), "");
        }
        let model = roots::line(&folder.join("device/model")).ok().flatten().unwrap_or_default();
        let rented = name.starts_with("vd") || name.starts_with("xvd") || model.contains("Elastic Block Store");
        match &self.machine {
            Fact::Known(kind) if kind == "physical" && !rented => Cover::plain(),
            Fact::Unknown(why) if !rented => {
                Cover::unknown(format!("no layer encrypts above {name}; {}", why.unknown), PROVIDER)
            }
            _ => Cover::unknown(
                format!(
                    "no layer encrypts above {name}, the disk of a virtual machine; whether it is encrypted from outside is \
                     not visible in it"
                ),
                PROVIDER,
            ),
        }
    }

    /// The device of a name as mounts and swap areas have it: `/dev/sda2`, `/dev/mapper/root`.
    pub fn named(&self, source: &[u8]) -> Result<Number, Trouble> {
        let path = roots::path(source);
        let name = path
            .strip_prefix("/dev")
            .map_err(|_| Trouble::new(Reason::Unsupported, format!("{} is no device of /dev", words(&path))))?;
        let blocks = self.roots.sys.join("class/block");
        if let Ok(mapped) = name.strip_prefix("mapper") {
            for block in entries(&blocks)? {
                if !block.to_string_lossy().starts_with("dm-") {
                    continue;
                }
                let found = roots::line(&blocks.join(&block).join("dm/name"))?;
                if found.is_some_and(|found| Path::new(&found) == mapped) {
                    return number(&blocks.join(&block).join("dev"));
                }
            }
            return Err(Trouble::new(Reason::Unreachable, format!("/sys has no device {}", words(&path))));
        }
        if name.components().count() != 1 {
            return Err(Trouble::new(Reason::Unreachable, format!("/sys has no device {}", words(&path))));
        }
        number(&blocks.join(name).join("dev"))
    }

    /// A folder in `/sys`, without links, which must not lead out of it.
    pub(super) fn inside_sys(&self, link: &Path) -> Result<PathBuf, Trouble> {
        let sys = std::fs::canonicalize(&self.roots.sys).map_err(|error| roots::trouble(&error, &self.roots.sys))?;
        let folder = std::fs::canonicalize(link).map_err(|error| roots::trouble(&error, link))?;
        if folder.starts_with(&sys) {
            Ok(folder)
        } else {
            Err(Trouble::new(Reason::ProtocolViolation, "a link of /sys leads out of it"))
        }
    }
}

/// The devices that a device stands on, by name and number.
fn children(folder: &Path) -> Result<Vec<(String, Number)>, Trouble> {
    let slaves = folder.join("slaves");
    if !slaves.exists() {
        return Ok(Vec::new());
    }
    let below = |name: std::ffi::OsString| {
        // A name in /sys has `!` where the device's own has a slash.
        let device = name.to_string_lossy().replace('!', "/");
        Ok((device, number(&slaves.join(&name).join("dev"))?))
    };
    entries(&slaves)?.into_iter().map(below).collect()
}

/// The names in a folder, sorted, at most so many as devices are looked at.
pub(super) fn entries(folder: &Path) -> Result<Vec<std::ffi::OsString>, Trouble> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(|error| roots::trouble(&error, folder))? {
        let name = entry.map_err(|error| roots::trouble(&error, folder))?.file_name();
        if names.len() >= DEVICES {
            return Err(Trouble::new(Reason::TooLarge, format!("{} has too many entries", words(folder))));
        }
        names.push(name);
    }
    names.sort_by(|one, other| OsStr::cmp(one, other));
    Ok(names)
}

/// A file that holds `major:minor`.
pub(super) fn number(path: &Path) -> Result<Number, Trouble> {
    let no_number = || Trouble::new(Reason::ProtocolViolation, format!("{} holds no device's number", words(path)));
    let line =
        roots::line(path)?.ok_or_else(|| Trouble::new(Reason::Unreachable, format!("there is no {}", words(path))))?;
    let (major, minor) = line.split_once(':').ok_or_else(no_number)?;
    Ok((major.parse().map_err(|_| no_number())?, minor.parse().map_err(|_| no_number())?))
}
