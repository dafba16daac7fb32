//! Telling of tokens that were denied or revoked: soon, and if it can be.
//!
//! Nobody waits for it and nothing fails for it, so that neither an answer nor the edge's question takes
//! longer. What can't be told is counted and left out.

mod rows;
mod teller;

use std::{fmt, time::Duration};

use chrono::{DateTime, Utc};
use marquee_domain::{
    MovieId,
    stream_token::{Denial, Unplayable},
};
use marquee_infra::{clock, kafka::FactProducer};
use metrics::counter;
use moka::sync::Cache;
use sqlx::MySqlPool;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub use self::rows::STATEMENTS;
use self::teller::Teller;
use super::ViewerContext;

/// Of what waits to be told; more is left out.
const QUEUE: usize = 4_096;
/// Of tokens that are known to have been told of. One that is forgotten is told of again, under the
/// same id.
const MAX_TOLD: u64 = 100_000;
/// Longer than any token lives.
const TOLD_FOR: Duration = Duration::from_secs(600);
/// Of its pool.
pub const CONNECTIONS: u32 = 1;

/// Cheap to clone.
#[derive(Clone)]
pub struct Notices {
    queue: mpsc::Sender<Notice>,
    told: Cache<Uuid, ()>,
}

/// A token that is good, but for what became of its movie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Revoked {
    pub token_id: Uuid,
    pub movie_id: MovieId,
    pub reason: Unplayable,
}

enum Notice {
    Denied(Denial),
    Revoked(Revoked, DateTime<Utc>),
}

impl Notices {
    /// Starts it on the current tokio runtime. Works while MySQL and Kafka are down.
    pub fn start(
        pool: MySqlPool,
        producer: FactProducer,
        topic: String,
        stop: CancellationToken,
    ) -> Self {
        let (queue, receiver) = mpsc::channel(QUEUE);
        let told = Cache::builder().max_capacity(MAX_TOLD).time_to_live(TOLD_FOR).build();
        let teller = Teller { pool, producer, topic, told: told.clone() };
        tokio::spawn(stop.run_until_cancelled_owned(teller.run(receiver)));
        Self { queue, told }
    }

    /// A viewer asked for a movie that is there, and can't be played.
    pub fn denied(
        &self,
        movie_id: MovieId,
        viewer: &ViewerContext,
        reason: Unplayable,
        now: DateTime<Utc>,
    ) {
        let viewer_context = viewer.as_str().to_owned();
        self.offer(Notice::Denied(Denial {
            denial_id: clock::new_uuid(),
            movie_id,
            viewer_context,
            reason,
            denied_at: now,
        }));
    }

    /// A token was refused. Once for each: players ask again and again.
    pub fn revoked(&self, revoked: Revoked, now: DateTime<Utc>) {
        if self.told.entry(revoked.token_id).or_insert(()).is_fresh() {
            self.offer(Notice::Revoked(revoked, now));
        }
    }

    fn offer(&self, notice: Notice) {
        if let Err(full) = self.queue.try_send(notice) {
            full.into_inner().left_out(&self.told, "queue_full");
        }
    }
}

impl Notice {
    const fn name(&self) -> &'static str {
        match self {
            Self::Denied(_) => "StreamTokenDenied",
            Self::Revoked(..) => "StreamTokenRevoked",
        }
    }

    /// A token's next refusal tells of it.
    fn left_out(&self, told: &Cache<Uuid, ()>, reason: &'static str) {
        if let Self::Revoked(revoked, _) = self {
            told.invalidate(&revoked.token_id);
        }
        counter!("marquee_stream_token_notices_left_out_total", "type" => self.name(), "reason" => reason)
            .increment(1);
    }
}

impl fmt::Debug for Notices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Notices").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_full_queue_leaves_out_and_forgets_that_it_told() {
        let (queue, mut waiting) = mpsc::channel(1);
        let notices = Notices { queue, told: Cache::builder().build() };
        let revoked = |n| Revoked {
            token_id: Uuid::from_u128(n),
            movie_id: MovieId::new(Uuid::from_u128(7)),
            reason: Unplayable::Hidden,
        };
        let now = DateTime::from_timestamp_secs(1_775_074_500).unwrap();
        notices.revoked(revoked(1), now);
        notices.revoked(revoked(1), now);
        notices.revoked(revoked(2), now);
        let mut told = async || match waiting.recv().await {
            Some(Notice::Revoked(told, at)) => (told, at),
            _ => panic!("a revocation"),
        };
        assert_eq!(told().await, (revoked(1), now));
        let later = now + Duration::from_secs(1);
        notices.revoked(revoked(1), later);
        notices.revoked(revoked(2), later);
        assert_eq!(told().await, (revoked(2), later), "the first one was told of");
    }
}
