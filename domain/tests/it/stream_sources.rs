//! Attaching, validating, promoting and detaching stream sources.

use marquee_domain::{
    MovieCommand, MovieError, MovieEvent,
    movie::{NewStreamSource, Trigger, Unmet, ValidationOutcome, decide::MAX_STREAM_SOURCES},
    values::{Encryption, StreamFacts, StreamProbe, ValidationStatus},
};

use crate::given::{
    and, attach, attached, draft, earlier, failed, given, listed, minutes, now, probe, probe_of,
    ready, source, source_failed, source_id, stream_facts, visible,
};

fn record(n: u128, outcome: ValidationOutcome<StreamProbe>) -> MovieCommand {
    MovieCommand::RecordStreamValidation(source_id(n), outcome, Trigger::Schedule)
}

fn promote(n: u128) -> MovieCommand {
    MovieCommand::PromoteStreamSource(source_id(n))
}

fn detach(n: u128) -> MovieCommand {
    MovieCommand::DetachStreamSource(source_id(n))
}

fn promoted(n: u128) -> MovieEvent {
    MovieEvent::PrimaryStreamSourceChanged { stream_source_id: source_id(n), stamp: now() }
}

fn detached(n: u128) -> MovieEvent {
    MovieEvent::StreamSourceDetached { stream_source_id: source_id(n), stamp: now() }
}

fn read(n: u128, failed_rule: Option<&str>, facts: StreamFacts) -> MovieEvent {
    MovieEvent::StreamSourceValidated {
        stream_source_id: source_id(n),
        last_validated_at: now().updated_at,
        validation_status: match failed_rule {
            Some(_) => ValidationStatus::Invalid,
            None => ValidationStatus::Valid,
        },
        failed_rule: failed_rule.map(ToOwned::to_owned),
        facts: Some(facts),
        stamp: now(),
    }
}

fn mismatch(measured_seconds: f64) -> MovieError {
    let expected_seconds = minutes(90).seconds();
    MovieError::DurationMismatch { measured_seconds, expected_seconds, tolerance_seconds: 60.0 }
}

// -- attach

#[test]
fn the_first_source_is_primary_though_it_did_not_ask() {
    given(draft()).when(attach(source(1))).then_expect_events(vec![attached(1, true, now())]);
}

#[test]
fn a_further_source_is_primary_only_if_it_asks() {
    given(ready()).when(attach(source(3))).then_expect_events(vec![attached(3, false, now())]);

    let asking = NewStreamSource { primary: true, ..source(3) };
    given(visible()).when(attach(asking)).then_expect_events(vec![attached(3, true, now())]);
}

#[test]
fn a_source_that_takes_the_primary_place_takes_it_alone() {
    let movie = listed(&and(ready(), [attached(3, true, now())]));
    let primary: Vec<_> = movie.stream_sources.iter().map(|source| source.primary).collect();
    assert_eq!(primary, [false, false, true]);
}

#[test]
fn an_attached_source_has_every_field_and_the_facts_of_its_probe() {
    let movie = listed(&and(draft(), [attached(1, true, now())]));
    let kept = movie.source(source_id(1)).unwrap();
    let new = source(1);
    assert_eq!((&kept.sealed_url, &kept.quality_tag), (&new.sealed_url, &new.quality_tag));
    assert_eq!((kept.drm_required, kept.primary), (false, true));
    assert_eq!(kept.last_validated_at, now().updated_at);
    assert_eq!(kept.validation_status, ValidationStatus::Valid);
    assert_eq!(kept.facts, StreamFacts::from(&new.probe));
}

#[test]
fn a_source_of_a_single_quality_needs_no_tag() {
    let untagged = NewStreamSource { quality_tag: None, ..source(1) };
    let events = given(draft()).when(attach(untagged)).inspect_result().unwrap();
    assert_eq!(listed(&and(draft(), events)).stream_sources[0].quality_tag, None);
}

#[test]
fn every_variant_is_as_long_as_the_movie() {
    for (variants, refused) in [
        (vec![5_340.0, 5_460.0], None),
        (vec![5_339.999, 5_400.0], Some(5_339.999)),
        (vec![5_400.0, 5_460.001], Some(5_460.001)),
        (vec![5_400.0, f64::INFINITY], Some(f64::INFINITY)),
    ] {
        let new = NewStreamSource { probe: probe_of(&variants), ..source(1) };
        let result = given(draft()).when(attach(new)).inspect_result();
        assert_eq!(result.err(), refused.map(mismatch), "{variants:?}");
    }
    let new = NewStreamSource { probe: probe_of(&[f64::NAN]), ..source(1) };
    let result = given(draft()).when(attach(new)).inspect_result();
    assert!(matches!(result, Err(MovieError::DurationMismatch { .. })), "{result:?}");
}

#[test]
fn a_stream_that_goes_on_is_refused() {
    let live = NewStreamSource { probe: StreamProbe { ended: false, ..probe() }, ..source(1) };
    given(draft()).when(attach(live)).then_expect_error(MovieError::StreamNotEnded);
}

#[test]
fn drm_is_there_exactly_when_it_is_required() {
    for (drm_required, encryption, accepted) in [
        (false, Encryption::Clear, true),
        (false, Encryption::Aes128, true),
        (false, Encryption::Drm, false),
        (true, Encryption::Clear, false),
        (true, Encryption::Aes128, false), // whoever has the playlist can fetch its key
        (true, Encryption::Drm, true),
    ] {
        let probe = StreamProbe { encryption, ..probe() };
        let new = NewStreamSource { drm_required, probe, ..source(1) };
        let result = given(draft()).when(attach(new)).inspect_result();
        let refusal = (!accepted).then_some(MovieError::DrmMismatch { drm_required, encryption });
        assert_eq!(result.err(), refusal, "{drm_required} {encryption:?}");
    }
}

#[test]
fn there_is_a_limit_to_a_movies_sources() {
    let full = (0..MAX_STREAM_SOURCES).map(|n| attached(n as u128, n == 0, earlier()));
    given(and(draft(), full))
        .when(attach(source(999)))
        .then_expect_error(MovieError::TooMany { what: "stream sources", max: MAX_STREAM_SOURCES });
}

#[test]
fn a_source_attached_again_appends_nothing() {
    given(ready()).when(attach(source(1))).then_expect_events(vec![]);
}

// -- validate

#[test]
fn a_scheduled_probe_that_finds_what_is_known_appends_nothing() {
    given(visible()).when(record(1, ValidationOutcome::Read(probe()))).then_expect_events(vec![]);
}

#[test]
fn a_probe_that_was_asked_for_is_recorded_whatever_it_finds() {
    let outcome = ValidationOutcome::Read(probe());
    given(visible())
        .when(MovieCommand::RecordStreamValidation(source_id(1), outcome, Trigger::Request))
        .then_expect_events(vec![read(1, None, stream_facts())]);
}

#[test]
fn a_probe_that_fails_makes_the_source_invalid_and_keeps_what_was_read_before() {
    let event = source_failed(1, "unreachable", now());
    given(visible()).when(record(1, failed("unreachable"))).then_expect_events(vec![event.clone()]);

    let movie = listed(&and(visible(), [event]));
    let source = movie.source(source_id(1)).unwrap();
    assert_eq!(source.validation_status, ValidationStatus::Invalid);
    assert_eq!(source.last_validated_at, now().updated_at);
    assert_eq!(source.facts, stream_facts());
}

#[test]
fn a_source_that_failed_already_does_not_fail_again() {
    let broken = and(visible(), [source_failed(1, "unreachable", earlier())]);
    given(broken).when(record(1, failed("not_found"))).then_expect_events(vec![]);
}

#[test]
fn a_source_that_can_be_read_again_is_valid_again() {
    let broken = and(visible(), [source_failed(1, "unreachable", earlier())]);
    let recovered = read(1, None, stream_facts());
    given(broken.clone())
        .when(record(1, ValidationOutcome::Read(probe())))
        .then_expect_events(vec![recovered.clone()]);
    assert!(listed(&and(broken, [recovered])).is_playable());
}

#[test]
fn new_content_that_keeps_the_rules_is_news() {
    let reencoded = StreamProbe { content_sha256: "ef".repeat(32), ..probe() };
    let facts = StreamFacts::from(&reencoded);
    given(visible())
        .when(record(1, ValidationOutcome::Read(reencoded)))
        .then_expect_events(vec![read(1, None, facts)]);
}

#[test]
fn what_was_read_but_breaks_a_rule_is_invalid_and_says_which() {
    for (probe, rule) in [
        (probe_of(&[600.0]), "duration_mismatch"),
        (StreamProbe { ended: false, ..probe() }, "stream_not_ended"),
        (StreamProbe { encryption: Encryption::Drm, ..probe() }, "drm_mismatch"),
    ] {
        let event = read(1, Some(rule), StreamFacts::from(&probe));
        given(visible())
            .when(record(1, ValidationOutcome::Read(probe)))
            .then_expect_events(vec![event]);
    }
}

#[test]
fn a_source_that_is_not_there_can_be_neither_validated_nor_promoted_nor_detached() {
    for command in [record(9, failed("unreachable")), promote(9), detach(9)] {
        given(visible())
            .when(command)
            .then_expect_error(MovieError::StreamSourceNotFound(source_id(9)));
    }
}

// -- promote

#[test]
fn promoting_moves_the_primary_place_in_one_event() {
    given(visible()).when(promote(2)).then_expect_events(vec![promoted(2)]);

    let movie = listed(&and(visible(), [promoted(2)]));
    let primary: Vec<_> = movie.stream_sources.iter().map(|source| source.primary).collect();
    assert_eq!(primary, [false, true]);
}

#[test]
fn the_primary_source_cannot_become_more_so() {
    given(visible()).when(promote(1)).then_expect_events(vec![]);
}

#[test]
fn a_visible_movie_is_not_given_a_broken_primary_source() {
    let broken = source_failed(2, "unreachable", earlier());
    given(and(visible(), [broken.clone()]))
        .when(promote(2))
        .then_expect_error(MovieError::NotShowable(vec![Unmet::ValidPrimarySource]));
    given(and(ready(), [broken])).when(promote(2)).then_expect_events(vec![promoted(2)]);
}

// -- detach

#[test]
fn a_source_that_is_not_primary_goes_at_once() {
    given(visible()).when(detach(2)).then_expect_events(vec![detached(2)]);
    assert_eq!(listed(&and(visible(), [detached(2)])).source(source_id(2)), None);
}

#[test]
fn a_visible_movie_keeps_its_primary_source() {
    given(visible()).when(detach(1)).then_expect_error(MovieError::PrimarySourceRequired);
}

#[test]
fn a_hidden_movie_makes_its_oldest_other_source_primary_first() {
    let three = and(ready(), [attached(3, false, earlier())]);
    given(three).when(detach(1)).then_expect_events(vec![promoted(2), detached(1)]);
}

#[test]
fn the_last_source_of_a_hidden_movie_may_go() {
    let one = and(draft(), [attached(1, true, earlier())]);
    given(one.clone()).when(detach(1)).then_expect_events(vec![detached(1)]);
    assert_eq!(listed(&and(one, [detached(1)])).stream_sources, []);
}
