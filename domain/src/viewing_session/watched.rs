//! Which seconds of a movie were watched: a bit for each. Their union is an OR, so it matters neither
//! in which order parts are added nor how often, and it never takes more than a bit a second, however
//! many pieces a viewer watches a movie in.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

use super::{MAX_POSITION_MS, event::WatchedRange};

/// The first second is the lowest bit of the first byte. No byte at the end is zero, so that equal
/// sets are equal values.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Watched(Vec<u8>);

impl Watched {
    /// Both ends to the nearest second: parts that touch still do.
    pub fn add(&mut self, range: WatchedRange) {
        let (from, to) = (second(range.from_ms), second(range.to_ms));
        if from >= to {
            return;
        }
        let (first, last) = (from / 8, (to - 1) / 8);
        if self.0.len() <= last {
            self.0.resize(last + 1, 0);
        }
        for (index, byte) in self.0.iter_mut().enumerate().take(last + 1).skip(first) {
            let mut bits = u8::MAX;
            if index == first {
                bits &= u8::MAX << (from % 8);
            }
            if index == last {
                bits &= u8::MAX >> (7 - (to - 1) % 8);
            }
            *byte |= bits;
        }
    }

    /// How much of a movie, in whole percent, rounded down: 100 is all of it.
    pub fn percent_of(&self, duration_ms: u64) -> u8 {
        let seconds = second(duration_ms).max(1);
        let (whole, rest) = (seconds / 8, seconds % 8);
        let ones = |byte: &u8| usize::try_from(byte.count_ones()).unwrap_or(0);
        let mut watched: usize = self.0.iter().take(whole).map(ones).sum();
        if let Some(byte) = self.0.get(whole) {
            watched += ones(&(byte & !(u8::MAX << rest)));
        }
        u8::try_from(watched * 100 / seconds).unwrap_or(100)
    }

    /// How long the parts are together.
    pub fn seconds(&self) -> u32 {
        self.0.iter().map(|byte| byte.count_ones()).sum()
    }
}

/// The nearest one.
fn second(ms: u64) -> usize {
    usize::try_from((ms.min(MAX_POSITION_MS) + 500) / 1000).unwrap_or(usize::MAX)
}

/// As hexadecimal digits.
impl Serialize for Watched {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let digit = |nibble: u8| char::from_digit(nibble.into(), 16).unwrap_or('0');
        let text: String =
            self.0.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect();
        serializer.serialize_str(&text)
    }
}

impl<'de> Deserialize<'de> for Watched {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = text.as_bytes().chunks(2).map(|pair| {
            let digits = std::str::from_utf8(pair).ok().filter(|digits| digits.len() == 2)?;
            u8::from_str_radix(digits, 16).ok()
        });
        bytes
            .collect::<Option<Vec<u8>>>()
            .map(Self)
            .ok_or_else(|| Error::custom("not hexadecimal digits"))
    }
}
