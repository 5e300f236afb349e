//! Parts of a tensor by one expression, as Python's `x[:, 1:3, -1]`.

use std::ops::{Range, RangeFrom, RangeFull, RangeInclusive, RangeTo, RangeToInclusive};

use crate::tensor::Tensor;

/// In [`Tensor::i`], a new axis of size 1; `None` in Python.
#[derive(Clone, Copy, Debug)]
pub struct NewAxis;

/// In [`Tensor::i`], all axes that the others leave; `...` in Python.
#[derive(Clone, Copy, Debug)]
pub struct Ellipsis;

/// In [`Tensor::i`], every so many elements of a range; a negative step goes backwards, from the range's last element on.
///
/// ```
/// use hadal_tensor::{Step, Tensor};
/// let x = Tensor::arange(6);
/// assert_eq!(x.i(Step(1.., 2)).to_vec::<i64>(), [1, 3, 5]);
/// assert_eq!(x.i(Step(.., -2)).to_vec::<i64>(), [5, 3, 1]);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Step<R>(pub R, pub isize);

/// What is picked along an axis.
#[derive(Clone, Debug)]
pub enum Pick {
    /// One place, counted from the end if negative; the axis is gone.
    At(isize),
    /// A range, whose ends are counted from the end of the axis if negative, in steps.
    Range {
        /// The first place.
        start: Option<isize>,
        /// The place behind the last.
        end: Option<isize>,
        /// From one place to the next.
        step: isize,
    },
    /// The places that a vector of `i64` names.
    Places(Tensor),
    /// A new axis.
    New,
    /// All axes that the others leave.
    Rest,
}

/// One part of the argument of [`Tensor::i`]: an integer, a range of integers, [`Step`] of a range, a tensor of places,
/// [`NewAxis`] or [`Ellipsis`].
pub trait PickOne {
    /// What is picked.
    fn pick(self) -> Pick;
}

/// The argument of [`Tensor::i`]: a [`PickOne`], or a tuple of up to six.
pub trait Picks {
    /// What is picked, axis by axis.
    fn picks(self) -> Vec<Pick>;
}

impl PickOne for NewAxis {
    fn pick(self) -> Pick {
        Pick::New
    }
}

impl PickOne for Ellipsis {
    fn pick(self) -> Pick {
        Pick::Rest
    }
}

impl PickOne for &Tensor {
    fn pick(self) -> Pick {
        Pick::Places(self.clone())
    }
}

impl PickOne for RangeFull {
    fn pick(self) -> Pick {
        Pick::Range { start: None, end: None, step: 1 }
    }
}

impl<R: PickOne> PickOne for Step<R> {
    fn pick(self) -> Pick {
        match self.0.pick() {
            Pick::Range { start, end, .. } => Pick::Range { start, end, step: self.1 },
            other => other,
        }
    }
}

/// The place behind the last that is included.
fn behind(last: isize) -> Option<isize> {
    // Behind the last place of the axis, counted from the end, there is none.
    if last == -1 { None } else { Some(last.saturating_add(1)) }
}

macro_rules! picks_of_integers {
    ($($integer:ty),*) => {$(
        impl PickOne for $integer {
            fn pick(self) -> Pick {
                Pick::At(place(self))
            }
        }
        impl PickOne for Range<$integer> {
            fn pick(self) -> Pick {
                Pick::Range { start: Some(place(self.start)), end: Some(place(self.end)), step: 1 }
            }
        }
        impl PickOne for RangeFrom<$integer> {
            fn pick(self) -> Pick {
                Pick::Range { start: Some(place(self.start)), end: None, step: 1 }
            }
        }
        impl PickOne for RangeTo<$integer> {
            fn pick(self) -> Pick {
                Pick::Range { start: None, end: Some(place(self.end)), step: 1 }
            }
        }
        impl PickOne for RangeInclusive<$integer> {
            fn pick(self) -> Pick {
                Pick::Range { start: Some(place(*self.start())), end: behind(place(*self.end())), step: 1 }
            }
        }
        impl PickOne for RangeToInclusive<$integer> {
            fn pick(self) -> Pick {
                Pick::Range { start: None, end: behind(place(self.end)), step: 1 }
            }
        }
    )*};
}
picks_of_integers!(i32, i64, isize, usize);

/// Numbers beyond `isize` lie beyond every axis, as its largest does.
fn place(number: impl TryInto<isize>) -> isize {
    number.try_into().unwrap_or(isize::MAX)
}

impl<P: PickOne> Picks for P {
    fn picks(self) -> Vec<Pick> {
        vec![self.pick()]
    }
}

macro_rules! picks_of_tuples {
    ($(($($name:ident)*))*) => {$(
        impl<$($name: PickOne),*> Picks for ($($name,)*) {
            fn picks(self) -> Vec<Pick> {
                #[allow(non_snake_case)]
                let ($($name,)*) = self;
                vec![$($name.pick()),*]
            }
        }
    )*};
}
picks_of_tuples!((A)(A B)(A B C)(A B C D)(A B C D E)(A B C D E F));

impl Tensor {
    /// A part of the tensor, by what is picked along each axis, as Python's `x[..]`: an integer takes one place and the axis away, a
    /// range takes a part, a vector of `i64` the places it names. Negative numbers count from the end. Axes that are not named stay
    /// whole. Nothing is copied, but by vectors and negative steps.
    ///
    /// ```
    /// use hadal_tensor::{Ellipsis, NewAxis, Tensor};
    /// let x = Tensor::arange(24).reshape([2, 3, 4]);
    /// assert_eq!(x.i((.., 1..3, -1)).to_vec::<i64>(), [7, 11, 19, 23]);
    /// assert_eq!(x.i(0).shape(), &[3, 4]);
    /// assert_eq!(x.i((Ellipsis, 0)).shape(), &[2, 3]);
    /// assert_eq!(x.i((.., NewAxis, ..-1)).shape(), &[2, 1, 2, 4]);
    /// assert_eq!(x.i((.., &Tensor::from([2, 0]), 0)).to_vec::<i64>(), [8, 0, 20, 12]);
    /// ```
    ///
    /// # Panics
    /// If a place or a range does not lie within its axis, a step is 0, or there are more parts than axes.
    #[doc(alias = "[]")]
    #[doc(alias = "index")]
    #[doc(alias = "select")]
    #[track_caller]
    pub fn i(&self, picks: impl Picks) -> Tensor {
        let picks = picks.picks();
        let named = picks.iter().filter(|pick| !matches!(pick, Pick::New | Pick::Rest)).count();
        let ellipses = picks.iter().filter(|pick| matches!(pick, Pick::Rest)).count();
        assert!(
            named <= self.rank() && ellipses <= 1,
            "i: {named} parts and {ellipses} ellipses for the {} axes of shape {}",
            self.rank(),
            self.shape()
        );
        let mut x = self.clone();
        let mut axis = 0;
        // A loop, not a closure: messages name the line of the caller only through plain calls.
        for pick in picks {
            match pick {
                Pick::Rest => axis += (self.rank() - named) as isize,
                Pick::New => {
                    x = x.unsqueeze(axis);
                    axis += 1;
                }
                Pick::Places(places) => {
                    x = x.index_select(axis, &places);
                    axis += 1;
                }
                Pick::At(place) => {
                    let size = x.size(axis);
                    let from_start = if place < 0 { place.saturating_add_unsigned(size) } else { place };
                    assert!(
                        from_start >= 0 && (from_start as usize) < size,
                        "i: place {place} does not lie within axis {axis} of shape {}, which has size {size}",
                        x.shape()
                    );
                    x = x.narrow(axis, from_start as usize, 1).squeeze(axis);
                }
                Pick::Range { start, end, step } => {
                    let size = x.size(axis);
                    let within = |end: Option<isize>, default: usize| match end {
                        None => default as isize,
                        Some(end) if end < 0 => end.saturating_add_unsigned(size),
                        Some(end) => end,
                    };
                    let (first, behind) = (within(start, 0), within(end, size));
                    assert!(
                        first >= 0 && first <= behind && behind as usize <= size,
                        "i: {first}..{behind} does not lie within axis {axis} of shape {}, which has size {size}",
                        x.shape()
                    );
                    assert!(step != 0, "i: a step must not be 0");
                    if step < 0 {
                        x = x.slice(axis, first as usize..behind as usize).flip(&[axis]);
                        x = x.slice_step(axis, .., step.unsigned_abs());
                    } else {
                        x = x.slice_step(axis, first as usize..behind as usize, step as usize);
                    }
                    axis += 1;
                }
            }
        }
        x
    }
}
