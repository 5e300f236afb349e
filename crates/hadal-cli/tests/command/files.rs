//! Files that are not what they should be.

use crate::support::*;

#[test]
fn damaged_data_is_refused_by_file_and_reason() {
    let home = tempfile::tempdir().unwrap();
    let images = idx(0x803, &[300, 28, 28], &vec![9; 300 * 784]);
    let whole = gzip(&images);
    let mut flipped = whole.clone();
    let middle = flipped.len() - 20;
    flipped[middle] ^= 0x55;
    let mut labels = vec![1u8; 300];
    labels[17] = 10;
    /// Which file, what stands in its place, what the error says.
    type Damage = (usize, Option<Vec<u8>>, &'static [&'static str]);
    let cases: [Damage; 11] = [
        (0, None, &["is missing"]),
        (3, None, &["is missing"]),
        (0, Some(whole[..whole.len() / 2].to_vec()), &["damaged or cut short"]),
        (0, Some(flipped), &["damaged"]),
        (0, Some(b"<html>404</html>".to_vec()), &["is not a gzip file"]),
        (0, Some(vec![]), &["is not a gzip file"]),
        (0, Some(gzip(&idx(0x801, &[300, 28, 28], &[0; 8]))), &["magic number 0x00000801", "0x00000803"]),
        (0, Some(gzip(&images[..images.len() - 5])), &["is truncated", "235195 of 235200"]),
        (0, Some(gzip(&idx(0x803, &[u32::MAX, 28, 28], &[0; 8]))), &["more than"]),
        (1, Some(gzip(&idx(0x801, &[300], &labels))), &["label 17 is 10", "0 to 9"]),
        (1, Some(gzip(&idx(0x801, &[299], &labels[1..]))), &["holds 299 labels", "holds 300 images"]),
    ];
    for (file, contents, words) in cases {
        let data = small_mnist();
        let path = data.path().join("mnist").join(NAMES[file]);
        match contents {
            Some(contents) => std::fs::write(&path, contents).unwrap(),
            None => std::fs::remove_file(&path).unwrap(),
        }
        let words = [words, &[NAMES[file]]].concat();
        let asked = hadal(home.path()).args(["train", "--out", "out", "--data-dir"]).arg(data.path()).output().unwrap();
        fails(&asked, &words);
        let named =
            hadal(home.path()).args(["train", "--out", "out"]).env("HADAL_DATA_DIR", data.path()).output().unwrap();
        fails(&named, &words);
        assert!(files_below(home.path()).is_empty(), "nothing is written");
    }
}

#[test]
fn an_image_file_of_another_size_is_refused() {
    let (home, data) = (tempfile::tempdir().unwrap(), small_mnist());
    let path = data.path().join("mnist").join(NAMES[0]);
    std::fs::write(path, gzip(&idx(0x803, &[300, 14, 28], &vec![0; 300 * 14 * 28]))).unwrap();
    fails(
        &hadal(home.path()).args(["train", "--data-dir"]).arg(data.path()).output().unwrap(),
        &["14 x 28", "28 x 28"],
    );
}

#[test]
fn files_that_are_no_model_are_refused() {
    let (home, data) = (tempfile::tempdir().unwrap(), small_mnist());
    let out = trained(home.path(), data.path());
    let path = out.join("model.safetensors");
    let whole = std::fs::read(&path).unwrap();
    let header = u64::from_le_bytes(whole[..8].try_into().unwrap()) as usize;
    let json = String::from_utf8(whole[8..8 + header].to_vec()).unwrap();
    let with_header =
        |json: String| [&(json.len() as u64).to_le_bytes()[..], json.as_bytes(), &whole[8 + header..]].concat();
    let reshaped = json.replacen("[512,784]", "[784,512]", 1);
    let grown = json.replace(r#"\"units\":512"#, r#"\"units\":513"#);
    let forged = json.replace(r#"\"units\":512"#, r#"\"units\":9000000000000000000"#);
    let digest = json.find(r#""hadal.sha256""#).unwrap();
    let mut without_digest = json.replace(r#""hadal.format":"2","#, "");
    let digest = digest - (json.len() - without_digest.len());
    without_digest.replace_range(digest..digest + r#""hadal.sha256":"","#.len() + 64, "");
    let reshaped_without_digest = without_digest.replacen("[512,784]", "[784,512]", 1);
    let unknown = json.replace("hadal.architecture", "something.else");
    let strange = json.replace(r#"\"layer\":\"dense\""#, r#"\"layer\":\"telepathy\""#);
    for changed in [&reshaped, &grown, &forged, &unknown, &strange] {
        assert_ne!(changed, &json);
    }
    let cases: [(Vec<u8>, &[&str]); 11] = [
        (whole[..whole.len() - 100].to_vec(), &["not a valid safetensors file"]),
        (whole[..20].to_vec(), &["not a valid safetensors file"]),
        (vec![], &["not a valid safetensors file"]),
        (b"this is a text file, not a model".to_vec(), &["not a valid safetensors file"]),
        (vec![0xff; 64], &["not a valid safetensors file"]),
        (with_header(reshaped), &["is damaged", "SHA-256"]),
        (with_header(reshaped_without_digest), &["`layers.0.weight` is f32 [784, 512]", "f32 [512, 784]"]),
        (with_header(grown), &["are stored"]),
        (with_header(forged), &["layer 1 (Dense (relu))", "larger than memory"]),
        (with_header(unknown), &["no architecture"]),
        (with_header(strange), &["telepathy"]),
    ];
    write_png(&home.path().join("image.png"), 28, 28, 0);
    // Files from before there was a digest are read.
    std::fs::write(&path, with_header(without_digest)).unwrap();
    succeeds(&hadal(home.path()).args(["predict", "out", "image.png"]).output().unwrap());
    for (contents, words) in cases {
        std::fs::write(&path, contents).unwrap();
        let words = [words, &["model.safetensors"]].concat();
        fails(&hadal(home.path()).args(["evaluate", "out", "--data-dir"]).arg(data.path()).output().unwrap(), &words);
        fails(&hadal(home.path()).args(["predict", "out", "image.png"]).output().unwrap(), &words);
    }
    fails(&hadal(home.path()).args(["evaluate", "nowhere"]).output().unwrap(), &["nowhere", "cannot read"]);
}

#[test]
fn a_model_for_other_data_is_refused() {
    use hadal::prelude::*;
    let home = tempfile::tempdir().unwrap();
    let model = Sequential::new([5]).add(Dense::new(2)).build().unwrap();
    model.save(home.path().join("small.safetensors"), &Default::default()).unwrap();
    fails(&hadal(home.path()).args(["evaluate", "small.safetensors"]).output().unwrap(), &["[5]", "[784]"]);
    let model = Sequential::new([784]).add(Dense::new(10)).build().unwrap();
    model.save(home.path().join("other.safetensors"), &Default::default()).unwrap();
    fails(
        &hadal(home.path()).args(["evaluate", "other.safetensors"]).output().unwrap(),
        &["does not name", "give the data"],
    );
}

#[test]
fn images_that_do_not_fit_are_refused() {
    let (home, data) = (tempfile::tempdir().unwrap(), small_mnist());
    trained(home.path(), data.path());
    write_png(&home.path().join("good.png"), 28, 28, 0);
    write_png(&home.path().join("wide.png"), 30, 28, 0);
    std::fs::write(home.path().join("text.png"), "not an image").unwrap();
    let png = std::fs::read(home.path().join("good.png")).unwrap();
    std::fs::write(home.path().join("half.png"), &png[..png.len() / 2]).unwrap();
    for (image, words) in [
        ("wide.png", &["wide.png", "30 x 28", "28 x 28"][..]),
        ("text.png", &["text.png", "PNG"]),
        ("half.png", &["half.png", "PNG"]),
        ("missing.png", &["missing.png", "open the image"]),
        ("out", &["out", "is a folder, not a regular file"]),
    ] {
        let output = hadal(home.path()).args(["predict", "out", "good.png", image]).output().unwrap();
        fails(&output, words);
        assert!(output.stdout.is_empty(), "no half answer");
    }
}

#[test]
fn weights_that_no_network_can_compute_with_are_refused() {
    use hadal::format::safetensors;
    let (home, data) = (tempfile::tempdir().unwrap(), small_mnist());
    let path = trained(home.path(), data.path()).join("model.safetensors");
    write_png(&home.path().join("image.png"), 28, 28, 200);
    let (nan, infinite) = ("tensor `layers.0.weight` holds NaN", "tensor `layers.0.weight` holds -inf");
    for (value, evaluated_words, predicted_words) in
        [(f64::NAN, nan, nan), (f64::NEG_INFINITY, infinite, infinite), (3e38, "output is NaN", "its outputs overflow")]
    {
        let (mut tensors, metadata) = safetensors::load(&path).unwrap();
        tensors.insert("layers.0.weight".into(), hadal::Tensor::full([512, 784], value));
        let tensors: Vec<_> = tensors.into_iter().collect();
        safetensors::save(&home.path().join("bad.safetensors"), &tensors, metadata).unwrap();
        let model = ["bad.safetensors"];
        let evaluated = hadal(home.path()).arg("evaluate").args(model).arg("--data-dir").arg(data.path()).output();
        fails(&evaluated.unwrap(), &[evaluated_words]);
        let predicted = hadal(home.path()).arg("predict").args(model).arg("image.png").output();
        fails(&predicted.unwrap(), &[predicted_words, "bad.safetensors"]);
    }
}

#[test]
fn an_image_is_refused_by_the_size_in_its_header() {
    let (home, data) = (tempfile::tempdir().unwrap(), small_mnist());
    trained(home.path(), data.path());
    // The header of a huge image, and nothing else.
    let header = [b"IHDR", &16384u32.to_be_bytes()[..], &16384u32.to_be_bytes(), &[8, 0, 0, 0, 0]].concat();
    let mut checksum = flate2::Crc::new();
    checksum.update(&header);
    let png = [b"\x89PNG\r\n\x1a\n", &13u32.to_be_bytes()[..], &header, &checksum.sum().to_be_bytes()].concat();
    std::fs::write(home.path().join("huge.png"), png).unwrap();
    let output = hadal(home.path()).args(["predict", "out", "huge.png"]).output().unwrap();
    fails(&output, &["huge.png", "16384 x 16384 pixels", "28 x 28"]);
}

#[cfg(unix)]
#[test]
fn devices_and_pipes_are_named_and_not_read() {
    let (home, data) = (tempfile::tempdir().unwrap(), small_mnist());
    trained(home.path(), data.path());
    let fifo = home.path().join("fifo");
    if !std::process::Command::new("mkfifo").arg(&fifo).status().is_ok_and(|status| status.success()) {
        return;
    }
    write_png(&home.path().join("image.png"), 28, 28, 0);
    for (path, what) in [("/dev/zero", "is a device"), ("fifo", "is a FIFO")] {
        let words = [path, what, "not a regular file"];
        for args in [&["evaluate", path][..], &["predict", path, "image.png"], &["predict", "out", path]] {
            fails(&shell(home.path(), "exec \"$@\"", args), &words);
        }
        let data = small_mnist();
        let file = data.path().join("mnist").join(NAMES[2]);
        std::fs::remove_file(&file).unwrap();
        std::os::unix::fs::symlink(home.path().join(path), file).unwrap();
        let args = ["train", "--data-dir", data.path().to_str().unwrap()];
        fails(&shell(home.path(), "exec \"$@\"", &args), &[NAMES[2], what]);
    }
}

#[test]
fn a_data_folder_that_is_the_data_sets_own_is_refused_with_the_right_one() {
    let (home, data) = (tempfile::tempdir().unwrap(), small_mnist());
    let own = data.path().join("mnist");
    let words = [&*format!("name the folder above it, {}", data.path().display())];
    fails(&hadal(home.path()).args(["train", "--data-dir"]).arg(&own).output().unwrap(), &words);
    fails(&hadal(home.path()).args(["train", "mnist"]).env("HADAL_DATA_DIR", &own).output().unwrap(), &words);
}
