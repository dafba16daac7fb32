//! Slugs: ASCII from any script, bounded, never empty.

use marquee_domain::values::{Slug, Title};
use proptest::prelude::*;

fn slug(title: &str) -> String {
    Slug::from_title(&Title::parse(title).unwrap()).as_str().to_owned()
}

#[test]
fn every_script_becomes_ascii_words() {
    for (title, expected) in [
        ("Dune: Part Two", "dune-part-two"),
        ("Ben-Hur", "ben-hur"),
        ("Ben Hur", "ben-hur"),
        ("Amélie", "amelie"),
        ("Ame\u{301}lie", "amelie"),
        ("Das Boot – Straße", "das-boot-strasse"),
        ("Москва слезам не верит", "moskva-slezam-ne-verit"),
        ("英雄", "ying-xiong"),
        ("Ὀδύσσεια", "odusseia"),
        ("Schindler's List", "schindlers-list"),
        ("Schindler’s List", "schindlers-list"),
        ("2001: A Space Odyssey", "2001-a-space-odyssey"),
        ("  WALL·E  ", "wall-e"),
        ("Fight ﬁre & flood", "fight-fire-flood"),
    ] {
        assert_eq!(slug(title), expected, "{title}");
    }
}

#[test]
fn an_emoji_is_called_by_its_name() {
    assert_eq!(slug("🎬"), "clapper");
}

#[test]
fn a_title_without_letters_has_a_slug_all_the_same() {
    for title in ["!!!", "?", "…", "- - -"] {
        assert_eq!(slug(title), "movie", "{title}");
    }
}

#[test]
fn a_long_title_is_cut_at_a_word() {
    let long = slug(&"abcdefghi ".repeat(25));
    assert_eq!(long, "abcdefghi-".repeat(8) + "abcdefghi");
    assert_eq!(long.len(), 89);
    // One letter more in each word, and the last one does not fit any more.
    assert_eq!(slug(&"abcdefghij ".repeat(22)), ["abcdefghij"; 8].join("-"));
    // One word has no boundary to be cut at.
    assert_eq!(slug(&"a".repeat(255)), "a".repeat(89));
}

#[test]
fn when_a_slug_is_taken_the_next_one_has_a_number() {
    let first = Slug::from_title(&Title::parse("Ben-Hur").unwrap());
    let numbered: Vec<String> = (0..4).map(|n| first.numbered(n).as_str().to_owned()).collect();
    assert_eq!(numbered, ["ben-hur", "ben-hur", "ben-hur-2", "ben-hur-3"]);
}

#[test]
fn the_longest_slug_with_the_longest_number_still_fits() {
    let longest = Slug::from_title(&Title::parse(&"a".repeat(255)).unwrap());
    let numbered = longest.numbered(u32::MAX);
    assert_eq!(numbered.as_str().len(), 100);
    assert_eq!(Slug::parse(numbered.as_str()), Some(numbered));
}

#[test]
fn what_no_title_could_have_made_is_no_slug() {
    for text in [
        "",
        "-",
        "-dune",
        "dune-",
        "du--ne",
        "Dune",
        "dune part",
        "dune/part",
        "düne",
        "dune_2",
        "dune.",
        "%64une",
    ] {
        assert_eq!(Slug::parse(text), None, "{text:?}");
    }
    assert_eq!(Slug::parse(&"a".repeat(101)), None);
    assert!(Slug::parse(&"a".repeat(100)).is_some());
}

proptest! {
    #[test]
    fn every_title_has_a_slug_that_is_one(text in any::<String>()) {
        if let Ok(title) = Title::parse(&text) {
            let slug = Slug::from_title(&title);
            prop_assert_eq!(Slug::parse(slug.as_str()), Some(slug.clone()));
            let numbered = slug.numbered(u32::MAX);
            prop_assert_eq!(Slug::parse(numbered.as_str()), Some(numbered));
        }
    }
}
