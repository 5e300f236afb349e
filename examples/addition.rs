//! A recurrent network learns to add, digit by digit, as at school: numbers of any two lengths, each batch with a graph as long as
//! its numbers (define by run). No number is padded; where the shorter one has ended, a zero vector stands for "no digit". The
//! network has seen 8 digits at most, and is tested on many more. Usage: `addition [STEPS [SEED]]` (default 4000 and 1).
use hadal::nn::LstmCell;
use hadal::optim::Schedule;
use hadal::prelude::*;

#[derive(Module)]
struct Adder {
    cell: LstmCell,
    output: Linear,
}

impl Adder {
    /// Scores of the sum's digits, `[N, digits, 10]`, for numbers `[N, digits]`, the ones first; they may differ in length.
    fn add(&self, a: &Tensor, b: &Tensor, ctx: &mut Context) -> Tensor {
        let mut state = None;
        let mut digits = Vec::new();
        // One step for each pair of digits, and one for the last carry, which the state has to remember.
        for place in 0..=a.size(1).max(b.size(1)) {
            let next = self.cell.step(&hadal::concat(&[digit(a, place), digit(b, place)], 1), state.as_ref());
            digits.push(self.output.forward(&next.h, ctx));
            state = Some(next);
        }
        hadal::stack(&digits, 1)
    }
}

/// The digits at a place as one-hot vectors `[N, 10]`; zero vectors where the numbers have ended.
fn digit(numbers: &Tensor, place: usize) -> Tensor {
    if place < numbers.size(1) {
        numbers.slice(1, place..=place).squeeze(1).one_hot(10)
    } else {
        Tensor::zeros([numbers.size(0), 10])
    }
}

/// `count` random numbers of `digits` digits.
fn numbers(count: usize, digits: usize, rng: &mut Rng) -> Tensor {
    (Tensor::rand([count, digits], rng) * 10).floor().to_dtype(DType::I64)
}

/// The digits of the sums, by the rule that the network has to find.
fn sum(a: &Tensor, b: &Tensor) -> Tensor {
    let (count, places) = (a.size(0), a.size(1).max(b.size(1)) + 1);
    let rows = |numbers: &Tensor| -> Vec<Vec<i64>> {
        numbers.to_vec::<i64>().chunks(numbers.size(1)).map(<[i64]>::to_vec).collect()
    };
    let mut digits = Vec::new();
    for (a, b) in rows(a).iter().zip(rows(b)) {
        let mut carry = 0;
        for place in 0..places {
            let total = a.get(place).unwrap_or(&0) + b.get(place).unwrap_or(&0) + carry;
            digits.push(total % 10);
            carry = total / 10;
        }
    }
    Tensor::from_vec(digits, [count, places])
}

/// A number as it is written.
fn text(digits: &Tensor) -> String {
    let text: String = digits.to_vec::<i64>().iter().rev().map(i64::to_string).collect();
    text.trim_start_matches('0').to_owned()
}

fn main() -> hadal::Result<()> {
    let argument = |n: usize| std::env::args().nth(n);
    let steps = argument(1).and_then(|text| text.parse().ok()).unwrap_or(4000);
    let seed = argument(2).and_then(|text| text.parse().ok()).unwrap_or(1);
    let rng = &mut Rng::new(seed);
    let mut adder = Adder { cell: LstmCell::new(20, 32, rng), output: Linear::new(32, 10, rng) };
    let loss = CategoricalCrossentropy.from_logits();
    let mut optimizer = Adam::new(0.01);
    let mut ctx = Context::training(Rng::with_stream(seed, 1));
    println!("{} parameters", adder.parameter_count());
    for step in 0..steps {
        let mut some = || numbers(32, 1 + rng.below(8) as usize, rng);
        let (a, b) = (some(), some());
        let scores = adder.add(&a, &b, &mut ctx);
        let loss = loss.loss(&scores.reshape([REST, 10]), &sum(&a, &b).flatten(0));
        optimizer.set_learning_rate(0.01 * Schedule::Cosine.factor(step, steps));
        optimizer.step(&mut adder, &loss.backward());
        if step % 200 == 0 {
            println!("step {step:>4}  loss {:.4}", loss.item());
        }
    }

    let answer = |a: &Tensor, b: &Tensor| no_grad(|| adder.add(a, b, &mut Context::evaluation())).argmax(-1);
    for longest in [8, 20, 50, 100] {
        let mut right = 0.0;
        for _ in 0..100 {
            let (a, b) = (numbers(10, longest, rng), numbers(10, 1 + rng.below(longest as u64) as usize, rng));
            right += answer(&a, &b).eq(sum(&a, &b)).to_dtype(DType::I64).min_axes(&[1]).sum().item();
        }
        println!("{longest:>3} digits and fewer: {:.1}% of 1000 sums right in every digit", right / 10.0);
    }
    // The carry has to go all the way.
    let (nines, one) = (Tensor::full([1, 30], 9.0).to_dtype(DType::I64), Tensor::from([[1]]));
    println!("{} + {} = {}", text(&nines), text(&one), text(&answer(&nines, &one)));
    Ok(())
}
