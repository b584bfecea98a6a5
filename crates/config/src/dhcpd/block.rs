//! Declarations of `dhcpd.conf`: networks, subnets, pools, groups, hosts.
//!
//! *Lives here:* [`server`], from statements to the view of a server. A block is gone through twice: what holds in it holds
//! for all that is declared in it, wherever it stands.
//! *Must not know:* the partner.

use super::lexer::Token;
use super::option::{Definitions, bytes};
use super::peer;
use super::scope::Scope;
use super::statement::Statement;
use super::text::Parsed;
use crate::pair::place::{Spot, Stated};
use crate::pair::view::{Client, Kind, Pool, Reservation, Sharing, Subnet, Unread, View};
use dhcp::HardwareAddress;
use dhcp::options::code;
use ipnet::Ipv4Net;
use std::net::Ipv4Addr;

/// Where a block is.
#[derive(Clone, Default)]
struct Place {
    scope: Scope,
    /// What the groups around it say for hosts in them.
    group: Scope,
    network: Option<usize>,
    prefix: Option<Ipv4Net>,
    /// Who gives the addresses of ranges here.
    sharing: Sharing,
    pool: Option<Permits>,
    /// What the pool says itself.
    own: Scope,
}

/// Whom a pool serves.
#[derive(Clone, Default)]
struct Permits {
    serves_bootp: bool,
    lines: Vec<Stated<String>>,
}

struct Reader {
    view: View,
    names: Definitions,
    networks: usize,
    /// Which failover peers a pool or a shared network names.
    referred: Vec<bool>,
    /// What holds in each subnet.
    scopes: Vec<Scope>,
    /// Pools that stand beside the subnets of their shared network, by number, with what they say themselves.
    beside: Vec<(usize, Scope)>,
}

/// What the statements of a whole configuration say.
pub(super) fn server(statements: &[Statement], parsed: Parsed) -> View {
    let mut view = View::new(Kind::Dhcpd, &parsed.main);
    view.faults = parsed.faults;
    view.borrowed = parsed.borrowed;
    let mut reader = Reader {
        view,
        names: Definitions::default(),
        networks: 0,
        referred: Vec::new(),
        scopes: Vec::new(),
        beside: Vec::new(),
    };
    reader.definitions(statements);
    for statement in statements {
        if let Some(block) = statement.block.as_ref().filter(|_| is_peer(statement)) {
            peer::read(statement, block, &mut reader.view);
        }
    }
    reader.referred = vec![false; reader.view.relationships.len()];
    reader.block(statements, Place::default());
    reader.finish()
}

fn is_peer(statement: &Statement) -> bool {
    statement.is(&["failover", "peer"]) && statement.words.len() == 3
}

impl Reader {
    /// Options that the file defines hold in all of it.
    fn definitions(&mut self, statements: &[Statement]) {
        for statement in statements {
            if statement.is(&["option"]) {
                self.names.define(statement.behind(1));
            }
            self.definitions(statement.block.as_deref().unwrap_or(&[]));
        }
    }

    fn finish(mut self) -> View {
        let lonely: Vec<(Spot, String)> = self
            .view
            .relationships
            .iter()
            .zip(&self.referred)
            .filter(|(_, referred)| !**referred)
            .map(|(relationship, _)| (relationship.spot.clone(), relationship.name.clone()))
            .collect();
        for (spot, name) in lonely {
            let message = format!(
                "no pool names the failover peer \"{}\": dhcpd does not start; write `failover peer \"{}\";` into each pool \
                 that is shared",
                name.escape_debug(),
                name.escape_debug()
            );
            self.view.fault(&spot, message, "here");
        }
        for (number, own) in std::mem::take(&mut self.beside) {
            let Some(pool) = self.view.pools.get_mut(number) else { continue };
            let within = self.view.subnets.iter().position(|subnet| subnet.prefix.contains(&pool.first));
            if let Some(scope) = within.and_then(|subnet| self.scopes.get(subnet)) {
                pool.terms = scope.with(&own).terms();
            }
        }
        self.view
    }

    fn unread(&mut self, statement: &Statement) {
        self.view.unread.push(Unread { what: statement.called(), spot: statement.spot.clone() });
    }

    fn block(&mut self, statements: &[Statement], mut place: Place) {
        let mut left = Vec::new();
        for statement in statements {
            if self.is_of_pool(statement, &mut place) {
                continue;
            }
            if !place.scope.take(statement, &self.names, &mut self.view) {
                left.push(statement);
            }
        }
        for statement in left {
            self.declaration(statement, &place);
        }
    }

    /// What says who shares ranges here, and whom a pool serves.
    fn is_of_pool(&mut self, statement: &Statement, place: &mut Place) -> bool {
        if statement.block.is_some() {
            return false;
        }
        if statement.is(&["no", "failover", "peer"]) || statement.is(&["no", "failover"]) {
            place.sharing = Sharing::Alone;
            return true;
        }
        if statement.is(&["failover", "peer"]) {
            self.reference(statement, place);
            return true;
        }
        let Some(permits) = &mut place.pool else { return false };
        let Some(word) = statement.words.first() else { return false };
        let (allows, denies) = (word.is("allow"), word.is("deny") || word.is("ignore"));
        if !allows && !denies {
            return false;
        }
        let what = statement.behind(1);
        if matches!(what, [dynamic, bootp, clients] if dynamic.is("dynamic") && bootp.is("bootp") && clients.is("clients"))
        {
            permits.serves_bootp = allows;
            return true;
        }
        let line: Vec<String> = statement.words.iter().map(shown).collect();
        permits.lines.push(Stated::at(line.join(" "), statement.spot.clone()));
        true
    }

    fn reference(&mut self, statement: &Statement, place: &mut Place) {
        let name = statement.behind(2).first().and_then(Token::name).unwrap_or_default();
        let found = self.view.relationships.iter().position(|relationship| relationship.name == name);
        if place.pool.is_none() && (place.network.is_none() || place.prefix.is_some()) {
            let message = "a failover peer is named in pools and shared networks only: dhcpd does not start";
            return self.view.fault(&statement.spot, message, "move it into the pools");
        }
        let Some(number) = found else {
            place.sharing = Sharing::Unknown;
            let message =
                format!("there is no failover peer \"{}\": dhcpd does not start", name.escape_debug());
            return self.view.fault(&statement.spot, message, "here");
        };
        self.referred[number] = true;
        place.sharing = Sharing::With(number);
    }

    fn declaration(&mut self, statement: &Statement, place: &Place) {
        let block = statement.block.as_deref();
        let first = statement.words.first();
        let is = |keyword: &str| first.is_some_and(|word| word.is(keyword));
        match block {
            Some(block) if is("subnet") => self.subnet(statement, block, place),
            Some(block) if is("shared-network") => {
                self.networks += 1;
                self.block(block, Place { network: Some(self.networks), ..place.clone() });
            }
            Some(block) if is("pool") => {
                let pool = Some(Permits { serves_bootp: true, lines: Vec::new() });
                let own = self.own_scope(block, &Scope::default());
                self.block(block, Place { pool, own, ..place.clone() });
            }
            Some(block) if is("group") => self.group(block, place),
            Some(block) if is("host") => self.host(statement, block, place),
            Some(_) if is_peer(statement) => {}
            None if is("range") => self.range(statement, place),
            None if is("omapi-port") => self.view.hears_commands = true,
            // Its definition was taken in before all else.
            None if statement.is(&["option"]) && self.names.define(statement.behind(1)) => {}
            _ => self.unread(statement),
        }
    }

    fn group(&mut self, block: &[Statement], place: &Place) {
        let group = self.own_scope(block, &place.group);
        self.block(block, Place { group, ..place.clone() });
    }

    /// What holds with the statements of a block. What is wrong with them is said when the block is read.
    fn own_scope(&self, block: &[Statement], outer: &Scope) -> Scope {
        let mut scope = outer.clone();
        let mut quiet = View::new(Kind::Dhcpd, &self.view.source);
        for statement in block {
            scope.take(statement, &self.names, &mut quiet);
        }
        scope
    }

    fn subnet(&mut self, statement: &Statement, block: &[Statement], place: &Place) {
        let parse = |token: &Token| token.word().and_then(|word| word.parse::<Ipv4Addr>().ok());
        let prefix = match statement.behind(1) {
            [address, netmask, mask] if netmask.is("netmask") => parse(address).zip(parse(mask)),
            _ => None,
        };
        let prefix = prefix.and_then(|(address, mask)| Ipv4Net::with_netmask(address, mask).ok());
        let Some(prefix) = prefix.filter(|prefix| prefix.addr() == prefix.network()) else {
            let message = "this is no subnet: write its first address and its netmask, as in `subnet 10.1.0.0 netmask \
                           255.255.0.0`";
            return self.view.fault(&statement.spot, message, "here");
        };
        let network = place.network.unwrap_or_else(|| {
            self.networks += 1;
            self.networks
        });
        let mut scope = place.scope.clone();
        // As dhcpd: a mask that is written wins over the subnet's.
        let mask = Stated::at(Some(prefix.netmask().octets().to_vec()), statement.spot.clone());
        scope.options.entry(code::SUBNET_MASK).or_insert(mask);
        let own = self.own_scope(block, &scope);
        self.view.subnets.push(Subnet { prefix, spot: statement.spot.clone(), network, terms: own.terms() });
        self.scopes.push(own);
        self.block(block, Place { scope, network: Some(network), prefix: Some(prefix), ..place.clone() });
    }

    fn range(&mut self, statement: &Statement, place: &Place) {
        let mut words = statement.behind(1);
        let mut bootp = false;
        if let [first, rest @ ..] = words
            && first.is("dynamic-bootp")
        {
            (words, bootp) = (rest, true);
        }
        let ends: Vec<Option<Ipv4Addr>> =
            words.iter().map(|token| token.word().and_then(|word| word.parse().ok())).collect();
        let (first, last) = match ends[..] {
            [Some(only)] => (only, only),
            [Some(one), Some(other)] => (one.min(other), one.max(other)),
            _ => {
                let message = "this is no range: write its first and its last address with a space between";
                return self.view.fault(&statement.value_spot(1), message, "here");
            }
        };
        if place.prefix.is_some_and(|prefix| !prefix.contains(&first) || !prefix.contains(&last)) {
            self.view.fault(&statement.spot, "the range is not in its subnet: dhcpd does not start", "here");
        }
        if bootp && place.sharing != Sharing::Alone {
            let message = "dynamic-bootp is not for ranges that are shared: dhcpd does not start";
            self.view.fault(&statement.spot, message, "remove the word");
        }
        let permits = place.pool.clone().unwrap_or(Permits { serves_bootp: true, lines: Vec::new() });
        if place.prefix.is_none() {
            self.beside.push((self.view.pools.len(), place.own.clone()));
        }
        self.view.pools.push(Pool {
            first,
            last,
            spot: statement.spot.clone(),
            sharing: place.sharing,
            serves_bootp: permits.serves_bootp,
            permits: permits.lines,
            terms: place.scope.terms(),
        });
    }

    /// A host with an address of its own; one without only makes a client known, and is not looked at.
    fn host(&mut self, statement: &Statement, block: &[Statement], place: &Place) {
        let mut scope = place.group.clone();
        scope.names_hosts = place.scope.names_hosts;
        let (mut clients, mut addresses) = (Vec::new(), Vec::new());
        for inner in block {
            let taken = if inner.is(&["hardware"]) {
                hardware(inner).map(|client| clients.push(client)).is_some()
            } else if inner.is(&["fixed-address"]) {
                addresses.extend(self.fixed(inner));
                true
            } else if let Some(identifier) = identifier(inner) {
                clients.push(Client::Identifier(identifier));
                true
            } else {
                scope.take(inner, &self.names, &mut self.view)
            };
            if !taken {
                let what = format!("{} (in a host)", inner.called());
                self.view.unread.push(Unread { what, spot: inner.spot.clone() });
            }
        }
        if addresses.is_empty() || clients.is_empty() {
            let what = "host without fixed-address, or without hardware".to_owned();
            return self.view.unread.push(Unread { what, spot: statement.spot.clone() });
        }
        let name = statement.behind(1).first().and_then(Token::name);
        if let (true, Some(name)) = (scope.names_hosts, name) {
            let stated = Stated::at(Some(name.into_bytes()), statement.spot.clone());
            scope.options.entry(code::HOST_NAME).or_insert(stated);
        }
        for (address, spot) in addresses {
            let (options, boot) = (scope.options.clone(), scope.boot.clone());
            self.view.reservations.push(Reservation {
                spot,
                clients: clients.clone(),
                address,
                options,
                boot,
            });
        }
    }

    /// The addresses of `fixed-address`; names are looked up by dhcpd when it starts, and not here.
    fn fixed(&mut self, statement: &Statement) -> Vec<(Ipv4Addr, Spot)> {
        let mut found = Vec::new();
        for token in statement.behind(1).iter().filter(|token| !token.is_mark(',')) {
            if let Some(Ok(address)) = token.word().map(str::parse) {
                found.push((address, token.spot.clone()));
            } else {
                let what = "fixed-address (a name)".to_owned();
                self.view.unread.push(Unread { what, spot: token.spot.clone() });
            }
        }
        found
    }
}

/// A word as it was written.
fn shown(token: &Token) -> String {
    match token.word() {
        Some(word) => word.to_ascii_lowercase(),
        None => token.name().map_or_else(String::new, |name| format!("\"{}\"", name.escape_debug())),
    }
}

/// `hardware ethernet 02:00:00:00:00:01`.
fn hardware(statement: &Statement) -> Option<Client> {
    let [kind, address] = statement.behind(1) else { return None };
    let htype = [("ethernet", HardwareAddress::ETHERNET), ("token-ring", 6), ("fddi", 8)]
        .into_iter()
        .find(|(name, _)| kind.is(name))
        .map(|(_, htype)| htype)?;
    let bytes = super::option::hexadecimal(address.word()?)?;
    HardwareAddress::new(htype, &bytes).map(Client::Hardware)
}

/// `option dhcp-client-identifier VALUE`, `uid VALUE`.
fn identifier(statement: &Statement) -> Option<Vec<u8>> {
    let value = if statement.is(&["option", "dhcp-client-identifier"]) {
        statement.behind(2)
    } else if statement.is(&["uid"]) {
        statement.behind(1)
    } else {
        return None;
    };
    bytes(value).ok().filter(|bytes| !bytes.is_empty())
}
