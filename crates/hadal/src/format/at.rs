//! Reading at a place of a file, without a position that readers share.

use std::fs::File;
use std::io::{Read, Result, Seek, SeekFrom};
use std::sync::Arc;

/// Fills `bytes` from `offset` on.
pub(crate) fn read_exact_at(file: &File, bytes: &mut [u8], offset: u64) -> Result<()> {
    #[cfg(not(windows))]
    return std::os::unix::fs::FileExt::read_exact_at(file, bytes, offset);
    #[cfg(windows)]
    {
        let mut done = 0;
        while done < bytes.len() {
            match std::os::windows::fs::FileExt::seek_read(file, &mut bytes[done..], offset + done as u64)? {
                0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
                read => done += read,
            }
        }
        Ok(())
    }
}

fn read_at(file: &File, bytes: &mut [u8], offset: u64) -> Result<usize> {
    #[cfg(not(windows))]
    return std::os::unix::fs::FileExt::read_at(file, bytes, offset);
    #[cfg(windows)]
    return std::os::windows::fs::FileExt::seek_read(file, bytes, offset);
}

/// A reader of a shared file with a position of its own.
#[derive(Clone, Debug)]
pub(crate) struct At {
    file: Arc<File>,
    position: u64,
}

impl At {
    pub fn new(file: Arc<File>, position: u64) -> At {
        At { file, position }
    }
}

impl Read for At {
    fn read(&mut self, bytes: &mut [u8]) -> Result<usize> {
        let read = read_at(&self.file, bytes, self.position)?;
        self.position += read as u64;
        Ok(read)
    }
}

impl Seek for At {
    fn seek(&mut self, to: SeekFrom) -> Result<u64> {
        let (base, step) = match to {
            SeekFrom::Start(position) => (position, 0),
            SeekFrom::Current(step) => (self.position, step),
            SeekFrom::End(step) => (self.file.metadata()?.len(), step),
        };
        self.position = base.checked_add_signed(step).ok_or(std::io::ErrorKind::InvalidInput)?;
        Ok(self.position)
    }
}
