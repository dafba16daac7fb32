//! Folding events into state.

use super::{CaptionTrack, ListedMovie, Movie, MovieEvent, Stamp, StreamSource};
use crate::{
    ids::{CaptionTrackId, StreamSourceId},
    values::Visibility,
};

/// Applies one event. Total: an event that does not fit the state (which `decide` never produces)
/// leaves it unchanged, and nothing panics whatever the history.
pub fn evolve(movie: &mut Movie, event: &MovieEvent) {
    match (&mut *movie, event) {
        (Movie::Absent, created @ MovieEvent::MovieCreated { .. }) => {
            if let Some(listed) = from_created(created) {
                *movie = Movie::Listed(Box::new(listed));
            }
        }
        (Movie::Listed(listed), MovieEvent::MovieRemoved { .. }) => {
            *movie = Movie::Removed { movie_id: listed.movie_id, slug: listed.slug.clone() };
        }
        (Movie::Listed(listed), event) => evolve_listed(listed, event),
        (Movie::Absent | Movie::Removed { .. }, _) => {}
    }
}

fn from_created(event: &MovieEvent) -> Option<ListedMovie> {
    let MovieEvent::MovieCreated {
        movie_id,
        title,
        slug,
        synopsis,
        genres,
        duration_minutes,
        availability,
        visibility,
        poster_url,
        created_at,
        created_by,
    } = event
    else {
        return None;
    };
    Some(ListedMovie {
        movie_id: *movie_id,
        title: title.clone(),
        slug: slug.clone(),
        synopsis: synopsis.clone(),
        genres: genres.clone(),
        duration_minutes: *duration_minutes,
        availability: *availability,
        visibility: *visibility,
        poster_url: poster_url.clone(),
        created_at: *created_at,
        created_by: *created_by,
        updated_at: *created_at,
        updated_by: *created_by,
        stream_sources: Vec::new(),
        caption_tracks: Vec::new(),
    })
}

fn evolve_listed(movie: &mut ListedMovie, event: &MovieEvent) {
    match event {
        MovieEvent::MovieCreated { .. } | MovieEvent::MovieRemoved { .. } => {}
        MovieEvent::MovieRetitled { title, stamp, .. } => {
            movie.title = title.clone();
            touch(movie, stamp);
        }
        MovieEvent::MovieDetailsRevised {
            synopsis,
            genres,
            duration_minutes,
            poster_url,
            stamp,
        } => {
            set(&mut movie.synopsis, synopsis.as_ref());
            set(&mut movie.genres, genres.as_ref());
            set(&mut movie.duration_minutes, duration_minutes.as_ref());
            set(&mut movie.poster_url, poster_url.as_ref());
            touch(movie, stamp);
        }
        MovieEvent::AvailabilityRescheduled { availability, stamp } => {
            movie.availability = *availability;
            touch(movie, stamp);
        }
        MovieEvent::MovieShown { stamp } => {
            movie.visibility = Visibility::Visible;
            touch(movie, stamp);
        }
        MovieEvent::MovieHidden { stamp } => {
            movie.visibility = Visibility::Hidden;
            touch(movie, stamp);
        }
        MovieEvent::StreamSourceAttached { .. }
        | MovieEvent::StreamSourceValidated { .. }
        | MovieEvent::PrimaryStreamSourceChanged { .. }
        | MovieEvent::StreamSourceDetached { .. } => evolve_sources(movie, event),
        MovieEvent::CaptionTrackAdded { .. }
        | MovieEvent::CaptionTrackReplaced { .. }
        | MovieEvent::CaptionTrackValidated { .. }
        | MovieEvent::DefaultCaptionChanged { .. }
        | MovieEvent::CaptionTrackRemoved { .. } => evolve_captions(movie, event),
    }
}

fn evolve_sources(movie: &mut ListedMovie, event: &MovieEvent) {
    match event {
        MovieEvent::StreamSourceAttached {
            stream_source_id,
            sealed_url,
            quality_tag,
            drm_required,
            primary,
            last_validated_at,
            validation_status,
            facts,
            stamp,
        } => {
            movie.stream_sources.push(StreamSource {
                stream_source_id: *stream_source_id,
                sealed_url: sealed_url.clone(),
                quality_tag: quality_tag.clone(),
                drm_required: *drm_required,
                primary: *primary,
                last_validated_at: *last_validated_at,
                validation_status: *validation_status,
                facts: facts.clone(),
            });
            if *primary {
                make_primary(movie, *stream_source_id);
            }
            touch(movie, stamp);
        }
        MovieEvent::StreamSourceValidated {
            stream_source_id,
            last_validated_at,
            validation_status,
            facts,
            stamp,
            ..
        } => {
            let source = movie
                .stream_sources
                .iter_mut()
                .find(|source| source.stream_source_id == *stream_source_id);
            if let Some(source) = source {
                source.last_validated_at = *last_validated_at;
                source.validation_status = *validation_status;
                set(&mut source.facts, facts.as_ref());
            }
            touch(movie, stamp);
        }
        MovieEvent::PrimaryStreamSourceChanged { stream_source_id, stamp } => {
            make_primary(movie, *stream_source_id);
            touch(movie, stamp);
        }
        MovieEvent::StreamSourceDetached { stream_source_id, stamp } => {
            movie.stream_sources.retain(|source| source.stream_source_id != *stream_source_id);
            touch(movie, stamp);
        }
        _ => {}
    }
}

fn evolve_captions(movie: &mut ListedMovie, event: &MovieEvent) {
    match event {
        MovieEvent::CaptionTrackAdded {
            caption_track_id,
            language_code,
            caption_url,
            format,
            is_default,
            last_validated_at,
            validation_status,
            facts,
            stamp,
        } => {
            movie.caption_tracks.push(CaptionTrack {
                caption_track_id: *caption_track_id,
                language_code: language_code.clone(),
                caption_url: caption_url.clone(),
                format: *format,
                is_default: *is_default,
                last_validated_at: *last_validated_at,
                validation_status: *validation_status,
                facts: facts.clone(),
            });
            if *is_default {
                make_default(movie, *caption_track_id);
            }
            touch(movie, stamp);
        }
        MovieEvent::CaptionTrackReplaced {
            caption_track_id,
            language_code,
            caption_url,
            format,
            last_validated_at,
            validation_status,
            facts,
            stamp,
        } => {
            if let Some(track) = caption_mut(movie, *caption_track_id) {
                track.language_code = language_code.clone();
                track.caption_url = caption_url.clone();
                track.format = *format;
                track.last_validated_at = *last_validated_at;
                track.validation_status = *validation_status;
                track.facts = facts.clone();
            }
            touch(movie, stamp);
        }
        MovieEvent::CaptionTrackValidated {
            caption_track_id,
            last_validated_at,
            validation_status,
            facts,
            stamp,
            ..
        } => {
            if let Some(track) = caption_mut(movie, *caption_track_id) {
                track.last_validated_at = *last_validated_at;
                track.validation_status = *validation_status;
                set(&mut track.facts, facts.as_ref());
            }
            touch(movie, stamp);
        }
        MovieEvent::DefaultCaptionChanged { caption_track_id, stamp } => {
            make_default(movie, *caption_track_id);
            touch(movie, stamp);
        }
        MovieEvent::CaptionTrackRemoved { caption_track_id, stamp } => {
            movie.caption_tracks.retain(|track| track.caption_track_id != *caption_track_id);
            touch(movie, stamp);
        }
        _ => {}
    }
}

fn touch(movie: &mut ListedMovie, stamp: &Stamp) {
    movie.updated_at = stamp.updated_at;
    movie.updated_by = stamp.updated_by;
}

fn set<T: Clone>(field: &mut T, new: Option<&T>) {
    if let Some(new) = new {
        field.clone_from(new);
    }
}

fn make_primary(movie: &mut ListedMovie, id: StreamSourceId) {
    for source in &mut movie.stream_sources {
        source.primary = source.stream_source_id == id;
    }
}

fn make_default(movie: &mut ListedMovie, id: CaptionTrackId) {
    for track in &mut movie.caption_tracks {
        track.is_default = track.caption_track_id == id;
    }
}

fn caption_mut(movie: &mut ListedMovie, id: CaptionTrackId) -> Option<&mut CaptionTrack> {
    movie.caption_tracks.iter_mut().find(|track| track.caption_track_id == id)
}
