//! Titles, and when two of them are one.

use marquee_domain::values::{Title, ValueError};
use proptest::prelude::*;
use unicode_normalization::UnicodeNormalization;

fn key(text: &str) -> String {
    Title::parse(text).unwrap().key().as_str().to_owned()
}

#[test]
fn a_title_is_kept_as_written_but_for_the_space_around_it() {
    for (given, kept) in [
        ("Dune", "Dune"),
        ("  Dune\t", "Dune"),
        ("DUNE:  Part\u{A0}Two", "DUNE:  Part\u{A0}Two"),
        ("Ame\u{301}lie", "Ame\u{301}lie"),
    ] {
        assert_eq!(Title::parse(given).unwrap().as_str(), kept);
    }
}

#[test]
fn what_is_no_title_is_refused() {
    for (text, error) in [
        ("", ValueError::Empty),
        (" \t\u{3000}", ValueError::Empty),
        ("\u{200B}\u{AD}\u{FEFF}", ValueError::Empty),
        ("\u{3164}", ValueError::Empty), // Hangul filler: looks like nothing
        ("\u{E0041}\u{FE0F}", ValueError::Empty),
        ("Du\nne", ValueError::ControlCharacter),
        ("Du\0ne", ValueError::ControlCharacter),
        ("Du\u{85}ne", ValueError::ControlCharacter),
    ] {
        assert_eq!(Title::parse(text), Err(error), "{text:?}");
    }
}

#[test]
fn its_length_is_counted_in_characters() {
    for letter in ["a", "é", "映", "🎬"] {
        assert!(Title::parse(&letter.repeat(255)).is_ok());
        assert_eq!(
            Title::parse(&letter.repeat(256)),
            Err(ValueError::TooLong { max: 255, actual: 256 })
        );
    }
    assert_eq!(
        Title::parse(&"a".repeat(10_000)),
        Err(ValueError::TooLong { max: 255, actual: 10_000 })
    );
}

/// One character of Arabic presentation forms stands for a phrase of 18; the key's column has 512.
#[test]
fn a_title_whose_key_would_be_too_long_is_refused() {
    assert_eq!(key("\u{FDFA}").chars().count(), 18);
    assert!(Title::parse(&"\u{FDFA}".repeat(28)).is_ok());
    assert_eq!(
        Title::parse(&"\u{FDFA}".repeat(29)),
        Err(ValueError::TooLong { max: 512, actual: 522 })
    );
}

#[test]
fn titles_that_look_the_same_but_for_case_are_one() {
    for (one, other) in [
        ("Dune", "DUNE"),
        ("STRASSE", "straße"),
        ("STRASSE", "STRAẞE"),
        ("Ὀδυσσεύς", "ὈΔΥΣΣΕΎΣ"),         // final and inner sigma
        ("Amélie", "Ame\u{301}lie"),      // NFC and NFD
        ("AMÉLIE", "ame\u{301}lie"),      // and in another case
        ("Ｄｕｎｅ", "Dune"),             // full width
        ("ﬁght", "FIGHT"),                // ligature
        ("Rocky Ⅱ", "Rocky II"),          // Roman numeral
        ("E=mc²", "E=mc2"),               // superscript
        ("Dune  2", "Dune 2"),            // inner white space
        ("Dune\u{A0}2", "Dune 2"),        // no-break space
        ("Dune\u{3000}2", "Dune 2"),      // ideographic space
        ("Du\u{200B}ne", "Dune"),         // zero-width space
        ("Du\u{AD}ne", "Dune"),           // soft hyphen
        ("\u{202E}Dune\u{202C}", "Dune"), // directional marks
        ("Dune\u{FE0F}", "Dune"),         // variation selector
        ("Dune\u{E0041}", "Dune"),        // tag character
        ("Dune\u{3164}", "Dune"),         // Hangul filler
        ("Cafe\u{200D}\u{301}", "Café"),  // a joiner between letter and accent
        ("ゴジラ", "コ\u{3099}シ\u{3099}ラ"),
        ("ｺﾞｼﾞﾗ", "ゴジラ"), // half width
        ("한국", "\u{1112}\u{1161}\u{11AB}\u{1100}\u{116E}\u{11A8}"),
    ] {
        assert_eq!(key(one), key(other), "{one:?} and {other:?}");
    }
}

#[test]
fn titles_that_differ_are_two() {
    for (one, other) in [
        ("Dune", "Dunes"),
        ("Amélie", "Amelie"),   // an accent is no case
        ("Ben-Hur", "Ben Hur"), // two titles, one slug
        ("Dune 2", "Dune2"),
        ("Dune", "Dune!"),
        ("Аlien", "Alien"), // a Cyrillic letter that looks Latin: told apart by no caseless match
        ("コジラ", "ゴジラ"),
    ] {
        assert_ne!(key(one), key(other), "{one:?} and {other:?}");
    }
}

/// Case folding knows no languages (Unicode's default folding, without its Turkic option): in
/// Turkish, "I" is the capital of "ı" and "İ" that of "i", but "I" folds to "i", and the others
/// stay themselves.
#[test]
fn turkish_letters_fold_as_everywhere_else() {
    assert_eq!(key("KIZ"), key("kiz"));
    assert_ne!(key("KIZ"), key("kız"));
    assert_ne!(key("İSTANBUL"), key("istanbul"));
    assert_eq!(key("İSTANBUL"), key("i\u{307}stanbul"));
}

/// Spaces that only the key folds do not make another title, wherever they are.
#[test]
fn space_that_only_normalisation_reveals_at_the_ends_is_folded_too() {
    assert_eq!(key("\u{200B} Dune \u{200B}"), key("Dune"));
}

fn forms(text: &str) -> [String; 6] {
    [
        text.to_lowercase(),
        text.to_uppercase(),
        text.nfc().collect(),
        text.nfd().collect(),
        text.nfkc().collect(),
        text.nfkd().collect(),
    ]
}

proptest! {
    /// Unicode's own definition (section 3.13, D146) is the yardstick.
    #[test]
    fn what_unicode_calls_a_compatibility_caseless_match_is_one_title(text in "\\PC{1,12}") {
        for form in forms(&text) {
            if caseless::compatibility_caseless_match_str(&text, &form)
                && let (Ok(title), Ok(other)) = (Title::parse(&text), Title::parse(&form))
            {
                prop_assert_eq!(title.key(), other.key(), "{:?} {:?}", text, form);
            }
        }
    }

    #[test]
    fn invisible_characters_and_other_spaces_make_no_other_title(text in "\\PC{1,12}") {
        let between: String = text.chars().flat_map(|c| ['\u{200B}', c]).collect();
        for form in [between, text.replace(' ', "\u{2003} ")] {
            if let (Ok(title), Ok(other)) = (Title::parse(&text), Title::parse(&form)) {
                prop_assert_eq!(title.key(), other.key(), "{:?} {:?}", text, form);
            }
        }
    }

    #[test]
    fn the_key_of_a_key_is_itself(text in "\\PC{1,12}") {
        if let Ok(title) = Title::parse(&text) {
            let key = title.key();
            prop_assert_eq!(Title::parse(key.as_str()).unwrap().key(), key, "{:?}", text);
        }
    }

    #[test]
    fn parsing_never_panics(text in any::<String>()) {
        let _ = Title::parse(&text).map(|title| title.key());
    }
}
