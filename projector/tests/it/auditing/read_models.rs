//! What can be wrong with the tables and with the catalog topic.

use marquee_infra::{
    clock,
    kafka::{self, CloudEvent},
};
use rdkafka::{
    admin::{AdminClient, AdminOptions},
    client::DefaultClientContext,
};
use serde_json::Value;

use super::world::{Audit, Outgoing, World};
use crate::{bed::wait_until, catalog_topic::topic};

/// Tampers, audits, and sets right again.
async fn planted(world: &World, plant: &str, restore: &str) -> Audit {
    world.tamper(plant).await;
    let audit = world.audit(&[]).await;
    world.tamper(restore).await;
    audit
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_are_not_what_the_log_adds_up_to_are_found() {
    let world = World::settled().await;
    let audit = world.audit(&[]).await;
    audit.assert_clean();
    assert_eq!(audit.report["looked_at"]["movies"], 9);
    assert_eq!(audit.report["looked_at"]["history_entries"], 82);

    // The first movie's row stands at position 9.
    for (plant, restore, field) in [
        ("SET title = 'Film 0'", "SET title = 'Film 0, again'", "title"),
        ("SET genres = '[]'", "SET genres = '[\"Drama\", \"Ελληνικά\"]'", "genres"),
        (
            "SET kafka_partition = kafka_partition + 7",
            "SET kafka_partition = kafka_partition - 7",
            "kafka_partition",
        ),
        ("SET removed = 1", "SET removed = 0", "removed"),
        ("SET duration_minutes = 101", "SET duration_minutes = 100", "duration_minutes"),
        (
            "SET updated_at = updated_at + INTERVAL 1 MICROSECOND",
            "SET updated_at = updated_at - INTERVAL 1 MICROSECOND",
            "updated_at",
        ),
    ] {
        let of = |sql: &str| format!("UPDATE catalog_movies {sql} WHERE position = 9");
        let audit = planted(&world, &of(plant), &of(restore)).await;
        assert_eq!(audit.found()[0], ("row_differs", vec![(9, 9)]), "{plant}: {}", audit.report);
        let details = audit.details("row_differs");
        assert!(details.contains(&format!("version 9: {field}\"")), "{details}");
    }
    let movie = "(SELECT movie_id FROM catalog_movies WHERE position = 9)";
    for (table, plant, restore) in [
        ("catalog_genres", "genre = 'drama'", "genre = 'Drama'"),
        ("catalog_stream_sources", "stream_url = 'v1.local.BBBB'", "stream_url = 'v1.local.AAAA'"),
        ("catalog_caption_tracks", "format = 'TTML'", "format = 'WEBVTT'"),
    ] {
        let of = |set: &str| {
            format!("UPDATE {table} SET {set} WHERE ordinal = 0 AND movie_id = {movie}")
        };
        let audit = planted(&world, &of(plant), &of(restore)).await;
        assert_eq!(audit.found(), [("row_differs", vec![(9, 9)])], "{}", audit.report);
        assert!(audit.details("row_differs").contains(table));
    }
    world.audit(&[]).await.assert_clean();
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_too_few_too_many_and_too_old_are_found() {
    let mut world = World::settled().await;
    world.tamper("CREATE TABLE aside AS SELECT * FROM catalog_movies WHERE position = 18").await;
    let audit = planted(
        &world,
        "DELETE FROM catalog_movies WHERE position = 18",
        "INSERT INTO catalog_movies SELECT * FROM aside",
    )
    .await;
    let found = audit.found();
    assert_eq!(found[0], ("row_missing", vec![(10, 10)]), "{}", audit.report);
    assert!(found.iter().any(|(kind, _)| *kind == "history_surplus"));
    assert!(audit.details("row_surplus").contains("catalog_genres"));

    // A row of a movie that the log does not know.
    let stranger = clock::new_uuid();
    world.tamper(&format!("UPDATE aside SET movie_id = '{stranger}', slug = 'aside'")).await;
    let audit = planted(
        &world,
        "INSERT INTO catalog_movies SELECT * FROM aside",
        "DELETE FROM catalog_movies WHERE slug = 'aside'",
    )
    .await;
    assert_eq!(audit.found(), [("row_surplus", vec![(18, 18)])], "{}", audit.report);

    world.tamper("CREATE TABLE was AS SELECT * FROM movie_history").await;
    for (plant, kind, position) in [
        ("DELETE FROM movie_history WHERE position = 20", "history_missing", 20),
        ("UPDATE movie_history SET actor = 'x' WHERE position = 21", "history_differs", 21),
        (
            "INSERT INTO movie_history SELECT movie_id, 77, position + 7000, event_type, command,
                 actor, request_id, recorded_at, payload FROM movie_history WHERE position = 22",
            "history_surplus",
            7022,
        ),
    ] {
        world.tamper(plant).await;
        let audit = world.audit(&[]).await;
        assert_eq!(audit.found(), [(kind, vec![(position, position)])], "{}", audit.report);
        world.tamper("DELETE FROM movie_history").await;
        world.tamper("INSERT INTO movie_history SELECT * FROM was").await;
    }

    // An event that the checkpoint has passed and the row has not.
    let movie_id = world.log.movies()[0];
    world.log.retitle(movie_id, "Passed over");
    world.append().await;
    let head = world.head();
    world.relay_all(head..=head).await;
    world.audit(&[]).await.assert_clean();
    let of_the_movie = format!(
        "kafka_partition = (SELECT kafka_partition FROM catalog_movies WHERE movie_id = '{movie_id}')"
    );
    world
        .tamper(&format!(
            "UPDATE projection_checkpoints SET position = {head}
             WHERE projection = 'catalog' AND {of_the_movie}"
        ))
        .await;
    let audit = world.audit(&[]).await;
    assert_eq!(audit.found(), [("row_behind", vec![(head, head)])], "{}", audit.report);
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_that_are_not_the_rows_are_found() {
    let world = World::settled().await;
    let catalog = &world.bed.topics.catalog;
    let published = topic::read_aside(&world.bed, catalog);
    let ids = world.log.movies();
    let last = |index: usize| {
        let key = ids[index].to_string();
        published.iter().rev().find(|one| one.key == key).expect("it is published").clone()
    };
    let outgoing = |about: &CloudEvent, key: &str, document: Option<&Value>| Outgoing {
        key: Some(key.to_owned()),
        headers: about.to_headers(),
        value: document.map_or(Vec::new(), |document| document.to_string().into_bytes()),
        partition: None,
    };

    // The same again is no finding.
    let same = last(0);
    let again = outgoing(&same.about, &same.key, same.document.as_ref());
    world.publish_to(catalog, vec![again], Vec::new()).await;
    world.audit(&[]).await.assert_clean();

    let changed = last(1);
    let mut document = changed.document.clone().unwrap();
    document["title"] = Value::from("Another");
    let dead = last(2);
    let older = last(3);
    let mut about = older.about.clone();
    about.sequence = Some(8);
    let stranger = clock::new_uuid().to_string();
    let records = vec![
        outgoing(&changed.about, &changed.key, Some(&document)),
        outgoing(&dead.about, &dead.key, None),
        outgoing(&about, &older.key, older.document.as_ref()),
        outgoing(&older.about, &stranger, older.document.as_ref()),
    ];
    world.publish_to(catalog, records, Vec::new()).await;
    let audit = world.audit(&[]).await;
    let mut found = audit.found();
    for (_, positions) in &mut found {
        positions.sort_unstable();
    }
    assert_eq!(found[0].0, "document_surplus");
    assert_eq!(found[1].0, "document_differs");
    let differing: Vec<u64> = found[1].1.iter().flat_map(|(from, to)| *from..=*to).collect();
    assert_eq!(differing, [18, 27, 36], "{}", audit.report);
    assert_eq!(found[2].0, "document_out_of_order");
    assert!(audit.details("document_surplus").contains(&stranger));
    assert!(audit.details("document_out_of_order").contains("version 8 after version 9"));
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_that_are_not_there_are_found_and_published_anew() {
    let world = World::settled().await;
    let catalog = &world.bed.topics.catalog;
    let published = topic::read_aside(&world.bed, catalog);
    let removed = world.log.movies()[8].to_string();
    let settings = &world.bed.settings;
    let admin: AdminClient<DefaultClientContext> = settings.kafka.client_config().create().unwrap();
    for deleted in admin.delete_topics(&[catalog], &AdminOptions::new()).await.unwrap() {
        deleted.expect("it is deleted");
    }
    let creation = settings.topics.creation();
    wait_until("the topic is made again", || async {
        let made = kafka::ensure_topics(&settings.kafka, &world.bed.topics, &creation).await;
        made.is_ok_and(|found| found.iter().any(|one| one.topic == *catalog && one.created))
    })
    .await;
    let audit = world.audit(&["--repair", "--yes"]).await;
    let found = audit.found();
    assert_eq!(found.len(), 1, "{}", audit.report);
    assert_eq!(found[0].0, "document_missing");
    let mut missing: Vec<u64> = found[0].1.iter().flat_map(|(from, to)| *from..=*to).collect();
    missing.sort_unstable();
    let mut expected: Vec<u64> = topic::view(&published)
        .values()
        .map(|document| document["position"].as_u64().unwrap())
        .collect();
    expected.sort_unstable();
    // A tombstone that is gone says what it said.
    assert_eq!(missing, expected);
    assert!(!audit.report.to_string().contains(&removed));

    let running = world.start();
    topic::wait_for_view(&world.bed, catalog, &topic::expected(&world.log)).await;
    world.wait_until_published().await;
    running.stop().await;
    world.audit(&[]).await.assert_clean();
}
