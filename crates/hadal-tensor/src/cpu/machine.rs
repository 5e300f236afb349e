//! The machine that a program runs on: its processor's name, how much of it the program may use, and what computes there.

use std::path::Path;

use super::caches::Caches;
use super::{gemm, simd};

/// What operations are computed by at the level in use: kinds of operations, and what serves them.
#[doc(hidden)]
pub fn kernels_in_use() -> Vec<(String, String)> {
    let loops = ("all other operations".to_owned(), format!("loops compiled for {}", simd::level().name()));
    gemm::describe().into_iter().chain([loops]).collect()
}

/// What is known of the machine.
#[doc(hidden)]
#[derive(Clone, Debug, PartialEq)]
pub struct Machine {
    /// The name of the first processor.
    pub processor: Option<String>,
    /// Processors that this program may use, as the system and its control group allow.
    pub cores: usize,
    /// The time that the control group allows, in processors.
    pub quota: Option<f64>,
    /// The caches.
    pub caches: Caches,
    /// To whom the system gives large pages: `always`, `madvise` (those who ask, as tensors do) or `never`; `None` where it does not
    /// say.
    pub large_pages: Option<String>,
}

impl Machine {
    /// This machine.
    pub fn this() -> Machine {
        let root = Path::new("/");
        Machine {
            processor: processor(root),
            cores: std::thread::available_parallelism().map_or(1, |cores| cores.get()),
            quota: quota(root),
            caches: Caches::of_this_machine(),
            large_pages: large_pages(root),
        }
    }

    /// The processor's name, or the kind of processor where it has none.
    pub fn processor(self) -> String {
        self.processor.unwrap_or_else(|| std::env::consts::ARCH.to_owned())
    }
}

/// The name of the first processor that has one.
fn processor(root: &Path) -> Option<String> {
    let text = std::fs::read_to_string(root.join("proc/cpuinfo")).ok()?;
    let named = |line: &str| {
        let (key, name) = line.split_once(':')?;
        let is_name = ["model name", "Model", "cpu model", "cpu"].contains(&key.trim());
        (is_name && !name.trim().is_empty()).then(|| name.trim().to_owned())
    };
    text.lines().find_map(named)
}

/// The choice between brackets.
fn large_pages(root: &Path) -> Option<String> {
    let text = std::fs::read_to_string(root.join("sys/kernel/mm/transparent_hugepage/enabled")).ok()?;
    let (_, chosen) = text.split_once('[')?;
    Some(chosen.split_once(']')?.0.to_owned())
}

/// The smallest quota among this program's control group and those above it, of either version of control groups.
fn quota(root: &Path) -> Option<f64> {
    let groups = std::fs::read_to_string(root.join("proc/self/cgroup")).ok()?;
    let mut smallest: Option<f64> = None;
    for line in groups.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else { continue };
        let second = controllers.is_empty();
        if !second && !controllers.split(',').any(|controller| controller == "cpu") {
            continue;
        }
        let top = root.join("sys/fs/cgroup").join(controllers);
        let group = top.join(path.trim_start_matches('/'));
        for folder in group.ancestors().take_while(|folder| folder.starts_with(&top)) {
            let text = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap_or_default();
            let limit = match second {
                true => text("cpu.max"),
                false => format!("{} {}", text("cpu.cfs_quota_us").trim(), text("cpu.cfs_period_us").trim()),
            };
            // `max`, or -1 in the first version, is no limit.
            let numbers: Vec<f64> = limit.split_whitespace().filter_map(|number| number.parse().ok()).collect();
            if let [quota, period] = numbers[..]
                && quota > 0.0
                && period > 0.0
            {
                smallest = Some(smallest.map_or(quota / period, |smallest| smallest.min(quota / period)));
            }
        }
    }
    smallest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::caches::tests::root;

    fn quota_of(name: &str, files: &[(&str, &str)]) -> Option<f64> {
        let root = root(name, files);
        let quota = quota(&root);
        let _ = std::fs::remove_dir_all(root);
        quota
    }

    #[test]
    fn the_smallest_quota_of_the_groups_above_counts() {
        let second = [
            ("proc/self/cgroup", "0::/a/b\n"),
            ("sys/fs/cgroup/a/cpu.max", "150000 100000\n"),
            ("sys/fs/cgroup/a/b/cpu.max", "max 100000\n"),
        ];
        assert_eq!(quota_of("second", &second), Some(1.5));
        let first = [
            ("proc/self/cgroup", "2:cpuset:/\n1:cpu,cpuacct:/docker/x\n0::/\n"),
            ("sys/fs/cgroup/cpu,cpuacct/docker/x/cpu.cfs_quota_us", "200000\n"),
            ("sys/fs/cgroup/cpu,cpuacct/docker/x/cpu.cfs_period_us", "100000\n"),
        ];
        assert_eq!(quota_of("first", &first), Some(2.0));
        let none = [
            ("proc/self/cgroup", "1:cpu:/\nnonsense\n"),
            ("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n"),
            ("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n"),
        ];
        assert_eq!(quota_of("none", &none), None);
        assert_eq!(quota(Path::new("/no/such/folder")), None);
    }

    #[test]
    fn large_pages_are_given_as_the_brackets_say() {
        for (name, text, expected) in [
            ("pages-asked", "always [madvise] never\n", Some("madvise")),
            ("no-pages", "always madvise [never]\n", Some("never")),
            ("pages-nonsense", "always madvise never\n", None),
            ("pages-open", "always [madvise\n", None),
        ] {
            let root = root(name, &[("sys/kernel/mm/transparent_hugepage/enabled", text)]);
            assert_eq!(large_pages(&root).as_deref(), expected, "{text}");
            let _ = std::fs::remove_dir_all(root);
        }
        assert_eq!(large_pages(Path::new("/no/such/folder")), None);
    }

    #[test]
    fn a_processor_without_a_name_is_none() {
        for (name, text, expected) in [
            ("named", "processor\t: 0\nmodel name\t: AMD EPYC\nmodel name\t: other\n", Some("AMD EPYC")),
            ("unnamed", "processor : 0\nBogoMIPS : 50\n", None),
            ("empty", "model name :\n", None),
        ] {
            let root = root(name, &[("proc/cpuinfo", text)]);
            assert_eq!(processor(&root).as_deref(), expected);
            let _ = std::fs::remove_dir_all(root);
        }
        assert_eq!(processor(Path::new("/no/such/folder")), None);
        assert!(Machine::this().cores >= 1);
    }
}
