//! Branches side by side.

use serde::{Deserialize, Serialize};

use super::chain::shortest;
use super::{Chain, Context, Forward, Layer, LayerConfig, LayerKind, Module, Plan, Structure, join};
use crate::autograd::Trace;
use crate::{Error, Result, Rng, Shape, Tensor, concat};

/// Applies several branches to the same input and merges their outputs.
///
/// ```
/// use hadal::nn::{Chain, Merge, Parallel};
/// use hadal::prelude::*;
/// // "Wide and deep": the inputs themselves beside two layers of them.
/// let model = Sequential::new([8])
///     .add(Parallel::new(Merge::Concatenate)
///         .branch(Chain::new())
///         .branch(Chain::new().add(Dense::new(32).activation(Relu)).add(Dense::new(16))))
///     .add(Dense::new(1))
///     .build()?;
/// assert_eq!(model.output_shape(), Some([1].into()));
/// # Ok::<(), hadal::Error>(())
/// ```
///
/// Branches of different windows, whose channels are joined (Szegedy and others, Going deeper with convolutions, CVPR 2015):
///
/// ```
/// use hadal::nn::{Chain, Merge, Parallel};
/// use hadal::prelude::*;
/// let inception = Parallel::new(Merge::ConcatenateAlong(1))
///     .branch(Chain::new().add(Conv2d::new(8, 1).activation(Relu)))
///     .branch(Chain::new().add(Conv2d::new(4, 1).activation(Relu)).add(Conv2d::new(8, 3).padding(1).activation(Relu)))
///     .branch(Chain::new().add(MaxPool2d::new(3).stride(1).padding(1)).add(Conv2d::new(8, 1).activation(Relu)));
/// let model = Sequential::new([16, 14, 14]).add(inception).build()?;
/// assert_eq!(model.output_shape(), Some([24, 14, 14].into()));
/// # Ok::<(), hadal::Error>(())
/// ```
#[doc(alias = "Concatenate")]
#[doc(alias = "Inception")]
#[doc(alias = "Add")]
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parallel {
    merge: Merge,
    #[serde(with = "lists")]
    branches: Vec<Chain>,
}

/// How the outputs of branches are joined.
///
/// ```
/// use hadal::nn::Merge;
/// use hadal::prelude::*;
/// let twice = |merge| -> hadal::Result<Vec<f32>> {
///     let model = Sequential::new([1]).add(Parallel::new(merge).branch(Chain::new()).branch(Chain::new())).build()?;
///     Ok(model.forward(&Tensor::from([[3.0]]), &mut Context::evaluation()).to_vec())
/// };
/// assert_eq!(twice(Merge::Concatenate)?, [3.0, 3.0]);
/// assert_eq!(twice(Merge::Sum)?, [6.0]);
/// assert_eq!(twice(Merge::Product)?, [9.0]);
/// # Ok::<(), hadal::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Merge {
    /// One after another along the last axis; the other axes must agree.
    Concatenate,
    /// One after another along this axis, counted from 1, as 0 is that of the samples: 1 is the axis of channels of `[N, C, H, W]`, as in
    /// PyTorch's `cat(dim=1)` and Keras's `Concatenate(axis=1)`. The other axes must agree.
    ConcatenateAlong(usize),
    /// Added; shapes must agree.
    Sum,
    /// Multiplied; shapes must agree.
    Product,
    /// Their mean; shapes must agree.
    Mean,
    /// For each index along the last axis, the share of the branches whose largest value lies there; shapes must agree. It passes no
    /// gradient on.
    Vote,
}

impl Parallel {
    /// No branches yet.
    pub fn new(merge: Merge) -> Parallel {
        Parallel { merge, branches: Vec::new() }
    }

    /// Adds a branch.
    ///
    /// ```
    /// use hadal::nn::Merge;
    /// use hadal::prelude::*;
    /// let block = Parallel::new(Merge::Sum).branch(Chain::new()).branch(Chain::new().add(Dense::new(4)));
    /// let model = Sequential::new([4]).add(block).build()?;
    /// assert_eq!(model.parameter_count(), 4 * 4 + 4);
    /// # Ok::<(), hadal::Error>(())
    /// ```
    pub fn branch(mut self, branch: Chain) -> Parallel {
        self.branches.push(branch);
        self
    }
}

impl Module for Parallel {
    fn visit(&self, path: &str, visitor: &mut dyn FnMut(&str, &Tensor)) {
        self.branches.visit(&join(path, "branches"), visitor);
    }

    fn visit_mut(&mut self, path: &str, visitor: &mut dyn FnMut(&str, &mut Tensor)) {
        self.branches.visit_mut(&join(path, "branches"), visitor);
    }

    fn constrain(&mut self) {
        self.branches.constrain();
    }

    fn min_batch_size(&self) -> usize {
        self.branches.min_batch_size()
    }
}

impl Forward for Parallel {
    #[track_caller]
    fn forward(&self, x: &Tensor, ctx: &mut Context) -> Tensor {
        let lengths = ctx.lengths.clone();
        let branches = self.branches.iter().enumerate().map(|(index, branch)| {
            ctx.lengths = lengths.clone();
            let _scope = Trace::enter(|| format!("branch {}", index + 1));
            branch.forward(x, ctx)
        });
        let outputs: Vec<Tensor> = branches.collect();
        match self.merge {
            Merge::Concatenate => concat(&outputs, -1),
            Merge::ConcatenateAlong(axis) => concat(&outputs, axis as isize),
            Merge::Sum => outputs.into_iter().reduce(|a, b| a + b).unwrap_or_else(|| x.clone()),
            Merge::Product => outputs.into_iter().reduce(|a, b| a * b).unwrap_or_else(|| x.clone()),
            Merge::Mean => mean(outputs).unwrap_or_else(|| x.clone()),
            Merge::Vote => {
                let votes = outputs.iter().map(|y| y.argmax(-1).one_hot(y.size(-1)).to_dtype(y.dtype()));
                mean(votes.collect()).unwrap_or_else(|| x.clone())
            }
        }
    }

    fn stream_length(&self) -> Result<Option<usize>> {
        shortest(self.branches.iter().map(Forward::stream_length))
    }

    fn check_inputs(&self, x: &Tensor) -> Result<()> {
        self.branches.iter().try_for_each(|branch| branch.check_inputs(x))
    }
}

impl Layer for Parallel {
    fn plan(&self, input: &Shape) -> Result<Plan> {
        let mut whole: Option<Plan> = None;
        for (number, branch) in self.branches.iter().enumerate() {
            let plan = branch.plan(input).map_err(|error| Error::Config(format!("branch {}: {error}", number + 1)))?;
            whole = Some(match whole {
                None => plan,
                Some(Plan { output_shape, weights }) => Plan {
                    output_shape: self.join_shapes(&output_shape, &plan.output_shape, number + 1)?,
                    weights: weights.saturating_add(plan.weights),
                },
            });
        }
        let plan = whole.ok_or_else(|| Error::Config("Parallel needs at least one branch".into()))?;
        if plan.output_shape.is_empty() && matches!(self.merge, Merge::Concatenate | Merge::Vote) {
            return Err(Error::Config("Parallel: scalar outputs cannot be concatenated or voted on".into()));
        }
        if let Merge::ConcatenateAlong(axis) = self.merge {
            check_axis(axis, &plan.output_shape)?;
        }
        Ok(plan)
    }

    fn keeps_lengths(&self, padded: bool) -> Result<bool> {
        let at = |number: usize| move |error: Error| Error::Config(format!("branch {}: {error}", number + 1));
        let kept = |(index, branch): (usize, &Chain)| branch.keeps_lengths(padded).map_err(at(index));
        let all = self.branches.iter().enumerate().map(kept).collect::<Result<Vec<bool>>>()?;
        match &all[..] {
            [first, rest @ ..] if rest.iter().any(|own| own != first) => Err(Error::Config(
                "Parallel: some branches give padded sequences, and others do not; use return_sequences() in all or in none".into(),
            )),
            all => Ok(all.first() == Some(&true)),
        }
    }

    fn build(&mut self, input: &Shape, rng: &mut Rng) -> Result<()> {
        self.branches.iter_mut().try_for_each(|branch| branch.build(input, rng))
    }

    fn config(&self) -> LayerConfig {
        LayerConfig::of(self)
    }

    fn label(&self) -> String {
        format!("Parallel of {}", self.branches.len())
    }

    fn structure(&self) -> Structure<'_> {
        Structure::Parallel(&self.branches, self.merge)
    }
}

impl LayerKind for Parallel {
    const NAME: &'static str = "parallel";
}

/// # Errors
/// If outputs have no such axis.
fn check_axis(axis: usize, output: &Shape) -> Result<()> {
    if (1..=output.rank()).contains(&axis) {
        return Ok(());
    }
    Err(Error::Config(format!(
        "Parallel: outputs of shape {output} cannot be concatenated along axis {axis}; their axes are counted from 1 to {}",
        output.rank()
    )))
}

fn mean(outputs: Vec<Tensor>) -> Option<Tensor> {
    let count = outputs.len() as f64;
    outputs.into_iter().reduce(|a, b| a + b).map(|sum| sum / count)
}

/// Branches in a file: a list of layers each.
mod lists {
    use serde::{Deserialize, Deserializer, Serializer};

    use super::{Chain, Layer};

    pub fn serialize<S: Serializer>(branches: &[Chain], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(branches.iter().map(|branch| &branch.layers))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Chain>, D::Error> {
        let branches: Vec<Vec<Box<dyn Layer>>> = Vec::deserialize(deserializer)?;
        Ok(branches.into_iter().map(|layers| Chain { layers }).collect())
    }
}

impl Parallel {
    fn join_shapes(&self, first: &Shape, other: &Shape, number: usize) -> Result<Shape> {
        let misfit = || {
            Error::Config(format!(
                "Parallel: branch {number} has output shape {other}, but the branches before it have {first}; {}",
                match self.merge {
                    Merge::Concatenate => "all axes but the last must agree".to_owned(),
                    Merge::ConcatenateAlong(axis) => format!("all axes but axis {axis}, counted from 1, must agree"),
                    _ => "shapes must agree".to_owned(),
                }
            ))
        };
        let axis = match self.merge {
            Merge::Sum | Merge::Product | Merge::Mean | Merge::Vote => {
                return (first == other).then_some(*first).ok_or_else(misfit);
            }
            Merge::Concatenate => first.rank().checked_sub(1).ok_or_else(misfit)?,
            Merge::ConcatenateAlong(axis) => {
                check_axis(axis, first)?;
                axis - 1
            }
        };
        let agree = |place: usize| place == axis || first[place] == other[place];
        if first.rank() != other.rank() || !(0..first.rank()).all(agree) {
            return Err(misfit());
        }
        let mut sizes = first.to_vec();
        sizes[axis] = sizes[axis].saturating_add(other[axis]);
        Ok(Shape::try_new(&sizes)?)
    }
}
