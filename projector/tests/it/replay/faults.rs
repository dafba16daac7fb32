//! A log with a hole, and a MySQL that goes away.

use std::{
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use secrecy::ExposeSecret;
use sqlx::{MySqlPool, Row};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader, copy_bidirectional},
    net::{TcpListener, TcpStream},
    sync::watch,
};

use super::stand::{PAGE, Stand, text};
use crate::bed::wait_until;

#[tokio::test]
async fn a_hole_is_an_error_that_names_its_position() {
    for missing in [1, 7, 1_000, 1_001, 1_500, 2_500] {
        let stand = Stand::with_events(2_500).await;
        let deleted = sqlx::query("DELETE FROM events WHERE position = ?")
            .bind(missing)
            .execute(&stand.bed.pool)
            .await
            .unwrap();
        assert_eq!(deleted.rows_affected(), 1);
        let says = format!("there is no event at position {missing}");
        stand.fails("--out events.ndjson", 1, &says).await;
        // An event that is not asked for is missed too.
        stand.fails("--types MovieRemoved --out removed.ndjson", 1, &says).await;
        // It looks like nothing but what it is: a part.
        assert!(!stand.path("events.ndjson").exists());
        assert!(!stand.path("events.ndjson.manifest.json").exists());
        // Without the hole, it is whole.
        if missing > 1 {
            stand.replay(&format!("--to {} --out before.ndjson", missing - 1)).await;
        }
    }
}

/// Whether nobody but the asking has asked anything of the database for a second. (The table of the
/// information schema would do, were it not refused while anybody sends bytes that are no text.)
async fn is_idle(pool: &MySqlPool, database: &str) -> bool {
    let rows = sqlx::raw_sql("SHOW PROCESSLIST").fetch_all(pool).await.expect("it is shown");
    rows.iter().all(|row| {
        let text = |column: &str| -> Option<String> { row.get(column) };
        let ours = text("Info").is_some_and(|info| info == "SHOW PROCESSLIST");
        let idle = text("Command").as_deref() == Some("Sleep") && row.get::<i64, _>("Time") > 0;
        ours || idle || text("db").as_deref() != Some(database)
    })
}

#[tokio::test]
async fn no_more_is_read_than_is_written() {
    let stand = Stand::with_events(8 * PAGE).await;
    let mut child = stand.command(["--sink", "ndjson:-"]).spawn().expect("it starts");
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let first = lines.next_line().await.unwrap().expect("a line");
    // Nobody reads on: the pipe is full, and the replay waits; it holds no page that is far away.
    wait_until("the replay has stopped reading", || async {
        is_idle(&stand.bed.pool, stand.bed.database()).await
    })
    .await;
    let far = 6 * PAGE;
    sqlx::query("DELETE FROM events WHERE position = ?")
        .bind(far)
        .execute(&stand.bed.pool)
        .await
        .unwrap();

    let mut read = vec![first];
    while let Some(line) = lines.next_line().await.unwrap() {
        read.push(line);
    }
    let output = child.wait_with_output().await.unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    assert!(said.contains(&format!("no event at position {far}")), "it had been read: {said}");
    assert_eq!(read.len() as u64, 5 * PAGE);
}

#[tokio::test]
async fn a_reader_of_stdout_may_go() {
    let stand = Stand::with_events(2 * PAGE).await;
    let mut child = stand.command(["--sink", "ndjson:-"]).spawn().expect("it starts");
    let mut some = [0; 100];
    child.stdout.take().unwrap().read_exact(&mut some).await.expect("it writes");
    let output = child.wait_with_output().await.unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("the reader of stdout has gone"));
}

/// Between the replay and MySQL: connections can be cut, and new ones refused.
struct Gate {
    port: u16,
    open: Arc<AtomicBool>,
    cut: watch::Sender<()>,
}

impl Gate {
    async fn before(server: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let open = Arc::new(AtomicBool::new(true));
        let (cut, cuts) = watch::channel(());
        let is_open = Arc::clone(&open);
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                if !is_open.load(Ordering::SeqCst) {
                    continue;
                }
                let (server, mut cuts) = (server.clone(), cuts.clone());
                tokio::spawn(async move {
                    let Ok(mut server) = TcpStream::connect(server).await else { return };
                    cuts.mark_unchanged();
                    tokio::select! {
                        _ = copy_bidirectional(&mut client, &mut server) => {}
                        _ = cuts.changed() => {}
                    }
                });
            }
        });
        Self { port, open, cut }
    }

    fn close(&self) {
        self.open.store(false, Ordering::SeqCst);
        self.cut.send_replace(());
    }

    fn reopen(&self) {
        self.open.store(true, Ordering::SeqCst);
    }
}

/// A replay through the gate that has written something and is far from its end.
async fn replay_through_a_gate(patience: &str) -> (Stand, Gate, tokio::process::Child) {
    let stand = Stand::with_events(20 * PAGE).await;
    let url = stand.bed.settings.mysql.url.expose_secret().to_owned();
    let (before, rest) = url.rsplit_once('@').expect("a user");
    let (server, database) = rest.split_once('/').expect("a database");
    let gate = Gate::before(server.to_owned()).await;
    let child = stand
        .command(["--out", "events.ndjson", "--throttle", "5000", "--patience", patience])
        .env("DATABASE_URL", format!("{before}@127.0.0.1:{}/{database}", gate.port))
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    wait_until("the first page is written", || async {
        super::stand::size(&stand.path("events.ndjson.part")) > 0
    })
    .await;
    (stand, gate, child)
}

#[tokio::test]
async fn mysql_may_be_away_for_a_while() {
    let (stand, gate, mut child) = replay_through_a_gate("60").await;
    gate.close();
    let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
    let line = said.next_line().await.unwrap().expect("it says that MySQL is away");
    assert!(line.contains("it is asked again"), "{line}");
    gate.reopen();
    let status = child.wait().await.unwrap();
    assert!(status.success());
    stand.replay("--out whole.ndjson").await;
    assert!(stand.read("events.ndjson") == stand.read("whole.ndjson"));
}

#[tokio::test]
async fn mysql_that_stays_away_ends_it_and_it_can_be_resumed() {
    let (stand, gate, child) = replay_through_a_gate("1").await;
    gate.close();
    let output = child.wait_with_output().await.unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    assert!(said.contains("projector replay: the event log cannot be reached"), "{said}");
    assert!(!stand.path("events.ndjson").exists());
    assert!(!stand.path("events.ndjson.manifest.json").exists());
    stand.replay("--out events.ndjson --resume").await;
    stand.replay("--out whole.ndjson").await;
    assert!(stand.read("events.ndjson") == stand.read("whole.ndjson"));
}
