//! Several networks, or several views of an image, as one network.

use super::{Chain, Forward, Merge, Module, Parallel, Sequential, Views};
use crate::data::Augment;
use crate::{Error, Result, Shape, Tensor};

/// Networks whose predictions are joined: as a rule their mean is better than any of them (Hansen and Salamon, 1990; Lakshminarayanan,
/// Pritzel and Blundell, NeurIPS 2017).
///
/// ```
/// use hadal::nn::Ensemble;
/// use hadal::prelude::*;
/// let member = |seed| Sequential::new([4]).seed(seed).add(Dense::new(3).activation(Softmax)).build();
/// let (first, second, x) = (member(1)?, member(2)?, Tensor::ones([1, 4]));
/// let run = |model: &Sequential| model.forward(&x, &mut Context::evaluation());
/// let mean = (run(&first) + run(&second)) / 2.0;
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("ensemble.safetensors");
/// let ensemble = Ensemble::of([first, second])?;
/// ensemble.save(&path, &Default::default())?; // one file
/// let (loaded, _) = Sequential::load(&path)?;
/// assert!((run(&loaded) - mean).abs().max().item() < 1e-6);
/// # Ok::<(), hadal::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Ensemble;

impl Ensemble {
    /// A network that gives the mean of what these give, which have been built or trained. It is a [`Sequential`] of one [`Parallel`]
    /// with a branch for each, and is saved, loaded and evaluated like any other. Its weights are the members' own, not copies,
    /// until one of them changes.
    ///
    /// # Errors
    /// If there is no network, one has not been built, or inputs, outputs or the transforms of the data they were trained on differ.
    pub fn of(members: impl IntoIterator<Item = Sequential>) -> Result<Sequential> {
        Ensemble::joined(members, Merge::Mean)
    }

    /// As [`of`](Ensemble::of), but each network has one vote, for the class to which it gives the most: the result is each class's
    /// share of the votes. It cannot be trained.
    ///
    /// ```
    /// use hadal::nn::Ensemble;
    /// use hadal::prelude::*;
    /// let sure_of = |class: usize| -> hadal::Result<Sequential> {
    ///     let mut model = Sequential::new([1]).add(Dense::new(2)).build()?;
    ///     let bias = Tensor::from([if class == 0 { 1.0 } else { 0.0 }, if class == 1 { 1.0 } else { 0.0 }]);
    ///     model.visit_mut("", &mut |name, tensor| {
    ///         tensor.assign(&if name.ends_with("bias") { bias.clone() } else { tensor.zeros_like() });
    ///     });
    ///     Ok(model)
    /// };
    /// let ensemble = Ensemble::vote([sure_of(1)?, sure_of(0)?, sure_of(1)?])?;
    /// let shares = ensemble.forward(&Tensor::ones([1, 1]), &mut Context::evaluation());
    /// assert!((shares.to_vec::<f32>()[1] - 2.0 / 3.0).abs() < 1e-6);
    /// # Ok::<(), hadal::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`of`](Ensemble::of).
    pub fn vote(members: impl IntoIterator<Item = Sequential>) -> Result<Sequential> {
        Ensemble::joined(members, Merge::Vote)
    }

    /// A network that judges each image `views` times, as it is and changed at random by `augment`, and gives the mean of what this one
    /// gives; see [`Views`]. Where images were changed in training, changes of the same kind are a good choice here.
    ///
    /// ```
    /// use hadal::nn::Ensemble;
    /// use hadal::prelude::*;
    /// let model = Sequential::new([8, 8]).add(Flatten).add(Dense::new(3).activation(Softmax)).build()?;
    /// let model = Ensemble::of_views(model, Augment::new().shift(0.2).rotate(10.0), 5)?;
    /// assert_eq!(model.forward(&Tensor::ones([2, 8, 8]), &mut Context::evaluation()).shape(), &[2, 3]);
    /// # Ok::<(), hadal::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the network has not been built, its inputs are no images, there are no views, or `augment` does more than move pixels.
    pub fn of_views(network: Sequential, augment: Augment, views: usize) -> Result<Sequential> {
        let (input, layers) = parts_of(&network, 1)?;
        filled(Sequential::new(input).add(Views::new(augment, views, layers)), &[network])
    }

    fn joined(members: impl IntoIterator<Item = Sequential>, merge: Merge) -> Result<Sequential> {
        let members: Vec<Sequential> = members.into_iter().collect();
        let Some(first) = members.first() else {
            return Err(Error::Config("Ensemble: there is no network; give at least one".into()));
        };
        let (input, _) = parts_of(first, 1)?;
        let mut parallel = Parallel::new(merge);
        for (number, member) in (1..).zip(&members) {
            let (own, chain) = parts_of(member, number)?;
            if own != input {
                return Err(Error::Config(format!(
                    "Ensemble: network {number} takes samples of shape {own}, but network 1 takes {input}"
                )));
            }
            if member.preprocessing() != first.preprocessing() {
                return Err(Error::Config(format!(
                    "Ensemble: network {number} was trained on data with other transforms than network 1; train them on data that \
                     is prepared alike"
                )));
            }
            parallel = parallel.branch(chain);
        }
        filled(Sequential::new(input).add(parallel), &members)
    }
}

/// The shape of the inputs of a network that has weights, and its layers without them.
fn parts_of(network: &Sequential, number: usize) -> Result<(Shape, Chain)> {
    let Some(input) = network.input_shape() else {
        return Err(Error::Config(format!("Ensemble: network {number} has no input shape")));
    };
    if network.output_shape().is_none() {
        return Err(Error::Config(format!("Ensemble: network {number} has no weights yet; build or train it first")));
    }
    let layers = network.architecture().layers.iter().map(|layer| layer.layer()).collect::<Result<_>>()?;
    Ok((input, Chain { layers }))
}

/// A network of the layers of these, with their weights, for data that is prepared as theirs.
fn filled(network: Sequential, members: &[Sequential]) -> Result<Sequential> {
    let mut tensors: Vec<Tensor> = Vec::new();
    members.iter().for_each(|member| member.visit("", &mut |_, tensor| tensors.push(tensor.clone())));
    let mut whole = network.build()?;
    let mut tensors = tensors.into_iter();
    // The same layers in the same order.
    whole.visit_mut("", &mut |_, tensor| {
        if let Some(own) = tensors.next() {
            *tensor = own;
        }
    });
    if let Some(preprocessing) = members.first().and_then(Sequential::preprocessing) {
        whole.set_preprocessing(preprocessing);
    }
    Ok(whole)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::{BatchNorm, Dense};

    #[test]
    fn what_does_not_fit_together_is_refused() {
        let model = |inputs: usize, outputs: usize| Sequential::new([inputs]).add(Dense::new(outputs));
        let refused = |members: Vec<Sequential>, words: &str| {
            let error = Ensemble::of(members).err().map(|error| error.to_string()).unwrap_or_default();
            assert!(error.contains(words), "{error}");
        };
        refused(vec![], "at least one");
        refused(vec![model(2, 1)], "network 1 has no weights yet");
        refused(
            vec![model(2, 1).build().unwrap(), model(3, 1).build().unwrap()],
            "network 2 takes samples of shape [3]",
        );
        refused(vec![model(2, 1).build().unwrap(), model(2, 2).build().unwrap()], "branch 2 has output shape [2]");
    }

    #[test]
    fn state_that_is_not_trained_is_the_members_too() {
        let member = |mean: f64| {
            let mut model = Sequential::new([1]).add(BatchNorm::new()).build().unwrap();
            model.visit_mut("", &mut |name, tensor| {
                if name.ends_with("running_mean") {
                    tensor.assign(&Tensor::full([1], mean));
                }
            });
            model
        };
        let ensemble = Ensemble::of([member(1.0), member(3.0)]).unwrap();
        let y = ensemble.forward(&Tensor::zeros([1, 1]), &mut super::super::Context::evaluation());
        assert!((y.item() + 2.0).abs() < 1e-4, "{y}");
    }
}
