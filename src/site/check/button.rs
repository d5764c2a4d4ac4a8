//! Button: what the order's button says (Directive 2011/83/EU, Article 8(2)): only a label that leaves no doubt of paying binds the shopper.

use std::collections::BTreeSet;

use crate::commerce::rules::Rules;
use crate::site::problem::{Kind, Problem, Problems};
use crate::theme::texts::Dictionary;

/// The text of the button.
const KEY: &str = "checkout.buy";

/// Labels that say it, by language: those of the directive and of national law, and the usual ones that courts let stand.
const LAWFUL: [(&str, &[&str]); 4] = [
    ("de", &["Zahlungspflichtig bestellen", "Kostenpflichtig bestellen", "Jetzt kaufen", "Kaufen"]),
    ("en", &["Buy now", "Order with obligation to pay", "Pay now"]),
    ("es", &["Pedido con obligación de pago", "Pedir con obligación de pago", "Comprar ahora", "Pagar ahora"]),
    (
        "fr",
        &[
            "Commander avec obligation de paiement",
            "Commande avec obligation de paiement",
            "Acheter maintenant",
            "Payer maintenant",
        ],
    ),
];

/// Warns of a button that says something else, in markets whose law asks for it.
pub fn problems(texts: &Dictionary, rules: &Rules) -> Problems {
    let mut problems = Problems::new();
    let markets = rules.markets.iter().filter(|market| market.consumer_law.is_eu());
    let languages: BTreeSet<&str> = markets.map(|market| market.language.as_str()).collect();
    for language in languages {
        let base = language.split('-').next().unwrap_or(language);
        let Some((_, lawful)) = LAWFUL.iter().find(|(known, _)| *known == base) else { continue };
        let said = texts.texts(language);
        let label = said.plain(KEY);
        if !lawful.iter().any(|known| known.to_lowercase() == label.to_lowercase()) {
            let message = format!("the order's button says `{label}`, which may not bind the shopper to pay");
            let file = format!("templates/texts/{language}.toml");
            let hint = format!("write one of these as `buy` under [checkout]: {}", lawful.join(", "));
            problems.push(Problem::about(&file, message).of(Kind::Law).warning().hint(hint));
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_theme_says_is_lawful_in_every_language() {
        for (language, lawful) in LAWFUL {
            let texts = Dictionary::new(Vec::new(), language, &[]).texts(language);
            assert!(lawful.contains(&texts.plain(KEY)), "{language}: {}", texts.plain(KEY));
        }
    }
}
