"""From a PyTorch module to a simulated Pareto front: python python/examples/pytorch_to_mpic.py [FOLDER]

Needs `pip install "./python[analysis]" torch onnx onnxscript`, and nas-search (`make build`) on PATH or in NAS_SEARCH.
"""

import sys
from pathlib import Path

import mpic
import numpy as np
import torch
from torch import nn

out = Path(sys.argv[1] if len(sys.argv) > 1 else "pytorch-demo")
fashion = Path(__file__).parents[2] / "search" / "data" / "fashion14"  # Fashion-MNIST in 14 x 14 pixels


def read(split):
    x = np.fromfile(fashion / f"fashion14_{split}_x_u8.bin", np.uint8).reshape(-1, 1, 14, 14)
    return x, np.fromfile(fashion / f"fashion14_{split}_y_u8.bin", np.uint8).astype(np.int64)


def block(inputs, outputs, stride=1, groups=1, kernel=3):
    conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), nn.ReLU())


# 1. Any module of layers that the core has: train it as usual. A pixel p stands for p / 255.
torch.manual_seed(1)
(x_train, y_train), (x_test, y_test) = read("train4000"), read("test1000")
model = nn.Sequential(
    block(1, 16), block(16, 16, groups=16), block(16, 32, kernel=1), block(32, 32, stride=2, groups=32),
    block(32, 48, kernel=1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(48, 10),
)  # fmt: skip
optimiser = torch.optim.Adam(model.parameters(), 4e-3)
images, labels = torch.from_numpy(x_train) / 255, torch.from_numpy(y_train)
for epoch in range(15):
    for some in torch.randperm(len(images)).split(64):
        loss = nn.functional.cross_entropy(model(images[some]), labels[some])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()

# 2. The network and the data as files.
data = mpic.arrays(out / "data", x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test, force=True)
torch.onnx.export(model.eval(), (images[:1],), str(out / "net.onnx"))

# 3. What its layers cost on the core, and the search: widths of 0 (pruned), 2, 4 and 8 bits, channel by channel.
files = {"model": out / "net.onnx", "data": data, "cost": out / "lut.json", "out": out / "run"}
mpic.lut.measure(files["model"], path=files["cost"])
search = mpic.search(**files, weights=[0, 2, 4, 8], points=5)
for progress in search:
    print(progress, end="\n" if progress.total == 0 else "\r")
run = search.run()

# 4. The front: integer networks, deployed and simulated.
front = mpic.pareto(run, front=True)
print(front[["id", "accuracy", "cycles", "energy_uj", "weight_bytes"]])
mpic.plot.front(run).figure.savefig(out / "front.png")
