//! What holds at a place of `dhcpd.conf`, with all that is inherited.
//!
//! *Lives here:* [`Scope`], and the statements that change it: lease times, options, where clients boot from, who is refused.
//! *Must not know:* declarations: subnets, pools, hosts.

use super::option::{Definitions, NoValue, is_definition, number, value};
use super::statement::Statement;
use crate::pair::place::Stated;
use crate::pair::view::{Options, Terms, View};
use failover::time::Interval;
use std::collections::BTreeMap;

/// What dhcpd does where nothing is said (dhcpd.conf(5)).
const LEASE: Interval = Interval::from_seconds(43_200);
const MAXIMUM: Interval = Interval::from_seconds(86_400);
const MINIMUM: Interval = Interval::from_seconds(300);

/// Options that are times of a lease, and have a field of their own.
const SERVER_IDENTIFIER: u8 = 54;
const RENEWAL_TIME: u8 = 58;
const REBINDING_TIME: u8 = 59;

/// What holds at a place.
#[derive(Debug, Clone, Default)]
pub(super) struct Scope {
    lease: Option<Stated<Interval>>,
    minimum: Option<Stated<Interval>>,
    maximum: Option<Stated<Interval>>,
    renewal: Option<Stated<Interval>>,
    rebinding: Option<Stated<Interval>>,
    authoritative: Option<Stated<bool>>,
    refuses: BTreeMap<String, Stated<bool>>,
    pub(super) options: Options,
    pub(super) boot: BTreeMap<&'static str, Stated<String>>,
    /// `use-host-decl-names`: the name of a declaration is the name of the host.
    pub(super) names_hosts: bool,
}

impl Scope {
    /// With all defaults.
    pub(super) fn terms(&self) -> Terms {
        let or = |stated: &Option<Stated<Interval>>, default| {
            stated.clone().unwrap_or(Stated::by_default(default))
        };
        let maximum = or(&self.maximum, MAXIMUM);
        let minimum = or(&self.minimum, MINIMUM.min(maximum.value));
        // Who has no wish gets no more than who wishes most.
        let lease = or(&self.lease, LEASE);
        let lease = if maximum.value < lease.value { maximum.clone() } else { lease };
        Terms {
            lease,
            minimum,
            maximum,
            renewal: self.renewal.clone(),
            rebinding: self.rebinding.clone(),
            options: self.options.clone(),
            boot: self.boot.clone(),
            authoritative: self.authoritative.clone().unwrap_or(Stated::by_default(false)),
            refuses: self.refuses.clone(),
        }
    }

    /// This, with what `own` says in place of the same.
    pub(super) fn with(&self, own: &Scope) -> Scope {
        let or = |own: &Option<Stated<Interval>>, outer: &Option<Stated<Interval>>| {
            own.as_ref().or(outer.as_ref()).cloned()
        };
        let mut merged = self.clone();
        merged.lease = or(&own.lease, &self.lease);
        merged.minimum = or(&own.minimum, &self.minimum);
        merged.maximum = or(&own.maximum, &self.maximum);
        merged.renewal = or(&own.renewal, &self.renewal);
        merged.rebinding = or(&own.rebinding, &self.rebinding);
        set(&mut merged.authoritative, own.authoritative.clone());
        merged.refuses.extend(own.refuses.clone());
        merged.options.extend(own.options.clone());
        merged.boot.extend(own.boot.clone());
        merged.names_hosts |= own.names_hosts;
        merged
    }

    /// Takes a statement in that changes what holds; whether it was one.
    pub(super) fn take(&mut self, statement: &Statement, names: &Definitions, view: &mut View) -> bool {
        let Some(keyword) = statement.words.first().and_then(|word| word.word()) else { return false };
        if statement.block.is_some() {
            return false;
        }
        match keyword.to_ascii_lowercase().as_str() {
            "default-lease-time" => set(&mut self.lease, seconds(statement, view)),
            "max-lease-time" => set(&mut self.maximum, seconds(statement, view)),
            "min-lease-time" => set(&mut self.minimum, seconds(statement, view)),
            "authoritative" => set(&mut self.authoritative, Some(Stated::at(true, statement.spot.clone()))),
            "not" if statement.is(&["not", "authoritative"]) => {
                set(&mut self.authoritative, Some(Stated::at(false, statement.spot.clone())));
            }
            "next-server" => self.boot("next-server", statement),
            "filename" => self.boot("boot-file", statement),
            "server-name" => self.boot("server-name", statement),
            "use-host-decl-names" => match statement.behind(1) {
                [word] if word.is("on") || word.is("true") => self.names_hosts = true,
                [word] if word.is("off") || word.is("false") => self.names_hosts = false,
                _ => return false,
            },
            "allow" | "deny" | "ignore" => return self.permit(keyword, statement),
            "option" => return self.option(statement, names, view),
            _ => return false,
        }
        true
    }

    fn boot(&mut self, field: &'static str, statement: &Statement) {
        if let [value] = statement.behind(1) {
            let name = value.name().unwrap_or_default();
            self.boot.insert(field, Stated::at(name, statement.value_spot(1)));
        }
    }

    fn permit(&mut self, keyword: &str, statement: &Statement) -> bool {
        let [what] = statement.behind(1) else { return false };
        let known = ["unknown-clients", "booting", "bootp", "declines", "duplicates"];
        let Some(what) = known.into_iter().find(|known| what.is(known)) else { return false };
        let refuses = !keyword.eq_ignore_ascii_case("allow");
        self.refuses.insert(what.to_owned(), Stated::at(refuses, statement.spot.clone()));
        true
    }

    fn option(&mut self, statement: &Statement, names: &Definitions, view: &mut View) -> bool {
        let Some(name) = statement.behind(1).first().and_then(|word| word.word()) else { return false };
        let Some((code, format)) = names.find(name).filter(|_| !is_definition(statement.behind(1))) else {
            return false;
        };
        let spot = statement.value_spot(2);
        match value(format, statement.behind(2)) {
            Ok(bytes) if matches!(code, RENEWAL_TIME | REBINDING_TIME) => {
                let seconds = bytes.try_into().map_or(0, u32::from_be_bytes);
                let stated = Stated::at(interval(u64::from(seconds)), spot);
                let field = if code == RENEWAL_TIME { &mut self.renewal } else { &mut self.rebinding };
                set(field, Some(stated));
            }
            // Each server has its own.
            Ok(_) if code == SERVER_IDENTIFIER => return false,
            Ok(bytes) => {
                self.options.insert(code, Stated::at(Some(bytes), spot));
            }
            Err(NoValue::NotLookedAt) => {
                self.options.insert(code, Stated::at(None, spot));
                return false;
            }
            Err(NoValue::Wrong(why)) => {
                view.fault(&spot, format!("option {}: {why}", name.escape_debug()), "here");
            }
        }
        true
    }
}

fn set<T>(field: &mut Option<T>, value: Option<T>) {
    if value.is_some() {
        *field = value;
    }
}

/// 4,294,967,295 s are for ever (RFC 2131 3.3).
pub(super) fn interval(seconds: u64) -> Interval {
    if seconds >= u64::from(u32::MAX) { Interval::INFINITE } else { Interval::from_seconds(seconds) }
}

/// The one number of a statement, with its place; what is none is a fault.
pub(super) fn number_of(
    statement: &Statement,
    words: usize,
    what: &str,
    view: &mut View,
) -> Option<Stated<u64>> {
    let spot = statement.value_spot(words);
    let value = match statement.behind(words) {
        [value] => value.word().and_then(number),
        _ => None,
    };
    if value.is_none() {
        let message = format!("this wants {what}, and a semicolon behind it");
        view.fault(&spot, message, "here");
    }
    value.map(|value| Stated::at(value, spot))
}

fn seconds(statement: &Statement, view: &mut View) -> Option<Stated<Interval>> {
    if matches!(statement.behind(1), [word] if word.is("infinite")) {
        return Some(Stated::at(Interval::INFINITE, statement.value_spot(1)));
    }
    let stated = number_of(statement, 1, "a number of seconds", view)?;
    Some(Stated { value: interval(stated.value), spot: stated.spot })
}
