//! Version 2 of what a probe of a stream measured: whole milliseconds in place of seconds with
//! binary fractions, and always under `facts`, where version 1 of one of the two events had it flat.

use serde_json::Value;

use super::Fields;

/// What version 1 of `StreamSourceAttached` had beside its other fields.
const FACTS: [&str; 6] = [
    "measured_duration_seconds",
    "shortest_variant_seconds",
    "variant_count",
    "encryption",
    "drm_systems",
    "content_sha256",
];

/// The longest that was ever written, in seconds.
const MAX_SECONDS: f64 = 1e9;

pub(super) fn attached_1_to_2(mut event: Fields) -> Result<Fields, String> {
    let facts: Fields = FACTS.into_iter().filter_map(|name| event.remove_entry(name)).collect();
    event.insert("facts".to_owned(), Value::Object(in_milliseconds(facts)?));
    Ok(event)
}

pub(super) fn validated_1_to_2(mut event: Fields) -> Result<Fields, String> {
    match event.remove("facts") {
        Some(Value::Object(facts)) => {
            event.insert("facts".to_owned(), Value::Object(in_milliseconds(facts)?));
        }
        // Nothing could be read.
        None | Some(Value::Null) => {}
        Some(_) => return Err("facts is not an object".to_owned()),
    }
    Ok(event)
}

fn in_milliseconds(mut facts: Fields) -> Result<Fields, String> {
    let measured =
        facts.remove("measured_duration_seconds").ok_or("measured_duration_seconds is missing")?;
    let measured = milliseconds(&measured).ok_or("measured_duration_seconds is no duration")?;
    facts.insert("measured_duration_ms".to_owned(), measured.into());
    if let Some(shortest) = facts.remove("shortest_variant_seconds").filter(|v| !v.is_null()) {
        let shortest = milliseconds(&shortest).ok_or("shortest_variant_seconds is no duration")?;
        facts.insert("shortest_variant_ms".to_owned(), shortest.into());
    }
    Ok(facts)
}

/// Version 1 was written to the millisecond, so that rounding takes back the binary fraction and
/// nothing else.
fn milliseconds(seconds: &Value) -> Option<u64> {
    let seconds = seconds.as_f64().filter(|seconds| (0.0..=MAX_SECONDS).contains(seconds))?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "from 0 to 10^12, and whole"
    )]
    Some((seconds * 1000.0).round() as u64)
}
