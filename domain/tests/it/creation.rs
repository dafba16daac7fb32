//! `Create`: one command, a whole movie, atomically.

use marquee_domain::{
    MovieCommand, MovieError, MovieEvent, decide, evolve,
    movie::{CreateMovie, Unmet, decide::MAX_STREAM_SOURCES},
    values::{AvailabilityWindow, ValueError, Visibility},
};

use crate::{
    given::{
        add, added, attach, attached, caption, caption_id, context, create, created, creation,
        draft, earlier, folded, given, instant, language, listed, movie_id, now, probe_of, source,
        source_id, visible, window,
    },
    removal::removed,
};

fn whole(visibility: Visibility) -> CreateMovie {
    CreateMovie {
        visibility,
        stream_sources: vec![source(1), source(2)],
        caption_tracks: vec![caption(1, "en"), caption(2, "de")],
        ..creation()
    }
}

#[test]
fn a_draft_needs_neither_source_nor_caption() {
    given(vec![]).when(create(creation())).then_expect_events(vec![created(now())]);
}

#[test]
fn the_new_movie_has_every_field_as_given_and_who_made_it_when() {
    let movie = listed(&draft());
    let new = creation();
    assert_eq!(movie.movie_id, movie_id());
    assert_eq!((movie.title, movie.slug, movie.synopsis), (new.title, new.slug, new.synopsis));
    assert_eq!((movie.genres, movie.duration_minutes), (new.genres, new.duration_minutes));
    assert_eq!((movie.availability, movie.poster_url), (new.availability, new.poster_url));
    assert_eq!(movie.visibility, Visibility::Hidden);
    assert_eq!((movie.created_at, movie.created_by), (movie.updated_at, movie.updated_by));
    assert_eq!(movie.created_at, earlier().updated_at);
    assert_eq!(movie.created_by, earlier().updated_by);
}

#[test]
fn with_all_it_needs_it_is_shown_last() {
    given(vec![]).when(create(whole(Visibility::Visible))).then_expect_events(vec![
        created(now()),
        attached(1, true, now()),
        attached(2, false, now()),
        added(1, "en", true, now()),
        added(2, "de", false, now()),
        MovieEvent::MovieShown { stamp: now() },
    ]);
}

#[test]
fn it_stays_hidden_unless_asked_otherwise() {
    let events = given(vec![]).when(create(whole(Visibility::Hidden))).inspect_result().unwrap();
    assert_eq!(events.len(), 5);
    assert_eq!(listed(&events).visibility, Visibility::Hidden);
}

#[test]
fn a_later_source_or_caption_may_be_the_primary_or_default_one() {
    let mut new = whole(Visibility::Visible);
    new.stream_sources[1].primary = true;
    new.caption_tracks[1].is_default = true;
    let events = given(vec![]).when(create(new)).inspect_result().unwrap();
    let movie = listed(&events);
    assert_eq!(movie.primary_source().unwrap().stream_source_id, source_id(2));
    assert_eq!(movie.default_caption().unwrap().caption_track_id, caption_id(2));
}

#[test]
fn the_window_of_a_new_movie_begins_in_the_future() {
    let end = window().end();
    for (start, accepted) in [
        ("2029-12-31T00:00:00Z", false),
        ("2030-01-02T09:30:00.123456Z", false), // this very moment
        ("2030-01-02T09:30:00.123457Z", true),
    ] {
        let availability = AvailabilityWindow::new(instant(start), end).unwrap();
        let result =
            given(vec![]).when(create(CreateMovie { availability, ..creation() })).inspect_result();
        let refusal = (!accepted).then_some(MovieError::WindowNotInFuture);
        assert_eq!(result.err(), refusal, "{start}");
    }
}

#[test]
fn a_window_ends_after_it_starts() {
    let start = window().start();
    assert_eq!(AvailabilityWindow::new(start, start), Err(ValueError::EndNotAfterStart));
}

#[test]
fn all_that_it_lacks_to_be_visible_is_told_at_once() {
    let sources = vec![source(1)];
    let captions = vec![caption(1, "en")];
    for (stream_sources, caption_tracks, unmet) in [
        (vec![], vec![], vec![Unmet::PrimarySource, Unmet::Caption]),
        (sources, vec![], vec![Unmet::Caption]),
        (vec![], captions, vec![Unmet::PrimarySource]),
    ] {
        let new = CreateMovie {
            visibility: Visibility::Visible,
            stream_sources,
            caption_tracks,
            ..creation()
        };
        given(vec![]).when(create(new)).then_expect_error(MovieError::NotShowable(unmet));
    }
}

#[test]
fn one_bad_source_or_caption_refuses_the_whole() {
    let mut live = whole(Visibility::Hidden);
    live.stream_sources[1].probe.ended = false;
    given(vec![]).when(create(live)).then_expect_error(MovieError::StreamNotEnded);

    let mut short = whole(Visibility::Hidden);
    short.stream_sources[1].probe = probe_of(&[60.0]);
    given(vec![]).when(create(short)).then_expect_error(MovieError::DurationMismatch {
        measured_seconds: 60.0,
        expected_seconds: 5_400.0,
        tolerance_seconds: 60.0,
    });

    let mut twice = whole(Visibility::Hidden);
    twice.caption_tracks[1] = caption(2, "en");
    given(vec![]).when(create(twice)).then_expect_error(MovieError::LanguageTaken {
        language: language("en"),
        holder: caption_id(1),
    });
}

#[test]
fn there_is_a_limit_to_the_sources_it_can_bring() {
    let up_to = |count: usize| CreateMovie {
        stream_sources: (0..count).map(|n| source(n as u128)).collect(),
        ..creation()
    };
    let accepted = given(vec![]).when(create(up_to(MAX_STREAM_SOURCES))).inspect_result().unwrap();
    assert_eq!(listed(&accepted).stream_sources.len(), MAX_STREAM_SOURCES);
    given(vec![])
        .when(create(up_to(MAX_STREAM_SOURCES + 1)))
        .then_expect_error(MovieError::TooMany { what: "stream sources", max: MAX_STREAM_SOURCES });
}

#[test]
fn a_movie_is_created_once_even_after_its_removal() {
    for history in [draft(), visible(), removed()] {
        given(history).when(create(creation())).then_expect_error(MovieError::AlreadyExists);
    }
}

#[test]
fn whatever_comes_with_it_is_what_the_single_commands_would_have_made() {
    let at_once = given(vec![]).when(create(whole(Visibility::Visible))).inspect_result().unwrap();

    let mut movie = folded(&[created(now())]);
    for command in [
        attach(source(1)),
        attach(source(2)),
        add(caption(1, "en")),
        add(caption(2, "de")),
        MovieCommand::SetVisibility(Visibility::Visible),
    ] {
        for event in decide(&movie, command, &context()).unwrap() {
            evolve(&mut movie, &event);
        }
    }
    assert_eq!(folded(&at_once), movie);
}
