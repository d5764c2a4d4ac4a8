//! Mail: confirmations and alarms, by SMTP or, in development, into a folder.
//!
//! Always  the same order gives the same message, its `Message-ID` included: a mail that is sent twice after a crash is one in the
//!         shopper's program. Addresses were checked when they were typed; headers are written by the mail library.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use lettre::message::{Mailbox, Message};
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};

use self::customer::Desk;
use super::services::STOCK_ALARM;
use super::subscribers::message::instant;
use crate::commerce::ids::Timestamp;
use crate::commerce::order::Order;
use crate::edge::key_ring::KeyRing;
use crate::edge::live::Live;
use crate::edge::reply::OrderReply;
use crate::store::OutboxRow;
use crate::store::disputes::DISPUTE_ALARM;
use crate::store::fact::Outage;
use crate::store::orphans::{Orphan, OrphanState};
use crate::store::refunds::Refund;
use crate::theme::engine::Values;
use crate::theme::texts::Say;
use crate::theme::view::SiteView;

pub mod customer;

/// Longest wait for an SMTP server, from the first byte to the last. A connection is not used again: what is given up in the middle is closed,
/// and no later mail takes its late answer for its own.
const SMTP_TIMEOUT: Duration = Duration::from_secs(30);

/// Where mails go.
#[derive(Clone, Debug)]
pub enum Mailer {
    /// One `.eml` file each, for development.
    Folder(PathBuf),
    /// A server.
    Smtp(Box<AsyncSmtpTransport<Tokio1Executor>>),
    /// Whatever a test makes of it.
    #[cfg(feature = "faults")]
    Scripted(Script),
}

/// A test's sink for mails: gets a mail's file name and its bytes.
#[cfg(feature = "faults")]
#[derive(Clone)]
pub struct Script(pub std::sync::Arc<dyn Fn(String, Vec<u8>) -> Sending + Send + Sync>);

/// A mail on its way.
#[cfg(feature = "faults")]
pub type Sending = std::pin::Pin<Box<dyn Future<Output = Result<(), MailError>> + Send>>;

#[cfg(feature = "faults")]
impl std::fmt::Debug for Script {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Script")
    }
}

/// Why a mail was not sent.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// An address that is none.
    #[error("`{address}` is not an address to write to: {reason}")]
    Address {
        /// As written.
        address: String,
        /// Why.
        reason: String,
    },
    /// It could not be put together.
    #[error("the mail cannot be written: {0}")]
    Written(String),
    /// The file could not be written.
    #[error("{path}: {source}")]
    File {
        /// Which file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// The server did not take it.
    #[error("the mail server: {0}")]
    Server(String),
}

/// A mail that is ready, with the name of its file.
#[derive(Clone, Debug)]
pub struct Letter {
    name: String,
    message: Message,
}

impl Mailer {
    /// By a server: `smtp://user:password@host:port`, `smtps://…`.
    ///
    /// Errors: an address that names no server. It holds a password, so it is not told.
    pub fn smtp(url: &str) -> Result<Self, MailError> {
        let server = AsyncSmtpTransport::<Tokio1Executor>::from_url(url).map_err(|error| MailError::Server(error.to_string()))?;
        Ok(Self::Smtp(Box::new(server.timeout(Some(SMTP_TIMEOUT)).build())))
    }

    /// Sends a mail. Sending it again after an error is safe.
    pub async fn send(&self, letter: &Letter) -> Result<(), MailError> {
        match self {
            Self::Folder(folder) => {
                let path = folder.join(&letter.name);
                let failed = |source| MailError::File { path: path.display().to_string(), source };
                tokio::fs::create_dir_all(folder).await.map_err(failed)?;
                let draft = folder.join(format!("{}.new", letter.name));
                tokio::fs::write(&draft, letter.message.formatted()).await.map_err(failed)?;
                tokio::fs::rename(&draft, &path).await.map_err(failed)
            }
            Self::Smtp(server) => {
                // The library's own limit is for connecting alone.
                match tokio::time::timeout(SMTP_TIMEOUT, server.send(letter.message.clone())).await {
                    Ok(sent) => sent.map(drop).map_err(|error| MailError::Server(error.to_string())),
                    Err(_) => Err(MailError::Server(format!("no answer within {} s", SMTP_TIMEOUT.as_secs()))),
                }
            }
            #[cfg(feature = "faults")]
            Self::Scripted(script) => (script.0)(letter.name.clone(), letter.message.formatted()).await,
        }
    }

    /// Whether the confirmation of an order lies in the folder.
    pub fn holds(&self, order: &Order) -> bool {
        match self {
            Self::Folder(folder) => folder.join(file_name(order)).is_file(),
            Self::Smtp(_) => false,
            #[cfg(feature = "faults")]
            Self::Scripted(_) => false,
        }
    }
}

/// Whether a text is `Name <address>` or an address.
pub fn check_mailbox(text: &str) -> Result<(), MailError> {
    mailbox(text).map(drop)
}

/// The confirmation's HTML part.
pub fn confirmation_page(live: &Live, order: &OrderReply, market: &str) -> Result<String, MailError> {
    print(live, "mail/order.html", order, market)
}

/// The confirmation of an order.
pub(super) fn confirmation(live: &Live, keys: &KeyRing, order: &Order) -> Result<Letter, MailError> {
    let desk = Desk { live, keys, order };
    let at = order.paid_at.or(order.placed_at).unwrap_or(order.created_at);
    desk.letter(&desk.confirmation()?, &format!("order-{}", order.id), at)
}

/// Tells the customer that money is on its way back.
pub(super) fn refund(live: &Live, keys: &KeyRing, order: &Order, refund: &Refund) -> Result<Letter, MailError> {
    let desk = Desk { live, keys, order };
    desk.letter(&desk.refund(refund.amount, &refund.reason)?, &format!("refund-{}", refund.id), refund.changed_at)
}

/// Tells the merchant that a payment has to be looked at.
pub(super) fn alarm(live: &Live, row: &OutboxRow) -> Result<Letter, MailError> {
    let site = &live.sites[0];
    let facts =
        Say::of("mail.alarm_facts").with("why", &row.detail).with("checkout", &row.checkout).with("attempt", &row.subject);
    let keys = match &row.subject {
        subject if subject.starts_with(STOCK_ALARM) => ["mail.stock_subject", "mail.stock", "mail.stock_held"],
        subject if subject.starts_with(DISPUTE_ALARM) => ["mail.dispute_subject", "mail.dispute", "mail.dispute_held"],
        _ => ["mail.alarm_subject", "mail.alarm", "mail.alarm_held"],
    };
    let [subject, first, last] = keys.map(|key| Say::of(key).with("shop", &site.name).text(site));
    let text = format!("{first}\n\n{}\n\n{last}\n", facts.text(site));
    to_merchant(
        live,
        &subject,
        text,
        &format!("alarm-{}-{}", row.subject, &blake3::hash(row.detail.as_bytes()).to_hex()[..8]),
        row.created_at,
    )
}

/// Tells the merchant that a system of theirs accepts no events.
pub(super) fn outage(live: &Live, outage: &Outage) -> Result<Letter, MailError> {
    let site = &live.sites[0];
    let Outage { subscriber, url, since, error } = outage;
    let say = |key: &'static str| {
        let say = Say::of(key).with("shop", &site.name).with("subscriber", subscriber).with("url", url).with("why", error);
        say.with("since", instant(*since)).text(site)
    };
    let text = format!("{}\n\n{}\n\n{}\n", say("mail.outage"), say("mail.outage_facts"), say("mail.outage_kept"));
    to_merchant(live, &say("mail.outage_subject"), text, &format!("outage-{subscriber}-{}", since.0), *since)
}

/// A mail to people, not to an address that nobody reads.
fn to_merchant(live: &Live, subject: &str, text: String, id: &str, at: Timestamp) -> Result<Letter, MailError> {
    let site = &live.sites[0];
    let people = live.bundle.mail.reply_to.clone().unwrap_or_else(|| site.email.clone());
    let to = if people.is_empty() { sender(live, site) } else { people };
    let message = headed(live, site, &to, subject, id, at)?.body(text).map_err(|error| MailError::Written(error.to_string()))?;
    Ok(Letter { name: format!("{id}.eml"), message })
}

/// Tells the merchant of a payment that no order is of, and what became of it.
pub(super) fn orphan(live: &Live, orphan: &Orphan) -> Result<Letter, MailError> {
    let site = &live.sites[0];
    let key = match orphan.state {
        OrphanState::Adopted => "mail.orphan_adopted",
        OrphanState::Returned => "mail.orphan_returned",
        OrphanState::Found | OrphanState::Returning => "mail.orphan_under_way",
        OrphanState::Review => "mail.orphan_review",
    };
    let facts = Say::of("mail.orphan_facts")
        .with("reference", &orphan.reference)
        .with("amount", orphan.amount)
        .with("checkout", &orphan.checkout)
        .with("why", &orphan.reason);
    let [first, last] = ["mail.orphan", key].map(|key| Say::of(key).with("shop", &site.name).text(site));
    let text = format!("{first}\n\n{}\n\n{last}\n", facts.text(site));
    let subject = Say::of("mail.orphan_subject").with("shop", &site.name).text(site);
    to_merchant(live, &subject, text, &format!("orphan-{}-{}", orphan.reference, orphan.state.name()), orphan.found_at)
}

fn headed(
    live: &Live,
    site: &SiteView,
    to: &str,
    subject: &str,
    id: &str,
    at: Timestamp,
) -> Result<lettre::message::MessageBuilder, MailError> {
    let seconds = u64::try_from(at.0).unwrap_or(0);
    let builder = Message::builder()
        .from(mailbox(&sender(live, site))?)
        .to(mailbox(to)?)
        .subject(subject)
        .date(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
        .message_id(Some(format!("<{id}@{}>", host(site))));
    match &live.bundle.mail.reply_to {
        Some(address) => Ok(builder.reply_to(mailbox(address)?)),
        None => Ok(builder),
    }
}

/// `from` of `[mail]`, else the shop's address, else one that cannot be answered.
fn sender(live: &Live, site: &SiteView) -> String {
    match (live.bundle.mail.from.as_str(), site.email.as_str()) {
        ("", "") => format!("no-reply@{}", host(site)),
        ("", email) => email.to_owned(),
        (from, _) => from.to_owned(),
    }
}

fn host(site: &SiteView) -> String {
    let uri = site.base_url.parse::<http::Uri>().ok();
    uri.as_ref().and_then(|uri| uri.host()).unwrap_or("localhost").to_owned()
}

fn mailbox(text: &str) -> Result<Mailbox, MailError> {
    let parsed: Result<Mailbox, _> = text.parse();
    parsed.map_err(|error| MailError::Address { address: text.to_owned(), reason: error.to_string() })
}

fn print(live: &Live, template: &str, order: &OrderReply, market: &str) -> Result<String, MailError> {
    let values = Values::new().with("order", order).with_value("site", live.site_value(&market.into()));
    live.engine.render(template, values.context()).map_err(|error| MailError::Written(format!("{template}: {error}")))
}

fn file_name(order: &Order) -> String {
    format!("order-{}.eml", order.id)
}
