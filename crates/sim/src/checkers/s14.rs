//! S14: no more BNDUPDs wait for their BNDACK than the partner takes; each gets one BNDACK, for the same addresses; UPDDONE
//! comes when all that was asked for is answered (F07 6.3, 7.3.2, 7.5).
//!
//! *Lives here:* [`window`], [`answer`], [`done`].

use super::book::Owed;
use super::ledger::Ledger;
use engine::LinkId;
use failover::message::{BindingAck, Xid};

/// A BNDUPD has left.
pub(super) fn window(ledger: &Ledger, link: LinkId, server: usize) -> Result<(), String> {
    let Some(most) = ledger.windows.get(&(link, 1 - server)) else { return Ok(()) };
    let waiting = ledger.said.keys().filter(|(of, by, _)| *of == link && *by == server).count();
    if u32::try_from(waiting).is_ok_and(|waiting| waiting <= *most) {
        return Ok(());
    }
    Err(format!("{waiting} BNDUPDs wait for their BNDACK, the partner takes {most}"))
}

/// A BNDACK has left.
pub(super) fn answer(owed: Option<&Owed>, acks: &[BindingAck]) -> Result<(), String> {
    let Some(owed) = owed else {
        return Err("a BNDACK answers no BNDUPD, or one that is answered".to_owned());
    };
    if acks.len() == owed.transactions {
        return Ok(());
    }
    Err(format!("a BNDACK has {} answers to {} transactions", acks.len(), owed.transactions))
}

/// An UPDDONE has left.
pub(super) fn done(ledger: &mut Ledger, link: LinkId, server: usize, xid: Xid) -> Result<(), String> {
    let Some(transfer) = ledger.transfers.remove(&(link, server, xid)) else {
        return Err("an UPDDONE answers no request".to_owned());
    };
    transfer.owed.first().map_or(Ok(()), |address| {
        Err(format!("UPDDONE was said, and the partner has not answered about {address}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use failover::time::ClockDelta;
    use std::net::Ipv4Addr;

    #[test]
    fn an_answer_answers_everything_once() {
        let owed = Owed { updates: Vec::new(), transactions: 2, delta: ClockDelta::default(), position: 0 };
        let ack = BindingAck::accepted(Ipv4Addr::LOCALHOST);
        assert!(answer(None, &[]).is_err());
        assert!(answer(Some(&owed), std::slice::from_ref(&ack)).is_err());
        assert_eq!(answer(Some(&owed), &[ack.clone(), ack]), Ok(()));
    }
}
