//! `Revise`: a merge patch of title, details and window.

use marquee_domain::{
    MovieCommand, MovieError, MovieEvent,
    movie::{NewStreamSource, RevisePatch},
    values::{
        AvailabilityWindow, DurationMinutes, Genres, PosterUrl, StreamFacts, Synopsis, ValueError,
    },
};

use crate::given::{
    SECONDS, and, attach, creation, draft, earlier, genres, given, instant, listed, minutes, now,
    probe_of, source, title, visible, window,
};

fn revise(patch: RevisePatch) -> MovieCommand {
    MovieCommand::Revise(Box::new(patch))
}

fn to_minutes(n: u64) -> RevisePatch {
    RevisePatch { duration_minutes: Some(minutes(n)), ..RevisePatch::default() }
}

fn details(
    synopsis: Option<Synopsis>,
    genres: Option<Genres>,
    duration_minutes: Option<DurationMinutes>,
    poster_url: Option<PosterUrl>,
) -> MovieEvent {
    MovieEvent::MovieDetailsRevised { synopsis, genres, duration_minutes, poster_url, stamp: now() }
}

#[test]
fn a_new_title_leaves_the_slug_as_it_is() {
    let retitled = MovieEvent::MovieRetitled {
        title: title("Ben-Hur: A Tale of the Christ"),
        previous_title: title("Ben-Hur"),
        stamp: now(),
    };
    let patch = RevisePatch {
        title: Some(title("Ben-Hur: A Tale of the Christ")),
        ..RevisePatch::default()
    };
    given(visible()).when(revise(patch)).then_expect_events(vec![retitled.clone()]);

    let movie = listed(&and(visible(), [retitled]));
    assert_eq!(movie.title, title("Ben-Hur: A Tale of the Christ"));
    assert_eq!(movie.slug.as_str(), "ben-hur");
    assert_eq!((movie.updated_at, movie.updated_by), (now().updated_at, now().updated_by));
    assert_eq!((movie.created_at, movie.created_by), (earlier().updated_at, earlier().updated_by));
}

#[test]
fn a_title_may_change_in_case_only() {
    let patch = RevisePatch { title: Some(title("BEN-HUR")), ..RevisePatch::default() };
    given(draft()).when(revise(patch)).then_expect_events(vec![MovieEvent::MovieRetitled {
        title: title("BEN-HUR"),
        previous_title: title("Ben-Hur"),
        stamp: now(),
    }]);
}

#[test]
fn only_what_changes_is_recorded() {
    let synopsis = Synopsis::parse("Chariots.").ok();
    let poster_url = PosterUrl::parse("https://img.example/new.jpg").ok();
    let epic = Some(genres(&["Epic"]));
    let unchanged = RevisePatch { title: Some(creation().title), ..RevisePatch::default() };
    for (patch, event) in [
        (
            RevisePatch { synopsis: synopsis.clone(), ..unchanged.clone() },
            details(synopsis, None, None, None),
        ),
        (
            RevisePatch { genres: epic.clone(), ..unchanged.clone() },
            details(None, epic, None, None),
        ),
        (
            RevisePatch { duration_minutes: Some(minutes(91)), ..unchanged.clone() },
            details(None, None, Some(minutes(91)), None),
        ),
        (
            RevisePatch { poster_url: poster_url.clone(), ..unchanged },
            details(None, None, None, poster_url),
        ),
    ] {
        given(visible()).when(revise(patch)).then_expect_events(vec![event]);
    }
}

#[test]
fn the_order_of_genres_counts() {
    let patch =
        RevisePatch { genres: Some(genres(&["Drama", "Adventure"])), ..RevisePatch::default() };
    let turned = details(None, Some(genres(&["Drama", "Adventure"])), None, None);
    given(draft()).when(revise(patch)).then_expect_events(vec![turned]);
}

#[test]
fn a_patch_without_news_appends_nothing() {
    let movie = creation();
    let same = RevisePatch {
        title: Some(movie.title),
        synopsis: Some(movie.synopsis),
        genres: Some(movie.genres),
        duration_minutes: Some(movie.duration_minutes),
        poster_url: Some(movie.poster_url),
        availability_start: Some(movie.availability.start()),
        availability_end: Some(movie.availability.end()),
    };
    for patch in [RevisePatch::default(), same] {
        given(visible()).when(revise(patch)).then_expect_events(vec![]);
    }
}

#[test]
fn all_in_one_patch_becomes_one_event_of_each_kind() {
    let patch = RevisePatch {
        title: Some(title("Judah")),
        genres: Some(genres(&["Epic"])),
        availability_end: Some(instant("2032-01-01T00:00:00Z")),
        ..RevisePatch::default()
    };
    given(draft()).when(revise(patch)).then_expect_events(vec![
        MovieEvent::MovieRetitled {
            title: title("Judah"),
            previous_title: title("Ben-Hur"),
            stamp: now(),
        },
        details(None, Some(genres(&["Epic"])), None, None),
        MovieEvent::AvailabilityRescheduled {
            availability: AvailabilityWindow::new(
                window().start(),
                instant("2032-01-01T00:00:00Z"),
            )
            .unwrap(),
            stamp: now(),
        },
    ]);
}

#[test]
fn a_movie_that_exists_may_move_its_window_into_the_past() {
    let start = instant("2029-06-01T00:00:00Z");
    let patch = RevisePatch { availability_start: Some(start), ..RevisePatch::default() };
    given(visible()).when(revise(patch)).then_expect_events(vec![
        MovieEvent::AvailabilityRescheduled {
            availability: AvailabilityWindow::new(start, window().end()).unwrap(),
            stamp: now(),
        },
    ]);
}

#[test]
fn a_window_that_would_not_end_after_it_starts_is_refused() {
    for (start, end) in [
        (Some(window().end()), None),
        (None, Some(window().start())),
        (Some(window().end()), Some(window().start())),
        (Some(window().start()), Some(window().start())),
    ] {
        let patch = RevisePatch {
            // Refused as a whole: the title is not changed either.
            title: Some(title("Judah")),
            availability_start: start,
            availability_end: end,
            ..RevisePatch::default()
        };
        given(draft())
            .when(revise(patch))
            .then_expect_error(MovieError::Window(ValueError::EndNotAfterStart));
    }
}

#[test]
fn the_duration_is_free_as_long_as_no_stream_says_otherwise() {
    given(draft()).when(revise(to_minutes(200))).then_expect_events(vec![details(
        None,
        None,
        Some(minutes(200)),
        None,
    )]);
}

#[test]
fn the_duration_still_matches_every_attached_stream() {
    for (n, accepted) in [(88, false), (89, true), (91, true), (92, false)] {
        let result = given(visible()).when(revise(to_minutes(n))).inspect_result();
        let refusal = (!accepted).then_some(MovieError::DurationMismatch {
            measured_seconds: SECONDS,
            expected_seconds: minutes(n).seconds(),
            tolerance_seconds: 60.0,
        });
        assert_eq!(result.err(), refusal, "{n} minutes");
    }
}

#[test]
fn the_duration_still_matches_the_shortest_variant_of_a_stream() {
    let probe = probe_of(&[5_450.0, 5_341.0]);
    let facts = StreamFacts::from(&probe);
    assert_eq!(facts.shortest_variant_ms, Some(5_341_000));
    let uneven = given(draft())
        .when(attach(NewStreamSource { probe, ..source(1) }))
        .inspect_result()
        .unwrap();
    // 91 minutes are 5,460 s: near enough to the longest variant, too far from the shortest.
    given(and(draft(), uneven)).when(revise(to_minutes(91))).then_expect_error(
        MovieError::DurationMismatch {
            measured_seconds: 5_341.0,
            expected_seconds: 5_460.0,
            tolerance_seconds: 60.0,
        },
    );
}
