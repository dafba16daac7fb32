//! What words have in common that people take for the same.

use caseless::Caseless;
use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};
use unicode_segmentation::UnicodeSegmentation;

/// The words of a text (Unicode's, UAX 29), each folded.
pub(super) fn words(text: &str) -> Vec<String> {
    // A word of a language that writes none apart, such as Japanese, is a character or a few.
    fold(text).unicode_words().map(str::to_owned).collect()
}

/// Without case, accents and compatibility forms: "ÉCLAIR", "e\u{301}clair" and "ｅclair" become
/// "eclair".
fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    for c in text.nfkd().default_case_fold().nfkd().filter(|c| !is_combining_mark(*c)) {
        match c {
            'a'..='z' | '0'..='9' | ' ' => folded.push(c),
            // "L'Éclisse" is looked for as "eclisse", "Schindler’s List" as "schindler".
            '\'' | '\u{2019}' => folded.push(' '),
            // Letters with a stroke and ligatures have no decomposition: "ø" is an "o".
            '\u{C0}'..='\u{24F}' => {
                folded.push_str(deunicode::deunicode_char(c).unwrap_or_default());
            }
            c => folded.push(c),
        }
    }
    // Syllables of Hangul, which were taken apart, become whole again.
    folded.nfc().collect::<String>().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_take_for_the_same_is_the_same() {
        for (text, expected) in [
            ("The Éclair", &["the", "eclair"][..]),
            ("L'Éclisse", &["l", "eclisse"]),
            ("e\u{301}CLAIR", &["eclair"]),
            ("Ｆｕｌｌ ｗｉｄｔｈ", &["full", "width"]),
            ("Straße STRASSE", &["strasse", "strasse"]),
            ("Smørrebrød, Łódź & Ærø", &["smorrebrod", "lodz", "aero"]),
            ("Schindler’s list (1993)", &["schindler", "s", "list", "1993"]),
            ("ΟΔΥΣΣΕΥΣ Οδυσσεύς", &["οδυσσευσ", "οδυσσευσ"]),
            ("ЁЛКИ ёлки", &["елки", "елки"]),
            ("İstanbul", &["istanbul"]),
            ("기생충", &["기생충"]),
            ("となりのトトロ", &["と", "な", "り", "の", "トトロ"]),
            ("七人の侍", &["七", "人", "の", "侍"]),
            ("Spider-Man: (500) days", &["spider", "man", "500", "days"]),
            ("  \t…!", &[]),
        ] {
            assert_eq!(words(text), expected, "{text}");
        }
    }
}
