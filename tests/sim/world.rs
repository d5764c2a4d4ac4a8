//! World: one run of the shop on its real store in memory, with a clock, a gateway, a mail sink and a crash that its seed decides.
//!
//! Owns    what outlives a crash (database, ledger, mails, the instant), the moments at which something may go wrong, and the order in
//!         which shoppers and the shop's own tasks go on. One thread, no sleep: time passes when nobody has anything to do.
//! Always  the same seed and plan give the same run, fault by fault.

use std::collections::BTreeMap;
use std::future::{Future, pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use vitrine::commerce::ids::Timestamp;
use vitrine::edge::app::{App, Clock, Settings};
use vitrine::edge::perform::mail::{MailError, Mailer, Script};
use vitrine::edge::perform::subscribers::{PATIENCE, Subscribers};
use vitrine::edge::perform::{Till, reconcile, rounds};
use vitrine::gateway::capabilities::{Idempotency, Webhook};
use vitrine::gateway::scripted::{Call, Scripted};
use vitrine::gateway::{Capabilities, Gateway, Outcome, RemotePayment, sandbox};
use vitrine::store::{Moment, Seam, Store, StoreError};

use super::edge::{NOW, key_ring};
use super::ledger::{KEY_SECONDS, Ledger, name_of};
use super::luck::Luck;
use super::oracle::Oracle;
use super::plan::{Harm, Oddities, Plan, Twist};
use super::pump::{self, Pump};
use super::services;
use super::tasks;

/// Seconds a quote and a reservation are good for: short, so that runs outlive them.
pub const HOLD_SECONDS: i64 = 300;
/// Rounds without anything done after which time passes. Longer than the longest chain of wakings between two moments.
const QUIET_ROUNDS: u32 = 6;
/// The capabilities of a good gateway; its keys live shortly.
const CAPABILITIES: Capabilities = Capabilities {
    idempotency: Idempotency::Keyed { ttl_seconds: KEY_SECONDS, saves_errors: false, replays_latest: true },
    webhook: Webhook::Ping,
    late_seconds: 120,
    ..sandbox::CAPABILITIES
};

/// What outlives a crash.
pub struct World {
    pub plan: Plan,
    pub clock: AtomicI64,
    pub ledger: Mutex<Ledger>,
    pub oracle: Mutex<Oracle>,
    pub pump: Mutex<Pump>,
    /// File name and bytes of every mail that was taken.
    pub mails: Mutex<Vec<(String, Vec<u8>)>>,
    pub shelves: Mutex<services::Shelves>,
    /// Store failures and lists without an answer, so that a 5xx is known to have a cause.
    pub failures: AtomicU64,
    pub lists_lost: AtomicU64,
    /// Mails whose answer was lost: each may be sent once more.
    pub mail_answers_lost: AtomicU64,
    pub crashes: AtomicU64,
    /// Whether nothing goes wrong any more.
    pub is_calm: AtomicBool,
    name: String,
    luck: Mutex<Luck>,
    app: Mutex<Option<Arc<App>>>,
    is_down: AtomicBool,
    has_harmed: AtomicBool,
    activity: AtomicU64,
    moments: Mutex<BTreeMap<&'static str, u64>>,
    timers: Mutex<BTreeMap<(i64, u64), Option<Waker>>>,
    next_timer: AtomicU64,
    commits: AtomicU64,
    verdict: Mutex<Option<String>>,
    trace: Option<Mutex<Vec<String>>>,
}

/// A shopper, a merchant: outlives the shop's crashes.
pub type Actor = Pin<Box<dyn Future<Output = ()>>>;

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

static WORLDS: AtomicU64 = AtomicU64::new(0);

impl World {
    pub fn new(seed: u64, plan: Plan, is_traced: bool) -> Arc<Self> {
        let name = format!("sim-{}-{}", std::process::id(), WORLDS.fetch_add(1, Ordering::Relaxed));
        let world = Arc::new(Self {
            plan,
            clock: AtomicI64::new(NOW.0),
            ledger: Mutex::default(),
            oracle: Mutex::default(),
            pump: Mutex::new(Pump::of(seed)),
            mails: Mutex::default(),
            shelves: Mutex::default(),
            failures: AtomicU64::new(0),
            lists_lost: AtomicU64::new(0),
            mail_answers_lost: AtomicU64::new(0),
            crashes: AtomicU64::new(0),
            is_calm: AtomicBool::new(false),
            name,
            luck: Mutex::new(Luck::of(seed)),
            app: Mutex::default(),
            is_down: AtomicBool::new(true),
            has_harmed: AtomicBool::new(false),
            activity: AtomicU64::new(0),
            moments: Mutex::default(),
            timers: Mutex::default(),
            next_timer: AtomicU64::new(0),
            commits: AtomicU64::new(0),
            verdict: Mutex::default(),
            trace: is_traced.then(Mutex::default),
        });
        // Held open for as long as the world: a database in memory ends with its last connection.
        let store = world.open_store();
        locked(&world.oracle).open(&world.name);
        drop(store);
        world
    }

    pub fn now(&self) -> i64 {
        self.clock.load(Ordering::Relaxed)
    }

    pub fn luck<T>(&self, draw: impl FnOnce(&mut Luck) -> T) -> T {
        draw(&mut locked(&self.luck))
    }

    /// The shop, where it is up.
    pub fn app(&self) -> Option<Arc<App>> {
        if self.is_down() { None } else { locked(&self.app).clone() }
    }

    pub fn is_down(&self) -> bool {
        self.is_down.load(Ordering::Relaxed)
    }

    /// Runs a request until it is answered, or the process that works on it ends.
    pub async fn while_alive<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let lives = self.crashes.load(Ordering::Relaxed);
        let mut work = pin!(work);
        poll_fn(|context| match self.is_down() || self.crashes.load(Ordering::Relaxed) != lives {
            true => Poll::Ready(None),
            false => work.as_mut().poll(context).map(Some),
        })
        .await
    }

    pub fn is_calm(&self) -> bool {
        self.is_calm.load(Ordering::Relaxed)
    }

    pub fn tell(&self, text: impl FnOnce() -> String) {
        if let Some(trace) = &self.trace {
            locked(trace).push(format!("{:>6} {}", self.now() - NOW.0, text()));
        }
    }

    pub fn trace(&self) -> String {
        self.trace.as_ref().map_or(String::new(), |trace| locked(trace).join("\n"))
    }

    /// The first invariant that was found broken.
    pub fn verdict(&self) -> Option<String> {
        locked(&self.verdict).clone()
    }

    pub fn condemn(&self, breach: String) {
        self.tell(|| format!("BROKEN {breach}"));
        locked(&self.verdict).get_or_insert(breach);
    }

    /// Whether anything went wrong.
    pub fn has_harmed(&self) -> bool {
        self.has_harmed.load(Ordering::Relaxed)
    }

    pub fn stir(&self) {
        self.activity.fetch_add(1, Ordering::Relaxed);
    }

    /// Waits in the world's time.
    pub async fn wait(&self, seconds: i64) {
        let timer = (self.now() + seconds.max(0), self.next_timer.fetch_add(1, Ordering::Relaxed));
        locked(&self.timers).insert(timer, None);
        self.stir();
        poll_fn(|context| match locked(&self.timers).get_mut(&timer) {
            Some(waker) => {
                *waker = Some(context.waker().clone());
                Poll::Pending
            }
            None => Poll::Ready(()),
        })
        .await;
        self.stir();
    }

    /// Lets others go on for a moment.
    pub async fn breathe(&self) {
        let turns = self.luck(|luck| luck.below(3));
        for _ in 0..turns {
            self.stir();
            step_aside().await;
        }
    }

    /// Waits until the shop is up.
    pub async fn up(&self) {
        while self.is_down() {
            step_aside().await;
        }
    }

    /// A moment at which something may go wrong: says what, or never comes back where the process ends.
    pub async fn moment(&self, kind: &'static str, rate: u64, harms: &[Harm]) -> Option<Harm> {
        self.breathe().await;
        if self.is_down() {
            pending::<()>().await;
        }
        let (number, all) = self.count(kind);
        let harm = match self.plan.nth {
            _ if self.is_calm() => None,
            Some((Harm::Crash, at)) => (all == at).then_some(Harm::Crash),
            Some((harm, at)) => (harms.contains(&harm) && number == at).then_some(harm),
            None => self.luck(|luck| {
                let dies = self.plan.crash > 0 && luck.below(100_000) < self.plan.crash;
                let fails = luck.in_thousand(rate).then(|| luck.one_of(harms));
                if dies { Some(Harm::Crash) } else { fails }
            }),
        };
        if harm.is_some() {
            self.has_harmed.store(true, Ordering::Relaxed);
        }
        if harm == Some(Harm::Crash) {
            self.tell(|| format!("CRASH at {kind} {number}"));
            self.is_down.store(true, Ordering::Relaxed);
            self.crashes.fetch_add(1, Ordering::Relaxed);
            pending::<()>().await;
        }
        harm
    }

    /// Counts a moment; gives its number among those of its kind, and among all.
    fn count(&self, kind: &'static str) -> (u64, u64) {
        (self.count_one(kind), self.count_one("all"))
    }

    fn count_one(&self, name: &'static str) -> u64 {
        let mut moments = locked(&self.moments);
        let passed = moments.entry(name).or_default();
        *passed += 1;
        *passed
    }

    fn open_store(self: &Arc<Self>) -> Store {
        let world = Arc::downgrade(self);
        let seam = move |moment| -> Pin<Box<dyn Future<Output = Result<(), StoreError>> + Send>> {
            let world = world.upgrade();
            Box::pin(async move {
                let Some(world) = world else { return Ok(()) };
                world.at_store(moment).await
            })
        };
        Store::open_inline(&self.name, Seam(Arc::new(seam))).expect("memory")
    }

    async fn at_store(&self, moment: Moment) -> Result<(), StoreError> {
        if moment == Moment::Committed {
            let number = self.commits.fetch_add(1, Ordering::Relaxed) + 1;
            if self.plan.judged > 0 && number.is_multiple_of(self.plan.judged) {
                self.ask(Oracle::judge);
            }
            self.moment("committed", 0, &[]).await;
            return Ok(());
        }
        let kind = if moment == Moment::Look { "look" } else { "step" };
        match self.moment(kind, self.plan.store, &[Harm::StoreFails]).await {
            Some(_) => {
                self.failures.fetch_add(1, Ordering::Relaxed);
                self.tell(|| format!("the store fails at a {kind}"));
                Err(StoreError::Engine("the disk is full".to_owned()))
            }
            None => Ok(()),
        }
    }

    /// Asks the oracle about payments, where any of them has changed since it was asked last.
    pub fn judge_gateway(&self) {
        self.ask(|oracle, ledger| match ledger.changes.is_empty() && ledger.breaches.is_empty() {
            true => Ok(()),
            false => oracle.judge_gateway(ledger),
        });
    }

    // Of all that can be seen from outside.
    fn ask(&self, question: impl Fn(&mut Oracle, &mut Ledger) -> Result<(), String>) {
        let mut ledger = locked(&self.ledger);
        // A panic would be the shop's for whoever catches it; it is the oracle's.
        let judged = catch_unwind(AssertUnwindSafe(|| question(&mut locked(&self.oracle), &mut ledger)));
        let found = judged.unwrap_or_else(|_| Err("the oracle panicked".to_owned()));
        drop(ledger);
        if let Err(breach) = found {
            self.condemn(breach);
        }
    }

    async fn at_gateway(&self, call: Call) -> Outcome<Option<RemotePayment>> {
        let mut harm = self.moment("call", self.plan.gateway, &[Harm::CallLost, Harm::AnswerLost]).await;
        locked(&self.ledger).sent(&call, self.now());
        let mut oddities = self.oddities();
        let number = self.count_one(name_of(&call));
        let twist = self.plan.twists.iter().find(|(name, at, _)| *name == name_of(&call) && *at == number);
        match twist.map(|(.., twist)| *twist) {
            None => {}
            Some(Twist::Lost) => harm = Some(Harm::CallLost),
            Some(Twist::Late(seconds)) => {
                locked(&self.ledger).arrives_later(self.now() + seconds, call.clone());
                (harm, oddities.is_late) = (Some(Harm::CallLost), false);
            }
            // It is answered as things stood when it was made.
            Some(Twist::Slow(seconds)) => {
                let outcome = self.answer(call, harm, oddities);
                self.wait(seconds).await;
                return outcome;
            }
        }
        if oddities.is_slow {
            let seconds = self.luck(|luck| luck.one_of(&[1, 4, 20, 40]));
            self.wait(seconds).await;
            if self.is_down() {
                pending::<()>().await;
            }
        }
        let outcome = self.answer(call, harm, oddities);
        self.judge_gateway();
        self.moment("answer", 0, &[]).await;
        outcome
    }

    pub fn oddities(&self) -> Oddities {
        let rate = if self.is_calm() { 0 } else { self.plan.gateway / 2 };
        self.luck(|luck| Oddities {
            is_slow: luck.in_thousand(rate),
            is_late: luck.in_thousand(rate),
            is_race: luck.in_thousand(rate),
            is_stale: luck.in_thousand(rate),
            // Rarer, as it ends with a person.
            is_wrong: luck.in_thousand(rate / 5),
        })
    }

    /// What the gateway does with a call, and what the shop hears of it.
    fn answer(&self, call: Call, harm: Option<Harm>, oddities: Oddities) -> Outcome<Option<RemotePayment>> {
        let now = self.now();
        let mut ledger = locked(&self.ledger);
        ledger.arrivals(now);
        let is_look = matches!(call, Call::Fetch { .. } | Call::Lookup { .. });
        let word = || format!("{call:?}").split(", body").next().unwrap_or("").to_owned();
        if harm == Some(Harm::CallLost) {
            self.tell(|| format!("gateway: {} is lost", word()));
            if oddities.is_late && !is_look {
                let after = self.luck(|luck| luck.one_of(&[2, 15, 60]));
                self.tell(|| format!("gateway: and arrives after {after} s"));
                ledger.arrives_later(now + after, call);
            }
            return Outcome::Unknown("no answer".to_owned());
        }
        if oddities.is_race {
            ledger.pays_meanwhile(&call, now);
        }
        let takes_time = matches!(&call, Call::Refund { amount, .. } if matches!(amount.minor % 5, 1 | 2));
        let done = ledger.act(&call, now);
        if let (true, Call::Create { .. }, Ok(Some(index))) = (oddities.is_wrong, &call, &done) {
            ledger.mistakes_amount(*index);
        }
        let seen_at = if oddities.is_stale && is_look { now - 2 } else { now };
        let told = done.map(|index| index.and_then(|index| ledger.told(index, seen_at)));
        self.tell(|| {
            let state = told.as_ref().map(|told| told.as_ref().map(|told| told.state));
            format!("gateway: {} → {state:?}{}", word(), if harm.is_some() { ", the answer is lost" } else { "" })
        });
        match told {
            _ if harm == Some(Harm::AnswerLost) => Outcome::Unknown("the answer was lost".to_owned()),
            Ok(Some(_)) if takes_time => Outcome::Accepted,
            Ok(payment) => Outcome::Done(payment),
            Err(reason) => Outcome::Rejected(reason),
        }
    }

    async fn at_mail(&self, name: String, bytes: Vec<u8>) -> Result<(), MailError> {
        let harm = self.moment("mail", self.plan.mail, &[Harm::MailLost, Harm::MailAnswerLost]).await;
        if harm != Some(Harm::MailLost) {
            self.tell(|| format!("mail: {name}"));
            locked(&self.mails).push((name, bytes));
        }
        // A crash from here on is one between the server's word and our mark.
        self.moment("mailed", 0, &[]).await;
        match harm {
            None => Ok(()),
            Some(_) => {
                self.mail_answers_lost.fetch_add(1, Ordering::Relaxed);
                Err(MailError::Server("no answer".to_owned()))
            }
        }
    }

    /// Starts the shop: another process on the same database.
    fn start(self: &Arc<Self>) -> (Arc<App>, Arc<Till>) {
        let [clocked, called, listed, asked, mailed] = std::array::from_fn(|_| Arc::downgrade(self));
        let clock = Clock::of(move || Timestamp(clocked.upgrade().map_or(0, |world| world.now())));
        let mut app = App::new(self.shop(0), key_ring(), Settings::default(), clock);
        let gateway = Gateway::Scripted(Scripted {
            capabilities: CAPABILITIES,
            has_element: true,
            script: Arc::new(move |call| {
                let world = called.upgrade();
                Box::pin(async move {
                    match world {
                        Some(world) => world.at_gateway(call).await,
                        None => Outcome::Unknown("the world is over".to_owned()),
                    }
                })
            }),
            list: Arc::new(move |since, after| {
                let world = listed.upgrade();
                Box::pin(async move {
                    match world {
                        Some(world) => world.at_list(since, after).await,
                        None => Outcome::Unknown("the world is over".to_owned()),
                    }
                })
            }),
            refunds: Arc::new(move |reference| {
                let world = asked.upgrade();
                Box::pin(async move {
                    match world {
                        Some(world) => world.at_refunds(reference).await,
                        None => Outcome::Unknown("the world is over".to_owned()),
                    }
                })
            }),
        });
        let mailer = Mailer::Scripted(Script(Arc::new(move |name, bytes| {
            let world = mailed.upgrade();
            Box::pin(async move {
                match world {
                    Some(world) => world.at_mail(name, bytes).await,
                    None => Ok(()),
                }
            })
        })));
        let mut till = Till::new(self.open_store(), gateway, mailer);
        if self.plan.services > 0 {
            app.services = services::ways(self);
            till = till.telling(Subscribers::new(BTreeMap::new(), PATIENCE).expect("TLS"));
        }
        let till = Arc::new(till);
        app.till = Some(till.clone());
        (Arc::new(app), till)
    }

    /// Lets the actors live until they are done, through every crash; then faults end and the shop has its time to finish.
    pub fn run(self: &Arc<Self>, actors: Vec<Actor>) {
        let mut actors: Vec<Option<Actor>> = actors.into_iter().map(Some).collect();
        while self.verdict().is_none() && !self.incarnation(&mut actors) {}
    }

    /// One life of the process; gives whether everything is done.
    fn incarnation(self: &Arc<Self>, actors: &mut [Option<Actor>]) -> bool {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        let (app, till) = self.start();
        self.is_down.store(false, Ordering::Relaxed);
        // Timers of the life before belong to nobody but the actors, who look by themselves.
        let recovered = runtime.block_on(self.drive(&mut [], pin!(rounds::recover(&app, &till))));
        match recovered {
            None => return false,
            Some(Err(error)) => {
                self.tell(|| format!("the start fails: {error}"));
                self.is_down.store(true, Ordering::Relaxed);
                return self.verdict().is_some();
            }
            Some(Ok(())) => {}
        }
        *locked(&self.app) = Some(app.clone());
        let rounds = self.clone();
        let goes = runtime.block_on(async {
            tokio::spawn(tasks::sweeping(rounds.clone(), app.clone(), till.clone()));
            tokio::spawn(tasks::delivering(rounds.clone(), app.clone(), till.clone()));
            if self.plan.hooks > 0 {
                tokio::spawn(pump::pumping(rounds, app.clone(), till.clone()));
            }
            self.drive(actors, pin!(pending::<()>())).await;
            if self.is_down() || self.verdict().is_some() {
                return false;
            }
            self.drive(&mut [], pin!(self.settle(&app, &till))).await.is_some()
        });
        *locked(&self.app) = None;
        self.is_down.store(true, Ordering::Relaxed);
        goes
    }

    /// Polls the actors in an order that luck decides, and `work`; time passes when all are quiet. Gives what `work` gave; `None`: the
    /// actors are done, the process has ended, or an invariant is broken.
    async fn drive<T>(&self, actors: &mut [Option<Actor>], mut work: Pin<&mut impl Future<Output = T>>) -> Option<T> {
        let is_for_actors = !actors.is_empty();
        let (mut seen, mut quiet) = (0, 0);
        poll_fn(|context| {
            if self.is_down() || self.verdict().is_some() {
                return Poll::Ready(None);
            }
            if let Poll::Ready(done) = work.as_mut().poll(context) {
                return Poll::Ready(Some(done));
            }
            let first = if is_for_actors { self.luck(|luck| luck.below(actors.len() as u64)) as usize } else { 0 };
            for place in 0..actors.len() {
                let index = (first + place) % actors.len();
                let Some(actor) = &mut actors[index] else { continue };
                if actor.as_mut().poll(context).is_ready() {
                    actors[index] = None;
                }
            }
            if is_for_actors && actors.iter().all(Option::is_none) {
                return Poll::Ready(None);
            }
            let activity = self.activity.load(Ordering::Relaxed);
            quiet = if activity == seen { quiet + 1 } else { 0 };
            seen = activity;
            if quiet >= QUIET_ROUNDS {
                quiet = 0;
                self.pass_time();
            }
            context.waker().wake_by_ref();
            Poll::Pending
        })
        .await
    }

    /// The next instant at which somebody wanted to go on.
    fn pass_time(&self) {
        let Some(((at, _), waker)) = locked(&self.timers).pop_first() else { return };
        self.clock.fetch_max(at, Ordering::Relaxed);
        self.stir();
        if let Some(waker) = waker {
            waker.wake();
        }
        locked(&self.ledger).arrivals(self.now());
    }

    /// What the shop owes by itself once the shoppers are gone: sweeps and deliveries, at last without faults, until every time-out is
    /// over.
    async fn settle(&self, app: &Arc<App>, till: &Arc<Till>) {
        for round in 0..40 {
            self.is_calm.fetch_or(round == 3, Ordering::Relaxed);
            self.wait(if round < 3 { 20 } else { 120 }).await;
            if till.is_in_doubt() {
                reconcile::beat(app, till).await;
            }
            rounds::sweep(app, till, Timestamp(self.now())).await;
            tasks::returning(self, app, till).await;
            while rounds::deliver(app, till).await.is_ok_and(|count| count > 0) {}
            if self.plan.hooks > 0 {
                pump::round(self, app, till).await;
            }
            if self.is_calm()
                && locked(&self.pump).is_empty()
                && locked(&self.oracle).is_settled()
                && !locked(&self.ledger).awaits_arrivals()
                && !locked(&self.ledger).awaits_banks(self.now())
            {
                // What no webhook told of is found by the daily comparison.
                let _ = reconcile::reconcile(app, till).await;
                while rounds::deliver(app, till).await.is_ok_and(|count| count > 0) {}
                if self.plan.services > 0 {
                    self.tell_all(app, till).await;
                    while rounds::deliver(app, till).await.is_ok_and(|count| count > 0) {}
                }
                if locked(&self.oracle).is_settled() {
                    break;
                }
            }
        }
    }
}

/// Lets every other task have its turn once.
async fn step_aside() {
    let mut is_second = false;
    poll_fn(|context| {
        if is_second {
            return Poll::Ready(());
        }
        is_second = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
