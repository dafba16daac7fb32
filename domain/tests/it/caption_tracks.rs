//! Adding, replacing, validating and removing caption tracks, and which one is the default.

use marquee_domain::{
    MovieCommand, MovieError, MovieEvent,
    movie::{NewCaptionTrack, Trigger, ValidationOutcome, decide::MAX_CAPTION_TRACKS},
    values::{CaptionFacts, CaptionFormat, ValidationStatus},
};

use crate::given::{
    add, added, and, caption, caption_facts, caption_id, caption_url, draft, earlier, failed,
    given, language, listed, now, ready, visible,
};

fn replace(track: NewCaptionTrack) -> MovieCommand {
    MovieCommand::ReplaceCaptionTrack(Box::new(track))
}

fn record(n: u128, outcome: ValidationOutcome<CaptionFacts>) -> MovieCommand {
    MovieCommand::RecordCaptionValidation(caption_id(n), outcome, Trigger::Schedule)
}

fn make_default(n: u128) -> MovieCommand {
    MovieCommand::SetDefaultCaption(caption_id(n))
}

fn remove(n: u128) -> MovieCommand {
    MovieCommand::RemoveCaptionTrack(caption_id(n))
}

fn replaced(track: NewCaptionTrack) -> MovieEvent {
    MovieEvent::CaptionTrackReplaced {
        caption_track_id: track.caption_track_id,
        language_code: track.language_code,
        caption_url: track.caption_url,
        format: track.format,
        last_validated_at: now().updated_at,
        validation_status: ValidationStatus::Valid,
        facts: track.facts,
        stamp: now(),
    }
}

fn validated(n: u128, failed_rule: Option<&str>, facts: Option<CaptionFacts>) -> MovieEvent {
    MovieEvent::CaptionTrackValidated {
        caption_track_id: caption_id(n),
        last_validated_at: now().updated_at,
        validation_status: match failed_rule {
            Some(_) => ValidationStatus::Invalid,
            None => ValidationStatus::Valid,
        },
        failed_rule: failed_rule.map(ToOwned::to_owned),
        facts,
        stamp: now(),
    }
}

fn defaulted(n: u128) -> MovieEvent {
    MovieEvent::DefaultCaptionChanged { caption_track_id: caption_id(n), stamp: now() }
}

fn removed(n: u128) -> MovieEvent {
    MovieEvent::CaptionTrackRemoved { caption_track_id: caption_id(n), stamp: now() }
}

fn taken(code: &str, holder: u128) -> MovieError {
    MovieError::LanguageTaken { language: language(code), holder: caption_id(holder) }
}

fn defaults(history: &[MovieEvent]) -> Vec<bool> {
    listed(history).caption_tracks.iter().map(|track| track.is_default).collect()
}

// -- add

#[test]
fn the_first_track_is_the_default_though_it_did_not_ask() {
    given(draft()).when(add(caption(1, "en"))).then_expect_events(vec![added(
        1,
        "en",
        true,
        now(),
    )]);
}

#[test]
fn a_further_track_is_the_default_only_if_it_asks() {
    given(ready()).when(add(caption(3, "fr"))).then_expect_events(vec![added(
        3,
        "fr",
        false,
        now(),
    )]);

    let asking = NewCaptionTrack { is_default: true, ..caption(3, "fr") };
    given(ready()).when(add(asking)).then_expect_events(vec![added(3, "fr", true, now())]);
    assert_eq!(defaults(&and(ready(), [added(3, "fr", true, now())])), [false, false, true]);
}

#[test]
fn an_added_track_has_every_field_and_the_facts_of_its_probe() {
    let movie = listed(&and(draft(), [added(1, "en", true, now())]));
    let kept = movie.caption(caption_id(1)).unwrap();
    assert_eq!((&kept.language_code, &kept.caption_url), (&language("en"), &caption_url("en")));
    assert_eq!((kept.format, kept.is_default), (CaptionFormat::WebVtt, true));
    assert_eq!(kept.last_validated_at, now().updated_at);
    assert_eq!(kept.validation_status, ValidationStatus::Valid);
    assert_eq!(kept.facts, caption_facts());
}

#[test]
fn a_language_is_there_once() {
    given(visible()).when(add(caption(3, "de"))).then_expect_error(taken("de", 2));
}

#[test]
fn a_track_added_again_appends_nothing() {
    given(ready()).when(add(caption(1, "en"))).then_expect_events(vec![]);
}

#[test]
fn there_is_a_limit_to_a_movies_tracks() {
    // There are fewer languages than that, so only a history that no command leads to is so long.
    let full = (0..MAX_CAPTION_TRACKS).map(|n| added(n as u128, "en", n == 0, earlier()));
    given(and(draft(), full))
        .when(add(caption(999, "de")))
        .then_expect_error(MovieError::TooMany { what: "caption tracks", max: MAX_CAPTION_TRACKS });
}

// -- replace

#[test]
fn a_replaced_track_keeps_its_id_and_whether_it_is_the_default() {
    for (n, default) in [(1, [true, false]), (2, [true, false])] {
        let new = NewCaptionTrack {
            caption_url: caption_url("new"),
            format: CaptionFormat::Ttml,
            ..caption(n, "fr")
        };
        let event = replaced(new.clone());
        given(visible()).when(replace(new)).then_expect_events(vec![event.clone()]);
        let history = and(visible(), [event]);
        assert_eq!(defaults(&history), default);
        let movie = listed(&history);
        let track = movie.caption(caption_id(n)).unwrap();
        assert_eq!((&track.language_code, track.format), (&language("fr"), CaptionFormat::Ttml));
        assert_eq!(track.caption_url, caption_url("new"));
    }
}

#[test]
fn a_replacement_may_ask_to_be_the_default() {
    let asking = NewCaptionTrack { is_default: true, ..caption(2, "fr") };
    given(visible())
        .when(replace(asking.clone()))
        .then_expect_events(vec![replaced(asking.clone()), defaulted(2)]);

    // Nothing but the default changes.
    let asking = NewCaptionTrack { is_default: true, ..caption(2, "de") };
    given(visible()).when(replace(asking)).then_expect_events(vec![defaulted(2)]);
}

#[test]
fn a_replacement_with_the_same_appends_nothing() {
    for track in [caption(1, "en"), NewCaptionTrack { is_default: true, ..caption(1, "en") }] {
        given(visible()).when(replace(track)).then_expect_events(vec![]);
    }
}

#[test]
fn replacing_a_broken_track_by_the_same_one_makes_it_valid() {
    let broken = and(visible(), [validated(1, Some("unreachable"), None)]);
    given(broken)
        .when(replace(caption(1, "en")))
        .then_expect_events(vec![replaced(caption(1, "en"))]);
}

#[test]
fn a_replacement_cannot_take_anothers_language() {
    given(visible()).when(replace(caption(1, "de"))).then_expect_error(taken("de", 2));
}

// -- validate

#[test]
fn a_scheduled_probe_that_finds_what_is_known_appends_nothing() {
    given(visible())
        .when(record(1, ValidationOutcome::Read(caption_facts())))
        .then_expect_events(vec![]);
}

#[test]
fn a_probe_that_was_asked_for_is_recorded_whatever_it_finds() {
    let outcome = ValidationOutcome::Read(caption_facts());
    given(visible())
        .when(MovieCommand::RecordCaptionValidation(caption_id(1), outcome, Trigger::Request))
        .then_expect_events(vec![validated(1, None, Some(caption_facts()))]);
}

#[test]
fn a_probe_that_fails_makes_the_track_invalid_once() {
    let broken = validated(1, Some("unreachable"), None);
    given(visible())
        .when(record(1, failed("unreachable")))
        .then_expect_events(vec![broken.clone()]);

    let history = and(visible(), [broken]);
    let movie = listed(&history);
    let track = movie.caption(caption_id(1)).unwrap();
    assert_eq!(track.validation_status, ValidationStatus::Invalid);
    assert_eq!((track.last_validated_at, &track.facts), (now().updated_at, &caption_facts()));
    given(history).when(record(1, failed("not_webvtt"))).then_expect_events(vec![]);
}

#[test]
fn a_track_that_can_be_read_again_is_valid_again() {
    let broken = and(visible(), [validated(1, Some("unreachable"), None)]);
    given(broken)
        .when(record(1, ValidationOutcome::Read(caption_facts())))
        .then_expect_events(vec![validated(1, None, Some(caption_facts()))]);
}

#[test]
fn new_content_is_news() {
    let facts = CaptionFacts { cue_count: 4, ..caption_facts() };
    given(visible())
        .when(record(2, ValidationOutcome::Read(facts.clone())))
        .then_expect_events(vec![validated(2, None, Some(facts))]);
}

// -- default and remove

#[test]
fn the_default_moves_in_one_event() {
    given(visible()).when(make_default(2)).then_expect_events(vec![defaulted(2)]);
    assert_eq!(defaults(&and(visible(), [defaulted(2)])), [false, true]);
    given(visible()).when(make_default(1)).then_expect_events(vec![]);
}

#[test]
fn a_track_that_is_not_the_default_goes_at_once() {
    given(visible()).when(remove(2)).then_expect_events(vec![removed(2)]);
    assert_eq!(listed(&and(visible(), [removed(2)])).caption(caption_id(2)), None);
}

#[test]
fn when_the_default_goes_the_oldest_other_one_takes_its_place_first() {
    let three = and(visible(), [added(3, "fr", false, earlier())]);
    given(three).when(remove(1)).then_expect_events(vec![defaulted(2), removed(1)]);
}

#[test]
fn the_last_track_stays_while_the_movie_is_visible() {
    let one = and(visible(), [removed(2)]);
    given(one).when(remove(1)).then_expect_error(MovieError::CaptionRequired);

    let hidden = and(draft(), [added(1, "en", true, earlier())]);
    given(hidden).when(remove(1)).then_expect_events(vec![removed(1)]);
}

#[test]
fn a_track_that_is_not_there_can_be_neither_replaced_nor_validated_nor_removed_nor_the_default() {
    for command in
        [replace(caption(9, "fr")), record(9, failed("unreachable")), make_default(9), remove(9)]
    {
        given(visible())
            .when(command)
            .then_expect_error(MovieError::CaptionTrackNotFound(caption_id(9)));
    }
}
