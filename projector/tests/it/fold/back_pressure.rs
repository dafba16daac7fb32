//! Partitions that are paused because their workers have enough.

use fastrand::Rng;
use marquee_domain::{
    MovieCommand, MovieId,
    movie::CreateMovie,
    values::{
        AvailabilityWindow, DurationMinutes, Genres, PosterUrl, Slug, Synopsis, Title, Visibility,
    },
};
use marquee_tests::{fold, until};
use uuid::Uuid;

use super::{end_of, expected, found};
use crate::{
    bed::{Bed, PARTITIONS, Recorded},
    command_line::http_get,
    samples::Log,
};

/// Each event has about 40 kB, so that this is more than all partitions' queues hold together.
const MOVIES: usize = 300;

fn heavy_log() -> Log {
    let mut choice = Rng::with_seed(4);
    let mut log = Log::new();
    let synopsis = Synopsis::parse(&"\u{1f3ac}".repeat(10_000)).unwrap();
    for number in 0..MOVIES {
        let movie_id = MovieId::new(Uuid::from_u128(choice.u128(..)));
        let title = Title::parse(&format!("Heavy {number}")).unwrap();
        let start = log.now() + chrono::TimeDelta::days(1);
        let create = CreateMovie {
            movie_id,
            slug: Slug::from_title(&title),
            title,
            synopsis: synopsis.clone(),
            genres: Genres::parse(&["Drama"]).unwrap(),
            duration_minutes: DurationMinutes::parse(90).unwrap(),
            availability: AvailabilityWindow::new(start, start + chrono::TimeDelta::days(1))
                .unwrap(),
            visibility: Visibility::Hidden,
            poster_url: PosterUrl::parse("https://example.org/poster.jpg").unwrap(),
            stream_sources: Vec::new(),
            caption_tracks: Vec::new(),
        };
        log.command(movie_id, MovieCommand::Create(Box::new(create)));
    }
    log
}

async fn publish(bed: &Bed, events: &[Recorded]) -> Vec<(i32, i64)> {
    let mut places = Vec::new();
    for chunk in events.chunks(100) {
        let records = chunk.iter().map(Recorded::record).collect();
        places.extend(bed.publish(&bed.topics.movies, records).await);
    }
    places
}

async fn ready_with(port: u16, text: &str) {
    until(&format!("/readyz tells {text}"), async || {
        let (_, body) = http_get(port, "/readyz").await?;
        body.contains(text).then_some(())
    })
    .await;
}

/// Those that a projector reads: of movies, of stream tokens, of viewing sessions.
const TOPICS: i32 = 3;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_partition_that_was_paused_is_read_on_when_it_comes_back() {
    let bed = Bed::new().await;
    let mut log = heavy_log();
    bed.log(&log.events).await;
    let stays = bed.start();
    let port = stays.address.port();
    ready_with(port, &format!("\"assigned\":{}", TOPICS * PARTITIONS)).await;
    let mut holder = bed.pool.begin().await.unwrap();
    sqlx::query("SELECT * FROM projection_checkpoints WHERE projection = 'catalog' FOR UPDATE")
        .fetch_all(&mut *holder)
        .await
        .unwrap();
    let mut places = publish(&bed, &log.events).await;
    ready_with(port, &format!("\"paused\":{PARTITIONS}")).await;

    // One of each topic goes to another projector while it is paused, and comes back when that leaves.
    let comes_and_goes = bed.start();
    ready_with(comes_and_goes.address.port(), &format!("\"assigned\":{TOPICS}")).await;
    holder.rollback().await.unwrap();
    comes_and_goes.stop().await;
    ready_with(port, &format!("\"assigned\":{}", TOPICS * PARTITIONS)).await;
    for movie_id in log.movies().into_iter().take(30) {
        log.retitle(movie_id, &format!("Lighter {movie_id}"));
    }
    bed.log(&log.events[MOVIES..]).await;
    places.extend(publish(&bed, &log.events[MOVIES..]).await);

    fold::wait_for_checkpoints(&bed.pool, &bed.topics.movies, &end_of(&places)).await;
    ready_with(port, "\"paused\":0").await;
    stays.stop().await;
    fold::assert_same(&expected(&bed, &[], &[]).await, &found(&bed).await);
}
