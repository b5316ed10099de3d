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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Whatever happens to a file, it is read or refused.
        #[test]
        fn damaged_files_never_panic(at: prop::sample::Index, byte: u8, cut in 0usize..80) {
            let dir = tempfile::tempdir().expect("tempdir");
            let path = dir.path().join("a.wav");
            let spec = hound::WavSpec {
                channels: 1,
                sample_rate: 16_000,
                bits_per_sample: 16,
                sample_format: hound::SampleFormat::Int,
            };
            let mut out = hound::WavWriter::create(&path, spec).expect("created");
            (0..20i16).for_each(|s| out.write_sample(s).expect("written"));
            out.finalize().expect("written");
            prop_assert_eq!(read(&path, 7).expect("whole"), [0, 1, 2, 3, 4, 5, 6]);
            let mut bytes = std::fs::read(&path).expect("there");
            let at = at.index(bytes.len());
            bytes[at] = byte;
            bytes.truncate(bytes.len().saturating_sub(cut.saturating_sub(40)));
            std::fs::write(&path, bytes).expect("written");
            let _ = read(&path, usize::MAX);
        }
    }

    #[test]
    fn other_sounds_are_refused() {
        let dir = tempfile::tempdir().expect("tempdir");
        let path = dir.path().join("a.wav");
        let spec = hound::WavSpec {
            channels: 2,
            sample_rate: 44_100,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        hound::WavWriter::create(&path, spec).expect("created").finalize().expect("written");
        let said = read(&path, 1).expect_err("stereo").to_string();
        assert!(said.contains("has 2 channels of 16 bits at 44100 Hz; expected one"), "{said}");
    }
}
