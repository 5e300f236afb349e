//! Files that were damaged or made up: every reader refuses or reads them, and none panics or takes much memory.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use hadal::format::{idx, safetensors};
use hadal::nn::{LayerConfig, Merge, Parallel};
use hadal::prelude::*;

fn model() -> Sequential {
    let branches = Parallel::new(Merge::Concatenate).branch(Chain::new()).branch(Chain::new().add(Dense::new(2)));
    let network = Sequential::new([2, 3]).add(Flatten).add(Residual::new().add(Dense::new(6).activation(Relu)));
    network
        .add(branches)
        .add(Reshape::new([2, 4]))
        .add(Flatten)
        .add(Dropout::new(0.1))
        .add(BatchNorm::new())
        .build()
        .unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A model file without the digest that would end most tests early: as Hadal wrote it before there was one.
fn without_digest(path: &Path) -> Vec<u8> {
    let bytes = std::fs::read(path).unwrap();
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let mut header: serde_json::Value = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
    let metadata = header["__metadata__"].as_object_mut().unwrap();
    assert!(metadata.remove("hadal.sha256").is_some() && metadata.remove("hadal.format").is_some());
    with_header(&serde_json::to_vec(&header).unwrap(), &bytes[8 + length..])
}

fn with_header(json: &[u8], data: &[u8]) -> Vec<u8> {
    [&(json.len() as u64).to_le_bytes(), json, data].concat()
}

/// Changes a few bytes, as accidents and mischief do.
fn mutate(bytes: &mut Vec<u8>, random: &mut Rng) {
    for _ in 0..=random.below(3) {
        if bytes.is_empty() {
            return;
        }
        let place = random.below(bytes.len() as u64) as usize;
        match random.below(7) {
            0 => bytes[place] ^= 1 << random.below(8),
            1 => bytes[place] = random.below(256) as u8,
            2 => bytes.truncate(place),
            3 => drop(bytes.remove(place)),
            4 => bytes.insert(place, b"0159[]{},:\"-e"[random.below(13) as usize]),
            5 => {
                let end = (place + 8).min(bytes.len());
                bytes[place..end].fill([0, 0x7f, 0xff][random.below(3) as usize]);
            }
            _ => {
                let copy = bytes[place..(place + 40).min(bytes.len())].to_vec();
                bytes.splice(place..place, copy);
            }
        }
    }
}

/// The most address space that this process has had, in bytes.
#[cfg(target_os = "linux")]
fn most_memory() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmPeak:")).unwrap();
    peak.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
}

#[cfg(not(target_os = "linux"))]
fn most_memory() -> usize {
    0
}

/// One test, so that nothing else in this process takes memory meanwhile.
#[test]
fn five_thousand_damaged_files_cause_no_panic_and_take_little_memory() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    model().save(&path, &BTreeMap::from([("note".to_owned(), "text".to_owned())])).unwrap();
    let models = [std::fs::read(&path).unwrap(), without_digest(&path)];
    let header = [0x0803u32, 5, 4, 4].map(u32::to_be_bytes);
    let plain_idx = [header.as_flattened(), &[7; 80]].concat();
    #[cfg(feature = "image")]
    let png = {
        hadal::format::image::write_png(&path, &Tensor::rand([20, 30], &mut Rng::new(1))).unwrap();
        std::fs::read(&path).unwrap()
    };
    let mut random = Rng::new(2024);
    let before = most_memory();
    let mut loaded = [0; 4];
    for round in 0..5000 {
        let kind = round % 4;
        let mut bytes = match kind {
            0 => models[random.below(2) as usize].clone(),
            1 => gzip(&plain_idx),
            2 => plain_idx.clone(),
            #[cfg(feature = "image")]
            _ => png.clone(),
            #[cfg(not(feature = "image"))]
            _ => models[1].clone(),
        };
        mutate(&mut bytes, &mut random);
        if kind == 2 {
            bytes = gzip(&bytes);
        }
        std::fs::write(&path, &bytes).unwrap();
        let outcome = match kind {
            0 => Sequential::load(&path).map(drop).or_else(|_| safetensors::load(&path).map(drop)),
            1 | 2 => idx::read_gzip(&path, 3).map(drop),
            #[cfg(feature = "image")]
            _ => hadal::format::image::read_png(&path).map(drop),
            #[cfg(not(feature = "image"))]
            _ => Sequential::load(&path).map(drop),
        };
        match outcome {
            Ok(()) => loaded[kind] += 1,
            Err(error) => assert!(error.to_string().len() < 1000, "{error}"),
        }
    }
    println!("{loaded:?} files of 1250 each were still read");
    let taken = most_memory() - before;
    // Thread stacks and allocator arenas are among it.
    assert!(taken < 512 << 20, "{taken} bytes were taken");
}

/// What is said about a model file with this architecture and no weights.
fn refusal(architecture: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let metadata = serde_json::json!({ "__metadata__": { "hadal.architecture": architecture } });
    std::fs::write(&path, with_header(&serde_json::to_vec(&metadata).unwrap(), &[])).unwrap();
    Sequential::load(&path).map(drop).unwrap_err().to_string()
}

#[test]
fn architectures_that_cannot_be_are_refused() {
    let huge = usize::MAX;
    let layer = |layer: &str| format!(r#"{{"input_shape":[4],"layers":[{layer}]}}"#);
    let input = |shape: String| format!(r#"{{"input_shape":{shape},"layers":[{{"layer":"flatten"}}]}}"#);
    assert!(refusal(&input(format!("[{huge},2]"))).contains("larger than memory"));
    assert!(refusal(&input(format!("[0,{huge},{huge}]"))).contains("larger than memory"));
    assert!(refusal(&input("[1,1,1,1,1,1]".into())).contains("too many axes"));
    assert!(refusal(&input("[-1]".into())).contains("architecture is invalid"));
    let kind = |name: &str| refusal(&layer(&format!(r#"{{"layer":"{name}"}}"#)));
    let own = "it is a kind of your own, call register_layer for its type first";
    for (name, advice) in [
        ("telepathy", format!("; if {own}")),
        ("convd2", format!("; did you mean `conv2d`, `conv1d` or `conv3d`? If {own}")),
        ("attention", format!("; did you mean `activation` or `multi_head_attention`? If {own}")),
        ("relu", "; it is a `function` of the kind `activation`".into()),
        ("leaky_relu", "; it is a `function` of the kind `activation`".into()),
    ] {
        let message = kind(name);
        let expected = format!("its architecture is invalid: there is no kind of layer called `{name}`{advice}");
        assert!(message.ends_with(&expected), "{message}");
    }
    assert!(refusal(&layer(&format!(r#"{{"layer":"reshape","shape":[{huge},2]}}"#))).contains("larger than memory"));
    // An output that overflows, from a layer whose weights are few.
    let embedding = format!(r#"{{"layer":"embedding","vocabulary":1,"size":{}}},{{"layer":"flatten"}}"#, 1u64 << 62);
    assert!(refusal(&layer(&embedding)).contains("larger than memory"));
    let nested = |depth: usize| {
        let inner = r#"{"layer":"residual","layers":["#.repeat(depth);
        layer(&format!("{inner}{}", "]}".repeat(depth)))
    };
    assert!(refusal(&nested(10_000)).contains("recursion limit"));
    // Doubled 50 times, an input of 4 takes normalization of more numbers than memory holds; the file stores none of them.
    let doubling = (0..50).fold(String::new(), |inner, _| {
        let inner = if inner.is_empty() { inner } else { format!("{inner},") };
        format!(r#"{inner}{{"layer":"parallel","merge":"concatenate","branches":[[],[]]}}"#)
    });
    let norm = r#"{"layer":"batch_norm","momentum":0.9,"epsilon":1e-5,"unbiased":true}"#;
    assert!(refusal(&layer(&format!("{doubling},{norm}"))).contains("but 0 are stored"));
    let message = refusal(&layer(&doubling));
    assert!(
        message.contains("the output of layer 50 (Parallel of 2) has 4503599627370496 values per sample"),
        "{message}"
    );
}

#[test]
fn a_network_larger_than_memory_is_an_error_that_names_the_layer() {
    let message = |network: Sequential| network.build().map(drop).unwrap_err().to_string();
    let large = message(Sequential::new([784]).add(Dense::new(8)).add(Dense::new(1 << 40).activation(Relu)));
    assert!(large.contains("layer 2 (Dense (relu)) alone has 9895604649984"), "{large}");
    assert!(large.contains("TiB") && large.contains("more than is available"), "{large}");
    assert!(message(Sequential::new([1 << 59]).add(Dense::new(100))).contains("layer 1 (Dense)"));
    assert!(message(Sequential::new([4]).add(hadal::nn::Embedding::new(1 << 50, 8))).contains("Embedding"));
    assert!(message(Sequential::new([4]).add(Dense::new(usize::MAX))).contains("larger than memory"));
    let compiled =
        Sequential::new([4]).add(Dense::new(1 << 45)).compile(RmsProp::default(), MeanSquaredError, [Accuracy]);
    assert!(compiled.map(drop).unwrap_err().to_string().contains("more than is available"));
}

#[test]
fn digits_beyond_memory_are_an_error() {
    for (first, count) in [(0, 1 << 50), (0, usize::MAX), (usize::MAX, 2)] {
        let message = Digits::samples(1, first, count).map(drop).unwrap_err().to_string();
        assert!(message.contains(&format!("{count} digits")), "{message}");
    }
}

#[test]
fn a_weight_that_is_not_finite_is_neither_saved_nor_loaded() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    model().save(&path, &BTreeMap::new()).unwrap();
    let (mut tensors, metadata) = safetensors::load(&path).unwrap();
    let name = tensors.keys().next().unwrap().clone();
    let bad = tensors[&name].to_vec::<f32>().into_iter().enumerate();
    let bad = bad.map(|(i, x)| if i == 3 { f32::NAN } else { x }).collect();
    tensors.insert(name.clone(), Tensor::from_vec(bad, *tensors[&name].shape()));
    let mut broken = model();
    broken.load_state_dict(&tensors).unwrap();
    let before = std::fs::read(&path).unwrap();
    let message = broken.save(&path, &BTreeMap::new()).unwrap_err().to_string();
    assert!(message.contains(&format!("`{name}` holds NaN (element 3)")), "{message}");
    assert_eq!(std::fs::read(&path).unwrap(), before);
    let tensors: Vec<_> = tensors.into_iter().collect();
    safetensors::save(&path, &tensors, metadata).unwrap();
    let message = Sequential::load(&path).map(drop).unwrap_err().to_string();
    assert!(message.contains(&format!("`{name}` holds NaN (element 3)")), "{message}");
}

#[test]
fn damage_to_a_model_file_is_noticed_wherever_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    model().save(&path, &BTreeMap::from([("hadal.history".to_owned(), "epoch,loss\n1,0.5\n".to_owned())])).unwrap();
    let whole = std::fs::read(&path).unwrap();
    for bit in 0..8 * whole.len() {
        let mut bytes = whole.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        std::fs::write(&path, &bytes).unwrap();
        assert!(Sequential::load(&path).is_err(), "bit {} of byte {} went unnoticed", bit % 8, bit / 8);
    }
    std::fs::write(&path, &whole).unwrap();
    std::fs::write(&path, without_digest(&path)).unwrap();
    let (loaded, notes) = Sequential::load(&path).unwrap();
    assert_eq!(loaded.architecture(), model().architecture());
    assert_eq!(notes.len(), 1, "files from before there was a digest are read");
    assert_eq!(loaded.architecture().layers[0], LayerConfig::of(&Flatten));
}
