//! What the bytes that a network reads stand for.

/// Codes of 8 bits that stand for `scale * (code - zero_point)`: what a deployed network reads.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Codes {
    /// Real value of a step.
    pub scale: f64,
    /// Code of the real value 0.
    pub zero_point: i32,
}

impl Codes {
    /// Pixels 0 ..= 255 stored as `pixel - 128`, for real values 0 ..= 1.
    pub const IMAGE: Self = Self { scale: 1.0 / 255.0, zero_point: -128 };

    /// Whether no code stands for a negative number.
    #[must_use]
    pub fn unsigned(self) -> bool {
        self.zero_point == i32::from(i8::MIN)
    }

    /// The code nearest to a real value.
    #[must_use]
    pub fn code(self, real: f32) -> i8 {
        (f64::from(real) / self.scale + f64::from(self.zero_point)).round().clamp(-128.0, 127.0) as i8
    }

    /// The real value of a code.
    #[must_use]
    pub fn real(self, code: i8) -> f32 {
        (self.scale * f64::from(i32::from(code) - self.zero_point)) as f32
    }
}
