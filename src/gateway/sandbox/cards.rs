//! Cards: what each test number does.
//!
//! Source  the test numbers that shops already know by heart (CHECKOUT.md 2.1).

/// What the bank says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The money is held.
    Approved,
    /// A definitive no, with its code.
    Declined(&'static str),
    /// First a second step; then this, if the shopper passes it.
    SecondStep(&'static str),
}

/// Why a number is no card at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NotACard {
    #[error("Write the card number in digits; 4242 4242 4242 4242 always works here.")]
    Digits,
    #[error("This card number has a typing error. 4242 4242 4242 4242 always works here.")]
    Checksum,
}

/// A judged number: what is kept of it, and what its bank says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Card {
    /// Brand and last four digits.
    pub(super) label: String,
    pub(super) verdict: Verdict,
}

/// Reads a typed number (blanks and hyphens are harmless).
pub(super) fn judge(typed: &str) -> Result<Card, NotACard> {
    let digits: String = typed.chars().filter(|sign| !matches!(sign, ' ' | '-')).collect();
    if !(12..=19).contains(&digits.len()) || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(NotACard::Digits);
    }
    if !passes_luhn(&digits) {
        return Err(NotACard::Checksum);
    }
    let brand = match digits.as_bytes()[0] {
        b'4' => "Visa",
        b'5' | b'2' => "Mastercard",
        b'3' => "American Express",
        _ => "Card",
    };
    let verdict = match digits.as_str() {
        // The second is kept gladly and refused once it is charged; the third's second step is out of order.
        "4000000000000002" | "4000000000000341" | "4000008400001280" => Verdict::Declined("card_declined"),
        "4000000000009995" => Verdict::Declined("insufficient_funds"),
        "4000000000000069" => Verdict::Declined("expired_card"),
        "4000000000000119" => Verdict::Declined("processing_error"),
        "4000002500003155" | "4000002760003184" | "4000000000003220" => Verdict::SecondStep(""),
        "4000008260003178" => Verdict::SecondStep("insufficient_funds"),
        "4000008400001629" => Verdict::SecondStep("card_declined"),
        _ => Verdict::Approved,
    };
    Ok(Card { label: format!("{brand} {}", &digits[digits.len() - 4..]), verdict })
}

// ISO/IEC 7812-1, annex B.
fn passes_luhn(digits: &str) -> bool {
    let sum: u32 = digits
        .bytes()
        .rev()
        .enumerate()
        .map(|(place, byte)| {
            let digit = u32::from(byte - b'0');
            match (place % 2, digit * 2) {
                (0, _) => digit,
                (_, doubled) if doubled > 9 => doubled - 9,
                (_, doubled) => doubled,
            }
        })
        .sum();
    sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(typed: &str, expected: Result<Verdict, NotACard>) {
        assert_eq!(judge(typed).map(|card| card.verdict), expected, "{typed}");
    }

    #[test]
    fn test_numbers_do_what_shops_expect() {
        check("4242 4242 4242 4242", Ok(Verdict::Approved));
        for number in ["4000-0000-0000-0002", "4000000000000341", "4000008400001280"] {
            check(number, Ok(Verdict::Declined("card_declined")));
        }
        check("4000000000009995", Ok(Verdict::Declined("insufficient_funds")));
        check("4000000000000069", Ok(Verdict::Declined("expired_card")));
        check("4000002760003184", Ok(Verdict::SecondStep("")));
        check("4000008260003178", Ok(Verdict::SecondStep("insufficient_funds")));
        check("5555555555554444", Ok(Verdict::Approved));
        check("4242424242424241", Err(NotACard::Checksum));
        check("", Err(NotACard::Digits));
        check("4242x", Err(NotACard::Digits));
        check("٤٢٤٢٤٢٤٢٤٢٤٢٤٢٤٢", Err(NotACard::Digits));
    }

    #[test]
    fn only_the_last_four_digits_are_kept() {
        assert_eq!(judge("4242424242424242").expect("a card").label, "Visa 4242");
    }
}
