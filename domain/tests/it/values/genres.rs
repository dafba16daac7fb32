//! Genres: at least one, each once.

use marquee_domain::values::{Genres, ValueError};

#[test]
fn genres_keep_their_order_and_their_spelling() {
    let genres = Genres::parse(&["Science Fiction", " Drama "]).unwrap();
    assert_eq!(genres.as_slice(), ["Science Fiction", "Drama"]);
}

#[test]
fn a_genre_is_there_once_whatever_its_case() {
    let genres = Genres::parse(&["Drama", "DRAMA", "drama ", "Épopée", "épopée"]).unwrap();
    assert_eq!(genres.as_slice(), ["Drama", "Épopée"]);
}

#[test]
fn what_are_no_genres_is_refused() {
    let none: [&str; 0] = [];
    assert_eq!(Genres::parse(&none), Err(ValueError::NoEntries));
    assert_eq!(Genres::parse(&["Drama", " "]), Err(ValueError::Empty));
    assert_eq!(Genres::parse(&["Dra\nma"]), Err(ValueError::ControlCharacter));
    assert_eq!(Genres::parse(&["d".repeat(51)]), Err(ValueError::TooLong { max: 50, actual: 51 }));
    assert!(Genres::parse(&["d".repeat(50)]).is_ok());
}

#[test]
fn there_are_twenty_at_most() {
    let names: Vec<String> = (0..21).map(|n| format!("genre {n}")).collect();
    assert!(Genres::parse(&names[..20]).is_ok());
    assert_eq!(Genres::parse(&names), Err(ValueError::TooManyEntries { max: 20, actual: 21 }));
}
