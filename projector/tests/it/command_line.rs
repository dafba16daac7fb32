//! The binary, as an operator uses it.

use std::process::{Output, Stdio};

use secrecy::ExposeSecret;
use serde_json::Value;
use tokio::process::Command;

use crate::{bed::Bed, samples::Log};

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

    let running = bed.start();
    bed.wait_for_version(movie_id, 9).await;
    running.stop().await;
    let people = run(&bed, &["status"]).await;
    assert!(text(&people.stdout).contains("events waiting       0\n"), "{}", text(&people.stdout));

    // Read models that are ahead of the log are an alarm.
    sqlx::query("UPDATE event_log_head SET position = 3").execute(&bed.pool).await.unwrap();
    let alarmed = run(&bed, &["status"]).await;
    assert_eq!(alarmed.status.code(), Some(1));
    assert!(text(&alarmed.stdout).contains("CONTRADICTION"));
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
    let pid = child.id().expect("it runs").to_string();
    let asked = Command::new("kill").args(["-TERM", &pid]).status().await.unwrap();
    assert!(asked.success());
    assert!(child.wait().await.unwrap().success());
}

async fn http_status(port: u16, path: &str) -> Option<u16> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.ok()?;
    answer.split(' ').nth(1)?.parse().ok()
}
