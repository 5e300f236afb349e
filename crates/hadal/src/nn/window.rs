//! The settings of windows that move over pictures, and the shapes that they lead to: for convolutions and pooling.

use std::fmt;

use serde::de::{Error as _, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{Error, Numbers, PerDimension, Result, Shape, Tensor, WindowAxis};

/// One number for each of the `D` dimensions of a window. Layers take one number for all, `3`, or one for each, `[3, 5]`:
/// rows, then columns.
///
/// ```
/// use hadal::nn::PerAxis;
/// assert_eq!(PerAxis::<2>::from(3), PerAxis::from([3, 3]));
/// assert_eq!(PerAxis::from([3, 5]).to_string(), "3x5");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PerAxis<const D: usize>([usize; D]);

impl<const D: usize> PerAxis<D> {
    /// The numbers.
    ///
    /// ```
    /// use hadal::nn::PerAxis;
    /// assert_eq!(PerAxis::<2>::from(3).get(), [3, 3]);
    /// ```
    pub fn get(self) -> [usize; D] {
        self.0
    }

    pub(super) fn zero() -> PerAxis<D> {
        PerAxis::from(0)
    }

    pub(super) fn one() -> PerAxis<D> {
        PerAxis::from(1)
    }

    pub(super) fn is_zero(&self) -> bool {
        *self == PerAxis::zero()
    }

    pub(super) fn is_one(&self) -> bool {
        *self == PerAxis::one()
    }

    /// # Errors
    /// If a number is 0.
    pub(super) fn check_positive(self, layer: &str, what: &str) -> Result<()> {
        if self.0.contains(&0) {
            return Err(Error::Config(format!("{layer}: {what} {self} must be at least 1 in each dimension")));
        }
        Ok(())
    }
}

impl<const D: usize> From<usize> for PerAxis<D> {
    fn from(number: usize) -> PerAxis<D> {
        PerAxis::from([number; D])
    }
}

impl<const D: usize> From<[usize; D]> for PerAxis<D> {
    fn from(numbers: [usize; D]) -> PerAxis<D> {
        const { assert!(1 <= D && D <= 3, "windows have 1, 2 or 3 dimensions") };
        PerAxis(numbers)
    }
}

/// For the operations of tensors.
impl<const D: usize> PerDimension for PerAxis<D> {
    fn numbers(self) -> Numbers {
        match self.0[..] {
            [a] => [a].numbers(),
            [a, b] => [a, b].numbers(),
            [a, b, c] => [a, b, c].numbers(),
            // No other can be made.
            _ => 0.numbers(),
        }
    }
}

impl<const D: usize> fmt::Display for PerAxis<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, number) in self.0.iter().enumerate() {
            let cross = if index == 0 { "" } else { "x" };
            write!(f, "{cross}{number}")?;
        }
        Ok(())
    }
}

/// In a file: a number for all dimensions, or a list.
impl<const D: usize> Serialize for PerAxis<D> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if *self == PerAxis::from(self.0[0]) {
            return self.0[0].serialize(serializer);
        }
        serializer.collect_seq(self.0)
    }
}

impl<'de, const D: usize> Deserialize<'de> for PerAxis<D> {
    fn deserialize<De: Deserializer<'de>>(deserializer: De) -> Result<PerAxis<D>, De::Error> {
        deserializer.deserialize_any(NumberOrList)
    }
}

struct NumberOrList<const D: usize>;

impl<'de, const D: usize> Visitor<'de> for NumberOrList<D> {
    type Value = PerAxis<D>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "a whole number, or a list of {D}")
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Self::Value, E> {
        let number = usize::try_from(number).map_err(|_| E::custom(format!("{number} is too large a number")))?;
        Ok(PerAxis::from(number))
    }

    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<Self::Value, E> {
        let positive = u64::try_from(number).map_err(|_| E::custom(format!("{number} is negative")))?;
        self.visit_u64(positive)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut numbers = Vec::new();
        while let Some(number) = list.next_element()? {
            numbers.push(number);
        }
        let count = numbers.len();
        let numbers: [usize; D] = numbers.try_into().map_err(|_| {
            A::Error::custom(format!("{count} numbers for {D} dimensions; give one for each, or one for all"))
        })?;
        Ok(PerAxis::from(numbers))
    }
}

/// How a window moves.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window<const D: usize> {
    pub kernel: PerAxis<D>,
    pub stride: PerAxis<D>,
    pub padding: PerAxis<D>,
    /// In place of a padding, as much as gives outputs of size `size / stride`, rounded up.
    pub same_padding: bool,
    pub dilation: PerAxis<D>,
    /// Whether the last window may reach beyond the padding.
    pub ceil_mode: bool,
}

impl<const D: usize> Window<D> {
    /// # Errors
    /// If a setting is 0, or there are two for the padding.
    pub fn check(&self, layer: &str) -> Result<()> {
        self.kernel.check_positive(layer, "kernel")?;
        self.stride.check_positive(layer, "stride")?;
        self.dilation.check_positive(layer, "dilation")?;
        if self.same_padding && !self.padding.is_zero() {
            return Err(Error::Config(format!(
                "{layer}: there is both same_padding and a padding of {}; give one of them",
                self.padding
            )));
        }
        Ok(())
    }

    /// The sizes of the output for samples `[C, ..]`.
    ///
    /// # Errors
    /// If a setting cannot work, or the window is larger than the padded input.
    pub fn output_sizes(&self, layer: &str, input: &Shape) -> Result<[usize; D]> {
        self.check(layer)?;
        let mut sizes = [0; D];
        for (d, output) in sizes.iter_mut().enumerate() {
            let places = self.axis(input, d).places(self.sides(input, d), self.ceil_mode);
            *output = places.ok_or_else(|| self.too_large(layer, input, d))?;
        }
        Ok(sizes)
    }

    fn axis(&self, input: &Shape, d: usize) -> WindowAxis {
        WindowAxis {
            size: input[1 + d],
            kernel: self.kernel.0[d],
            stride: self.stride.0[d],
            dilation: self.dilation.0[d],
        }
    }

    /// The places before and after the input along a dimension.
    pub fn sides(&self, input: &Shape, d: usize) -> (usize, usize) {
        if self.same_padding { self.axis(input, d).same_padding() } else { (self.padding.0[d], self.padding.0[d]) }
    }

    fn too_large(&self, layer: &str, input: &Shape, d: usize) -> Error {
        let (before, after) = self.sides(input, d);
        let (kernel, dilation) = (self.kernel.0[d], self.dilation.0[d]);
        let dilated = if dilation > 1 { format!(" and dilation {dilation}") } else { String::new() };
        Error::Config(format!(
            "{layer}: a window of {kernel}{dilated} is larger than the {} {} of its input of shape {input} with padding {}; the axes are \
             {}{}",
            axis_name(D, d),
            input[1 + d],
            before.saturating_add(after),
            layout(D),
            channels_last(input)
        ))
    }
}

/// The axes of a sample with `d` dimensions beside its channels.
pub(super) fn layout(d: usize) -> &'static str {
    match d {
        1 => "[C, L]",
        2 => "[C, H, W]",
        _ => "[C, D, H, W]",
    }
}

fn axis_name(dimensions: usize, d: usize) -> &'static str {
    match dimensions - d {
        1 if dimensions == 1 => "length",
        1 => "width",
        2 => "height",
        _ => "depth",
    }
}

/// What to do if the channels are the last axis, where the sizes look so.
fn channels_last(input: &Shape) -> String {
    let rank = input.rank();
    if rank < 2 || input[rank - 1] > 4 || input[0] <= input[rank - 1] {
        return String::new();
    }
    let (axes, order) = with_channels_last(rank);
    format!(", and this looks like {axes}: if it is, put Permute::new({order}) before the layer")
}

/// The axes of samples of this rank whose channels are last, and the order that puts them first.
fn with_channels_last(rank: usize) -> (&'static str, &'static str) {
    match rank {
        2 => ("[L, C]", "[2, 1]"),
        3 => ("[H, W, C]", "[3, 1, 2]"),
        _ => ("[D, H, W, C]", "[4, 1, 2, 3]"),
    }
}

/// [`with_channels_last`], where the sizes of a network's samples leave hardly another reading: pictures of at least 8 x 8, and the like,
/// with 1, 3 or 4 channels.
pub(super) fn seems_channels_last(input: &Shape) -> Option<(&'static str, &'static str)> {
    let (&last, sizes) = input.split_last()?;
    let seems = (1..=3).contains(&sizes.len()) && [1, 3, 4].contains(&last) && sizes.iter().all(|&size| size >= 8);
    seems.then(|| with_channels_last(input.rank()))
}

/// Refuses square images with their channels last, `[H, W, C]`, and volumes: as `[C, H, W]`, they are many channels of a narrow strip,
/// on which a window may well fit. `otherwise` says what to do where they are just that.
///
/// # Errors
/// If `input` looks so.
pub(super) fn check_axes<const D: usize>(
    layer: &str,
    input: &Shape,
    kernel: PerAxis<D>,
    otherwise: &str,
) -> Result<()> {
    let (Some(&channels), true) = (input.last(), D > 1) else { return Ok(()) };
    let [height, width] = [input[D - 2], input[D - 1]];
    // Who gives a window another width than height knows which axis is which, but for a width that is all padding.
    let square = kernel.0[D - 2] == kernel.0[D - 1] || (channels == 1 && kernel.0[D - 1] > 1);
    // Digits may be 8 by 8 by 1; within a network, 8 channels of 8 by 4 are nothing unusual.
    let large = height >= if channels == 1 { 8 } else { 9 };
    if height != width || !large || !matches!(channels, 1 | 3 | 4) || input[0] <= channels || !square {
        return Ok(());
    }
    let sizes: Vec<String> = input[1..].iter().map(usize::to_string).collect();
    Err(Error::Config(format!(
        "{layer}: its input of shape {input} would be {} channels of {}, as the axes are {}{}; if they are just that, {otherwise}",
        input[0],
        sizes.join(" x "),
        layout(D),
        channels_last(input)
    )))
}

/// The channels of samples with `D` dimensions beside them.
///
/// # Errors
/// If `input` does not have such axes, or one is empty.
pub(super) fn channels<const D: usize>(layer: &str, input: &Shape) -> Result<usize> {
    if input.rank() == D + 1 && !input.contains(&0) {
        return Ok(input[0]);
    }
    let hint = if input.rank() == D && D > 1 {
        let sizes: Vec<String> = input.iter().map(usize::to_string).collect();
        format!(
            "; the axis of channels is missing: for one channel, put Reshape::new([1, {}]) before it",
            sizes.join(", ")
        )
    } else if input.contains(&0) {
        "; no axis may be empty".to_owned()
    } else {
        let side = input.elements().isqrt();
        match (D, input.rank()) {
            (1, 1) => format!("; put a Reshape before it, for one channel Reshape::new([1, {}])", input[0]),
            (2, 1) if side * side == input[0] => {
                format!("; put a Reshape before it, for grey images Reshape::new([1, {side}, {side}])")
            }
            _ => "; put a Reshape before it".to_owned(),
        }
    };
    Err(Error::Config(format!("{layer} takes samples of shape {}, but its input has shape {input}{hint}", layout(D))))
}

/// The number of axes beside batch and channels in `[N, C, ..]`, where there are 1 to 3.
///
/// # Errors
/// For samples of other shapes.
pub(super) fn spatial_axes(layer: &str, input: &Shape) -> Result<usize> {
    if (2..=4).contains(&input.rank()) && !input.contains(&0) {
        return Ok(input.rank() - 1);
    }
    Err(Error::Config(format!(
        "{layer} takes samples of shape [C, L], [C, H, W] or [C, D, H, W] with sizes of at least 1, but its input has shape {input}"
    )))
}

/// # Panics
/// If `x` is not `[N, channels, ..]` with `d` more axes.
#[track_caller]
pub(super) fn check_input(layer: &str, x: &Tensor, d: usize, channels: usize) {
    let shape = x.shape();
    if shape.rank() == d + 2 && shape[1] == channels {
        return;
    }
    let last = shape.rank() == d + 2 && shape[d + 1] == channels;
    let hint = if last { "; its channels seem to be the last axis: permute the axes first" } else { "" };
    panic!(
        "{layer}: the input has shape {shape}, but the layer expects [N, {channels}, {}{hint}",
        &layout(d)["[C, ".len()..]
    );
}

/// A sample's shape of these channels and sizes.
///
/// # Errors
/// If it has too many elements.
pub(super) fn sample(channels: usize, sizes: &[usize]) -> Result<Shape> {
    let mut all = vec![channels];
    all.extend_from_slice(sizes);
    Ok(Shape::try_new(&all)?)
}
