"""Measured costs."""

import signal
import threading
import time

import mpic
import numpy as np
import pytest


def test_predictions_are_near_simulations(found, table):
    run, _ = found
    for point in run.points:
        network = run.network(point["id"])
        x = np.zeros((1, *network.input_shape), np.int8)
        simulated = network.simulate(x).layer_cycles.sum()
        predicted = mpic.lut.predict(network, table[1])
        assert predicted.layers == network.layers
        assert predicted.cycles == pytest.approx(simulated, rel=0.02)
        assert predicted.by_layer()[0][1] == predicted.layer_cycles.max()


def test_narrow_is_cheaper_than_wide(table):
    model, lut = table
    costs = [mpic.lut.predict(model, lut, weights=w, activations=w) for w in (8, 4, 2)]
    assert costs[0].cycles > costs[1].cycles > costs[2].cycles
    assert costs[0].energy_pj > costs[2].energy_pj > 0
    with pytest.raises(ValueError, match="'3' is not a width of the kernels"):
        mpic.lut.predict(model, lut, weights=3)


def test_nothing_is_measured_twice_and_nothing_of_others_is_lost(table, tmp_path):
    model, lut = table
    before = lut.read_bytes()
    heard = []
    again = mpic.lut.measure(model, path=lut, progress=lambda *p: heard.append(p))
    assert lut.read_bytes() == before and not heard
    assert len(again) == len(mpic.lut.load(lut)) > 10
    mine = tmp_path / "mine.json"
    mine.write_text("{}")
    with pytest.raises(mpic.Error, match="is there already"):
        mpic.lut.measure(model, path=mine)
    with pytest.raises(mpic.Error, match="no measurement for layer"):
        mpic.lut.predict("fashion", lut)
    with pytest.raises(mpic.Error, match="nosuch"):
        mpic.lut.measure("nosuch", path=tmp_path / "new.json")
    assert not (tmp_path / "new.json").exists()


def test_an_exception_stops_measuring(table, tmp_path):
    def no_more(*_):
        raise RuntimeError("no more")

    with pytest.raises(RuntimeError, match="no more"):
        mpic.lut.measure("resnet8", path=tmp_path / "lut.json", progress=no_more)


def test_ctrl_c_stops_measuring_and_keeps_what_there_is(tmp_path):
    path = tmp_path / "lut.json"
    begun = threading.Event()

    def interrupt():
        begun.wait(60)
        time.sleep(0.2)
        signal.raise_signal(signal.SIGINT)

    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        mpic.lut.measure("mobilenet", path=path, progress=lambda *_: begun.set())
    assert len(mpic.lut.load(path)) > 0
