//! A convolution by hand: patches cut out by slicing, times a matrix of filters, on the built-in digits.
use hadal::prelude::*;

/// Filters of `size` by `size`, moved by `stride`.
#[derive(Module)]
struct Conv {
    weight: Linear,
    size: usize,
    stride: usize,
}

impl Conv {
    fn new(filters: usize, size: usize, stride: usize, rng: &mut Rng) -> Conv {
        Conv { weight: Linear::new(size * size, filters, rng), size, stride }
    }
}

impl Forward for Conv {
    /// `[N, height, width]` becomes `[N, rows, columns, filters]`.
    fn forward(&self, x: &Tensor, ctx: &mut Context) -> Tensor {
        let (height, width) = (x.size(1) - self.size + 1, x.size(2) - self.size + 1);
        let mut pixels = Vec::new();
        for dy in 0..self.size {
            for dx in 0..self.size {
                let rows = x.slice_step(1, dy..dy + height, self.stride);
                pixels.push(rows.slice_step(2, dx..dx + width, self.stride));
            }
        }
        let patches = hadal::stack(&pixels, -1);
        self.weight.forward(&patches, ctx)
    }
}

#[derive(Module)]
struct Net {
    conv: Conv,
    output: Linear,
}

impl Forward for Net {
    fn forward(&self, x: &Tensor, ctx: &mut Context) -> Tensor {
        let features = self.conv.forward(x, ctx).relu();
        self.output.forward(&features.flatten(1), ctx)
    }
}

fn main() -> hadal::Result<()> {
    let (train, test) = Digits::generate(1)?;
    let (train, test) = (train.take(4000).reshape([28, 28])?, test.take(500).reshape([28, 28])?);
    let mut rng = Rng::new(1);
    // Filters of 5 by 5, every second pixel: 12 by 12 places.
    let net = Net { conv: Conv::new(16, 5, 2, &mut rng), output: Linear::new(12 * 12 * 16, 10, &mut rng) };
    println!("{} parameters", net.parameter_count());
    let mut model = Trainer::new(net, Adam::new(0.002), CategoricalCrossentropy.from_logits(), [Accuracy]);
    model.fit(&train, Fit::epochs(8).quiet())?;
    let result = model.evaluate(&test)?;
    println!("test {result}");
    assert!(result["accuracy"] > 0.9);
    Ok(())
}
