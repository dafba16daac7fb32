//! The one task that writes. It takes all commands that are waiting and appends them together, so
//! that they share one lock, a handful of round trips and one fsync.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use sqlx::mysql::MySqlConnectOptions;
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::yield_now,
    time::sleep,
};
use tokio_util::sync::CancellationToken;

use super::{
    AppendError, AppendSettings, Cause, LoadedMovie, Outcome,
    cache::MovieCache,
    durability,
    error::connection_lost,
    metrics,
    prepared::Prepared,
    recent::RecentEvents,
    resolve::{Fate, resolve},
    session::{KEEP_ALIVE_INTERVAL, Session},
    settle::{Refusal, Settled},
    transaction,
};

/// How often a batch is tried when MySQL says that it may be, or that nothing happened.
const MAX_ATTEMPTS: u32 = 4;

/// How many batches look before they write, after one that hoped in vain.
const CAREFUL_BATCHES: u32 = 32;

/// How much of the last batch's time the next one may wait to become as large.
const GATHER_SHARE: u32 = 8;
const MAX_GATHER: Duration = Duration::from_millis(1);

pub(super) type Verdict = Result<Outcome, Refusal>;

/// A command on its way to the appender.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) command: Prepared,
    pub(super) reply: oneshot::Sender<Verdict>,
    pub(super) queued_at: Instant,
}

pub(super) struct Appender {
    pub(super) options: Arc<MySqlConnectOptions>,
    pub(super) settings: AppendSettings,
    pub(super) cache: MovieCache,
    pub(super) queue: mpsc::Receiver<Request>,
    pub(super) appended: watch::Sender<u64>,
    pub(super) recent: RecentEvents,
    pub(super) session: Option<Session>,
    pub(super) durability_checked: bool,
    /// How many more batches look before they write.
    pub(super) careful_batches: u32,
}

impl Appender {
    /// Runs until `shutdown`, or until nobody can send any more; what is waiting then is still done.
    pub(super) async fn run(mut self, shutdown: CancellationToken) {
        let mut held = None;
        let mut last = LastBatch::default();
        loop {
            let first = match held.take() {
                Some(request) => request,
                None => match self.next(&shutdown).await {
                    Some(request) => request,
                    None => return,
                },
            };
            let batch;
            (batch, held) = self.fill_batch(first, last).await;
            let (started, commands) = (Instant::now(), batch.len());
            self.append(batch).await;
            last = LastBatch { commands, took: started.elapsed() };
        }
    }

    /// The next command, however long it takes. After `shutdown` no new ones are let in, and when
    /// the last of those that wait is done there is none.
    async fn next(&mut self, shutdown: &CancellationToken) -> Option<Request> {
        loop {
            tokio::select! {
                request = self.queue.recv() => return request,
                () = shutdown.cancelled(), if !self.queue.is_closed() => self.queue.close(),
                () = sleep(KEEP_ALIVE_INTERVAL) => self.keep_alive().await,
            }
        }
    }

    /// Connects, if need be. The first connection tells whether MySQL is durable.
    pub(super) async fn connect(&mut self) -> Result<&mut Session, sqlx::Error> {
        let mut session = if let Some(session) = self.session.take() {
            session
        } else {
            // Whoever answers now may be another server, or one that was restored.
            self.cache.forget_all();
            Session::open(&self.options).await?
        };
        if !self.durability_checked {
            durability::check(session.connection()).await?;
            session.rollback().await?;
            self.durability_checked = true;
        }
        Ok(self.session.insert(session))
    }

    async fn keep_alive(&mut self) {
        if let Some(session) = &mut self.session
            && let Err(error) = session.ping().await
        {
            tracing::debug!(%error, "the idle connection is gone");
            self.session = None;
        }
    }

    /// `first` and whatever waits behind it, within the limits; and the one that did not fit.
    ///
    /// Those who were answered a moment ago are about to send their next command. Taking the first
    /// of them alone would make the others wait for a whole transaction more, so a batch that follows
    /// a large one is given a small share of the time that one took. A lone caller waits for nobody.
    async fn fill_batch(
        &mut self,
        first: Request,
        last: LastBatch,
    ) -> (Vec<Request>, Option<Request>) {
        metrics::queue_depth(self.queue.len());
        let gather_until = Instant::now() + (last.took / GATHER_SHARE).min(MAX_GATHER);
        let mut event_count = first.command.rows.len();
        let mut batch = vec![first];
        while batch.len() < self.settings.max_batch_commands {
            let Ok(request) = self.queue.try_recv() else {
                if batch.len() < last.commands && Instant::now() < gather_until {
                    // The timer's grain is too coarse for this.
                    yield_now().await;
                    continue;
                }
                break;
            };
            event_count += request.command.rows.len();
            if event_count > self.settings.max_batch_events {
                return (batch, Some(request));
            }
            batch.push(request);
        }
        (batch, None)
    }

    async fn append(&mut self, batch: Vec<Request>) {
        let started = Instant::now();
        let (mut commands, replies): (Vec<_>, Vec<_>) = batch
            .into_iter()
            .map(|request| (request.command, (request.reply, request.queued_at)))
            .unzip();
        let verdicts = match self.append_together(&mut commands).await {
            Ok(verdicts) => verdicts,
            // A statement that MySQL refuses concerns one of them: the others must not suffer.
            Err(AppendError::Internal(_)) if commands.len() > 1 => {
                self.append_one_by_one(&mut commands).await
            }
            Err(error) => fail_all(&error, commands.len()),
        };
        metrics::batch(commands.len(), started.elapsed());
        for (command, verdict) in commands.iter().zip(&verdicts) {
            self.remember(command, verdict);
        }
        let unavailable = verdicts.iter().find_map(|verdict| match verdict {
            Err(Refusal::Failed(error @ AppendError::Unavailable(_))) => Some(error.clone()),
            _ => None,
        });
        for (verdict, (reply, queued_at)) in verdicts.into_iter().zip(replies) {
            metrics::append(queued_at.elapsed(), &verdict);
            // Whoever asked may have gone; what was done is done.
            let _ = reply.send(verdict);
        }
        if let Some(error) = unavailable {
            self.refuse_waiting(&error);
        }
    }

    /// With MySQL away, those who wait behind would each wait for a connection that does not come.
    fn refuse_waiting(&mut self, error: &AppendError) {
        for _ in 0..self.queue.len() {
            let Ok(request) = self.queue.try_recv() else { return };
            let _ = request.reply.send(Err(Refusal::Failed(error.clone())));
        }
    }

    async fn append_one_by_one(&mut self, commands: &mut [Prepared]) -> Vec<Verdict> {
        let mut verdicts = Vec::with_capacity(commands.len());
        for command in commands {
            match self.append_together(std::slice::from_mut(command)).await {
                Ok(verdict) => verdicts.extend(verdict),
                Err(error) => verdicts.push(Err(Refusal::Failed(error))),
            }
        }
        verdicts
    }

    /// One transaction, tried again when MySQL asks for it or when nothing has happened yet.
    async fn append_together(
        &mut self,
        commands: &mut [Prepared],
    ) -> Result<Vec<Verdict>, AppendError> {
        let mut attempt = 1;
        loop {
            let error = match self.attempt(commands).await {
                Ok(settled) => {
                    self.announce(commands, &settled);
                    return Ok(settled.verdicts);
                }
                Err(Failure::Fatal(error)) => return Err(error),
                Err(Failure::NothingHappened(error)) => error,
                Err(Failure::Collided) => continue,
            };
            if attempt == MAX_ATTEMPTS {
                return Err(AppendError::Unavailable(error));
            }
            tracing::warn!(%error, attempt, "the append transaction is tried again");
            attempt += 1;
        }
    }

    /// Tells the relay.
    fn announce(&self, commands: &mut [Prepared], settled: &Settled) {
        let Some((_, first)) = settled.accepted.first() else { return };
        for (index, first_position) in &settled.accepted {
            self.recent.push(commands[*index].take_recorded(*first_position));
        }
        self.appended.send_replace(first + settled.event_count - 1);
    }

    async fn attempt(&mut self, commands: &mut [Prepared]) -> Result<Settled, Failure> {
        let hopeful =
            self.careful_batches == 0 && commands.iter().all(|command| !command.rows.is_empty());
        self.careful_batches = self.careful_batches.saturating_sub(1);
        let session = self
            .connect()
            .await
            .map_err(|error| Failure::Fatal(AppendError::Unavailable(Arc::new(error))))?;
        let written = if hopeful {
            transaction::write_hopefully(session, commands).await
        } else {
            transaction::write(session, commands).await.map(Some)
        };
        let settled = match written {
            Ok(Some(settled)) => settled,
            Ok(None) => {
                if session.rollback().await.is_err() {
                    self.session = None;
                }
                // Where one title is taken, more will be.
                self.careful_batches = CAREFUL_BATCHES;
                return Err(Failure::Collided);
            }
            Err(error) => return Err(self.abandon(error).await),
        };
        if settled.writes_nothing() {
            if session.rollback().await.is_err() {
                self.session = None;
            }
            return Ok(settled);
        }
        let committing = Instant::now();
        let committed = session.commit().await;
        metrics::step("commit", committing.elapsed());
        let Err(error) = committed else { return Ok(settled) };
        self.session = None;
        tracing::warn!(%error, "COMMIT was not answered: looking for what happened");
        match resolve(&self.options, commands, &settled).await {
            Fate::Committed => Ok(settled),
            Fate::NotCommitted => Err(Failure::NothingHappened(Arc::new(error))),
            Fate::Unknown => Err(Failure::Fatal(AppendError::OutcomeUnknown)),
        }
    }

    /// Ends a transaction that failed before its COMMIT.
    async fn abandon(&mut self, error: sqlx::Error) -> Failure {
        let lost = connection_lost(&error);
        let rolled_back = match &mut self.session {
            Some(session) if !lost => session.rollback().await.is_ok(),
            _ => false,
        };
        if !rolled_back {
            self.session = None;
        }
        if lost || wants_retry(&error) {
            Failure::NothingHappened(Arc::new(error))
        } else {
            Failure::Fatal(AppendError::Internal(Arc::new(error)))
        }
    }

    fn remember(&self, command: &Prepared, verdict: &Verdict) {
        match verdict {
            Ok(Outcome::Appended(appended)) => {
                let movie = Arc::clone(&appended.movie);
                self.cache.put(appended.movie_id, LoadedMovie { movie, version: appended.version });
            }
            Ok(Outcome::Replayed(_)) => {}
            // What was in memory misled its reader, or may do so.
            Err(_) => self.cache.forget(command.movie_id),
        }
    }
}

#[derive(Debug, Clone, Copy, Default)]
struct LastBatch {
    commands: usize,
    took: Duration,
}

enum Failure {
    /// Hope was not enough; the next attempt looks first.
    Collided,
    /// And it never will: it is safe to try again.
    NothingHappened(Cause),
    Fatal(AppendError),
}

/// Deadlock (1213) and lock wait time-out (1205).
fn wants_retry(error: &sqlx::Error) -> bool {
    error
        .as_database_error()
        .and_then(|error| error.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>())
        .is_some_and(|error| matches!(error.number(), 1205 | 1213))
}

fn fail_all(error: &AppendError, count: usize) -> Vec<Verdict> {
    (0..count).map(|_| Err(Refusal::Failed(error.clone()))).collect()
}
