//! Surcharge: options that add to a product's price in another shop. Here every variant has a price of its own, and to sell such a product
//! without its surcharges would be to sell it too cheap: it is left out, and told with what to write instead.

use super::intake::Intake;
use super::table::Cell;

/// An option that changes the price.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Surcharge<'a> {
    /// What is chosen.
    pub(super) choice: String,
    /// What it adds, as it was written.
    pub(super) amount: &'a str,
}

impl<'a> Surcharge<'a> {
    /// None where nothing is added: `0.0000`.
    pub(super) fn of(choice: String, amount: &'a str) -> Option<Self> {
        amount.contains(|sign: char| matches!(sign, '1'..='9')).then_some(Self { choice, amount })
    }

    /// Leaves the product out whose options `cell` holds.
    pub(super) fn leave_out(self, intake: &mut Intake<'_>, cell: Cell<'_>) {
        let message = format!("`{}` changes the price by {}; this product is left out", self.choice, self.amount);
        let problem = intake.problem(cell, message).left_out();
        let hint = "make every choice a variant with a price of its own, in the export or as a file in content/products/";
        intake.problems.push(problem.hint(hint));
    }
}
