//! Texts: trained, continued, and what cannot be.

use std::path::Path;

use crate::support::*;

/// A network that is trained in a moment.
const SMALL: &str = "--blocks 1 --width 16 --heads 2 --context 16 --batch-size 8";

/// `t.txt`: short sentences of a few words.
fn write_text(home: &Path) {
    let (nouns, verbs) = (["cat", "dog", "moon", "hill"], ["sees", "likes", "hides"]);
    let mut random = hadal::Rng::new(3);
    let mut text = String::new();
    for _ in 0..300 {
        let mut noun = || nouns[random.below(4) as usize];
        let (one, other) = (noun(), noun());
        text += &format!("The {one} {} the {other}.\n", verbs[random.below(3) as usize]);
    }
    std::fs::write(home.join("t.txt"), text).unwrap();
}

fn home() -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    write_text(home.path());
    home
}

/// A prompt may have spaces.
fn generate(home: &Path, arguments: &[&str]) -> std::process::Output {
    hadal(home).args(["generate", "m"]).args(arguments).output().unwrap()
}

#[test]
fn a_text_is_learned_and_continued() {
    let home = home();
    let at = home.path();
    let printed = passes(at, &format!("train t.txt {SMALL} --steps 300 --out m"));
    for words in ["different ones; sequences of 16", "300 steps,", "(in order)", "bits per character", "val_loss"] {
        assert!(printed.contains(words), "{words}: {printed}");
    }
    let summary = std::fs::read_to_string(at.join("m/summary.json")).unwrap();
    let summary: serde_json::Value = serde_json::from_str(&summary).unwrap();
    let loss = summary["test"]["loss"].as_f64().unwrap();
    assert!(loss < 2.0 && summary["steps"] == 300, "of 18 characters, each as likely, it would be 2.9, not {loss}");
    // All that generates is in the model's file.
    std::fs::remove_file(at.join("t.txt")).unwrap();
    let text = |arguments: &[&str]| succeeds(&generate(at, arguments));
    let first = text(&["--prompt", "The cat", "--length", "100"]);
    assert_eq!(first.chars().count(), 100, "far past the context: {first}");
    assert_eq!(first, text(&["--prompt", "The cat", "--length", "100", "--threads", "1"]));
    assert!(first.starts_with(&text(&["--prompt", "The cat", "--length", "30"])));
    assert_ne!(first, text(&["--prompt", "The cat", "--length", "100", "--seed", "2"]));
    let likely = text(&["--prompt", "The", "--temperature", "0", "--length", "20"]);
    assert!(likely.starts_with(' '), "{likely:?}");
    for same in [&["--top-k", "1"][..], &["--top-p", "0.000001"], &["--seed", "9", "--temperature", "0"]] {
        assert_eq!(likely, text(&[&["--prompt", "The", "--length", "20"], same].concat()), "{same:?}");
    }
    let long = "The dog likes the moon.\n".repeat(9);
    assert_eq!(text(&["--prompt", &long, "--length", "5"]).chars().count(), 5, "a prompt longer than the context");
    assert_eq!(text(&["--length", "9"]), text(&["--length", "9", "--prompt", "\n"]), "an empty prompt ends a line");
    assert_eq!(succeeds(&run(at, "generate m/model.safetensors")).chars().count(), 500);
}

#[test]
fn an_lstm_remembers_what_it_has_read() {
    let home = home();
    let at = home.path();
    passes(at, "train t.txt --network lstm --blocks 1 --width 24 --context 16 --epochs 2 --out m -q");
    let config = std::fs::read_to_string(at.join("m/config.toml")).unwrap();
    assert!(config.contains("network = \"lstm\"") && config.contains("epochs = 2"), "{config}");
    assert!(config.contains("# heads =") && config.contains("# steps ="), "{config}");
    let text = succeeds(&generate(at, &["--prompt", "The ", "--length", "60"]));
    assert_eq!(text.chars().count(), 60);
    passes(at, "verify m");
}

#[cfg(unix)]
#[test]
fn a_killed_run_goes_on_to_the_same_bytes() {
    let home = home();
    let at = home.path();
    let plan = format!("train t.txt {SMALL} --steps 400 --dropout 0.1 -q --out");
    passes(at, &format!("{plan} whole"));
    crate::resume::kill_at(at, &format!("{plan} killed --checkpoint-every 1"), &at.join("killed"), 60);
    passes(at, "train --resume killed -q");
    are_equal(&at.join("whole"), &at.join("killed"));
}

#[test]
fn a_run_is_evaluated_verified_repeated_and_listed() {
    let home = home();
    let at = home.path();
    let score = passes(at, &format!("train t.txt {SMALL} --steps 40 --out m -q"));
    assert!(score.starts_with("t.txt test: loss ") && score.contains("perplexity"), "{score}");
    let evaluated = passes(at, "evaluate m");
    assert!(evaluated.starts_with(score.trim_end()), "{evaluated}{score}");
    assert!(evaluated.contains("95% confidence: loss") && !evaluated.contains("accuracy 0."), "{evaluated}");
    let other = passes(at, "evaluate m t.txt");
    assert!(other.starts_with("t.txt: loss ") && !other.contains("confidence: accuracy"), "{other}");
    assert_eq!(passes(at, "verify m").matches("the same").count(), 4);
    assert!(passes(at, "runs .").contains("m    "), "a run among others");
    let page = std::fs::read_to_string(at.join("m/report.html")).unwrap();
    assert!(page.contains("t.txt") && page.contains("sequences of 16"));
    // What was printed by init trains the same.
    let config = passes(at, &format!("init t.txt {SMALL} --steps 40"));
    std::fs::write(at.join("run.toml"), &config).unwrap();
    passes(at, "train --config run.toml --out again -q");
    are_equal(&at.join("m"), &at.join("again"));
    // Flags overrule the file; a length in epochs stands in place of one in steps.
    let printed = passes(at, "train --config run.toml --epochs 1 --context 8 --no-out");
    assert!(printed.contains("sequences of 8") && printed.contains("epoch 1/1"), "{printed}");
    let seeds = passes(at, &format!("train t.txt {SMALL} --steps 20 --seeds 2 --no-out -q"));
    assert!(seeds.contains("mean and standard deviation of 2 seeds"), "{seeds}");
    let cycle = passes(at, &format!("train t.txt {SMALL} --epochs 1 --schedule one_cycle --no-out -q"));
    assert!(cycle.contains("loss"), "{cycle}");
}

#[test]
fn a_time_limit_can_be_repeated() {
    let home = home();
    let at = home.path();
    passes(at, &format!("train t.txt {SMALL} --steps 1000000 --patience 0 --time-limit 300ms --out m -q"));
    let config = std::fs::read_to_string(at.join("m/config.toml")).unwrap();
    assert!(config.contains("\nmax_steps = ") && config.contains("\nsteps = 1000000"), "{config}");
    passes(at, "verify m");
}

#[test]
fn widths_are_searched() {
    let home = home();
    let at = home.path();
    let config = passes(at, &format!("init t.txt {SMALL} --epochs 2"));
    std::fs::write(at.join("run.toml"), config + "\ntext.width = [8, 16]\ntext.context = [8, 16]\n").unwrap();
    let printed = passes(at, "tune --config run.toml --trials 3 --out search");
    assert!(printed.contains("text.width=") && printed.contains("Winner: trial"), "{printed}");
    assert_eq!(passes(at, "generate search/winner --length 7").chars().count(), 7);
}

#[test]
fn a_file_of_another_name_is_a_text_if_that_is_said() {
    let home = home();
    let at = home.path();
    std::fs::rename(at.join("t.txt"), at.join("t.md")).unwrap();
    fails(&run(at, "train t.md"), &["--target"]);
    passes(at, &format!("train t.md --text {SMALL} --steps 5 --out m -q"));
    passes(at, "evaluate m");
    // With a target, a .txt file is a table.
    let rows: String = (0..60).map(|row| format!("{}.5;k{}\n", row * 7 % 11, row % 2)).collect();
    std::fs::write(at.join("table.txt"), format!("a;kind\n{rows}")).unwrap();
    passes(at, "train table.txt --target kind --epochs 1 --out table -q");
    passes(at, "evaluate table table.txt");
    fails(&run(at, "generate table"), &["table/model.safetensors", "was trained on a table", "hadal train FILE.txt"]);
}

#[test]
fn a_compressed_text_is_read() {
    let home = home();
    let at = home.path();
    std::fs::write(at.join("t.txt.gz"), gzip(&std::fs::read(at.join("t.txt")).unwrap())).unwrap();
    let line = format!("{SMALL} --steps 5 -q --out");
    passes(at, &format!("train t.txt {line} plain"));
    passes(at, &format!("train t.txt.gz {line} packed"));
    let loss = |run: &str| {
        let summary = std::fs::read_to_string(at.join(run).join("summary.json")).unwrap();
        serde_json::from_str::<serde_json::Value>(&summary).unwrap()["test"]["loss"].clone()
    };
    assert_eq!(loss("plain"), loss("packed"));
    assert!(passes(at, "evaluate plain t.txt.gz").starts_with("t.txt.gz: loss "));
}

#[test]
fn what_is_no_text_is_said() {
    let home = home();
    let at = home.path();
    let one = "a".repeat(2000);
    for (bytes, line, words) in [
        (&b""[..], "", &["is empty"][..]),
        (b"too short", "", &["8 characters, but a sample needs 65", "a shorter context (--context)"]),
        (b"line\nab\xff", "", &["line 2 (byte 7): 0xff is not UTF-8"]),
        (one.as_bytes(), "", &["one character, 'a'"]),
    ] {
        std::fs::write(at.join("bad.txt"), bytes).unwrap();
        fails(&run(at, &format!("train bad.txt {line} --no-out")), &[&["bad.txt"], words].concat());
    }
    // Files of other kinds, whatever their names are.
    let utf16: Vec<u8> = "\u{feff}A text.\n".repeat(99).encode_utf16().flat_map(u16::to_le_bytes).collect();
    let word = [b"PK\x03\x04", &[0; 26][..], b"word/document.xml..."].concat();
    for (name, bytes, words) in [
        ("book.txt", &utf16[..], ["is text in UTF-16", "iconv -f UTF-16"]),
        ("pdf.txt", b"%PDF-1.7\n", ["is a PDF, not a text", "pdftotext"]),
        ("book.pdf", b"%PDF-1.7\n", ["is a PDF, not a table in text", "pdftotext"]),
        ("book.docx", &word, ["is a Word document", "CSV"]),
        ("book.txt.gz", b"\x1f\x8b\x08cut", ["damaged gzip file", "cut short"]),
        ("word.txt.gz", &gzip(&word), ["is a Word document, not a text", "plain text in UTF-8"]),
        ("book.zip", b"PK\x03\x04", ["is a ZIP archive", "unpack it"]),
    ] {
        std::fs::write(at.join(name), bytes).unwrap();
        fails(&run(at, &format!("train {name} --no-out")), &[&[name][..], &words].concat());
    }
    fails(&run(at, "train book.zip --text --no-out"), &["is a ZIP archive, not a text; unpack it"]);
    fails(&run(at, "train . --no-out"), &["is a folder, but a text is one file", "cat ./*.txt > all.txt"]);
    fails(&run(at, "train book.pdf --context 8 --no-out"), &["the source is a table; --text says"]);
    fails(&run(at, "train - --text"), &["read from a file"]);
    fails(&run(at, "train digits --text"), &["the setting text is for texts"]);
    fails(&run(at, "train digits --context 8"), &["the setting [text] is for texts"]);
    assert!(!at.join("runs").exists(), "nothing was begun");
}

#[test]
fn settings_that_a_text_cannot_have_are_refused() {
    let home = home();
    let at = home.path();
    for (line, words) in [
        ("--width 30", &["width 30 cannot be divided among heads 4", "28 or 32", "--width", "--heads"][..]),
        ("--width 2", &["a width of 4"]),
        ("--context 0", &["--context", "at least 1"]),
        ("--blocks 0", &["--blocks", "at least 1"]),
        ("--network rnn", &["rnn", "gpt", "lstm"]),
        ("--network lstm --heads 2", &["heads is for gpt"]),
        ("--hidden 8", &["the setting hidden is not for a text", "[text]: network"]),
        ("--folds 3", &["--folds is not for a text"]),
        ("--split 70/15/15", &["no holdout part", "--split 90/10"]),
        ("--steps 5 --epochs 2", &["--steps", "--epochs"]),
        ("--steps 5 --schedule one_cycle", &["whole epochs"]),
        ("--target x --width 8", &["the setting [text] is for texts"]),
        ("--drop x", &["the setting drop is for tables", "where --target names"]),
        ("--task regression", &["next character"]),
        ("--class-weights balanced", &["class_weights is not for a text"]),
    ] {
        fails(&run(at, &format!("train t.txt {line}")), words);
    }
    for (text, words) in [
        ("context = 0", &["line 4", "context 0 must be at least 1"][..]),
        ("widht = 8", &["no key `widht`", "did you mean `width`?"]),
        ("network = \"rnn\"", &["no value `rnn`", "gpt, lstm"]),
        ("steps = 5\n[training]\nepochs = 2", &["line 4", "in place of [training] epochs"]),
    ] {
        std::fs::write(at.join("run.toml"), format!("[data]\nsource = \"t.txt\"\n[text]\n{text}\n")).unwrap();
        fails(&run(at, "train --config run.toml"), words);
    }
    assert!(!at.join("runs").exists(), "nothing was begun");
}

#[test]
fn what_cannot_be_generated_is_said() {
    let home = home();
    let at = home.path();
    passes(at, &format!("train t.txt {SMALL} --steps 5 --out m -q"));
    for (arguments, words) in [
        (&["--prompt", "The é\nX"][..], &["--prompt: line 1, column 5", "no 'é', 'X'", "its 18 characters are"][..]),
        (&["--temperature", "-1"], &["--temperature", "0 or a positive"]),
        (&["--temperature", "nan"], &["--temperature", "0 or a positive"]),
        (&["--top-k", "0"], &["--top-k", "at least 1"]),
        (&["--top-p", "0"], &["--top-p", "above 0 and at most 1"]),
        (&["--top-p", "1.5"], &["--top-p", "above 0 and at most 1"]),
        (&["--top-p", "nan"], &["--top-p", "above 0 and at most 1"]),
        (&["--length", "0"], &["--length", "at least 1"]),
    ] {
        let output = generate(at, arguments);
        fails(&output, words);
        assert!(output.stdout.is_empty());
    }
    fails(&run(at, "predict m t.txt"), &["trained on a text", "hadal generate m --prompt TEXT"]);
    fails(&run(at, "explain m t.txt"), &["trained on a text; explain is for tables and images"]);
    fails(&run(at, "evaluate m --holdout"), &["no holdout part"]);
    fails(&run(at, "generate none"), &["none"]);
    fails(&run(at, "generate ."), &["give one run, for example"]);
    std::fs::write(at.join("new.txt"), "The cat sees the zebra, the dog and the moon.").unwrap();
    fails(&run(at, "evaluate m new.txt"), &["new.txt: line 1, column 18", "no 'z', 'b', 'r', ','"]);
    std::fs::write(at.join("new.txt"), "The cat.").unwrap();
    fails(&run(at, "evaluate m new.txt"), &["new.txt", "8 characters", "at least 17"]);
}

#[cfg(unix)]
#[test]
fn a_closed_pipe_ends_quietly_and_a_full_disk_does_not() {
    let home = home();
    let at = home.path();
    passes(at, &format!("train t.txt {SMALL} --steps 5 --out m -q"));
    let generate = ["generate", "m", "--length", "1000000000"];
    let output = shell(at, "{ \"$@\"; echo \"status $?\" >&2; } | head -c 10", &generate);
    assert_eq!((output.stdout.len(), text(&output.stderr).as_str()), (10, "status 0\n"));
    if Path::new("/dev/full").exists() {
        fails(&shell(at, "\"$@\" > /dev/full", &generate), &["standard output", "write the text"]);
    }
}
