//! The thread that takes questions.
//!
//! *Lives here:* [`start`], [`ControlHandle`]: the only place with a runtime of its own, and nothing of it leaves the thread.
//! *Must not know:* what is asked.

use super::routes::{MAX_REQUESTS, router};
use super::socket::{Claim, ControlError, claim};
use crate::handle::OwnerHandle;
use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::net::{UnixListener, UnixStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

/// Connections at once; more of them wait in the system's queue.
pub const MAX_CONNECTIONS: usize = 32;

/// Bytes of a request's head.
pub const MAX_HEAD: usize = 16 << 10;

/// How long a request's head may take to come.
pub const HEAD_WAIT: Duration = Duration::from_secs(5);

/// How long a connection lives: one that reads its answer no faster gives way to others.
pub const CONNECTION_WAIT: Duration = Duration::from_secs(30);

/// How long the end waits for connections that still have an answer to read.
const LAST_WORDS: Duration = Duration::from_millis(300);

/// Questions are taken until this is dropped.
#[derive(Debug)]
pub struct ControlHandle {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Takes questions at `path` (mode 0660) on a thread of its own, and asks `owner`. A socket that nobody listens on is replaced.
///
/// # Errors
/// When another server listens there, or the system refuses: the text says what to do.
pub fn start(path: &Path, owner: OwnerHandle) -> Result<ControlHandle, ControlError> {
    let failed = |what| {
        let path = path.to_owned();
        move |source| ControlError::Io { path, what, source }
    };
    let (listener, claim) = claim(path)?;
    let runtime = Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .max_blocking_threads(MAX_REQUESTS)
        .thread_name("control-wait")
        .build()
        .map_err(failed("make its runtime"))?;
    let listener = {
        let _guard = runtime.enter();
        UnixListener::from_std(listener).map_err(failed("poll it"))?
    };
    let (stop, stopped) = oneshot::channel();
    let router = router(owner);
    let thread = std::thread::Builder::new()
        .name("control".to_owned())
        .spawn(move || run(runtime, listener, router, stopped, claim))
        .map_err(failed("start its thread"))?;
    Ok(ControlHandle { stop: Some(stop), thread: Some(thread) })
}

impl Drop for ControlHandle {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // The thread may be gone already.
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Until the handle is dropped. Connections that are open then are cut in a moment; the name of the socket goes with `claim`.
fn run(
    runtime: Runtime,
    listener: UnixListener,
    router: Router,
    stopped: oneshot::Receiver<()>,
    claim: Claim,
) {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let accepting = runtime.spawn(accept(listener, router, Arc::clone(&places)));
    // An error means that the handle is gone without a word: the same.
    let _ = runtime.block_on(stopped);
    drop(claim);
    accepting.abort();
    // Who commanded the end reads that it is done.
    let all = u32::try_from(MAX_CONNECTIONS).unwrap_or(u32::MAX);
    let _ =
        runtime.block_on(async { tokio::time::timeout(LAST_WORDS, places.acquire_many(all)).await.is_ok() });
    // A thread that still waits for the owner does not keep the server from ending.
    runtime.shutdown_background();
}

async fn accept(listener: UnixListener, router: Router, places: Arc<Semaphore>) {
    // The semaphore is never closed.
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        match listener.accept().await {
            Ok((stream, _)) => drop(tokio::spawn(connection(stream, router.clone(), place))),
            // No descriptor is free, or the peer is gone already: neither is worth more than a moment.
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

async fn connection(stream: UnixStream, router: Router, place: OwnedSemaphorePermit) {
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WAIT)
        .max_buf_size(MAX_HEAD)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    // Who asked and went away is of no interest, and who speaks no HTTP was answered by hyper.
    let _ = tokio::time::timeout(CONNECTION_WAIT, served).await;
    drop(place);
}
