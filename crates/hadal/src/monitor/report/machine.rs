//! Where it ran.

use crate::monitor::processor;

pub(super) struct Machine {
    processor: String,
    threads: usize,
    instructions: String,
}

impl Machine {
    pub fn this() -> Machine {
        Machine {
            processor: processor(),
            threads: crate::num_threads(),
            instructions: format!("{:?}", crate::simd_level()).to_lowercase(),
        }
    }

    pub fn facts(self) -> [(&'static str, String); 3] {
        [
            ("processor", self.processor),
            ("threads", self.threads.to_string()),
            ("vector instructions", self.instructions),
        ]
    }
}
