//! Weights from and for PyTorch: a safetensors file whose layers are called fc1 and fc2.
use std::collections::BTreeMap;
use std::path::Path;

use hadal::format::safetensors;
use hadal::nn::LoadOptions;
use hadal::prelude::*;

fn network(seed: u64) -> hadal::Result<Sequential> {
    Sequential::new([4]).seed(seed).add(Dense::new(8).activation(Relu)).add(Dense::new(3)).build()
}

const NAMES: [(&str, &str); 2] = [("fc1", "layers.0"), ("fc2", "layers.1")];

fn main() -> hadal::Result<()> {
    let path = Path::new("target/tour/torch.safetensors");
    // As PyTorch would write it: `save_file(net.state_dict(), path)`.
    let source = network(1)?;
    let to_torch = |name: &str| NAMES.iter().fold(name.to_owned(), |name, (torch, own)| name.replace(own, torch));
    let state: Vec<_> = source.state_dict().into_iter().map(|(name, tensor)| (to_torch(&name), tensor)).collect();
    safetensors::save(path, &state, BTreeMap::new())?;

    let (tensors, _) = safetensors::load(path)?;
    for (name, tensor) in &tensors {
        println!("{name}: {} {}", tensor.dtype(), tensor.shape());
    }
    let from_torch = |name: &str| NAMES.iter().fold(name.to_owned(), |name, (torch, own)| name.replace(torch, own));
    let mut model = network(2)?;
    model.load_state_dict_with(&tensors, &LoadOptions::new().rename(from_torch))?;

    let x = Tensor::randn([5, 4], &mut Rng::new(3));
    let y = model.forward(&x, &mut Context::evaluation());
    // What PyTorch's own program computes from the file.
    let hidden = x.linear(&tensors["fc1.weight"], Some(&tensors["fc1.bias"])).relu();
    let expected = hidden.linear(&tensors["fc2.weight"], Some(&tensors["fc2.bias"]));
    let difference = (&y - &expected).abs().max().item();
    println!("largest difference {difference}");
    assert!(difference < 1e-6);
    Ok(())
}
