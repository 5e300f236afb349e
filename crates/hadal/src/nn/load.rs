//! Tensors from elsewhere into a module: in part, under other names.

use std::collections::BTreeMap;

use super::Module;
use crate::{Error, Result, Tensor};

/// How [`Module::load_state_dict_with`] matches tensors with those of a module. Default: as
/// [`load_state_dict`](Module::load_state_dict), all names, strictly.
///
/// ```
/// use hadal::nn::LoadOptions;
/// use hadal::prelude::*;
/// // A file of another program, in which the network is a part called `encoder` and its layers have other names.
/// let file = [
///     ("encoder.fc1.weight".to_owned(), Tensor::ones([3, 2])),
///     ("encoder.fc1.bias".to_owned(), Tensor::zeros([3])),
///     ("head.weight".to_owned(), Tensor::ones([1, 3])),
/// ];
/// let mut model = Sequential::new([2]).add(Dense::new(3)).add(Dense::new(5)).build()?;
/// let options = LoadOptions::new().prefix("encoder.").rename(|name| name.replace("fc1", "layers.0")).strict(false);
/// let report = model.load_state_dict_with(&file.into(), &options)?;
/// assert_eq!(report.missing, ["layers.1.weight", "layers.1.bias"]);
/// # Ok::<(), hadal::Error>(())
/// ```
#[derive(Default)]
pub struct LoadOptions<'a> {
    prefix: String,
    rename: Option<Rename<'a>>,
    partial: bool,
}

type Rename<'a> = Box<dyn Fn(&str) -> String + 'a>;

/// What did not match when tensors were loaded.
///
/// ```
/// use hadal::nn::LoadOptions;
/// use hadal::prelude::*;
/// let mut layer = Linear::new(2, 1, &mut Rng::new(0));
/// let weights = [("weight".to_string(), Tensor::ones([1, 2])), ("scale".to_string(), Tensor::ones([1]))].into();
/// let report = layer.load_state_dict_with(&weights, &LoadOptions::new().strict(false))?;
/// assert_eq!((report.missing, report.unexpected), (vec!["bias".to_string()], vec!["scale".to_string()]));
/// # Ok::<(), hadal::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoadReport {
    /// The module's tensors that were not given, and keep their values.
    pub missing: Vec<String>,
    /// The names of given tensors, as they were given, that the module does not have.
    pub unexpected: Vec<String>,
}

impl<'a> LoadOptions<'a> {
    /// All names, strictly.
    pub fn new() -> LoadOptions<'a> {
        LoadOptions::default()
    }

    /// Takes only the tensors whose names begin with `prefix`, and removes it from their names. Default: none.
    ///
    /// ```
    /// use hadal::nn::LoadOptions;
    /// use hadal::prelude::*;
    /// let mut layer = Linear::new(2, 1, &mut Rng::new(0));
    /// let names = [("fc.weight", Tensor::ones([1, 2])), ("fc.bias", Tensor::zeros([1])), ("other", Tensor::ones([3]))];
    /// let weights = names.map(|(name, tensor)| (name.to_string(), tensor)).into();
    /// layer.load_state_dict_with(&weights, &LoadOptions::new().prefix("fc."))?;
    /// assert_eq!(layer.weight.to_vec::<f32>(), [1.0, 1.0]);
    /// # Ok::<(), hadal::Error>(())
    /// ```
    pub fn prefix(mut self, prefix: impl Into<String>) -> LoadOptions<'a> {
        self.prefix = prefix.into();
        self
    }

    /// Maps the name of each given tensor, without the prefix, to the module's name for it. Default: the same name.
    ///
    /// ```
    /// use hadal::nn::LoadOptions;
    /// use hadal::prelude::*;
    /// let mut layer = Linear::new(2, 1, &mut Rng::new(0));
    /// let names = [("kernel", Tensor::ones([1, 2])), ("bias", Tensor::zeros([1]))];
    /// let weights = names.map(|(name, tensor)| (name.to_string(), tensor)).into();
    /// layer.load_state_dict_with(&weights, &LoadOptions::new().rename(|name| name.replace("kernel", "weight")))?;
    /// assert_eq!(layer.weight.to_vec::<f32>(), [1.0, 1.0]);
    /// # Ok::<(), hadal::Error>(())
    /// ```
    pub fn rename(mut self, rename: impl Fn(&str) -> String + 'a) -> LoadOptions<'a> {
        self.rename = Some(Box::new(rename));
        self
    }

    /// Whether missing and unexpected tensors are errors. A shape or dtype that differs always is. Default: yes.
    ///
    /// ```
    /// use hadal::nn::LoadOptions;
    /// use hadal::prelude::*;
    /// let mut layer = Linear::new(2, 1, &mut Rng::new(0));
    /// let weights = [("weight".to_string(), Tensor::ones([1, 2]))].into();
    /// assert!(layer.load_state_dict_with(&weights, &LoadOptions::new()).is_err()); // no bias
    /// assert!(layer.load_state_dict_with(&weights, &LoadOptions::new().strict(false)).is_ok());
    /// ```
    pub fn strict(mut self, strict: bool) -> LoadOptions<'a> {
        self.partial = !strict;
        self
    }
}

/// Does what [`Module::load_state_dict_with`] says.
pub(super) fn load<M: Module + ?Sized>(
    module: &mut M,
    state: &BTreeMap<String, Tensor>,
    options: &LoadOptions,
) -> Result<LoadReport> {
    let mut given: BTreeMap<String, (&str, &Tensor)> = BTreeMap::new();
    for (name, tensor) in state {
        let Some(rest) = name.strip_prefix(options.prefix.as_str()) else { continue };
        let own = options.rename.as_ref().map_or_else(|| rest.to_owned(), |rename| rename(rest));
        if let Some((other, _)) = given.insert(own.clone(), (name, tensor)) {
            return Err(Error::Data(format!("tensors `{other}` and `{name}` both become `{own}`")));
        }
    }
    let (mut report, mut matched, mut misfit) = (LoadReport::default(), Vec::new(), None);
    module.visit("", &mut |name, tensor| match given.remove(name) {
        None => report.missing.push(name.to_owned()),
        Some((_, found)) if found.shape() == tensor.shape() && found.dtype() == tensor.dtype() => {
            matched.push((name.to_owned(), found));
        }
        Some((_, found)) if misfit.is_none() => {
            misfit = Some(format!(
                "tensor `{name}` is {} {}, but the model expects {} {}",
                found.dtype(),
                found.shape(),
                tensor.dtype(),
                tensor.shape()
            ));
        }
        Some(_) => {}
    });
    report.unexpected = given.values().map(|(name, _)| (*name).to_owned()).collect();
    let strict = |names: &[String]| names.first().filter(|_| !options.partial).cloned();
    let problem =
        misfit.or_else(|| strict(&report.missing).map(|name| format!("tensor `{name}` is missing"))).or_else(|| {
            strict(&report.unexpected)
                .map(|name| format!("unexpected tensor `{name}`: the model has no tensor of that name"))
        });
    if let Some(problem) = problem {
        return Err(Error::Data(problem));
    }
    let matched: BTreeMap<String, &Tensor> = matched.into_iter().collect();
    module.visit_mut("", &mut |name, tensor| {
        if let Some(value) = matched.get(name) {
            tensor.assign(value);
        }
    });
    Ok(report)
}
