//! One product on one thread, so many times, for profilers and simulators of caches. Usage: ROWS DEPTH COLUMNS TIMES
use hadal::prelude::*;

fn main() {
    hadal::set_num_threads(1);
    let numbers: Vec<usize> = std::env::args().skip(1).map(|word| word.parse().expect("a number")).collect();
    let &[rows, depth, columns, times] = &numbers[..] else { panic!("ROWS DEPTH COLUMNS TIMES") };
    let mut rng = Rng::new(1);
    let (x, w) = (Tensor::randn([rows, depth], &mut rng), Tensor::randn([depth, columns], &mut rng));
    (0..times).for_each(|_| drop(std::hint::black_box(x.matmul(&w))));
}
