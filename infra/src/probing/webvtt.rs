//! Counts the cues that a browser would take from a WebVTT file: the parser of the WebVTT
//! specification (sections 6.1 to 6.3), without what it does with a cue's text and settings.
//!
//! Own code because a caption is good when viewers' players show it: the published crates refuse
//! what browsers accept, or panic on style and region blocks.

use std::{iter::Peekable, str::Split};

use super::ProbeError;

/// The cues of a file, or why it has none.
pub fn count_cues(bytes: &[u8]) -> Result<u32, ProbeError> {
    // As browsers decode it: what is not UTF-8 is replaced, not refused.
    let text = String::from_utf8_lossy(bytes).replace("\r\n", "\n").replace('\r', "\n");
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let mut lines = text.split('\n').peekable();
    let signature = lines.next().and_then(|line| line.strip_prefix("WEBVTT"));
    if !signature.is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t'])) {
        return Err(ProbeError::NotWebVtt);
    }
    skip_header(&mut lines);
    let mut cues = 0;
    while lines.peek().is_some() {
        cues += u32::from(block_has_cue(&mut lines));
    }
    if cues == 0 { Err(ProbeError::NoCues) } else { Ok(cues) }
}

type Lines<'a> = Peekable<Split<'a, char>>;

/// Everything up to an empty line belongs to the header; a cue's timings end it without one.
fn skip_header(lines: &mut Lines<'_>) {
    while let Some(line) = lines.next_if(|line| !line.contains("-->")) {
        if line.is_empty() {
            return;
        }
    }
}

/// Takes one block: up to an empty line, or up to timings that cannot be this block's.
fn block_has_cue(lines: &mut Lines<'_>) -> bool {
    let (mut has_cue, mut seen_arrow) = (false, false);
    let mut line_number = 0_u32;
    loop {
        line_number = line_number.saturating_add(1);
        // Timings stand in the first line, or in the second after an identifier.
        let may_be_timings = line_number == 1 || (line_number == 2 && !seen_arrow);
        let Some(line) = lines.next_if(|line| may_be_timings || !line.contains("-->")) else {
            return has_cue;
        };
        if line.contains("-->") {
            seen_arrow = true;
            has_cue = are_timings(line);
        } else if line.is_empty() {
            return has_cue;
        }
    }
}

fn are_timings(line: &str) -> bool {
    let mut rest = trim(line);
    timestamp(&mut rest)
        && take(&mut rest, |rest| trim(rest).strip_prefix("-->").map(trim))
        && timestamp(&mut rest)
}

/// What follows a timestamp is a setting, and a wrong setting is no matter.
fn timestamp(rest: &mut &str) -> bool {
    let Some((first, first_digits)) = number(rest) else { return false };
    let has_hours = first_digits != 2 || first > 59;
    let colon = |rest: &mut &str| take(rest, |rest| rest.strip_prefix(':'));
    let two_digits = |rest: &mut &str| number(rest).filter(|(_, digits)| *digits == 2);
    if !colon(rest) {
        return false;
    }
    let Some((second, _)) = two_digits(rest) else { return false };
    let (minutes, seconds) = if has_hours || rest.starts_with(':') {
        if !colon(rest) {
            return false;
        }
        let Some((third, _)) = two_digits(rest) else { return false };
        (second, third)
    } else {
        (first, second)
    };
    take(rest, |rest| rest.strip_prefix('.'))
        && number(rest).is_some_and(|(_, digits)| digits == 3)
        && minutes <= 59
        && seconds <= 59
}

/// Digits, as a number and how many there are. Hours may have any number of them.
fn number(rest: &mut &str) -> Option<(u64, usize)> {
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let (number, after) = rest.split_at(digits);
    *rest = after;
    // Only an overflow fails to parse here, and it is more than 59.
    (digits > 0).then(|| (number.parse().unwrap_or(u64::MAX), digits))
}

fn take<'a>(rest: &mut &'a str, step: impl FnOnce(&'a str) -> Option<&'a str>) -> bool {
    step(rest).map(|after| *rest = after).is_some()
}

fn trim(text: &str) -> &str {
    text.trim_start_matches([' ', '\t', '\u{c}'])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cues(text: &str) -> Result<u32, ProbeError> {
        count_cues(text.as_bytes())
    }

    #[test]
    fn the_signature_decides_whether_it_is_webvtt() {
        let cue = "\n\n00:00.000 --> 00:01.000\ntext\n";
        for signature in ["WEBVTT", "\u{feff}WEBVTT", "WEBVTT a title", "WEBVTT\ttitle"] {
            assert_eq!(cues(&format!("{signature}{cue}")), Ok(1), "{signature:?}");
        }
        for signature in ["", "webvtt", "WEBVTTx", " WEBVTT", "1", "\u{feff}\u{feff}WEBVTT"] {
            let refused = Err(ProbeError::NotWebVtt);
            assert_eq!(cues(&format!("{signature}{cue}")), refused, "{signature:?}");
        }
    }

    #[test]
    fn cues_are_found_in_any_block() {
        let text = "WEBVTT\r\nKind: captions\r\n\r\n\
            NOTE a comment\r\n\r\n\
            STYLE\r\n::cue { color: red }\r\n\r\n\
            REGION\r\nid:a\r\n\r\n\
            first\r\n00:01.000 --> 00:02.000 align:start\r\nOne\r\ntwo lines\r\n\r\n\
            100:00:00.000-->100:00:01.000\r\n\r\n\
            00:00:03.000 --> 00:00:04.000\r\nThree\r\n00:00:05.000 --> 00:00:06.000\r\nFour";
        assert_eq!(cues(text), Ok(4));
        assert_eq!(cues("WEBVTT\r\r00:00.000 --> 00:01.000\rold line ends"), Ok(1));
        assert_eq!(cues("WEBVTT\n00:00.000 --> 00:01.000\nno empty line"), Ok(1));
    }

    #[test]
    fn a_cue_with_wrong_timings_does_not_count() {
        for timings in [
            "00:60.000 --> 01:00.000",
            "00:00:60.000 --> 00:01:00.000",
            "00:60:00.000 --> 01:00:00.000",
            "0:00.000 --> 00:01.000",
            "00:00 --> 00:01",
            "00:00.00 --> 00:01.00",
            "00:00,000 --> 00:01,000",
            "00:00.000 -> 00:01.000",
            "00:00.000 --> ",
            "x00:00.000 --> 00:01.000",
            "99999999999999999999999 --> 00:01.000",
        ] {
            let refused = Err(ProbeError::NoCues);
            assert_eq!(cues(&format!("WEBVTT\n\n{timings}\ntext\n")), refused, "{timings}");
        }
    }

    #[test]
    fn an_empty_file_has_no_cues() {
        assert_eq!(cues("WEBVTT"), Err(ProbeError::NoCues));
        assert_eq!(cues("WEBVTT\n\n\n\n"), Err(ProbeError::NoCues));
        assert_eq!(cues("WEBVTT 00:00.000 --> 00:01.000\ntext"), Err(ProbeError::NoCues));
    }

    #[test]
    fn bytes_that_are_not_utf8_do_not_hide_cues() {
        assert_eq!(count_cues(b"WEBVTT\n\n00:00.000 --> 00:01.000\n\xff\xfe\n"), Ok(1));
    }
}
