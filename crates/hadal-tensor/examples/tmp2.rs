use hadal_tensor::*;
fn main() {
    let mut rng = Rng::new(1);
    let x = Tensor::randn([64, 3], &mut rng);
    let y = Tensor::randn([64, 2], &mut rng);
    let mut w1 = Tensor::randn([3, 4], &mut rng).requires_grad();
    let mut w2 = Tensor::randn([4, 2], &mut rng).requires_grad();
    let mut losses = vec![];
    let t = std::time::Instant::now();
    for _ in 0..200000 {
        let y_pred = x.matmul(&w1).tanh().matmul(&w2);
        let loss = (&y_pred - &y).powi(2).sum();
        losses.push(loss.item());
        let grads = loss.backward();
        w1 -= 1e-5 * &grads[&w1];
        w2 -= 1e-5 * &grads[&w2];
    }
    println!("{:?}", t.elapsed()/100);
}
