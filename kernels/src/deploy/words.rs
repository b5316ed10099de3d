//! Words whose addresses are not known yet.

use super::records::Record;

/// What a word's value is relative to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Base {
    /// Nothing: it is a number.
    Zero,
    /// The first word of the tables.
    Tables,
    /// The first byte of the activation buffers.
    Buffers,
}

/// A number, or an address in the tables or the buffers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) base: Base,
    pub(super) value: u32,
}

impl Word {
    pub(super) fn number(value: u32) -> Self {
        Self { base: Base::Zero, value }
    }

    pub(super) fn buffer(offset: usize) -> Self {
        Self { base: Base::Buffers, value: offset as u32 }
    }

    pub(super) fn resolve(self, tables: u32, buffers: u32) -> u32 {
        match self.base {
            Base::Zero => self.value,
            Base::Tables => tables + self.value,
            Base::Buffers => buffers + self.value,
        }
    }
}

impl From<u32> for Word {
    fn from(value: u32) -> Self {
        Self::number(value)
    }
}
impl From<usize> for Word {
    fn from(value: usize) -> Self {
        Self::number(value as u32)
    }
}
impl From<i32> for Word {
    fn from(value: i32) -> Self {
        Self::number(value as u32)
    }
}
impl From<isize> for Word {
    fn from(value: isize) -> Self {
        Self::number(value as u32)
    }
}
impl From<u8> for Word {
    fn from(value: u8) -> Self {
        Self::number(u32::from(value))
    }
}

/// The tables, growing.
#[derive(Debug, Default)]
pub(super) struct Blob {
    pub(super) words: Vec<Word>,
}

impl Blob {
    /// Address of the next word.
    pub(super) fn here(&self) -> Word {
        Word { base: Base::Tables, value: 4 * self.words.len() as u32 }
    }

    /// Appends a record.
    ///
    /// # Panics
    /// As [`Record::words`].
    pub(super) fn record<const N: usize>(&mut self, of: &Record, fields: [(&str, Word); N]) {
        self.words.extend(of.words(fields));
    }

    pub(super) fn extend<W: Into<Word>>(&mut self, words: impl IntoIterator<Item = W>) {
        self.words.extend(words.into_iter().map(Into::into));
    }
}

/// Fields of a record with their values, for [`Record::words`]: `fields! { pixel: 4usize, row: step }`.
macro_rules! fields {
    ($($name:tt: $value:expr),* $(,)?) => { [$((stringify!($name), Word::from($value))),*] };
}
pub(super) use fields;
