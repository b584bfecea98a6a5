//! The catalogue of what is looked at in a pair.
//!
//! *Lives here:* [`Rule`], [`RULES`]; docs/failover-check.md has a row for each, which a test holds to this list.
//! *Must not know:* how a rule is tried.

use crate::report::Severity;

/// Something that is looked at, with the number under which people find it.
#[derive(Debug, PartialEq, Eq)]
pub struct Rule {
    /// From 101 on; never used for anything else.
    pub number: u16,
    /// How bad it is where it does not hold.
    pub severity: Severity,
    /// What was found, in few words.
    pub title: &'static str,
}

impl Rule {
    /// As people write it: `PAIR-202`.
    pub fn name(&self) -> String {
        format!("PAIR-{}", self.number)
    }
}

macro_rules! rules {
    ($($name:ident $number:literal $severity:ident $title:literal,)*) => {
        $(
            #[doc = $title]
            pub const $name: &Rule = &Rule { number: $number, severity: Severity::$severity, title: $title };
        )*

        /// All of them, by number.
        pub const RULES: &[&Rule] = &[$($name,)*];
    };
}

rules! {
    FILE_FAULT 101 Error "a file does not hold by itself",
    BORROWED 102 Warning "an included file of the partner was taken from this host",
    UNREAD 103 Remark "statements were not looked at",
    NONE_IN_COMMON 201 Error "no relationship in common",
    NAMES 202 Error "the names differ",
    ROLES 203 Error "both have the same role",
    ADDRESSES 204 Error "the addresses do not cross",
    PARTNER_KIND 205 Error "the partner is of another kind",
    SECURITY 206 Error "secret or TLS on one side only",
    ROLE_UNSAID 207 Warning "the role is not said",
    ADDRESS_UNSAID 208 Warning "an address is not said, or is a name",
    OTHER_PARTNER 209 Remark "a relationship with another partner",
    MCLT 210 Warning "the MCLTs differ",
    MCLT_OF_SECONDARY 211 Warning "a secondary dhcpd has an MCLT",
    MCLT_OVER_LEASE 212 Warning "MCLT longer than a lease",
    MCLT_LONG 213 Warning "MCLT longer than an hour",
    SPLIT 214 Warning "the splits differ",
    BUCKETS 215 Warning "a split that only hba can say",
    DELAY 216 Warning "late clients are served differently",
    BALANCING_OFF 217 Warning "load balancing is off",
    UNSAID 218 Warning "a term that dhcpd.conf must have is missing",
    MAX_UNACKED 219 Warning "max-unacked is out of range",
    TIMERS 220 Remark "the receive timers differ",
    TIMER_RANGE 221 Warning "a receive timer is out of range",
    TAKES_OVER 222 Warning "a server takes its partner for down by itself",
    SUBNET_MISSING 301 Error "a subnet with shared addresses is on one side only",
    SUBNET_ALONE 302 Warning "a subnet is on one side only",
    NETMASK 303 Error "subnets overlap and are not the same",
    SHARED_NETWORK 304 Error "shared networks differ",
    NOT_THERE 305 Error "shared addresses are in no pool of the other",
    SHARED_BY_ONE 306 Error "a pool is shared on one side only",
    SHARED_BY_NONE 307 Error "both give the same addresses and do not share them",
    OTHERWISE_SHARED 308 Error "addresses are shared with somebody else",
    BOOTP 309 Warning "a shared pool serves BOOTP",
    TWICE 310 Error "an address is in two pools of one server",
    PERMITS 311 Warning "pools serve different clients",
    LEASE_TIME 312 Warning "lease times differ",
    MAX_LEASE_TIME 313 Warning "longest lease times differ",
    MIN_LEASE_TIME 314 Remark "shortest lease times differ",
    RENEWAL 315 Warning "renewal or rebinding times differ",
    OPTIONS 316 Warning "clients get different options",
    BOOT 317 Warning "clients boot differently",
    AUTHORITATIVE 318 Warning "only one is authoritative",
    REFUSED 319 Warning "only one refuses certain clients",
    RESERVED_FOR_OTHER 401 Error "an address is reserved for different clients",
    OTHER_RESERVED 402 Error "a client has different addresses",
    RESERVED_BY_ONE 403 Warning "a reservation is on one side only",
    RESERVED_IN_POOL 404 Error "an address is reserved on one side and in a pool of the other",
    RESERVED_IN_OWN_POOL 405 Error "a dhcpd gives a reserved address to everybody",
    RESERVED_OPTIONS 406 Warning "a reservation has different options",
    JOINING 501 Remark "how long a new partner is silent",
    TRAP_T15 502 Remark "trap T15: a dhcpd that comes back alone",
    TRAP_T16 503 Remark "trap T16: a dhcpd that lost its leases",
    TRAP_T18 504 Remark "trap T18: a dhcpd that is told partner-down",
    CLOCKS 505 Remark "clocks must agree",
    RELAYS 506 Remark "relays must reach both",
    NO_COMMANDS 507 Remark "a dhcpd that hears no commands",
    NOT_THIS_HOST 601 Error "the address is not of this host",
    NO_ANSWER 602 Warning "the partner does not answer",
    ANSWERS 603 Remark "the partner answers",
    FIREWALL 604 Warning "the firewall may be in the way",
    HOST 605 Warning "this host may not fit",
    RP_FILTER 606 Remark "rp_filter is strict",
    UNSYNCHRONISED 607 Warning "the clock of this host is not synchronised",
    LOOKED_AT 608 Remark "what was looked at on this host",
    UNFIT 609 Error "this host does not fit",
    CLOCKS_APART 610 Error "the clocks are more than 60 s apart",
    CLOCKS_DIFFER 611 Warning "the clocks differ",
    HOST_NOTE 612 Remark "worth knowing of this host",
}

#[cfg(test)]
mod tests {
    use super::RULES;

    #[test]
    fn numbers_ascend() {
        assert!(RULES.windows(2).all(|pair| pair[0].number < pair[1].number));
    }
}
