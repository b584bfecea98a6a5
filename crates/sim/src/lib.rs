//! The real engine and the real store in a world that fails: virtual time, disks, networks and clients.
//!
//! *Lives here:* the world, its faults, and one checker for each invariant.
//! *May know:* the engine's and the store's public faces, DHCP messages.
//! *Must not know:* the server: no socket, no thread, no clock of this machine.
