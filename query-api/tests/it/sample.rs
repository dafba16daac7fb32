//! A movie as the tests write it into the read models.

use chrono::{DateTime, TimeDelta, Utc};
use marquee_domain::{
    MovieId, StreamSourceId,
    values::{SealedUrl, Slug, StreamUrl, Title},
};
use marquee_infra::{clock, sealing::Sealer};
use serde_json::{Value, json};
use sqlx::{MySqlConnection, types::Json};

pub const USER: &str = "0197d2a5-0000-7000-8000-0000000000aa";

#[derive(Debug, Clone)]
pub struct Sample {
    pub movie_id: MovieId,
    pub title: String,
    pub slug: String,
    pub synopsis: String,
    pub genres: Vec<&'static str>,
    pub languages: Vec<&'static str>,
    pub start: DateTime<Utc>,
    pub end: DateTime<Utc>,
    pub visibility: &'static str,
    pub removed: bool,
    pub source: Option<Source>,
    pub partition: i32,
    pub version: u64,
    pub position: u64,
}

#[derive(Debug, Clone)]
pub struct Source {
    pub stream_source_id: StreamSourceId,
    pub url: String,
    pub primary: bool,
    pub validation_status: &'static str,
}

/// What a probe read.
pub fn stream_facts() -> Value {
    json!({
        "measured_duration_seconds": 5400.0,
        "shortest_variant_seconds": 5399.5,
        "variant_count": 3,
        "encryption": "AES_128",
        "content_sha256": "ab".repeat(32),
    })
}

pub fn caption_facts() -> Value {
    json!({ "content_sha256": "cd".repeat(32), "cue_count": 12 })
}

fn slug(title: &str) -> Slug {
    Slug::from_title(&Title::parse(title).expect("a title"))
}

impl Sample {
    /// VISIBLE, available for an hour yet, and playable.
    pub fn new(title: &str) -> Self {
        Self::with_id(title, MovieId::new(clock::new_uuid()))
    }

    pub fn with_id(title: &str, movie_id: MovieId) -> Self {
        let now = clock::now();
        Self {
            movie_id,
            title: title.to_owned(),
            slug: format!("{}-{movie_id}", slug(title)),
            synopsis: "A synopsis.".to_owned(),
            genres: vec!["Drama"],
            languages: vec!["en"],
            start: now - TimeDelta::hours(1),
            end: now + TimeDelta::hours(1),
            visibility: "VISIBLE",
            removed: false,
            source: Some(Source {
                stream_source_id: StreamSourceId::new(clock::new_uuid()),
                url: format!("https://cdn.example:8443/movies/{movie_id}/master.m3u8?v=1"),
                primary: true,
                validation_status: "VALID",
            }),
            partition: 0,
            version: 0,
            position: 0,
        }
    }

    pub async fn write(
        &self,
        connection: &mut MySqlConnection,
        sealer: &Sealer,
        topic: &str,
    ) -> Result<(), sqlx::Error> {
        let id = self.movie_id.to_string();
        for table in ["catalog_stream_sources", "catalog_caption_tracks"] {
            sqlx::query(&format!("DELETE FROM {table} WHERE movie_id = ?"))
                .bind(&id)
                .execute(&mut *connection)
                .await?;
        }
        sqlx::query(
            "REPLACE INTO catalog_movies (movie_id, title, slug, synopsis, genres,
                 duration_minutes, availability_start, availability_end, visibility, poster_url,
                 created_at, created_by, updated_at, updated_by, removed, version, position,
                 kafka_partition, state)
             VALUES (?, ?, ?, ?, ?, 90, ?, ?, ?, 'https://img.example/p.jpg',
                 ?, ?, ?, ?, ?, ?, ?, ?, '{}')",
        )
        .bind(&id)
        .bind(&self.title)
        .bind(&self.slug)
        .bind(&self.synopsis)
        .bind(Json(&self.genres))
        .bind(self.start)
        .bind(self.end)
        .bind(self.visibility)
        .bind(self.start)
        .bind(USER)
        .bind(self.start)
        .bind(USER)
        .bind(self.removed)
        .bind(self.version)
        .bind(self.position)
        .bind(self.partition)
        .execute(&mut *connection)
        .await?;
        if let Some(source) = &self.source {
            let stream_url = self.seal(source, sealer).await;
            sqlx::query(
                "INSERT INTO catalog_stream_sources (stream_source_id, movie_id, ordinal,
                     stream_url, quality_tag, drm_required, is_primary, last_validated_at,
                     validation_status, facts)
                 VALUES (?, ?, 0, ?, '1080p', FALSE, ?, ?, ?, ?)",
            )
            .bind(source.stream_source_id.to_string())
            .bind(&id)
            .bind(stream_url.as_str())
            .bind(source.primary)
            .bind(self.start)
            .bind(source.validation_status)
            .bind(stream_facts())
            .execute(&mut *connection)
            .await?;
        }
        for (ordinal, language) in (0_u32..).zip(&self.languages) {
            sqlx::query(
                "INSERT INTO catalog_caption_tracks (caption_track_id, movie_id, ordinal,
                     language_code, caption_url, format, is_default, last_validated_at,
                     validation_status, facts)
                 VALUES (?, ?, ?, ?, 'https://img.example/c.vtt', 'WEBVTT', ?, ?, 'VALID', ?)",
            )
            .bind(clock::new_uuid().to_string())
            .bind(&id)
            .bind(ordinal)
            .bind(language)
            .bind(ordinal == 0)
            .bind(self.start)
            .bind(caption_facts())
            .execute(&mut *connection)
            .await?;
        }
        sqlx::query(
            "INSERT INTO projection_checkpoints
                 (projection, topic, kafka_partition, next_offset, position, updated_at)
             VALUES ('catalog', ?, ?, 1, ?, ?)
             ON DUPLICATE KEY UPDATE next_offset = next_offset + 1, position = VALUES(position)",
        )
        .bind(topic)
        .bind(self.partition)
        .bind(self.position)
        .bind(clock::now())
        .execute(&mut *connection)
        .await?;
        Ok(())
    }

    async fn seal(&self, source: &Source, sealer: &Sealer) -> SealedUrl {
        let url = StreamUrl::parse(&source.url).expect("a stream URL");
        sealer.seal(self.movie_id, source.stream_source_id, &url).await.expect("it is sealed")
    }

    /// The path of this movie's playlist at the CDN.
    pub fn playlist_path(&self) -> String {
        format!("/movies/{}/master.m3u8", self.movie_id)
    }

    pub fn tokens_path(&self) -> String {
        format!("/v1/movies/{}/stream-tokens", self.movie_id)
    }
}
