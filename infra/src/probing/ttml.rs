//! Counts the captions of a TTML document (and so of IMSC, a profile of it): pieces of content
//! that show at some time.

use std::collections::HashSet;

use roxmltree::{Document, Node, NodeId, ParsingOptions};

use super::ProbeError;

const TTML: &str = "http://www.w3.org/ns/ttml";

/// The parser compares each attribute with the others of its element, and each element's
/// namespaces with those in scope. So many are read in no time; a file without these limits could
/// keep a core busy for minutes.
const MAX_ATTRIBUTES_PER_ELEMENT: usize = 512;
const MAX_NAMESPACE_DECLARATIONS: usize = 512;

/// The paragraphs (and images) that are timed, or why there are none.
pub fn count_cues(bytes: &[u8]) -> Result<u32, ProbeError> {
    let text = str::from_utf8(bytes).map_err(|_| ProbeError::NotUtf8)?;
    if !is_cheap_to_parse(text) {
        return Err(ProbeError::NotTtml);
    }
    // No document type: it is where XML hides files to include and entities that explode.
    let options = ParsingOptions { allow_dtd: false, ..ParsingOptions::default() };
    let document = Document::parse_with_options(text, options).map_err(|_| ProbeError::NotTtml)?;
    let root = document.root_element();
    if !is_ttml(root, "tt") {
        return Err(ProbeError::NotTtml);
    }
    match root.children().find(|child| is_ttml(*child, "body")).map_or(0, timed_content) {
        0 => Err(ProbeError::NoCues),
        cues => Ok(u32::try_from(cues).unwrap_or(u32::MAX)),
    }
}

/// Bounds on what the parser's cost grows with faster than with the file's size. A `<` cannot
/// stand in an attribute, so what lies between two of them holds all the attributes of one element.
fn is_cheap_to_parse(text: &str) -> bool {
    let attributes_of = |tag: &str| tag.bytes().filter(|byte| *byte == b'=').count();
    let mut tags = text.split('<').filter(|tag| !tag.starts_with('!'));
    tags.all(|tag| attributes_of(tag) <= MAX_ATTRIBUTES_PER_ELEMENT)
        && text.matches("xmlns").count() <= MAX_NAMESPACE_DECLARATIONS
}

/// The paragraphs with timed text, and the timed images, below `body`. One pass, by a stack of our
/// own: a document may nest deeper than the call stack.
fn timed_content(body: Node<'_, '_>) -> usize {
    let mut cues: HashSet<NodeId> = HashSet::new();
    let mut open = vec![(body, Around::default())];
    while let Some((node, around)) = open.pop() {
        if node.is_text() {
            let shown = node.text().is_some_and(|text| !text.trim().is_empty());
            cues.extend(around.paragraph.filter(|_| shown && around.timed));
            continue;
        }
        let around = around.inside(node);
        if around.timed && is_image(node) {
            cues.insert(node.id());
        }
        // Styles and metadata are not content, whatever text they hold.
        open.extend(node.children().filter(|c| is_content(*c)).map(|child| (child, around)));
    }
    cues.len()
}

/// What a node inherits.
#[derive(Clone, Copy, Default)]
struct Around {
    timed: bool,
    paragraph: Option<NodeId>,
}

impl Around {
    fn inside(self, node: Node<'_, '_>) -> Self {
        let paragraph = if is_ttml(node, "p") { Some(node.id()) } else { self.paragraph };
        Self { timed: self.timed || is_timed(node), paragraph }
    }
}

fn is_ttml(node: Node<'_, '_>, name: &str) -> bool {
    node.has_tag_name((TTML, name))
}

fn is_content(node: Node<'_, '_>) -> bool {
    node.is_text() || ["div", "p", "span", "image"].iter().any(|name| is_ttml(node, name))
}

/// IMSC's image profile: an image element, or a division with a background image.
fn is_image(node: Node<'_, '_>) -> bool {
    is_ttml(node, "image") || node.attributes().any(|a| a.name() == "backgroundImage")
}

fn is_timed(node: Node<'_, '_>) -> bool {
    ["begin", "end", "dur"].iter().any(|name| node.attribute(*name).is_some_and(is_time))
}

/// A time expression: `hh:mm:ss`, with a fraction or frames, or an offset such as `7.5s`.
fn is_time(text: &str) -> bool {
    is_clock_time(text.trim()) || is_offset_time(text.trim())
}

fn is_clock_time(text: &str) -> bool {
    let mut parts = text.split(':');
    let (Some(hours), Some(minutes), Some(seconds)) = (parts.next(), parts.next(), parts.next())
    else {
        return false;
    };
    let frames = parts.next();
    let two_digits = |text: &str| text.len() == 2 && is_digits(text);
    let fits =
        hours.len() >= 2 && is_digits(hours) && two_digits(minutes) && parts.next().is_none();
    match frames {
        None => {
            let (whole, fraction) = seconds.split_once('.').unwrap_or((seconds, "0"));
            fits && two_digits(whole) && is_digits(fraction)
        }
        Some(frames) => {
            let (whole, sub_frames) = frames.split_once('.').unwrap_or((frames, "0"));
            fits && two_digits(seconds)
                && whole.len() >= 2
                && is_digits(whole)
                && is_digits(sub_frames)
        }
    }
}

fn is_offset_time(text: &str) -> bool {
    let number = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let metric = &text[number.len()..];
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    ["h", "m", "s", "ms", "f", "t"].contains(&metric) && is_digits(whole) && is_digits(fraction)
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cues(body: &str) -> Result<u32, ProbeError> {
        count_cues(format!("<tt xmlns=\"{TTML}\"><head/><body>{body}</body></tt>").as_bytes())
    }

    #[test]
    fn timed_paragraphs_are_counted_wherever_the_time_is_given() {
        assert_eq!(cues("<div><p begin='0s' end='1s'>One</p><p begin='1s'>Two</p></div>"), Ok(2));
        assert_eq!(cues("<div begin='00:00:01.5'><p>One</p><p>Two</p></div>"), Ok(2));
        assert_eq!(
            cues("<div><p><span dur='00:00:01:12'>A</span> <span>B</span></p></div>"),
            Ok(1)
        );
        assert_eq!(cues("<div begin='5s' x:backgroundImage='a' xmlns:x='urn:x'/>"), Ok(1));
    }

    #[test]
    fn a_document_without_timed_content_has_no_cues() {
        for body in [
            "",
            "<div><p>never timed</p></div>",
            "<div><p begin='0s'> </p></div>",
            "<div><p begin='soon'>when?</p></div>",
            "<div begin='0s'><metadata><p>not content</p></metadata></div>",
            "<p xmlns='urn:other' begin='0s'>another language</p>",
        ] {
            assert_eq!(cues(body), Err(ProbeError::NoCues), "{body}");
        }
    }

    #[test]
    fn only_a_ttml_root_will_do() {
        for text in
            ["", "WEBVTT", "<html/>", "<tt/>", "<tt xmlns='http://www.w3.org/2006/ns/x'/>", "<tt"]
        {
            assert_eq!(count_cues(text.as_bytes()), Err(ProbeError::NotTtml), "{text}");
        }
        assert_eq!(count_cues(b"<tt>\xff</tt>"), Err(ProbeError::NotUtf8));
        let prefixed = format!(
            "\u{feff}<?xml version=\"1.0\"?>\
             <t:tt xmlns:t=\"{TTML}\"><t:body><t:p end=\"1h\">Hi</t:p></t:body></t:tt>"
        );
        assert_eq!(count_cues(prefixed.as_bytes()), Ok(1));
    }

    #[test]
    fn a_document_type_is_refused() {
        let bomb = format!(
            "<!DOCTYPE tt [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;\">]>\
             <tt xmlns=\"{TTML}\"><body><p begin=\"0s\">&b;</p></body></tt>"
        );
        assert_eq!(count_cues(bomb.as_bytes()), Err(ProbeError::NotTtml));
        assert_eq!(cues("<p begin='0s'>&undeclared;</p>"), Err(ProbeError::NotTtml));
    }

    #[test]
    fn shapes_that_parsers_choke_on_are_read_or_refused() {
        let deep = "<span>".repeat(100_000) + "x" + &"</span>".repeat(100_000);
        assert_eq!(cues(&format!("<p begin='0s'>{deep}</p>")), Ok(1));

        let repeated = |text: fn(u32) -> String| (0..100_000).map(text).collect::<String>();
        let attributes = repeated(|n| format!(" a{n}=''"));
        let namespaces = repeated(|n| format!("<p xmlns:n{n}='u'>"));
        assert_eq!(cues(&format!("<p begin='0s'{attributes}>x</p>")), Err(ProbeError::NotTtml));
        assert_eq!(cues(&namespaces), Err(ProbeError::NotTtml));
    }

    #[test]
    fn time_expressions_are_clock_times_or_offsets() {
        for time in ["00:00:01", "100:00:01.25", "00:00:01:12", "00:00:01:12.1", "1.5s", "10t"] {
            assert!(is_time(time), "{time}");
        }
        for time in ["", "1", "s", "0:00:01", "00:01", "00:00:1", "00:00:01:1", "1.s", "-1s", "1 s"]
        {
            assert!(!is_time(time), "{time}");
        }
    }
}
