"""Small networks with what exporters and people do less often, beside those of make.py: normalisation in front of and behind
activations, unfolded, channels last, scales on the input, padded means, ceil_mode, constants as nodes, numbers in a file of their own.
PyTorch 2.11, onnx 1.23, onnxruntime 1.32."""
import logging, sys, warnings
import numpy as np, onnxruntime as ort, torch
from torch import nn

warnings.filterwarnings('ignore'); logging.disable(logging.CRITICAL)
torch.manual_seed(1); torch.set_num_threads(1)
UNFOLDED = dict(training=torch.onnx.TrainingMode.PRESERVE, do_constant_folding=False)


class PreActivation(nn.Module):
    """Normalisation before activation and convolution, as in ResNet v2, and on the input; a Sigmoid at the end."""

    def __init__(s):
        super().__init__()
        s.n, s.c = nn.BatchNorm2d(3), nn.Conv2d(3, 8, 3, padding=1)
        s.b1, s.c1 = nn.BatchNorm2d(8), nn.Conv2d(8, 8, 3, padding=1, bias=False)
        s.b2, s.c2 = nn.BatchNorm2d(8), nn.Conv2d(8, 8, 3, padding=1)
        s.fc = nn.Linear(8 * 4 * 4, 5)

    def forward(s, x):
        x = s.c(s.n(x))
        x = x + s.c2(torch.relu(s.b2(s.c1(torch.relu(s.b1(x))))))
        x = nn.functional.max_pool2d(nn.functional.avg_pool2d(torch.relu(x), 2, 2), 3, 2, 1)
        return s.fc(x.reshape(x.size(0), -1)).sigmoid()


class After(nn.Module):
    """Normalisation behind activations and by itself, ceil_mode, a mean with padding that counts, a scaled input."""

    def __init__(s):
        super().__init__()
        s.f = nn.Sequential(
            nn.Conv2d(1, 6, 3, padding=1), nn.ReLU(), nn.BatchNorm2d(6), nn.Conv2d(6, 8, 3), nn.ReLU6(), nn.BatchNorm2d(8),
            nn.MaxPool2d(2, ceil_mode=True), nn.ReLU(), nn.AvgPool2d(3, 1, 1), nn.Conv2d(8, 8, 3, 2, groups=8), nn.BatchNorm2d(8),
            nn.Flatten(), nn.Linear(72, 20), nn.BatchNorm1d(20), nn.ReLU(), nn.Linear(20, 20, bias=False), nn.ReLU(),
            nn.BatchNorm1d(20), nn.Linear(20, 3), nn.LogSoftmax(1))

    def forward(s, x):
        return s.f((x - 0.13) / 0.31)


class ChannelsLast(nn.Module):
    """Channels last outside, a linear layer at every position."""

    def __init__(s):
        super().__init__()
        s.c, s.l, s.fc = nn.Conv2d(3, 8, 3, padding='same'), nn.Linear(8, 6), nn.Linear(6, 4)

    def forward(s, x):
        x = torch.relu(s.c(x.permute(0, 3, 1, 2))).permute(0, 2, 3, 1)
        return s.fc(torch.relu(s.l(x)).mean((1, 2)))


class Temporal(nn.Module):
    """A signal, time first; a sum with a shared input."""

    def __init__(s):
        super().__init__()
        s.a, s.p, s.b = nn.Conv1d(9, 16, 3, padding=1), nn.MaxPool1d(2), nn.Conv1d(16, 16, 5, padding=2)
        s.bn, s.fc = nn.BatchNorm1d(16), nn.Linear(16 * 32, 6)

    def forward(s, x):
        x = s.p(torch.relu(s.a(x.transpose(1, 2))))
        return s.fc(torch.relu(s.bn(s.b(x)) + x).flatten(1))


class Keywords(nn.Module):
    """An image without channels, the maximum over all positions."""

    def __init__(s):
        super().__init__()
        s.c, s.fc = nn.Conv2d(1, 8, (10, 4), 2), nn.Linear(8, 4)

    def forward(s, x):
        return s.fc(torch.relu(s.c(x.unsqueeze(1))).amax((2, 3)))


def export(folder, name, module, shape, opset, dynamo, **options):
    for b in module.modules():
        if isinstance(b, (nn.BatchNorm2d, nn.BatchNorm1d)):
            b.running_mean.normal_(0, .3); b.running_var.uniform_(.4, 2)
            b.weight.data.uniform_(.5, 1.5); b.bias.data.normal_(0, .3)
    module.eval()
    x, path = torch.rand(3, *shape), f'{folder}/{name}.onnx'
    if dynamo:
        torch.onnx.export(module, (x,), path, opset_version=opset, dynamo=True, verbose=False, **options)
    else:
        axes = {'input': {0: 'n'}, 'output': {0: 'n'}}
        torch.onnx.export(module, x, path, opset_version=opset, dynamo=False, input_names=['input'], output_names=['output'],
                          dynamic_axes=axes, **options)
    session = ort.InferenceSession(path)
    y = session.run(None, {session.get_inputs()[0].name: x.numpy()})[0]
    np.savez_compressed(f'{folder}/{name}.npz', input=x.numpy(), output=y)


folder = sys.argv[1]
export(folder, 'preactivation', PreActivation(), (3, 16, 16), 13, False, **UNFOLDED)
export(folder, 'after', After(), (1, 15, 15), 11, False, **UNFOLDED)
export(folder, 'channels_last', ChannelsLast(), (12, 12, 3), 17, False)
export(folder, 'temporal', Temporal(), (64, 9), 22, True)
export(folder, 'keywords', Keywords(), (49, 10), 20, True, external_data=False)
