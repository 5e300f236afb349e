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
    pub(crate) dilation: Numbers,
    pub(crate) groups: usize,
    pub(crate) output_padding: Numbers,
}

impl Conv {
    /// Stride 1, no padding, dilation 1, one group.
    pub fn new() -> Conv {
        let (none, one) = (0.numbers(), 1.numbers());
        Conv { stride: one, padding: none, dilation: one, groups: 1, output_padding: none }
    }

    /// How far the window moves from one place of the output to the next. Default: 1.
    pub fn stride(self, stride: impl PerDimension) -> Conv {
        Conv { stride: stride.numbers(), ..self }
    }

    /// How many zeros are put before and after the input. Default: 0.
    pub fn padding(self, padding: impl PerDimension) -> Conv {
        Conv { padding: padding.numbers(), ..self }
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
    pub(crate) dilation: Numbers,
    pub(crate) count_padding: bool,
}

impl Pool {
    /// Windows of this size, side by side, without padding.
    pub fn new(window: impl PerDimension) -> Pool {
        let (window, padding, dilation) = (window.numbers(), 0.numbers(), 1.numbers());
        Pool { window, stride: None, padding, dilation, count_padding: true }
    }

    /// How far the window moves from one place of the output to the next. Default: its size.
    pub fn stride(self, stride: impl PerDimension) -> Pool {
        Pool { stride: Some(stride.numbers()), ..self }
    }

    /// How many places before and after the input windows reach, at most half of the window: they are never the largest, and 0 in a mean.
    /// Default: 0.
    pub fn padding(self, padding: impl PerDimension) -> Pool {
        Pool { padding: padding.numbers(), ..self }
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
