//! Every engine against the reference: random programs of everything the core has, equal in cycles,
//! stalls, events, energy counts, results, registers and memory.

mod asm;

use asm::hazards::framed;
use asm::programs::core_piece;
use asm::{DATA, DATA_BYTES, ENTRY, addi, exit, li, lui, sw};
use asm::{classes, corners, hazards, hot};
use mpic_sim::energy::EventCounts;
use mpic_sim::engine::ENGINES;
use mpic_sim::memory::DEFAULT_RAM;
use mpic_sim::timing::{Latency, MemoryTiming, Priority, Stall};
use mpic_sim::{Config, Engine, Image, Limits, Machine, Outcome, Status};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// A random program of everything the core has.
fn program(rng: &mut StdRng) -> Vec<u8> {
    framed(rng, |rng, code| {
        for _ in 0..rng.random_range(5..40) {
            code.0.extend(core_piece(rng, 2, [true, true]).0);
        }
    })
}

fn run(image: &Image, engine: &'static Engine, quirks: bool, limits: Limits) -> (Outcome, Machine) {
    run_in(image, &Config { quirks, ..Config::default() }, engine, limits)
}

/// Memory of random timing, or none that anyone has to wait for.
fn memory(rng: &mut StdRng) -> MemoryTiming {
    let mut late = || Latency { grant: rng.random_range(0..4), answer: rng.random_range(0..4) };
    let (instructions, data) = (late(), late());
    let shared = [None, None, Some(Priority::Data), Some(Priority::Instructions)][rng.random_range(0..4)];
    MemoryTiming { instructions, data, shared, regions: Vec::new() }
}

fn run_in(image: &Image, config: &Config, engine: &'static Engine, limits: Limits) -> (Outcome, Machine) {
    let config = Config { engine, profile: config.quirks, ..config.clone() };
    let mut machine = Machine::new(image, &config).expect("fits");
    (machine.run(limits), machine)
}

#[track_caller]
fn agree(name: &str, image: &Image, quirks: bool, limits: Limits) -> Outcome {
    agree_in(name, image, &Config { quirks, ..Config::default() }, limits)
}

/// Holds every other engine against the reference; what the reference says.
#[track_caller]
fn agree_in(name: &str, image: &Image, config: &Config, limits: Limits) -> Outcome {
    let (slow, b) = run_in(image, config, Engine::REFERENCE, limits);
    let lost: u64 = slow.stalls.iter().map(|s| s.1).sum();
    assert_eq!(slow.cycles, slow.instructions + lost, "{name}: stalls add up");
    for engine in ENGINES.iter().filter(|e| e.name != Engine::REFERENCE.name) {
        let (fast, a) = run_in(image, config, engine, limits);
        let name =
            format!("{name}, {}, quirks {}, {:?}, {limits:?}", engine.name, config.quirks, config.memory);
        equal(&name, (&fast, &a), (&slow, &b));
    }
    slow
}

#[track_caller]
fn equal(name: &str, (fast, a): (&Outcome, &Machine), (slow, b): (&Outcome, &Machine)) {
    assert_eq!(format!("{:?}", fast.status), format!("{:?}", slow.status), "{name}");
    assert_eq!(
        (fast.cycles, fast.instructions),
        (slow.cycles, slow.instructions),
        "{name}: cycles, instructions"
    );
    assert_eq!(fast.stalls, slow.stalls, "{name}");
    assert_eq!(fast.counts, slow.counts, "{name}");
    assert_eq!(fast.macs, slow.macs, "{name}");
    assert_eq!(fast.events, slow.events, "{name}");
    assert_eq!(fast.results, slow.results, "{name}");
    assert_eq!(fast.regions, slow.regions, "{name}");
    // Of what a block holds the checks are told first.
    let whats = |o: &Outcome| {
        let mut all: Vec<_> = o.warnings.iter().map(|w| w.what).collect();
        all.sort_unstable();
        all
    };
    assert_eq!(whats(fast), whats(slow), "{name}");
    assert_eq!(a.hart().x(), b.hart().x(), "{name}");
    assert_eq!(
        (a.hart().pc, a.hart().loops, a.hart().simd),
        (b.hart().pc, b.hart().loops, b.hart().simd),
        "{name}"
    );
    assert_eq!(a.hart().counters, b.hart().counters, "{name}");
    assert_eq!(a.hart().multiplier, b.hart().multiplier, "{name}");
    assert_eq!(a.read(DATA, DATA_BYTES), b.read(DATA, DATA_BYTES), "{name}: memory");
    assert_eq!(
        (fast.stack_bytes, fast.written_bytes),
        (slow.stack_bytes, slow.written_bytes),
        "{name}: memory use"
    );
    assert_eq!(a.profile(), b.profile(), "{name}: profile");
    if let Some(profile) = a.profile() {
        let all = profile.total();
        assert_eq!((all.cycles(), all.runs), (fast.cycles, fast.instructions), "{name}: the profile adds up");
        assert_eq!(
            Stall::ALL.map(|s| (s, all.stalls[s as usize])).to_vec(),
            fast.stalls,
            "{name}: profile, stalls"
        );
        assert_eq!(profile.calls.total(), (fast.cycles, fast.instructions), "{name}: the call paths add up");
        let counts = EventCounts { cycles: fast.counts.cycles, stalls: fast.counts.stalls, ..all.counts };
        assert_eq!(counts, fast.counts, "{name}: profile, events");
    }
}

/// How many random programs to try, given how many it is without `ENGINE_PROGRAMS`.
fn many(usual: u64) -> u64 {
    std::env::var("ENGINE_PROGRAMS").map_or(usual, |n| n.parse().expect("ENGINE_PROGRAMS is a number"))
}

/// What runs often enough to be compiled, with and without a profile, and under limits that fall anywhere.
#[test]
fn engines_agree_on_hot_code() {
    for seed in 0..many(150) {
        let mut rng = StdRng::seed_from_u64(seed + 70_000_000);
        let image = Image::parse(&hot::program(&mut rng)).expect("a program");
        let name = format!("hot {seed}");
        let quirks = seed % 3 > 0;
        let whole = agree(&name, &image, quirks, Limits::default());
        let limits = Limits {
            cycles: if rng.random() { rng.random_range(0..=whole.cycles) } else { u64::MAX },
            instructions: if rng.random() { rng.random_range(0..=whole.instructions) } else { u64::MAX },
        };
        agree(&name, &image, quirks, limits);
    }
}

#[test]
fn engines_agree_on_random_programs() {
    let many = many(3000);
    let (mut instructions, mut ended) = (0, 0);
    // Of the seeds beyond, 15141 leaves the count of a loop at the value that wraps.
    for seed in (0..many).chain([15_141]) {
        let rng = &mut StdRng::seed_from_u64(seed);
        let elf = match seed % 3 {
            0 => program(rng),
            1 => classes::program(rng),
            _ => corners::program(rng),
        };
        let image = Image::parse(&elf).expect("a program");
        let limits = Limits { instructions: 20_000, ..Limits::default() };
        let o = agree(&format!("seed {seed}"), &image, seed % 8 > 1, limits);
        instructions += o.instructions;
        ended += u64::from(o.exit_status() == 0);
        // Stopped anywhere, by either limit, they are at the same place.
        let limits = if rng.random() {
            Limits { instructions: rng.random_range(0..=o.instructions), ..Limits::default() }
        } else {
            Limits { cycles: rng.random_range(0..=o.cycles), ..Limits::default() }
        };
        agree(&format!("seed {seed}"), &image, true, limits);
    }
    println!("{many} programs, {instructions} instructions, {ended} ran to their end");
    assert!(ended > many * 9 / 10, "only {ended} of {many} ran to their end");
}

/// Programs of every class on memory of random timing, stopped somewhere too.
#[test]
fn engines_agree_on_memory_that_answers_late() {
    let many = many(1500);
    let (mut stalled, mut warned) = (0, 0);
    // The last was wrong once: a marker's cycle in a region with a timing of its own.
    for seed in (0..many).chain([1624]) {
        let rng = &mut StdRng::seed_from_u64(seed);
        let (elf, pins) = match seed % 5 {
            0 => (program(rng), Vec::new()),
            1 => (classes::program(rng), Vec::new()),
            2 => corners::interrupted(rng),
            3 => (corners::program(rng), Vec::new()),
            _ => (hazards::self_modifying(rng), Vec::new()),
        };
        let image = Image::parse(&elf).expect("a program");
        let mut config =
            Config { quirks: seed % 8 > 0, interrupts: pins, memory: memory(rng), ..Config::default() };
        if seed % 7 == 0 {
            // Data in a region of its own, with a timing of its own.
            let (base, bytes) = DEFAULT_RAM;
            config.ram = vec![(base, DATA - base), (DATA, base + bytes - DATA)];
            let late = Latency { grant: rng.random_range(0..3), answer: rng.random_range(0..5) };
            config.memory.regions.push((DATA, base + bytes - DATA, late));
        }
        let name = format!("late, seed {seed}");
        let limits = Limits { instructions: 20_000, ..Limits::default() };
        let o = agree_in(&name, &image, &config, limits);
        let lost = |s: Stall| o.stalls.iter().find(|x| x.0 == s).map_or(0, |x| x.1);
        stalled += u64::from(lost(Stall::DataMemory) + lost(Stall::InstructionMemory) > 0);
        warned += u64::from(o.warnings.iter().any(|w| w.what.contains("memory that stalls")));
        let limits = Limits { cycles: rng.random_range(0..=o.cycles), ..Limits::default() };
        agree_in(&name, &image, &config, limits);
    }
    println!("{many} programs, {stalled} lost cycles to memory, {warned} met a sub-group overtaken");
    assert!(stalled > many * 8 / 10 && warned > many / 100, "{stalled} stalled, {warned} warned");
}

#[test]
fn engines_agree_on_the_measured_programs() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/elf");
    let mut n = 0;
    for entry in std::fs::read_dir(folder).expect("golden ELFs") {
        let path = entry.expect("entry").path();
        let image = Image::parse(&std::fs::read(&path).expect("readable")).expect("a program");
        let limits = Limits { instructions: 50_000_000, ..Limits::default() };
        for quirks in [true, false] {
            agree(&path.display().to_string(), &image, quirks, limits);
        }
        n += 1;
    }
    assert!(n >= 26, "only {n} programs");
}

#[test]
fn engines_agree_on_interrupts_of_slow_instructions() {
    let many = many(1500);
    let (mut taken, mut raised, mut killed) = (0, 0, 0);
    for seed in 0..many {
        let rng = &mut StdRng::seed_from_u64(seed);
        let (elf, pins) = hazards::interrupted(rng);
        let image = Image::parse(&elf).expect("a program");
        let name = format!("interrupts, seed {seed}");
        let limits = Limits { instructions: 20_000, ..Limits::default() };
        let config = Config { quirks: seed % 4 > 0, interrupts: pins.clone(), ..Config::default() };
        let o = agree_in(&name, &image, &config, limits);
        let waited = |o: &Outcome, s: Stall| o.stalls.iter().find(|x| x.0 == s).map_or(0, |x| x.1);
        raised += pins.len();
        taken += u64::from(waited(&o, Stall::Interrupt) > 0);
        killed += u64::from(waited(&o, Stall::Division) > 0 && waited(&o, Stall::Interrupt) > 0);
        let limits = Limits { cycles: rng.random_range(0..=o.cycles), ..Limits::default() };
        agree_in(&name, &image, &Config { quirks: true, ..config }, limits);
    }
    println!(
        "{many} programs, {raised} interrupts raised, taken in {taken} programs, {killed} with divisions"
    );
    assert!(
        taken > many / 2 && killed > many / 3,
        "interrupts were taken in {taken} of {many} programs only"
    );
}

#[test]
fn engines_agree_on_random_code_that_overwrites_itself() {
    let many = many(1500);
    let (mut ended, mut changed) = (0, 0);
    for seed in 0..many {
        let rng = &mut StdRng::seed_from_u64(seed);
        let image = Image::parse(&hazards::self_modifying(rng)).expect("a program");
        let name = format!("self-modifying, seed {seed}");
        let limits = Limits { instructions: 5_000, ..Limits::default() };
        let o = agree(&name, &image, seed % 4 > 0, limits);
        ended += u64::from(o.exit_status() == 0);
        let (_, machine) = run(&image, &ENGINES[0], true, limits);
        let code = &image.segments[0];
        changed += u64::from(machine.read(code.address, code.size) != Some(&code.data[..]));
        let limits = Limits { instructions: rng.random_range(0..=o.instructions), ..Limits::default() };
        agree(&name, &image, true, limits);
    }
    println!("{many} programs, {changed} changed their code, {ended} ran to their end");
    assert!(changed > many / 2 && ended > many / 2, "{changed} of {many} changed, {ended} ended");
}

/// Code that is written while it runs.
#[test]
fn engines_agree_on_code_that_overwrites_itself() {
    // x5 = a word that adds 1 to x10, written over the instruction behind it, then over one further on, in a loop.
    let mut words = Vec::new();
    words.extend(li(5, addi(10, 10, 1)));
    words.extend(li(6, ENTRY + 4 * 8));
    words.push(addi(7, 0, 5));
    words.push(addi(10, 0, 0));
    // 6:
    words.push(addi(11, 11, 3));
    words.push(sw(5, 0, 6));
    words.push(addi(10, 10, 100)); // overwritten
    words.push(addi(6, 6, 4));
    words.push(addi(12, 12, 7)); // overwritten in the third pass
    words.push(addi(7, 7, -1));
    words.push(asm::branch(1, 7, 0, -24));
    words.push(lui(31, 0x1A10_F000));
    words.push(sw(10, 12, 31));
    words.push(addi(10, 0, 0));
    words.extend(exit());
    let image = Image::parse(&asm::program(&words)).expect("a program");
    let limits = Limits { instructions: 1000, ..Limits::default() };
    // Without quirks every new instruction runs; with them the old one behind the store runs in the first pass.
    for (quirks, sum) in [(true, 109), (false, 108)] {
        let o = agree("self-modifying", &image, quirks, limits);
        assert_eq!(o.results, [sum], "quirks {quirks}");
    }
}

/// A loop that adds dot products to the stack pointer, whose every value counts.
#[test]
fn engines_agree_on_a_stack_pointer_that_is_a_sum() {
    for format in 1..11 {
        let mut words = vec![asm::csrwi(0x00D, format), asm::NOP, asm::NOP];
        for (register, value) in [(2, 0x1C02_0000), (10, 0x0101_0101), (11, 0x0101_0101), (7, 60)] {
            words.extend(li(register, value));
        }
        words.push(asm::r(0x2E << 1, 11, 10, 1, 2, 0x57));
        words.push(addi(12, 12, 1));
        words.push(addi(7, 7, -1));
        words.push(asm::branch(1, 7, 0, -12));
        words.push(addi(10, 0, 0));
        words.extend(exit());
        let image = Image::parse(&asm::program(&words)).expect("a program");
        let o = agree("a sum in sp", &image, true, Limits::default());
        assert!(o.stack_bytes > 0, "format {format}");
    }
}

/// Dot products of every format in a loop, on words whose every bit changes: what lies above the lanes of a sub-group must not
/// be taken for some of them.
#[test]
fn engines_agree_on_dot_products_of_every_format() {
    for format in 1..11 {
        let mut words = vec![asm::csrwi(0x00D, format), asm::NOP, asm::NOP];
        for (register, value) in [(10, 0x89AB_CDEF), (11, 0x7654_3210), (18, 0x1357_9BDF), (7, 60)] {
            words.extend(li(register, value));
        }
        let start = words.len() as i32;
        // With every sign, without a sum and with one; there are eight, as no format has more sub-groups.
        for (k, funct6) in [0x20, 0x22, 0x26, 0x28, 0x2A, 0x2E, 0x28, 0x2E].into_iter().enumerate() {
            words.push(asm::r(funct6 << 1, 11, 10, 0, 19 + k as u32, 0x57));
        }
        words.push(asm::r(0, 18, 10, 0, 10, 0x33));
        words.push(asm::r(0, 10, 11, 4, 11, 0x33));
        words.push(addi(7, 7, -1));
        words.push(asm::branch(1, 7, 0, 4 * (start - words.len() as i32)));
        words.push(addi(10, 0, 0));
        words.extend(exit());
        let image = Image::parse(&asm::program(&words)).expect("a program");
        agree(&format!("format {format}"), &image, true, Limits::default());
    }
}

/// A corner is told where it was met, also in code that has run often without meeting it.
#[test]
fn corners_are_told_where_they_are_met() {
    // The same loop with formats 2, 1 and then none, which a dot product must not meet.
    let dot = asm::r(0x2E << 1, 11, 10, 0, 12, 0x57);
    let mut words = li(8, 2).to_vec();
    let start = words.len() as i32;
    words.extend([asm::csrrw(0, 0x00D, 8), asm::NOP, asm::NOP, addi(7, 0, 60)]);
    words.extend([addi(15, 15, 1), dot, addi(7, 7, -1), asm::branch(1, 7, 0, -12)]);
    words.push(addi(8, 8, -1));
    words.push(asm::branch(5, 8, 0, 4 * (start - words.len() as i32)));
    words.push(addi(10, 0, 0));
    words.extend(exit());
    let met = ENTRY + 4 * words.iter().position(|w| *w == dot).expect("it is there") as u32;
    let image = Image::parse(&asm::program(&words)).expect("a program");
    for engine in &ENGINES {
        let (outcome, _) = run(&image, engine, true, Limits::default());
        let told: Vec<_> = outcome.warnings.iter().filter(|w| w.what.contains("format 0")).collect();
        assert_eq!(told.len(), 1, "{}: {:?}", engine.name, outcome.warnings);
        assert_eq!(told[0].pc, met, "{}", engine.name);
    }
}

/// Whatever ran before in its memory, a program finds it as new: all of RAM is compared, and what the run says.
/// Programs that change their code and such that do not, some stopped on the way, with other data in between.
#[test]
fn a_restored_machine_is_as_a_new_one() {
    for seed in 0..many(60) {
        let rng = &mut StdRng::seed_from_u64(seed + 80_000_000);
        let elf = match seed % 4 {
            0 | 1 => hot::program(rng),
            2 => program(rng),
            _ => hazards::self_modifying(rng),
        };
        let image = Image::parse(&elf).expect("a program");
        for engine in &ENGINES {
            let config = Config { engine, profile: seed % 3 == 0, ..Config::default() };
            let mut kept = Machine::new(&image, &config).expect("fits");
            let start = kept.snapshot();
            for round in 0..4 {
                let name = format!("seed {seed}, {}, round {round}", engine.name);
                let limits =
                    Limits { instructions: if round == 1 { 200 } else { 30_000 }, ..Limits::default() };
                let data: Vec<u8> = (0..64).map(|_| rng.random()).collect();
                let mut new = Machine::new(&image, &config).expect("fits");
                kept.restore(&start);
                for machine in [&mut kept, &mut new] {
                    assert!(machine.write(DATA + DATA_BYTES / 2, &data), "{name}");
                }
                let (mut a, mut b) = (kept.run(limits), new.run(limits));
                if seed % 4 == 3 {
                    // Code that ran in an earlier round is code when it is written, which may be told of.
                    (a.warnings, b.warnings) = (Vec::new(), Vec::new());
                }
                assert_eq!(format!("{a:?}"), format!("{b:?}"), "{name}");
                equal(&name, (&a, &kept), (&b, &new));
            }
        }
    }
}

#[test]
fn a_renewed_machine_is_as_a_new_one() {
    let (base, size) = DEFAULT_RAM;
    let config = Config::default();
    let mut before: Option<Machine> = None;
    for seed in 0..60 {
        let rng = &mut StdRng::seed_from_u64(seed);
        let image = Image::parse(&program(rng)).expect("a program");
        // Most end; some are stopped in their middle, and then written to from outside.
        let limits = Limits { instructions: if seed % 3 == 0 { 300 } else { 20_000 }, ..Limits::default() };
        let renewed =
            before.take().map_or_else(|| Machine::new(&image, &config), |b| b.renewed(&image, &config));
        let (mut renewed, mut new) = (renewed.expect("fits"), Machine::new(&image, &config).expect("fits"));
        let whole = |m: &Machine| m.read(base, size).expect("RAM").to_vec();
        assert!(whole(&renewed) == whole(&new), "seed {seed}: memory before the run");
        let (a, b) = (renewed.run(limits), new.run(limits));
        assert_eq!(format!("{a:?}"), format!("{b:?}"), "seed {seed}");
        assert!(whole(&renewed) == whole(&new), "seed {seed}: memory after the run");
        let junk = vec![0xA5; rng.random_range(1..200)];
        assert!(renewed.write(base + rng.random_range(0..size - 200), &junk));
        before = Some(renewed);
    }
    let small = Config { ram: vec![(base, 0x20000), (0x100, 64)], ..config };
    let image = Image::new(ENTRY, Vec::new());
    let moved = before.expect("there was one").renewed(&image, &small).expect("fits");
    assert_eq!(moved.memory().regions().collect::<Vec<_>>(), small.ram);
    assert!(moved.read(base, 0x20000).expect("RAM").iter().all(|b| *b == 0));
}

/// However often a run is stopped by a limit and taken up again, it comes to the same.
#[test]
fn runs_taken_up_again_are_as_one() {
    for seed in 0..300 {
        let rng = &mut StdRng::seed_from_u64(seed);
        let image = Image::parse(&program(rng)).expect("a program");
        for engine in &ENGINES {
            let limits = Limits { instructions: 20_000, ..Limits::default() };
            let (whole, a) = run(&image, engine, seed % 4 > 0, limits);
            let config = Config { engine, quirks: seed % 4 > 0, profile: seed % 4 > 0, ..Config::default() };
            let mut b = Machine::new(&image, &config).expect("fits");
            let mut until = 0;
            let pieces = loop {
                until = limits.instructions.min(until + rng.random_range(1..400));
                let outcome = b.run(Limits { instructions: until, ..limits });
                if !matches!(outcome.status, Status::Limit) || until == limits.instructions {
                    break outcome;
                }
            };
            assert_eq!(format!("{whole:?}"), format!("{pieces:?}"), "seed {seed}, {}", engine.name);
            assert_eq!(a.hart().x(), b.hart().x(), "seed {seed}, {}", engine.name);
            assert_eq!(a.profile(), b.profile(), "seed {seed}, {}", engine.name);
        }
    }
}
