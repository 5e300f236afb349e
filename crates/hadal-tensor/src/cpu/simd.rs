//! Which vector instructions to use, chosen at run time: one binary for every processor.
//!
//! A kernel is a [`Task`] whose body is plain Rust, inlined into functions compiled for each level; the compiler
//! vectorizes it for each. Bodies use no fused multiply-add, so every level gives the same bits.

use std::ffi::OsStr;
use std::sync::atomic::{AtomicU8, Ordering};

/// A set of vector instructions.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum SimdLevel {
    /// What every processor of the target has (SSE2 on x86-64).
    Baseline,
    /// AVX2 and FMA, 256 bits.
    Avx2,
    /// AVX-512 (F, BW, DQ, VL), 512 bits.
    Avx512,
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
        1 => SimdLevel::Baseline,
        2 => SimdLevel::Avx2,
        3 => SimdLevel::Avx512,
        _ => {
            let level = chosen().unwrap_or_else(|problem| panic!("{problem}"));
            LEVEL.store(level as u8 + 1, Ordering::Relaxed);
            level
        }
    }
}

/// The level that the environment asks for, else the best.
///
/// # Errors
/// If `HADAL_SIMD` names no level, or one that the processor does not have.
#[doc(hidden)]
pub fn chosen() -> Result<SimdLevel, String> {
    choose(std::env::var_os("HADAL_SIMD").as_deref(), &available_levels())
}

/// The level that was asked for, which must be among `available` (lowest first), else the last of those.
fn choose(wanted: Option<&OsStr>, available: &[SimdLevel]) -> Result<SimdLevel, String> {
    let best = available.last().copied().unwrap_or(SimdLevel::Baseline);
    let Some(wanted) = wanted.filter(|text| !text.is_empty()) else { return Ok(best) };
    let level = match wanted.to_str() {
        Some("baseline") => SimdLevel::Baseline,
        Some("avx2") => SimdLevel::Avx2,
        Some("avx512") => SimdLevel::Avx512,
        _ => return Err(format!("HADAL_SIMD is {}, not avx512, avx2 or baseline", wanted.display())),
    };
    if available.contains(&level) {
        return Ok(level);
    }
    let best = format!("{best:?}").to_lowercase();
    Err(format!("HADAL_SIMD is {}, which this processor does not have; its best is {best}", wanted.display()))
}

/// The levels this processor has, lowest first.
#[doc(hidden)]
pub fn available_levels() -> Vec<SimdLevel> {
    #[allow(unused_mut)]
    let mut levels = vec![SimdLevel::Baseline];
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            levels.push(SimdLevel::Avx2);
            if is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512vl")
                && is_x86_feature_detected!("popcnt")
            {
                levels.push(SimdLevel::Avx512);
            }
        }
    }
    levels
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

/// Runs the task compiled for the level in use.
#[doc(hidden)]
#[inline]
pub fn dispatch<K: Task>(task: K) -> K::Output {
    match level() {
        // SAFETY: `level` returns a level only if the processor has it (detected, or checked by `force_level`).
        #[cfg(target_arch = "x86_64")]
        SimdLevel::Avx512 => unsafe { run_avx512(task) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        SimdLevel::Avx2 => unsafe { run_avx2(task) },
        _ => task.run(),
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,bmi2")]
fn run_avx512<K: Task>(task: K) -> K::Output {
    task.run()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn run_avx2<K: Task>(task: K) -> K::Output {
    task.run()
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
        assert!(missing.contains("does not have") && missing.contains("avx2"), "{missing}");
        let unknown = choose("AVX", &old).unwrap_err();
        assert!(unknown.contains("AVX, not avx512, avx2 or baseline"), "{unknown}");
    }
}
