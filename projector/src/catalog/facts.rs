//! What a probe read of a stream, as the table has it. Its readers are of an older release for a while
//! when a new one is rolled out, so that this form does not change with the version of the events.

use marquee_domain::values::{Encryption, StreamFacts};
use serde::Serialize;

#[derive(Debug, Serialize)]
pub struct StreamFactsColumn<'a> {
    measured_duration_seconds: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    shortest_variant_seconds: Option<f64>,
    variant_count: u32,
    encryption: Encryption,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    drm_systems: &'a [String],
    content_sha256: &'a str,
}

impl<'a> From<&'a StreamFacts> for StreamFactsColumn<'a> {
    fn from(facts: &'a StreamFacts) -> Self {
        Self {
            measured_duration_seconds: facts.measured_duration_seconds(),
            shortest_variant_seconds: facts.shortest_variant_seconds(),
            variant_count: facts.variant_count,
            encryption: facts.encryption,
            drm_systems: &facts.drm_systems,
            content_sha256: &facts.content_sha256,
        }
    }
}
