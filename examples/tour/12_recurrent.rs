//! A recurrent network by hand: Elman's cell reads a sequence of numbers and says what they sum to.
use hadal::metric::R2Score;
use hadal::prelude::*;

#[derive(Module)]
struct Elman {
    input: Linear,
    recurrent: Linear,
    output: Linear,
}

impl Elman {
    fn new(inputs: usize, units: usize, rng: &mut Rng) -> Elman {
        Elman {
            input: Linear::new(inputs, units, rng),
            recurrent: Linear::new(units, units, rng),
            output: Linear::new(units, 1, rng),
        }
    }
}

impl Forward for Elman {
    /// `[N, time, inputs]` becomes `[N, 1]`.
    fn forward(&self, x: &Tensor, ctx: &mut Context) -> Tensor {
        let mut h = Tensor::zeros([x.size(0), self.recurrent.weight.size(0)]);
        for t in 0..x.size(1) {
            let now = x.slice(1, t..=t).squeeze(1);
            h = (self.input.forward(&now, ctx) + self.recurrent.forward(&h, ctx)).tanh();
        }
        self.output.forward(&h, ctx)
    }
}

/// Sequences of 12 numbers between -1 and 1, and their sums.
fn sums(samples: usize, rng: &mut Rng) -> hadal::Result<Dataset> {
    let x = Tensor::rand([samples, 12, 1], rng) * 2 - 1;
    let y = x.sum_axes(&[1]);
    Dataset::new("sums", x, y)
}

fn main() -> hadal::Result<()> {
    let mut rng = Rng::new(1);
    let (train, test) = (sums(1000, &mut rng)?, sums(300, &mut rng)?);
    let net = Elman::new(1, 16, &mut rng);
    let mut model = Trainer::new(net, Adam::new(0.01), MeanSquaredError, R2Score::default());
    model.fit(&train, Fit::epochs(20).clip_norm(1.0).quiet())?;
    let result = model.evaluate(&test)?;
    println!("test {result}");
    assert!(result["r2_score"] > 0.95);
    Ok(())
}
