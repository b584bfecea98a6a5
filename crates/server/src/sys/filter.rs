//! *Lives here:* [`only_to_this_host`]: a classic BPF program on a socket.
//! *Must not know:* who reads the socket.
#![allow(unsafe_code, reason = "SO_ATTACH_FILTER has no safe wrapper")]

use crate::sys::receive::length_of;
use libc::{BPF_ABS, BPF_B, BPF_JEQ, BPF_JMP, BPF_K, BPF_LD, BPF_RET, sock_filter, sock_fprog};
use nix::errno::Errno;
use std::os::fd::{AsFd, AsRawFd};

/// Lets through only packets whose frame was for this host alone: no broadcasts, which other sockets hear too.
pub(crate) fn only_to_this_host(socket: &impl AsFd) -> nix::Result<()> {
    let packet_type = (libc::SKF_AD_OFF + libc::SKF_AD_PKTTYPE).cast_unsigned();
    let program = [
        instruction(BPF_LD | BPF_B | BPF_ABS, 0, packet_type),
        // Not PACKET_HOST: one instruction further.
        instruction(BPF_JMP | BPF_JEQ | BPF_K, 1, u32::from(libc::PACKET_HOST)),
        instruction(BPF_RET | BPF_K, 0, u32::MAX),
        instruction(BPF_RET | BPF_K, 0, 0),
    ];
    let length = u16::try_from(program.len()).unwrap_or(0);
    let program = sock_fprog { len: length, filter: program.as_ptr().cast_mut() };
    // SAFETY: `program` points to `length` instructions that live until after the call; the kernel copies and checks
    // them, and writes nothing.
    let result = unsafe {
        libc::setsockopt(
            socket.as_fd().as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_ATTACH_FILTER,
            (&raw const program).cast(),
            length_of::<sock_fprog>(),
        )
    };
    Errno::result(result).map(drop)
}

fn instruction(code: u32, otherwise: u8, operand: u32) -> sock_filter {
    sock_filter { code: u16::try_from(code).unwrap_or(0), jt: 0, jf: otherwise, k: operand }
}
