//! The instructions of a program (BPF instruction set, RFC 9669), written one a line, with labels to jump to.

use std::collections::BTreeMap;
use std::os::fd::{AsRawFd, BorrowedFd};

/// A register. A call takes its arguments from R1 on and returns in R0; it keeps R6 to R9.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reg {
    R0 = 0,
    R1,
    R2,
    R3,
    R4,
    R5,
    R6,
    R7,
    R8,
    R9,
    /// The end of the stack.
    Stack,
}

/// An instruction as the kernel reads it (struct bpf_insn): 8 bits of code, 4 of each register, an offset, a number.
pub(super) type Instruction = u64;

/// The comparisons of jumps, unsigned unless their name says otherwise.
#[derive(Clone, Copy, Debug)]
pub(super) enum If {
    Equal = 0x10,
    AtLeast = 0x30,
    NotEqual = 0x50,
    SignedAtLeast = 0x70,
    Less = 0xa0,
}

/// Arithmetic on 64 bits.
#[derive(Clone, Copy, Debug)]
pub(super) enum Op {
    Add = 0x00,
    Subtract = 0x10,
    Multiply = 0x20,
    Or = 0x40,
    And = 0x50,
    ShiftLeft = 0x60,
    ShiftRight = 0x70,
    Set = 0xb0,
}

/// The helpers of the kernel that the program calls (enum bpf_func_id).
#[derive(Clone, Copy, Debug)]
pub(super) enum Helper {
    MapLookup = 1,
    KtimeGetNs = 5,
    GetPrandomU32 = 7,
    SelectReuseport = 82,
}

/// A program under way.
#[derive(Debug, Default)]
pub(super) struct Assembler {
    instructions: Vec<Instruction>,
    labels: BTreeMap<&'static str, usize>,
    jumps: Vec<(usize, &'static str)>,
}

const NUMBER: u8 = 0x00;
const REGISTER: u8 = 0x08;

impl Assembler {
    fn push(&mut self, code: u8, to: Reg, from: u8, offset: i16, number: i32) -> &mut Assembler {
        let registers = to as u8 | from << 4;
        let [low, high] = offset.to_ne_bytes();
        let [a, b, c, d] = number.to_ne_bytes();
        self.instructions.push(u64::from_ne_bytes([code, registers, low, high, a, b, c, d]));
        self
    }

    /// `to = to OP number`.
    pub(super) fn op(&mut self, op: Op, to: Reg, number: i32) -> &mut Assembler {
        self.push(0x07 | op as u8 | NUMBER, to, 0, 0, number)
    }

    /// `to = to OP from`.
    pub(super) fn op_reg(&mut self, op: Op, to: Reg, from: Reg) -> &mut Assembler {
        self.push(0x07 | op as u8 | REGISTER, to, from as u8, 0, 0)
    }

    /// `to = number`, of 64 bits.
    pub(super) fn set_wide(&mut self, to: Reg, number: u64) -> &mut Assembler {
        self.push(0x18, to, 0, 0, number as i32).push(0, Reg::R0, 0, 0, (number >> 32) as i32)
    }

    /// `to = the map` (BPF_PSEUDO_MAP_FD).
    pub(super) fn set_map(&mut self, to: Reg, map: BorrowedFd<'_>) -> &mut Assembler {
        self.push(0x18, to, 1, 0, map.as_raw_fd()).push(0, Reg::R0, 0, 0, 0)
    }

    /// `to = the address of the stack's word at offset`.
    pub(super) fn set_address(&mut self, to: Reg, offset: i16) -> &mut Assembler {
        self.op_reg(Op::Set, to, Reg::Stack).op(Op::Add, to, i32::from(offset))
    }

    /// `to = the 64 bits at from + offset`.
    pub(super) fn load(&mut self, to: Reg, from: Reg, offset: i16) -> &mut Assembler {
        self.push(0x79, to, from as u8, offset, 0)
    }

    /// `the 64 bits at the stack's offset = from`.
    pub(super) fn store(&mut self, offset: i16, from: Reg) -> &mut Assembler {
        self.push(0x7b, Reg::Stack, from as u8, offset, 0)
    }

    /// `the 32 bits at the stack's offset = from`.
    pub(super) fn store_u32(&mut self, offset: i16, from: Reg) -> &mut Assembler {
        self.push(0x63, Reg::Stack, from as u8, offset, 0)
    }

    /// `the 64 bits at to + offset += from`, atomically.
    pub(super) fn add_atomically(&mut self, to: Reg, offset: i16, from: Reg) -> &mut Assembler {
        self.push(0xdb, to, from as u8, offset, 0)
    }

    /// Jumps if `a COMPARISON number`.
    pub(super) fn jump_if(&mut self, comparison: If, a: Reg, number: i32, to: &'static str) -> &mut Assembler {
        self.jumps.push((self.instructions.len(), to));
        self.push(0x05 | comparison as u8 | NUMBER, a, 0, 0, number)
    }

    /// Jumps if `a COMPARISON b`.
    pub(super) fn jump_if_reg(&mut self, comparison: If, a: Reg, b: Reg, to: &'static str) -> &mut Assembler {
        self.jumps.push((self.instructions.len(), to));
        self.push(0x05 | comparison as u8 | REGISTER, a, b as u8, 0, 0)
    }

    /// Calls a helper.
    pub(super) fn call(&mut self, helper: Helper) -> &mut Assembler {
        self.push(0x85, Reg::R0, 0, 0, helper as i32)
    }

    /// Returns R0.
    pub(super) fn exit(&mut self) -> &mut Assembler {
        self.push(0x95, Reg::R0, 0, 0, 0)
    }

    /// The next instruction is called so.
    pub(super) fn label(&mut self, name: &'static str) -> &mut Assembler {
        self.labels.insert(name, self.instructions.len());
        self
    }

    /// The finished program. A jump to a label that is nowhere goes to itself, which the kernel's verifier refuses.
    pub(super) fn finish(&mut self) -> Vec<Instruction> {
        for (at, label) in self.jumps.drain(..) {
            let target = self.labels.get(label).copied().unwrap_or(at) as i64;
            let offset = (target - at as i64 - 1) as i16;
            if let Some(instruction) = self.instructions.get_mut(at) {
                let mut bytes = instruction.to_ne_bytes();
                [bytes[2], bytes[3]] = offset.to_ne_bytes();
                *instruction = u64::from_ne_bytes(bytes);
            }
        }
        std::mem::take(&mut self.instructions)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instructions_are_those_of_the_kernel_s_header() {
        let mut program = Assembler::default();
        program.op(Op::Set, Reg::R0, 1).label("end").exit();
        let bytes: Vec<[u8; 8]> = program.finish().into_iter().map(u64::to_ne_bytes).collect();
        let one = 1_i32.to_ne_bytes();
        assert_eq!(bytes, [[0xb7, 0, 0, 0, one[0], one[1], one[2], one[3]], [0x95, 0, 0, 0, 0, 0, 0, 0]]);
        program.label("start").jump_if_reg(If::Less, Reg::R6, Reg::R7, "end").label("mid").op(Op::Set, Reg::R0, 1);
        program.jump_if(If::Equal, Reg::R0, 0, "mid").label("end").exit();
        let offsets: Vec<i16> = program.finish().into_iter().map(|i| (i >> 16) as i16).collect();
        assert_eq!(offsets, [2, 0, -2, 0]);
    }
}
