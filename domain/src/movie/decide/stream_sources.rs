//! The rules of a movie's stream sources: exactly one primary, as long as the movie, DRM as declared.

use super::{Decision, MAX_STREAM_SOURCES, status_of};
use crate::{
    ids::StreamSourceId,
    movie::{
        ListedMovie, MovieError, MovieEvent, NewStreamSource, Stamp, Trigger, Unmet,
        ValidationOutcome,
    },
    values::{DurationMinutes, Encryption, StreamFacts, StreamProbe, ValidationStatus, Visibility},
};

/// Each command brings a new id: an id that is there already is the same command once more.
pub(super) fn attach(movie: &ListedMovie, new: NewStreamSource, stamp: Stamp) -> Decision {
    if movie.source(new.stream_source_id).is_some() {
        return Ok(Vec::new());
    }
    if movie.stream_sources.len() >= MAX_STREAM_SOURCES {
        return Err(MovieError::TooMany { what: "stream sources", max: MAX_STREAM_SOURCES });
    }
    check_stream(movie.duration_minutes, new.drm_required, &new.probe)?;
    Ok(vec![MovieEvent::StreamSourceAttached {
        stream_source_id: new.stream_source_id,
        sealed_url: new.sealed_url,
        quality_tag: new.quality_tag,
        drm_required: new.drm_required,
        primary: new.primary || movie.stream_sources.is_empty(),
        last_validated_at: stamp.updated_at,
        validation_status: ValidationStatus::Valid,
        facts: StreamFacts::from(&new.probe),
        stamp,
    }])
}

pub(super) fn record_validation(
    movie: &ListedMovie,
    id: StreamSourceId,
    outcome: ValidationOutcome<StreamProbe>,
    trigger: Trigger,
    stamp: Stamp,
) -> Decision {
    let source = movie.source(id).ok_or(MovieError::StreamSourceNotFound(id))?;
    let (failed_rule, facts) = match outcome {
        ValidationOutcome::Failed { rule } => (Some(rule), None),
        ValidationOutcome::Read(probe) => {
            let broken = check_stream(movie.duration_minutes, source.drm_required, &probe).err();
            (broken.as_ref().map(rule_id), Some(StreamFacts::from(&probe)))
        }
    };
    let validation_status = status_of(failed_rule.as_ref());
    let news = trigger == Trigger::Request
        || validation_status != source.validation_status
        || facts.as_ref().is_some_and(|facts| *facts != source.facts);
    if !news {
        return Ok(Vec::new());
    }
    Ok(vec![MovieEvent::StreamSourceValidated {
        stream_source_id: id,
        last_validated_at: stamp.updated_at,
        validation_status,
        failed_rule,
        facts,
        stamp,
    }])
}

pub(super) fn promote(movie: &ListedMovie, id: StreamSourceId, stamp: Stamp) -> Decision {
    let source = movie.source(id).ok_or(MovieError::StreamSourceNotFound(id))?;
    if source.primary {
        return Ok(Vec::new());
    }
    if movie.visibility == Visibility::Visible
        && source.validation_status == ValidationStatus::Invalid
    {
        return Err(MovieError::NotShowable(vec![Unmet::ValidPrimarySource]));
    }
    Ok(vec![MovieEvent::PrimaryStreamSourceChanged { stream_source_id: id, stamp }])
}

/// A HIDDEN movie that loses its primary source makes its oldest other one primary first.
pub(super) fn detach(movie: &ListedMovie, id: StreamSourceId, stamp: Stamp) -> Decision {
    let source = movie.source(id).ok_or(MovieError::StreamSourceNotFound(id))?;
    let mut events = Vec::new();
    if source.primary {
        if movie.visibility == Visibility::Visible {
            return Err(MovieError::PrimarySourceRequired);
        }
        if let Some(next) = movie.stream_sources.iter().find(|other| !other.primary) {
            events.push(MovieEvent::PrimaryStreamSourceChanged {
                stream_source_id: next.stream_source_id,
                stamp,
            });
        }
    }
    events.push(MovieEvent::StreamSourceDetached { stream_source_id: id, stamp });
    Ok(events)
}

fn check_stream(
    duration: DurationMinutes,
    drm_required: bool,
    probe: &StreamProbe,
) -> Result<(), MovieError> {
    if !probe.ended {
        return Err(MovieError::StreamNotEnded);
    }
    if drm_required != (probe.encryption == Encryption::Drm) {
        return Err(MovieError::DrmMismatch { drm_required, encryption: probe.encryption });
    }
    probe.variant_seconds.iter().try_for_each(|seconds| check_duration(duration, *seconds))
}

/// The same for a stream that was read earlier: all of its variants lie between these two.
pub(super) fn check_facts(
    duration: DurationMinutes,
    facts: &StreamFacts,
) -> Result<(), MovieError> {
    check_duration(duration, facts.measured_duration_seconds())?;
    facts.shortest_variant_seconds().map_or(Ok(()), |shortest| check_duration(duration, shortest))
}

fn check_duration(duration: DurationMinutes, measured_seconds: f64) -> Result<(), MovieError> {
    if duration.matches(measured_seconds) {
        return Ok(());
    }
    Err(MovieError::DurationMismatch {
        measured_seconds,
        expected_seconds: duration.seconds(),
        tolerance_seconds: duration.tolerance_seconds(),
    })
}

/// The id under which an event records the rule that a later probe found broken.
fn rule_id(error: &MovieError) -> String {
    match error {
        MovieError::DurationMismatch { .. } => "duration_mismatch",
        MovieError::StreamNotEnded => "stream_not_ended",
        MovieError::DrmMismatch { .. } => "drm_mismatch",
        _ => "rule_broken",
    }
    .to_owned()
}
