//! What the first bytes of a connection tell of the partner.
//!
//! *Lives here:* [`time_of_connect`].
//! *Must not know:* sockets.

use failover::message::{MIN_MESSAGE, MessageType};

/// Bytes that must have come before they tell anything: the header of a message (F07 6.1).
pub const GREETING: usize = MIN_MESSAGE;

/// The clock of the sender, in seconds since 1970, if these bytes begin with the header of a CONNECT: a primary may say it on
/// any connection before it is asked.
pub fn time_of_connect(bytes: &[u8]) -> Option<u32> {
    let header: &[u8; GREETING] = bytes.first_chunk()?;
    let [_, _, kind, _, a, b, c, d, ..] = *header;
    (kind == MessageType::Connect.number()).then(|| u32::from_be_bytes([a, b, c, d]))
}

#[cfg(test)]
mod tests {
    use super::time_of_connect;

    #[test]
    fn a_connect_tells_the_time_and_nothing_else_does() {
        let connect = [0, 0x6c, 5, 12, 0x6b, 0x0b, 0x3c, 0x61, 0, 0, 0, 1];
        assert_eq!(time_of_connect(&connect), Some(0x6b0b_3c61));
        assert_eq!(time_of_connect(&connect[..11]), None);
        let mut contact = connect;
        contact[2] = 11;
        assert_eq!(time_of_connect(&contact), None);
    }
}
