//! The films of vega-datasets, as bodies of `POST /v1/movies`. What the data lack is left out, and what they have
//! wrong stays wrong: the refusals are part of what is to be shown.

use std::{fs::File, io::BufReader, path::Path};

use anyhow::Context as _;
use chrono::{DateTime, TimeDelta, Utc};
use marquee_domain::values::{Title, TitleKey};
use marquee_tests::samples::timestamp;
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// A record of `data/movies.json`, as far as it is of use here.
#[derive(Debug, Deserialize)]
struct Record {
    /// A string, but also a number ("1408", "300"), and once null.
    #[serde(rename = "Title")]
    title: Value,
    #[serde(rename = "Running Time min")]
    running_time_minutes: Option<u64>,
    #[serde(rename = "Major Genre")]
    genre: Option<String>,
    #[serde(rename = "Director")]
    director: Option<String>,
    #[serde(rename = "Distributor")]
    distributor: Option<String>,
}

/// What is made up for all films alike.
#[derive(Debug)]
pub struct MadeUp {
    pub available_from: DateTime<Utc>,
    /// The base URL of the edge, which has media of every running time.
    pub media: String,
}

/// A film on its way into the catalog.
#[derive(Debug)]
pub struct Film {
    pub body: Map<String, Value>,
    /// What must be wrong with it: the pointers of its `validation_failed`, sorted. Empty for a film that is whole.
    pub pointers: Vec<&'static str>,
    pub title_key: Option<TitleKey>,
    /// Whether viewers see it from `available_from` on.
    pub is_for_viewers: bool,
}

/// What becomes of a film for viewers is made up too: of ten, eight are shown, one is announced, one stays a draft.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Plan {
    Shown,
    Announced,
    Draft,
}

pub fn read(records: &Path, made_up: &MadeUp) -> anyhow::Result<Vec<Film>> {
    let file = File::open(records).with_context(|| records.display().to_string())?;
    let records: Vec<Record> = serde_json::from_reader(BufReader::new(file))
        .with_context(|| records.display().to_string())?;
    Ok(records.iter().enumerate().map(|(index, record)| film(index, record, made_up)).collect())
}

fn film(index: usize, record: &Record, made_up: &MadeUp) -> Film {
    let plan = match index % 10 {
        4 => Plan::Announced,
        9 => Plan::Draft,
        _ => Plan::Shown,
    };
    let starts = match plan {
        Plan::Announced => made_up.available_from + TimeDelta::days(30),
        Plan::Shown | Plan::Draft => made_up.available_from,
    };
    let media = &made_up.media;
    let mut body = json!({
        "title": record.title,
        "synopsis": synopsis(record),
        "availability_start": timestamp(starts),
        "availability_end": timestamp(starts + TimeDelta::days(730)),
        "poster_url": format!("{media}/static/poster.svg"),
        "visibility": if plan == Plan::Draft { "HIDDEN" } else { "VISIBLE" },
        "caption_tracks": [{
            "language_code": "en",
            "caption_url": format!("{media}/captions/sample.en.vtt"),
            "format": "WEBVTT",
            "is_default": true,
        }],
    });
    if let Some(genre) = &record.genre {
        body["genres"] = json!([genre]);
    }
    if let Some(minutes) = record.running_time_minutes {
        body["duration_minutes"] = json!(minutes);
        body["stream_sources"] = json!([{
            "stream_url": format!("{media}/media/runtime/{minutes}/master.m3u8"),
            "quality_tag": "360p",
            "drm_required": false,
        }]);
    }
    let Value::Object(body) = body else { unreachable!("json!({{}}) is an object") };
    Film {
        body,
        pointers: pointers(record),
        title_key: record.title.as_str().and_then(|title| Title::parse(title).ok()?.key().into()),
        is_for_viewers: plan == Plan::Shown,
    }
}

fn synopsis(record: &Record) -> String {
    let by = record.director.as_deref().map(|name| format!(" by {name}")).unwrap_or_default();
    let from = record.distributor.as_deref().map(|name| format!(", from {name}"));
    format!("A film{by}{}.", from.unwrap_or_default())
}

fn pointers(record: &Record) -> Vec<&'static str> {
    let mut pointers = Vec::new();
    if record.running_time_minutes.is_none() {
        pointers.push("/duration_minutes");
    }
    if record.genre.is_none() {
        pointers.push("/genres");
    }
    if !record.title.is_string() {
        pointers.push("/title");
    }
    pointers
}
