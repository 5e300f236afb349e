//! Parts and folds: what every split guarantees, and what is said where it cannot.

use hadal::data::{KFold, Part, Partition, Split, SplitBy, Stratify};
use hadal::prelude::*;
use proptest::prelude::*;

use crate::{floats, labels, says};

/// The rows of training, test and holdout part.
fn rows_of(parts: &Partition) -> [Vec<usize>; 3] {
    [parts.train.clone(), parts.test.clone(), parts.holdout.clone().unwrap_or_default()]
}

/// Every row is in one part, and each part lists its rows in ascending order.
fn each_row_once(parts: &Partition, rows: usize) {
    let parts = rows_of(parts);
    assert!(parts.iter().all(|part| part.is_sorted()), "{parts:?}");
    let mut all = parts.concat();
    all.sort_unstable();
    assert_eq!(all, (0..rows).collect::<Vec<_>>());
}

fn strata(codes: &[usize]) -> SplitBy<'_> {
    SplitBy::Strata { codes, names: &[] }
}

fn groups(codes: &[usize]) -> SplitBy<'_> {
    SplitBy::Groups { codes, names: &[] }
}

/// Fractions in hundredths, with or without a holdout part.
fn fractions() -> impl Strategy<Value = [f64; 3]> {
    (10u32..80, 10u32..=20, prop_oneof![Just(0u32), 1u32..=20]).prop_map(|(_, test, holdout)| {
        [100 - test - holdout, test, holdout].map(|hundredths| f64::from(hundredths) / 100.0)
    })
}

proptest! {
    #[test]
    fn parts_add_up_to_all_rows_with_sizes_by_largest_remainder(
        fractions in fractions(), rows in 100usize..2000, seed: u64,
    ) {
        let [train, test, holdout] = fractions;
        let split = Split::new(train, test, holdout).seed(seed);
        let parts = split.partition(rows, &SplitBy::Random).unwrap();
        each_row_once(&parts, rows);
        prop_assert_eq!(&parts, &split.partition(rows, &SplitBy::Random).unwrap());
        prop_assert_eq!(parts.holdout.is_some(), holdout > 0.0);
        for (part, fraction) in rows_of(&parts).iter().zip(fractions) {
            prop_assert!((part.len() as f64 - fraction * rows as f64).abs() < 1.0);
        }
    }

    #[test]
    fn strata_keep_their_shares_and_the_parts_their_sizes(
        fractions in fractions(), codes in prop::collection::vec(0usize..6, 100..600), seed: u64,
    ) {
        let [train, test, holdout] = fractions;
        let split = Split::new(train, test, holdout).seed(seed);
        let count = |rows: &[usize], class: usize| rows.iter().filter(|row| codes[**row] == class).count();
        let all: Vec<usize> = (0..codes.len()).collect();
        prop_assume!((0..6).all(|class| count(&all, class) != 1));
        let parts = split.partition(codes.len(), &strata(&codes)).unwrap();
        each_row_once(&parts, codes.len());
        let random = split.partition(codes.len(), &SplitBy::Random).unwrap();
        for ((part, plain), fraction) in rows_of(&parts).iter().zip(rows_of(&random)).zip(fractions) {
            prop_assert_eq!(part.len(), plain.len());
            for class in 0..6 {
                let exact = count(&all, class) as f64 * fraction;
                prop_assert!((count(part, class) as f64 - exact).abs() < 2.0, "{} of class {class} for {exact}", count(part, class));
            }
        }
        prop_assert!((0..6).all(|class| count(&all, class) == 0 || count(&parts.train, class) > 0));
    }

    #[test]
    fn groups_are_in_one_part_and_sizes_are_near(
        fractions in fractions(), sizes in prop::collection::vec(1usize..8, 30..100), seed: u64,
    ) {
        let codes: Vec<usize> = sizes.iter().enumerate().flat_map(|(group, size)| vec![group * 1000; *size]).collect();
        let [train, test, holdout] = fractions;
        let parts = Split::new(train, test, holdout).seed(seed).partition(codes.len(), &groups(&codes)).unwrap();
        each_row_once(&parts, codes.len());
        parts.check_groups(&codes, &[]).unwrap();
        for (part, fraction) in rows_of(&parts).iter().zip(fractions) {
            prop_assert!(part.is_empty() == (fraction == 0.0));
            let exact = codes.len() as f64 * fraction;
            prop_assert!((part.len() as f64 - exact).abs() < 8.0, "{} rows for {exact}", part.len());
        }
    }

    #[test]
    fn the_past_trains_and_the_future_tests(
        fractions in fractions(), values in prop::collection::vec(0i32..60, 300..600), seed: u64,
    ) {
        let values: Vec<f64> = values.into_iter().map(f64::from).collect();
        let [train, test, holdout] = fractions;
        // A part of one hundredth may be narrower than the rows of one value.
        prop_assume!(holdout == 0.0 || holdout > 0.05);
        let parts = Split::new(train, test, holdout).seed(seed).partition(values.len(), &SplitBy::Order(&values)).unwrap();
        each_row_once(&parts, values.len());
        let ends = |rows: &[usize]| {
            let values = || rows.iter().map(|row| values[*row]);
            (values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max))
        };
        prop_assert!(ends(&parts.train).1 < ends(&parts.test).0);
        prop_assert!(parts.holdout.as_ref().is_none_or(|holdout| ends(&parts.test).1 < ends(holdout).0));
    }

    #[test]
    fn folds_test_each_row_once_and_have_nearly_the_same_size(
        rows in 40usize..300, folds in 2usize..10, seed: u64, shuffle: bool,
    ) {
        let codes: Vec<usize> = (0..rows).map(|row| row * row % 3 + 7).collect();
        let kfold = KFold::new(folds).seed(seed).shuffle(shuffle);
        for found in [kfold.folds(rows).unwrap(), kfold.stratified(&codes).unwrap(), kfold.grouped(&codes[..3]).unwrap_or_default()] {
            if found.is_empty() {
                continue;
            }
            let rows = found[0].0.len() + found[0].1.len();
            let mut tested: Vec<usize> = found.iter().flat_map(|(_, test)| test.clone()).collect();
            tested.sort_unstable();
            prop_assert_eq!(tested, (0..rows).collect::<Vec<_>>());
            for (train, test) in &found {
                let mut all = [&train[..], &test[..]].concat();
                all.sort_unstable();
                prop_assert_eq!(all, (0..rows).collect::<Vec<_>>());
                prop_assert!(train.is_sorted() && test.is_sorted());
                prop_assert!(test.len().abs_diff(rows / folds) <= 1);
            }
        }
        for class in 7..10 {
            let all = codes.iter().filter(|code| **code == class).count();
            for (_, test) in kfold.stratified(&codes).unwrap() {
                let count = test.iter().filter(|row| codes[**row] == class).count();
                prop_assert!(count == all / folds || count == all.div_ceil(folds));
            }
        }
    }
}

#[test]
fn the_seed_decides() {
    let (classes, families): (Vec<usize>, Vec<usize>) = (0..60).map(|row| (row / 20, row / 4)).unzip();
    for by in [SplitBy::Random, strata(&classes), groups(&families)] {
        let split = |seed| Split::default().seed(seed).partition(60, &by).unwrap();
        assert_eq!(split(3), split(3));
        assert_ne!(split(3), split(4));
    }
    assert_ne!(KFold::new(3).seed(1).folds(30).unwrap(), KFold::new(3).seed(2).folds(30).unwrap());
}

#[test]
fn groups_that_can_fill_the_parts_exactly_do() {
    let codes: Vec<usize> = [70, 10, 5, 15].iter().enumerate().flat_map(|(group, size)| vec![group; *size]).collect();
    let parts = Split::default().partition(100, &groups(&codes)).unwrap();
    assert_eq!(rows_of(&parts).map(|part| part.len()), [70, 15, 15]);
    // Few groups of one size: each part has one.
    let codes = [0, 0, 0, 1, 1, 1, 2, 2, 2];
    let parts = Split::default().partition(9, &groups(&codes)).unwrap();
    assert_eq!(rows_of(&parts).map(|part| part.len()), [3, 3, 3]);
}

#[test]
fn rows_of_one_time_stay_together_at_the_nearest_place() {
    let values = [1.0, 2.0, 3.0, 3.0, 3.0, 3.0, 4.0, 5.0];
    let parts = Split::train_test(0.5).partition(8, &SplitBy::Order(&values)).unwrap();
    assert_eq!(parts.test, [6, 7]);
    let parts = Split::train_test(0.75).partition(8, &SplitBy::Order(&values)).unwrap();
    assert_eq!(parts.train, [0, 1]);
    let parts = Split::new(0.25, 0.5, 0.25).partition(8, &SplitBy::Order(&values)).unwrap();
    assert_eq!(rows_of(&parts), [vec![0, 1], vec![2, 3, 4, 5], vec![6, 7]]);
    says(
        Split::train_test(0.5).partition(4, &SplitBy::Order(&[2.0; 4])),
        &["split: the test part would have no rows", "the last 4 of 4 rows all have the value 2"],
    );
    says(
        Split::train_test(0.5).partition(3, &SplitBy::Order(&[2.0, f64::NAN, 1.0])),
        &["split: row 1 has no value to order by"],
    );
}

#[test]
fn a_column_may_say_which_part_a_row_is_in() {
    let parts: Vec<Part> = ["train", "holdout", "test", "train"].iter().map(|part| part.parse().unwrap()).collect();
    let found = Split::default().partition(4, &SplitBy::Parts(&parts)).unwrap();
    assert_eq!(rows_of(&found), [vec![0, 3], vec![2], vec![1]]);
    let found = Split::default().partition(2, &SplitBy::Parts(&[Part::Test, Part::Train])).unwrap();
    assert_eq!((found.train, found.test, found.holdout), (vec![1], vec![0], None));
    says(
        Split::default().partition(2, &SplitBy::Parts(&[Part::Train; 2])),
        &["the test part would have 0 of 2 rows", "`test`"],
    );
    says(
        Split::default().partition(1, &SplitBy::Parts(&[Part::Test])),
        &["the training part would have 0 of 1 rows", "none of them is `train`"],
    );
    says("Test".parse::<Part>(), &["`Test` is no part of a split", "`train`, `test` or `holdout`"]);
}

#[test]
fn fractions_that_cannot_be_meant_are_refused() {
    let check = |train, test, holdout| Split::new(train, test, holdout).check();
    says(check(0.7, 0.2, 0.2), &["train 0.7, test 0.2 and holdout 0.2 add up to 1.1, but must add up to 1"]);
    says(check(0.5, 0.2, 0.0), &["add up to 0.7, but"]);
    says(check(1.2, 0.1, -0.3), &["holdout -0.3 must be 0 or more"]);
    says(check(1.2, -0.2, 0.0), &["test -0.2 must be above 0"]);
    says(check(1.0, 0.0, 0.0), &["test 0 must be above 0"]);
    says(check(0.0, 1.0, 0.0), &["train 0 must be above 0"]);
    says(check(f64::NAN, 0.5, 0.5), &["train NaN must be above 0"]);
    says(check(f64::INFINITY, 0.5, 0.5), &["train inf"]);
    assert!(check(0.7, 0.15, 0.15).is_ok() && check(1.0 / 3.0, 1.0 / 3.0, 1.0 / 3.0).is_ok());
    says(Split::new(0.7, 0.2, 0.2).partition(10, &SplitBy::Random), &["add up to 1.1"]);
}

#[test]
fn a_part_without_rows_is_refused() {
    let random = |split: Split, rows| split.partition(rows, &SplitBy::Random);
    says(random(Split::train_test(0.1), 3), &["split: the test part would have 0 of 3 rows, a fraction of 0.1"]);
    says(random(Split::default(), 3), &["the holdout part would have 0 of 3 rows"]);
    says(random(Split::default(), 0), &["the training part would have 0 of 0 rows"]);
    says(random(Split::train_test(0.9), 1), &["the training part would have 0 of 1 rows"]);
}

#[test]
fn settings_that_exclude_each_other_are_refused() {
    says(
        Split::default().stratify("sex").group("family").check(),
        &["split: stratify and group cannot be combined", "or group with order or part"],
    );
    says(Split::default().order("day").part("side").check(), &["order and part cannot"]);
    says(Split::default().stratified().part("side").check(), &["stratify and part cannot"]);
    says(Split::default().stratified().order("a").group("b").check(), &["stratify and group and order cannot"]);
    assert!(Split::default().order("day").group("family").check().is_ok());
    assert!(Split::default().part("side").group("family").check().is_ok());
    // The fractions do not matter where a column says it.
    assert!(Split::new(1.0, 1.0, 1.0).part("side").check().is_ok());
}

#[test]
fn a_class_that_cannot_be_divided_is_named() {
    let codes = [0, 1, 0, 1, 2, 0, 1, 0];
    let names = ["Adelie", "Chinstrap", "Gentoo"].map(str::to_owned);
    let split = Split::train_test(0.25);
    says(split.partition(8, &strata(&codes)), &["split: class 2 has only 1 row", "at least 2"]);
    says(split.partition(8, &SplitBy::Strata { codes: &codes, names: &names }), &["class `Gentoo` has only 1 row"]);
    says(
        Split::train_test(0.75).partition(8, &strata(&[0, 0, 1, 1, 2, 2, 3, 3])),
        &["the training part would have 2 rows for 4 classes"],
    );
    says(split.partition(3, &strata(&[0, 1])), &["there are 3 rows, but 2 entries"]);
    says(KFold::new(2).stratified(&[4, 4, 5]), &["k-fold: class 5 has only 1 row"]);
    // A code may be any number.
    split.partition(8, &strata(&[usize::MAX, 0, 0, usize::MAX, 0, 0, 7, 7])).unwrap();
}

#[test]
fn a_group_in_two_parts_is_named() {
    let names = ["anna", "ben"].map(str::to_owned);
    let parts = Split::train_test(0.5).partition(4, &SplitBy::Order(&[1.0, 2.0, 3.0, 4.0])).unwrap();
    says(
        parts.check_groups(&[0, 1, 2, 0], &names),
        &["group `anna` has rows in the training part and in the test part (row 3)", "must be in one part"],
    );
    says(parts.check_groups(&[0, 1, 2, 0], &[]), &["group 0 has rows"]);
    says(parts.check_groups(&[0, 0], &[]), &["row 2 has no group; there are 2"]);
    says(
        Split::default().partition(20, &groups(&[[1; 10], [2; 10]].concat())),
        &["there are 2 groups for 3 parts", "each part needs a group"],
    );
    says(Split::train_test(0.5).partition(2, &groups(&[1, 1])), &["there is 1 group for 2 parts"]);
}

#[test]
fn folds_that_cannot_be_made_are_refused() {
    says(KFold::new(1).folds(10), &["k-fold: 1 folds must be at least 2"]);
    says(KFold::new(0).grouped(&[1, 2]), &["0 folds must be"]);
    says(KFold::new(5).folds(4), &["there are 4 rows for 5 folds"]);
    says(KFold::new(3).stratified(&[1, 1]), &["there are 2 rows for 3 folds"]);
    says(KFold::new(3).grouped(&[1, 1, 2, 2]), &["there are 2 groups for 3 folds"]);
}

#[test]
fn a_dataset_divides_with_its_names_weights_and_targets() {
    let x = Tensor::arange(40).to_dtype(DType::F32).reshape([20, 2]);
    let y = Tensor::from_vec((0..20).map(|i: i64| i % 2 * 2 - 1).collect(), [20]);
    let weights: Vec<f64> = (0..20).map(f64::from).collect();
    let data = Dataset::new("points", x, y).unwrap().sample_weights(&weights).unwrap();
    let parts = data.split(&Split::default().stratified().seed(2)).unwrap();
    assert_eq!([&parts.train, &parts.test].map(Dataset::name), ["points train", "points test"]);
    let holdout = parts.holdout.unwrap();
    assert_eq!((parts.train.len(), parts.test.len(), holdout.len(), holdout.name()), (14, 3, 3, "points holdout"));
    let sum: i64 = parts.train.targets().to_vec::<i64>().iter().sum();
    assert_eq!(sum, 0, "seven of each class");
    // Inputs and targets of a sample stay together.
    for (x, y) in parts.test.inputs().to_vec::<f32>().chunks(2).zip(parts.test.targets().to_vec::<i64>()) {
        assert_eq!((x[0] / 2.0) as i64 % 2 * 2 - 1, y);
    }
    let (train, test) = data.train_test_split(0.25, 1).unwrap();
    assert_eq!((train.len(), test.len()), (15, 5));
}

#[test]
fn what_a_dataset_cannot_be_divided_by_is_refused() {
    let data = Dataset::new("points", floats([1.0, 2.0, 3.0, 4.0], [4, 1]), floats([0.0; 4], [4, 1])).unwrap();
    says(
        data.split(&Split::default().group("family")),
        &["split: group names the column `family`", "points is a dataset"],
    );
    says(data.split(&Split::train_test(0.5).stratified()), &["points: a stratified split needs class labels", "f32"]);
    says(data.train_test_split(1.0, 0), &["train 0 must be above 0"]);
    says(data.train_test_split(0.01, 0), &["the test part would have 0 of 4 rows"]);
    let data = Dataset::new("signs", floats([1.0, 2.0, 3.0], [3, 1]), labels([1, -1, 1])).unwrap();
    says(data.split(&Split::train_test(0.5).stratified()), &["class `-1` has only 1 row"]);
}

#[test]
fn a_split_is_a_section_of_a_file() {
    let read = |text: &str| serde_json::from_str::<Split>(text);
    assert_eq!(read("{}").unwrap(), Split::default());
    assert_eq!(read(r#"{"stratify": true, "seed": 4}"#).unwrap(), Split::default().stratified().seed(4));
    assert_eq!(read(r#"{"stratify": "sex"}"#).unwrap(), Split::default().stratify("sex"));
    assert_eq!(read(r#"{"stratify": false, "order": "pickup"}"#).unwrap(), Split::default().order("pickup"));
    let unknown = read(r#"{"groups": "family"}"#).unwrap_err().to_string();
    assert!(unknown.contains("unknown field `groups`") && unknown.contains("`group`"), "{unknown}");
    let wrong = read(r#"{"stratify": 3}"#).unwrap_err().to_string();
    assert!(wrong.contains("stratify must be true, false or the name of a column"), "{wrong}");
    for split in [Split::train_test(0.2).stratify("sex"), Split::default().part("side").seed(1)] {
        assert_eq!(read(&serde_json::to_string(&split).unwrap()).unwrap(), split);
    }
    assert_eq!(Split::default().stratify, Stratify::No);
}

#[test]
fn classes_that_are_too_rare_for_each_part_are_for_training_where_that_is_set() {
    let codes: Vec<usize> =
        (0..100).map(|row| [0, 1, 7, 8, 9][[0, 3, 20, 60].iter().filter(|&&start| row >= start).count() - 1]).collect();
    let mut codes = codes;
    codes[99] = 9;
    // Three rows of class 0, 17 of class 1, 40 of class 7, 39 of class 8, one of class 9.
    for seed in 0..20 {
        let split = Split::default().seed(seed);
        says(split.partition(100, &strata(&codes)), &["has only 1 row"]);
        let parts = split.rare_in_training(true).partition(100, &strata(&codes)).unwrap();
        let holdout = parts.holdout.clone().unwrap();
        assert_eq!((parts.train.len(), parts.test.len(), holdout.len()), (70, 15, 15));
        assert!(parts.train.contains(&99), "class 9 has one row");
        let of = |rows: &[usize], class: usize| rows.iter().filter(|&&row| codes[row] == class).count();
        for class in [0, 1, 7, 8, 9] {
            assert!(of(&parts.train, class) > 0, "class {class} with seed {seed}");
        }
        assert_eq!((of(&parts.test, 7), of(&holdout, 7)), (6, 6), "40 of 99 rows that are divided");
    }
    let two = [&[0, 0][..], &[1; 30], &[2; 30]].concat();
    let parts = Split::default().rare_in_training(true).partition(62, &strata(&two)).unwrap();
    assert!(parts.train.starts_with(&[0, 1]), "two rows, three parts");
    let parts = Split::train_test(0.5).rare_in_training(true).partition(62, &strata(&two)).unwrap();
    assert_eq!(parts.test.iter().filter(|&&row| two[row] == 0).count(), 1, "two rows, two parts");
    says(
        Split::train_test(0.5).rare_in_training(true).partition(8, &strata(&[0, 1, 2, 3, 4, 5, 6, 6])),
        &[
            "classes with fewer than 2 rows are for training, and the others have 1 rows to spare for the 4 of the other parts",
        ],
    );
    let read = |text: &str| serde_json::from_str::<Split>(text).unwrap();
    assert!(!read("{}").rare_in_training && read(r#"{"rare_in_training": true}"#).rare_in_training);
    assert!(!serde_json::to_string(&Split::default()).unwrap().contains("rare"));
}

#[test]
fn a_row_without_a_place_in_an_order_or_without_a_part_is_named() {
    use hadal::data::{ReadOptions, Table};
    let read = |text: &str| Table::from_reader("t.csv", text.as_bytes(), &ReadOptions::default()).unwrap();
    let dates = read("d,x\n2020-01-01,1\n,2\n2020-01-03,3\n");
    says(
        dates.split(&Split::train_test(0.5).order("d")),
        &["t.csv: the date in line 3 of `d` is missing", "write it there, or remove the row"],
    );
    says(
        read("d,x\n1,1\n3,2\n,3\n").split(&Split::train_test(0.5).order("d")),
        &["the value in line 4 of `d` is missing"],
    );
    says(
        read("p,x\ntrain,1\n,2\ntest,3\n").split(&Split::default().part("p")),
        &["the part in line 3 of `p` is missing"],
    );
    let lines: String = (0..40)
        .map(|i| format!("{},1\n", if i == 5 { "soon".into() } else { format!("2020-01-{:02}", i % 28 + 1) }))
        .collect();
    says(
        read(&format!("d,x\n{lines}")).split(&Split::train_test(0.5).order("d")),
        &["line 7: `soon` of `d` is not a date"],
    );
}
