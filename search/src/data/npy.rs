//! Arrays of `NumPy`: `.npy` files, alone or in a `.npz`.

use std::path::Path;

use npyz::{DType, NpyFile, Order, TypeChar};

/// An array of integers or floating-point numbers.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Array {
    pub(crate) shape: Vec<usize>,
    pub(crate) numbers: Numbers,
}

/// Numbers, one after another, the last axis innermost.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Numbers {
    /// Elements of type `uint8`.
    Bytes(Vec<u8>),
    /// Any other integers.
    Whole(Vec<i64>),
    /// Any floating point.
    Real(Vec<f32>),
}

impl Array {
    /// Reads the bytes of a `.npy`.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, String> {
        let file = NpyFile::new(bytes).map_err(|e| format!("it is no .npy file: {e}"))?;
        if file.order() != Order::C && file.shape().len() > 1 {
            return Err("its numbers lie column by column; save numpy.ascontiguousarray(a)".into());
        }
        // A header may claim any shape; the numbers must be there.
        if file.len() > bytes.len() as u64 {
            return Err(format!("shape {:?} needs more numbers than there are", file.shape()));
        }
        let shape = file.shape().iter().map(|&n| n as usize).collect();
        let DType::Plain(kind) = file.dtype() else { return Err("its elements are records".into()) };
        let numbers = match (kind.type_char(), kind.size_field()) {
            (TypeChar::Uint, 1) => Numbers::Bytes(list(file)?),
            (TypeChar::Bool, _) => Numbers::Whole(list::<bool>(file)?.into_iter().map(i64::from).collect()),
            (TypeChar::Uint, 2) => Numbers::Whole(list::<u16>(file)?.into_iter().map(i64::from).collect()),
            (TypeChar::Uint, 4) => Numbers::Whole(list::<u32>(file)?.into_iter().map(i64::from).collect()),
            (TypeChar::Int, 1) => Numbers::Whole(list::<i8>(file)?.into_iter().map(i64::from).collect()),
            (TypeChar::Int, 2) => Numbers::Whole(list::<i16>(file)?.into_iter().map(i64::from).collect()),
            (TypeChar::Int, 4) => Numbers::Whole(list::<i32>(file)?.into_iter().map(i64::from).collect()),
            (TypeChar::Int, 8) => Numbers::Whole(list(file)?),
            (TypeChar::Float, 4) => Numbers::Real(list(file)?),
            (TypeChar::Float, 8) => Numbers::Real(list::<f64>(file)?.into_iter().map(|v| v as f32).collect()),
            _ => {
                return Err(format!(
                    "its numbers are of type {kind}; integers, float32 and float64 are read"
                ));
            }
        };
        Ok(Self { shape, numbers })
    }

    /// Reads a `.npy` file.
    pub(crate) fn load(path: &Path) -> Result<Self, String> {
        Self::read(&std::fs::read(path).map_err(|e| format!("cannot be read: {e}"))?)
    }

    /// The numbers as floating point.
    pub(crate) fn floats(self) -> Vec<f32> {
        match self.numbers {
            Numbers::Bytes(v) => v.into_iter().map(f32::from).collect(),
            Numbers::Whole(v) => v.into_iter().map(|v| v as f32).collect(),
            Numbers::Real(v) => v,
        }
    }
}

fn list<T: npyz::Deserialize>(file: NpyFile<&[u8]>) -> Result<Vec<T>, String> {
    file.into_vec().map_err(|e| e.to_string())
}
