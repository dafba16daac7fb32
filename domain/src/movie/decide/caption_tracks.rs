//! The rules of a movie's caption tracks: one per language, exactly one default.

use super::{Decision, MAX_CAPTION_TRACKS, status_of};
use crate::{
    ids::CaptionTrackId,
    movie::{
        ListedMovie, MovieError, MovieEvent, NewCaptionTrack, Stamp, Trigger, ValidationOutcome,
    },
    values::{CaptionFacts, LanguageCode, ValidationStatus, Visibility},
};

/// As with stream sources, an id that is there already is the same command once more.
pub(super) fn add(movie: &ListedMovie, new: NewCaptionTrack, stamp: Stamp) -> Decision {
    if movie.caption(new.caption_track_id).is_some() {
        return Ok(Vec::new());
    }
    if movie.caption_tracks.len() >= MAX_CAPTION_TRACKS {
        return Err(MovieError::TooMany { what: "caption tracks", max: MAX_CAPTION_TRACKS });
    }
    check_language_free(movie, &new.language_code, new.caption_track_id)?;
    Ok(vec![MovieEvent::CaptionTrackAdded {
        caption_track_id: new.caption_track_id,
        language_code: new.language_code,
        caption_url: new.caption_url,
        format: new.format,
        is_default: new.is_default || movie.caption_tracks.is_empty(),
        last_validated_at: stamp.updated_at,
        validation_status: ValidationStatus::Valid,
        facts: new.facts,
        stamp,
    }])
}

pub(super) fn replace(movie: &ListedMovie, new: NewCaptionTrack, stamp: Stamp) -> Decision {
    let id = new.caption_track_id;
    let track = movie.caption(id).ok_or(MovieError::CaptionTrackNotFound(id))?;
    check_language_free(movie, &new.language_code, id)?;
    let mut events = Vec::new();
    let changes = track.language_code != new.language_code
        || track.caption_url != new.caption_url
        || track.format != new.format
        || track.facts != new.facts
        || track.validation_status != ValidationStatus::Valid;
    if changes {
        events.push(MovieEvent::CaptionTrackReplaced {
            caption_track_id: id,
            language_code: new.language_code,
            caption_url: new.caption_url,
            format: new.format,
            last_validated_at: stamp.updated_at,
            validation_status: ValidationStatus::Valid,
            facts: new.facts,
            stamp,
        });
    }
    if new.is_default && !track.is_default {
        events.push(MovieEvent::DefaultCaptionChanged { caption_track_id: id, stamp });
    }
    Ok(events)
}

pub(super) fn record_validation(
    movie: &ListedMovie,
    id: CaptionTrackId,
    outcome: ValidationOutcome<CaptionFacts>,
    trigger: Trigger,
    stamp: Stamp,
) -> Decision {
    let track = movie.caption(id).ok_or(MovieError::CaptionTrackNotFound(id))?;
    let (failed_rule, facts) = match outcome {
        ValidationOutcome::Failed { rule } => (Some(rule), None),
        ValidationOutcome::Read(facts) => (None, Some(facts)),
    };
    let validation_status = status_of(failed_rule.as_ref());
    let news = trigger == Trigger::Request
        || validation_status != track.validation_status
        || facts.as_ref().is_some_and(|facts| *facts != track.facts);
    if !news {
        return Ok(Vec::new());
    }
    Ok(vec![MovieEvent::CaptionTrackValidated {
        caption_track_id: id,
        last_validated_at: stamp.updated_at,
        validation_status,
        failed_rule,
        facts,
        stamp,
    }])
}

pub(super) fn set_default(movie: &ListedMovie, id: CaptionTrackId, stamp: Stamp) -> Decision {
    let track = movie.caption(id).ok_or(MovieError::CaptionTrackNotFound(id))?;
    if track.is_default {
        return Ok(Vec::new());
    }
    Ok(vec![MovieEvent::DefaultCaptionChanged { caption_track_id: id, stamp }])
}

/// When the default goes, the oldest other track becomes the default first.
pub(super) fn remove(movie: &ListedMovie, id: CaptionTrackId, stamp: Stamp) -> Decision {
    let track = movie.caption(id).ok_or(MovieError::CaptionTrackNotFound(id))?;
    if movie.visibility == Visibility::Visible && movie.caption_tracks.len() == 1 {
        return Err(MovieError::CaptionRequired);
    }
    let mut events = Vec::new();
    if track.is_default
        && let Some(next) = movie.caption_tracks.iter().find(|other| !other.is_default)
    {
        events.push(MovieEvent::DefaultCaptionChanged {
            caption_track_id: next.caption_track_id,
            stamp,
        });
    }
    events.push(MovieEvent::CaptionTrackRemoved { caption_track_id: id, stamp });
    Ok(events)
}

fn check_language_free(
    movie: &ListedMovie,
    language: &LanguageCode,
    own: CaptionTrackId,
) -> Result<(), MovieError> {
    let holder = movie
        .caption_tracks
        .iter()
        .find(|track| track.language_code == *language && track.caption_track_id != own);
    match holder {
        Some(holder) => Err(MovieError::LanguageTaken {
            language: language.clone(),
            holder: holder.caption_track_id,
        }),
        None => Ok(()),
    }
}
