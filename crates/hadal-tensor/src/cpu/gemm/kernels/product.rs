//! Registers of sums, and what is multiplied into them.

use super::vector::Vector;

/// A register of sums, to which products of operands packed as `P` are added. All methods require the instruction set
/// that the implementor names.
pub(crate) trait Product<P>: Copy {
    /// Packed operands in a register, and sums in one.
    const WIDTH: usize;
    type Operand: Copy;
    unsafe fn zero() -> Self;
    /// An operand of zeros.
    unsafe fn none() -> Self::Operand;
    unsafe fn operand_splat(value: *const P) -> Self::Operand;
    unsafe fn operand(from: *const P) -> Self::Operand;
    /// The first `count < WIDTH`; the others are zero.
    unsafe fn operand_first(from: *const P, count: usize) -> Self::Operand;
    /// `self + a b`.
    unsafe fn accumulated(self, a: Self::Operand, b: Self::Operand) -> Self;
}

/// Numbers are their own operands.
impl<T, V: Vector<T>> Product<T> for V {
    const WIDTH: usize = V::LANES;
    type Operand = V;
    #[inline(always)]
    unsafe fn zero() -> V {
        // SAFETY: the traits' contracts are the same, here and below.
        unsafe { <V as Vector<T>>::zero() }
    }
    #[inline(always)]
    unsafe fn none() -> V {
        // SAFETY: as above.
        unsafe { <V as Vector<T>>::zero() }
    }
    #[inline(always)]
    unsafe fn operand_splat(value: *const T) -> V {
        // SAFETY: as above.
        unsafe { V::splat(value) }
    }
    #[inline(always)]
    unsafe fn operand(from: *const T) -> V {
        // SAFETY: as above.
        unsafe { V::load(from) }
    }
    #[inline(always)]
    unsafe fn operand_first(from: *const T, count: usize) -> V {
        // SAFETY: as above.
        unsafe { V::load_first(from, count) }
    }
    #[inline(always)]
    unsafe fn accumulated(self, a: V, b: V) -> V {
        // SAFETY: as above.
        unsafe { self.add_product(a, b) }
    }
}
