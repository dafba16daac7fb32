//! Where the catalog goes: a Marquee of the import's own, or the one that `make up` has started.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use marquee_tests::{Api, Marquee, client::http, jwt, until};
use serde_json::Value;

const DEMO_COMMANDS: &str = "http://127.0.0.1:8080";
const DEMO_QUERIES: &str = "http://127.0.0.1:8081";

/// The largest page that the query API gives.
const PAGE: usize = 100;

pub struct Target {
    pub commands_url: String,
    pub token: String,
    commands: Api,
    viewer: Api,
    editor: Api,
    /// Kept until the import is over, when it is ours.
    _marquee: Option<Marquee>,
}

/// Titles and ids of the movies that somebody gets to see.
pub type Listed = HashMap<String, String>;

impl Target {
    pub async fn own() -> Self {
        let marquee = Marquee::start().await;
        let (commands, queries) = (marquee.command_api.url(), marquee.query_api.url());
        Self::at(&commands, &queries, Some(marquee))
    }

    pub fn demo() -> Self {
        Self::at(DEMO_COMMANDS, DEMO_QUERIES, None)
    }

    fn at(commands_url: &str, queries_url: &str, marquee: Option<Marquee>) -> Self {
        let token = jwt::admin();
        let viewer = Api::new(http(), queries_url, None);
        Self {
            commands_url: commands_url.to_owned(),
            commands: Api::new(http(), commands_url, Some(token.clone())),
            editor: viewer.as_bearer(token.clone()),
            token,
            viewer,
            _marquee: marquee,
        }
    }

    /// The position of the last event.
    pub async fn head(&self) -> u64 {
        let ready = self.commands.get("/readyz").send().await.expect(200).json();
        let position = &ready["checks"]["mysql"]["info"]["position"];
        position.as_u64().unwrap_or_else(|| panic!("no position in {ready}"))
    }

    /// All movies, whoever may see them.
    pub async fn everything(&self) -> Listed {
        list(&self.editor, "visibility=any&").await
    }

    /// What viewers see now.
    pub async fn seen_by_viewers(&self) -> Listed {
        list(&self.viewer, "").await
    }

    /// Waits until the catalog has `total` movies for editors; how long that took.
    pub async fn wait_for_everything(&self, total: usize) -> Duration {
        wait_for(&self.editor, "visibility=any&", total).await
    }

    pub async fn wait_for_viewers(&self, total: usize) -> Duration {
        wait_for(&self.viewer, "", total).await
    }
}

async fn wait_for(queries: &Api, filter: &str, total: usize) -> Duration {
    let begun = Instant::now();
    let path = format!("/v1/movies?{filter}limit=1");
    until(&format!("{path} has {total} movies"), async || {
        let answer = queries.get(&path).send().await;
        (answer.status == 200 && answer.number_of("total") >= total as u64).then_some(())
    })
    .await;
    begun.elapsed()
}

async fn list(queries: &Api, filter: &str) -> Listed {
    let mut listed = Listed::new();
    let mut cursor = String::new();
    loop {
        let path = format!("/v1/movies?{filter}limit={PAGE}{cursor}");
        let page = until(&path, async || {
            let answer = queries.get(&path).send().await;
            // Whoever watched a catalog grow may have used up what a viewer may ask for.
            (answer.status != 429).then(|| answer.expect(200).json())
        })
        .await;
        for movie in page["items"].as_array().into_iter().flatten() {
            let text = |field: &str| movie[field].as_str().unwrap_or_default().to_owned();
            listed.insert(text("movie_id"), text("title"));
        }
        match &page["next_cursor"] {
            Value::String(next) => cursor = format!("&cursor={next}"),
            _ => return listed,
        }
    }
}
