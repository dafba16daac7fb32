//! A log of any length, a folder for the files, and the command.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::{Output, Stdio},
};

use marquee_infra::clock;
use secrecy::ExposeSecret;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::process::Command;

use crate::{
    bed::{Bed, Recorded},
    samples::Log,
};

/// Events of [`Log::live_a_life`].
pub const LIFE: u64 = 9;
/// What one page of the log holds.
pub const PAGE: u64 = 1_000;

pub struct Stand {
    pub bed: Bed,
    pub folder: PathBuf,
}

impl Stand {
    pub async fn new() -> Self {
        let name = hex::encode(clock::random_bytes::<6>());
        let folder = std::env::temp_dir().join(format!("marquee-replay-{name}"));
        fs::create_dir(&folder).expect("a folder for the files");
        Self { bed: Bed::new().await, folder }
    }

    /// With a log of so many lives.
    pub async fn with_lives(lives: usize) -> Self {
        let stand = Self::new().await;
        let mut log = Log::new();
        for number in 0..lives {
            log.live_a_life(&format!("Film {number}"));
        }
        stand.bed.log(&log.events).await;
        stand
    }

    /// With one life, copied to other movies until there are that many events, which takes MySQL no
    /// time. The times of the copies follow each other.
    pub async fn with_events(events: u64) -> Self {
        let stand = Self::with_lives(1).await;
        stand.grow_to(events).await;
        stand
    }

    /// Copies the log's first events behind its last.
    pub async fn grow_to(&self, events: u64) {
        loop {
            let head = self.head().await;
            if head >= events {
                return;
            }
            let copied = head.min(events - head);
            sqlx::query(
                "INSERT INTO events
                 SELECT position + ?, aggregate_type,
                     CONCAT(LEFT(aggregate_id, 24),
                         LPAD(LOWER(HEX(? + CONV(RIGHT(aggregate_id, 12), 16, 10))), 12, '0')),
                     sequence, event_type, event_version, payload, metadata,
                     recorded_at + INTERVAL ? MICROSECOND
                 FROM events WHERE position <= ?",
            )
            .bind(head)
            .bind(head)
            .bind(head * 1_000)
            .bind(copied)
            .execute(&self.bed.pool)
            .await
            .expect("the log grows");
            sqlx::query("UPDATE event_log_head SET position = position + ?")
                .bind(copied)
                .execute(&self.bed.pool)
                .await
                .expect("the head moves");
        }
    }

    pub async fn head(&self) -> u64 {
        sqlx::query_scalar("SELECT position FROM event_log_head")
            .fetch_one(&self.bed.pool)
            .await
            .expect("there is a head")
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    pub fn json(&self, name: &str) -> Value {
        serde_json::from_slice(&self.read(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// What is in the folder, by name.
    pub fn files(&self) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(&self.folder)
            .expect("the folder is there")
            .map(|entry| entry.expect("it can be read").file_name().into_string().expect("a name"))
            .collect();
        names.sort();
        names
    }

    /// `projector replay`, in the folder, with nothing but MySQL in its environment.
    pub fn command<I: IntoIterator<Item: AsRef<OsStr>>>(&self, arguments: I) -> Command {
        let mut command = bare_command();
        command
            .args(arguments)
            .current_dir(&self.folder)
            .env("DATABASE_URL", self.bed.settings.mysql.url.expose_secret());
        command
    }

    pub async fn run(&self, line: &str) -> Output {
        self.command(line.split_whitespace()).output().await.expect("it runs")
    }

    /// Runs it to a good end.
    pub async fn replay(&self, line: &str) -> Output {
        let output = self.run(line).await;
        assert!(output.status.success(), "{line}: {}", text(&output.stderr));
        output
    }

    /// Runs it to a bad end: with this code, and this in what it says.
    pub async fn fails(&self, line: &str, code: i32, says: &str) -> String {
        let output = self.run(line).await;
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{line}: {said}");
        assert!(said.contains(says), "{line}: {said}");
        said
    }
}

impl Drop for Stand {
    fn drop(&mut self) {
        if fs::remove_dir_all(&self.folder).is_err() {
            eprintln!("{} is left behind", self.folder.display());
        }
    }
}

/// `projector replay`, with nothing of ours in its environment.
pub fn bare_command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_projector"));
    command
        .arg("replay")
        .env_remove("DATABASE_URL")
        .env_remove("KAFKA_BROKERS")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

pub fn lines(bytes: &[u8]) -> Vec<Value> {
    assert!(bytes.is_empty() || bytes.ends_with(b"\n"), "the last line is whole");
    bytes
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).expect("a line is JSON"))
        .collect()
}

pub fn positions(bytes: &[u8]) -> Vec<u64> {
    lines(bytes).iter().map(|line| line["position"].as_u64().expect("a position")).collect()
}

pub fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

pub fn size(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |file| file.len())
}

/// The line that a recorded event has to be, made without the code under test.
pub fn expected_line(recorded: &Recorded) -> Value {
    serde_json::json!({
        "specversion": "1.0",
        "id": format!("{}/{}", recorded.movie_id, recorded.sequence),
        "type": cqrs_es::DomainEvent::event_type(&recorded.event),
        "source": "/marquee/command-api",
        "subject": recorded.movie_id,
        "time": recorded.recorded_at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true),
        "datacontenttype": "application/json",
        "position": recorded.position,
        "sequence": recorded.sequence,
        "actor": recorded.actor,
        "command": "Test",
        "requestid": "r-1",
        "data": recorded.event,
    })
}
