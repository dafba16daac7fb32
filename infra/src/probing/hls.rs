//! Reads an HLS playlist (RFC 8216) line by line, without building it in memory: what a hostile
//! playlist costs is the bytes it has.
//!
//! [`read`] takes down what is there, as leniently as players do; [`Reading::check`] then applies
//! the rules under which it can be measured.

use std::borrow::Cow;

use quick_m3u8::{
    custom_parsing::tag,
    tag::{
        UnknownTag,
        hls::{EnumeratedString, Inf, Key, Media as MediaTag, MediaType, SessionKey},
    },
};

use super::{ProbeError, protection::Protection};

/// A day. A longer segment is no segment, and the sum of any playlist stays finite.
const MAX_SEGMENT_SECONDS: f64 = 86_400.0;

/// What one playlist says.
#[derive(Debug, Clone, Default, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "facts, each independent of the others")]
pub struct Reading {
    /// The first line is `#EXTM3U`, as every playlist's must be.
    pub begins_as_playlist: bool,
    /// It has tags of a multivariant ("master") playlist.
    pub has_master_tags: bool,
    /// It has tags of a media playlist.
    pub has_media_tags: bool,
    /// Distinct URIs, in the order written, never more than the limit given to [`read`].
    pub variants: Vec<String>,
    /// The same of audio and video renditions.
    pub renditions: Vec<String>,
    /// There were more of either than the limit.
    pub too_many_variants: bool,
    /// Segments with a duration, and the sum of those.
    pub measured_segments: u32,
    pub seconds: f64,
    /// Segments without `EXTINF`, or with one that is not a duration.
    pub unmeasured_segments: u32,
    pub ended: bool,
    pub protection: Protection,
}

/// A playlist that can be measured.
#[derive(Debug, Clone, PartialEq)]
pub enum Playlist {
    Master(Master),
    Media(Media),
}

#[derive(Debug, Clone, PartialEq)]
pub struct Master {
    /// Not empty.
    pub variants: Vec<String>,
    pub renditions: Vec<String>,
    /// From `EXT-X-SESSION-KEY`.
    pub session_keys: Protection,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Media {
    pub seconds: f64,
    pub ended: bool,
    pub protection: Protection,
}

/// Reads a playlist, taking down at most `max_variants` variants and as many renditions.
pub fn read(text: &str, max_variants: usize) -> Reading {
    let mut reading = Reading {
        begins_as_playlist: text.lines().next().is_some_and(|line| line.trim_end() == "#EXTM3U"),
        ..Reading::default()
    };
    let mut last = Last::Nothing;
    // Trimmed: packagers leave white space that the parser takes literally.
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if !line.starts_with('#') {
            reading.take_uri(line, &last, max_variants);
            last = Last::Nothing;
        } else if let Ok(parsed) = tag::parse(&without_loose_spaces(line)) {
            reading.take_tag(parsed.parsed, &mut last, max_variants);
        }
        // Else a comment, which the specification has clients ignore.
    }
    reading
}

/// What the lines before a URI said of it.
enum Last {
    Nothing,
    StreamInf,
    Inf(Option<f64>),
}

impl Reading {
    /// The rules, in the order in which a reader of the answer would want them.
    pub fn check(self, max_variants: usize) -> Result<Playlist, ProbeError> {
        if !self.begins_as_playlist || self.has_master_tags == self.has_media_tags {
            return Err(ProbeError::NotAPlaylist);
        }
        if self.has_master_tags {
            if self.too_many_variants || self.variants.len() + self.renditions.len() > max_variants
            {
                return Err(ProbeError::TooManyVariants { max: max_variants });
            }
            if self.variants.is_empty() {
                return Err(ProbeError::NoVariants);
            }
            let Self { variants, renditions, protection: session_keys, .. } = self;
            return Ok(Playlist::Master(Master { variants, renditions, session_keys }));
        }
        if self.unmeasured_segments > 0 {
            return Err(ProbeError::SegmentWithoutDuration);
        }
        if self.measured_segments == 0 {
            return Err(ProbeError::NoSegments);
        }
        let Self { seconds, ended, protection, .. } = self;
        Ok(Playlist::Media(Media { seconds, ended, protection }))
    }

    fn take_uri(&mut self, uri: &str, last: &Last, max_variants: usize) {
        match last {
            Last::StreamInf => {
                self.too_many_variants |= !add(&mut self.variants, uri, max_variants);
            }
            Last::Inf(Some(seconds)) => {
                self.measured_segments += 1;
                self.seconds += seconds;
            }
            Last::Inf(None) | Last::Nothing => self.unmeasured_segments += 1,
        }
    }

    fn take_tag(&mut self, tag: UnknownTag<'_>, last: &mut Last, max_variants: usize) {
        match tag.name() {
            // A tag whose attributes are unreadable still says what its URI is.
            "-X-STREAM-INF" => {
                self.has_master_tags = true;
                *last = Last::StreamInf;
            }
            "-X-I-FRAME-STREAM-INF" | "-X-SESSION-DATA" => self.has_master_tags = true,
            "-X-MEDIA" => {
                self.has_master_tags = true;
                if let Some(uri) = rendition(tag) {
                    self.too_many_variants |= !add(&mut self.renditions, &uri, max_variants);
                }
            }
            "-X-SESSION-KEY" => {
                self.has_master_tags = true;
                match SessionKey::try_from(tag) {
                    Ok(key) => self.protection.add_key(key.method(), key.keyformat()),
                    Err(_) => self.protection.add_unreadable_key(),
                }
            }
            "-X-KEY" => {
                self.has_media_tags = true;
                match Key::try_from(tag) {
                    Ok(key) => self.protection.add_key(key.method(), key.keyformat()),
                    Err(_) => self.protection.add_unreadable_key(),
                }
            }
            "INF" => {
                self.has_media_tags = true;
                let seconds = Inf::try_from(tag).ok().map(|inf| inf.duration());
                *last = Last::Inf(seconds.filter(|s| (0.0..=MAX_SEGMENT_SECONDS).contains(s)));
            }
            "-X-ENDLIST" => {
                self.has_media_tags = true;
                self.ended = true;
            }
            "-X-TARGETDURATION" | "-X-MEDIA-SEQUENCE" | "-X-PLAYLIST-TYPE" | "-X-MAP" => {
                self.has_media_tags = true;
            }
            _ => {}
        }
    }
}

/// The playlist of an audio or video rendition, if it has one of its own.
fn rendition(tag: UnknownTag<'_>) -> Option<String> {
    let media = MediaTag::try_from(tag).ok()?;
    match media.media_type() {
        EnumeratedString::Known(MediaType::Audio | MediaType::Video) => {
            media.uri().map(ToOwned::to_owned)
        }
        _ => None,
    }
}

/// Adds `uri` unless it is there already; false when there is no room for it.
fn add(uris: &mut Vec<String>, uri: &str, max: usize) -> bool {
    if uris.iter().any(|known| known == uri) {
        return true;
    }
    if uris.len() == max {
        return false;
    }
    uris.push(uri.to_owned());
    true
}

/// Packagers write `A=1, B=2`; taken literally, the second name would be " B", and a `KEYFORMAT`
/// that goes unseen makes DRM look like a plain key.
fn without_loose_spaces(line: &str) -> Cow<'_, str> {
    if !line.contains(", ") {
        return Cow::Borrowed(line);
    }
    let (mut quoted, mut after_comma) = (false, false);
    let tight = line.chars().filter(|c| {
        quoted ^= *c == '"';
        let loose = *c == ' ' && after_comma && !quoted;
        after_comma = *c == ',' || loose;
        !loose
    });
    Cow::Owned(tight.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: usize = 8;

    fn check(text: &str) -> Result<Playlist, ProbeError> {
        read(text, MAX).check(MAX)
    }

    fn media(text: &str) -> Media {
        match check(text) {
            Ok(Playlist::Media(media)) => media,
            other => panic!("expected a media playlist, got {other:?}"),
        }
    }

    fn master(text: &str) -> Master {
        match check(text) {
            Ok(Playlist::Master(master)) => master,
            other => panic!("expected a multivariant playlist, got {other:?}"),
        }
    }

    #[test]
    fn a_media_playlist_is_summed() {
        let vod = media(
            "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:9.009,\na.ts\n#EXTINF:3.5, x\nb.ts\n#EXT-X-ENDLIST\n",
        );
        assert!((vod.seconds - 12.509).abs() < 1e-9);
        assert!(vod.ended);
        let live = media("#EXTM3U\r\n#EXTINF:6\r\n  a.ts  \r\n \r\n");
        assert!((live.seconds - 6.0).abs() < 1e-9);
        assert!(!live.ended);
    }

    #[test]
    fn a_multivariant_playlist_lists_each_uri_once() {
        let text = "#EXTM3U\n\
            #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"English\",URI=\"en/index.m3u8\"\n\
            #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"b\",NAME=\"English\",URI=\"en/index.m3u8\"\n\
            #EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID=\"s\",NAME=\"English\",URI=\"subs/en.m3u8\"\n\
            #EXT-X-STREAM-INF:BANDWIDTH=1000,AUDIO=\"a\"\nlow.m3u8\n\
            #EXT-X-STREAM-INF:BANDWIDTH=2000,AUDIO=\"a\"\nhigh.m3u8\n\
            #EXT-X-STREAM-INF:BANDWIDTH=2500,AUDIO=\"b\"\nhigh.m3u8\n";
        let master = master(text);
        assert_eq!(master.variants, ["low.m3u8", "high.m3u8"]);
        assert_eq!(master.renditions, ["en/index.m3u8"]);
    }

    #[test]
    fn a_key_format_after_a_loose_space_is_seen() {
        let text = "#EXTM3U\n\
            #EXT-X-KEY:METHOD=SAMPLE-AES, URI=\"skd://x, y\", \
            KEYFORMAT=\"com.apple.streamingkeydelivery\"\n\
            #EXTINF:1,\na.ts\n";
        assert_eq!(media(text).protection.drm_systems.iter().collect::<Vec<_>>(), [&"FAIRPLAY"]);
        assert_eq!(without_loose_spaces("A=\"x, y\",  B=1"), "A=\"x, y\",B=1");
    }

    #[test]
    fn a_key_without_a_method_is_not_taken_for_no_key() {
        let text = "#EXTM3U\n#EXT-X-KEY:URI=\"key\"\n#EXTINF:1,\na.ts\n";
        assert_eq!(media(text).protection.class(), Err(ProbeError::UnknownEncryption));
    }

    #[test]
    fn a_session_key_belongs_to_the_multivariant_playlist() {
        let text = "#EXTM3U\n\
            #EXT-X-SESSION-KEY:METHOD=SAMPLE-AES,URI=\"data:x\",\
            KEYFORMAT=\"com.microsoft.playready\"\n\
            #EXT-X-STREAM-INF:BANDWIDTH=1\nv.m3u8\n";
        assert!(master(text).session_keys.drm_systems.contains("PLAYREADY"));
    }

    #[test]
    fn what_is_no_playlist_is_refused() {
        for text in [
            "",
            "#EXTM3U\n",
            "\u{feff}#EXTM3U\n#EXTINF:1,\na.ts\n",
            "<html></html>",
            "#EXTINF:1,\na.ts\n",
            "#EXTM3U\n#EXTINF:1,\na.ts\n#EXT-X-STREAM-INF:BANDWIDTH=1\nv.m3u8\n",
        ] {
            assert_eq!(check(text), Err(ProbeError::NotAPlaylist), "{text:?}");
        }
    }

    #[test]
    fn a_segment_that_cannot_be_measured_spoils_the_sum() {
        for inf in ["", "#EXTINF:,\n", "#EXTINF:-1,\n", "#EXTINF:nan,\n", "#EXTINF:inf,\n"] {
            let text = format!("#EXTM3U\n#EXTINF:1,\na.ts\n{inf}b.ts\n#EXT-X-ENDLIST\n");
            assert_eq!(check(&text), Err(ProbeError::SegmentWithoutDuration), "{inf:?}");
        }
        assert_eq!(check("#EXTM3U\n#EXT-X-ENDLIST\n"), Err(ProbeError::NoSegments));
    }

    #[test]
    fn variants_are_limited_while_reading() {
        let variants = (0..1_000).map(|n| format!("#EXT-X-STREAM-INF:BANDWIDTH=1\nv{n}.m3u8\n"));
        let text = format!("#EXTM3U\n{}", variants.collect::<String>());
        assert_eq!(read(&text, MAX).variants.len(), MAX);
        assert_eq!(check(&text), Err(ProbeError::TooManyVariants { max: MAX }));
        assert_eq!(
            check("#EXTM3U\n#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=1,URI=\"i.m3u8\"\n"),
            Err(ProbeError::NoVariants)
        );
    }
}
