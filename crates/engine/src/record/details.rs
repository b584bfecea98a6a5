//! What is kept of a client beside who it is, and what a partner told of it.
//!
//! *Lives here:* [`ClientDetails`], and which number each of them has in a record.
//! *Must not know:* what is made of them: they are for people, and passed on as they came.

/// Longest byte string that is kept, in bytes; a longer one is not kept.
pub const MAX_EXTRA: usize = 1024;

/// What clients, relays and a partner said along with a binding; each as it came, and empty where nothing was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ClientDetails<'a> {
    /// Option 12 of the client.
    pub host_name: &'a [u8],
    /// Option 82 of the relay.
    pub relay_agent_information: &'a [u8],
    /// Option 60 of the client.
    pub vendor_class: &'a [u8],
    /// Option 81 of the client.
    pub client_fqdn: &'a [u8],
    /// Option 77 of the client.
    pub user_class: &'a [u8],
    /// Option 118 of the client.
    pub subnet_selection: &'a [u8],
    /// DDNS of the partner (F07 12.9): two bytes of flags, then the name.
    pub ddns: &'a [u8],
    /// client-reply-options of the partner (F07 12.7): the magic number, then options.
    pub reply_options: &'a [u8],
}

impl<'a> ClientDetails<'a> {
    /// How many there are.
    pub(crate) const COUNT: usize = 8;

    /// All of them, each with its number in a record; what people miss most comes first.
    pub(crate) fn items(&self) -> [(u8, &'a [u8]); ClientDetails::COUNT] {
        [
            (1, self.host_name),
            (2, self.relay_agent_information),
            (3, self.vendor_class),
            (6, self.client_fqdn),
            (5, self.user_class),
            (7, self.subnet_selection),
            (8, self.ddns),
            (9, self.reply_options),
        ]
    }

    /// Takes the one with this number; false when none has it.
    pub(crate) fn set(&mut self, number: u8, value: &'a [u8]) -> bool {
        match number {
            1 => self.host_name = value,
            2 => self.relay_agent_information = value,
            3 => self.vendor_class = value,
            5 => self.user_class = value,
            6 => self.client_fqdn = value,
            7 => self.subnet_selection = value,
            8 => self.ddns = value,
            9 => self.reply_options = value,
            _ => return false,
        }
        true
    }
}
