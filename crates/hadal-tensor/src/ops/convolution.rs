//! Convolutions in one, two and three dimensions, and their transposes.
//!
//! Three operations that are linear in both of their operands are each other's gradients, so each can be differentiated any
//! number of times: the convolution, what it sends back to its input (which is the transposed convolution), and to its weight.

use super::arithmetic::{check_float, check_same_dtype};
use super::pad::Padding;
use crate::autograd::{record, record_with_output};
use crate::backend::{Epilogue, Geometry, Storage};
use crate::shape::Shape;
use crate::tensor::{Tensor, Value};
use crate::window::{Conv, DIMENSIONS, WindowAxis};

impl Tensor {
    /// The convolution (more exactly, the cross-correlation) of `[N, C, ..]` with a weight `[O, C / groups, ..]`, plus a bias `[O]`:
    /// `[N, O, ..]`, in one, two or three dimensions, as PyTorch's `conv1d`, `conv2d` and `conv3d`:
    /// `y[n, o, i] = b[o] + sum over c, k of w[o, c, k] x[n, c, i stride + k dilation - padding]` (Dumoulin and Visin, arXiv 1603.07285).
    /// Each output size is `(size + 2 padding - dilation (kernel - 1) - 1) / stride + 1`, rounded down.
    ///
    /// ```
    /// use hadal_tensor::{Conv, Tensor};
    /// let x = Tensor::from([1.0, 2.0, 3.0, 4.0]).reshape([1, 1, 4]);
    /// let differences = Tensor::from([-1.0, 1.0]).reshape([1, 1, 2]);
    /// assert_eq!(x.conv(&differences, None, Conv::new()).to_vec::<f32>(), [1.0, 1.0, 1.0]);
    /// ```
    ///
    /// # Panics
    /// If shapes do not fit, dtypes differ or are not floating-point; if stride, dilation or groups are 0; if the window is larger than
    /// the padded input.
    #[doc(alias = "conv1d")]
    #[doc(alias = "conv2d")]
    #[doc(alias = "conv3d")]
    #[doc(alias = "convolution")]
    #[track_caller]
    pub fn conv(&self, weight: &Tensor, bias: Option<&Tensor>, conv: Conv) -> Tensor {
        self.conv_then(weight, bias, conv, false)
    }

    /// [`conv`](Tensor::conv) and [`relu`](Tensor::relu) in one pass.
    ///
    /// ```
    /// use hadal_tensor::{Conv, Tensor};
    /// let x = Tensor::from([1.0, 3.0, 2.0]).reshape([1, 1, 3]);
    /// let (differences, bias) = (Tensor::from([-1.0, 1.0]).reshape([1, 1, 2]), Tensor::from([0.5]));
    /// assert_eq!(x.conv_relu(&differences, Some(&bias), Conv::new()).to_vec::<f32>(), [2.5, 0.0]);
    /// ```
    ///
    /// # Panics
    /// As [`conv`](Tensor::conv).
    #[track_caller]
    pub fn conv_relu(&self, weight: &Tensor, bias: Option<&Tensor>, conv: Conv) -> Tensor {
        self.conv_then(weight, bias, conv, true)
    }

    #[track_caller]
    fn conv_then(&self, weight: &Tensor, bias: Option<&Tensor>, conv: Conv, relu: bool) -> Tensor {
        let dimensions = dimensions("conv", self, weight);
        let (channels, filters) = (self.shape()[1], weight.shape()[0]);
        check_groups("conv", conv.groups, channels, filters);
        if weight.shape()[1] != channels / conv.groups {
            let mut message = format!(
                "conv: input {} has {channels} channels, but weight {} takes {}",
                self.shape(),
                weight.shape(),
                weight.shape()[1].saturating_mul(conv.groups)
            );
            message += channels_last(self.shape(), weight.shape()[1].saturating_mul(conv.groups));
            panic!("{message}");
        }
        let spatial = |shape: &Shape| padded_to_three(&shape[2..]);
        let mut geometry = Geometry {
            batch: self.shape()[0],
            channels,
            filters,
            groups: conv.groups,
            input: spatial(self.shape()),
            kernel: spatial(weight.shape()),
            output: [1; DIMENSIONS],
            stride: conv.stride.last(dimensions, 1, "conv", "stride"),
            padding: conv.padding.last(dimensions, 0, "conv", "padding"),
            dilation: conv.dilation.last(dimensions, 1, "conv", "dilation"),
            dimensions,
        };
        if let Some(bias) = bias {
            check_bias("conv", bias, filters);
            check_same_dtype("conv", self, bias);
        }
        if conv.same_padding {
            geometry.check("conv");
            let sides: [_; DIMENSIONS] = std::array::from_fn(|d| geometry.axis(d).same_padding());
            if sides.iter().any(|(before, after)| before != after) {
                let padded = self.pad(&sides[DIMENSIONS - dimensions..], Padding::Constant(0.0));
                return padded.conv_then(weight, bias, conv.padding(0), relu);
            }
            geometry.padding = sides.map(|(before, _)| before);
        }
        geometry.output = geometry.output_sizes("conv", geometry.padding, false);
        match bias {
            Some(bias) if !geometry.sums_nothing() => self.convolved_with_bias(weight, bias, relu, geometry),
            _ => {
                let y = with_bias("conv", self.convolved(weight, geometry), bias, filters);
                if relu { y.relu() } else { y }
            }
        }
    }

    /// The transpose of a [convolution](Tensor::conv): what it sends back to its input, for `[N, C, ..]` and a weight `[C, O / groups, ..]`,
    /// plus a bias `[O]`: `[N, O, ..]`, as PyTorch's `conv_transpose2d`. Each output size is
    /// `(size - 1) stride - 2 padding + dilation (kernel - 1) + output_padding + 1`.
    ///
    /// ```
    /// use hadal_tensor::{Conv, Tensor};
    /// let (x, weight) = (Tensor::ones([1, 4, 7, 7]), Tensor::ones([4, 2, 3, 3]));
    /// let y = x.conv_transpose(&weight, None, Conv::new().stride(2).padding(1).output_padding(1));
    /// assert_eq!(y.shape(), &[1, 2, 14, 14]);
    /// ```
    ///
    /// # Panics
    /// As [`conv`](Tensor::conv), if the output padding is neither below the stride nor below the dilation, or for
    /// [`same_padding`](Conv::same_padding).
    #[doc(alias = "conv_transpose1d")]
    #[doc(alias = "conv_transpose2d")]
    #[doc(alias = "conv_transpose3d")]
    #[doc(alias = "deconvolution")]
    #[track_caller]
    pub fn conv_transpose(&self, weight: &Tensor, bias: Option<&Tensor>, conv: Conv) -> Tensor {
        let dimensions = dimensions("conv_transpose", self, weight);
        let filters = self.shape()[1];
        assert!(
            weight.shape()[0] == filters,
            "conv_transpose: input {} has {filters} channels, but weight {} takes {}{}",
            self.shape(),
            weight.shape(),
            weight.shape()[0],
            channels_last(self.shape(), weight.shape()[0])
        );
        assert!(!conv.same_padding, "conv_transpose: there is no same_padding; give the padding as a number");
        let channels = weight.shape()[1].saturating_mul(conv.groups);
        check_groups("conv_transpose", conv.groups, filters, channels);
        let mut geometry = Geometry {
            batch: self.shape()[0],
            channels,
            filters,
            groups: conv.groups,
            input: [1; DIMENSIONS],
            kernel: padded_to_three(&weight.shape()[2..]),
            output: padded_to_three(&self.shape()[2..]),
            stride: conv.stride.last(dimensions, 1, "conv_transpose", "stride"),
            padding: conv.padding.last(dimensions, 0, "conv_transpose", "padding"),
            dilation: conv.dilation.last(dimensions, 1, "conv_transpose", "dilation"),
            dimensions,
        };
        let extra = conv.output_padding.last(dimensions, 0, "conv_transpose", "output padding");
        geometry.check("conv_transpose");
        for d in DIMENSIONS - dimensions..DIMENSIONS {
            let Geometry { stride, dilation, padding, kernel, output, .. } = geometry;
            assert!(
                extra[d] < stride[d].max(dilation[d]),
                "conv_transpose: output padding {} must be below the stride {} or the dilation {}",
                extra[d],
                stride[d],
                dilation[d]
            );
            let reach = output[d]
                .checked_sub(1)
                .and_then(|last| last.checked_mul(stride[d]))
                .and_then(|last| last.checked_add(dilation[d].checked_mul(kernel[d] - 1)?))
                .and_then(|last| last.checked_add(extra[d] + 1));
            geometry.input[d] = match reach {
                Some(whole) if padding[d] < whole.div_ceil(2) && output[d] > 0 => whole - 2 * padding[d],
                None if output[d] > 0 => panic!(
                    "conv_transpose: the output of input {} with stride {} and dilation {} is larger than memory can address",
                    self.shape(),
                    stride[d],
                    dilation[d]
                ),
                _ => panic!(
                    "conv_transpose: the output of input {} and weight {} with padding {} would be empty",
                    self.shape(),
                    weight.shape(),
                    padding[d]
                ),
            };
        }
        let y = self.sent_back(weight, geometry);
        with_bias("conv_transpose", y, bias, channels)
    }

    /// `[N, C, input]` and `[O, C / groups, kernel]` to `[N, O, output]`.
    #[track_caller]
    fn convolved(&self, weight: &Tensor, geometry: Geometry) -> Tensor {
        let shape = geometry.output_shape();
        let storage =
            self.summed(&shape, &geometry, || self.backend().convolution(self.view(), weight.view(), None, &geometry));
        let (x, w) = (self.clone(), weight.clone());
        record("conv", Value::contiguous(shape, storage), &[self, weight], move |g, sink| {
            sink.add(0, || g.sent_back(&w, geometry));
            sink.add(1, || x.sent_to_weight(g, geometry));
        })
    }

    /// The same plus a bias `[O]`; then what is negative becomes 0 if `relu`.
    #[track_caller]
    fn convolved_with_bias(&self, weight: &Tensor, bias: &Tensor, relu: bool, geometry: Geometry) -> Tensor {
        let shape = geometry.output_shape();
        let epilogue = Epilogue { bias: bias.view(), relu };
        let storage = self.backend().convolution(self.view(), weight.view(), Some(epilogue), &geometry);
        let (x, w) = (self.clone(), weight.clone());
        let name = if relu { "conv_relu" } else { "conv" };
        record_with_output(name, Value::contiguous(shape, storage), &[self, weight, bias], move |g, y, sink| {
            let gated = relu.then(|| g.gate(y));
            let g = gated.as_ref().unwrap_or(g);
            sink.add(0, || g.sent_back(&w, geometry));
            sink.add(1, || x.sent_to_weight(g, geometry));
            let axes: Vec<isize> = (0..g.rank() as isize).filter(|&axis| axis != 1).collect();
            sink.add(2, || g.sum_axes(&axes));
        })
    }

    /// `[N, O, output]` and `[O, C / groups, kernel]` to `[N, C, input]`: the gradient of a convolution's input.
    #[track_caller]
    fn sent_back(&self, weight: &Tensor, geometry: Geometry) -> Tensor {
        let shape = geometry.input_shape();
        let storage =
            self.summed(&shape, &geometry, || self.backend().convolution_input(self.view(), weight.view(), &geometry));
        let (y, w) = (self.clone(), weight.clone());
        record("conv_transpose", Value::contiguous(shape, storage), &[self, weight], move |g, sink| {
            sink.add(0, || g.convolved(&w, geometry));
            sink.add(1, || g.sent_to_weight(&y, geometry));
        })
    }

    /// `[N, C, input]` and `[N, O, output]` to `[O, C / groups, kernel]`: the gradient of a convolution's weight.
    #[track_caller]
    fn sent_to_weight(&self, output: &Tensor, geometry: Geometry) -> Tensor {
        let shape = geometry.weight_shape();
        let storage =
            self.summed(&shape, &geometry, || self.backend().convolution_weight(self.view(), output.view(), &geometry));
        let (x, y) = (self.clone(), output.clone());
        record("conv", Value::contiguous(shape, storage), &[self, output], move |g, sink| {
            sink.add(0, || y.sent_back(g, geometry));
            sink.add(1, || x.convolved(g, geometry));
        })
    }

    /// What a device sums; zeros where there is nothing to sum, whose windows may still be of any size.
    fn summed(&self, shape: &Shape, geometry: &Geometry, sum: impl FnOnce() -> Storage) -> Storage {
        if geometry.sums_nothing() { self.backend().full(shape.elements(), 0.0, self.dtype()) } else { sum() }
    }
}

/// The number of dimensions along which a window moves.
#[track_caller]
fn dimensions(operation: &str, x: &Tensor, weight: &Tensor) -> usize {
    check_float(operation, x);
    check_same_dtype(operation, x, weight);
    assert!(
        (3..=2 + DIMENSIONS).contains(&x.rank()) && weight.rank() == x.rank(),
        "{operation}: input {} and weight {}: both must have 3, 4 or 5 axes, [N, C, ..] and [O, C, ..], for 1, 2 or 3 dimensions",
        x.shape(),
        weight.shape()
    );
    x.rank() - 2
}

/// What to say where the channels that are needed are the last axis.
fn channels_last(shape: &Shape, channels: usize) -> &'static str {
    if shape.last() != Some(&channels) {
        return "";
    }
    "; the axes are [N, C, ..], but those of the input look like [N, .., C]: permute them first"
}

#[track_caller]
fn check_groups(operation: &str, groups: usize, inputs: usize, outputs: usize) {
    assert!(
        groups > 0 && inputs.is_multiple_of(groups) && outputs.is_multiple_of(groups),
        "{operation}: {inputs} input and {outputs} output channels cannot be parted into {groups} groups; both must divide by their number"
    );
}

pub(super) fn padded_to_three(sizes: &[usize]) -> [usize; DIMENSIONS] {
    let mut three = [1; DIMENSIONS];
    three[DIMENSIONS - sizes.len()..].copy_from_slice(sizes);
    three
}

#[track_caller]
fn check_bias(operation: &str, bias: &Tensor, channels: usize) {
    assert!(
        bias.shape()[..] == [channels],
        "{operation}: bias {} does not fit {channels} output channels",
        bias.shape()
    );
}

#[track_caller]
fn with_bias(operation: &str, y: Tensor, bias: Option<&Tensor>, channels: usize) -> Tensor {
    let Some(bias) = bias else { return y };
    check_bias(operation, bias, channels);
    let mut sizes = vec![1; y.rank()];
    sizes[1] = channels;
    y + bias.reshape(sizes)
}

impl Geometry {
    /// Whether no product is part of the result.
    fn sums_nothing(&self) -> bool {
        [self.batch, self.channels, self.filters].contains(&0)
    }

    /// The sizes of the output, with `after` places behind the input.
    ///
    /// # Panics
    /// If there is none.
    #[track_caller]
    pub(super) fn output_sizes(
        &self,
        operation: &str,
        after: [usize; DIMENSIONS],
        ceil_mode: bool,
    ) -> [usize; DIMENSIONS] {
        self.check(operation);
        let mut sizes = [1; DIMENSIONS];
        // A loop, not a closure: messages name the line of the caller only through plain calls.
        for (d, size) in sizes.iter_mut().enumerate() {
            *size = match self.axis(d).places((self.padding[d], after[d]), ceil_mode) {
                Some(places) => places,
                None if self.padding[d]
                    .checked_add(after[d])
                    .is_none_or(|padding| padding.checked_add(self.input[d]).is_none()) =>
                {
                    panic!(
                        "{operation}: an input of {} with padding {} on each side is larger than memory can address",
                        self.input[d], self.padding[d]
                    )
                }
                None => panic!(
                    "{operation}: a window of {}{} is larger than the input of {} with padding {} on each side, on axis {} of {}; pad \
                     the input, or take a smaller window",
                    self.kernel[d],
                    if self.dilation[d] > 1 { format!(" (dilation {})", self.dilation[d]) } else { String::new() },
                    self.input[d],
                    self.padding[d],
                    2 + d + self.dimensions - DIMENSIONS,
                    self.input_shape()
                ),
            };
        }
        sizes
    }

    pub(super) fn axis(&self, d: usize) -> WindowAxis {
        WindowAxis { size: self.input[d], kernel: self.kernel[d], stride: self.stride[d], dilation: self.dilation[d] }
    }

    #[track_caller]
    pub(super) fn check(&self, operation: &str) {
        for (what, numbers) in
            [("the window's size", self.kernel), ("stride", self.stride), ("dilation", self.dilation)]
        {
            assert!(!numbers.contains(&0), "{operation}: {what} must be at least 1, not 0");
        }
    }

    #[track_caller]
    fn shape(&self, first: usize, second: usize, sizes: [usize; DIMENSIONS]) -> Shape {
        let mut all = vec![first, second];
        all.extend_from_slice(&sizes[DIMENSIONS - self.dimensions..]);
        Shape::new(&all)
    }

    #[track_caller]
    fn input_shape(&self) -> Shape {
        self.shape(self.batch, self.channels, self.input)
    }

    #[track_caller]
    pub(super) fn output_shape(&self) -> Shape {
        self.shape(self.batch, self.filters, self.output)
    }

    #[track_caller]
    fn weight_shape(&self) -> Shape {
        self.shape(self.filters, self.channels / self.groups, self.kernel)
    }
}
