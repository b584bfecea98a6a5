//! *Lives here*: the small file that says which store this is, how often it was opened, and how much was stable when this was
//! written. *May know*: that file. *Must not know*: log, snapshot.

use crate::disk::{Disk, DiskError, DiskErrorKind};
use crate::error::{OpenError, Trouble};
use crate::folder::{IDENTITY, IDENTITY_NEXT, sync, sync_folder};
use crate::format::{FileKind, HEAD_BYTES, Head, HeadRead, VERSION};
use crate::values::{Position, StoreIdentity};

/// What the file says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Known {
    pub identity: StoreIdentity,
    pub generation: u64,
    /// Every record below this was stable when the file was written.
    pub stable: Position,
}

pub(crate) fn read_identity<D: Disk>(disk: &mut D) -> Result<Known, OpenError> {
    let mut bytes = [0; HEAD_BYTES];
    let got = disk.read(IDENTITY, 0, &mut bytes)?;
    match Head::decode(FileKind::Identity, &bytes[..got]) {
        HeadRead::Good(head) => {
            Ok(Known { identity: head.identity, generation: head.number, stable: Position(head.position) })
        }
        HeadRead::Newer(version) => {
            Err(OpenError::NewerVersion { file: IDENTITY.to_owned(), version, known: VERSION })
        }
        HeadRead::Bad => Err(OpenError::Damaged {
            file: IDENTITY.to_owned(),
            offset: 0,
            what: "the checksum of the store's identity is wrong".to_owned(),
            first_lost: Position(1),
            last_lost: Position(0),
        }),
    }
}

/// Writes the file anew: to another name, synced, renamed, folder synced.
///
/// The other name is made ahead, when there is space, so that a store on a full disk still opens.
pub(crate) fn write_identity<D: Disk>(disk: &mut D, known: &Known) -> Result<(), Trouble> {
    let head = Head {
        identity: known.identity,
        number: known.generation,
        position: known.stable.0,
        sequence: 0,
        chain: 0,
    };
    match disk.length(IDENTITY_NEXT) {
        Ok(length) if length == HEAD_BYTES as u64 => {}
        Ok(_) => disk.create(IDENTITY_NEXT, HEAD_BYTES as u64)?,
        Err(DiskError { kind: DiskErrorKind::NotFound, .. }) => {
            disk.create(IDENTITY_NEXT, HEAD_BYTES as u64)?;
        }
        Err(error) => return Err(error.into()),
    }
    disk.write(IDENTITY_NEXT, 0, &head.encode(FileKind::Identity))?;
    sync(disk, IDENTITY_NEXT)?;
    disk.rename(IDENTITY_NEXT, IDENTITY)?;
    sync_folder(disk)?;
    if disk.create(IDENTITY_NEXT, HEAD_BYTES as u64).is_ok() {
        // Allocated now, or it would not help when the disk is full.
        sync_folder(disk)?;
    }
    Ok(())
}
