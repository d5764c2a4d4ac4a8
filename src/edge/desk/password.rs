//! Password: what of one is kept, and whether another is the same.
//!
//! Owns    the costs of a hash, the rules of a name and of a password, and the hash that is compared with where there is no operator, so that
//!         a name that exists is answered as slowly as one that does not.
//! Limits  PLACES hashes at once, each of 19 MiB for some tens of milliseconds; WAITING_MAX wait for a place, more are told to come again.
//! Always  off the threads that answer shoppers; a password is never written anywhere. Who asks may be gone before the answer: a place is
//!         the hash's own until it is made, and whoever waits no more is not counted.
//! Source  OWASP, "Password Storage": argon2id with m=19456 KiB, t=2, p=1. NIST SP 800-63B, 3.1.1: length, and no rules of composition.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use tokio::sync::Semaphore;

/// Hashes at once: one processor in two goes on answering.
const PLACES: usize = 2;
/// More than this waits for longer than people do.
const WAITING_MAX: usize = 16;
/// Shorter ones are guessed.
pub const PASSWORD_MIN: usize = 12;
/// Longest password in bytes: a long sentence.
pub const PASSWORD_MAX_BYTES: usize = 256;
/// Longest name in bytes.
pub const NAME_MAX_BYTES: usize = 64;

/// Why something is no name or no password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// The name.
    #[error("a name has 1 to {NAME_MAX_BYTES} of a-z, 0-9, `.`, `_` and `-`, such as ada or ada.l")]
    Name,
    /// It is too short.
    #[error("a password has at least {PASSWORD_MIN} letters; a few words that do not belong together are easy to keep in mind")]
    Short,
    /// It is too long.
    #[error("a password has at most {PASSWORD_MAX_BYTES} bytes")]
    Long,
    /// It is the name.
    #[error("the password holds nothing but the name; choose another")]
    IsName,
}

/// Whether a text can be an operator's name.
///
/// Errors: it cannot.
pub fn check_name(name: &str) -> Result<(), Unfit> {
    let is_letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte);
    let fits = (1..=NAME_MAX_BYTES).contains(&name.len()) && name.bytes().all(is_letter);
    if fits { Ok(()) } else { Err(Unfit::Name) }
}

/// Whether a text can be the password of an operator.
///
/// Errors: why not.
pub fn check_password(name: &str, password: &str) -> Result<(), Unfit> {
    match password {
        _ if password.len() > PASSWORD_MAX_BYTES => Err(Unfit::Long),
        _ if password.chars().count() < PASSWORD_MIN => Err(Unfit::Short),
        _ if password.to_lowercase().replace(name, "").trim().is_empty() => Err(Unfit::IsName),
        _ => Ok(()),
    }
}

fn argon2() -> Argon2<'static> {
    Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::DEFAULT)
}

/// What is kept of a password: a PHC string, with a salt of its own. Takes some tens of milliseconds and 19 MiB.
pub fn hash(password: &str) -> String {
    let hash = argon2().hash_password(password.as_bytes());
    hash.expect("the costs are right, and the system's randomness never fails once the process has started").to_string()
}

/// Whether a hash is of that password. Takes as long as `hash`.
fn is_of(password: &str, hash: &str) -> bool {
    PasswordHash::new(hash).is_ok_and(|hash| argon2().verify_password(password.as_bytes(), &hash).is_ok())
}

/// Who looks at passwords, a few at a time.
#[derive(Debug)]
pub struct Passwords {
    places: Arc<Semaphore>,
    waiting: AtomicUsize,
    /// The hash of no operator.
    nobody: OnceLock<String>,
}

impl Default for Passwords {
    fn default() -> Self {
        Self { places: Arc::new(Semaphore::new(PLACES)), waiting: AtomicUsize::new(0), nobody: OnceLock::new() }
    }
}

/// Somebody who waits for a place: counted until there is one, or until nobody waits for it any more.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    /// `None`: as many as may wait do so already.
    fn begin(count: &'a AtomicUsize) -> Option<Self> {
        let is_one_of_few = count.fetch_add(1, Ordering::Relaxed) < WAITING_MAX;
        let waiting = Self(count);
        is_one_of_few.then_some(waiting)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Passwords {
    /// Whether a password is an operator's; `hash: None`: there is none, which takes as long to be told. `None`: too many ask at once, and
    /// nothing was looked at.
    pub async fn are_same(self: &Arc<Self>, password: String, hash: Option<String>) -> Option<bool> {
        let waiting = Waiting::begin(&self.waiting)?;
        let place = self.places.clone().acquire_owned().await;
        drop(waiting);
        let passwords = self.clone();
        let looked = tokio::task::spawn_blocking(move || {
            // It goes on where whoever asked is gone, and has its place for as long.
            let _place = place;
            let nobody = passwords.nobody.get_or_init(|| self::hash("nobody has this password"));
            let is_same = is_of(&password, hash.as_ref().unwrap_or(nobody));
            is_same && hash.is_some()
        });
        Some(looked.await.unwrap_or(false))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::future::{Future, poll_fn};
    use std::pin::pin;
    use std::sync::mpsc;
    use std::task::Poll;

    /// As a client that goes away does: the request is begun and never ended.
    async fn begin_and_leave(passwords: &Arc<Passwords>) {
        let mut asked = pin!(passwords.are_same("five small words".to_owned(), None));
        poll_fn(|context| Poll::Ready(asked.as_mut().poll(context).is_pending())).await;
    }

    fn run<T>(steps: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().expect("a thread").block_on(steps)
    }

    #[test]
    fn whoever_leaves_while_waiting_takes_no_place_from_those_who_come() {
        run(async {
            let passwords = Arc::new(Passwords::default());
            let all = passwords.places.clone().acquire_many_owned(PLACES as u32).await.expect("nobody has one");
            for _ in 0..WAITING_MAX + 5 {
                begin_and_leave(&passwords).await;
            }
            drop(all);
            let hash = hash("five small words");
            assert_eq!(passwords.are_same("five small words".to_owned(), Some(hash)).await, Some(true));
            // Those who stay are counted.
            let all = passwords.places.clone().acquire_many_owned(PLACES as u32).await.expect("all are back");
            let stays = |_| {
                let passwords = passwords.clone();
                tokio::spawn(async move { passwords.are_same(String::new(), None).await })
            };
            let staying: Vec<_> = (0..WAITING_MAX).map(stays).collect();
            tokio::task::yield_now().await;
            assert_eq!(passwords.are_same(String::new(), None).await, None, "too many");
            staying.iter().for_each(tokio::task::JoinHandle::abort);
            drop(all);
        });
    }

    #[test]
    fn a_hash_keeps_its_place_until_it_is_made_though_nobody_waits_for_it() {
        run(async {
            let passwords = Arc::new(Passwords::default());
            let ((begun, is_begun), (go_on, may_go_on)) = (mpsc::channel(), mpsc::channel::<()>());
            // Whoever looks needs the hash of nobody, and it is not there before this ends.
            let first = passwords.clone();
            let first = std::thread::spawn(move || {
                first.nobody.get_or_init(|| {
                    begun.send(()).expect("it is waited for");
                    may_go_on.recv().expect("it is told");
                    hash("nobody has this password")
                });
            });
            is_begun.recv().expect("it begins");
            begin_and_leave(&passwords).await;
            assert_eq!(passwords.places.available_permits(), PLACES - 1);
            go_on.send(()).expect("it waits");
            first.join().expect("no panic");
            passwords.places.acquire_many(PLACES as u32).await.expect("the place is back").forget();
        });
    }

    #[test]
    fn a_password_is_kept_as_argon2id_with_its_costs_and_a_salt_of_its_own() {
        let (one, other) = (hash("correct horse battery"), hash("correct horse battery"));
        assert!(one.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{one}");
        assert_ne!(one, other);
        assert!(is_of("correct horse battery", &one) && !is_of("correct horse batterY", &one));
        assert!(!is_of("", "no hash at all"));
    }

    #[test]
    fn names_and_passwords_have_rules_that_are_told() {
        for (name, fits) in [("ada", true), ("a.d-a_1", true), ("", false), ("Ada", false), ("a b", false), ("ä", false)] {
            assert_eq!(check_name(name).is_ok(), fits, "{name}");
        }
        assert_eq!(check_name(&"a".repeat(65)), Err(Unfit::Name));
        for (password, expected) in [
            ("short", Err(Unfit::Short)),
            ("adaadaadaada", Err(Unfit::IsName)),
            ("ÄÖÜ is twelve", Ok(())),
            ("four words and ada", Ok(())),
        ] {
            assert_eq!(check_password("ada", password), expected, "{password}");
        }
        assert_eq!(check_password("ada", &"x".repeat(257)), Err(Unfit::Long));
    }
}
