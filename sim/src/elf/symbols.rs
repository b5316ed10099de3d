//! Addresses to functions and source lines. The only file that knows object's reader and addr2line.

use std::cell::OnceCell;
use std::fmt;

use addr2line::Context;
use gimli::{EndianArcSlice, LittleEndian};
use object::{Object, ObjectSection, ObjectSymbol, SymbolKind};

/// What is known of an address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Location {
    /// Function or label at or before the address, with the distance in bytes.
    pub symbol: Option<(String, u32)>,
    /// Source file and line, if the ELF has DWARF.
    pub line: Option<(String, u32)>,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.symbol {
            Some((name, 0)) => write!(f, "{name}")?,
            Some((name, offset)) => write!(f, "{name}+0x{offset:x}")?,
            None => write!(f, "no symbol")?,
        }
        self.line.as_ref().map_or(Ok(()), |(file, line)| write!(f, " ({file}:{line})"))
    }
}

type Dwarf = Context<EndianArcSlice<LittleEndian>>;

/// Symbol and line tables of an ELF, read when they are first asked. Whatever the file lacks is answered with nothing; it
/// never fails.
pub struct Symbols {
    bytes: Vec<u8>,
    tables: OnceCell<Tables>,
}

struct Tables {
    /// Address, name and size in bytes (0 if unknown), sorted by address.
    names: Vec<(u32, String, u32)>,
    dwarf: Option<Dwarf>,
}

impl Tables {
    fn parse(bytes: &[u8]) -> Self {
        let Ok(file) = object::File::parse(bytes) else { return Self { names: Vec::new(), dwarf: None } };
        let mut names: Vec<_> = file
            .symbols()
            .filter(|s| matches!(s.kind(), SymbolKind::Text | SymbolKind::Label | SymbolKind::Unknown))
            .filter_map(|s| {
                let name = s.name().ok().filter(|n| !n.is_empty() && !n.starts_with('$'))?;
                s.section_index().map(|_| (s.address() as u32, name.to_owned(), s.size() as u32))
            })
            .collect();
        names.sort();
        let section = |id: gimli::SectionId| -> Result<_, gimli::Error> {
            let data =
                file.section_by_name(id.name()).and_then(|s| s.uncompressed_data().ok()).unwrap_or_default();
            Ok(EndianArcSlice::new(data.into(), LittleEndian))
        };
        let dwarf = gimli::Dwarf::load(section).ok().and_then(|d| Context::from_dwarf(d).ok());
        Self { names, dwarf }
    }
}

impl Symbols {
    /// The tables of the ELF in `bytes`.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Self {
        Self { bytes: bytes.to_vec(), tables: OnceCell::new() }
    }

    fn tables(&self) -> &Tables {
        self.tables.get_or_init(|| Tables::parse(&self.bytes))
    }

    /// Function and source line of an address.
    #[must_use]
    pub fn locate(&self, address: u32) -> Location {
        let Tables { names, dwarf } = self.tables();
        let at = names.partition_point(|n| n.0 <= address);
        let symbol = at.checked_sub(1).map(|i| {
            // Of several names at one address the first in the alphabet is taken, so that the answer is stable.
            let base = names[i].0;
            let first = names.partition_point(|n| n.0 < base);
            (names[first].1.clone(), address - base)
        });
        let line = dwarf.as_ref().and_then(|d| {
            let found = d.find_location(u64::from(address)).ok()??;
            Some((found.file?.to_owned(), found.line?))
        });
        Location { symbol, line }
    }

    /// Addresses of the named function, or from a label without size up to the next one.
    #[must_use]
    pub fn extent(&self, name: &str) -> Option<std::ops::Range<u64>> {
        let names = &self.tables().names;
        let &(begin, _, size) = names.iter().find(|n| n.1 == name)?;
        let next = names.iter().map(|n| n.0).find(|a| *a > begin).map_or(1 << 32, u64::from);
        let begin = u64::from(begin);
        Some(begin..if size > 0 { begin + u64::from(size) } else { next })
    }
}
