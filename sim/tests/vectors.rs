//! Every Xpulp and MPIC instruction against an oracle written from the RTL (`vectors/make.py`), with the RTL's errors.

mod asm;

use std::collections::BTreeMap;

use asm::{NOP, csrrw, exit, li, result};
use mpic_sim::{Config, Image, Limits, Machine, Status, cores, decode, isa};

type Vector = (String, u32, u32, u32, u32, u32, u32, u32);

fn vectors() -> Vec<Vector> {
    serde_json::from_str(include_str!("vectors/xpulp.json")).expect("xpulp.json")
}

#[test]
fn every_result_is_the_oracles() {
    let all = vectors();
    let mut wrong: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for chunk in all.chunks(200) {
        let mut words = Vec::new();
        for (_, word, format, count, a, b, d, _) in chunk {
            for (register, value) in [(5, *format), (6, *count), (10, *a), (11, *b), (12, *d)] {
                words.extend(li(register, value));
            }
            // Instructions between, so that none of the controller's corners is met.
            words.extend([csrrw(0, 0x00D, 5), csrrw(0, 0x00E, 6), NOP, NOP, *word, NOP]);
            words.extend(result(12));
        }
        words.push(asm::addi(10, 0, 0));
        words.extend(exit());
        let image = Image::parse(&asm::program(&words)).expect("a program");
        let outcome = Machine::new(&image, &Config::default()).expect("fits").run(Limits::default());
        assert!(matches!(outcome.status, Status::Exited(0)), "{:?}", outcome.status);
        for (v, got) in chunk.iter().zip(&outcome.results) {
            if v.7 != *got {
                let line = format!(
                    "{} (0x{:08x}) format {} count {} of {:08x} {:08x} {:08x}: {got:08x}, oracle {:08x}",
                    v.0, v.1, v.2, v.3, v.4, v.5, v.6, v.7
                );
                wrong.entry(&v.0).or_default().push(line);
            }
        }
    }
    let first: Vec<_> = wrong.values().map(|w| format!("{} ({} in all)", w[0], w.len())).collect();
    assert!(wrong.is_empty(), "{}", first.join("\n"));
    println!("{} vectors", all.len());
}

#[test]
fn every_vector_is_decoded_by_its_name() {
    for (name, word, ..) in vectors() {
        assert_eq!(decode::decode(&cores::MPIC, word).row.name, name, "0x{word:08x}");
    }
}

/// An instruction without a vector fails here. Loads, stores, loops and immediate branches change more than a register: the
/// measured programs in `tests/golden` hold them.
#[test]
fn no_row_is_without_a_vector() {
    let all = vectors();
    for row in isa::OWN.iter().copied().flatten() {
        let elsewhere = matches!(
            row.unit,
            isa::Unit::Load | isa::Unit::Store | isa::Unit::Loop | isa::Unit::Branch | isa::Unit::Fence
        );
        // The ISA defines no operand for these two forms.
        let odd = ["pv.shuffle.sc", "pv.abs.sc", "pv.abs.sci"].contains(&row.name);
        assert!(elsewhere || odd || all.iter().any(|v| v.0 == row.name), "{} has no vector", row.name);
    }
}
