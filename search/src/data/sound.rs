//! Wav files of one channel, 16 bits and 16,000 samples a second.

use std::path::Path;

use super::DataError;

/// Samples a second.
pub(super) const RATE: usize = 16_000;

/// The samples of a file, at most `most`.
pub(super) fn read(path: &Path, most: usize) -> Result<Vec<i16>, DataError> {
    let failed = |e: hound::Error| DataError::content(path, format!("is no wav file that can be read: {e}"));
    let mut reader = hound::WavReader::open(path).map_err(failed)?;
    let spec = reader.spec();
    let right = spec.channels == 1
        && spec.sample_rate as usize == RATE
        && spec.bits_per_sample == 16
        && spec.sample_format == hound::SampleFormat::Int;
    if !right {
        let why = format!(
            "has {} channels of {} bits at {} Hz; expected one of 16 bits at {RATE} Hz",
            spec.channels, spec.bits_per_sample, spec.sample_rate
        );
        return Err(DataError::content(path, why));
    }
    reader.samples::<i16>().take(most).collect::<Result<_, _>>().map_err(failed)
}
