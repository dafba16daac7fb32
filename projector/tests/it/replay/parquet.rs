//! Into a Parquet file, read back by another way than it was written. Without the feature, the
//! option says how to get it.

#[cfg(not(feature = "parquet"))]
#[tokio::test]
async fn a_build_without_parquet_says_so() {
    let stand = super::stand::Stand::with_lives(1).await;
    stand.fails("--sink parquet:events.parquet", 2, "--features parquet").await;
    assert_eq!(stand.files(), [""; 0]);
}

#[cfg(feature = "parquet")]
mod with {
    use std::fs::{self, File};

    use parquet::{
        file::reader::{FileReader, SerializedFileReader},
        record::{Field, Row},
    };
    use serde_json::{Value, json};

    use super::super::stand::{PAGE, Stand, lines, sha256, text};

    fn rows(stand: &Stand, name: &str) -> Vec<Value> {
        let reader =
            SerializedFileReader::new(File::open(stand.path(name)).unwrap()).expect("Parquet");
        reader.get_row_iter(None).unwrap().map(|row| line(&row.expect("a row"))).collect()
    }

    /// A row as the line of NDJSON that it has to say the same as.
    fn line(row: &Row) -> Value {
        let mut line = json!({ "specversion": "1.0", "datacontenttype": "application/json" });
        for (name, field) in row.get_column_iter() {
            let (name, value) = match (name.as_str(), field) {
                (_, Field::Null) => continue,
                ("movie_id", Field::Str(text)) => ("subject", json!(text)),
                ("event_type", Field::Str(text)) => ("type", json!(text)),
                ("request_id", Field::Str(text)) => ("requestid", json!(text)),
                ("payload", Field::Str(text)) => ("data", serde_json::from_str(text).unwrap()),
                ("recorded_at", Field::TimestampMicros(micros)) => {
                    let time = chrono::DateTime::from_timestamp_micros(*micros).unwrap();
                    ("time", json!(time.to_rfc3339_opts(chrono::SecondsFormat::Micros, true)))
                }
                ("event_version", Field::Long(version)) => {
                    let ending = format!(".v{version}");
                    assert!(line["type"].as_str().unwrap().ends_with(&ending), "{ending}");
                    continue;
                }
                (name, Field::Str(text)) => (name, json!(text)),
                (name, Field::Long(number)) => (name, json!(number)),
                (name, other) => panic!("column {name} has {other:?}"),
            };
            line[name] = value;
        }
        line
    }

    #[tokio::test]
    async fn a_parquet_file_says_what_the_lines_say() {
        let stand = Stand::with_lives(3).await;
        for filter in ["", "--schema latest", "--types MovieShown", "--from 5 --to 7"] {
            let found = lines(&stand.replay(filter).await.stdout);
            assert!(!found.is_empty());
            stand.replay(&format!("{filter} --sink parquet:e.parquet --overwrite")).await;
            assert_eq!(rows(&stand, "e.parquet"), found, "{filter:?}");
            let manifest = stand.json("e.parquet.manifest.json");
            assert_eq!(manifest["events"], found.len());
            assert_eq!(manifest["sha256"], sha256(&stand.read("e.parquet")));
            assert_eq!(manifest["format"], "parquet");
        }
        stand.replay("--verify e.parquet.manifest.json").await;
        let mut flipped = stand.read("e.parquet");
        flipped[100] ^= 1;
        fs::write(stand.path("e.parquet"), flipped).unwrap();
        stand.fails("--verify e.parquet.manifest.json", 1, "SHA-256").await;
    }

    #[tokio::test]
    async fn row_groups_hold_every_event_once_and_a_resumed_file_is_the_same() {
        let events = 41 * PAGE;
        let stand = Stand::with_events(events).await;
        stand.replay("--sink parquet --out whole.parquet").await;
        let reader =
            SerializedFileReader::new(File::open(stand.path("whole.parquet")).unwrap()).unwrap();
        assert_eq!(reader.metadata().num_row_groups(), 3);
        let positions: Vec<u64> = rows(&stand, "whole.parquet")
            .iter()
            .map(|row| row["position"].as_u64().unwrap())
            .collect();
        assert_eq!(positions, (1..=events).collect::<Vec<_>>());

        let line = "--sink parquet:e.parquet --throttle 20000";
        let mut child = stand.command(line.split_whitespace()).spawn().unwrap();
        crate::bed::wait_until("a row group is written", || async {
            super::super::stand::size(&stand.path("e.parquet.part")) > 1_000
        })
        .await;
        child.start_kill().unwrap();
        let output = child.wait_with_output().await.unwrap();
        assert!(!output.status.success(), "{}", text(&output.stderr));
        assert!(!stand.path("e.parquet").exists());
        stand.grow_to(events + 10).await;
        stand.replay("--sink parquet:e.parquet --resume").await;
        assert!(stand.read("e.parquet") == stand.read("whole.parquet"));
    }
}
