//! Documents such as the catalog is full of, for others to be compressed against.

use marquee_domain::{
    CaptionTrackId, MovieId, StreamSourceId, UserId,
    values::{CaptionFacts, CaptionFormat, ValidationStatus, Visibility},
};
use serde_json::json;

use super::movie::Editorial;
use crate::documents::{CaptionTrack, EditorialFields, Movie, MovieFields, StreamSource};

/// What matters most comes last: the compressor looks there first.
pub(super) fn documents() -> Vec<u8> {
    let movie = movie();
    let caption_facts =
        CaptionFacts { content_sha256: "0123456789abcdef".repeat(4), cue_count: 812 };
    // What probes write, as the read models keep it.
    let stream_facts = json!({
        "measured_duration_seconds": 5400.0, "variant_count": 3, "encryption": "CLEAR",
        "content_sha256": "0123456789abcdef".repeat(4),
    });
    let user = UserId::new(uuid::Uuid::nil());
    let at = movie.fields.availability_start;
    let editorial = Editorial {
        fields: EditorialFields {
            visibility: Visibility::Visible,
            created_at: at,
            created_by: user,
            updated_at: at,
            updated_by: user,
        },
        stream_facts: serde_json::from_value(stream_facts).into_iter().collect(),
        caption_facts: vec![caption_facts],
    };
    let mut documents = serde_json::to_vec(&editorial).unwrap_or_default();
    documents.extend(serde_json::to_vec(&movie).unwrap_or_default());
    documents
}

fn movie() -> Movie {
    let id = uuid::Uuid::nil();
    let at = chrono::DateTime::UNIX_EPOCH;
    let caption = |language: &str, is_default| CaptionTrack {
        caption_track_id: CaptionTrackId::new(id),
        language_code: language.to_owned(),
        caption_url: "https://captions.example.com/movies/".to_owned(),
        format: CaptionFormat::WebVtt,
        is_default,
        last_validated_at: at,
        validation_status: ValidationStatus::Valid,
    };
    Movie {
        fields: MovieFields {
            movie_id: MovieId::new(id),
            title: "The Man of the World".to_owned(),
            slug: "the-man-of-the-world".to_owned(),
            synopsis: WORDS.to_owned(),
            genres: GENRES.map(str::to_owned).to_vec(),
            duration_minutes: 120,
            availability_start: at,
            availability_end: at,
            poster_url: "https://image.example.com/posters/.jpg".to_owned(),
            version: 4,
            position: 1,
        },
        stream_sources: vec![StreamSource {
            stream_source_id: StreamSourceId::new(id),
            quality_tag: Some("1080p".to_owned()),
            drm_required: false,
            primary: true,
            last_validated_at: at,
            validation_status: ValidationStatus::Valid,
        }],
        caption_tracks: vec![caption("en", true), caption("de", false)],
    }
}

/// What synopses are full of.
const WORDS: &str = "A young woman and her husband, their family, friends and the police officer who \
    has been killed in the war. When a mysterious stranger comes to the small town, he must find \
    the truth about his father's death before it is too late. Based on the true story of the \
    former detective who falls in love with the daughter of one of the most dangerous men in New \
    York. After the murder of his brother, they are forced to fight for their lives against \
    an evil group from the past. During the last days of school, a teacher discovers that the \
    world is not what it seems to be. With the help of two other people, she tries to return \
    to the city, where everything changes.";

const GENRES: [&str; 12] = [
    "Action",
    "Adventure",
    "Animation",
    "Crime",
    "Documentary",
    "Family",
    "Horror",
    "Science Fiction",
    "Thriller",
    "Romance",
    "Comedy",
    "Drama",
];
