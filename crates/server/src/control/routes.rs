//! The questions that may be asked over HTTP, and their limits.
//!
//! *Lives here:* [`router`]: `/v1/status`, `/v1/leases`, commands about an address under `/v1/leases/`, and about partners
//! under `/v1/failover/`.
//! *Must not know:* how the owner answers, sockets.

use super::json::{Commanded, Failure, Lease, Leases, Status, WasReset};
use super::{CommandAnswer, Question};
use crate::handle::{AskError, OwnerHandle};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use crossbeam_channel::{RecvTimeoutError, Sender, bounded};
use engine::{LeaseFilter, ResetRefusal};
use failover::binding::BindingStatus;
use failover::endpoint::{Command, Refusal};
use failover::time::Time;
use serde::Deserialize;
use std::net::Ipv4Addr;
use std::time::Duration;
use tower::limit::GlobalConcurrencyLimitLayer;
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::timeout::TimeoutLayer;

/// Requests that are worked on at once; more of them wait.
pub const MAX_REQUESTS: usize = 8;

/// Bytes of a request's body: no question has any.
pub const MAX_BODY: usize = 4096;

/// Bindings of one page at most.
pub const MAX_PAGE: usize = 1000;

/// Bindings of one page, when `limit` does not say.
pub const DEFAULT_PAGE: usize = 100;

/// How long the owner may take to answer.
pub const ANSWER_WAIT: Duration = Duration::from_secs(2);

/// How long a request may take altogether, with its wait for others.
pub const REQUEST_WAIT: Duration = Duration::from_secs(10);

/// Asks the owner, and waits for its answer on a thread that may block.
async fn ask<T: Send + 'static>(
    owner: &OwnerHandle,
    question: impl FnOnce(Sender<T>) -> Question,
) -> Result<T, Refused> {
    let (answer, answered) = bounded(1);
    owner.ask(question(answer))?;
    match tokio::task::spawn_blocking(move || answered.recv_timeout(ANSWER_WAIT)).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(RecvTimeoutError::Timeout)) => Err(Refused::NoAnswer),
        Ok(Err(RecvTimeoutError::Disconnected)) | Err(_) => Err(Refused::Ask(AskError::Stopping)),
    }
}

/// Why a question is not answered. The text says what to do.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error(transparent)]
    Ask(#[from] AskError),
    #[error(
        "the server did not answer within {} s: it is overloaded or stuck; look at its log and at the disk that holds \
         state-directory",
        ANSWER_WAIT.as_secs()
    )]
    NoAnswer,
    #[error("{0}")]
    Query(String),
    #[error("`{0}` is no binding-status: write one of {names}", names = BindingStatus::ALL.map(BindingStatus::name).join(", "))]
    NoStatus(String),
    #[error("a page has 1 to {MAX_PAGE} leases, not {0}: change `limit`")]
    Limit(usize),
    #[error(
        "the server did not say within {} s that the command is done and stable: it may be done yet, `tandem failover \
         status` or `tandem leases` shows it; look at the server's log and at the disk that holds state-directory",
        ANSWER_WAIT.as_secs()
    )]
    NotDone,
    #[error("{relationship}: refused: {why}")]
    Command { relationship: String, why: Refusal },
    #[error("{0}")]
    Reset(ResetRefusal),
    #[error("`{0}` is no IPv4 address: send /v1/leases/ADDRESS/reset")]
    NoAddress(String),
    #[error("{}", which(.0))]
    Which(Vec<String>),
    #[error("there is no command `{0}`: send one of {names}", names = COMMANDS.join(", "))]
    NoCommand(String),
    #[error("`{0}` is no time: write it like 2026-11-24T23:06:58Z")]
    NoTime(String),
    #[error("down-since is for `storage-lost` only: remove it")]
    NotDown,
    #[error(
        "there is nothing at this path: ask /v1/status or /v1/leases, or command by /v1/failover/COMMAND or \
         /v1/leases/ADDRESS/reset"
    )]
    NoPath,
    #[error("questions are asked by GET, commands are given by POST")]
    Method,
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let status = match self {
            Refused::Ask(_) | Refused::NoAnswer | Refused::NotDone => StatusCode::SERVICE_UNAVAILABLE,
            Refused::Query(_)
            | Refused::NoStatus(_)
            | Refused::Limit(_)
            | Refused::Which(_)
            | Refused::NoTime(_)
            | Refused::NoAddress(_)
            | Refused::NotDown => StatusCode::BAD_REQUEST,
            Refused::NoPath | Refused::NoCommand(_) | Refused::Reset(ResetRefusal::UnknownAddress(_)) => {
                StatusCode::NOT_FOUND
            }
            Refused::Command { .. } | Refused::Reset(_) => StatusCode::CONFLICT,
            Refused::Method => StatusCode::METHOD_NOT_ALLOWED,
        };
        (status, Json(Failure { error: self.to_string() })).into_response()
    }
}

/// All routes, with their limits around every one of them.
pub(super) fn router(owner: OwnerHandle) -> Router {
    Router::new()
        .route("/v1/status", get(status))
        .route("/v1/leases", get(leases))
        .route("/v1/leases/{address}/reset", post(reset))
        .route("/v1/failover/{command}", post(command))
        .fallback(async || Refused::NoPath)
        .method_not_allowed_fallback(async || Refused::Method)
        .layer(RequestBodyLimitLayer::new(MAX_BODY))
        .layer(GlobalConcurrencyLimitLayer::new(MAX_REQUESTS))
        .layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, REQUEST_WAIT))
        .with_state(owner)
}

async fn status(State(owner): State<OwnerHandle>) -> Result<Json<Status>, Refused> {
    let answer = ask(&owner, |answer| Question::Status { answer }).await?;
    Ok(Json(Status::from(&answer)))
}

/// What may stand behind `/v1/leases?`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct LeasesQuery {
    from: Option<Ipv4Addr>,
    limit: Option<usize>,
    status: Option<String>,
    unused: Option<bool>,
}

async fn leases(
    State(owner): State<OwnerHandle>,
    query: Result<Query<LeasesQuery>, QueryRejection>,
) -> Result<Json<Leases>, Refused> {
    let Query(query) = query.map_err(|rejection| Refused::Query(rejection.body_text()))?;
    let limit = query.limit.unwrap_or(DEFAULT_PAGE);
    if !(1..=MAX_PAGE).contains(&limit) {
        return Err(Refused::Limit(limit));
    }
    let status = query.status.map(|name| status_by_name(&name).ok_or(Refused::NoStatus(name))).transpose()?;
    let filter = LeaseFilter { from: query.from, status, unused: query.unused.unwrap_or(false) };
    let (page, next) = ask(&owner, |answer| Question::Leases { filter, limit, answer }).await?;
    Ok(Json(Leases { leases: page.iter().map(Lease::from).collect(), next }))
}

/// In any case of letters.
fn status_by_name(name: &str) -> Option<BindingStatus> {
    BindingStatus::ALL.into_iter().find(|status| status.name().eq_ignore_ascii_case(name))
}

/// What may stand behind `/v1/leases/ADDRESS/reset?`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct ResetQuery {
    leased: Option<bool>,
}

async fn reset(
    State(owner): State<OwnerHandle>,
    Path(address): Path<String>,
    query: Result<Query<ResetQuery>, QueryRejection>,
) -> Result<Json<WasReset>, Refused> {
    let Query(query) = query.map_err(|rejection| Refused::Query(rejection.body_text()))?;
    let address: Ipv4Addr = address.parse().map_err(|_| Refused::NoAddress(address))?;
    let leased = query.leased.unwrap_or(false);
    match ask(&owner, |answer| Question::Reset { address, leased, answer }).await {
        Ok(Ok(reset)) => Ok(Json(WasReset::of(address, &reset))),
        Ok(Err(why)) => Err(Refused::Reset(why)),
        Err(Refused::NoAnswer) => Err(Refused::NotDone),
        Err(other) => Err(other),
    }
}

/// The last part of the path of each command.
const COMMANDS: [&str; 7] =
    ["partner-down", "serve-alone", "storage-lost", "first-run", "resync", "pause", "shutdown"];

/// What may stand behind a command.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct CommandQuery {
    relationship: Option<String>,
    down_since: Option<String>,
}

async fn command(
    State(owner): State<OwnerHandle>,
    Path(name): Path<String>,
    query: Result<Query<CommandQuery>, QueryRejection>,
) -> Result<Json<Commanded>, Refused> {
    let Query(query) = query.map_err(|rejection| Refused::Query(rejection.body_text()))?;
    let down_since = query.down_since.map(time).transpose()?;
    let command = match name.as_str() {
        "partner-down" => Command::PartnerDown,
        "serve-alone" => Command::ServeAlone,
        "storage-lost" => Command::StorageLost { down_since },
        "first-run" => Command::FirstRun,
        "resync" => Command::Resync,
        "pause" => Command::Pause,
        "shutdown" => Command::Shutdown,
        _ => return Err(Refused::NoCommand(name)),
    };
    if down_since.is_some() && !matches!(command, Command::StorageLost { .. }) {
        return Err(Refused::NotDown);
    }
    let relationship = query.relationship;
    let asked = ask(&owner, |answer| Question::Command { relationship, command, answer }).await;
    match asked {
        Ok(CommandAnswer::Done { relationship, before, state }) => Ok(Json(Commanded {
            relationship_name: relationship,
            state_before: before.name().to_owned(),
            state: state.name().to_owned(),
        })),
        Ok(CommandAnswer::Refused { relationship, why }) => Err(Refused::Command { relationship, why }),
        Ok(CommandAnswer::Which(names)) => Err(Refused::Which(names)),
        Err(Refused::NoAnswer) => Err(Refused::NotDone),
        Err(other) => Err(other),
    }
}

fn time(written: String) -> Result<Time, Refused> {
    let seconds =
        written.parse::<jiff::Timestamp>().ok().and_then(|time| u64::try_from(time.as_second()).ok());
    seconds.map(Time::from_seconds).ok_or(Refused::NoTime(written))
}

fn which(names: &[String]) -> String {
    if names.is_empty() {
        return "this server shares no pool with a partner: its configuration has no [[failover]]".to_owned();
    }
    format!("which relationship is meant? Name one of {}", names.join(", "))
}
