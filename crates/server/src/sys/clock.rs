//! *Lives here:* [`is_synchronised`].
//! *Must not know:* what time it is.
#![allow(unsafe_code, reason = "adjtimex has no safe wrapper")]

/// Whether the kernel says that CLOCK_REALTIME is synchronised (adjtimex(2)).
pub(crate) fn is_synchronised() -> bool {
    // SAFETY: all-zero bytes are a valid `timex`: it has integers only, and `modes` 0 asks without setting anything.
    let state = unsafe {
        let mut timex: libc::timex = std::mem::zeroed();
        libc::adjtimex(&raw mut timex)
    };
    state >= 0 && state != libc::TIME_ERROR
}
