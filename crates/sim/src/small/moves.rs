//! What can happen in a small world.
//!
//! *Lives here:* [`Move`] and its writing.
//! *Must not know:* what follows from it.

use std::fmt;
use std::str::FromStr;

/// One of the two servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Server {
    /// The primary.
    P,
    /// The secondary.
    S,
}

/// A client. Which server answers it is left to whoever moves: it has waited long enough for both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Client {
    /// The first.
    C,
    /// The second.
    D,
    /// The third.
    E,
    /// The fourth.
    F,
}

impl Server {
    /// Both.
    pub const ALL: [Server; 2] = [Server::P, Server::S];

    pub(super) fn number(self) -> usize {
        self as usize
    }

    /// The other one.
    #[must_use]
    pub fn other(self) -> Server {
        match self {
            Server::P => Server::S,
            Server::S => Server::P,
        }
    }
}

impl Client {
    /// All.
    pub const ALL: [Client; 4] = [Client::C, Client::D, Client::E, Client::F];

    pub(super) fn number(self) -> usize {
        self as usize
    }
}

macro_rules! moves {
    ($($(#[$doc:meta])* $name:ident $(($($kind:ident),*))?,)*) => {
        /// Something that happens in an instant, but for [`Move::Pass`].
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Move {
            $($(#[$doc])* $name $(($($kind),*))?,)*
        }

        impl FromStr for Move {
            type Err = String;

            /// As `Debug` writes it.
            fn from_str(text: &str) -> Result<Move, String> {
                let (name, values) = text.trim().split_once('(').unwrap_or((text.trim(), ""));
                let mut values = values.trim_end_matches(')').split(',').map(str::trim);
                match name {
                    $(stringify!($name) => Ok(Move::$name $(($(read::<$kind>(text, values.next())?),*))?),)*
                    _ => Err(format!("there is no move {text:?}")),
                }
            }
        }
    };
}

moves! {
    /// Time goes on by so many seconds; what is due meanwhile is done.
    Pass(u32),
    /// The client discovers at the server, and hears the offer.
    Discover(Client, Server),
    /// It selects the offer of this server.
    Request(Client, Server),
    /// Both in one.
    Lease(Client, Server),
    /// It renews with this server, by unicast.
    Renew(Client, Server),
    /// It rebinds, and this server hears it.
    Rebind(Client, Server),
    /// It restarts, and asks this server for the address that it had last.
    Reboot(Client, Server),
    /// It gives its address back.
    Release(Client, Server),
    /// Somebody gives its address back in its name.
    Forge(Client, Server),
    /// It finds its address in use.
    Decline(Client, Server),
    /// It does not hear the next answer.
    Deafen(Client),
    /// The next thing on its way to this server arrives.
    Deliver(Server),
    /// All that is on its way arrives, and what is said because of it, until nothing is.
    Settle,
    /// The connection between the two breaks; what is on its way is lost. Nobody is told.
    Cut,
    /// The server learns that its partner is not at the other end any more.
    Notice(Server),
    /// A connection that was asked for comes about, with its handshake.
    Connect,
    /// From now on nothing gets stable on the disk of the server.
    Stall(Server),
    /// All that was written becomes stable.
    Sync(Server),
    /// The process ends, and what is not stable is lost.
    Crash(Server),
    /// It starts again from what is stable.
    Restart(Server),
    /// The disk of a server that is down is replaced by an empty one.
    LoseDisk(Server),
    /// What is stable is copied.
    Copy(Server),
    /// The disk of a server that is down is replaced by the copy.
    Restore(Server),
    /// The operator says that the partner of this server is down.
    PartnerDown(Server),
    /// The operator says that this server may go on alone.
    ServeAlone(Server),
    /// The operator says that the bindings of this server are lost.
    Recover(Server),
}

impl fmt::Display for Move {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

trait Value: Sized {
    fn read(text: &str) -> Option<Self>;
}

impl Value for u32 {
    fn read(text: &str) -> Option<u32> {
        text.parse().ok()
    }
}

impl Value for Server {
    fn read(text: &str) -> Option<Server> {
        Server::ALL.into_iter().find(|server| format!("{server:?}") == text)
    }
}

impl Value for Client {
    fn read(text: &str) -> Option<Client> {
        Client::ALL.into_iter().find(|client| format!("{client:?}") == text)
    }
}

fn read<V: Value>(of: &str, text: Option<&str>) -> Result<V, String> {
    text.and_then(V::read).ok_or_else(|| format!("{of:?} is no move"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_can_be_read() {
        for one in [Move::Pass(7), Move::Lease(Client::D, Server::S), Move::Cut, Move::Notice(Server::P)] {
            assert_eq!(one.to_string().parse(), Ok(one));
        }
        assert!("Lease(C)".parse::<Move>().is_err() && "Fly".parse::<Move>().is_err());
    }
}
