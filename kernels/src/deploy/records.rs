//! The records of the layer table: what deployment writes, and the runtime and its kernels read.
//!
//! This is their one description. `kernels/c/records.h` is written from it; there the C compiler holds its structures to the
//! offsets that assembly uses. Deployment writes a record by the names of its fields.

use std::fmt::Write as _;

use super::words::Word;

/// C type, name, and what is in it if the name does not say so.
pub type Field = (&'static str, &'static str, &'static str);

/// A structure of 32-bit words.
#[derive(Clone, Copy, Debug)]
pub struct Record {
    /// Name of the C structure.
    pub name: &'static str,
    /// What it describes.
    pub about: &'static str,
    /// Prefix of its offsets, if assembly reads it.
    pub assembly: Option<&'static str>,
    /// Its words. Addresses are absolute, and strides are in bytes.
    pub fields: &'static [Field],
}

/// A group of output channels of a convolution or linear layer.
pub const CONV: Record = Record {
    name: "conv",
    about: "One group of output channels of one weight width. Also a linear layer: one pixel, one kernel row.",
    assembly: Some("CONV"),
    fields: &[
        ("const int8_t *", "input", "window of the first output pixel"),
        ("uint32_t", "input_pixel", "from one output pixel's window to the next"),
        ("uint32_t", "input_row", "from one output row's window to the next"),
        ("int32_t", "input_step", "conv.S: from the last word of a pass to the next pixel's first"),
        ("int32_t", "input_back", "conv.S: from the last pixel's last word to the first pixel's next"),
        ("uint32_t", "kernel_rows", ""),
        ("uint32_t", "passes", "of the inner loop per kernel row"),
        ("int32_t", "row_skip", "from the end of a kernel row to the start of the next"),
        ("const uint32_t *", "weights", ""),
        ("uint32_t", "block_bytes", "weights of four channels"),
        ("const int32_t *", "table", "kappa, lambda, shift of each channel"),
        ("const int32_t *", "table_end", ""),
        ("int8_t *", "output", "this group's first channel in the first output pixel"),
        ("uint32_t", "output_pixel", ""),
        ("uint32_t", "output_row", ""),
        ("uint32_t", "out_height", ""),
        ("uint32_t", "out_width", ""),
        ("int32_t", "step", "conv.S: added to the output pointer after each of the first three stores"),
        ("int32_t", "back", "conv.S: added to it after the last"),
        ("int32_t", "bound", "largest output code"),
        ("uint32_t", "store", "STORE_..."),
        ("uint32_t", "kernel", "0 uniform, 1 and 2 a > w by 2 and 4, 3 and 4 a < w by 2 and 4"),
        ("uint32_t", "format", "CSR 0x00D"),
        ("uint32_t", "skip", "CSR 0x00F in conv.S"),
    ],
};

/// A depthwise layer.
pub const DEPTHWISE: Record = Record {
    name: "depthwise",
    about: "Input in planes, one byte per code. Weights and table of a channel lie together: words of kernel rows, kappa, lambda, shift.",
    assembly: Some("DW"),
    fields: &[
        ("const int8_t *", "input", "window of the first output of the first plane"),
        ("uint32_t", "input_column", "from one output's window to the next in a row"),
        ("uint32_t", "input_row", "bytes of a row of a plane"),
        ("uint32_t", "plane", ""),
        ("const uint32_t *", "weights", ""),
        ("uint32_t", "channel_bytes", ""),
        ("uint32_t", "kernel_rows", ""),
        ("uint32_t", "kernel_words", "of a kernel row"),
        ("int32_t", "row_skip", "from the end of a kernel row to the start of the next"),
        ("int8_t *", "output", ""),
        ("uint32_t", "output_pixel", ""),
        ("uint32_t", "output_row", ""),
        ("uint32_t", "out_height", ""),
        ("uint32_t", "out_width", ""),
        ("uint32_t", "channels", ""),
        ("int32_t", "bound", ""),
        ("uint32_t", "bits", "of an output code: 2, 4 or 8"),
        ("uint32_t", "kernel", "0: up to 3x3 with stride 1; 1: up to 3x4 with vertical stride 2; 2: any"),
        ("uint32_t", "stride", "rows of input from one output row to the next"),
    ],
};

/// What is filled before a layer runs.
pub const FILL: Record = Record {
    name: "fill",
    about: "What must hold the zero point before a layer writes its output: in each plane (or the only one) a head, the gaps between rows, a tail. Sizes in pairs of words.",
    assembly: Some("FILL"),
    fields: &[
        ("int8_t *", "base", ""),
        ("uint32_t", "planes", ""),
        ("uint32_t", "head", ""),
        ("uint32_t", "rows", "gaps"),
        ("uint32_t", "pairs", "of a gap"),
        ("int32_t", "step", "from the end of what was filled in a gap to the next gap"),
        ("uint32_t", "tail", ""),
        ("int32_t", "next", "from the end of what was filled to the next plane"),
        ("uint32_t", "word", "the zero point in every lane"),
        ("int32_t", "skip_head", "from the end of the filled head to the first gap"),
    ],
};

/// A tensor.
pub const TENSOR: Record = Record {
    name: "tensor",
    about: "A tensor in memory.",
    assembly: None,
    fields: &[
        ("int8_t *", "first", "pixel (0, 0)"),
        ("uint32_t", "pixel", "bytes per pixel"),
        ("uint32_t", "row", "bytes per row, border included"),
        ("uint32_t", "height", ""),
        ("uint32_t", "width", ""),
        ("uint32_t", "channels", ""),
        ("uint32_t", "bits", ""),
        ("uint32_t", "plane", "bytes of a plane; 0: channels of a pixel lie together"),
    ],
};

/// A pooling.
pub const POOL: Record = Record {
    name: "pool",
    about: "A pooling.",
    assembly: None,
    fields: &[
        ("const struct tensor *", "in", ""),
        ("const struct tensor *", "out", ""),
        ("uint32_t", "kernel_height", ""),
        ("uint32_t", "kernel_width", ""),
        ("uint32_t", "stride_height", ""),
        ("uint32_t", "stride_width", ""),
        ("int32_t", "zero_point", "of an average"),
        ("int32_t", "kappa", "of an average"),
        ("int32_t", "lambda", "of an average"),
        ("int32_t", "shift", "of an average"),
        ("const int8_t *", "start", "window of the first output pixel"),
    ],
};

/// An addition.
pub const ADD: Record = Record {
    name: "add",
    about: "An addition.",
    assembly: None,
    fields: &[
        ("const struct tensor *", "a", ""),
        ("const struct tensor *", "b", ""),
        ("const struct tensor *", "out", ""),
        ("int32_t", "zero_a", ""),
        ("int32_t", "zero_b", ""),
        ("int32_t", "kappa_a", ""),
        ("int32_t", "kappa_b", ""),
        ("int32_t", "lambda", ""),
        ("int32_t", "shift", ""),
    ],
};

/// A layer.
pub const LAYER: Record = Record {
    name: "layer",
    about: "A layer: what is filled before it, and the structures of its kind.",
    assembly: None,
    fields: &[
        ("uint32_t", "kind", ""),
        ("const struct fill *", "fill", "done before the layer runs; null: nothing"),
        ("const void *", "body", "struct conv[groups], depthwise, pool or add"),
        ("uint32_t", "groups", ""),
        ("uint32_t", "region", "number of the layer in the network that was deployed"),
    ],
};

/// The network.
pub const NETWORK: Record = Record {
    name: "network",
    about: "Where everything begins: this structure lies at the start of the tables.",
    assembly: None,
    fields: &[
        ("uint32_t", "layers", ""),
        ("const struct layer *", "layer", ""),
        ("const struct tensor *", "output", ""),
        ("const uint32_t *", "order", "slot of each output channel in natural order; NO_SLOT: it is pruned"),
        ("uint32_t", "channels", "of the output, pruned ones included"),
        ("int32_t", "zero_point", "what a pruned output channel holds"),
        ("const int32_t *", "expected", "outputs that must come out, or null"),
    ],
};

/// A row of an addition: the runtime makes it, the kernel reads it.
pub const ADD_ROW: Record = Record {
    name: "add_row",
    about: "One row of an addition.",
    assembly: Some("ADD"),
    fields: &[
        ("const int8_t *", "a", ""),
        ("const int8_t *", "b", ""),
        ("int8_t *", "out", ""),
        ("uint32_t", "width", "pixels"),
        ("uint32_t", "blocks", "of four channels"),
        ("uint32_t", "skip_a", "from the last block of a pixel to the next pixel"),
        ("uint32_t", "skip_b", "from the last block of a pixel to the next pixel"),
        ("uint32_t", "skip_out", "from the last block of a pixel to the next pixel"),
        ("uint32_t", "bits_a", ""),
        ("uint32_t", "bits_b", ""),
        ("uint32_t", "store", "bits of the output"),
        ("int32_t", "bound", "largest output code"),
        ("int32_t", "kappa_a", ""),
        ("int32_t", "kappa_b", ""),
        ("int32_t", "lambda", ""),
        ("int32_t", "shift", ""),
    ],
};

/// A row of a pooling: the runtime makes it, the kernel reads it.
pub const POOL_ROW: Record = Record {
    name: "pool_row",
    about: "One row of a pooling.",
    assembly: Some("POOL"),
    fields: &[
        ("const int8_t *", "in", ""),
        ("int8_t *", "out", ""),
        ("uint32_t", "width", ""),
        ("uint32_t", "blocks", ""),
        ("uint32_t", "stride", "from one output pixel's window to the next"),
        ("uint32_t", "pixel", "bytes of an input pixel"),
        ("uint32_t", "rows", "of the window"),
        ("uint32_t", "columns", "of the window"),
        ("int32_t", "row_skip", "from the end of a window row to the next"),
        ("uint32_t", "skip_out", ""),
        ("uint32_t", "bits", ""),
        ("uint32_t", "format", ""),
        ("uint32_t", "store", ""),
        ("int32_t", "bound", ""),
        ("int32_t", "kappa", ""),
        ("int32_t", "lambda", ""),
        ("int32_t", "shift", ""),
        ("uint32_t", "plane", "maximum: bytes of an output plane; 0: channels of a pixel lie together"),
    ],
};

/// Every record, those that others point to first.
pub const ALL: [Record; 10] = [CONV, DEPTHWISE, FILL, TENSOR, POOL, ADD, LAYER, NETWORK, ADD_ROW, POOL_ROW];

/// Which kernels run a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Runs {
    /// Groups of output channels, of a convolution or a linear layer.
    Conv,
    /// Planes.
    Depthwise,
    /// The mean of a window.
    Average,
    /// The largest code of a window.
    Maximum,
    /// The sum of two tensors.
    Add,
}

impl Runs {
    const ALL: [Self; 5] = [Self::Conv, Self::Depthwise, Self::Average, Self::Maximum, Self::Add];
}

/// How a convolution stores its output codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stores {
    /// Channels of a pixel together, 8 bits each.
    Bits8,
    /// The same with 4 bits.
    Bits4,
    /// The same with 2 bits.
    Bits2,
    /// Planes of bytes.
    Planes,
    /// Channels of a pixel together, 32 bits each.
    Bits32,
}

impl Stores {
    const ALL: [(Self, &str); 5] = [
        (Self::Bits8, "8"),
        (Self::Bits4, "4"),
        (Self::Bits2, "2"),
        (Self::Planes, "PLANES"),
        (Self::Bits32, "32"),
    ];
}

/// An output channel that is not stored.
pub const NO_SLOT: u32 = u32::MAX;

impl Record {
    /// Its size.
    #[must_use]
    pub fn bytes(&self) -> usize {
        4 * self.fields.len()
    }

    /// The words of a record whose fields have these values.
    ///
    /// # Panics
    /// If the fields are not those of the record, in its order.
    pub(super) fn words<const N: usize>(&self, values: [(&str, Word); N]) -> [Word; N] {
        let given = values.iter().map(|(name, _)| *name);
        assert!(
            given.eq(self.fields.iter().map(|f| f.1)),
            "the fields of struct {} in their order",
            self.name
        );
        values.map(|(_, word)| word)
    }

    /// Its C structure, and the proof that its words lie where assembly and deployment expect them.
    fn structure(&self) -> String {
        let mut text = format!("/* {} */\nstruct {} {{\n", self.about, self.name);
        for (ctype, name, about) in self.fields {
            let space = if ctype.ends_with('*') { "" } else { " " };
            let line = format!("    {ctype}{space}{name};");
            let _ = match *about {
                "" => writeln!(text, "{line}"),
                about => writeln!(text, "{line:<32}/* {about} */"),
            };
        }
        let _ = writeln!(text, "}};\nHOLDS(sizeof(struct {}) == {});", self.name, self.bytes());
        for (_, field, _) in self.fields.iter().filter(|_| self.assembly.is_some()) {
            let _ =
                writeln!(text, "HOLDS(offsetof(struct {}, {field}) == {});", self.name, self.offset(field));
        }
        text
    }

    /// The name of a field's offset.
    fn offset(&self, field: &str) -> String {
        format!("{}_{}", self.assembly.unwrap_or(self.name), field).to_uppercase()
    }
}

/// The text of `kernels/c/records.h`.
#[must_use]
pub fn header() -> String {
    let mut text = String::from(
        "/* The records of the layer table, written from kernels/src/deploy/records.rs; do not edit. Addresses are absolute, and\n   \
         strides are in bytes. */\n#ifndef RECORDS_H\n#define RECORDS_H\n",
    );
    for record in ALL.iter().filter(|r| r.assembly.is_some()) {
        let _ = writeln!(text, "\n/* offsets into struct {} */", record.name);
        for (n, (_, field, _)) in record.fields.iter().enumerate() {
            let _ = writeln!(text, "#define {} {}", record.offset(field), 4 * n);
        }
    }
    text.push_str("\n/* values of `store` */\n");
    for (stores, name) in Stores::ALL {
        let _ = writeln!(text, "#define STORE_{name} {}", stores as u32);
    }
    text.push_str(
        "\n#ifndef __ASSEMBLER__\n#include <stddef.h>\n#include <stdint.h>\n\n#define HOLDS(what) _Static_assert(what, #what)\n\n",
    );
    for record in ALL {
        let _ = writeln!(text, "{}", record.structure());
    }
    let kinds: Vec<String> =
        Runs::ALL.iter().map(|runs| format!("LAYER_{runs:?} = {}", *runs as u32).to_uppercase()).collect();
    let _ = writeln!(text, "enum kind {{ {} }};", kinds.join(", "));
    let _ = writeln!(text, "#define NO_SLOT {NO_SLOT:#X}u /* an output channel that is not stored */");
    text.push_str("#undef HOLDS\n#endif\n#endif\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `UPDATE_RECORDS=1 cargo test -p mpic-kernels records` writes the header anew.
    #[test]
    fn the_header_is_current() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/c/records.h");
        if std::env::var_os("UPDATE_RECORDS").is_some() {
            std::fs::write(path, header()).expect("written");
        }
        let there = std::fs::read_to_string(path).expect("there");
        assert!(
            there == header(),
            "kernels/c/records.h is stale: run UPDATE_RECORDS=1 cargo test -p mpic-kernels records"
        );
    }

    #[test]
    #[should_panic(expected = "the fields of struct tensor in their order")]
    fn a_field_at_another_place_is_refused() {
        let word = Word::number(0);
        let _ = TENSOR.words([("pixel", word), ("first", word)]);
    }
}
