//! Parameters with settings of their own.

/// A parameter group: parameters, selected by a name prefix or suffix, with their own learning rate and weight decay.
///
/// ```
/// use hadal::prelude::*;
/// use hadal::optim::ParamGroup;
/// // The first layer learns at a tenth of the learning rate, and no bias decays.
/// let optimizer = Sgd::new(0.1)
///     .weight_decay(1e-4)
///     .param_group(ParamGroup::prefix("layers.0.").learning_rate_scale(0.1))
///     .param_group(ParamGroup::suffix("bias").weight_decay(0.0));
/// # let _ = optimizer;
/// ```
#[doc(alias = "param_groups")]
#[derive(Clone, Debug, PartialEq)]
pub struct ParamGroup {
    prefix: String,
    suffix: String,
    pub(super) learning_rate_scale: f64,
    pub(super) weight_decay: Option<f64>,
}

impl ParamGroup {
    /// The parameters whose names begin with `prefix`: `layers.0.` is all of the first layer.
    ///
    /// ```
    /// use hadal::optim::ParamGroup;
    /// use hadal::prelude::*;
    /// let mut model = Sequential::new([2]).add(Dense::new(2)).add(Dense::new(1)).build()?;
    /// let before = model.state_dict()[0].1.to_vec::<f32>();
    /// let mut optimizer = Sgd::new(0.1).param_group(ParamGroup::prefix("layers.0.").learning_rate_scale(0.0));
    /// let loss = model.forward(&Tensor::ones([1, 2]), &mut Context::evaluation()).sum();
    /// optimizer.step(&mut model, &loss.backward());
    /// assert_eq!(model.state_dict()[0].1.to_vec::<f32>(), before); // the first layer has not moved
    /// # Ok::<(), hadal::Error>(())
    /// ```
    pub fn prefix(prefix: impl Into<String>) -> ParamGroup {
        ParamGroup { prefix: prefix.into(), suffix: String::new(), learning_rate_scale: 1.0, weight_decay: None }
    }

    /// The parameters whose names end in `suffix`: `bias` is every bias.
    ///
    /// ```
    /// use hadal::optim::ParamGroup;
    /// use hadal::prelude::*;
    /// let group = ParamGroup::suffix("bias");
    /// assert_eq!(group.to_string(), "group with suffix `bias`");
    /// ```
    pub fn suffix(suffix: impl Into<String>) -> ParamGroup {
        ParamGroup { suffix: suffix.into(), ..ParamGroup::prefix("") }
    }

    /// Multiplies the learning rate of these parameters. Default: 1; 0 leaves them unchanged.
    ///
    /// ```
    /// use hadal::optim::ParamGroup;
    /// use hadal::prelude::*;
    /// let mut w = Tensor::from([1.0]).requires_grad();
    /// let mut optimizer = Sgd::new(0.1).param_group(ParamGroup::prefix("").learning_rate_scale(0.5));
    /// let grads = w.sum().backward();
    /// optimizer.step(&mut w, &grads);
    /// assert!((w.item() - 0.95).abs() < 1e-6);
    /// ```
    pub fn learning_rate_scale(mut self, scale: f64) -> ParamGroup {
        self.learning_rate_scale = scale;
        self
    }

    /// Their weight decay, in place of the optimizer's and of the same kind. If the optimizer has none, it is decoupled for
    /// AdamW, Lion and Muon, and coupled for all others. Default: the optimizer's.
    ///
    /// ```
    /// use hadal::optim::ParamGroup;
    /// use hadal::prelude::*;
    /// let mut w = Tensor::from([1.0]).requires_grad();
    /// let mut optimizer = Sgd::new(0.1).weight_decay(0.5).param_group(ParamGroup::prefix("").weight_decay(0.0));
    /// let grads = w.sum().backward();
    /// optimizer.step(&mut w, &grads);
    /// assert!((w.item() - 0.9).abs() < 1e-6); // as without decay
    /// ```
    pub fn weight_decay(mut self, decay: f64) -> ParamGroup {
        self.weight_decay = Some(decay);
        self
    }

    /// Whether a parameter of this name is one of the group.
    pub(super) fn holds(&self, name: &str) -> bool {
        name.starts_with(&self.prefix) && name.ends_with(&self.suffix)
    }
}

impl std::fmt::Display for ParamGroup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.prefix.is_empty(), self.suffix.is_empty()) {
            (_, true) => write!(f, "group with prefix `{}`", self.prefix),
            (true, false) => write!(f, "group with suffix `{}`", self.suffix),
            (false, false) => write!(f, "group with prefix `{}` and suffix `{}`", self.prefix, self.suffix),
        }
    }
}
