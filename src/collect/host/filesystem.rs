//! What each type of file system says of what lies below it.

use super::cipher::Cipher;
use super::command;
use super::cover::Cover;
use super::roots::{self, Roots, words};
use super::walk::{self, Walk};
use crate::model::{Reason, Trouble};
use crate::wire::mountinfo::Mount;
use rustix::fs::{AtFlags, CWD, FileType, StatxAttributes, StatxFlags, statx};
use std::path::Path;

/// What a path says of itself.
pub struct About {
    /// The device that its file system is on.
    pub device: (u32, u32),
    /// The file system encrypts it by itself (fscrypt).
    pub encrypted: bool,
    /// It is a regular file.
    pub is_file: bool,
}

/// Asks the kernel about a path, by where it is found here.
pub fn about(here: &Path, path: &Path) -> Result<About, Trouble> {
    let flags = StatxFlags::BASIC_STATS;
    let seen = statx(CWD, here, AtFlags::SYMLINK_NOFOLLOW, flags)
        .map_err(|error| roots::trouble(&std::io::Error::from(error), path))?;
    let shows = seen.stx_attributes_mask.contains(StatxAttributes::ENCRYPTED);
    Ok(About {
        device: (seen.stx_dev_major, seen.stx_dev_minor),
        encrypted: shows && seen.stx_attributes.contains(StatxAttributes::ENCRYPTED),
        is_file: FileType::from_raw_mode(seen.stx_mode.into()) == FileType::RegularFile,
    })
}

/// Types of file system that write nothing down: what the kernel shows of itself, and memory.
pub fn keeps_nothing(kind: &str) -> bool {
    const NONE: [&str; 22] = [
        "proc",
        "sysfs",
        "devtmpfs",
        "devpts",
        "tmpfs",
        "ramfs",
        "cgroup",
        "cgroup2",
        "securityfs",
        "debugfs",
        "tracefs",
        "configfs",
        "pstore",
        "bpf",
        "mqueue",
        "hugetlbfs",
        "autofs",
        "binfmt_misc",
        "efivarfs",
        "fusectl",
        "nsfs",
        "rpc_pipefs",
    ];
    NONE.contains(&kind)
}

/// What lies below a mount.
pub fn below(walk: &mut Walk<'_>, mount: &Mount, path: &Path) -> Cover {
    match mount.kind.as_str() {
        "overlay" | "overlayfs" => overlay(walk, mount),
        "zfs" => zfs(walk.roots, mount),
        "btrfs" => btrfs(walk, mount),
        "ecryptfs" => ecryptfs(mount, path),
        "fuse.gocryptfs" | "fuse.encfs" | "fuse.cryfs" | "fuse.securefs" => {
            let cipher = Cipher::unknown("the mount does not tell its cipher");
            Cover::layer("file", cipher, words(path), format!("its mount of the type {}", mount.kind), 4)
        }
        kind if keeps_nothing(kind) => Cover::memory(),
        kind if is_remote(kind) => Cover::unknown(
            format!("{} is kept on another machine ({kind})", words(path)),
            "a look at the machine that has the files, or the record of its provider",
        ),
        _ if mount.device.0 != 0 => walk.device(mount.device),
        kind => Cover::unknown(format!("a file system of the type {} names no device", clean(kind)), ""),
    }
}

fn is_remote(kind: &str) -> bool {
    const REMOTE: [&str; 16] = [
        "nfs",
        "nfs4",
        "cifs",
        "smb3",
        "smbfs",
        "9p",
        "virtiofs",
        "ceph",
        "lustre",
        "afs",
        "gfs2",
        "ocfs2",
        "beegfs",
        "fuse.glusterfs",
        "fuse.sshfs",
        "fuse.s3fs",
    ];
    REMOTE.contains(&kind)
}

fn clean(word: &str) -> String {
    words(Path::new(word))
}

/// What is written goes to the upper folder; what was there before stays in the lower ones.
fn overlay(walk: &mut Walk<'_>, mount: &Mount) -> Cover {
    let hidden = "the folders of this overlay are not visible from inside the container";
    let shown = "a look from the node: its folders as `roots` of the host, with the path as the node has it";
    let options = String::from_utf8_lossy(&mount.options).into_owned();
    let mut folders: Vec<String> = Vec::new();
    for option in options.split(',') {
        if let Some(upper) = option.strip_prefix("upperdir=") {
            folders.push(upper.to_owned());
        } else if let Some(lower) = option.strip_prefix("lowerdir=").or_else(|| option.strip_prefix("lowerdir+=")) {
            folders.extend(lower.split(':').filter(|folder| !folder.is_empty()).map(str::to_owned));
        }
    }
    if folders.is_empty() || folders.len() > 256 || folders.iter().any(|folder| !folder.starts_with('/')) {
        return Cover::unknown(hidden, shown);
    }
    let ways: Vec<Cover> = folders.iter().map(|folder| walk.path(Path::new(folder))).collect();
    if ways.iter().any(|way| way.stored.known().is_none()) {
        return Cover::unknown(hidden, shown);
    }
    Cover::all(ways)
}

/// A dataset of ZFS: what the command says of it.
fn zfs(roots: &Roots, mount: &Mount) -> Cover {
    let dataset = String::from_utf8_lossy(&mount.source).into_owned();
    let shown = format!("zfs get encryption,keystatus {} on the machine", clean(&dataset));
    if !roots.own || dataset.starts_with('-') || dataset.is_empty() {
        return Cover::unknown("zfs can be asked on the machine itself alone", &shown);
    }
    let properties = "encryption,keystatus,keyformat,encryptionroot";
    let asked = command::run(&roots.programs, "zfs", &["get", "-Hp", "-o", "property,value", properties, &dataset]);
    match asked.and_then(|answer| dataset_cipher(&answer)) {
        Ok(Some(cipher)) => Cover::layer("disk", cipher, clean(&dataset), "zfs get encryption".to_owned(), 4),
        Ok(None) => Cover::unknown(
            "the dataset is not encrypted by ZFS; what the disks of its pool do is not looked at",
            "each disk that zpool status names, as a path of its own",
        ),
        Err(trouble) => Cover::unknown(trouble.to_string(), &shown),
    }
}

/// The cipher in an answer of `zfs get`; `None` where encryption is off.
fn dataset_cipher(answer: &str) -> Result<Option<Cipher>, Trouble> {
    let value = |name: &str| {
        let pair = answer.lines().filter_map(|line| line.split_once('\t'));
        pair.filter(|(property, _)| *property == name).map(|(_, value)| value.trim()).next()
    };
    let strange = || Trouble::new(Reason::ProtocolViolation, "the answer of zfs get is not understood");
    match value("encryption").ok_or_else(strange)? {
        "off" => Ok(None),
        name => match value("keystatus") {
            Some("available") => Cipher::of_name(name).map(Some).ok_or_else(strange),
            _ => Err(Trouble::new(
                Reason::ProtocolViolation,
                "the key of the dataset is not loaded, though it is mounted",
            )),
        },
    }
}

/// A file system that may lie on several devices, each of which must be encrypted.
fn btrfs(walk: &mut Walk<'_>, mount: &Mount) -> Cover {
    let devices = || -> Result<Vec<(u32, u32)>, Trouble> {
        let first = walk.named(&mount.source)?;
        let all = walk.roots.sys.join("fs/btrfs");
        for volume in walk::entries(&all)? {
            let folder = all.join(&volume).join("devices");
            if !folder.is_dir() {
                continue;
            }
            let numbers: Vec<(u32, u32)> = walk::entries(&folder)?
                .iter()
                .map(|name| walk::number(&folder.join(name).join("dev")))
                .collect::<Result<_, _>>()?;
            if numbers.contains(&first) {
                return Ok(numbers);
            }
        }
        Err(Trouble::new(Reason::Unreachable, "/sys does not name the devices of this btrfs"))
    };
    match devices() {
        Ok(numbers) => Cover::all(numbers.into_iter().map(|number| walk.device(number)).collect()),
        Err(trouble) => Cover::unknown(trouble.to_string(), "btrfs filesystem show, and a look at each device"),
    }
}

/// The options of the mount name cipher and key.
fn ecryptfs(mount: &Mount, path: &Path) -> Cover {
    let options = String::from_utf8_lossy(&mount.options).into_owned();
    let option = |name: &str| options.split(',').find_map(|option| option.strip_prefix(name));
    if options.split(',').any(|option| option.starts_with("ecryptfs_passthrough")) {
        return Cover::unknown(
            "eCryptfs is mounted so that plain files pass through it",
            "the files of the lower folder",
        );
    }
    let bits =
        option("ecryptfs_key_bytes=").and_then(|bytes| bytes.parse::<u32>().ok()).map(|bytes| bytes.saturating_mul(8));
    let cipher = match (option("ecryptfs_cipher="), bits) {
        (Some("aes"), Some(bits)) => Cipher::known("AES", bits, "CBC"),
        _ => Cipher::unknown("the mount does not tell a cipher that is known here"),
    };
    Cover::layer("file", cipher, words(path), "its mount of the type ecryptfs".to_owned(), 4)
}

/// A folder that the file system encrypts by itself. Which cipher, `fscryptctl` tells where it is installed.
pub fn fscrypt(roots: &Roots, path: &Path) -> Cover {
    let here = roots.here(path);
    let asked = match here.to_str() {
        Some(here) if roots.own => command::run(&roots.programs, "fscryptctl", &["get_policy", here]),
        _ => Err(Trouble::new(Reason::Unsupported, "fscryptctl can be asked on the machine itself alone")),
    };
    let mode = asked.as_deref().ok().and_then(|answer| {
        let line = answer.lines().find_map(|line| line.trim().strip_prefix("Contents encryption mode:"))?;
        Cipher::of_name(line.trim())
    });
    let (cipher, source) = match mode {
        Some(cipher) => (cipher, "statx and fscryptctl get_policy"),
        None => (Cipher::unknown("fscryptctl get_policy would show the mode"), "statx: STATX_ATTR_ENCRYPTED"),
    };
    Cover::layer("file", cipher, words(path), source.to_owned(), 4)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Fact;

    #[test]
    fn answers_of_zfs_are_read() {
        let answer = "encryption\taes-256-gcm\nkeystatus\tavailable\nkeyformat\traw\nencryptionroot\ttank\n";
        assert_eq!(dataset_cipher(answer).unwrap(), Some(Cipher::known("AES", 256, "GCM")));
        assert_eq!(dataset_cipher("encryption\toff\nkeystatus\t-\n").unwrap(), None);
        assert!(dataset_cipher("encryption\taes-256-gcm\nkeystatus\tunavailable\n").is_err());
        assert!(
            dataset_cipher("").is_err() && dataset_cipher("encryption\tnew-cipher\nkeystatus\tavailable\n").is_err()
        );
    }

    #[test]
    fn options_of_ecryptfs_name_the_cipher() {
        let mount = |options: &str| Mount {
            id: 1,
            parent: 0,
            device: (0, 44),
            root: b"/".to_vec(),
            point: b"/x".to_vec(),
            kind: "ecryptfs".to_owned(),
            source: b"/lower".to_vec(),
            options: options.as_bytes().to_vec(),
        };
        let known = ecryptfs(&mount("rw,ecryptfs_sig=0,ecryptfs_cipher=aes,ecryptfs_key_bytes=32"), Path::new("/x"));
        assert_eq!(known.cipher.unwrap().key_bits, Fact::Known(256));
        assert!(
            ecryptfs(&mount("rw,ecryptfs_cipher=aes,ecryptfs_passthrough"), Path::new("/x"))
                .encrypted
                .known()
                .is_none()
        );
    }
}
