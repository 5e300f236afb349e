//! Where the inputs of a dataset are: in memory, or outside it.

use std::sync::Arc;

use super::{Parts, Rows};
use crate::{DType, Result, Shape, Tensor};

/// The inputs of all samples.
#[derive(Clone, Debug)]
pub(super) enum Inputs {
    Memory(Parts),
    Outside(Outside),
}

/// One input without a name, which is read when it is needed.
#[derive(Clone, Debug)]
pub(super) struct Outside {
    rows: Arc<dyn Rows>,
    /// Which of the rows are the samples; all, if none are listed.
    chosen: Option<Arc<[usize]>>,
    sample_shape: Shape,
}

/// Which samples.
#[derive(Clone, Copy, Debug)]
pub(super) enum Pick<'a> {
    Run { start: usize, length: usize },
    Indices(&'a [usize]),
}

impl Pick<'_> {
    pub fn len(self) -> usize {
        match self {
            Pick::Run { length, .. } => length,
            Pick::Indices(indices) => indices.len(),
        }
    }

    /// The samples' numbers.
    pub fn indices(self) -> Vec<usize> {
        match self {
            Pick::Run { start, length } => (start..start + length).collect(),
            Pick::Indices(indices) => indices.to_vec(),
        }
    }

    /// Those rows of a tensor.
    pub fn of(self, tensor: &Tensor) -> Tensor {
        match self {
            Pick::Run { start, length } => tensor.narrow(0, start, length),
            Pick::Indices(indices) => {
                let index = indices.iter().map(|&index| index as i64).collect();
                tensor.index_select(0, &Tensor::from_vec(index, [indices.len()]))
            }
        }
    }
}

impl Inputs {
    pub fn outside(rows: Arc<dyn Rows>) -> Inputs {
        let sample_shape = rows.sample_shape();
        Inputs::Outside(Outside { rows, chosen: None, sample_shape })
    }

    pub fn len(&self) -> usize {
        match self {
            Inputs::Memory(parts) => parts.first().size(0),
            Inputs::Outside(own) => own.chosen.as_ref().map_or(own.rows.len(), |chosen| chosen.len()),
        }
    }

    /// The name and type of each input.
    pub fn kinds(&self) -> Vec<(&str, DType)> {
        match self {
            Inputs::Memory(parts) => parts.iter().map(|(name, input)| (name, input.dtype())).collect(),
            Inputs::Outside(own) => vec![("", own.rows.dtype())],
        }
    }

    /// The shape of one sample of the first input.
    pub fn sample_shape(&self) -> Shape {
        match self {
            Inputs::Memory(parts) => Shape::from(&parts.first().shape()[1..]),
            Inputs::Outside(own) => own.sample_shape,
        }
    }

    /// Some of the samples, which are read if they lie outside memory.
    pub fn read(&self, pick: Pick) -> Result<Parts> {
        match self {
            Inputs::Memory(parts) => Ok(parts.map(|_, input| pick.of(input))),
            Inputs::Outside(own) => {
                let rows = own.rows.read(&own.places(pick))?;
                let mut sizes = vec![pick.len()];
                sizes.extend_from_slice(&own.sample_shape);
                Ok(rows.reshape(sizes).into())
            }
        }
    }

    /// Some of the samples, left where they are.
    pub fn select(&self, pick: Pick) -> Inputs {
        match self {
            Inputs::Memory(parts) => Inputs::Memory(parts.map(|_, input| pick.of(input))),
            Inputs::Outside(own) => Inputs::Outside(Outside { chosen: Some(own.places(pick).into()), ..own.clone() }),
        }
    }

    /// The first input with samples of another shape, of as many elements.
    pub fn reshape(&self, sample_shape: Shape) -> Inputs {
        match self {
            Inputs::Memory(parts) => {
                let mut sizes = vec![self.len()];
                sizes.extend_from_slice(&sample_shape);
                let change =
                    |i: usize, input: &Tensor| if i == 0 { input.reshape(sizes.clone()) } else { input.clone() };
                Inputs::Memory(parts.map(change))
            }
            Inputs::Outside(own) => Inputs::Outside(Outside { sample_shape, ..own.clone() }),
        }
    }
}

impl Outside {
    /// The rows of some samples.
    fn places(&self, pick: Pick) -> Vec<usize> {
        let mut places = pick.indices();
        if let Some(chosen) = &self.chosen {
            places.iter_mut().for_each(|place| *place = chosen[*place]);
        }
        places
    }
}
