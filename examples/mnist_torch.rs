//! The lecture's PyTorch program: a module of one's own, trained and tested by explicit loops.
use hadal::prelude::*;

#[derive(Module)]
struct Net {
    fc1: Linear,
    fc1_drop: Dropout,
    fc2: Linear,
    fc2_drop: Dropout,
    fc3: Linear,
}

impl Forward for Net {
    fn forward(&self, x: &Tensor, ctx: &mut Context) -> Tensor {
        let x = self.fc1_drop.forward(&self.fc1.forward(x, ctx).relu(), ctx);
        let x = self.fc2_drop.forward(&self.fc2.forward(&x, ctx).relu(), ctx);
        self.fc3.forward(&x, ctx).log_softmax(1)
    }
}

fn train(epoch: usize, model: &mut Net, data: &Dataset, optimizer: &mut Sgd, ctx: &mut Context) {
    let (samples, batches) = (data.len(), data.batches(128).len());
    let order = data.batches(128).shuffle(&mut ctx.rng);
    for (batch, (x, y)) in order.enumerate() {
        let loss = NegativeLogLikelihood.loss(&model.forward(&x, ctx), &y);
        optimizer.step(model, &loss.backward());
        if batch % 10 == 0 {
            let (done, percent) = (batch * x.size(0), 100 * batch / batches);
            println!("Train Epoch: {epoch} [{done}/{samples} ({percent}%)]\tLoss: {:.6}", loss.item());
        }
    }
}

fn test(model: &Net, data: &Dataset) {
    let (mut loss, mut correct, samples) = (0.0, 0.0, data.len());
    for (x, y) in data.batches(1000) {
        let output = no_grad(|| model.forward(&x, &mut Context::evaluation()));
        loss += NegativeLogLikelihood.loss(&output, &y).item() * x.size(0) as f64;
        correct += output.argmax(1).eq(&y).to_dtype(DType::I64).sum().item();
    }
    let (average, percent) = (loss / samples as f64, 100.0 * correct / samples as f64);
    println!("\nTest set: Average loss: {average:.4}, Accuracy: {correct}/{samples} ({percent:.2}%)\n");
}

fn main() -> hadal::Result<()> {
    let seed = std::env::args().nth(1).map_or(1, |seed| seed.parse().expect("the seed is a whole number"));
    let (training, testing) = Mnist::load()?;
    let normalize = |data: Dataset| data.normalize(0.1307, 0.3081);
    let (training, testing) = (normalize(training), normalize(testing));
    let rng = &mut Rng::new(seed);
    let mut model = Net {
        fc1: Linear::new(784, 512, rng),
        fc1_drop: Dropout::new(0.2),
        fc2: Linear::new(512, 512, rng),
        fc2_drop: Dropout::new(0.2),
        fc3: Linear::new(512, 10, rng),
    };
    let mut optimizer = Sgd::new(0.01).momentum(0.5);
    let mut ctx = Context::training(Rng::with_stream(seed, 1));
    for epoch in 1..=20 {
        train(epoch, &mut model, &training, &mut optimizer, &mut ctx);
        test(&model, &testing);
    }
    Ok(())
}
