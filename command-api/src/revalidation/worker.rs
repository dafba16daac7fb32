//! Does what the schedule says, a little at a time.

use std::time::Duration;

use chrono::TimeDelta;
use marquee_domain::{
    MovieError, MovieId, UserId,
    movie::{Trigger, decode},
};
use marquee_infra::{
    clock,
    event_log::{EventLogError, EventReader},
};
use tokio::{
    sync::watch,
    task::{JoinError, JoinHandle, JoinSet},
    time::sleep,
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::schedule::{Schedule, Target};
use crate::{
    commands::{
        CommandError, CommandRequest, CommandService, IfMatch, Ingest, NewIds, revalidate_caption,
        revalidate_source,
    },
    relay::{RelayStatus, Role},
};

/// Who the history names for these commands: no person.
const ACTOR: UserId = UserId::new(Uuid::nil());
/// How often the log and the schedule are looked at.
const PAUSE: Duration = Duration::from_secs(1);
/// When something is tried again that failed for no fault of its own.
const RETRY_AFTER: TimeDelta = TimeDelta::minutes(5);
const EVENTS_PER_READ: u32 = 1_000;

#[derive(Debug, Clone, Copy)]
pub struct RevalidationSettings {
    /// From one validation of a URL to the next.
    pub interval: TimeDelta,
    /// URLs probed at once.
    pub concurrency: usize,
}

/// The worker, running.
#[derive(Debug)]
pub struct Revalidation(JoinHandle<()>);

impl Revalidation {
    /// Works while `relay` says that this process leads.
    pub fn start(
        commands: CommandService,
        ingest: Ingest,
        reader: EventReader,
        relay: watch::Receiver<RelayStatus>,
        settings: RevalidationSettings,
        shutdown: CancellationToken,
    ) -> Self {
        let worker = Worker {
            commands,
            ingest,
            reader,
            relay,
            concurrency: settings.concurrency,
            schedule: Schedule::new(settings.interval),
            position: 0,
        };
        Self(tokio::spawn(async move {
            shutdown.run_until_cancelled(worker.run()).await;
        }))
    }

    pub async fn stopped(self) -> Result<(), JoinError> {
        self.0.await
    }
}

struct Worker {
    commands: CommandService,
    ingest: Ingest,
    reader: EventReader,
    relay: watch::Receiver<RelayStatus>,
    concurrency: usize,
    schedule: Schedule,
    /// The last event that the schedule knows.
    position: u64,
}

impl Worker {
    async fn run(mut self) {
        loop {
            if self.relay.borrow().role == Role::Leader {
                match self.follow_log().await {
                    Ok(()) => self.validate_due().await,
                    Err(error) => tracing::debug!(%error, "revalidation waits for the event log"),
                }
            }
            sleep(PAUSE).await;
        }
    }

    async fn follow_log(&mut self) -> Result<(), EventLogError> {
        loop {
            let events = self.reader.read_after(self.position, EVENTS_PER_READ).await?;
            let Some(last) = events.last() else { return Ok(()) };
            self.position = last.position;
            for event in &events {
                // One that cannot be read is the projector's to report; here it schedules nothing.
                if let Ok(payload) = decode(&event.event_type, event.payload.get()) {
                    self.schedule.apply(event.movie_id, &payload);
                }
            }
        }
    }

    async fn validate_due(&mut self) {
        let mut running = JoinSet::new();
        loop {
            while running.len() < self.concurrency
                && let Some((movie_id, target)) = self.schedule.next_due(clock::now())
            {
                let commands = self.commands.clone();
                let ingest = self.ingest.clone();
                running.spawn(async move {
                    (movie_id, target, validate(&commands, &ingest, movie_id, target).await)
                });
            }
            match running.join_next().await {
                None => return,
                Some(Ok((movie_id, target, outcome))) => self.settle(movie_id, target, outcome),
                // A panic is a bug; the target is looked at again after a restart.
                Some(Err(error)) => tracing::error!(%error, "a revalidation failed"),
            }
        }
    }

    fn settle(&mut self, movie_id: MovieId, target: Target, outcome: Result<(), CommandError>) {
        let now = clock::now();
        match outcome {
            Ok(()) => self.schedule.validated(movie_id, target, now),
            // Gone in the meantime: the log will say so.
            Err(CommandError::Refused(
                MovieError::NotFound
                | MovieError::StreamSourceNotFound(_)
                | MovieError::CaptionTrackNotFound(_),
            )) => {}
            Err(error) => {
                tracing::warn!(%movie_id, ?target, %error, "a revalidation will be tried again");
                self.schedule.postpone(movie_id, target, now + RETRY_AFTER);
            }
        }
    }
}

async fn validate(
    commands: &CommandService,
    ingest: &Ingest,
    movie_id: MovieId,
    target: Target,
) -> Result<(), CommandError> {
    let (name, command) = match target {
        Target::Source(id) => (
            "RevalidateStreamSource",
            revalidate_source(commands, ingest, movie_id, id, Trigger::Schedule).await?,
        ),
        Target::Caption(id) => (
            "RevalidateCaptionTrack",
            revalidate_caption(commands, ingest, movie_id, id, Trigger::Schedule).await?,
        ),
    };
    let request = CommandRequest {
        command: name,
        actor: ACTOR,
        request_id: clock::new_uuid().to_string(),
        traceparent: None,
        idempotency: None,
        if_match: IfMatch::Any,
        dry_run: false,
    };
    commands.execute(&request, movie_id, command, NewIds::default(), 200).await?;
    metrics::counter!("marquee_revalidations_total", "command" => name).increment(1);
    Ok(())
}
