//! The inputs, targets or outputs of a model, where there are several.

use std::ops::Index;
use std::sync::Arc;

use crate::Tensor;

/// Named tensors, in order: the inputs, targets or outputs of a [`Model`](crate::nn::Model) that has several. All have the
/// samples on their first axis.
///
/// ```
/// use hadal::data::Parts;
/// use hadal::prelude::*;
/// let inputs = Parts::from([("image", Tensor::zeros([2, 784])), ("age", Tensor::ones([2, 1]))]);
/// assert_eq!(inputs["age"].shape(), &[2, 1]);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Parts(Vec<(Arc<str>, Tensor)>);

impl Parts {
    /// The tensor called `name`.
    pub fn get(&self, name: &str) -> Option<&Tensor> {
        self.0.iter().find(|(own, _)| &**own == name).map(|(_, tensor)| tensor)
    }

    /// The names and tensors, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        self.0.iter().map(|(name, tensor)| (&**name, tensor))
    }

    /// The number of tensors.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The names, for a reader.
    pub(crate) fn names(&self) -> String {
        self.iter().map(|(name, _)| name).collect::<Vec<_>>().join(", ")
    }

    /// The tensor for what says which output it is about, or the only one for what does not.
    pub(crate) fn of(&self, output: Option<&str>) -> Option<&Tensor> {
        match output {
            Some(name) => self.get(name),
            None => self.only(),
        }
    }

    /// The tensor, if it is the only one.
    pub(crate) fn only(&self) -> Option<&Tensor> {
        match &self.0[..] {
            [(_, tensor)] => Some(tensor),
            _ => None,
        }
    }

    pub(crate) fn first(&self) -> &Tensor {
        &self.0[0].1
    }

    pub(crate) fn at(&self, index: usize) -> &Tensor {
        &self.0[index].1
    }

    pub(crate) fn map(&self, mut change: impl FnMut(usize, &Tensor) -> Tensor) -> Parts {
        Parts(self.0.iter().enumerate().map(|(i, (name, tensor))| (name.clone(), change(i, tensor))).collect())
    }
}

impl From<Tensor> for Parts {
    /// One tensor, without a name.
    fn from(tensor: Tensor) -> Parts {
        Parts(vec![("".into(), tensor)])
    }
}

impl<N: Into<Arc<str>>, const COUNT: usize> From<[(N, Tensor); COUNT]> for Parts {
    fn from(parts: [(N, Tensor); COUNT]) -> Parts {
        parts.into_iter().collect()
    }
}

impl<N: Into<Arc<str>>> FromIterator<(N, Tensor)> for Parts {
    fn from_iter<I: IntoIterator<Item = (N, Tensor)>>(parts: I) -> Parts {
        Parts(parts.into_iter().map(|(name, tensor)| (name.into(), tensor)).collect())
    }
}

/// # Panics
/// If there is no such name; the message lists those that there are.
impl Index<&str> for Parts {
    type Output = Tensor;

    #[track_caller]
    fn index(&self, name: &str) -> &Tensor {
        match self.get(name) {
            Some(tensor) => tensor,
            None => panic!("there is no `{name}` among {}", self.names()),
        }
    }
}
