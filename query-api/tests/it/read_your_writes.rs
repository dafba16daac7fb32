//! Reads with a command's `Consistency-Token`.

use std::time::{Duration, Instant};

use marquee_domain::MovieId;
use marquee_infra::{clock, http::ConsistencyToken};

use crate::{
    bed::Bed,
    client::{Client, bearer},
    sample::Sample,
};

const USER: &str = "0197d2a5-0000-7000-8000-000000000001";

fn token(movie_id: MovieId, version: u64) -> String {
    ConsistencyToken { movie_id, version, position: version }.to_string()
}

/// All that read the catalog.
fn paths(movie: &Sample) -> Vec<String> {
    let movie_id = movie.movie_id;
    vec![
        "/v1/movies".to_owned(),
        "/v1/movies?visibility=any".to_owned(),
        format!("/v1/movies/{movie_id}"),
        format!("/v1/movies/{}", movie.slug),
        format!("/v1/movies/{movie_id}?visibility=any"),
        format!("/v1/movies/{movie_id}/history"),
        "/v1/genres".to_owned(),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_with_a_consistency_token_waits_for_its_movie() {
    let mut bed = Bed::new().await;
    bed.settings.catalog.consistency_wait_ms = 10_000;
    let api = bed.start().await;
    let mut movie = Sample::new("Alpha");
    let token = self::token(movie.movie_id, 1);
    let path = format!("/v1/movies/{}", movie.movie_id);
    let headers = [("Consistency-Token", token.as_str())];
    let (read, _) = tokio::join!(api.client.get_with(&path, &headers), bed.put(&mut movie));
    assert_eq!((read.status, read.json["version"].as_u64()), (200, Some(1)), "{read:?}");

    movie.removed = true;
    let token = self::token(movie.movie_id, 2);
    let headers = [("Consistency-Token", token.as_str())];
    let (gone, _) = tokio::join!(api.client.get_with(&path, &headers), bed.put(&mut movie));
    gone.is_problem(404, "movie_not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consistency_token_from_the_future_ends_the_wait_with_503_after_two_seconds() {
    let bed = Bed::new().await;
    let patience = Duration::from_millis(bed.settings.catalog.consistency_wait_ms);
    assert_eq!(patience, Duration::from_secs(2), "what config/default.toml says");
    let api = bed.start().await;
    let mut movie = Sample::new("Alpha");
    bed.show(&api, &mut movie).await;
    let never = MovieId::new(clock::new_uuid());
    let unreached = [token(movie.movie_id, 2), token(movie.movie_id, u64::MAX), token(never, 1)];
    let auth = bearer(USER, "catalog:read");
    let reads = paths(&movie).into_iter().zip(unreached.iter().cycle()).map(|(path, token)| {
        let (client, auth) = (&api.client, &auth);
        async move {
            let sent = Instant::now();
            let headers = [("Consistency-Token", token.as_str()), ("Authorization", auth)];
            let late = client.get_with(&path, &headers).await;
            late.is_problem(503, "not_yet_projected");
            assert_eq!(late.header("retry-after"), "1");
            assert_eq!(late.header("cache-control"), "no-store");
            assert!(sent.elapsed() >= patience, "{path} waited {:?}", sent.elapsed());
        }
    });
    futures::future::join_all(reads).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_token_is_refused_by_every_read() {
    let bed = Bed::new().await;
    let api = bed.start().await;
    let mut movie = Sample::new("Alpha");
    bed.show(&api, &mut movie).await;
    let good = token(movie.movie_id, 1);
    let auth = bearer(USER, "catalog:read");
    let too_many = vec![good.clone(); 33].join(",");
    let nonsense = [
        "x",
        "",
        &good[1..],
        &format!("{good};"),
        &format!("{good},"),
        &format!("{good},x"),
        &too_many,
    ];
    for path in paths(&movie) {
        for bad in nonsense {
            let headers = [("Consistency-Token", bad), ("Authorization", auth.as_str())];
            let refused = api.client.get_with(&path, &headers).await;
            refused.is_problem(400, "invalid_request");
            assert_eq!(refused.pointers(), ["Consistency-Token"]);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tokens_of_several_commands_are_all_waited_for() {
    let mut bed = Bed::new().await;
    bed.settings.catalog.consistency_wait_ms = 10_000;
    let api = bed.start().await;
    let mut movies = [Sample::new("Alpha"), Sample::new("Beta"), Sample::new("Gamma")];
    let [alpha, beta, gamma] = movies.each_ref().map(|movie| token(movie.movie_id, 1));
    // On one line, and on another one.
    let headers =
        [("Consistency-Token", format!("{alpha} , {beta}")), ("Consistency-Token", gamma)];
    let read = async |client: &Client| {
        let headers = headers.each_ref().map(|(name, value)| (*name, value.as_str()));
        client.get_with("/v1/movies?sort=title", &headers).await
    };
    let shown = async {
        for movie in &mut movies {
            bed.put(movie).await;
        }
    };
    let (list, ()) = tokio::join!(read(&api.client), shown);
    assert_eq!(list.titles(), ["Alpha", "Beta", "Gamma"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_proxy_answers_a_read_that_waits_with_what_it_kept() {
    let bed = Bed::new().await;
    let api = bed.start().await;
    let mut movie = Sample::new("Alpha");
    bed.show(&api, &mut movie).await;
    for path in [format!("/v1/movies/{}", movie.slug), "/v1/movies".into(), "/v1/genres".into()] {
        let kept = api.client.get(&path).await;
        assert_eq!(kept.header("cache-control"), "public, max-age=5");
        assert!(kept.header("vary").to_lowercase().contains("consistency-token"), "{kept:?}");
        let etag = kept.header("etag").to_owned();
        let unchanged = api.client.get_with(&path, &[("If-None-Match", &etag)]).await;
        assert_eq!(unchanged.status, 304);
        assert!(
            unchanged.header("vary").to_lowercase().contains("consistency-token"),
            "{unchanged:?}"
        );
    }
}
