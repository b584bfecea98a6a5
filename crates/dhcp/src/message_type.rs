//! The kinds of DHCP message.
//!
//! *Lives here:* [`MessageType`], the values of option 53.
//! *May know:* IANA's registry of them.
//! *Must not know:* which of them a server answers.

use std::fmt;

/// Kind of a DHCP message: the value of option 53 (RFC 2132 9.6 and the RFCs named at the variants).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum MessageType {
    /// A client looks for servers (RFC 2131).
    Discover = 1,
    /// A server offers an address.
    Offer = 2,
    /// A client asks for an address, confirms or extends one.
    Request = 3,
    /// A client found its address in use.
    Decline = 4,
    /// A server grants an address.
    Ack = 5,
    /// A server refuses an address.
    Nak = 6,
    /// A client gives its address back.
    Release = 7,
    /// A client that has an address asks for options.
    Inform = 8,
    /// A server asks a client to renew (RFC 3203).
    ForceRenew = 9,
    /// Somebody asks for a binding (RFC 4388).
    LeaseQuery = 10,
    /// Answer to a lease query: nobody has the address (RFC 4388).
    LeaseUnassigned = 11,
    /// Answer to a lease query: not an address of this server (RFC 4388).
    LeaseUnknown = 12,
    /// Answer to a lease query: the binding (RFC 4388).
    LeaseActive = 13,
    /// Somebody asks for many bindings (RFC 6926).
    BulkLeaseQuery = 14,
    /// End of the answer to a bulk query (RFC 6926).
    LeaseQueryDone = 15,
    /// Somebody asks for bindings as they change (RFC 7724).
    ActiveLeaseQuery = 16,
    /// State of such a query (RFC 7724).
    LeaseQueryStatus = 17,
    /// Start of TLS on such a query (RFC 7724).
    Tls = 18,
}

impl MessageType {
    /// All of them, in the order of their numbers.
    pub const ALL: [MessageType; 18] = [
        MessageType::Discover,
        MessageType::Offer,
        MessageType::Request,
        MessageType::Decline,
        MessageType::Ack,
        MessageType::Nak,
        MessageType::Release,
        MessageType::Inform,
        MessageType::ForceRenew,
        MessageType::LeaseQuery,
        MessageType::LeaseUnassigned,
        MessageType::LeaseUnknown,
        MessageType::LeaseActive,
        MessageType::BulkLeaseQuery,
        MessageType::LeaseQueryDone,
        MessageType::ActiveLeaseQuery,
        MessageType::LeaseQueryStatus,
        MessageType::Tls,
    ];

    /// The number in option 53.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The message type with this number; `None` for a number that names none.
    pub fn from_number(number: u8) -> Option<MessageType> {
        let index = usize::from(number).checked_sub(1)?;
        Self::ALL.get(index).copied()
    }

    /// As the RFCs spell it.
    pub const fn name(self) -> &'static str {
        match self {
            MessageType::Discover => "DHCPDISCOVER",
            MessageType::Offer => "DHCPOFFER",
            MessageType::Request => "DHCPREQUEST",
            MessageType::Decline => "DHCPDECLINE",
            MessageType::Ack => "DHCPACK",
            MessageType::Nak => "DHCPNAK",
            MessageType::Release => "DHCPRELEASE",
            MessageType::Inform => "DHCPINFORM",
            MessageType::ForceRenew => "DHCPFORCERENEW",
            MessageType::LeaseQuery => "DHCPLEASEQUERY",
            MessageType::LeaseUnassigned => "DHCPLEASEUNASSIGNED",
            MessageType::LeaseUnknown => "DHCPLEASEUNKNOWN",
            MessageType::LeaseActive => "DHCPLEASEACTIVE",
            MessageType::BulkLeaseQuery => "DHCPBULKLEASEQUERY",
            MessageType::LeaseQueryDone => "DHCPLEASEQUERYDONE",
            MessageType::ActiveLeaseQuery => "DHCPACTIVELEASEQUERY",
            MessageType::LeaseQueryStatus => "DHCPLEASEQUERYSTATUS",
            MessageType::Tls => "DHCPTLS",
        }
    }
}

impl fmt::Display for MessageType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_round_trip_and_nothing_else_does() {
        for number in 0..=255 {
            match MessageType::from_number(number) {
                Some(message_type) => assert_eq!(message_type.number(), number),
                None => assert!(!(1..=18).contains(&number)),
            }
        }
    }
}
