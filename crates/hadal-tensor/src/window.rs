//! The settings of windows that move over pictures and the like: of convolutions and of pooling.

/// The most dimensions of a convolution.
pub(crate) const DIMENSIONS: usize = 3;

/// One number for all dimensions of a window, or one for each: `2` or `[2, 1]`.
pub trait PerDimension {
    /// The numbers, and how many of them there are if one is for one dimension.
    #[doc(hidden)]
    fn numbers(self) -> Numbers;
}

/// See [`PerDimension`].
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Numbers {
    numbers: [usize; DIMENSIONS],
    /// 0: the first is for all.
    count: usize,
}

impl PerDimension for usize {
    fn numbers(self) -> Numbers {
        Numbers { numbers: [self; DIMENSIONS], count: 0 }
    }
}

macro_rules! per_dimension {
    ($($count:literal)*) => {$(
        impl PerDimension for [usize; $count] {
            fn numbers(self) -> Numbers {
                let mut numbers = [0; DIMENSIONS];
                numbers[..$count].copy_from_slice(&self);
                Numbers { numbers, count: $count }
            }
        }
    )*};
}
per_dimension!(1 2 3);

impl Numbers {
    /// For the last of three dimensions; `default` in front.
    #[track_caller]
    pub(crate) fn last(self, dimensions: usize, default: usize, operation: &str, what: &str) -> [usize; DIMENSIONS] {
        assert!(
            self.count == 0 || self.count == dimensions,
            "{operation}: {what} has {} numbers for {dimensions} dimensions; give one for each, or one for all",
            self.count
        );
        let mut numbers = [default; DIMENSIONS];
        numbers[DIMENSIONS - dimensions..].copy_from_slice(&self.numbers[..dimensions]);
        numbers
    }
}

/// A window along one dimension of its input; no number but the input's size is 0. Operations panic where there is no output, layers
/// give errors.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct WindowAxis {
    pub size: usize,
    pub kernel: usize,
    pub stride: usize,
    pub dilation: usize,
}

impl WindowAxis {
    /// The padding before and after the input with which the output has `size / stride` places, rounded up. Where it is odd, the larger
    /// half is after: Keras's `"same"`, and for a stride of 1 PyTorch's.
    pub fn same_padding(self) -> (usize, usize) {
        let reach = self.dilation.saturating_mul(self.kernel - 1);
        let all = reach.saturating_sub(self.size.saturating_sub(1) % self.stride);
        (all / 2, all - all / 2)
    }

    /// The places of the window; `None` where it is larger than the padded input. With `ceil_mode`, windows may reach beyond the end, but
    /// begin within the input or the padding before it.
    pub fn places(self, (before, after): (usize, usize), ceil_mode: bool) -> Option<usize> {
        let padded = before.checked_add(after)?.checked_add(self.size)?;
        let window = self.dilation.checked_mul(self.kernel - 1)?.checked_add(1)?;
        if !ceil_mode {
            return Some(padded.checked_sub(window)? / self.stride + 1);
        }
        let last = match padded.checked_sub(window) {
            _ if self.size == 0 => return None,
            Some(rest) => rest.div_ceil(self.stride),
            None if window - padded < self.stride => 0,
            None => return None,
        };
        let is_beyond = last.saturating_mul(self.stride) >= before + self.size;
        Some(if is_beyond { last } else { last + 1 })
    }
}

/// How the window of a convolution moves: PyTorch's settings and defaults.
///
/// ```
/// use hadal_tensor::{Conv, Tensor};
/// let (images, weight) = (Tensor::ones([8, 3, 32, 32]), Tensor::ones([16, 3, 3, 3]));
/// assert_eq!(images.conv(&weight, None, Conv::new().stride(2).padding(1)).shape(), &[8, 16, 16, 16]);
/// assert_eq!(images.conv(&weight, None, Conv::new().padding([1, 0])).shape(), &[8, 16, 32, 30]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conv {
    pub(crate) stride: Numbers,
    pub(crate) padding: Numbers,
    pub(crate) same_padding: bool,
    pub(crate) dilation: Numbers,
    pub(crate) groups: usize,
    pub(crate) output_padding: Numbers,
}

impl Conv {
    /// Stride 1, no padding, dilation 1, one group.
    pub fn new() -> Conv {
        let (none, one) = (0.numbers(), 1.numbers());
        Conv { stride: one, padding: none, same_padding: false, dilation: one, groups: 1, output_padding: none }
    }

    /// How far the window moves from one place of the output to the next. Default: 1.
    pub fn stride(self, stride: impl PerDimension) -> Conv {
        Conv { stride: stride.numbers(), ..self }
    }

    /// How many zeros are put before and after the input. Default: 0.
    pub fn padding(self, padding: impl PerDimension) -> Conv {
        Conv { padding: padding.numbers(), same_padding: false, ..self }
    }

    /// As many zeros as give an output of size `size / stride`, rounded up: Keras's `padding="same"`, which PyTorch has for a stride of 1
    /// alone. Where their number is odd, one more is after the input than before. In place of [`padding`](Conv::padding).
    ///
    /// ```
    /// use hadal_tensor::{Conv, Tensor};
    /// let (images, weight) = (Tensor::ones([8, 3, 32, 31]), Tensor::ones([16, 3, 3, 3]));
    /// assert_eq!(images.conv(&weight, None, Conv::new().same_padding()).shape(), &[8, 16, 32, 31]);
    /// assert_eq!(images.conv(&weight, None, Conv::new().stride(2).same_padding()).shape(), &[8, 16, 16, 16]);
    /// ```
    pub fn same_padding(self) -> Conv {
        Conv { padding: 0.numbers(), same_padding: true, ..self }
    }

    /// The distance of the window's elements in the input. Default: 1.
    pub fn dilation(self, dilation: impl PerDimension) -> Conv {
        Conv { dilation: dilation.numbers(), ..self }
    }

    /// Into how many groups channels are parted: outputs of a group see the inputs of the same group alone; as many groups as channels
    /// make a depthwise convolution. Default: 1.
    pub fn groups(self, groups: usize) -> Conv {
        Conv { groups, ..self }
    }

    /// For a [transposed](crate::Tensor::conv_transpose) convolution, how many places are added at the end of the output: with a stride,
    /// several sizes of a convolution's input lead to the same output. Default: 0.
    pub fn output_padding(self, output_padding: impl PerDimension) -> Conv {
        Conv { output_padding: output_padding.numbers(), ..self }
    }
}

impl Default for Conv {
    fn default() -> Conv {
        Conv::new()
    }
}

/// The window of a pooling, and how it moves: PyTorch's settings and defaults.
///
/// ```
/// use hadal_tensor::{Pool, Tensor};
/// let x = Tensor::from([[1.0, 2.0, 5.0, 6.0], [3.0, 4.0, 7.0, 8.0]]).reshape([1, 1, 2, 4]);
/// assert_eq!(x.max_pool(Pool::new(2)).to_vec::<f32>(), [4.0, 8.0]);
/// assert_eq!(x.avg_pool(Pool::new(2)).to_vec::<f32>(), [2.5, 6.5]);
/// assert_eq!(x.max_pool(Pool::new([1, 2]).stride(1)).shape(), &[1, 1, 2, 3]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pool {
    pub(crate) window: Numbers,
    pub(crate) stride: Option<Numbers>,
    pub(crate) padding: Numbers,
    pub(crate) same_padding: bool,
    pub(crate) ceil_mode: bool,
    pub(crate) dilation: Numbers,
    pub(crate) count_padding: bool,
}

impl Pool {
    /// Windows of this size, side by side, without padding.
    pub fn new(window: impl PerDimension) -> Pool {
        let (window, padding, dilation) = (window.numbers(), 0.numbers(), 1.numbers());
        Pool { window, stride: None, padding, same_padding: false, ceil_mode: false, dilation, count_padding: true }
    }

    /// How far the window moves from one place of the output to the next. Default: its size.
    pub fn stride(self, stride: impl PerDimension) -> Pool {
        Pool { stride: Some(stride.numbers()), ..self }
    }

    /// How many places before and after the input windows reach, at most half of the window: they are never the largest, and 0 in a mean.
    /// Default: 0.
    pub fn padding(self, padding: impl PerDimension) -> Pool {
        Pool { padding: padding.numbers(), same_padding: false, ..self }
    }

    /// As much padding as gives an output of size `size / stride`, rounded up: Keras's `padding="same"`. Where it is odd, one place more
    /// is after the input than before. As in Keras, it does not count in a mean, unless [`count_padding`](Pool::count_padding) is called
    /// afterwards. In place of [`padding`](Pool::padding).
    ///
    /// ```
    /// use hadal_tensor::{Pool, Tensor};
    /// let x = Tensor::from([1.0, 2.0, 3.0, 4.0, 5.0]).reshape([1, 1, 5]);
    /// assert_eq!(x.max_pool(Pool::new(2).same_padding()).to_vec::<f32>(), [2.0, 4.0, 5.0]);
    /// assert_eq!(x.avg_pool(Pool::new(2).same_padding()).to_vec::<f32>(), [1.5, 3.5, 5.0]);
    /// ```
    pub fn same_padding(self) -> Pool {
        Pool { padding: 0.numbers(), same_padding: true, count_padding: false, ..self }
    }

    /// Whether the last window may reach beyond the padded input, so that sizes of the output are rounded up: PyTorch's `ceil_mode`. It
    /// begins within the input or the padding before it; what lies beyond is never the largest, and does not count in a mean. For
    /// [`max_pool`](crate::Tensor::max_pool) and [`avg_pool`](crate::Tensor::avg_pool). Default: no.
    ///
    /// ```
    /// use hadal_tensor::{Pool, Tensor};
    /// let x = Tensor::from([1.0, 2.0, 3.0, 4.0, 5.0]).reshape([1, 1, 5]);
    /// assert_eq!(x.max_pool(Pool::new(2)).to_vec::<f32>(), [2.0, 4.0]);
    /// assert_eq!(x.max_pool(Pool::new(2).ceil_mode(true)).to_vec::<f32>(), [2.0, 4.0, 5.0]);
    /// assert_eq!(x.avg_pool(Pool::new(2).ceil_mode(true)).to_vec::<f32>(), [1.5, 3.5, 5.0]);
    /// ```
    pub fn ceil_mode(self, ceil_mode: bool) -> Pool {
        Pool { ceil_mode, ..self }
    }

    /// The distance of the window's elements in the input, for [`max_pool`](crate::Tensor::max_pool). Default: 1.
    pub fn dilation(self, dilation: impl PerDimension) -> Pool {
        Pool { dilation: dilation.numbers(), ..self }
    }

    /// Whether padding counts in a mean's number of elements. Default: yes, as in PyTorch.
    #[doc(alias = "count_include_pad")]
    pub fn count_padding(self, count_padding: bool) -> Pool {
        Pool { count_padding, ..self }
    }
}
