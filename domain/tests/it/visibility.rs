//! `SetVisibility`: what a movie needs to be VISIBLE.

use marquee_domain::{
    MovieCommand, MovieError, MovieEvent,
    movie::Unmet,
    values::{ValidationStatus, Visibility},
};

use crate::given::{
    added, and, attached, draft, earlier, given, listed, now, ready, source_failed, source_id,
    stream_facts, visible,
};

const SHOW: MovieCommand = MovieCommand::SetVisibility(Visibility::Visible);
const HIDE: MovieCommand = MovieCommand::SetVisibility(Visibility::Hidden);

#[test]
fn a_movie_with_primary_source_and_caption_is_shown() {
    given(ready()).when(SHOW).then_expect_events(vec![MovieEvent::MovieShown { stamp: now() }]);
    assert_eq!(listed(&visible()).visibility, Visibility::Visible);
}

#[test]
fn hiding_asks_nothing() {
    let hidden = MovieEvent::MovieHidden { stamp: now() };
    given(visible()).when(HIDE).then_expect_events(vec![hidden.clone()]);

    let movie = listed(&and(visible(), [hidden]));
    assert_eq!(movie.visibility, Visibility::Hidden);
    assert_eq!((movie.updated_at, movie.updated_by), (now().updated_at, now().updated_by));
}

#[test]
fn a_movie_that_is_so_already_appends_nothing() {
    given(visible()).when(SHOW).then_expect_events(vec![]);
    given(ready()).when(HIDE).then_expect_events(vec![]);
}

#[test]
fn all_that_it_lacks_is_told_at_once() {
    let source = attached(1, true, earlier());
    let broken = source_failed(1, "unreachable", earlier());
    let caption = added(1, "en", true, earlier());
    for (history, unmet) in [
        (vec![], vec![Unmet::PrimarySource, Unmet::Caption]),
        (vec![source.clone()], vec![Unmet::Caption]),
        (vec![caption.clone()], vec![Unmet::PrimarySource]),
        (vec![source.clone(), broken.clone()], vec![Unmet::ValidPrimarySource, Unmet::Caption]),
        (vec![source, broken, caption], vec![Unmet::ValidPrimarySource]),
    ] {
        given(and(draft(), history)).when(SHOW).then_expect_error(MovieError::NotShowable(unmet));
    }
}

#[test]
fn a_broken_source_beside_the_primary_one_does_not_matter() {
    let history = and(ready(), [source_failed(2, "unreachable", earlier())]);
    given(history).when(SHOW).then_expect_events(vec![MovieEvent::MovieShown { stamp: now() }]);
}

#[test]
fn a_source_of_which_nothing_is_known_yet_is_given_the_benefit_of_the_doubt() {
    let unknown = MovieEvent::StreamSourceValidated {
        stream_source_id: source_id(1),
        last_validated_at: earlier().updated_at,
        validation_status: ValidationStatus::Unknown,
        failed_rule: None,
        facts: Some(stream_facts()),
        stamp: earlier(),
    };
    let history = and(ready(), [unknown]);
    assert!(listed(&history).is_playable());
    given(history).when(SHOW).then_expect_events(vec![MovieEvent::MovieShown { stamp: now() }]);
}

#[test]
fn a_visible_movie_whose_primary_source_breaks_stays_visible_but_is_not_playable() {
    let movie = listed(&and(visible(), [source_failed(1, "unreachable", now())]));
    assert_eq!(movie.visibility, Visibility::Visible);
    assert!(!movie.is_playable());
}

#[test]
fn the_refusal_reads_well() {
    let refused = given(draft()).when(SHOW);
    refused.then_expect_error_message(
        "the movie cannot be VISIBLE: it has no primary stream source; it has no caption track",
    );
}
