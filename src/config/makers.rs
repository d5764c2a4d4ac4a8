//! Makers: `[[makers]]` of site.toml, who makes what the shop sells and who answers for them in the European Union.

use serde::Deserialize;
use toml::Spanned;

use super::check_origin;
use crate::commerce::rules::ConsumerLaw;
use crate::edge::perform::mail::check_mailbox;
use crate::site::load::written::Place;
use crate::site::problem::{Kind, Problems};
use crate::theme::countries;
use crate::theme::view::{Maker, Party};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenMaker {
    name: Spanned<String>,
    address: Spanned<Vec<String>>,
    country: Spanned<String>,
    contact: Spanned<String>,
    responsible: Option<WrittenResponsible>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenResponsible {
    name: Spanned<String>,
    address: Spanned<Vec<String>>,
    contact: Spanned<String>,
}

/// All makers, each name once.
pub(super) fn checked(written: Vec<WrittenMaker>, place: Place<'_>, problems: &mut Problems) -> Vec<Maker> {
    let mut makers: Vec<Maker> = Vec::new();
    for WrittenMaker { name, address, country, contact, responsible } in written {
        if makers.iter().any(|other| other.party.name == *name.get_ref()) {
            problems.push(place.problem(&name, format!("there are two makers `{}`", name.get_ref())));
            continue;
        }
        let code = country.get_ref();
        if countries::name(code).is_none() {
            let problem = place.problem(&country, format!("`{code}` is not a country of ISO 3166-1"));
            problems.push(problem.hint("write two capital letters, such as \"DE\""));
        } else if responsible.is_none() && !ConsumerLaw::of(std::slice::from_ref(code)).is_eu() {
            let message = format!("`{}` is not in the European Union, and nobody answers for it there", name.get_ref());
            let hint =
                "write responsible = { name = \"…\", address = [\"…\"], contact = \"…\" }: importer, agent or fulfilment service";
            problems.push(place.problem(&country, message).hint(hint).of(Kind::Law));
        }
        let responsible = responsible.map(|one| party(one.name, one.address, one.contact, place, problems));
        makers.push(Maker { party: party(name, address, contact, place, problems), responsible });
    }
    makers
}

fn party(
    name: Spanned<String>,
    address: Spanned<Vec<String>>,
    contact: Spanned<String>,
    place: Place<'_>,
    problems: &mut Problems,
) -> Party {
    if address.get_ref().is_empty() {
        let problem = place.problem(&address, "a postal address has at least one line");
        problems.push(problem.hint("write address = [\"Main Street 1\", \"10115 Berlin\", \"Germany\"]"));
    }
    let text = contact.get_ref();
    let page = text.split('/').take(3).collect::<Vec<_>>().join("/");
    let is_mailbox = text.contains('@') && !text.contains(['<', ' ']) && check_mailbox(text).is_ok();
    if !is_mailbox && (!text.starts_with("https://") || check_origin(&page).is_err()) {
        let problem = place.problem(&contact, format!("`{text}` is neither an e-mail address nor the address of a page"));
        problems.push(problem.hint("write contact = \"hello@maker.example\" or \"https://maker.example/contact\""));
    }
    Party { name: name.into_inner(), address: address.into_inner(), contact: contact.into_inner() }
}
