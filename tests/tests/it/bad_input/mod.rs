//! Whatever is wrong with a request, the answer is a problem that says what, with all the fields at once, and never 5xx.

mod access;
mod addresses;
mod fields;
mod json;
mod viewers;

use marquee_tests::samples;
use serde_json::Value;

/// A valid body with one field replaced.
fn with(field: &str, value: Value) -> Value {
    let mut body = samples::movie(&samples::title("Bad"));
    body[field] = value;
    body
}
