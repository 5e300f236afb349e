//! What the process takes of the machine: its memory and its processors, where Linux's `/proc` tells.

use std::time::{Duration, Instant};

/// The system counts processor time in hundredths of a second (`USER_HZ`, as `man 5 proc` has it), so shorter spans say little.
const TICKS_PER_SECOND: f64 = 100.0;
const SHORTEST: Duration = Duration::from_millis(200);

/// The process, as it is followed from point to point.
pub(super) struct Process {
    /// When its processor time was last read, and what it was, in seconds.
    last: Option<(Instant, f64)>,
}

impl Process {
    pub fn new() -> Process {
        Process { last: processor_seconds().map(|seconds| (Instant::now(), seconds)) }
    }

    /// The bytes that are in memory now, and how many cores were in use since the last time that it was said. What the system does not
    /// tell is left out, and cores after less than 0.2 s.
    pub fn numbers(&mut self) -> impl Iterator<Item = (&'static str, f64)> + use<> {
        let memory = resident_bytes().map(|bytes| ("system/memory", bytes));
        let cores = self.cores().map(|cores| ("system/processor", cores));
        memory.into_iter().chain(cores)
    }

    fn cores(&mut self) -> Option<f64> {
        let (before, spent) = self.last.filter(|(before, _)| before.elapsed() >= SHORTEST)?;
        let seconds = processor_seconds()?;
        self.last = Some((Instant::now(), seconds));
        Some((seconds - spent) / before.elapsed().as_secs_f64())
    }
}

fn resident_bytes() -> Option<f64> {
    kibibytes(&std::fs::read_to_string("/proc/self/status").ok()?).map(|kibibytes| 1024.0 * kibibytes)
}

/// `VmRSS:  1728 kB`, in fact with a tab.
fn kibibytes(status: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse().ok()
}

fn processor_seconds() -> Option<f64> {
    ticks(&std::fs::read_to_string("/proc/self/stat").ok()?).map(|ticks| ticks / TICKS_PER_SECOND)
}

/// `utime` and `stime`, fields 14 and 15, of all threads. The second field, the program's name, may have spaces and brackets.
fn ticks(stat: &str) -> Option<f64> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<f64>().ok();
    Some(ticks()? + ticks()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stand_in_proc() {
        assert_eq!(kibibytes("VmHWM:\t 9 kB\nVmRSS:\t    1728 kB\nRssAnon: 1 kB\n"), Some(1728.0));
        assert_eq!(kibibytes("Name: x\n"), None);
        let stat = "19210 (a ) b) R 19196 19196 2173 0 -1 4194304 101 0 0 0 250 50 7 8 20 0 1 0 6567361";
        assert_eq!(ticks(stat), Some(300.0));
        assert_eq!((ticks("1 (a) R"), ticks("")), (None, None));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_has_memory_and_uses_a_core() {
        let mut process = Process::new();
        assert!(process.numbers().all(|(name, _)| name == "system/memory"), "too early for cores");
        let before = process.last.unwrap();
        // As if it had begun a second ago and had taken half a second of it.
        process.last = Some((before.0.checked_sub(Duration::from_secs(1)).unwrap(), before.1 - 0.5));
        let numbers: Vec<_> = process.numbers().collect();
        assert!(numbers[0].0 == "system/memory" && numbers[0].1 > 1e5, "{numbers:?}");
        assert!(numbers[1].0 == "system/processor" && (0.2..1e4).contains(&numbers[1].1), "{numbers:?}");
    }
}
