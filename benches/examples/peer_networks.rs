//! Milliseconds of a training step and peak memory, as `torch_networks.py` prints PyTorch's. Usage: cnn|resnet|lstm|gpt THREADS
use std::time::Instant;

use hadal::nn::networks::{GptConfig, gpt, resnet20};
use hadal::prelude::*;

fn main() -> hadal::Result<()> {
    let kind = std::env::args().nth(1).unwrap_or_default();
    hadal::set_num_threads(std::env::args().nth(2).and_then(|text| text.parse().ok()).unwrap_or(2));
    let mut rng = Rng::new(1);
    let numbers = |count: i64, below: i64| Tensor::from_vec((0..count).map(|i| i % below).collect(), [count as usize]);
    let (network, x, y) = match kind.as_str() {
        "cnn" => {
            let network = hadal_benches::convolutional_network().add(Dense::new(10));
            (network, Tensor::rand([128, 1, 28, 28], &mut rng), numbers(128, 10))
        }
        "resnet" => (resnet20(10), Tensor::rand([64, 3, 32, 32], &mut rng), numbers(64, 10)),
        "lstm" => {
            let network = Sequential::new([100, 256]).add(Lstm::new(256).layers(2)).add(Dense::new(10));
            (network, Tensor::randn([32, 100, 256], &mut rng), numbers(32, 10))
        }
        "gpt" => {
            let sizes =
                GptConfig { vocabulary: 65, context: 64, layers: 4, heads: 4, width: 128, ..Default::default() };
            (gpt(sizes)?, numbers(768, 65).reshape([12, 64]), numbers(768, 65).reshape([12, 64]))
        }
        _ => panic!("cnn, resnet, lstm or gpt"),
    };
    let data = Dataset::new("numbers", x, y)?;
    let batch = data.len();
    let mut model = if kind == "resnet" {
        network.compile(Adam::new(0.001), CategoricalCrossentropy, [Accuracy; 0])?
    } else {
        network.compile(Adam::new(0.001), CategoricalCrossentropy.from_logits(), [Accuracy; 0])?
    };
    let steps = if kind == "gpt" { 20 } else { 10 };
    let mut run = || -> hadal::Result<f64> {
        let start = Instant::now();
        model.fit(&data, Fit::epochs(steps).batch_size(batch).quiet())?;
        Ok(start.elapsed().as_secs_f64() / steps as f64)
    };
    run()?;
    let mut seconds = (0..5).map(|_| run()).collect::<hadal::Result<Vec<f64>>>()?;
    seconds.sort_by(f64::total_cmp);
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("0 kB");
    let peak: f64 = peak.trim().trim_end_matches(" kB").parse().unwrap_or(0.0);
    println!("{kind} {:.2} {:.0}", seconds[2] * 1e3, peak / 1024.0);
    Ok(())
}
