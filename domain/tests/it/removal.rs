//! `Remove`, and what is left.

use cqrs_es::{Aggregate, DomainEvent};
use marquee_domain::{
    Movie, MovieCommand, MovieError, MovieEvent,
    movie::{RevisePatch, Trigger, ValidationOutcome},
    values::{Slug, Visibility},
};

use crate::given::{
    add, and, attach, caption, caption_facts, caption_id, draft, earlier, failed, folded, given,
    movie_id, now, ready, source, source_id, title, visible,
};

pub fn removed() -> Vec<MovieEvent> {
    and(visible(), [MovieEvent::MovieRemoved { stamp: earlier() }])
}

fn everything_but_create() -> Vec<MovieCommand> {
    let retitle = RevisePatch { title: Some(title("Judah")), ..RevisePatch::default() };
    vec![
        MovieCommand::Revise(Box::new(retitle)),
        MovieCommand::SetVisibility(Visibility::Visible),
        MovieCommand::SetVisibility(Visibility::Hidden),
        MovieCommand::Remove,
        attach(source(3)),
        MovieCommand::RecordStreamValidation(source_id(1), failed("unreachable"), Trigger::Request),
        MovieCommand::PromoteStreamSource(source_id(2)),
        MovieCommand::DetachStreamSource(source_id(2)),
        add(caption(3, "fr")),
        MovieCommand::ReplaceCaptionTrack(Box::new(caption(1, "en"))),
        MovieCommand::RecordCaptionValidation(
            caption_id(1),
            ValidationOutcome::Read(caption_facts()),
            Trigger::Request,
        ),
        MovieCommand::SetDefaultCaption(caption_id(2)),
        MovieCommand::RemoveCaptionTrack(caption_id(2)),
    ]
}

#[test]
fn a_movie_is_removed_whatever_its_state() {
    for history in [draft(), ready(), visible()] {
        given(history)
            .when(MovieCommand::Remove)
            .then_expect_events(vec![MovieEvent::MovieRemoved { stamp: now() }]);
    }
}

#[test]
fn its_id_and_slug_are_remembered_and_nothing_else() {
    let slug = Slug::parse("ben-hur").unwrap();
    assert_eq!(folded(&removed()), Movie::Removed { movie_id: movie_id(), slug });
}

#[test]
fn nothing_can_be_done_to_a_movie_that_is_not_there_or_not_any_more() {
    for history in [vec![], removed()] {
        for command in everything_but_create() {
            given(history.clone()).when(command).then_expect_error(MovieError::NotFound);
        }
    }
}

#[test]
fn all_of_them_can_be_done_to_a_movie_that_is() {
    for command in everything_but_create() {
        let result = given(visible()).when(command.clone()).inspect_result();
        assert!(result.is_ok(), "{command:?}: {result:?}");
    }
}

#[test]
fn the_aggregate_and_its_events_are_called_so_in_the_log() {
    assert_eq!(Movie::TYPE, "movie");
    let event = MovieEvent::MovieRemoved { stamp: now() };
    assert_eq!(event.event_type(), "marquee.movie.MovieRemoved.v1");
    assert_eq!(event.event_version(), "1");
}
