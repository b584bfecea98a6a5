//! Where scripts have been: edges and cells of figure 9.2-1, cells of figure 7.1.3-1.

use failover::binding::BindingStatus;
use failover::state::{FailoverState, Role};
use std::collections::BTreeSet;

#[derive(Debug, Default)]
pub struct Visited {
    /// What is played is the beginning of another script, and was looked at where it stands.
    pub is_beginning: bool,
    /// From one state to another.
    pub edges: BTreeSet<(FailoverState, FailoverState)>,
    /// A server in this role and state heard STATE of a partner in that state.
    pub cells: BTreeSet<(Role, FailoverState, FailoverState)>,
    /// A server in STARTUP, with this stored state, heard STATE of a partner in that state.
    pub starts: BTreeSet<(FailoverState, FailoverState)>,
    /// Our status, the received one, and the reject-reason, if there was one.
    pub judged: BTreeSet<(BindingStatus, BindingStatus, Option<u8>)>,
}
