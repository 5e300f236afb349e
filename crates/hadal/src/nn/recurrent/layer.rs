//! What is written once for the three recurrent layers.

/// Makes `$layer`, a struct around a `stack`, a layer of `$family`: its constructors, its settings, and its traits.
macro_rules! recurrent_layer {
    ($layer:ident, $family:expr, $name:literal) => {
        impl $layer {
            /// A layer of so many units, with PyTorch's initialization: all weights and biases uniform on ±1/sqrt(units).
            #[doc = example!($layer, "(16)", "[2, 16]")]
            pub fn new(units: usize) -> $layer {
                $layer { stack: Stack::new(units, Scheme::Torch) }
            }

            /// A layer of so many units, with Keras's initialization: Glorot uniform weights, orthogonal recurrent weights, and biases of
            /// 0, but 1 for the forget gate of an LSTM. As in PyTorch, an input's and a state's bias are added.
            pub fn keras(units: usize) -> $layer {
                $layer { stack: Stack::new(units, Scheme::Keras) }
            }

            /// For a module of your own: a layer for inputs of so many features, ready to be used. One with other settings is made by
            /// [`built`](Layer::built), which is given the shape of a sample, `[time, features]`; other numbers of steps fit, too.
            ///
            /// ```
            /// use hadal::prelude::*;
            /// let mut rng = Rng::new(0);
            #[doc = concat!("let layer = ", stringify!($layer), "::with(8, 16, &mut rng).return_sequences();")]
            /// let y = layer.forward(&Tensor::ones([2, 5, 8]), &mut Context::evaluation());
            /// assert_eq!(y.shape(), &[2, 5, 16]);
            #[doc = concat!("let deep = ", stringify!($layer), "::new(16).layers(2).built([5, 8], &mut rng)?;")]
            /// # let _ = deep;
            /// # Ok::<(), hadal::Error>(())
            /// ```
            ///
            /// # Panics
            /// If a number is 0.
            #[track_caller]
            pub fn with(features: usize, units: usize, rng: &mut Rng) -> $layer {
                assert!(
                    features > 0 && units > 0,
                    concat!(stringify!($layer), ": the numbers of features and of units must be at least 1")
                );
                let mut layer = $layer::new(units);
                layer.stack.build($family, features, rng);
                layer
            }

            /// Gives the outputs at all steps, `[batch, time, units]`, where it is the last one's, `[batch, units]`, by default: for a
            /// further recurrent layer, or for one answer per step.
            #[doc = example!($layer, "(16).return_sequences()", "[2, 5, 16]")]
            pub fn return_sequences(mut self) -> $layer {
                self.stack.return_sequences = true;
                self
            }

            /// So many layers one upon another, each fed with the outputs of the one below. Default: 1.
            #[doc = example!($layer, "(16).layers(2)", "[2, 16]")]
            ///
            /// # Panics
            /// If the layer has its weights already.
            #[track_caller]
            pub fn layers(mut self, layers: usize) -> $layer {
                self.stack.assert_no_weights($family, "layers");
                self.stack.layers = layers;
                self
            }

            /// Runs over each sequence in both directions, and concatenates the outputs: `2 units` of them. At the end, the output of
            /// the backward direction is that at the first step.
            #[doc = example!($layer, "(16).bidirectional()", "[2, 32]")]
            ///
            /// # Panics
            /// If the layer has its weights already.
            #[track_caller]
            pub fn bidirectional(mut self) -> $layer {
                self.stack.assert_no_weights($family, "bidirectional");
                self.stack.bidirectional = true;
                self
            }

            /// Dropout with this rate between the layers, in training, as PyTorch's: of the outputs of all layers but the last.
            /// Default: 0.
            #[doc = example!($layer, "(16).layers(2).dropout(0.2)", "[2, 16]")]
            pub fn dropout(mut self, rate: f64) -> $layer {
                self.stack.dropout = rate;
                self
            }

            /// Leaves the biases out.
            #[doc = example!($layer, "(16).without_bias()", "[2, 16]")]
            ///
            /// # Panics
            /// If the layer has its weights already.
            #[track_caller]
            pub fn without_bias(mut self) -> $layer {
                self.stack.assert_no_weights($family, "without_bias");
                self.stack.use_bias = false;
                self
            }
        }

        impl Module for $layer {
            fn visit(&self, path: &str, visitor: &mut dyn FnMut(&str, &Tensor)) {
                self.stack.visit(path, visitor);
            }

            fn visit_mut(&mut self, path: &str, visitor: &mut dyn FnMut(&str, &mut Tensor)) {
                self.stack.visit_mut(path, visitor);
            }
        }

        impl Forward for $layer {
            /// # Panics
            /// If the layer has not been built, or `x` does not fit; if it is bidirectional and in a
            /// [`Stream`](crate::nn::Stream), or the batch is not of the size of the piece before.
            #[track_caller]
            fn forward(&self, x: &Tensor, ctx: &mut Context) -> Tensor {
                match self.stack.forward($family, x, ctx) {
                    Ok(y) => y,
                    Err(problem) => panic!("{problem}"),
                }
            }

            fn stream_length(&self) -> Result<Option<usize>> {
                self.stack.check_stream($family).map_err(Error::Config)?;
                Ok(None)
            }
        }

        impl Layer for $layer {
            fn plan(&self, input: &Shape) -> Result<Plan> {
                self.stack.plan($family, input)
            }

            fn keeps_lengths(&self, padded: bool) -> Result<bool> {
                Ok(padded && self.stack.return_sequences)
            }

            fn build(&mut self, input: &Shape, rng: &mut Rng) -> Result<()> {
                self.stack.build($family, input[1], rng);
                Ok(())
            }

            fn config(&self) -> LayerConfig {
                LayerConfig::of(self)
            }

            fn label(&self) -> String {
                self.stack.label($family)
            }
        }

        impl LayerKind for $layer {
            const NAME: &'static str = $name;
        }
    };
}

/// An example: the layer in a network over 5 steps of 8 features, and what it gives for 2 sequences.
macro_rules! example {
    ($layer:ident, $settings:literal, $shape:literal) => {
        concat!(
            "\n```\nuse hadal::prelude::*;\nlet model = Sequential::new([5, 8]).add(",
            stringify!($layer),
            "::new",
            $settings,
            ").build()?;\nlet y = model.forward(&Tensor::ones([2, 5, 8]), &mut Context::evaluation());\nassert_eq!(y.shape(), &",
            $shape,
            ");\n# Ok::<(), hadal::Error>(())\n```"
        )
    };
}

pub(super) use {example, recurrent_layer};
