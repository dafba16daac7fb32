//! `GET /v1/genres`.

use serde_json::json;

use crate::{bed::Bed, sample::Sample};

#[tokio::test(flavor = "multi_thread")]
async fn genres_are_counted_over_what_viewers_see_whatever_their_case() {
    let bed = Bed::new().await;
    let api = bed.start().await;
    let mut first = Sample::new("A");
    first.genres = vec!["Drama", "Western"];
    let mut second = Sample::new("B");
    second.genres = vec!["drama"];
    let mut hidden = Sample::new("C");
    hidden.genres = vec!["Horror"];
    hidden.visibility = "HIDDEN";
    for movie in [&mut first, &mut hidden, &mut second] {
        bed.show(&api, movie).await;
    }
    let genres = api.client.get("/v1/genres").await;
    assert_eq!(
        genres.json["items"],
        json!([{ "genre": "Drama", "movies": 2 }, { "genre": "Western", "movies": 1 }])
    );
}
