//! Hostile input: ELF files, programs, arguments. The bodies are those of the fuzz targets in `fuzz/`.

#[path = "hostile/mod.rs"]
mod bodies;

use mpic_sim::memory::DEFAULT_RAM;
use mpic_sim::{Config, Image, Limits, Machine};
use proptest::collection::vec;
use proptest::prelude::*;

fn golden(name: &str) -> Vec<u8> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/elf");
    std::fs::read(folder.join(name)).expect("golden ELF")
}

/// Words as code.
fn code(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|w| w.to_le_bytes()).collect()
}

/// Runs a program in all engines on every machine that there is to choose from.
fn on_every_machine(program: &[u8]) {
    for choice in 0..=u8::MAX {
        bodies::words(&[&[choice], program].concat());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn bytes_are_no_programs(bytes in vec(any::<u8>(), 0..300)) {
        bodies::elf(&bytes);
    }

    /// A program with some bytes changed: in its headers, mostly.
    #[test]
    fn damaged_programs_are_dealt_with(
        changes in vec((0..8192usize, any::<u8>()), 1..8),
        headers in vec((0..200usize, any::<u8>()), 0..4),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut elf = golden("p_fir.elf");
        let n = elf.len();
        for (at, value) in changes.into_iter().chain(headers) {
            elf[at % n] = value;
        }
        bodies::elf(&elf);
        bodies::elf(&elf[..cut.index(n)]);
    }

    #[test]
    fn random_words_run_alike_in_both_engines(bytes in vec(any::<u8>(), 1..600)) {
        bodies::words(&bytes);
    }

    /// Words that are instructions more often than random ones.
    #[test]
    fn likely_words_run_alike_in_both_engines(
        choice in any::<u8>(),
        words in vec((any::<u32>(), prop::sample::select(vec![0x03, 0x0B, 0x13, 0x23, 0x2B, 0x33, 0x57, 0x5B, 0x63, 0x6F, 0x73, 0x7B])), 1..200),
    ) {
        let mut bytes = vec![choice];
        // Registers far from the middle of memory would fault at once: x8 to x15 are set up by lui.
        for r in 8..16u32 {
            bytes.extend((0x1C01_0037 | r << 7).to_le_bytes());
        }
        for (word, opcode) in words {
            bytes.extend((word & 0xE3F3_8F80 | 0x0080_0400 | opcode).to_le_bytes());
        }
        bodies::words(&bytes);
    }

    /// Hardware loops that are set up within each other, anew, and in front of their own ends.
    #[test]
    fn entangled_loops_run_alike_in_both_engines(
        choice in any::<u8>(),
        pieces in vec((0..14u32, 0..2u32, 1..15u32, 0..6u32), 5..28),
        back in 2..40u32,
    ) {
        // lui x8, 0x1c010; addi x11, x0, 32.
        let mut bytes = [vec![choice], code(&[0x1C01_0437, 0x0200_0593])].concat();
        for (kind, number, near, count) in pieces {
            let setup = |operands: u32| code(&[operands | kind << 12 | number << 7 | 0x7B]);
            bytes.extend(match kind {
                0 | 1 => setup(near << 20),
                2 => setup(11 << 15),
                3 => setup(count << 20),
                4 => setup(near << 20 | 11 << 15),
                5 => setup(count << 20 | near << 15),
                // csrrsi x0, 0x7C0.., 1; c.nop; lw x12, 0(x8); sw x12, 2(x8); addi x11, x11, -1; beq x0, x0, 8.
                6 => code(&[(0x7C0 + count) << 20 | 0xE073]),
                7 | 8 => vec![0x01, 0x00],
                9 => code(&[0x0004_2603]),
                10 => code(&[0x00C4_2123]),
                11 => code(&[0xFFF5_8593]),
                12 => code(&[0x0000_0463]),
                _ => code(&[0x0015_0513]),
            });
        }
        // bne x11, x0, back.
        let to = (2 * back).wrapping_neg();
        let offset = (to >> 5 & 0x7F) << 25 | (to >> 1 & 15) << 8 | (to >> 11 & 1) << 7;
        bytes.extend(code(&[offset | 11 << 15 | 1 << 12 | 0x63]));
        bodies::words(&bytes);
    }

    #[test]
    fn arguments_are_understood_or_refused(text in "\\PC{0,40}", size in "(0x)?[0-9a-fA-F]{1,20}[KkMmG]?(:(0x)?[0-9a-f]{1,20}[KMG]?)?") {
        bodies::arguments(&text);
        bodies::arguments(&size);
    }
}

#[test]
fn a_file_that_names_its_bytes_again_and_again_is_refused() {
    let mut elf = golden("p_fir.elf");
    let at = |e: &[u8], i: usize| u32::from_le_bytes([e[i], e[i + 1], e[i + 2], e[i + 3]]) as usize;
    // The file size of the first segment becomes that of the whole file, and it begins at 0.
    let header = at(&elf, 28);
    let n = (elf.len() as u32).to_le_bytes();
    elf[header + 4..header + 8].fill(0);
    elf[header + 16..header + 20].copy_from_slice(&n);
    elf[header + 20..header + 24].copy_from_slice(&n);
    let other = header + 32;
    let copy: Vec<u8> = elf[header..header + 32].to_vec();
    elf[other..other + 32].copy_from_slice(&copy);
    let error = mpic_sim::Image::parse(&elf).expect_err("refused").to_string();
    assert!(error.contains("more bytes than the file"), "{error}");
}

/// Found by cargo-fuzz: the profile asked for the lines of a loop from its begin to its end.
#[test]
fn a_loop_that_ends_before_it_begins_is_profiled() {
    // lp.setupi x0, 1, 0, whose body would end at the instruction itself, twice: as it is, and at the end of addresses.
    let word = (1u32 << 20 | 5 << 12 | 0x7B).to_le_bytes();
    let config = Config { profile: true, ram: vec![DEFAULT_RAM, (0xFFFF_0000, 0xFFFC)], ..Config::default() };
    for entry in [DEFAULT_RAM.0 + 0x8080, 0xFFFF_FFF8] {
        let image = Image::new(entry, Vec::new());
        let mut machine = Machine::new(&image, &config).expect("the entry lies in RAM");
        assert!(machine.write(entry, &word));
        machine.run(Limits { cycles: 100, instructions: 10 });
        let profile = machine.profile().expect("asked for");
        assert!(profile.total().runs > 0, "it ran");
        assert!(profile.loops(machine.memory()).is_empty());
    }
}

/// Found by cargo-fuzz: on late memory a program that ends behind the set-up of a loop stood behind the store that ended it,
/// but in the reference.
#[test]
fn a_program_that_has_ended_stands_at_its_last_store() {
    let store: u32 = 0x0062_A023;
    // c.addi4spn x9, x2, 648; lp.starti 1, 22; lp.endi 1, 24; lp.counti 1, 2; p.extract x29, x12, 0, 0; bltu x11, x28, 4;
    // lui x5, 0x1a10f; two of addi x0, x0, 0; sw x6, 0(x5); and a byte.
    let mut program = 0x0524_u16.to_le_bytes().to_vec();
    let words = [
        0x0090_00FB,
        0x00B0_10FB,
        0x0020_30FB,
        0xE263_0EB3,
        0xF2B7_01C5,
        0x0013_1A10,
        0x0013_0000,
        0xA023_0000,
    ];
    program.extend(words.iter().flat_map(|w: &u32| w.to_le_bytes()));
    program.extend(&store.to_le_bytes()[2..]);
    program.push(0x13);
    on_every_machine(&program);
}

/// Found by cargo-fuzz: a hot block with two ways back to itself, on one of which an access is split, had the cycles of both and
/// the stalls of one in the compiled engine.
#[test]
fn a_block_that_leads_to_itself_in_two_ways_is_counted_on_each() {
    // lui x10, 0x1c010; addi x11, x0, 2000; p.sw x7, 6(x10!); addi x11, x11, -4; bne x11, x0, -8; jal x0, 0.
    let program = [0x1C01_0537, 0x7D00_0593, 0x0075_232B, 0xFFC5_8593, 0xFE05_9CE3, 0x0000_006F];
    on_every_machine(&code(&program));
}

/// Found by cargo-fuzz: on late memory, blocks went past the end of a loop that was set up right in front of it, until that loop
/// was known to end there.
#[test]
fn a_loop_that_is_set_up_right_in_front_of_its_end_jumps_back() {
    let nop = 0x0000_0013;
    let setupi = |count: u32, to_end: u32| count << 20 | to_end / 2 << 15 | 0x507B;
    let endi = |to_end: u32| to_end / 2 << 20 | 0x107B;
    let counti = |count: u32| count << 20 | 0x307B;
    let fronts = [
        [setupi(5, 4), nop, setupi(3, 8), nop],
        [nop, endi(8), counti(2), nop],
        [endi(96), counti(2), endi(4), nop],
    ];
    for [a, b, c, d] in fronts {
        // addi x11, x0, 9; lp.starti 0, 20; what sets up loops; three of addi x11, x11, -1; bne x11, x0, -28; jal x0, 0.
        let down = 0xFFF5_8593;
        let program = [0x0090_0593, 0x00A0_007B, a, b, c, d, down, down, down, 0xFE05_92E3, 0x0000_006F];
        on_every_machine(&code(&program));
    }
}

/// The end of a loop is in ID, and the jump back under way, when the instruction in front of it gives the loop another end.
#[test]
fn a_loop_that_is_set_up_anew_in_front_of_its_end_jumps_back_once_more() {
    // addi x11, x0, 32; lp.setup 1, x11, 12; addi x0, x0, 0; lp.setup 1, x11, 14; c.nop; bne x11, x0, -14.
    let words = code(&[0x0200_0593, 0x0065_C0FB, 0x0000_0013, 0x0075_C0FB]);
    on_every_machine(&[words, vec![0x01, 0x00], code(&[0xFE05_99E3])].concat());
}

/// Behind the end of loop 1 comes address 0, which ends loop 0: on late memory the core counts that one down.
#[test]
fn a_start_that_ends_the_other_loop_is_counted_as_in_the_reference() {
    // addi x11, x0, 32; addi x0, x0, 0; c.nop; lp.endi 1, 16; three of addi x0, x0, 0 and the end; lp.count 1, x11;
    // lp.count 0, x11; addi x0, x0, 0; c.nop; bne x11, x0, -44.
    let nop = 0x0000_0013;
    let middle = code(&[0x0080_10FB, nop, nop, nop, nop, 0x0005_A0FB, 0x0005_A07B, nop]);
    let c_nop = vec![0x01, 0x00];
    let first = code(&[0x0200_0593, nop]);
    on_every_machine(&[first, c_nop.clone(), middle, c_nop, code(&[0xFC05_9AE3])].concat());
}

/// A CSR write can make the start of a loop odd; the core fetches from there, and goes on at even addresses.
#[test]
fn a_loop_may_begin_at_an_odd_address() {
    // addi x11, x0, 32; lp.setup 0, x11, 12; two of addi x0, x0, 0; csrrsi x0, 0x7C0, 1.
    on_every_machine(&code(&[0x0200_0593, 0x0065_C07B, 0x0000_0013, 0x0000_0013, 0x7C00_E073]));
    // addi x11, x0, 32; lp.setup 0, x11, 2; addi x0, x0, 0; csrrsi x0, 0x7C0, 1; lp.endi 0, 14; c.nop; two of addi x0, x0, 0;
    // lp.setup 0, x11, 2; addi x0, x0, 0.
    let first = code(&[0x0200_0593, 0x0015_C07B, 0x0000_0013, 0x7C00_E073, 0x0070_107B]);
    let behind = code(&[0x0000_0013, 0x0000_0013, 0x0015_C07B, 0x0000_0013]);
    on_every_machine(&[first, vec![0x01, 0x00], behind].concat());
    // lp.setupi 1, 4, 12; csrrsi x0, 0x7C4, 1; two of addi x0, x0, 0.
    on_every_machine(&code(&[0x0043_50FB, 0x7C40_E073, 0x0000_0013, 0x0000_0013]));
}
