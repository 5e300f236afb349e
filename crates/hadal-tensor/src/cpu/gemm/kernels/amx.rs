//! Tiles of bf16 products on matrix tile units (AMX), which stable Rust reaches through assembly.
//!
//! A tile register holds 16 rows of 16 pairs, or of 16 sums. Four registers of sums make a tile of 32 x 32, fed by two
//! registers of the left matrix and two of the right (Intel's optimization reference manual, on AMX).

use std::arch::asm;
use std::arch::x86_64::{__cpuid, __cpuid_count, __m512};
use std::mem::MaybeUninit;

use super::pair::{self, Factors, PairKernel};
use super::store::{Target, store};
use super::tile::Tiles;
use super::vector::Vector;

/// On processors that have them, the vector units are slower in bf16 than in f32.
pub(crate) static KERNEL: PairKernel = PairKernel {
    name: "matrix tile units (AMX)",
    height: SIDE,
    step: PAIRS,
    speed: 10.0,
    present,
    // Operands are packed in vectors of bf16.
    allowed: || is_x86_feature_detected!("avx512bf16") && is_x86_feature_detected!("avx512bw") && allowed(),
    piece: with_tiles,
    tiles,
};

/// Rows, and columns, of a tile.
const SIDE: usize = pair::WIDTH;
/// Pairs along the summed axis that an instruction takes.
const PAIRS: usize = 16;

/// Whether the processor has tile units for bf16.
fn present() -> bool {
    const AMX_BF16: u32 = 1 << 22;
    const AMX_TILE: u32 = 1 << 24;
    __cpuid(0).eax >= 7 && __cpuid_count(7, 0).edx & (AMX_BF16 | AMX_TILE) == AMX_BF16 | AMX_TILE
}

/// Asks the system for the use of the tiles, for all threads of the process; false if it refuses.
#[cfg(target_os = "linux")]
fn allowed() -> bool {
    const ARCH_PRCTL: isize = 158;
    const ARCH_REQ_XCOMP_PERM: usize = 0x1023;
    const XFEATURE_XTILEDATA: usize = 18;
    let result: isize;
    // SAFETY: the system call takes two numbers, reads and writes no memory, and clobbers rcx and r11 as all do.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") ARCH_PRCTL => result,
            in("rdi") ARCH_REQ_XCOMP_PERM,
            in("rsi") XFEATURE_XTILEDATA,
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack)
        );
    }
    result == 0
}

/// Other systems have ways of their own.
#[cfg(not(target_os = "linux"))]
fn allowed() -> bool {
    false
}

/// What configures the tiles: all eight of 16 rows of 64 bytes.
#[repr(C, align(64))]
struct Configuration {
    palette: u8,
    start_row: u8,
    reserved: [u8; 14],
    row_bytes: [u16; 16],
    rows: [u8; 16],
}

static CONFIGURATION: Configuration = {
    let mut configuration =
        Configuration { palette: 1, start_row: 0, reserved: [0; 14], row_bytes: [0; 16], rows: [0; 16] };
    let mut tile = 0;
    while tile < 8 {
        configuration.row_bytes[tile] = 64;
        configuration.rows[tile] = 16;
        tile += 1;
    }
    configuration
};

/// Runs work on this thread with the tiles configured.
///
/// # Safety
/// The tiles must be [`present`] and [`allowed`].
unsafe fn with_tiles(work: &mut dyn FnMut()) {
    // SAFETY: reads the 64 bytes of the configuration; the units are there, by the caller's contract.
    unsafe { asm!("ldtilecfg [{}]", in(reg) &raw const CONFIGURATION, options(nostack, readonly)) };
    work();
    // SAFETY: gives up the tiles, in which nothing is left.
    unsafe { asm!("tilerelease", options(nostack, nomem)) };
}

/// Computes tiles: the sums of the products of all `factors`, `depth` pairs deep.
///
/// # Safety
/// As [`PairKernel::tiles`].
unsafe fn tiles(tiles: &Tiles<u32, f32>, factors: &[Factors], row_stride: usize, depth: usize) {
    debug_assert!(depth.is_multiple_of(PAIRS) && tiles.rows <= SIDE);
    let mut stage = MaybeUninit::<Sums>::uninit();
    for (panel, first) in (0..tiles.columns).step_by(SIDE).enumerate() {
        let (columns, step) = (SIDE.min(tiles.columns - first), panel * tiles.panel_step);
        let out = tiles.out.at_column(first);
        let whole = tiles.rows == SIDE && columns == SIDE && !out.accumulate;
        let (to, stride) = if whole { (out.pointer, out.row_stride) } else { (stage.as_mut_ptr().cast(), SIDE) };
        // SAFETY: the caller's contract, for the factors and, if `whole`, for `out`; else the sums go to `stage`, which is 32
        // rows of 32, and from there where they belong: processors with tiles have AVX-512.
        unsafe {
            multiply(factors, step, row_stride, depth / PAIRS, to, stride);
            if !whole {
                store_sums(stage.assume_init_ref(), tiles.rows, columns, out);
            }
        }
    }
}

/// Sums on their way from the tiles to where they go.
#[repr(align(64))]
struct Sums([[f32; SIDE]; SIDE]);

/// Stores the first `rows` and `columns`.
///
/// # Safety
/// The processor must have AVX-512F; `out` must be readable and writable for `rows` x `columns`.
#[target_feature(enable = "avx512f")]
unsafe fn store_sums(sums: &Sums, rows: usize, columns: usize, out: Target<f32>) {
    // SAFETY: a row of sums is two registers; the rest is the caller's contract.
    let registers = |row: usize| unsafe {
        [<__m512 as Vector<f32>>::load(sums.0[row].as_ptr()), <__m512 as Vector<f32>>::load(sums.0[row][16..].as_ptr())]
    };
    let to = |row: usize| Target { pointer: out.pointer.wrapping_add(row * out.row_stride), ..out };
    let fours = rows / 4 * 4;
    for row in (0..fours).step_by(4) {
        let four: [[__m512; 2]; 4] = std::array::from_fn(|i| registers(row + i));
        // SAFETY: the caller's contract; these rows are among the tile's.
        unsafe { store(&four, to(row), columns) };
    }
    for row in fours..rows {
        // SAFETY: as above.
        unsafe { store(&[registers(row)], to(row), columns) };
    }
}

/// The sum of the products of all factors, the right ones from the panel on that begins after `skipped` pairs, each `steps`
/// instructions deep, stored as 32 rows `out_stride` apart.
///
/// # Safety
/// As [`tiles`], with `out` writable for 32 rows of 32.
unsafe fn multiply(
    factors: &[Factors],
    skipped: usize,
    row_stride: usize,
    steps: usize,
    out: *mut f32,
    out_stride: usize,
) {
    const PANEL_ROW: usize = pair::WIDTH * size_of::<u32>();
    assert!(!factors.is_empty() && steps > 0);
    // SAFETY: the loads read 16 rows of 64 bytes: at `a`, 16 rows further, at `b`, and 64 bytes further; each step moves
    // on by 16 pairs, so all lie within what the contract names, `steps` times for each of the factors listed. The stores
    // write 16 rows of 64 bytes at `out`, 64 bytes and 16 rows further. No other memory is touched.
    unsafe {
        asm!(
            "tilezero tmm0",
            "tilezero tmm1",
            "tilezero tmm2",
            "tilezero tmm3",
            "2:",
            "mov {a}, [{factors}]",
            "mov {b}, [{factors} + 8]",
            "add {b}, {skipped}",
            "mov {below}, {stride}",
            "shl {below}, 4",
            "add {below}, {a}",
            "mov {step}, {steps}",
            "3:",
            "tileloadd tmm4, [{a} + {stride}*1]",
            "tileloadd tmm6, [{b} + {panel_row}*1]",
            "tileloadd tmm7, [{b} + {panel_row}*1 + 64]",
            "tileloadd tmm5, [{below} + {stride}*1]",
            "tdpbf16ps tmm0, tmm4, tmm6",
            "tdpbf16ps tmm1, tmm4, tmm7",
            "tdpbf16ps tmm2, tmm5, tmm6",
            "tdpbf16ps tmm3, tmm5, tmm7",
            "add {a}, 64",
            "add {below}, 64",
            "add {b}, {step_bytes}",
            "dec {step}",
            "jnz 3b",
            "add {factors}, 16",
            "dec {count}",
            "jnz 2b",
            "tilestored [{out} + {out_stride}*1], tmm0",
            "tilestored [{out} + {out_stride}*1 + 64], tmm1",
            "mov {below}, {out_stride}",
            "shl {below}, 4",
            "add {out}, {below}",
            "tilestored [{out} + {out_stride}*1], tmm2",
            "tilestored [{out} + {out_stride}*1 + 64], tmm3",
            a = out(reg) _,
            b = out(reg) _,
            below = out(reg) _,
            step = out(reg) _,
            factors = inout(reg) factors.as_ptr() => _,
            count = inout(reg) factors.len() => _,
            out = inout(reg) out => _,
            skipped = in(reg) skipped * size_of::<u32>(),
            stride = in(reg) row_stride * size_of::<u32>(),
            panel_row = in(reg) PANEL_ROW,
            steps = in(reg) steps,
            out_stride = in(reg) out_stride * size_of::<f32>(),
            step_bytes = const PAIRS * PANEL_ROW,
            out("tmm0") _,
            out("tmm1") _,
            out("tmm2") _,
            out("tmm3") _,
            out("tmm4") _,
            out("tmm5") _,
            out("tmm6") _,
            out("tmm7") _,
            options(nostack)
        );
    }
}
