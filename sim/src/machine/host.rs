//! What a program asks of its host beyond `ecall`.

use super::Machine;
use super::replay::Replay;
use crate::decode;
use crate::exec::Executed;
use crate::memory::device::Signal;
use crate::profile::Line;
use crate::timing::Stall;

impl Machine {
    /// What an access set off beyond memory: code overwritten, a marker, the end.
    pub(super) fn consequences(&mut self) -> Option<u32> {
        let ended = self.exec.ended.take();
        if let Some(words) = self.exec.cpu.mem.overwritten_code.take() {
            self.code_changed(&words);
            self.forget_code();
        }
        match self.exec.cpu.mem.device.signal.take() {
            Some(Signal::Exit(code)) => {
                let late = self.until_granted();
                self.pipeline.end(late);
                if let Some(profile) = &mut self.profile {
                    let mut line = Line::default();
                    line.stalls[Stall::DataMemory as usize] = late;
                    profile.add(self.exec.last, &line, 1);
                }
                Some(code)
            }
            Some(Signal::Marker(id)) => {
                let late = self.until_granted();
                self.mark(id, late);
                ended
            }
            Some(Signal::Request(address)) => self.request(address).or(ended),
            None => ended,
        }
    }

    /// Cycles that memory takes to grant the last store, beyond the first.
    fn until_granted(&mut self) -> u64 {
        let nothing = Executed::plain(0, decode::decode(0));
        self.pipeline.until_granted(&mut Replay::new(&mut self.exec, &[], nothing))
    }

    /// Serves a request of a program made for riscv-tests: four double words (number, three operands) at `address`.
    /// `Some(code)` if it asked to exit.
    fn request(&mut self, address: u32) -> Option<u32> {
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
