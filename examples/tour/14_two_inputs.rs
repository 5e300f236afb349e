//! A module with two inputs and a loop of one's own: do two points lie on the same moon?
use hadal::data::synthetic::moons;
use hadal::prelude::*;

/// Both points pass through the same encoder; their distance decides.
#[derive(Module)]
struct Siamese {
    hidden: Linear,
    code: Linear,
    output: Linear,
}

impl Siamese {
    fn encode(&self, x: &Tensor, ctx: &mut Context) -> Tensor {
        self.code.forward(&self.hidden.forward(x, ctx).relu(), ctx)
    }

    fn forward(&self, a: &Tensor, b: &Tensor, ctx: &mut Context) -> Tensor {
        let distance = (self.encode(a, ctx) - self.encode(b, ctx)).abs();
        self.output.forward(&distance, ctx)
    }
}

/// Each point beside a random other one, and whether they are of one moon.
fn pairs(data: &Dataset, rng: &mut Rng) -> (Tensor, Tensor, Tensor) {
    let other = Tensor::permutation(data.len(), rng);
    let (x, y) = (data.inputs(), data.targets());
    let same = y.eq(y.index_select(0, &other)).to_dtype(DType::I64);
    (x.clone(), x.index_select(0, &other), same)
}

fn main() -> hadal::Result<()> {
    let (train, test) = (moons(1000, 0.1, 1)?, moons(1000, 0.1, 2)?);
    let mut rng = Rng::new(1);
    let mut model = Siamese {
        hidden: Linear::new(2, 32, &mut rng),
        code: Linear::new(32, 8, &mut rng),
        output: Linear::new(8, 1, &mut rng),
    };
    let loss_fn = BinaryCrossentropy.from_logits();
    let mut optimizer = Adam::new(0.01);
    let mut ctx = Context::training(Rng::new(2));
    for step in 0..300 {
        let (a, b, same) = pairs(&train, &mut rng);
        let loss = loss_fn.loss(&model.forward(&a, &b, &mut ctx), &same);
        optimizer.step(&mut model, &loss.backward());
        if step % 100 == 0 {
            println!("step {step:>3}: loss {:.4}", loss.item());
        }
    }
    let (a, b, same) = pairs(&test, &mut rng);
    let logits = no_grad(|| model.forward(&a, &b, &mut Context::evaluation()));
    let right = logits.squeeze(1).gt(0).to_dtype(DType::I64).eq(&same).sum().item();
    println!("{right} of {} test pairs are right", test.len());
    assert!(right > 950.0);
    Ok(())
}
