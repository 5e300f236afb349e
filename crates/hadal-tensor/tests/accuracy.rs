//! The errors of functions of one number, in units in the last place (ulp), over their whole range: against a table of values
//! computed in high precision (`accuracy/generate.py`), and in `f32` against `f64` at millions of inputs. The bounds stand in the
//! documentation, `src/ops/accuracy.md`; a test holds that they are the same.

use std::collections::BTreeMap;

use hadal_tensor::{DType, Tensor, available_levels, force_level};

type Function = fn(&Tensor) -> Tensor;

/// Name, function, and the bounds of its error in f32 and in f64.
const FUNCTIONS: [(&str, Function, f64, f64); 20] = [
    ("exp", Tensor::exp, 1.0, 1.0),
    ("expm1", Tensor::expm1, 2.0, 1.0),
    ("ln", Tensor::ln, 1.0, 1.0),
    ("log1p", Tensor::log1p, 1.0, 1.0),
    ("sqrt", Tensor::sqrt, 0.5, 0.5),
    ("sin", Tensor::sin, 1.0, 1.0),
    ("cos", Tensor::cos, 1.0, 1.0),
    ("atan", Tensor::atan, 1.0, 1.0),
    ("tanh", Tensor::tanh, 1.5, 2.0),
    ("sigmoid", Tensor::sigmoid, 2.5, 2.5),
    ("softplus", Tensor::softplus, 2.0, 2.0),
    ("erf", Tensor::erf, 1.0, 1.0),
    ("erfc", Tensor::erfc, 1.0, 3.0),
    ("gelu", Tensor::gelu, 6.5, 4.0),
    ("silu", Tensor::silu, 3.0, 3.0),
    ("log_cosh", Tensor::log_cosh, 1.0, 4.0),
    ("recip", Tensor::recip, 0.5, 0.5),
    ("powi 3", |x| x.powi(3), 1.0, 1.5),
    ("powi -2", |x| x.powi(-2), 1.0, 1.5),
    ("powf 0.3", |x| x.powf(0.3), 1.0, 1.0),
];

/// The distance of `got` from `near + rest` in units in the last place of the type.
fn error(got: f64, near: f64, rest: f64, dtype: DType) -> f64 {
    let largest = if dtype == DType::F32 { f64::from(f32::MAX) } else { f64::MAX };
    if near.is_nan() || got.is_nan() {
        return if near.is_nan() == got.is_nan() { 0.0 } else { f64::INFINITY };
    }
    // What is rounded to infinity is so, or one number less.
    if near.abs() > largest * (1.0 - 1e-8) && (got.is_infinite() || got.abs() == largest) {
        return if got.signum() == near.signum() { 0.0 } else { f64::INFINITY };
    }
    if got.is_infinite() {
        return f64::INFINITY;
    }
    let unit = near.abs().next_up() - near.abs();
    // There are 29 bits less in f32, and none beyond its smallest number.
    let unit = if dtype == DType::F32 { (unit * 536_870_912.0).max(f64::from(f32::from_bits(1))) } else { unit };
    ((got - near) / unit - rest).abs()
}

fn numbers(x: &Tensor) -> Vec<f64> {
    x.to_dtype(DType::F64).to_vec::<f64>()
}

fn of(values: &[f64], dtype: DType) -> Tensor {
    Tensor::from_slice(values, [values.len()]).to_dtype(dtype)
}

/// The lines of the table: inputs by type, exact values and what rounding took by function and type.
fn table() -> BTreeMap<(String, usize), Vec<(f64, f64)>> {
    let number = |text: &str| {
        if text.len() == 8 {
            return (f32::from_bits(u32::from_str_radix(text, 16).unwrap()).into(), 0.0);
        }
        if text == "nan" {
            return (f64::NAN, 0.0);
        }
        let rest =
            text.get(16..18).map_or(0.0, |rest| (f64::from(u8::from_str_radix(rest, 16).unwrap()) - 128.0) / 64.0);
        (f64::from_bits(u64::from_str_radix(&text[..16], 16).unwrap()), rest)
    };
    include_str!("accuracy/values.txt")
        .lines()
        .map(|line| {
            let mut words = line.split(' ');
            let (name, size) = (words.next().unwrap().replace('_', " "), words.next().unwrap());
            ((name, if size == "4" { 4 } else { 8 }), words.map(number).collect())
        })
        .collect()
}

/// The worst error of each function at the inputs of the table, at every level and in two layouts, and where it is.
fn worst_errors_in_table(size: usize, dtype: DType) -> Vec<(f64, f64)> {
    let table = table();
    let inputs: Vec<f64> = table[&("inputs".to_owned(), size)].iter().map(|(x, _)| *x).collect();
    let pairs: Vec<f64> = inputs.iter().flat_map(|&x| [x, 1.0]).collect();
    let strided = of(&pairs, dtype).reshape([inputs.len(), 2]).slice(1, ..1);
    let worst = |(name, function, ..): (&str, Function, f64, f64)| {
        let exact = &table[&(name.replace('_', " "), size)];
        let mut worst = (0.0, 0.0);
        for level in available_levels() {
            force_level(level);
            for x in [&of(&inputs, dtype), &strided] {
                for ((&input, got), &(near, rest)) in inputs.iter().zip(numbers(&function(x))).zip(exact) {
                    let error = error(got, near, rest, dtype);
                    worst = if error > worst.0 { (error, input) } else { worst };
                }
            }
        }
        worst
    };
    FUNCTIONS.into_iter().map(worst).collect()
}

#[test]
fn values_agree_with_those_of_high_precision_at_every_level() {
    for (size, dtype) in [(4, DType::F32), (8, DType::F64)] {
        for ((error, x), (name, _, single, double)) in worst_errors_in_table(size, dtype).into_iter().zip(FUNCTIONS) {
            let bound = if dtype == DType::F32 { single } else { double };
            // What rounding took is known to 1/64.
            assert!(error <= bound + 0.01, "{name}({x:e}) in {dtype}: {error} ulp, above {bound}");
        }
    }
}

/// In f64, whose own errors are nothing beside f32's.
fn reference(name: &str, x: f64) -> f64 {
    let e = (-x.abs()).exp();
    match name {
        "exp" => x.exp(),
        "expm1" => x.exp_m1(),
        "ln" => x.ln(),
        "log1p" => x.ln_1p(),
        "sqrt" => x.sqrt(),
        "sin" => x.sin(),
        "cos" => x.cos(),
        "atan" => x.atan(),
        "tanh" => x.tanh(),
        "sigmoid" => (if x < 0.0 { e } else { 1.0 }) / (1.0 + e),
        "softplus" => x.max(0.0) + e.ln_1p(),
        "erf" => libm::erf(x),
        "erfc" => libm::erfc(x),
        "gelu" if x < -30.0 => -0.0,
        "gelu" => x * libm::erfc(-x * std::f64::consts::FRAC_1_SQRT_2) / 2.0,
        "silu" if x < -200.0 => -0.0,
        "silu" => (if x < 0.0 { x * e } else { x }) / (1.0 + e),
        "log_cosh" if x.abs() > 20.0 => x.abs() - std::f64::consts::LN_2,
        "log_cosh" => {
            let u = x.abs().exp_m1();
            (u * u / (2.0 + 2.0 * u)).ln_1p()
        }
        "recip" => 1.0 / x,
        "powi 3" => x * x * x,
        "powi -2" => 1.0 / (x * x),
        "powf 0.3" => x.powf(0.3),
        _ => unreachable!("{name}"),
    }
}

/// The worst error of each function in f32, over every `step`-th of all numbers, and where it is.
fn worst_errors(step: usize) -> Vec<(&'static str, f64, f64)> {
    let inputs: Vec<f32> = (0..=u32::MAX).step_by(step).map(f32::from_bits).filter(|x| x.is_finite()).collect();
    let x = Tensor::from_slice(&inputs, [inputs.len()]);
    let worst = |name, function: Function| {
        let errors = inputs.iter().zip(function(&x).to_vec::<f32>()).map(|(&x, got)| {
            let near = reference(name, x.into());
            (error(got.into(), near, 0.0, DType::F32), f64::from(x))
        });
        errors.fold((0.0, 0.0), |worst, own| if own.0 > worst.0 { own } else { worst })
    };
    FUNCTIONS.iter().map(|&(name, function, ..)| (name, worst(name, function))).map(|(n, (e, x))| (n, e, x)).collect()
}

#[test]
fn errors_in_f32_are_within_their_bounds_over_the_whole_range() {
    for ((name, error, x), (_, _, bound, _)) in worst_errors(4001).into_iter().zip(FUNCTIONS) {
        assert!(error <= bound, "{name}({x:e}): {error} ulp, above {bound}");
    }
}

/// `cargo test --release -p hadal-tensor --test accuracy -- --ignored --nocapture`
#[test]
#[ignore = "a minute in release, to find bounds: one of 61 numbers of f32, and the table of f64"]
fn print_the_worst_errors() {
    for ((name, single, x), (double, y)) in worst_errors(61).into_iter().zip(worst_errors_in_table(8, DType::F64)) {
        println!("{name}: {single:.3} at {x:e}, {double:.3} at {y:e}");
    }
}

#[test]
fn the_worst_input_of_gelu_is_within_its_bound() {
    // The worst of all numbers, which a sweep over some of them misses.
    let x = -6.596_267e-2f32;
    let got = Tensor::from_slice(&[x], [1]).gelu().item();
    let error = error(got, reference("gelu", x.into()), 0.0, DType::F32);
    assert!((6.0..=6.5).contains(&error), "{error} ulp");
}

#[test]
fn special_values_are_those_of_the_limits() {
    let (inf, nan) = (f64::INFINITY, f64::NAN);
    let cases: [(&str, [f64; 4]); 18] = [
        // At -infinity, -0, 0 and infinity.
        ("exp", [0.0, 1.0, 1.0, inf]),
        ("expm1", [-1.0, -0.0, 0.0, inf]),
        ("ln", [nan, -inf, -inf, inf]),
        ("log1p", [nan, -0.0, 0.0, inf]),
        ("sqrt", [nan, -0.0, 0.0, inf]),
        ("sin", [nan, -0.0, 0.0, nan]),
        ("cos", [nan, 1.0, 1.0, nan]),
        ("atan", [-std::f64::consts::FRAC_PI_2, -0.0, 0.0, std::f64::consts::FRAC_PI_2]),
        ("tanh", [-1.0, -0.0, 0.0, 1.0]),
        ("sigmoid", [0.0, 0.5, 0.5, 1.0]),
        ("softplus", [0.0, std::f64::consts::LN_2, std::f64::consts::LN_2, inf]),
        ("erf", [-1.0, -0.0, 0.0, 1.0]),
        ("erfc", [2.0, 1.0, 1.0, 0.0]),
        ("gelu", [-0.0, -0.0, 0.0, inf]),
        ("silu", [-0.0, -0.0, 0.0, inf]),
        ("log_cosh", [inf, 0.0, 0.0, inf]),
        ("recip", [-0.0, -inf, inf, 0.0]),
        ("powi 3", [-inf, -0.0, 0.0, inf]),
    ];
    for (name, expected) in cases {
        let function = FUNCTIONS.iter().find(|entry| entry.0 == name).unwrap().1;
        for dtype in [DType::F32, DType::F64] {
            let got = numbers(&function(&of(&[-inf, -0.0, 0.0, inf, nan], dtype)));
            assert!(got[4].is_nan(), "{name} of NaN is {}", got[4]);
            for (got, expected) in got.iter().zip(expected) {
                let expected = numbers(&of(&[expected], dtype))[0];
                let same = got.to_bits() == expected.to_bits() || (got.is_nan() && expected.is_nan());
                assert!(same, "{name} in {dtype}: {got}, not {expected}");
            }
        }
    }
    for dtype in [DType::F32, DType::F64] {
        assert!(
            numbers(&-of(&[0.0], dtype))[0].is_sign_negative()
                && numbers(&of(&[-0.0], dtype).abs())[0].is_sign_positive()
        );
    }
}

#[test]
fn gradients_are_finite_wherever_the_limit_is() {
    let places = [-f64::INFINITY, -3e38, -1e20, -200.0, -40.0, 0.0, 40.0, 200.0, 1e20, 3e38, f64::INFINITY];
    let cases: [(&str, f64, f64); 9] = [
        // Derivatives far below and far above.
        ("gelu", 0.0, 1.0),
        ("silu", 0.0, 1.0),
        ("softplus", 0.0, 1.0),
        ("sigmoid", 0.0, 0.0),
        ("tanh", 0.0, 0.0),
        ("log_cosh", -1.0, 1.0),
        ("erf", 0.0, 0.0),
        ("erfc", 0.0, 0.0),
        ("atan", 0.0, 0.0),
    ];
    for (name, below, above) in cases {
        let function = FUNCTIONS.iter().find(|entry| entry.0 == name).unwrap().1;
        for dtype in [DType::F32, DType::F64] {
            let x = of(&places, dtype).requires_grad();
            let y = function(&x);
            // Larger than 1, so that a product on the way would overflow.
            let gradients = numbers(&(y * 3.0).sum().backward()[&x]);
            for (x, g) in places.iter().zip(gradients) {
                let limit = 3.0 * if *x < 0.0 { below } else { above };
                let near = x.abs() < 100.0 || name == "atan";
                assert!(g.is_finite() && (near || (g - limit).abs() < 1e-6), "{name}'({x}) is {}", g / 3.0);
            }
        }
    }
}

#[test]
fn the_documentation_states_these_bounds() {
    let text = include_str!("../src/ops/accuracy.md");
    for (name, _, single, double) in FUNCTIONS {
        let row = text.lines().find(|line| line.starts_with(&format!("| `{name}` |")));
        let cells: Vec<f64> =
            row.map_or(Vec::new(), |row| row.split('|').filter_map(|cell| cell.trim().parse().ok()).collect());
        assert!(
            cells.first() == Some(&single) && cells.get(3) == Some(&double),
            "{name}: {cells:?}, not {single} and {double}"
        );
    }
}
