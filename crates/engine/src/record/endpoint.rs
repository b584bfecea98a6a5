//! What a failover endpoint must remember.
//!
//! *Lives here:* [`EndpointRecord`] and its bytes.
//! *May know:* the states and times of F07 9.
//! *Must not know:* transitions.

use super::{Reader, RecordError, push_sized};
use failover::state::{FailoverState, Role};
use failover::time::{Interval, Time, WireTime};

/// The durable state of one endpoint (F07-9.2-01, -07; table 1.15 of the catalogue).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointRecord {
    /// relationship-name: the key.
    pub name: String,
    /// Which of the two this server is.
    pub role: Role,
    /// The state; in PAUSED and SHUTDOWN the one before is in `resumes`.
    pub state: FailoverState,
    /// When it was entered, in engine time (F07-12.24-01).
    pub since: Time,
    /// The state to go on with after PAUSED or SHUTDOWN (F07-9.11.1-01, F07-9.12.1-01).
    pub resumes: FailoverState,
    /// The partner's state as last told (F07-9.2-04); `None` before the first contact.
    pub partner: Option<FailoverState>,
    /// The last recorded time of operation (trap T15); [`Time::ZERO`] for never.
    pub last_operation: Time,
    /// When the partner was last heard (D12 5.16); [`Time::ZERO`] for never.
    pub last_communicated: Time,
    /// The MCLT in force: the primary's (D12-7.8.2-02); [`Interval::ZERO`] before it is known.
    pub mclt: Interval,
    /// The hash bucket assignment in force (F07-7.8.2-13): a bit is set where the secondary serves.
    pub buckets: Option<[u8; 32]>,
    /// The bindings were lost and are not back yet (trap T16).
    pub storage_lost: bool,
    /// When this server can have stopped at the latest: the recover wait counts from here (F07-9.5.2-05).
    pub recover_from: Time,
    /// An UPDREQALL was received and no UPDDONE sent since (D12-7.4.2-01).
    pub owes_everything: bool,
    /// The partner's store as last seen: identity and generation (Q45).
    pub partner_store: Option<([u8; 16], u64)>,
    /// The partner's store for whose loss the ends were raised (trap T16, once per loss).
    pub raised_for: Option<([u8; 16], u64)>,
    /// The time in the last CONNECT that was accepted (D12-11.1-01).
    pub last_connect: WireTime,
}

impl EndpointRecord {
    /// An endpoint that never ran.
    pub fn new(name: &str, role: Role) -> EndpointRecord {
        EndpointRecord {
            name: name.to_owned(),
            role,
            state: FailoverState::Recover,
            since: Time::ZERO,
            resumes: FailoverState::Recover,
            partner: None,
            last_operation: Time::ZERO,
            last_communicated: Time::ZERO,
            mclt: Interval::ZERO,
            buckets: None,
            storage_lost: false,
            recover_from: Time::ZERO,
            owes_everything: false,
            partner_store: None,
            raised_for: None,
            last_connect: WireTime(0),
        }
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        let flags = u8::from(self.role == Role::Primary)
            | u8::from(self.storage_lost) << 1
            | u8::from(self.owes_everything) << 2
            | u8::from(self.buckets.is_some()) << 3
            | u8::from(self.partner_store.is_some()) << 4
            | u8::from(self.raised_for.is_some()) << 5;
        let partner = self.partner.map_or(0, FailoverState::number);
        out.extend_from_slice(&[flags, self.state.number(), self.resumes.number(), partner]);
        push_sized(out, self.name.as_bytes());
        for time in [self.since, self.last_operation, self.last_communicated, self.recover_from] {
            out.extend_from_slice(&time.as_millis().to_le_bytes());
        }
        out.extend_from_slice(&self.mclt.as_millis().to_le_bytes());
        out.extend_from_slice(&self.last_connect.0.to_le_bytes());
        if let Some(buckets) = &self.buckets {
            out.extend_from_slice(buckets);
        }
        for (identity, generation) in [self.partner_store, self.raised_for].into_iter().flatten() {
            out.extend_from_slice(&identity);
            out.extend_from_slice(&generation.to_le_bytes());
        }
    }

    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<EndpointRecord, RecordError> {
        let flags = reader.byte()?;
        let is = |bit: u8| flags & (1 << bit) != 0;
        let state = state(reader.byte()?)?;
        let resumes = self::state(reader.byte()?)?;
        let partner = match reader.byte()? {
            0 => None,
            number => Some(self::state(number)?),
        };
        let name = str::from_utf8(reader.sized()?)
            .map_err(|_| RecordError::Nonsense("a relationship's name that is no text"))?
            .to_owned();
        let mut times = [Time::ZERO; 4];
        for time in &mut times {
            *time = Time::from_millis(reader.u64()?);
        }
        Ok(EndpointRecord {
            name,
            role: if is(0) { Role::Primary } else { Role::Secondary },
            state,
            since: times[0],
            resumes,
            partner,
            last_operation: times[1],
            last_communicated: times[2],
            recover_from: times[3],
            mclt: Interval::from_millis(reader.u64()?),
            last_connect: WireTime(u32::from_le_bytes(reader.array()?)),
            storage_lost: is(1),
            owes_everything: is(2),
            buckets: if is(3) { Some(reader.array()?) } else { None },
            partner_store: if is(4) { Some((reader.array()?, reader.u64()?)) } else { None },
            raised_for: if is(5) { Some((reader.array()?, reader.u64()?)) } else { None },
        })
    }
}

fn state(number: u8) -> Result<FailoverState, RecordError> {
    FailoverState::from_number(number).ok_or(RecordError::Nonsense("an unknown failover state"))
}
