//! What goes into an endpoint and what comes out of it.
//!
//! *Lives here:* [`Settings`], [`Stored`], [`Memory`], [`Event`], [`Command`], [`Action`], [`Alarm`].
//! *May know:* the words of section 9.
//! *Must not know:* how they are decided.

use crate::balance::Service;
use crate::dialect::Dialect;
use crate::message::{Rejection, StateMessage, TandemInfo, Xid};
use crate::state::{FailoverState, Role};
use crate::time::{Interval, Time};

/// What the configuration says of an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Our role.
    pub role: Role,
    /// What the partner speaks.
    pub dialect: Dialect,
    /// Maximum client lead time: a primary's own; a secondary's from the primary, kept on stable storage
    /// (D12-7.8.2-01, -02).
    pub mclt: Interval,
    /// The longest MCLT by which either server may have promised something that is not over: what waits go by. Never shorter
    /// than `mclt`, and longer for a time after that was changed.
    pub longest_mclt: Interval,
    /// Who serves whom in NORMAL: as with MCLT, the primary's word.
    pub service: Service,
    /// How long COMMUNICATIONS-INTERRUPTED lasts before PARTNER-DOWN is entered by itself. `None`: for ever. With it two
    /// clients may get one address, if the partner is not down (F07-10-02, trap T11).
    pub safe_period: Option<Interval>,
    /// How long STARTUP lasts without the partner; `None`: 10 s after a stop shorter than MCLT, else 60 s
    /// (F07-5.8-02).
    pub startup_wait: Option<Interval>,
    /// Stay in STARTUP until the partner is heard (F07-9.3.2-09).
    pub waits_for_partner: bool,
    /// Without any record, go to PARTNER-DOWN when the partner is not heard in STARTUP (D12-9.3.2-01).
    pub start_alone: bool,
    /// Count as alive from the start: the risk that the drafts take (trap T15).
    pub trusts_restart: bool,
    /// How often the last time of operation is recorded (F07-9.5.2-05).
    pub stamp_interval: Interval,
    /// How long UPDDONE may take while no BNDUPD comes (F07-9.5.2-06).
    pub update_wait: Interval,
    /// What we tell another Tandem; `storage_lost` is set by the endpoint.
    pub tandem: TandemInfo,
}

/// What of an endpoint is on stable storage (table 1.15).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stored {
    /// The state; never STARTUP.
    pub state: FailoverState,
    /// When it was entered.
    pub entered: Time,
    /// Where a restart goes on: the state, but for PAUSED and SHUTDOWN (F07-9.11.1-01, F07-9.12.1-01).
    pub previous: FailoverState,
    /// The partner's state and since when, as last told.
    pub partner: Option<(FailoverState, Time)>,
    /// When the partner was last heard, as far as it was recorded; [`Time::ZERO`] for never.
    pub last_contact: Time,
    /// Our bindings are lost and not back (T16).
    pub storage_lost: bool,
    /// That they are lost is known from the operator, or from what was found: no partner's lack of memory makes it a first run.
    pub surely_lost: bool,
    /// This is the first run of this relationship, by the partner's word or the operator's (D12-9.6.2-02).
    pub first_run: bool,
    /// When we went down, for the recover wait; set on entry to RECOVER.
    pub down_since: Time,
    /// The partner sent UPDREQALL, and has not got UPDDONE since (D12-7.4.2-01).
    pub owes_everything: bool,
    /// The number of the partner's last loss of storage for which bindings were raised (trap T16, model M10).
    pub partner_loss: Option<u64>,
    /// A partner of another make lost its storage, and was not in NORMAL since (trap T16).
    pub partner_forgot: bool,
    /// PARTNER-DOWN was entered by a process that had not been in NORMAL or CONFLICT-DONE since its start.
    pub unproven: bool,
}

/// What a process knows when it starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Memory {
    /// What was stored; `None`: no record, because this is the first run or because storage was lost.
    pub stored: Option<Stored>,
    /// The last recorded time at which any process ran; [`Time::ZERO`] when there is none.
    pub last_operation: Time,
    /// The last recorded [`super::Endpoint::alive`]; [`Time::ZERO`] when there is none.
    pub alive: Time,
    /// The bindings were found missing, damaged, or older than the partner knows them, although there is a record.
    pub storage_lost: bool,
}

/// One of our UPDREQs or UPDREQALLs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u32);

/// Something that happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// A connection was established: CONNECT and CONNECTACK are done.
    Connected {
        /// What a Tandem told of itself in them.
        tandem: Option<TandemInfo>,
    },
    /// STATE arrived, with its time in our clock.
    State {
        /// As it came.
        state: StateMessage,
        /// start-time-of-state, corrected.
        since: Time,
    },
    /// The established connection is over.
    Lost,
    /// UPDDONE arrived for this request of ours.
    UpdDone(RequestId),
    /// UPDREQ or UPDREQALL arrived.
    UpdReq {
        /// To answer it.
        xid: Xid,
        /// UPDREQALL.
        all: bool,
    },
    /// All that [`Action::AnswerUpdreq`] asked for was sent and answered on this connection (F07-7.5-01). Updates that
    /// were refused because they crossed (16) do not count before they were sent again (trap T22).
    UpdatesDelivered,
    /// A BNDUPD arrived: the partner works on our request.
    Progress,
    /// Whether there are unacknowledged bindings with the sticky bit of trap T17: taken from the partner's pool, freed
    /// by the wait of T3, or granted by T20. To be told whenever that changes.
    HandoverPending(bool),
    /// The operator's word.
    Command(Command),
    /// [`super::Endpoint::next_deadline`] was reached.
    Wake,
}

/// What an operator can say to an endpoint (design.md 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Command {
    /// The partner is down (F07-9.6.4-01, F07-9.7.3-02, F07-9.9.3-01).
    PartnerDown,
    /// The partner is off and has not served alone since: count as alive. The state stays (trap T15).
    ServeAlone,
    /// Our bindings are lost; they were in use until `down_since`, or until this process started.
    StorageLost {
        /// When this server last served.
        down_since: Option<Time>,
    },
    /// This is the first run of this relationship, whatever the partner says: no recover wait.
    FirstRun,
    /// Fetch all of the partner's bindings.
    Resync,
    /// Going away for a short time (F07-9.11-01).
    Pause,
    /// Going away for long: the partner takes over (F07-9.12-01).
    Shutdown,
}

/// What an endpoint wants done, in this order. What is sent rests on every [`Action::Store`] before it (F07-9.2-01).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::large_enum_variant, reason = "few of them, and short-lived")]
pub enum Action {
    /// Put this on stable storage.
    Store(Stored),
    /// Send STATE.
    SendState(StateMessage),
    /// Send UPDREQ.
    SendUpdreq(RequestId),
    /// Send UPDREQALL.
    SendUpdreqall(RequestId),
    /// Send UPDDONE.
    SendUpddone {
        /// The request that it answers.
        to: Xid,
    },
    /// Begin to send what the partner has not acknowledged, or, with `all`, forget what it has acknowledged
    /// (D12-5.17-02) and send all that was ever anything but FREE (trap T16). When all of what is unseen *now* is answered:
    /// [`Event::UpdatesDelivered`].
    AnswerUpdreq {
        /// Everything.
        all: bool,
    },
    /// NORMAL was entered: send all that is not acknowledged (F07-9.6.1-01).
    SendUpdates,
    /// Send POOLREQ, after the updates (F07-9.6.1-02).
    SendPoolreq,
    /// The partner lost its storage: [`crate::lease::raise_after_loss`] for each binding, with this number, before
    /// anything else is sent of them (trap T16).
    RaiseAfterLoss {
        /// Number of the loss.
        loss: u64,
    },
    /// Close the connection.
    Disconnect(RejectionKind),
    /// Tell people.
    Alarm(Alarm),
    /// The command can't be obeyed.
    Refuse(Refusal),
    /// PAUSED or SHUTDOWN was told as far as it can be: the process may end.
    Stop,
}

/// Why an endpoint closes a connection; [`RejectionKind::rejection`] has the words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RejectionKind {
    /// UPDDONE does not come, and nothing else does (F07-9.5.2-06).
    NoUpdates,
    /// PAUSED was entered (F07-9.11-01).
    Pausing,
    /// The next state would stop a partner of this make; it is told on the next connection.
    NotForThisPartner,
    /// SHUTDOWN was entered.
    ShuttingDown,
}

impl RejectionKind {
    /// Reason and text for DISCONNECT.
    pub fn rejection(self) -> Rejection {
        use crate::message::RejectReason as R;
        let (reason, text) = match self {
            RejectionKind::NoUpdates => (R::NO_TRAFFIC, "no updates came although they were asked for"),
            RejectionKind::Pausing => (R::UNKNOWN, "pausing"),
            RejectionKind::NotForThisPartner => (R::UNKNOWN, "changing state"),
            RejectionKind::ShuttingDown => (R::UNKNOWN, "shutting down"),
        };
        Rejection::saying(reason, text.to_owned())
    }
}

/// What people should know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Alarm {
    /// NORMAL was left for COMMUNICATIONS-INTERRUPTED (F07-9.7.1-02).
    CommunicationsInterrupted,
    /// The safe period is over: PARTNER-DOWN was entered (F07-9.7.3-01).
    SafePeriodOver,
    /// POTENTIAL-CONFLICT was entered: no client is answered.
    PotentialConflict,
    /// RESOLUTION-INTERRUPTED was entered (F07-9.9.1-01).
    ResolutionInterrupted,
    /// The partner lost its bindings.
    PartnerLostStorage,
    /// Our bindings are lost.
    StorageLost,
    /// RECOVER was entered: no client is answered until the bindings are fetched.
    Recovering,
}

/// Why a command is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Refusal {
    /// It makes no sense in this state.
    #[error("this is not possible in {0}")]
    InState(FailoverState),
    /// Bindings are missing; they come first.
    #[error(
        "the bindings are lost: fetch them from the partner first, or say `failover recover --first-run`"
    )]
    StorageLost,
    /// There is no partner to ask.
    #[error("the partner is not connected")]
    NotConnected,
}
