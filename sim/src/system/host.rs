//! What a program asks of its host beyond `ecall`.

use super::{Replay, System};
use crate::decode;
use crate::exec::Executed;
use crate::profile::Line;
use crate::timing::Stall;

impl System {
    /// The program has ended.
    pub(crate) fn exit(&mut self) {
        let late = self.until_granted();
        self.pipeline.end(late);
        // It stands at the store that ended it; engines that run blocks may have looked ahead already.
        self.exec.cpu.hart.pc = self.exec.last;
        if let Some(profile) = &mut self.profile {
            let mut line = Line::default();
            line.stalls[Stall::DataMemory as usize] = late;
            profile.add(self.exec.last, &line, 1);
        }
    }

    /// Cycles that memory takes to grant the last store, beyond the first.
    pub(super) fn until_granted(&mut self) -> u64 {
        let nothing = Executed::plain(0, decode::decode(self.exec.cpu.core, 0));
        self.pipeline.until_granted(&mut Replay::new(&mut self.exec, &[], nothing))
    }

    /// Serves a request of a program made for riscv-tests: four double words (number, three operands) at `address`.
    /// `Some(code)` if it asked to exit.
    pub(crate) fn serve(&mut self, address: u32) -> Option<u32> {
        let mem = &mut self.exec.cpu.mem;
        let words =
            mem.slice(address, 32)?.chunks_exact(8).map(|w| u32::from_le_bytes([w[0], w[1], w[2], w[3]]));
        let words: Vec<u32> = words.collect();
        match words[0] {
            93 => return Some(words[1]),
            64 => {
                if let Some(bytes) = mem.slice(words[2], words[3]).map(<[u8]>::to_vec) {
                    mem.device.print(&bytes);
                }
            }
            _ => {}
        }
        if let Some(answer) = self.fromhost.and_then(|at| mem.slice_mut(at, 4)) {
            answer.copy_from_slice(&1u32.to_le_bytes());
        }
        None
    }
}
