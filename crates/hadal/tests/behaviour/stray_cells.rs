//! Columns that a few cells, or marks on numbers, keep from being what nearly all of their cells are.

use hadal::Result;
use hadal::data::{Encoder, Kind, Preprocess, ReadOptions, Table};

use super::says;
use super::tables::{dated, read};

/// A table of a column `v` beside a number and a target of two classes.
fn beside(cells: impl IntoIterator<Item = String>) -> Table {
    let lines =
        cells.into_iter().enumerate().map(|(i, cell)| format!("\"{cell}\";{}.5;{}\n", i % 7, ["a", "b"][i % 2]));
    read(&format!("v;x;y\n{}", lines.collect::<String>())).unwrap()
}

/// What fitting says about a column `v` whose cells are numbers, but for one.
fn fit_with(odd: &str) -> Result<Encoder> {
    Preprocess::target("y")
        .fit(&beside((0..100).map(|i| if i == 40 { odd.to_owned() } else { (i * i % 97).to_string() })))
}

#[test]
fn one_cell_does_not_make_a_column_of_numbers_one_of_words() {
    says(
        fit_with("12 34"),
        &[
            "t.csv: line 42: `12 34` of `v` is not a number, though 99 of its 100 cells are; correct it, declare it missing \
           (--missing '12 34'), leave the column out (--drop v), or take it as a category (--as v=category)",
        ],
    );
    says(fit_with("it's"), &["--missing 'it'\\''s'"]);
    assert!(fit_with("17").is_ok() && fit_with("").is_ok());
    let odd = |count: usize, all: usize| {
        beside((0..all).map(|i| if i < count { ["abc", "abd"][i % 2].to_owned() } else { (i * i % 97).to_string() }))
    };
    let fit = |table: &Table| Preprocess::target("y").fit(table);
    // Also where the row is in another part than that for training.
    let table = odd(1, 100);
    says(fit(&table.take_rows(&(50..100).collect::<Vec<_>>())), &["line 2: `abc` of `v` is not a number"]);
    assert!(fit(&odd(1, 19)).is_ok(), "too few cells to say");
    says(fit(&odd(5, 100)), &["though 95 of its 100 cells are"]);
    assert!(fit(&odd(6, 100)).is_ok(), "94 of 100");
    for kind in [Kind::Category, Kind::Text, Kind::Identifier] {
        assert!(fit(&table.clone().with_kind("v", kind).unwrap()).is_ok());
    }
    // An identifier that is left out, or a target that would have had a hundred classes.
    let distinct = beside((0..40).map(|i| if i == 3 { "abc".to_owned() } else { format!("{i}.25") }));
    says(fit(&distinct), &["line 5: `abc` of `v` is not a number"]);
    let message = Preprocess::target("v").fit(&table).unwrap_err().to_string();
    assert!(message.contains("`abc` of `v`") && !message.contains("--drop"), "{message}");
    says(Preprocess::target("v").task_for(&table), &["`abc` of `v` is not a number"]);
    let options = ReadOptions::default().missing(["abc"]);
    let lines: String =
        (0..100).map(|i| format!("{},{}\n", if i == 9 { "abc".into() } else { i.to_string() }, i % 2)).collect();
    assert!(Preprocess::target("y").fit(&dated(&format!("v,y\n{lines}"), &options)).is_ok());
}

#[test]
fn one_cell_does_not_make_a_column_of_dates_one_of_words() {
    let dates = |odd: &str| {
        let date = |i: usize| format!("{:02}/{:02}/2020", i % 12 + 1, i % 28 + 1);
        Preprocess::target("y").fit(&beside((0..60).map(|i| if i == 30 { odd.to_owned() } else { date(i) })))
    };
    says(
        dates("soon"),
        &["line 32: `soon` of `v` is not a date of the form mm/dd/yyyy, though 59 of its 60 cells are"],
    );
    says(dates("31/12/2020"), &["line 32: `31/12/2020` of `v` is not a date of the form mm/dd/yyyy"]);
    assert!(dates("12/31/2020").is_ok());
    let offsets = (0..30).map(|i| format!("2020-01-{:02}T10:00{}", i % 28 + 1, if i == 20 { "" } else { "Z" }));
    says(Preprocess::target("y").fit(&beside(offsets)), &["line 22", "an offset from UTC"]);
}

#[test]
fn numbers_in_other_dress_are_not_taken_for_words() {
    let fit = |cell: &dyn Fn(usize) -> String| Preprocess::target("y").fit(&beside((0..60).map(cell)));
    for (cell, expected) in [
        (
            &(|i| format!("$1,{i:03}.50")) as &dyn Fn(usize) -> String,
            "`$1,000.50` of `v` has a currency sign and thousands separators; write plain numbers, such as `1000.50`, leave the column out (--drop v)",
        ),
        (&|i| format!("{i}%"), "`0%` of `v` has a percent sign"),
        (&|i| format!("{} 000", i + 1), "`1 000` of `v` has thousands separators"),
        (&|i| format!("\u{2212}{i}.5"), "a minus sign that is no hyphen"),
        (&|i| format!("{i} kg"), "`0 kg` of `v` has the unit `kg`"),
        (
            &|i| if i % 20 == 7 { format!("1,{i:03}") } else { i.to_string() },
            "`1,007` of `v` is not a number, though 57 of its 60 cells are; write it as `1007`, declare",
        ),
        (
            &|i| if i % 10 == 7 { format!("1,{i:03}") } else { format!("{i}.5") },
            "`1,007` of `v` has thousands separators",
        ),
    ] {
        says(fit(cell), &["line ", expected]);
        let table = beside((0..60).map(cell));
        says(Preprocess::target("v").fit(&table), &["of `v`", "or take it as a category"]);
        assert!(Preprocess::target("y").fit(&table.with_kind("v", Kind::Category).unwrap()).is_ok());
    }
    // Not of one unit, or no amounts at all.
    assert!(fit(&|i| format!("{}{}", i % 9, ["a", "b", "c"][i % 3])).is_ok());
    assert!(fit(&|i| ["low", "high", "5 or more"][i % 3].to_owned()).is_ok());
    says(
        beside((0..60).map(|i| format!("{i} kg"))).with_kind("v", Kind::Number),
        &["line 2: `v`: `0 kg` is not a number: it has the unit `kg`; write `0`"],
    );
}

#[test]
fn one_word_among_many_numbers_may_be_in_half_of_the_cells() {
    let mixed = |words: &[&str], share: usize| {
        let cell = |i: usize| if i % 10 < share { words[i % words.len()].to_owned() } else { format!("{}.5", i % 47) };
        Preprocess::target("y").fit(&beside((0..100).map(cell)))
    };
    says(mixed(&["k.A."], 4), &["`k.A.` of `v` is not a number, though 60 of its 100 cells are", "(--missing k.A.)"]);
    assert!(mixed(&["k.A."], 6).is_ok() && mixed(&["low", "high", "none"], 4).is_ok());
    let few = |i: usize| if i % 10 < 4 { "5+".to_owned() } else { (i % 5).to_string() };
    assert!(Preprocess::target("y").fit(&beside((0..100).map(few))).is_ok(), "levels, not numbers");
}
