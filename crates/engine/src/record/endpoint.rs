//! What a failover endpoint must remember.
//!
//! *Lives here:* [`EndpointRecord`] and its bytes.
//! *May know:* what `failover::endpoint` wants stored, and what an engine adds to it.
//! *Must not know:* transitions.

use super::{Reader, RecordError, push_sized};
use failover::endpoint::Stored;
use failover::message::HeardStore;
use failover::state::{FailoverState, Role};
use failover::time::{Interval, Time, WireTime};

/// The durable state of one endpoint (F07-9.2-01, -07; table 1.15 of the catalogue).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointRecord {
    /// relationship-name: the key.
    pub name: String,
    /// Which of the two this server is.
    pub role: Role,
    /// What the state machine wants stored; `None` before it said anything.
    pub stored: Option<Stored>,
    /// The last recorded time at which a process ran; [`Time::ZERO`] for never.
    pub last_operation: Time,
    /// The same, of the last process that the partner found to have all that it told it (D12 5.16): a process that starts from an
    /// old copy of the store, and ends before it has met its partner, must not make the copy look young.
    pub vouched_for: Time,
    /// The last recorded `alive` (trap T15); [`Time::ZERO`] for never.
    pub alive: Time,
    /// The MCLT in force: the primary's (D12-7.8.2-02); [`Interval::ZERO`] before it is known.
    pub mclt: Interval,
    /// A longer MCLT by which something may have been promised that is not over, and when it is; [`Time::NEVER`] while the partner does
    /// not know of the change (F07-5.2.1-01).
    pub former_mclt: Option<(Interval, Time)>,
    /// The hash bucket assignment in force (F07-7.8.2-13): a bit is set where the secondary serves.
    pub buckets: Option<[u8; 32]>,
    /// delayed-service-parameter in force, in seconds; 0 for none.
    pub delayed_service: u8,
    /// The time in the last CONNECT that was accepted (D12-11.1-01); on a primary with a secret in the last CONNECTACK.
    pub last_connect: WireTime,
    /// The raise for a partner that lost its bindings has begun and is not through (trap T16).
    pub is_raising: bool,
    /// What was last heard of the partner's store (Q45).
    pub heard: Option<HeardStore>,
}

impl EndpointRecord {
    /// An endpoint that never ran.
    pub fn new(name: &str, role: Role) -> EndpointRecord {
        EndpointRecord {
            name: name.to_owned(),
            role,
            stored: None,
            last_operation: Time::ZERO,
            vouched_for: Time::ZERO,
            alive: Time::ZERO,
            mclt: Interval::ZERO,
            former_mclt: None,
            buckets: None,
            delayed_service: 0,
            last_connect: WireTime(0),
            is_raising: false,
            heard: None,
        }
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        let flags = bits([
            self.role == Role::Primary,
            self.stored.is_some(),
            self.buckets.is_some(),
            self.is_raising,
            self.heard.is_some(),
            self.vouched_for != self.last_operation,
            self.former_mclt.is_some(),
        ]);
        out.extend_from_slice(&[flags, self.delayed_service]);
        push_sized(out, self.name.as_bytes());
        push_times(out, &[self.last_operation, self.alive]);
        out.extend_from_slice(&self.mclt.as_millis().to_le_bytes());
        out.extend_from_slice(&self.last_connect.0.to_le_bytes());
        if let Some(buckets) = &self.buckets {
            out.extend_from_slice(buckets);
        }
        if let Some(stored) = &self.stored {
            encode_stored(stored, out);
        }
        if let Some(heard) = &self.heard {
            out.extend_from_slice(&heard.identity);
            out.extend_from_slice(&heard.generation.to_le_bytes());
            out.extend_from_slice(&heard.at.0.to_le_bytes());
        }
        if self.vouched_for != self.last_operation {
            push_times(out, &[self.vouched_for]);
        }
        if let Some((mclt, until)) = self.former_mclt {
            out.extend_from_slice(&mclt.as_millis().to_le_bytes());
            push_times(out, &[until]);
        }
    }

    /// The MCLT that waits go by.
    pub fn longest_mclt(&self) -> Interval {
        self.former_mclt.map_or(self.mclt, |(former, _)| former.max(self.mclt))
    }

    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<EndpointRecord, RecordError> {
        let flags = reader.byte()?;
        let delayed_service = reader.byte()?;
        let name = str::from_utf8(reader.sized()?)
            .map_err(|_| RecordError::Nonsense("a relationship's name that is no text"))?
            .to_owned();
        let role = if is(flags, 0) { Role::Primary } else { Role::Secondary };
        let last_operation = time(reader)?;
        let mut record = EndpointRecord {
            name,
            role,
            delayed_service,
            last_operation,
            vouched_for: last_operation,
            alive: time(reader)?,
            mclt: Interval::from_millis(reader.u64()?),
            former_mclt: None,
            last_connect: WireTime(u32::from_le_bytes(reader.array()?)),
            buckets: if is(flags, 2) { Some(reader.array()?) } else { None },
            stored: if is(flags, 1) { Some(decode_stored(reader)?) } else { None },
            is_raising: is(flags, 3),
            heard: if is(flags, 4) { Some(decode_heard(reader)?) } else { None },
        };
        if is(flags, 5) {
            record.vouched_for = time(reader)?;
        }
        if is(flags, 6) {
            record.former_mclt = Some((Interval::from_millis(reader.u64()?), time(reader)?));
        }
        Ok(record)
    }
}

fn encode_stored(stored: &Stored, out: &mut Vec<u8>) {
    let flags = bits([
        stored.storage_lost,
        stored.first_run,
        stored.owes_everything,
        stored.unproven,
        stored.partner_forgot,
        stored.surely_lost,
    ]);
    let (partner, partner_since) =
        stored.partner.map_or((0, Time::ZERO), |(state, since)| (state.number(), since));
    out.extend_from_slice(&[flags, stored.state.number(), stored.previous.number(), partner]);
    push_times(out, &[stored.entered, partner_since, stored.last_contact, stored.down_since]);
    out.push(u8::from(stored.partner_loss.is_some()));
    out.extend_from_slice(&stored.partner_loss.unwrap_or(0).to_le_bytes());
}

fn decode_stored(reader: &mut Reader<'_>) -> Result<Stored, RecordError> {
    let flags = reader.byte()?;
    let state = state(reader.byte()?)?;
    let previous = self::state(reader.byte()?)?;
    let partner = match reader.byte()? {
        0 => None,
        number => Some(self::state(number)?),
    };
    let entered = time(reader)?;
    let partner_since = time(reader)?;
    let last_contact = time(reader)?;
    let down_since = time(reader)?;
    let has_loss = reader.byte()? != 0;
    let loss = reader.u64()?;
    Ok(Stored {
        state,
        entered,
        previous,
        partner: partner.map(|partner| (partner, partner_since)),
        last_contact,
        storage_lost: is(flags, 0),
        first_run: is(flags, 1),
        down_since,
        owes_everything: is(flags, 2),
        partner_loss: has_loss.then_some(loss),
        unproven: is(flags, 3),
        partner_forgot: is(flags, 4),
        surely_lost: is(flags, 5),
    })
}

fn decode_heard(reader: &mut Reader<'_>) -> Result<HeardStore, RecordError> {
    Ok(HeardStore {
        identity: reader.array()?,
        generation: reader.u64()?,
        at: WireTime(u32::from_le_bytes(reader.array()?)),
    })
}

fn bits<const N: usize>(flags: [bool; N]) -> u8 {
    flags.iter().rev().fold(0, |bits, flag| bits << 1 | u8::from(*flag))
}

fn is(flags: u8, bit: u8) -> bool {
    flags & (1 << bit) != 0
}

fn push_times(out: &mut Vec<u8>, times: &[Time]) {
    for time in times {
        out.extend_from_slice(&time.as_millis().to_le_bytes());
    }
}

fn time(reader: &mut Reader<'_>) -> Result<Time, RecordError> {
    Ok(Time::from_millis(reader.u64()?))
}

fn state(number: u8) -> Result<FailoverState, RecordError> {
    FailoverState::from_number(number).ok_or(RecordError::Nonsense("an unknown failover state"))
}
