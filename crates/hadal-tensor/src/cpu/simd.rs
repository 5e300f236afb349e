//! Which vector instructions to use, chosen at run time: one binary for every processor.
//!
//! A kernel is a [`Task`] whose body is plain Rust, inlined into functions compiled for each level; the compiler
//! vectorizes it for each. Bodies use no fused multiply-add, so every level gives the same bits.

use std::ffi::OsStr;
use std::sync::atomic::{AtomicU8, Ordering};

/// Makes the levels of a table: for each its name in `HADAL_SIMD`, the bytes of a register, the features for which its function
/// is compiled, and those that must be detected for it, which imply them.
macro_rules! levels {
    ($($(#[$doc:meta])* $level:ident = $name:literal, $bytes:literal, $run:ident, $compiled:literal if [$($feature:tt)*];)*) => {
        /// A set of vector instructions; those that follow have all that is in it.
        #[doc(hidden)]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum SimdLevel {
            /// What every processor of the target has (SSE2 on x86-64).
            Baseline,
            $($(#[$doc])* $level,)*
        }

        impl SimdLevel {
            /// All levels, lowest first.
            const ALL: &[SimdLevel] = &[SimdLevel::Baseline, $(SimdLevel::$level,)*];

            /// The name in `HADAL_SIMD`.
            pub fn name(self) -> &'static str {
                match self {
                    SimdLevel::Baseline => "baseline",
                    $(SimdLevel::$level => $name,)*
                }
            }

            /// How many numbers of a type a register holds.
            pub(crate) fn lanes<T>(self) -> usize {
                let bytes = match self {
                    SimdLevel::Baseline => 16,
                    $(SimdLevel::$level => $bytes,)*
                };
                bytes / size_of::<T>()
            }

            /// Whether this processor has it.
            fn is_available(self) -> bool {
                match self {
                    SimdLevel::Baseline => true,
                    $(
                        #[cfg(target_arch = "x86_64")]
                        SimdLevel::$level => $(is_x86_feature_detected!($feature) &&)* true,
                    )*
                    #[cfg(not(target_arch = "x86_64"))]
                    _ => false,
                }
            }
        }

        /// Runs the task compiled for the level in use.
        #[doc(hidden)]
        #[inline]
        pub fn dispatch<K: Task>(task: K) -> K::Output {
            match level() {
                $(
                    // SAFETY: `level` returns a level only if the processor has it (detected, or checked by `force_level`).
                    #[cfg(target_arch = "x86_64")]
                    SimdLevel::$level => unsafe { $run(task) },
                )*
                _ => task.run(),
            }
        }

        $(
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = $compiled)]
            fn $run<K: Task>(task: K) -> K::Output {
                task.run()
            }
        )*
    };
}

levels! {
    /// AVX2 and FMA, 256 bits.
    Avx2 = "avx2", 32, run_avx2, "avx2,fma" if ["avx2" "fma" "popcnt"];
    /// AVX-512 (F, BW, DQ, VL), 512 bits.
    Avx512 = "avx512", 64, run_avx512, "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,bmi2"
        if ["avx2" "fma" "avx512f" "avx512bw" "avx512dq" "avx512vl" "bmi2" "popcnt"];
}

/// 0: not chosen yet; else the level plus 1.
static LEVEL: AtomicU8 = AtomicU8::new(0);

/// The level in use: the best the processor has, or what `HADAL_SIMD` says.
///
/// # Panics
/// If `HADAL_SIMD` names no level, or one that the processor does not have.
#[doc(hidden)]
#[inline]
pub fn level() -> SimdLevel {
    match LEVEL.load(Ordering::Relaxed) {
        0 => {
            let level = chosen().unwrap_or_else(|problem| panic!("{problem}"));
            LEVEL.store(level as u8 + 1, Ordering::Relaxed);
            level
        }
        level => SimdLevel::ALL[usize::from(level) - 1],
    }
}

/// The level that the environment asks for, else the best.
///
/// # Errors
/// If `HADAL_SIMD` names no level, or one that the processor does not have.
#[doc(hidden)]
pub fn chosen() -> Result<SimdLevel, String> {
    choose(std::env::var_os(VARIABLE).as_deref(), &available_levels())
}

/// The environment variable that chooses the level.
const VARIABLE: &str = "HADAL_SIMD";

/// The level that was asked for, which must be among `available` (lowest first), else the last of those.
fn choose(wanted: Option<&OsStr>, available: &[SimdLevel]) -> Result<SimdLevel, String> {
    let best = available.last().copied().unwrap_or(SimdLevel::Baseline);
    let Some(wanted) = wanted.filter(|text| !text.is_empty()) else { return Ok(best) };
    let Some(&level) = SimdLevel::ALL.iter().find(|level| wanted == level.name()) else {
        let all = names(SimdLevel::ALL, "or");
        return Err(format!("{VARIABLE} is {}, not {all}", wanted.display()));
    };
    if available.contains(&level) {
        return Ok(level);
    }
    let has = names(available, "and");
    Err(format!("{VARIABLE} is {}, which this processor does not have; it has {has}", wanted.display()))
}

/// The names of levels in a sentence, the highest first.
fn names(levels: &[SimdLevel], last: &str) -> String {
    let names: Vec<&str> = levels.iter().rev().map(|level| level.name()).collect();
    match names.split_last() {
        Some((lowest, higher)) if !higher.is_empty() => format!("{} {last} {lowest}", higher.join(", ")),
        _ => names.concat(),
    }
}

/// The levels this processor has, lowest first.
#[doc(hidden)]
pub fn available_levels() -> Vec<SimdLevel> {
    SimdLevel::ALL.iter().copied().filter(|level| level.is_available()).collect()
}

/// Forces a level for the whole process; for tests and measurements.
///
/// # Panics
/// If the processor does not have it.
#[doc(hidden)]
pub fn force_level(level: SimdLevel) {
    assert!(available_levels().contains(&level), "this processor has no {level:?}");
    LEVEL.store(level as u8 + 1, Ordering::Relaxed);
}

/// A kernel's body. `run` must be `#[inline(always)]`, and so must everything it calls in its loops.
#[doc(hidden)]
pub trait Task {
    /// What it gives.
    type Output;
    /// The body.
    fn run(self) -> Self::Output;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_is_chosen_among_those_there_are() {
        let choose = |text: &str, available: &[SimdLevel]| choose(Some(OsStr::new(text)), available);
        let old = [SimdLevel::Baseline, SimdLevel::Avx2];
        assert_eq!(choose("", &old), Ok(SimdLevel::Avx2));
        assert_eq!(choose("baseline", &old), Ok(SimdLevel::Baseline));
        let missing = choose("avx512", &old).unwrap_err();
        assert!(missing.ends_with("avx512, which this processor does not have; it has avx2 and baseline"), "{missing}");
        assert!(choose("avx2", &old[..1]).unwrap_err().ends_with("it has baseline"));
        let unknown = choose("AVX", &old).unwrap_err();
        assert_eq!(unknown, "HADAL_SIMD is AVX, not avx512, avx2 or baseline");
    }
}
