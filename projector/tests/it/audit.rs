//! The audit of stream tokens.

use marquee_infra::{clock, kafka::CloudEvent};
use serde_json::{Value, json};
use sqlx::Row;

use crate::{
    bed::{Bed, Record},
    command_line::{run, text},
};

pub fn token() -> Value {
    let now = clock::now();
    json!({
        "type": "StreamTokenIssued", "token_id": clock::new_uuid(), "movie_id": clock::new_uuid(),
        "viewer_context": "a1".repeat(32), "dialect": "akamai", "key_id": "edge-1",
        "token_sha256": "b2".repeat(32), "signed_url": "https://cdn.example.org/sha256:b2/x.m3u8",
        "issued_at": now, "expires_at": now + chrono::Duration::minutes(5), "stateless": false,
    })
}

pub fn renewed(earlier: &Value) -> Value {
    let mut renewed = token();
    renewed["type"] = json!("StreamTokenRenewed");
    renewed["movie_id"] = earlier["movie_id"].clone();
    renewed["renews"] = earlier["token_id"].clone();
    renewed
}

pub fn denied() -> Value {
    json!({
        "type": "StreamTokenDenied", "denial_id": clock::new_uuid(), "movie_id": clock::new_uuid(),
        "viewer_context": "a1".repeat(32), "reason": "NOT_YET_AVAILABLE", "denied_at": clock::now(),
    })
}

pub fn revoked(token: &Value) -> Value {
    json!({
        "type": "StreamTokenRevoked", "token_id": token["token_id"], "movie_id": token["movie_id"],
        "viewer_context": "a1".repeat(32), "reason": "HIDDEN", "revoked_at": clock::now(),
    })
}

/// A token, another in its place, which is revoked, and one that nobody got.
pub fn one_of_each() -> [Value; 4] {
    let issued = token();
    let renewed = renewed(&issued);
    let revoked = revoked(&renewed);
    [issued, renewed, revoked, denied()]
}

/// None that Marquee tells of.
fn framed() -> Value {
    json!({ "type": "StreamTokenFramed", "movie_id": clock::new_uuid() })
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
    let [issued, renewed, revoked, denied] = one_of_each();
    let mut bad_digest = token();
    bad_digest["token_sha256"] = json!("not a digest");
    let topic = &bed.topics.stream_tokens;
    // The revocation before its token: a replay may begin anywhere.
    let batch = [&issued, &issued, &framed(), &bad_digest, &revoked, &denied].map(record);
    bed.publish(topic, batch.to_vec()).await;
    // Another process told of it later, with another reason.
    let mut again = revoked.clone();
    again["reason"] = json!("REMOVED");
    let batch = [&issued, &renewed, &again, &denied, &revoked].map(record);
    let places = bed.publish(topic, batch.to_vec()).await;
    let mut end = std::collections::BTreeMap::new();
    end.extend(places.into_iter().map(|(partition, offset)| (partition, offset + 1)));
    marquee_tests::fold::wait_for_checkpoints(&bed.pool, topic, &end).await;

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
    let renews: Option<String> = row.get_unchecked("renews");
    assert_eq!(renews, None);

    let audited = "event_type, renews FROM stream_token_audit WHERE token_id = ?";
    assert_eq!(
        texts(&bed, audited, &renewed["token_id"]).await,
        [json!("StreamTokenRenewed"), issued["token_id"].clone()]
    );
    let told = "movie_id, viewer_context, reason FROM";
    let of = |event: &Value| {
        ["movie_id", "viewer_context", "reason"].map(|member| event[member].clone())
    };
    assert_eq!(bed.count("SELECT COUNT(*) FROM stream_token_revocations").await, 1);
    let revocation = format!("{told} stream_token_revocations WHERE token_id = ?");
    assert_eq!(texts(&bed, &revocation, &renewed["token_id"]).await, of(&revoked));
    assert_eq!(bed.count("SELECT COUNT(*) FROM stream_token_denials").await, 1);
    let denial = format!("{told} stream_token_denials WHERE denial_id = ?");
    assert_eq!(texts(&bed, &denial, &denied["denial_id"]).await, of(&denied));
    running.stop().await;
}

/// The texts in a row.
async fn texts(bed: &Bed, columns: &str, id: &Value) -> Vec<Value> {
    let select = format!("SELECT {columns}");
    let row = sqlx::query(&select).bind(id.as_str()).fetch_one(&bed.pool).await.unwrap();
    (0..row.len()).map(|column| json!(row.get_unchecked::<String, _>(column))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_query_of_the_projection_reads_by_index() {
    let bed = Bed::new().await;
    for (table, id) in [
        ("stream_token_audit", "token_id"),
        ("stream_token_revocations", "token_id"),
        ("stream_token_denials", "denial_id"),
    ] {
        for statement in [
            format!("SELECT {id}, movie_id FROM {table} WHERE {id} IN ('a', 'b')"),
            format!("SELECT * FROM {table} WHERE viewer_context = 'a'"),
            format!("SELECT * FROM {table} WHERE movie_id = 'a'"),
        ] {
            bed.assert_no_table_scan(&statement).await;
        }
    }
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
    let [projected, lost, spoiled] = [(); 3].map(|()| token());
    let mut bad = token();
    bad["token_sha256"] = json!("not a digest");
    let (renewed, revoked, denied) = (renewed(&projected), revoked(&lost), denied());
    let events =
        [&projected, &projected, &lost, &spoiled, &bad, &framed(), &renewed, &revoked, &denied];
    bed.publish(topic, events.map(record).to_vec()).await;
    bed.wait_for_count(4, "SELECT COUNT(*) FROM stream_token_audit").await;
    bed.wait_for_count(1, "SELECT COUNT(*) FROM parked_events").await;
    running.stop().await;
    // The projector is down: this one is in the topic only, that one in the outbox.
    let (waiting, kept) = (token(), token());
    bed.publish(topic, vec![record(&waiting)]).await;
    sqlx::query(
        "INSERT INTO stream_token_outbox (token_id, movie_id, viewer_context, issued_at, payload)
         VALUES (?, '', '', '2026-01-01', '')",
    )
    .bind(kept["token_id"].as_str())
    .execute(&bed.pool)
    .await
    .unwrap();

    let (code, report) = audit(&bed, &[&projected, &renewed, &waiting, &kept]).await;
    assert_eq!(code, Some(0), "{report}");
    for (figure, expected) in [
        ("records", 10),
        ("issued", 4),
        ("renewed", 1),
        ("denied", 1),
        ("revoked", 1),
        ("with_row", 7),
        ("parked", 1),
        ("other_types", 1),
        ("not_projected", 1),
        ("in_outbox", 1),
        ("seen", 4),
        ("seen_with_row", 2),
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
    let unheard = token();
    let (code, report) = audit(&bed, &[&projected, &unheard]).await;
    assert_eq!(code, Some(1), "{report}");
    for (kind, token) in
        [("without_row", &lost), ("differing", &spoiled), ("without_record", &unheard)]
    {
        assert_eq!(report[kind]["total"], 1, "{kind}: {report}");
        let named = report[kind]["first"][0].as_str().unwrap();
        assert!(named.starts_with(token["token_id"].as_str().unwrap()), "{kind}: {report}");
    }

    plant("DELETE FROM stream_token_audit WHERE token_id = ?", &renewed).await;
    plant("DELETE FROM stream_token_revocations WHERE token_id = ?", &lost).await;
    let gone = sqlx::query("DELETE FROM stream_token_denials").execute(&bed.pool).await.unwrap();
    assert_eq!(gone.rows_affected(), 1);
    let (code, report) = audit(&bed, &[]).await;
    assert_eq!(code, Some(1), "{report}");
    let named = report["without_row"]["first"].to_string();
    assert_eq!(report["without_row"]["total"], 4, "{report}");
    for id in [&renewed["token_id"], &denied["denial_id"]] {
        assert!(named.contains(id.as_str().unwrap()), "{id}: {report}");
    }
    let revoked = format!("{}/revoked", lost["token_id"].as_str().unwrap());
    assert!(named.contains(&revoked), "{report}");
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
