//! Why a connection or an update is refused.
//!
//! *Lives here:* [`RejectReason`].
//! *May know:* F07 12.20 and draft-12 12.21 (table 1.5 of the catalogue).
//! *Must not know:* who refuses what.

use crate::dialect::Dialect;
use std::fmt;

/// A reject-reason, by its number. Numbers that the drafts do not name come in from partners, and are kept.
/// F07-12.20-01.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RejectReason(pub u8);

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $text:literal;)*) => {
        impl RejectReason {
            $($(#[$doc])* pub const $name: RejectReason = RejectReason($number);)*

            /// In the words of the drafts.
            pub const fn name(self) -> &'static str {
                match self.0 {
                    $($number => $text,)*
                    _ => "a reason that the drafts do not name",
                }
            }
        }
    };
}

reasons! {
    /// The address is in no pool of this endpoint (BNDACK).
    ILLEGAL_IP_ADDRESS = 1, "illegal IP address: in no pool of this relationship";
    /// Another client has the address (BNDACK).
    ADDRESS_IN_USE = 2, "fatal conflict: the address is in use by another client";
    /// Something that the update needs is not in it (BNDACK).
    MISSING_BINDING_INFORMATION = 3, "missing binding information";
    /// The clocks differ by more than the operator allows (CONNECTACK, DISCONNECT).
    TIME_MISMATCH = 4, "time mismatch too great";
    /// The secondary can't work with this MCLT (CONNECTACK).
    INVALID_MCLT = 5, "invalid MCLT";
    /// None of the others (CONNECTACK).
    CONNECTION_REJECTED = 6, "connection rejected, unknown reason";
    /// There is a connection already (CONNECTACK).
    DUPLICATE_CONNECTION = 7, "duplicate connection";
    /// No such relationship here (CONNECTACK).
    INVALID_PARTNER = 8, "invalid failover partner";
    /// TLS is not supported (CONNECTACK).
    TLS_NOT_SUPPORTED = 9, "TLS not supported";
    /// TLS is supported but not configured (CONNECTACK).
    TLS_NOT_CONFIGURED = 10, "TLS supported but not configured";
    /// TLS is required here and the partner does not offer it (CONNECTACK).
    TLS_REQUIRED = 11, "TLS required but not supported by the partner";
    /// Not a kind of digest that we know (CONNECTACK).
    DIGEST_NOT_SUPPORTED = 12, "message digest not supported";
    /// A digest came, and there is no secret here (CONNECTACK, DISCONNECT).
    DIGEST_NOT_CONFIGURED = 13, "message digest not configured";
    /// Another protocol-version (CONNECTACK).
    PROTOCOL_VERSION_MISMATCH = 14, "protocol version mismatch";
    /// The update is older than what is known (BNDACK).
    OUTDATED_BINDING_INFORMATION = 15, "outdated binding information";
    /// The update matters less than what is known, or crosses an own one (BNDACK, T22).
    LESS_CRITICAL_BINDING_INFORMATION = 16, "less critical binding information";
    /// Nothing was heard within the receive timer (DISCONNECT).
    NO_TRAFFIC = 17, "no traffic within sufficient time";
    /// The bucket assignments do not go together (CONNECTACK; 18, not 19: Q6).
    HASH_BUCKET_CONFLICT = 18, "hash bucket assignment conflict";
    /// The address is not reserved here (BNDACK; draft-12).
    NOT_RESERVED = 19, "IP not reserved on this server";
    /// The digest is wrong (CONNECTACK, DISCONNECT; draft-12).
    DIGEST_MISMATCH = 20, "message digest failed to compare";
    /// There is a secret here, and no digest came (CONNECTACK, DISCONNECT; draft-12).
    MISSING_DIGEST = 21, "missing message digest";
    /// Anything else.
    UNKNOWN = 254, "unknown error";
}

impl RejectReason {
    /// The number for this dialect: draft-07 reserves 19 to 21, so these are 254 there.
    pub const fn number(self, dialect: Dialect) -> u8 {
        match (dialect, self.0) {
            (Dialect::Draft07, 19..=21) => RejectReason::UNKNOWN.0,
            (_, number) => number,
        }
    }
}

impl fmt::Display for RejectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name(), self.0)
    }
}
