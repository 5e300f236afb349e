//! An events file that grows, whatever happens to the disk and the process.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::record::push_record;
use crate::monitor::note;
use crate::{Error, Result};

/// How long records may wait in memory.
const LONGEST_WAIT: Duration = Duration::from_secs(2);

/// How many bytes may wait while writing works, and while it does not.
const MOST_WAITING: usize = 1 << 20;
const MOST_KEPT: usize = 1 << 24;

/// What the names of events files begin with.
const PREFIX: &str = "events.out.tfevents.";

/// What can be appended to and shortened.
pub(super) trait Appendable: Write {
    fn shorten(&mut self, length: u64) -> io::Result<()>;

    /// Makes the file again if it was removed; returns whether it was.
    fn restore(&mut self, path: &Path) -> io::Result<bool>;
}

impl Appendable for File {
    fn shorten(&mut self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }

    fn restore(&mut self, path: &Path) -> io::Result<bool> {
        let is_gone = path.symlink_metadata().is_err_and(|error| error.kind() == io::ErrorKind::NotFound);
        if is_gone {
            path.parent().map_or(Ok(()), std::fs::create_dir_all)?;
            *self = create(path)?;
        }
        Ok(is_gone)
    }
}

fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create_new(true).open(path)
}

/// Appends records. Where a write fails, the file is shortened to its last whole record, the records wait, and later ones try
/// again.
pub(super) struct EventsFile<A: Appendable = File> {
    path: PathBuf,
    file: A,
    /// The first record.
    begin: Vec<u8>,
    /// Whole records that are not in the file yet.
    waiting: Vec<u8>,
    /// The bytes of whole records in the file.
    written: u64,
    last_try: Instant,
    /// Whether the last try failed, and what of a record it left has to go first.
    failing: bool,
    has_noted: bool,
    lost: usize,
}

impl EventsFile {
    /// Creates a new file in `folder`, which TensorBoard reads after all that are there, and says whether there are any. The file
    /// begins with the record `begin`.
    pub fn create(folder: &Path, begin: Vec<u8>) -> Result<(EventsFile, bool)> {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        std::fs::create_dir_all(folder).map_err(Error::io(folder, "create the folder"))?;
        let newest = newest(folder)?;
        let now = seconds() as u64;
        // Files are read in the order of their names.
        let second = newest.map_or(now, |newest| now.max(newest.saturating_add(1)));
        let process = std::process::id();
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = folder.join(format!("{PREFIX}{second:010}.{}.{process}.{number}", host()));
        let file = create(&path).map_err(Error::io(&path, "create the events file"))?;
        Ok((EventsFile::new(path, file, begin), newest.is_some()))
    }
}

impl<A: Appendable> EventsFile<A> {
    fn new(path: PathBuf, file: A, begin: Vec<u8>) -> EventsFile<A> {
        EventsFile {
            path,
            file,
            waiting: begin.clone(),
            begin,
            written: 0,
            last_try: Instant::now(),
            failing: false,
            has_noted: false,
            lost: 0,
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends the records in `records`, now or soon.
    pub fn push(&mut self, records: &[u8]) {
        if self.failing && self.waiting.len() + records.len() > MOST_KEPT {
            // What is newest would be missed most, once there is room again.
            self.lost += self.waiting.len();
            self.waiting.clear();
        }
        self.waiting.extend_from_slice(records);
        self.write_if_due();
    }

    /// Writes what has waited long enough. Errors are noted once, and tried again later.
    pub fn write_if_due(&mut self) {
        let is_due = self.last_try.elapsed() >= LONGEST_WAIT || self.waiting.len() >= MOST_WAITING && !self.failing;
        if is_due {
            self.write_or_note();
        }
    }

    pub fn write_or_note(&mut self) {
        if let Err(error) = self.write()
            && !self.has_noted
        {
            self.has_noted = true;
            note(&format!("{error}; training goes on, and writing is tried again"));
        }
    }

    /// Writes all records that wait.
    pub fn write(&mut self) -> Result<()> {
        self.last_try = Instant::now();
        if self.file.restore(&self.path).map_err(Error::io(&self.path, "create the events file"))? {
            note(&format!("{} was removed during the run; it is made again", self.path.display()));
            self.written = 0;
            self.waiting.splice(..0, self.begin.iter().copied());
        }
        if self.failing {
            self.file.shorten(self.written).map_err(Error::io(&self.path, "shorten the events file"))?;
        }
        if self.waiting.is_empty() {
            self.failing = false;
            return Ok(());
        }
        if let Err(error) = self.file.write_all(&self.waiting) {
            self.failing = true;
            // A reader should find whole records meanwhile; where this fails, too, the next try begins with it.
            let _ = self.file.shorten(self.written);
            return Err(Error::io(&self.path, "write events")(error));
        }
        self.failing = false;
        self.written += self.waiting.len() as u64;
        self.waiting.clear();
        if std::mem::take(&mut self.lost) > 0 {
            note(&format!("{}: events are written again; some are missing", self.path.display()));
        }
        Ok(())
    }
}

impl<A: Appendable> Drop for EventsFile<A> {
    fn drop(&mut self) {
        self.write_or_note();
    }
}

/// A record as it stands in a file.
pub(super) fn record(event: &super::messages::Event) -> Vec<u8> {
    let mut record = Vec::new();
    push_record(&mut record, &prost::Message::encode_to_vec(event));
    record
}

/// Seconds since 1970.
pub(super) fn seconds() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |time| time.as_secs_f64())
}

/// The second in the name of the newest events file in `folder`, if there is one.
fn newest(folder: &Path) -> Result<Option<u64>> {
    let mut newest = None;
    for entry in std::fs::read_dir(folder).map_err(Error::io(folder, "read the folder"))? {
        let entry = entry.map_err(Error::io(folder, "read the folder"))?;
        if let Some(rest) = entry.file_name().to_string_lossy().strip_prefix(PREFIX) {
            // A second with more digits, which no clock gives, would not be ordered as a number.
            let second = rest.split('.').next().filter(|digits| digits.len() == 10);
            newest = newest.max(Some(second.and_then(|digits| digits.parse().ok()).unwrap_or(0)));
        }
    }
    Ok(newest)
}

/// The machine's name, of what a file's name may have.
fn host() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let name = name.or_else(|| ["HOSTNAME", "COMPUTERNAME"].iter().find_map(|name| std::env::var(name).ok()));
    let name = name.unwrap_or_default();
    let plain: String = name.trim().chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(63).collect();
    if plain.is_empty() { "localhost".into() } else { plain }
}

#[cfg(test)]
mod tests {
    use super::super::record::RecordReader;
    use super::*;

    /// A disk of `room` bytes, and the file on it.
    struct Disk {
        room: usize,
        bytes: Vec<u8>,
    }

    impl Write for &mut Disk {
        fn write(&mut self, data: &[u8]) -> io::Result<usize> {
            let fits = data.len().min(self.room - self.bytes.len());
            self.bytes.extend(&data[..fits]);
            if fits == 0 { Err(io::ErrorKind::StorageFull.into()) } else { Ok(fits) }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Appendable for &mut Disk {
        fn shorten(&mut self, length: u64) -> io::Result<()> {
            self.bytes.truncate(length as usize);
            Ok(())
        }

        fn restore(&mut self, _: &Path) -> io::Result<bool> {
            Ok(false)
        }
    }

    fn records(bytes: &[u8]) -> Vec<Vec<u8>> {
        RecordReader::new("disk", bytes).collect::<Result<_>>().unwrap()
    }

    #[test]
    fn a_full_disk_keeps_whole_records_and_what_can_be_written_later_is_written() {
        let record = |text: &[u8]| {
            let mut record = Vec::new();
            push_record(&mut record, text);
            record
        };
        let mut disk = Disk { room: 50, bytes: Vec::new() };
        let mut file = EventsFile::new("full/events".into(), &mut disk, Vec::new());
        file.push(&record(b"one"));
        file.write().unwrap();
        file.push(&record(b"two"));
        file.push(&record(b"three"));
        let message = file.write().unwrap_err().to_string();
        assert!(message.starts_with("full/events: cannot write events: "), "{message}");
        assert_eq!(records(&file.file.bytes), [b"one"]);
        file.write_or_note();
        file.write_or_note();
        assert!(file.has_noted, "once");
        file.file.room = 1000;
        file.push(&record(b"four"));
        drop(file);
        assert_eq!(records(&disk.bytes), [&b"one"[..], b"two", b"three", b"four"]);
    }

    #[test]
    fn what_waits_for_room_takes_limited_memory() {
        let mut disk = Disk { room: 0, bytes: Vec::new() };
        let mut file = EventsFile::new("full/events".into(), &mut disk, Vec::new());
        let mut big = Vec::new();
        push_record(&mut big, &vec![0; 1 << 20]);
        assert!(file.write().is_ok(), "nothing waits");
        for _ in 0..40 {
            file.push(&big);
            file.write_or_note();
        }
        assert!(file.waiting.len() <= MOST_KEPT && file.lost > 0);
        file.file.room = 1 << 30;
        file.write().unwrap();
        assert!(!records(&file.file.bytes).is_empty() && file.lost == 0);
    }

    #[test]
    fn a_new_file_comes_after_all_others_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let names: Vec<PathBuf> =
            (0..3).map(|_| EventsFile::create(folder.path(), Vec::new()).unwrap().0.path().to_owned()).collect();
        assert!(names.is_sorted(), "{names:?}");
        std::fs::write(folder.path().join(format!("{PREFIX}99999999999999999999.host")), "").unwrap();
        std::fs::write(folder.path().join(format!("{PREFIX}é")), "").unwrap();
        let (last, others) = EventsFile::create(folder.path(), Vec::new()).unwrap();
        assert!(others && last.path() > names[2].as_path());
    }

    #[test]
    fn a_file_that_is_removed_is_made_again() {
        let folder = tempfile::tempdir().unwrap();
        let runs = folder.path().join("runs/first");
        let record = |text: &[u8]| {
            let mut record = Vec::new();
            push_record(&mut record, text);
            record
        };
        let (mut file, _) = EventsFile::create(&runs, record(b"version")).unwrap();
        file.push(&record(b"one"));
        file.write().unwrap();
        std::fs::remove_dir_all(folder.path().join("runs")).unwrap();
        file.push(&record(b"two"));
        file.write().unwrap();
        assert_eq!(records(&std::fs::read(file.path()).unwrap()), [&b"version"[..], b"two"]);
    }
}
