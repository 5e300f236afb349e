//! Shapes, and the layout of a tensor's elements in its storage.

use std::fmt;
use std::ops::Deref;

/// The largest number of axes a tensor can have.
pub const MAX_RANK: usize = 6;

/// The largest number of elements: of eight bytes each they would fill the address space. Sizes of 0 count as 1 here, so that
/// strides and offsets within any shape are numbers, too.
pub const MAX_ELEMENTS: usize = isize::MAX as usize / 8;

/// The sizes of a tensor's axes, first axis first: `[64, 3]` is 64 rows of 3.
///
/// Made from arrays, slices and vectors of `usize`; a scalar's shape is `[]`.
///
/// # Panics
/// Making a shape of more than [`MAX_RANK`] axes, or of more than [`MAX_ELEMENTS`] elements, panics;
/// [`try_new`](Shape::try_new) is for sizes that come from outside.
#[derive(Clone, Copy, Eq)]
pub struct Shape {
    sizes: [usize; MAX_RANK],
    rank: u8,
}

impl Shape {
    #[inline]
    #[track_caller]
    pub(crate) fn new(sizes: &[usize]) -> Shape {
        if !are_a_shape(sizes) {
            panic!("{}", ShapeError::of(sizes));
        }
        Shape::of_checked(sizes)
    }

    #[inline]
    fn of_checked(sizes: &[usize]) -> Shape {
        let mut all = [0; MAX_RANK];
        all[..sizes.len()].copy_from_slice(sizes);
        Shape { sizes: all, rank: sizes.len() as u8 }
    }

    /// The shape with these sizes. All shapes are made here: what is computed from the sizes of one needs no further checks.
    ///
    /// ```
    /// use hadal_tensor::Shape;
    /// assert_eq!(Shape::try_new(&[2, 3]).unwrap().elements(), 6);
    /// let error = Shape::try_new(&[1 << 32, 1 << 32]).unwrap_err();
    /// assert!(error.to_string().contains("[4294967296, 4294967296]"));
    /// ```
    ///
    /// # Errors
    /// If there are more than [`MAX_RANK`] axes, or more than [`MAX_ELEMENTS`] elements.
    pub fn try_new(sizes: &[usize]) -> Result<Shape, ShapeError> {
        if are_a_shape(sizes) { Ok(Shape::of_checked(sizes)) } else { Err(ShapeError::of(sizes)) }
    }

    /// The number of axes.
    ///
    /// ```
    /// use hadal_tensor::Shape;
    /// assert_eq!(Shape::from([2, 3]).rank(), 2);
    /// ```
    #[doc(alias = "dim")]
    #[doc(alias = "ndim")]
    pub fn rank(&self) -> usize {
        self.rank as usize
    }

    /// The number of elements: the product of the sizes, 1 for a scalar.
    ///
    /// ```
    /// use hadal_tensor::Shape;
    /// assert_eq!(Shape::from([2, 3]).elements(), 6);
    /// ```
    #[doc(alias = "numel")]
    pub fn elements(&self) -> usize {
        self.iter().product()
    }

    /// The shape both broadcast to by NumPy's rule: aligned at the last axis, sizes must agree or one be 1.
    ///
    /// ```
    /// use hadal_tensor::Shape;
    /// let (a, b) = (Shape::from([4, 1]), Shape::from([3]));
    /// assert_eq!(a.broadcast(&b), Some(Shape::from([4, 3])));
    /// ```
    ///
    /// # Panics
    /// If it would have more than [`MAX_ELEMENTS`] elements.
    #[doc(alias = "broadcast_shapes")]
    #[track_caller]
    pub fn broadcast(&self, other: &Shape) -> Option<Shape> {
        if self == other {
            return Some(*self);
        }
        let rank = self.rank().max(other.rank());
        let mut sizes = [1; MAX_RANK];
        for (back, size) in sizes[..rank].iter_mut().rev().enumerate() {
            let a = if back < self.rank() { self[self.rank() - 1 - back] } else { 1 };
            let b = if back < other.rank() { other[other.rank() - 1 - back] } else { 1 };
            *size = match (a, b) {
                (a, b) if a == b => a,
                (1, b) => b,
                (a, 1) => a,
                _ => return None,
            };
        }
        Some(Shape::new(&sizes[..rank]))
    }

    /// The index of `axis`, counted from the end when negative.
    #[track_caller]
    pub(crate) fn axis(&self, axis: isize, operation: &str) -> usize {
        let rank = self.rank() as isize;
        let index = if axis < 0 { axis + rank } else { axis };
        assert!(
            (0..rank).contains(&index),
            "{operation}: axis {axis} is out of range for shape {self:?}, which has {rank} axes"
        );
        index as usize
    }

    #[track_caller]
    pub(crate) fn with(&self, axis: usize, size: usize) -> Shape {
        let mut shape = *self;
        shape.sizes[axis] = size;
        if size <= self.sizes[axis] { shape } else { Shape::new(&shape) }
    }

    pub(crate) fn swapped(&self, a: usize, b: usize) -> Shape {
        let mut shape = *self;
        shape.sizes.swap(a, b);
        shape
    }

    pub(crate) fn without(&self, axis: usize) -> Shape {
        let mut shape = *self;
        shape.sizes.copy_within(axis + 1.., axis);
        shape.rank -= 1;
        Shape::new(&shape)
    }
}

/// Whether there are neither too many axes nor too many elements.
#[inline]
fn are_a_shape(sizes: &[usize]) -> bool {
    // The product of so few small sizes needs no look.
    let small = || usize::BITS == 64 && sizes.iter().fold(0, |bits, &size| bits | size) < 1 << (60 / MAX_RANK);
    sizes.len() <= MAX_RANK && (small() || product_fits(sizes))
}

fn product_fits(sizes: &[usize]) -> bool {
    let elements = sizes.iter().try_fold(1usize, |product, &size| product.checked_mul(size.max(1)));
    elements.is_some_and(|elements| elements <= MAX_ELEMENTS)
}

/// Why sizes are not a [`Shape`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ShapeError {
    /// More than [`MAX_RANK`] axes.
    TooManyAxes(Vec<usize>),
    /// More than [`MAX_ELEMENTS`] elements.
    TooLarge(Vec<usize>),
}

impl ShapeError {
    #[cold]
    fn of(sizes: &[usize]) -> ShapeError {
        if sizes.len() > MAX_RANK {
            ShapeError::TooManyAxes(sizes.to_vec())
        } else {
            ShapeError::TooLarge(sizes.to_vec())
        }
    }
}

impl fmt::Display for ShapeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ShapeError::TooManyAxes(sizes) => {
                write!(f, "shape {sizes:?} has {} axes; a tensor has at most {MAX_RANK}", sizes.len())
            }
            ShapeError::TooLarge(sizes) => write!(f, "shape {sizes:?} is larger than memory can address"),
        }
    }
}

impl std::error::Error for ShapeError {}

impl PartialEq for Shape {
    /// Compared as numbers: most operations compare shapes, and a call to compare bytes takes longer.
    #[inline]
    fn eq(&self, other: &Shape) -> bool {
        let differences = self.sizes.iter().zip(&other.sizes).fold(0, |bits, (a, b)| bits | (a ^ b));
        differences == 0 && self.rank == other.rank
    }
}

impl Deref for Shape {
    type Target = [usize];

    fn deref(&self) -> &[usize] {
        &self.sizes[..self.rank as usize]
    }
}

impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &**self)
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &**self)
    }
}

impl<const N: usize> From<[usize; N]> for Shape {
    #[track_caller]
    fn from(sizes: [usize; N]) -> Shape {
        Shape::new(&sizes)
    }
}

impl From<&[usize]> for Shape {
    #[track_caller]
    fn from(sizes: &[usize]) -> Shape {
        Shape::new(sizes)
    }
}

impl From<Vec<usize>> for Shape {
    #[track_caller]
    fn from(sizes: Vec<usize>) -> Shape {
        Shape::new(&sizes)
    }
}

impl From<usize> for Shape {
    #[track_caller]
    fn from(size: usize) -> Shape {
        Shape::new(&[size])
    }
}

impl From<&Shape> for Shape {
    fn from(shape: &Shape) -> Shape {
        *shape
    }
}

impl<const N: usize> PartialEq<[usize; N]> for Shape {
    fn eq(&self, other: &[usize; N]) -> bool {
        **self == other[..]
    }
}

/// Where each element of a tensor lies in its storage: element `i` at `offset + sum(i[k] * strides[k])`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Layout {
    pub shape: Shape,
    pub strides: [isize; MAX_RANK],
    pub offset: usize,
}

impl Layout {
    /// Row-major: the last axis is adjacent in memory.
    pub fn contiguous(shape: Shape) -> Layout {
        let mut strides = [0; MAX_RANK];
        let mut step = 1;
        for axis in (0..shape.rank()).rev() {
            strides[axis] = step as isize;
            step *= shape[axis].max(1);
        }
        Layout { shape, strides, offset: 0 }
    }

    /// Whether the elements lie in row-major order without gaps (from `offset` on).
    pub fn is_contiguous(&self) -> bool {
        let mut step = 1;
        for axis in (0..self.shape.rank()).rev() {
            let size = self.shape[axis];
            if size != 1 && self.strides[axis] != step as isize {
                return self.shape.elements() == 0;
            }
            step *= size;
        }
        true
    }

    /// Where the elements of a contiguous layout lie.
    pub fn range(&self) -> std::ops::Range<usize> {
        self.offset..self.offset + self.shape.elements()
    }

    /// The layout, from the beginning of the storage if it has no elements: a place among none need not exist.
    fn settled(mut self) -> Layout {
        if self.shape.elements() == 0 {
            self.offset = 0;
        }
        self
    }

    /// The same layout from another first element.
    pub fn moved_to(&self, offset: usize) -> Layout {
        let mut layout = *self;
        layout.offset = offset;
        layout
    }

    pub fn strides(&self) -> &[isize] {
        &self.strides[..self.shape.rank()]
    }

    /// The smallest and one past the largest storage index that the layout touches; `None` when it is empty.
    pub fn bounds(&self) -> Option<(usize, usize)> {
        let (mut low, mut high) = (self.offset as isize, self.offset as isize);
        for (&size, &stride) in self.shape.iter().zip(self.strides()) {
            if size == 0 {
                return None;
            }
            let reach = stride.checked_mul(size as isize - 1);
            let end = if stride < 0 { &mut low } else { &mut high };
            *end = reach.and_then(|reach| end.checked_add(reach)).expect("a layout lies within its storage");
        }
        assert!(low >= 0 && high < isize::MAX, "a layout lies within its storage");
        Some((low as usize, high as usize + 1))
    }

    pub fn transpose(&self, a: usize, b: usize) -> Layout {
        let mut layout = *self;
        layout.shape = self.shape.swapped(a, b);
        layout.strides.swap(a, b);
        layout
    }

    /// The same elements seen as `shape`, sizes of 1 repeated; the shapes must broadcast.
    pub fn expand(&self, shape: Shape) -> Layout {
        if shape == self.shape {
            return *self;
        }
        let lead = shape.rank() - self.shape.rank();
        let mut strides = [0; MAX_RANK];
        for axis in 0..self.shape.rank() {
            if self.shape[axis] == shape[lead + axis] {
                strides[lead + axis] = self.strides[axis];
            }
        }
        Layout { shape, strides, offset: self.offset }.settled()
    }

    pub fn narrow(&self, axis: usize, start: usize, length: usize) -> Layout {
        let mut layout = *self;
        layout.shape = self.shape.with(axis, length);
        if layout.shape.elements() > 0 {
            layout.offset = (self.offset as isize + start as isize * self.strides[axis]) as usize;
        }
        layout.settled()
    }

    pub fn step(&self, axis: usize, step: usize) -> Layout {
        let mut layout = *self;
        layout.shape = self.shape.with(axis, self.shape[axis].div_ceil(step));
        // A step beyond the axis leads nowhere, and need not be a stride.
        if layout.shape[axis] > 1 {
            layout.strides[axis] *= step as isize;
        }
        layout
    }

    /// The same elements as `shape` without copying, where the strides allow it.
    pub fn reshape(&self, shape: Shape) -> Option<Layout> {
        if self.is_contiguous() {
            return Some(Layout { offset: self.offset, ..Layout::contiguous(shape) });
        }
        // Axes of size 1 can be added or dropped whatever the strides.
        if !self.shape.iter().filter(|&&n| n != 1).eq(shape.iter().filter(|&&n| n != 1)) {
            return None;
        }
        let mut from = (0..self.shape.rank()).filter(|&axis| self.shape[axis] != 1);
        let mut strides = [0; MAX_RANK];
        for axis in 0..shape.rank() {
            if shape[axis] != 1 {
                strides[axis] = self.strides[from.next()?];
            }
        }
        Some(Layout { shape, strides, offset: self.offset })
    }
}
