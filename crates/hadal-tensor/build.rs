//! Tells the crate how it is optimized, so that it can say when it is not.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-env=HADAL_OPT_LEVEL={}", std::env::var("OPT_LEVEL").unwrap_or_default());
}
