//! Where a tensor's numbers live.

use crate::backend::Backend;
use crate::cpu::Cpu;
use crate::precision::MatmulPrecision;

/// The device that holds a tensor and computes with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Device {
    /// The processor and its main memory.
    #[default]
    Cpu,
}

impl Device {
    pub(crate) fn backend(self) -> &'static dyn Backend {
        match self {
            Device::Cpu => &Cpu,
        }
    }
}

/// What a device says of a precision: here, so that the setting itself knows no device.
impl MatmulPrecision {
    /// Whether this processor multiplies large matrices faster at this precision than at the highest; if not, they are
    /// multiplied as at the highest.
    pub fn is_faster(self) -> bool {
        Device::default().backend().matmul_speed(self) > 1.0
    }
}
