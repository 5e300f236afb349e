//! `hadal --version`, and with --verbose what the machine has and what is used for what.

use hadal::monitor::print_line;
use hadal::{Machine, Result, SimdLevel};

pub fn run(verbose: bool) -> Result<()> {
    print_line(concat!("hadal ", env!("CARGO_PKG_VERSION")))?;
    if !verbose {
        return Ok(());
    }
    let level = crate::vector_instructions()?;
    let machine = Machine::this();
    let lines = about(&machine, level, &hadal::available_levels(), hadal::num_threads());
    let width = lines.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    lines.iter().try_for_each(|(name, text)| print_line(&format!("{name:width$}  {text}")))
}

/// What there is to say, by name.
fn about(machine: &Machine, level: SimdLevel, levels: &[SimdLevel], threads: usize) -> Vec<(String, String)> {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let set = |name: &str| variable(name).map(|value| format!(" ({name} is {value})")).unwrap_or_default();
    let names: Vec<&str> = levels.iter().rev().map(|level| level.name()).collect();
    let quota = machine.quota.map(|quota| format!(", of which the control group allows the time of {quota:.1}"));
    let mut lines = vec![
        ("processor".to_owned(), machine.processor.clone().unwrap_or_else(|| "unknown".to_owned())),
        ("vector instructions".to_owned(), format!("{} of {}{}", level.name(), names.join(", "), set("HADAL_SIMD"))),
        ("cores".to_owned(), format!("{}{}", machine.cores, quota.unwrap_or_default())),
        ("caches".to_owned(), machine.caches.to_string()),
        (
            "large pages".to_owned(),
            format!(
                "{}{}",
                large_pages(machine.large_pages.as_deref(), hadal::uses_large_pages()),
                set("HADAL_LARGE_PAGES")
            ),
        ),
        ("threads".to_owned(), format!("{threads}{}", set("HADAL_NUM_THREADS"))),
    ];
    lines.extend(hadal::kernels_in_use());
    lines
}

/// Whether tensors lie in large pages: what the system gives, and whether it is asked.
fn large_pages(given: Option<&str>, asked: bool) -> String {
    match given {
        _ if !asked => "not asked for".to_owned(),
        Some("never") | None => "none: the system gives no transparent huge pages".to_owned(),
        Some(given) => format!("for tensors from 32 KiB on (transparent huge pages: {given})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_of_which_nothing_is_known_has_a_line_for_each_thing() {
        let caches = hadal::Caches::default();
        let machine = Machine { processor: None, cores: 1, quota: Some(0.5), caches, large_pages: None };
        let lines = about(&machine, SimdLevel::Baseline, &[SimdLevel::Baseline], 1);
        let of = |wanted: &str| lines.iter().find(|(name, _)| name == wanted).map(|(_, text)| text.as_str());
        assert_eq!(of("processor"), Some("unknown"));
        assert_eq!(of("cores"), Some("1, of which the control group allows the time of 0.5"));
        assert_eq!(of("caches"), Some("L1d unknown (32 KiB is assumed), L2 unknown (512 KiB is assumed), L3 unknown"));
    }

    #[test]
    fn large_pages_are_none_where_the_system_gives_none() {
        for given in [None, Some("never")] {
            assert!(large_pages(given, true).starts_with("none: "));
            assert_eq!(large_pages(given, false), "not asked for");
        }
        assert_eq!(large_pages(Some("madvise"), true), "for tensors from 32 KiB on (transparent huge pages: madvise)");
    }
}
