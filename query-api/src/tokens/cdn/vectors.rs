//! Signed URLs that others made, for the tests.

use serde_json::Value;

/// A CloudFront key of this machine's own making, for tests alone.
pub const RSA_PEM: &str = include_str!("../../../tests/fixtures/cloudfront-test-key.pem");

pub fn of(dialect: &str) -> Vec<Value> {
    let fixture: Value =
        serde_json::from_str(include_str!("../../../tests/fixtures/playback-tokens.json"))
            .expect("the fixture is JSON");
    let vectors = fixture["vectors"].as_array().expect("a list of vectors");
    vectors.iter().filter(|vector| vector["dialect"] == dialect).cloned().collect()
}

/// A file with a CDN of each dialect.
pub fn all_dialects() -> String {
    include_str!("../../../tests/fixtures/stream-token-keys.toml").replace("@PEM@", RSA_PEM)
}
