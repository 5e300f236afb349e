//! What products are computed by, in words.

use super::format::Format;
use super::formats::Formats;
use super::kernels::Gemm;
use super::kernels::tile::TileKernel;
use crate::precision::MatmulPrecision;

/// What is used for what, at the level in use: products, and by what they are computed.
pub(in crate::cpu) fn describe() -> Vec<(String, String)> {
    let mut uses = Vec::new();
    for precision in [MatmulPrecision::Highest, MatmulPrecision::High, MatmulPrecision::Medium] {
        let means = match f32::reduced(precision) {
            Some(format) => format.describe(),
            None if precision == MatmulPrecision::Highest => as_they_are::<f32>(),
            None => "as at the highest, which is as fast here".to_owned(),
        };
        uses.push((format!("f32 products, {precision}"), means));
    }
    uses.push(("f64 products".to_owned(), as_they_are::<f64>()));
    uses.push(("few rows or columns".to_owned(), f32::kernels().dots.describe()));
    uses.push(("products of many zeros".to_owned(), f32::kernels().sparse.describe()));
    uses
}

/// The tiles of dense products, the widest first.
fn as_they_are<T: Gemm>() -> String {
    let (widest, narrower) = T::kernels().tiles.all().split_last().expect("a level has tiles");
    let sizes: Vec<String> = narrower.iter().rev().map(TileKernel::size).collect();
    match sizes.split_last() {
        None => widest.describe(),
        Some((last, [])) => format!("{}, {last} for few columns", widest.describe()),
        Some((last, others)) => format!("{}, {} and {last} for few columns", widest.describe(), others.join(", ")),
    }
}
