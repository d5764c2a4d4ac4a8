//! Lane: how many calls to one dependency are under way at once.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A bulkhead: what waits for one dependency takes no place from another.
#[derive(Clone, Debug)]
pub struct Lane {
    places: Arc<Semaphore>,
    count: usize,
}

/// A place, for as long as it is held.
#[derive(Debug)]
pub struct Place {
    _permit: OwnedSemaphorePermit,
}

impl Lane {
    /// With so many places.
    pub fn new(count: usize) -> Self {
        Self { places: Arc::new(Semaphore::new(count)), count }
    }

    /// A place, once there is one.
    pub async fn place(&self) -> Place {
        let permit = self.places.clone().acquire_owned().await;
        Place { _permit: permit.expect("the semaphore is never closed") }
    }

    /// A place, if there is one now or soon.
    pub async fn place_within(&self, wait: Duration) -> Option<Place> {
        match self.places.clone().try_acquire_owned() {
            Ok(permit) => Some(Place { _permit: permit }),
            Err(_) => tokio::time::timeout(wait, self.place()).await.ok(),
        }
    }

    /// How many places there are.
    pub fn count(&self) -> usize {
        self.count
    }

    /// How many are taken.
    pub fn taken(&self) -> usize {
        self.count - self.places.available_permits()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_place_is_free_again_once_it_is_left() {
        let lane = Lane::new(2);
        let now = || lane.place_within(Duration::ZERO);
        let (first, second) = (now().await, now().await);
        assert!(first.is_some() && second.is_some() && now().await.is_none());
        drop(first);
        assert_eq!((lane.taken(), lane.count()), (1, 2));
        assert!(now().await.is_some());
    }

    #[tokio::test]
    async fn whoever_waits_gets_the_place_that_is_left() {
        let lane = Lane::new(1);
        let first = lane.place_within(Duration::ZERO).await;
        let (second, ()) = tokio::join!(lane.place_within(Duration::from_secs(60)), async { drop(first) });
        assert!(second.is_some() && lane.taken() == 1);
    }
}
