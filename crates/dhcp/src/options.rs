//! The options that have a name, with the format of their values.
//!
//! *Lives here:* [`code`], [`DEFINITIONS`] (RFC 2132 and the later RFCs named below) and look-ups in it.
//! *Must not know:* how values are written in configuration text; which options a client gets.

/// Codes of options (RFC 2132; others as said).
pub mod code {
    /// Fills a gap; has no length.
    pub const PAD: u8 = 0;
    /// Subnet mask.
    pub const SUBNET_MASK: u8 = 1;
    /// Routers.
    pub const ROUTERS: u8 = 3;
    /// Domain name servers.
    pub const DOMAIN_NAME_SERVERS: u8 = 6;
    /// Host name.
    pub const HOST_NAME: u8 = 12;
    /// Domain name.
    pub const DOMAIN_NAME: u8 = 15;
    /// Broadcast address.
    pub const BROADCAST_ADDRESS: u8 = 28;
    /// Requested IP address.
    pub const REQUESTED_ADDRESS: u8 = 50;
    /// IP address lease time.
    pub const LEASE_TIME: u8 = 51;
    /// Option overload.
    pub const OPTION_OVERLOAD: u8 = 52;
    /// DHCP message type.
    pub const DHCP_MESSAGE_TYPE: u8 = 53;
    /// Server identifier.
    pub const SERVER_IDENTIFIER: u8 = 54;
    /// Parameter request list.
    pub const PARAMETER_REQUEST_LIST: u8 = 55;
    /// Message.
    pub const MESSAGE: u8 = 56;
    /// Maximum DHCP message size.
    pub const MAX_MESSAGE_SIZE: u8 = 57;
    /// Renewal time, T1.
    pub const RENEWAL_TIME: u8 = 58;
    /// Rebinding time, T2.
    pub const REBINDING_TIME: u8 = 59;
    /// Vendor class identifier.
    pub const VENDOR_CLASS_IDENTIFIER: u8 = 60;
    /// Client identifier.
    pub const CLIENT_IDENTIFIER: u8 = 61;
    /// RFC 3004: which kind of user, as the client says.
    pub const USER_CLASS: u8 = 77;
    /// RFC 4702: by which name a client is to be found in DNS.
    pub const CLIENT_FQDN: u8 = 81;
    /// Relay agent information (RFC 3046).
    pub const RELAY_AGENT_INFORMATION: u8 = 82;
    /// IPv6-only preferred (RFC 8925).
    pub const V6_ONLY_PREFERRED: u8 = 108;
    /// Subnet selection (RFC 3011).
    pub const SUBNET_SELECTION: u8 = 118;
    /// Ends the options; has no length.
    pub const END: u8 = 255;
}

/// How the value of an option is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OptionFormat {
    /// One IPv4 address.
    Address,
    /// One or more IPv4 addresses.
    Addresses,
    /// Pairs of IPv4 addresses: destination and mask, or destination and router.
    AddressPairs,
    /// One byte.
    U8,
    /// One or more bytes, each a number.
    U8List,
    /// Two bytes.
    U16,
    /// One or more times two bytes.
    U16List,
    /// Four bytes.
    U32,
    /// Four bytes, signed.
    I32,
    /// One byte, 0 or 1.
    Bool,
    /// Text without a terminating zero.
    Text,
    /// Any bytes.
    Bytes,
    /// One or more domain names in wire encoding (RFC 3397, uncompressed).
    DomainList,
    /// Destinations of any prefix length, each with a router (RFC 3442).
    ClasslessRoutes,
}

/// An option that has a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OptionDefinition {
    /// Its code.
    pub code: u8,
    /// Its name, as an operator writes it.
    pub name: &'static str,
    /// How its value is made.
    pub format: OptionFormat,
}

/// The definition of the option with this name.
pub fn definition_by_name(name: &str) -> Option<&'static OptionDefinition> {
    DEFINITIONS.iter().find(|definition| definition.name == name)
}

/// The definition of the option with this code.
pub fn definition_by_code(code: u8) -> Option<&'static OptionDefinition> {
    let at = DEFINITIONS.binary_search_by_key(&code, |definition| definition.code).ok()?;
    DEFINITIONS.get(at)
}

/// Codes that belong to the form of a message and not to its content.
pub(crate) const fn is_structural(code: u8) -> bool {
    matches!(
        code,
        code::PAD
            | code::END
            | code::OPTION_OVERLOAD
            | code::DHCP_MESSAGE_TYPE
            | code::RELAY_AGENT_INFORMATION
    )
}

macro_rules! definitions {
    ($($code:literal $name:literal $format:ident,)*) => {
        /// All options that have a name, by code: RFC 2132, and RFC 1035, 2241, 2242, 2610, 3011, 3397, 3442, 3925, 4578,
        /// 4833, 5859, 5417, 8910, 8925 for the later ones.
        pub static DEFINITIONS: &[OptionDefinition] =
            &[$(OptionDefinition { code: $code, name: $name, format: OptionFormat::$format },)*];
    };
}

definitions! {
    1 "subnet-mask" Address,
    2 "time-offset" I32,
    3 "routers" Addresses,
    4 "time-servers" Addresses,
    5 "name-servers" Addresses,
    6 "domain-name-servers" Addresses,
    7 "log-servers" Addresses,
    8 "cookie-servers" Addresses,
    9 "lpr-servers" Addresses,
    10 "impress-servers" Addresses,
    11 "resource-location-servers" Addresses,
    12 "host-name" Text,
    13 "boot-file-size" U16,
    14 "merit-dump-file" Text,
    15 "domain-name" Text,
    16 "swap-server" Address,
    17 "root-path" Text,
    18 "extensions-path" Text,
    19 "ip-forwarding" Bool,
    20 "non-local-source-routing" Bool,
    21 "policy-filters" AddressPairs,
    22 "max-datagram-reassembly" U16,
    23 "default-ip-ttl" U8,
    24 "path-mtu-aging-timeout" U32,
    25 "path-mtu-plateau-table" U16List,
    26 "interface-mtu" U16,
    27 "all-subnets-local" Bool,
    28 "broadcast-address" Address,
    29 "perform-mask-discovery" Bool,
    30 "mask-supplier" Bool,
    31 "router-discovery" Bool,
    32 "router-solicitation-address" Address,
    33 "static-routes" AddressPairs,
    34 "trailer-encapsulation" Bool,
    35 "arp-cache-timeout" U32,
    36 "ieee802-3-encapsulation" Bool,
    37 "default-tcp-ttl" U8,
    38 "tcp-keepalive-interval" U32,
    39 "tcp-keepalive-garbage" Bool,
    40 "nis-domain" Text,
    41 "nis-servers" Addresses,
    42 "ntp-servers" Addresses,
    43 "vendor-encapsulated-options" Bytes,
    44 "netbios-name-servers" Addresses,
    45 "netbios-dd-servers" Addresses,
    46 "netbios-node-type" U8,
    47 "netbios-scope" Text,
    48 "font-servers" Addresses,
    49 "x-display-managers" Addresses,
    60 "vendor-class-identifier" Text,
    64 "nisplus-domain" Text,
    65 "nisplus-servers" Addresses,
    66 "tftp-server-name" Text,
    67 "bootfile-name" Text,
    68 "mobile-ip-home-agents" Addresses,
    69 "smtp-servers" Addresses,
    70 "pop-servers" Addresses,
    71 "nntp-servers" Addresses,
    72 "www-servers" Addresses,
    73 "finger-servers" Addresses,
    74 "irc-servers" Addresses,
    75 "streettalk-servers" Addresses,
    76 "streettalk-directory-assistance-servers" Addresses,
    85 "nds-servers" Addresses,
    86 "nds-tree-name" Text,
    87 "nds-context" Text,
    93 "client-system-architecture" U16List,
    97 "client-machine-identifier" Bytes,
    100 "posix-timezone" Text,
    101 "tzdb-timezone" Text,
    108 "v6-only-preferred" U32,
    114 "captive-portal" Text,
    119 "domain-search" DomainList,
    121 "classless-static-routes" ClasslessRoutes,
    124 "vendor-identifying-vendor-class" Bytes,
    125 "vendor-identifying-vendor-options" Bytes,
    138 "capwap-ac-addresses" Addresses,
    150 "tftp-server-addresses" Addresses,
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn codes_ascend_and_names_are_distinct() {
        assert!(DEFINITIONS.windows(2).all(|pair| pair[0].code < pair[1].code));
        let names: BTreeSet<_> = DEFINITIONS.iter().map(|definition| definition.name).collect();
        assert_eq!(names.len(), DEFINITIONS.len());
        for definition in DEFINITIONS {
            assert_eq!(definition_by_name(definition.name), Some(definition));
            assert_eq!(definition_by_code(definition.code), Some(definition));
            assert!(!is_structural(definition.code));
        }
        assert_eq!(definition_by_code(50), None);
    }
}
