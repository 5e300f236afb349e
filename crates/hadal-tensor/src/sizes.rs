//! The sizes that `reshape` takes, of which one may be left out.

use crate::shape::Shape;

/// In [`reshape`](crate::Tensor::reshape), the size that the other sizes leave; `-1` in PyTorch and NumPy.
///
/// ```
/// use hadal_tensor::{REST, Tensor};
/// let images = Tensor::zeros([32, 28, 28]);
/// assert_eq!(images.reshape([REST, 784]).shape(), &[32, 784]);
/// ```
#[doc(alias = "-1")]
pub const REST: usize = usize::MAX;

mod sealed {
    use crate::shape::Shape;

    pub trait Sealed {}
    impl<const N: usize> Sealed for [usize; N] {}
    impl Sealed for &[usize] {}
    impl Sealed for Vec<usize> {}
    impl Sealed for usize {}
    impl Sealed for Shape {}
    impl Sealed for &Shape {}
}

/// The sizes that [`reshape`](crate::Tensor::reshape) takes: an array, a slice or a vector of `usize`, of which one may be
/// [`REST`]; one `usize`; or a [`Shape`].
pub trait Sizes: sealed::Sealed {
    /// The shape with these sizes for the elements of `from`.
    #[doc(hidden)]
    #[track_caller]
    fn complete(self, from: &Shape) -> Shape;
}

impl<const N: usize> Sizes for [usize; N] {
    #[track_caller]
    fn complete(self, from: &Shape) -> Shape {
        complete(&self, from)
    }
}

impl Sizes for &[usize] {
    #[track_caller]
    fn complete(self, from: &Shape) -> Shape {
        complete(self, from)
    }
}

impl Sizes for Vec<usize> {
    #[track_caller]
    fn complete(self, from: &Shape) -> Shape {
        complete(&self, from)
    }
}

impl Sizes for usize {
    #[track_caller]
    fn complete(self, from: &Shape) -> Shape {
        complete(&[self], from)
    }
}

impl Sizes for Shape {
    fn complete(self, _: &Shape) -> Shape {
        self
    }
}

impl Sizes for &Shape {
    fn complete(self, _: &Shape) -> Shape {
        *self
    }
}

#[track_caller]
fn complete(sizes: &[usize], from: &Shape) -> Shape {
    match sizes.iter().position(|&size| size == REST) {
        None => Shape::new(sizes),
        Some(axis) => with_rest(sizes, axis, from),
    }
}

/// `sizes` with the size at `axis` computed from the others.
#[track_caller]
fn with_rest(sizes: &[usize], axis: usize, from: &Shape) -> Shape {
    let request: Vec<String> =
        sizes.iter().map(|&size| if size == REST { "REST".to_owned() } else { size.to_string() }).collect();
    let request = request.join(", ");
    let mut others = sizes.to_vec();
    others.remove(axis);
    assert!(!others.contains(&REST), "reshape: {from} as [{request}]: only one size can be REST");
    assert!(!others.contains(&0), "reshape: {from} as [{request}]: beside a size of 0, REST could be any size");
    let elements = from.elements();
    // A product that overflows does not divide any number of elements but 0.
    let product = others.iter().try_fold(1usize, |product, &size| product.checked_mul(size)).unwrap_or(usize::MAX);
    assert!(
        elements.is_multiple_of(product),
        "reshape: {from} as [{request}]: {elements} elements do not divide by {product}"
    );
    others.insert(axis, elements / product);
    Shape::new(&others)
}
