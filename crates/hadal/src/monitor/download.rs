//! The progress of a download, on standard error where that is a terminal.

/// A bar for one file.
pub(crate) struct Meter {
    #[cfg(feature = "progress")]
    bar: indicatif::ProgressBar,
}

#[cfg(feature = "progress")]
impl Meter {
    pub fn start(name: &'static str, bytes: u64) -> Meter {
        let template = "Downloading {prefix} {bar:24} {bytes}/{total_bytes}  {bytes_per_sec}  {eta} left";
        let style = indicatif::ProgressStyle::with_template(template)
            .unwrap_or_else(|_| indicatif::ProgressStyle::default_bar());
        // Hides itself where standard error is not a terminal.
        Meter { bar: indicatif::ProgressBar::new(bytes).with_style(style).with_prefix(name) }
    }

    pub fn advance(&self, bytes: u64) {
        self.bar.inc(bytes);
    }
}

#[cfg(feature = "progress")]
impl Drop for Meter {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

#[cfg(not(feature = "progress"))]
impl Meter {
    pub fn start(_name: &'static str, _bytes: u64) -> Meter {
        Meter {}
    }

    pub fn advance(&self, _bytes: u64) {}
}
