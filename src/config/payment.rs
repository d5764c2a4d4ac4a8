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
        let methods: Vec<String> = written.into_iter().map(Spanned::into_inner).collect();
        PaymentTerms {
            gateway: if name == GatewayName::Stripe { "stripe" } else { "sandbox" }.to_owned(),
            allow_sandbox_on_public_host: self.allow_sandbox_on_public_host,
            methods: if methods.is_empty() { vec!["card".to_owned()] } else { methods },
            account: self.account.map(Spanned::into_inner),
        }
    }
}
