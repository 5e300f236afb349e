//! Far more threads than processors: the same bits, and no more memory than the threads' own.

use hadal::{live_bytes, prelude::*, set_num_threads_exactly};

/// What a process holds in memory, in bytes; `None` where the system does not say.
fn resident() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<usize>().ok()? * 1024)
}

#[test]
fn sixty_four_threads_compute_what_one_does_in_as_much_memory() {
    let data = Digits::samples(0, 0, 20 * 128).unwrap();
    let run = |threads| {
        set_num_threads_exactly(threads);
        let mut model = Sequential::new([784])
            .seed(3)
            .add(Dense::new(512).activation(Relu))
            .add(Dropout::new(0.2))
            .add(Dense::new(512).activation(Relu))
            .add(Dense::new(10).activation(Softmax))
            .compile(RmsProp::default(), CategoricalCrossentropy, [Accuracy])
            .unwrap();
        model.fit(&data, Fit::epochs(1).batch_size(128).quiet()).unwrap();
        let bits = |tensor: &Tensor| tensor.to_vec::<f32>().into_iter().map(f32::to_bits).collect::<Vec<_>>();
        let state = model.model.state_dict();
        let numbers: Vec<_> = state.iter().map(|(name, tensor)| (name.clone(), bits(tensor))).collect();
        (numbers, live_bytes())
    };
    let (one, live) = run(1);
    let _ = run(3);
    let few = resident();
    for threads in [3, 4, 8, 16, 64] {
        let (numbers, now) = run(threads);
        assert!(numbers == one, "{threads} threads gave other bits than one");
        assert_eq!(now, live, "bytes of tensors after a run on {threads} threads");
    }
    if let (Some(few), Some(many)) = (few, resident()) {
        // A thread's stack, and what it packs a part of a product into.
        let allowed = few + 64 * (1 << 20);
        assert!(many <= allowed, "{many} bytes in memory after 64 threads, {few} after 3");
    }
}
