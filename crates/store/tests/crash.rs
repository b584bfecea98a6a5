//! Crashes at every call, and everything a disk does to what was not synced.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a broken test may stop")]

mod common;

use common::TestDisk;
use store::{AppendError, Health, OpenError, Options, Planted, Position, Records, Store};

fn options() -> Options {
    Options {
        segment_size: 4096,
        snapshot_at_least: 6000,
        snapshot_sync_every: 1024,
        planted: Planted::default(),
    }
}

fn open(disk: &TestDisk, options: Options) -> Result<(Store<TestDisk>, Vec<u64>), OpenError> {
    let mut records = Vec::new();
    let store = Store::open(disk.clone(), options, [3; 16], &mut |bytes| {
        records.push(u64::from_le_bytes(bytes[..8].try_into().map_err(|_| "short".to_owned())?));
        Ok(())
    })?;
    Ok((store, records))
}

fn batch(from: u64, count: u64) -> Records {
    let mut records = Records::new();
    for number in from..from + count {
        let mut record = number.to_le_bytes().to_vec();
        record.resize(8 + usize::try_from(number % 90).unwrap(), 0xaa);
        records.push(&record);
    }
    records
}

/// What a run got done before it ended.
#[derive(Default)]
struct Run {
    stable: u64,
    appended: u64,
}

/// Appends, syncs and takes snapshots until the disk says no. A snapshot holds every record: each is its own key.
fn run(disk: &TestDisk, first: u64, rounds: u64) -> Run {
    let mut done = Run { stable: first, appended: first };
    let Ok((mut store, _)) = open(disk, options()) else { return done };
    for round in 0..rounds {
        let next = store.next_position().0;
        let count = 1 + (next + round) % 7;
        done.appended = next + count;
        if store.append(Position(next), batch(next, count).as_ref()).is_err() {
            return done;
        }
        if round % 3 == 0 {
            match store.sync() {
                Ok(stable) => done.stable = stable.0,
                Err(_) => return done,
            }
            store.maintain();
            store.fill();
        }
        if store.wants_snapshot() {
            let all = store.next_position().0;
            let wrote = store
                .begin_snapshot()
                .and_then(|()| {
                    (0..all)
                        .step_by(40)
                        .try_for_each(|from| store.snapshot_chunk(batch(from, 40.min(all - from)).as_ref()))
                })
                .and_then(|()| store.finish_snapshot());
            if wrote.is_err() && disk.0.borrow().crashed {
                return done;
            }
            if store.health() == Health::Poisoned {
                return done;
            }
        }
    }
    done
}

/// After whatever happened: all that was called stable is there, in order, and nothing that was never appended.
fn check(disk: &TestDisk, done: &Run, what: &str) -> u64 {
    let (store, records) = open(disk, options()).unwrap_or_else(|error| panic!("{what}: {error}"));
    let end = store.next_position().0;
    assert!(end >= done.stable, "{what}: {end} records, {} were stable", done.stable);
    assert!(end <= done.appended, "{what}: {end} records, {} were appended", done.appended);
    // Records are keyed by their number: a snapshot may repeat what the log has.
    let mut sorted = records.clone();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(sorted, (0..end).collect::<Vec<_>>(), "{what}");
    assert!(records.windows(2).all(|pair| pair[1] == pair[0] + 1), "{what}: out of order or twice");
    assert_eq!(store.stable_position(), store.next_position(), "{what}");
    end
}

#[test]
fn a_crash_at_every_call_loses_nothing_that_was_stable() {
    let mut cases = 0;
    let whole = TestDisk::new(1);
    run(&whole, 0, 150);
    let calls = whole.0.borrow().calls;
    assert!(calls > 250, "{calls} calls");
    assert!(whole.names().iter().any(|name| name.starts_with("snapshot-")), "{:?}", whole.names());
    for crash in 1..=calls {
        for power in [false, true] {
            let disk = TestDisk::new(crash);
            disk.0.borrow_mut().crash_at = Some(crash);
            let done = run(&disk, 0, 150);
            if power {
                disk.power_cut();
            } else {
                disk.process_dies();
            }
            check(&disk, &done, &format!("crash at call {crash}, power cut {power}"));
            cases += 1;
        }
    }
    println!("{cases} crashes");
}

#[test]
fn crash_after_crash_at_every_call_of_the_recovery() {
    for first in (40..260).step_by(7) {
        for second in 1..60 {
            let disk = TestDisk::new(first * 1000 + second);
            disk.0.borrow_mut().crash_at = Some(first);
            let done = run(&disk, 0, 60);
            disk.power_cut();
            {
                let mut state = disk.0.borrow_mut();
                state.crash_at = Some(state.calls + second);
            }
            drop(open(&disk, options()));
            if second % 2 == 0 {
                disk.power_cut();
            } else {
                disk.process_dies();
            }
            let end =
                check(&disk, &done, &format!("crash at {first}, then at call {second} of the recovery"));
            let more = run(&disk, end, 10);
            disk.power_cut();
            check(&disk, &more, &format!("after crashes at {first} and {second}"));
        }
    }
}

/// An opening is killed after it cut off what it had copied, and before that was synced: the next one finds it cut off already. A power
/// cut later brings it back, when what was copied has been vouched for and more was written behind the copy.
#[test]
fn what_was_cut_off_and_comes_back_is_known() {
    for rounds in 8..20 {
        for call in 1..60 {
            let disk = TestDisk::new(rounds * 100 + call);
            let done = run(&disk, 0, rounds);
            disk.process_dies();
            {
                let mut state = disk.0.borrow_mut();
                state.crash_at = Some(state.calls + call);
            }
            drop(open(&disk, options()));
            disk.process_dies();
            let more = run(&disk, done.stable, 4);
            disk.power_cut();
            check(&disk, &more, &format!("{rounds} rounds, the recovery killed at call {call}"));
        }
    }
}

#[test]
fn a_failed_sync_is_the_end_and_its_pages_are_written_again() {
    for failing in 1..30 {
        let disk = TestDisk::new(failing);
        disk.0.borrow_mut().fail_sync_at = Some(failing);
        let done = run(&disk, 0, 40);
        disk.process_dies();
        let end = check(&disk, &done, &format!("sync {failing} failed"));
        // What the opening vouched for must survive a power cut right after.
        disk.power_cut();
        let (store, _) = open(&disk, options()).unwrap();
        assert_eq!(store.next_position().0, end, "sync {failing}: the page cache was believed");
    }
}

#[test]
fn after_a_failed_sync_what_the_next_run_called_stable_survives() {
    for failing in 1..40 {
        let disk = TestDisk::new(failing);
        disk.0.borrow_mut().fail_sync_at = Some(failing);
        let done = run(&disk, 0, 60);
        disk.process_dies();
        let end = check(&disk, &done, &format!("sync {failing} failed"));
        // The reserve, its head too, may be in the page cache only.
        let more = run(&disk, end, 20);
        disk.power_cut();
        check(&disk, &more, &format!("sync {failing} failed, and the run after it had its power cut"));
    }
}

#[test]
fn many_starts_without_much_to_say_end_in_a_snapshot() {
    let disk = TestDisk::new(4);
    let large = Options { snapshot_at_least: 20_000, ..options() };
    let mut most = 0;
    for start in 0..200 {
        let (mut store, _) = open(&disk, large.clone()).unwrap();
        let next = store.next_position().0;
        store.append(Position(next), batch(next, 1).as_ref()).unwrap();
        store.sync().unwrap();
        if store.wants_snapshot() {
            assert!(start > 50, "after {start} starts");
            store.begin_snapshot().unwrap();
            store.snapshot_chunk(batch(0, next + 1).as_ref()).unwrap();
            store.finish_snapshot().unwrap();
            assert!(!store.wants_snapshot());
        }
        disk.process_dies();
        most = most.max(disk.names().len());
    }
    assert!((60..90).contains(&most), "{most} files");
}

/// Files of the log and snapshots that the latest snapshot has replaced.
fn replaced(disk: &TestDisk) -> Vec<String> {
    let names = disk.names();
    let number = |name: &str| name.split_once('-').map(|(_, number)| number.to_owned());
    let latest =
        names.iter().filter(|name| name.starts_with("snapshot-")).filter_map(|name| number(name)).max();
    names.into_iter().filter(|name| number(name).is_some_and(|number| Some(number) < latest)).collect()
}

#[test]
fn what_a_snapshot_replaced_does_not_stay_when_a_power_cut_brings_it_back() {
    let mut came_back = 0;
    for rounds in 1..200 {
        let disk = TestDisk::new(rounds);
        run(&disk, 0, rounds);
        assert_eq!(replaced(&disk), Vec::<String>::new(), "{rounds} rounds");
        disk.power_cut();
        came_back += replaced(&disk).len();
        drop(open(&disk, options()).unwrap());
        assert_eq!(replaced(&disk), Vec::<String>::new(), "{rounds} rounds");
    }
    assert!(came_back > 5, "{came_back} files came back");
}

#[test]
fn what_a_snapshot_replaced_is_given_back_bit_by_bit_and_a_crash_meanwhile_does_no_harm() {
    const MEBIBYTE: usize = 1 << 20;
    let long = Options { segment_size: 3 << 20, ..options() };
    let snapshot = |store: &mut Store<TestDisk>| {
        store.begin_snapshot().unwrap();
        store.snapshot_chunk(batch(0, 5).as_ref()).unwrap();
        store.finish_snapshot().unwrap();
    };
    for steps in 0..=3 {
        let disk = TestDisk::new(23);
        let (mut store, _) = open(&disk, long.clone()).unwrap();
        store.append(Position(0), batch(0, 5).as_ref()).unwrap();
        let old = disk.names().into_iter().find(|name| name.starts_with("log-")).unwrap();
        let length = || disk.names().contains(&old).then(|| disk.bytes(&old).len());
        snapshot(&mut store);
        for step in 0..steps {
            assert!(store.has_replaced(), "step {step}");
            assert_eq!(length(), Some((3 - step) * MEBIBYTE));
            store.shrink_replaced();
        }
        assert_eq!((store.has_replaced(), length().is_some()), (steps < 3, steps < 3));
        disk.power_cut();
        let (mut store, records) = open(&disk, long.clone()).unwrap();
        assert_eq!(records, [0, 1, 2, 3, 4]);
        snapshot(&mut store);
        while store.has_replaced() {
            store.shrink_replaced();
        }
        assert_eq!(length(), None);
    }
}

#[test]
fn all_of_the_log_is_filled_ahead_of_what_is_written() {
    let long = Options { segment_size: 600 << 10, ..options() };
    let disk = TestDisk::new(7);
    let (mut store, _) = open(&disk, long.clone()).unwrap();
    let mut pieces = 0;
    while store.has_unfilled() {
        store.fill();
        pieces += 1;
    }
    assert_eq!(pieces, 6, "two segments of 600 KiB, 256 KiB at a time");
    let before = disk.0.borrow().calls;
    store.fill();
    assert_eq!(disk.0.borrow().calls, before);
    let mut next = 0;
    while next < 13_000 {
        store.append(Position(next), batch(next, 100).as_ref()).unwrap();
        next += 100;
    }
    assert!(!store.has_unfilled(), "the one in reserve was filled already");
    store.sync().unwrap();
    store.maintain();
    assert!(store.has_unfilled());
    store.append(Position(next), batch(next, 100).as_ref()).unwrap();
    let syncs = disk.0.borrow().syncs;
    disk.0.borrow_mut().fail_sync_at = Some(syncs + 1);
    store.fill();
    assert_eq!(store.health(), Health::Poisoned);
    assert!(store.sync().is_err(), "a sync that failed while filling is a failed sync");
}

#[test]
fn after_a_failed_sync_every_call_fails() {
    let disk = TestDisk::new(5);
    let (mut store, _) = open(&disk, options()).unwrap();
    store.append(Position(0), batch(0, 2).as_ref()).unwrap();
    let syncs = disk.0.borrow().syncs;
    disk.0.borrow_mut().fail_sync_at = Some(syncs + 1);
    assert!(store.sync().is_err());
    assert!(store.sync().is_err(), "a second sync would get a false yes");
    assert!(matches!(store.append(Position(2), batch(2, 1).as_ref()), Err(AppendError::Poisoned(_))));
    assert_eq!(store.health(), Health::Poisoned);
}

#[test]
fn damage_in_what_was_stable_is_refused_and_says_what_is_lost() {
    let disk = TestDisk::new(9);
    let done = run(&disk, 0, 8);
    assert!(done.stable > 3);
    let name = disk.names().into_iter().find(|name| name.starts_with("log-")).unwrap();
    disk.flip(&name, 600);
    let error = open(&disk, options()).unwrap_err();
    let OpenError::Damaged { first_lost, last_lost, .. } = &error else { panic!("{error}") };
    assert!(first_lost <= last_lost && error.to_string().contains("backup"), "{error}");
    disk.flip(&name, 600);
    assert!(open(&disk, options()).is_ok(), "a refusal changes nothing");
}

#[test]
fn every_bit_of_a_store_that_ended_well_counts_or_is_noticed() {
    let disk = TestDisk::new(11);
    let (mut store, _) = open(&disk, options()).unwrap();
    store.append(Position(0), batch(0, 5).as_ref()).unwrap();
    store.sync().unwrap();
    drop(store);
    // Opening declares it all stable, in the identity file.
    drop(open(&disk, options()).unwrap());
    for name in disk.names() {
        if !name.starts_with("log-") && name != "identity" {
            continue;
        }
        for byte in 0..disk.bytes(&name).len().min(1200) {
            disk.flip(&name, byte);
            if let Ok((_, records)) = open(&disk, options()) {
                assert_eq!(records, [0, 1, 2, 3, 4], "{name} byte {byte}");
            }
            disk.flip(&name, byte);
        }
        if name.starts_with("log-") {
            break;
        }
    }
}

#[test]
fn on_a_full_disk_the_reserve_still_takes_records_and_service_resumes() {
    let disk = TestDisk::new(13);
    let (mut store, _) = open(&disk, options()).unwrap();
    disk.0.borrow_mut().space = Some(0);
    let (mut next, mut reserve_only) = (0, 0);
    loop {
        match store.append(Position(next), batch(next, 3).as_ref()) {
            Ok(()) => next += 3,
            Err(AppendError::NoSpace(_)) => break,
            Err(error) => panic!("{error}"),
        }
        store.sync().unwrap();
        store.maintain();
        reserve_only += u64::from(store.health() == Health::ReserveOnly);
    }
    assert!(reserve_only > 5, "{reserve_only} batches fitted into the reserve");
    assert_eq!(store.stable_position().0, next);
    disk.0.borrow_mut().space = None;
    store.maintain();
    assert_eq!(store.health(), Health::Ok);
    store.append(Position(next), batch(next, 3).as_ref()).unwrap();
    store.sync().unwrap();
    disk.power_cut();
    check(&disk, &Run { stable: next + 3, appended: next + 3 }, "after the full disk");
}

#[test]
fn identity_stays_and_generation_rises() {
    let disk = TestDisk::new(17);
    let (store, _) = open(&disk, options()).unwrap();
    let identity = store.identity();
    assert!(store.opened().new && store.generation() == 1);
    drop(store);
    let (store, _) = open(&disk, options()).unwrap();
    assert_eq!((store.identity(), store.generation(), store.opened().new), (identity, 2, false));
}

#[test]
fn the_planted_bugs_are_bugs() {
    let disk = TestDisk::new(19);
    let planted = Planted { snapshot_loses_record: true, ..Planted::default() };
    let (mut store, _) = open(&disk, Options { planted, ..options() }).unwrap();
    store.append(Position(0), batch(0, 5).as_ref()).unwrap();
    store.begin_snapshot().unwrap();
    store.snapshot_chunk(batch(0, 4).as_ref()).unwrap();
    store.snapshot_chunk(batch(4, 1).as_ref()).unwrap();
    store.finish_snapshot().unwrap();
    drop(store);
    let (_, records) = open(&disk, options()).unwrap();
    assert_eq!(records, [0, 1, 2, 3]);
}
