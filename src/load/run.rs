//! Run: lets shoppers in when they are to come, and waits for the last of them.
//!
//! Owns    the open loop: an arrival waits for nobody, and one that finds too many inside is counted and not let in.
//! Limits  `max_inside` shoppers at once, which memory and descriptors of this machine bear; `QUEUED` arrivals on their way from the pacer.
//! Always  ends with a report, also when it is told to stop.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::arrivals::{self, Stage};
use super::draw::Draw;
use super::record::{Outcome, Point};
use super::scenario::Scenario;
use super::shopper::{World, walk};

/// Arrivals that are due and not let in yet; the pacer waits beyond, and the report tells how late they were.
const QUEUED: usize = 65_536;
/// How long the pacer sleeps at a time, so that a run that is stopped does not keep it.
const NAP: Duration = Duration::from_millis(100);
/// How often whoever looks on is told.
const LOOK: Duration = Duration::from_millis(500);

/// Who comes when.
#[derive(Clone, Debug)]
pub struct Course {
    /// Who does what.
    pub scenarios: Vec<Scenario>,
    /// When.
    pub stages: Vec<Stage>,
    /// Shoppers inside at once.
    pub max_inside: usize,
    /// How long the last of them may stay after the last arrival.
    pub grace: Duration,
}

/// How far a run is.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Since its begin.
    pub elapsed: Duration,
    /// The last slice.
    pub last: Point,
    /// Shoppers who came, of how many.
    pub arrivals: (u64, u64),
    /// Shoppers inside.
    pub inside: u64,
    /// Shoppers who were not let in.
    pub dropped: u64,
    /// Orders paid.
    pub orders: u64,
    /// Faults.
    pub errors: u64,
    /// Requests refused for there being too much to do.
    pub shed: u64,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Everybody came, and went.
    Complete,
    /// Everybody came, and some were still inside after the grace.
    GraceOver,
    /// It was told to stop.
    Stopped,
}

/// Runs a course to its end, or until `stop` is done. `look` is told how far it is, twice a second.
pub async fn run(world: &Arc<World>, course: &Course, stop: impl Future<Output = ()>, look: impl Fn(&Progress)) -> Ended {
    let began_at = world.record().began_at;
    let total = arrivals::count(&course.stages);
    let scenarios: Vec<(u64, Arc<Scenario>)> = course
        .scenarios
        .iter()
        .scan(0, |sum, scenario| {
            *sum += u64::from(scenario.weight);
            Some((*sum, Arc::new(scenario.clone())))
        })
        .collect();
    let mut due = pace(&course.stages, began_at);
    let mut inside = JoinSet::new();
    let mut stop = std::pin::pin!(stop);
    let mut tick = tokio::time::interval(LOOK);
    let last = began_at + arrivals::lasts(&course.stages);
    let mut number = 0;
    let mut is_open = true;
    loop {
        tokio::select! {
            biased;
            () = &mut stop => {
                inside.shutdown().await;
                return Ended::Stopped;
            }
            _ = tick.tick() => look(&progress(world, total)),
            Some(ended) = inside.join_next(), if !inside.is_empty() => {
                if let Err(error) = ended {
                    tracing::error!(%error, "a shopper broke off");
                }
            }
            arrival = due.recv(), if is_open => match arrival {
                Some(at) => {
                    arrive(world, course, &scenarios, (number, began_at + at), &mut inside);
                    number += 1;
                }
                None => is_open = false,
            },
            () = tokio::time::sleep_until(last + course.grace), if !is_open => {
                inside.shutdown().await;
                return Ended::GraceOver;
            }
        }
        if !is_open && inside.is_empty() {
            return Ended::Complete;
        }
    }
}

fn arrive(
    world: &Arc<World>,
    course: &Course,
    scenarios: &[(u64, Arc<Scenario>)],
    (number, meant_at): (u64, Instant),
    inside: &mut JoinSet<()>,
) {
    let mut record = world.record();
    record.arrive(meant_at.elapsed());
    if record.inside >= course.max_inside as u64 {
        record.drop_one();
        return;
    }
    let all = scenarios.last().map_or(1, |(sum, _)| *sum);
    // Another row of lots than the shopper's own.
    let lot = Draw::of(world.seed ^ u64::MAX, number).next() % all;
    let Some((_, scenario)) = scenarios.iter().find(|(sum, _)| lot < *sum) else { return };
    record.begin(&scenario.name);
    drop(record);
    let (world, scenario) = (world.clone(), scenario.clone());
    inside.spawn(async move {
        let outcome: Outcome = walk(world.clone(), scenario.clone(), number, meant_at).await;
        world.record().end(&scenario.name, outcome);
    });
}

fn progress(world: &World, total: u64) -> Progress {
    let record = world.record();
    Progress {
        elapsed: record.began_at.elapsed(),
        last: record.last(),
        arrivals: (record.arrivals, total),
        inside: record.inside,
        dropped: record.dropped,
        orders: record.paid,
        errors: record.errors,
        shed: record.shed,
    }
}

// A thread of its own is exact to some 100 µs: tokio's timers go by milliseconds.
fn pace(stages: &[Stage], began_at: Instant) -> mpsc::Receiver<Duration> {
    let (sender, receiver) = mpsc::channel(QUEUED);
    let arrivals = arrivals::arrivals(stages);
    std::thread::spawn(move || {
        for at in arrivals {
            while let Some(left) = (began_at + at).checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
                std::thread::sleep(left.min(NAP));
                if sender.is_closed() {
                    return;
                }
            }
            if sender.blocking_send(at).is_err() {
                return;
            }
        }
    });
    receiver
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::future::{pending, ready};
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicU64, Ordering};

    use bytes::Bytes;
    use http::Response;
    use http_body_util::Full;
    use hyper::server::conn::http1;
    use hyper::service::service_fn;
    use hyper_util::rt::TokioIo;
    use tokio::net::TcpListener;
    use tokio::sync::Notify;

    use super::super::client::Client;
    use super::super::record::Record;
    use super::super::report::{About, Report};
    use super::super::scenario::{Person, Step};
    use super::super::shop::Good;
    use super::super::target::Target;
    use super::*;

    /// A shop that answers everything with nothing, and holds an answer for as long as a test wants.
    #[derive(Default)]
    struct Shop {
        /// Requests that came.
        asked: AtomicU64,
        /// Told at each of them.
        heard: Notify,
        /// Numbers of requests, from 0, below which an answer is held until it is let go.
        held: u64,
        let_go: tokio::sync::watch::Sender<bool>,
    }

    impl Shop {
        fn holding(held: u64) -> Arc<Self> {
            Arc::new(Self { held, ..Self::default() })
        }

        async fn open(self: &Arc<Self>) -> Target {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
            let port = listener.local_addr().expect("an address").port();
            let shop = self.clone();
            tokio::spawn(async move {
                while let Ok((stream, _)) = listener.accept().await {
                    let shop = shop.clone();
                    let answer = service_fn(move |_| {
                        let shop = shop.clone();
                        async move {
                            let number = shop.asked.fetch_add(1, Ordering::Relaxed);
                            shop.heard.notify_one();
                            if number < shop.held {
                                let _ = shop.let_go.subscribe().wait_for(|is_free| *is_free).await;
                            }
                            Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(b"{}"))))
                        }
                    });
                    tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), answer));
                }
            });
            Target { secure: false, host: "127.0.0.1".to_owned(), port }
        }

        /// Done once so many requests came.
        async fn was_asked(&self, count: u64) {
            while self.asked.load(Ordering::Relaxed) < count {
                self.heard.notified().await;
            }
        }
    }

    struct Setting {
        stage: Stage,
        connections: usize,
        max_inside: usize,
        patience: Duration,
    }

    fn usual(stage: Stage) -> Setting {
        Setting { stage, connections: 1_000, max_inside: 1_000, patience: Duration::from_secs(60) }
    }

    /// Lets shoppers ask once. What is held is let go once all have come.
    async fn play(setting: Setting, shop: &Arc<Shop>, stop: impl Future<Output = ()>) -> Report {
        let Setting { stage, connections, max_inside, patience } = setting;
        let client = Client::new(shop.open().await, connections, patience).expect("a client");
        let good = Good { product: "lamp".to_owned(), page: "/products/lamp".to_owned(), sku: "L".to_owned(), unit_minor: 1 };
        let record = Mutex::new(Record::new(Instant::now(), stage.lasts()));
        let person = Person::default();
        let world = Arc::new(World { shop: client, pages: None, goods: vec![good], market: None, person, seed: 1, record });
        let scenarios = vec![Scenario::of("look", 1, &[Step::Availability])];
        let course = Course { scenarios, stages: vec![stage], max_inside, grace: patience };
        let (watched, shop) = (world.clone(), shop.clone());
        let keeper = tokio::spawn(async move {
            while watched.record().arrivals < stage.count() {
                tokio::task::yield_now().await;
            }
            shop.let_go.send_replace(true);
        });
        let ended = run(&world, &course, stop, |_| {}).await;
        keeper.abort();
        let about = About {
            target: String::new(),
            seed: 1,
            began_at: String::new(),
            ended,
            connections,
            planned: stage.count(),
            max_inside,
            cost: None,
            notes: Vec::new(),
        };
        let report = Report::of(&mut world.record(), about, &[]);
        let shoppers = &report.shoppers;
        assert_eq!(shoppers.arrived, shoppers.began + shoppers.dropped, "{shoppers:?}");
        assert_eq!(shoppers.outcomes.values().sum::<u64>(), shoppers.began, "{shoppers:?}");
        report
    }

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[tokio::test]
    async fn a_shop_that_stalls_is_seen_by_all_who_came_meanwhile() {
        // Over its one connection the shop answers nobody until the last of 200 has come, who comes 199 ms after the first.
        let setting = Setting { connections: 1, ..usual(Stage::steady(1_000.0, ms(200))) };
        let report = play(setting, &Shop::holding(1), pending()).await;
        let (response, service) = (report.all.response, report.all.service);
        assert_eq!((response.count, service.count, report.ended), (200, 200, "complete"));
        // Half of them were to be answered at least 99 ms before that; only the first was sent by then. However slow this machine is, whoever
        // waited for a hundred others waited longer than for one.
        assert!(response.p50_ms >= 99.0 && response.p50_ms > 20.0 * service.p50_ms, "{response:?} {service:?}");
        assert!(response.max_ms >= 198.0 && response.max_ms >= service.max_ms, "{response:?} {service:?}");
    }

    #[tokio::test]
    async fn arrivals_wait_for_nobody() {
        let report = play(usual(Stage::steady(1_000.0, ms(100))), &Shop::holding(100), pending()).await;
        assert_eq!((report.shoppers.most_inside, report.shoppers.outcomes[&Outcome::Done]), (100, 100));
    }

    #[tokio::test]
    async fn whoever_finds_too_many_inside_is_counted() {
        let setting = Setting { max_inside: 5, ..usual(Stage::Crowd { shoppers: 20 }) };
        let report = play(setting, &Shop::holding(5), pending()).await;
        assert_eq!((report.shoppers.began, report.shoppers.dropped, report.shoppers.most_inside), (5, 15, 5));
        assert_eq!(report.count("dropped"), (15, 20));
        assert!(report.notes.iter().any(|note| note.contains("15 shoppers were not let in")), "{:?}", report.notes);
    }

    #[tokio::test]
    async fn whoever_waits_too_long_goes_away() {
        let client = Client::new(Shop::holding(u64::MAX).open().await, 1, ms(50)).expect("a client");
        let request = http::Request::get("/").body(Full::new(Bytes::new())).expect("a request");
        let (timing, answer) = client.ask(request, Instant::now()).await;
        assert_eq!(answer.map(|answer| answer.status).expect_err("it is held"), super::super::client::Lost::TooSlow(ms(50)));
        assert!(timing.response() >= ms(50) && timing.sent_at.is_some());
    }

    #[tokio::test]
    async fn a_run_that_is_told_to_stop_reports_what_there_is() {
        let shop = Shop::holding(u64::MAX);
        let told = shop.clone();
        let report =
            play(usual(Stage::steady(1_000.0, Duration::from_secs(600))), &shop, async move { told.was_asked(20).await }).await;
        assert_eq!((report.ended, report.shoppers.planned), ("stopped", 600_000));
        assert!(report.shoppers.arrived >= 20 && report.shoppers.arrived < 600_000, "{:?}", report.shoppers);
        assert_eq!(report.shoppers.outcomes[&Outcome::Interrupted], report.shoppers.began);
        let none = play(usual(Stage::Crowd { shoppers: 3 }), &Shop::holding(0), ready(())).await;
        assert_eq!((none.shoppers.arrived, none.requests), (0, 0));
    }
}
