//! Pictures of training, of data and of networks, as SVG and PNG.
//!
//! Each function makes one [`Picture`], which can be given another title and size, and saved:
//!
//! ```
//! use hadal::{plot, prelude::*};
//! # let folder = tempfile::tempdir().unwrap();
//! # let path = |name: &str| folder.path().join(name);
//! let (train, test) = (hadal::data::synthetic::moons(100, 0.2, 1)?, hadal::data::synthetic::moons(100, 0.2, 2)?);
//! let model = Sequential::new([2]).add(Dense::new(16).activation(Relu)).add(Dense::new(1).activation(Sigmoid));
//! let mut model = model.compile(Adam::new(0.02), BinaryCrossentropy, Accuracy)?;
//! let history = model.fit(&train, Fit::epochs(5).validation_data(&test).quiet())?;
//! plot::loss_curves(&history)?.save(path("losses.svg"))?;
//! plot::decision_boundary(&model, &test)?.title("Two moons").size(600, 500).save(path("moons.svg"))?;
//! # Ok::<(), hadal::Error>(())
//! ```
//!
//! [`Plot`] draws curves, points and axes of your own.
//!
//! Colours are those of Okabe and Ito (2008), which most colour-blind people can tell apart; lines also differ by dashes once the
//! colours repeat, and points by shape. SVG is written element by element, because the plotting libraries for Rust place text
//! without measuring it, or round to whole pixels; PNG is that SVG, drawn by resvg (feature `plot-png`).

mod activations;
mod axis;
mod chart;
mod clip;
mod color;
mod loss_curves;
mod picture;
#[expect(clippy::module_inception, reason = "the builder is called Plot")]
mod plot;
#[cfg(feature = "plot-png")]
mod png;
mod svg;
mod text;

pub use activations::{activation, activations};
pub use loss_curves::loss_curves;
pub use picture::Picture;
pub use plot::{Plot, line};
