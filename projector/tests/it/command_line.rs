//! The binary, as an operator uses it.

use std::process::{Output, Stdio};

use marquee_infra::kafka::{CursorStore, Mark, TransactionalProducer};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tokio::process::Command;

use crate::{
    bed::{Bed, Record, Recorded},
    samples::Log,
};

const NOBODY: &str = "019a0000-0000-7000-8000-000000000000";

pub fn projector(bed: &Bed, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_projector"));
    command
        .args(arguments)
        .env("DATABASE_URL", bed.settings.mysql.url.expose_secret())
        .env("KAFKA_BROKERS", &bed.settings.kafka.brokers)
        .env("MARQUEE_TOPICS_PREFIX", &bed.settings.topics.prefix)
        .env("MARQUEE_TOPICS_PARTITIONS", bed.settings.topics.partitions.to_string())
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}

pub async fn run(bed: &Bed, arguments: &[&str]) -> Output {
    projector(bed, arguments).output().await.expect("it runs")
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[tokio::test]
async fn migrate_can_run_twice_and_at_once() {
    let bed = Bed::without_migrations().await;
    let at_once = [run(&bed, &["migrate"]), run(&bed, &["migrate"]), run(&bed, &["migrate"])];
    for output in futures::future::join_all(at_once).await {
        assert!(output.status.success(), "{}", text(&output.stderr));
    }
    let again = run(&bed, &["migrate"]).await;
    assert!(again.status.success());
    assert!(text(&again.stdout).contains(&format!("topic {}: was there", bed.topics.movies)));
    assert_eq!(bed.count("SELECT COUNT(*) FROM catalog_movies").await, 0);
}

#[tokio::test]
async fn status_counts_the_events_that_wait() {
    let bed = Bed::new().await;
    let mut log = Log::new();
    let movie_id = log.live_a_life("Status");
    bed.log(&log.events).await;
    let running = bed.start();
    bed.publish_events(&log.events[..4]).await;
    bed.wait_for_version(movie_id, 4).await;
    running.stop().await;
    // Two Kafka transactions: their end marks are no events.
    bed.publish_events(&log.events[4..6]).await;
    bed.publish_events(&log.events[6..]).await;

    let output = run(&bed, &["status", "--json"]).await;
    assert!(output.status.success(), "{}", text(&output.stderr));
    let status: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(status["log_head"], 9);
    assert_eq!(status["projected_position"], 4);
    assert_eq!(status["lag_events"], 5);
    assert_eq!(status["parked_records"], 0);
    assert_eq!(status["contradiction"], Value::Null);
    assert_eq!(status["agree"], false);
    assert_eq!(status["published_position"], Value::Null);
    let differences = status["differences"].to_string();
    assert!(differences.contains("5 records in Kafka are not projected"), "{differences}");
    // Every partition of all projections, also of those whose topic is empty.
    let lanes = status["lanes"].as_array().unwrap();
    assert_eq!(lanes.len(), 9);
    let behind: Vec<_> = lanes.iter().filter(|lane| lane["lag_events"] != 0).collect();
    assert_eq!(behind.len(), 1);
    assert_eq!(behind[0]["lag_seconds"], status["lag_seconds"]);
    assert!(behind[0]["lag_seconds"].as_f64() > Some(0.0));

    let running = bed.start();
    bed.wait_for_version(movie_id, 9).await;
    running.stop().await;
    let people = run(&bed, &["status"]).await;
    assert!(text(&people.stdout).contains("events waiting       0\n"), "{}", text(&people.stdout));
    assert!(text(&people.stdout).contains("do all agree?        not yet: nobody knows"));

    // As the relay leaves its cursor.
    relay_published(&bed, 9).await;
    let status = run(&bed, &["status", "--json"]).await;
    let status: Value = serde_json::from_slice(&status.stdout).unwrap();
    assert_eq!((&status["agree"], &status["published_position"]), (&json!(true), &json!(9)));
    assert_eq!((&status["differences"], &status["lag_seconds"]), (&json!([]), &json!(0.0)));
    let people = run(&bed, &["status"]).await;
    assert!(text(&people.stdout).contains("do all agree?        yes\n"));

    // Read models that are ahead of the log are an alarm.
    sqlx::query("UPDATE event_log_head SET position = 3").execute(&bed.pool).await.unwrap();
    let alarmed = run(&bed, &["status"]).await;
    assert_eq!(alarmed.status.code(), Some(1));
    assert!(text(&alarmed.stdout).contains("CONTRADICTION"));
}

async fn relay_published(bed: &Bed, position: i64) {
    let client = &bed.settings.kafka;
    let group = bed.settings.topics.group("marquee.relay.v1");
    let store = CursorStore::open(client, &group, &bed.topics.movies).expect("a cursor");
    let relay = TransactionalProducer::open(client, &group, store).await.expect("it opens");
    let mark = Mark { partition: 0, offset: position, note: String::new() };
    relay.publish(Vec::new(), vec![mark]).await.expect("the cursor moves");
}

#[tokio::test]
async fn what_no_projector_has_begun_with_waits_too() {
    let bed = Bed::new().await;
    let mut log = Log::new();
    log.live_a_life("Nobody");
    bed.log(&log.events).await;
    bed.publish_events(&log.events).await;
    let status = run(&bed, &["status", "--json"]).await;
    let status: Value = serde_json::from_slice(&status.stdout).unwrap();
    assert_eq!((&status["lag_events"], &status["projected_position"]), (&json!(9), &json!(0)));
    assert_eq!(status["lanes"][0]["age_seconds"], Value::Null);
    let people = run(&bed, &["status"]).await;
    assert!(text(&people.stdout).contains("never"), "{}", text(&people.stdout));
}

#[tokio::test]
async fn an_operator_finds_what_is_parked_heals_it_and_gives_up_what_cannot_be_healed() {
    let bed = Bed::new().await;
    let running = bed.start();
    let mut log = Log::new();
    let movie_id = log.create("Parked");
    log.retitle(movie_id, "Parked, then healed");
    let mut records: Vec<_> = log.events.iter().map(Recorded::record).collect();
    records[1].payload = Some(b"{".to_vec());
    records.push(Record { key: None, ..records[0].clone() });
    bed.publish(&bed.topics.movies, records).await;
    bed.wait_for_count(2, "SELECT COUNT(*) FROM parked_events").await;
    running.stop().await;

    let status = run(&bed, &["status"]).await;
    assert!(text(&status.stdout).contains("parked               2 records, 1 movies"));
    let listed = text(&run(&bed, &["parked", "list"]).await.stdout);
    assert_eq!(listed.lines().count(), 2, "{listed}");
    let line = listed.lines().find(|line| line.contains(&movie_id.to_string())).unwrap();
    assert!(line.contains(&bed.topics.movies) && line.contains("MovieRetitled.v1"), "{line}");
    let id = line.split_whitespace().next().unwrap();
    let shown = run(&bed, &["parked", "show", id]).await;
    let shown: Value = serde_json::from_slice(&shown.stdout).unwrap();
    assert_eq!((&shown["payload"], &shown["projection"]), (&json!("{"), &json!("catalog")));
    let listed = run(&bed, &["parked", "list", "--json", "--movie", &movie_id.to_string()]).await;
    let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
    assert_eq!(listed.as_array().map(Vec::len), Some(1), "{listed}");
    assert_eq!((&listed[0]["id"], &listed[0]["error"]), (&shown["id"], &shown["error"]));
    for (arguments, error) in [
        (["parked", "show", "999999"].as_slice(), "no such parked record"),
        (&["parked", "retry", "--id", "999999"], "no record is parked with id 999999"),
        (&["parked", "discard", "--movie", NOBODY], "nothing of movie"),
    ] {
        let refused = run(&bed, arguments).await;
        assert_eq!(refused.status.code(), Some(1));
        assert!(text(&refused.stderr).contains(error), "{}", text(&refused.stderr));
    }

    // The log does not have it yet.
    let retried = run(&bed, &["parked", "retry", "--all"]).await;
    assert_eq!(text(&retried.stdout), "2 tried again, 2 still parked\n");
    assert_eq!(retried.status.code(), Some(1));
    bed.log(&log.events).await;
    let status = text(&run(&bed, &["status"]).await.stdout);
    assert!(status.contains("parked records: 2, movies that lag for it: 1"), "{status}");
    let movie = movie_id.to_string();
    let retried = run(&bed, &["parked", "retry", "--movie", &movie]).await;
    assert_eq!(text(&retried.stdout), "1 tried again, 0 still parked\n");
    assert!(retried.status.success());
    bed.wait_for_version(movie_id, 2).await;
    let discarded = run(&bed, &["parked", "discard", "--all"]).await;
    assert_eq!(text(&discarded.stdout), "1 discarded\n");
    assert!(discarded.status.success());
    assert_eq!(text(&run(&bed, &["parked", "list"]).await.stdout), "");
}

#[tokio::test]
async fn the_service_answers_health_and_ends_on_sigterm() {
    let bed = Bed::new().await;
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut child = projector(&bed, &["run"])
        .env("MARQUEE_HTTP_BIND", format!("127.0.0.1:{port}"))
        .stdout(Stdio::null())
        .spawn()
        .expect("it starts");
    crate::bed::wait_until("the service is ready", || async {
        http_status(port, "/readyz").await == Some(200)
    })
    .await;
    assert_eq!(http_status(port, "/healthz").await, Some(200));
    let mut log = Log::new();
    let movie_id = log.live_a_life("Signal");
    bed.publish_events(&log.events).await;
    bed.wait_for_version(movie_id, 9).await;
    let mut broken = log.events[8].record();
    broken.payload = None;
    bed.publish(&bed.topics.movies, vec![broken]).await;
    // What the runbook names for alerts and dashboards.
    for metric in [
        "marquee_projector_lag_events{projection=\"catalog\",partition=\"2\"} 0",
        "marquee_projector_lag_seconds{projection=\"stream_token_audit\",partition=\"0\"} 0",
        "marquee_projector_lag_seconds{projection=\"viewing_sessions\",partition=\"0\"} 0",
        "marquee_projector_apply_seconds_bucket{projection=\"catalog\",le=\"0.0001\"}",
        "marquee_projector_records_total{projection=\"catalog\"} 10",
        "marquee_projector_parked_total{projection=\"catalog\"} 1",
        "marquee_projector_parked_movies{projection=\"catalog\"} 1",
        "marquee_projector_parked_records{projection=\"stream_token_audit\"} 0",
        "marquee_projector_parked_records{projection=\"viewing_sessions\"} 0",
        "marquee_dead_letters_waiting 0",
        "marquee_dead_letters_published_total 1",
    ] {
        crate::bed::wait_until(metric, || async {
            http_get(port, "/metrics").await.is_some_and(|(_, body)| body.contains(metric))
        })
        .await;
    }
    let pid = child.id().expect("it runs").to_string();
    let asked = Command::new("kill").args(["-TERM", &pid]).status().await.unwrap();
    assert!(asked.success());
    assert!(child.wait().await.unwrap().success());
}

async fn http_status(port: u16, path: &str) -> Option<u16> {
    http_get(port, path).await.map(|(status, _)| status)
}

/// The status and all of the answer.
pub async fn http_get(port: u16, path: &str) -> Option<(u16, String)> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.ok()?;
    Some((answer.split(' ').nth(1)?.parse().ok()?, answer))
}
