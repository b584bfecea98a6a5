//! The same on a real folder.

#![allow(clippy::unwrap_used, reason = "a broken test may stop")]

use store::{LinuxDisk, OpenError, Options, Position, Records, Store};

fn open(folder: &std::path::Path) -> Result<(Store<LinuxDisk>, usize), OpenError> {
    let mut count = 0;
    let disk = LinuxDisk::new(folder)?;
    let store =
        Store::open(disk, Options { segment_size: 1 << 16, ..Options::default() }, [1; 16], &mut |_| {
            count += 1;
            Ok(())
        })?;
    Ok((store, count))
}

#[test]
fn a_folder_is_locked_reopened_and_snapshotted() {
    let folder = std::env::temp_dir().join(format!("tandem-store-{}", std::process::id()));
    let (mut store, _) = open(&folder).unwrap();
    assert!(matches!(open(&folder), Err(OpenError::Locked(_))), "a second server is refused");
    let mut records = Records::new();
    for number in 0..2000_u32 {
        records.push(&number.to_le_bytes());
    }
    store.append(Position(0), records.as_ref()).unwrap();
    assert_eq!(store.sync().unwrap(), Position(2000));
    drop(store);
    let (mut store, count) = open(&folder).unwrap();
    assert_eq!(count, 2000);
    store.begin_snapshot().unwrap();
    store.snapshot_chunk(records.as_ref()).unwrap();
    store.finish_snapshot().unwrap();
    drop(store);
    let (store, count) = open(&folder).unwrap();
    assert_eq!((count, store.opened().snapshot_records), (2000, 2000));
    drop(store);
    std::fs::remove_dir_all(&folder).unwrap();
}
