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
//! [`Plot`] draws curves, points and axes of your own, [`HeatMap`] a matrix. A callback draws while training goes on:
//!
//! ```
//! use hadal::{plot, prelude::*};
//! /// Draws the weights of the first layer after every epoch.
//! struct DrawWeights(std::path::PathBuf);
//!
//! impl Callback for DrawWeights {
//!     fn on_event(&mut self, event: &Event) -> hadal::Result<Flow> {
//!         if let Event::EpochEnd { epoch, model, .. } = event {
//!             plot::weights(*model)?.save(self.0.join(format!("weights-{epoch}.svg")))?;
//!         }
//!         Ok(Flow::Continue)
//!     }
//! }
//! ```
//!
//! Colours are those of Okabe and Ito (2008), which most colour-blind people can tell apart; lines also differ by dashes once the
//! colours repeat, and points by shape. SVG is written element by element: plotters, which this module was built on, draws SVG in
//! whole pixels and guesses the size of text. PNG is that SVG, drawn by resvg (feature `plot-png`).

mod activations;
mod axis;
mod calibration_curve;
mod cells;
mod chart;
mod clip;
mod color;
mod color_bar;
mod confusion_matrix;
mod contour;
mod decision_boundary;
mod heat_map;
mod histogram;
mod histograms_by_depth;
mod image_grid;
mod loss_curves;
mod network_diagram;
mod optimizer_paths;
mod picture;
#[expect(clippy::module_inception, reason = "the builder is called Plot")]
mod plot;
#[cfg(feature = "plot-png")]
mod png;
mod precision_recall_curve;
mod roc_curve;
mod scores;
mod svg;
mod text;
mod tiles;
mod weights;

pub use activations::{activation, activations};
pub use calibration_curve::{CalibrationCurve, calibration_curve};
pub use confusion_matrix::{NO_NAMES, confusion_matrix};
pub use decision_boundary::{Predict, decision_boundary};
pub use heat_map::HeatMap;
pub use histogram::histogram;
pub use histograms_by_depth::histograms_by_depth;
pub use image_grid::image_grid;
pub use loss_curves::loss_curves;
pub use network_diagram::{network_diagram, network_text};
pub use optimizer_paths::optimizer_paths;
pub use picture::Picture;
pub use plot::{Plot, line};
pub use precision_recall_curve::{PrecisionRecallCurve, precision_recall_curve};
pub use roc_curve::{RocCurve, roc_curve};
pub use weights::weights;
