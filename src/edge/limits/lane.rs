//! Lane: how many calls to one dependency are under way at once.

use std::sync::Arc;

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

    /// A place, if there is one now.
    pub fn try_place(&self) -> Option<Place> {
        self.places.clone().try_acquire_owned().ok().map(|permit| Place { _permit: permit })
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

    #[test]
    fn a_place_is_free_again_once_it_is_left() {
        let lane = Lane::new(2);
        let (first, second) = (lane.try_place(), lane.try_place());
        assert!(first.is_some() && second.is_some() && lane.try_place().is_none());
        drop(first);
        assert_eq!((lane.taken(), lane.count()), (1, 2));
        assert!(lane.try_place().is_some());
    }
}
