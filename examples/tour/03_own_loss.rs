//! A loss of one's own: the pinball loss, under which a network learns a quantile instead of the mean.
use hadal::data::synthetic::{Curve, regression};
use hadal::prelude::*;

struct Pinball {
    quantile: f64,
}

impl Loss for Pinball {
    fn name(&self) -> &'static str {
        "pinball"
    }

    fn per_sample(&self, prediction: &Tensor, target: &Tensor) -> Tensor {
        let error = target - prediction;
        (&error * self.quantile).maximum(&(&error * (self.quantile - 1.0))).squeeze(1)
    }

    fn check(&self, output: &Shape, targets: &Tensor) -> hadal::Result<()> {
        if output[..] == targets.shape()[1..] && output[..] == [1] {
            return Ok(());
        }
        Err(hadal::Error::Data(format!("pinball: output {output} and targets {} must be [N, 1]", targets.shape())))
    }
}

fn main() -> hadal::Result<()> {
    let data = regression(Curve::Sine, 1000, 0.3, 1)?;
    for quantile in [0.1, 0.9] {
        let mut model = Sequential::new([1]).add(Dense::new(32).activation(Tanh)).add(Dense::new(1)).compile(
            Adam::new(0.01),
            Pinball { quantile },
            (),
        )?;
        model.fit(&data, Fit::epochs(60).quiet())?;
        let below = data.targets().lt(model.predict(&data)?).mean().item();
        println!("quantile {quantile}: {:.1}% of the targets lie below the curve", 100.0 * below);
        assert!((below - quantile).abs() < 0.05);
    }
    Ok(())
}
