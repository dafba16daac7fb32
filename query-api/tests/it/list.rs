//! `GET /v1/movies`.

use chrono::TimeDelta;

use crate::{
    bed::{Bed, Running},
    client::bearer,
    sample::Sample,
};

async fn with_movies(bed: &Bed, movies: &mut [Sample]) -> Running {
    let api = bed.start().await;
    let mut last = 0;
    for movie in movies {
        last = bed.put(movie).await;
    }
    api.catches_up(last).await;
    api
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_are_filtered_and_sorted() {
    let bed = Bed::new().await;
    let mut movies =
        ["The Éclair", "alpha centauri", "Zulu", "Beta (Alpha's return)"].map(Sample::new);
    movies[0].genres = vec!["Comedy", "drama"];
    movies[2].languages = vec!["fr", "en"];
    for (movie, hours) in movies.iter_mut().zip([4, 1, 3, 2]) {
        movie.start -= TimeDelta::hours(hours);
    }
    movies[3].partition = 1;
    let api = with_movies(&bed, &mut movies).await;

    let titles = async |query: &str| {
        let answer = api.client.get(&format!("/v1/movies{query}")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.json["total"], answer.titles().len(), "{answer:?}");
        assert_eq!(answer.json["position"], 4);
        assert!(answer.json["next_cursor"].is_null());
        answer.titles().into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let sorted = ["alpha centauri", "Beta (Alpha's return)", "The Éclair", "Zulu"];
    let mut reversed = sorted;
    reversed.reverse();
    assert_eq!(titles("").await, sorted);
    assert_eq!(titles("?sort=title").await, sorted);
    assert_eq!(titles("?sort=-title").await, reversed);
    let by_start = ["The Éclair", "Zulu", "Beta (Alpha's return)", "alpha centauri"];
    assert_eq!(titles("?sort=availability_start").await, by_start);
    let mut newest_first = by_start;
    newest_first.reverse();
    assert_eq!(titles("?sort=-availability_start").await, newest_first);

    assert_eq!(titles("?sort=newest").await, newest_first);
    assert_eq!(titles("?genre=DRAMA").await, sorted);
    assert_eq!(titles("?genre=comedy").await, ["The Éclair"]);
    assert_eq!(titles("?language=fr").await, ["Zulu"]);
    assert_eq!(titles("?language=fr&genre=comedy").await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_neither_repeat_nor_skip_in_any_order() {
    let bed = Bed::new().await;
    // Starts that are the same for several, so that the id has to decide.
    let mut movies: Vec<Sample> = (0..23).map(|n| Sample::new(&format!("Movie {n:02}"))).collect();
    let start = movies[0].start;
    for (n, movie) in movies.iter_mut().enumerate() {
        movie.start = start - TimeDelta::hours(i64::try_from(n / 5).unwrap());
    }
    let api = with_movies(&bed, &mut movies).await;

    for sort in [
        "title",
        "-title",
        "availability_start",
        "-availability_start",
        "availability_end",
        "-availability_end",
        "newest",
        "relevance&q=movie",
    ] {
        let all = api.client.get(&format!("/v1/movies?sort={sort}&limit=100")).await;
        let expected: Vec<String> = all.titles().into_iter().map(str::to_owned).collect();
        assert_eq!(expected.len(), 23);
        let mut seen = Vec::new();
        let mut cursor = String::new();
        loop {
            let path = format!("/v1/movies?sort={sort}&limit=5{cursor}");
            let page = api.client.get(&path).await;
            assert_eq!((page.status, page.json["total"].as_u64()), (200, Some(23)), "{page:?}");
            seen.extend(page.titles().into_iter().map(str::to_owned));
            match page.json["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        assert_eq!(seen, expected, "{sort}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_wrong_with_a_query_is_said_at_once() {
    let bed = Bed::new().await;
    let api = with_movies(&bed, &mut ["A", "B"].map(Sample::new)).await;
    let wrong = api
        .client
        .get("/v1/movies?q=&genre=&language=english&sort=year&limit=101&visibility=all&fields=x&cursor=x&page=2&limit2=1")
        .await;
    wrong.is_problem(400, "invalid_request");
    assert_eq!(
        wrong.pointers(),
        [
            "q",
            "genre",
            "language",
            "sort",
            "limit",
            "visibility",
            "fields",
            "cursor",
            "page",
            "limit2"
        ]
    );
    for limit in ["0", "-1", "1.5", "", "99999999999999999999"] {
        let answer = api.client.get(&format!("/v1/movies?limit={limit}")).await;
        answer.is_problem(400, "invalid_request");
    }
    let relevance = api.client.get("/v1/movies?sort=relevance").await;
    assert_eq!(relevance.is_problem(400, "invalid_request").pointers(), ["sort"]);
    let many = api.client.get(&format!("/v1/movies?q={}", "a+b+c+d+e+f+g+h+".repeat(3))).await;
    assert_eq!(many.status, 200, "a word twice counts once: {many:?}");
    let many = api.client.get("/v1/movies?q=a+b+c+d+e+f+g+h+i+j+k+l+m+n+o+p+q").await;
    assert_eq!(many.is_problem(400, "invalid_request").pointers(), ["q"]);
    let twice = api.client.get("/v1/movies?limit=1&limit=2").await;
    assert_eq!(twice.is_problem(400, "invalid_request").pointers(), ["limit"]);
    let page = api.client.get("/v1/movies?limit=1").await;
    let cursor = page.json["next_cursor"].as_str().unwrap();
    let foreign = api.client.get(&format!("/v1/movies?limit=1&sort=-title&cursor={cursor}")).await;
    assert_eq!(foreign.is_problem(400, "invalid_request").pointers(), ["cursor"]);
    api.client.get("/v1/movies/x?y=1").await.is_problem(400, "invalid_request");
    api.client.get("/v1/genres?y=1").await.is_problem(400, "invalid_request");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_editor_s_list_is_never_given_to_a_viewer() {
    let bed = Bed::new().await;
    let mut hidden = Sample::new("Hidden");
    hidden.visibility = "HIDDEN";
    let api = with_movies(&bed, &mut [hidden, Sample::new("Seen")]).await;
    let editor = bearer("0197d2a5-0000-7000-8000-000000000001", "catalog:read");
    let path = "/v1/movies?visibility=any";
    let all = api.client.get_with(path, &[("Authorization", &editor)]).await;
    assert_eq!(all.titles(), ["Hidden", "Seen"]);
    assert_eq!(all.json["items"][0]["visibility"], "HIDDEN");
    assert_eq!(all.header("cache-control"), "private, no-cache");
    api.client.get(path).await.is_problem(401, "unauthenticated");
    assert_eq!(api.client.get("/v1/movies").await.titles(), ["Seen"]);
}
