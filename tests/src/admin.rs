//! An admin's usual work, for tests that are about something else, or need a lot of it.

use serde_json::Value;

use crate::{
    checker::Acknowledged,
    client::{Answer, Api},
    samples,
};

/// Somebody with the right to change the catalog.
#[derive(Debug, Clone)]
pub struct Admin {
    pub api: Api,
    media: String,
}

/// A movie that was acknowledged.
#[derive(Debug, Clone)]
pub struct Movie {
    pub id: String,
    pub slug: String,
    pub title: String,
    pub version: u64,
    /// What a read sends to see at least this.
    pub consistency_token: String,
}

impl Admin {
    pub fn new(api: Api, media: String) -> Self {
        Self { api, media }
    }

    pub async fn create(&self, body: &Value) -> Movie {
        let answer = self.api.post("/v1/movies").json(body).send().await.expect(201);
        Movie {
            id: answer.text_of("movie_id"),
            slug: answer.text_of("slug"),
            title: body["title"].as_str().unwrap_or_default().to_owned(),
            version: answer.number_of("version"),
            consistency_token: consistency_token(&answer),
        }
    }

    /// With a stream and captions, shown, available in a moment.
    pub async fn create_playable(&self, name: &str) -> Movie {
        self.create(&samples::playable_movie(&samples::title(name), &self.media)).await
    }

    pub async fn create_hidden(&self, name: &str) -> Movie {
        self.create(&samples::movie(&samples::title(name))).await
    }
}

/// # Panics
/// When the answer has none.
pub fn consistency_token(answer: &Answer) -> String {
    let token = answer.header("consistency-token");
    token.unwrap_or_else(|| panic!("no Consistency-Token: {answer:?}")).to_owned()
}

/// What an answer to a command promises. `operation` was sent as its X-Request-Id.
pub fn acknowledged(operation: &str, answer: &Answer) -> Acknowledged {
    Acknowledged {
        operation: operation.to_owned(),
        movie_id: answer.text_of("movie_id"),
        version: answer.number_of("version"),
        position: answer.number_of("position"),
    }
}
