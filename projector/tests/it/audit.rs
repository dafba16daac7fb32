//! The audit of stream tokens.

use marquee_infra::{clock, kafka::CloudEvent};
use serde_json::{Value, json};
use sqlx::Row;

use crate::bed::{Bed, Record};

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
