//! What two servers say of the relationship between them.
//!
//! *Lives here:* which relationships belong together ([`pairs`]), and the rules PAIR-201 to PAIR-222 ([`compare`]).
//! *Must not know:* pools.

use super::finding::Finding;
use super::place::{Spot, Stated};
use super::rules::{self, Rule};
use super::view::{Kind, Relationship, Sharing, Split, View};
use failover::state::Role;
use failover::time::Interval;
use std::net::SocketAddrV4;

/// Numbers of the two that belong together: ours, the partner's.
pub(super) type Pair = (usize, usize);

/// What is used where a MCLT is longer than that by a word of warning.
const LONG_MCLT: Interval = Interval::from_seconds(3600);

/// Whom a caret points at.
pub(super) const LABELS: [&str; 2] = ["this server", "its partner"];

/// Whether two relationships belong together.
type Way<'w> = &'w dyn Fn(&Relationship, &Relationship) -> bool;

/// Both sides of a pair.
pub(super) fn both([ours, partner]: [&View; 2], (o, p): Pair) -> [&Relationship; 2] {
    [&ours.relationships[o], &partner.relationships[p]]
}

/// Which relationships belong together: those with the same name; else those whose addresses cross; else the only ones.
pub(super) fn pairs(views: [&View; 2], findings: &mut Vec<Finding>) -> Vec<Pair> {
    let [ours, partner] = views;
    let mut left: Vec<usize> = (0..partner.relationships.len()).collect();
    let mut pairs = Vec::new();
    let by_name = |a: &Relationship, b: &Relationship| a.name == b.name;
    let by_address = |a: &Relationship, b: &Relationship| {
        crosses(a.own.as_ref(), b.peer.as_ref()) && crosses(b.own.as_ref(), a.peer.as_ref())
    };
    let ways: [Way<'_>; 2] = [&by_name, &by_address];
    for way in ways {
        for (o, relationship) in ours.relationships.iter().enumerate() {
            if pairs.iter().any(|(known, _)| *known == o) {
                continue;
            }
            if let Some(at) = left.iter().position(|p| way(relationship, &partner.relationships[*p])) {
                pairs.push((o, left.remove(at)));
            }
        }
    }
    if let ([], [_], [_]) =
        (pairs.as_slice(), ours.relationships.as_slice(), partner.relationships.as_slice())
    {
        pairs.push((0, 0));
    }
    if pairs.is_empty() {
        findings.push(none_in_common(views));
        return pairs;
    }
    let others = (0..ours.relationships.len()).filter(|o| pairs.iter().all(|(known, _)| known != o));
    for relationship in others.map(|o| &ours.relationships[o]) {
        let message = format!(
            "\"{}\" is with another partner: compare it with the file of that one",
            relationship.name.escape_debug()
        );
        findings.push(Finding::new(rules::OTHER_PARTNER, message).at(Some(&relationship.spot), LABELS[0]));
    }
    pairs
}

fn none_in_common(views: [&View; 2]) -> Finding {
    let without = views.iter().position(|view| view.relationships.is_empty());
    let message = match without {
        Some(side) => format!(
            "{} has no {}: nothing is shared, and nothing else was compared; add it, and name it in each pool that is shared",
            LABELS[side],
            if views[side].kind == Kind::Tandem { "[[failover]]" } else { "failover peer" }
        ),
        None => "no relationship of the one has the name or the addresses of one of the other: nothing else was compared; \
                 write the same name on both"
            .to_owned(),
    };
    let mut finding = Finding::new(rules::NONE_IN_COMMON, message);
    for (view, label) in views.into_iter().zip(LABELS) {
        let start = Spot::start_of(&view.source);
        let spot = view.relationships.first().map_or(start, |first| first.spot.clone());
        finding = finding.at(Some(&spot), label);
    }
    finding
}

fn crosses(own: Option<&Stated<SocketAddrV4>>, named: Option<&Stated<SocketAddrV4>>) -> bool {
    matches!((own, named), (Some(own), Some(named)) if own.value.ip() == named.value.ip())
}

/// The two, and where findings go.
struct Two<'v, 'f> {
    kinds: [Kind; 2],
    sides: [&'v Relationship; 2],
    findings: &'f mut Vec<Finding>,
}

/// All rules about one relationship.
pub(super) fn compare(views: [&View; 2], pair: Pair, findings: &mut Vec<Finding>) {
    let kinds = views.map(|view| view.kind);
    let mut two = Two { kinds, sides: both(views, pair), findings };
    two.name();
    two.role();
    two.addresses();
    two.kind();
    two.security();
    two.mclt();
    two.mclt_and_leases(views, pair);
    two.split();
    two.delay();
    two.windows();
    two.timers();
    two.takes_over();
}

impl Two<'_, '_> {
    /// A finding that shows what both wrote, or where they should have.
    fn say(&mut self, rule: &'static Rule, message: String, spots: [Option<&Spot>; 2]) {
        let mut finding = Finding::new(rule, message);
        for ((spot, side), label) in spots.into_iter().zip(self.sides).zip(LABELS) {
            finding = finding.at(Some(spot.unwrap_or(&side.spot)), label);
        }
        self.findings.push(finding);
    }

    /// A finding about one of the two.
    fn say_of(&mut self, side: usize, rule: &'static Rule, message: String, spot: Option<&Spot>) {
        let spot = spot.unwrap_or(&self.sides[side].spot);
        self.findings.push(Finding::new(rule, message).at(Some(spot), LABELS[side]));
    }

    /// Which of the two is the primary, if one is.
    fn primary(&self) -> Option<usize> {
        let [ours, partner] = self.sides.map(|side| side.role.value);
        match (ours, partner) {
            (Role::Primary, Role::Secondary) => Some(0),
            (Role::Secondary, Role::Primary) => Some(1),
            _ => None,
        }
    }

    /// D12 12.22: byte for byte.
    fn name(&mut self) {
        let [ours, partner] = self.sides.map(|side| side.name.clone());
        if ours != partner {
            let message = format!(
                "the relationship is \"{}\" at this server and \"{}\" at its partner: the two refuse each other; write the \
                 same name, byte for byte",
                ours.escape_debug(),
                partner.escape_debug()
            );
            self.say(rules::NAMES, message, [None, None]);
        }
    }

    fn role(&mut self) {
        let [ours, partner] = self.sides.map(|side| &side.role);
        if ours.value == partner.value {
            let message = format!(
                "both are {}: the two never come together; one must be primary, and one secondary",
                ours.value
            );
            self.say(rules::ROLES, message, [ours.spot.as_ref(), partner.spot.as_ref()]);
        }
        for (side, role) in [ours, partner].into_iter().enumerate() {
            if role.spot.is_none() && self.kinds[side] == Kind::Dhcpd {
                let message = "nothing says whether this is the primary or the secondary, and dhcpd takes itself for the \
                               primary: write `primary;` or `secondary;`";
                self.say_of(side, rules::ROLE_UNSAID, message.to_owned(), None);
            }
        }
    }

    /// Where each listens is where the other looks for it; a partner that connects is known by its address.
    fn addresses(&mut self) {
        for (side, other) in [(0, 1), (1, 0)] {
            let (own, named) = (&self.sides[side].own, &self.sides[other].peer);
            let (Some(own), Some(named)) = (own, named) else {
                let missing = if own.is_none() { side } else { other };
                let what = if own.is_none() { "its own address" } else { "the address of its partner" };
                let message = format!(
                    "{} does not say {what} as a number, so that it was not compared: write the address, and see that it is \
                     the one that the other knows",
                    LABELS[missing]
                );
                self.say_of(missing, rules::ADDRESS_UNSAID, message, None);
                continue;
            };
            if own.value == named.value {
                continue;
            }
            let what = if own.value.ip() == named.value.ip() { "port" } else { "address" };
            let message = format!(
                "{} listens on {}, and {} looks for it on {}: the {what} must be the same",
                LABELS[side], own.value, LABELS[other], named.value
            );
            let mut spots = [own.spot.as_ref(), named.spot.as_ref()];
            if side == 1 {
                spots.reverse();
            }
            self.say(rules::ADDRESSES, message, spots);
        }
    }

    fn kind(&mut self) {
        for (side, other) in [(0, 1), (1, 0)] {
            let Some(said) = &self.sides[side].partner_kind else { continue };
            if said.value != self.kinds[other] {
                let word = if self.kinds[other] == Kind::Dhcpd { "dhcpd" } else { "tandem" };
                let message = format!(
                    "the partner is a {}: write `partner-kind = \"{word}\"`, or the two refuse each other",
                    self.kinds[other]
                );
                self.say_of(side, rules::PARTNER_KIND, message, said.spot.as_ref());
            }
        }
    }

    /// A dhcpd has neither; of two Tandems both have the same.
    fn security(&mut self) {
        let spots: [[Option<&Spot>; 2]; 2] =
            [self.sides.map(|side| side.secret.as_ref()), self.sides.map(|side| side.tls.as_ref())];
        for (spots, what) in spots.into_iter().zip(["secret-file", "[failover.tls]"]) {
            let Some(side) = spots.iter().position(Option::is_some) else { continue };
            if spots[1 - side].is_some() {
                continue;
            }
            let message = if self.kinds[1 - side] == Kind::Dhcpd {
                format!(
                    "a dhcpd knows nothing of {what}: remove it, and give the connection a network of its own, or a tunnel"
                )
            } else {
                format!("only one of the two has {what}: the other refuses it; write it on both")
            };
            self.say_of(side, rules::SECURITY, message, spots[side]);
        }
    }

    /// The primary's counts (F07 5.2.1).
    fn mclt(&mut self) {
        let Some(primary) = self.primary() else { return };
        let secondary = 1 - primary;
        let (told, own) = (&self.sides[primary].mclt, &self.sides[secondary].mclt);
        let Some(told) = told else { return };
        if let (Some(own), Kind::Dhcpd) = (own, self.kinds[secondary]) {
            let message = "a dhcpd that is secondary may not have an mclt, the primary's counts: remove it";
            self.say_of(secondary, rules::MCLT_OF_SECONDARY, message.to_owned(), own.spot.as_ref());
        }
        if let Some(own) = own.as_ref().filter(|own| own.value != told.value) {
            let message = format!(
                "the MCLT is {} at the primary, which counts, and {} at the secondary: write {} there",
                told.value, own.value, told.value
            );
            let mut spots = [told.spot.as_ref(), own.spot.as_ref()];
            if primary == 1 {
                spots.reverse();
            }
            self.say(rules::MCLT, message, spots);
        }
        if told.value > LONG_MCLT {
            let message = format!(
                "an MCLT of {}: so long a server is silent that comes back without its leases, and so long the addresses of a \
                 partner that is down stay unused; half an hour to an hour does",
                told.value
            );
            self.say_of(primary, rules::MCLT_LONG, message, told.spot.as_ref());
        }
    }

    /// An MCLT above the lease time has no use; what is asked is what each dhcpd shares.
    fn mclt_and_leases(&mut self, views: [&View; 2], pair: Pair) {
        let Some(primary) = self.primary() else { return };
        let Some(mclt) = self.sides[primary].mclt.clone() else { return };
        let number = if primary == 0 { pair.0 } else { pair.1 };
        let pools = views[primary].pools.iter().filter(|pool| pool.sharing == Sharing::With(number));
        let shortest = pools.map(|pool| &pool.terms.lease).min_by_key(|lease| lease.value);
        let Some(lease) = shortest.filter(|lease| lease.value < mclt.value) else { return };
        let message = format!(
            "the MCLT is {}, longer than leases of {}: after a failure addresses are waited for longer than any lease lasts; \
             write at most {}",
            mclt.value, lease.value, lease.value
        );
        let spot = mclt.spot.as_ref().or(Some(&self.sides[primary].spot));
        let finding = Finding::new(rules::MCLT_OVER_LEASE, message).at(spot, LABELS[primary]);
        self.findings.push(finding.at(lease.spot.as_ref(), "such a lease"));
    }

    /// The primary's counts; what the secondary has written is of another day.
    fn split(&mut self) {
        let Some(primary) = self.primary() else { return };
        let Some(told) = self.sides[primary].split.clone() else { return };
        if let Split::Buckets(buckets) = &told.value {
            let count = told.value.count();
            let plain = u16::try_from(count).map(|count| Split::First(count).buckets());
            if plain != Ok(*buckets) {
                let message = format!(
                    "this hba gives {count} of 256 buckets to the primary, and not the first ones: a Tandem that becomes the \
                     primary has only `split`; write `split = {count}` then, and some clients change their server"
                );
                self.say_of(primary, rules::BUCKETS, message, told.spot.as_ref());
            }
        }
        let own = self.sides[1 - primary].split.clone().filter(|own| own.spot.is_some());
        if let Some(own) = own.filter(|own| own.value.buckets() != told.value.buckets()) {
            let message = format!(
                "split is {} at the primary, which counts, and {} at the secondary: write {} there",
                told.value.count(),
                own.value.count(),
                told.value.count()
            );
            let mut spots = [told.spot.as_ref(), own.spot.as_ref()];
            if primary == 1 {
                spots.reverse();
            }
            self.say(rules::SPLIT, message, spots);
        }
    }

    /// Two Tandems do as the primary says; a dhcpd as it says itself.
    fn delay(&mut self) {
        if self.kinds == [Kind::Tandem; 2] {
            return;
        }
        let sides = self.sides;
        let mut balances = true;
        for (side, relationship) in sides.into_iter().enumerate() {
            let off = relationship.delay.as_ref().filter(|delay| delay.value == 0);
            if let Some(off) = off.filter(|_| self.kinds[side] == Kind::Dhcpd) {
                balances = false;
                let message = "without `load balance max seconds`, or with 0, this dhcpd balances no load and answers every \
                               client: write 3 on both";
                self.say_of(side, rules::BALANCING_OFF, message.to_owned(), off.spot.as_ref());
            }
        }
        let delays = sides.map(|side| side.delay.as_ref().map(|delay| delay.value));
        if balances && delays[0] != delays[1] {
            let [ours, partner] =
                delays.map(|delay| delay.map_or("never".to_owned(), |delay| format!("after {delay} s")));
            let message = format!(
                "a client that the other does not answer is answered {ours} by this server and {partner} by its partner, for \
                 each does as its own file says: write the same (`delayed-service`, `load balance max seconds`)"
            );
            let [ours, partner] = sides.map(|side| side.delay.as_ref().and_then(|delay| delay.spot.as_ref()));
            self.say(rules::DELAY, message, [ours, partner]);
        }
    }

    fn windows(&mut self) {
        let sides = self.sides;
        for (side, relationship) in sides.into_iter().enumerate() {
            let unsaid = [
                ("max-unacked-updates", relationship.max_unacked.is_none(), "10"),
                ("max-response-delay", relationship.receive_timer.is_none(), "60"),
            ];
            for (what, _, usual) in unsaid.into_iter().filter(|(_, unsaid, _)| *unsaid) {
                let message = format!("dhcpd.conf(5) wants `{what}` to be there: write `{what} {usual};`");
                self.say_of(side, rules::UNSAID, message, None);
            }
            let window = relationship.max_unacked.as_ref();
            if let Some(window) = window.filter(|window| !(1..=1000).contains(&window.value)) {
                let message = format!(
                    "{} updates without an answer: a partner that may send none tells nothing, and one that may send thousands \
                     is not held back; write 10 to 1000",
                    window.value
                );
                self.say_of(side, rules::MAX_UNACKED, message, window.spot.as_ref());
            }
        }
    }

    fn timers(&mut self) {
        let sides = self.sides;
        let [Some(ours), Some(partner)] = sides.map(|side| side.receive_timer.as_ref()) else { return };
        for (side, timer) in [ours, partner].into_iter().enumerate() {
            let (least, most) = (Interval::from_seconds(3), Interval::from_seconds(600));
            if timer.value < least || timer.value > most {
                let message = format!(
                    "a partner that is silent for {} counts as lost: every short trouble of the network is one, or none is \
                     noticed for minutes; write 10 to 60 seconds",
                    timer.value
                );
                self.say_of(side, rules::TIMER_RANGE, message, timer.spot.as_ref());
            }
        }
        if ours.value != partner.value {
            let message = format!(
                "this server takes its partner for lost after {}, and the partner this one after {}: each counts for itself, \
                 and nothing need be done",
                ours.value, partner.value
            );
            self.say(rules::TIMERS, message, [ours.spot.as_ref(), partner.spot.as_ref()]);
        }
    }

    /// Trap T11.
    fn takes_over(&mut self) {
        let sides = self.sides;
        for (side, relationship) in sides.into_iter().enumerate() {
            let Some(period) = &relationship.safe_period else { continue };
            let word = if self.kinds[side] == Kind::Dhcpd { "auto-partner-down" } else { "safe-period" };
            let message = format!(
                "after {} without its partner this server takes it for down, and nobody has looked: if only the connection \
                 between them is cut, both give the same addresses to different clients; remove {word}",
                period.value
            );
            self.say_of(side, rules::TAKES_OVER, message, period.spot.as_ref());
        }
    }
}
