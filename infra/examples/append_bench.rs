//! Appends per second and their latency, beside plain cqrs-es with mysql-es on the same server.
//!
//! `DATABASE_URL=... cargo run --release -p marquee-infra --example append_bench [seconds] [callers,...]`
//!
//! Every append creates a movie with a title of its own. Ours also keeps titles and slugs unique and
//! positions without a gap; mysql-es does what `CqrsFramework::execute` does: load, decide, insert.
//! Both use the same server with the settings it has; a database is made for the run and dropped.

use std::{
    collections::HashMap,
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use chrono::TimeDelta;
use cqrs_es::{CqrsFramework, persist::PersistedEventStore};
use marquee_domain::{
    Context, Movie, MovieCommand, MovieId, UserId, decide,
    movie::CreateMovie,
    values::{
        AvailabilityWindow, DurationMinutes, Genres, PosterUrl, Slug, Synopsis, Title, Visibility,
    },
};
use marquee_infra::{
    clock::{new_uuid, now},
    event_log::{Append, AppendSettings, EventLog, IdempotencyKey, NewReceipt, StoredResponse},
    mysql,
};
use mysql_es::MysqlEventRepository;
use sqlx::{Executor, MySqlPool, mysql::MySqlPoolOptions};
use tokio_util::sync::CancellationToken;
use url::Url;

const WARM_UP: Duration = Duration::from_secs(1);

static TITLES: AtomicU64 = AtomicU64::new(0);

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let seconds = arguments.next().map_or(Ok(4), |text| text.parse())?;
    let callers = arguments.next().unwrap_or_else(|| "1,8,64,256".to_owned());
    let callers: Vec<usize> = callers.split(',').map(str::parse).collect::<Result<_, _>>()?;
    #[expect(clippy::disallowed_methods, reason = "a tool's own setting")]
    let mut url: Url = std::env::var("DATABASE_URL")?.parse()?;
    let admin = MySqlPool::connect(url.as_str()).await?;
    let name = format!("marquee_bench_{}", new_uuid().simple());
    admin.execute(format!("CREATE DATABASE {name}").as_str()).await?;
    url.set_path(&name);

    let result = compare(&url, &callers, Duration::from_secs(seconds)).await;
    admin.execute(format!("DROP DATABASE {name}").as_str()).await?;
    result
}

async fn compare(
    url: &Url,
    callers: &[usize],
    duration: Duration,
) -> Result<(), Box<dyn std::error::Error>> {
    let pool = mysql::connect_lazy(&url.as_str().into(), 16)?;
    mysql::migrate(&pool).await?;
    pool.execute(
        "CREATE TABLE plain_events (
             aggregate_type VARCHAR(255) NOT NULL, aggregate_id VARCHAR(255) NOT NULL,
             sequence BIGINT CHECK (sequence >= 0) NOT NULL, event_type TEXT NOT NULL,
             event_version TEXT NOT NULL, payload JSON NOT NULL, metadata JSON NOT NULL,
             PRIMARY KEY (aggregate_type, aggregate_id, sequence))",
    )
    .await?;
    println!("callers  store               appends/s   p50 ms   p99 ms");
    for &callers in callers {
        // mysql-es writes from every caller: it may have as many connections as help it.
        let plain = MySqlPoolOptions::new()
            .max_connections(u32::try_from(callers)?.min(64))
            .connect(url.as_str())
            .await?;
        let repository =
            MysqlEventRepository::new(plain.clone()).with_tables("plain_events", "plain_snapshots");
        let context = Context { now: now(), actor: UserId::new(new_uuid()) };
        let framework = Arc::new(CqrsFramework::new(
            PersistedEventStore::<_, Movie>::new_event_store(repository),
            Vec::new(),
            context,
        ));
        let before = measure(callers, duration, move || {
            let framework = Arc::clone(&framework);
            async move {
                let (id, command) = create();
                framework.execute(&id.to_string(), command).await.map_err(|e| e.to_string())
            }
        })
        .await;
        plain.close().await;
        before.print(callers, "mysql-es", None);

        let shutdown = CancellationToken::new();
        let (log, appender) =
            EventLog::start(pool.clone(), AppendSettings::default(), shutdown.clone()).await;
        for (label, with_key) in [("marquee", false), ("marquee + receipt", true)] {
            let log = log.clone();
            let ours = measure(callers, duration, move || {
                let log = log.clone();
                async move { append(&log, with_key).await }
            })
            .await;
            ours.print(callers, label, Some(&before));
        }
        shutdown.cancel();
        appender.await?;
    }
    Ok(())
}

async fn append(log: &EventLog, with_key: bool) -> Result<(), String> {
    let (movie_id, command) = create();
    let context = Context { now: now(), actor: UserId::new(new_uuid()) };
    let events = decide(&Movie::Absent, command, &context).map_err(|e| e.to_string())?;
    let receipt = with_key.then(|| NewReceipt {
        caller: context.actor,
        key: IdempotencyKey::parse(&new_uuid().to_string()).expect("a UUID is printable"),
        request_sha256: [0; 32],
        response: Arc::new(|appended| StoredResponse {
            status: 201,
            body: format!("{{\"version\":{}}}", appended.version),
        }),
    });
    let append = Append {
        movie_id,
        expected_version: 0,
        events,
        metadata: HashMap::new(),
        receipt,
        recorded_at: context.now,
    };
    log.append(append).await.map(drop).map_err(|e| e.to_string())
}

fn create() -> (MovieId, MovieCommand) {
    let movie_id = MovieId::new(new_uuid());
    let n = TITLES.fetch_add(1, Ordering::Relaxed);
    let title = Title::parse(&format!("The Long Afternoon, part {n}")).expect("a title");
    let start = now() + TimeDelta::days(1);
    let create = CreateMovie {
        movie_id,
        slug: Slug::from_title(&title),
        title,
        synopsis: Synopsis::parse(&"Someone waits for someone. ".repeat(12)).expect("a synopsis"),
        genres: Genres::parse(&["Drama", "Mystery"]).expect("genres"),
        duration_minutes: DurationMinutes::parse(96).expect("a duration"),
        availability: AvailabilityWindow::new(start, start + TimeDelta::days(90))
            .expect("a window"),
        visibility: Visibility::Hidden,
        poster_url: PosterUrl::parse("https://images.example/poster.jpg").expect("a URL"),
        stream_sources: Vec::new(),
        caption_tracks: Vec::new(),
    };
    (movie_id, MovieCommand::Create(Box::new(create)))
}

struct Measured {
    per_second: f64,
    p50: Duration,
    p99: Duration,
}

/// Runs `work` from many callers, each of which sends the next when the last is answered.
async fn measure<F, W>(callers: usize, duration: Duration, work: F) -> Measured
where
    F: Fn() -> W + Clone + Send + 'static,
    W: Future<Output = Result<(), String>> + Send,
{
    let start = Instant::now() + WARM_UP;
    let end = start + duration;
    let tasks: Vec<_> = (0..callers)
        .map(|_| {
            let work = work.clone();
            tokio::spawn(async move {
                let mut latencies = Vec::new();
                while Instant::now() < end {
                    let sent = Instant::now();
                    work().await.expect("an append succeeds");
                    if sent >= start {
                        latencies.push(sent.elapsed());
                    }
                }
                latencies
            })
        })
        .collect();
    let mut latencies = Vec::new();
    for task in tasks {
        latencies.extend(task.await.expect("a caller ends"));
    }
    latencies.sort_unstable();
    let at = |percent: usize| latencies[(latencies.len() - 1) * percent / 100];
    #[expect(clippy::cast_precision_loss, reason = "counts are small")]
    let per_second = latencies.len() as f64 / duration.as_secs_f64();
    Measured { per_second, p50: at(50), p99: at(99) }
}

impl Measured {
    fn print(&self, callers: usize, store: &str, plain: Option<&Self>) {
        let ratio = plain.map_or(String::new(), |plain| {
            format!("   {:.2}x", self.per_second / plain.per_second)
        });
        println!(
            "{callers:>7}  {store:<18}  {:>9.0}   {:>6.2}   {:>6.2}{ratio}",
            self.per_second,
            self.p50.as_secs_f64() * 1e3,
            self.p99.as_secs_f64() * 1e3,
        );
    }
}
