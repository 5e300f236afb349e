//! Variance, deviation, norms, and the logarithm of a sum of exponentials.

use crate::autograd::records;
use crate::tensor::Tensor;

impl Tensor {
    /// The variance over `axes`, which disappear from the shape: the sum of squared distances from the mean, divided by their number
    /// less `correction`. 1 is the unbiased estimate, PyTorch's default; 0 that of NumPy and of batch statistics.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// let x = Tensor::from([[1.0, 3.0], [2.0, 2.0]]);
    /// assert_eq!(x.var(&[1], 1).to_vec::<f32>(), [2.0, 0.0]);
    /// assert_eq!(x.var(&[1], 0).to_vec::<f32>(), [1.0, 0.0]);
    /// ```
    #[doc(alias = "variance")]
    #[track_caller]
    pub fn var(&self, axes: &[isize], correction: usize) -> Tensor {
        let count: usize = self.axes(axes, "var").iter().map(|&axis| self.shape()[axis]).product();
        let x = self.as_float();
        let squares = (&x - x.mean_keepdim(axes)).powi(2).sum_axes(axes);
        // No variance can be estimated from fewer: 0 / 0, as in PyTorch.
        squares / count.saturating_sub(correction) as f64
    }

    /// The standard deviation over `axes`: the root of [`var`](Tensor::var). Where it is 0, so is its gradient, as in PyTorch.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// assert_eq!(Tensor::from([1.0, 3.0]).std(&[0], 0).item(), 1.0);
    /// ```
    #[doc(alias = "standard_deviation")]
    #[track_caller]
    pub fn std(&self, axes: &[isize], correction: usize) -> Tensor {
        self.var(axes, correction).root(2.0)
    }

    /// The `p`-norm over `axes`, which disappear from the shape: `(sum |x|^p)^(1/p)`; infinity is the largest absolute value, negative
    /// infinity the smallest, 0 the number of elements that are not 0. Where there is no slope, as at 0, the gradient is 0, as in
    /// PyTorch.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// let x = Tensor::from([3.0, -4.0]);
    /// let norms = [1.0, 2.0, f64::INFINITY, 0.0].map(|p| x.norm(p, &[0]).item());
    /// assert_eq!(norms, [7.0, 5.0, 4.0, 2.0]);
    /// ```
    ///
    /// # Panics
    /// If `p` is NaN.
    #[doc(alias = "vector_norm")]
    #[track_caller]
    pub fn norm(&self, p: f64, axes: &[isize]) -> Tensor {
        assert!(!p.is_nan(), "norm: p is {p}; it must be a number, or infinity");
        let x = self.as_float();
        match p {
            0.0 => x.ne(0.0).to_dtype(x.dtype()).sum_axes(axes),
            1.0 => x.abs().sum_axes(axes),
            2.0 => x.powi(2).sum_axes(axes).root(2.0),
            f64::INFINITY => x.abs().max_axes(axes),
            f64::NEG_INFINITY => x.abs().min_axes(axes),
            p => x.abs().power(p).sum_axes(axes).root(p),
        }
    }

    /// `self^(1/p)`, with a gradient of 0 where it would be without bound.
    #[track_caller]
    fn root(&self, p: f64) -> Tensor {
        self.flat_at_zero(|x| if p == 2.0 { x.sqrt() } else { x.powf(1.0 / p) })
    }

    /// `self^p`, likewise.
    #[track_caller]
    fn power(&self, p: f64) -> Tensor {
        if p >= 2.0 { self.powf(p) } else { self.flat_at_zero(|x| x.powf(p)) }
    }

    /// `f` of each element, with a gradient of 0 where the element is 0.
    #[track_caller]
    fn flat_at_zero(&self, f: impl Fn(&Tensor) -> Tensor) -> Tensor {
        if !records(&[self]) {
            return f(self);
        }
        let (is_zero, number) = (self.eq(0.0), |value| Tensor::full_of([], value, self.dtype()));
        let at_zero = f(&number(0.0));
        is_zero.where_(&at_zero, &f(&is_zero.where_(&number(1.0), self)))
    }

    /// `ln(sum(e^x))` over `axes`, which disappear from the shape, without overflow: the largest element is taken out first.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// let x = Tensor::from([1000.0, 1000.0]);
    /// assert!((x.logsumexp(&[0]).item() - 1000.0 - 2f64.ln()).abs() < 1e-3);
    /// ```
    ///
    /// # Panics
    /// If an axis is empty.
    #[track_caller]
    pub fn logsumexp(&self, axes: &[isize]) -> Tensor {
        let x = self.as_float();
        let named = x.axes(axes, "logsumexp");
        let largest = x.detach().max_axes(axes);
        // Infinity less infinity would be NaN.
        let largest = largest.abs().eq(f64::INFINITY).where_(&largest.zeros_like(), &largest);
        let kept = named.iter().fold(*x.shape(), |shape, &axis| shape.with(axis, 1));
        (&x - largest.reshape(kept)).exp().sum_axes(axes).ln() + largest
    }

    /// Integers as `f32`.
    fn as_float(&self) -> Tensor {
        if self.dtype().is_float() { self.clone() } else { self.to_dtype(crate::DType::F32) }
    }
}
