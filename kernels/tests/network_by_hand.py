"""Writes a network.json, inputs, and the outputs they must give, from docs/formats.md alone: nothing here is code of the project."""
import json
import random
import sys

folder = sys.argv[1]
random.seed(4)


def tensor(name, height, width, channels, bits, zero_point):
    return dict(name=name, height=height, width=width, channels=channels, bits=bits, zero_point=zero_point, scale=0.1)


def requant(zero_point, shift):
    return dict(kappa=3, lambda_=(zero_point << shift) + (1 << (shift - 1)), shift=shift)


def named(q):
    return dict(kappa=q['kappa'], **{'lambda': q['lambda_']}, shift=q['shift'])


H, W, C, N, CLASSES = 6, 5, 3, 4, 5
tensors = [
    tensor('image', H, W, C, 8, -128), tensor('stem', 3, W, N, 4, -8), tensor('by channel', 3, W, N, 4, 0),
    tensor('sum', 3, W, N, 8, 0), tensor('largest', 2, 2, N, 8, 0), tensor('mean', 1, 1, N, 8, 0),
    tensor('classes', 1, 1, CLASSES, 32, 0)]
# The last channel of the stem is pruned.
stem_bits = [8, 4, 2, 0]
weights = lambda bits, n: [random.randrange(-(1 << bits - 1), 1 << bits - 1) for _ in range(n)] if bits else [0] * n
stem = dict(kernel=[3, 3], stride=[2, 1], pad=[1, 1, 0, 1], weight_bits=stem_bits,
            weights=sum((weights(b, 9 * C) for b in stem_bits), []), requant=[requant(-8, 14) for _ in range(N)])
stem['requant'][3] = dict(kappa=1, lambda_=-8 << 14, shift=14)
by_channel = dict(kernel=[3, 1], stride=[1, 1], pad=[1, 0, 1, 0], weight_bits=[4] * N, weights=weights(4, 3 * N),
                  requant=[requant(0, 7) for _ in range(N)])
add = dict(inputs=[1, 2], kappa=[512, 700], lambda_=1 << 7, shift=8)
pool = dict(kernel=[2, 3], stride=[1, 2], pad=[0, 0, 0, 0])
mean = dict(kernel=[2, 2], stride=[1, 1], requant=dict(kappa=256, lambda_=512, shift=10))
last = dict(weight_bits=[8, 8, 4, 4, 2], weights=sum((weights(b, N) for b in [8, 8, 4, 4, 2]), []),
            requant=[dict(kappa=16, lambda_=100, shift=4) for _ in range(CLASSES)])


def written(kind, name, layer, output, **more):
    out = dict(kind=kind, name=name, output=output, **more)
    for key, value in layer.items():
        if key == 'requant':
            value = [named(q) for q in value] if isinstance(value, list) else named(value)
        out['lambda' if key == 'lambda_' else key] = value
    return out


network = dict(format='mpic-intnet', version=1, name='by hand', tensors=tensors, input=0, output=6, layers=[
    written('conv2d', 'stem', stem, 1, input=0), written('depthwise', 'each', by_channel, 2, input=1),
    written('add', 'sum', add, 3), written('max_pool', 'largest', pool, 4, input=3),
    written('avg_pool', 'mean', mean, 5, input=4), written('linear', 'classes', last, 6, input=5)])
json.dump(network, open(f'{folder}/network.json', 'w'))


def clip(v, t):
    half = 1 << t['bits'] - 1
    return max(-half, min(half - 1, v))


def apply(q, acc, t):
    return clip(acc * q['kappa'] + q['lambda_'] >> q['shift'], t)


def at(t, y, x, c):
    return (y * t['width'] + x) * t['channels'] + c


def window(layer, t, y, x):
    top, left = layer.get('pad', [0] * 4)[:2]
    for ky in range(layer['kernel'][0]):
        for kx in range(layer['kernel'][1]):
            row, column = y * layer['stride'][0] + ky - top, x * layer['stride'][1] + kx - left
            if 0 <= row < t['height'] and 0 <= column < t['width']:
                yield ky, kx, row, column


def each(t, f):
    return [f(y, x, c) for y in range(t['height']) for x in range(t['width']) for c in range(t['channels'])]


def run(image):
    t = tensors

    def conv(y, x, c):
        acc = sum((image[at(t[0], r, k, i)] + 128) * stem['weights'][((c * 3 + ky) * 3 + kx) * C + i]
                  for ky, kx, r, k in window(stem, t[0], y, x) for i in range(C))
        return apply(stem['requant'][c], acc, t[1])
    a = each(t[1], conv)

    def depthwise(y, x, c):
        acc = sum((a[at(t[1], r, k, c)] + 8) * by_channel['weights'][c * 3 + ky] for ky, _, r, k in window(by_channel, t[1], y, x))
        return apply(by_channel['requant'][c], acc, t[2])
    b = each(t[2], depthwise)
    s = [clip((p + 8) * 512 + q * 700 + add['lambda_'] >> add['shift'], t[3]) for p, q in zip(a, b)]
    m = each(t[4], lambda y, x, c: max(s[at(t[3], r, k, c)] for _, _, r, k in window(pool, t[3], y, x)))
    g = each(t[5], lambda y, x, c: apply(mean['requant'], sum(m[at(t[4], r, k, c)] for _, _, r, k in window(mean, t[4], y, x)), t[5]))
    return [apply(last['requant'][o], sum(v * w for v, w in zip(g, last['weights'][o * N:])), t[6]) for o in range(CLASSES)]


inputs = [[random.randrange(-128, 128) for _ in range(H * W * C)] for _ in range(8)]
open(f'{folder}/inputs.bin', 'wb').write(bytes(v & 255 for x in inputs for v in x))
open(f'{folder}/outputs.txt', 'w').write(''.join(' '.join(map(str, run(x))) + '\n' for x in inputs))
