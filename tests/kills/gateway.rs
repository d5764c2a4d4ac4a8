//! Gateway: the faulty gateway beside a shop that is killed. It lives on, and tells the shop by webhooks until it is heard.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::oneshot::{Sender, channel};

use super::faulty::Faulty;

/// Between two rounds of webhooks.
const DELIVER_EVERY: Duration = Duration::from_millis(20);
/// A card that pays.
const GOOD: &str = "4242424242424242";

/// A faulty gateway whose webhooks are sent again and again until they are taken.
pub struct Gateway {
    pub faulty: Arc<Faulty>,
    rounds: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Gateway {
    /// Opens its ledger and goes its rounds.
    pub fn start(ledger: &Path) -> Self {
        let now = || SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs().cast_signed();
        let faulty = Arc::new(Faulty::start(ledger, 0, Arc::new(now)));
        let (stop, mut stopped) = channel::<()>();
        let told = faulty.clone();
        let rounds = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a thread");
            runtime.block_on(async {
                let mut rounds = tokio::time::interval(DELIVER_EVERY);
                loop {
                    tokio::select! {
                        _ = rounds.tick() => drop(told.deliver().await),
                        _ = &mut stopped => return,
                    }
                }
            });
        });
        Self { faulty, rounds: Some((stop, rounds)) }
    }

    /// Whoever still sees a page pays there, and never comes back to the shop.
    pub fn pay_open_pages(&self) {
        for intent in self.faulty.objects("payment_intent") {
            if intent["status"] == "requires_action" && !intent["next_action"].is_null() {
                self.faulty.give_card(intent["id"].as_str().expect("an id"), GOOD);
            }
        }
        for session in self.faulty.objects("checkout.session") {
            if session["status"] == "open" {
                self.faulty.give_card(session["id"].as_str().expect("an id"), GOOD);
            }
        }
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        if let Some((stop, rounds)) = self.rounds.take() {
            drop(stop);
            // A panic of that thread was told when it happened.
            let _ = rounds.join();
        }
    }
}

/// What a wire does not carry of a call that opens a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// K7: half of the call.
    Half,
    /// K12: its answer.
    Answer,
}

/// The process that is to be ended with its next such call.
type Victim = Arc<Mutex<Option<(u32, Cut)>>>;

/// A wire to the gateway that carries so much of a call that opens a payment, and then ends the process that makes it.
pub struct Wire {
    pub base: String,
    victim: Victim,
}

impl Wire {
    /// To the gateway at `base`; all is carried until there is a victim.
    pub fn to(base: &str) -> Self {
        let upstream = base.strip_prefix("http://").expect("plain HTTP").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let base = format!("http://{}", listener.local_addr().expect("an address"));
        let victim = Victim::default();
        let marked = victim.clone();
        std::thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                let (marked, upstream) = (marked.clone(), upstream.clone());
                std::thread::spawn(move || carry(near, &upstream, &marked));
            }
        });
        Self { base, victim }
    }

    /// This process is ended with its next opening call.
    pub fn cuts(&self, process: u32, cut: Cut) {
        *self.victim.lock().expect("unharmed") = Some((process, cut));
    }

    /// Whether it was.
    pub fn has_cut(&self) -> bool {
        self.victim.lock().expect("unharmed").is_none()
    }
}

fn end(process: u32) {
    let ended = Command::new("kill").args(["-KILL", &process.to_string()]).status();
    assert!(ended.is_ok_and(|status| status.success()), "the shop was there to be ended");
}

fn carry(mut near: TcpStream, upstream: &str, victim: &Victim) {
    let Ok(mut far) = TcpStream::connect(upstream) else { return };
    let (Ok(mut back_from), Ok(mut back_to)) = (far.try_clone(), near.try_clone()) else { return };
    // Whose answer on this connection is kept back; 0: nobody's.
    let unanswered = Arc::new(AtomicU32::new(0));
    let kept_back = unanswered.clone();
    std::thread::spawn(move || {
        let mut bytes = vec![0; 64 * 1024];
        while let Ok(count @ 1..) = back_from.read(&mut bytes) {
            let process = kept_back.load(Ordering::SeqCst);
            if process != 0 {
                end(process);
                break;
            }
            if back_to.write_all(&bytes[..count]).is_err() {
                break;
            }
        }
        let _ = back_to.shutdown(Shutdown::Both);
    });
    let mut bytes = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = near.read(&mut bytes) {
        let opens = [&b"POST /v1/checkout/sessions "[..], b"POST /v1/payment_intents "]
            .iter()
            .any(|line| bytes[..count].starts_with(line));
        let cut = victim.lock().expect("unharmed").take_if(|_| opens);
        match cut {
            Some((process, Cut::Half)) => {
                let _ = far.write_all(&bytes[..count / 2]);
                end(process);
                break;
            }
            Some((process, Cut::Answer)) => unanswered.store(process, Ordering::SeqCst),
            None => {}
        }
        if far.write_all(&bytes[..count]).is_err() {
            break;
        }
    }
    let _ = far.shutdown(Shutdown::Both);
}
