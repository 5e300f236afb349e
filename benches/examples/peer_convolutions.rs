//! Milliseconds of convolutions, as `torch_convolutions.py` prints PyTorch's. Usage: THREADS [SHAPE [KIND]]
use std::hint::black_box;
use std::time::Instant;

use hadal::Conv;
use hadal::prelude::*;

/// Batch, channels, filters, size of the pictures, size of the window, stride, padding, groups.
const SHAPES: [[usize; 8]; 12] = [
    [128, 1, 6, 28, 5, 1, 2, 1],
    [128, 6, 16, 14, 5, 1, 0, 1],
    [128, 1, 32, 28, 3, 1, 0, 1],
    [128, 32, 64, 26, 3, 1, 0, 1],
    [64, 3, 16, 32, 3, 1, 1, 1],
    [64, 16, 16, 32, 3, 1, 1, 1],
    [64, 16, 32, 32, 3, 2, 1, 1],
    [64, 32, 32, 16, 3, 1, 1, 1],
    [64, 64, 64, 8, 3, 1, 1, 1],
    [64, 16, 32, 32, 1, 2, 0, 1],
    [64, 32, 32, 32, 3, 1, 1, 32],
    [64, 128, 128, 16, 3, 1, 1, 128],
];

fn main() {
    let threads = std::env::args().nth(1).and_then(|text| text.parse().ok());
    hadal::set_num_threads(threads.unwrap_or(2));
    let mut rng = Rng::new(1);
    let only: Option<usize> = std::env::args().nth(2).and_then(|text| text.parse().ok());
    let shapes = SHAPES.into_iter().enumerate().filter(|&(shape, _)| only.is_none_or(|only| only == shape));
    for (_, [n, c, o, size, window, stride, padding, groups]) in shapes {
        let x = Tensor::randn([n, c, size, size], &mut rng);
        let w = Tensor::randn([o, c / groups, window, window], &mut rng);
        let b = Tensor::randn([o], &mut rng);
        let conv = Conv::new().stride(stride).padding(padding).groups(groups);
        let outputs = x.conv(&w, None, conv).elements();
        let operations = 2.0 * (outputs * c / groups * window * window) as f64;
        let repeats = (2e9 / operations).clamp(1.0, 40.0) as usize;
        let (xt, wt) = (x.clone().requires_grad(), w.clone().requires_grad());
        let back = |x: &Tensor, w: &Tensor| {
            drop(black_box(x.conv(w, None, conv).sum().backward()));
        };
        let works: [(&str, &dyn Fn()); 3] = [
            ("forward", &|| drop(black_box(x.conv(&w, Some(&b), conv)))),
            ("forward+input", &|| back(&xt, &w)),
            ("forward+weight", &|| back(&x, &wt)),
        ];
        for (kind, work) in
            works.into_iter().filter(|(kind, _)| std::env::args().nth(3).is_none_or(|only| only == *kind))
        {
            work();
            let mut seconds: Vec<f64> = (0..5)
                .map(|_| {
                    let start = Instant::now();
                    (0..repeats).for_each(|_| work());
                    start.elapsed().as_secs_f64() / repeats as f64
                })
                .collect();
            seconds.sort_by(f64::total_cmp);
            println!("{kind} {n}x{c}x{size}x{size} {o} {window} {stride} {groups} {:.3}", seconds[2] * 1e3);
        }
    }
}
