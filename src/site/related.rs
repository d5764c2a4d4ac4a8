//! Related: which products go with another, where the merchant has not named enough.
//!
//! Owns    the choice among neighbours on the shelf: those that share most with the product (brand, tags, attributes) come first, then
//!         the nearest.
//! Limits  looks at `WINDOW` neighbours and no further: the cost per product is the same on every shelf, and an edit to one product can
//!         only be seen by those beside it.

use std::collections::HashMap;

use super::load::Loaded;

/// Neighbours on the shelf that are looked at, half of them on each side.
const WINDOW: usize = 48;

/// What each product has that others may share, as numbers.
#[derive(Debug)]
pub struct Traits {
    // Those of product P, rising: `all[starts[P]..starts[P + 1]]`.
    starts: Vec<u32>,
    all: Vec<u32>,
}

impl Traits {
    /// Of every product.
    pub fn new(loaded: &Loaded) -> Self {
        let mut known: HashMap<(&str, &str), u32> = HashMap::new();
        let mut traits = Self { starts: vec![0], all: Vec::new() };
        for (product, notes) in loaded.catalog.products().iter().zip(&loaded.products) {
            let start = traits.all.len();
            let brand = product.brand.iter().map(|brand| ("\u{1f}brand", brand.as_str()));
            for one in brand.chain(notes.marks.all()) {
                let next = known.len() as u32;
                traits.all.push(*known.entry(one).or_insert(next));
            }
            traits.all[start..].sort_unstable();
            traits.starts.push(traits.all.len() as u32);
        }
        traits
    }

    fn of(&self, product: usize) -> &[u32] {
        &self.all[self.starts[product] as usize..self.starts[product + 1] as usize]
    }

    fn shared(&self, one: usize, other: usize) -> usize {
        let (mut ours, mut theirs) = (self.of(one), self.of(other));
        let mut count = 0;
        while let ([first, rest @ ..], [second, others @ ..]) = (ours, theirs) {
            count += usize::from(first == second);
            ours = if first <= second { rest } else { ours };
            theirs = if second <= first { others } else { theirs };
        }
        count
    }

    /// Up to `count` products of a shelf that go with the one at `place` of it and are not in `passed_over`, best first.
    pub fn neighbors(&self, shelf: &[usize], place: usize, count: usize, passed_over: &[usize]) -> Vec<usize> {
        let others = shelf.len() - 1;
        // After it and before it in turn, and round the shelf's ends: 1 after, 1 before, 2 after …
        let at = |step: usize| {
            let far = step / 2 + 1;
            shelf[if step.is_multiple_of(2) { (place + far) % shelf.len() } else { (place + shelf.len() - far) % shelf.len() }]
        };
        let mut near: Vec<(std::cmp::Reverse<usize>, usize, usize)> = (0..others.min(WINDOW))
            .map(|step| (step, at(step)))
            .filter(|(_, other)| !passed_over.contains(other))
            .map(|(step, other)| (std::cmp::Reverse(self.shared(shelf[place], other)), step, other))
            .collect();
        near.sort_unstable();
        near.truncate(count);
        near.into_iter().map(|(_, _, other)| other).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Products on one shelf, by what they have.
    fn traits(of: &[&[u32]]) -> Traits {
        let mut traits = Traits { starts: vec![0], all: Vec::new() };
        for one in of {
            traits.all.extend(*one);
            traits.starts.push(traits.all.len() as u32);
        }
        traits
    }

    #[test]
    fn what_is_most_alike_goes_first_and_then_what_is_nearest() {
        let traits = traits(&[&[1, 2], &[3], &[2], &[1, 2], &[], &[9]]);
        let shelf = [0, 1, 2, 3, 4, 5];
        assert_eq!(traits.neighbors(&shelf, 0, 9, &[]), [3, 2, 1, 5, 4]);
        assert_eq!(traits.neighbors(&shelf, 0, 2, &[3]), [2, 1]);
        assert_eq!(traits.neighbors(&[4], 0, 9, &[]), [0; 0]);
    }

    #[test]
    fn every_neighbor_is_looked_at_once() {
        let traits = traits(&[&[][..]; 7]);
        for count in 2..7 {
            let shelf: Vec<usize> = (0..count).collect();
            let mut found = traits.neighbors(&shelf, 1, 9, &[]);
            found.sort_unstable();
            assert_eq!(found, shelf.iter().copied().filter(|other| *other != 1).collect::<Vec<_>>());
        }
    }

    #[test]
    fn what_lies_far_off_on_the_shelf_changes_nothing() {
        let near = traits(&vec![&[][..]; 200]);
        let mut alike = vec![&[][..]; 200];
        (alike[10], alike[100]) = (&[1], &[1]);
        let shelf: Vec<usize> = (0..200).collect();
        assert_eq!(near.neighbors(&shelf, 10, 8, &[]), traits(&alike).neighbors(&shelf, 10, 8, &[]));
    }
}
