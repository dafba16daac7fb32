//! The catalog sent once, line by line, and what came back.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use marquee_tests::import;
use serde_json::Value;

use super::{films::Film, target::Target};

pub struct Round {
    pub name: &'static str,
    /// In the order of the lines.
    pub results: Vec<Value>,
    pub took: Duration,
    pub head_before: u64,
    pub head_after: u64,
}

/// One film a line, each with a key of its own. Lines of one `run` are the same every time.
pub fn lines(films: &[Film], run: &str) -> Vec<String> {
    let keyed = films.iter().zip(1..).map(|(film, line)| {
        let mut body = film.body.clone();
        body.insert("idempotency_key".to_owned(), Value::String(format!("{run}-{line}")));
        format!("{}\n", Value::Object(body))
    });
    keyed.collect()
}

impl Round {
    pub async fn send(target: &Target, name: &'static str, lines: &[String]) -> Self {
        let head_before = target.head().await;
        let begun = Instant::now();
        let (mut sending, mut results) =
            import::begin(&target.commands_url, &target.token, None).await;
        let send = async move {
            for line in lines {
                if !sending.send(line.as_bytes()).await {
                    return;
                }
            }
        };
        let ((), results) = tokio::join!(send, results.rest());
        let took = begun.elapsed();
        Self { name, results, took, head_before, head_after: target.head().await }
    }

    /// How many lines ended in each way.
    pub fn counts(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for result in &self.results {
            *counts.entry(ending(result)).or_default() += 1;
        }
        counts
    }

    /// How many lines were accepted (now or before), found their title taken, and were refused for anything else.
    pub fn sums(&self) -> [usize; 3] {
        let count =
            |is: fn(&Value) -> bool| self.results.iter().filter(|result| is(result)).count();
        let accepted = count(|result| result["status"] == 201);
        let taken = count(|result| result["code"] == "title_taken");
        let refused = count(|result| result["status"] != 201 && result["code"] != "title_taken");
        [accepted, taken, refused]
    }

    pub fn lines_per_second(&self) -> f64 {
        f64::from(u32::try_from(self.results.len()).unwrap_or(u32::MAX)) / self.took.as_secs_f64()
    }
}

/// "accepted", "replayed", or the code of the refusal, with the fields that it names.
pub fn ending(result: &Value) -> String {
    if result["status"] == 201 {
        return if result["replayed"] == true { "replayed" } else { "accepted" }.to_owned();
    }
    let code = result["code"].as_str().unwrap_or("neither accepted nor a problem");
    match pointers(result) {
        pointers if pointers.is_empty() => code.to_owned(),
        pointers => format!("{code}: {}", pointers.join(", ")),
    }
}

/// The fields that a problem names, sorted.
pub fn pointers(result: &Value) -> Vec<&str> {
    let errors = result["errors"].as_array().into_iter().flatten();
    let mut pointers: Vec<&str> = errors.filter_map(|error| error["pointer"].as_str()).collect();
    pointers.sort_unstable();
    pointers
}
