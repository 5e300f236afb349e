//! An epoch over arrays that stay on disk. Usage: `make FOLDER SAMPLES`, which writes x.npy (`f32`, `[SAMPLES, 784]`) and y.npy,
//! or `train FOLDER disk|memory`, which prints the seconds of opening and of the epoch, microseconds per sample and peak memory.
use std::fs::{File, create_dir_all};
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::Instant;

use hadal::data::NumPy;
use hadal::prelude::*;

const FEATURES: usize = 784;
const CLASSES: usize = 10;

fn npy(path: &Path, descr: &str, shape: &str) -> std::io::Result<BufWriter<File>> {
    let mut file = BufWriter::with_capacity(1 << 20, File::create(path)?);
    let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({shape}), }}");
    file.write_all(b"\x93NUMPY\x01\x00\x76\x00")?;
    writeln!(file, "{header:<117}")?;
    Ok(file)
}

/// Uniform numbers, streamed; the class is the place of the largest of the first ten.
fn make(folder: &Path, samples: usize) -> std::io::Result<()> {
    create_dir_all(folder)?;
    let mut x = npy(&folder.join("x.npy"), "<f4", &format!("{samples}, {FEATURES}"))?;
    let mut y = npy(&folder.join("y.npy"), "<i8", &format!("{samples},"))?;
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut row = [0.0f32; FEATURES];
    for _ in 0..samples {
        for value in &mut row {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            *value = (state >> 40) as f32 / (1 << 24) as f32;
        }
        let class = (0..CLASSES).max_by(|a, b| row[*a].total_cmp(&row[*b])).expect("there are classes");
        x.write_all(&row.map(f32::to_le_bytes).concat())?;
        y.write_all(&(class as i64).to_le_bytes())?;
    }
    x.flush()?;
    y.flush()
}

/// Most of this process's memory that was resident at once, in MiB.
fn peak_memory() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("/proc is mounted");
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("Linux says VmHWM");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<f64>().ok()).expect("a number of KiB") / 1024.0
}

fn train(folder: &Path, in_memory: bool) -> hadal::Result<()> {
    let start = Instant::now();
    let data = NumPy::open(folder)?.in_memory(in_memory).dataset()?;
    let opened = start.elapsed().as_secs_f64();
    let model = Sequential::new([FEATURES])
        .add(Dense::new(64).activation(Relu))
        .add(Dense::new(CLASSES).activation(Softmax))
        .seed(1)
        .build()?;
    let metrics: Vec<Box<dyn Metric>> = vec![Box::new(Accuracy)];
    let mut trainer = Trainer::new(model, Adam::new(0.001), CategoricalCrossentropy::default(), metrics).seed(1);
    let start = Instant::now();
    let history = trainer.fit(&data, Fit::epochs(1).batch_size(128).quiet())?;
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "{} samples: opened in {opened:.2} s, epoch {seconds:.2} s, {:.2} µs per sample, accuracy {:.3}, peak memory {:.0} MiB",
        data.len(),
        1e6 * seconds / data.len() as f64,
        history.last("accuracy")?,
        peak_memory()
    );
    Ok(())
}

fn main() -> hadal::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["make", folder, samples] => make(folder.as_ref(), samples.parse().expect("a number of samples"))
            .unwrap_or_else(|error| panic!("{folder}: {error}")),
        ["train", folder, kept @ ("disk" | "memory")] => train(folder.as_ref(), kept == "memory")?,
        _ => panic!("usage: make FOLDER SAMPLES, or train FOLDER disk|memory"),
    }
    Ok(())
}
