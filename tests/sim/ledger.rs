//! Ledger: what the gateway of a simulation knows, and the one witness of what was charged.
//!
//! Owns    payments with their whole history, the keys that were used, and the calls that arrive late. Outlives every crash of the shop.
//! Knows   nothing of the shop's database.

use std::collections::BTreeMap;

use vitrine::commerce::ids::Timestamp;
use vitrine::commerce::money::Money;
use vitrine::commerce::refund::{RefundReport, RefundStanding};
use vitrine::gateway::scripted::Call;
use vitrine::gateway::{CreatePayment, Listed, Page, RemotePayment, RemoteState};

/// Where the gateway's pages are.
pub const PAGES: &str = "https://gateway.example/pay/";
/// Seconds the gateway remembers a key: short, so that a run can outlast it.
pub const KEY_SECONDS: i64 = 3 * 3600;

/// What a shopper does on the gateway's page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Card {
    Good,
    /// A definitive no.
    Declined,
    /// The page says no and stays open for another card (F16).
    DeclinedStaysOpen,
    /// Back without paying.
    Leave,
}

/// A payment.
#[derive(Clone, Debug)]
pub struct Payment {
    pub reference: String,
    pub key: String,
    pub amount: Money,
    /// What the shop asked for, whatever the gateway made of it.
    pub asked: Money,
    pub metadata: BTreeMap<String, String>,
    pub return_url: String,
    /// Whether the shopper can go on at a page of the gateway's: always on its own, for a second step where the card was typed into its form.
    pub has_page: bool,
    /// Whether the card was typed into its form on the shop's page: one card, and no other after it.
    pub is_typed: bool,
    pub decline_code: Option<String>,
    /// Whether the bank said no, and took it after all.
    pub is_late: bool,
    /// Every state with its instant, the newest last.
    pub history: Vec<(i64, RemoteState)>,
    pub refunds: Vec<Refund>,
}

/// Money that went back, or is on its way.
#[derive(Clone, Debug)]
pub struct Refund {
    pub key: Option<String>,
    pub amount: Money,
    /// When it was taken on, and when the bank's word on it comes.
    pub made_at: i64,
    pub ends_at: i64,
    /// F21: whether that is a no.
    pub fails: bool,
}

impl Refund {
    pub fn standing(&self, at: i64) -> RefundStanding {
        match (at < self.ends_at, self.fails) {
            (true, _) => RefundStanding::UnderWay,
            (false, true) => RefundStanding::Failed,
            (false, false) => RefundStanding::Done,
        }
    }
}

impl Payment {
    pub fn state(&self) -> RemoteState {
        self.history.last().expect("a payment begins open").1
    }

    fn state_at(&self, instant: i64) -> Option<RemoteState> {
        self.history.iter().rev().find(|(at, _)| *at <= instant).map(|(_, state)| *state)
    }

    /// What went back of it at an instant, or is on its way.
    pub fn refunded_at(&self, at: i64) -> i64 {
        let made = self.refunds.iter().filter(|one| one.made_at <= at && one.standing(at) != RefundStanding::Failed);
        made.map(|one| one.amount.minor).sum()
    }

    pub fn meta(&self, name: &str) -> &str {
        self.metadata.get(name).map_or("", String::as_str)
    }

    pub fn may_hold_money(&self) -> bool {
        !matches!(self.state(), RemoteState::Declined | RemoteState::Canceled)
    }
}

/// A key that was used, with the exact request.
#[derive(Clone, Debug)]
struct Used {
    request: Vec<u8>,
    payment: usize,
    at: i64,
}

/// The gateway's memory.
#[derive(Debug, Default)]
pub struct Ledger {
    pub payments: Vec<Payment>,
    keys: BTreeMap<String, Used>,
    /// First sending of each key with its bytes, for ever: what the shop did, whatever the gateway remembers.
    sent: BTreeMap<String, (i64, Vec<u8>)>,
    late: Vec<(i64, Call)>,
    /// What the shop did that it never may.
    pub breaches: Vec<String>,
    /// Changes of state that the oracle has not judged yet.
    pub changes: Vec<(usize, RemoteState)>,
    /// Payments that changed and of which no webhook has told yet.
    pub untold: Vec<String>,
}

impl Ledger {
    /// Notes that a call left the shop, whether or not it arrives.
    pub fn sent(&mut self, call: &Call, now: i64) {
        let Some((key, request, is_looked_up_when_old)) = mutation(call) else { return };
        if let Call::Create { body, .. } = call
            && serde_json::from_slice(body)
                .is_ok_and(|wish: CreatePayment| wish.confirmation.is_some() && wish.expires_at.0 <= now)
        {
            self.breaches.push(format!("I9: {key} moves money by itself, and its time is over"));
        }
        match self.sent.get(&key) {
            Some((_, before)) if *before != request => self.breaches.push(format!("I7: other bytes under the key {key}")),
            Some((first, _)) if is_looked_up_when_old && now - first > KEY_SECONDS - 3600 => {
                self.breaches.push(format!("I7: {key} was sent again after {} s", now - first));
            }
            Some(_) => {}
            None => drop(self.sent.insert(key, (now, request))),
        }
    }

    /// A call that was given up by the shop and arrives all the same.
    pub fn arrives_later(&mut self, at: i64, call: Call) {
        self.late.push((at, call));
    }

    /// Lets calls arrive whose time has come.
    pub fn arrivals(&mut self, now: i64) {
        while let Some(index) = self.late.iter().position(|(at, _)| *at <= now) {
            let (_, call) = self.late.remove(index);
            let _ = self.act(&call, now);
        }
    }

    /// A page of what was opened since, the newest first.
    pub fn list(&self, since: Timestamp, after: Option<&str>, now: i64) -> Page<Listed> {
        const PAGE: usize = 10;
        let upto = after.and_then(|after| self.payments.iter().position(|payment| payment.reference == after));
        let indices = (0..upto.unwrap_or(self.payments.len())).rev();
        let made_at = |index: usize| Timestamp(self.payments[index].history[0].0);
        let listed = indices.filter(|index| made_at(*index) >= since).take(PAGE);
        let listed: Vec<Listed> =
            listed.filter_map(|index| Some(Listed { payment: self.told(index, now)?, made_at: made_at(index) })).collect();
        let next = listed.last().filter(|_| listed.len() == PAGE).map(|last| last.payment.reference.clone());
        (listed, next)
    }

    pub fn awaits_arrivals(&self) -> bool {
        !self.late.is_empty()
    }

    /// Does what a call says; gives the payment it is about.
    pub fn act(&mut self, call: &Call, now: i64) -> Result<Option<usize>, String> {
        self.keys.retain(|_, used| now - used.at < KEY_SECONDS);
        let Some((key, request, _)) = mutation(call) else { return self.find(call) };
        if let Some(used) = self.keys.get(&key) {
            return if used.request == request { Ok(Some(used.payment)) } else { Err("this key was used otherwise".to_owned()) };
        }
        let payment = match call {
            Call::Create { body, .. } => self.open(&key, body, now)?,
            Call::Capture { reference, .. } => self.change(reference, &[RemoteState::Authorized], RemoteState::Captured, now)?,
            Call::Cancel { reference, .. } => {
                let from = [RemoteState::Open, RemoteState::Authorized, RemoteState::Declined, RemoteState::Canceled];
                self.change(reference, &from, RemoteState::Canceled, now)?
            }
            Call::Refund { key, reference, amount } => self.refund(Some(key.clone()), reference, *amount, now)?,
            Call::Fetch { .. } | Call::Lookup { .. } => unreachable!("looks were answered above"),
        };
        self.keys.insert(key, Used { request, payment, at: now });
        Ok(Some(payment))
    }

    fn find(&self, call: &Call) -> Result<Option<usize>, String> {
        match call {
            Call::Fetch { reference } => self.index_of(reference).map(Some),
            Call::Lookup { key } => Ok(self.payments.iter().position(|payment| payment.key == *key)),
            _ => unreachable!("only looks are found"),
        }
    }

    fn index_of(&self, reference: &str) -> Result<usize, String> {
        let found = self.payments.iter().position(|payment| payment.reference == reference);
        found.ok_or_else(|| "there is no such payment".to_owned())
    }

    fn open(&mut self, key: &str, body: &[u8], now: i64) -> Result<usize, String> {
        let wish: CreatePayment = serde_json::from_slice(body).map_err(|error| error.to_string())?;
        let reference = format!("p{}", self.payments.len() + 1);
        let card = wish.confirmation.as_deref().and_then(|token| token.split('_').nth(1));
        self.payments.push(Payment {
            reference,
            key: key.to_owned(),
            amount: wish.amount,
            asked: wish.amount,
            metadata: wish.metadata,
            return_url: wish.return_url,
            has_page: !matches!(card, Some("good" | "declined")),
            is_typed: card.is_some(),
            decline_code: None,
            is_late: false,
            history: vec![(now, RemoteState::Open)],
            refunds: Vec::new(),
        });
        self.changes.push((self.payments.len() - 1, RemoteState::Open));
        self.untold.extend(self.payments.last().map(|payment| payment.reference.clone()));
        let index = self.payments.len() - 1;
        match card {
            Some("good") => self.set(index, RemoteState::Authorized, now),
            Some("declined") => self.payments[index].decline_code = Some("card_declined".to_owned()),
            _ => {}
        }
        Ok(index)
    }

    fn change(&mut self, reference: &str, from: &[RemoteState], to: RemoteState, now: i64) -> Result<usize, String> {
        let index = self.index_of(reference)?;
        let state = self.payments[index].state();
        if !from.contains(&state) {
            return Err(format!("the payment is {state:?}"));
        }
        self.set(index, to, now);
        Ok(index)
    }

    /// Gives money back. By its amount the bank takes its time, and says no in the end.
    pub fn refund(&mut self, key: Option<String>, reference: &str, amount: Money, now: i64) -> Result<usize, String> {
        let index = self.index_of(reference)?;
        let payment = &mut self.payments[index];
        let left = payment.amount.minor - payment.refunded_at(now);
        if payment.state() != RemoteState::Captured || amount.minor <= 0 || amount.minor > left {
            return Err("this cannot be refunded".to_owned());
        }
        let (ends_at, fails) = match amount.minor % 5 {
            1 => (now + 60, false),
            2 => (now + 60, true),
            _ => (now, false),
        };
        payment.refunds.push(Refund { key, amount, made_at: now, ends_at, fails });
        self.untold.push(reference.to_owned());
        Ok(index)
    }

    /// Refunds of a payment, as they are told at an instant.
    pub fn refunds(&self, reference: &str, at: i64) -> Result<Vec<RefundReport>, String> {
        let payment = &self.payments[self.index_of(reference)?];
        let told = payment.refunds.iter().enumerate().filter(|(_, one)| one.made_at <= at);
        let report = |(index, one): (usize, &Refund)| RefundReport {
            reference: one.key.clone().unwrap_or_else(|| format!("{reference}r{index}")),
            key: one.key.clone(),
            amount: one.amount,
            standing: one.standing(at),
            failure: (one.standing(at) == RefundStanding::Failed).then(|| "the account is closed".to_owned()),
            made_at: Timestamp(one.made_at),
        };
        Ok(told.map(report).collect())
    }

    /// Whether the bank still has to say of some refund how it ends.
    pub fn awaits_banks(&self, now: i64) -> bool {
        self.payments.iter().flat_map(|payment| &payment.refunds).any(|one| one.ends_at > now)
    }

    fn set(&mut self, index: usize, to: RemoteState, now: i64) {
        if self.payments[index].state() != to {
            self.payments[index].history.push((now, to));
            self.changes.push((index, to));
            self.untold.push(self.payments[index].reference.clone());
        }
    }

    /// The shopper at the gateway's page; gives the address back to the shop, unless the page stays.
    pub fn present(&mut self, url: &str, card: Card, now: i64) -> Option<String> {
        let index = self.index_of(url.strip_prefix(PAGES)?).ok()?;
        if self.payments[index].state() == RemoteState::Open {
            match card {
                Card::Good => self.set(index, RemoteState::Authorized, now),
                // It could be confirmed anew by whoever knows how: it is open until it is called off.
                _ if self.payments[index].is_typed => {
                    self.payments[index].decline_code = Some("card_declined".to_owned());
                    self.payments[index].has_page = false;
                    self.untold.push(self.payments[index].reference.clone());
                }
                Card::Declined => {
                    self.payments[index].decline_code = Some("card_declined".to_owned());
                    self.set(index, RemoteState::Declined, now);
                }
                Card::DeclinedStaysOpen => {
                    self.payments[index].decline_code = Some("card_declined".to_owned());
                    return None;
                }
                Card::Leave => self.set(index, RemoteState::Canceled, now),
            }
        }
        Some(self.payments[index].return_url.clone())
    }

    /// A bank changes its mind about a payment that was declined, without anybody having asked it to; gives which.
    pub fn takes_after_all(&mut self, pick: impl FnOnce(usize) -> usize, now: i64) -> Option<String> {
        let declined: Vec<usize> =
            (0..self.payments.len()).filter(|index| self.payments[*index].state() == RemoteState::Declined).collect();
        let index = *declined.get(pick(declined.len()))?;
        self.payments[index].is_late = true;
        self.set(index, RemoteState::Captured, now);
        Some(self.payments[index].reference.clone())
    }

    /// A shopper who pays at the very moment of the call (F18).
    pub fn pays_meanwhile(&mut self, call: &Call, now: i64) {
        if let Call::Cancel { reference, .. } = call
            && let Ok(index) = self.index_of(reference)
            && self.payments[index].state() == RemoteState::Open
        {
            self.set(index, RemoteState::Authorized, now);
        }
    }

    /// The gateway asks for another amount than it was told (F14).
    pub fn mistakes_amount(&mut self, index: usize) {
        self.payments[index].amount.minor += 1;
    }

    /// A payment as it was at an instant; `None`: it was not there yet.
    pub fn told(&self, index: usize, at: i64) -> Option<RemotePayment> {
        let payment = &self.payments[index];
        let state = payment.state_at(at)?;
        Some(RemotePayment {
            reference: payment.reference.clone(),
            state,
            amount: payment.amount,
            refunded_minor: payment.refunded_at(at),
            live: false,
            metadata: payment.metadata.clone(),
            redirect_url: (state == RemoteState::Open && payment.has_page).then(|| format!("{PAGES}{}", payment.reference)),
            decline_code: payment.decline_code.clone(),
            card: (state == RemoteState::Captured).then(|| "Visa 4242".to_owned()),
        })
    }
}

/// Key and bytes of a call that changes something, and whether it is looked up once its key is old, instead of being sent again.
fn mutation(call: &Call) -> Option<(String, Vec<u8>, bool)> {
    match call {
        Call::Create { key, body } => Some((key.clone(), body.clone(), true)),
        Call::Capture { key, reference } => Some((key.clone(), format!("capture {reference}").into_bytes(), false)),
        Call::Cancel { key, reference } => Some((key.clone(), format!("cancel {reference}").into_bytes(), false)),
        Call::Refund { key, reference, amount } => Some((key.clone(), format!("refund {reference} {amount}").into_bytes(), true)),
        Call::Fetch { .. } | Call::Lookup { .. } => None,
    }
}

/// What a call is, in one word.
pub fn name_of(call: &Call) -> &'static str {
    match call {
        Call::Create { .. } => "create",
        Call::Fetch { .. } => "fetch",
        Call::Lookup { .. } => "lookup",
        Call::Capture { .. } => "capture",
        Call::Cancel { .. } => "cancel",
        Call::Refund { .. } => "refund",
    }
}
