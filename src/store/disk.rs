//! Files that are whole or not there: written beside their place, flushed, then moved into it.

use super::StoreError;
use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

/// Writes a file so that, whenever the machine stops, it is there whole or not at all.
///
/// # Errors
/// When the disk does not take it; nothing is left of it then.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    make(folder)?;
    let beside = beside(path);
    let written = open_new(&beside).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    let moved = written.and_then(|()| fs::rename(&beside, path));
    moved.map_err(|error| {
        let _ = fs::remove_file(&beside);
        StoreError::io(path, &error)
    })?;
    sync(folder)
}

/// The name under which a file or a folder is written until it is whole. Such names are passed over by readers.
pub fn beside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".part");
    path.with_file_name(name)
}

/// A file for its owner alone, in place of what an earlier try left there.
fn open_new(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Makes a folder for its owner alone, and those above it.
///
/// # Errors
/// When the disk does not take it.
pub fn make(folder: &Path) -> Result<(), StoreError> {
    if folder.is_dir() {
        return Ok(());
    }
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder).map_err(|error| StoreError::io(folder, &error))?;
    folder.parent().map_or(Ok(()), sync)
}

/// Brings the entries of a folder to the disk.
///
/// # Errors
/// When the disk does not take them.
pub fn sync(folder: &Path) -> Result<(), StoreError> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    File::open(folder).and_then(|open| open.sync_all()).map_err(|error| StoreError::io(folder, &error))
}

/// The bytes of a file, at most so many.
///
/// # Errors
/// When it cannot be read or is longer.
pub fn read(path: &Path, most: u64) -> Result<Vec<u8>, StoreError> {
    let file = File::open(path).map_err(|error| StoreError::io(path, &error))?;
    bounded(path, file, most)
}

/// The plain bytes of a compressed file, at most so many.
///
/// # Errors
/// When it cannot be read, is not compressed, or holds more.
pub fn read_compressed(path: &Path, most: u64) -> Result<Vec<u8>, StoreError> {
    let file = File::open(path).map_err(|error| StoreError::io(path, &error))?;
    let plain = zstd::Decoder::new(file).map_err(|error| StoreError::io(path, &error))?;
    bounded(path, plain, most)
}

fn bounded(path: &Path, source: impl std::io::Read, most: u64) -> Result<Vec<u8>, StoreError> {
    let mut bytes = Vec::new();
    source.take(most + 1).read_to_end(&mut bytes).map_err(|error| StoreError::damaged(path, error.to_string()))?;
    if bytes.len() as u64 > most {
        return Err(StoreError::damaged(path, format!("it holds more than {} MiB", most >> 20)));
    }
    Ok(bytes)
}

/// The names in a folder, sorted, without those of files that are not whole; none where there is no folder.
///
/// # Errors
/// When it cannot be read.
pub fn names(folder: &Path) -> Result<Vec<String>, StoreError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(StoreError::io(folder, &error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let name = entry.map_err(|error| StoreError::io(folder, &error))?.file_name();
        names.push(name.to_string_lossy().into_owned());
    }
    names.retain(|name| !name.ends_with(".part"));
    names.sort();
    Ok(names)
}

/// Removes what was being written in a folder when the machine stopped.
///
/// # Errors
/// When it cannot be read or changed.
pub fn remove_parts(folder: &Path) -> Result<(), StoreError> {
    let entries = fs::read_dir(folder).map_err(|error| StoreError::io(folder, &error))?;
    for entry in entries {
        let path = entry.map_err(|error| StoreError::io(folder, &error))?.path();
        if path.extension().is_some_and(|end| end == "part") {
            let removed = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            removed.map_err(|error| StoreError::io(&path, &error))?;
        }
    }
    Ok(())
}
