//! Why a connection ended, and when the next one is tried.
//!
//! *Lives here:* [`Cause`], [`Retry`].
//! *May know:* F07 7.9, 7.12, 8.2, 8.6 (Q14).
//! *Must not know:* sockets.

use crate::message::{FrameError, ParseError, RejectReason, Rejection};
use crate::time::{Interval, Time};
use std::fmt;

/// Why a connection ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// TCP says so.
    Lost,
    /// Nothing was heard within our receive timer (F07-7.9.1-16).
    NoTraffic,
    /// No BNDACK came for too long, although the partner talks (F07-9.6.4-02).
    NotAcking,
    /// This machine stood still, and sees it only now.
    StoodStill,
    /// No CONNECT, or no CONNECTACK, within the time for it (F07-7.8.2-02, D12-7.9.2-01).
    NoHandshake,
    /// The partner opened it and closed it without CONNECT, as one does that is secondary too.
    NoConnect,
    /// It was opened by the secondary and only told the primary to open its own (D12-8.2-02, -04).
    Stimulus,
    /// The partner rejected our CONNECT.
    RejectedByPartner(Rejection),
    /// We rejected the partner, in CONNECTACK or DISCONNECT.
    RejectedByUs(Rejection),
    /// The partner sent DISCONNECT.
    Disconnected(Rejection),
    /// The engine wanted it so.
    Asked(Rejection),
    /// What came is no message.
    Malformed(ParseError),
    /// What came has no length that a message has.
    OutOfStep(FrameError),
    /// A message that can't come now.
    Unexpected(&'static str),
    /// So much was said that no transaction id is left.
    XidsUsedUp,
    /// What came was signed by the partner, or claims to be from it, but it was not sent here and now.
    Unauthenticated(&'static str),
    /// TLS did not come about, or broke.
    Tls(String),
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rejection = |f: &mut fmt::Formatter<'_>, who: &str, rejection: &Rejection| {
            match &rejection.message {
                // 254 is the drafts' number for what they have no number for: the words alone say what it is.
                Some(text) if rejection.reason == RejectReason::UNKNOWN => {
                    write!(f, "{who}: {}", text.escape_debug())
                }
                Some(text) if text != rejection.reason.name() => {
                    write!(f, "{who}: {}: {}", rejection.reason, text.escape_debug())
                }
                _ => write!(f, "{who}: {}", rejection.reason),
            }
        };
        match self {
            Cause::Lost => f.write_str("the connection broke"),
            Cause::NoTraffic => f.write_str("the partner was not heard within the receive timer"),
            Cause::NotAcking => f.write_str("the partner does not acknowledge updates"),
            Cause::StoodStill => {
                f.write_str("this machine stood still: what came meanwhile is not read, nobody knows when it was said")
            }
            Cause::NoHandshake => f.write_str("the partner did not complete the handshake"),
            Cause::NoConnect => f.write_str(
                "the partner closed the connection without CONNECT: if it is secondary too, make one of the two primary",
            ),
            Cause::Stimulus => f.write_str("it only told the primary to connect"),
            // F07-7.9.2-03.
            Cause::RejectedByPartner(why) => rejection(f, "the partner rejected us", why),
            Cause::RejectedByUs(why) => rejection(f, "we rejected the partner", why),
            Cause::Disconnected(why) => rejection(f, "the partner disconnected", why),
            Cause::Asked(why) => rejection(f, "we disconnected", why),
            Cause::Malformed(error) => error.fmt(f),
            Cause::OutOfStep(error) => error.fmt(f),
            Cause::Unexpected(what) | Cause::Unauthenticated(what) => f.write_str(what),
            Cause::XidsUsedUp => f.write_str("all transaction ids of the connection are used: a new one is made"),
            Cause::Tls(why) => write!(f, "TLS: {why}"),
        }
    }
}

impl Cause {
    /// Whether trying again soon can only do the same: rejections and nonsense (F07-7.9-01, F07-7.12-02).
    pub fn is_refusal(&self) -> bool {
        match self {
            Cause::RejectedByPartner(_)
            | Cause::RejectedByUs(_)
            | Cause::Asked(_)
            | Cause::Malformed(_)
            | Cause::OutOfStep(_)
            | Cause::Unexpected(_)
            | Cause::Unauthenticated(_)
            | Cause::Tls(_) => true,
            Cause::Disconnected(why) => why.reason != RejectReason::NO_TRAFFIC,
            Cause::Lost
            | Cause::NoTraffic
            | Cause::NotAcking
            | Cause::StoodStill
            | Cause::NoHandshake
            | Cause::NoConnect
            | Cause::Stimulus
            | Cause::XidsUsedUp => false,
        }
    }

    /// Whether what came did not prove to be from the partner: operators are told so (F07-11.1-07).
    pub fn is_unauthenticated(&self) -> bool {
        use RejectReason as R;
        match self {
            Cause::Malformed(ParseError::Digest(_)) | Cause::Unauthenticated(_) | Cause::Tls(_) => true,
            Cause::RejectedByUs(why) => matches!(
                why.reason,
                R::TLS_REQUIRED
                    | R::DIGEST_NOT_SUPPORTED
                    | R::DIGEST_NOT_CONFIGURED
                    | R::DIGEST_MISMATCH
                    | R::MISSING_DIGEST
            ),
            _ => false,
        }
    }
}

/// When the next connection is tried: at once after the loss of one that worked, then at the configured interval, and after a
/// refusal not before a minute (F07-8.2-04, Q14).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// Between attempts that find nobody.
    pub interval: Interval,
    /// After a refusal.
    pub after_refusal: Interval,
}

/// A refusal is not repeated sooner than this, however often the partner is called else.
const AFTER_REFUSAL: Interval = Interval::from_seconds(60);

impl Retry {
    /// A partner that is not there is called each `interval`; one that refused not sooner than a minute later.
    /// F07-8.2-03.
    pub fn each(interval: Interval) -> Retry {
        Retry { interval, after_refusal: interval.max(AFTER_REFUSAL) }
    }

    /// When to try after a connection ended, or could not be made, at `now`. `worked`: it had been established.
    /// F07-8.6-01.
    pub fn next(&self, now: Time, cause: &Cause, worked: bool) -> Time {
        if cause.is_refusal() {
            now.plus(self.after_refusal)
        } else if worked && matches!(cause, Cause::Lost) {
            now
        } else {
            now.plus(self.interval)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// F07-7.9-01, F07-7.12-02, F07-8.2-03, -04, F07-8.6-01.
    #[test]
    fn a_loss_is_mended_at_once_and_a_refusal_is_not_repeated_soon() {
        let (retry, now) = (Retry::each(Interval::from_seconds(5)), Time::from_seconds(100));
        let after = |cause: &Cause, worked| retry.next(now, cause, worked).since(now).as_seconds();
        assert_eq!(after(&Cause::Lost, true), 0);
        assert_eq!(after(&Cause::Lost, false), 5);
        assert_eq!(after(&Cause::NoTraffic, true), 5);
        let why = Rejection::because(RejectReason::TIME_MISMATCH);
        assert_eq!(after(&Cause::RejectedByPartner(why.clone()), false), 60);
        assert_eq!(after(&Cause::Disconnected(why), true), 60);
        assert_eq!(after(&Cause::Disconnected(Rejection::because(RejectReason::NO_TRAFFIC)), true), 5);
        let slow = Retry::each(Interval::from_seconds(120));
        assert_eq!(
            (slow.interval, slow.after_refusal),
            (Interval::from_seconds(120), Interval::from_seconds(120))
        );
    }

    /// F07-7.9.2-03.
    #[test]
    fn causes_read_as_sentences() {
        let why = Rejection::saying(RejectReason::UNKNOWN, "pausing".to_owned());
        assert_eq!(Cause::Disconnected(why).to_string(), "the partner disconnected: pausing");
        let why = Rejection::saying(RejectReason::INVALID_PARTNER, "unknown\u{1b}[0m name".to_owned());
        assert_eq!(
            Cause::RejectedByPartner(why).to_string(),
            "the partner rejected us: invalid failover partner (8): unknown\\u{1b}[0m name"
        );
        assert_eq!(
            Cause::Disconnected(Rejection::because(RejectReason::NO_TRAFFIC)).to_string(),
            "the partner disconnected: no traffic within sufficient time (17)"
        );
    }
}
