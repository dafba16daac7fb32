//! `GET /v1/movies/{id or slug}`.

use chrono::TimeDelta;
use marquee_infra::clock;
use reqwest::Method;

use crate::{
    bed::{Bed, until},
    client::{Answer, bearer},
    sample::Sample,
};

const USER: &str = "0197d2a5-0000-7000-8000-000000000001";

#[tokio::test(flavor = "multi_thread")]
async fn a_movie_is_found_by_id_and_by_slug_with_all_its_fields_and_no_stream_url() {
    let bed = Bed::new().await;
    let api = bed.start().await;
    let mut movie = Sample::new("Alpha");
    movie.languages = vec!["en", "de"];
    bed.show(&api, &mut movie).await;

    let by_id = api.client.get(&format!("/v1/movies/{}", movie.movie_id)).await;
    assert_eq!(by_id.status, 200, "{by_id:?}");
    let by_slug = api.client.get(&format!("/v1/movies/{}", movie.slug)).await;
    assert_eq!(by_id.body, by_slug.body);
    assert_eq!(by_id.header("content-type"), "application/json");
    let json = &by_id.json;
    assert_eq!(json["movie_id"], movie.movie_id.to_string());
    assert_eq!((&json["title"], &json["version"]), (&"Alpha".into(), &1.into()));
    assert_eq!(json["stream_sources"][0]["primary"], true);
    assert_eq!(json["stream_sources"][0]["validation_status"], "VALID");
    assert_eq!(json["caption_tracks"][1]["language_code"], "de");
    for secret in ["stream_url", "sealed", "cdn.example", "v1.", "created_by", "visibility"] {
        assert!(!by_id.body.contains(secret), "{secret}: {}", by_id.body);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn viewers_see_only_what_is_visible_available_and_playable() {
    let bed = Bed::new().await;
    let api = bed.start().await;
    let now = clock::now();
    let mut hidden = Sample::new("Hidden");
    hidden.visibility = "HIDDEN";
    let mut over = Sample::new("Over");
    over.end = now - TimeDelta::seconds(1);
    let mut early = Sample::new("Early");
    early.start = now + TimeDelta::minutes(5);
    let mut sourceless = Sample::new("Sourceless");
    sourceless.source = None;
    let mut secondary = Sample::new("Secondary");
    secondary.source.as_mut().unwrap().primary = false;
    let mut broken = Sample::new("Broken");
    broken.source.as_mut().unwrap().validation_status = "INVALID";
    let mut seen = Sample::new("Seen");
    seen.source.as_mut().unwrap().validation_status = "UNKNOWN";
    let mut unseen = [hidden, over, early, sourceless, secondary, broken];
    for movie in &mut unseen {
        bed.put(movie).await;
    }
    bed.show(&api, &mut seen).await;

    let editor = bearer(USER, "catalog:read");
    for movie in &unseen {
        for name in [movie.movie_id.to_string(), movie.slug.clone()] {
            let path = format!("/v1/movies/{name}");
            api.client.get(&path).await.is_problem(404, "movie_not_found");
            // The scope alone changes nothing: a URL has one meaning for everyone.
            api.client
                .get_with(&path, &[("Authorization", &editor)])
                .await
                .is_problem(404, "movie_not_found");
            let all = format!("{path}?visibility=any");
            let shown = api.client.get_with(&all, &[("Authorization", &editor)]).await;
            assert_eq!(shown.status, 200, "{shown:?}");
            assert_eq!(shown.json["visibility"], movie.visibility);
            assert_eq!(shown.json["created_by"], "0197d2a5-0000-7000-8000-0000000000aa");
            assert_eq!(shown.header("cache-control"), "private, no-cache");
            assert!(!shown.body.contains("cdn.example"));
        }
        let tokens = api.client.post(&movie.tokens_path(), &serde_json::json!({}), &[]).await;
        tokens.is_problem(404, "movie_not_found");
    }
    assert_eq!(api.client.get("/v1/movies").await.titles(), ["Seen"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_for_catalog_read_only() {
    let bed = Bed::new().await;
    let api = bed.start().await;
    for path in ["/v1/movies?visibility=any", "/v1/movies/x?visibility=any"] {
        let anonymous = api.client.get(path).await;
        anonymous.is_problem(401, "unauthenticated");
        assert!(anonymous.header("www-authenticate").starts_with("Bearer"));
        let scopeless = bearer(USER, "catalog:write");
        let denied = api.client.get_with(path, &[("Authorization", &scopeless)]).await;
        denied.is_problem(403, "insufficient_scope");
    }
    let forged = api.client.get_with("/v1/movies", &[("Authorization", "Bearer x.y.z")]).await;
    forged.is_problem(401, "unauthenticated");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_movie_comes_and_goes_with_its_window_and_no_answer_outlives_it() {
    let bed = Bed::new().await;
    let api = bed.start().await;
    let mut movie = Sample::new("Brief");
    movie.start = clock::now() + TimeDelta::milliseconds(1_200);
    movie.end = movie.start + TimeDelta::milliseconds(2_000);
    bed.show(&api, &mut movie).await;
    let path = format!("/v1/movies/{}", movie.movie_id);

    // Whatever was answered was true when it was answered.
    let mut phases = Vec::new();
    until("the movie came and went", async || {
        let before = clock::now();
        let detail = api.client.get(&path).await;
        let list = api.client.get("/v1/movies").await;
        let after = clock::now();
        for (shown, answer) in [(detail.status == 200, &detail), (!list.titles().is_empty(), &list)]
        {
            if before >= movie.start && after < movie.end {
                assert!(shown, "{answer:?}");
            }
            if after < movie.start || before >= movie.end {
                assert!(!shown, "{answer:?}");
            }
            if let Some(age) = answer.header("cache-control").strip_prefix("public, max-age=") {
                let edge = if shown { movie.end } else { movie.start };
                let until = before + TimeDelta::seconds(age.parse().unwrap());
                // What is not shown may have been over already when it was answered.
                let over = !shown && after >= movie.end;
                assert!(until <= edge.max(before) || over, "{answer:?}");
            }
        }
        if phases.last() != Some(&list.titles().len()) {
            phases.push(list.titles().len());
        }
        phases.ends_with(&[1, 0])
    })
    .await;
    // On a machine with a lot to do, the window may be open by the time of the first look.
    assert!(phases == [0, 1, 0] || phases == [1, 0], "{phases:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_not_changed_is_not_sent_again() {
    let bed = Bed::new().await;
    let api = bed.start().await;
    let mut movie = Sample::new("Alpha");
    bed.show(&api, &mut movie).await;
    for path in [format!("/v1/movies/{}", movie.slug), "/v1/movies".into(), "/v1/genres".into()] {
        let first = api.client.get(&path).await;
        let etag = first.header("etag").to_owned();
        assert!(etag.starts_with("\"1-"), "{etag}");
        assert_eq!(first.header("cache-control"), "public, max-age=5");
        let second = api.client.get_with(&path, &[("If-None-Match", &etag)]).await;
        assert_eq!((second.status, second.body.as_str()), (304, ""));
        assert_eq!(second.header("etag"), etag);

        let head = Answer::of(api.client.request(Method::HEAD, &path)).await;
        assert_eq!((head.status, head.body.as_str()), (200, ""));
        assert_eq!(head.header("content-length"), first.body.len().to_string());
        assert_eq!(head.header("etag"), etag);

        let post = Answer::of(api.client.request(Method::POST, &path)).await;
        post.is_problem(405, "method_not_allowed");
        assert_eq!(post.header("allow"), "GET, HEAD");
    }

    let path = format!("/v1/movies/{}", movie.slug);
    let etag = api.client.get(&path).await.header("etag").to_owned();
    movie.title = "Alpha Two".to_owned();
    bed.show(&api, &mut movie).await;
    let changed = api.client.get_with(&path, &[("If-None-Match", &etag)]).await;
    assert_eq!((changed.status, changed.json["title"].as_str()), (200, Some("Alpha Two")));
}
