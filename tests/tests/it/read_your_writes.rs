//! Whoever reads with the Consistency-Token of a command's answer sees what the command did, at once and however the
//! movie is asked for.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use marquee_tests::{Answer, Api, Marquee, Setup, admin::consistency_token, jwt, samples, summary};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::task::JoinSet;

const CLIENTS: usize = 8;
const COMMANDS_OF_EACH: usize = 125;
/// This test is about what is read, not how soon: a busy machine must not fail it.
const PATIENCE_MS: &str = "10000";

struct Client {
    commands: Api,
    editors: Api,
    viewers: Api,
    media: String,
    /// Reads without a token that were behind: what the tokens are for.
    stale: Arc<AtomicUsize>,
    movie: Movie,
}

/// As the last command has left it.
#[derive(Default)]
struct Movie {
    id: String,
    slug: String,
    title: String,
    version: u64,
    position: u64,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_reads_with_the_token_of_the_command_before_are_a_thousand_fresh_answers() {
    let patience = ("MARQUEE_CATALOG_CONSISTENCY_WAIT_MS", PATIENCE_MS.to_owned());
    let setup = Setup { settings: vec![patience], ..Setup::default() };
    let marquee = Marquee::start_with(setup).await;
    let stale = Arc::new(AtomicUsize::new(0));
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        let client = Client {
            commands: marquee.commands(),
            editors: marquee.queries().as_bearer(jwt::with_scope("catalog:read")),
            viewers: marquee.queries(),
            media: marquee.media(),
            stale: Arc::clone(&stale),
            movie: Movie::default(),
        };
        clients.spawn(client.work());
    }
    let fresh: usize = clients.join_all().await.into_iter().sum();
    assert_eq!(fresh, CLIENTS * COMMANDS_OF_EACH);
    let stale = stale.load(Ordering::SeqCst);
    assert!(stale > 0, "without its token, some read would have been behind");
    summary::say(&format!(
        "read your writes: {fresh} commands, {fresh} fresh answers to the reads right after them; {stale} of the same \
         reads without the token were behind"
    ));
}

impl Client {
    /// How many of its commands it has read at once. It stops at the first one that it has not.
    async fn work(mut self) -> usize {
        for number in 0..COMMANDS_OF_EACH {
            let answer = self.command(number).await;
            let token = consistency_token(&answer);
            if answer.status == 204 {
                self.is_gone(&token).await;
                continue;
            }
            self.movie.version = answer.number_of("version");
            self.movie.position = answer.number_of("position");
            match number % 5 {
                0 => self.by(&self.movie.id, &token).await,
                1 => self.by(&self.movie.slug, &token).await,
                2 => self.by_head(&token).await,
                3 => self.in_the_list(&token).await,
                _ => self.in_its_history(&token).await,
            }
        }
        COMMANDS_OF_EACH
    }

    /// A movie lives for 25 commands.
    async fn command(&mut self, number: usize) -> Answer {
        let path = format!("/v1/movies/{}", self.movie.id);
        match number % 25 {
            0 => {
                let title = samples::title("Mine");
                let body = match number {
                    0 => samples::playable_movie(&title, &self.media),
                    _ => samples::movie(&title),
                };
                let answer = self.commands.post("/v1/movies").json(&body).send().await.expect(201);
                let (id, slug) = (answer.text_of("movie_id"), answer.text_of("slug"));
                self.movie = Movie { id, slug, title, ..Movie::default() };
                answer
            }
            24 => self.commands.delete(&path).send().await.expect(204),
            _ => {
                self.movie.title = samples::title("Mine");
                let retitled = json!({ "title": self.movie.title });
                self.commands.patch(&path).json(&retitled).send().await.expect(200)
            }
        }
    }

    async fn by(&self, id_or_slug: &str, token: &str) {
        let path = format!("/v1/movies/{id_or_slug}?visibility=any");
        let without = self.editors.get(&path).send().await;
        if without.status == 404 || without.number_of("version") < self.movie.version {
            self.stale.fetch_add(1, Ordering::SeqCst);
        }
        let read = self.editors.get(&path).header("Consistency-Token", token).send().await;
        self.assert_fresh(&read.expect(200).json());
    }

    async fn by_head(&self, token: &str) {
        let path = format!("/v1/movies/{}?visibility=any", self.movie.id);
        let read = self.editors.request(Method::HEAD, &path).header("Consistency-Token", token);
        let read = read.send().await.expect(200);
        let position = format!("\"{}-", self.movie.position);
        assert!(read.header("etag").is_some_and(|etag| etag.starts_with(&position)), "{read:?}");
    }

    async fn in_the_list(&self, token: &str) {
        let title: String =
            url::form_urlencoded::byte_serialize(self.movie.title.as_bytes()).collect();
        let path = format!("/v1/movies?visibility=any&q={title}");
        let read = self.editors.get(&path).header("Consistency-Token", token).send().await;
        let page = read.expect(200).json();
        assert_eq!(page["total"], 1, "{page}");
        self.assert_fresh(&page["items"][0]);
    }

    async fn in_its_history(&self, token: &str) {
        let path = format!("/v1/movies/{}/history?limit=100", self.movie.id);
        let read = self.editors.get(&path).header("Consistency-Token", token).send().await;
        let history = read.expect(200).json();
        let entries = history["items"].as_array().expect("entries");
        let has_it = entries.iter().any(|entry| entry["version"] == self.movie.version);
        assert!(has_it, "version {}: {history}", self.movie.version);
    }

    /// For viewers and editors alike.
    async fn is_gone(&self, token: &str) {
        for (api, query) in [(&self.viewers, ""), (&self.editors, "?visibility=any")] {
            for name in [&self.movie.id, &self.movie.slug] {
                let path = format!("/v1/movies/{name}{query}");
                let read = api.get(&path).header("Consistency-Token", token).send().await;
                read.problem(404, "movie_not_found");
            }
        }
    }

    #[track_caller]
    fn assert_fresh(&self, shown: &Value) {
        let Movie { id, slug, title, version, .. } = &self.movie;
        assert_eq!(shown["movie_id"], json!(id), "{shown}");
        assert_eq!(shown["slug"], json!(slug), "{shown}");
        assert_eq!(shown["title"], json!(title), "{shown}");
        assert_eq!(shown["version"], json!(version), "{shown}");
    }
}
