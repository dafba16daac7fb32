//! What can't be done as it was asked for is told at once, with 2.

use super::stand::{Stand, bare_command, text};

#[tokio::test]
async fn bad_arguments_exit_with_2_and_leave_nothing_behind() {
    let stand = Stand::with_lives(1).await;
    for (line, says) in [
        ("--from yesterday", "neither a position nor an RFC 3339 time"),
        ("--from 0", "positions begin with 1"),
        ("--schema newest", "expected stored, latest, or a version from 1"),
        ("--movies 7", "invalid value '7' for '--movies"),
        ("--sink csv:x", "expected ndjson[:PATH|-], kafka:TOPIC or parquet:PATH"),
        ("--sink ndjson:a --out b", "--out is for a --sink that does not say where to"),
        ("--out x.ndjson.zst", "a name that ends with .gz"),
        ("--resume", "can't be resumed"),
        ("--throttle 0", "invalid value '0' for '--throttle"),
        ("--verify absent.manifest.json", "there is no manifest"),
        ("--from 10 --out x", "--from 10 is not in the log"),
    ] {
        stand.fails(line, 2, says).await;
    }
    assert_eq!(stand.files(), [""; 0]);
}

#[tokio::test]
async fn it_says_what_it_needs() {
    let output = bare_command().output().await.unwrap();
    assert_ne!(output.status.code(), Some(0));
    assert!(text(&output.stderr).contains("set DATABASE_URL"), "{}", text(&output.stderr));
}
