//! Many clients that want the same thing at once.

use std::collections::BTreeSet;

use futures::future::join_all;
use marquee_tests::{Answer, Marquee, samples};
use serde_json::json;
use unicode_normalization::UnicodeNormalization;

/// How often each status came.
fn count(answers: &[Answer], status: u16) -> usize {
    answers.iter().filter(|answer| answer.status == status).count()
}

#[tokio::test]
async fn of_100_clients_that_claim_one_title_exactly_one_gets_it() {
    let marquee = Marquee::shared().await;
    let commands = marquee.commands();
    let title = samples::title("Améliè ﬁnds Straße");
    // One title to a reader: other case, composed and decomposed, wider, with invisible characters and more space.
    let forms: [String; 8] = [
        title.clone(),
        title.to_uppercase(),
        title.to_lowercase(),
        title.nfd().collect(),
        title.nfkc().collect(),
        title.replace(' ', "\u{3000} "),
        title.chars().flat_map(|c| [c, '\u{200B}']).collect(),
        title.replace('f', "\u{FF46}").replace("Straße", "STRASSE"),
    ];
    assert_eq!(forms.iter().collect::<BTreeSet<_>>().len(), forms.len(), "the forms differ");
    let answers = join_all((0..100).map(|number| {
        commands.post("/v1/movies").json(&samples::movie(&forms[number % forms.len()])).send()
    }))
    .await;

    assert_eq!((count(&answers, 201), count(&answers, 409)), (1, 99), "{answers:?}");
    let winner =
        answers.iter().find(|answer| answer.status == 201).expect("counted").text_of("movie_id");
    for loser in answers.iter().filter(|answer| answer.status == 409) {
        let problem = loser.problem(409, "title_taken");
        assert_eq!(problem["movie_id"], json!(winner), "{loser:?}");
        assert!(problem["suggestion"].as_str().is_some_and(|free| !free.is_empty()), "{loser:?}");
    }
    let suggestion =
        answers.iter().find(|answer| answer.status == 409).expect("counted").text_of("suggestion");
    let _ = commands.post("/v1/movies").json(&samples::movie(&suggestion)).send().await.expect(201);
}

#[tokio::test]
async fn of_100_clients_with_the_same_etag_exactly_one_wins() {
    let marquee = Marquee::shared().await;
    let commands = marquee.commands();
    let movie = marquee.admin().create_hidden("Contended").await;
    let path = format!("/v1/movies/{}", movie.id);
    let answers = join_all((0..100).map(|number| {
        commands
            .patch(&path)
            .header("If-Match", "\"1\"")
            .json(&json!({ "duration_minutes": 10 + number }))
            .send()
    }))
    .await;

    assert_eq!((count(&answers, 200), count(&answers, 412)), (1, 99), "{answers:?}");
    for loser in answers.iter().filter(|answer| answer.status == 412) {
        assert_eq!(loser.problem(412, "precondition_failed")["version"], json!(2), "{loser:?}");
    }
    let versions = format!("SELECT COUNT(*) FROM events WHERE aggregate_id = '{}'", movie.id);
    assert_eq!(marquee.database.number(&versions).await, 2);
}

#[tokio::test]
async fn of_50_posts_with_one_idempotency_key_comes_one_movie_and_50_equal_answers() {
    let marquee = Marquee::shared().await;
    let commands = marquee.commands();
    let (title, key) = (samples::title("Once"), samples::tag());
    let body = samples::movie(&title);
    let answers = join_all(
        (0..50).map(|_| commands.post("/v1/movies").idempotency_key(&key).json(&body).send()),
    )
    .await;

    assert_eq!(count(&answers, 201), 50, "{answers:?}");
    let bodies: BTreeSet<&[u8]> = answers.iter().map(|answer| answer.body.as_slice()).collect();
    assert_eq!(bodies.len(), 1, "{answers:?}");
    let replayed =
        answers.iter().filter(|answer| answer.header("idempotency-replayed") == Some("true"));
    assert_eq!(replayed.count(), 49);
    let created = format!(
        "SELECT COUNT(*) FROM events WHERE sequence = 1 AND payload->>'$.title' = '{title}' \
         OR payload->>'$.MovieCreated.title' = '{title}'"
    );
    assert_eq!(marquee.database.number(&created).await, 1);

    let other = commands.post("/v1/movies").idempotency_key(&key);
    let other = other.json(&samples::movie(&samples::title("Other"))).send().await;
    other.problem(422, "idempotency_key_reused");
}
