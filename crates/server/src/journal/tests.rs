//! *Lives here:* the journal on a disk in memory: what leaves when, and what happens when the disk does not do its part.
//! *Must not know:* sockets.

use super::*;
use crate::counter::ShellCounters;
use crate::desk::{Desk, JournalEnds};
use crate::log::EventLog;
use config::LogLevel;
use dhcp::{HardwareAddress, Message, MessageType, Op, ReplyHeader, TransactionId, Writer, code};
use engine::clock::{BootId, ClockStamp};
use engine::{Engine, Input, Interface, InterfaceId, LeaseFilter, Outbox, Packet};
use failover::time::{Interval, Time};
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::process::Command;
use std::sync::Mutex;
use std::thread;
use store::{DiskError, DiskErrorKind, Options};

const SERVER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);

/// What happened on the disk and at the outlet, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Write,
    Sync,
    Sent(MessageType),
}

#[derive(Debug, Default)]
struct State {
    files: BTreeMap<String, Vec<u8>>,
    steps: Vec<Step>,
    is_full: bool,
    fails_sync: bool,
}

/// A disk and an outlet that note what is asked of them; clones are the same one.
#[derive(Debug, Clone, Default)]
struct World(Arc<Mutex<State>>);

impl World {
    fn with<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.0.lock().unwrap())
    }

    /// The steps since the last time.
    fn steps(&self) -> Vec<Step> {
        self.with(|state| std::mem::take(&mut state.steps))
    }

    fn sent(&self, kind: MessageType) -> usize {
        self.with(|state| state.steps.iter().filter(|step| **step == Step::Sent(kind)).count())
    }
}

impl Disk for World {
    fn lock(&mut self) -> Result<(), DiskError> {
        Ok(())
    }

    fn list(&mut self) -> Result<Vec<String>, DiskError> {
        Ok(self.with(|state| state.files.keys().cloned().collect()))
    }

    fn create(&mut self, name: &str, preallocate: u64) -> Result<(), DiskError> {
        self.with(|state| {
            if state.is_full {
                return Err(DiskError::new(DiskErrorKind::NoSpace, "full"));
            }
            state.files.insert(name.to_owned(), vec![0; usize::try_from(preallocate).unwrap()]);
            Ok(())
        })
    }

    fn length(&mut self, name: &str) -> Result<u64, DiskError> {
        let length = self.with(|state| state.files.get(name).map(|file| file.len() as u64));
        length.ok_or_else(|| DiskError::new(DiskErrorKind::NotFound, name))
    }

    fn read(&mut self, name: &str, offset: u64, buffer: &mut [u8]) -> Result<usize, DiskError> {
        self.with(|state| {
            let file = state.files.get(name).ok_or_else(|| DiskError::new(DiskErrorKind::NotFound, name))?;
            let rest = file.get(usize::try_from(offset).unwrap()..).unwrap_or_default();
            let count = rest.len().min(buffer.len());
            buffer[..count].copy_from_slice(&rest[..count]);
            Ok(count)
        })
    }

    fn write(&mut self, name: &str, offset: u64, bytes: &[u8]) -> Result<(), DiskError> {
        self.with(|state| {
            if state.is_full {
                return Err(DiskError::new(DiskErrorKind::NoSpace, "full"));
            }
            state.steps.push(Step::Write);
            let (offset, file) = (usize::try_from(offset).unwrap(), state.files.get_mut(name).unwrap());
            file.resize(file.len().max(offset + bytes.len()), 0);
            file[offset..offset + bytes.len()].copy_from_slice(bytes);
            Ok(())
        })
    }

    fn sync(&mut self, name: &str) -> Result<(), DiskError> {
        self.with(|state| {
            state.steps.push(Step::Sync);
            if state.fails_sync { Err(DiskError::new(DiskErrorKind::Io, name)) } else { Ok(()) }
        })
    }

    fn truncate(&mut self, name: &str, length: u64) -> Result<(), DiskError> {
        self.with(|state| state.files.get_mut(name).unwrap().truncate(usize::try_from(length).unwrap()));
        Ok(())
    }

    fn rename(&mut self, from: &str, to: &str) -> Result<(), DiskError> {
        self.with(|state| {
            let file = state.files.remove(from).unwrap();
            state.files.insert(to.to_owned(), file);
        });
        Ok(())
    }

    fn remove(&mut self, name: &str) -> Result<(), DiskError> {
        self.with(|state| state.files.remove(name));
        Ok(())
    }

    fn sync_folder(&mut self) -> Result<(), DiskError> {
        Ok(())
    }
}

impl Outlet for World {
    fn add(&mut self, _: &Destination, bytes: &[u8]) {
        let kind = Message::parse(bytes).unwrap().message_type().unwrap();
        self.with(|state| state.steps.push(Step::Sent(kind)));
        if std::env::var_os(CHILD).is_some() {
            println!("sent {kind:?}");
        }
    }

    fn flush(&mut self) {}

    fn take_error(&mut self) -> Option<Errno> {
        None
    }
}

/// Set in the process that is to end.
const CHILD: &str = "TANDEM_TEST_FAILED_SYNC";

struct Server {
    desk: Desk,
    journal: Journal<World, World>,
    shared: Arc<Shared>,
    world: World,
    now: Time,
}

const ALONE: &str = "interfaces = [\"x\"]\nstate-directory = \"/\"\n[[subnet]]\nprefix = \"10.0.0.0/16\"\n\
                     lease-time = \"1h\"\n[[subnet.pool]]\nrange = \"10.0.1.0-10.0.200.255\"\n";

/// A server on this disk; its engine has replayed what is there.
fn server(world: &World, options: Options) -> Server {
    server_of(world, options, ALONE)
}

fn server_of(world: &World, options: Options, text: &str) -> Server {
    let (config, _) = config::parse("test", text).unwrap();
    let mut engine = Engine::new(config.engine, 1);
    let store = Store::open(world.clone(), options, [1; 16], &mut |record| {
        engine.replay(record).map_err(|error| error.to_string())
    });
    let store = store.unwrap();
    let counters = Arc::<ShellCounters>::default();
    let shared =
        Arc::new(Shared::new(Arc::clone(&counters), Position(store.stable_position().0), store.health()));
    let now = Time::from_seconds(1_800_000_000);
    shared.set_time(now, crate::clocks::since_boot().unwrap());
    let outbox = Outbox::new(Position(store.next_position().0));
    let log = EventLog::new(LogLevel::Error, counters);
    let (mut desk, JournalEnds { work, spent }) =
        Desk::new(engine, outbox, Box::new(world.clone()), Arc::clone(&shared), log);
    desk.start(now);
    let interface = Interface { id: InterfaceId(1), addresses: vec![SERVER] };
    desk.handle(now, Input::Interfaces(&[interface])).unwrap();
    let (owner, _questions) = OwnerHandle::new().unwrap();
    let journal = Journal::new(store, world.clone(), work, spent, owner, Arc::clone(&shared));
    world.steps();
    Server { desk, journal, shared, world: world.clone(), now }
}

fn small() -> Options {
    Options { segment_size: 1 << 20, ..Options::default() }
}

impl Desk {
    /// DISCOVER and REQUEST of a new client, which gets the first address after those of the clients before.
    fn bind(&mut self, now: Time, number: u16) {
        let address = Ipv4Addr::from(u32::from(Ipv4Addr::new(10, 0, 1, 0)) + u32::from(number));
        self.take(now, &message(number, MessageType::Discover, None));
        self.take(now, &message(number, MessageType::Request, Some(address)));
    }

    fn take(&mut self, now: Time, bytes: &[u8]) {
        let packet = Packet {
            interface: InterfaceId(1),
            source: SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 68),
            destination: Ipv4Addr::BROADCAST,
            received: now,
            bytes,
        };
        self.handle(now, Input::Packet(packet)).unwrap();
    }
}

fn message(client: u16, kind: MessageType, selected: Option<Ipv4Addr>) -> Vec<u8> {
    let [high, low] = client.to_be_bytes();
    let hardware = HardwareAddress::ethernet([2, 0, 0, 0, high, low]);
    let mut chaddr = [0; 16];
    chaddr[..6].copy_from_slice(hardware.as_bytes());
    let header = ReplyHeader {
        op: Op::BootRequest,
        htype: hardware.htype(),
        hlen: 6,
        hops: 0,
        xid: TransactionId(7),
        secs: 0,
        flags: 0,
        ciaddr: Ipv4Addr::UNSPECIFIED,
        yiaddr: Ipv4Addr::UNSPECIFIED,
        siaddr: Ipv4Addr::UNSPECIFIED,
        giaddr: Ipv4Addr::UNSPECIFIED,
        chaddr,
    };
    let mut buffer = [0; 576];
    let mut writer = Writer::new(&mut buffer, &header, 576);
    writer.message_type(kind);
    if let Some(address) = selected {
        writer.address(code::REQUESTED_ADDRESS, address).unwrap();
        writer.address(code::SERVER_IDENTIFIER, SERVER).unwrap();
    }
    let length = writer.finish(None);
    buffer[..length].to_vec()
}

fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(Instant::now() < end, "waited in vain: {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn an_offer_leaves_before_the_sync_and_an_ack_after_it() {
    let mut server = server(&World::default(), small());
    server.desk.bind(server.now, 0);
    server.desk.seal().unwrap();
    server.desk.finish().unwrap();
    server.journal.run().unwrap();
    let expected = [Step::Sent(MessageType::Offer), Step::Write, Step::Sync, Step::Sent(MessageType::Ack)];
    assert_eq!(server.world.steps(), expected);
}

#[test]
fn an_offer_waits_for_no_journal_and_takes_no_batch() {
    let mut server = server(&World::default(), small());
    // More OFFERs than there are batches, while the journal stands still.
    for number in 0..100 {
        server.desk.take(server.now, &message(number, MessageType::Discover, None));
        server.desk.seal().unwrap();
    }
    assert_eq!(server.world.sent(MessageType::Offer), 100);
    server.desk.finish().unwrap();
    server.journal.run().unwrap();
    assert!(!server.world.steps().contains(&Step::Write), "there was nothing to write");
}

#[test]
fn one_sync_covers_all_batches_that_wait() {
    let mut server = server(&World::default(), small());
    for number in 0..5 {
        server.desk.bind(server.now, number);
        server.desk.seal().unwrap();
    }
    server.desk.finish().unwrap();
    server.journal.run().unwrap();
    let counts = |step| server.world.with(|state| state.steps.iter().filter(|each| **each == step).count());
    assert_eq!((counts(Step::Write), counts(Step::Sync)), (5, 1));
    assert_eq!(counts(Step::Sent(MessageType::Ack)), 5);
    let synced = server.world.with(|state| state.steps.iter().position(|step| *step == Step::Sync)).unwrap();
    assert!(!server.world.steps()[..synced].contains(&Step::Sent(MessageType::Ack)));
    assert_eq!(server.shared.counters.get(ShellCounter::RepliesAfterSync), 5);
}

#[test]
fn a_full_disk_keeps_the_batch_until_there_is_room() {
    let Server { mut desk, journal, shared, world, now } = server(&World::default(), small());
    world.with(|state| state.is_full = true);
    let journal = thread::spawn(|| journal.run());
    desk.bind(now, 0);
    desk.seal().unwrap();
    wait_until("the owner is told", || shared.is_reserve_only());
    desk.bind(now, 1);
    desk.seal().unwrap();
    thread::sleep(Duration::from_millis(50));
    assert_eq!(world.sent(MessageType::Ack), 0);
    world.with(|state| state.is_full = false);
    wait_until("both are answered", || world.sent(MessageType::Ack) == 2);
    wait_until("the owner is told", || !shared.is_reserve_only());
    desk.finish().unwrap();
    journal.join().unwrap().unwrap();
}

#[test]
fn who_stops_on_a_full_disk_says_so_and_answers_nothing() {
    let mut server = server(&World::default(), small());
    server.world.with(|state| state.is_full = true);
    server.desk.bind(server.now, 0);
    server.desk.seal().unwrap();
    server.shared.stopping.store(true, Ordering::Release);
    assert!(matches!(server.journal.run(), Err(ServeError::Unwritten(_))));
    assert_eq!(server.world.sent(MessageType::Ack), 0);
}

#[test]
fn a_failed_sync_ends_the_process_and_nothing_more_leaves() {
    if std::env::var_os(CHILD).is_some() {
        let mut server = server(&World::default(), small());
        server.desk.bind(server.now, 0);
        server.desk.finish().unwrap();
        server.world.with(|state| state.fails_sync = true);
        drop(server.journal.run());
        unreachable!("the process has ended");
    }
    let name = "journal::tests::a_failed_sync_ends_the_process_and_nothing_more_leaves";
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env(CHILD, "1")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(EXIT_STORE), "{text}");
    assert!(text.contains("sent Offer") && !text.contains("sent Ack"), "{text}");
}

#[test]
fn the_owner_is_woken_for_what_is_for_partners_and_for_nothing_else() {
    let pair = format!(
        "{ALONE}failover = \"campus\"\n[[failover]]\nname = \"campus\"\nrole = \"primary\"\n\
         listen = \"192.0.2.1\"\npartner = \"192.0.2.2\"\n"
    );
    for (text, is_woken) in [(ALONE, false), (pair.as_str(), true)] {
        let Server { mut desk, journal, now, .. } = server_of(&World::default(), small(), text);
        let owner = journal.owner.clone();
        desk.handle(now, Input::Wake).unwrap();
        desk.bind(now, 0);
        desk.finish().unwrap();
        journal.run().unwrap();
        // Nothing but the number of wakes is in there, and an error where there were none.
        assert_eq!(owner.wake_fd().read().is_ok(), is_woken);
        let calls = std::iter::from_fn(|| desk.next_for_partner());
        assert_eq!(calls.count(), usize::from(is_woken), "the first thing is a call to the partner");
    }
}

#[test]
fn a_batch_larger_than_a_piece_is_written_whole() {
    let world = World::default();
    let mut server = server(&world, small());
    let stamp = ClockStamp {
        engine: server.now,
        since_boot: Interval::ZERO,
        wall: server.now,
        boot: BootId::default(),
        synchronised: true,
    };
    let mut bytes = 0;
    let mut records = 0;
    while bytes <= 2 * PIECE {
        server.desk.note_clock(stamp);
        (bytes, records) = (bytes + 40, records + 1);
    }
    server.desk.finish().unwrap();
    server.journal.run().unwrap();
    assert!(world.steps().iter().filter(|step| **step == Step::Write).count() > 1);
    let mut replayed = 0;
    Store::open(world, small(), [1; 16], &mut |_| {
        replayed += 1;
        Ok(())
    })
    .unwrap();
    assert_eq!(replayed, records);
}

#[test]
fn a_snapshot_is_taken_while_leases_are_given_and_nothing_is_lost() {
    let world = World::default();
    let options = Options { snapshot_at_least: 100_000, ..small() };
    let Server { mut desk, journal, shared, now, .. } = server(&world, options.clone());
    let journal = thread::spawn(|| journal.run());
    let mut clients = 0;
    while shared.counters.get(ShellCounter::Snapshots) == 0 {
        desk.bind(now, clients);
        clients += 1;
        desk.seal().unwrap();
        desk.snapshot_step().unwrap();
        thread::sleep(Duration::from_micros(50));
        assert!(clients < 40_000, "no snapshot came");
    }
    desk.finish().unwrap();
    journal.join().unwrap().unwrap();
    assert!(desk.engine.leases(&LeaseFilter::default(), 1).0.len() == 1);
    let Server { desk, journal, .. } = server(&world, options);
    assert!(journal.store.opened().snapshot_records > 0);
    assert_eq!(desk.engine.live_bindings(), u64::from(clients));
}

#[test]
fn who_gets_no_batch_back_decides_no_more_than_the_bound() {
    let Server { mut desk, journal, shared, world, now } = server(&World::default(), small());
    let mut clients = 0;
    while !desk.must_wait() {
        desk.bind(now, clients);
        clients += 1;
        desk.seal().unwrap();
    }
    // Each batch on its way has one client; the rest is in the outbox, up to its bound of replies.
    let bound = BATCHES + engine::outbox::REPLIES_PER_BATCH / 2;
    assert_eq!(usize::from(clients), bound);
    assert!(shared.owner_waits.load(Ordering::SeqCst), "the journal is asked to wake the owner");
    let journal = thread::spawn(|| journal.run());
    wait_until("batches come back", || !shared.owner_waits.load(Ordering::SeqCst));
    assert!(!desk.must_wait());
    desk.finish().unwrap();
    journal.join().unwrap().unwrap();
    assert_eq!(world.sent(MessageType::Ack), usize::from(clients));
}
