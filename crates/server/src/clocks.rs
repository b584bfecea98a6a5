//! The clocks of this machine, as the engine's rule of time wants to see them.
//!
//! *Lives here:* [`Clocks`]: one reading of CLOCK_BOOTTIME, CLOCK_REALTIME and of the kernel's word on the latter;
//! the identity of this boot.
//! *Must not know:* what engine time is made of: that is `engine::clock`.

use crate::sys::clock::is_synchronised;
use engine::clock::{BootId, Reading};
use failover::time::{Interval, Time};
use nix::sys::time::TimeSpec;
use nix::time::{ClockId, clock_gettime};
use std::time::Duration;

/// How long the kernel's word is believed: asking costs more than both clocks.
const ASK_EVERY: Interval = Interval::from_seconds(1);

/// Reads the clocks.
#[derive(Debug, Default)]
pub(crate) struct Clocks {
    synchronised: bool,
    ask_at: Option<Interval>,
}

impl Clocks {
    /// One reading, and the wall clock at full resolution.
    pub(crate) fn read(&mut self) -> nix::Result<(Reading, Duration)> {
        let since_boot = since_boot()?;
        let wall = wall()?;
        if self.ask_at.is_none_or(|at| at <= since_boot) {
            self.synchronised = is_synchronised();
            self.ask_at = Some(since_boot.plus(ASK_EVERY));
        }
        let reading =
            Reading { since_boot, wall: Time::from_millis(millis(wall)), synchronised: self.synchronised };
        Ok((reading, wall))
    }
}

/// Whether the kernel of this host says that its wall clock is synchronised, for who looks at a host before a server starts.
pub fn clock_is_synchronised() -> bool {
    is_synchronised()
}

/// CLOCK_REALTIME.
pub(crate) fn wall() -> nix::Result<Duration> {
    Ok(Duration::from(clock_gettime(ClockId::CLOCK_REALTIME)?))
}

/// CLOCK_BOOTTIME.
pub(crate) fn since_boot() -> nix::Result<Interval> {
    let time: TimeSpec = clock_gettime(ClockId::CLOCK_BOOTTIME)?;
    Ok(Interval::from_millis(millis(Duration::from(time))))
}

/// Which boot this is. A host that does not say has a new one at every start: then wall time decides.
pub(crate) fn boot_id(otherwise: [u8; 16]) -> BootId {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    parse_boot_id(&text).unwrap_or(BootId(otherwise))
}

fn parse_boot_id(text: &str) -> Option<BootId> {
    let digits: String = text.trim().chars().filter(|character| *character != '-').collect();
    let value = u128::from_str_radix(&digits, 16).ok()?;
    (digits.len() == 32).then(|| BootId(value.to_be_bytes()))
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_boot_id_is_a_uuid_and_nothing_else() {
        let parsed = parse_boot_id("00112233-4455-6677-8899-aabbccddeeff\n");
        let expected: [u8; 16] = std::array::from_fn(|at| u8::try_from(at * 0x11).unwrap());
        assert_eq!(parsed, Some(BootId(expected)));
        assert_eq!(parse_boot_id(""), None);
        assert_eq!(parse_boot_id("0011"), None);
        assert_eq!(parse_boot_id("zz112233-4455-6677-8899-aabbccddeeff"), None);
    }

    #[test]
    fn clocks_go_on() {
        let mut clocks = Clocks::default();
        let (first, wall) = clocks.read().unwrap();
        assert_eq!(first.wall.as_millis(), millis(wall));
        std::thread::sleep(Duration::from_millis(5));
        let (second, _) = clocks.read().unwrap();
        assert!(second.since_boot > first.since_boot);
    }
}
