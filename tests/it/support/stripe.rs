//! Stripe: the tiny shop with Stripe as its gateway, and the faulty gateway in Stripe's place.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use vitrine::edge::perform::{inbox, rounds};
use vitrine::gateway::Gateway;
use vitrine::gateway::stripe::{Secret, Settings, Stripe};

use super::counter::Counter;
use super::edge::{NOW, listen};
use crate::faulty::{Faulty, SECRET_KEY, WEBHOOK_SECRET};

/// A shop that takes money by Stripe.
pub struct StripeShop {
    pub counter: Counter,
    pub faulty: Faulty,
    /// Port on which it hears webhooks.
    pub port: u16,
    _ledger: tempfile::TempDir,
}

/// The gateway that talks to an API base.
pub fn stripe(base: &str) -> Gateway {
    paid_on(base, None)
}

/// The same with its form on the shop's own page.
pub fn stripe_element(base: &str) -> Gateway {
    paid_on(base, Some("pk_test_faulty".to_owned()))
}

fn paid_on(base: &str, publishable_key: Option<String>) -> Gateway {
    let settings = Settings {
        secret_key: Secret::new(SECRET_KEY.to_owned()),
        webhook_secrets: vec![Secret::new("whsec_rolled".to_owned()), Secret::new(WEBHOOK_SECRET.to_owned())],
        api_base: base.to_owned(),
        methods: vec!["card".to_owned()],
        account: None,
        publishable_key,
    };
    Gateway::Stripe(Stripe::new(&settings).expect("good settings"))
}

/// A faulty gateway with a ledger of its own, by a clock that the test moves.
pub fn faulty(now: &Arc<AtomicI64>) -> (Faulty, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let clock = now.clone();
    let faulty = Faulty::start(&folder.path().join("ledger.db"), 0, Arc::new(move || clock.load(Ordering::Relaxed)));
    (faulty, folder)
}

impl StripeShop {
    /// A fresh one.
    pub fn open() -> Self {
        Self::paid_by(stripe)
    }

    /// The same with Stripe's form on its own page.
    pub fn with_element() -> Self {
        Self::paid_by(stripe_element)
    }

    fn paid_by(gateway: fn(&str) -> Gateway) -> Self {
        let now = Arc::new(AtomicI64::new(NOW.0));
        let (faulty, ledger) = faulty(&now);
        let counter = Counter::paid_by(Some(gateway(&faulty.base)), now);
        let port = listen(counter.app.clone());
        faulty.hook_to(&format!("http://127.0.0.1:{port}/api/v1/webhooks/stripe"));
        Self { counter, faulty, port, _ledger: ledger }
    }

    /// Sends the webhooks that wait; gives the statuses they were answered with.
    pub fn deliver(&self) -> Vec<u16> {
        self.counter.run(self.faulty.deliver())
    }

    /// Looks at what events in the inbox are about; gives how many there were.
    pub fn work_inbox(&self) -> usize {
        self.counter.run(inbox::work(&self.counter.app, &self.counter.till())).expect("the inbox works")
    }

    /// Sweeps, and nothing else.
    pub fn sweep(&self) {
        self.counter.run(rounds::sweep(&self.counter.app, &self.counter.till(), self.counter.app.clock.now()));
    }

    /// Asks for events that were missed and looks at them, and nothing else.
    pub fn catch_up(&self) {
        self.counter.run(rounds::listen(&self.counter.app, &self.counter.till()));
    }

    /// Events that are kept: (kind, result).
    pub fn inbox(&self) -> Vec<(String, Option<String>)> {
        let file = rusqlite::Connection::open(self.counter.folder.path().join("shop.db")).expect("the file");
        let mut select = file.prepare("SELECT kind, result FROM inbox ORDER BY id").expect("SQL");
        let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).expect("rows");
        rows.collect::<Result<_, _>>().expect("events")
    }
}

/// The session of a page's address.
pub fn session_of(url: &str) -> &str {
    url.rsplit('/').next().expect("an address has parts")
}
