//! The fast Rust reference against the scalar one that defines it, on ResNet-8 (12.5 million MACs); many images on all
//! cores; and how long it takes to deploy that network.

#![allow(missing_docs)] // of what criterion's macros make

use std::hint::black_box;

use criterion::{Criterion, criterion_main};
use mpic_kernels::fast::Fast;
use mpic_kernels::{deploy, golden, random};

fn reference(c: &mut Criterion) {
    let rng = &mut random::seeded(1);
    let net = random::built_in("resnet8", rng, 8, &mut random::mix);
    let x = random::input(rng, &net);
    let fast = Fast::new(&net);
    let mut group = c.benchmark_group("resnet8");
    group.sample_size(10);
    group.bench_function("scalar", |b| b.iter(|| golden::run(&net, black_box(&x))));
    group.bench_function("fast", |b| b.iter(|| fast.run(black_box(&x))));
    group.bench_function("deploy", |b| b.iter(|| deploy::deploy(black_box(&net), &x).expect("fits")));
    let images: Vec<_> = (0..500).map(|_| random::input(rng, &net)).collect();
    group.bench_function("fast, 500 images on all cores", |b| b.iter(|| fast.run_all(black_box(&images))));
}

mod targets {
    use super::reference;
    criterion::criterion_group!(benches, reference);
}
criterion_main!(targets::benches);
