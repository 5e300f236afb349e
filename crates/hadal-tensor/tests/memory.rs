//! Memory that is made on one thread and dropped on another, the pattern of a loader, comes back; `live_bytes` tells the truth.
//! In a process of its own, since other tests make tensors, too.

use std::sync::mpsc::sync_channel;

use hadal_tensor::{Tensor, live_bytes};

/// Megabytes of this process that lie in memory, where the system tells.
fn resident() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<usize>().ok()? / 1024)
}

#[test]
fn batches_made_by_a_loader_and_dropped_by_a_trainer_come_back() {
    let (before, resident_before) = (live_bytes(), resident());
    let (sender, receiver) = sync_channel::<Tensor>(2);
    std::thread::scope(|scope| {
        scope.spawn(move || {
            for _ in 0..400 {
                // 8 MB.
                sender.send(Tensor::ones([2_000_000])).unwrap();
            }
        });
        let mut total = 0.0;
        for batch in receiver {
            assert!(live_bytes() - before >= 8_000_000, "a batch that is held counts");
            total += batch.narrow(0, 0, 10).sum().item();
        }
        assert_eq!(total, 4000.0);
        if let (Some(now), Some(before)) = (resident(), resident_before) {
            assert!(now < before + 100, "{now} MB are in use for batches of 8");
        }
    });
    assert_eq!(live_bytes(), before, "nothing is held any more");
    // What threads that have ended made is released when it is dropped.
    let parts: Vec<Tensor> = (0..4).map(|_| std::thread::spawn(|| Tensor::ones([1_000_000])).join().unwrap()).collect();
    assert!(live_bytes() - before >= 16_000_000);
    drop(parts);
    assert_eq!(live_bytes(), before);
}
