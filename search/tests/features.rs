//! Features are those of the references: numbers made by `features/oracle.py` with numpy and librosa.

use nas_search::data::{LogMel, Mfcc};

/// The same sound as in the script.
fn sound(n: usize) -> Vec<i16> {
    let (mut phase, mut state) = (0u32, 1u32);
    let sample = |i: usize| {
        phase = phase.wrapping_add(0x0400_0000).wrapping_add((i as u32).wrapping_mul(30000));
        state = state.wrapping_mul(1664525).wrapping_add(1013904223);
        let centred = |v: u32| (v >> 16) as i32 - 32768;
        ((centred(phase) >> 2) + (centred(state) >> 7)) as i16
    };
    (0..n).map(sample).collect()
}

fn oracle(name: &str) -> Vec<Vec<i32>> {
    let json: serde_json::Value = serde_json::from_str(include_str!("features/oracle.json")).expect("JSON");
    serde_json::from_value(json[name].clone()).expect("rows of numbers")
}

/// At most a unit of difference, and that seldom: where rounding falls the other way.
fn check(ours: &[i8], theirs: &[Vec<i32>]) {
    let theirs: Vec<i32> = theirs.concat();
    assert_eq!(ours.len(), theirs.len());
    let off: Vec<i32> = ours.iter().zip(&theirs).map(|(o, t)| (i32::from(*o) - t).abs()).collect();
    assert!(off.iter().all(|d| *d <= 1), "largest difference {:?}", off.iter().max());
    let seldom = off.iter().filter(|d| **d == 1).count();
    assert!(seldom * 100 <= off.len(), "{seldom} of {} differ", off.len());
    let distinct: std::collections::HashSet<_> = theirs.iter().collect();
    assert!(distinct.len() > 30, "the sound has something to tell");
}

#[test]
fn mfcc_are_those_of_the_keyword_reference() {
    let sound = sound(Mfcc::SOUND);
    let largest = f32::from(*sound.iter().max().expect("samples"));
    let sound: Vec<f32> = sound.iter().map(|s| f32::from(*s) / largest).collect();
    check(&Mfcc::new().codes(&sound), &oracle("mfcc"));
}

#[test]
fn log_mel_energies_are_those_of_librosa() {
    let sound: Vec<f32> = sound(LogMel::SOUND).iter().map(|s| f32::from(*s) / 32768.0).collect();
    let codes = LogMel::new().codes(&sound);
    let tenth: Vec<i8> = codes.chunks(LogMel::ENERGIES).step_by(10).flatten().copied().collect();
    check(&tenth, &oracle("log_mel"));
}
