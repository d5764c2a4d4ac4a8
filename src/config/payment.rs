//! Payment: `[payment]` of site.toml.

use serde::Deserialize;
use toml::Spanned;

use crate::commerce::rules::Market;
use crate::gateway::stripe;
use crate::site::load::written::Place;
use crate::site::problem::Problems;
use crate::theme::bundle::PaymentTerms;

/// `[payment]`.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct WrittenPayment {
    gateway: Option<Spanned<GatewayName>>,
    allow_sandbox_on_public_host: bool,
    methods: Option<Spanned<Vec<Spanned<String>>>>,
    account: Option<Spanned<String>>,
    stripe: WrittenStripe,
}

/// `[payment.stripe]`.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct WrittenStripe {
    page: Option<Spanned<PageName>>,
}

/// Where Stripe's form stands.
#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum PageName {
    /// On Stripe's own page.
    Hosted,
    /// On the shop's.
    Element,
}

/// The gateways site.toml may name.
#[derive(Clone, Copy, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum GatewayName {
    #[default]
    Sandbox,
    Stripe,
}

impl WrittenPayment {
    pub(super) fn checked(self, markets: &[Market], place: Place<'_>, problems: &mut Problems) -> PaymentTerms {
        let name = self.gateway.as_ref().map(|gateway| *gateway.get_ref()).unwrap_or_default();
        if let Some(gateway) = self.gateway.as_ref().filter(|_| name == GatewayName::Stripe) {
            for market in markets.iter().filter(|market| !stripe::takes(market.currency)) {
                let message = format!("Stripe does not take {}, the currency of market `{}`", market.currency, market.id);
                problems.push(place.problem(gateway, message));
            }
        }
        if let Some(methods) = self.methods.as_ref().filter(|methods| methods.get_ref().is_empty()) {
            problems.push(place.problem(methods, "there is no way of paying").hint("write [\"card\"]"));
        }
        let written = self.methods.map_or_else(Vec::new, Spanned::into_inner);
        for method in written.iter().filter(|method| !stripe::methods().any(|known| known == method.get_ref())) {
            let known: Vec<&str> = stripe::methods().collect();
            let message = format!("`{}` is not a way of paying that is known here", method.get_ref());
            problems.push(place.problem(method, message).hint(format!("write some of {}", known.join(", "))));
        }
        if let Some(account) = self.account.as_ref().filter(|account| !account.get_ref().starts_with("acct_")) {
            problems.push(place.problem(account, "an account's name begins with acct_"));
        }
        let element = self.stripe.page.as_ref().filter(|page| *page.get_ref() == PageName::Element);
        if let Some(page) = element {
            if name != GatewayName::Stripe {
                let message = "the form of Stripe belongs to `gateway = \"stripe\"`";
                problems.push(place.problem(page, message).hint("write that as well, or leave this out"));
            }
            for method in written.iter().filter(|method| !stripe::fits_element(method.get_ref())) {
                let message = format!("`{}` cannot be paid by Stripe's form on the shop's page", method.get_ref());
                problems.push(place.problem(method, message).hint("leave it out, or write page = \"hosted\""));
            }
            if let Some((held, other)) = mixed(&written) {
                let taken = other.get_ref();
                let message =
                    format!("`{taken}` takes money at once, and `{held}` holds it first: Stripe's form does one of both");
                problems.push(place.problem(other, message).hint("leave out those of one kind, or write page = \"hosted\""));
            }
        }
        let element = element.is_some();
        let methods: Vec<String> = written.into_iter().map(Spanned::into_inner).collect();
        PaymentTerms {
            gateway: if name == GatewayName::Stripe { "stripe" } else { "sandbox" }.to_owned(),
            allow_sandbox_on_public_host: self.allow_sandbox_on_public_host,
            methods: if methods.is_empty() { vec!["card".to_owned()] } else { methods },
            account: self.account.map(Spanned::into_inner),
            element,
        }
    }
}

/// The first method that holds money, and the first that does not, where there are both.
fn mixed(methods: &[Spanned<String>]) -> Option<(&str, &Spanned<String>)> {
    let holds = |method: &&Spanned<String>| stripe::holds(method.get_ref());
    let held = methods.iter().find(holds)?;
    Some((held.get_ref(), methods.iter().find(|method| !holds(method))?))
}
