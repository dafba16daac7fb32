//! What every command that succeeds answers.

use marquee_domain::{CaptionTrackId, MovieId, StreamSourceId, values::Slug};
use marquee_infra::event_log::Appended;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The ids that a command has made, in the order of its body.
#[derive(Debug, Clone, Default)]
pub struct NewIds {
    pub stream_source_ids: Vec<StreamSourceId>,
    pub caption_track_ids: Vec<CaptionTrackId>,
}

/// The body. Stored as it is for repeats under the same idempotency key.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct CommandAnswer {
    #[schema(value_type = Uuid)]
    pub movie_id: MovieId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub slug: Option<Slug>,
    /// The sequence of the movie's last event: its ETag.
    pub version: u64,
    /// The position of the movie's last event in the log.
    pub position: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Uuid>)]
    pub stream_source_id: Option<StreamSourceId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Uuid>)]
    pub caption_track_id: Option<CaptionTrackId>,
    /// Of a movie created with sources, in the order of the body.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<Uuid>)]
    pub stream_source_ids: Vec<StreamSourceId>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<Uuid>)]
    pub caption_track_ids: Vec<CaptionTrackId>,
}

impl CommandAnswer {
    pub fn new(appended: &Appended, ids: &NewIds) -> Self {
        let mut answer = Self {
            movie_id: appended.movie_id,
            slug: appended.slug.clone(),
            version: appended.version,
            position: appended.position,
            stream_source_id: None,
            caption_track_id: None,
            stream_source_ids: Vec::new(),
            caption_track_ids: Vec::new(),
        };
        // A new movie has lists; a command on one source or caption has one id.
        if appended.slug.is_some() {
            answer.stream_source_ids.clone_from(&ids.stream_source_ids);
            answer.caption_track_ids.clone_from(&ids.caption_track_ids);
        } else {
            answer.stream_source_id = ids.stream_source_ids.first().copied();
            answer.caption_track_id = ids.caption_track_ids.first().copied();
        }
        answer
    }
}
