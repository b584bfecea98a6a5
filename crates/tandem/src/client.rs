//! Asks a running server.
//!
//! *Lives here:* [`Server`]: one question and its answer, over the control socket.
//! *Must not know:* what is printed.

use crate::args::ServerArguments;
use crate::exit::{Code, Stop};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::Request;
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::http::request;
use hyper_util::rt::TokioIo;
use server::control::json::Failure;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::net::UnixStream;
use tokio::runtime::{Builder, Runtime};

/// How long one answer may take; the server gives up earlier.
const WAIT: Duration = Duration::from_secs(15);

/// Bytes of one answer: a page of the largest leases has less.
const MAX_ANSWER: usize = 16 << 20;

/// A running server.
pub(crate) struct Server {
    socket: PathBuf,
    runtime: Runtime,
}

impl Server {
    /// Finds its control socket; nothing is asked yet.
    pub(crate) fn of(arguments: &ServerArguments) -> Result<Server, Stop> {
        let socket = match &arguments.socket {
            Some(socket) => socket.clone(),
            None => config::control_socket(&arguments.config).map_err(|report| {
                let text = format!(
                    "{}\n\nThe control socket is named there; `--socket PATH` names it without a configuration.",
                    report.render(false)
                );
                Stop::Because(Code::Configuration, text)
            })?,
        };
        let runtime = Builder::new_current_thread().enable_io().enable_time().build().map_err(|error| {
            Stop::Because(Code::Failed, format!("error: nothing can be asked from here: {error}"))
        })?;
        Ok(Server { socket, runtime })
    }

    /// The body of the answer.
    pub(crate) fn get(&self, uri: &str) -> Result<Bytes, Stop> {
        self.send(Request::get(uri))
    }

    /// Gives a command; the answer, read.
    pub(crate) fn command<T: serde::de::DeserializeOwned>(&self, uri: &str) -> Result<T, Stop> {
        self.read(&self.send(Request::post(uri))?)
    }

    fn send(&self, request: request::Builder) -> Result<Bytes, Stop> {
        let asked = self.runtime.block_on(async {
            tokio::time::timeout(WAIT, ask(&self.socket, request)).await.unwrap_or(Err(Unanswered::TooLate))
        });
        asked.map_err(|why| match why {
            // The server has understood, and says why not.
            Unanswered::Refused(409, text) => Stop::Because(Code::Refused, format!("error: {text}")),
            Unanswered::Refused(400 | 404, text) => Stop::Because(Code::Usage, format!("error: {text}")),
            why => Stop::Because(Code::Unreachable, self.explain(&why)),
        })
    }

    /// The answer, read.
    pub(crate) fn ask<T: serde::de::DeserializeOwned>(&self, uri: &str) -> Result<T, Stop> {
        self.read(&self.get(uri)?)
    }

    fn read<T: serde::de::DeserializeOwned>(&self, body: &Bytes) -> Result<T, Stop> {
        serde_json::from_slice(body).map_err(|error| {
            Stop::Because(Code::Unreachable, self.explain(&Unanswered::NotUnderstood(error)))
        })
    }

    fn explain(&self, why: &Unanswered) -> String {
        format!("error: {}: {why}", self.socket.display())
    }
}

/// Why there is no answer. The text says what to do.
#[derive(Debug, thiserror::Error)]
enum Unanswered {
    #[error(
        "there is no control socket: the server is not running, or waits for the clock at its start, or another configuration names its socket; start it with `tandem serve`, or name the socket by `-c` or `--socket`"
    )]
    NoSocket,
    #[error(
        "nobody listens on the control socket: the server has ended, not in an orderly way; its log says why, and `tandem serve` starts it again"
    )]
    NobodyListens,
    #[error(
        "you may not use the control socket: ask as root, or as a member of the group that the socket belongs to"
    )]
    NotAllowed,
    #[error("the control socket cannot be reached: {0}")]
    Connect(std::io::Error),
    #[error("the server did not answer within {} s: it is overloaded or stuck; its log may say why", WAIT.as_secs())]
    TooLate,
    #[error("the connection to the server broke: {0}; ask again")]
    Broken(hyper::Error),
    #[error("the answer is no answer: {0}; ask again")]
    Body(Box<dyn std::error::Error + Send + Sync>),
    #[error("the server refuses ({0}): {1}")]
    Refused(u16, String),
    #[error("the answer is not understood ({0}): is the server of another version than this command?")]
    NotUnderstood(serde_json::Error),
}

impl From<std::io::Error> for Unanswered {
    fn from(error: std::io::Error) -> Unanswered {
        match error.kind() {
            ErrorKind::NotFound => Unanswered::NoSocket,
            ErrorKind::ConnectionRefused => Unanswered::NobodyListens,
            ErrorKind::PermissionDenied => Unanswered::NotAllowed,
            _ => Unanswered::Connect(error),
        }
    }
}

/// One connection for one question.
async fn ask(socket: &Path, request: request::Builder) -> Result<Bytes, Unanswered> {
    let stream = UnixStream::connect(socket).await?;
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(Unanswered::Broken)?;
    // Its errors reach the request, too.
    drop(tokio::spawn(connection));
    let request = request.header("host", "tandem").body(Empty::<Bytes>::new());
    let request = request.map_err(|error| Unanswered::Body(error.into()))?;
    let response = sender.send_request(request).await.map_err(Unanswered::Broken)?;
    let status = response.status();
    let body = Limited::new(response.into_body(), MAX_ANSWER).collect().await.map_err(Unanswered::Body)?;
    let body = body.to_bytes();
    if status.is_success() {
        return Ok(body);
    }
    let text = serde_json::from_slice::<Failure>(&body)
        .map_or_else(|_| "it does not say why".to_owned(), |failure| failure.error);
    Err(Unanswered::Refused(status.as_u16(), text))
}
