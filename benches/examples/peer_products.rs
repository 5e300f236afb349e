//! GFLOP/s of matrix products, as `torch_products.py` prints PyTorch's. Usage: THREADS [LARGEST [PRECISION]]
use std::hint::black_box;
use std::time::Instant;

use hadal::prelude::*;

fn main() {
    let argument = |n: usize| std::env::args().nth(n).and_then(|text| text.parse().ok());
    hadal::set_num_threads(argument(1).unwrap_or(2));
    let largest = argument(2).unwrap_or(4096);
    if let Some(name) = std::env::args().nth(3) {
        hadal::set_matmul_precision(name.parse().expect("highest, high or medium"));
    }
    let mut rng = Rng::new(1);
    let squares = [512, 1000, 1024, 2048, 4096].map(|n| (n, n, n)).into_iter().filter(|&(n, ..)| n <= largest);
    for (batch, width, units) in [(128, 784, 512), (128, 512, 512), (128, 512, 10)].into_iter().chain(squares) {
        let (x, w) = (Tensor::randn([batch, width], &mut rng), Tensor::randn([units, width], &mut rng));
        let g = Tensor::randn([batch, units], &mut rng);
        let products: [(&str, &dyn Fn() -> Tensor); 3] =
            [("forward", &|| x.matmul(&w.t())), ("input", &|| g.matmul(&w)), ("weight", &|| g.t().matmul(&x))];
        let operations = 2.0 * (batch * width * units) as f64;
        let repeats = (3e9 / operations).max(1.0) as usize;
        for (kind, product) in products {
            black_box(product());
            let mut seconds: Vec<f64> = (0..5)
                .map(|_| {
                    let start = Instant::now();
                    (0..repeats).for_each(|_| drop(black_box(product())));
                    start.elapsed().as_secs_f64() / repeats as f64
                })
                .collect();
            seconds.sort_by(f64::total_cmp);
            println!("{kind} {batch} {width} {units} {:.1}", operations / seconds[2] / 1e9);
        }
    }
}
