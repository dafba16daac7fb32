//! Language codes: all of ISO 639-1, and nothing else.

use marquee_domain::values::{LanguageCode, ValueError};

/// The 183 codes of ISO 639-1:2002 with its later additions and withdrawals.
const ISO_639_1: &str = "\
    aa ab ae af ak am an ar as av ay az ba be bg bi bm bn bo br bs ca ce ch co cr cs cu cv cy da de \
    dv dz ee el en eo es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy hz ia \
    id ie ig ii ik io is it iu ja jv ka kg ki kj kk kl km kn ko kr ks ku kv kw ky la lb lg li ln lo \
    lt lu lv mg mh mi mk ml mn mr ms mt my na nb nd ne ng nl nn no nr nv ny oc oj om or os pa pi pl \
    ps pt qu rm rn ro ru rw sa sc sd se sg si sk sl sm sn so sq sr ss st su sv sw ta te tg th ti tk \
    tl tn to tr ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo za zh zu";

#[test]
fn every_code_of_the_standard_is_taken() {
    assert_eq!(ISO_639_1.split_whitespace().count(), 183);
    for code in ISO_639_1.split_whitespace() {
        assert_eq!(LanguageCode::parse(code).map(|c| c.to_string()), Ok(code.to_owned()));
    }
}

#[test]
fn of_all_pairs_of_letters_no_other_one_is_taken() {
    let letters = || 'a'..='z';
    let taken: Vec<String> = letters()
        .flat_map(|first| letters().map(move |second| format!("{first}{second}")))
        .filter(|code| LanguageCode::parse(code).is_ok())
        .filter(|code| !ISO_639_1.split_whitespace().any(|known| known == code))
        .collect();
    assert_eq!(taken, [""; 0]);
}

#[test]
fn what_is_no_code_is_refused() {
    for text in ["", "e", "EN", "En", "eng", "en-US", "xx", "zz", " en", "en ", "ｅｎ", "e\u{301}"]
    {
        assert_eq!(LanguageCode::parse(text), Err(ValueError::NotALanguage), "{text:?}");
    }
}
