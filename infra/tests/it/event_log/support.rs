//! A database of its own for each test, and movies to put into it.

use std::{collections::HashMap, sync::Arc};

use chrono::TimeDelta;
use marquee_domain::{
    Context, Movie, MovieCommand, MovieEvent, MovieId, UserId, decide,
    movie::{CreateMovie, RevisePatch},
    values::{
        AvailabilityWindow, DurationMinutes, Genres, PosterUrl, Slug, Synopsis, Title, Visibility,
    },
};
use marquee_infra::{
    clock::{new_uuid, now},
    event_log::{
        Append, AppendError, AppendSettings, Appended, EventLog, IdempotencyKey, NewReceipt,
        Outcome, StoredResponse,
    },
    mysql,
};
use sqlx::{MySqlPool, mysql::MySqlConnectOptions};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use url::Url;

/// A migrated, empty database on the test profile's MySQL; dropped with the value.
pub struct TestDatabase {
    pub pool: MySqlPool,
    server: Url,
    name: String,
}

impl TestDatabase {
    pub async fn create() -> Self {
        let server = server_url();
        let name = format!("marquee_t_{}", new_uuid().simple());
        let admin = MySqlPool::connect(server.as_str()).await.expect("MySQL of profile test runs");
        sqlx::query(&format!("CREATE DATABASE {name}")).execute(&admin).await.unwrap();
        admin.close().await;
        let pool = mysql::connect_lazy(&with_database(&server, &name).as_str().into(), 20).unwrap();
        mysql::migrate(&pool).await.unwrap();
        Self { pool, server, name }
    }

    /// Where the server listens.
    pub fn address(&self) -> std::net::SocketAddr {
        self.server.socket_addrs(|| None).unwrap()[0]
    }

    /// A pool that reaches the same database by way of `address`, in plain text, so that a proxy
    /// there sees what passes.
    pub fn pool_through(&self, address: std::net::SocketAddr) -> MySqlPool {
        let mut url = with_database(&self.server, &self.name);
        url.set_ip_host(address.ip()).unwrap();
        url.set_port(Some(address.port())).unwrap();
        url.set_query(Some("ssl-mode=disabled"));
        mysql::connect_lazy(&url.as_str().into(), 4).unwrap()
    }

    pub async fn log(&self) -> TestLog {
        TestLog::start(self.pool.clone(), AppendSettings::default()).await
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let options: MySqlConnectOptions = self.server.as_str().parse().unwrap();
        let sql = format!("DROP DATABASE {}", self.name);
        // Drop is not async, and the test's own runtime may be on its way out.
        let dropping = std::thread::spawn(move || {
            tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
                use sqlx::{ConnectOptions, Executor};
                options.connect().await?.execute(sql.as_str()).await.map(drop)
            })
        });
        if !matches!(dropping.join(), Ok(Ok(()))) {
            eprintln!("database {} was left behind", self.name);
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the tests' one look at the environment")]
fn server_url() -> Url {
    let url = std::env::var("DATABASE_URL")
        .expect("DATABASE_URL is set: infra/local/stack env --profile test");
    url.parse().expect("DATABASE_URL is a URL")
}

fn with_database(server: &Url, name: &str) -> Url {
    let mut url = server.clone();
    url.set_path(name);
    url
}

/// An event log with its appender.
pub struct TestLog {
    pub log: EventLog,
    pub shutdown: CancellationToken,
    pub appender: JoinHandle<()>,
}

impl TestLog {
    pub async fn start(pool: MySqlPool, settings: AppendSettings) -> Self {
        let shutdown = CancellationToken::new();
        let (log, appender) = EventLog::start(pool, settings, shutdown.clone()).await;
        Self { log, shutdown, appender }
    }

    /// Creates a movie that must be accepted.
    pub async fn create(&self, title: &str) -> Appended {
        appended(self.log.append(create(title)).await)
    }
}

pub fn context() -> Context {
    Context { now: now(), actor: user(1) }
}

pub fn user(number: u128) -> UserId {
    UserId::new(uuid::Uuid::from_u128(number))
}

pub fn title(text: &str) -> Title {
    Title::parse(text).unwrap()
}

/// An append of what `command` leads to.
pub fn decided(id: MovieId, expected_version: u64, movie: &Movie, command: MovieCommand) -> Append {
    let events = decide(movie, command, &context()).expect("the command is allowed");
    append_of(id, expected_version, events)
}

pub fn append_of(movie_id: MovieId, expected_version: u64, events: Vec<MovieEvent>) -> Append {
    Append {
        movie_id,
        expected_version,
        events,
        metadata: HashMap::from([("command".to_owned(), "test".to_owned())]),
        receipt: None,
        recorded_at: now(),
    }
}

pub fn create(text: &str) -> Append {
    let movie_id = MovieId::new(new_uuid());
    let start = now() + TimeDelta::days(1);
    let create = CreateMovie {
        movie_id,
        title: title(text),
        slug: Slug::from_title(&title(text)),
        synopsis: Synopsis::parse("A film.").unwrap(),
        genres: Genres::parse(&["Drama"]).unwrap(),
        duration_minutes: DurationMinutes::parse(90).unwrap(),
        availability: AvailabilityWindow::new(start, start + TimeDelta::days(30)).unwrap(),
        visibility: Visibility::Hidden,
        poster_url: PosterUrl::parse("https://example.com/poster.jpg").unwrap(),
        stream_sources: Vec::new(),
        caption_tracks: Vec::new(),
    };
    decided(movie_id, 0, &Movie::Absent, MovieCommand::Create(Box::new(create)))
}

pub fn retitle(movie: &Appended, text: &str) -> Append {
    let patch = RevisePatch { title: Some(title(text)), ..RevisePatch::default() };
    next(movie, MovieCommand::Revise(Box::new(patch)))
}

/// The next command on a movie as it was after an append.
pub fn next(movie: &Appended, command: MovieCommand) -> Append {
    decided(movie.movie_id, movie.version, &movie.movie, command)
}

/// With an idempotency key; the answer tells the version and position.
pub fn with_key(mut append: Append, key: &str, request_sha256: [u8; 32]) -> Append {
    append.receipt = Some(NewReceipt {
        caller: user(1),
        key: IdempotencyKey::parse(key).unwrap(),
        request_sha256,
        response: Arc::new(|appended| StoredResponse {
            status: 201,
            body: format!("version {} at {}", appended.version, appended.position),
        }),
    });
    append
}

#[track_caller]
pub fn appended(result: Result<Outcome, AppendError>) -> Appended {
    match result {
        Ok(Outcome::Appended(appended)) => appended,
        other => panic!("not appended: {other:?}"),
    }
}

#[track_caller]
pub fn replayed(result: Result<Outcome, AppendError>) -> StoredResponse {
    match result {
        Ok(Outcome::Replayed(response)) => response,
        other => panic!("not replayed: {other:?}"),
    }
}

/// What must hold of every log: positions and, within each movie, sequences are 1, 2, 3, ...; the head
/// is the last position; and titles and slugs are claimed by those whose events say so.
pub async fn check_consistency(pool: &MySqlPool) -> u64 {
    let reader = marquee_infra::event_log::EventReader::new(pool.clone());
    let events = reader.read_after(0, u32::MAX).await.expect("no hole");
    assert_eq!(reader.head().await.unwrap(), events.len() as u64);
    let mut movies = HashMap::<MovieId, (u64, Movie)>::new();
    for event in &events {
        let (version, movie) = movies.entry(event.movie_id).or_default();
        assert_eq!(event.sequence, *version + 1, "movie {}", event.movie_id);
        *version = event.sequence;
        marquee_domain::evolve(movie, &serde_json::from_str(event.payload.get()).unwrap());
    }
    let mut expected = Vec::new();
    for (id, (_, movie)) in &movies {
        match movie {
            Movie::Absent => panic!("movie {id} has events but does not exist"),
            Movie::Listed(movie) => {
                let key = movie.title.key().as_str().to_owned();
                expected.push((movie.slug.as_str().to_owned(), Some(key), *id));
            }
            Movie::Removed { slug, .. } => expected.push((slug.as_str().to_owned(), None, *id)),
        }
    }
    let mut names: Vec<(String, Option<String>, MovieId)> =
        sqlx::query_as::<_, (Vec<u8>, Option<Vec<u8>>, Vec<u8>)>(
            "SELECT slug, title_key, movie_id FROM movie_names",
        )
        .fetch_all(pool)
        .await
        .unwrap()
        .into_iter()
        .map(|(slug, key, id)| {
            let text = |bytes| String::from_utf8(bytes).unwrap();
            (text(slug), key.map(text), text(id).parse().unwrap())
        })
        .collect();
    expected.sort();
    names.sort();
    assert_eq!(names, expected);
    events.len() as u64
}
