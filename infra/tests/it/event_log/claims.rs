//! Titles and slugs.

use marquee_domain::{MovieCommand, MovieId};
use marquee_infra::event_log::AppendError;

use super::support::*;

#[track_caller]
fn title_taken(
    result: Result<marquee_infra::event_log::Outcome, AppendError>,
) -> (MovieId, String) {
    match result {
        Err(AppendError::TitleTaken { holder, suggestion }) => (holder, suggestion.to_string()),
        other => panic!("not refused for its title: {other:?}"),
    }
}

#[tokio::test]
async fn a_taken_title_names_its_holder_and_a_free_one() {
    let database = TestDatabase::create().await;
    let log = database.log().await;
    let first = log.create("Dune").await;
    log.create("dune (2)").await;
    let (holder, suggestion) = title_taken(log.log.append(create("ＤUNE ")).await);
    assert_eq!(holder, first.movie_id);
    assert_eq!(suggestion, "ＤUNE (3)");
    log.create(&suggestion).await;
    check_consistency(&database.pool).await;
}

#[tokio::test]
async fn the_suggestion_for_a_long_title_is_not_too_long() {
    let database = TestDatabase::create().await;
    let log = database.log().await;
    let title = "ab ".repeat(85);
    log.create(&title).await;
    let (_, suggestion) = title_taken(log.log.append(create(&title)).await);
    assert!(suggestion.ends_with(" (2)"), "{suggestion}");
    log.create(&suggestion).await;
}

#[tokio::test]
async fn of_many_that_race_for_a_title_one_wins() {
    let database = TestDatabase::create().await;
    let log = database.log().await;
    let racers = (0..32).map(|_| log.log.append(create("Dune")));
    let results = futures::future::join_all(racers).await;
    let winners: Vec<_> = results.iter().filter_map(|result| result.as_ref().ok()).collect();
    assert_eq!(winners.len(), 1, "{results:?}");
    let winner = appended(Ok(winners[0].clone())).movie_id;
    for result in results.into_iter().filter(Result::is_err) {
        assert_eq!(title_taken(result).0, winner);
    }
    assert_eq!(check_consistency(&database.pool).await, 1);
}

#[tokio::test]
async fn one_that_loses_never_fails_the_others() {
    let database = TestDatabase::create().await;
    let log = database.log().await;
    log.create("Taken").await;
    let appends = (0..40).map(|n| {
        let title = if n % 2 == 0 { "Taken".to_owned() } else { format!("Film {n}") };
        log.log.append(create(&title))
    });
    for (n, result) in futures::future::join_all(appends).await.into_iter().enumerate() {
        if n % 2 == 0 {
            title_taken(result);
        } else {
            appended(result);
        }
    }
    assert_eq!(check_consistency(&database.pool).await, 21);
}

#[tokio::test]
async fn slugs_that_collide_are_numbered() {
    let database = TestDatabase::create().await;
    let log = database.log().await;
    let mut slugs = Vec::new();
    for title in ["Ben Hur", "Ben-Hur", "Ben: Hur!", "ben hur 2"] {
        slugs.push(log.create(title).await.slug.unwrap().to_string());
    }
    assert_eq!(slugs, ["ben-hur", "ben-hur-2", "ben-hur-3", "ben-hur-2-2"]);
    // The event says what was chosen, not what was wished for.
    check_consistency(&database.pool).await;
}

#[tokio::test]
async fn slugs_that_collide_within_one_batch_are_numbered_too() {
    let database = TestDatabase::create().await;
    let log = database.log().await;
    // No letter or digit: all of them become "movie".
    let titles = (1..=150).map(|n| "!".repeat(n));
    let appends: Vec<_> = titles.map(|title| log.log.append(create(&title))).collect();
    let results = futures::future::join_all(appends).await;
    let mut slugs: Vec<_> =
        results.into_iter().map(|result| appended(result).slug.unwrap().to_string()).collect();
    slugs.sort();
    let mut expected: Vec<_> = (2..=150).map(|n| format!("movie-{n}")).collect();
    expected.push("movie".to_owned());
    expected.sort();
    assert_eq!(slugs, expected);
    assert_eq!(check_consistency(&database.pool).await, 150);
}

#[tokio::test]
async fn retitling_frees_the_old_title_and_takes_the_new_one() {
    let database = TestDatabase::create().await;
    let log = database.log().await;
    let first = log.create("Dune").await;
    let second = log.create("Arrakis").await;
    let (holder, _) = title_taken(log.log.append(retitle(&first, "ARRAKIS")).await);
    assert_eq!(holder, second.movie_id);

    let retitled = appended(log.log.append(retitle(&first, "Dune: Part One")).await);
    assert_eq!(retitled.slug, None, "a slug never changes");
    // Only the case changes: the key stays its own.
    appended(log.log.append(retitle(&retitled, "DUNE: part one")).await);
    let new = log.create("Dune").await;
    assert_eq!(new.slug.unwrap().as_str(), "dune-2");
    check_consistency(&database.pool).await;
}

#[tokio::test]
async fn a_title_passes_from_one_movie_to_another_in_one_batch() {
    let database = TestDatabase::create().await;
    let log = database.log().await;
    let movie = log.create("Dune").await;
    // Queued together: the appender does not run between two appends that are polled in turn.
    let (freed, taken) = tokio::join!(
        log.log.append(retitle(&movie, "Dune: Part One")),
        log.log.append(create("Dune"))
    );
    appended(freed);
    appended(taken);
    check_consistency(&database.pool).await;
}

#[tokio::test]
async fn removing_a_movie_frees_its_title_but_not_its_slug() {
    let database = TestDatabase::create().await;
    let log = database.log().await;
    let first = log.create("Dune").await;
    let removed = appended(log.log.append(next(&first, MovieCommand::Remove)).await);
    assert!(removed.movie.listed().is_none());
    assert_eq!(log.create("Dune").await.slug.unwrap().as_str(), "dune-2");
    check_consistency(&database.pool).await;
}
