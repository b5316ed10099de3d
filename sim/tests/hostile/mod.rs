//! What hostile input is given to, by proptest (`hostile.rs`) and by cargo-fuzz (`fuzz/`): nothing may panic, run beyond its
//! limits or take memory without bound.

use mpic_sim::elf::Symbols;
use mpic_sim::engine::ENGINES;
use mpic_sim::memory::DEFAULT_RAM;
use mpic_sim::timing::{Latency, MemoryTiming, Priority};
use mpic_sim::trace::{Trace, TraceFormat, Window, disassemble};
use mpic_sim::{Config, Engine, Image, Limits, Machine, cores, decode};

const LIMITS: Limits = Limits { cycles: 20_000, instructions: 3_000 };

/// Bytes as an ELF file: read, located in, loaded, run, reported.
pub(crate) fn elf(bytes: &[u8]) {
    let Ok(image) = Image::parse(bytes) else { return };
    let symbols = Symbols::parse(bytes);
    let _ = symbols.locate(image.entry);
    let Ok(mut machine) = Machine::new(&image, &Config { profile: true, ..Config::default() }) else {
        return;
    };
    let outcome = machine.run(LIMITS);
    let ram = machine.memory().describe();
    assert!(serde_json::to_string(&outcome.json(&symbols, &ram, 0.0)).is_ok_and(|j| j.starts_with('{')));
    assert!(!outcome.text(&symbols, 0.0).is_empty());
    if let Some(profile) = machine.profile() {
        let _ = profile.annotated(&symbols, machine.memory(), 0.0);
        let _ = (profile.callgrind(&symbols, "x.elf"), profile.mix(machine.memory()));
    }
}

/// Bytes as a program, the first of them choosing the machine: all engines must go the same way.
pub(crate) fn words(bytes: &[u8]) {
    let Some((choice, code)) = bytes.split_first() else { return };
    let code = &code[..code.len().min(8192)];
    // Memory that answers at once, late on one port or the other, or late on both, which are one.
    let late = |grant, answer| Latency { grant, answer };
    let memory = MemoryTiming {
        instructions: late(u16::from(choice >> 6 & 1), u16::from(choice >> 5 & 1)),
        data: late(u16::from(choice >> 5 & 1), u16::from(choice >> 7)),
        shared: (choice >> 5 == 7).then_some(Priority::Data),
        regions: Vec::new(),
    };
    let config = Config {
        memory,
        core: if choice & 1 == 0 { &cores::MPIC } else { &cores::RI5CY },
        quirks: choice & 2 == 0,
        checks: true,
        semihosting: choice & 4 != 0,
        profile: choice & 8 != 0,
        ram: vec![DEFAULT_RAM, (0, 4096)],
        interrupts: if choice & 16 == 0 {
            Vec::new()
        } else {
            vec![(u64::from(choice >> 5) * 40, choice >> 5)]
        },
        engine: &ENGINES[0],
    };
    for pair in code.chunks_exact(4) {
        let inst = decode::decode(&cores::MPIC, u32::from_le_bytes([pair[0], pair[1], pair[2], pair[3]]));
        assert!(!disassemble(&inst, 0x1C00_8080).is_empty());
    }
    let run = |config: &Config| {
        let image = Image::new(DEFAULT_RAM.0 + 0x8080, Vec::new());
        let mut machine = Machine::new(&image, config).expect("the entry lies in RAM");
        assert!(machine.write(image.entry, code));
        (machine.run(LIMITS), machine)
    };
    let (slow, b) = run(&Config { engine: Engine::REFERENCE, ..config.clone() });
    for engine in &ENGINES {
        let (fast, a) = run(&Config { engine, ..config.clone() });
        assert_eq!(
            (fast.cycles, fast.instructions, fast.exit_status()),
            (slow.cycles, slow.instructions, slow.exit_status())
        );
        let lost: u64 = fast.stalls.iter().map(|s| s.1).sum();
        assert_eq!(fast.cycles, fast.instructions + lost, "the stalls add up");
        assert_eq!((&fast.stalls, &fast.counts, &fast.results), (&slow.stalls, &slow.counts, &slow.results));
        assert_eq!((a.hart().x(), a.hart().pc, a.hart().loops), (b.hart().x(), b.hart().pc, b.hart().loops));
    }
}

/// Text as arguments, a line each, and as a trace window.
pub(crate) fn arguments(text: &str) {
    let _ = mpic_sim::cli::check(text.lines());
    for option in ["--ram", "--irq-at", "--load", "--dump", "--max-cycles", "--trace-format"] {
        let _ = mpic_sim::cli::check(["run", "program.elf", option, text]);
    }
    if let Ok(window) = Window::parse(text, &Symbols::parse(b"")) {
        let mut out = Vec::new();
        let trace = Trace::new(&mut out, TraceFormat::Text, window);
        trace.finish().expect("memory can be written");
    }
}
