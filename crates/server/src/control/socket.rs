//! The Unix socket on which questions are taken.
//!
//! *Lives here:* [`claim`], [`ControlError`].
//! *Must not know:* what is asked.

use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

/// Owner and group may ask and command; nobody else.
const MODE: u32 = 0o660;

/// Why questions cannot be taken. The text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// Another server answers there.
    #[error(
        "control socket {0}: another server is listening there: stop it, or give this one another control-socket"
    )]
    InUse(PathBuf),
    /// Something else has the name.
    #[error("control socket {0}: this is not a socket: remove it, or name another control-socket")]
    NotASocket(PathBuf),
    /// The system refuses.
    #[error("control socket {path}: cannot {what}: {source}")]
    Io {
        /// The socket.
        path: PathBuf,
        /// What was tried.
        what: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

/// A socket that is ours until it is dropped; then its name is removed, if it still is ours.
#[derive(Debug)]
pub(super) struct Claim {
    path: PathBuf,
    file: (u64, u64),
}

/// Listens at `path`. A socket that nobody listens on, left by a server that was killed, is replaced.
pub(super) fn claim(path: &Path) -> Result<(UnixListener, Claim), ControlError> {
    let failed = |what| {
        let path = path.to_owned();
        move |source| ControlError::Io { path, what, source }
    };
    match std::fs::symlink_metadata(path) {
        Ok(found) if !found.file_type().is_socket() => return Err(ControlError::NotASocket(path.to_owned())),
        Ok(_) => match UnixStream::connect(path) {
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                std::fs::remove_file(path).map_err(failed("remove the stale one"))?;
            }
            Err(error) => return Err(failed("ask who listens")(error)),
            Ok(_) => return Err(ControlError::InUse(path.to_owned())),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed("look at it")(error)),
    }
    let listener = UnixListener::bind(path).map_err(failed("listen"))?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(MODE)).map_err(failed("set its mode"))?;
    let made = std::fs::symlink_metadata(path).map_err(failed("look at it"))?;
    listener.set_nonblocking(true).map_err(failed("make it non-blocking"))?;
    Ok((listener, Claim { path: path.to_owned(), file: (made.dev(), made.ino()) }))
}

impl Drop for Claim {
    fn drop(&mut self) {
        let ours = std::fs::symlink_metadata(&self.path).is_ok_and(|now| (now.dev(), now.ino()) == self.file);
        if ours {
            // What cannot be removed is replaced at the next start.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("tandem-socket-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        folder
    }

    #[test]
    fn a_stale_socket_is_replaced_and_a_living_one_is_not() {
        let folder = folder("stale");
        let path = folder.join("control.sock");
        drop(UnixListener::bind(&path).unwrap());
        assert!(path.exists());
        let (listener, claim) = claim(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, MODE);
        assert!(matches!(super::claim(&path), Err(ControlError::InUse(_))));
        drop(claim);
        assert!(!path.exists());
        drop(listener);
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn what_is_not_ours_stays() {
        let folder = folder("other");
        let path = folder.join("control.sock");
        std::fs::write(&path, "precious").unwrap();
        assert!(matches!(claim(&path), Err(ControlError::NotASocket(_))));
        assert_eq!(std::fs::read(&path).unwrap(), b"precious");
        std::fs::remove_file(&path).unwrap();
        let (_listener, claim) = claim(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        let _other = UnixListener::bind(&path).unwrap();
        drop(claim);
        assert!(path.exists(), "the other's socket was removed");
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_path_that_cannot_be_says_why() {
        let missing = claim(Path::new("/nonexistent/control.sock")).unwrap_err();
        assert!(missing.to_string().starts_with("control socket /nonexistent/control.sock: cannot listen: "));
        let long = claim(Path::new(&format!("/tmp/{}", "x".repeat(120)))).unwrap_err();
        assert!(matches!(long, ControlError::Io { what: "listen", .. }), "{long}");
    }
}
