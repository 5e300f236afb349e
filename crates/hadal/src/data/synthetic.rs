//! Synthetic datasets, generated from a seed.
//!
//! Points of a plane with class labels (`[N, 2]` `f32` and `[N]` `i64`), and curves (`[N, 1]` and `[N, 1]`).

use std::f64::consts::PI;

use super::Dataset;
use crate::{DType, Error, Result, Rng, Tensor};

/// The random streams of this module, one for each kind of data.
const STREAM: u64 = 0x5d47;

/// What is drawn: `n` numbers of each kind, in order, so that samples do not depend on how many there are of others.
struct Draw(Rng);

impl Draw {
    fn new(seed: u64, kind: u64) -> Draw {
        Draw(Rng::with_stream(seed, STREAM + kind))
    }

    fn normal(&mut self, n: usize) -> Vec<f64> {
        Tensor::randn([n], &mut self.0).to_dtype(DType::F64).to_vec()
    }

    fn uniform(&mut self, n: usize) -> Vec<f64> {
        Tensor::rand([n], &mut self.0).to_dtype(DType::F64).to_vec()
    }
}

fn classes(name: &str, points: Vec<[f64; 2]>, labels: Vec<i64>) -> Result<Dataset> {
    let n = labels.len();
    let inputs: Vec<f32> = points.into_iter().flatten().map(|x| x as f32).collect();
    Dataset::new(name, Tensor::from_vec(inputs, [n, 2]), Tensor::from_vec(labels, [n]))
}

/// Checks the number of samples, of which each of `classes` needs one, and the noise, which `what` names.
fn check(name: &str, samples: usize, classes: usize, what: &str, noise: f64) -> Result<()> {
    if samples < classes {
        return Err(Error::Config(format!(
            "{name}: at least {classes} samples are needed, one of each class, not {samples}"
        )));
    }
    // All that is made on the way, for each sample, in numbers of 64 bits at most.
    crate::memory::require(samples.saturating_mul(256))
        .map_err(|reason| Error::Config(format!("{name}: {samples} samples: {reason}")))?;
    if noise >= 0.0 && noise.is_finite() {
        return Ok(());
    }
    Err(Error::Config(format!("{name}: {what} {noise} must be 0 or a positive, finite number")))
}

/// Checks the number of arms or centers, which are classes.
fn check_several(name: &str, what: &str, count: usize) -> Result<()> {
    if count >= 2 {
        return Ok(());
    }
    Err(Error::Config(format!("{name}: at least 2 {what} are needed, not {count}")))
}

/// Alternating labels: as many of each class as can be.
fn alternate(samples: usize, classes: usize) -> Vec<i64> {
    (0..samples).map(|i| (i % classes) as i64).collect()
}

/// The lecture's cats (0) and dogs (1): size against domestication, both on a scale around 0 to 10. Dogs are larger and
/// more domesticated. `overlap` 0 leaves a gap between them, so that a line separates them; 1 mixes a good part of
/// them.
///
/// ```
/// use hadal::data::synthetic::cats_and_dogs;
/// let data = cats_and_dogs(100, 0.0, 1)?;
/// assert_eq!(data.len(), 100);
/// # Ok::<(), hadal::Error>(())
/// ```
///
/// # Errors
/// If there are fewer than 2 samples, or `overlap` is not within `[0, 1]`.
pub fn cats_and_dogs(samples: usize, overlap: f64, seed: u64) -> Result<Dataset> {
    check("cats and dogs", samples, 2, "overlap", 0.0)?;
    if !(0.0..=1.0).contains(&overlap) {
        return Err(Error::Config(format!("cats and dogs: overlap {overlap} must be between 0 and 1")));
    }
    let labels = alternate(samples, 2);
    let mut draw = Draw::new(seed, 0);
    // Along the line between the animals' middles each keeps to its side of a gap; across it they spread freely.
    let (along, across) = (draw.normal(samples), draw.normal(samples));
    let points = labels.iter().enumerate().map(|(i, &label)| {
        let side = if label == 1 { 1.0 } else { -1.0 };
        let apart = side * (0.6 + along[i].abs() * 0.9) * (1.0 - overlap) + overlap * (side * 0.9 + along[i]);
        let (u, v) = (apart, 1.6 * across[i]);
        [5.0 + 0.8 * u - 0.6 * v, 5.0 + 0.6 * u + 0.8 * v]
    });
    classes("cats and dogs", points.collect(), labels)
}

/// Four clouds around (±1, ±1): class 1 where the signs differ. No line separates them (Minsky and Papert, 1969).
///
/// ```
/// use hadal::data::synthetic::xor;
/// let data = xor(100, 0.1, 1)?;
/// assert_eq!((data.len(), data.input_shape().elements()), (100, 2));
/// # Ok::<(), hadal::Error>(())
/// ```
///
/// # Errors
/// If there are fewer than 2 samples, or the noise is negative or not finite.
pub fn xor(samples: usize, noise: f64, seed: u64) -> Result<Dataset> {
    check("xor", samples, 2, "noise", noise)?;
    let (mut draw, labels) = (Draw::new(seed, 1), alternate(samples, 2));
    let shift = draw.normal(2 * samples);
    let points = labels.iter().enumerate().map(|(i, &label)| {
        let x = if i / 2 % 2 == 0 { 1.0 } else { -1.0 };
        let y = if label == 1 { -x } else { x };
        [x + noise * shift[2 * i], y + noise * shift[2 * i + 1]]
    });
    classes("xor", points.collect(), labels)
}

/// Two interleaving half circles, as scikit-learn's `make_moons`.
///
/// ```
/// use hadal::data::synthetic::moons;
/// let data = moons(100, 0.1, 1)?;
/// assert_eq!((data.len(), data.input_shape().elements()), (100, 2));
/// # Ok::<(), hadal::Error>(())
/// ```
///
/// # Errors
/// If there are fewer than 2 samples, or the noise is negative or not finite.
#[doc(alias = "make_moons")]
pub fn moons(samples: usize, noise: f64, seed: u64) -> Result<Dataset> {
    check("moons", samples, 2, "noise", noise)?;
    let (mut draw, labels) = (Draw::new(seed, 2), alternate(samples, 2));
    let (angle, shift) = (draw.uniform(samples), draw.normal(2 * samples));
    let points = labels.iter().enumerate().map(|(i, &label)| {
        let (sin, cos) = (PI * angle[i]).sin_cos();
        let [x, y] = if label == 0 { [cos, sin] } else { [1.0 - cos, 0.5 - sin] };
        [x + noise * shift[2 * i], y + noise * shift[2 * i + 1]]
    });
    classes("moons", points.collect(), labels)
}

/// A large circle (class 0) containing a smaller one (class 1) of half its radius, as scikit-learn's `make_circles`.
///
/// ```
/// use hadal::data::synthetic::circles;
/// let data = circles(100, 0.0, 1)?;
/// // Without noise, the first sample is at distance 1, the second at 1/2.
/// let radius = data.inputs().powi(2).sum_keepdim(&[1]).sqrt().to_vec::<f32>();
/// assert!((radius[0] - 1.0).abs() < 1e-6 && (radius[1] - 0.5).abs() < 1e-6);
/// # Ok::<(), hadal::Error>(())
/// ```
///
/// # Errors
/// If there are fewer than 2 samples, or the noise is negative or not finite.
#[doc(alias = "make_circles")]
pub fn circles(samples: usize, noise: f64, seed: u64) -> Result<Dataset> {
    check("circles", samples, 2, "noise", noise)?;
    let (mut draw, labels) = (Draw::new(seed, 3), alternate(samples, 2));
    let (angle, shift) = (draw.uniform(samples), draw.normal(2 * samples));
    let points = labels.iter().enumerate().map(|(i, &label)| {
        let (sin, cos) = (2.0 * PI * angle[i]).sin_cos();
        let radius = if label == 0 { 1.0 } else { 0.5 };
        [radius * cos + noise * shift[2 * i], radius * sin + noise * shift[2 * i + 1]]
    });
    classes("circles", points.collect(), labels)
}

/// `arms` spirals that wind around the origin one and a half times (Lang and Witbrock, 1988, with two).
///
/// ```
/// use hadal::data::synthetic::spirals;
/// let data = spirals(90, 3, 0.0, 1)?;
/// assert_eq!(data.targets().max().item(), 2.0);
/// # Ok::<(), hadal::Error>(())
/// ```
///
/// # Errors
/// If there are fewer than 2 arms, or fewer samples than arms, or the noise is negative or not finite.
pub fn spirals(samples: usize, arms: usize, noise: f64, seed: u64) -> Result<Dataset> {
    check_several("spirals", "arms", arms)?;
    check("spirals", samples, arms, "noise", noise)?;
    let (mut draw, labels) = (Draw::new(seed, 4), alternate(samples, arms));
    let (place, shift) = (draw.uniform(samples), draw.normal(2 * samples));
    let points = labels.iter().enumerate().map(|(i, &label)| {
        // The root spreads samples evenly along the arm.
        let along = place[i].sqrt();
        let (sin, cos) = (3.0 * PI * along + 2.0 * PI * label as f64 / arms as f64).sin_cos();
        [along * cos + noise * shift[2 * i], along * sin + noise * shift[2 * i + 1]]
    });
    classes("spirals", points.collect(), labels)
}

/// Isotropic Gaussian blobs with standard deviation `cluster_std` around `centers` random points in the square from -1 to 1, as
/// scikit-learn's `make_blobs`.
///
/// ```
/// use hadal::data::synthetic::blobs;
/// let data = blobs(90, 3, 0.1, 1)?;
/// assert_eq!(data.targets().max().item(), 2.0);
/// # Ok::<(), hadal::Error>(())
/// ```
///
/// # Errors
/// If there are fewer than 2 clouds, or fewer samples than clouds, or `cluster_std` is negative or not finite.
#[doc(alias = "make_blobs")]
pub fn blobs(samples: usize, centers: usize, cluster_std: f64, seed: u64) -> Result<Dataset> {
    check_several("blobs", "centers", centers)?;
    check("blobs", samples, centers, "cluster_std", cluster_std)?;
    let (mut draw, labels) = (Draw::new(seed, 5), alternate(samples, centers));
    let middles = draw.uniform(2 * centers);
    let shift = draw.normal(2 * samples);
    let points = labels.iter().enumerate().map(|(i, &label)| {
        let middle = |axis: usize| 2.0 * middles[2 * label as usize + axis] - 1.0;
        [middle(0) + cluster_std * shift[2 * i], middle(1) + cluster_std * shift[2 * i + 1]]
    });
    classes("blobs", points.collect(), labels)
}

/// A function of one variable, for regression.
///
/// ```
/// use hadal::data::synthetic::{Curve, regression};
/// let data = regression(Curve::Step, 50, 0.0, 1)?;
/// assert_eq!(data.targets().abs().min().item(), 1.0);
/// # Ok::<(), hadal::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Curve {
    /// `x / 2`.
    Line,
    /// `sin(pi x)`.
    Sine,
    /// `x^3`.
    Cubic,
    /// -1 below 0, 1 above.
    Step,
    /// `sin(3 pi x) / (3 pi x)`, a bump between ripples.
    Sinc,
}

impl Curve {
    /// Its value at `x`.
    ///
    /// ```
    /// use hadal::data::synthetic::Curve;
    /// assert_eq!((Curve::Cubic.at(2.0), Curve::Line.at(2.0)), (8.0, 1.0));
    /// ```
    pub fn at(self, x: f64) -> f64 {
        match self {
            Curve::Line => 0.5 * x,
            Curve::Sine => (PI * x).sin(),
            Curve::Cubic => x.powi(3),
            Curve::Step => x.signum(),
            Curve::Sinc if x == 0.0 => 1.0,
            Curve::Sinc => (3.0 * PI * x).sin() / (3.0 * PI * x),
        }
    }
}

/// A regression dataset: samples of a curve at random points in -1 to 1, with Gaussian noise of standard deviation `noise`.
///
/// ```
/// use hadal::data::synthetic::{Curve, regression};
/// let data = regression(Curve::Sine, 200, 0.1, 1)?;
/// assert_eq!(&data.input_shape(), &[1]);
/// # Ok::<(), hadal::Error>(())
/// ```
///
/// # Errors
/// If there are fewer than 2 samples, or the noise is negative or not finite.
pub fn regression(curve: Curve, samples: usize, noise: f64, seed: u64) -> Result<Dataset> {
    if samples < 2 {
        return Err(Error::Config(format!("regression: at least 2 samples are needed, not {samples}")));
    }
    check("regression", samples, 2, "noise", noise)?;
    let mut draw = Draw::new(seed, 6);
    let (x, shift) = (draw.uniform(samples), draw.normal(samples));
    let x: Vec<f64> = x.into_iter().map(|x| 2.0 * x - 1.0).collect();
    let y: Vec<f32> = x.iter().zip(shift).map(|(&x, shift)| (curve.at(x) + noise * shift) as f32).collect();
    let x: Vec<f32> = x.into_iter().map(|x| x as f32).collect();
    Dataset::new("regression", Tensor::from_vec(x, [samples, 1]), Tensor::from_vec(y, [samples, 1]))
}
