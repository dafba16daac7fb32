//! The API as a web page uses it.

use reqwest::Method;
use serde_json::json;

use crate::{bed::Bed, client::Answer, sample::Sample};

const PAGE: &str = "https://www.example.com";
const ALLOWED: &str = "access-control-allow-origin";

#[tokio::test(flavor = "multi_thread")]
async fn a_page_may_ask_for_a_token_and_read_what_it_needs() {
    let bed = Bed::new().await;
    bed.make_topics().await;
    let api = bed.start().await;
    let mut movie = Sample::new("Alpha");
    bed.show(&api, &mut movie).await;

    let preflight = api
        .client
        .request(Method::OPTIONS, &movie.tokens_path())
        .header("Origin", PAGE)
        .header("Access-Control-Request-Method", "POST")
        .header("Access-Control-Request-Headers", "authorization, content-type");
    let preflight = Answer::of(preflight).await;
    assert_eq!((preflight.status, preflight.header(ALLOWED)), (200, "*"), "{preflight:?}");
    let allowed = preflight.header("access-control-allow-headers").to_lowercase();
    assert!(allowed.contains("authorization") && allowed.contains("content-type"), "{allowed}");
    // It is not counted.
    assert_eq!(preflight.header("ratelimit"), "");

    let origin = [("Origin", PAGE)];
    let issued = api.client.post(&movie.tokens_path(), &json!({}), &origin).await;
    assert_eq!((issued.status, issued.header(ALLOWED)), (201, "*"), "{issued:?}");
    let readable = issued.header("access-control-expose-headers").to_lowercase();
    for header in ["date", "retry-after", "ratelimit", "x-request-id"] {
        assert!(readable.split(',').any(|name| name.trim() == header), "{header}: {readable}");
    }
    // A page learns what is wrong, too.
    let missing = api.client.get_with("/v1/movies/no-such-movie", &origin).await;
    missing.is_problem(404, "movie_not_found");
    assert_eq!(missing.header(ALLOWED), "*");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_origins_are_named_other_pages_read_nothing() {
    let mut bed = Bed::new().await;
    bed.settings.cors.origins = vec![PAGE.to_owned()];
    let api = bed.start().await;
    for (origin, allowed) in
        [(PAGE, PAGE), ("https://evil.example", ""), ("http://www.example.com", "")]
    {
        let answer = api.client.get_with("/v1/genres", &[("Origin", origin)]).await;
        assert_eq!((answer.status, answer.header(ALLOWED)), (200, allowed), "{answer:?}");
        assert!(answer.header("vary").to_lowercase().contains("origin"), "{answer:?}");
    }
    for (wrong, right) in [("https://www.example.com/", PAGE), ("www.example.com", "*")] {
        bed.settings.cors.origins = vec![right.to_owned(), wrong.to_owned()];
        let refused = bed.settings.check().expect_err(wrong).to_string();
        assert!(refused.contains("cors.origins"), "{refused}");
    }
}
