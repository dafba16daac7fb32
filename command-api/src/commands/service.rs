//! The way of a command: replay, load, decide, append; again when another command was faster.

use std::sync::Arc;

use cqrs_es::{Aggregate, event_sink::EventSink};
use marquee_domain::{
    Context, Movie, MovieCommand, MovieError, MovieEvent, MovieId, values::Title,
};
use marquee_infra::{
    clock,
    event_log::{
        Append, AppendError, Appended, EventLog, EventLogError, LoadedMovie, NewReceipt, Outcome,
        StoredResponse,
    },
};
use thiserror::Error;

use super::{CommandAnswer, CommandRequest, IngestError, NewIds};

/// How often a command is decided anew because another one changed the movie in between.
const MAX_ATTEMPTS: u32 = 8;

#[derive(Debug, Error)]
pub enum CommandError {
    #[error(transparent)]
    Refused(#[from] MovieError),
    #[error("If-Match does not accept version {actual}")]
    PreconditionFailed { actual: u64 },
    #[error(transparent)]
    Ingest(#[from] IngestError),
    #[error(transparent)]
    Load(#[from] EventLogError),
    #[error(transparent)]
    Append(#[from] AppendError),
}

/// How a command that was not refused ended.
#[derive(Debug)]
pub enum Done {
    Answered { answer: StoredResponse, replayed: bool },
    DryRun { events: Vec<MovieEvent>, movie: Box<Movie>, version: u64 },
}

/// Carries out commands on the event log.
#[derive(Debug, Clone)]
pub struct CommandService {
    log: EventLog,
}

impl CommandService {
    pub const fn new(log: EventLog) -> Self {
        Self { log }
    }

    /// The answer that was given to this very request before, if it was.
    pub async fn replay(&self, request: &CommandRequest) -> Result<Option<Done>, CommandError> {
        let Some((key, digest)) = &request.idempotency else { return Ok(None) };
        let stored = self.log.receipt(request.actor, key, digest).await?;
        Ok(stored.map(|answer| Done::Answered { answer, replayed: true }))
    }

    /// The movie, if it exists: asked before anything slow is done for a command.
    pub async fn expect_listed(&self, movie_id: MovieId) -> Result<LoadedMovie, CommandError> {
        let known = self.log.load(movie_id).await?;
        if known.movie.listed().is_some() {
            return Ok(known);
        }
        let loaded = self.log.reload(movie_id).await?;
        if loaded.movie.listed().is_none() {
            return Err(MovieError::NotFound.into());
        }
        Ok(loaded)
    }

    /// 409 when the title is taken: asked before anything slow is done for a new movie.
    pub async fn expect_title_free(
        &self,
        movie_id: MovieId,
        title: &Title,
    ) -> Result<(), CommandError> {
        Ok(self.log.expect_title_free(movie_id, title).await?)
    }

    /// Carries out `command`; `status` is the HTTP status that its success is answered with.
    pub async fn execute(
        &self,
        request: &CommandRequest,
        movie_id: MovieId,
        command: MovieCommand,
        ids: NewIds,
        status: u16,
    ) -> Result<Done, CommandError> {
        let ids = Arc::new(ids);
        let is_new = matches!(command, MovieCommand::Create(_));
        let mut conflict = AppendError::VersionConflict { actual: 0 };
        for attempt in 0..MAX_ATTEMPTS {
            let loaded = match (is_new, attempt) {
                (true, _) => LoadedMovie { movie: Arc::default(), version: 0 },
                (false, 0) => self.log.load(movie_id).await?,
                (false, _) => self.log.reload(movie_id).await?,
            };
            if !request.if_match.accepts(loaded.version) {
                // What is in memory may be behind another process: look before refusing.
                if attempt == 0 && !is_new {
                    continue;
                }
                return Err(CommandError::PreconditionFailed { actual: loaded.version });
            }
            let now = clock::now();
            let context = Context { now, actor: request.actor };
            let (movie, events) = match decide(&loaded.movie, command.clone(), &context).await {
                // The same: a refusal must not rest on a stale state.
                Err(_) if attempt == 0 && !is_new => continue,
                decided => decided?,
            };
            if request.dry_run {
                if let Some(listed) = movie.listed() {
                    self.log.expect_title_free(movie_id, &listed.title).await?;
                }
                let version = loaded.version + events.len() as u64;
                return Ok(Done::DryRun { events, movie: Box::new(movie), version });
            }
            let append = Append {
                movie_id,
                expected_version: loaded.version,
                events,
                metadata: request.metadata(),
                receipt: receipt(request, &ids, status),
                recorded_at: now,
            };
            match self.log.append(append).await {
                Ok(Outcome::Appended(appended)) => {
                    let answer = respond(status, &appended, &ids);
                    return Ok(Done::Answered { answer, replayed: false });
                }
                Ok(Outcome::Replayed(answer)) => {
                    return Ok(Done::Answered { answer, replayed: true });
                }
                Err(error @ AppendError::VersionConflict { .. }) => conflict = error,
                Err(error) => return Err(error.into()),
            }
        }
        Err(conflict.into())
    }
}

async fn decide(
    movie: &Movie,
    command: MovieCommand,
    context: &Context,
) -> Result<(Movie, Vec<MovieEvent>), MovieError> {
    let mut movie = movie.clone();
    let sink = EventSink::default();
    movie.handle(command, context, &sink).await?;
    Ok((movie, sink.collect().await))
}

fn receipt(request: &CommandRequest, ids: &Arc<NewIds>, status: u16) -> Option<NewReceipt> {
    let (key, request_sha256) = request.idempotency.clone()?;
    let ids = Arc::clone(ids);
    Some(NewReceipt {
        caller: request.actor,
        key,
        request_sha256,
        response: Arc::new(move |appended| respond(status, appended, &ids)),
    })
}

fn respond(status: u16, appended: &Appended, ids: &NewIds) -> StoredResponse {
    let answer = CommandAnswer::new(appended, ids);
    let body = serde_json::to_string(&answer).expect("ids and numbers always serialise");
    StoredResponse { status, body }
}
