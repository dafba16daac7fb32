//! Histories of movies, decided by the domain, so that they are what command-api would append.

use chrono::{DateTime, Duration, Utc};
use marquee_domain::{
    CaptionTrackId, Context, Movie, MovieCommand, MovieError, MovieId, StreamSourceId, UserId,
    decide, evolve,
    movie::{CreateMovie, NewCaptionTrack, NewStreamSource, RevisePatch},
    values::{
        AvailabilityWindow, CaptionFacts, CaptionFormat, CaptionUrl, DurationMinutes, Encryption,
        Genres, LanguageCode, PosterUrl, QualityTag, SealedUrl, Slug, StreamProbe, Synopsis, Title,
        Visibility,
    },
};
use marquee_infra::clock;

use crate::bed::Recorded;

/// A log that is written in memory: positions over all movies, sequences per movie.
pub struct Log {
    position: u64,
    now: DateTime<Utc>,
    actor: UserId,
    pub events: Vec<Recorded>,
}

impl Log {
    pub fn new() -> Self {
        Self {
            position: 0,
            now: clock::now(),
            actor: UserId::new(clock::new_uuid()),
            events: Vec::new(),
        }
    }

    /// The movie as its events so far add up, and how many they are.
    pub fn fold(&self, movie_id: MovieId) -> (Movie, u64) {
        let mut movie = Movie::Absent;
        let events: Vec<_> = self.of(movie_id);
        for recorded in &events {
            evolve(&mut movie, &recorded.event);
        }
        (movie, events.len() as u64)
    }

    pub fn of(&self, movie_id: MovieId) -> Vec<Recorded> {
        self.events.iter().filter(|recorded| recorded.movie_id == movie_id).cloned().collect()
    }

    /// Each movie of the log, once.
    pub fn movies(&self) -> Vec<MovieId> {
        let firsts = self.events.iter().filter(|recorded| recorded.sequence == 1);
        firsts.map(|recorded| recorded.movie_id).collect()
    }

    /// Appends what the command leads to, and answers it.
    pub fn command(&mut self, movie_id: MovieId, command: MovieCommand) -> Vec<Recorded> {
        let appended = self.attempt(movie_id, command).expect("the command is accepted");
        assert!(!appended.is_empty(), "the command changes something");
        appended
    }

    /// The same, if it is accepted and changes something.
    pub fn attempt(
        &mut self,
        movie_id: MovieId,
        command: MovieCommand,
    ) -> Result<Vec<Recorded>, MovieError> {
        self.now += Duration::microseconds(1_001);
        let (movie, mut sequence) = self.fold(movie_id);
        let context = Context { now: self.now, actor: self.actor };
        let events = decide(&movie, command, &context)?;
        let appended: Vec<Recorded> = events
            .into_iter()
            .map(|event| {
                self.position += 1;
                sequence += 1;
                Recorded {
                    position: self.position,
                    movie_id,
                    sequence,
                    event,
                    actor: self.actor,
                    recorded_at: self.now,
                }
            })
            .collect();
        self.events.extend_from_slice(&appended);
        Ok(appended)
    }

    pub fn now(&self) -> DateTime<Utc> {
        self.now
    }

    pub fn create(&mut self, title: &str) -> MovieId {
        let movie_id = MovieId::new(clock::new_uuid());
        let title = Title::parse(title).unwrap();
        self.command(
            movie_id,
            MovieCommand::Create(Box::new(CreateMovie {
                movie_id,
                slug: Slug::from_title(&title),
                title,
                synopsis: Synopsis::parse("Somebody wants something.\nIt is hard to get.").unwrap(),
                genres: Genres::parse(&["Drama", "Ελληνικά"]).unwrap(),
                duration_minutes: DurationMinutes::parse(100).unwrap(),
                availability: AvailabilityWindow::new(
                    self.now + Duration::days(1),
                    self.now + Duration::days(100),
                )
                .unwrap(),
                visibility: Visibility::Hidden,
                poster_url: PosterUrl::parse("https://example.org/poster.jpg").unwrap(),
                stream_sources: Vec::new(),
                caption_tracks: Vec::new(),
            })),
        );
        movie_id
    }

    /// From creation to a title that changed while it was shown: 9 events.
    pub fn live_a_life(&mut self, title: &str) -> MovieId {
        let movie_id = self.create(title);
        let first = self.attach(movie_id, false);
        let second = self.attach(movie_id, true);
        self.caption(movie_id, "en", CaptionFormat::WebVtt);
        self.caption(movie_id, "de", CaptionFormat::Ttml);
        self.command(movie_id, MovieCommand::SetVisibility(Visibility::Visible));
        self.command(movie_id, MovieCommand::PromoteStreamSource(first));
        self.command(movie_id, MovieCommand::DetachStreamSource(second));
        self.retitle(movie_id, &format!("{title}, again"));
        movie_id
    }

    pub fn retitle(&mut self, movie_id: MovieId, title: &str) {
        let patch =
            RevisePatch { title: Some(Title::parse(title).unwrap()), ..RevisePatch::default() };
        self.command(movie_id, MovieCommand::Revise(Box::new(patch)));
    }

    pub fn revise_genres(&mut self, movie_id: MovieId, genres: &[&str]) {
        let genres = Some(Genres::parse(genres).unwrap());
        let patch = RevisePatch { genres, ..RevisePatch::default() };
        self.command(movie_id, MovieCommand::Revise(Box::new(patch)));
    }

    fn attach(&mut self, movie_id: MovieId, primary: bool) -> StreamSourceId {
        let stream_source_id = StreamSourceId::new(clock::new_uuid());
        let source = NewStreamSource {
            stream_source_id,
            sealed_url: SealedUrl::from_text("v1.local.AAAA"),
            quality_tag: primary.then(|| QualityTag::parse("1080p").unwrap()),
            drm_required: false,
            primary,
            probe: StreamProbe {
                variant_seconds: vec![6_000.25, 6_000.0],
                ended: true,
                encryption: Encryption::Aes128,
                drm_systems: Vec::new(),
                content_sha256: "ab".repeat(32),
            },
        };
        self.command(movie_id, MovieCommand::AttachStreamSource(Box::new(source)));
        stream_source_id
    }

    fn caption(&mut self, movie_id: MovieId, language: &str, format: CaptionFormat) {
        let track = NewCaptionTrack {
            caption_track_id: CaptionTrackId::new(clock::new_uuid()),
            language_code: LanguageCode::parse(language).unwrap(),
            caption_url: CaptionUrl::parse("https://example.org/captions").unwrap(),
            format,
            is_default: false,
            facts: CaptionFacts { content_sha256: "cd".repeat(32), cue_count: 3 },
        };
        self.command(movie_id, MovieCommand::AddCaptionTrack(Box::new(track)));
    }
}
