//! `GET /v1/movies/{id or slug}/history`.

use chrono::SecondsFormat;
use marquee_infra::{clock, http::ConsistencyToken};
use serde_json::json;

use crate::{
    bed::{Bed, Running},
    client::{Answer, bearer},
    life::{EDITOR, Life},
    sample::Sample,
};

async fn read(api: &Running, path: &str) -> Answer {
    let token = bearer(EDITOR, "catalog:read");
    api.client.get_with(path, &[("Authorization", &token)]).await
}

fn versions(page: &Answer) -> Vec<u64> {
    let items = page.json["items"].as_array().expect("there are items");
    items.iter().filter_map(|item| item["version"].as_u64()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn it_tells_who_changed_what_when_and_by_which_command() {
    let bed = Bed::new().await;
    let life = Life::lived(&bed, "metropolis").await;
    let api = bed.start().await;
    let page = read(&api, &format!("{}/history", life.path())).await;
    assert_eq!(page.status, 200, "{page:?}");
    assert_eq!(page.header("cache-control"), "private, no-cache");
    assert_eq!(page.json["movie_id"], life.movie_id.to_string());
    assert_eq!(page.json["next_after"], json!(null));
    assert_eq!(versions(&page), [1, 2, 3, 4, 5]);
    let last = &page.json["items"][4];
    assert_eq!(
        *last,
        json!({
            "version": 5,
            "position": 50,
            "event_type": "marquee.movie.MovieRetitled.v1",
            "command": "ReviseMovie",
            "actor": EDITOR,
            "request_id": "request-5",
            "recorded_at": life.at(5).to_rfc3339_opts(SecondsFormat::AutoSi, true),
            "payload": {
                "type": "MovieRetitled",
                "title": "Metropolis Restored",
                "previous_title": "Metropolis",
                "updated_at": life.at(5).to_rfc3339_opts(SecondsFormat::AutoSi, true),
                "updated_by": EDITOR,
            },
        })
    );
    let attached = &page.json["items"][1]["payload"];
    assert_eq!(attached["facts"]["measured_duration_ms"], 9_180_500);
    assert!(!page.body.contains("sealed_url") && !page.body.contains("c2VhbGVk"));
}

#[tokio::test(flavor = "multi_thread")]
async fn its_pages_are_turned_by_version() {
    let bed = Bed::new().await;
    let life = Life::lived(&bed, "metropolis").await;
    let api = bed.start().await;
    let path = format!("{}/history", life.path());
    let (mut seen, mut after) = (Vec::new(), json!(0));
    while !after.is_null() {
        let page = read(&api, &format!("{path}?limit=2&after={after}")).await;
        assert_eq!(page.status, 200, "{page:?}");
        seen.push(versions(&page));
        after = page.json["next_after"].clone();
    }
    assert_eq!(seen, [vec![1, 2], vec![3, 4], vec![5]]);
    // A page that is full to the last entry is the last one, too.
    let full = read(&api, &format!("{path}?limit=5")).await;
    assert_eq!((versions(&full).len(), &full.json["next_after"]), (5, &json!(null)));
    // Past the end there is nothing yet.
    let beyond = read(&api, &format!("{path}?after=5")).await;
    assert_eq!((beyond.status, versions(&beyond)), (200, vec![]));

    let wrong = read(&api, &format!("{path}?after=x&limit=201&page=2")).await;
    wrong.is_problem(400, "invalid_request");
    assert_eq!(wrong.pointers(), ["after", "limit", "page"]);
    for limit in ["0", "201", "-1", "x", ""] {
        let wrong = read(&api, &format!("{path}?limit={limit}")).await;
        assert_eq!(wrong.is_problem(400, "invalid_request").pointers(), ["limit"], "{limit}");
    }
    assert_eq!(read(&api, &format!("{path}?limit=200")).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_has_at_most_a_hundred_entries_unless_more_are_asked_for() {
    let bed = Bed::new().await;
    let mut life = Life::new("long");
    life.record(&bed, "CreateMovie", &life.created("A")).await;
    for n in 0..100 {
        let (title, previous) = if n % 2 == 0 { ("B", "A") } else { ("A", "B") };
        life.record(&bed, "ReviseMovie", &life.retitled(title, previous)).await;
    }
    let api = bed.start().await;
    let page = read(&api, &format!("{}/history", life.path())).await;
    assert_eq!((versions(&page).len(), &page.json["next_after"]), (100, &json!(100)));
    let more = read(&api, &format!("{}/history?limit=101", life.path())).await;
    assert_eq!((versions(&more).len(), &more.json["next_after"]), (101, &json!(null)));
}

#[tokio::test(flavor = "multi_thread")]
async fn hidden_and_removed_movies_have_one_by_id_and_by_slug() {
    let bed = Bed::new().await;
    let api = bed.start().await;
    for removed in [false, true] {
        let slug = if removed { "gone" } else { "concealed" };
        let mut life = Life::lived(&bed, slug).await;
        let mut movie = Sample::with_id("Metropolis", life.movie_id);
        movie.slug = slug.to_owned();
        movie.visibility = "HIDDEN";
        movie.removed = removed;
        if removed {
            life.removed(&bed).await;
        }
        bed.show(&api, &mut movie).await;
        for name in [life.movie_id.to_string(), slug.to_owned()] {
            let page = read(&api, &format!("/v1/movies/{name}/history")).await;
            assert_eq!(page.status, 200, "{page:?}");
            assert_eq!(versions(&page).last(), Some(&life.version));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_movie_that_never_was_has_none() {
    let bed = Bed::new().await;
    let api = bed.start().await;
    let unknown = clock::new_uuid().to_string();
    for name in [unknown.as_str(), "no-such-slug", "Not%20a%20slug", "%E2%82%AC", "%00", "x'--"] {
        for query in ["", "?after=7"] {
            let answer = read(&api, &format!("/v1/movies/{name}/history{query}")).await;
            answer.is_problem(404, "movie_not_found");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_shows_the_command_whose_consistency_token_is_sent() {
    let mut bed = Bed::new().await;
    bed.settings.catalog.consistency_wait_ms = 10_000;
    let api = bed.start().await;
    let mut life = Life::new("metropolis");
    let mut movie = Sample::with_id("Metropolis", life.movie_id);
    let token = ConsistencyToken { movie_id: life.movie_id, version: 1, position: 1 }.to_string();
    let auth = bearer(EDITOR, "catalog:read");
    let path = format!("{}/history", life.path());
    let headers = [("Consistency-Token", token.as_str()), ("Authorization", auth.as_str())];
    // The projector writes both in one transaction; here the history is there a moment earlier.
    let (page, ()) = tokio::join!(api.client.get_with(&path, &headers), async {
        life.record(&bed, "CreateMovie", &life.created("Metropolis")).await;
        bed.put(&mut movie).await;
    });
    assert_eq!((page.status, versions(&page)), (200, vec![1]), "{page:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_mysql_it_says_so_and_the_catalog_goes_on() {
    let bed = Bed::new().await;
    let api = bed.start().await;
    let mut movie = Sample::new("Alpha");
    bed.show(&api, &mut movie).await;
    bed.drop_database().await;
    for path in ["history", "history?after=1", "?as_of_version=1"] {
        let path = format!("/v1/movies/{}/{path}", movie.movie_id).replace("/?", "?");
        let answer = read(&api, &path).await;
        answer.is_problem(503, "unavailable");
        assert_eq!(answer.header("retry-after"), "1");
    }
    let editors = format!("/v1/movies/{}?visibility=any", movie.movie_id);
    assert_eq!(read(&api, &editors).await.status, 200);
}
