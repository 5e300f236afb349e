//! A layer of one's own: radial basis functions, each with a center and a width that are learned.
use hadal::data::synthetic::circles;
use hadal::nn::Plan;
use hadal::prelude::*;

#[derive(Module)]
struct RadialBasis {
    centers: Tensor,
    sharpness: Tensor,
}

impl RadialBasis {
    fn new(inputs: usize, units: usize, rng: &mut Rng) -> RadialBasis {
        RadialBasis {
            centers: Tensor::randn([units, inputs], rng).requires_grad(),
            sharpness: Tensor::ones([units]).requires_grad(),
        }
    }
}

impl Forward for RadialBasis {
    /// `exp(-sharpness * |x - center|^2)` for each sample and center.
    fn forward(&self, x: &Tensor, _ctx: &mut Context) -> Tensor {
        let distance = (x.unsqueeze(1) - &self.centers).powi(2).sum_axes(&[-1]);
        (-distance * &self.sharpness).exp()
    }
}

impl Layer for RadialBasis {
    // Only a layer that changes the shape of its samples needs this.
    fn plan(&self, _input: &hadal::Shape) -> hadal::Result<Plan> {
        Ok(Plan { output_shape: [self.centers.size(0)].into(), weights: 0 })
    }
}

fn main() -> hadal::Result<()> {
    let (train, test) = (circles(500, 0.1, 1)?, circles(500, 0.1, 2)?);
    let mut model = Sequential::new([2])
        .add(RadialBasis::new(2, 8, &mut Rng::new(0)))
        .add(Dense::new(1).activation(Sigmoid))
        .compile(Adam::new(0.05), BinaryCrossentropy, [Accuracy])?;
    println!("{}", model.summary());
    model.fit(&train, Fit::epochs(30).quiet())?;
    let result = model.evaluate(&test)?;
    println!("test {result}");
    assert!(result["accuracy"] > 0.95);
    Ok(())
}
