//! Memory whose size a file or a setting decides: where there is not enough, that is an error, not the end of the program.

use crate::can_allocate;

/// An error's reason where the system does not give this much memory.
pub(crate) fn require(bytes: usize) -> Result<(), String> {
    if can_allocate(bytes) { Ok(()) } else { Err(shortage(bytes)) }
}

/// A vector with room for `length` elements, or an error's reason.
pub(crate) fn reserve<T>(length: usize) -> Result<Vec<T>, String> {
    let mut values = Vec::new();
    match values.try_reserve_exact(length) {
        Ok(()) => Ok(values),
        Err(_) => Err(shortage(length.saturating_mul(size_of::<T>()))),
    }
}

fn shortage(bytes: usize) -> String {
    format!("needs {} of memory, more than is available", show(bytes))
}

/// A size for a reader: `512 bytes`, `2.0 GiB`.
pub(crate) fn show(bytes: usize) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let mut size = bytes as f64;
    let mut name = "bytes";
    for unit in UNITS {
        if size < 1024.0 {
            break;
        }
        (size, name) = (size / 1024.0, unit);
    }
    if name == "bytes" { format!("{bytes} bytes") } else { format!("{size:.1} {name}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_shown_in_the_unit_that_fits() {
        for (bytes, text) in [(0, "0 bytes"), (1023, "1023 bytes"), (1536, "1.5 KiB"), (2 << 30, "2.0 GiB")] {
            assert_eq!(show(bytes), text);
        }
        assert_eq!(show(usize::MAX), "16.0 EiB");
    }

    #[test]
    fn memory_that_no_machine_has_is_not_given() {
        assert!(require(1 << 20).is_ok() && require(usize::MAX).is_err());
        assert!(reserve::<f32>(usize::MAX / 4).unwrap_err().contains("EiB"));
    }
}
