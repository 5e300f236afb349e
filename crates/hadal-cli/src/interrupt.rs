//! Ctrl-C and the request to end: the first finishes the step and leaves a checkpoint, the second leaves at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hadal::Result;
use hadal::train::{Callback, Event, Flow};

/// Which signal has come, if one has.
#[derive(Clone, Default)]
pub struct Interrupt(Arc<AtomicUsize>);

impl Interrupt {
    /// Watches for signals from now on.
    pub fn watch() -> Interrupt {
        let interrupt = Interrupt::default();
        #[cfg(unix)]
        {
            use std::sync::atomic::AtomicBool;

            use signal_hook::consts::{SIGINT, SIGTERM};
            use signal_hook::flag;
            let came = Arc::new(AtomicBool::new(false));
            for signal in [SIGINT, SIGTERM] {
                // In this order: the first signal finds that none has come. Without a handler, the first one ends the process.
                let _ = flag::register_conditional_shutdown(signal, status(signal as usize).into(), came.clone());
                let _ = flag::register(signal, came.clone());
                let _ = flag::register_usize(signal, interrupt.0.clone(), signal as usize);
            }
        }
        interrupt
    }

    /// The status to leave with: 130 after Ctrl-C, 143 after SIGTERM.
    pub fn status(&self) -> Option<u8> {
        match self.0.load(Ordering::Relaxed) {
            0 => None,
            signal => Some(status(signal)),
        }
    }
}

/// What a shell says of a process that a signal has ended.
fn status(signal: usize) -> u8 {
    128 + signal as u8
}

impl Callback for Interrupt {
    fn on_event(&mut self, _event: &Event) -> Result<Flow> {
        Ok(if self.status().is_some() { Flow::Suspend } else { Flow::Continue })
    }
}
