//! Schedules, to 1e-12.

use hadal::optim::{Mode, ReduceLrOnPlateau};
use hadal::prelude::*;

use super::{GOLDEN, number};

#[test]
fn schedules_follow_pytorchs_and_warm_up_keras() {
    let golden = &GOLDEN["schedules"];
    let one_cycle = |pct_start| Schedule::OneCycle { div_factor: 25.0, final_div_factor: 1e4, pct_start };
    let cases = [
        ("step", Schedule::Step { step_size: 6, gamma: 0.3 }, 20),
        ("exponential", Schedule::Exponential { gamma: 0.9 }, 20),
        ("polynomial", Schedule::Polynomial { power: 2.0, end_factor: 0.0 }, 20),
        ("cosine", Schedule::Cosine, 20),
        ("cosine_restarts", Schedule::CosineRestarts { t_0: 4, t_mult: 2 }, 20),
        ("warm_up", Schedule::WarmUp { warmup_steps: 4, then: Box::new(Schedule::Cosine) }, 20),
        ("one_cycle", one_cycle(0.3), 21),
        ("one_cycle_20", one_cycle(0.4), 21),
    ];
    for (name, schedule, steps) in cases {
        for (step, factor) in golden[name].as_array().unwrap().iter().enumerate() {
            let found = schedule.factor(step, steps);
            assert!((found - number(factor)).abs() < 1e-12, "{name}, step {step}: {found} instead of {factor}");
        }
    }
}

#[test]
fn plateaus_lower_the_rate_when_pytorchs_do() {
    let golden = &GOLDEN["plateau"];
    // PyTorch waits one epoch longer than its patience, Keras and Hadal do not.
    let mut plateau = ReduceLrOnPlateau::new("val_loss").factor(0.5).patience(2);
    for (value, factor) in golden["values"].as_array().unwrap().iter().zip(golden["factors"].as_array().unwrap()) {
        assert_eq!(plateau.step(number(value), 1.0), number(factor));
    }
    let mut rising = ReduceLrOnPlateau::new("val_accuracy").mode(Mode::Max).patience(1);
    assert_eq!([0.5, 0.6, 0.55].map(|accuracy| rising.step(accuracy, 1.0)), [1.0, 1.0, 0.1]);
}
