//! Where a tensor's numbers live.

use crate::backend::Backend;
use crate::cpu::Cpu;

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
