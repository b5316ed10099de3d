//! Random programs by class and seed, and what was measured of them (`tests/golden/random.csv`).

use std::path::Path;

use mpic_sim::timing::{Latency, MemoryTiming, Priority};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::programs::core_piece;
use super::{classes, corners, hazards};

/// FNV-1a, to compare what is too long to keep.
pub(crate) fn digest(bytes: impl IntoIterator<Item = u8>) -> u32 {
    bytes.into_iter().fold(0x811C_9DC5, |h, b| (h ^ u32::from(b)).wrapping_mul(0x0100_0193))
}

/// The digest of a program's results.
pub(crate) fn digest_of(results: &[u32]) -> u32 {
    digest(results.iter().flat_map(|r| r.to_le_bytes()))
}

/// A random program of a class, and the interrupts that come: (cycle, number).
pub(crate) fn generated(class: &str, seed: u64) -> (Vec<u8>, Vec<(u64, u8)>) {
    let rng = &mut StdRng::seed_from_u64(seed);
    match class {
        "a" => {
            let elf = hazards::framed(rng, |rng, code| {
                for _ in 0..rng.random_range(5..40) {
                    code.0.extend(core_piece(rng, 2, [true, true]).0);
                }
            });
            (elf, Vec::new())
        }
        "c" => (classes::program(rng), Vec::new()),
        "i" => hazards::interrupted(rng),
        "s" => (hazards::self_modifying(rng), Vec::new()),
        "x" if seed % 2 == 1 => corners::interrupted(rng),
        "x" => (corners::program(rng), Vec::new()),
        _ => panic!("no class {class}"),
    }
}

/// A line of `random.csv`.
pub(crate) struct Measured {
    pub(crate) line: String,
    pub(crate) class: String,
    pub(crate) seed: u64,
    /// Digest of the ELF: whether the generator is still the same.
    pub(crate) elf: u32,
    pub(crate) memory: MemoryTiming,
    pub(crate) cycles: u64,
    /// Digest of the results.
    pub(crate) results: u32,
}

/// Everything that was measured of random programs.
pub(crate) fn measured() -> Vec<Measured> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/random.csv");
    let table = std::fs::read_to_string(path).expect("measured");
    let parse = |line: &str| {
        let fields: Vec<&str> = line.split(',').collect();
        let [class, seed, elf, ig, ir, dg, dr, shared, cycles, results] = fields[..] else {
            panic!("{line}")
        };
        let n = |t: &str| t.parse::<u64>().unwrap_or_else(|_| panic!("{line}"));
        let latency = |g: &str, r: &str| Latency { grant: n(g) as u16, answer: n(r) as u16 };
        Measured {
            line: line.to_owned(),
            class: class.to_owned(),
            seed: n(seed),
            elf: n(elf) as u32,
            memory: MemoryTiming {
                instructions: latency(ig, ir),
                data: latency(dg, dr),
                shared: [None, Some(Priority::Data), Some(Priority::Instructions)][n(shared) as usize],
                regions: Vec::new(),
            },
            cycles: n(cycles),
            results: n(results) as u32,
        }
    };
    table.lines().filter(|l| !l.starts_with('#')).map(parse).collect()
}
