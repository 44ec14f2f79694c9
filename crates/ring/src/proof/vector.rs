//! Vectors over GR, as the folds of a proof need them.

use super::fold::{fold_counted, fold_shifted, fold_words};
use super::galois::{bind, halves, multiply};
use super::small::{ABREAST, Abreast};
use super::{DEGREE, half};

/// An element: its coefficients, X^0 first.
pub type Element = [u64; DEGREE];

/// A vector over GR, eight elements abreast.
#[derive(Clone, Default)]
pub struct Vector {
    len: usize,
    /// Behind the last element is 0.
    elements: Vec<Abreast>,
}

impl Vector {
    /// How many elements it has.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// An element; 0 behind the last.
    pub fn get(&self, i: usize) -> Element {
        let coefficient = |c: usize| self.elements.get(i / ABREAST).map_or(0, |eight: &Abreast| eight.0[c].0[i % ABREAST]);
        std::array::from_fn(coefficient)
    }

    fn set(&mut self, i: usize, element: &Element) {
        element.iter().enumerate().for_each(|(c, word)| self.elements[i / ABREAST].0[c].0[i % ABREAST] = *word);
    }

    fn grow(&mut self, by: usize) -> usize {
        let len = self.len;
        self.len += by;
        self.elements.resize(self.len.div_ceil(ABREAST), Abreast::ZERO);
        len
    }

    /// One element more.
    pub fn push(&mut self, element: &Element) {
        let at = self.grow(1);
        self.set(at, element);
    }

    /// [Folded](fold_words) rows more.
    pub fn push_folded(&mut self, words: &[u64], eq: &[Element], weights: &[u64]) {
        let at = self.grow(words.len() / eq.len());
        fold_words(words, eq, weights, &mut self.elements, at);
    }

    /// Rows more of a claim whose words of the first side are small numbers [shifted](fold_shifted) by so many bits: those of that side if there are weights, and else those of the [other](fold_counted).
    pub fn push_small(&mut self, words: &[u64], shift: u8, eq: &[Element], weights: Option<&[u64]>) {
        let at = self.grow(words.len() / eq.len());
        match weights {
            Some(weights) => fold_shifted(words, shift, eq, weights, &mut self.elements, at),
            None => fold_counted(words, shift, eq, &mut self.elements, at),
        }
    }

    /// Room for so many more.
    pub fn reserve(&mut self, more: usize) {
        self.elements.reserve((self.len + more).div_ceil(ABREAST).saturating_sub(self.elements.len()));
    }

    /// The sum of products of two vectors of one length.
    pub fn inner(&self, other: &Vector) -> Element {
        halves(&self.elements, &other.elements, self.elements.len())[0]
    }

    /// [`halves`] of two vectors of one length.
    pub fn halves(&self, other: &Vector) -> [Element; 2] {
        let n = half(self.len);
        if self.len > ABREAST {
            return halves(&self.elements, &other.elements, n / ABREAST);
        }
        let less = |a: Element, b: Element| std::array::from_fn(|c| a[c].wrapping_sub(b[c]));
        let sum = |product: &dyn Fn(usize) -> Element| {
            let add = |sum: Element, product: Element| std::array::from_fn(|c| sum[c].wrapping_add(product[c]));
            (0..n).map(product).fold([0; DEGREE], add)
        };
        let difference = |z: &Vector, i: usize| less(z.get(n + i), z.get(i));
        [sum(&|i| multiply(&self.get(i), &other.get(i))), sum(&|i| multiply(&difference(self, i), &difference(other, i)))]
    }

    /// The first half becomes [low + r (high - low)](bind), and the second is gone.
    pub fn bind(&mut self, r: u64) {
        let n = half(self.len);
        if self.len > ABREAST {
            let (low, high) = self.elements.split_at_mut(n / ABREAST);
            bind(low, high, r);
            self.elements.truncate(n / ABREAST);
        } else {
            let high: Vec<Element> = (n..2 * n).map(|i| self.get(i)).collect();
            let mut high_only = vec![Abreast::ZERO; 1];
            high.iter().enumerate().for_each(|(i, high)| {
                high.iter().enumerate().for_each(|(c, word)| high_only[0].0[c].0[i] = *word);
            });
            bind(&mut self.elements, &high_only, r);
            // What is behind the half is 0 again.
            (n..self.len).for_each(|i| self.set(i, &[0; DEGREE]));
        }
        self.len = n;
    }
}

#[cfg(test)]
mod tests {
    use super::super::SLOTS;
    use super::super::fold::counted;
    use super::*;
    use proptest::prelude::*;

    fn elements(n: usize, seed: u64) -> Vec<Element> {
        let word = |i: u64| (i ^ seed).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29).wrapping_mul(seed | 1);
        (0..n as u64).map(|i| std::array::from_fn(|c| word(64 * i + c as u64))).collect()
    }

    fn vector(elements: &[Element]) -> Vector {
        let mut vector = Vector::default();
        elements.iter().for_each(|element| vector.push(element));
        vector
    }

    fn plus(a: Element, b: Element) -> Element {
        std::array::from_fn(|c| a[c].wrapping_add(b[c]))
    }

    fn less(a: Element, b: Element) -> Element {
        std::array::from_fn(|c| a[c].wrapping_sub(b[c]))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        /// Down to one element, and one that is bound again.
        #[test]
        fn folds(n in 1usize..70, seed: u64, r in 0u64..1 << DEGREE) {
            let (mut x, mut y) = (elements(n, seed), elements(n, !seed));
            let (mut a, mut b) = (vector(&x), vector(&y));
            for _ in 0..9 {
                let n = half(x.len());
                let at = |z: &[Element], i: usize| z.get(i).copied().unwrap_or([0; DEGREE]);
                let high = |z: &[Element], i: usize| less(at(z, n + i), at(z, i));
                let low = (0..n).fold([0; DEGREE], |sum, i| plus(sum, multiply(&at(&x, i), &at(&y, i))));
                let inf = (0..n).fold([0; DEGREE], |sum, i| plus(sum, multiply(&high(&x, i), &high(&y, i))));
                prop_assert_eq!(a.halves(&b), [low, inf]);
                let challenge = std::array::from_fn(|c| r >> c & 1);
                [x, y] = [x, y].map(|z| (0..n).map(|i| plus(z[i], multiply(&challenge, &high(&z, i)))).collect());
                a.bind(r);
                b.bind(r);
                prop_assert!(a.len() == n && (0..n + 9).all(|i| a.get(i) == at(&x, i) && b.get(i) == at(&y, i)));
            }
            prop_assert_eq!(a.len(), 1);
        }

        #[test]
        fn rows(n in 0usize..20, slots in 0usize..3, before in 0usize..9, seed: u64) {
            let slots = 1 << slots;
            let words: Vec<u64> = elements(n, seed).iter().flat_map(|element| element[..slots].to_vec()).collect();
            let (eq, weights) = (elements(slots, !seed), elements(n, seed ^ 9).iter().map(|e| e[7] >> (64 - DEGREE)).collect::<Vec<_>>());
            for weights in [&weights[..], &[]] {
                let mut rows = vector(&elements(before, 5));
                rows.push_folded(&words, &eq, weights);
                prop_assert_eq!(rows.len(), before + n);
                for i in 0..n {
                    let term = |j: usize| eq[j].map(|e: u64| e.wrapping_mul(words[i * slots + j]));
                    let sum = (0..slots).map(term).fold([0; DEGREE], plus);
                    let weight = |s: &u64| multiply(&std::array::from_fn(|c| s >> c & 1), &sum);
                    prop_assert_eq!(rows.get(before + i), weights.get(i).map_or(sum, weight));
                }
            }
        }

        /// Small numbers are folded as words are, but for what does not count.
        #[test]
        fn small_rows(n in 0usize..20, before in 0usize..9, shift in 0u8..64, seed: u64) {
            let words: Vec<u64> = elements(n, seed).iter().flat_map(|element| element[..SLOTS].to_vec()).collect();
            let (eq, weights) = (elements(SLOTS, !seed), elements(n, seed ^ 9).iter().map(|e| e[7] >> (64 - DEGREE)).collect::<Vec<_>>());
            let most = if shift < 48 { 1 } else { u64::MAX };
            let shifted: Vec<u64> = words.iter().map(|word| (word & most) << shift).collect();
            let [mut x, mut y, mut small_x, mut small_y] = [0; 4].map(|_| vector(&elements(before, 5)));
            x.push_folded(&shifted, &eq, &weights);
            small_x.push_small(&shifted, shift, &eq, Some(&weights));
            y.push_folded(&words, &eq, &[]);
            small_y.push_small(&words, shift, &eq, None);
            for i in 0..before + n {
                prop_assert_eq!(small_x.get(i), x.get(i));
                prop_assert_eq!(small_y.get(i), y.get(i).map(|word| if i < before { word } else { counted(word, shift) }));
            }
        }
    }
}
