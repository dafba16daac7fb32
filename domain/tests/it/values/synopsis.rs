//! The synopsis: free text with a limit.

use marquee_domain::values::{Synopsis, ValueError};

#[test]
fn line_breaks_and_tabs_are_part_of_a_text() {
    let text = "First.\r\n\n\tSecond.";
    assert_eq!(Synopsis::parse(text).unwrap().as_str(), text);
    assert_eq!(Synopsis::parse("  Chariots. \n").unwrap().as_str(), "Chariots.");
}

#[test]
fn what_is_no_synopsis_is_refused() {
    for (text, error) in [
        (String::new(), ValueError::Empty),
        (" \n ".to_owned(), ValueError::Empty),
        ("a\0b".to_owned(), ValueError::ControlCharacter),
        ("a\u{1B}[31mb".to_owned(), ValueError::ControlCharacter),
        ("é".repeat(10_001), ValueError::TooLong { max: 10_000, actual: 10_001 }),
    ] {
        assert_eq!(Synopsis::parse(&text), Err(error));
    }
    assert!(Synopsis::parse(&"🎬".repeat(10_000)).is_ok());
}
