//! What is in a file, and what is beside it.

use std::{collections::BTreeMap, fs};

use serde_json::{Value, json};
use tokio::process::Command;

use super::stand::{LIFE, Stand, bare_command, expected_line, lines, positions, sha256, text};
use crate::samples::Log;

#[tokio::test]
async fn a_file_has_every_event_of_the_log_in_order_and_as_it_is() {
    let stand = Stand::new().await;
    let mut log = Log::new();
    for title in ["One", "Zwei", "Τρία"] {
        log.live_a_life(title);
    }
    stand.bed.log(&log.events).await;
    stand.replay("--sink ndjson:events.ndjson").await;

    let found = lines(&stand.read("events.ndjson"));
    let expected: Vec<Value> = log.events.iter().map(expected_line).collect();
    assert_eq!(found, expected);
    // What the log has sealed is not opened on the way.
    let sealed: Vec<&str> =
        found.iter().filter_map(|line| line["data"]["sealed_url"].as_str()).collect();
    assert_eq!(sealed.len(), 6);
    assert!(sealed.iter().all(|url| url.starts_with("v1.local.")), "{sealed:?}");
    assert_eq!(stand.files(), ["events.ndjson", "events.ndjson.manifest.json"]);
}

#[tokio::test]
async fn a_manifest_says_what_the_file_is() {
    let stand = Stand::with_lives(3).await;
    stand.replay("--from 2 --to 20 --out events.ndjson").await;

    let bytes = stand.read("events.ndjson");
    let mut by_type = BTreeMap::<String, u64>::new();
    for line in lines(&bytes) {
        *by_type.entry(line["type"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    let manifest = stand.json("events.ndjson.manifest.json");
    assert_eq!(manifest["file"], "events.ndjson");
    assert_eq!(manifest["format"], "ndjson");
    assert_eq!(manifest["bytes"], bytes.len());
    assert_eq!(manifest["sha256"], sha256(&bytes));
    assert_eq!(manifest["events"], 19);
    assert_eq!(manifest["events_by_type"], json!(by_type));
    assert_eq!((&manifest["first_position"], &manifest["last_position"]), (&json!(2), &json!(20)));
    assert_eq!(manifest["range"], json!({ "first": 2, "last": 20, "log_head": 27 }));
    assert_eq!(
        manifest["request"],
        json!({ "from": 2, "to": 20, "types": [], "movies": [], "schema": "stored" })
    );
    assert!(manifest["tool"].as_str().unwrap().starts_with("marquee projector "));
    let time = |name: &str| {
        chrono::DateTime::parse_from_rfc3339(manifest[name].as_str().unwrap()).unwrap()
    };
    assert!(time("started_at") <= time("finished_at"));
}

#[tokio::test]
async fn gzip_and_stdout_have_the_same_lines() {
    let stand = Stand::with_events(2_500).await;
    stand.replay("--out plain.ndjson").await;
    stand.replay("--out packed.ndjson.gz").await;
    let plain = stand.read("plain.ndjson");
    assert_eq!(positions(&plain), (1..=2_500).collect::<Vec<_>>());

    let unpacked = Command::new("gzip")
        .arg("-dc")
        .arg(stand.path("packed.ndjson.gz"))
        .output()
        .await
        .expect("gzip is there");
    assert!(unpacked.status.success(), "{}", text(&unpacked.stderr));
    assert!(unpacked.stdout == plain, "gzip gives other lines back");
    assert!(stand.read("packed.ndjson.gz").len() * 4 < plain.len());

    for stdout in ["", "--sink ndjson", "--sink ndjson:-"] {
        assert!(stand.replay(stdout).await.stdout == plain, "{stdout:?} writes other lines");
    }
}

#[tokio::test]
async fn an_empty_log_is_an_empty_file() {
    let stand = Stand::new().await;
    stand.replay("--out none.ndjson").await;
    stand.replay("--out none.ndjson.gz").await;
    assert_eq!(stand.read("none.ndjson"), b"");
    let unpacked =
        Command::new("gzip").arg("-t").arg(stand.path("none.ndjson.gz")).status().await.unwrap();
    assert!(unpacked.success());
    for name in ["none.ndjson.manifest.json", "none.ndjson.gz.manifest.json"] {
        assert_eq!(stand.json(name)["events"], 0);
        assert_eq!(stand.json(name)["first_position"], Value::Null);
        stand.replay(&format!("--verify {name}")).await;
    }
}

#[tokio::test]
async fn a_manifest_is_checked_without_any_server() {
    let stand = Stand::with_lives(2).await;
    let verify = async |name: &str| {
        let manifest = stand.path(&format!("{name}.manifest.json"));
        bare_command().arg("--verify").arg(manifest).output().await.expect("it runs")
    };
    for name in ["events.ndjson", "events.ndjson.gz"] {
        stand.replay(&format!("--out {name}")).await;
        let whole = verify(name).await;
        assert!(whole.status.success(), "{}", text(&whole.stderr));

        let good = stand.read(name);
        let mut flipped = good.clone();
        flipped[good.len() / 2] ^= 1;
        let truncated = &good[..good.len() - 1];
        let longer = [good.as_slice(), b"\n"].concat();
        for (damage, bytes, said) in [
            ("a flipped bit", flipped.as_slice(), "SHA-256"),
            ("a byte less", truncated, "bytes in place of"),
            ("a byte more", &longer, "bytes in place of"),
            ("nothing left", b"", "bytes in place of"),
        ] {
            fs::write(stand.path(name), bytes).unwrap();
            let found = verify(name).await;
            assert_eq!(found.status.code(), Some(1), "{name}: {damage}");
            let report = text(&found.stderr);
            assert!(report.contains(said), "{name}: {damage}: {report}");
        }
        fs::write(stand.path(name), good).unwrap();
    }

    // A manifest that was doctored to fit a doctored file still counts other events.
    let name = "events.ndjson";
    let lines = stand.read(name);
    let shorter = &lines[lines.iter().position(|byte| *byte == b'\n').unwrap() + 1..];
    fs::write(stand.path(name), shorter).unwrap();
    let mut manifest = stand.json("events.ndjson.manifest.json");
    manifest["bytes"] = json!(shorter.len());
    manifest["sha256"] = json!(sha256(shorter));
    fs::write(stand.path("events.ndjson.manifest.json"), manifest.to_string()).unwrap();
    let found = verify(name).await;
    assert_eq!(found.status.code(), Some(1));
    let report = text(&found.stderr);
    assert!(report.contains(&format!("{} events at positions 2 to", 2 * LIFE - 1)), "{report}");
}
