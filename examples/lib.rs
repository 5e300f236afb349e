//! The programs of a first lecture on deep learning, each as short as its Python original: `autograd`, `mnist_keras`
//! and `mnist_torch`. Run them with `cargo run --release --example NAME`
//! in the repository's root; what they draw is written to `target/examples/`.
#![forbid(unsafe_code)]
