//! Customer: letters about an order, each as text and as HTML, in the language of the order.
//!
//! Always  made of stored rows alone, so that a letter that is sent twice after a crash is one in the customer's program.

use lettre::message::{MultiPart, SinglePart};

use super::{Letter, MailError, headed};
use crate::commerce::fulfillment::Fulfillment;
use crate::commerce::ids::Timestamp;
use crate::commerce::money::Money;
use crate::commerce::order::Order;
use crate::commerce::withdrawal::Withdrawal;
use crate::edge::checkout_reply::{fulfillment_reply, order_reply, rfc3339, time_of_day, withdrawal_reply};
use crate::edge::key_ring::KeyRing;
use crate::edge::live::Live;
use crate::theme::engine::Values;
use crate::theme::texts::Say;

/// A letter before it is put into an envelope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// One line.
    pub subject: String,
    /// For programs that show text.
    pub text: String,
    /// For all others.
    pub html: String,
}

/// What every letter is made with.
#[derive(Clone, Copy, Debug)]
pub struct Desk<'a> {
    /// The shop.
    pub live: &'a Live,
    /// Signs links.
    pub keys: &'a KeyRing,
    /// What it is about.
    pub order: &'a Order,
}

impl Desk<'_> {
    /// The order is paid.
    ///
    /// Errors: a template of the shop's own that fails.
    pub fn confirmation(&self) -> Result<Page, MailError> {
        self.page(Say::of("mail.subject"), "order", Values::new())
    }

    /// Money is on its way back. `reason` is for the customer, and may be empty.
    ///
    /// Errors: a template of the shop's own that fails.
    pub fn refund(&self, amount: Money, reason: &str) -> Result<Page, MailError> {
        let values = Values::new().with("amount", &amount).with("reason", &reason);
        self.page(Say::of("mail.refund_subject").with_money("amount", amount), "refund", values)
    }

    /// Units of the order are on their way.
    ///
    /// Errors: a template of the shop's own that fails.
    pub fn sent(&self, sent: &Fulfillment) -> Result<Page, MailError> {
        let subject = if sent.completes { "mail.sent_subject" } else { "mail.sent_part_subject" };
        let values = Values::new().with("parcel", &fulfillment_reply(self.order, sent)).with("is_all", &sent.completes);
        self.page(Say::of(subject), "sent", values)
    }

    /// What the customer declared was received: the acknowledgement that the law asks for.
    ///
    /// Errors: a template of the shop's own that fails.
    pub fn withdrawal(&self, declared: &Withdrawal) -> Result<Page, MailError> {
        let values = Values::new().with("withdrawal", &withdrawal_reply(self.order, declared));
        let at = declared.created_at;
        let values = values.with("received_at", &rfc3339(at)).with("time", &time_of_day(at));
        self.page(Say::of("mail.withdrawn_subject"), "withdrawal", values)
    }

    /// The named templates with the order, its shop and whatever else they print.
    fn page(&self, subject: Say, template: &str, values: Values) -> Result<Page, MailError> {
        let quote = &self.order.quote;
        let site = self.live.speaking(&quote.language, &quote.market);
        let reply = order_reply(self.live, self.keys, self.order, &[], false);
        let subject = subject.with("shop", &site.name).with("number", &reply.number).text(site);
        let values = values.with("order", &reply).with("subject", &subject);
        let values = values.with_value("site", self.live.speaking_value(&quote.language, &quote.market));
        let print = |name: String| {
            let printed = self.live.engine.render(&name, values.context());
            printed.map_err(|error| MailError::Written(format!("{name}: {error}")))
        };
        Ok(Page { subject, text: print(format!("mail/{template}.txt"))?, html: print(format!("mail/{template}.html"))? })
    }

    /// A letter to the order's customer. `id` is its name for ever, `at` its date.
    ///
    /// Errors: an address that cannot be written to.
    pub(in crate::edge::perform) fn letter(&self, page: &Page, id: &str, at: Timestamp) -> Result<Letter, MailError> {
        let quote = &self.order.quote;
        let site = self.live.speaking(&quote.language, &quote.market);
        // A boundary of the library's own is random; this one is the letter's name, which no text holds.
        let parts = MultiPart::alternative().boundary(id.to_owned());
        let parts = parts.singlepart(SinglePart::plain(page.text.clone())).singlepart(SinglePart::html(page.html.clone()));
        let builder = headed(self.live, site, &quote.contact.email, &page.subject, id, at)?;
        let message = builder.multipart(parts).map_err(|error| MailError::Written(error.to_string()))?;
        Ok(Letter { name: format!("{id}.eml"), message })
    }
}
