//! The rules: which events a command leads to, or why it is refused.

mod caption_tracks;
mod stream_sources;

use super::{
    Context, CreateMovie, ListedMovie, Movie, MovieCommand, MovieError, MovieEvent, RevisePatch,
    Stamp, Unmet, evolve::evolve,
};
use crate::values::{AvailabilityWindow, ValidationStatus, Visibility};

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
        MovieCommand::AttachStreamSource(new) => stream_sources::attach(movie, *new, stamp),
        MovieCommand::RecordStreamValidation(id, outcome, trigger) => {
            stream_sources::record_validation(movie, id, outcome, trigger, stamp)
        }
        MovieCommand::PromoteStreamSource(id) => stream_sources::promote(movie, id, stamp),
        MovieCommand::DetachStreamSource(id) => stream_sources::detach(movie, id, stamp),
        MovieCommand::AddCaptionTrack(new) => caption_tracks::add(movie, *new, stamp),
        MovieCommand::ReplaceCaptionTrack(new) => caption_tracks::replace(movie, *new, stamp),
        MovieCommand::RecordCaptionValidation(id, outcome, trigger) => {
            caption_tracks::record_validation(movie, id, outcome, trigger, stamp)
        }
        MovieCommand::SetDefaultCaption(id) => caption_tracks::set_default(movie, id, stamp),
        MovieCommand::RemoveCaptionTrack(id) => caption_tracks::remove(movie, id, stamp),
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
            stream_sources::check_facts(duration, &source.facts)?;
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

fn status_of(failed_rule: Option<&String>) -> ValidationStatus {
    if failed_rule.is_some() { ValidationStatus::Invalid } else { ValidationStatus::Valid }
}
