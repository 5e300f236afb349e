//! `hadal --version --verbose`, and the variables that it shows.

use crate::support::*;

const VERSION: &str = concat!("hadal ", env!("CARGO_PKG_VERSION"), "\n");

/// The text of a line of `--version --verbose`.
fn line<'a>(printed: &'a str, name: &str) -> &'a str {
    let line = printed.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix("  "));
    line.unwrap_or_else(|| panic!("no line {name} in {printed}")).trim_start()
}

#[test]
fn the_version_alone_is_one_line() {
    let home = tempfile::tempdir().unwrap();
    for flags in ["--version", "-V"] {
        assert_eq!(passes(home.path(), flags), VERSION);
    }
    fails(&run(home.path(), "--verbose"), &["--version"]);
    fails(&run(home.path(), "--verbose train digits"), &["'--verbose'", "'train'"]);
}

#[test]
fn verbose_says_what_the_machine_has_and_what_is_used_for_what() {
    let home = tempfile::tempdir().unwrap();
    let printed = passes(home.path(), "--version --verbose");
    for flags in ["--verbose --version", "-V -v", "-vV"] {
        assert_eq!(passes(home.path(), flags), printed, "{flags}");
    }
    assert!(printed.starts_with(VERSION), "{printed}");
    assert!(!line(&printed, "processor").is_empty(), "{printed}");
    assert!(line(&printed, "cores").starts_with(char::is_numeric), "{printed}");
    let caches = line(&printed, "caches");
    assert!(["L1d ", ", L2 ", ", L3 "].iter().all(|name| caches.contains(name)), "{printed}");
    assert_eq!(line(&printed, "threads"), hadal::num_threads().to_string());
    for precision in ["highest", "high", "medium"] {
        let means = line(&printed, &format!("f32 products, {precision}"));
        assert!(means.contains("tiles of") || means.starts_with("as at the highest"), "{printed}");
    }
    for name in ["large pages", "f64 products", "few rows or columns", "products of many zeros", "all other operations"]
    {
        line(&printed, name);
    }
}

#[test]
fn verbose_shows_the_level_that_hadal_simd_chooses() {
    let home = tempfile::tempdir().unwrap();
    let with = |level: &str| hadal(home.path()).args(["-V", "-v"]).env("HADAL_SIMD", level).output().unwrap();
    let levels = hadal::available_levels();
    let names: Vec<&str> = levels.iter().rev().map(|level| level.name()).collect();
    let names = names.join(", ");
    for level in &levels {
        let level = level.name();
        let printed = succeeds(&with(level));
        let expected = format!("{level} of {names} (HADAL_SIMD is {level})");
        assert_eq!(line(&printed, "vector instructions"), expected);
        assert_eq!(line(&printed, "all other operations"), format!("loops compiled for {level}"));
        let tiles = match level {
            "avx512" => "tiles of 8 x 48, 12 x 32 and 12 x 16 for few columns",
            "avx2" => "tiles of 4 x 24, 6 x 16, 6 x 8 and 12 x 4 for few columns",
            _ => "tiles of 4 x 8",
        };
        assert_eq!(line(&printed, "f32 products, highest"), tiles);
    }
    let best = format!("{} of {names}", levels.last().unwrap().name());
    assert_eq!(line(&succeeds(&with("")), "vector instructions"), best);
    for unknown in ["avx1024", "AVX2", "avx2 "] {
        fails(&with(unknown), &[&format!("HADAL_SIMD is {unknown}, not avx512, avx2 or baseline")]);
    }
    // The version is printed whatever the variable says.
    let plain = hadal(home.path()).arg("-V").env("HADAL_SIMD", "avx1024").output().unwrap();
    assert_eq!(succeeds(&plain), VERSION);
}

#[test]
fn threads_beyond_the_limit_are_one_clear_line() {
    let home = tempfile::tempdir().unwrap();
    let output = run(home.path(), "train digits --threads 1000000");
    fails(&output, &["'1000000'", "--threads", "at least 1 and at most 256"]);
    let with =
        |threads: &str| hadal(home.path()).args(["-V", "-v"]).env("HADAL_NUM_THREADS", threads).output().unwrap();
    assert_eq!(line(&succeeds(&with("1")), "threads"), "1 (HADAL_NUM_THREADS is 1)");
    let cores = std::thread::available_parallelism().unwrap().get().min(256);
    let many = with("256");
    assert_eq!(line(&succeeds(&many), "threads"), format!("{cores} (HADAL_NUM_THREADS is 256)"));
    if cores < 256 {
        let note = text(&many.stderr);
        assert!(
            note.starts_with("note: 256 threads were asked for, but there ") && note.lines().count() == 1,
            "{note}"
        );
    }
    for wrong in ["1000000", "0", "all"] {
        let output = with(wrong);
        let used = line(&succeeds(&output), "threads").split(' ').next().unwrap().to_owned();
        assert!(used.parse::<usize>().is_ok_and(|used| (1..=256).contains(&used)), "{used}");
        let note = text(&output.stderr);
        assert_eq!(note.lines().count(), 1, "{note}");
        assert!(note.contains(&format!("HADAL_NUM_THREADS is {wrong}, not a number from 1 to 256")), "{note}");
    }
}
