//! ELF bytes to an [`Image`]. The only file that knows goblin.

use std::collections::BTreeMap;

use goblin::elf::{Elf, SectionHeader, header, program_header::PT_LOAD};

/// A loadable program: what a machine needs of an ELF.
#[derive(Clone, Debug, Default)]
pub struct Image {
    /// Address of the first instruction.
    pub entry: u32,
    /// What is loaded into memory, in the order of the program headers.
    pub segments: Vec<Segment>,
    /// Symbols by name: address and size in bytes.
    symbols: Vec<(String, u32, u32)>,
    /// What the program calls the regions between its markers, by odd id.
    region_names: BTreeMap<u32, String>,
}

/// Section with the names of regions: the id in four bytes, the name and a zero, again and again. It is not loaded.
pub const REGION_NAMES: &str = ".mpic_names";

/// A loadable segment; memory beyond `data` up to `size` is zero.
#[derive(Clone, Debug)]
pub struct Segment {
    /// Where it is loaded (physical address).
    pub address: u32,
    /// Bytes in the file.
    pub data: Vec<u8>,
    /// Bytes in memory.
    pub size: u32,
    /// Whether it holds instructions.
    pub executable: bool,
}

/// Why bytes are not a program for this machine.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    /// The file is empty.
    #[error("the file is empty; expected a 32-bit RISC-V ELF executable")]
    Empty,
    /// No ELF magic.
    #[error(
        "this is not an ELF file (it does not start with 0x7F 'ELF'); expected a 32-bit RISC-V ELF executable"
    )]
    NotElf,
    /// Header or tables point outside the file.
    #[error("the ELF file is truncated or damaged ({0}); build or copy it again")]
    Damaged(String),
    /// The ELF is one of 64 bits.
    #[error("this is a 64-bit ELF; the core is 32-bit: compile with -march=rv32imc -mabi=ilp32")]
    Class64,
    /// The ELF is big-endian.
    #[error("this ELF is big-endian; the core is little-endian")]
    BigEndian,
    /// Another architecture.
    #[error(
        "this ELF is for {0}; expected RISC-V (compile with riscv64-unknown-elf-gcc -march=rv32imc -mabi=ilp32)"
    )]
    Machine(String),
    /// Not an executable.
    #[error("this ELF is not an executable (type {0}); link it first")]
    NotExecutable(&'static str),
    /// Nothing to load.
    #[error("this ELF has no loadable segment; check the linker script")]
    NothingToLoad,
}

impl Image {
    /// A program without an ELF: segments and the address it starts at.
    #[must_use]
    pub fn new(entry: u32, segments: Vec<Segment>) -> Self {
        Self { entry, segments, symbols: Vec::new(), region_names: BTreeMap::new() }
    }

    /// Parses an ELF executable.
    ///
    /// # Errors
    /// Says in a sentence why the bytes cannot run on this core.
    pub fn parse(bytes: &[u8]) -> Result<Self, ImageError> {
        if bytes.is_empty() {
            return Err(ImageError::Empty);
        }
        if !bytes.starts_with(header::ELFMAG) {
            return Err(ImageError::NotElf);
        }
        // Class, byte order and machine are read before the tables, so that the message names the real problem.
        match bytes.get(header::EI_CLASS) {
            Some(&header::ELFCLASS32) => {}
            Some(&header::ELFCLASS64) => return Err(ImageError::Class64),
            _ => return Err(ImageError::Damaged("no valid class in its header".into())),
        }
        if bytes.get(header::EI_DATA) == Some(&header::ELFDATA2MSB) {
            return Err(ImageError::BigEndian);
        }
        let elf = Elf::parse(bytes).map_err(|e| ImageError::Damaged(e.to_string()))?;
        if elf.header.e_machine != header::EM_RISCV {
            return Err(ImageError::Machine(
                header::machine_to_str(elf.header.e_machine).trim_start_matches("EM_").into(),
            ));
        }
        if elf.header.e_type != header::ET_EXEC {
            return Err(ImageError::NotExecutable(header::et_to_str(elf.header.e_type)));
        }
        let loads = || elf.program_headers.iter().filter(|p| p.p_type == PT_LOAD && p.p_memsz > 0);
        // Copies of the same bytes over and over would fill the host's memory.
        if loads().map(|p| u128::from(p.p_filesz)).sum::<u128>() > bytes.len() as u128 {
            return Err(ImageError::Damaged("its segments hold more bytes than the file".into()));
        }
        let mut segments = Vec::new();
        for ph in loads() {
            let data = usize::try_from(ph.p_offset)
                .ok()
                .zip(usize::try_from(ph.p_filesz).ok())
                .and_then(|(at, n)| bytes.get(at..at.checked_add(n)?))
                .ok_or_else(|| ImageError::Damaged("a segment reaches beyond the end of the file".into()))?;
            if ph.p_filesz > ph.p_memsz {
                return Err(ImageError::Damaged(
                    "a segment has more bytes in the file than in memory".into(),
                ));
            }
            segments.push(Segment {
                address: ph.p_paddr as u32,
                data: data.to_vec(),
                size: ph.p_memsz as u32,
                executable: ph.is_executable(),
            });
        }
        if segments.is_empty() {
            return Err(ImageError::NothingToLoad);
        }
        let symbols = elf.syms.iter().filter(|s| s.st_shndx != 0).filter_map(|s| {
            let name = elf.strtab.get_at(s.st_name).filter(|n| !n.is_empty())?;
            Some((name.to_owned(), s.st_value as u32, s.st_size as u32))
        });
        let symbols = symbols.collect();
        Ok(Self { entry: elf.entry as u32, segments, symbols, region_names: region_names(&elf, bytes) })
    }

    /// What the program calls the regions between its markers, by the id that opens them.
    #[must_use]
    pub fn region_names(&self) -> &BTreeMap<u32, String> {
        &self.region_names
    }

    /// Addresses of the instructions in executable segments, read one after the other; data among them counts as code.
    pub fn instructions(&self) -> impl Iterator<Item = u32> + '_ {
        self.segments.iter().filter(|s| s.executable).flat_map(|s| {
            let mut at = 0;
            std::iter::from_fn(move || {
                let here = at;
                let low = *s.data.get(at)?;
                at += if low & 3 == 3 { 4 } else { 2 };
                Some(s.address.wrapping_add(here as u32))
            })
        })
    }

    /// Every named symbol: name, address, size in bytes.
    pub fn symbols(&self) -> impl Iterator<Item = (&str, u32, u32)> {
        self.symbols.iter().map(|(name, address, size)| (name.as_str(), *address, *size))
    }

    /// Address of a symbol.
    #[must_use]
    pub fn symbol(&self, name: &str) -> Option<u32> {
        self.symbols.iter().find(|s| s.0 == name).map(|s| s.1)
    }

    /// Size in bytes of a symbol, 0 if the ELF does not say.
    #[must_use]
    pub fn symbol_size(&self, name: &str) -> Option<u32> {
        self.symbols.iter().find(|s| s.0 == name).map(|s| s.2)
    }
}

/// The names in [`REGION_NAMES`]; of several for one id the first counts.
fn region_names(elf: &Elf<'_>, bytes: &[u8]) -> BTreeMap<u32, String> {
    let named = |name| elf.shdr_strtab.get_at(name) == Some(REGION_NAMES);
    let section = elf.section_headers.iter().find(|s| named(s.sh_name)).and_then(SectionHeader::file_range);
    let mut rest = section.and_then(|at| bytes.get(at)).unwrap_or_default();
    let mut names = BTreeMap::new();
    while let Some((id, text)) = rest.split_first_chunk() {
        let Some(end) = text.iter().position(|b| *b == 0) else { break };
        let name = String::from_utf8_lossy(&text[..end]).into_owned();
        names.entry(u32::from_le_bytes(*id)).or_insert(name);
        rest = &text[end + 1..];
    }
    names
}
