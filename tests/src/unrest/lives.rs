//! Admins who lead movies through all that can happen to one, and viewers who ask to play them.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::{
    Answer, Api, Marquee,
    client::Request,
    samples,
    wait::{in_time, until},
};

const ADMINS: usize = 3;
/// Whoever does not answer for so long is asked again.
const PATIENCE: Duration = Duration::from_secs(3);

pub struct Lives {
    stop: Arc<AtomicBool>,
    steps: Arc<AtomicUsize>,
    tokens: Arc<AtomicUsize>,
    tasks: JoinSet<()>,
}

impl Lives {
    pub fn start(marquee: &Marquee) -> Self {
        let (commands, queries) = super::apis(marquee);
        let (stop, steps) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
        let tokens = Arc::<AtomicUsize>::default();
        let playable = Arc::<Mutex<Vec<String>>>::default();
        let mut tasks = JoinSet::new();
        for _ in 0..ADMINS {
            let admin = Admin {
                api: commands.clone(),
                media: marquee.media(),
                playable: Arc::clone(&playable),
                steps: Arc::clone(&steps),
            };
            let stop = Arc::clone(&stop);
            tasks.spawn(async move {
                for number in 0.. {
                    if stop.load(Ordering::SeqCst) {
                        break;
                    }
                    admin.lead_a_life(number).await;
                }
            });
        }
        tasks.spawn(play(queries, playable, Arc::clone(&stop), Arc::clone(&tokens)));
        Self { stop, steps, tokens, tasks }
    }

    /// How many steps were taken, and how many tokens issued.
    pub async fn stop(self) -> (usize, usize) {
        self.stop.store(true, Ordering::SeqCst);
        in_time("the last lives end", self.tasks.join_all()).await;
        (self.steps.load(Ordering::SeqCst), self.tokens.load(Ordering::SeqCst))
    }
}

/// Asks for tokens for whatever can be played now, and watches it.
async fn play(
    queries: Api,
    playable: Arc<Mutex<Vec<String>>>,
    stop: Arc<AtomicBool>,
    issued: Arc<AtomicUsize>,
) {
    for turn in 0.. {
        if stop.load(Ordering::SeqCst) {
            break;
        }
        let id = {
            let playable = playable.lock().unwrap_or_else(PoisonError::into_inner);
            playable.get(turn % playable.len().max(1)).cloned().unwrap_or_default()
        };
        let path = format!("/v1/movies/{id}/stream-tokens");
        let asked = queries.post(&path).json(&json!({})).timeout(PATIENCE).try_send().await;
        if asked.is_ok_and(|answer| [200, 201].contains(&answer.status)) {
            issued.fetch_add(1, Ordering::SeqCst);
            watch(&queries, &id, turn).await;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A session of the movie, told of in two parts, the last of which comes first and both of which come twice. What is
/// refused is not told again: the topic has what counts.
async fn watch(queries: &Api, movie_id: &str, turn: usize) {
    let post = async |path: &str, body: &Value| {
        let answer = queries.post(path).json(body).timeout(PATIENCE).try_send().await.ok()?;
        (answer.status < 300).then(|| answer.json())
    };
    let body = json!({ "movie_id": movie_id, "device_type": "PHONE" });
    let Some(begun) = post("/v1/viewing-sessions", &body).await else { return };
    let Some(id) = begun["session_id"].as_str() else { return };
    let path = format!("/v1/viewing-sessions/{id}/events");
    let played = json!([
        { "type": "HEARTBEAT", "sequence": 1, "state": "PLAYING",
          "watched": [{ "from_ms": 0, "to_ms": (1 + turn % 50) * 1_000 }] },
        { "type": "ERROR", "sequence": 2, "code": format!("e{}", turn % 3) },
    ]);
    let ended = json!([{ "type": "END", "sequence": 3, "reason": "COMPLETED" }]);
    let parts = if turn.is_multiple_of(4) { vec![played] } else { vec![ended, played] };
    for events in parts.iter().chain(&parts) {
        let body = json!({ "events": events, "anonymous_id": begun["anonymous_id"] });
        post(&path, &body).await;
    }
}

struct Admin {
    api: Api,
    media: String,
    /// What can be played as soon as its window has begun.
    playable: Arc<Mutex<Vec<String>>>,
    steps: Arc<AtomicUsize>,
}

impl Admin {
    async fn lead_a_life(&self, number: usize) {
        let created = self.create().await;
        let id = created.text_of("movie_id");
        let movie = format!("/v1/movies/{id}");
        let first = created.json()["stream_source_ids"][0].as_str().expect("an id").to_owned();

        let added = samples::stream_source(&self.media);
        let added = self.step("POST", &format!("{movie}/stream-sources"), &added).await;
        let second = added.text_of("stream_source_id");
        let (sources, tracks) =
            (format!("{movie}/stream-sources"), format!("{movie}/caption-tracks"));
        self.step("PUT", &format!("{sources}/{second}/primary"), &Value::Null).await;
        self.step("DELETE", &format!("{sources}/{first}"), &Value::Null).await;
        let french = created.json()["caption_track_ids"][1].as_str().expect("an id").to_owned();
        self.step("PUT", &format!("{tracks}/{french}/default"), &Value::Null).await;
        self.step("POST", &format!("{tracks}/{french}/validate"), &Value::Null).await;
        let revision = json!({ "title": samples::title("Unrest, revised"), "genres": ["Short"] });
        self.step("PATCH", &movie, &revision).await;
        if number % 2 == 1 {
            let hidden = json!({ "visibility": "HIDDEN" });
            self.step("PUT", &format!("{movie}/visibility"), &hidden).await;
            self.step("DELETE", &format!("{tracks}/{french}"), &Value::Null).await;
        }
        if number % 3 == 2 {
            self.step("DELETE", &movie, &Value::Null).await;
        } else if number.is_multiple_of(2) {
            self.playable.lock().unwrap_or_else(PoisonError::into_inner).push(id);
        }
    }

    /// Another movie at every attempt: a window that was in the future may have begun meanwhile.
    async fn create(&self) -> Answer {
        let created = until("a movie is created", async || {
            let body = samples::playable_movie(&samples::title("Unrest"), &self.media);
            let create = self.api.post("/v1/movies").json(&body).timeout(PATIENCE);
            let answer = create.try_send().await.ok()?;
            assert!([201, 422, 503].contains(&answer.status), "{answer:?}");
            (answer.status == 201).then_some(answer)
        })
        .await;
        self.steps.fetch_add(1, Ordering::SeqCst);
        created
    }

    /// The command's answer, once it is carried out: repeated under one Idempotency-Key until then.
    async fn step(&self, method: &str, path: &str, body: &Value) -> Answer {
        let key = samples::tag();
        let answer = until(&format!("{method} {path} is answered"), async || {
            let answer = self.request(method, path, body).idempotency_key(&key).timeout(PATIENCE);
            let answer = answer.try_send().await.ok()?;
            assert!(answer.status < 400 || answer.status == 503, "{answer:?}");
            (answer.status < 400).then_some(answer)
        })
        .await;
        self.steps.fetch_add(1, Ordering::SeqCst);
        answer
    }

    fn request(&self, method: &str, path: &str, body: &Value) -> Request {
        let method = method.parse().expect("it is one of HTTP's");
        let request = self.api.request(method, path);
        if body.is_null() { request } else { request.json(body) }
    }
}
