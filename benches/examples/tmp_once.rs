use hadal::prelude::*;
fn main() {
    hadal::set_num_threads(1);
    let n: Vec<usize> = std::env::args().skip(1).map(|x| x.parse().unwrap()).collect();
    let mut rng = Rng::new(1);
    let (x, w) = (Tensor::randn([n[0], n[1]], &mut rng), Tensor::randn([n[1], n[2]], &mut rng));
    for _ in 0..n[3] {
        std::hint::black_box(x.matmul(&w));
    }
}
