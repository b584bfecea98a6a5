//! Messages between two servers in words.
//!
//! *Lives here:* [`brief`], what one is about; [`contents`], all of it.
//! *Must not know:* who said it, and whether it is true.

use crate::checkers::client_of;
use engine::LinkId;
use failover::message::Message;

/// What a message is about, for people who see many.
pub(crate) fn brief(message: &Message) -> String {
    let more = |number: usize| if number > 1 { format!(" and {} more", number - 1) } else { String::new() };
    match message {
        Message::BndUpd(updates) => updates.updates.first().map_or_else(String::new, |update| {
            format!("{} {}{}", update.address, update.status, more(updates.updates.len()))
        }),
        Message::BndAck(acks) => acks.first().map_or_else(String::new, |ack| {
            let answer = if ack.rejected.is_none() { "yes" } else { "no" };
            format!("{} {answer}{}", ack.address, more(acks.len()))
        }),
        Message::State(state) if state.startup => format!("{} (STARTUP)", state.state),
        Message::State(state) => state.state.to_string(),
        _ => String::new(),
    }
}

/// What is in a message, for people.
pub(crate) fn contents(link: LinkId, message: &Message) -> String {
    let what = match message {
        Message::BndUpd(updates) => {
            let each = updates.updates.iter().map(|update| {
                let who = client_of(update).map_or_else(String::new, |client| format!(" of {client}"));
                let end = update.lease_expiration.map_or_else(String::new, |end| format!(" until {}", end.0));
                format!("{} {:?}{who}{end}", update.address, update.status)
            });
            each.collect::<Vec<_>>().join("; ")
        }
        Message::BndAck(acks) => {
            let each = acks.iter().map(|ack| match &ack.rejected {
                None => format!("{} yes", ack.address),
                Some(why) => format!("{} no ({})", ack.address, why.reason.0),
            });
            each.collect::<Vec<_>>().join("; ")
        }
        Message::State(state) => {
            let lost = state.tandem.is_some_and(|tandem| tandem.storage_lost.is_some());
            format!(
                "{}{}{}",
                state.state,
                if state.startup { " (STARTUP)" } else { "" },
                if lost { " (lost)" } else { "" }
            )
        }
        _ => String::new(),
    };
    format!("{what}{}on {}", if what.is_empty() { "" } else { " " }, link.0)
}
