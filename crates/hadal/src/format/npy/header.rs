//! The header of an array: its type of number, order and shape, as a Python dict literal.

use std::io::Read;

use super::number::Number;
use crate::{Shape, ShapeError};

/// The longest header that is read: what format version 1.0 can hold. Those of NumPy have about 100 bytes.
const LONGEST: usize = 1 << 16;

/// What a header says of its array.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Header {
    pub number: Number,
    /// Column-major: the first axis varies fastest.
    pub fortran_order: bool,
    pub shape: Shape,
    /// The bytes before the numbers.
    pub length: u64,
}

impl Header {
    /// Reads a header, or says why there is none.
    pub fn read(mut file: impl Read) -> Result<Header, String> {
        let mut take = |bytes: &mut [u8]| {
            file.read_exact(bytes).map_err(|error| match error.kind() {
                std::io::ErrorKind::UnexpectedEof => "is cut short: its header is not whole".to_owned(),
                _ => format!("cannot be read: {error}"),
            })
        };
        let mut start = [0; 8];
        let begun = take(&mut start[..6]);
        if begun.is_err() || &start[..6] != b"\x93NUMPY" {
            return Err("is not an .npy file (it does not begin with \\x93NUMPY); np.save writes one".to_owned());
        }
        take(&mut start[6..])?;
        let mut size = [0; 4];
        let width = match start[6..] {
            [1, 0] => 2,
            [2 | 3, 0] => 4,
            [major, minor] => {
                return Err(format!("has format version {major}.{minor}; versions 1.0, 2.0 and 3.0 are read"));
            }
            _ => unreachable!("two bytes"),
        };
        take(&mut size[..width])?;
        let size = u32::from_le_bytes(size) as usize;
        if size > LONGEST {
            return Err(format!("has a header of {size} bytes, more than the {LONGEST} that are read"));
        }
        let mut text = vec![0; size];
        take(&mut text)?;
        let text = str::from_utf8(&text).map_err(|_| "has a header that is not text".to_owned())?;
        let (number, fortran_order, shape) = parse(text)?;
        Ok(Header { number, fortran_order, shape, length: (8 + width + size) as u64 })
    }

    /// The bytes of the numbers; counted in 128 bits, which no shape exceeds.
    pub fn bytes(&self) -> u128 {
        self.shape.elements() as u128 * self.number.size() as u128
    }

    /// Whether rows lie one after the other. An array of one axis has one order.
    pub fn is_c_order(&self) -> bool {
        !self.fortran_order || self.shape.rank() <= 1
    }
}

/// A header of format version 1.0 for an array in C order, padded so that the numbers begin at a multiple of 64 bytes.
pub(super) fn write(number: Number, shape: &Shape) -> Vec<u8> {
    let sizes: String = shape.iter().map(|size| format!("{size}, ")).collect();
    // A tuple of one has its comma: `(3,)`.
    let sizes = if shape.rank() == 1 { sizes.trim_end() } else { sizes.trim_end_matches(", ") };
    let dict = format!("{{'descr': '{}', 'fortran_order': False, 'shape': ({sizes}), }}", number.descr());
    let length = (10 + dict.len() + 1).next_multiple_of(64);
    let padding = " ".repeat(length - 11 - dict.len());
    let mut header = b"\x93NUMPY\x01\x00".to_vec();
    header.extend(((length - 10) as u16).to_le_bytes());
    header.extend(format!("{dict}{padding}\n").bytes());
    header
}

/// The three entries of the dict.
fn parse(text: &str) -> Result<(Number, bool, Shape), String> {
    let mut parser = Parser { text, at: 0 };
    let (mut number, mut fortran_order, mut shape) = (None, None, None);
    parser.expect('{')?;
    while !parser.skip('}') {
        let key = parser.string()?;
        parser.expect(':')?;
        let twice = match key {
            "descr" => number.replace(parser.number()?).is_some(),
            "fortran_order" => fortran_order.replace(parser.truth()?).is_some(),
            "shape" => shape.replace(parser.shape()?).is_some(),
            other => return Err(format!("has a header with the unknown entry `{other}`")),
        };
        if twice {
            return Err(format!("has a header with two entries `{key}`"));
        }
        if !parser.skip(',') {
            parser.expect('}')?;
            break;
        }
    }
    if !parser.rest().is_empty() {
        return Err(parser.unexpected("the end of the header"));
    }
    let missing = |entry: &str| format!("has a header without the entry `{entry}`");
    Ok((
        number.ok_or_else(|| missing("descr"))?,
        fortran_order.ok_or_else(|| missing("fortran_order"))?,
        shape.ok_or_else(|| missing("shape"))?,
    ))
}

/// A reader of the few Python literals that headers have.
struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Parser<'a> {
    /// What is left, without the spaces before it.
    fn rest(&mut self) -> &'a str {
        let rest = &self.text[self.at..];
        let trimmed = rest.trim_start_matches([' ', '\n', '\t', '\r']);
        self.at += rest.len() - trimmed.len();
        trimmed
    }

    fn skip(&mut self, character: char) -> bool {
        let there = self.rest().starts_with(character);
        self.at += if there { character.len_utf8() } else { 0 };
        there
    }

    fn expect(&mut self, character: char) -> Result<(), String> {
        if self.skip(character) { Ok(()) } else { Err(self.unexpected(&format!("`{character}`"))) }
    }

    fn unexpected(&mut self, wanted: &str) -> String {
        let found: String = self.rest().chars().take(12).collect();
        let found = if found.is_empty() { "nothing".to_owned() } else { format!("{found:?}") };
        format!("has a damaged header: {wanted} is missing at character {}, where {found} stands", self.at)
    }

    fn string(&mut self) -> Result<&'a str, String> {
        let rest = self.rest();
        let quote = rest.chars().next().filter(|quote| matches!(quote, '\'' | '"'));
        let quote = quote.ok_or_else(|| self.unexpected("a text in quotes"))?;
        let end = rest[1..].find(quote).ok_or_else(|| self.unexpected("the closing quote"))?;
        self.at += end + 2;
        Ok(&rest[1..=end])
    }

    fn number(&mut self) -> Result<Number, String> {
        if self.rest().starts_with(['[', '(']) {
            return Err("is a structured array (of records); save each field as an array of its own".to_owned());
        }
        Number::parse(self.string()?)
    }

    fn truth(&mut self) -> Result<bool, String> {
        for (word, value) in [("True", true), ("False", false)] {
            if self.rest().starts_with(word) {
                self.at += word.len();
                return Ok(value);
            }
        }
        Err(self.unexpected("True or False"))
    }

    /// A tuple of sizes: `()`, `(3,)` or `(3, 4)`.
    fn shape(&mut self) -> Result<Shape, String> {
        let mut sizes = Vec::new();
        self.expect('(')?;
        while !self.skip(')') {
            sizes.push(self.size()?);
            if !self.skip(',') {
                // `(3)` is a number, not a tuple.
                if sizes.len() == 1 {
                    return Err(self.unexpected("`,`"));
                }
                self.expect(')')?;
                break;
            }
        }
        Shape::try_new(&sizes).map_err(|error: ShapeError| format!("has a shape that cannot be: {error}"))
    }

    fn size(&mut self) -> Result<usize, String> {
        let rest = self.rest();
        let digits = &rest[..rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len())];
        if digits.is_empty() {
            return Err(self.unexpected("a size, a whole number"));
        }
        self.at += digits.len();
        // NumPy under Python 2 wrote `3L`.
        self.skip('L');
        digits.parse().map_err(|_| format!("has an axis of {digits} elements, more than this machine can count"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str) -> String {
        parse(text).unwrap_err()
    }

    #[test]
    fn headers_as_numpy_writes_them_are_read() {
        let (number, fortran_order, shape) =
            parse("{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }          \n").unwrap();
        assert_eq!((number, fortran_order, shape), (Number::F32, false, Shape::from([3, 4])));
        let (number, fortran_order, shape) =
            parse("{\"shape\":(5L,),\"fortran_order\":True,\"descr\":\"|u1\"}").unwrap();
        assert_eq!((number, fortran_order, shape), (Number::U8, true, Shape::from([5])));
        assert_eq!(parse("{'descr': '<i8', 'fortran_order': False, 'shape': (), }").unwrap().2, Shape::from([]));
    }

    #[test]
    fn what_is_written_is_read_back_and_aligned() {
        for shape in [Shape::from([]), Shape::from([7]), Shape::from([1, 2, 3]), Shape::from([0, 1 << 40])] {
            let bytes = write(Number::I64, &shape);
            let header = Header::read(&bytes[..]).unwrap();
            assert_eq!((header.number, header.fortran_order, header.shape), (Number::I64, false, shape));
            assert_eq!((header.length as usize, bytes.len() % 64), (bytes.len(), 0));
        }
    }

    #[test]
    fn damaged_headers_say_what_is_missing_and_where() {
        assert!(message("").contains("`{` is missing at character 0, where nothing stands"));
        assert!(message("{'descr': '<f4'").contains("`}` is missing at character 15"));
        assert!(message("{'descr' '<f4'}").contains("`:` is missing"));
        assert!(message("{'descr': <f4}").contains("a text in quotes is missing"));
        assert!(message("{'descr': '<f4}").contains("the closing quote is missing"));
        assert!(message("{'fortran_order': 0}").contains("True or False is missing"));
        assert!(
            message("{'shape': (-1,)}").contains("a size, a whole number is missing at character 11, where \"-1,)}\"")
        );
        assert!(message("{'shape': (3)}").contains("`,` is missing"));
        assert!(message("{'shape': (3, 4}").contains("`)` is missing"));
        assert!(message("{'order': 'C'}").contains("the unknown entry `order`"));
        assert!(message("{'shape': (), 'shape': ()}").contains("two entries `shape`"));
        assert!(message("{'descr': '<f4', 'shape': ()}").contains("without the entry `fortran_order`"));
        assert!(
            message("{'descr': '<f4', 'fortran_order': False, 'shape': ()} import os")
                .contains("the end of the header")
        );
    }

    #[test]
    fn shapes_that_no_memory_holds_are_refused() {
        assert!(message("{'shape': (4294967296, 4294967296, 4294967296)}").contains("has a shape that cannot be"));
        assert!(message("{'shape': (99999999999999999999999,)}").contains("more than this machine can count"));
        assert!(message("{'shape': (1, 1, 1, 1, 1, 1, 1)}").contains("has a shape that cannot be"));
    }

    #[test]
    fn versions_and_lengths_are_judged_before_anything_is_read() {
        let message = |bytes: &[u8]| Header::read(bytes).unwrap_err();
        assert!(message(b"PK\x03\x04").contains("is not an .npy file"));
        assert!(message(b"\x93NUMPY\x04\x00\x10\x00").contains("has format version 4.0"));
        assert!(message(b"\x93NUMPY\x02\x00\xff\xff\xff\xff").contains("has a header of 4294967295 bytes"));
        assert!(message(b"\x93NUMPY\x01\x00\x76\x00{").contains("is cut short: its header"));
        assert!(message(b"\x93NUMPY").contains("is cut short: its header"));
        assert!(message(b"\x93NUMPY\x01\x00\x01\x00\xff").contains("not text"));
    }

    proptest::proptest! {
        /// Whatever the bytes, they are a header or an error.
        #[test]
        fn no_header_panics(text in "[{}()\\[\\]'\":, LTrueFalse0-9descrshapfotn_<|é]{0,80}") {
            let _ = parse(&text);
        }
    }
}
