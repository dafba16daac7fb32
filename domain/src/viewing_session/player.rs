//! What a player tells of itself: closed lists, and codes of a form that can do no harm.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::values::ValueError;

/// What the movie is watched on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum DeviceType {
    Desktop,
    Phone,
    Tablet,
    Tv,
    SetTopBox,
    GameConsole,
    Other,
}

/// What the player did last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum PlayerState {
    Playing,
    Paused,
    Seeking,
    Buffering,
}

/// Why a player says that the session is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum EndReason {
    /// The movie was over.
    Completed,
    /// The viewer left.
    Stopped,
    /// The player gave up, after an error.
    Failed,
}

impl DeviceType {
    pub const ALL: [Self; 7] = [
        Self::Desktop,
        Self::Phone,
        Self::Tablet,
        Self::Tv,
        Self::SetTopBox,
        Self::GameConsole,
        Self::Other,
    ];

    pub fn parse(text: &str) -> Result<Self, ValueError> {
        Self::ALL.into_iter().find(|device| device.as_str() == text).ok_or(ValueError::NotOneOf {
            allowed: "DESKTOP, PHONE, TABLET, TV, SET_TOP_BOX, GAME_CONSOLE, OTHER",
        })
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Desktop => "DESKTOP",
            Self::Phone => "PHONE",
            Self::Tablet => "TABLET",
            Self::Tv => "TV",
            Self::SetTopBox => "SET_TOP_BOX",
            Self::GameConsole => "GAME_CONSOLE",
            Self::Other => "OTHER",
        }
    }
}

impl PlayerState {
    pub const ALL: [Self; 4] = [Self::Playing, Self::Paused, Self::Seeking, Self::Buffering];

    pub fn parse(text: &str) -> Result<Self, ValueError> {
        Self::ALL
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or(ValueError::NotOneOf { allowed: "PLAYING, PAUSED, SEEKING, BUFFERING" })
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Playing => "PLAYING",
            Self::Paused => "PAUSED",
            Self::Seeking => "SEEKING",
            Self::Buffering => "BUFFERING",
        }
    }
}

impl EndReason {
    pub const ALL: [Self; 3] = [Self::Completed, Self::Stopped, Self::Failed];

    pub fn parse(text: &str) -> Result<Self, ValueError> {
        Self::ALL
            .into_iter()
            .find(|reason| reason.as_str() == text)
            .ok_or(ValueError::NotOneOf { allowed: "COMPLETED, STOPPED, FAILED" })
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "COMPLETED",
            Self::Stopped => "STOPPED",
            Self::Failed => "FAILED",
        }
    }
}

/// A player's name for what went wrong, such as `MEDIA_ERR_NETWORK` or `hls.fragLoadError:404`. Short
/// and plain: it goes into tables, logs and people's terminals.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(try_from = "String")]
pub struct PlayerErrorCode(String);

impl PlayerErrorCode {
    const MAX_CHARS: usize = 64;

    pub fn parse(text: &str) -> Result<Self, ValueError> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._:-".contains(&byte);
        if text.is_empty() || text.len() > Self::MAX_CHARS || !text.bytes().all(allowed) {
            return Err(ValueError::NotAnErrorCode);
        }
        Ok(Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for PlayerErrorCode {
    type Error = ValueError;

    fn try_from(text: String) -> Result<Self, ValueError> {
        Self::parse(&text)
    }
}

impl fmt::Display for PlayerErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What Common Media Client Data (CTA-5004) has names for, with its names and units.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Cmcd {
    /// Encoded bitrate, kbit/s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub br: Option<u32>,
    /// Top bitrate that may be chosen, kbit/s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tb: Option<u32>,
    /// Measured throughput, kbit/s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mtp: Option<u32>,
    /// Buffer length, milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bl: Option<u32>,
    /// Buffer starvation: it ran empty since the last report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bs: Option<bool>,
    /// Startup: it is being filled after a start, a seek or a starvation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub su: Option<bool>,
}
