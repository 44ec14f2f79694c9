//! Which of an owner's records are held out, by the schema's public seed.
//!
//! Of n records n / holdout are held out, rounded down, but one where there are two or more: so many that everybody can work it out,
//! whatever the records are. In a horizontal partition each class has its share of them, as near as whole numbers allow, and one at
//! least where it has two records. In a vertical one, and in a regression, they are drawn from all alike: there the choice must be the
//! same at owners that do not have the label, and would publish it.
//!
//! Chunks of records to train on and of held-out ones come in an order that follows from these two numbers alone.

use trefoil_ring::public::Public;

/// The use that is made of the seed: see [`Public`].
const HELD_OUT: u64 = 1;

/// How many records there are of each class, or, where classes do not matter, in all.
pub(crate) struct Plan {
    classes: Vec<Class>,
    /// To train on, and held out: in all, and given in chunks so far.
    all: [u64; 2],
    given: [u64; 2],
}

/// Of one class: what is left to come, and to be held out.
struct Class {
    left: u64,
    held: u64,
    draws: Public,
}

impl Plan {
    /// Of so many records of each class, of which so many are held out.
    pub(super) fn new(counts: &[u64], held: u64, seed: u64) -> Plan {
        let all: u64 = counts.iter().sum();
        let shares = shares(counts, held);
        let class = |(i, (left, held)): (usize, (&u64, u64))| Class {
            left: *left,
            held,
            draws: Public::new(seed, &[HELD_OUT, 1 + i as u64]),
        };
        Plan { classes: counts.iter().zip(shares).enumerate().map(class).collect(), all: [all - held, held], given: [0; 2] }
    }

    /// Whether the next record, which is of this class, is held out. None where there were not so many when they were counted.
    pub(super) fn take(&mut self, class: usize) -> Option<bool> {
        let class = self.classes.get_mut(class).filter(|class| class.left > 0)?;
        let chosen = class.held > 0 && class.draws.below(class.left) < class.held;
        class.left -= 1;
        class.held -= u64::from(chosen);
        Some(chosen)
    }

    /// Of what kind the next chunk of at most so many records is, and how many it has; none after the last.
    pub(super) fn next(&self, rows: usize) -> Option<(bool, usize)> {
        let left = [0, 1].map(|kind| self.all[kind] - self.given[kind]);
        let size = left.map(|left| left.min(rows as u64));
        // Held-out records once so many of the others have come that they are due.
        let product = |a: u64, b: u64| u128::from(a) * u128::from(b);
        let due = product(self.given[1] + size[1], self.all[0]) <= product(self.given[0], self.all[1]);
        let test = left[1] > 0 && (left[0] == 0 || due);
        let size = size[usize::from(test)];
        (size > 0).then_some((test, size as usize))
    }

    /// It was given.
    pub(super) fn gave(&mut self, test: bool, rows: usize) {
        self.given[usize::from(test)] += rows as u64;
    }
}

/// So many to be held out, shared by classes of so many records: by the largest remainder, and one at least of each class that has two.
fn shares(counts: &[u64], held: u64) -> Vec<u64> {
    let all: u64 = counts.iter().sum::<u64>().max(1);
    let exact = |n: u64| u128::from(held) * u128::from(n);
    let mut shares: Vec<u64> = counts.iter().map(|n| (exact(*n) / u128::from(all)) as u64).collect();
    let mut order: Vec<usize> = (0..counts.len()).collect();
    // Of remainders that are alike the first class's goes first.
    order.sort_by_key(|i| std::cmp::Reverse(exact(counts[*i]) % u128::from(all)));
    let rest = held - shares.iter().sum::<u64>();
    for i in order.into_iter().take(rest as usize) {
        shares[i] += 1;
    }
    for i in 0..shares.len() {
        if shares[i] == 0 && counts[i] > 1 {
            let most = (0..shares.len()).max_by_key(|j| (shares[*j], std::cmp::Reverse(*j))).filter(|j| shares[*j] > 1);
            if let Some(most) = most {
                (shares[most], shares[i]) = (shares[most] - 1, 1);
            }
        }
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_have_their_shares() {
        assert_eq!(shares(&[292, 8], 60), [58, 2]);
        assert_eq!(shares(&[50, 50, 50], 30), [10, 10, 10]);
        // A class with few has one, but for one with a single record.
        assert_eq!(shares(&[96, 2, 1, 1], 20), [19, 1, 0, 0]);
        assert_eq!(shares(&[3, 1], 1), [1, 0]);
        assert_eq!(shares(&[0, 0], 0), [0, 0]);
    }

    #[test]
    fn each_record_is_of_one_kind_and_as_many_are_held_out_as_were_planned() {
        let classes: Vec<usize> = (0..300).map(|i| usize::from(i % 37 == 3)).collect();
        let counts = [0, 1].map(|c| classes.iter().filter(|k| **k == c).count() as u64);
        let chosen = |seed| -> Vec<bool> {
            let mut plan = Plan::new(&counts, 60, seed);
            let chosen = classes.iter().map(|c| plan.take(*c).unwrap()).collect();
            assert_eq!((plan.take(0), plan.take(1)), (None, None));
            chosen
        };
        let one = chosen(1);
        assert_eq!(one.iter().filter(|held| **held).count(), 60);
        assert_eq!(one.iter().zip(&classes).filter(|(held, class)| **held && **class == 1).count(), 2);
        assert_eq!(one, chosen(1));
        assert_ne!(one, chosen(2));
    }

    /// A change here changes what every owner holds out.
    #[test]
    fn the_choice_is_stable() {
        let mut plan = Plan::new(&[10], 3, 1);
        let held: Vec<usize> = (0..10).filter(|_| plan.take(0).unwrap()).collect();
        assert_eq!(held.len(), 3);
        assert_eq!(held, STABLE);
    }
    const STABLE: [usize; 3] = [1, 6, 9];

    #[test]
    fn the_order_of_chunks_follows_from_the_numbers() {
        let mut plan = Plan::new(&[100], 20, 1);
        let mut order = Vec::new();
        while let Some((test, rows)) = plan.next(10) {
            order.push((test, rows));
            plan.gave(test, rows);
        }
        let kinds: String = order.iter().map(|(test, _)| if *test { 'h' } else { 't' }).collect();
        assert_eq!(kinds, "tttthtttth");
        assert_eq!(order.iter().map(|(_, rows)| rows).sum::<usize>(), 100);
    }
}
