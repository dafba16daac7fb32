//! That the random lives are worth trying: they come to every event and to every refusal.

use std::{collections::BTreeSet, mem::discriminant};

use cqrs_es::DomainEvent;
use marquee_domain::{
    MovieError,
    values::{Encryption, ValueError},
};
use proptest::{
    strategy::{Strategy, ValueTree},
    test_runner::TestRunner,
};

use super::{commands::steps, histories::live};
use crate::{
    given::{caption_id, language, source_id},
    golden::decodable_names,
};

/// One of each refusal that random commands can meet. The limits (50 sources, 200 captions) are out
/// of their reach; `stream_sources` and `caption_tracks` test them.
fn refusals() -> Vec<MovieError> {
    vec![
        MovieError::NotFound,
        MovieError::AlreadyExists,
        MovieError::WindowNotInFuture,
        MovieError::Window(ValueError::EndNotAfterStart),
        MovieError::DurationMismatch {
            measured_seconds: 0.0,
            expected_seconds: 0.0,
            tolerance_seconds: 0.0,
        },
        MovieError::StreamNotEnded,
        MovieError::DrmMismatch { drm_required: true, encryption: Encryption::Clear },
        MovieError::StreamSourceNotFound(source_id(0)),
        MovieError::CaptionTrackNotFound(caption_id(0)),
        MovieError::LanguageTaken { language: language("en"), holder: caption_id(0) },
        MovieError::NotShowable(vec![]),
        MovieError::PrimarySourceRequired,
        MovieError::CaptionRequired,
    ]
}

#[test]
fn random_lives_come_to_every_event_and_every_refusal() {
    let mut runner = TestRunner::deterministic();
    let mut events = BTreeSet::new();
    let mut met = Vec::new();
    for _ in 0..500 {
        let life = live(steps().new_tree(&mut runner).unwrap().current());
        for event in &life.events {
            assert!(event.event_type().contains(event.name()));
            events.insert(event.name().to_owned());
        }
        met.extend(life.refusals.iter().map(discriminant));
    }
    assert_eq!(events, decodable_names());
    for refusal in refusals() {
        assert!(met.contains(&discriminant(&refusal)), "never refused with {refusal:?}");
    }
}
