//! What training pays for its data: batches of 128 images as they are and augmented, and features of a sound, each against
//! a pass over the same bytes that only makes them real numbers.
//!
//! Samples a second are printed beside each; one of 50,000 images an epoch takes 50,000 of them.

#![allow(missing_docs)] // criterion's macros make functions without any

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use nas_search::data::{Augment, Codes, Dataset, Learn, LogMel, Mfcc, Samples};

fn images(side: usize, n: usize) -> Dataset {
    let size = side * side * 3;
    let codes = (0..n * size).map(|i| (i * 7919 % 251) as i8).collect();
    Dataset {
        shape: [side, side, 3],
        input: Codes::IMAGE,
        learn: Learn::Classes(10),
        train: Samples::single(size, codes, vec![0; n]),
        validation: Samples::default(),
        test: Samples::default(),
    }
}

fn batches(c: &mut Criterion) {
    let set = images(32, 512);
    let batch: Vec<usize> = (0..128).map(|i| i * 37 % 512).collect();
    let mut group = c.benchmark_group("128 images of 32x32x3");
    group.throughput(Throughput::Elements(128));
    group.bench_function("as they are", |b| b.iter(|| set.values(&set.train, black_box(&batch))));
    let ways = [
        ("shifted and mirrored", Augment::Image { shift: 0.1, rotate: 0.0, zoom: 0.0, mirror: true }),
        ("rotated too", Augment::Image { shift: 0.1, rotate: 15.0, zoom: 0.0, mirror: true }),
    ];
    for (name, how) in ways {
        group.bench_function(name, |b| b.iter(|| set.augmented(black_box(&batch), &how, 1, 1)));
    }
    group.finish();
}

fn sounds(c: &mut Criterion) {
    let sound: Vec<f32> = (0..LogMel::SOUND).map(|i| (i * 7919 % 2003) as f32 / 1001.5 - 1.0).collect();
    let (mfcc, log_mel) = (Mfcc::new(), LogMel::new());
    let mut group = c.benchmark_group("features of a clip");
    group.throughput(Throughput::Elements(1));
    group.bench_function("MFCC, 1 s", |b| b.iter(|| mfcc.codes(black_box(&sound))));
    group.bench_function("log-mel, 8 s", |b| b.iter(|| log_mel.codes(black_box(&sound))));
    group.finish();
}

criterion_group!(benches, batches, sounds);
criterion_main!(benches);
