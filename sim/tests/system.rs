//! Interrupts, sleep and performance counters: the measured cases of the timing notes, and the RTL's rules around them.

mod asm;

use asm::{
    ENTRY, MRET, NOP, VECTORS, WFI, addi, branch, bytes, csrr, csrrw, csrwi, elf, exit, jal, lui, lw, result,
    sw,
};
use mpic_sim::observer::{Observer, Retired};
use mpic_sim::timing::{Latency, MemoryTiming, Stall};
use mpic_sim::{Config, Image, Limits, Machine, Outcome, Status};

#[derive(Default)]
struct Log(Vec<(u64, u32)>);

impl Observer for Log {
    fn retired(&mut self, r: &Retired) {
        self.0.push((r.executed.cycle, r.executed.pc));
    }
}

const MSTATUS: u32 = 0x300;

/// The main program behind a vector table whose interrupt 5 jumps to a handler that reports mcause and mepc.
fn with_handler(main: &[u32]) -> Vec<u8> {
    let mut handler = vec![csrr(5, 0x342), csrr(6, 0x341)];
    handler.extend(result(5));
    handler.extend(result(6));
    handler.push(MRET);
    let at = 0x400;
    let mut vectors = vec![NOP; 32];
    vectors[5] = jal(0, at - 20);
    let mut image = bytes(&vectors);
    image.extend(bytes(main));
    image.resize(at as usize, 0);
    image.extend(bytes(&handler));
    elf(ENTRY, &[(VECTORS, image)])
}

fn run(elf: &[u8], interrupts: Vec<(u64, u8)>) -> (Outcome, Log) {
    let image = Image::parse(elf).expect("a program");
    let mut machine = Machine::new(&image, &Config { interrupts, ..Config::default() }).expect("fits");
    let mut log = Log::default();
    let outcome = machine.run_with(Limits { cycles: 100_000, ..Limits::default() }, &mut log);
    let lost: u64 = outcome.stalls.iter().map(|s| s.1).sum();
    assert_eq!(outcome.cycles, outcome.instructions + lost, "{:?}", outcome.stalls);
    (outcome, log)
}

fn ended(o: &Outcome) -> bool {
    matches!(o.status, Status::Exited(0))
}

fn when(log: &Log, pc: u32) -> u64 {
    log.0.iter().find(|e| e.1 == pc).unwrap_or_else(|| panic!("0x{pc:08x} never ran")).0
}

#[test]
fn an_interrupt_kills_the_instruction_in_id() {
    let mut main = vec![csrwi(MSTATUS, 8)];
    main.extend([addi(10, 10, 1); 40]);
    main.extend([addi(10, 0, 0)]);
    main.extend(exit());
    // The pin rises in cycle c: the instruction that would leave ID at c + 1 is killed, the vector issues at c + 5.
    let c = 20;
    let (o, log) = run(&with_handler(&main), vec![(c - 3, 5)]);
    assert!(ended(&o));
    assert_eq!(when(&log, VECTORS + 20), c + 5);
    let (_, plain) = run(&with_handler(&main), vec![]);
    let killed = plain.0.iter().find(|e| e.0 == c + 1).expect("one a cycle").1;
    assert_eq!(o.results, [1 << 31 | 5, killed]);
    assert!(
        log.0.iter().filter(|e| e.1 == killed).count() == 1,
        "the killed instruction runs once, after the handler"
    );
}

#[test]
fn interrupts_wait_until_they_are_enabled() {
    let mut main = vec![NOP; 30];
    main.push(csrwi(MSTATUS, 8));
    main.extend([NOP; 10]);
    main.push(addi(10, 0, 0));
    main.extend(exit());
    let (o, log) = run(&with_handler(&main), vec![(3, 5)]);
    // Enabled two cycles after the write leaves ID and seen one later, when the flush has emptied ID: the next
    // instruction is killed as soon as it enters it, four cycles after the write.
    let write = ENTRY + 4 * 30;
    assert_eq!(when(&log, VECTORS + 20), when(&log, write) + 8);
    assert_eq!(o.results[1], write + 4);
    let never = run(&with_handler(&[vec![NOP; 30], vec![addi(10, 0, 0)], exit()].concat()), vec![(3, 5)]).0;
    assert!(ended(&never) && never.results.is_empty());
}

#[test]
fn sleep_ends_with_the_interrupt() {
    let mut main = vec![csrwi(MSTATUS, 8), NOP, NOP, WFI, addi(10, 0, 7), addi(10, 0, 0)];
    main.extend(exit());
    let c = 60;
    let (o, log) = run(&with_handler(&main), vec![(c - 3, 5)]);
    assert_eq!(when(&log, VECTORS + 20), c + 4, "from sleep the vector issues at c + 4");
    assert_eq!(o.results, [1 << 31 | 5, ENTRY + 16], "mepc is the instruction behind wfi");
    assert!(o.counts.sleep > 40 && o.counts.sleep < c, "{} cycles asleep", o.counts.sleep);
    // Not enabled: the program wakes and goes on without the handler.
    main[0] = NOP;
    let (o, log) = run(&with_handler(&main), vec![(c - 3, 5)]);
    assert!(ended(&o) && o.results.is_empty());
    assert_eq!(when(&log, ENTRY + 16), c + 2);
    // Nobody would ever wake it.
    let (o, _) = run(&with_handler(&main), vec![]);
    assert!(matches!(o.status, Status::Asleep { .. }));
}

#[test]
fn two_interrupts_are_taken_one_after_the_other() {
    let mut main = vec![csrwi(MSTATUS, 8)];
    main.extend([addi(11, 11, 1); 60]);
    main.push(addi(10, 0, 0));
    main.extend(exit());
    let (o, _) = run(&with_handler(&main), vec![(22, 5), (20, 5)]);
    assert_eq!(o.results.len(), 4);
    assert_eq!(
        o.results[1], o.results[3],
        "the second is taken before the first instruction of the program runs again"
    );
    assert!(ended(&o));
}

/// Counters in their order: cycles, instructions, load stalls, jump register stalls, fetch waits, loads, stores, jumps,
/// branches, taken branches, compressed.
#[test]
fn performance_counters_count_what_the_rtl_counts() {
    let (pcer, pcmr, pccr) = (0x7E0, 0x7E1, 0x780);
    let body = [
        lui(8, 0x1C10_0000),
        lw(9, 0, 8),
        addi(9, 9, 1), // load stall
        sw(9, 4, 8),
        lw(9, 2, 8), // two requests
        NOP,
        branch(0, 0, 0, 8), // taken
        NOP,
        branch(1, 0, 0, 8), // not taken
        jal(0, 8),
        NOP,
        NOP,
    ];
    let count = |which: u32, enable: u32| -> u32 {
        let mut main = vec![addi(5, 0, enable as i32), NOP, csrrw(0, pcer, 5), NOP, NOP];
        main.extend(body);
        main.extend([NOP, NOP, csrr(7, pccr + which)]);
        main.extend(result(7));
        main.push(addi(10, 0, 0));
        main.extend(exit());
        run(&asm::program(&main), vec![]).0.results[0]
    };
    let expected = [
        // Cycles from two behind the write to one before the read: 4 more instructions of 1 cycle each, minus two, and the
        // body: 10 executed, 1 load stall, 1 second request, 2 for the taken branch, 1 for the jump.
        (0, 4 + 10 + 1 + 1 + 2 + 1 - 1),
        (1, 3 + 10),
        (2, 1),
        (3, 0),
        (4, 0),
        (5, 3),
        (6, 1),
        (7, 1),
        (8, 2),
        (9, 1),
        (10, 0),
    ];
    for (which, n) in expected {
        assert_eq!(count(which, 1 << which), n, "counter {which}");
        assert_eq!(count(which, 0), 0, "counter {which} when it is off");
        assert_eq!(count(which, 0x7FF), n, "counter {which} with all the others");
    }
    // A mode of 0 stops all; writing sets; the address behind the last sets all of them.
    let mut main = vec![addi(5, 0, 0x7FF), csrrw(0, pcer, 5), csrwi(pcmr, 0), NOP, NOP, csrwi(0x79F, 9)];
    main.extend([NOP; 5]);
    main.extend([csrr(7, pccr), csrr(9, pccr + 10)]);
    main.extend(result(7));
    main.extend(result(9));
    main.push(addi(10, 0, 0));
    main.extend(exit());
    assert_eq!(run(&asm::program(&main), vec![]).0.results, [9, 9]);
}

/// Which CSR accesses flush the pipeline: those that may change what the instructions behind them mean (RTL decoder,
/// `csr_status_o`).
#[test]
fn status_accesses_cost_three_cycles_more() {
    let cycles = |word: u32| {
        let mut main = vec![word, NOP, addi(10, 0, 0)];
        main.extend(exit());
        let (o, _) = run(&asm::program(&main), vec![]);
        assert!(ended(&o));
        o.cycles
    };
    let plain = cycles(NOP);
    for csr in [MSTATUS, 0x000, 0x041, 0x7B0, 0x7B1, 0x7B2, 0x7B3] {
        assert_eq!(cycles(csrr(5, csr)), plain + 3, "CSR 0x{csr:03x}");
        assert_eq!(cycles(csrrw(0, csr, 0)), plain + 3, "CSR 0x{csr:03x}, written");
    }
    for csr in [0x00D, 0x00E, 0x00F, 0x305, 0x340, 0x341, 0x342, 0x780, 0x7C0, 0x7C6, 0xC10, 0xF14] {
        assert_eq!(cycles(csrr(5, csr)), plain, "CSR 0x{csr:03x}");
    }
}

/// A loop whose start lies across words costs a cycle for each jump back, and no other does: memory that answers late takes its
/// cycles under its own names.
#[test]
fn loops_cost_the_same_on_late_memory() {
    let (passes, late) = (5, Latency { grant: 0, answer: 1 });
    for (instructions, data) in
        [(Latency::IDEAL, Latency::IDEAL), (Latency::IDEAL, late), (late, Latency::IDEAL), (late, late)]
    {
        let memory = MemoryTiming { instructions, data, ..MemoryTiming::default() };
        for (lead, lost) in [(NOP.to_le_bytes().to_vec(), 0), (vec![0x01, 0x00], passes - 1)] {
            // lp.setupi 0, passes, 24 and six instructions.
            let mut main = vec![
                lui(8, asm::DATA),
                (passes as u32) << 20 | 12 << 15 | 0x507B,
                NOP,
                lw(7, 0, 8),
                NOP,
                NOP,
                NOP,
                NOP,
                addi(10, 0, 0),
            ];
            main.extend(exit());
            let code = [lead.clone(), bytes(&main), lead].concat();
            let image = Image::parse(&elf(ENTRY, &[(ENTRY, code)])).expect("a program");
            let config = Config { memory: memory.clone(), ..Config::default() };
            let o = Machine::new(&image, &config)
                .expect("fits")
                .run(Limits { cycles: 10_000, ..Limits::default() });
            assert!(ended(&o));
            let cycles = |reason| o.stalls.iter().find(|s| s.0 == reason).map_or(0, |s| s.1);
            assert_eq!(cycles(Stall::HardwareLoop), lost, "{memory:?}");
            assert_eq!(cycles(Stall::InstructionMemory) > 0, instructions != Latency::IDEAL, "{memory:?}");
        }
    }
}

/// The start of a loop is fetched as its CSR has it, odd or not; jumps go to even addresses (RTL, `riscv_if_stage.sv`).
#[test]
fn a_jump_from_an_odd_address_goes_to_an_even_one() {
    let (auipc, set_start) = (0x397, 0x7C00_E073);
    let mut main = vec![2 << 20 | 14 << 15 | 0x507B, jal(0, 8), NOP, auipc, set_start, NOP, NOP, NOP];
    main.extend(result(7));
    main.push(addi(10, 0, 0));
    main.extend(exit());
    let (o, log) = run(&asm::program(&main), vec![]);
    assert!(ended(&o));
    when(&log, ENTRY + 5);
    assert_eq!(o.results, [ENTRY + 12]);
}
