//! Bodies that nobody thought of: every one is answered, none with 5xx.

use futures::{StreamExt, stream};
use marquee_tests::{Marquee, samples};
use proptest::{
    collection::{btree_map, vec},
    prelude::{Just, Strategy, any, prop_oneof},
    strategy::ValueTree,
    test_runner::TestRunner,
};
use serde_json::{Map, Value, json};

const BODIES: usize = 400;

/// Any JSON, of a few levels.
fn any_json() -> impl Strategy<Value = Value> {
    let text = prop_oneof![
        any::<String>(),
        Just("x".repeat(5_000)),
        Just("\u{0}".to_owned()),
        Just("2099-01-01T00:00:00+25:00".to_owned()),
        Just("+292277026596-12-04T15:30:07Z".to_owned()),
        Just("https://[::1]:0/.m3u8".to_owned()),
        Just("https://xn--/a.m3u8".to_owned()),
        Just("VISIBLE".to_owned()),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        text.prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Value::from),
            btree_map(any::<String>(), inner, 0..6)
                .prop_map(|fields| Value::Object(fields.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// A valid body of which some fields are something else, or gone, or more.
fn mutated_movie() -> impl Strategy<Value = Value> {
    const FIELDS: [&str; 11] = [
        "title",
        "synopsis",
        "genres",
        "duration_minutes",
        "availability_start",
        "availability_end",
        "poster_url",
        "visibility",
        "stream_sources",
        "caption_tracks",
        "unknown",
    ];
    let mutation = (0..FIELDS.len(), proptest::option::weighted(0.8, any_json()));
    vec(mutation, 1..4).prop_map(|mutations| {
        let mut movie = samples::movie(&samples::title("Fuzz"));
        movie["stream_sources"] = json!([]);
        for (field, value) in mutations {
            let fields = movie.as_object_mut().expect("a movie is an object");
            match value {
                Some(value) => drop(fields.insert(FIELDS[field].to_owned(), value)),
                None => drop(fields.remove(FIELDS[field])),
            }
        }
        movie
    })
}

/// A valid body's text with some bytes overwritten.
fn damaged_text() -> impl Strategy<Value = Vec<u8>> {
    vec((any::<proptest::sample::Index>(), any::<u8>()), 1..6).prop_map(|damages| {
        let mut text = samples::movie(&samples::title("Fuzz")).to_string().into_bytes();
        for (index, byte) in damages {
            let index = index.index(text.len());
            text[index] = byte;
        }
        text
    })
}

#[tokio::test]
async fn no_body_whatsoever_is_answered_5xx_or_not_at_all() {
    let marquee = Marquee::shared().await;
    let (commands, movie) = (marquee.commands(), marquee.admin().create_hidden("Fuzzed").await);
    let bytes = |json: Value| json.to_string().into_bytes();
    let bodies = prop_oneof![
        2 => mutated_movie().prop_map(bytes),
        1 => any_json().prop_map(bytes),
        1 => damaged_text(),
        1 => vec(any::<u8>(), 0..200),
    ];
    let mut runner = TestRunner::default();
    let bodies: Vec<Vec<u8>> = (0..BODIES)
        .map(|_| bodies.new_tree(&mut runner).expect("nothing is filtered").current())
        .collect();
    let base = format!("/v1/movies/{}", movie.id);
    stream::iter(bodies.into_iter().enumerate())
        .for_each_concurrent(8, |(number, body)| {
            let (commands, base) = (commands.clone(), &base);
            async move {
                let json = "application/json";
                let request = match number % 4 {
                    0 | 1 => commands.post("/v1/movies"),
                    2 => commands.patch(base),
                    _ => commands.post(&format!("{base}/caption-tracks")),
                };
                let shown = String::from_utf8_lossy(&body).into_owned();
                let answer = request.body(json, body).try_send().await;
                let answer = answer.unwrap_or_else(|error| panic!("no answer: {error:?}\n{shown}"));
                assert!(answer.status < 500, "{answer:?}\n{shown}");
                if answer.status >= 400 {
                    answer.whole_problem();
                }
            }
        })
        .await;
    let _ = commands.get("/readyz").send().await.expect(200);
}
