use hadal_tensor::*;
use std::time::Instant;
fn time(name: &str, flop: f64, mut f: impl FnMut()) {
    for _ in 0..5 { f() }
    let mut best = vec![];
    for _ in 0..30 { let t = Instant::now(); f(); best.push(t.elapsed().as_secs_f64()); }
    best.sort_by(f64::total_cmp);
    println!("{name}: {:.1} us {:.1} GFLOP/s", best[15]*1e6, flop/best[15]/1e9);
}
fn main() {
    let mut rng = Rng::new(1);
    for threads in [1, 2] {
        set_num_threads(threads);
        for (m,k,n) in [(128,784,512),(128,512,512),(512,512,512),(1024,1024,1024),(128,512,10)] {
            let x = Tensor::randn([m,k], &mut rng);
            let w = Tensor::randn([n,k], &mut rng);
            let g = Tensor::randn([m,n], &mut rng);
            let f = 2.0*(m*k*n) as f64;
            time(&format!("{threads} fwd {m} {k} {n}"), f, || { x.matmul(&w.t()); });
            time(&format!("{threads} dx {m} {k} {n}"), f, || { g.matmul(&w); });
            time(&format!("{threads} dw {m} {k} {n}"), f, || { g.t().matmul(&x); });
        }
        let a = Tensor::randn([128,512], &mut rng);
        time(&format!("{threads} relu"), 65536.0, || { a.relu(); });
        time(&format!("{threads} tanh"), 65536.0, || { a.tanh(); }); time("exp", 1.0, || {a.exp();}); time("ln", 1.0, || {a.ln();}); time("sig", 1.0, || {a.sigmoid();}); time("randn", 1.0, || {Tensor::randn([128,512], &mut rng);}); time("softmax", 1.0, || {a.softmax(1);});
        time(&format!("{threads} mask"), 65536.0, || { Tensor::bernoulli_scaled([128,512], 0.8, 1.25, &mut rng); });
        time(&format!("{threads} sum0"), 65536.0, || { a.sum_axes(&[0]); });
        let mut w = Tensor::randn([512,784], &mut rng); let g = w.clone(); let mut s=[w.abs()];
        time(&format!("{threads} rmsprop"), 512.0*784.0, || { w.update(UpdateRule::RmsProp{rate:1e-3,rho:0.9,epsilon:1e-7}, &mut s, &g) });
    }
    for r in 0..4 {
        let x = Tensor::randn([64, 3], &mut rng);
        let y = Tensor::randn([64, 2], &mut rng);
        let mut w1 = Tensor::randn([3, 4], &mut rng).requires_grad();
        let mut w2 = Tensor::randn([4, 2], &mut rng).requires_grad();
        let mut losses = vec![];
        let t = Instant::now();
        for _ in 0..2000 {
            let y_pred = x.matmul(&w1).tanh().matmul(&w2);
            let loss = (&y_pred - &y).powi(2).sum();
            losses.push(loss.item());
            let grads = loss.backward();
            w1 -= 1e-5 * &grads[&w1];
            w2 -= 1e-5 * &grads[&w2];
        }
        println!("autograd {r}: {:.2} ms {} -> {}", t.elapsed().as_secs_f64()*1e3, losses[0], losses[1999]);
    }
}
