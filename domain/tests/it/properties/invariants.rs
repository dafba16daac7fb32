//! The rules of the data model, stated on a movie as it is, and on the step from one state to the
//! next. Independent of `decide`: here nothing is decided, only looked at.

use std::collections::HashSet;

use marquee_domain::{
    Movie, MovieEvent,
    movie::ListedMovie,
    values::{SealedUrl, ValidationStatus, Visibility},
};

use crate::given::{
    added, and, attached, caption_id, draft, earlier, listed, minutes, ready, source_id,
    stream_facts, visible,
};

/// The rules that `movie` breaks, by name.
pub fn broken_by(movie: &ListedMovie) -> Vec<&'static str> {
    let primaries = movie.stream_sources.iter().filter(|source| source.primary).count();
    let defaults = movie.caption_tracks.iter().filter(|track| track.is_default).count();
    let languages: HashSet<_> =
        movie.caption_tracks.iter().map(|track| track.language_code.as_str()).collect();
    let source_ids: HashSet<_> =
        movie.stream_sources.iter().map(|source| source.stream_source_id).collect();
    let track_ids: HashSet<_> =
        movie.caption_tracks.iter().map(|track| track.caption_track_id).collect();
    let lengths_match = movie
        .stream_sources
        .iter()
        .filter(|source| source.validation_status == ValidationStatus::Valid)
        .flat_map(|source| {
            let longest = source.facts.measured_duration_seconds();
            [longest, source.facts.shortest_variant_seconds().unwrap_or(longest)]
        })
        .all(|seconds| {
            let off = (seconds - movie.duration_minutes.seconds()).abs();
            // A millisecond: the playlists' own precision, and that of the facts.
            off <= movie.duration_minutes.tolerance_seconds() + 0.001
        });
    let rules = [
        ("exactly one primary source", primaries == usize::from(!movie.stream_sources.is_empty())),
        ("exactly one default caption", defaults == usize::from(!movie.caption_tracks.is_empty())),
        ("a language once", languages.len() == movie.caption_tracks.len()),
        ("a source once", source_ids.len() == movie.stream_sources.len()),
        ("a caption track once", track_ids.len() == movie.caption_tracks.len()),
        ("the window ends after it starts", movie.availability.end() > movie.availability.start()),
        ("at least one genre", !movie.genres.as_slice().is_empty()),
        ("a duration above zero", movie.duration_minutes.get() > 0),
        ("VISIBLE with a caption", is_hidden(movie) || defaults > 0),
        ("VISIBLE with a primary source", is_hidden(movie) || primaries > 0),
        ("valid streams are as long as the movie", lengths_match),
        ("updated after created", movie.updated_at >= movie.created_at),
    ];
    rules.into_iter().filter(|(_, holds)| !holds).map(|(rule, _)| rule).collect()
}

fn is_hidden(movie: &ListedMovie) -> bool {
    movie.visibility == Visibility::Hidden
}

/// The rules that the step from `before` to `after` breaks.
pub fn broken_on_the_way(before: &Movie, event: &MovieEvent, after: &Movie) -> Vec<&'static str> {
    let (Movie::Listed(before), Movie::Listed(after)) = (before, after) else {
        let rules = [
            (
                "a movie appears by its creation",
                !matches!((before, after), (Movie::Absent, Movie::Listed(_)))
                    || matches!(event, MovieEvent::MovieCreated { .. }),
            ),
            (
                "a movie goes by its removal and keeps its slug",
                match (before, after) {
                    (Movie::Listed(before), Movie::Removed { movie_id, slug }) => {
                        (before.movie_id, &before.slug) == (*movie_id, slug)
                            && matches!(event, MovieEvent::MovieRemoved { .. })
                    }
                    _ => true,
                },
            ),
            (
                "nothing leads back",
                !matches!(after, Movie::Absent)
                    && !matches!((before, after), (Movie::Removed { .. }, Movie::Listed(_))),
            ),
        ];
        return rules.into_iter().filter(|(_, holds)| !holds).map(|(rule, _)| rule).collect();
    };
    let rules = [
        ("the id never changes", before.movie_id == after.movie_id),
        ("the slug never changes", before.slug == after.slug),
        (
            "who created it, and when, never changes",
            (before.created_at, before.created_by) == (after.created_at, after.created_by),
        ),
        (
            "the title changes by MovieRetitled only",
            before.title == after.title || matches!(event, MovieEvent::MovieRetitled { .. }),
        ),
        ("an event changes something", before != after),
    ];
    rules.into_iter().filter(|(_, holds)| !holds).map(|(rule, _)| rule).collect()
}

#[test]
fn sound_movies_break_no_rule() {
    for history in [draft(), ready(), visible()] {
        assert_eq!(broken_by(&listed(&history)), [""; 0]);
    }
}

#[test]
fn planted_violations_are_found() {
    let again = MovieEvent::StreamSourceAttached {
        stream_source_id: source_id(1),
        sealed_url: SealedUrl::from_text("again"),
        quality_tag: None,
        drm_required: false,
        primary: true,
        last_validated_at: earlier().updated_at,
        validation_status: ValidationStatus::Valid,
        facts: stream_facts(),
        stamp: earlier(),
    };
    let too_short = MovieEvent::MovieDetailsRevised {
        synopsis: None,
        genres: None,
        duration_minutes: Some(minutes(100)),
        poster_url: None,
        stamp: earlier(),
    };
    let shown = MovieEvent::MovieShown { stamp: earlier() };
    let primary_gone =
        MovieEvent::StreamSourceDetached { stream_source_id: source_id(1), stamp: earlier() };
    let default_gone =
        MovieEvent::CaptionTrackRemoved { caption_track_id: caption_id(1), stamp: earlier() };
    for (history, broken) in [
        (and(ready(), [again]), vec!["exactly one primary source", "a source once"]),
        (and(ready(), [primary_gone]), vec!["exactly one primary source"]),
        (and(ready(), [default_gone]), vec!["exactly one default caption"]),
        (and(ready(), [added(3, "de", false, earlier())]), vec!["a language once"]),
        (and(ready(), [too_short]), vec!["valid streams are as long as the movie"]),
        (
            and(draft(), [shown.clone()]),
            vec!["VISIBLE with a caption", "VISIBLE with a primary source"],
        ),
        (and(draft(), [attached(1, true, earlier()), shown]), vec!["VISIBLE with a caption"]),
    ] {
        assert_eq!(broken_by(&listed(&history)), broken);
    }
}
