//! Tables: what is found in real ones, what becomes of bad ones, and the numbers that a model is given.

use hadal::Result;
use hadal::data::{Encoder, Kind, Preprocess, ReadOptions, Table};
use hadal::prelude::*;
use proptest::prelude::*;

use super::{contains, says};

pub(super) fn read(text: &str) -> Result<Table> {
    bytes(text.as_bytes())
}

fn bytes(bytes: &[u8]) -> Result<Table> {
    Table::from_reader("t.csv", bytes, &ReadOptions::default())
}

fn kind(text: &str, column: &str) -> Kind {
    read(text).unwrap().column(column).unwrap().kind()
}

/// The inputs of all rows, one row after another.
fn rows(encoder: &Encoder, table: &Table) -> Vec<Vec<f32>> {
    let inputs = encoder.inputs(table).unwrap().to_vec::<f32>();
    inputs.chunks(encoder.features()).map(<[f32]>::to_vec).collect()
}

fn real(name: &str) -> Option<Table> {
    let folder = std::env::var_os("HADAL_DATA_DIR").map(std::path::PathBuf::from);
    let file = folder.map(|folder| folder.join("tables").join(name)).filter(|file| file.is_file());
    if file.is_none() {
        println!("skipped: there is no tables/{name} in HADAL_DATA_DIR");
    }
    Some(Table::read(file?).unwrap())
}

#[test]
fn the_kinds_of_real_columns_are_what_a_person_would_say() {
    use Kind::{Category, Date, Number, Text, YesNo};
    type Kinds = &'static [(Kind, &'static [&'static str])];
    let expected: [(&str, Kinds); 7] = [
        (
            "titanic.csv",
            &[
                (YesNo, &["survived", "adult_male", "alive", "alone"]),
                (Number, &["pclass", "age", "sibsp", "parch", "fare"]),
                (Category, &["sex", "embarked", "class", "who", "deck", "embark_town"]),
            ],
        ),
        (
            "penguins.csv",
            &[
                (Category, &["species", "island", "sex"]),
                (Number, &["bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g"]),
            ],
        ),
        ("mpg.csv", &[(Text, &["name"]), (Category, &["origin"]), (Number, &["mpg", "horsepower", "model_year"])]),
        (
            "taxis.csv",
            &[
                (Date, &["pickup", "dropoff"]),
                (Number, &["passengers", "distance", "fare", "total"]),
                (Category, &["color", "payment", "pickup_zone", "dropoff_zone", "pickup_borough"]),
            ],
        ),
        (
            "tips.csv",
            &[(Number, &["total_bill", "tip", "size"]), (YesNo, &["smoker"]), (Category, &["sex", "day", "time"])],
        ),
        ("diamonds.csv", &[(Number, &["carat", "depth", "price", "x"]), (Category, &["cut", "color", "clarity"])]),
        ("iris.csv", &[(Number, &["sepal_length", "petal_width"]), (Category, &["species"])]),
    ];
    for (file, kinds) in expected {
        let Some(table) = real(file) else { return };
        for (kind, columns) in kinds {
            for column in *columns {
                assert_eq!(table.column(column).unwrap().kind(), *kind, "{file}: {column}");
            }
        }
    }
}

#[test]
fn the_titanic_goes_from_its_file_through_a_trained_and_a_loaded_model_with_the_same_bits() {
    let Some(all) = real("titanic.csv") else { return };
    assert!(all.column("deck").unwrap().missing() > 600);
    let leaks = Preprocess::target("survived").fit(&all).unwrap().leaks(&all).unwrap();
    assert_eq!(leaks.iter().map(|leak| leak.column.as_str()).collect::<Vec<_>>(), ["alive"]);
    let table = all.drop(["alive"]).unwrap();
    let encoder = Preprocess::target("survived").fit(&table).unwrap();
    assert_eq!((encoder.classes(), encoder.outputs()), (&["0".to_owned(), "1".to_owned()][..], 2));
    assert_eq!(encoder.inputs(&table).unwrap().shape(), &[891, encoder.features()]);
    let data = encoder.dataset(&table).unwrap();
    let network = encoder.network().seed(1).add(Dense::new(8).activation(Relu));
    let network = network.add(Dense::new(2).activation(Softmax));
    let mut trainer = network.compile(Adam::new(0.01), CategoricalCrossentropy, [Accuracy]).unwrap();
    trainer.fit(&data, Fit::epochs(1).quiet()).unwrap();
    let bits = |tensor: Tensor| tensor.to_vec::<f32>().into_iter().map(f32::to_bits).collect::<Vec<_>>();
    let predicted = bits(trainer.predict(&table).unwrap());
    assert_eq!(predicted, bits(trainer.predict(&data).unwrap()));
    let file = std::env::temp_dir().join(format!("hadal-tables-{}.model", std::process::id()));
    trainer.model.save(&file, &Default::default()).unwrap();
    let loaded = Sequential::load(&file);
    std::fs::remove_file(&file).unwrap();
    let loaded = loaded.unwrap().0.compile(Adam::new(0.01), CategoricalCrossentropy, [Accuracy]).unwrap();
    assert_eq!(predicted, bits(loaded.predict(&table).unwrap()));
}

#[test]
fn files_that_are_no_tables_say_what_and_where() {
    says(read("a,b\n1,2\n\n3\n"), &["t.csv", "line 4: has 1 field, but the header has 2: 3"]);
    says(read("a,b\r\n\"x\r\ny\",2\r\n1,2,3\r\n"), &["line 4: has 3 fields"]);
    says(read("a\tb\n1\t2\n\t\n3\n"), &["line 4: has 1 field"]);
    says(read("a,b\n1,2\n  \n"), &["line 3: has 1 field"]);
    says(read(""), &["t.csv", "is empty"]);
    says(read("\u{feff} \n"), &["is empty"]);
    says(read("a,b\n"), &["a header, but no rows"]);
    says(read("a,b,a\n1,2,3\n"), &["columns 1 and 3 are both called `a`"]);
    says(read(",,\nx,2,3\n"), &["t.csv: the header has no names of columns"]);
    says(bytes(b"a,b\n1,caf\xe9\n"), &["line 2", "0xe9", "UTF-8"]);
    says(bytes(b"a,b\n1,\0\n"), &["line 2", "byte of 0"]);
    says(bytes(b"\xff\xfea\0"), &["UTF-16"]);
    says(bytes(&[b"PK\x03\x04", &[b'.'; 26][..], b"xl/workbook.xml"].concat()), &["Excel", "the sheet as CSV"]);
    says(bytes(b"PK\x03\x04...."), &["ZIP archive", "unpack it"]);
    says(bytes(b"PAR1...."), &["Parquet"]);
    says(bytes(b"\x89PNG\r\n\x1a\n"), &["PNG image"]);
    says(bytes(b"\x1f\x8bnothing"), &["damaged gzip"]);
    says(Table::read(std::env::temp_dir()), &["is a folder, not a regular file"]);
    let wide = "1,".repeat(10_000_000);
    says(read(&wide), &["line 1: has 10000001 fields, more than the 65536"]);
    let header: Vec<String> = (0..65_536).map(|i| format!("c{i}")).collect();
    let row = vec!["1"; 65_536].join(",");
    assert_eq!(read(&format!("{}\n{row}\n", header.join(","))).unwrap().columns().len(), 65_536);
}

#[test]
fn a_quote_that_nothing_closes_is_named_by_its_line_and_no_other_is() {
    says(read("a,b\n1,\"x\n2,y\n3,z\n"), &["line 2: a quote is opened and never closed"]);
    says(read("a,b\n1,\"x\ny\"\n2,\"z\n"), &["line 4: a quote"]);
    for last in ["\"x\ny\"", "5\" disk", "say (\"hello", "Café\"", "\"a \"\"b\"\"\"", "'s", "\"x\""] {
        let table = read(&format!("a,b\n1,x\n2,{last}")).unwrap_or_else(|error| panic!("{last}: {error}"));
        assert_eq!((table.rows(), table.line(1)), (2, 3), "{last}");
    }
}

#[test]
fn how_a_file_is_written_is_found_out() {
    for delimiter in [",", ";", "\t", "|"] {
        let text = format!("\u{feff}a{delimiter}b\r\n\"x,;|y\"{delimiter}2\r\nz{delimiter}3\r\n");
        let table = read(&text).unwrap();
        assert_eq!((table.column_names(), table.column("b").unwrap().numbers()), (vec!["a", "b"], vec![2.0, 3.0]));
        assert_eq!((table.column("a").unwrap().cell(0), table.line(1)), ("x,;|y", 3));
    }
    let comma = read("a;b\n1,5;x\n-2,25;y\n").unwrap();
    assert_eq!(comma.column("a").unwrap().numbers(), [1.5, -2.25]);
    assert!(comma.to_string().contains("2 rows x 2 columns") && comma.dialect().to_string().contains("decimal comma"));
    assert_eq!(read("1,2\n3,4\n").unwrap().column_names(), ["column_1", "column_2"]);
    assert_eq!(read("a\n1\n2\n").unwrap().column("a").unwrap().numbers(), [1.0, 2.0]);
    let blank = read("\n\na,b\n\n1,2\n\n\n3,4\n").unwrap();
    assert_eq!((blank.line(0), blank.line(1)), (5, 8));
}

#[test]
fn what_does_not_fit_a_column_is_named_by_line_and_value() {
    let table = read("age,who\n1,x\nabc,y\n").unwrap();
    says(table.column("agee"), &["no column `agee`", "did you mean `age`?"]);
    says(table.clone().with_kind("age", Kind::Number), &["line 3", "`age`", "`abc` is not a number"]);
    says(table.clone().with_kind("age", Kind::Date), &["line 2", "`1` is not a date"]);
    let train = read("x,y\n1,a\n2,b\n3,a\n4,b\n").unwrap();
    let encoder = Preprocess::target("y").fit(&train).unwrap();
    says(encoder.inputs(&read("x\n1\n1.5.2\n").unwrap()), &["line 3", "`x`", "`1.5.2`"]);
    says(encoder.inputs(&read("z\n1\n").unwrap()), &["needs the column `x`", "the table has z"]);
    says(encoder.dataset(&read("x,y\n1,a\n2,c\n").unwrap()), &["line 3", "`c` of `y` was never seen", "a, b"]);
    says(encoder.dataset(&read("x,y\n1,\n2,\n").unwrap()), &["`y` is missing in all rows"]);
    assert_eq!(encoder.dataset(&read("x,y\n1,a\n2,\n").unwrap()).unwrap().len(), 1);
    says(Preprocess::target("y").fit(&read("x,y\n1,a\n2,a\n").unwrap()), &["`y` is `a` in all rows"]);
    says(Preprocess::target("y").fit(&read("x,y\n5,a\n5,b\n").unwrap()), &["no column is left", "`x` is constant"]);
}

#[test]
fn numbers_are_standardized_with_gaps_at_the_median_and_drawn_in_softly() {
    let soft = |z: f64| (z / (1.0 + (z / 3.0).powi(2)).sqrt()) as f32;
    // The median of 1, 2, 4 and 9 is 3; mean and population standard deviation are those of 1, 2, 4, 9 and 3.
    let table = read("x,y\n1,a\n2,b\n4,a\n9,b\n,a\n").unwrap();
    let encoder = Preprocess::target("y").fit(&table).unwrap();
    let (mean, std) = (3.8, 7.76f64.sqrt());
    for (row, (x, gap)) in
        rows(&encoder, &table).iter().zip([(1.0, 0.0), (2.0, 0.0), (4.0, 0.0), (9.0, 0.0), (3.0, 1.0)])
    {
        assert!((row[0] - soft((x - mean) / std)).abs() < 1e-6, "{row:?}");
        assert_eq!(row[1], gap);
    }
    let far = rows(&encoder, &read("x\n1e300\n-1e300\n").unwrap());
    assert_eq!((far[0][0], far[1][0]), (3.0, -3.0));
    let odd = read("x,y\n1,a\n2,b\n9,a\n").unwrap();
    let encoder = Preprocess::target("y").fit(&odd).unwrap();
    assert!((rows(&encoder, &odd)[1][0] - soft(-2.0 / (38.0f64 / 3.0).sqrt())).abs() < 1e-6);
}

#[test]
fn levels_have_a_place_each_and_many_have_an_index() {
    let table = read("c,y\nred,a\nblue,b\nred,a\nblue,b\n").unwrap();
    let encoder = Preprocess::target("y").fit(&table).unwrap();
    assert_eq!(rows(&encoder, &table)[..2], [[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]);
    assert_eq!(rows(&encoder, &read("c\ngreen\n").unwrap()), [[0.0; 3]]);
    let text: String = (0..68).map(|i| format!("w{:02},{}\n", i % 17, if i % 3 == 0 { "a" } else { "b" })).collect();
    let many = read(&format!("c,y\n{text}")).unwrap();
    let encoder = Preprocess::target("y").fit(&many).unwrap();
    assert_eq!(rows(&encoder, &read("c\nw00\nw16\nnew\n").unwrap()), [[0.0], [16.0], [17.0]]);
}

#[test]
fn dates_are_read_as_in_training_and_may_all_be_missing() {
    let train = read("d,y\n13/04/2020,a\n01/02/2020,b\n,a\n05/06/2020,b\n").unwrap();
    assert_eq!(kind("d\n13/04/2020\n01/02/2020\n", "d"), Kind::Date);
    let encoder = Preprocess::target("y").fit(&train).unwrap();
    assert_eq!(rows(&encoder, &read("d\n01/02/2020\n").unwrap())[0], rows(&encoder, &train)[1]);
    let gap = read("d,y\n,a\n,b\n").unwrap();
    assert_eq!(rows(&encoder, &gap)[0], rows(&encoder, &train)[2]);
    says(encoder.inputs(&read("d\n13/05/2020\nsoon\n").unwrap()), &["line 3", "`soon` is not a date", "dd/mm/yyyy"]);
}

pub(super) fn dated(text: &str, options: &ReadOptions) -> Table {
    Table::from_reader("t.csv", text.as_bytes(), options).unwrap()
}

#[test]
fn words_for_yes_and_no_may_be_mixed_and_letters_of_several_pairs_are_codes() {
    let of = |cells: [&str; 6]| kind(&format!("x,y\n{}\n", cells.map(|cell| format!("{cell},1")).join("\n")), "x");
    assert_eq!(of(["Y", "N", "yes", "no", "TRUE", "0"]), Kind::YesNo);
    assert_eq!(of(["yes", "No", "", "1", "off", "on"]), Kind::YesNo);
    assert_eq!(of(["N", "T", "F", "N", "T", "F"]), Kind::Category);
    assert_eq!(of(["yes", "no", "maybe", "yes", "no", "yes"]), Kind::Category);
    assert_eq!(of(["no", "n", "false", "no", "N", "f"]), Kind::Category);
}

#[test]
fn dates_are_read_by_the_format_of_training_whatever_stands_beside_them() {
    let us = read("d,y\n05/02/2020,a\n12/31/2020,b\n07/08/2020,a\n").unwrap();
    let encoder = Preprocess::target("y").fit(&us).unwrap();
    let alone = rows(&encoder, &read("d\n05/02/2020\n").unwrap());
    assert_eq!(rows(&encoder, &read("d\n05/02/2020\n05/31/2020\n").unwrap())[0], alone[0]);
    says(
        encoder.inputs(&read("d\n05/02/2020\n31/05/2020\n").unwrap()),
        &["t.csv: line 3: `d`: `31/05/2020` is not a date of the form mm/dd/yyyy, as those in training are"],
    );
    says(
        encoder.inputs(&read("d\n2020-05-02\n").unwrap()),
        &["line 2", "`2020-05-02` is not a date of the form mm/dd/yyyy"],
    );
    says(encoder.inputs(&read("d\n05/02/2020 10:00Z\n05/02/2020 10:00\n").unwrap()), &["line 3", "no offset from UTC"]);
}

#[test]
fn the_day_is_first_where_it_is_told_and_the_report_says_how_dates_are_written() {
    let text = "d,y\n05/02/2020,a\n07/08/2020,b\n";
    for (options, range) in [
        (ReadOptions::default(), "2020-05-02 to 2020-07-08, written month/day/year"),
        (ReadOptions::default().day_first(true), "2020-02-05 to 2020-08-07, written day/month/year"),
    ] {
        let table = dated(text, &options);
        let encoder = Preprocess::target("y").fit(&table).unwrap();
        contains(&encoder.report(&table).to_string(), &[range]);
        // The model keeps the format; how a new table is read does not matter.
        let new = [ReadOptions::default(), ReadOptions::default().day_first(true)].map(|new| dated(text, &new));
        assert_eq!(rows(&encoder, &new[0]), rows(&encoder, &new[1]));
    }
    let times = read("t,y\n07:45,a\n18:30,b\n09:00,a\n").unwrap();
    let report = Preprocess::target("y").fit(&times).unwrap().report(&times).to_string();
    assert!(report.contains("07:45:00 to 18:30:00") && !report.contains("1970"), "{report}");
}

#[test]
fn declared_words_are_missing() {
    let text = "x,y\n1,a\n unknown ,b\n-999,a\n-9990,b\n";
    let table = dated(text, &ReadOptions::default().missing(["unknown"]).missing(["-999"]));
    let x = table.column("x").unwrap();
    assert_eq!((x.kind(), x.missing(), x.numbers()[3]), (Kind::Number, 2, -9990.0));
    assert_eq!(
        dated("x,y\nUnknown,1\n", &ReadOptions::default().missing(["unknown"])).column("x").unwrap().missing(),
        0
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_cells_are_encoded_as_finite_numbers_and_row_by_row(
        cells in proptest::collection::vec("|x|-?[0-9]{1,3}(\\.[0-9])?(e-?[0-9]{1,3})?|[a-c]|20[0-9]{2}-0[1-9]-1[0-9]", 4..40),
        numbers in proptest::collection::vec(any::<f64>().prop_filter("finite", |x| x.is_finite()), 40),
    ) {
        let count = cells.len();
        let labels = (0..count).map(|i| ["a", "b"][i % 2].to_owned()).collect();
        let numbers = numbers[..count].iter().map(f64::to_string).collect();
        let table = Table::from_columns("t", [("c", cells), ("n", numbers), ("y", labels)]).unwrap();
        let encoder = Preprocess::target("y").fit(&table).unwrap();
        let encoded = rows(&encoder, &table);
        prop_assert!(encoded.iter().flatten().all(|x| x.is_finite()));
        let order: Vec<usize> = (0..count).rev().step_by(2).collect();
        let taken: Vec<Vec<f32>> = order.iter().map(|&row| encoded[row].clone()).collect();
        prop_assert_eq!(rows(&encoder, &table.take_rows(&order)), taken);
    }
}

#[test]
fn reports_say_what_becomes_of_columns() {
    let table = read("x,k,y\n1,5,a\n2,5,b\n,5,a\n").unwrap();
    let encoder = Preprocess::target("y").fit(&table).unwrap();
    contains(
        &encoder.report(&table).to_string(),
        &["left out: constant", "gaps marked", "target: 2 classes", "1 (33.3%)"],
    );
}

#[test]
fn a_quote_that_would_swallow_rows_is_refused_and_quoted_lines_are_not() {
    let read = |text: &str| Table::from_reader("t", text.as_bytes(), &ReadOptions::default());
    let message = read("a,b\n1,x\n3,\"x\n5,6\n7,\"y\"\n8,z\n").unwrap_err().to_string();
    assert!(message.contains("line 3: a quote is opened and not closed before the text in line 5"), "{message}");
    let table = read("a,b\n1,\"x\ny \"\"z\"\"\"\n2,w\n").unwrap();
    assert_eq!(table.column("b").unwrap().cell(0), "x\ny \"z\"");
    assert_eq!(table.line(1), 4);
}

#[test]
fn lines_that_end_as_on_old_macs_are_counted() {
    let read = |text: &str| Table::from_reader("t", text.as_bytes(), &ReadOptions::default());
    let table = read("a,b\r1,2\r3,4\r").unwrap();
    assert_eq!((table.rows(), table.line(0), table.line(1)), (2, 2, 3));
    let message = read("a,b\r1,2\r3\r").unwrap_err().to_string();
    assert!(message.contains("line 3: has 1 field"), "{message}");
}

#[test]
fn the_spelling_of_yes_and_no_does_not_matter() {
    let table = |cells: &[&str]| {
        let column = |cells: &[&str]| cells.iter().map(|cell| (*cell).to_owned()).collect::<Vec<_>>();
        let x = (0..cells.len()).map(|row| (row as f64 * 1.5).to_string()).collect();
        Table::from_columns("t", [("x", x), ("flag", column(cells)), ("target", column(cells))]).unwrap()
    };
    let train = table(&["Yes", "no", "NO", "yes"]);
    assert_eq!(train.column("flag").unwrap().levels().len(), 2);
    let encoder = Preprocess::target("target").fit(&train).unwrap();
    assert_eq!(encoder.classes().len(), 2);
    let (a, b) = (encoder.dataset(&train).unwrap(), encoder.dataset(&table(&["YES", "No", "no", "yES"])).unwrap());
    assert_eq!(a.inputs().to_vec::<f32>(), b.inputs().to_vec::<f32>());
    assert_eq!(a.targets().to_vec::<i64>(), b.targets().to_vec::<i64>());
}

#[test]
fn yes_and_no_are_the_same_in_all_words() {
    let train = read("flag,x,y\nTRUE,1.5,yes\nFALSE,2.5,no\nTRUE,3.5,yes\nFALSE,4.5,no\n").unwrap();
    let encoder = Preprocess::target("y").fit(&train).unwrap();
    let expected = encoder.dataset(&train.take_rows(&[0, 1])).unwrap();
    for (yes, no) in [("1", "0"), ("1.0", "0.0"), ("yes", "no"), ("Y", "N"), ("true", "off"), ("T", "False")] {
        let data = encoder.dataset(&read(&format!("flag,x,y\n{yes},1.5,{yes}\n{no},2.5,{no}\n")).unwrap()).unwrap();
        assert_eq!(data.inputs().to_vec::<f32>(), expected.inputs().to_vec::<f32>(), "{yes}");
        assert_eq!(data.targets().to_vec::<i64>(), expected.targets().to_vec::<i64>(), "{yes}");
        // One row alone, whose kind cannot be seen.
        let one = rows(&encoder, &read(&format!("flag,x\n{yes},1.5\n")).unwrap());
        assert_eq!(one.concat(), expected.inputs().to_vec::<f32>()[..encoder.features()], "{yes}");
    }
    says(encoder.inputs(&read("flag,x\nmaybe,1\n").unwrap()), &["line 2: `flag`: `maybe` is neither yes nor no"]);
    says(encoder.dataset(&read("flag,x,y\n1,1,2\n").unwrap()), &["line 2", "the class `2` of `y` was never seen"]);
    // A yes that was there once in training is a level never seen, by all its names.
    let rare: String =
        (0..60).map(|i| format!("{},{}.5,{}\n", if i == 7 { "Yes" } else { "No" }, i % 9, i % 2)).collect();
    let encoder = Preprocess::target("y").fit(&read(&format!("flag,x,y\n{rare}")).unwrap()).unwrap();
    let written = |cell: &str| rows(&encoder, &read(&format!("flag,x\n{cell},1\n")).unwrap());
    assert_eq!((written("1"), written("0")), (written("Yes"), written("No")));
    assert_ne!(written("1"), written("0"));
    let mixed = read("flag\nyes\n1\nno\nFALSE\n").unwrap().with_kind("flag", Kind::YesNo).unwrap();
    assert_eq!(mixed.column("flag").unwrap().levels().len(), 2);
}

#[test]
fn a_row_without_a_target_has_no_say_in_what_columns_are() {
    let lines: String = (0..30).map(|i| format!("{}.5,{}\n", i * 7 % 11, ["a", "b"][i % 2])).collect();
    let table = read(&format!("x,y\n{lines}Total,\n")).unwrap();
    let preprocess = Preprocess::target("y");
    let rows = preprocess.rows_with_target(&table).unwrap();
    assert_eq!((rows.rows(), rows.column("x").unwrap().kind(), rows.line(29)), (30, Kind::Number, 31));
    assert_eq!(preprocess.fit(&rows).unwrap().features(), 1);
    let kept = preprocess.rows_with_target(&table.with_kind("x", Kind::Category).unwrap()).unwrap();
    assert_eq!(kept.column("x").unwrap().kind(), Kind::Category);
}

#[test]
fn a_target_of_distinct_numbers_is_a_regression_and_dates_are_no_target() {
    let lines: String = (1..=30).map(|i| format!("{}.5,{i}.0,2020-01-{:02}\n", i * 7 % 11, i % 28 + 1)).collect();
    let table = read(&format!("x,y,d\n{lines}")).unwrap();
    assert_eq!(table.column("y").unwrap().kind(), Kind::Identifier);
    let encoder = Preprocess::target("y").fit(&table).unwrap();
    assert_eq!((encoder.task(), encoder.outputs()), (hadal::data::Task::Regression, 1));
    let message = Preprocess::target("d").fit(&table).unwrap_err().to_string();
    assert!(message.contains("`d` is a date") && !message.contains("--as"), "{message}");
}

#[test]
fn real_tables_have_no_stray_cells() {
    for name in ["titanic", "penguins", "mpg", "taxis", "tips", "diamonds", "iris"] {
        let Some(table) = real(&format!("{name}.csv")) else { return };
        for target in table.column_names() {
            let message =
                Preprocess::target(target).fit(&table).map_or_else(|error| error.to_string(), |_| String::new());
            assert!(!message.contains("or take it as a category"), "{name}: {message}");
        }
    }
}

#[test]
fn one_outlier_does_not_make_all_others_equal() {
    let text = |last: &str| {
        let lines: String =
            (0..401).map(|i| format!("{:.2},{}\n", f64::from(i * 37 % 401) / 100.0 - 2.0, i % 2)).collect();
        format!("x,y\n{lines}{last},1\n")
    };
    let encode = |last: &str| {
        let table = read(&text(last)).unwrap();
        rows(&Preprocess::target("y").fit(&table).unwrap(), &table).concat()
    };
    let (usual, far, negative) = (encode("0.5"), encode("1e6"), encode("-1e6"));
    let spread = |x: &[f32]| x[..401].iter().fold(0.0f32, |most, x| most.max(x.abs()));
    // Clipped to 1 + 20 * 2 = 41, its share of the variance is 41^2 / 402 = 4.2, beside 1.3 of all others.
    for encoded in [&far, &negative] {
        assert!(spread(encoded) > 0.4 * spread(&usual), "{} of {}", spread(encoded), spread(&usual));
    }
    assert!(far[401] > 2.9 && negative[401] < -2.9, "still far away");
    // Where half of all numbers are equal, there is no width to tell outliers by.
    let zeros: String = (0..40).map(|i| format!("{},{}\n", if i % 10 == 0 { "1000" } else { "0" }, i % 2)).collect();
    let table = read(&format!("x,y\n{zeros}")).unwrap();
    let encoded = rows(&Preprocess::target("y").fit(&table).unwrap(), &table).concat();
    assert!((encoded[0] - 3.0 / 2.0f32.sqrt()).abs() < 1e-5, "mean 100, std 300: {}", encoded[0]);
}

#[test]
fn a_column_without_a_name_is_called_by_its_place() {
    let table = read(",x,\n0,1.5,\n1,2.5,\n2,3.5,\n").unwrap();
    assert_eq!(table.column_names(), ["column 1", "x", "column 3"]);
    assert_eq!(table.column("column 1").unwrap().kind(), Kind::Identifier);
    assert_eq!(kind("Unnamed: 0,x\n7,1\n3,2\n", "Unnamed: 0"), Kind::Identifier);
    assert_eq!(kind("column 1,x\n0,1\n2,2\n", "column 1"), Kind::Number, "a name of its own");
    assert_eq!(kind(",x\n0.5,1\n0.7,2\n", "column 1"), Kind::Number);
    let table = read(",x,y\n0,1.5,a\n1,2.5,b\n2,3.5,\n3,4.5,b\n").unwrap();
    let rows = Preprocess::target("y").rows_with_target(&table).unwrap();
    assert_eq!(Preprocess::target("y").fit(&rows).unwrap().input_columns(), ["x"]);
    says(read(",x,x\n1,2,3\n"), &["columns 2 and 3 are both called `x`"]);
}

#[test]
fn what_is_shown_of_a_table_stays_on_its_lines() {
    let table = read("\"a\nb\",y\n\"x\ny\",\nz,3.0583841\n\"x\ny\",0.5\n").unwrap();
    let shown = table.to_string();
    contains(&shown, &["a\\nb", "missing", "x y"]);
    assert_eq!(shown.lines().count(), 6, "{shown}");
    let rows = Preprocess::target("y").rows_with_target(&table).unwrap();
    let report = Preprocess::target("y").fit(&rows).unwrap().report(&rows).to_string();
    contains(&report, &["a\\nb", "x\\ny", "0.5 to 3.05838"]);
    assert_eq!(report.lines().count(), 3, "{report}");
}
