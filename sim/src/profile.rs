//! Where the cycles went: per instruction, function and source line.
//!
//! Every cycle belongs to one instruction: the one it issued in, or the one that waited. What a jump costs is therefore
//! found at its target, under the name of its reason.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::cores;
use crate::decode;
use crate::elf::Symbols;
use crate::energy::{Energy, EventCounts};
use crate::isa::{Form, Inst};
use crate::memory::Memory;
use crate::timing::{Stall, Stalls};
use crate::trace::disassemble;

/// What an instruction cost in all the times that it ran.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Line {
    /// How often it retired.
    pub runs: u64,
    /// Cycles that it waited, by reason.
    pub stalls: Stalls,
    /// Its events, cycles and stalls included.
    pub counts: EventCounts,
}

impl Line {
    /// Its cycles: one for each run, and those that it waited.
    #[must_use]
    pub fn cycles(&self) -> u64 {
        self.runs + self.stalls.iter().sum::<u64>()
    }

    /// Nominal energy, pJ.
    #[must_use]
    pub fn energy_pj(&self) -> f64 {
        let cycles = self.cycles();
        Energy::nominal(&EventCounts { cycles, stalls: cycles - self.runs, ..self.counts })
    }

    /// Adds the costs of `other`, `times`.
    pub fn add(&mut self, other: &Self, times: u64) {
        self.runs += other.runs * times;
        self.stalls.iter_mut().zip(other.stalls).for_each(|(mine, n)| *mine += n * times);
        self.counts.add(&other.counts, times);
    }

    /// The reasons it waited for, the longest first.
    #[must_use]
    pub fn reasons(&self) -> Vec<(Stall, u64)> {
        let mut out: Vec<_> =
            Stall::ALL.map(|s| (s, self.stalls[s as usize])).into_iter().filter(|s| s.1 > 0).collect();
        out.sort_by_key(|s| std::cmp::Reverse(s.1));
        out
    }
}

/// Costs by address of the instruction, and by call path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// What each instruction cost, by its address.
    pub lines: BTreeMap<u32, Line>,
    /// The call paths.
    pub calls: Calls,
}

/// An innermost loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loop {
    /// Address of its first instruction.
    pub begin: u32,
    /// Address of its last instruction.
    pub end: u32,
    /// How often the whole body ran.
    pub passes: u64,
    /// Cycles that were spent in it.
    pub cycles: u64,
}

/// A function with its instructions.
struct Function<'a> {
    name: String,
    lines: Vec<(u32, &'a Line)>,
    total: Line,
}

impl Profile {
    pub(crate) fn new(entry: u32) -> Self {
        Self { lines: BTreeMap::new(), calls: Calls::new(entry) }
    }

    /// Adds what `times` runs like `line` cost.
    pub(crate) fn add(&mut self, pc: u32, line: &Line, times: u64) {
        self.lines.entry(pc).or_default().add(line, times);
    }

    /// The sum over all instructions.
    #[must_use]
    pub fn total(&self) -> Line {
        self.lines.values().fold(Line::default(), |mut sum, l| {
            sum.add(l, 1);
            sum
        })
    }

    /// Functions, the one with the most cycles first. A label inside a function counts as one of its own.
    fn functions(&self, symbols: &Symbols) -> Vec<Function<'_>> {
        let mut by_name: BTreeMap<String, Function> = BTreeMap::new();
        for (&pc, line) in &self.lines {
            let name = symbols.locate(pc).symbol.map_or_else(|| "(no symbol)".into(), |s| s.0);
            let f = by_name.entry(name.clone()).or_insert_with(|| Function {
                name,
                lines: Vec::new(),
                total: Line::default(),
            });
            f.lines.push((pc, line));
            f.total.add(line, 1);
        }
        let mut out: Vec<_> = by_name.into_values().collect();
        out.sort_by(|a, b| b.total.cycles().cmp(&a.total.cycles()).then(a.lines[0].0.cmp(&b.lines[0].0)));
        out
    }

    /// The innermost loops, the one with the most cycles first.
    #[must_use]
    pub fn loops(&self, mem: &Memory) -> Vec<Loop> {
        let mut found: Vec<(u32, u32)> = Vec::new();
        let mut starts = [0; 2];
        for &pc in self.lines.keys() {
            let Ok(inst) = decode::fetch(&cores::MPIC, mem, pc, false) else { continue };
            let target = pc.wrapping_add(inst.imm as u32);
            match inst.row.form {
                Form::B | Form::BImm | Form::J if target <= pc && !inst.is_call() => found.push((target, pc)),
                // The end of a hardware loop lies one instruction before the address in the encoding.
                Form::LoopSetup => found.push((pc.wrapping_add(4), target)),
                Form::LoopSetupI => {
                    found.push((pc.wrapping_add(4), pc.wrapping_add(2 * u32::from(inst.rs1))));
                }
                Form::LoopAddr if inst.row.name == "lp.starti" => starts[usize::from(inst.rd & 1)] = target,
                Form::LoopAddr => found.push((starts[usize::from(inst.rd & 1)], target)),
                _ => {}
            }
        }
        // A program may say that a loop ends before it begins, and then nothing is repeated.
        found.retain(|(begin, end)| begin <= end);
        let inside = |a: &(u32, u32), b: &(u32, u32)| a != b && a.0 >= b.0 && a.1 <= b.1;
        let innermost = found.iter().filter(|b| !found.iter().any(|a| inside(a, b)));
        let mut out: Vec<Loop> = innermost
            .filter_map(|&(begin, end)| {
                let body = || self.lines.range(begin..=end).map(|(_, l)| l);
                let passes = body().map(|l| l.runs).min()?;
                Some(Loop { begin, end, passes, cycles: body().map(Line::cycles).sum() })
            })
            .collect();
        out.sort_by_key(|l| std::cmp::Reverse(l.cycles));
        out
    }

    /// The profile for people: hot loops, then functions by cycles, then the disassembly of the functions with at least `share`
    /// (0 to 1) of all cycles, with the cycles of each instruction and what it waited for.
    #[must_use]
    pub fn annotated(&self, symbols: &Symbols, mem: &Memory, share: f64) -> String {
        let all = self.total().cycles().max(1);
        let percent = |n: u64| 100.0 * n as f64 / all as f64;
        let functions = self.functions(symbols);
        let mut out = String::new();
        let hot: Vec<_> =
            self.loops(mem).into_iter().filter(|l| percent(l.cycles) >= 100.0 * share).collect();
        if !hot.is_empty() {
            let _ = writeln!(out, "      cycles       %        passes  cycles/pass  innermost loop");
        }
        for l in hot {
            let _ = writeln!(
                out,
                "{:>12}  {:>6.2}  {:>12}  {:>11.2}  0x{:08x}..0x{:08x} in {}",
                l.cycles,
                percent(l.cycles),
                l.passes,
                l.cycles as f64 / l.passes.max(1) as f64,
                l.begin,
                l.end,
                symbols.locate(l.begin)
            );
        }
        let _ = writeln!(out, "\n      cycles       %  instructions    CPI     energy uJ  function");
        for f in &functions {
            let (cycles, runs) = (f.total.cycles(), f.total.runs);
            let _ = writeln!(
                out,
                "{cycles:>12}  {:>6.2}  {runs:>12}  {:>5.2}  {:>12.4}  {}",
                percent(cycles),
                cycles as f64 / runs.max(1) as f64,
                f.total.energy_pj() / 1e6,
                f.name
            );
        }
        for f in functions.iter().filter(|f| percent(f.total.cycles()) >= 100.0 * share) {
            let _ = writeln!(out, "\n{} ({:.2} % of all cycles)", f.name, percent(f.total.cycles()));
            let _ = writeln!(
                out,
                "      cycles       %          runs  address   instruction                           waited for"
            );
            let mut place = None;
            let mut next = f.lines[0].0;
            for &(pc, line) in &f.lines {
                let at = symbols.locate(pc).line;
                if at.is_some() && at != place {
                    if let Some((file, n)) = &at {
                        let _ = writeln!(out, "                                    {file}:{n}");
                    }
                    place = at;
                }
                if pc != next {
                    let _ = writeln!(out, "         ...");
                }
                let Ok(inst) = decode::fetch(&cores::MPIC, mem, pc, false) else { continue };
                next = pc.wrapping_add(u32::from(inst.size));
                let waited: Vec<_> =
                    line.reasons().iter().map(|(s, n)| format!("{} {n}", s.name())).collect();
                let row = format!(
                    "{:>12}  {:>6.2}  {:>12}  {pc:08x}  {:<36}  {}",
                    line.cycles(),
                    percent(line.cycles()),
                    line.runs,
                    disassemble(&inst, pc),
                    waited.join(", ")
                );
                let _ = writeln!(out, "{}", row.trim_end());
            }
        }
        out
    }

    /// The profile in the format of callgrind, which `KCachegrind` opens: cycles, instructions, stall cycles and energy (pJ).
    /// The costs of a call include those of its callees, except for the energy, which is given only where it is spent.
    #[must_use]
    pub fn callgrind(&self, symbols: &Symbols, program: &str) -> String {
        let mut out = format!(
            "# callgrind format\nversion: 1\ncreator: mpic-sim\ncmd: {program}\npositions: instr line\n\
             events: Cycles Instructions StallCycles EnergyPicojoules\n"
        );
        let file = |pc: u32| symbols.locate(pc).line.unwrap_or_else(|| ("(unknown)".into(), 0));
        let sites = self.calls.sites();
        for f in self.functions(symbols) {
            let mut current = file(f.lines[0].0).0;
            let _ = writeln!(out, "\nfl={current}\nfn={}", f.name);
            for (pc, line) in &f.lines {
                let (name, number) = file(*pc);
                if name != current {
                    let _ = writeln!(out, "fi={name}");
                    current = name;
                }
                let cycles = line.cycles();
                let _ = writeln!(
                    out,
                    "0x{pc:x} {number} {cycles} {} {} {:.0}",
                    line.runs,
                    cycles - line.runs,
                    line.energy_pj()
                );
                for (&(_, callee), &(calls, cycles, runs)) in sites.range((*pc, 0)..=(*pc, u32::MAX)) {
                    let (callee_file, callee_line) = file(callee);
                    let _ = writeln!(
                        out,
                        "cfi={callee_file}\ncfn={}\ncalls={calls} 0x{callee:x} {callee_line}\n\
                         0x{pc:x} {number} {cycles} {runs} {}",
                        function_name(symbols, callee),
                        cycles - runs.min(cycles)
                    );
                }
            }
        }
        let t = self.total();
        // The sum of what the lines say, each rounded.
        let energy: f64 = self.lines.values().map(|l| l.energy_pj().round()).sum();
        let _ = writeln!(out, "\ntotals: {} {} {} {:.0}", t.cycles(), t.runs, t.cycles() - t.runs, energy);
        out
    }

    /// How often each kind of instruction ran, the most frequent first.
    #[must_use]
    pub fn mix(&self, mem: &Memory) -> Vec<(&'static str, u64)> {
        let mut by_name: BTreeMap<&str, u64> = BTreeMap::new();
        for (&pc, line) in &self.lines {
            if let Ok(inst) = decode::fetch(&cores::MPIC, mem, pc, false) {
                *by_name.entry(inst.row.name).or_default() += line.runs;
            }
        }
        let mut out: Vec<_> = by_name.into_iter().collect();
        out.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
        out
    }

    /// Which source lines ran how often, in the format of lcov. `code` are the instructions the program has, run or not.
    #[must_use]
    pub fn lcov(&self, symbols: &Symbols, code: impl Iterator<Item = u32>) -> String {
        let mut files: BTreeMap<String, BTreeMap<u32, u64>> = BTreeMap::new();
        for pc in code {
            if let Some((file, line)) = symbols.locate(pc).line {
                let runs = self.lines.get(&pc).map_or(0, |l| l.runs);
                let seen = files.entry(file).or_default().entry(line).or_default();
                *seen = runs.max(*seen);
            }
        }
        let mut out = String::new();
        for (file, lines) in files {
            let _ = writeln!(out, "TN:\nSF:{file}");
            for (line, runs) in &lines {
                let _ = writeln!(out, "DA:{line},{runs}");
            }
            let hit = lines.values().filter(|r| **r > 0).count();
            let _ = writeln!(out, "LF:{}\nLH:{hit}\nend_of_record", lines.len());
        }
        out
    }
}

/// Cycles and instructions by call path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Calls {
    /// Parents come before their children; the first is the program's entry.
    nodes: Vec<Node>,
    /// The function that runs.
    at: usize,
    /// Calls since then that were too deep, or too many, to get a node of their own.
    beyond: u64,
    /// Cycles and instructions when `at` was last charged.
    since: (u64, u64),
}

/// A function, as called along one path.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Node {
    /// Where the call went.
    function: u32,
    /// Address of the call instruction.
    site: u32,
    parent: usize,
    depth: usize,
    calls: u64,
    /// Cycles and instructions without its callees.
    own: (u64, u64),
    children: Vec<usize>,
}

/// Deeper call paths are charged to the function at this depth: recursion must not grow the result without end.
const DEEPEST: usize = 128;

/// Most call paths that are told apart.
const MOST_PATHS: usize = 1 << 16;

impl Calls {
    fn new(entry: u32) -> Self {
        let root = Node {
            function: entry,
            site: entry,
            parent: 0,
            depth: 0,
            calls: 1,
            own: (0, 0),
            children: Vec::new(),
        };
        Self { nodes: vec![root], at: 0, beyond: 0, since: (0, 0) }
    }

    /// The jump `inst` at `pc` went to `target`; `so_far` are the cycles and instructions up to and including it.
    pub(crate) fn jump(&mut self, pc: u32, inst: &Inst, target: u32, so_far: (u64, u64)) {
        if inst.is_call() {
            self.settle(so_far);
            self.enter(pc, target);
        } else if inst.is_return() {
            self.settle(so_far);
            if self.beyond > 0 {
                self.beyond -= 1;
            } else {
                self.at = self.nodes[self.at].parent;
            }
        }
    }

    fn enter(&mut self, site: u32, function: u32) {
        let at = &self.nodes[self.at];
        let known = at
            .children
            .iter()
            .copied()
            .find(|&c| self.nodes[c].site == site && self.nodes[c].function == function);
        let depth = at.depth + 1;
        let full = depth == DEEPEST || self.nodes.len() == MOST_PATHS;
        if self.beyond > 0 || known.is_none() && full {
            self.beyond += 1;
            return;
        }
        let callee = known.unwrap_or_else(|| {
            let parent = self.at;
            self.nodes.push(Node {
                function,
                site,
                parent,
                depth,
                calls: 0,
                own: (0, 0),
                children: Vec::new(),
            });
            let new = self.nodes.len() - 1;
            self.nodes[parent].children.push(new);
            new
        });
        self.nodes[callee].calls += 1;
        self.at = callee;
    }

    /// Charges the function that runs with everything since it was last charged.
    pub(crate) fn settle(&mut self, so_far: (u64, u64)) {
        let own = &mut self.nodes[self.at].own;
        own.0 += so_far.0 - self.since.0;
        own.1 += so_far.1 - self.since.1;
        self.since = so_far;
    }

    /// Cycles and instructions of all paths.
    #[must_use]
    pub fn total(&self) -> (u64, u64) {
        self.nodes.iter().fold((0, 0), |sum, n| (sum.0 + n.own.0, sum.1 + n.own.1))
    }

    /// Cycles and instructions of every node with its callees.
    fn inclusive(&self) -> Vec<(u64, u64)> {
        let mut sums: Vec<_> = self.nodes.iter().map(|n| n.own).collect();
        for (i, node) in self.nodes.iter().enumerate().skip(1).rev() {
            sums[node.parent].0 += sums[i].0;
            sums[node.parent].1 += sums[i].1;
        }
        sums
    }

    /// `a;b;c cycles`, a line per call path, for flame graphs.
    #[must_use]
    pub fn folded(&self, symbols: &Symbols) -> Vec<String> {
        let mut paths: Vec<String> = Vec::with_capacity(self.nodes.len());
        for (i, node) in self.nodes.iter().enumerate() {
            let name = function_name(symbols, node.function);
            paths.push(if i == 0 { name } else { format!("{};{name}", paths[node.parent]) });
        }
        let all = paths.iter().zip(&self.nodes).filter(|(_, n)| n.own.0 > 0);
        all.map(|(path, n)| format!("{path} {}", n.own.0)).collect()
    }

    /// Calls with what they cost, callees included, by (call instruction, function called).
    fn sites(&self) -> BTreeMap<(u32, u32), (u64, u64, u64)> {
        let mut out: BTreeMap<_, (u64, u64, u64)> = BTreeMap::new();
        for (node, (cycles, instructions)) in self.nodes.iter().zip(self.inclusive()).skip(1) {
            let site = out.entry((node.site, node.function)).or_default();
            site.0 += node.calls;
            site.1 += cycles;
            site.2 += instructions;
        }
        out
    }
}

fn function_name(symbols: &Symbols, pc: u32) -> String {
    symbols.locate(pc).symbol.map_or_else(|| format!("0x{pc:08x}"), |s| s.0)
}
