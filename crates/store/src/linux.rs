//! *Lives here*: [`Disk`] for a folder of Linux. *May know*: the standard library, fallocate. *Must not know*: what the files mean.

use crate::disk::{Disk, DiskError, DiskErrorKind};
use nix::sys::statfs::{EXT4_SUPER_MAGIC, XFS_SUPER_MAGIC, fstatfs};
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

const LOCK: &str = "lock";

/// The files of one folder. Dropping it unlocks the folder.
#[derive(Debug)]
pub struct LinuxDisk {
    folder: PathBuf,
    handle: File,
    lock: Option<File>,
    /// Files that were written to; bounded by the number of files the store has.
    open: BTreeMap<String, File>,
    /// The file system notes which blocks were never written, and overwrites in place those that were.
    overwrites: bool,
}

impl LinuxDisk {
    /// The folder at this path, which is made if it is not there.
    ///
    /// # Errors
    /// When it cannot be made or opened.
    pub fn new(folder: &Path) -> Result<LinuxDisk, DiskError> {
        fs::create_dir_all(folder).map_err(|error| failure(&error, &folder.display().to_string()))?;
        let handle = File::open(folder).map_err(|error| failure(&error, &folder.display().to_string()))?;
        // Where it is not known, nothing is won, and nothing lost.
        let overwrites = fstatfs(&handle)
            .is_ok_and(|of| matches!(of.filesystem_type(), EXT4_SUPER_MAGIC | XFS_SUPER_MAGIC));
        Ok(LinuxDisk { folder: folder.to_owned(), handle, lock: None, open: BTreeMap::new(), overwrites })
    }

    fn file(&mut self, name: &str) -> Result<&File, DiskError> {
        if !self.open.contains_key(name) {
            let opened = OpenOptions::new().read(true).write(true).open(self.folder.join(name));
            let file = opened.map_err(|error| self.failure(&error, name))?;
            self.open.insert(name.to_owned(), file);
        }
        self.open.get(name).ok_or_else(|| DiskError::new(DiskErrorKind::NotFound, name))
    }

    fn failure(&self, error: &io::Error, name: &str) -> DiskError {
        failure(error, &self.folder.join(name).display().to_string())
    }
}

impl Disk for LinuxDisk {
    fn lock(&mut self) -> Result<(), DiskError> {
        let opened = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(self.folder.join(LOCK));
        let file = opened.map_err(|error| self.failure(&error, LOCK))?;
        match file.try_lock() {
            Ok(()) => {
                self.lock = Some(file);
                Ok(())
            }
            Err(TryLockError::WouldBlock) => {
                Err(DiskError::new(DiskErrorKind::Locked, self.folder.display().to_string()))
            }
            Err(TryLockError::Error(error)) => Err(self.failure(&error, LOCK)),
        }
    }

    fn list(&mut self) -> Result<Vec<String>, DiskError> {
        let entries = fs::read_dir(&self.folder).map_err(|error| self.failure(&error, ""))?;
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|error| self.failure(&error, ""))?;
            // The store's own names are ASCII; what is not UTF-8 is not the store's.
            names.extend(entry.file_name().into_string());
        }
        Ok(names)
    }

    fn create(&mut self, name: &str, preallocate: u64) -> Result<(), DiskError> {
        self.open.remove(name);
        let path = self.folder.join(name);
        let made =
            OpenOptions::new().create(true).truncate(true).read(true).write(true).mode(0o600).open(path);
        let file = made.map_err(|error| self.failure(&error, name))?;
        if preallocate > 0 {
            let length = i64::try_from(preallocate)
                .map_err(|_| DiskError::new(DiskErrorKind::NoSpace, "a file of that length cannot be"))?;
            if let Err(errno) = nix::fcntl::posix_fallocate(&file, 0, length) {
                drop(fs::remove_file(self.folder.join(name)));
                return Err(self.failure(&errno.into(), name));
            }
        }
        self.open.insert(name.to_owned(), file);
        Ok(())
    }

    fn length(&mut self, name: &str) -> Result<u64, DiskError> {
        let metadata = self.file(name)?.metadata();
        metadata.map(|metadata| metadata.len()).map_err(|error| self.failure(&error, name))
    }

    fn read(&mut self, name: &str, offset: u64, buffer: &mut [u8]) -> Result<usize, DiskError> {
        let mut filled = 0;
        while filled < buffer.len() {
            let result = self.file(name)?.read_at(&mut buffer[filled..], offset + filled as u64);
            match result {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.failure(&error, name)),
            }
        }
        Ok(filled)
    }

    fn write(&mut self, name: &str, offset: u64, bytes: &[u8]) -> Result<(), DiskError> {
        let result = self.file(name)?.write_all_at(bytes, offset);
        result.map_err(|error| self.failure(&error, name))
    }

    fn fill(&mut self, name: &str, offset: u64, length: u64) -> Result<bool, DiskError> {
        static ZEROS: [u8; 64 << 10] = [0; 64 << 10];
        if !self.overwrites {
            return Ok(false);
        }
        let (mut at, end) = (offset, offset.saturating_add(length));
        while at < end {
            let piece = usize::try_from(end - at).map_or(ZEROS.len(), |left| left.min(ZEROS.len()));
            self.write(name, at, &ZEROS[..piece])?;
            at += piece as u64;
        }
        self.sync(name)?;
        Ok(true)
    }

    fn sync(&mut self, name: &str) -> Result<(), DiskError> {
        let result = self.file(name)?.sync_data();
        result.map_err(|error| self.failure(&error, name))
    }

    fn truncate(&mut self, name: &str, length: u64) -> Result<(), DiskError> {
        let result = self.file(name)?.set_len(length);
        result.map_err(|error| self.failure(&error, name))
    }

    fn rename(&mut self, from: &str, to: &str) -> Result<(), DiskError> {
        let result = fs::rename(self.folder.join(from), self.folder.join(to));
        result.map_err(|error| self.failure(&error, from))?;
        self.open.remove(to);
        if let Some(file) = self.open.remove(from) {
            self.open.insert(to.to_owned(), file);
        }
        Ok(())
    }

    fn remove(&mut self, name: &str) -> Result<(), DiskError> {
        self.open.remove(name);
        fs::remove_file(self.folder.join(name)).map_err(|error| self.failure(&error, name))
    }

    fn sync_folder(&mut self) -> Result<(), DiskError> {
        self.handle.sync_all().map_err(|error| self.failure(&error, ""))
    }
}

fn failure(error: &io::Error, what: &str) -> DiskError {
    let kind = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            DiskErrorKind::NoSpace
        }
        io::ErrorKind::NotFound => DiskErrorKind::NotFound,
        _ => DiskErrorKind::Io,
    };
    DiskError::new(kind, format!("{what}: {error}"))
}
