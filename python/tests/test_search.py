"""Searches, on strokes that lie or stand."""

import signal
import threading

import mpic
import numpy as np
import pytest

from conftest import STROKES


def test_a_search_tells_its_progress_and_returns_its_run(found):
    run, events = found
    assert [p["bit_exact"] for p in run.points] == [True, True]
    works = [e for e in events if e.total]
    assert any(e.text == "warm-up" and e.done == e.total for e in works), events
    assert any(e.text.startswith("written:") for e in events)
    assert run.metric == "accuracy" and run.report.exists()
    assert max(p["accuracy"] for p in run.points) > 80


def test_a_front_is_a_frame(found):
    run, _ = found
    frame = mpic.pareto(run)
    assert len(frame) == 2 and frame["cycles"].is_monotonic_increasing
    front = mpic.pareto(run.folder, front=True)
    assert front["accuracy"].is_monotonic_increasing and front["front"].all()
    assert {"id", "accuracy", "cycles", "energy_uj", "weight_bytes"} <= set(frame.columns)


def test_networks_found_say_here_what_they_said_there(found, strokes):
    run, _ = found
    x, y = (np.load(strokes / f"{name}_test.npy") for name in "xy")
    for point in run.points:
        network = run.network(point["id"])
        accuracy = 100 * (network.predict(x).argmax(axis=1) == y).mean()
        assert accuracy == pytest.approx(point["accuracy"])
        assert mpic.run(run.elf(point["id"])).exit_code == 0
    with pytest.raises(mpic.Error, match="has no point 'x'"):
        run.network("x")


def test_pictures_show_every_network(found):
    run, _ = found
    frame = mpic.pareto(run)
    axes = mpic.plot.front(run)
    assert sorted(axes.lines[0].get_xdata()) == sorted(frame["cycles"])
    network = run.network(run.points[0]["id"])
    simulated = network.simulate(np.zeros((2, 12, 12), np.uint8))
    assert [t.get_text() for t in mpic.plot.layers(simulated).get_yticklabels()] == network.layers
    report = mpic.run(run.elf(run.points[0]["id"]))
    widths = [bar.get_width() for bar in mpic.plot.stalls(report).patches]
    assert sum(widths) == report.cycles
    with pytest.raises(mpic.Error, match="there is no column 'weight'"):
        mpic.plot.front(run, x="weight")


def test_what_a_search_refuses_comes_as_its_sentence(tmp_path, strokes, table):
    with pytest.raises(mpic.Error, match="--weights needs a width other than 0"):
        mpic.search(model=table[0], data=strokes, out=tmp_path / "a", weights=0).run()
    other = tmp_path / "other.toml"
    other.write_text(STROKES.replace("kernel = 3", "kernel = 5", 1))
    with pytest.raises(mpic.Error, match="no measurement for layer 'stem'"):
        mpic.search(model=other, data=strokes, cost=table[1], out=tmp_path / "b").run()
    with pytest.raises(mpic.Error, match="which is of task 'arrays' and not of 'fashion'; search with --task arrays"):
        mpic.search(model=other, task="fashion", data=strokes, out=tmp_path / "d").run()
    with pytest.raises(mpic.Error, match="say where the run goes"):
        mpic.search(model=table[0])
    with pytest.raises(mpic.Error, match="no-such-program is not there"):
        mpic.search(out=tmp_path / "c", program="no-such-program")
    with pytest.raises(mpic.Error, match="resume= cannot be combined"):
        mpic.search(resume=tmp_path, points=3)
    with pytest.raises(mpic.Error, match="is no run that has found a network"):
        mpic.Run(tmp_path)


def test_stopped_and_resumed_to_the_same_front(tmp_path, strokes, table, found):
    options = dict(model=table[0], data=strokes, cost=table[1], points=2, epochs="20/6/4", simulate=3, threads=1)
    out = tmp_path / "run"
    with mpic.search(out=out, weights=[0, 2, 4, 8], **options) as search:
        for event in search:
            if event.total and event.done >= 3:
                break
    with pytest.raises(mpic.Error):
        mpic.Run(out)
    run = mpic.search(resume=out).run()
    numbers = ["id", "accuracy", "cycles"]
    assert mpic.pareto(run)[numbers].equals(mpic.pareto(found[0])[numbers])


def test_ctrl_c_stops_a_search_so_that_it_can_go_on(tmp_path, strokes, table):
    search = mpic.search(model=table[0], data=strokes, cost=table[1], out=tmp_path / "run", epochs="500/6/4", threads=1)
    threading.Timer(3, signal.raise_signal, [signal.SIGINT]).start()
    with pytest.raises(KeyboardInterrupt):
        search.run()
    assert (tmp_path / "run" / "config.json").exists()


def test_arrays_are_written_once_and_by_their_names(tmp_path):
    x = np.zeros((4, 2, 2))
    folder = mpic.arrays(tmp_path / "data", x_train=x, layout="nchw", classes=3)
    assert np.load(folder / "x_train.npy").dtype == np.float32
    assert (folder / "arrays.toml").read_text() == 'layout = "nchw"\nclasses = 3\n'
    with pytest.raises(mpic.Error, match="is there already"):
        mpic.arrays(folder, x_train=x)
    mpic.arrays(folder, x_train=x[:2], force=True)
    assert len(np.load(folder / "x_train.npy")) == 2
    with pytest.raises(mpic.Error, match="train_x: arrays are called x_train"):
        mpic.arrays(tmp_path / "more", train_x=x)
