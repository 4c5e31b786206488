//! The folders in which a machine shows itself, and bounded reading from them.

use crate::model::target;
use crate::model::{Reason, Trouble};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Component, Path, PathBuf};

/// The most links that a path may lead over.
const LINKS: usize = 40;

/// Where a machine's folders are.
pub struct Roots {
    /// `/proc`.
    pub proc: PathBuf,
    /// `/sys`.
    pub sys: PathBuf,
    /// `/dev`.
    pub dev: PathBuf,
    /// `/`.
    pub files: PathBuf,
    /// All of them are this machine's own, so that its kernel may be asked by commands, too.
    pub own: bool,
    /// The folders in which commands are looked for.
    pub programs: Vec<PathBuf>,
}

impl Roots {
    /// As the target says.
    pub fn of(declared: &target::Roots) -> Roots {
        let or = |path: &Option<PathBuf>, usual: &str| path.clone().unwrap_or_else(|| PathBuf::from(usual));
        Roots {
            own: *declared == target::Roots::default(),
            proc: or(&declared.proc, "/proc"),
            sys: or(&declared.sys, "/sys"),
            dev: or(&declared.dev, "/dev"),
            files: or(&declared.files, "/"),
            programs: ["/usr/sbin", "/usr/bin", "/sbin", "/bin"].map(PathBuf::from).to_vec(),
        }
    }

    /// The table of mounts: of this process, or of the first process of another machine.
    pub fn mountinfo(&self) -> PathBuf {
        self.proc.join(if self.own { "self/mountinfo" } else { "1/mountinfo" })
    }

    /// Where a path of the machine is found here.
    pub fn here(&self, path: &Path) -> PathBuf {
        self.files.join(path.strip_prefix("/").unwrap_or(path))
    }

    /// A path without links and steps back. An absolute link starts at the machine's own `/`.
    ///
    /// # Errors
    /// Where a part of it is not there or may not be looked at: what it hides could be a link.
    pub fn resolve(&self, path: &Path) -> Result<PathBuf, Trouble> {
        // As it is written, where it is written from here.
        let path = match path.strip_prefix(&self.files) {
            Ok(rest) if !self.own => Path::new("/").join(rest),
            _ => path.to_owned(),
        };
        if !path.is_absolute() {
            return Err(Trouble::new(Reason::Unreachable, format!("{} is no absolute path", words(&path))));
        }
        let mut left: Vec<OsString> = parts(&path);
        let mut done = PathBuf::from("/");
        let mut links = 0;
        while let Some(part) = left.pop() {
            if part == ".." {
                done.pop();
                continue;
            }
            let next = done.join(&part);
            let about = std::fs::symlink_metadata(self.here(&next)).map_err(|error| trouble(&error, &next))?;
            if !about.is_symlink() {
                done = next;
                continue;
            }
            links += 1;
            if links > LINKS {
                return Err(Trouble::new(
                    Reason::TooLarge,
                    format!("{} leads over more than {LINKS} links", words(&path)),
                ));
            }
            let target = std::fs::read_link(self.here(&next)).map_err(|error| trouble(&error, &next))?;
            if target.is_absolute() {
                done = PathBuf::from("/");
            }
            left.extend(parts(&target));
        }
        Ok(done)
    }
}

/// The parts of a path, the last one first.
fn parts(path: &Path) -> Vec<OsString> {
    let named = path.components().filter_map(|part| match part {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        _ => None,
    });
    let mut parts: Vec<OsString> = named.collect();
    parts.reverse();
    parts
}

/// A whole file of at most so many bytes.
///
/// # Errors
/// Where it is not there, may not be read, is no file, or is longer.
pub fn read(path: &Path, most: usize) -> Result<Vec<u8>, Trouble> {
    let about = std::fs::metadata(path).map_err(|error| trouble(&error, path))?;
    if !about.is_file() {
        return Err(Trouble::new(Reason::ProtocolViolation, format!("{} is no file", words(path))));
    }
    let bytes = head(path, most.saturating_add(1))?;
    if bytes.len() > most {
        return Err(Trouble::new(Reason::TooLarge, format!("{} is longer than {most} bytes", words(path))));
    }
    Ok(bytes)
}

/// The first bytes of a file or a device, at most so many.
///
/// # Errors
/// Where it may not be read.
pub fn head(path: &Path, most: usize) -> Result<Vec<u8>, Trouble> {
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|error| trouble(&error, path))?;
    let most = u64::try_from(most).unwrap_or(u64::MAX);
    file.take(most).read_to_end(&mut bytes).map_err(|error| trouble(&error, path))?;
    Ok(bytes)
}

/// A short text of one line, as files in `/sys` hold it; `None` where there is no such file.
///
/// # Errors
/// Where it may not be read.
pub fn line(path: &Path) -> Result<Option<String>, Trouble> {
    match read(path, 4096) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).trim().to_owned())),
        Err(trouble) if trouble.reason == Reason::Unreachable => Ok(None),
        Err(trouble) => Err(trouble),
    }
}

/// What a file system's error means.
pub fn trouble(error: &std::io::Error, path: &Path) -> Trouble {
    let path = words(path);
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => {
            Trouble::new(Reason::Unreachable, format!("there is no {path}"))
        }
        ErrorKind::PermissionDenied => {
            Trouble::new(Reason::PermissionDenied, format!("{path} may not be looked at by this user; root may"))
        }
        kind => Trouble::new(Reason::Unreachable, format!("{path} cannot be read: {kind}")),
    }
}

/// A path fit to be shown.
pub fn words(path: &Path) -> String {
    let text = path.as_os_str().to_string_lossy();
    let clean = |letter: char| if letter.is_control() { '?' } else { letter };
    text.chars().map(clean).take(200).collect()
}

/// A path of these bytes.
pub fn path(bytes: &[u8]) -> PathBuf {
    PathBuf::from(OsString::from_vec(bytes.to_vec()))
}

/// The bytes of a path.
pub fn bytes(path: &Path) -> &[u8] {
    let text: &OsStr = path.as_os_str();
    text.as_bytes()
}
