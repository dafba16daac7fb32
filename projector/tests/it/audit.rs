//! The audit of stream tokens.

use marquee_infra::{clock, kafka::CloudEvent};
use serde_json::{Value, json};
use sqlx::Row;

use crate::{
    bed::{Bed, Record},
    command_line::{run, text},
};

pub fn token(kind: &str) -> Value {
    let now = clock::now();
    json!({
        "type": kind, "token_id": clock::new_uuid(), "movie_id": clock::new_uuid(),
        "viewer_context": "a1".repeat(32), "dialect": "akamai", "key_id": "edge-1",
        "token_sha256": "b2".repeat(32), "signed_url": "https://cdn.example.org/sha256:b2/x.m3u8",
        "issued_at": now, "expires_at": now + chrono::Duration::minutes(5), "stateless": false,
    })
}

pub fn record(payload: &Value) -> Record {
    let kind = payload["type"].as_str().unwrap_or("StreamTokenIssued");
    let event = CloudEvent::viewer_fact(
        clock::new_uuid(),
        format!("marquee.stream-token.{kind}.v1"),
        "viewer",
        clock::now(),
    );
    Record {
        key: Some("a1".repeat(32).into_bytes()),
        payload: Some(payload.to_string().into_bytes()),
        headers: event.to_headers(),
    }
}

#[tokio::test]
async fn every_token_has_one_row_however_often_its_record_comes() {
    let bed = Bed::new().await;
    let running = bed.start();
    let issued = token("StreamTokenIssued");
    let renewed = token("StreamTokenRenewed");
    let denied = json!({ "type": "StreamTokenDenied", "movie_id": clock::new_uuid() });
    let mut bad_digest = token("StreamTokenIssued");
    bad_digest["token_sha256"] = json!("not a digest");
    let topic = &bed.topics.stream_tokens;
    let batch = vec![record(&issued), record(&issued), record(&denied), record(&bad_digest)];
    bed.publish(topic, batch).await;
    bed.publish(topic, vec![record(&issued), record(&renewed)]).await;

    bed.wait_for_count(2, "SELECT COUNT(*) FROM stream_token_audit").await;
    bed.wait_for_count(1, "SELECT COUNT(*) FROM parked_events WHERE error LIKE '%token_sha256%'")
        .await;
    assert_eq!(bed.count("SELECT COUNT(*) FROM parked_events").await, 1);
    let row = sqlx::query("SELECT * FROM stream_token_audit WHERE token_id = ?")
        .bind(issued["token_id"].as_str())
        .fetch_one(&bed.pool)
        .await
        .unwrap();
    for column in ["movie_id", "viewer_context", "dialect", "key_id", "token_sha256", "signed_url"]
    {
        let found: String = row.get_unchecked(column);
        assert_eq!(json!(found), issued[column], "{column}");
    }
    assert_eq!(row.get_unchecked::<String, _>("event_type"), "StreamTokenIssued");
    let expires_at: chrono::DateTime<chrono::Utc> = row.get("expires_at");
    assert_eq!(json!(expires_at), issued["expires_at"]);
    running.stop().await;
}

async fn audit(bed: &Bed, seen: &[&Value]) -> (Option<i32>, Value) {
    let file = std::env::temp_dir().join(format!("marquee-seen-{}", clock::new_uuid()));
    let ids: Vec<&str> = seen.iter().map(|token| token["token_id"].as_str().unwrap()).collect();
    std::fs::write(&file, ids.join("\n")).unwrap();
    let arguments = ["audit-tokens", "--json", "--seen", file.to_str().unwrap()];
    let output = run(bed, &arguments).await;
    std::fs::remove_file(&file).unwrap();
    let report = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{}", text(&output.stderr)));
    (output.status.code(), report)
}

#[tokio::test]
async fn the_auditor_follows_a_token_on_its_way_and_names_one_that_has_no_row() {
    let bed = Bed::new().await;
    let running = bed.start();
    let topic = &bed.topics.stream_tokens;
    let [projected, lost, spoiled] = [(); 3].map(|()| token("StreamTokenIssued"));
    let mut bad = token("StreamTokenIssued");
    bad["token_sha256"] = json!("not a digest");
    let denied = json!({ "type": "StreamTokenDenied", "movie_id": clock::new_uuid() });
    let records = [&projected, &projected, &lost, &spoiled, &bad, &denied].map(record);
    bed.publish(topic, records.to_vec()).await;
    bed.wait_for_count(3, "SELECT COUNT(*) FROM stream_token_audit").await;
    bed.wait_for_count(1, "SELECT COUNT(*) FROM parked_events").await;
    running.stop().await;
    // The projector is down: this one is in the topic only, that one in the outbox.
    let (waiting, kept) = (token("StreamTokenIssued"), token("StreamTokenIssued"));
    bed.publish(topic, vec![record(&waiting)]).await;
    sqlx::query(
        "INSERT INTO stream_token_outbox (token_id, movie_id, viewer_context, issued_at, payload)
         VALUES (?, '', '', '2026-01-01', '')",
    )
    .bind(kept["token_id"].as_str())
    .execute(&bed.pool)
    .await
    .unwrap();

    let (code, report) = audit(&bed, &[&projected, &waiting, &kept]).await;
    assert_eq!(code, Some(0), "{report}");
    for (figure, expected) in [
        ("records", 7),
        ("with_row", 4),
        ("parked", 1),
        ("other_types", 1),
        ("not_projected", 1),
        ("in_outbox", 1),
        ("seen", 3),
        ("seen_with_row", 1),
        ("seen_on_their_way", 2),
    ] {
        assert_eq!(report[figure], expected, "{figure}: {report}");
    }

    let plant = async |statement: &str, token: &Value| {
        let changed =
            sqlx::query(statement).bind(token["token_id"].as_str()).execute(&bed.pool).await;
        assert_eq!(changed.unwrap().rows_affected(), 1);
    };
    plant("DELETE FROM stream_token_audit WHERE token_id = ?", &lost).await;
    plant("UPDATE stream_token_audit SET key_id = 'other' WHERE token_id = ?", &spoiled).await;
    let unheard = token("StreamTokenIssued");
    let (code, report) = audit(&bed, &[&projected, &unheard]).await;
    assert_eq!(code, Some(1), "{report}");
    for (kind, token) in
        [("without_row", &lost), ("differing", &spoiled), ("without_record", &unheard)]
    {
        assert_eq!(report[kind]["total"], 1, "{kind}: {report}");
        let named = report[kind]["first"][0].as_str().unwrap();
        assert!(named.starts_with(token["token_id"].as_str().unwrap()), "{kind}: {report}");
    }
}

#[tokio::test]
async fn a_file_of_tokens_that_cannot_be_read_is_told_by_its_line() {
    let bed = Bed::new().await;
    let file = std::env::temp_dir().join(format!("marquee-seen-{}", clock::new_uuid()));
    std::fs::write(&file, format!("{}\nnot an id\n", clock::new_uuid())).unwrap();
    let output = run(&bed, &["audit-tokens", "--seen", file.to_str().unwrap()]).await;
    std::fs::remove_file(&file).unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("line 2 is no token's id"), "{}", text(&output.stderr));
}
