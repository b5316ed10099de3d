"""Integer networks: held to outputs that other code computed from docs/formats.md."""

import mpic
import numpy as np
import pytest


def test_outputs_are_what_the_page_says(network, by_hand):
    _, codes, outputs = by_hand
    got = network.codes(codes)
    assert got.dtype == np.int32 and np.array_equal(got, outputs)
    # The output's scale is 0.1 and its zero point 0.
    assert np.allclose(network.predict(codes), 0.1 * outputs)
    assert (network.name, network.input_shape, network.output_shape) == ("by hand", (6, 5, 3), (1, 1, 5))
    assert network.layers == ["stem", "each", "sum", "largest", "mean", "classes"]


def test_inputs_of_every_kind(network, by_hand):
    _, codes, outputs = by_hand
    pixels = (codes.astype(np.int16) + 128).astype(np.uint8)
    same = {
        "pixels": pixels,
        "channels first": pixels.transpose(0, 3, 1, 2),
        "contiguous, channels first": np.ascontiguousarray(pixels.transpose(0, 3, 1, 2)),
        "every other of twice as many": np.repeat(pixels, 2, axis=0)[::2],
        "real numbers": 0.1 * (codes.astype(np.float32) + 128),
        "wide codes": codes.astype(np.int64),
        "lists": pixels.astype(np.int64).__sub__(128).tolist(),
    }
    for kind, x in same.items():
        assert np.array_equal(network.codes(x), outputs), kind
    flat = codes.reshape(len(codes), -1)
    assert np.array_equal(network.codes(flat, layout="nhwc"), outputs)
    assert network.predict(pixels[0]).shape == (5,), "one sample, one row"
    assert network.predict(pixels[:1]).shape == (1, 5)
    assert network.predict(pixels[:0]).shape == (0, 5)
    quantised = network.quantise(pixels)
    assert quantised.dtype == np.int8 and np.array_equal(quantised, codes)
    # Real numbers beyond the range are clipped.
    assert network.quantise(np.full((6, 5, 3), 1e9)).max() == 127


@pytest.mark.parametrize(
    "x, sentence",
    [
        (np.zeros((2, 7, 5, 3), np.int8), "takes samples of 6 x 5 x 3"),
        (np.zeros((2, 5, 6, 3), np.int8), "are not those of tensor 'image'"),
        (np.zeros((2, 90), np.int8), "layout='nhwc' or layout='nchw'"),
        (np.full((6, 5, 3), 300), "300 is no code of 8 bits: -128 to 127"),
        (np.full((6, 5, 3), np.nan), "NaN"),
        (np.zeros((6, 5, 3), np.complex64), "dtype complex64"),
    ],
)
def test_inputs_that_do_not_fit_get_a_sentence(network, x, sentence):
    with pytest.raises((ValueError, TypeError), match=sentence):
        network.predict(x)


def test_simulated_bit_for_bit(network, by_hand):
    _, codes, outputs = by_hand
    simulated = network.simulate(codes)
    assert simulated.bit_exact and not simulated.warnings
    assert np.array_equal(simulated.outputs, outputs)
    n, layers = len(codes), len(network.layers)
    assert simulated.layer_cycles.shape == simulated.layer_energy_pj.shape == (n, layers)
    assert simulated.energy_pj.shape == (n, 4) and simulated.cycles.shape == (n,)
    assert (simulated.layer_cycles.sum(axis=1) <= simulated.cycles).all()
    assert (simulated.energy_pj[:, 1] < simulated.energy_pj[:, 0]).all()


def test_deployed(network, by_hand, tmp_path):
    _, codes, outputs = by_hand
    path = tmp_path / "network.elf"
    deployed = network.deploy(path, sample=codes[3])
    assert path.read_bytes() == deployed.elf
    memory = deployed.memory
    assert memory.pop("total") == sum(memory.values())
    report = mpic.run(path)
    assert np.array_equal(report.results.view(np.int32), outputs[3])
    assert report.cycles == network.simulate(codes[3]).cycles[0]
    mine = tmp_path / "mine"
    mine.write_text("not an ELF")
    with pytest.raises(mpic.Error, match="is there already"):
        network.deploy(mine)
    assert mine.read_text() == "not an ELF"
    assert "network.c" in network.c_sources()


def test_saved_and_loaded(network, tmp_path):
    path = tmp_path / "again.json"
    network.save(path)
    assert mpic.Network.load(path).to_json() == network.to_json() == path.read_text()
    with pytest.raises(mpic.Error, match="cannot read"):
        mpic.Network.load(tmp_path / "nothing.json")
    text = network.to_json().replace('"bits":4', '"bits":5', 1)
    with pytest.raises(mpic.Error):
        mpic.Network.from_json(text)
