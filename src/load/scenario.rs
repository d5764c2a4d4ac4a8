//! Scenario: what a shopper does, step by step.
//!
//! Owns    the steps there are, what each needs before it, the scenarios that are built in, and who shops.
//! Source  the HTTP contract (README, "The HTTP contract"): the steps of a browser with script, over JSON, and the sandbox's own page.

use std::time::Duration;

/// One request of a shopper, or the few that belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// Sees the page of a product, of another one each time.
    Page,
    /// Its script asks for price and stock.
    Availability,
    /// Puts a unit into the cart.
    Add,
    /// Looks at the cart.
    Cart,
    /// Opens a checkout and tells contact and address.
    Open,
    /// Chooses how it is sent; a quote is frozen.
    Details,
    /// Presses the button that buys.
    Pay,
    /// Types a card's number at the sandbox: its page, and the form.
    Card,
    /// Comes back to the shop.
    Return,
    /// Sees the order.
    Order,
    /// Asks how the checkout stands, as the page that waits does.
    Look,
    /// Calls the payment off.
    Cancel,
}

impl Step {
    /// All of them, in the order of a purchase.
    pub const ALL: [Self; 12] = [
        Self::Page,
        Self::Availability,
        Self::Add,
        Self::Cart,
        Self::Open,
        Self::Details,
        Self::Pay,
        Self::Card,
        Self::Return,
        Self::Order,
        Self::Look,
        Self::Cancel,
    ];

    /// Its name in scenarios, thresholds and reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Page => "page",
            Self::Availability => "availability",
            Self::Add => "add",
            Self::Cart => "cart",
            Self::Open => "open",
            Self::Details => "details",
            Self::Pay => "pay",
            Self::Card => "card",
            Self::Return => "return",
            Self::Order => "order",
            Self::Look => "look",
            Self::Cancel => "cancel",
        }
    }

    /// The step of that name.
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|step| step.name() == name)
    }

    /// What has to come before it.
    pub fn needs(self) -> Option<Self> {
        match self {
            Self::Page | Self::Availability | Self::Add | Self::Cart => None,
            Self::Open => Some(Self::Add),
            Self::Details | Self::Look => Some(Self::Open),
            Self::Pay => Some(Self::Details),
            Self::Card | Self::Cancel => Some(Self::Pay),
            Self::Return => Some(Self::Card),
            Self::Order => Some(Self::Return),
        }
    }

    /// Whether it is the shop's part of a checkout: from opening to the order, without the gateway's own page.
    pub fn is_checkout(self) -> bool {
        matches!(self, Self::Open | Self::Details | Self::Pay | Self::Return | Self::Order | Self::Look | Self::Cancel)
    }
}

/// What the sandbox's bank says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Card {
    /// Yes.
    Good,
    /// No.
    Declined,
    /// Too little money.
    Poor,
    /// It has run out.
    Expired,
    /// It asks for a second step, which the shopper passes.
    Secure,
}

impl Card {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Good, Self::Declined, Self::Poor, Self::Expired, Self::Secure];

    /// Its name in scenarios.
    pub fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Declined => "declined",
            Self::Poor => "poor",
            Self::Expired => "expired",
            Self::Secure => "secure",
        }
    }

    /// The card of that name.
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|card| card.name() == name)
    }

    /// The sandbox's number for it.
    pub fn number(self) -> &'static str {
        match self {
            Self::Good => "4242424242424242",
            Self::Declined => "4000000000000002",
            Self::Poor => "4000000000009995",
            Self::Expired => "4000000000000069",
            Self::Secure => "4000002760003184",
        }
    }
}

/// What one kind of shopper does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scenario {
    /// Its name in reports.
    pub name: String,
    /// How many of all shoppers, beside the other scenarios' weights.
    pub weight: u32,
    /// In this order.
    pub steps: Vec<Step>,
    /// What it is paid with.
    pub card: Card,
    /// The shortest and the longest time between two steps.
    pub pause: (Duration, Duration),
    /// What everybody buys; `None`: what lots decide.
    pub sku: Option<String>,
    /// Whether all buy the same, which lots decide where no SKU is named.
    pub same: bool,
    /// Units.
    pub quantity: u32,
    /// How often a step that was refused under load is tried again, each time after as long as the shop says.
    pub retries: u32,
}

impl Scenario {
    /// With these steps, and nothing else said.
    pub fn of(name: &str, weight: u32, steps: &[Step]) -> Self {
        Self {
            name: name.to_owned(),
            weight,
            steps: steps.to_vec(),
            card: Card::Good,
            pause: (Duration::ZERO, Duration::ZERO),
            sku: None,
            same: false,
            quantity: 1,
            retries: 0,
        }
    }

    /// Whether it has a step.
    pub fn has(&self, step: Step) -> bool {
        self.steps.contains(&step)
    }

    /// The first step that lacks what it needs, by its place, and what it needs.
    pub fn gap(&self) -> Option<(usize, Step)> {
        self.steps.iter().enumerate().find_map(|(place, step)| {
            let needed = step.needs().filter(|needed| !self.steps[..place].contains(needed))?;
            Some((place, needed))
        })
    }
}

/// Names of the scenarios that are built in.
pub const BUILT_IN: [&str; 7] = ["browse", "add", "checkout", "decline", "abandon", "flash-sale", "mix"];

/// A built-in scenario, which may be several with weights.
pub fn built_in(name: &str) -> Option<Vec<Scenario>> {
    use Step::{Add, Availability, Card as GiveCard, Cart, Details, Open, Order, Page, Pay, Return};
    const BROWSE: [Step; 6] = [Page, Availability, Page, Availability, Page, Availability];
    const ADD: [Step; 4] = [Page, Availability, Add, Cart];
    const ABANDON: [Step; 6] = [Page, Availability, Add, Cart, Open, Details];
    const BUY: [Step; 10] = [Page, Availability, Add, Cart, Open, Details, Pay, GiveCard, Return, Order];
    let decline = |weight| Scenario { card: Card::Declined, ..Scenario::of("decline", weight, &BUY[..9]) };
    Some(match name {
        "browse" => vec![Scenario::of(name, 1, &BROWSE)],
        "add" => vec![Scenario::of(name, 1, &ADD)],
        "checkout" => vec![Scenario::of(name, 1, &BUY)],
        "decline" => vec![decline(1)],
        "abandon" => vec![Scenario::of(name, 1, &ABANDON)],
        "flash-sale" => vec![Scenario { same: true, ..Scenario::of(name, 1, &BUY[1..]) }],
        // Of a hundred shoppers some seventy look around and three or four buy, as shops tell of themselves.
        "mix" => vec![
            Scenario::of("browse", 70, &BROWSE),
            Scenario::of("add", 17, &ADD),
            Scenario::of("abandon", 8, &ABANDON),
            decline(1),
            Scenario::of("checkout", 4, &BUY),
        ],
        _ => return None,
    })
}

/// Who shops: every one has the same name and address, and an e-mail of their own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// Who opens the door.
    pub name: String,
    /// Street and number.
    pub line1: String,
    /// Town.
    pub city: String,
    /// State or province code; may be empty.
    pub region: String,
    /// Postal code.
    pub postal_code: String,
    /// ISO 3166-1 alpha-2.
    pub country: String,
    /// What stands after the @: a name that is nobody's (RFC 2606) unless told otherwise.
    pub mail_host: String,
}

impl Default for Person {
    fn default() -> Self {
        let text = str::to_owned;
        Self {
            name: text("Ada Example"),
            line1: text("Lindenweg 4"),
            city: text("Berlin"),
            region: String::new(),
            postal_code: text("10115"),
            country: text("DE"),
            mail_host: text("load.example"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_scenario_can_be_walked() {
        for name in BUILT_IN {
            let scenarios = built_in(name).unwrap_or_else(|| panic!("{name}"));
            for scenario in scenarios {
                assert_eq!(scenario.gap(), None, "{scenario:?}");
                assert!(scenario.weight > 0 && !scenario.steps.is_empty(), "{scenario:?}");
            }
        }
        assert_eq!(built_in("flash"), None);
    }

    #[test]
    fn a_step_without_what_it_needs_is_found() {
        let gap = |steps: &[Step]| Scenario::of("x", 1, steps).gap();
        assert_eq!(gap(&[Step::Page, Step::Pay]), Some((1, Step::Details)));
        assert_eq!(gap(&[Step::Open, Step::Add]), Some((0, Step::Add)));
        assert_eq!(gap(&[Step::Cart, Step::Add, Step::Open, Step::Look]), None);
    }

    #[test]
    fn names_are_read_as_they_are_written() {
        assert!(Step::ALL.iter().all(|step| Step::of(step.name()) == Some(*step)));
        assert!(Card::ALL.iter().all(|card| Card::of(card.name()) == Some(*card)));
    }
}
