//! A player, as far as its requests go: it has a signed address, and renews it as it is told.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use url::Url;

use crate::client::{Answer, Api, Request};

/// One answer to a request for a stream token.
#[derive(Debug, Clone)]
pub struct Ticket {
    pub token_id: String,
    pub refresh_after: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    /// The movie's master playlist, signed.
    pub master: Url,
    session_id: Value,
}

/// Somebody who watches one movie.
#[derive(Debug, Clone)]
pub struct Viewer {
    queries: Api,
    tokens: String,
}

impl Viewer {
    pub fn new(queries: Api, movie_id: &str) -> Self {
        Self { queries, tokens: format!("/v1/movies/{movie_id}/stream-tokens") }
    }

    /// The first one, for a session of its own.
    pub async fn ticket(&self) -> Ticket {
        self.ask(&Value::Null).await
    }

    /// The one that follows, or the same again if it is not due.
    pub async fn renewed(&self, ticket: &Ticket) -> Ticket {
        self.ask(&ticket.session_id).await
    }

    /// # Panics
    /// When none is given.
    async fn ask(&self, session_id: &Value) -> Ticket {
        let body = match session_id {
            Value::Null => json!({}),
            session_id => json!({ "session_id": session_id }),
        };
        let answer = self.queries.post(&self.tokens).json(&body).send().await.expect(201);
        let time = |field| {
            let text = answer.text_of(field);
            text.parse().unwrap_or_else(|error| panic!("{field} {text}: {error}"))
        };
        Ticket {
            token_id: answer.text_of("token_id"),
            refresh_after: time("refresh_after"),
            expires_at: time("expires_at"),
            master: answer.text_of("signed_url").parse().expect("a signed URL is one"),
            session_id: answer.json()["session_id"].clone(),
        }
    }

    pub fn get(&self, url: &Url) -> Request {
        self.queries.get(url.as_str())
    }
}

impl Ticket {
    /// What `/hdnts=TOKEN` is of its path.
    pub fn token_path(&self) -> String {
        let segment = self.master.path().split('/').nth(1).expect("the token comes first");
        assert!(segment.starts_with("hdnts="), "{segment}");
        format!("/{segment}")
    }

    /// An address of this movie as it is with this token, whichever it had.
    pub fn readdressed(&self, url: &Url) -> Url {
        let (_, path) = url.path()[1..].split_once('/').expect("something follows the token");
        let mut url = url.clone();
        url.set_path(&format!("{}/{path}", self.token_path()));
        url
    }
}

/// What a playlist names, in its order, with each entry's seconds (0 in a master playlist).
///
/// # Panics
/// When it is no playlist.
pub fn entries(playlist: &Answer, url: &Url) -> Vec<(Url, f64)> {
    let text = playlist.text();
    assert!(text.starts_with("#EXTM3U"), "{playlist:?}");
    let mut seconds = 0.0;
    let mut entries = Vec::new();
    for line in text.lines() {
        if let Some(duration) = line.strip_prefix("#EXTINF:") {
            let duration = duration.split(',').next().and_then(|text| text.parse().ok());
            seconds = duration.unwrap_or_else(|| panic!("{line} has no seconds"));
        } else if !line.is_empty() && !line.starts_with('#') {
            entries.push((url.join(line).expect("an entry is an address"), seconds));
        }
    }
    entries
}

/// The renditions that a master playlist names beside its variants.
pub fn renditions(playlist: &Answer, url: &Url) -> Vec<Url> {
    let text = playlist.text();
    let media = text.lines().filter(|line| line.starts_with("#EXT-X-MEDIA:"));
    media
        .filter_map(|line| line.split_once("URI=\"")?.1.split_once('"'))
        .map(|(address, _)| url.join(address).expect("a rendition is an address"))
        .collect()
}
