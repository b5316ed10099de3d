//! Writes the deployed ELF with object. The only file of this crate that knows it.

use mpic_sim::Image;
use object::elf;
use object::endian::Endianness;
use object::write::elf::{FileHeader, ProgramHeader, SectionHeader, Sym, Writer};

/// The section in which the simulator looks for names of regions: each layer is one, opened by an odd marker.
fn region_names(layers: &[(u32, &str)]) -> Vec<u8> {
    let entry = |(region, name): &(u32, &str)| {
        let id = (2 * region + 1).to_le_bytes();
        [&id, name.as_bytes(), &[0]].concat()
    };
    layers.iter().flat_map(entry).collect()
}

/// Segments of the runtime plus one at `base` with `data`, `size` bytes in memory; symbols of both, and the names of `layers` by their
/// region.
pub(super) fn write(
    runtime: &Image,
    base: u32,
    data: &[u8],
    size: u32,
    symbols: &[(&str, u32, u32)],
    layers: &[(u32, &str)],
) -> Vec<u8> {
    let layers = region_names(layers);
    let mut out = Vec::new();
    let mut w = Writer::new(Endianness::Little, false, &mut out);
    let mut segments: Vec<(u32, &[u8], u32, bool)> =
        runtime.segments.iter().map(|s| (s.address, s.data.as_slice(), s.size, s.executable)).collect();
    segments.push((base, data, size, false));

    w.reserve_file_header();
    w.reserve_program_headers(segments.len() as u32);
    let offsets: Vec<usize> = segments.iter().map(|s| w.reserve(s.1.len(), 16)).collect();
    let layers_at = w.reserve(layers.len(), 1);
    let names: Vec<(String, u32, u32)> = runtime
        .symbols()
        .chain(symbols.iter().copied())
        .map(|(name, address, bytes)| (name.to_owned(), address, bytes))
        .collect();
    w.reserve_null_section_index();
    let text = w.reserve_section_index();
    let text_name = w.add_section_name(b".text");
    w.reserve_section_index();
    let layers_name = w.add_section_name(mpic_sim::elf::REGION_NAMES.as_bytes());
    w.reserve_null_symbol_index();
    let ids: Vec<_> = names
        .iter()
        .map(|(name, ..)| {
            w.reserve_symbol_index(None);
            w.add_string(name.as_bytes())
        })
        .collect();
    w.reserve_symtab_section_index();
    w.reserve_strtab_section_index();
    w.reserve_shstrtab_section_index();
    w.reserve_symtab();
    w.reserve_strtab();
    w.reserve_shstrtab();
    w.reserve_section_headers();

    w.write_file_header(&FileHeader {
        os_abi: elf::ELFOSABI_NONE,
        abi_version: 0,
        e_type: elf::ET_EXEC,
        e_machine: elf::EM_RISCV,
        e_entry: u64::from(runtime.entry),
        e_flags: elf::EF_RISCV_RVC,
    })
    .expect("sizes were reserved");
    w.write_align_program_headers();
    for (s, &offset) in segments.iter().zip(&offsets) {
        w.write_program_header(&ProgramHeader {
            p_type: elf::PT_LOAD,
            p_flags: elf::PF_R | if s.3 { elf::PF_X } else { elf::PF_W },
            p_offset: offset as u64,
            p_vaddr: u64::from(s.0),
            p_paddr: u64::from(s.0),
            p_filesz: s.1.len() as u64,
            p_memsz: u64::from(s.2),
            p_align: 16,
        });
    }
    for s in &segments {
        w.write_align(16);
        w.write(s.1);
    }
    w.write(&layers);
    w.write_null_symbol();
    let in_code = |address: u32| segments.iter().any(|s| s.3 && address.wrapping_sub(s.0) < s.2);
    for ((_, address, bytes), id) in names.iter().zip(ids) {
        // Profiles and backtraces look for symbols of code in its section.
        let code = in_code(*address);
        let kind = if code && *bytes > 0 { elf::STT_FUNC } else { elf::STT_NOTYPE };
        w.write_symbol(&Sym {
            name: Some(id),
            section: code.then_some(text),
            st_info: elf::STB_GLOBAL << 4 | kind,
            st_other: 0,
            st_shndx: elf::SHN_ABS,
            st_value: u64::from(*address),
            st_size: u64::from(*bytes),
        });
    }
    w.write_strtab();
    w.write_shstrtab();
    w.write_null_section_header();
    w.write_section_header(&SectionHeader {
        name: Some(text_name),
        sh_type: elf::SHT_PROGBITS,
        sh_flags: u64::from(elf::SHF_ALLOC | elf::SHF_EXECINSTR),
        sh_addr: u64::from(segments[0].0),
        sh_offset: offsets[0] as u64,
        sh_size: segments[0].1.len() as u64,
        sh_link: 0,
        sh_info: 0,
        sh_addralign: 4,
        sh_entsize: 0,
    });
    w.write_section_header(&SectionHeader {
        name: Some(layers_name),
        sh_type: elf::SHT_PROGBITS,
        sh_flags: 0,
        sh_addr: 0,
        sh_offset: layers_at as u64,
        sh_size: layers.len() as u64,
        sh_link: 0,
        sh_info: 0,
        sh_addralign: 1,
        sh_entsize: 0,
    });
    w.write_symtab_section_header(1);
    w.write_strtab_section_header();
    w.write_shstrtab_section_header();
    out
}
