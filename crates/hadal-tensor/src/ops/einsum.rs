//! Sums of products by an equation.

use crate::shape::Shape;
use crate::tensor::Tensor;

/// The sum of products that an equation names (Einstein's convention), as PyTorch's and NumPy's `einsum`: each letter is an axis, and those that are
/// not in the result are summed over. Without `->`, the result has the letters that occur once, in alphabetical order.
///
/// ```
/// use hadal_tensor::{Tensor, einsum};
/// let (a, b) = (Tensor::from([[1.0, 2.0], [3.0, 4.0]]), Tensor::from([[5.0, 6.0], [7.0, 8.0]]));
/// let all = |equation, tensors: &[&Tensor]| einsum(equation, tensors).to_vec::<f32>();
/// assert_eq!(all("ij,jk->ik", &[&a, &b]), a.matmul(&b).to_vec::<f32>());
/// assert_eq!(all("ij->ji", &[&a]), [1.0, 3.0, 2.0, 4.0]);
/// assert_eq!(all("ii->", &[&a]), [5.0]); // the trace
/// assert_eq!(all("ij,ij->i", &[&a, &b]), [17.0, 53.0]); // products of rows
/// ```
///
/// An ellipsis stands for the axes that have no letter, as in PyTorch: those of all tensors are broadcast to each other, from the last
/// on. Where the result has none, they are summed over; without `->`, they are its first.
///
/// ```
/// use hadal_tensor::{Tensor, einsum};
/// let (queries, keys) = (Tensor::ones([8, 4, 10, 16]), Tensor::ones([4, 12, 16]));
/// assert_eq!(einsum("...tc,...sc->...ts", &[&queries, &keys]).shape(), &[8, 4, 10, 12]);
/// assert_eq!(einsum("...tc->c", &[&queries]).shape(), &[16]);
/// ```
///
/// An axis of size 1 is broadcast to the size that its letter has in another tensor.
///
/// Two tensors at a time are contracted, from the left, as products of matrices.
///
/// # Panics
/// If the equation is none, does not fit the tensors, one letter stands for two sizes other than 1, or the axes of ellipses do not
/// broadcast.
#[track_caller]
pub fn einsum(equation: &str, tensors: &[&Tensor]) -> Tensor {
    let (terms, output) = parse(equation, tensors);
    let mut terms = terms.into_iter();
    let Some(first) = terms.next() else { panic!("einsum: {equation:?} names no tensor") };
    let mut product = first.without_repetition();
    let rest: Vec<Term> = terms.map(Term::without_repetition).collect();
    for (index, term) in rest.iter().enumerate() {
        let later: Vec<char> = rest[index + 1..].iter().flat_map(|term| term.letters.clone()).collect();
        let kept = |letter: &char| output.contains(letter) || later.contains(letter);
        product = product.times(term, kept);
    }
    let product = product.summed(|letter| output.contains(letter));
    let order: Vec<isize> = output.iter().map(|letter| product.axis(*letter) as isize).collect();
    product.x.permute(&order)
}

/// What an ellipsis is while an equation is read.
const ELLIPSIS: char = '…';

/// In the place of an ellipsis, a digit is the letter of each of its axes: 0 of the last.
fn digits(axes: usize) -> impl Iterator<Item = char> {
    (0..axes as u32).rev().filter_map(|place| char::from_digit(place, 10))
}

/// The tensors with a letter for each axis, and the letters of the result.
#[track_caller]
fn parse(equation: &str, tensors: &[&Tensor]) -> (Vec<Term>, Vec<char>) {
    let plain: String = equation.chars().filter(|c| !c.is_whitespace()).collect();
    let is_ascii = plain.is_ascii();
    let plain = plain.replace("...", &ELLIPSIS.to_string());
    let (inputs, output) = match plain.split_once("->") {
        Some((inputs, output)) => (inputs, Some(output)),
        None => (plain.as_str(), None),
    };
    let terms: Vec<&str> = inputs.split(',').collect();
    let of_letters = |term: &&str| term.chars().all(|c| c.is_ascii_alphabetic() || c == ELLIPSIS);
    assert!(
        is_ascii && terms.iter().all(of_letters) && output.iter().all(of_letters),
        "einsum: {equation:?} is not an equation of letters, such as \"ij,jk->ik\""
    );
    assert!(
        terms.iter().chain(&output).all(|term| term.matches(ELLIPSIS).count() <= 1),
        "einsum: {equation:?} has more than one ellipsis for a tensor"
    );
    assert!(
        terms.len() == tensors.len(),
        "einsum: {equation:?} names {} tensors, {} were given",
        terms.len(),
        tensors.len()
    );
    let mut letters: Vec<Vec<char>> = Vec::with_capacity(terms.len());
    let mut broadcast = Shape::from([]);
    for (term, tensor) in terms.iter().zip(tensors) {
        let named = term.chars().filter(char::is_ascii_alphabetic).count();
        assert!(
            named == tensor.rank() || (named < tensor.rank() && term.contains(ELLIPSIS)),
            "einsum: {equation:?} has {named} letters for a tensor of shape {}",
            tensor.shape()
        );
        let Some((front, _)) = term.split_once(ELLIPSIS) else {
            letters.push(term.chars().collect());
            continue;
        };
        let axes = tensor.rank() - named;
        let own = Shape::new(&tensor.shape()[front.len()..front.len() + axes]);
        broadcast = match broadcast.broadcast(&own) {
            Some(shape) => shape,
            None => panic!("einsum: {equation:?}: the axes of ellipses, {broadcast} and {own}, do not broadcast"),
        };
        letters.push(spelled(term, axes));
    }
    // The sizes to which axes are broadcast.
    let mut sizes: Vec<(char, usize)> = digits(broadcast.rank()).zip(broadcast.iter().copied()).collect();
    for (letters, tensor) in letters.iter().zip(tensors) {
        for (axis, (&letter, &size)) in letters.iter().zip(tensor.shape().iter()).enumerate() {
            let unlike = |other: usize| format!("einsum: {equation:?}: {letter} stands for sizes {other} and {size}");
            if let Some(first) = letters[..axis].iter().position(|other| *other == letter) {
                // A diagonal, which is not broadcast.
                let first = tensor.size(first as isize);
                assert!(first == size, "{}", unlike(first));
                continue;
            }
            match sizes.iter_mut().find(|(other, _)| *other == letter) {
                None => sizes.push((letter, size)),
                Some((_, other)) if *other == 1 => *other = size,
                Some((_, other)) => assert!(size == *other || size == 1, "{}", unlike(*other)),
            }
        }
    }
    let mut all = Vec::with_capacity(letters.len());
    for (letters, tensor) in letters.into_iter().zip(tensors) {
        let mut term = Term { letters, x: (*tensor).clone() };
        for axis in (0..tensor.rank()).rev() {
            // Numbers that are the same along an axis need not have it.
            if !sizes.contains(&(term.letters[axis], tensor.shape()[axis])) {
                term.letters.remove(axis);
                term.x = term.x.squeeze(axis as isize);
            }
        }
        all.push(term);
    }
    let count = |letter: char| terms.iter().flat_map(|term| term.chars()).filter(|other| *other == letter).count();
    let output: Vec<char> = match output {
        Some(output) => spelled(output, broadcast.rank()),
        None => {
            let mut once: Vec<char> = sizes.iter().map(|(letter, _)| *letter).filter(|c| count(*c) == 1).collect();
            once.sort_unstable();
            digits(broadcast.rank()).chain(once).collect()
        }
    };
    for (index, letter) in output.iter().enumerate() {
        assert!(
            (count(*letter) > 0 || letter.is_ascii_digit()) && !output[..index].contains(letter),
            "einsum: {equation:?}: the result's {letter} must stand there once, and in a tensor"
        );
    }
    (all, output)
}

/// The letters of a term whose ellipsis, where there is one, stands for so many axes.
fn spelled(term: &str, axes: usize) -> Vec<char> {
    match term.split_once(ELLIPSIS) {
        Some((front, back)) => front.chars().chain(digits(axes)).chain(back.chars()).collect(),
        None => term.chars().collect(),
    }
}

/// A tensor whose axes have letters.
struct Term {
    letters: Vec<char>,
    x: Tensor,
}

impl Term {
    /// Diagonals where a letter stands twice.
    #[track_caller]
    fn without_repetition(mut self) -> Term {
        while let Some((a, b)) = repeated(&self.letters) {
            self.x = self.x.diagonal(a, b);
            self.letters.remove(b);
        }
        self
    }

    fn axis(&self, letter: char) -> usize {
        self.letters.iter().position(|own| *own == letter).expect("parse has seen the letter in a tensor")
    }

    /// Summed over the letters that are not kept.
    #[track_caller]
    fn summed(self, kept: impl Fn(&char) -> bool) -> Term {
        let gone: Vec<isize> = self
            .letters
            .iter()
            .enumerate()
            .filter(|(_, letter)| !kept(letter))
            .map(|(axis, _)| axis as isize)
            .collect();
        if gone.is_empty() {
            return self;
        }
        Term { x: self.x.sum_axes(&gone), letters: self.letters.into_iter().filter(kept).collect() }
    }

    /// With the axes of `groups`, one after another, each group made one.
    #[track_caller]
    fn grouped<const N: usize>(&self, groups: [&[char]; N]) -> Tensor {
        let order: Vec<isize> = groups.iter().flat_map(|group| group.iter()).map(|c| self.axis(*c) as isize).collect();
        let sizes = groups.map(|group| group.iter().map(|c| self.x.shape()[self.axis(*c)]).product::<usize>());
        self.x.permute(&order).reshape(sizes)
    }

    /// The product with another, summed over what both have and is not kept.
    #[track_caller]
    fn times(self, other: &Term, kept: impl Fn(&char) -> bool) -> Term {
        let mine = self.letters.clone();
        // What one alone has and nobody keeps is summed first.
        let a = self.summed(|letter| other.letters.contains(letter) || kept(letter));
        let b = Term { letters: other.letters.clone(), x: other.x.clone() };
        let b = b.summed(|letter| mine.contains(letter) || kept(letter));
        let both = |letter: &char| a.letters.contains(letter) && b.letters.contains(letter);
        let those = |letters: &[char], of: &dyn Fn(&char) -> bool| -> Vec<char> {
            letters.iter().copied().filter(|letter| of(letter)).collect()
        };
        let batch = those(&a.letters, &|letter| both(letter) && kept(letter));
        let inner = those(&a.letters, &|letter| both(letter) && !kept(letter));
        let left = those(&a.letters, &|letter| !both(letter));
        let right = those(&b.letters, &|letter| !both(letter));
        let sizes: Vec<usize> = batch
            .iter()
            .chain(&left)
            .map(|letter| a.x.shape()[a.axis(*letter)])
            .chain(right.iter().map(|letter| b.x.shape()[b.axis(*letter)]))
            .collect();
        let x = a.grouped([&batch, &left, &inner]);
        let y = b.grouped([&batch, &inner, &right]);
        let product = if inner.is_empty() || !x.dtype().is_float() {
            // No product of matrices, or one of integers.
            (x.unsqueeze(3) * y.unsqueeze(1)).sum_axes(&[2])
        } else {
            x.matmul(&y)
        };
        Term { x: product.reshape(sizes), letters: [batch, left, right].concat() }
    }
}

/// The axes of a letter that stands twice.
fn repeated(letters: &[char]) -> Option<(usize, usize)> {
    let second = (0..letters.len()).find(|&b| letters[..b].contains(&letters[b]))?;
    Some((letters.iter().position(|letter| *letter == letters[second])?, second))
}
