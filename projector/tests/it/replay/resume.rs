//! Interrupted at any moment, a replay goes on, and its file is the one that it would have been.

use std::{
    fs,
    process::Output,
    time::{Duration, Instant},
};

use marquee_infra::clock;
use serde_json::Value;
use tokio::process::{Child, Command};

use super::stand::{PAGE, Stand, sha256, size, text};
use crate::bed::wait_until;

const EVENTS: u64 = 9 * PAGE + 123;
const DEADLINE: Duration = Duration::from_secs(30);
const LOOK_AGAIN: Duration = Duration::from_millis(1);

/// Starts it, and waits until the part has grown by so many bytes, or it ends.
async fn run_until_grown(stand: &Stand, line: &str, part: &str, grown: u64) -> Child {
    let path = stand.path(part);
    let before = size(&path);
    let mut child = stand.command(line.split_whitespace()).spawn().expect("it starts");
    let deadline = Instant::now() + DEADLINE;
    while child.try_wait().expect("it can be asked").is_none() && size(&path) <= before + grown {
        assert!(Instant::now() < deadline, "{line}: {part} does not grow");
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    child
}

async fn end(mut child: Child, signal: &str) -> Output {
    if let Some(pid) = child.id().filter(|_| child.try_wait().is_ok_and(|ended| ended.is_none())) {
        let asked = Command::new("kill").args([signal, &pid.to_string()]).status().await.unwrap();
        assert!(asked.success());
    }
    child.wait_with_output().await.expect("it ends")
}

/// Kills it again and again, each time somewhere else, and looks at what it comes to.
async fn killed_all_the_way(name: &str) {
    let stand = Stand::with_events(EVENTS).await;
    stand.replay(&format!("--out whole-{name}")).await;
    let whole = stand.read(&format!("whole-{name}"));

    let line = format!("--out {name} --resume --throttle 2000");
    let mut kills = 0;
    while !stand.path(name).exists() {
        let random = u64::from_le_bytes(clock::random_bytes());
        let grown = random % (whole.len() as u64 / 3);
        let child = run_until_grown(&stand, &line, &format!("{name}.part"), grown).await;
        kills += u32::from(!end(child, "-KILL").await.status.success());
        if kills == 2 {
            // What is appended in the meantime is not of this replay.
            stand.grow_to(EVENTS + 50).await;
        }
    }
    assert!(kills > 0, "it was never killed");
    stand.replay(&format!("--out {name} --resume")).await;
    assert!(stand.read(name) == whole, "the file is another one");

    let manifest = stand.json(&format!("{name}.manifest.json"));
    let uninterrupted = stand.json(&format!("whole-{name}.manifest.json"));
    for same in ["bytes", "sha256", "events", "events_by_type", "last_position", "range"] {
        assert_eq!(manifest[same], uninterrupted[same], "{same}");
    }
    assert_eq!(manifest["sha256"], sha256(&whole));
    stand.replay(&format!("--verify {name}.manifest.json")).await;
    assert_eq!(stand.files().len(), 4, "{:?}", stand.files());
}

#[tokio::test]
async fn killed_at_any_moment_it_resumes_to_the_same_bytes() {
    killed_all_the_way("events.ndjson").await;
}

#[tokio::test]
async fn a_gzip_file_resumes_to_the_same_bytes_too() {
    killed_all_the_way("events.ndjson.gz").await;
}

/// A replay of four pages that was asked to stop in the middle of the last but one.
async fn stopped(signal: &str) -> (Stand, String) {
    let stand = Stand::with_events(4 * PAGE).await;
    stand.replay("--out whole.ndjson").await;
    let grown = stand.read("whole.ndjson").len() as u64 * 5 / 8;
    let line = "--out events.ndjson --throttle 4000";
    let child = run_until_grown(&stand, line, "events.ndjson.part", grown).await;
    let output = end(child, signal).await;
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(!stand.path("events.ndjson").exists());
    (stand, said)
}

#[tokio::test]
async fn asked_to_stop_it_stops_at_once_and_can_be_resumed() {
    for signal in ["-TERM", "-INT"] {
        let (stand, said) = stopped(signal).await;
        assert!(said.contains("stopped when asked to, after position 2000; --resume"), "{said}");
        assert_eq!(stand.json("events.ndjson.part.json")["position"], 2 * PAGE);
        stand.replay("--out events.ndjson --resume").await;
        assert!(stand.read("events.ndjson") == stand.read("whole.ndjson"));
    }
}

#[tokio::test]
async fn only_the_same_replay_goes_on_with_a_part() {
    let (stand, _) = stopped("-TERM").await;
    let part = stand.read("events.ndjson.part");
    let out = "--out events.ndjson";
    stand.fails(out, 2, "events.ndjson.part is there from an interrupted replay").await;
    let said = stand.fails(&format!("{out} --resume --from 2"), 2, "of another replay").await;
    assert!(said.contains(r#"--from was "none" and is "2""#), "{said}");
    stand.fails(&format!("{out} --resume --schema latest"), 2, "--schema was").await;
    assert!(stand.read("events.ndjson.part") == part, "a refused replay touched the part");

    // A part that is not what was written is not gone on with.
    let mut damaged = part.clone();
    damaged[part.len() / 4] ^= 1;
    fs::write(stand.path("events.ndjson.part"), damaged).unwrap();
    stand.fails(&format!("{out} --resume"), 1, "bytes are not those that were written").await;
    fs::write(stand.path("events.ndjson.part"), &part[..part.len() / 4]).unwrap();
    stand.fails(&format!("{out} --resume"), 1, "bytes are not those that were written").await;
    fs::remove_file(stand.path("events.ndjson.part")).unwrap();
    stand.fails(&format!("{out} --resume"), 1, "it is gone").await;

    stand.replay(&format!("{out} --overwrite")).await;
    assert!(stand.read("events.ndjson") == stand.read("whole.ndjson"));
}

#[tokio::test]
async fn a_finished_file_is_neither_written_again_nor_overwritten_unasked() {
    let stand = Stand::with_lives(2).await;
    stand.replay("--out events.ndjson --to 9").await;
    let (file, manifest) = (stand.read("events.ndjson"), stand.read("events.ndjson.manifest.json"));
    let again = stand.replay("--out events.ndjson --to 9 --resume").await;
    assert!(text(&again.stderr).contains("nothing to do"), "{}", text(&again.stderr));
    stand.fails("--out events.ndjson --to 9", 2, "events.ndjson is there already").await;
    stand.fails("--out events.ndjson --to 8 --resume", 2, "of another replay").await;
    assert_eq!(stand.read("events.ndjson"), file);
    assert_eq!(stand.read("events.ndjson.manifest.json"), manifest);

    // What is to be overwritten stays until there is something better.
    stand.fails("--out events.ndjson --from 19 --overwrite", 2, "is not in the log").await;
    stand.fails("--out events.ndjson --schema 1 --overwrite", 1, "is newer than version 1").await;
    assert_eq!(stand.read("events.ndjson"), file);
    stand.replay("--verify events.ndjson.manifest.json").await;

    stand.replay("--out events.ndjson --to 3 --overwrite").await;
    assert_eq!(stand.json("events.ndjson.manifest.json")["events"], 3);
    stand.replay("--verify events.ndjson.manifest.json").await;
}

/// The state that a replay has on disk when it has everything, made from its manifest.
fn final_state(manifest: &Value) -> Value {
    let mut state = manifest.clone();
    state["position"] = manifest["range"]["last"].clone();
    state
}

#[tokio::test]
async fn killed_while_it_finishes_it_finishes_when_resumed() {
    let stand = Stand::with_lives(2).await;
    stand.replay("--out events.ndjson").await;
    let file = stand.read("events.ndjson");
    let manifest = stand.json("events.ndjson.manifest.json");
    let state = final_state(&manifest).to_string();
    let resume = async || {
        stand.replay("--out events.ndjson --resume").await;
        assert_eq!(stand.files(), ["events.ndjson", "events.ndjson.manifest.json"]);
        assert_eq!(stand.read("events.ndjson"), file);
        assert_eq!(stand.json("events.ndjson.manifest.json")["sha256"], manifest["sha256"]);
    };

    // After the last rename.
    fs::write(stand.path("events.ndjson.part.json"), &state).unwrap();
    resume().await;
    // Before it.
    fs::write(stand.path("events.ndjson.part.json"), &state).unwrap();
    fs::rename(stand.path("events.ndjson"), stand.path("events.ndjson.part")).unwrap();
    resume().await;
    // Before the manifest.
    fs::write(stand.path("events.ndjson.part.json"), &state).unwrap();
    fs::rename(stand.path("events.ndjson"), stand.path("events.ndjson.part")).unwrap();
    fs::remove_file(stand.path("events.ndjson.manifest.json")).unwrap();
    resume().await;
    // Before the first state.
    fs::remove_file(stand.path("events.ndjson.manifest.json")).unwrap();
    fs::rename(stand.path("events.ndjson"), stand.path("events.ndjson.part")).unwrap();
    resume().await;
}

#[tokio::test]
async fn two_replays_do_not_write_one_file() {
    let stand = Stand::with_events(PAGE).await;
    let line = "--out events.ndjson --throttle 10";
    let child = run_until_grown(&stand, line, "events.ndjson.part.json", 0).await;
    wait_until("the state is there", || async { stand.path("events.ndjson.part.json").exists() })
        .await;
    let refused = "being written by another replay";
    stand.fails("--out events.ndjson --resume", 2, refused).await;
    stand.fails("--out events.ndjson --overwrite", 2, refused).await;
    assert_eq!(end(child, "-TERM").await.status.code(), Some(1));
}
