//! The clients, and what each of them is in the middle of.
//!
//! *Lives here:* [`Clients`]: says what a client sends next, takes answers, and knows who has which address. An address that two
//! clients have is the end of the measurement.
//! *Must not know:* sockets, when something is sent.

use crate::message::{Answer, Ask};
use crate::wire::Path;
use dhcp::MessageType;
use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

/// Most clients: their number and the number of their exchange share a transaction id.
pub const MOST: u32 = 1 << 24;

/// Relays stand at the first address of each /18 of this prefix.
const RELAYS: u32 = u32::from_be_bytes([10, 64, 0, 0]);

/// What a client waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Nothing.
    Rest,
    /// An OFFER.
    Discover,
    /// The ACK of what it was offered, by this server.
    Select(Ipv4Addr, Ipv4Addr),
    /// The ACK of a renewal.
    Renew,
}

/// One client.
#[derive(Debug, Clone, Copy)]
struct Client {
    /// The address that it has, and what the server that gave it calls itself.
    lease: Option<(Ipv4Addr, Ipv4Addr)>,
    step: Step,
    exchange: u8,
    /// When its exchange began; when it began to wait for what it waits for.
    began: Instant,
    since: Instant,
}

/// What an answer led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// An OFFER, after so long: the client selects it now.
    Offer(u32, Duration),
    /// An ACK, after so long: the client has its address.
    Bound(u32, Duration),
    /// A NAK: the client has none.
    Refused(u32),
    /// The answer to a question that is over.
    Late,
}

/// All clients.
#[derive(Debug)]
pub struct Clients {
    all: Vec<Client>,
    holders: HashMap<Ipv4Addr, u32>,
    relays: u32,
    /// How many of a hundred are on the wire itself.
    direct: u32,
    /// When answers count as come.
    now: Instant,
}

impl Clients {
    /// So many clients, of whom `direct` of a hundred are on the wire, the others behind `relays` relays.
    pub fn new(count: u32, relays: u32, direct: u32) -> Clients {
        let now = Instant::now();
        let client = Client { lease: None, step: Step::Rest, exchange: 0, began: now, since: now };
        let count = usize::try_from(count.min(MOST)).unwrap_or(0);
        Clients { all: vec![client; count], holders: HashMap::with_capacity(count), relays, direct, now }
    }

    /// How many.
    pub fn count(&self) -> u32 {
        u32::try_from(self.all.len()).unwrap_or(MOST)
    }

    /// How many have an address.
    pub fn bound(&self) -> u32 {
        u32::try_from(self.holders.len()).unwrap_or(MOST)
    }

    /// The address of a client, if it has one, and what the server that gave it calls itself.
    pub fn lease(&self, number: u32) -> Option<(Ipv4Addr, Ipv4Addr)> {
        self.all[number as usize].lease
    }

    /// What a client waits for, if it has waited for it since then.
    pub fn waits(&self, number: u32, since: Instant) -> Option<Step> {
        let client = &self.all[number as usize];
        (client.step != Step::Rest && client.since == since).then_some(client.step)
    }

    /// What a client waits for, and since when.
    pub fn state(&self, number: u32) -> (Step, Instant) {
        let client = &self.all[number as usize];
        (client.step, client.since)
    }

    /// The time of what comes next.
    pub fn at(&mut self, now: Instant) {
        self.now = now;
    }

    /// A client begins something, as of `since`.
    pub fn begin(&mut self, number: u32, step: Step, since: Instant) {
        let client = &mut self.all[number as usize];
        client.step = step;
        client.exchange = client.exchange.wrapping_add(1);
        client.began = since;
        client.since = since;
    }

    /// How long ago, by the time of [`Clients::at`], the last exchange of a client began.
    pub fn since_begin(&self, number: u32) -> Duration {
        self.now.saturating_duration_since(self.all[number as usize].began)
    }

    /// A client waits no more.
    pub fn give_up(&mut self, number: u32) {
        self.all[number as usize].step = Step::Rest;
    }

    /// A client gives its address back.
    pub fn release(&mut self, number: u32) {
        let client = &mut self.all[number as usize];
        if let Some((address, _)) = client.lease.take() {
            self.holders.remove(&address);
        }
        client.step = Step::Rest;
    }

    /// How its messages travel once it has an address.
    pub fn path(&self, number: u32) -> Path {
        // Spread evenly: in each hundred so many.
        let before = |number| number * self.direct / 100;
        if before(number % 100) == before(number % 100 + 1) { Path::Routed } else { Path::Direct }
    }

    /// Its relay.
    pub fn relay(&self, number: u32) -> Ipv4Addr {
        Ipv4Addr::from_bits(RELAYS + ((number / 2 % self.relays) << 14) + 1)
    }

    /// What a client sends as things stand; for one that rests, the RELEASE of its address.
    pub fn ask(&self, number: u32) -> Ask {
        let client = &self.all[number as usize];
        let [_, a, b, c] = number.to_be_bytes();
        let ciaddr = client.lease.map_or(Ipv4Addr::UNSPECIFIED, |(address, _)| address);
        let relay = (self.path(number) == Path::Routed).then(|| (self.relay(number), number));
        let ask = Ask {
            kind: MessageType::Request,
            xid: number << 8 | u32::from(client.exchange),
            hardware: [2, 0, 1, a, b, c],
            ciaddr: Ipv4Addr::UNSPECIFIED,
            relay,
            requested: None,
            server: None,
        };
        match client.step {
            Step::Discover => Ask { kind: MessageType::Discover, ..ask },
            Step::Select(address, server) => Ask { requested: Some(address), server: Some(server), ..ask },
            Step::Renew => Ask { ciaddr, relay: None, ..ask },
            Step::Rest => {
                let server = client.lease.map(|(_, server)| server);
                Ask { kind: MessageType::Release, ciaddr, relay: None, server, ..ask }
            }
        }
    }

    /// Takes an answer.
    ///
    /// # Errors
    /// When no server may say that: an address that another client has, or a message that is not for this client.
    pub fn hear(&mut self, frame_to: Option<[u8; 6]>, answer: &Answer) -> Result<Heard, String> {
        let number = answer.xid >> 8;
        let exchange = answer.xid.to_be_bytes()[3];
        let [_, a, b, c] = number.to_be_bytes();
        let hardware = [2, 0, 1, a, b, c];
        let Some(client) = self.all.get_mut(number as usize) else {
            return Err(format!("an answer to transaction {:#x}, which nobody began", answer.xid));
        };
        if answer.hardware != hardware || frame_to.is_some_and(|to| to != hardware && to != [0xff; 6]) {
            return Err(format!("client {number} is answered at {:x?}, {frame_to:x?}", answer.hardware));
        }
        if client.exchange != exchange {
            return Ok(Heard::Late);
        }
        let waited = self.now.saturating_duration_since(client.since);
        match (client.step, answer.kind) {
            (Step::Discover, 2) => {
                client.step = Step::Select(answer.address, answer.server);
                client.since = self.now;
                Ok(Heard::Offer(number, waited))
            }
            (Step::Select(..) | Step::Renew, 5) => {
                if let (Step::Renew, Some((address, _))) = (client.step, client.lease)
                    && address != answer.address
                {
                    return Err(format!("client {number} renewed {address} and got {}", answer.address));
                }
                client.step = Step::Rest;
                if let Some((before, _)) = client.lease.replace((answer.address, answer.server))
                    && before != answer.address
                {
                    self.holders.remove(&before);
                }
                match self.holders.insert(answer.address, number) {
                    Some(other) if other != number => {
                        Err(format!("{} was given to clients {other} and {number}", answer.address))
                    }
                    _ => Ok(Heard::Bound(number, waited)),
                }
            }
            (Step::Select(..) | Step::Renew, 6) => {
                self.release(number);
                Ok(Heard::Refused(number))
            }
            _ => Ok(Heard::Late),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVER: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 2);

    fn answer(clients: &Clients, number: u32, kind: u8, last: u8) -> Answer {
        let ask = clients.ask(number);
        let address = Ipv4Addr::new(10, 64, 0, last);
        Answer { xid: ask.xid, hardware: ask.hardware, address, kind, server: SERVER }
    }

    fn bind(clients: &mut Clients, number: u32, last: u8) -> Result<Heard, String> {
        clients.begin(number, Step::Discover, Instant::now());
        clients.hear(None, &answer(clients, number, 2, last))?;
        clients.hear(None, &answer(clients, number, 5, last))
    }

    #[test]
    fn an_address_of_two_clients_is_noticed_and_one_that_was_released_is_not() {
        let mut clients = Clients::new(10, 2, 50);
        assert!(matches!(bind(&mut clients, 1, 7), Ok(Heard::Bound(1, _))));
        assert!(matches!(bind(&mut clients, 1, 7), Ok(Heard::Bound(1, _))), "its own again");
        assert!(bind(&mut clients, 2, 7).unwrap_err().contains("clients 1 and 2"));
        let mut clients = Clients::new(10, 2, 50);
        bind(&mut clients, 1, 7).unwrap();
        clients.release(1);
        assert!(matches!(bind(&mut clients, 2, 7), Ok(Heard::Bound(2, _))));
        assert_eq!((clients.bound(), clients.lease(1)), (1, None));
        // A client that moves to another address leaves its own to others.
        bind(&mut clients, 2, 8).unwrap();
        assert!(matches!(bind(&mut clients, 3, 7), Ok(Heard::Bound(3, _))));
    }

    #[test]
    fn only_the_answer_to_what_was_asked_counts() {
        let mut clients = Clients::new(10, 2, 50);
        clients.begin(3, Step::Discover, Instant::now());
        let offer = answer(&clients, 3, 2, 9);
        assert_eq!(clients.hear(None, &Answer { xid: offer.xid ^ 1, ..offer }), Ok(Heard::Late));
        assert_eq!(clients.hear(None, &Answer { kind: 5, ..offer }), Ok(Heard::Late), "an ACK of nothing");
        assert!(clients.hear(Some([2, 0, 1, 0, 0, 4]), &offer).is_err(), "a frame for another");
        assert!(clients.hear(None, &Answer { hardware: [0; 6], ..offer }).is_err());
        assert!(clients.hear(None, &Answer { xid: 77 << 8, ..offer }).is_err());
        assert!(matches!(clients.hear(Some([0xff; 6]), &offer), Ok(Heard::Offer(3, _))));
        let nak = answer(&clients, 3, 6, 9);
        assert_eq!(clients.hear(None, &nak), Ok(Heard::Refused(3)));
        assert_eq!(clients.hear(None, &nak), Ok(Heard::Late));
        assert!(bind(&mut clients, 3, 9).is_ok());
        clients.begin(3, Step::Renew, Instant::now());
        assert!(clients.hear(None, &answer(&clients, 3, 5, 10)).is_err(), "another address than it renewed");
    }

    #[test]
    fn of_two_offers_the_first_counts_and_the_lease_is_of_whoever_gave_it() {
        let partner = Ipv4Addr::new(10, 99, 0, 3);
        let mut clients = Clients::new(10, 2, 50);
        clients.begin(4, Step::Discover, Instant::now());
        let offer = answer(&clients, 4, 2, 9);
        let late = Answer { address: Ipv4Addr::new(10, 64, 0, 200), ..offer };
        let first = Answer { server: partner, ..offer };
        assert!(matches!(clients.hear(None, &first), Ok(Heard::Offer(4, _))));
        assert_eq!(clients.hear(None, &late), Ok(Heard::Late));
        assert_eq!(clients.state(4).0, Step::Select(first.address, partner));
        let ack = Answer { kind: 5, ..first };
        assert!(matches!(clients.hear(None, &ack), Ok(Heard::Bound(4, _))));
        assert_eq!(clients.lease(4), Some((first.address, partner)));
        let release = clients.ask(4);
        assert_eq!((release.kind, release.server), (MessageType::Release, Some(partner)));
    }

    #[test]
    fn so_many_of_a_hundred_are_direct() {
        for direct in [0, 1, 50, 100] {
            let clients = Clients::new(1000, 3, direct);
            let found = (0..1000).filter(|number| clients.path(*number) == Path::Direct).count();
            assert_eq!(found, 10 * direct as usize);
        }
    }
}
