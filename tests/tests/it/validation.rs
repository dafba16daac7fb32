//! Asking before doing, and looking again at what has been attached.

use marquee_tests::{Marquee, Setup, client::Api, jwt, samples, until};
use serde_json::{Value, json};

#[tokio::test]
async fn a_dry_run_tells_what_would_happen_and_does_nothing() {
    let marquee = Marquee::shared().await;
    let commands = marquee.commands();
    let movie = samples::movie(&samples::title("Rehearsal"));
    let rehearse = || commands.post("/v1/movies?dry_run=true").json(&movie).send();

    let rehearsed = rehearse().await.expect(200).json();
    assert_eq!(rehearsed["events"][0]["type"], json!("MovieCreated"));
    assert_eq!(rehearsed["movie"]["title"], movie["title"]);
    // Had it been done, this would be the second of its name.
    let created = commands.post("/v1/movies").json(&movie).send().await.expect(201);

    let holder = rehearse().await.problem(409, "title_taken");
    assert_eq!(holder["movie_id"], json!(created.text_of("movie_id")));
    let path = format!("/v1/movies/{}", created.text_of("movie_id"));
    let hidden = json!({ "visibility": "VISIBLE" });
    let refused = commands.put(&format!("{path}/visibility?dry_run=true")).json(&hidden).send();
    refused.await.problem(409, "not_showable");
    let removed = commands.delete(&format!("{path}?dry_run=true")).send().await.expect(200).json();
    assert_eq!(removed["events"][0]["type"], json!("MovieRemoved"));
    let unchanged = commands.patch(&path).json(&json!({})).send().await.expect(200);
    assert_eq!(unchanged.number_of("version"), 1);
}

#[tokio::test]
async fn a_movie_whose_stream_breaks_vanishes_for_viewers_until_it_is_mended() {
    let every_second = vec![("MARQUEE_REVALIDATION_INTERVAL_SECONDS", "1".to_owned())];
    let setup = Setup { edge: true, settings: every_second, ..Setup::default() };
    let marquee = Marquee::start_with(setup).await;
    let movie = marquee.admin().create_playable("Rotten").await;
    let (queries, path) = (marquee.queries(), format!("/v1/movies/{}", movie.id));
    sees(&queries, &path, 200).await;

    let playlist = marquee.edge().content().join("media/sample/master.m3u8");
    let aside = playlist.with_extension("aside");
    std::fs::rename(&playlist, &aside).expect("the edge's content is ours");
    sees(&queries, &path, 404).await;
    let editor = queries.as_bearer(jwt::admin());
    let source = |movie: &Value| movie["stream_sources"][0].clone();
    let broken = editor.get(&format!("{path}?visibility=any")).send().await.expect(200).json();
    assert_eq!(source(&broken)["validation_status"], json!("INVALID"));
    assert_eq!(broken["visibility"], json!("VISIBLE"));
    let history = editor.get(&format!("{path}/history")).send().await.expect(200).json();
    let last = history["items"].as_array().and_then(|items| items.last()).cloned();
    let last = last.unwrap_or_else(|| panic!("no history: {history}"));
    assert_eq!(last["command"], json!("RevalidateStreamSource"));
    assert_eq!(last["payload"]["failed_rule"], json!("http_status"));

    std::fs::rename(&aside, &playlist).expect("back again");
    sees(&queries, &path, 200).await;
}

#[tokio::test]
async fn a_validation_that_was_asked_for_is_recorded() {
    let marquee = Marquee::shared().await;
    let commands = marquee.commands();
    let movie = marquee.admin().create_playable("Checked").await;
    let editor = marquee.queries().as_bearer(jwt::admin());
    let path = format!("/v1/movies/{}", movie.id);
    let read = async |token: &str| {
        let any = format!("{path}?visibility=any");
        editor.get(&any).header("Consistency-Token", token).send().await.expect(200).json()
    };
    let before = read(&movie.consistency_token).await;
    for (kind, id) in
        [("stream_sources", "stream_source_id"), ("caption_tracks", "caption_track_id")]
    {
        let part = before[kind][0][id].as_str().unwrap_or_else(|| panic!("no {kind}: {before}"));
        let validate = format!("{path}/{}/{part}/validate", kind.replace('_', "-"));
        let validated = commands.post(&validate).send().await.expect(200);
        let after = read(&marquee_tests::admin::consistency_token(&validated)).await;
        assert_eq!(after[kind][0]["validation_status"], json!("VALID"));
        assert_ne!(after[kind][0]["last_validated_at"], before[kind][0]["last_validated_at"]);
    }
}

async fn sees(queries: &Api, path: &str, status: u16) {
    until(&format!("a viewer gets {status} for {path}"), async || {
        (queries.get(path).send().await.status == status).then_some(())
    })
    .await;
}
