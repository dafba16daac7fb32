//! What a player may say of itself.

use marquee_domain::viewing_session::{DeviceType, EndReason, PlayerErrorCode, PlayerState};
use serde_json::json;

#[test]
fn each_word_is_read_as_it_is_written() {
    for device in DeviceType::ALL {
        assert_eq!(DeviceType::parse(device.as_str()), Ok(device));
        assert_eq!(json!(device), device.as_str());
    }
    for state in PlayerState::ALL {
        assert_eq!(PlayerState::parse(state.as_str()), Ok(state));
        assert_eq!(json!(state), state.as_str());
    }
    for reason in EndReason::ALL {
        assert_eq!(EndReason::parse(reason.as_str()), Ok(reason));
        assert_eq!(json!(reason), reason.as_str());
    }
}

#[test]
fn another_word_is_refused_with_those_that_there_are() {
    let device = DeviceType::parse("tv").unwrap_err().to_string();
    assert!(DeviceType::ALL.iter().all(|one| device.contains(one.as_str())), "{device}");
    let state = PlayerState::parse("STOPPED").unwrap_err().to_string();
    assert!(PlayerState::ALL.iter().all(|one| state.contains(one.as_str())), "{state}");
    let reason = EndReason::parse("TIMED_OUT").unwrap_err().to_string();
    assert!(EndReason::ALL.iter().all(|one| reason.contains(one.as_str())), "{reason}");
}

#[test]
fn an_error_code_is_a_short_plain_word() {
    for code in ["3", "MEDIA_ERR_NETWORK", "hls.fragLoadError:404", &"x".repeat(64)] {
        assert_eq!(PlayerErrorCode::parse(code).unwrap().as_str(), code);
    }
    for code in ["", "a b", "é", "a\n", "<script>", &"x".repeat(65)] {
        assert!(PlayerErrorCode::parse(code).is_err(), "{code:?}");
    }
}
