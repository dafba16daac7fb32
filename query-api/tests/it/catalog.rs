//! How the catalog follows its read models.

use crate::{
    bed::{Bed, until},
    sample::Sample,
};

#[tokio::test(flavor = "multi_thread")]
async fn changes_in_every_partition_are_followed() {
    let bed = Bed::new().await;
    let api = bed.start().await;
    let mut movies = ["A", "B", "C"].map(Sample::new);
    for (partition, movie) in (0..).zip(&mut movies) {
        movie.partition = partition;
        bed.put(movie).await;
    }
    // Positions rise across partitions: a lower one may become visible after a higher one did.
    movies[2].title = "C2".to_owned();
    bed.put(&mut movies[2]).await;
    movies[0].title = "A2".to_owned();
    movies[0].languages = vec!["fr"];
    bed.show(&api, &mut movies[0]).await;
    let list = api.client.get("/v1/movies").await;
    assert_eq!(list.titles(), ["A2", "B", "C2"]);
    assert_eq!(list.json["items"][0]["caption_tracks"][0]["language_code"], "fr");

    movies[1].removed = true;
    bed.show(&api, &mut movies[1]).await;
    assert_eq!(api.client.get("/v1/movies").await.titles(), ["A2", "C2"]);
    let path = format!("/v1/movies/{}", movies[1].slug);
    api.client.get(&path).await.is_problem(404, "movie_not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_higher_generation_makes_it_read_everything() {
    let bed = Bed::new().await;
    let api = bed.start().await;
    let mut movie = Sample::new("Alpha");
    bed.show(&api, &mut movie).await;
    // Out of position order, as when parked events are tried again.
    sqlx::query("UPDATE catalog_movies SET title = 'Beta'").execute(&bed.pool).await.unwrap();
    sqlx::query("UPDATE projection_checkpoints SET generation = generation + 1")
        .execute(&bed.pool)
        .await
        .unwrap();
    until("the changed row is read", async || {
        api.client.get("/v1/movies").await.titles() == ["Beta"]
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn more_movies_than_are_read_at_once_are_all_there_after_a_start_and_after_a_burst() {
    let bed = Bed::new().await;
    bed.put(&mut Sample::new("Alpha")).await;
    let following = bed.start().await;
    // The rows of one movie, many times over.
    for n in 2..=2_500_u32 {
        if n % 500 != 2 {
            continue;
        }
        let values: Vec<String> = (n..(n + 500).min(2_501))
            .map(|position| {
                format!(
                    "SELECT '0197d2a5-0000-7000-8000-{position:012x}', 'Movie {position}',
                         'movie-{position}', synopsis, genres, duration_minutes,
                         availability_start, availability_end, visibility, poster_url, created_at,
                         created_by, updated_at, updated_by, removed, 1, {position},
                         kafka_partition, state FROM catalog_movies WHERE position = 1"
                )
            })
            .collect();
        sqlx::query(&format!("INSERT INTO catalog_movies {}", values.join(" UNION ALL ")))
            .execute(&bed.pool)
            .await
            .unwrap();
    }
    sqlx::query(
        "INSERT INTO catalog_stream_sources
         SELECT m.movie_id, m.movie_id, 0, s.stream_url, NULL, FALSE, TRUE, s.last_validated_at,
             'VALID', s.facts
         FROM catalog_stream_sources s JOIN catalog_movies m ON m.position > 1",
    )
    .execute(&bed.pool)
    .await
    .unwrap();
    sqlx::query("UPDATE projection_checkpoints SET position = 2500")
        .execute(&bed.pool)
        .await
        .unwrap();
    following.catches_up(2_500).await;
    let started = bed.start().await;
    for api in [&following, &started] {
        assert_eq!(api.client.get("/v1/movies?limit=1").await.json["total"], 2_500);
        assert_eq!(api.client.get("/v1/movies/movie-2500").await.status, 200);
    }
}
