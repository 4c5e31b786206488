//! The table of mounts, as the kernel writes it (`/proc/PID/mountinfo`), and the table of swap areas.
//!
//! Names in both are of any bytes but the slash; blanks, line breaks and backslashes come as octal escapes.

use super::WireError;
use std::collections::BTreeSet;

/// The most bytes of a table that are read.
pub const BYTES: usize = 4 << 20;
/// The most mounts that are taken.
const MOUNTS: usize = 20_000;

/// One mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// Its number.
    pub id: u64,
    /// The number of the mount that it stands on.
    pub parent: u64,
    /// Major and minor number of the device.
    pub device: (u32, u32),
    /// The folder inside the file system that is mounted.
    pub root: Vec<u8>,
    /// Where it is mounted.
    pub point: Vec<u8>,
    /// The type of the file system, for example `ext4`.
    pub kind: String,
    /// What is mounted, for example a device or a dataset.
    pub source: Vec<u8>,
    /// The options of the file system.
    pub options: Vec<u8>,
}

/// Every mount, in the order in which they stand.
///
/// # Errors
/// Where a line is not understood: it could be the one that covers the path in question.
pub fn parse(table: &[u8]) -> Result<Vec<Mount>, WireError> {
    if table.len() > BYTES {
        return Err(WireError::TooLarge("table of mounts"));
    }
    let mut mounts = Vec::new();
    for line in table.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        if mounts.len() == MOUNTS {
            return Err(WireError::TooLarge("table of mounts"));
        }
        mounts.push(mount(line).ok_or(WireError::Malformed("table of mounts"))?);
    }
    Ok(mounts)
}

fn mount(line: &[u8]) -> Option<Mount> {
    let mut fields = line.split(|byte| *byte == b' ');
    let mut next = || fields.next();
    let (id, parent) = (number(next()?)?, number(next()?)?);
    let (major, minor) = text(next()?)?.split_once(':')?;
    let device = (major.parse().ok()?, minor.parse().ok()?);
    let (root, point) = (unescape(next()?), unescape(next()?));
    next()?;
    // Any number of optional fields, and a dash that ends them.
    while next()? != b"-" {}
    let kind = text(next()?)?.chars().take(64).collect();
    let source = unescape(next()?);
    let options = unescape(next().unwrap_or_default());
    Some(Mount { id, parent, device, root, point, kind, source, options })
}

fn number(field: &[u8]) -> Option<u64> {
    text(field)?.parse().ok()
}

fn text(field: &[u8]) -> Option<&str> {
    std::str::from_utf8(field).ok()
}

/// The bytes that a field stands for.
pub fn unescape(field: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let [first, tail @ ..] = rest {
        match rest {
            [b'\\', a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', tail @ ..] => {
                bytes.push(((a - b'0') << 6) | ((b - b'0') << 3) | (c - b'0'));
                rest = tail;
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    bytes
}

/// The mount that a path lies on, found as the kernel walks: from the first mount down, at each the nearest one above it.
pub fn covering<'a>(mounts: &'a [Mount], path: &[u8]) -> Option<&'a Mount> {
    let ids: BTreeSet<u64> = mounts.iter().map(|mount| mount.id).collect();
    let is_first = |mount: &&Mount| mount.point == b"/" && (mount.parent == mount.id || !ids.contains(&mount.parent));
    let mut current = mounts.iter().rfind(is_first)?;
    let mut met = BTreeSet::from([current.id]);
    loop {
        let on = |mount: &&Mount| {
            mount.parent == current.id && !met.contains(&mount.id) && within(path, &mount.point)
                // What stands at the same place lies on top.
                && within(&mount.point, &current.point)
        };
        let nearest = mounts.iter().filter(on).min_by_key(|mount| mount.point.len());
        match nearest {
            Some(next) => {
                met.insert(next.id);
                current = next;
            }
            None => return Some(current),
        }
    }
}

/// A path is this folder or lies in it.
pub fn within(path: &[u8], folder: &[u8]) -> bool {
    let folder = folder.strip_suffix(b"/").unwrap_or(folder);
    path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
}

/// The swap areas of `/proc/swaps`: each name, and whether it is a file.
///
/// # Errors
/// Where a line is not understood.
pub fn swaps(table: &[u8]) -> Result<Vec<(Vec<u8>, bool)>, WireError> {
    let malformed = || WireError::Malformed("table of swap areas");
    let mut lines = table.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    if !lines.next().is_some_and(|head| head.starts_with(b"Filename")) {
        return Err(malformed());
    }
    let area = |line: &[u8]| {
        let mut fields = line.split(|byte| byte.is_ascii_whitespace()).filter(|field| !field.is_empty());
        let name = unescape(fields.next()?);
        match fields.next()? {
            b"file" => Some((name, true)),
            b"partition" => Some((name, false)),
            _ => None,
        }
    };
    let areas: Vec<_> = lines.take(65).map(|line| area(line).ok_or_else(malformed)).collect::<Result<_, _>>()?;
    if areas.len() > 64 { Err(WireError::TooLarge("table of swap areas")) } else { Ok(areas) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "\
27 1 254:0 / / rw,relatime shared:1 master:2 - ext4 /dev/vda rw,discard
28 27 253:1 / /var rw - xfs /dev/mapper/var rw
29 28 253:2 /sub /var/lib/my\\040data rw - ext4 /dev/mapper/data rw
30 27 8:1 / /var/lib/hidden rw - ext4 /dev/sda1 rw
31 29 253:3 / /var/lib/my\\040data rw - ext4 /dev/mapper/top rw
";

    fn on(path: &str) -> u64 {
        covering(&parse(TABLE.as_bytes()).unwrap(), path.as_bytes()).unwrap().id
    }

    #[test]
    fn the_nearest_mount_is_found_as_the_kernel_walks() {
        assert_eq!(on("/"), 27);
        assert_eq!(on("/variety"), 27);
        assert_eq!(on("/var/log"), 28);
        // A later mount at the same place covers the earlier one.
        assert_eq!(on("/var/lib/my data/base"), 31);
        // What is mounted below a folder that a later mount covers is not reached.
        assert_eq!(on("/var/lib/hidden"), 28);
    }

    #[test]
    fn names_are_unescaped_and_lines_that_are_not_understood_spoil_the_table() {
        assert_eq!(parse(TABLE.as_bytes()).unwrap()[2].point, b"/var/lib/my data");
        assert_eq!(unescape(b"a\\012b\\134\\9\\40"), b"a\nb\\\\9\\40");
        assert!(parse(b"27 1 254:0 / / rw - ext4\n").is_err());
        assert!(parse(b"27 1 254:0 / / rw ext4 /dev/vda rw\n").is_err());
        assert!(parse(b"x 1 254:0 / / rw - ext4 /dev/vda rw\n").is_err());
        assert!(parse(&vec![b'a'; BYTES + 1]).is_err());
        assert!(parse("27 1 254:0 / / rw - ext4 /dev/vda rw\n".repeat(MOUNTS + 1).as_bytes()).is_err());
    }

    #[test]
    fn mounts_that_stand_on_each_other_end() {
        let table = "1 2 8:1 / / rw - ext4 a rw\n2 1 8:2 / / rw - ext4 b rw\n3 9 8:3 / / rw - ext4 c rw\n4 3 8:4 / / rw - ext4 d rw\n";
        assert_eq!(covering(&parse(table.as_bytes()).unwrap(), b"/x").unwrap().id, 4);
        let circle = "1 2 8:1 / / rw - ext4 a rw\n2 1 8:2 / / rw - ext4 b rw\n";
        assert!(covering(&parse(circle.as_bytes()).unwrap(), b"/x").is_none());
        assert!(covering(&[], b"/x").is_none());
    }

    #[test]
    fn swap_areas_are_read() {
        let head = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n";
        let table = format!("{head}/dev/dm-1 partition\t8388604\t0\t-2\n/swap\\040file\tfile\t\t1048572\t0\t-3\n");
        let areas = swaps(table.as_bytes()).unwrap();
        assert_eq!(areas, [(b"/dev/dm-1".to_vec(), false), (b"/swap file".to_vec(), true)]);
        assert_eq!(swaps(head.as_bytes()).unwrap(), []);
        assert!(swaps(b"").is_err() && swaps(b"Filename\n/dev/x strange 1 2 3\n").is_err());
    }
}
