//! What cqrs-es and mysql-es offer for read models: a view per movie, loaded, updated and stored for every command, or
//! for every event of a replay. The view is the movie itself, as Marquee's own row has it in its column `state`.

use std::{
    collections::{HashMap, hash_map::DefaultHasher},
    hash::{Hash, Hasher},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::ensure;
use cqrs_es::{
    EventEnvelope, Query, View,
    persist::{GenericQuery, QueryErrorHandler, QueryReplay},
};
use marquee_domain::{Movie, evolve};
use marquee_tests::{Marquee, database::Database};
use mysql_es::{MysqlEventRepository, MysqlViewRepository};
use serde::{Deserialize, Serialize};
use sqlx::{MySqlPool, mysql::MySqlPoolOptions};
use tokio::{task::JoinSet, time::timeout};

use super::super::{cpu::CpuWatch, machine::ServerProcesses, passes::Pass};

/// The table of mysql-es's `db/init.sql`, with its types.
const TABLE: &str = "CREATE TABLE movie_view (
    view_id varchar(255)                NOT NULL,
    version bigint CHECK (version >= 0) NOT NULL,
    payload json                        NOT NULL,
    CONSTRAINT movie_view_pk PRIMARY KEY (view_id)
)";
/// As many as the other benchmarks give mysql-es.
const CONNECTIONS: u32 = 32;
/// No side gets further than that in the time that it has.
const MAX_COMMANDS: u32 = 100_000;

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
struct MovieView(Movie);

impl View<Movie> for MovieView {
    fn update(&mut self, event: &EventEnvelope<Movie>) {
        evolve(&mut self.0, &event.payload);
    }
}

type MovieQuery = GenericQuery<MysqlViewRepository<MovieView, Movie>, MovieView, Movie>;

/// Commands of one event each, as their senders have them in memory.
pub type Commands = Vec<EventEnvelope<Movie>>;

/// How the views are brought up to date.
pub enum By {
    /// As cqrs-es does it: whoever sends a command waits until its view is written. Each movie's
    /// commands have the same sender.
    Commands { senders: u64, commands: Commands },
    /// As cqrs-es makes views anew: mysql-es streams all events, and each is applied on its own.
    Replay,
}

/// The log's first events.
pub async fn commands(marquee: &Marquee) -> anyhow::Result<Commands> {
    let rows: Vec<(String, i64, String)> = sqlx::query_as(
        "SELECT CONVERT(aggregate_id USING utf8mb4), CAST(sequence AS SIGNED), CAST(payload AS CHAR)
         FROM events ORDER BY position LIMIT ?",
    )
    .bind(MAX_COMMANDS)
    .fetch_all(&marquee.database.pool())
    .await?;
    let commands = rows.into_iter().map(|(aggregate_id, sequence, payload)| {
        Ok(EventEnvelope {
            aggregate_id,
            sequence: usize::try_from(sequence)?,
            payload: serde_json::from_str(&payload)?,
            metadata: HashMap::new(),
        })
    });
    commands.collect()
}

/// Views made from nothing, in Marquee's own database of Marquee's own events: its table is mysql-es's,
/// with two columns more. For so long at most, wherever they are then.
pub async fn measure(
    marquee: &Marquee,
    by: By,
    limit: Duration,
    servers: ServerProcesses,
) -> anyhow::Result<Pass> {
    let views = Views::create(&marquee.database).await?;
    let mut watched = servers.alone();
    watched.insert("process", std::process::id());
    let (watch, started) = (CpuWatch::start(&watched), Instant::now());
    // Whatever has not ended by then is cut off.
    let _ = timeout(limit, views.bring_up_to_date(by)).await;
    let (seconds, cpu) = (started.elapsed().as_secs_f64(), watch.stop());
    ensure!(!views.failed.load(Ordering::Relaxed), "mysql-es reported an error");
    let events = marquee.database.number("SELECT COALESCE(SUM(version), 0) FROM movie_view").await;
    Ok(Pass { events, seconds, peak_memory_mib: None, cpu })
}

struct Views {
    pool: MySqlPool,
    failed: Arc<AtomicBool>,
}

impl Views {
    async fn create(database: &Database) -> anyhow::Result<Self> {
        let options = MySqlPoolOptions::new().max_connections(CONNECTIONS);
        let pool = options.connect(&database.url()).await?;
        sqlx::query("DROP TABLE IF EXISTS movie_view").execute(&pool).await?;
        sqlx::query(TABLE).execute(&pool).await?;
        Ok(Self { pool, failed: Arc::default() })
    }

    async fn bring_up_to_date(&self, by: By) {
        match by {
            By::Commands { senders, commands } => {
                let query = Arc::new(self.query());
                let mut sending = JoinSet::new();
                for commands in shared_out(commands, senders) {
                    sending.spawn(send(Arc::clone(&query), commands));
                }
                sending.join_all().await;
            }
            By::Replay => {
                let events = MysqlEventRepository::new(self.pool.clone());
                let mut replay = QueryReplay::new(events, self.query());
                replay.use_error_handler(self.error_handler());
                if replay.replay_all().await.is_err() {
                    self.failed.store(true, Ordering::Relaxed);
                }
            }
        }
    }

    fn query(&self) -> MovieQuery {
        let views = MysqlViewRepository::new("movie_view", self.pool.clone());
        let mut query = MovieQuery::new(Arc::new(views));
        query.use_error_handler(self.error_handler());
        query
    }

    fn error_handler(&self) -> Box<QueryErrorHandler> {
        let failed = Arc::clone(&self.failed);
        Box::new(move |error| {
            eprintln!("mysql-es: {error}");
            failed.store(true, Ordering::Relaxed);
        })
    }
}

async fn send(query: Arc<MovieQuery>, commands: Commands) {
    for event in commands {
        let movie_id = event.aggregate_id.clone();
        query.dispatch(&movie_id, &[event]).await;
    }
}

fn shared_out(commands: Commands, senders: u64) -> Vec<Commands> {
    let mut shares: Vec<Commands> = (0..senders).map(|_| Vec::new()).collect();
    for event in commands {
        let mut hasher = DefaultHasher::new();
        event.aggregate_id.hash(&mut hasher);
        let share = usize::try_from(hasher.finish() % senders).unwrap_or(0);
        shares[share].push(event);
    }
    shares
}
