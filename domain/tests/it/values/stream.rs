//! Quality tags, small enums, and the facts that are kept of a probe.

use marquee_domain::values::{
    CaptionFormat, QualityTag, StreamFacts, ValidationStatus, ValueError, Visibility,
};
use serde_json::json;

use crate::given::probe_of;

#[test]
fn a_quality_tag_is_a_short_word() {
    for text in ["1080p", "4K", "hd_1.5-hdr", "a", "0123456789abcdef"] {
        assert_eq!(QualityTag::parse(text).unwrap().as_str(), text);
    }
    for text in ["", "0123456789abcdefg", "10 80p", "1080p ", "hd+", "ｈｄ", "hd\n"] {
        assert_eq!(QualityTag::parse(text), Err(ValueError::NotAQualityTag), "{text:?}");
    }
}

#[test]
fn enums_are_spelt_as_in_the_data_model() {
    assert_eq!(Visibility::parse("VISIBLE"), Ok(Visibility::Visible));
    assert_eq!(Visibility::parse("HIDDEN"), Ok(Visibility::Hidden));
    assert_eq!(CaptionFormat::parse("WEBVTT"), Ok(CaptionFormat::WebVtt));
    assert_eq!(CaptionFormat::parse("TTML"), Ok(CaptionFormat::Ttml));
    for text in ["", "visible", "Hidden", "DELETED", " VISIBLE"] {
        let refused = Err(ValueError::NotOneOf { allowed: "VISIBLE, HIDDEN" });
        assert_eq!(Visibility::parse(text), refused, "{text:?}");
    }
    for text in ["", "webvtt", "VTT", "SRT"] {
        let refused = Err(ValueError::NotOneOf { allowed: "WEBVTT, TTML" });
        assert_eq!(CaptionFormat::parse(text), refused, "{text:?}");
    }
    for visibility in [Visibility::Visible, Visibility::Hidden] {
        assert_eq!(json!(visibility), visibility.as_str());
    }
    for format in [CaptionFormat::WebVtt, CaptionFormat::Ttml] {
        assert_eq!(json!(format), format.as_str());
    }
    for (status, text) in [
        (ValidationStatus::Valid, "VALID"),
        (ValidationStatus::Invalid, "INVALID"),
        (ValidationStatus::Unknown, "UNKNOWN"),
    ] {
        assert_eq!((json!(status), status.as_str()), (json!(text), text));
    }
}

#[test]
fn facts_are_the_longest_and_the_shortest_variant_to_the_millisecond() {
    for (variants, longest, shortest) in [
        (vec![5_400.0], 5_400_000, None),
        (vec![5_400.000_4, 5_399.999_6], 5_400_000, None),
        (vec![5_399.5, 5_400.123_49, 5_400.0], 5_400_123, Some(5_399_500)),
        (vec![f64::NAN, 5_400.0], 5_400_000, None),
        (vec![f64::INFINITY, -1.0], 1_000_000_000_000, Some(0)),
    ] {
        let facts = StreamFacts::from(&probe_of(&variants));
        let count = u32::try_from(variants.len()).unwrap();
        let expected = StreamFacts {
            measured_duration_ms: longest,
            shortest_variant_ms: shortest,
            variant_count: count,
            ..crate::given::stream_facts()
        };
        assert_eq!(facts, expected, "{variants:?}");
    }
}
