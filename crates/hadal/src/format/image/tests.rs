use std::path::PathBuf;

use super::*;

/// An image that Pillow wrote (tests/images/generate.py).
fn pillow(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/images").join(name)
}

/// That an image is the one that Pillow reads, within `levels`.
fn assert_as_pillow(name: &str, image: &Tensor, levels: u8) {
    let expected = std::fs::read_to_string(pillow("expected.json")).unwrap();
    let expected: serde_json::Value = serde_json::from_str(&expected).unwrap();
    let numbers = |key: &str| -> Vec<u64> {
        expected[name][key].as_array().unwrap().iter().map(|value| value.as_u64().unwrap()).collect()
    };
    let shape: Vec<usize> = numbers("shape").into_iter().map(|size| size as usize).collect();
    assert_eq!(image.shape().to_vec(), shape, "{name}");
    for (at, (found, expected)) in image.to_vec::<u8>().into_iter().zip(numbers("values")).enumerate() {
        assert!(u64::from(found).abs_diff(expected) <= levels.into(), "{name}: {found}, not {expected}, at {at}");
    }
}

#[test]
fn jpeg_images_are_read_as_pillow_reads_them() {
    for name in ["colour.jpg", "progressive.jpg", "turned.jpg"] {
        assert_as_pillow(&format!("{name} rgb"), &read(pillow(name), Channels::Rgb).unwrap(), 3);
    }
    for name in ["colour.jpg", "grey.jpg"] {
        assert_as_pillow(&format!("{name} grey"), &read(pillow(name), Channels::Grey).unwrap(), 2);
    }
    assert_eq!(read(pillow("grey.jpg"), Channels::Rgb).unwrap().shape(), &[3, 16, 24]);
}

#[test]
fn headers_tell_sizes_and_colours() {
    assert_eq!(read_size(pillow("colour.jpg")).unwrap(), [16, 24]);
    assert_eq!(read_size(pillow("turned.jpg")).unwrap(), [24, 16], "as it is shown");
    assert_eq!(read_size(pillow("noise.png")).unwrap(), [10, 13]);
    let channels = |name: &str| header(&pillow(name)).unwrap().channels;
    assert_eq!((channels("colour.jpg"), channels("palette.png")), (Channels::Rgb, Channels::Rgb));
    assert_eq!((channels("grey.jpg"), channels("noise.png")), (Channels::Grey, Channels::Grey));
}

#[test]
fn palettes_are_read_exactly() {
    assert_as_pillow("palette.png rgb", &read(pillow("palette.png"), Channels::Rgb).unwrap(), 0);
    assert_as_pillow("palette.png grey", &read(pillow("palette.png"), Channels::Grey).unwrap(), 0);
}

#[test]
fn images_are_resized_as_pillow_resizes_them() {
    let image = read(pillow("noise.png"), Channels::Grey).unwrap();
    // In the last, one pixel lies between two levels.
    for ([height, width], levels) in [([5, 6], 0), ([10, 4], 0), ([3, 13], 0), ([20, 30], 0), ([1, 1], 0), ([7, 40], 1)]
    {
        assert_as_pillow(&format!("noise.png {height} {width}"), &resize(&image, [height, width]).unwrap(), levels);
    }
    let message = |image: &Tensor, size| resize(image, size).unwrap_err().to_string();
    assert!(message(&Tensor::zeros([2, 2]), [1, 1]).contains("hold u8, not f32"));
    assert!(message(&image, [0, 1]).contains("images of 10 x 13 pixels cannot become 0 x 1"));
    assert!(message(&image.narrow(0, 0, 1).reshape([13]), [1, 1]).contains("[.., height, width]"));
}

#[test]
fn every_prefix_of_an_image_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("image");
    for name in ["colour.jpg", "progressive.jpg", "grey.jpg", "turned.jpg", "noise.png", "palette.png"] {
        let whole = std::fs::read(pillow(name)).unwrap();
        for length in 0..whole.len() {
            std::fs::write(&path, &whole[..length]).unwrap();
            assert!(read(&path, Channels::Rgb).is_err(), "{length} of {} bytes of {name}", whole.len());
            let _ = read_size(&path);
        }
    }
}

#[test]
fn damage_is_an_error_or_an_image_but_no_panic() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("image");
    for name in ["colour.jpg", "progressive.jpg", "turned.jpg", "palette.png"] {
        let whole = std::fs::read(pillow(name)).unwrap();
        for at in (0..whole.len()).step_by(3) {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x5a;
            std::fs::write(&path, &bytes).unwrap();
            let _ = (read(&path, Channels::Grey), read_size(&path));
        }
    }
}

#[test]
fn huge_sizes_are_refused_by_header() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("image.jpg");
    let mut bytes = std::fs::read(pillow("colour.jpg")).unwrap();
    let frame = bytes.windows(2).position(|marker| marker == [0xff, 0xc0]).unwrap();
    let mut message = |height: u16, width: u16| {
        bytes[frame + 5..frame + 7].copy_from_slice(&height.to_be_bytes());
        bytes[frame + 7..frame + 9].copy_from_slice(&width.to_be_bytes());
        std::fs::write(&path, &bytes).unwrap();
        read(&path, Channels::Rgb).unwrap_err().to_string()
    };
    assert!(message(65535, 65535).contains("is 65535 x 65535 pixels, more than the 67108864"));
    assert!(message(8000, 8000).contains("is cut short"));
    assert!(message(0, 24).contains("its header has no size"));
}

#[test]
fn transparent_parts_show_black() {
    assert_eq!(over_black(&[200, 0]), [0; 3]);
    assert_eq!(over_black(&[200, 255]), [200; 3]);
    assert_eq!(over_black(&[255, 100, 0, 51]), [51, 20, 0]);
    assert_eq!([luma([255, 0, 0]), luma([0, 255, 0]), luma([0, 0, 255]), luma([255; 3])], [76, 150, 29, 255]);
}
