//! A run, one event after the other, as fast as somebody reads.
//!
//! *Lives here:* [`step`], and what may be said to it.
//! *May know:* what happened, as values.
//! *Must not know:* worlds; whether a person or a file says what comes next, but for the prompt.

use crate::history::{Happening, What};
use crate::report::Clocked;
use failover::state::FailoverState;
use std::collections::BTreeMap;
use std::io::{self, BufRead, Write};
use std::net::Ipv4Addr;

const HELP: &str =
    "Enter: the next event; a number: so many; /text: on until a line has it; s: servers and leases; q: end";

/// What comes next.
#[derive(Debug, PartialEq, Eq)]
enum Order {
    /// So many lines more.
    Next(usize),
    /// On, until a line has this.
    Until(String),
    /// How everybody is.
    Show,
    End,
    Help,
}

impl Order {
    fn read(line: &str) -> Order {
        let line = line.trim_end_matches(['\n', '\r']);
        match line.trim() {
            "" => Order::Next(1),
            "s" => Order::Show,
            "q" => Order::End,
            _ if line.len() > 1 && line.starts_with('/') => Order::Until(line[1..].to_owned()),
            number => number.parse().map_or(Order::Help, Order::Next),
        }
    }
}

/// How everybody is after some of what happened.
#[derive(Debug, Default)]
struct Now {
    at: u64,
    /// Of each server: what it is, and since when.
    servers: BTreeMap<usize, (Option<FailoverState>, &'static str, u64)>,
    /// What each client uses: since when, and until when.
    leases: BTreeMap<(Ipv4Addr, u8), (u64, u64)>,
}

impl Now {
    fn after(&mut self, one: &Happening) {
        self.at = one.at;
        match &one.what {
            What::Serves { server, .. } => {
                self.servers.insert(*server, (None, "serves", one.at));
            }
            What::State { server, state } => {
                self.servers.insert(*server, (Some(*state), "", one.at));
            }
            What::Ends { server, .. } => {
                self.servers.insert(*server, (None, "down", one.at));
            }
            What::Holds { client, address, until, .. } => {
                self.leases.entry((*address, *client)).or_insert((one.at, 0)).1 = *until;
            }
            What::LetsGo { client, address, .. } => {
                self.leases.remove(&(*address, *client));
            }
            _ => {}
        }
    }

    fn show(&self, out: &mut dyn Write) -> io::Result<()> {
        for (server, (state, word, since)) in &self.servers {
            let what = state.map_or(*word, FailoverState::name);
            writeln!(out, "  server {server}  {what:<28} since {}", Clocked(*since))?;
        }
        let in_use = self.leases.iter().filter(|(_, (_, until))| *until > self.at);
        let mut is_empty = true;
        for ((address, client), (since, until)) in in_use {
            let until =
                if *until == u64::MAX { "for ever".to_owned() } else { format!("until {}", Clocked(*until)) };
            writeln!(
                out,
                "  {:<15}  client {client:<3} since {} {until}",
                address.to_string(),
                Clocked(*since)
            )?;
            is_empty = false;
        }
        if is_empty {
            writeln!(out, "  no client uses an address")?;
        }
        Ok(())
    }
}

/// Goes through a history as `orders` says; `prompt` is written before each. At the end of either it is over; whether the
/// history was.
///
/// # Errors
/// When `orders` cannot be read, or `out` not be written to.
pub fn step(
    history: &[Happening],
    orders: &mut dyn BufRead,
    out: &mut dyn Write,
    prompt: &str,
) -> io::Result<bool> {
    let mut now = Now::default();
    let mut coming = history.iter().peekable();
    writeln!(out, "{HELP}")?;
    loop {
        // What nobody reads has happened before the next line is waited for.
        while let Some(one) = coming.next_if(|one| one.line().is_none()) {
            now.after(one);
        }
        if coming.peek().is_none() {
            return Ok(true);
        }
        write!(out, "{prompt}")?;
        out.flush()?;
        let mut line = String::new();
        if orders.read_line(&mut line)? == 0 {
            return Ok(false);
        }
        let (mut left, wanted) = match Order::read(&line) {
            Order::Next(number) => (number, None),
            Order::Until(text) => (usize::MAX, Some(text)),
            Order::Show => {
                now.show(out)?;
                continue;
            }
            Order::End => return Ok(false),
            Order::Help => {
                writeln!(out, "{HELP}")?;
                continue;
            }
        };
        while left > 0
            && let Some(one) = coming.next()
        {
            now.after(one);
            let Some(line) = one.line() else { continue };
            writeln!(out, "{line}")?;
            left -= 1;
            if wanted.as_ref().is_some_and(|text| line.contains(text.as_str())) {
                break;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_are_read() {
        let read = ["\n", "12\n", "/BNDUPD 10\r\n", "s\n", "q", "/\n", "x\n", "-1\n"].map(Order::read);
        let until = Order::Until("BNDUPD 10".to_owned());
        let rest = [Order::Show, Order::End, Order::Help, Order::Help, Order::Help];
        assert_eq!(read[..3], [Order::Next(1), Order::Next(12), until]);
        assert_eq!(read[3..], rest);
    }
}
