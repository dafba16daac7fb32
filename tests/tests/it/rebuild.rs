//! The catalog's tables are rebuilt, swapped and rolled back while admins write and viewers read.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use marquee_tests::{
    Api, Marquee, Setup,
    evidence::assert_consistent,
    jwt,
    load::{Load, Pace},
    summary, until,
};
use tokio::{process::Command, task::JoinSet, time::interval};

const COMMANDS_PER_SECOND: f64 = 200.0;
const READERS: usize = 10;
/// Of each reader: 500 a second in all.
const READ_INTERVAL: Duration = Duration::from_millis(20);

/// Editors who read all the time, and remember what they saw.
struct Readers {
    stop: Arc<AtomicBool>,
    reads: Arc<AtomicUsize>,
    tasks: JoinSet<()>,
}

impl Readers {
    fn start(api: &Api) -> Self {
        let (stop, reads) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
        let mut tasks = JoinSet::new();
        for _ in 0..READERS {
            let (api, stop, reads) = (api.clone(), Arc::clone(&stop), Arc::clone(&reads));
            tasks.spawn(async move {
                let mut reader = Reader { api, versions: HashMap::new(), position: 0 };
                let mut interval = interval(READ_INTERVAL);
                while !stop.load(Ordering::SeqCst) {
                    interval.tick().await;
                    let number = reads.fetch_add(1, Ordering::SeqCst);
                    reader.read(number).await;
                }
            });
        }
        Self { stop, reads, tasks }
    }

    /// How many reads there were.
    ///
    /// # Panics
    /// When one failed, or was older than another before it.
    async fn stop(self) -> usize {
        self.stop.store(true, Ordering::SeqCst);
        self.tasks.join_all().await;
        self.reads.load(Ordering::SeqCst)
    }
}

struct Reader {
    api: Api,
    versions: HashMap<String, u64>,
    position: u64,
}

impl Reader {
    async fn read(&mut self, number: usize) {
        let known = self.versions.keys().nth(number % self.versions.len().max(1)).cloned();
        match known {
            Some(movie_id) if number % 10 == 1 => {
                let path = format!("/v1/movies/{movie_id}/history?limit=100");
                let history = self.api.get(&path).send().await.expect(200).json();
                let entries = history["items"].as_array().map_or(0, Vec::len) as u64;
                assert!(entries >= self.versions[&movie_id], "{path}: {entries} entries");
            }
            Some(movie_id) if number % 10 > 1 => {
                let path = format!("/v1/movies/{movie_id}?visibility=any");
                let answer = self.api.get(&path).send().await.expect(200);
                self.see(&movie_id, answer.number_of("version"));
            }
            _ => {
                let path = "/v1/movies?visibility=any&limit=100";
                let page = self.api.get(path).send().await.expect(200).json();
                let position = page["position"].as_u64().expect("a position");
                assert!(position >= self.position, "from {} back to {position}", self.position);
                self.position = position;
                for movie in page["items"].as_array().expect("movies") {
                    let movie_id = movie["movie_id"].as_str().expect("an id");
                    self.see(movie_id, movie["version"].as_u64().expect("a version"));
                }
            }
        }
    }

    fn see(&mut self, movie_id: &str, version: u64) {
        let before = self.versions.insert(movie_id.to_owned(), version).unwrap_or(0);
        assert!(version >= before, "movie {movie_id} went from {before} back to {version}");
    }
}

async fn run(mut command: Command) -> String {
    let output = command.output().await.expect("it runs");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{command:?}: {told}");
    told
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rebuild_and_a_rollback_under_200_commands_and_500_reads_a_second_are_noticed_by_nobody()
{
    let marquee = Marquee::start().await;
    let load = Load::start(&[marquee.commands()], Pace::of(32).per_second(COMMANDS_PER_SECOND));
    load.more(400).await;
    let editors = marquee.queries().as_bearer(jwt::with_scope("catalog:read"));
    let readers = Readers::start(&editors);
    load.more(200).await;

    // Killed half-way.
    let slow = ["rebuild", "catalog", "--throttle", "300"];
    let mut killed = marquee.rebuild_command(&slow).spawn().expect("it starts");
    let pool = marquee.database.pool();
    let rebuilt = "SELECT position FROM catalog_contents_rebuild WHERE position > 100";
    until("a part is rebuilt", async || {
        sqlx::query_scalar::<_, u64>(rebuilt).fetch_optional(&pool).await.ok().flatten()
    })
    .await;
    let ended = killed.try_wait().expect("it can be asked");
    assert!(ended.is_none(), "it ended before it was killed: {ended:?}");
    killed.kill().await.expect("it runs");

    let told = run(marquee.rebuild_command(&["rebuild", "catalog"])).await;
    assert!(told.contains("goes on") && told.contains("swapped"), "{told}");
    load.more(200).await;
    let told = run(marquee.rebuild_command(&["rollback", "catalog"])).await;
    assert!(told.contains("swapped"), "{told}");
    load.more(200).await;

    let reads = readers.stop().await;
    let told = load.stop().await;
    assert!(told.iter().all(|told| told.attempts == 1), "no command had to be repeated");
    let acknowledged = told.into_iter().map(|told| told.acknowledged).collect();
    let evidence = assert_consistent(&marquee, acknowledged).await;
    run(marquee.projector.command(&["audit"])).await;
    summary::say(&format!(
        "rebuild: killed, resumed, swapped and rolled back under {} commands and {reads} reads: none failed, none was \
         older than one before",
        evidence.log.len()
    ));
}

#[tokio::test]
async fn as_the_services_own_user_they_say_which_user_it_takes() {
    let marquee = Marquee::prepare(Setup::default()).await;
    for command in ["rebuild", "rollback"] {
        let output = marquee.projector.command(&[command, "catalog"]).output().await;
        let output = output.expect("it runs");
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{told}");
        let says = "(mysql_users.rebuild). This one lacks ";
        assert!(told.contains(says) && told.contains("DROP"), "{told}");
    }
}
