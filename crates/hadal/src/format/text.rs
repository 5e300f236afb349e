//! Texts that others wrote: read, decompressed, and named where they are something else.

use std::io::Read;

use crate::memory;

/// Why there is no text.
pub(crate) enum Fault {
    Io(std::io::Error),
    Content(String),
}

/// What the text is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    Text,
    #[cfg_attr(not(feature = "table"), allow(dead_code))]
    Table,
}

/// How many bytes are read at a time.
const STEP: u64 = 16 << 20;

/// All bytes, decompressed, and whether they were compressed.
pub(crate) fn read(reader: impl Read) -> Result<(Vec<u8>, bool), Fault> {
    let bytes = read_all(reader, Fault::Io)?;
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return Ok((bytes, false));
    }
    let damaged = |error| Fault::Content(format!("is a damaged gzip file, or cut short: {error}"));
    Ok((read_all(flate2::read::MultiGzDecoder::new(&bytes[..]), damaged)?, true))
}

/// Reads as long as there is memory: small archives may hold much.
fn read_all(mut reader: impl Read, fault: impl Fn(std::io::Error) -> Fault) -> Result<Vec<u8>, Fault> {
    let mut bytes = Vec::new();
    loop {
        // A vector that grows is there twice for a moment, and so is what is made of the text.
        memory::require(bytes.len().saturating_mul(2) + STEP as usize).map_err(Fault::Content)?;
        if reader.by_ref().take(STEP).read_to_end(&mut bytes).map_err(&fault)? == 0 {
            return Ok(bytes);
        }
    }
}

/// Checks that bytes are a text in UTF-8; returns it without a byte-order mark.
pub(crate) fn check(bytes: &[u8], wanted: Wanted) -> Result<&str, String> {
    if let Some(reason) = foreign(bytes, wanted) {
        return Err(reason);
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let (whole, what, empty) = match wanted {
        Wanted::Text => (bytes, "a text", "is empty; a text is needed to learn from"),
        Wanted::Table => (bytes.trim_ascii(), "a table in text", "is empty"),
    };
    if whole.is_empty() {
        return Err(empty.to_owned());
    }
    if let Some(place) = bytes.iter().position(|byte| *byte == 0) {
        return Err(format!("line {}: holds a byte of 0; it is not {what} in UTF-8", line_of(bytes, place)));
    }
    std::str::from_utf8(bytes).map_err(|error| {
        let place = error.valid_up_to();
        format!(
            "line {} (byte {place}): 0x{:02x} is not UTF-8; save the file as UTF-8, for example with iconv",
            line_of(bytes, place),
            bytes[place]
        )
    })
}

/// What ends the lines: a carriage return where there is nothing else, as on old Macs.
pub(crate) fn line_end(bytes: &[u8]) -> u8 {
    if bytes.contains(&b'\n') { b'\n' } else { b'\r' }
}

/// The line of a place, from 1.
pub(crate) fn line_of(bytes: &[u8], place: usize) -> usize {
    let end = line_end(bytes);
    bytes[..place].iter().filter(|byte| **byte == end).count() + 1
}

/// What a file is that is no text, by its first bytes, and what to do.
fn foreign(bytes: &[u8], wanted: Wanted) -> Option<String> {
    const UTF16: &str = "save it as UTF-8, for example with iconv -f UTF-16 -t UTF-8";
    const PLAIN: &str = "save it as plain text in UTF-8";
    const CSV: &str = "save it as CSV";
    const DECOMPRESS: &str = "decompress it first";
    const KINDS: [(&[u8], &str, &str); 17] = [
        (b"\xff\xfe", "in UTF-16", UTF16),
        (b"\xfe\xff", "in UTF-16", UTF16),
        (b"%PDF", "a PDF", "extract its text first, for example with pdftotext"),
        (b"{\\rtf", "a document in RTF", PLAIN),
        (b"\xd0\xcf\x11\xe0", "a document of Word, Excel or PowerPoint", PLAIN),
        (b"PK\x03\x04", "a ZIP archive", "unpack it, and give the file in it"),
        (b"PK\x05\x06", "an empty ZIP archive", "give the file itself"),
        (b"BZh", "compressed by bzip2", DECOMPRESS),
        (b"\xfd7zXZ", "compressed by xz", DECOMPRESS),
        (b"\x28\xb5\x2f\xfd", "compressed by zstd", DECOMPRESS),
        (b"7z\xbc\xaf", "an archive of 7-Zip", "unpack it, and give the file in it"),
        (b"PAR1", "a Parquet file", CSV),
        (b"\x89HDF", "an HDF5 file", CSV),
        (b"\x93NUMPY", "a NumPy array", CSV),
        (b"SQLite format 3", "an SQLite database", CSV),
        (b"\x89PNG", "a PNG image", ""),
        (b"\xff\xd8\xff", "a JPEG image", ""),
    ];
    let (mut what, mut advice) = match KINDS.iter().find(|(magic, ..)| bytes.starts_with(magic)) {
        Some(&(_, what, advice)) => (what, advice),
        None if bytes.get(257..262) == Some(b"ustar") => ("a tar archive", "unpack it, and give the file in it"),
        // Of a page, the text can be learned; it is no table.
        None if wanted == Wanted::Table && is_page(bytes) => ("an HTML page", CSV),
        None => return None,
    };
    if let Some(document) = document(bytes) {
        (what, advice) = (document, PLAIN);
    }
    let sheet = what.contains("Excel");
    Some(match wanted {
        _ if what == "in UTF-16" => format!("is text in UTF-16; {advice}"),
        Wanted::Table if sheet => format!("is {what}, not a table in text; save the sheet as CSV"),
        Wanted::Table => with(format!("is {what}, not a table in text"), if advice == PLAIN { CSV } else { advice }),
        Wanted::Text => with(format!("is {what}, not a text"), if advice == CSV { PLAIN } else { advice }),
    })
}

fn with(mut reason: String, advice: &str) -> String {
    if !advice.is_empty() {
        reason += "; ";
    }
    reason + advice
}

fn is_page(bytes: &[u8]) -> bool {
    let start = bytes[..bytes.len().min(64)].trim_ascii_start().to_ascii_lowercase();
    start.starts_with(b"<!doctype html") || start.starts_with(b"<html")
}

/// A document that is a ZIP archive, by the first files in it.
fn document(bytes: &[u8]) -> Option<&'static str> {
    const FILES: [(&[u8], &str); 5] = [
        (b"word/", "a Word document"),
        (b"xl/", "an Excel file"),
        (b"ppt/", "a PowerPoint file"),
        (b"mimetypeapplication/epub", "an e-book in EPUB"),
        (b"mimetypeapplication/vnd.oasis", "an OpenDocument file"),
    ];
    if !bytes.starts_with(b"PK\x03\x04") {
        return None;
    }
    let start = &bytes[..bytes.len().min(64 << 10)];
    // A file's name stands 30 bytes behind the mark before it.
    let mut names =
        (0..start.len()).filter(|at| start[*at..].starts_with(b"PK\x03\x04")).filter_map(|at| start.get(at + 30..));
    names.find_map(|name| FILES.iter().find(|(own, _)| name.starts_with(own))).map(|(_, what)| *what)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(bytes: &[u8], wanted: Wanted) -> String {
        check(bytes, wanted).unwrap_err()
    }

    /// The beginning of an archive with these files.
    fn archive(names: &[&str]) -> Vec<u8> {
        names.iter().flat_map(|name| [b"PK\x03\x04", &[0; 26][..], name.as_bytes(), b"..."].concat()).collect()
    }

    #[test]
    fn what_is_no_text_is_named_with_what_to_do() {
        for (bytes, words) in [
            (&b"%PDF-1.7\n"[..], "is a PDF, not a text; extract its text first, for example with pdftotext"),
            (b"{\\rtf1\\ansi", "is a document in RTF, not a text; save it as plain text in UTF-8"),
            (b"\xff\xfea\0", "is text in UTF-16; save it as UTF-8, for example with iconv -f UTF-16 -t UTF-8"),
            (b"\xfe\xff\0a", "is text in UTF-16"),
            (b"BZh9", "is compressed by bzip2, not a text; decompress it first"),
            (b"PAR1", "is a Parquet file, not a text; save it as plain text in UTF-8"),
            (b"\x89PNG\r\n", "is a PNG image, not a text"),
            (b"", "is empty; a text is needed"),
            (b"a\n\0", "line 2: holds a byte of 0; it is not a text in UTF-8"),
            (b"a\nb\xff", "line 2 (byte 3): 0xff is not UTF-8"),
        ] {
            let reason = refused(bytes, Wanted::Text);
            assert!(reason.starts_with(words), "{reason}");
        }
        let tar = [&[b'a'; 257][..], b"ustar\0"].concat();
        assert!(refused(&tar, Wanted::Text).starts_with("is a tar archive, not a text; unpack it"));
    }

    #[test]
    fn archives_are_known_by_what_is_in_them() {
        let of = |names: &[&str], wanted: Wanted| refused(&archive(names), wanted);
        let word = of(&["[Content_Types].xml", "word/document.xml"], Wanted::Text);
        assert_eq!(word, "is a Word document, not a text; save it as plain text in UTF-8");
        let excel = of(&["[Content_Types].xml", "xl/workbook.xml"], Wanted::Table);
        assert_eq!(excel, "is an Excel file, not a table in text; save the sheet as CSV");
        assert!(of(&["mimetypeapplication/epub+zip"], Wanted::Text).starts_with("is an e-book in EPUB, not a text"));
        let other = of(&["keyword/book.txt"], Wanted::Text);
        assert_eq!(other, "is a ZIP archive, not a text; unpack it, and give the file in it");
    }

    #[test]
    fn a_page_is_a_text_but_no_table_and_marks_of_byte_order_are_no_text() {
        assert!(check(b"<!DOCTYPE html><p>", Wanted::Text).is_ok());
        assert!(refused(b"\n<!doctype HTML>", Wanted::Table).starts_with("is an HTML page, not a table in text"));
        assert_eq!(check(b"\xef\xbb\xbfa", Wanted::Table), Ok("a"));
        assert_eq!((check(b" \n", Wanted::Text), refused(b" \n", Wanted::Table)), (Ok(" \n"), "is empty".to_owned()));
    }
}
