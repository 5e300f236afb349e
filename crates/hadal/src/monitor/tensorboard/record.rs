//! TFRecord: the frame around each message of an events file.
//!
//! | bytes | |
//! | --- | --- |
//! | 8 | the length of the data, little-endian |
//! | 4 | the masked CRC-32C of those 8 bytes |
//! | length | the data |
//! | 4 | the masked CRC-32C of the data |
//!
//! Source: TensorFlow, `tensorflow/core/lib/io/record_writer.h`.

use std::fs::File;
use std::io::{BufReader, ErrorKind, Read};
use std::path::{Path, PathBuf};

use crc::{CRC_32_ISCSI, Crc, Table};

use crate::{Error, Result};

/// Castagnoli's polynomial, 16 bytes at a time.
const CRC: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&CRC_32_ISCSI);

/// The checksum, changed so that data which holds checksums is still checked well.
fn masked_crc(data: &[u8]) -> u32 {
    CRC.checksum(data).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// Appends a record with this data to `out`.
///
/// ```
/// use hadal::monitor::tensorboard::{RecordReader, push_record};
/// let mut file = Vec::new();
/// push_record(&mut file, b"first");
/// push_record(&mut file, b"second");
/// let records: hadal::Result<Vec<Vec<u8>>> = RecordReader::new("memory", &file[..]).collect();
/// assert_eq!(records?, [&b"first"[..], b"second"]);
/// # Ok::<(), hadal::Error>(())
/// ```
pub fn push_record(out: &mut Vec<u8>, data: &[u8]) {
    let length = (data.len() as u64).to_le_bytes();
    out.extend(length);
    out.extend(masked_crc(&length).to_le_bytes());
    out.extend(data);
    out.extend(masked_crc(data).to_le_bytes());
}

/// Reads the records of a file, for example the events of TensorBoard. The first error is the last item: a record that is cut short,
/// as a killed program leaves it, or damaged. Its message says which record it is, and at which byte.
///
/// ```
/// use hadal::monitor::tensorboard::{Log, RecordReader};
/// # let folder = tempfile::tempdir().unwrap();
/// let mut log = Log::open(folder.path())?;
/// log.scalar("loss", 0.5)?;
/// let path = log.path().to_owned();
/// drop(log);
/// let records: hadal::Result<Vec<_>> = RecordReader::open(&path)?.collect();
/// assert_eq!(records?.len(), 2); // the version, and the number
/// # Ok::<(), hadal::Error>(())
/// ```
pub struct RecordReader<R> {
    path: PathBuf,
    reader: R,
    /// Bytes and records that have been read.
    position: u64,
    records: usize,
    ended: bool,
}

impl RecordReader<BufReader<File>> {
    /// Opens a file.
    ///
    /// # Errors
    /// If it cannot be opened.
    pub fn open(path: impl AsRef<Path>) -> Result<RecordReader<BufReader<File>>> {
        let path = path.as_ref();
        let file = File::open(path).map_err(Error::io(path, "open the records"))?;
        Ok(RecordReader::new(path, BufReader::new(file)))
    }
}

impl<R: Read> RecordReader<R> {
    /// Reads from anything; `path` is its name in messages.
    pub fn new(path: impl AsRef<Path>, reader: R) -> RecordReader<R> {
        RecordReader { path: path.as_ref().to_owned(), reader, position: 0, records: 0, ended: false }
    }

    /// The byte at which the next record begins: all before it has been read and is whole.
    pub fn position(&self) -> u64 {
        self.position
    }

    fn record(&mut self) -> Result<Option<Vec<u8>>> {
        let mut head = [0; 12];
        match self.fill(&mut head)? {
            0 => return Ok(None),
            12 => {}
            _ => return Err(self.cut()),
        }
        let (length, check) = head.split_at(8);
        if masked_crc(length).to_le_bytes() != check {
            return Err(self.wrong("its length is damaged"));
        }
        let length = u64::from_le_bytes(length.try_into().unwrap_or_default());
        let mut data = Vec::new();
        // Memory is taken as data comes, whatever the length says.
        let read = self.reader.by_ref().take(length).read_to_end(&mut data);
        read.map_err(Error::io(&self.path, "read the records"))?;
        let mut check = [0; 4];
        if (data.len() as u64) < length || self.fill(&mut check)? < 4 {
            return Err(self.cut());
        }
        if masked_crc(&data).to_le_bytes() != check {
            return Err(self.wrong("its data is damaged"));
        }
        self.position += 16 + length;
        self.records += 1;
        Ok(Some(data))
    }

    /// Reads until the buffer is full or there is no more; returns how many bytes there were.
    fn fill(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.reader.read(&mut buffer[filled..]) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(Error::io(&self.path, "read the records")(error)),
            }
        }
        Ok(filled)
    }

    fn cut(&self) -> Error {
        self.wrong("it is cut short; the file was not written to its end")
    }

    fn wrong(&self, what: &str) -> Error {
        Error::file(&self.path, format!("record {}, at byte {}: {what}", self.records + 1, self.position))
    }
}

impl<R: Read> Iterator for RecordReader<R> {
    type Item = Result<Vec<u8>>;

    fn next(&mut self) -> Option<Result<Vec<u8>>> {
        if self.ended {
            return None;
        }
        let record = self.record().transpose();
        self.ended = !matches!(record, Some(Ok(_)));
        record
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn file(records: &[Vec<u8>]) -> Vec<u8> {
        let mut file = Vec::new();
        records.iter().for_each(|record| push_record(&mut file, record));
        file
    }

    /// The whole records at the beginning, the message that follows them, and where they end.
    fn read(file: &[u8]) -> (Vec<Vec<u8>>, Option<String>, u64) {
        let mut reader = RecordReader::new("events", file);
        let (mut records, mut message) = (Vec::new(), None);
        for record in &mut reader {
            match record {
                Ok(record) => records.push(record),
                Err(error) => message = Some(error.to_string()),
            }
        }
        assert!(reader.next().is_none());
        (records, message, reader.position())
    }

    #[test]
    fn checksums_are_those_of_rfc_3720_and_of_tensorflow() {
        let ascending: Vec<u8> = (0..32).collect();
        for (data, sum) in [
            (&[0u8; 32][..], 0x8a91_36aa),
            (&[0xff; 32], 0x62a8_ab43),
            (&ascending, 0x46dd_794e),
            (b"123456789", 0xe306_9283),
        ] {
            assert_eq!(CRC.checksum(data), sum);
        }
        // What tensorboard.summary.writer.record_writer writes for the record "x".
        let expected = [1, 0, 0, 0, 0, 0, 0, 0, 0x01, 0x75, 0xde, 0x41, b'x', 0x50, 0x3d, 0xaa, 0x61];
        let written = file(&[b"x".to_vec()]);
        assert_eq!(written, expected);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(records in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..6)) {
            let file = file(&records);
            prop_assert_eq!(read(&file), (records, None, file.len() as u64));
        }

        #[test]
        fn a_cut_file_gives_its_whole_records_and_says_where_it_ends(
            records in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 1..6),
            cut in any::<prop::sample::Index>(),
        ) {
            let all = file(&records);
            let cut = cut.index(all.len());
            let (read, message, end) = read(&all[..cut]);
            prop_assert_eq!(&read[..], &records[..read.len()]);
            let boundary = file(&records[..read.len()]).len();
            prop_assert_eq!(end, boundary as u64);
            if boundary == cut {
                prop_assert_eq!(message, None);
            } else {
                let message = message.unwrap();
                let place = format!("events: record {}, at byte {boundary}: it is cut short", read.len() + 1);
                prop_assert!(message.starts_with(&place), "{}", message);
            }
        }

        #[test]
        fn a_flipped_bit_is_found(
            records in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 1..6),
            bit in any::<prop::sample::Index>(),
        ) {
            let mut all = file(&records);
            let bit = bit.index(8 * all.len());
            all[bit / 8] ^= 1 << (bit % 8);
            let (read, message, end) = read(&all);
            prop_assert_eq!(&read[..], &records[..read.len()]);
            prop_assert!(end as usize <= bit / 8, "the record with the wrong bit is not read");
            let place = format!("at byte {end}: it");
            prop_assert!(message.unwrap().contains(&place));
        }
    }
}
