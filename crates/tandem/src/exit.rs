//! How a command ends.
//!
//! *Lives here:* [`Code`], [`Stop`].
//! *Must not know:* which command it was.

use std::process::ExitCode;

/// Exit codes, for scripts. 2 is clap's own too, for arguments that make no sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Code {
    /// All went well.
    Ok = 0,
    /// The configuration has errors, or cannot be read.
    Configuration = 1,
    /// The command line makes no sense to the server: there is no such relationship.
    Usage = 2,
    /// The server cannot be reached, or does not answer.
    Unreachable = 3,
    /// The server says that it is unhealthy.
    Unhealthy = 4,
    /// Something else failed.
    Failed = 5,
    /// The server refuses the command in its state.
    Refused = 6,
    /// A relationship is not in NORMAL.
    NotNormal = 7,
}

impl From<Code> for ExitCode {
    fn from(code: Code) -> ExitCode {
        ExitCode::from(code as u8)
    }
}

/// Why a command ends early.
#[derive(Debug)]
pub(crate) enum Stop {
    /// With a text for people.
    Because(Code, String),
    /// Nobody reads what is printed any more (`tandem leases | head`): no error.
    NobodyReads,
}

impl Stop {
    /// Tells people, and gives the exit code.
    pub(crate) fn tell(self) -> ExitCode {
        match self {
            Stop::Because(code, text) => {
                eprintln!("{text}");
                code.into()
            }
            Stop::NobodyReads => Code::Ok.into(),
        }
    }
}

impl From<std::io::Error> for Stop {
    /// An error of standard output.
    fn from(error: std::io::Error) -> Stop {
        if error.kind() == std::io::ErrorKind::BrokenPipe {
            return Stop::NobodyReads;
        }
        Stop::Because(Code::Failed, format!("error: the output cannot be written: {error}"))
    }
}
