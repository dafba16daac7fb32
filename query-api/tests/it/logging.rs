//! Which requests are in the log.

use std::{
    collections::HashMap,
    fmt,
    sync::{Mutex, OnceLock},
};

use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    Layer,
    layer::{Context, SubscriberExt},
    registry,
};

use crate::bed::{Bed, until};

/// The level of each request's line, by the request's id: all of this process's, the other tests' too.
static LINES: OnceLock<Mutex<HashMap<String, Level>>> = OnceLock::new();

struct Recorder;

impl<S: Subscriber> Layer<S> for Recorder {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut line = Line::default();
        event.record(&mut line);
        if let (Some(id), Some(lines)) = (line.request_id, LINES.get()) {
            lines.lock().expect("no test panicked with it").insert(id, *event.metadata().level());
        }
    }
}

#[derive(Default)]
struct Line {
    request_id: Option<String>,
}

impl Visit for Line {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "request_id" {
            self.request_id = Some(value.to_owned());
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn fmt::Debug) {}
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_edge_asks_for_every_segment_is_logged_at_debug_only() {
    LINES.get_or_init(Mutex::default);
    tracing::subscriber::set_global_default(registry().with(Recorder))
        .expect("this is the only test that sets one");
    let bed = Bed::new().await;
    let api = bed.start().await;
    let log = || LINES.get().expect("set above").lock().expect("no test panicked with it");
    for (path, status, level) in [
        ("/v1/stream-tokens/verify", 403, Level::DEBUG),
        ("/v1/genres", 200, Level::INFO),
        ("/v1/movies/no-such-movie", 404, Level::INFO),
    ] {
        let id = format!("log-{}", path.replace('/', "-"));
        let answer = api.client.get_with(path, &[("X-Request-Id", &id)]).await;
        assert_eq!((answer.status, answer.header("x-request-id")), (status, id.as_str()));
        until("the line is written", async || log().contains_key(&id)).await;
        // Not within the assertion: what panics with the lock would end the other tests' requests.
        let written = log()[&id];
        assert_eq!(written, level, "{path}");
    }
}
