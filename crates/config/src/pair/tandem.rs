//! `tandem.toml` as one server of a pair.
//!
//! *Lives here:* [`view`], from the parts of a configuration and their places to a [`View`].
//! *Must not know:* how keys are read; what must agree.

use super::place::{Source, Spot, Stated};
use super::view::{
    Client, Kind, Options, Pool, Relationship, Reservation, Sharing, Split, Subnet, Terms, View,
};
use crate::failover::PartnerAddresses;
use crate::places::Spans;
use crate::schema::Whole;
use dhcp::options::code;
use engine::config::{Boot, OptionSet, Place, ReservationKey, SubnetParts};
use failover::dialect::Dialect;
use failover::time::Interval;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::ops::Range;
use std::sync::Arc;

/// What is looked up by place, and where nothing is known.
struct Text<'r> {
    source: &'r Arc<Source>,
    read: &'r Whole,
    nowhere: Spans,
}

/// The view of a configuration, whether it has faults or not.
pub(super) fn view(source: &Arc<Source>, read: &Whole) -> View {
    let text = Text { source, read, nowhere: Spans::default() };
    let mut view = View::new(Kind::Tandem, source);
    for (n, addresses) in read.addresses.iter().enumerate() {
        view.relationships.extend(text.relationship(n, *addresses));
    }
    for (n, network) in read.parts.shared_networks.iter().enumerate() {
        for (s, subnet) in network.subnets.iter().enumerate() {
            text.subnet((n, s), subnet, &mut view);
        }
    }
    view
}

impl Text<'_> {
    fn spans(&self, place: &Place) -> &Spans {
        self.read.places.get(place).unwrap_or(&self.nowhere)
    }

    fn spot(&self, span: Range<usize>) -> Spot {
        Spot { source: Arc::clone(self.source), span }
    }

    fn relationship(&self, n: usize, addresses: PartnerAddresses) -> Option<Relationship> {
        let parts = self.read.parts.relationships.get(n)?;
        let spans = self.spans(&Place::Relationship(n));
        let spot = self.spot(spans.part.clone());
        let written = |key: &str| spans.written(key).map(|span| self.spot(span));
        let kind = if parts.dialect == Dialect::Dhcpd { Kind::Dhcpd } else { Kind::Tandem };
        let known = |address: std::net::SocketAddrV4, key| {
            let is_known = !address.ip().is_unspecified();
            is_known.then(|| Stated { value: address, spot: written(key) })
        };
        Some(Relationship {
            name: parts.name.clone(),
            role: Stated { value: parts.role, spot: written("role") },
            own: known(addresses.listen, "listen"),
            peer: known(addresses.partner, "partner"),
            mclt: Some(Stated { value: parts.mclt, spot: written("mclt") }),
            split: Some(Stated { value: Split::First(parts.split), spot: written("split") }),
            delay: parts
                .delayed_service
                .map(|delay| Stated { value: u64::from(delay), spot: written("delayed-service") }),
            max_unacked: Some(Stated { value: u64::from(parts.max_unacked), spot: written("max-unacked") }),
            receive_timer: Some(Stated { value: parts.receive_timer, spot: written("receive-timer") }),
            safe_period: parts.safe_period.map(|value| Stated { value, spot: written("safe-period") }),
            partner_kind: Some(Stated { value: kind, spot: written("partner-kind") }),
            secret: written("secret-file"),
            tls: written("tls"),
            spot,
        })
    }

    fn subnet(&self, (n, s): (usize, usize), parts: &SubnetParts, view: &mut View) {
        let spans = self.spans(&Place::Subnet(n, s));
        let terms = self.terms(parts, spans);
        let spot = self.spot(spans.part.clone());
        for (p, pool) in parts.pools.iter().enumerate() {
            let spans = self.spans(&Place::Pool(n, s, p));
            let mut terms = terms.clone();
            terms.options.extend(self.options(&pool.options, spans));
            let sharing = match (pool.failover, spans.written("failover")) {
                (Some(number), _) => Sharing::With(number),
                (None, Some(_)) => Sharing::Unknown,
                (None, None) => Sharing::Alone,
            };
            view.pools.push(Pool {
                first: pool.first,
                last: pool.last,
                spot: self.spot(spans.part.clone()),
                sharing,
                // It knows no BOOTP.
                serves_bootp: false,
                permits: Vec::new(),
                terms,
            });
        }
        for (r, reservation) in parts.reservations.iter().enumerate() {
            let spans = self.spans(&Place::Reservation(n, s, r));
            let client = match &reservation.key {
                ReservationKey::Hardware(address) => Client::Hardware(*address),
                ReservationKey::ClientIdentifier(bytes) => Client::Identifier(bytes.clone()),
            };
            view.reservations.push(Reservation {
                spot: self.spot(spans.part.clone()),
                clients: vec![client],
                address: reservation.address,
                options: self.options(&reservation.options, spans),
                boot: self.boot(&reservation.boot, spans),
            });
        }
        view.subnets.push(Subnet { prefix: parts.prefix, spot, network: n, terms });
    }

    /// A key of the subnet, or else of the top.
    fn key(&self, spans: &Spans, key: &str) -> Option<Spot> {
        let top = || self.spans(&Place::Whole).written(key);
        spans.written(key).or_else(top).map(|span| self.spot(span))
    }

    fn terms(&self, parts: &SubnetParts, spans: &Spans) -> Terms {
        let stated = |value: Interval, key| Stated { value, spot: self.key(spans, key) };
        let mut options = self.options(&self.read.parts.options, self.spans(&Place::Whole));
        // Both follow from the prefix, unless they are set.
        let derived =
            |bytes: Ipv4Addr| Stated::at(Some(bytes.octets().to_vec()), self.spot(spans.part.clone()));
        options.entry(code::SUBNET_MASK).or_insert_with(|| derived(parts.prefix.netmask()));
        options.extend(self.options(&parts.options, spans));
        Terms {
            lease: stated(parts.lease.lease, "lease-time"),
            minimum: stated(parts.lease.minimum, "min-lease-time"),
            maximum: stated(parts.lease.maximum, "max-lease-time"),
            renewal: parts.lease.renewal.map(|value| stated(value, "renewal-time")),
            rebinding: parts.lease.rebinding.map(|value| stated(value, "rebinding-time")),
            options,
            boot: self.boot(&parts.boot, spans),
            authoritative: Stated::by_default(true),
            refuses: BTreeMap::new(),
        }
    }

    fn options(&self, set: &OptionSet, spans: &Spans) -> Options {
        let all = set.iter();
        all.map(|(code, value)| (code, Stated::at(Some(value.to_vec()), self.spot(spans.option_span(code)))))
            .collect()
    }

    fn boot(&self, boot: &Boot, spans: &Spans) -> BTreeMap<&'static str, Stated<String>> {
        let text = |bytes: &[u8]| (!bytes.is_empty()).then(|| String::from_utf8_lossy(bytes).into_owned());
        let fields = [
            ("next-server", boot.next_server.map(|address| address.to_string())),
            ("server-name", text(&boot.server_name)),
            ("boot-file", text(&boot.file)),
        ];
        let set = fields.into_iter().filter_map(|(key, value)| Some((key, value?)));
        set.map(|(key, value)| (key, Stated::at(value, self.spot(spans.key(key))))).collect()
    }
}
