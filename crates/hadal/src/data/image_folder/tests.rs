use super::*;
use crate::format::image::{Channels, list, read, read_many, write_png};

fn grey(height: usize, width: usize, value: u8) -> Tensor {
    Tensor::full_of([height, width], f64::from(value), DType::U8)
}

/// A folder of grey images, at these places.
fn folder(images: &[(&str, Tensor)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (place, image) in images {
        let path = folder.path().join(place);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        write_png(&path, image).unwrap();
    }
    folder
}

fn load(folder: &Path) -> Result<Dataset> {
    ImageFolder::open(folder)?.load()
}

fn message(folder: &tempfile::TempDir) -> String {
    load(folder.path()).unwrap_err().to_string()
}

#[test]
fn classes_are_numbered_by_name_and_images_by_path() {
    let folder = folder(&[
        ("dog/b.png", grey(2, 3, 4)),
        ("dog/a.PNG", grey(2, 3, 3)),
        ("cat/deep/er/2.png", grey(2, 3, 2)),
        ("cat/1.png", grey(2, 3, 1)),
    ]);
    let images = ImageFolder::open(folder.path()).unwrap();
    assert_eq!((images.classes(), images.labels()), (&["cat".to_owned(), "dog".to_owned()][..], &[0, 0, 1, 1][..]));
    for place in [true, false] {
        let data = images.clone().in_memory(place).load().unwrap();
        assert_eq!((data.len(), data.input_shape()), (4, Shape::from([2, 3])));
        assert_eq!(data.targets().to_vec::<i64>(), [0, 0, 1, 1]);
        let (x, y) = data.batch(&[3, 0, 2, 1]);
        let firsts: Vec<u8> = x.to_vec::<f32>().chunks(6).map(|image| (image[0] * 255.0).round() as u8).collect();
        assert_eq!((firsts, y.to_vec::<i64>()), (vec![4, 1, 3, 2], vec![1, 0, 1, 0]));
    }
}

#[test]
fn images_are_grey_unless_one_has_colours_or_channels_are_asked_for() {
    let folder = folder(&[("a/1.png", grey(4, 4, 9)), ("b/1.png", grey(4, 4, 7))]);
    let shape = |images: ImageFolder| images.load().unwrap().input_shape();
    let open = || ImageFolder::open(folder.path()).unwrap();
    assert_eq!(shape(open()), Shape::from([4, 4]));
    assert_eq!(shape(open().rgb()), Shape::from([3, 4, 4]));
    assert_eq!(shape(open().size(2, 6)), Shape::from([2, 6]));
    std::fs::copy(jpeg("colour.jpg"), folder.path().join("b/2.jpg")).unwrap();
    assert_eq!(shape(open().size(4, 4)), Shape::from([3, 4, 4]));
    assert_eq!(shape(open().size(4, 4).grey()), Shape::from([4, 4]));
}

/// An image that Pillow wrote (tests/images/generate.py).
fn jpeg(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/images").join(name)
}

#[test]
fn a_folder_without_classes_says_what_is_expected() {
    let flat = folder(&[("1.png", grey(2, 2, 0)), ("2.png", grey(2, 2, 0))]);
    let found = message(&flat);
    assert!(found.contains("has no sub-folders; one for each class is expected"), "{found}");
    assert!(found.ends_with("2 images lie directly in it"), "{found}");
    let empty = tempfile::tempdir().unwrap();
    assert!(message(&empty).ends_with("named as the class, with its images"));
    let one = folder(&[("cat/1.png", grey(2, 2, 0))]);
    assert!(message(&one).contains("has one sub-folder, `cat`; at least two classes are needed"));
    let found = load(&one.path().join("cat/1.png")).unwrap_err().to_string();
    assert!(found.contains("is a file, not a folder"), "{found}");
    assert!(load(&one.path().join("none")).unwrap_err().to_string().contains("cannot read the folder"));
}

#[test]
fn parts_are_not_taken_for_classes() {
    let parts = folder(&[("Train/a/1.png", grey(2, 2, 0)), ("val/a/1.png", grey(2, 2, 0))]);
    let found = message(&parts);
    assert!(
        found.contains("has the sub-folders Train, val: those are parts, not classes; give one of them"),
        "{found}"
    );
    // A class may have such a name, too.
    let mixed = folder(&[("test/1.png", grey(2, 2, 0)), ("rest/1.png", grey(2, 2, 0))]);
    assert_eq!(ImageFolder::open(mixed.path()).unwrap().classes(), ["rest", "test"]);
}

#[test]
fn a_class_without_images_is_named_with_what_it_holds() {
    let folder = folder(&[("a/1.png", grey(2, 2, 0))]);
    std::fs::create_dir(folder.path().join("b")).unwrap();
    std::fs::write(folder.path().join("b/.DS_Store"), "").unwrap();
    assert!(message(&folder).contains("b: holds no PNG or JPEG images; each class needs some"), "{}", message(&folder));
    std::fs::write(folder.path().join("b/1.webp"), "").unwrap();
    std::fs::write(folder.path().join("b/2.webp"), "").unwrap();
    assert!(message(&folder).contains("(but 2 other files, for example"), "{}", message(&folder));
}

#[test]
fn images_of_mixed_sizes_are_named_with_how_many_there_are_of_each() {
    let folder = folder(&[
        ("a/1.png", grey(2, 2, 0)),
        ("a/2.png", grey(2, 3, 0)),
        ("b/1.png", grey(2, 2, 0)),
        ("b/2.png", grey(5, 5, 0)),
    ]);
    let found = message(&folder);
    assert!(found.contains("2 images are 2 x 2 pixels (") && found.contains("a/1.png is the first)"), "{found}");
    assert!(
        found.contains("1 image is 2 x 3 pixels (") && found.contains("a/2.png is the first), and 1 more size"),
        "{found}"
    );
    let data = ImageFolder::open(folder.path()).unwrap().size(2, 2).load().unwrap();
    assert_eq!(data.input_shape(), Shape::from([2, 2]));
    for (height, width) in [(0, 2), (2, 0), (usize::MAX, 2), (1 << 20, 1 << 20)] {
        let found = ImageFolder::open(folder.path()).unwrap().size(height, width).load().unwrap_err().to_string();
        assert!(found.contains(&format!("images cannot become {height} x {width} pixels")), "{found}");
    }
}

#[test]
fn damaged_images_are_named_up_to_five() {
    let folder = folder(&[("a/0.png", grey(2, 2, 0)), ("b/0.png", grey(2, 2, 0))]);
    let whole = std::fs::read(folder.path().join("a/0.png")).unwrap();
    std::fs::write(folder.path().join("a/1.png"), "GIF89a").unwrap();
    assert!(message(&folder).contains("a/1.png: is not a PNG or JPEG image"), "{}", message(&folder));
    std::fs::write(folder.path().join("a/1.png"), "").unwrap();
    assert!(message(&folder).contains("is empty, not a PNG or JPEG image"), "{}", message(&folder));
    for index in 1..8 {
        // The header is whole, the pixels are not.
        std::fs::write(folder.path().join(format!("a/{index}.png")), &whole[..whole.len() - 20]).unwrap();
    }
    for place in [true, false] {
        let found = ImageFolder::open(folder.path()).unwrap().in_memory(place).load().unwrap_err().to_string();
        assert!(found.starts_with("7 of 9 images cannot be read:\n"), "{found}");
        assert!(found.contains("a/5.png: ") && !found.contains("a/6.png") && found.ends_with("and 2 more"), "{found}");
    }
}

#[test]
fn an_image_that_vanishes_or_changes_size_is_an_error_of_its_batch() {
    let folder = folder(&[("a/1.png", grey(2, 2, 0)), ("b/1.png", grey(2, 2, 0))]);
    let images = ImageFolder::open(folder.path()).unwrap();
    let rows = ImageRows { files: images.files().to_vec(), form: images.form().unwrap() };
    write_png(&images.files()[1], &grey(3, 2, 0)).unwrap();
    assert!(rows.read(&[0]).is_ok());
    let found = rows.read(&[0, 1]).unwrap_err().to_string();
    assert!(found.contains("b/1.png: is 3 x 2 pixels (height x width), not 2 x 2"), "{found}");
    std::fs::remove_file(&images.files()[1]).unwrap();
    assert!(rows.read(&[1]).unwrap_err().to_string().contains("cannot open the image"));
    assert!(rows.read(&[2]).unwrap_err().to_string().contains("there is no sample 2; there are 2"));
}

#[cfg(unix)]
#[test]
fn links_are_followed_once_and_pipes_are_refused() {
    let folder = folder(&[("a/1.png", grey(2, 2, 0)), ("b/1.png", grey(2, 2, 0))]);
    std::os::unix::fs::symlink(folder.path().join("a"), folder.path().join("a/again")).unwrap();
    std::os::unix::fs::symlink(folder.path().join("b"), folder.path().join("a/other")).unwrap();
    // a's own, and b's through the link.
    assert_eq!(ImageFolder::open(folder.path()).unwrap().labels(), [0, 0, 1]);
    let pipe = folder.path().join("b/2.png");
    if std::process::Command::new("mkfifo").arg(&pipe).status().is_ok_and(|status| status.success()) {
        assert!(message(&folder).contains("is a FIFO"), "{}", message(&folder));
    }
}

#[test]
fn given_files_are_read_without_classes() {
    let folder = folder(&[("1.png", grey(2, 2, 5)), ("in/2.png", grey(4, 4, 6))]);
    let files = list(folder.path()).unwrap();
    assert_eq!(files.len(), 2);
    let images = read_many(&files, Channels::Rgb, Some([3, 2])).unwrap();
    assert_eq!(images.shape(), &[2, 3, 3, 2]);
    assert_eq!(images.to_vec::<u8>(), [[5u8; 18], [6; 18]].concat());
    assert!(read_many(&files, Channels::Grey, None).unwrap_err().to_string().contains("images differ in size"));
    assert!(read_many(&[] as &[PathBuf], Channels::Grey, None).unwrap_err().to_string().contains("no images"));
    assert!(read_many(&[] as &[PathBuf], Channels::Grey, Some([2, 2])).unwrap_err().to_string().contains("no images"));
    assert_eq!(list(&files[0]).unwrap(), files[..1]);
    let empty = tempfile::tempdir().unwrap();
    assert!(list(empty.path()).unwrap_err().to_string().contains("holds no PNG or JPEG images"));
    assert_eq!(read(&files[0], Channels::Grey).unwrap().to_vec::<u8>(), [5; 4]);
}
