//! What is kept of long files, and what becomes of it when those or it itself are not what they were.

use std::path::{Path, PathBuf};

use super::super::cache::Cache;
use super::super::events::Events;
use super::super::history::Table;
use super::reading::{points, read_events};
use super::*;
use crate::monitor::tensorboard::Log;

const COUNT: usize = 120_000;

/// A curve that is different everywhere, with a NaN now and then.
fn value(step: usize) -> f64 {
    if step % 1000 == 7 { f64::NAN } else { f64::from(((step * 7919 % 10007) as f32 / 1000.0).sin()) }
}

/// An events file of a long curve; its path and, as it is asked for, its name.
fn write_long(run: &Path) -> (PathBuf, [String; 1]) {
    let mut log = Log::open(run).unwrap();
    for step in 1..=COUNT {
        log.step(step).scalar("loss/batch", value(step)).unwrap();
    }
    log.text("summary", "text").unwrap();
    let path = log.path().to_owned();
    let name = path.file_name().unwrap().to_str().unwrap().to_owned();
    (path, [name])
}

/// The steps and values of all points, as bits.
fn all(events: &mut Events) -> crate::Result<Vec<(u64, u64, u64)>> {
    let all = events.scalars.get_mut("loss/batch").unwrap().load()?;
    let bits = all.at.iter().zip(&all.time).zip(&all.value);
    Ok(bits.map(|((at, time), value)| (at.to_bits(), time.to_bits(), value.to_bits())).collect())
}

#[test]
fn what_was_read_of_long_files_is_kept_and_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("first");
    let (path, names) = write_long(&run);
    let mut events = Events::new(&run);
    events.follow(&names);
    let bytes = events.take_to_keep().unwrap();
    assert!(events.take_to_keep().is_none(), "nothing is new");
    let kept = folder.path().join("kept");
    std::fs::write(&kept, &bytes).unwrap();
    let mut again = Events::from_kept(&run, &kept).unwrap();
    assert!(!again.follow(&names), "nothing is new");
    assert_eq!((&again.texts, again.began), (&events.texts, events.began));
    assert_eq!(all(&mut again).unwrap(), all(&mut events).unwrap());
    // More points are added to those in the file, in memory or in order.
    for order in [[1, 2], [2, 1]] {
        let mut again = Events::from_kept(&run, &kept).unwrap();
        let series = again.scalars.get_mut("loss/batch").unwrap();
        let at = order.map(|more| (COUNT + more) as f64);
        series.extend(&at, &[2e9, 1e9], &at);
        assert_eq!((series.len(), series.last_value()), (COUNT + 2, Some((COUNT + 2) as f64)));
        let all = series.load().unwrap();
        assert_eq!((all.at[COUNT], all.value[COUNT]), ((COUNT + 1) as f64, (COUNT + 1) as f64));
        assert!(all.time.is_sorted());
    }
    let mut again = Events::from_kept(&run, &kept).unwrap();
    let series = again.scalars.get_mut("loss/batch").unwrap();
    series.purge_from(11.0);
    assert_eq!(series.load().unwrap().at, (1..11).map(f64::from).collect::<Vec<_>>());
    // Another run's file of the same name.
    let mut other = std::fs::read(&path).unwrap();
    let end = other.len();
    other[end - 20] ^= 1;
    std::fs::write(&path, other).unwrap();
    assert!(Events::from_kept(&run, &kept).is_none());
}

#[test]
fn a_kept_file_that_is_cut_damaged_or_of_another_version_gives_no_wrong_number() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("first");
    let (_, names) = write_long(&run);
    let mut events = Events::new(&run);
    events.follow(&names);
    let bytes = events.take_to_keep().unwrap();
    let right = all(&mut events).unwrap();
    let kept = folder.path().join("kept");
    for cut in [0, 10, 30, 200, 1000, bytes.len() / 2, bytes.len() - 1] {
        std::fs::write(&kept, &bytes[..cut]).unwrap();
        assert!(Events::from_kept(&run, &kept).is_none(), "cut at {cut}");
    }
    std::fs::write(&kept, [&bytes[..], &[0]].concat()).unwrap();
    assert!(Events::from_kept(&run, &kept).is_none(), "a byte too many");
    let mut refused = [0; 2];
    for at in (0..60).chain((60..bytes.len()).step_by(bytes.len() / 100)) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x10;
        std::fs::write(&kept, &damaged).unwrap();
        let Some(mut again) = Events::from_kept(&run, &kept) else {
            refused[0] += 1;
            continue;
        };
        // It is in the points, or in a level that is read when a chart needs it.
        let is_wrong = all(&mut again).map(|found| assert!(found == right, "byte {at}")).is_err();
        assert_eq!(again.is_damaged(), is_wrong);
        let mut again = Events::from_kept(&run, &kept).unwrap();
        let x = super::super::clock::X::At(super::super::clock::Scale::Factor(1.0));
        let series = again.scalars.get_mut("loss/batch").unwrap();
        let mut is_found = is_wrong;
        for buckets in [3, 20, 400, 5000] {
            is_found |= series.seen(0.0, &x, 0.0, 1e9, buckets).is_err();
        }
        is_found |= series.not_finite(&x, 0.0, 1e9, 9).is_err();
        assert!(is_found, "byte {at}");
        refused[1] += 1;
    }
    assert!(refused[0] >= 60 && refused[1] >= 90, "{refused:?}");
}

#[test]
fn a_server_reads_what_was_kept_and_the_files_themselves_where_that_is_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("first");
    write_long(&run);
    let cache = folder.path().join(".cache");
    let scalars = |server: &Server, query: &str| {
        read_events(server);
        get(server, &format!("/api/scalars?tag=loss/batch&runs=0&x=step&{query}")).json()["curves"][0].clone()
    };
    let queries = ["buckets=50", "from=30000&to=90000&buckets=40", "from=70001.5&to=70500&buckets=300", "weight=0.5"];
    let first = server(folder.path());
    let fresh = queries.map(|query| scalars(&first, query));
    let is_kept = |entry: &std::fs::DirEntry| !entry.file_name().to_string_lossy().starts_with('.');
    let kept = || std::fs::read_dir(&cache).into_iter().flatten().flatten().find(is_kept);
    let began = Instant::now();
    while kept().is_none() {
        assert!(began.elapsed() < Duration::from_secs(10), "nothing is kept");
        get(&first, "/api/runs");
        std::thread::sleep(Duration::from_millis(50));
    }
    drop(first);
    let file = kept().unwrap().path();
    let whole = std::fs::read(&file).unwrap();
    for at in [None, Some(whole.len() / 2), Some(whole.len() - 50_000), Some(whole.len() - 10), Some(100), Some(3)] {
        for (query, fresh) in queries.iter().zip(&fresh) {
            let mut bytes = whole.clone();
            at.into_iter().for_each(|at| bytes[at] ^= 1);
            std::fs::write(&file, bytes).unwrap();
            let found = scalars(&server(folder.path()), query);
            for name in ["total", "not_finite", "not_finite_count", "last"] {
                assert_eq!(found[name], fresh[name], "{query}, {name}, damaged at {at:?}");
            }
            let ((x, y), (fresh_x, fresh_y)) = (points(&found), points(fresh));
            assert_eq!((x[0], x.last()), (fresh_x[0], fresh_x.last()), "{query}, damaged at {at:?}");
            let ends = |y: &[f64]| (y.iter().copied().fold(9.0, f64::min), y.iter().copied().fold(-9.0, f64::max));
            assert_eq!(ends(&y), ends(&fresh_y), "{query}, damaged at {at:?}");
            let is_right = |x: f64, y: f64| y == value(x as usize) || y.is_nan() && value(x as usize).is_nan();
            assert!(query.starts_with('w') || x.iter().zip(&y).all(|(x, y)| is_right(*x, *y)), "{query}");
        }
    }
}

#[test]
fn a_long_history_is_kept_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.csv");
    let line = |epoch: usize| format!("{epoch},{},0.001,a table with a name.csv\n", 1.0 / epoch as f64);
    let text: String = (1..=100_000).map(line).collect();
    std::fs::write(&path, format!("epoch,loss,learning_rate,dataset\n{text}")).unwrap();
    let mut table = Table::default();
    assert!(table.take_to_keep().is_none() && table.follow(&path));
    let kept = folder.path().join("kept");
    std::fs::write(&kept, table.take_to_keep().unwrap()).unwrap();
    assert!(table.take_to_keep().is_none(), "nothing is new");
    let mut again = Table::from_kept(&kept).unwrap();
    assert!(!again.follow(&path), "nothing is new");
    let mut file = std::fs::OpenOptions::new().append(true).open(&path).unwrap();
    file.write_all(line(100_001).as_bytes()).unwrap();
    assert!(again.follow(&path) && table.follow(&path));
    assert!(again.column("dataset").is_none());
    let loss = |table: &mut Table| table.column_mut("loss").unwrap().load().unwrap().value.clone();
    assert_eq!(loss(&mut again).len(), 100_001);
    assert_eq!(loss(&mut again), loss(&mut table));
    // Another run's history.
    std::fs::write(&path, "epoch,loss\n1,0.5\n").unwrap();
    let mut again = Table::from_kept(&kept).unwrap();
    assert!(again.follow(&path));
    assert_eq!(loss(&mut again), [0.5]);
}

#[test]
fn a_cache_that_cannot_be_written_costs_only_time() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("runs/first");
    write_long(&run);
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let message = Cache::new(file.join("cache")).try_keep(&run, b"x").unwrap_err().to_string();
    assert!(message.contains("file") && message.contains("cache"), "{message}");
    let server = Dashboard::serve([folder.path().join("runs")]).port(0).cache(file.join("cache")).start().unwrap();
    read_events(&server);
    let answer = get(&server, "/api/scalars?tag=loss/batch&runs=0&x=step").json();
    assert_eq!(answer["curves"][0]["total"], COUNT);
}
