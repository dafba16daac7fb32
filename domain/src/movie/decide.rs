//! The rules: which events a command leads to, or why it is refused.

use super::{
    Context, CreateMovie, ListedMovie, Movie, MovieCommand, MovieError, MovieEvent,
    NewCaptionTrack, NewStreamSource, RevisePatch, Stamp, Trigger, Unmet, ValidationOutcome,
    evolve::evolve,
};
use crate::{
    ids::{CaptionTrackId, StreamSourceId},
    values::{
        AvailabilityWindow, CaptionFacts, DurationMinutes, Encryption, LanguageCode, StreamFacts,
        StreamProbe, ValidationStatus, Visibility,
    },
};

/// Limits that keep a movie's history and document small.
pub const MAX_STREAM_SOURCES: usize = 50;
pub const MAX_CAPTION_TRACKS: usize = 200;

type Decision = Result<Vec<MovieEvent>, MovieError>;

/// Decides `command` against `movie`. No event means that nothing would change.
///
/// The events are ordered so that every prefix of them keeps the rules: a reader that sees only some
/// never sees a VISIBLE movie without captions, or two primary sources.
pub fn decide(movie: &Movie, command: MovieCommand, context: &Context) -> Decision {
    let movie = match (movie, &command) {
        (Movie::Listed(movie), _) => movie,
        (Movie::Absent, MovieCommand::Create(create)) => return decide_create(create, context),
        (Movie::Removed { .. }, MovieCommand::Create(_)) => return Err(MovieError::AlreadyExists),
        (Movie::Absent | Movie::Removed { .. }, _) => return Err(MovieError::NotFound),
    };
    let stamp = Stamp { updated_at: context.now, updated_by: context.actor };
    match command {
        MovieCommand::Create(_) => Err(MovieError::AlreadyExists),
        MovieCommand::Revise(patch) => decide_revise(movie, *patch, stamp),
        MovieCommand::SetVisibility(visibility) => decide_visibility(movie, visibility, stamp),
        MovieCommand::Remove => Ok(vec![MovieEvent::MovieRemoved { stamp }]),
        MovieCommand::AttachStreamSource(new) => decide_attach(movie, *new, stamp),
        MovieCommand::RecordStreamValidation(id, outcome, trigger) => {
            decide_stream_validation(movie, id, outcome, trigger, stamp)
        }
        MovieCommand::PromoteStreamSource(id) => decide_promote(movie, id, stamp),
        MovieCommand::DetachStreamSource(id) => decide_detach(movie, id, stamp),
        MovieCommand::AddCaptionTrack(new) => decide_add_caption(movie, *new, stamp),
        MovieCommand::ReplaceCaptionTrack(new) => decide_replace_caption(movie, *new, stamp),
        MovieCommand::RecordCaptionValidation(id, outcome, trigger) => {
            decide_caption_validation(movie, id, outcome, trigger, stamp)
        }
        MovieCommand::SetDefaultCaption(id) => decide_default_caption(movie, id, stamp),
        MovieCommand::RemoveCaptionTrack(id) => decide_remove_caption(movie, id, stamp),
    }
}

/// A movie is created HIDDEN, gets its sources and captions, and is shown last.
fn decide_create(create: &CreateMovie, context: &Context) -> Decision {
    if create.availability.start() <= context.now {
        return Err(MovieError::WindowNotInFuture);
    }
    let mut steps = Steps::new(MovieEvent::MovieCreated {
        movie_id: create.movie_id,
        title: create.title.clone(),
        slug: create.slug.clone(),
        synopsis: create.synopsis.clone(),
        genres: create.genres.clone(),
        duration_minutes: create.duration_minutes,
        availability: create.availability,
        visibility: Visibility::Hidden,
        poster_url: create.poster_url.clone(),
        created_at: context.now,
        created_by: context.actor,
    });
    for source in &create.stream_sources {
        steps.take(MovieCommand::AttachStreamSource(Box::new(source.clone())), context)?;
    }
    for track in &create.caption_tracks {
        steps.take(MovieCommand::AddCaptionTrack(Box::new(track.clone())), context)?;
    }
    steps.take(MovieCommand::SetVisibility(create.visibility), context)?;
    Ok(steps.events)
}

/// Several decisions in a row, each on the state that the ones before it lead to.
struct Steps {
    movie: Movie,
    events: Vec<MovieEvent>,
}

impl Steps {
    fn new(first: MovieEvent) -> Self {
        let mut movie = Movie::Absent;
        evolve(&mut movie, &first);
        Self { movie, events: vec![first] }
    }

    fn take(&mut self, command: MovieCommand, context: &Context) -> Result<(), MovieError> {
        for event in decide(&self.movie, command, context)? {
            evolve(&mut self.movie, &event);
            self.events.push(event);
        }
        Ok(())
    }
}

fn decide_revise(movie: &ListedMovie, patch: RevisePatch, stamp: Stamp) -> Decision {
    let mut events = Vec::new();
    if let Some(title) = patch.title.filter(|title| *title != movie.title) {
        events.push(MovieEvent::MovieRetitled {
            title,
            previous_title: movie.title.clone(),
            stamp,
        });
    }

    let synopsis = patch.synopsis.filter(|new| *new != movie.synopsis);
    let genres = patch.genres.filter(|new| *new != movie.genres);
    let duration_minutes = patch.duration_minutes.filter(|new| *new != movie.duration_minutes);
    let poster_url = patch.poster_url.filter(|new| *new != movie.poster_url);
    if let Some(duration) = duration_minutes {
        for source in &movie.stream_sources {
            check_facts(duration, &source.facts)?;
        }
    }
    if synopsis.is_some() || genres.is_some() || duration_minutes.is_some() || poster_url.is_some()
    {
        events.push(MovieEvent::MovieDetailsRevised {
            synopsis,
            genres,
            duration_minutes,
            poster_url,
            stamp,
        });
    }

    let availability = AvailabilityWindow::new(
        patch.availability_start.unwrap_or(movie.availability.start()),
        patch.availability_end.unwrap_or(movie.availability.end()),
    )
    .map_err(MovieError::Window)?;
    if availability != movie.availability {
        events.push(MovieEvent::AvailabilityRescheduled { availability, stamp });
    }
    Ok(events)
}

fn decide_visibility(movie: &ListedMovie, visibility: Visibility, stamp: Stamp) -> Decision {
    match (movie.visibility, visibility) {
        (Visibility::Hidden, Visibility::Visible) => {
            let mut unmet = Vec::new();
            match movie.primary_source() {
                None => unmet.push(Unmet::PrimarySource),
                Some(_) if !movie.is_playable() => unmet.push(Unmet::ValidPrimarySource),
                Some(_) => {}
            }
            if movie.caption_tracks.is_empty() {
                unmet.push(Unmet::Caption);
            }
            if unmet.is_empty() {
                Ok(vec![MovieEvent::MovieShown { stamp }])
            } else {
                Err(MovieError::NotShowable(unmet))
            }
        }
        (Visibility::Visible, Visibility::Hidden) => Ok(vec![MovieEvent::MovieHidden { stamp }]),
        (Visibility::Visible, Visibility::Visible) | (Visibility::Hidden, Visibility::Hidden) => {
            Ok(Vec::new())
        }
    }
}

/// Each command brings a new id: an id that is there already is the same command once more.
fn decide_attach(movie: &ListedMovie, new: NewStreamSource, stamp: Stamp) -> Decision {
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

fn decide_stream_validation(
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

fn decide_promote(movie: &ListedMovie, id: StreamSourceId, stamp: Stamp) -> Decision {
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
fn decide_detach(movie: &ListedMovie, id: StreamSourceId, stamp: Stamp) -> Decision {
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

/// As with stream sources, an id that is there already is the same command once more.
fn decide_add_caption(movie: &ListedMovie, new: NewCaptionTrack, stamp: Stamp) -> Decision {
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

fn decide_replace_caption(movie: &ListedMovie, new: NewCaptionTrack, stamp: Stamp) -> Decision {
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

fn decide_caption_validation(
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

fn decide_default_caption(movie: &ListedMovie, id: CaptionTrackId, stamp: Stamp) -> Decision {
    let track = movie.caption(id).ok_or(MovieError::CaptionTrackNotFound(id))?;
    if track.is_default {
        return Ok(Vec::new());
    }
    Ok(vec![MovieEvent::DefaultCaptionChanged { caption_track_id: id, stamp }])
}

/// When the default goes, the oldest other track becomes the default first.
fn decide_remove_caption(movie: &ListedMovie, id: CaptionTrackId, stamp: Stamp) -> Decision {
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
fn check_facts(duration: DurationMinutes, facts: &StreamFacts) -> Result<(), MovieError> {
    check_duration(duration, facts.measured_duration_seconds)?;
    facts.shortest_variant_seconds.map_or(Ok(()), |shortest| check_duration(duration, shortest))
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

fn status_of(failed_rule: Option<&String>) -> ValidationStatus {
    if failed_rule.is_some() { ValidationStatus::Invalid } else { ValidationStatus::Valid }
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
