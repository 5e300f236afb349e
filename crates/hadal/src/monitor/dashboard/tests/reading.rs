use std::path::PathBuf;

use super::*;
use crate::Tensor;
use crate::monitor::tensorboard::Log;

/// Waits until the events files of run 0 have been read.
pub(super) fn read_events(server: &Server) {
    get(server, "/api/runs").json();
    wait_for(server, "/api/tags?runs=0", |tags| tags["pending"] == 0);
}

pub(super) fn points(answer: &serde_json::Value) -> (Vec<f64>, Vec<f64>) {
    let column = |name: &str| {
        let numbers = answer["points"][name].as_array().unwrap().iter();
        numbers.map(|number| number.as_f64().unwrap_or(f64::NAN)).collect()
    };
    (column("x"), column("y"))
}

/// Ten steps of a curve, a histogram, an image and a text.
fn write_events(folder: &std::path::Path) -> PathBuf {
    let mut log = Log::open(folder).unwrap();
    for step in 1..=10 {
        log.step(step).scalar("loss/batch", 1.0 / step as f64).unwrap();
    }
    log.histogram("weights/0", &Tensor::from([0.0, 1.0, 2.0])).unwrap();
    log.image("samples", &Tensor::zeros([4, 4])).unwrap();
    log.text("summary", "<script>alert(1)</script>").unwrap();
    log.path().to_owned()
}

#[test]
fn histories_are_drawn_by_step_epoch_and_time() {
    let folder = tempfile::tempdir().unwrap();
    write_run(&folder.path().join("first"), 1, [0.5, 0.25]);
    let server = server(folder.path());
    read_events(&server);
    for (x, expected) in [("step", [10.0, 20.0]), ("epoch", [1.0, 2.0]), ("time", [2.0, 6.0])] {
        let answer = get(&server, &format!("/api/scalars?tag=loss&runs=0&x={x}")).json();
        assert_eq!(answer["curves"][0]["axis"], x);
        assert_eq!(points(&answer["curves"][0]), (expected.to_vec(), vec![0.5, 0.25]), "{x}");
    }
    let speed = get(&server, "/api/scalars?tag=samples_per_second&runs=0&x=epoch").json();
    assert_eq!(points(&speed["curves"][0]).1, [50.0, 25.0]);
    let tags = get(&server, "/api/tags?runs=0").json();
    let names = ["epoch_seconds", "learning_rate", "loss", "samples_per_second", "val_loss"];
    assert_eq!(tags["scalars"], serde_json::json!(names));
}

#[test]
fn an_epoch_that_took_no_time_has_no_speed() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("fast");
    write_run(&run, 1, [0.5, 0.25]);
    std::fs::write(run.join("timing.csv"), "epoch,seconds\n1,0.000\n2,4.000\n").unwrap();
    let server = server(folder.path());
    read_events(&server);
    let speed = get(&server, "/api/scalars?tag=samples_per_second&runs=0&x=epoch").json();
    assert_eq!(points(&speed["curves"][0]), (vec![2.0], vec![25.0]));
    assert_eq!(speed["curves"][0]["not_finite_count"], 0);
}

#[test]
fn groups_have_mean_and_spread() {
    let folder = tempfile::tempdir().unwrap();
    write_run(&folder.path().join("a"), 1, [1.0, 3.0]);
    write_run(&folder.path().join("b"), 2, [2.0, 7.0]);
    write_run(&folder.path().join("c"), 3, [3.0, 5.0]);
    let server = server(folder.path());
    get(&server, "/api/runs").json();
    let answer = get(&server, "/api/scalars?tag=loss&x=epoch&groups=0,1,2;0").json();
    let group = &answer["groups"][0];
    assert_eq!((&group["x"], &group["mean"]), (&serde_json::json!([1.0, 2.0]), &serde_json::json!([2.0, 5.0])));
    assert_eq!((&group["std"], &group["count"]), (&serde_json::json!([1.0, 2.0]), &serde_json::json!([3, 3])));
    assert_eq!(answer["groups"][1]["std"], serde_json::json!([0.0, 0.0]));
}

#[test]
fn an_events_file_cut_at_any_byte_is_shown_as_far_as_it_goes() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("first");
    let path = write_events(&run);
    let whole = std::fs::read(&path).unwrap();
    let mut last = 0;
    for cut in (0..=whole.len()).step_by(7).chain([whole.len()]) {
        std::fs::write(&path, &whole[..cut]).unwrap();
        let mut events = super::super::events::Events::new(&run);
        events.follow(&[path.file_name().unwrap().to_str().unwrap().to_owned()]);
        let count = events.scalars.get("loss/batch").map_or(0, |series| series.len());
        assert!(count >= last && count <= 10);
        last = count;
        // The rest is read when it comes.
        std::fs::write(&path, &whole).unwrap();
        events.follow(&[path.file_name().unwrap().to_str().unwrap().to_owned()]);
        assert_eq!(events.scalars["loss/batch"].len(), 10, "cut at {cut}");
        assert_eq!(events.faults().count(), 0);
    }
}

#[test]
fn a_damaged_events_file_is_shown_up_to_there_with_a_note() {
    let folder = tempfile::tempdir().unwrap();
    let path = write_events(&folder.path().join("first"));
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[200] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let server = server(folder.path());
    read_events(&server);
    let notes = get(&server, "/api/runs").json()["runs"][0]["notes"].clone();
    let note = notes[0].as_str().unwrap();
    assert!(note.contains("tfevents") && note.contains(", at byte ") && note.contains("is damaged"), "{note}");
    let answer = get(&server, "/api/scalars?tag=loss/batch&runs=0&x=step").json();
    let count = points(&answer["curves"][0]).0.len();
    assert!(count > 0 && count < 10, "{count}");
}

#[test]
fn histograms_images_and_texts_are_read_where_they_stand() {
    let folder = tempfile::tempdir().unwrap();
    write_events(&folder.path().join("first"));
    let server = server(folder.path());
    read_events(&server);
    let histograms = get(&server, "/api/histograms?run=0&tag=weights/0").json();
    assert_eq!(histograms["steps"], serde_json::json!([10]));
    let counts = histograms["counts"][0].as_array().unwrap();
    assert_eq!(counts.iter().map(|count| count.as_f64().unwrap()).sum::<f64>(), 3.0);
    assert_eq!(histograms["edges"][0].as_array().unwrap().len(), counts.len() + 1);
    assert_eq!(get(&server, "/api/images?run=0&tag=samples").json(), serde_json::json!([10]));
    let image = get(&server, "/api/image?run=0&tag=samples&index=0");
    assert!(image.head.contains("content-type: image/png") && image.body.starts_with(b"\x89PNG"));
    assert_eq!(get(&server, "/api/image?run=0&tag=samples&index=1").status, 400);
    let text = get(&server, "/api/text?run=0&tag=summary");
    assert!(text.head.contains("content-type: application/json"));
    let paragraph = serde_json::json!([{"kind": "p", "children": ["<script>alert(1)</script>"]}]);
    assert_eq!(text.json(), paragraph, "markup is text");
}

#[test]
fn a_run_that_went_on_from_a_checkpoint_has_each_step_once() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("first");
    write_events(&run);
    let mut log = Log::open(&run).unwrap();
    log.purge_from(6);
    for step in 6..=7 {
        log.step(step).scalar("loss/batch", f64::NAN).unwrap();
    }
    drop(log);
    let server = server(folder.path());
    read_events(&server);
    let answer = get(&server, "/api/scalars?tag=loss/batch&runs=0&x=step").json();
    let (x, y) = points(&answer["curves"][0]);
    assert_eq!(x, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]);
    assert!(y[4] == f64::from(0.2f32) && y[5].is_nan());
    assert_eq!(
        (&answer["curves"][0]["not_finite"], &answer["curves"][0]["not_finite_count"]),
        (&serde_json::json!([6.0, 7.0]), &2.into())
    );
    // Epochs are not known here.
    let answer = get(&server, "/api/scalars?tag=loss/batch&runs=0&x=epoch").json();
    assert_eq!(answer["curves"][0]["axis"], "step");
}

#[test]
fn what_is_half_written_or_of_another_version_is_noted() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("first");
    write_run(&run, 1, [0.5, 0.4]);
    std::fs::write(run.join("summary.json"), "{\"epochs\": 2,").unwrap();
    std::fs::write(run.join("config.toml"), "[training\nseed").unwrap();
    std::fs::write(run.join("history.csv"), "epoch,loss\n1,0.5\n2,0.4,7\n").unwrap();
    std::fs::write(run.join("timing.csv"), [0xff, 0xfe, 0, b'\n', 1, b'\n']).unwrap();
    let server = server(folder.path());
    let list = get(&server, "/api/runs").json();
    let notes: Vec<&str> =
        list["runs"][0]["notes"].as_array().unwrap().iter().map(|note| note.as_str().unwrap()).collect();
    for part in ["config.toml: ", "summary.json: EOF", "history.csv: a line after byte 17 has 3 fields, not 2"] {
        assert!(notes.iter().any(|note| note.starts_with(part)), "{part} in {notes:?}");
    }
    assert_eq!(list["runs"][0]["epochs"], 1.0);
    // It is mended, and the notes go.
    write_run(&run, 1, [0.5, 0.4]);
    let list = wait_for(&server, "/api/runs?since=0", |list| list["runs"][0]["notes"] == serde_json::json!([]));
    assert_eq!((&list["runs"][0]["epochs"], &list["runs"][0]["settings"]["training.seed"]), (&2.0.into(), &"1".into()));
}

#[test]
fn names_are_data_whatever_is_in_them() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["a <b>\"x\"</b> \u{1F40B}", "'; DROP TABLE runs; --", "<script>alert(1)<", "&amp;%00", "..."] {
        write_run(&folder.path().join(name), 1, [0.5, 0.4]);
    }
    write_run(&folder.path().join(".hidden"), 1, [0.5, 0.4]);
    let server = server(folder.path());
    let list = get(&server, "/api/runs");
    assert!(list.head.contains("content-type: application/json"));
    let mut names: Vec<String> =
        list.json()["runs"].as_array().unwrap().iter().map(|run| run["name"].as_str().unwrap().to_owned()).collect();
    names.sort();
    // `</b>` is a folder within a folder.
    assert_eq!(names, ["&amp;%00", "'; DROP TABLE runs; --", "<script>alert(1)<", "a <b>\"x\"</b> \u{1F40B}"]);
}

#[test]
fn runs_come_and_go() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(folder.path());
    assert_eq!(get(&server, "/api/runs").json()["runs"], serde_json::json!([]));
    write_run(&folder.path().join("search/trial-1"), 1, [0.5, 0.4]);
    let list = wait_for(&server, "/api/runs", |list| list["runs"][0]["name"] == "search/trial-1");
    assert_eq!(list["runs"][0]["is_gone"], false);
    std::fs::remove_dir_all(folder.path().join("search")).unwrap();
    wait_for(&server, "/api/runs", |list| list["runs"][0]["is_gone"] == true);
    write_run(&folder.path().join("search/trial-1"), 1, [0.5, 0.4]);
    wait_for(&server, "/api/runs", |list| list["runs"][0]["is_gone"] == false);
    let missing = super::server(&folder.path().join("nowhere"));
    let notes = get(&missing, "/api/runs").json()["notes"].clone();
    assert!(notes[0].as_str().unwrap().contains("nowhere is not there"), "{notes}");
}
