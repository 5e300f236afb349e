//! The sizes of the processor's caches, as Linux knows them.

use std::fmt;
use std::path::Path;
use std::sync::OnceLock;

/// The sizes of the first processor's caches in bytes; `None` for what cannot be read, as in some containers and on systems
/// other than Linux.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Caches {
    /// The nearest, for data.
    pub l1d: Option<usize>,
    /// The second.
    pub l2: Option<usize>,
    /// The third, which processors share.
    pub l3: Option<usize>,
}

impl Caches {
    /// What is assumed where a size cannot be read: what most processors have at least.
    pub const ASSUMED: Caches = Caches { l1d: Some(32 << 10), l2: Some(512 << 10), l3: None };

    /// The size of this machine's nearest cache for data, or what is assumed. The panel of a pass of [products that skip
    /// zeros](super::gemm) stays in it.
    pub(crate) fn l1d() -> usize {
        Caches::known().0
    }

    /// The size of this machine's second cache, or what is assumed. Half of it holds the packed columns of a piece of work of a
    /// [dense product](super::gemm).
    pub(crate) fn l2() -> usize {
        Caches::known().1
    }

    /// The first two, read once.
    fn known() -> (usize, usize) {
        static SIZES: OnceLock<(usize, usize)> = OnceLock::new();
        *SIZES.get_or_init(|| {
            let (read, assumed) = (Caches::of_this_machine(), Caches::ASSUMED);
            let size = |read: Option<usize>, assumed: Option<usize>| read.or(assumed).expect("a size is assumed");
            (size(read.l1d, assumed.l1d), size(read.l2, assumed.l2))
        })
    }

    /// Those of this machine.
    pub fn of_this_machine() -> Caches {
        Caches::below(Path::new("/"))
    }

    /// Those that the files below a root tell of.
    fn below(root: &Path) -> Caches {
        let mut caches = Caches::default();
        let Ok(entries) = root.join("sys/devices/system/cpu/cpu0/cache").read_dir() else { return caches };
        for folder in entries.flatten().map(|entry| entry.path()) {
            let text = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap_or_default().trim().to_owned();
            let size = size(&text("size"));
            match (text("level").as_str(), text("type").as_str()) {
                ("1", "Data" | "Unified") => caches.l1d = size,
                ("2", "Data" | "Unified") => caches.l2 = size,
                ("3", "Data" | "Unified") => caches.l3 = size,
                _ => {}
            }
        }
        caches
    }
}

/// `L1d 48 KiB, L2 1 MiB, L3 unknown`.
impl fmt::Display for Caches {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        for (name, size, assumed, end) in [
            ("L1d", self.l1d, Caches::ASSUMED.l1d, ", "),
            ("L2", self.l2, Caches::ASSUMED.l2, ", "),
            ("L3", self.l3, Caches::ASSUMED.l3, ""),
        ] {
            match (size, assumed) {
                (Some(size), _) => write!(f, "{name} {}", amount(size))?,
                (None, Some(assumed)) => write!(f, "{name} unknown ({} is assumed)", amount(assumed))?,
                (None, None) => write!(f, "{name} unknown")?,
            }
            f.write_str(end)?;
        }
        Ok(())
    }
}

/// `48K` or `32M` in bytes; `None` for anything else, and for 0, which some virtual machines claim.
fn size(text: &str) -> Option<usize> {
    let units = [("K", 1 << 10), ("M", 1 << 20), ("G", 1 << 30), ("", 1)];
    let (number, unit) = units.iter().find_map(|(suffix, unit)| Some((text.strip_suffix(suffix)?, unit)))?;
    number.parse::<usize>().ok()?.checked_mul(*unit).filter(|&bytes| bytes > 0)
}

/// In the largest unit in which it is a whole number.
fn amount(bytes: usize) -> String {
    if bytes.is_multiple_of(1 << 20) { format!("{} MiB", bytes >> 20) } else { format!("{} KiB", bytes >> 10) }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A root of its own with the given files.
    pub(crate) fn root(name: &str, files: &[(&str, &str)]) -> std::path::PathBuf {
        let root = std::env::temp_dir().join(format!("hadal-caches-{}-{name}", std::process::id()));
        for (path, text) in files {
            let path = root.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        root
    }

    fn cache(index: usize, level: &str, kind: &str, size: &str) -> [(String, String); 3] {
        let at = |name: &str| format!("sys/devices/system/cpu/cpu0/cache/index{index}/{name}");
        [(at("level"), level.into()), (at("type"), kind.into()), (at("size"), size.into())]
    }

    fn read(name: &str, files: &[[(String, String); 3]]) -> Caches {
        let files: Vec<(&str, &str)> = files.iter().flatten().map(|(path, text)| (&**path, &**text)).collect();
        let root = root(name, &files);
        let caches = Caches::below(&root);
        let _ = std::fs::remove_dir_all(root);
        caches
    }

    #[test]
    fn sizes_are_read_by_level() {
        let files = [
            cache(0, "1\n", "Data\n", "48K\n"),
            cache(1, "1\n", "Instruction\n", "32K\n"),
            cache(2, "2\n", "Unified\n", "1024K\n"),
            cache(3, "3\n", "Unified\n", "33M\n"),
        ];
        let caches = read("all", &files);
        assert_eq!(caches, Caches { l1d: Some(48 << 10), l2: Some(1 << 20), l3: Some(33 << 20) });
        assert_eq!(caches.to_string(), "L1d 48 KiB, L2 1 MiB, L3 33 MiB");
    }

    #[test]
    fn what_cannot_be_read_is_unknown_and_something_safe_is_assumed() {
        let nothing = "L1d unknown (32 KiB is assumed), L2 unknown (512 KiB is assumed), L3 unknown";
        assert_eq!(read("none", &[]).to_string(), nothing);
        assert_eq!(Caches::below(Path::new("/no/such/folder")).to_string(), nothing);
        let broken = ["", "0K", "K", "-1K", "48 K", "lots", "99999999999999999999K", "18446744073709551615G"];
        for (index, size) in broken.into_iter().enumerate() {
            let caches =
                read(&format!("broken{index}"), &[cache(0, "1", "Data", size), cache(1, "2", "Unified", "512K")]);
            assert_eq!(caches, Caches { l1d: None, l2: Some(512 << 10), l3: None }, "{size:?}");
        }
    }
}
