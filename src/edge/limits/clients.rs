//! Clients: how fast one address may open and pay checkouts, so that one machine cannot fill the shop's store with rows.
//!
//! Limits  RATE a second after a BURST for each address (IPv6: each network of 56 bits, which one household has); CLIENTS_MAX of them are
//!         remembered. Whoever is not remembered passes.
//! Always  addresses of machines of one's own pass, as do shoppers whose address nobody knows. Nothing is kept beyond memory.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use super::bucket::Bucket;
use crate::edge::front::{cut, is_own};

/// Steps of checkouts at once: a few hundred shoppers of one mobile network, which stand behind one address.
const BURST: u32 = 600;
/// Steps a second from then on; a shopper makes some five in all.
const RATE: u32 = 20;
/// Addresses that are remembered, in a few MB.
const CLIENTS_MAX: usize = 50_000;
/// Pause between two looks for who can be forgotten: each look is at all of them.
const SWEEP_MS: u64 = 1_000;
/// Bits of an IPv6 address that a provider gives to one household.
const HOUSEHOLD_BITS: u8 = 56;

/// The addresses of the last minutes, each with what it may still do.
#[derive(Debug)]
pub struct Clients {
    burst: u32,
    rate: u32,
    known: Mutex<Known>,
}

impl Default for Clients {
    fn default() -> Self {
        Self::at(BURST, RATE)
    }
}

#[derive(Debug, Default)]
struct Known {
    buckets: BTreeMap<IpAddr, Bucket>,
    /// When there was last a look for who can be forgotten.
    swept_at: Option<u64>,
}

impl Clients {
    /// Each may take so many steps at once, and so many a second from then on.
    pub fn at(burst: u32, rate: u32) -> Self {
        Self { burst, rate, known: Mutex::default() }
    }

    /// Lets a client take a step. `now`: milliseconds of a clock that only goes forward.
    ///
    /// Errors: milliseconds after which it may.
    pub fn take(&self, client: IpAddr, now: u64) -> Result<(), u64> {
        if is_own(client) {
            return Ok(());
        }
        let name = if client.is_ipv6() { cut(client, HOUSEHOLD_BITS) } else { client };
        // Each step leaves it whole: what a panic left can be used.
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let Known { buckets, swept_at } = &mut *known;
        if buckets.len() >= CLIENTS_MAX && !buckets.contains_key(&name) {
            if swept_at.is_none_or(|at| now.saturating_sub(at) >= SWEEP_MS) {
                *swept_at = Some(now);
                // A full bucket is as good as none.
                buckets.retain(|_, bucket| bucket.level(now) < u64::from(self.burst) * 1_000);
            }
            if buckets.len() >= CLIENTS_MAX {
                return Ok(());
            }
        }
        buckets.entry(name).or_insert_with(|| Bucket::new(self.burst, self.rate)).take(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    fn spend(clients: &Clients, address: &str, now: u64) -> usize {
        (0..).take_while(|_| clients.take(at(address), now).is_ok()).take(10_000).count()
    }

    #[test]
    fn one_address_is_held_back_and_the_next_is_not() {
        let clients = Clients::default();
        assert_eq!(spend(&clients, "203.0.113.5", 0), BURST as usize);
        assert_eq!(clients.take(at("203.0.113.5"), 0), Err(50));
        assert_eq!(clients.take(at("203.0.113.6"), 0), Ok(()));
        assert_eq!(spend(&clients, "203.0.113.5", 1_000), RATE as usize);
    }

    #[test]
    fn a_household_is_one_client_and_machines_of_ones_own_are_none() {
        let clients = Clients::default();
        assert_eq!(spend(&clients, "2001:db8:1:10::1", 0), BURST as usize);
        assert!(clients.take(at("2001:db8:1:1f:ffff::9"), 0).is_err(), "the same 56 bits");
        assert!(clients.take(at("2001:db8:1:110::1"), 0).is_ok());
        for own in ["127.0.0.1", "10.1.2.3", "192.168.1.1", "100.64.0.1", "::1", "fd00::1", "fe80::1"] {
            assert_eq!(spend(&clients, own, 0), 10_000, "{own}");
        }
        assert!(clients.known.lock().expect("no panic").buckets.len() == 2, "and nothing is remembered of them");
    }

    #[test]
    fn more_clients_than_are_remembered_pass_and_those_who_wait_are_forgotten() {
        let clients = Clients::default();
        let nth = |number: u32| IpAddr::from((0xc000_0000 + number).to_be_bytes());
        for number in 0..CLIENTS_MAX as u32 {
            clients.take(nth(number), 0).expect("a first step");
        }
        assert_eq!(spend(&clients, "203.0.113.5", 0), 10_000, "not remembered");
        assert_eq!(spend(&clients, "203.0.113.5", 60_000), BURST as usize, "there is room again");
        assert_eq!(clients.known.lock().expect("no panic").buckets.len(), 1);
    }
}
