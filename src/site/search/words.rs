//! Words: how texts become words that are looked for, the same way in the index and in the field where a shopper types.
//!
//! Always  static/search.js folds what is typed by the same rules: compatibility forms and marks fall away (`É` is `e`), letters that are
//!         written otherwise elsewhere are spelled out (`ß` is `ss`), apostrophes vanish, and a word is a run of letters and digits. Signs
//!         of Chinese and Japanese, which are written without blanks, are words of their own.

use icu_normalizer::DecomposingNormalizerBorrowed;

/// Letters of one word that count; what is longer is no word that anybody types.
const MAX_LETTERS: usize = 32;

/// Calls `take` with every word of a text, folded.
pub(super) fn words(text: &str, take: &mut impl FnMut(&str)) {
    let mut word = String::new();
    let mut letters = 0;
    let mut end = |word: &mut String, letters: &mut usize| {
        if !word.is_empty() {
            take(word);
            word.clear();
        }
        *letters = 0;
    };
    let mut one = |letter: char| {
        if is_ideograph(letter) {
            end(&mut word, &mut letters);
            word.push(letter);
            end(&mut word, &mut letters);
        } else if letter.is_alphanumeric() {
            letters += 1;
            if letters <= MAX_LETTERS {
                word.push(letter);
            }
        } else if !matches!(letter, '\'' | '’' | '\u{ad}') {
            end(&mut word, &mut letters);
        }
    };
    if text.is_ascii() {
        text.bytes().for_each(|byte| one(byte.to_ascii_lowercase().into()));
    } else {
        let decomposed = DecomposingNormalizerBorrowed::new_nfkd().normalize_iter(text.chars().flat_map(char::to_lowercase));
        for letter in decomposed.flat_map(char::to_lowercase).filter(|letter| !is_mark(*letter)) {
            match spelled_out(letter) {
                Some(letters) => letters.chars().for_each(&mut one),
                None => one(letter),
            }
        }
    }
    // A blank ends the last word.
    one(' ');
}

/// Whether a word is a code, such as `rx480`: found as it is or by its beginning, since one sign more makes it another thing.
pub(super) fn is_code(word: &str) -> bool {
    word.chars().any(char::is_numeric)
}

// Accents of Latin, Greek and Cyrillic; marks that other scripts need to be read stay.
fn is_mark(letter: char) -> bool {
    matches!(letter, '\u{300}'..='\u{36f}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}' | '\u{20d0}'..='\u{20ff}')
}

fn is_ideograph(letter: char) -> bool {
    matches!(letter, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}')
}

fn spelled_out(letter: char) -> Option<&'static str> {
    Some(match letter {
        'ß' => "ss",
        'æ' => "ae",
        'œ' => "oe",
        'ø' => "o",
        'ł' => "l",
        'đ' | 'ð' => "d",
        'þ' => "th",
        'ı' => "i",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[&str]) {
        let mut found = Vec::new();
        words(text, &mut |word| found.push(word.to_owned()));
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn accents_and_cases_fall_away() {
        check("Émile's CAFÉ", &["emiles", "cafe"]);
        check("Große Mütze, Øre & Łódź", &["grosse", "mutze", "ore", "lodz"]);
        check("İstanbul ﬁn", &["istanbul", "fin"]);
        check("RX-480 4,5 mm²", &["rx", "480", "4", "5", "mm2"]);
        check("  … ", &[]);
    }

    #[test]
    fn scripts_without_blanks_are_cut_into_signs() {
        check("木製 lamp", &["木", "製", "lamp"]);
        check("лампа Ламбда", &["лампа", "ламбда"]);
    }

    #[test]
    fn a_word_without_end_is_cut() {
        check(&"a".repeat(100), &[&"a".repeat(MAX_LETTERS)]);
    }
}
