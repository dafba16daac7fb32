//! A movie's events, as the tests write them into its history.

use chrono::{DateTime, TimeDelta, Utc};
use cqrs_es::DomainEvent;
use marquee_domain::{
    CaptionTrackId, MovieEvent, MovieId, StreamSourceId, UserId,
    movie::Stamp,
    values::{
        AvailabilityWindow, CaptionFacts, CaptionFormat, CaptionUrl, DurationMinutes, Encryption,
        Genres, LanguageCode, PosterUrl, QualityTag, SealedUrl, Slug, StreamFacts, Synopsis, Title,
        ValidationStatus, Visibility,
    },
};
use marquee_infra::clock;
use sqlx::types::Json;

use crate::bed::Bed;

pub const EDITOR: &str = "0197d2a5-0000-7000-8000-0000000000e1";

/// One event a minute, from `begin` on.
pub struct Life {
    pub movie_id: MovieId,
    pub slug: String,
    pub begin: DateTime<Utc>,
    pub version: u64,
}

impl Life {
    /// Of a movie that was created an hour ago.
    pub fn new(slug: &str) -> Self {
        // To the microsecond, as MySQL keeps it.
        let begin = clock::now() - TimeDelta::hours(1);
        let begin = DateTime::from_timestamp_micros(begin.timestamp_micros()).unwrap();
        Self { movie_id: MovieId::new(clock::new_uuid()), slug: slug.to_owned(), begin, version: 0 }
    }

    pub fn at(&self, version: u64) -> DateTime<Utc> {
        self.begin + TimeDelta::minutes(i64::try_from(version).unwrap() - 1)
    }

    pub async fn record(&mut self, bed: &Bed, command: &str, event: &MovieEvent) {
        self.version += 1;
        self.record_at(bed, command, event, self.at(self.version)).await;
    }

    /// As event number `self.version`.
    pub async fn record_at(
        &self,
        bed: &Bed,
        command: &str,
        event: &MovieEvent,
        recorded_at: DateTime<Utc>,
    ) {
        sqlx::query(
            "INSERT INTO movie_history (movie_id, version, position, event_type, command, actor,
                 request_id, recorded_at, payload) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(self.movie_id.to_string())
        .bind(self.version)
        .bind(self.version * 10)
        .bind(event.event_type())
        .bind(command)
        .bind(EDITOR)
        .bind(format!("request-{}", self.version))
        .bind(recorded_at)
        .bind(Json(event))
        .execute(&bed.pool)
        .await
        .expect("an entry is written");
    }

    pub fn stamp(&self) -> Stamp {
        Stamp { updated_at: self.at(self.version + 1), updated_by: EDITOR.parse().unwrap() }
    }

    pub fn created(&self, title: &str) -> MovieEvent {
        MovieEvent::MovieCreated {
            movie_id: self.movie_id,
            title: Title::parse(title).unwrap(),
            slug: Slug::parse(&self.slug).unwrap(),
            synopsis: Synopsis::parse("How it began.").unwrap(),
            genres: Genres::parse(&["Drama"]).unwrap(),
            duration_minutes: DurationMinutes::parse(153).unwrap(),
            availability: AvailabilityWindow::new(self.begin, self.begin + TimeDelta::days(9))
                .unwrap(),
            visibility: Visibility::Hidden,
            poster_url: PosterUrl::parse("https://img.example/p.jpg").unwrap(),
            created_at: self.begin,
            created_by: EDITOR.parse::<UserId>().unwrap(),
        }
    }

    pub fn retitled(&self, title: &str, previous: &str) -> MovieEvent {
        MovieEvent::MovieRetitled {
            title: Title::parse(title).unwrap(),
            previous_title: Title::parse(previous).unwrap(),
            stamp: self.stamp(),
        }
    }

    pub fn attached(&self) -> MovieEvent {
        MovieEvent::StreamSourceAttached {
            stream_source_id: StreamSourceId::new(clock::new_uuid()),
            sealed_url: SealedUrl::from_text("v1.c2VhbGVk"),
            quality_tag: Some(QualityTag::parse("1080p").unwrap()),
            drm_required: false,
            primary: true,
            last_validated_at: self.at(self.version + 1),
            validation_status: ValidationStatus::Valid,
            facts: StreamFacts {
                measured_duration_ms: 9_180_500,
                shortest_variant_ms: None,
                variant_count: 2,
                encryption: Encryption::Clear,
                drm_systems: Vec::new(),
                content_sha256: "ab".repeat(32),
            },
            stamp: self.stamp(),
        }
    }

    pub fn captioned(&self) -> MovieEvent {
        MovieEvent::CaptionTrackAdded {
            caption_track_id: CaptionTrackId::new(clock::new_uuid()),
            language_code: LanguageCode::parse("en").unwrap(),
            caption_url: CaptionUrl::parse("https://img.example/c.vtt").unwrap(),
            format: CaptionFormat::WebVtt,
            is_default: true,
            last_validated_at: self.at(self.version + 1),
            validation_status: ValidationStatus::Valid,
            facts: CaptionFacts { content_sha256: "cd".repeat(32), cue_count: 12 },
            stamp: self.stamp(),
        }
    }

    /// Created, given a source and captions, shown, retitled: versions 1 to 5.
    pub async fn lived(bed: &Bed, slug: &str) -> Self {
        let mut life = Self::new(slug);
        life.record(bed, "CreateMovie", &life.created("Metropolis")).await;
        life.record(bed, "AttachStreamSource", &life.attached()).await;
        life.record(bed, "AddCaptionTrack", &life.captioned()).await;
        let shown = MovieEvent::MovieShown { stamp: life.stamp() };
        life.record(bed, "ShowMovie", &shown).await;
        life.record(bed, "ReviseMovie", &life.retitled("Metropolis Restored", "Metropolis")).await;
        life
    }

    pub async fn removed(&mut self, bed: &Bed) {
        let removed = MovieEvent::MovieRemoved { stamp: self.stamp() };
        self.record(bed, "RemoveMovie", &removed).await;
    }

    pub fn path(&self) -> String {
        format!("/v1/movies/{}", self.movie_id)
    }
}
