//! What must survive: records of durable state, and their bytes.
//!
//! *Lives here:* [`Record`], its layout, [`Stamp`].
//! *May know:* the vocabulary of bindings.
//! *Must not know:* logs, snapshots, files: the store carries these bytes without looking into them.
//!
//! A record holds absolute values and is keyed by address, never by a place in a pool: replaying it twice, or after
//! a later snapshot of the same binding, does no harm. All integers are little endian.
//!
//! | kind | bytes |
//! | --- | --- |
//! | 1 binding | kind, version, status, flags, address (4), six stamps (24), htype, hlen, chaddr, identity length (2), identity, then items: tag (1), length (2), bytes; 1 option 12, 2 option 82, 3 option 60, 4 until when nobody is believed about it, 5 option 77, 6 option 81, 7 option 118, 8 DDNS of the partner, 9 its client-reply-options, 10 for whom the two know it to be reserved (8); what is not there is empty |
//! | 2 clock | kind, version, engine time (8), since boot (8), wall (8), boot identity (16), synchronised (1) |
//! | 3 endpoint | kind, version, flags, delayed service, name length (2), name, last operation (8), alive (8), MCLT (8), time of the last CONNECT (4), then what the flags name: buckets (32), what the state machine stores (flags, three states, four times, loss), what was heard of the partner's store (identity (16), generation (8), time (4)), last operation vouched for (8), a longer MCLT of before (8) and until when it is waited for (8) |
//! | 4 pool | kind, version, first address (4), last address (4), name of the relationship that shares it (the rest); none: nobody does |
//! | 5 acknowledged | kind, version, status, flags, address (4), stamps of the potential-expiration-times sent and acknowledged: of the binding that an earlier record has, what the partner knows of it since |

mod details;
mod endpoint;

pub use details::{ClientDetails, MAX_EXTRA};
pub use endpoint::EndpointRecord;

use crate::clock::{BootId, ClockStamp};
use dhcp::HardwareAddress;
use failover::binding::BindingStatus;
use failover::time::{Interval, Time};
use std::net::Ipv4Addr;

/// Longest record in bytes: what bounds a reader's buffer.
pub const MAX_RECORD: usize = 4096;

const VERSION: u8 = 1;
const KIND_BINDING: u8 = 1;
const KIND_CLOCK: u8 = 2;
const KIND_ENDPOINT: u8 = 3;
const KIND_POOL: u8 = 4;
const KIND_ACKNOWLEDGED: u8 = 5;
const ITEM_DOUBTED_UNTIL: u8 = 4;
const ITEM_RESERVED_FOR: u8 = 10;

/// A whole second between 2020 and 2156 in four bytes, as bindings keep it. Zero is "none", all ones "never".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Stamp(u32);

impl Stamp {
    /// No time.
    pub const NONE: Stamp = Stamp(0);
    /// No end.
    pub const NEVER: Stamp = Stamp(u32::MAX);
    /// 2020-01-01 00:00 UTC in seconds since 1970.
    const EPOCH: u64 = 1_577_836_800;

    /// The second at or after `time`: ends are never recorded as earlier than they are.
    pub fn at_or_after(time: Time) -> Stamp {
        Stamp::from_seconds(time.round_up_to_second())
    }

    /// The second at or before `time`.
    pub fn at_or_before(time: Time) -> Stamp {
        Stamp::from_seconds(time)
    }

    /// As a moment of engine time.
    pub fn time(self) -> Time {
        match self.0 {
            0 => Time::ZERO,
            u32::MAX => Time::NEVER,
            seconds => Time::from_seconds(Stamp::EPOCH + u64::from(seconds)),
        }
    }

    /// The second after this one.
    pub(crate) fn next(self) -> Stamp {
        Stamp(self.0.saturating_add(1))
    }

    /// The number on the wheel of deadlines: seconds since 2020.
    pub(crate) fn tick(self) -> u32 {
        self.0
    }

    /// The stamp with this number.
    pub(crate) fn from_tick(tick: u32) -> Stamp {
        Stamp(tick)
    }

    fn from_seconds(time: Time) -> Stamp {
        if time == Time::NEVER {
            return Stamp::NEVER;
        }
        if time == Time::ZERO {
            return Stamp::NONE;
        }
        let since = time.as_seconds().saturating_sub(Stamp::EPOCH).max(1);
        Stamp(u32::try_from(since).unwrap_or(u32::MAX))
    }
}

/// What is still to be settled with the partner about a binding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Flags(u8);

impl Flags {
    /// Nothing.
    pub const NONE: Flags = Flags(0);
    /// The partner has not acknowledged the present content (F07-7.3-01).
    pub const UNSEEN: Flags = Flags(1);
    /// That the client is gone (EXPIRED, RELEASED, RESET) left for the partner, which may have agreed: not even the same
    /// client may have the address before it has (F07-5.2.2-03, trap T5; on an ACTIVE binding after the raise of T16).
    pub const TOLD: Flags = Flags(2);
    /// Taken from the partner's pool, freed by the wait of PARTNER-DOWN, or granted on the client's word (T20): the partner
    /// must have acknowledged it before both are in NORMAL again (trap T17).
    pub const UNAGREED: Flags = Flags(4);
    /// By the partner's word a BOOTP client has it (the B flag, D12-7.1.1-01): what was heard is told again as it was. It ends with the
    /// client, and when that client speaks DHCP here.
    pub const BOOTP: Flags = Flags(8);
    /// The end is not known here but feared: our bindings were lost, and it is the latest up to which we may have promised the address
    /// (trap T16). A partner that gave it to another client knew better.
    pub const FEARED: Flags = Flags(16);
    /// The partner asked for it and is owed it before UPDDONE (F07-7.3.2-02). Not durable: after a lost connection the
    /// partner asks anew.
    pub(crate) const OWED: Flags = Flags(0x80);

    /// What of these is kept on disk.
    pub(crate) const fn durable(self) -> Flags {
        self.without(Flags::OWED)
    }

    /// Whether all of `flags` are set.
    pub const fn contains(self, flags: Flags) -> bool {
        self.0 & flags.0 == flags.0
    }

    /// These and those.
    #[must_use]
    pub const fn with(self, flags: Flags) -> Flags {
        Flags(self.0 | flags.0)
    }

    /// These without those.
    #[must_use]
    pub const fn without(self, flags: Flags) -> Flags {
        Flags(self.0 & !flags.0)
    }
}

/// One piece of durable state, borrowed from whoever holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record<'a> {
    /// The whole state of one binding.
    Binding(BindingRecord<'a>),
    /// How engine time and the clocks of the machine stood to each other.
    Clock(ClockStamp),
    /// The whole state of one failover endpoint.
    Endpoint(EndpointRecord),
    /// With whom addresses are shared.
    Pool(PoolRecord<'a>),
    /// What the partner knows of a binding that is recorded already.
    Acknowledged(AcknowledgedRecord),
}

/// With whom the addresses of a pool are shared, as the configuration of a run had it. A later record of a part of them goes before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolRecord<'a> {
    /// First address.
    pub first: Ipv4Addr,
    /// Last address, included.
    pub last: Ipv4Addr,
    /// relationship-name; empty for nobody.
    pub relationship: &'a str,
}

/// A binding as it is on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BindingRecord<'a> {
    /// The key.
    pub address: Ipv4Addr,
    /// Its status.
    pub status: BindingStatus,
    /// What is still to be settled with the partner.
    pub flags: Flags,
    /// When it took on the status (F07 12.24).
    pub start_time_of_state: Stamp,
    /// When the client was last heard (CLTT, F07 12.6).
    pub client_last_transaction_time: Stamp,
    /// The end that the client was promised, or a later one that it was promised before (trap T19).
    pub lease_expiration: Stamp,
    /// Latest potential-expiration-time sent to the partner.
    pub sent_potential_expiration: Stamp,
    /// Latest potential-expiration-time that the partner acknowledged (F07-5.2.1-08).
    pub acked_potential_expiration: Stamp,
    /// Latest potential-expiration-time received from the partner.
    pub received_potential_expiration: Stamp,
    /// Until then nobody is believed who says that it has this address (trap T20): its lease was given back, by the client or
    /// in its name.
    pub doubted_until: Stamp,
    /// The client's hardware address, when one is known.
    pub hardware: Option<HardwareAddress>,
    /// The client, or the last one: bytes of a `ClientIdentity`; empty for none.
    pub identity: &'a [u8],
    /// What client, relay and partner said along.
    pub details: ClientDetails<'a>,
    /// A digest of the client for whom the secondary may give it although the primary may too (F07-5.12-03): told by the primary,
    /// taken by the secondary. `None`: it belongs to one of the two, as its status says.
    pub reserved_for: Option<[u8; 8]>,
}

/// What the partner knows of a binding; all else is as it was recorded before. Each lease of a pair makes one of these, and of a whole
/// binding it would say again what it has said a moment ago.
/// F07-5.2.1-08.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AcknowledgedRecord {
    /// The key.
    pub address: Ipv4Addr,
    /// The status that is recorded: of a binding with another one this says nothing.
    pub status: BindingStatus,
    /// What is still to be settled with the partner.
    pub flags: Flags,
    /// See [`BindingRecord::sent_potential_expiration`].
    pub sent_potential_expiration: Stamp,
    /// See [`BindingRecord::acked_potential_expiration`].
    pub acked_potential_expiration: Stamp,
}

/// Why bytes are not a record that this version understands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// The record ends in the middle of a field.
    #[error("a record is cut short: the store is damaged, or was written by something else")]
    Short,
    /// A kind that this version does not know.
    #[error(
        "a record is of kind {0}, which this version does not know: run the version that wrote the store, or a later one"
    )]
    UnknownKind(u8),
    /// A layout that this version does not know.
    #[error(
        "a record has layout {0}, which this version does not know: run the version that wrote the store, or a later one"
    )]
    UnknownVersion(u8),
    /// A field has a value that none of our records has.
    #[error(
        "a record says {0}, which no record does: the store is damaged, or was written by something else"
    )]
    Nonsense(&'static str),
}

impl Record<'_> {
    /// Appends the bytes of this record to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Record::Binding(binding) => binding.encode(out),
            Record::Clock(stamp) => {
                out.extend_from_slice(&[KIND_CLOCK, VERSION]);
                out.extend_from_slice(&stamp.engine.as_millis().to_le_bytes());
                out.extend_from_slice(&stamp.since_boot.as_millis().to_le_bytes());
                out.extend_from_slice(&stamp.wall.as_millis().to_le_bytes());
                out.extend_from_slice(&stamp.boot.0);
                out.push(u8::from(stamp.synchronised));
            }
            Record::Endpoint(endpoint) => {
                out.extend_from_slice(&[KIND_ENDPOINT, VERSION]);
                endpoint.encode(out);
            }
            Record::Pool(pool) => {
                out.extend_from_slice(&[KIND_POOL, VERSION]);
                out.extend_from_slice(&pool.first.octets());
                out.extend_from_slice(&pool.last.octets());
                out.extend_from_slice(pool.relationship.as_bytes());
            }
            Record::Acknowledged(acknowledged) => acknowledged.encode(out),
        }
    }

    /// The record in `bytes`.
    ///
    /// # Errors
    /// When these are not the bytes of exactly one record that this version knows.
    pub fn decode(bytes: &[u8]) -> Result<Record<'_>, RecordError> {
        let mut reader = Reader(bytes);
        let kind = reader.byte()?;
        let version = reader.byte()?;
        if !(KIND_BINDING..=KIND_ACKNOWLEDGED).contains(&kind) {
            return Err(RecordError::UnknownKind(kind));
        }
        if version != VERSION {
            return Err(RecordError::UnknownVersion(version));
        }
        let record = match kind {
            KIND_BINDING => Record::Binding(BindingRecord::decode(&mut reader)?),
            KIND_ENDPOINT => Record::Endpoint(EndpointRecord::decode(&mut reader)?),
            KIND_POOL => Record::Pool(PoolRecord::decode(&mut reader)?),
            KIND_ACKNOWLEDGED => Record::Acknowledged(AcknowledgedRecord::decode(&mut reader)?),
            _ => Record::Clock(ClockStamp {
                engine: Time::from_millis(reader.u64()?),
                since_boot: Interval::from_millis(reader.u64()?),
                wall: Time::from_millis(reader.u64()?),
                boot: BootId(reader.array()?),
                synchronised: reader.byte()? != 0,
            }),
        };
        if reader.0.is_empty() { Ok(record) } else { Err(RecordError::Nonsense("more than it should")) }
    }
}

impl<'a> PoolRecord<'a> {
    fn decode(reader: &mut Reader<'a>) -> Result<PoolRecord<'a>, RecordError> {
        let [first, last] = [reader.array::<4>()?, reader.array()?].map(Ipv4Addr::from);
        let name = reader.take(reader.0.len())?;
        let relationship = str::from_utf8(name)
            .map_err(|_| RecordError::Nonsense("a relationship's name that is no text"))?;
        if first > last {
            return Err(RecordError::Nonsense("a pool that ends before it begins"));
        }
        Ok(PoolRecord { first, last, relationship })
    }
}

impl AcknowledgedRecord {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&[KIND_ACKNOWLEDGED, VERSION, self.status.number(), self.flags.0]);
        out.extend_from_slice(&self.address.octets());
        for stamp in [self.sent_potential_expiration, self.acked_potential_expiration] {
            out.extend_from_slice(&stamp.0.to_le_bytes());
        }
    }

    fn decode(reader: &mut Reader<'_>) -> Result<AcknowledgedRecord, RecordError> {
        let (status, flags, address) = reader.head()?;
        let [sent, acked] = [reader.stamp()?, reader.stamp()?];
        Ok(AcknowledgedRecord {
            address,
            status,
            flags,
            sent_potential_expiration: sent,
            acked_potential_expiration: acked,
        })
    }
}

impl<'a> BindingRecord<'a> {
    /// This binding once the later record of the same address is taken too, as a replay takes it.
    #[must_use]
    pub fn acknowledged(self, by: &AcknowledgedRecord) -> BindingRecord<'a> {
        if self.status != by.status {
            return self;
        }
        BindingRecord {
            flags: by.flags,
            sent_potential_expiration: by.sent_potential_expiration,
            acked_potential_expiration: by.acked_potential_expiration,
            ..self
        }
    }

    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&[KIND_BINDING, VERSION, self.status.number(), self.flags.0]);
        out.extend_from_slice(&self.address.octets());
        for stamp in [
            self.start_time_of_state,
            self.client_last_transaction_time,
            self.lease_expiration,
            self.sent_potential_expiration,
            self.acked_potential_expiration,
            self.received_potential_expiration,
        ] {
            out.extend_from_slice(&stamp.0.to_le_bytes());
        }
        match &self.hardware {
            Some(hardware) => {
                let address = hardware.as_bytes();
                out.extend_from_slice(&[hardware.htype(), u8::try_from(address.len()).unwrap_or(0)]);
                out.extend_from_slice(address);
            }
            None => out.extend_from_slice(&[0, 0]),
        }
        push_sized(out, self.identity);
        if self.doubted_until != Stamp::NONE {
            out.push(ITEM_DOUBTED_UNTIL);
            push_sized(out, &self.doubted_until.0.to_le_bytes());
        }
        if let Some(key) = &self.reserved_for {
            out.push(ITEM_RESERVED_FOR);
            push_sized(out, key);
        }
        for (tag, value) in self.details.items() {
            if !value.is_empty() && value.len() <= MAX_EXTRA {
                out.push(tag);
                push_sized(out, value);
            }
        }
    }

    fn decode(reader: &mut Reader<'a>) -> Result<BindingRecord<'a>, RecordError> {
        let (status, flags, address) = reader.head()?;
        let mut stamps = [Stamp::NONE; 6];
        for stamp in &mut stamps {
            *stamp = reader.stamp()?;
        }
        let htype = reader.byte()?;
        let hlen = reader.byte()?;
        let hardware = HardwareAddress::new(htype, reader.take(usize::from(hlen))?);
        let identity = reader.sized()?;
        let mut binding = BindingRecord {
            address,
            status,
            flags,
            start_time_of_state: stamps[0],
            client_last_transaction_time: stamps[1],
            lease_expiration: stamps[2],
            sent_potential_expiration: stamps[3],
            acked_potential_expiration: stamps[4],
            received_potential_expiration: stamps[5],
            doubted_until: Stamp::NONE,
            hardware: if htype == 0 && hlen == 0 { None } else { hardware },
            identity,
            details: ClientDetails::default(),
            reserved_for: None,
        };
        while !reader.0.is_empty() {
            let tag = reader.byte()?;
            let value = reader.sized()?;
            match tag {
                ITEM_DOUBTED_UNTIL => {
                    let bytes =
                        value.try_into().map_err(|_| RecordError::Nonsense("a time of another length"))?;
                    binding.doubted_until = Stamp(u32::from_le_bytes(bytes));
                }
                ITEM_RESERVED_FOR => {
                    let key =
                        value.try_into().map_err(|_| RecordError::Nonsense("a digest of another length"))?;
                    binding.reserved_for = Some(key);
                }
                tag if binding.details.set(tag, value) => {}
                _ => return Err(RecordError::Nonsense("an unknown item of a binding")),
            }
        }
        Ok(binding)
    }
}

fn push_sized(out: &mut Vec<u8>, bytes: &[u8]) {
    let length = u16::try_from(bytes.len()).unwrap_or(0);
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(&bytes[..usize::from(length)]);
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], RecordError> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(RecordError::Short)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], RecordError> {
        let (taken, rest) = self.0.split_first_chunk::<N>().ok_or(RecordError::Short)?;
        self.0 = rest;
        Ok(*taken)
    }

    fn byte(&mut self) -> Result<u8, RecordError> {
        Ok(self.array::<1>()?[0])
    }

    fn u64(&mut self) -> Result<u64, RecordError> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    fn stamp(&mut self) -> Result<Stamp, RecordError> {
        Ok(Stamp(u32::from_le_bytes(self.array()?)))
    }

    /// What both kinds that speak of a binding begin with.
    fn head(&mut self) -> Result<(BindingStatus, Flags, Ipv4Addr), RecordError> {
        let status =
            BindingStatus::from_number(self.byte()?).ok_or(RecordError::Nonsense("an unknown status"))?;
        Ok((status, Flags(self.byte()?), Ipv4Addr::from(self.array::<4>()?)))
    }

    fn sized(&mut self) -> Result<&'a [u8], RecordError> {
        let length = u16::from_le_bytes(self.array()?);
        self.take(usize::from(length))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use failover::endpoint::Stored;
    use failover::message::HeardStore;
    use failover::state::{FailoverState, Role};
    use failover::time::WireTime;

    fn binding() -> BindingRecord<'static> {
        BindingRecord {
            address: Ipv4Addr::new(10, 1, 2, 3),
            status: BindingStatus::Active,
            flags: Flags::NONE,
            start_time_of_state: Stamp(1),
            client_last_transaction_time: Stamp(2),
            lease_expiration: Stamp(3),
            sent_potential_expiration: Stamp(4),
            acked_potential_expiration: Stamp::NEVER,
            received_potential_expiration: Stamp::NONE,
            doubted_until: Stamp(9),
            hardware: HardwareAddress::new(1, &[2, 0, 0, 0, 0, 1]),
            identity: &[1, 1, 2, 0, 0, 0, 0, 1],
            details: ClientDetails {
                host_name: b"laptop",
                relay_agent_information: &[1, 2, 0, 7],
                ..ClientDetails::default()
            },
            reserved_for: None,
        }
    }

    fn acknowledged() -> AcknowledgedRecord {
        AcknowledgedRecord {
            address: binding().address,
            status: BindingStatus::Active,
            flags: Flags::FEARED,
            sent_potential_expiration: Stamp(7),
            acked_potential_expiration: Stamp(8),
        }
    }

    /// Each item has a number of its own.
    #[test]
    fn all_that_was_said_along_round_trips() {
        let details = ClientDetails {
            host_name: b"1",
            relay_agent_information: b"2",
            vendor_class: b"3",
            client_fqdn: b"6",
            user_class: b"5",
            subnet_selection: b"7",
            ddns: b"8",
            reply_options: b"9",
        };
        let binding = BindingRecord { details, reserved_for: Some([10; 8]), ..binding() };
        let bytes = bytes_of(&Record::Binding(binding));
        assert_eq!(Record::decode(&bytes), Ok(Record::Binding(binding)));
        for (number, value) in details.items() {
            assert!(
                bytes.windows(4).any(|item| item == [number, 1, 0, value[0]] && value[0] == b'0' + number)
            );
        }
        let mut unknown = bytes.clone();
        unknown.extend([11, 0, 0]);
        assert!(matches!(Record::decode(&unknown), Err(RecordError::Nonsense(_))));
    }

    /// As a version before options 77, 81 and 118 wrote it: what it has is read, and the rest is not there.
    #[test]
    fn a_record_of_an_earlier_version_is_read() {
        let hex = "010102000a010203010000000200000003000000 04000000ffffffff00000000 0106020000000001 0800 0101020000000001 \
                   04 0400 09000000 01 0600 6c6170746f70 02 0400 01020007 03 0100 76";
        let digits: Vec<char> = hex.chars().filter(|c| !c.is_whitespace()).collect();
        let bytes: Vec<u8> = digits
            .chunks(2)
            .map(|pair| u8::from_str_radix(&pair.iter().collect::<String>(), 16).unwrap())
            .collect();
        let details = ClientDetails { vendor_class: b"v", ..binding().details };
        assert_eq!(Record::decode(&bytes), Ok(Record::Binding(BindingRecord { details, ..binding() })));
    }

    fn bytes_of(record: &Record<'_>) -> Vec<u8> {
        let mut bytes = Vec::new();
        record.encode(&mut bytes);
        bytes
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
    }

    #[test]
    fn every_kind_round_trips() {
        let stamp = ClockStamp {
            engine: Time::from_millis(9),
            since_boot: Interval::from_millis(8),
            wall: Time::from_millis(7),
            boot: BootId([6; 16]),
            synchronised: true,
        };
        let stored = Stored {
            state: FailoverState::RecoverWait,
            entered: Time::from_millis(1),
            previous: FailoverState::PartnerDown,
            partner: Some((FailoverState::ConflictDone, Time::from_millis(2))),
            last_contact: Time::from_millis(3),
            storage_lost: true,
            surely_lost: true,
            first_run: false,
            down_since: Time::from_millis(4),
            owes_everything: true,
            partner_loss: Some(7),
            unproven: false,
            partner_forgot: true,
        };
        let endpoint = EndpointRecord {
            stored: Some(stored),
            buckets: Some([5; 32]),
            is_raising: true,
            heard: Some(HeardStore { identity: [8; 16], generation: 9, at: WireTime(10) }),
            mclt: Interval::from_seconds(3600),
            former_mclt: Some((Interval::from_seconds(7200), Time::NEVER)),
            ..EndpointRecord::new("campus", Role::Secondary)
        };
        let [first, last] = [10, 90].map(|last| Ipv4Addr::new(10, 1, 0, last));
        let pool = PoolRecord { first, last, relationship: "campus" };
        let alone = PoolRecord { relationship: "", ..pool };
        let pools = [pool, alone].map(Record::Pool);
        for record in &pools {
            assert_eq!(Record::decode(&bytes_of(record)).as_ref(), Ok(record));
        }
        let turned = PoolRecord { first: last, last: first, ..pool };
        assert!(matches!(Record::decode(&bytes_of(&Record::Pool(turned))), Err(RecordError::Nonsense(_))));
        let acknowledged = Record::Acknowledged(acknowledged());
        for record in
            [Record::Binding(binding()), Record::Clock(stamp), Record::Endpoint(endpoint), acknowledged]
        {
            let bytes = bytes_of(&record);
            assert_eq!(Record::decode(&bytes), Ok(record));
            for cut in 0..bytes.len() {
                let short = Record::decode(&bytes[..cut]);
                // A binding may end after its identity: the items are optional.
                assert!(short.is_err() || cut > 40, "{cut} of {} bytes were taken for a record", bytes.len());
            }
        }
    }

    #[test]
    fn what_the_partner_knows_changes_that_alone_of_the_binding_it_speaks_of() {
        let after = binding().acknowledged(&acknowledged());
        let expected = BindingRecord {
            flags: Flags::FEARED,
            sent_potential_expiration: Stamp(7),
            acked_potential_expiration: Stamp(8),
            ..binding()
        };
        assert_eq!(after, expected);
        let released = BindingRecord { status: BindingStatus::Released, ..binding() };
        assert_eq!(released.acknowledged(&acknowledged()), released);
        let mut longer = bytes_of(&Record::Acknowledged(acknowledged()));
        longer.push(0);
        assert!(matches!(Record::decode(&longer), Err(RecordError::Nonsense(_))));
        longer[2] = 99;
        assert!(matches!(Record::decode(&longer[..16]), Err(RecordError::Nonsense(_))));
    }

    #[test]
    fn the_layout_on_disk_does_not_change() {
        let never_given_back = BindingRecord { doubted_until: Stamp::NONE, ..binding() };
        let bytes = bytes_of(&Record::Binding(never_given_back));
        assert_eq!(
            hex(&bytes),
            "010102000a010203010000000200000003000000 04000000ffffffff00000000 0106020000000001 0800 0101020000000001 01 0600 6c6170746f70 02 0400 01020007"
                .replace(' ', "")
        );
        let bytes = bytes_of(&Record::Acknowledged(acknowledged()));
        assert_eq!(hex(&bytes), "05010210 0a010203 07000000 08000000".replace(' ', ""));
    }

    #[test]
    fn what_is_unknown_is_refused_with_its_number() {
        assert_eq!(Record::decode(&[9, 1]), Err(RecordError::UnknownKind(9)));
        assert_eq!(Record::decode(&[1, 7]), Err(RecordError::UnknownVersion(7)));
        assert_eq!(Record::decode(&[]), Err(RecordError::Short));
    }

    #[test]
    fn stamps_keep_ends_and_saturate() {
        let time = Time::from_millis(1_800_000_000_001);
        assert_eq!(Stamp::at_or_after(time).time(), Time::from_seconds(1_800_000_001));
        assert_eq!(Stamp::at_or_before(time).time(), Time::from_seconds(1_800_000_000));
        assert_eq!(Stamp::at_or_after(Time::NEVER), Stamp::NEVER);
        assert_eq!(Stamp::at_or_after(Time::from_seconds(u64::MAX / 2000)), Stamp::NEVER);
        assert_eq!(Stamp::NONE.time(), Time::ZERO);
        assert!(Stamp::at_or_after(Time::from_seconds(5)) > Stamp::NONE);
    }
}
