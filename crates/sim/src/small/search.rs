//! All that can happen, the shortest first.
//!
//! *Lives here:* [`search`]: breadth first over cloned worlds, up to a number of different ones; which moves are tried.
//! *Must not know:* what is right: checkers do.
//!
//! Worlds are large and there are many, so that only the way to each is kept: its parent and the move. To go on from the worlds
//! of one depth, the tree of ways is walked again from the root, which costs about as much as the last depth did. Chunks of
//! a depth are independent, so that threads share them; what they find is put together in order, and the result is the same
//! for any number of threads.

use super::moves::{Client, Move, Server};
use super::places::{Place, TICK};
use super::world::{Impossible, World};
use crate::checkers::Violation;
use crate::planted::Planted;
use std::collections::HashSet;
use std::fmt;

/// Worlds of a depth that one thread goes on from at a time.
const CHUNK: u32 = 256;

/// Chunks that are gone on from at a time.
const CHUNKS: u32 = 8;

/// How often each thing may happen on one way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Budget {
    /// Ticks of a few seconds.
    pub ticks: u8,
    /// Processes that end.
    pub crashes: u8,
    /// Connections that break.
    pub cuts: u8,
    /// Disks that are lost while their server is down.
    pub lost_disks: u8,
    /// Times that an operator says rightly that a partner is down.
    pub partner_downs: u8,
    /// Times that he says so of one that is alive.
    pub wrong_partner_downs: u8,
    /// Leases that are given back.
    pub releases: u8,
    /// Addresses that are found in use.
    pub declines: u8,
    /// Clients that restart and ask for their address.
    pub reboots: u8,
    /// Disks that take their time.
    pub stalls: u8,
    /// Old copies that are put in place.
    pub restores: u8,
    /// Times that an operator says rightly that a server may serve alone.
    pub serve_alones: u8,
}

/// How a search is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// How many different worlds to visit, in each place.
    pub states: usize,
    /// On how many threads.
    pub threads: usize,
    /// From each so-manieth world, see whether the two come together when nothing fails any more (L1, L2); 0 for none.
    pub come_together_every: u32,
    /// Bugs that are in.
    pub planted: Planted,
}

/// A violation, and the shortest way to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// What was found.
    pub violation: Violation,
    /// From a pair in NORMAL.
    pub moves: Vec<Move>,
}

/// What a search came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Different worlds.
    pub states: usize,
    /// Moves of the longest way from the place.
    pub depth: usize,
    /// There are no more within the budget.
    pub is_closed: bool,
    /// The first violation, if there was one.
    pub found: Option<Found>,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = if self.is_closed { "closed" } else { "cut off" };
        writeln!(f, "{} states, depth {}, {end}", self.states, self.depth)?;
        let Some(found) = &self.found else { return Ok(()) };
        writeln!(f, "{}", found.violation)?;
        let moves: Vec<String> = found.moves.iter().map(Move::to_string).collect();
        writeln!(f, "{} moves: {}", moves.len(), moves.join("; "))
    }
}

#[derive(Debug, Clone)]
struct State {
    world: World,
    left: Budget,
}

/// A world by the way to it.
#[derive(Debug, Clone, Copy)]
struct Node {
    parent: u32,
    /// `None` for the root.
    one: Option<Move>,
    children: (u32, u32),
    /// The first and last of those that descend from it at the depth that is gone on from.
    span: (u32, u32),
}

const NOBODY: (u32, u32) = (u32::MAX, 0);

/// What a thread found behind one chunk.
#[derive(Debug, Default)]
struct Behind {
    next: Vec<(u64, u32, Move)>,
    found: Option<(u32, Vec<Move>, Violation)>,
}

struct Search<'o> {
    options: &'o Options,
    place: &'o Place,
    root: State,
    nodes: Vec<Node>,
    seen: HashSet<u64>,
}

/// Visits worlds from one place until there are no more, enough were visited, or a checker finds a violation.
///
/// # Errors
/// When the place cannot be reached.
pub fn search(place: &Place, options: &Options) -> Result<Outcome, Impossible> {
    let mut root = State { world: World::paired(place.setup, options.planted)?, left: place.budget };
    for one in &place.moves {
        let made = root.world.apply(*one);
        if let Some(violation) = root.world.violation() {
            let found = Found { violation: violation.clone(), moves: place.moves.clone() };
            return Ok(Outcome { states: 1, depth: 0, is_closed: false, found: Some(found) });
        }
        // With a bug in, a way may not lead where it leads without.
        if options.planted == Planted::default() {
            made?;
        }
    }
    let seen = HashSet::from([root.hash()]);
    let node = Node { parent: 0, one: None, children: NOBODY, span: NOBODY };
    let mut search = Search { options, place, root, nodes: vec![node], seen };
    let (mut level, mut depth) = ((0, 1), 0);
    loop {
        let (found, is_whole) = search.go_on_from(level);
        let next = (level.1, search.count());
        let is_closed = next.0 == next.1 && is_whole;
        depth += usize::from(next.0 < next.1);
        if found.is_some() || is_closed || search.nodes.len() >= options.states {
            return Ok(Outcome { states: search.nodes.len(), depth, is_closed, found });
        }
        level = next;
    }
}

impl Search<'_> {
    fn count(&self) -> u32 {
        u32::try_from(self.nodes.len()).unwrap_or(u32::MAX)
    }

    /// Adds the worlds behind those of one depth; what was found, and whether all was looked at.
    fn go_on_from(&mut self, level: (u32, u32)) -> (Option<Found>, bool) {
        self.measure(level);
        let mut from = level.0;
        while from < level.1 {
            if self.nodes.len() >= self.options.states {
                return (None, false);
            }
            // As many at a time for any number of threads: what is seen twice, and where it ends, is the same then.
            let starts = (0..CHUNKS).map(|n| from + CHUNK * n).take_while(|start| *start < level.1);
            let chunks: Vec<(u32, u32)> = starts.map(|start| (start, level.1.min(start + CHUNK))).collect();
            from = chunks.last().map_or(level.1, |chunk| chunk.1);
            let behind = self.behind_all(&chunks);
            for behind in behind {
                self.add(&behind.next);
                if let Some((node, more, violation)) = behind.found {
                    let mut moves = self.way_to(node);
                    moves.extend(more);
                    return (Some(Found { violation, moves }), false);
                }
            }
        }
        (None, true)
    }

    /// What is behind each chunk, in order.
    fn behind_all(&self, chunks: &[(u32, u32)]) -> Vec<Behind> {
        let threads = self.options.threads.clamp(1, chunks.len().max(1));
        let mut behind: Vec<(usize, Behind)> = std::thread::scope(|scope| {
            let of = |first: usize| {
                let own = chunks.iter().enumerate().skip(first).step_by(threads);
                own.map(|(number, chunk)| (number, self.behind(*chunk))).collect::<Vec<_>>()
            };
            let threads: Vec<_> = (0..threads).map(|first| scope.spawn(move || of(first))).collect();
            threads.into_iter().flat_map(|thread| thread.join().unwrap_or_default()).collect()
        });
        behind.sort_by_key(|(number, _)| *number);
        behind.into_iter().map(|(_, behind)| behind).collect()
    }

    fn add(&mut self, next: &[(u64, u32, Move)]) {
        for (hash, parent, one) in next {
            if self.seen.insert(*hash) {
                let number = self.count();
                self.nodes.push(Node { parent: *parent, one: Some(*one), children: NOBODY, span: NOBODY });
                let children = &mut self.nodes[*parent as usize].children;
                *children = (children.0.min(number), number + 1);
            }
        }
    }

    /// Notes at each node which worlds of this depth descend from it.
    fn measure(&mut self, level: (u32, u32)) {
        for (number, node) in (0..).zip(&mut self.nodes) {
            node.span = if number < level.0 { NOBODY } else { (number, number + 1) };
        }
        for number in (0..self.nodes.len()).rev() {
            let Node { one, span, parent, .. } = self.nodes[number];
            if one.is_some() {
                let above = &mut self.nodes[parent as usize].span;
                *above = (above.0.min(span.0), above.1.max(span.1));
            }
        }
    }

    fn way_to(&self, node: u32) -> Vec<Move> {
        let mut moves = Vec::new();
        let mut at = self.nodes[node as usize];
        while let Some(one) = at.one {
            moves.push(one);
            at = self.nodes[at.parent as usize];
        }
        moves.reverse();
        self.place.moves.iter().copied().chain(moves).collect()
    }

    fn behind(&self, chunk: (u32, u32)) -> Behind {
        let mut behind = Behind::default();
        self.walk(chunk, 0, &self.root, &mut behind);
        behind
    }

    /// Walks to the worlds of the chunk that descend from this one.
    fn walk(&self, chunk: (u32, u32), number: u32, state: &State, behind: &mut Behind) {
        let node = self.nodes[number as usize];
        if behind.found.is_some() || node.span.0 >= chunk.1 || node.span.1 <= chunk.0 {
            return;
        }
        if node.span == (number, number + 1) {
            self.try_all(number, state, behind);
            return;
        }
        for child in node.children.0..node.children.1 {
            let reached = self.nodes[child as usize];
            let span = reached.span;
            if let (Some(one), true) = (reached.one, span.0 < chunk.1 && span.1 > chunk.0) {
                let mut state = state.clone();
                state.make(one);
                self.walk(chunk, child, &state, behind);
            }
        }
    }

    /// Makes every move from one world.
    fn try_all(&self, number: u32, state: &State, behind: &mut Behind) {
        let every = self.options.come_together_every;
        if every > 0 && number.is_multiple_of(every) {
            let mut world = state.world.clone();
            world.come_together();
            if let Some(violation) = world.violation() {
                behind.found = Some((number, Vec::new(), violation.clone()));
                return;
            }
        }
        for one in state.moves() {
            let mut next = state.clone();
            next.make(one);
            if let Some(violation) = next.world.violation() {
                behind.found = Some((number, vec![one], violation.clone()));
                return;
            }
            let hash = next.hash();
            if !self.seen.contains(&hash) {
                behind.next.push((hash, number, one));
            }
        }
    }
}

impl State {
    fn hash(&self) -> u64 {
        use std::hash::{DefaultHasher, Hash, Hasher};
        let mut hasher = DefaultHasher::new();
        (self.left, self.world.essence()).hash(&mut hasher);
        hasher.finish()
    }

    fn make(&mut self, one: Move) {
        if let Some(left) = self.left.of(one, &self.world) {
            *left = left.saturating_sub(1);
        }
        // Only what can be made is tried.
        let _ = self.world.apply(one);
    }

    /// All that can happen now.
    fn moves(&self) -> Vec<Move> {
        let mut moves = vec![Move::Connect, Move::Cut];
        for server in Server::ALL {
            moves.extend([Move::Deliver(server), Move::Notice(server), Move::Restart(server)]);
            moves.extend([Move::Crash(server), Move::LoseDisk(server), Move::PartnerDown(server)]);
            moves.extend([Move::Stall(server), Move::Sync(server)]);
            if self.world.copy_is_old(server) {
                moves.push(Move::Restore(server));
            }
            if self.world.may_serve_alone(server) {
                moves.push(Move::ServeAlone(server));
            }
            for client in self.who() {
                let holds = self.world.held_by(client).is_some();
                moves.push(if holds { Move::Rebind(client, server) } else { Move::Lease(client, server) });
                moves.extend([Move::Release(client, server), Move::Decline(client, server)]);
                if !holds {
                    moves.push(Move::Reboot(client, server));
                }
            }
        }
        moves.push(Move::Pass(TICK));
        if let Some(server) = self.world.calm {
            // Whoever puts an old copy in place sees to it that the two meet first of all (README).
            moves.retain(|one| match one {
                Move::Connect | Move::Deliver(_) | Move::Notice(_) => true,
                Move::Restart(down) => *down == server,
                _ => false,
            });
        }
        let mut budget = self.left;
        moves.retain(|one| {
            budget.of(*one, &self.world).is_none_or(|left| *left > 0) && self.world.can(*one).is_ok()
        });
        moves
    }

    /// Those who have come already, and the next one: which of those that have not is the same.
    fn who(&self) -> impl Iterator<Item = Client> {
        let clients = &self.world.clients;
        let came = clients.iter().take_while(|person| person.transaction > 0).count();
        Client::ALL.into_iter().take(clients.len().min(came + 1))
    }
}

impl Budget {
    /// What is left for a move; `None` for one that may happen as often as it likes.
    fn of(&mut self, one: Move, world: &World) -> Option<&mut u8> {
        match one {
            Move::Pass(_) => Some(&mut self.ticks),
            Move::Crash(_) => Some(&mut self.crashes),
            Move::Cut => Some(&mut self.cuts),
            Move::LoseDisk(_) => Some(&mut self.lost_disks),
            Move::PartnerDown(server) if world.state(server.other()).is_none() => {
                Some(&mut self.partner_downs)
            }
            Move::PartnerDown(_) => Some(&mut self.wrong_partner_downs),
            Move::Release(..) => Some(&mut self.releases),
            Move::Decline(..) => Some(&mut self.declines),
            Move::Reboot(..) => Some(&mut self.reboots),
            Move::Stall(_) => Some(&mut self.stalls),
            Move::Restore(_) => Some(&mut self.restores),
            Move::ServeAlone(_) => Some(&mut self.serve_alones),
            _ => None,
        }
    }
}
