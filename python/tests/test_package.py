"""The package itself: its types, its descriptions, and what it needs."""

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import mpic
import mpic._mpic
import pytest

FOLDER = Path(mpic.__file__).parent
STUB = ast.parse((FOLDER / "_mpic.pyi").read_text())


def described():
    """Name, runtime object and description in the stub of every class, method and function."""
    for item in STUB.body:
        if isinstance(item, (ast.ClassDef, ast.FunctionDef)):
            yield item.name, getattr(mpic._mpic, item.name), item
        if isinstance(item, ast.ClassDef):
            for method in item.body:
                if isinstance(method, ast.FunctionDef):
                    yield f"{item.name}.{method.name}", getattr(getattr(mpic._mpic, item.name), method.name), method


def test_the_stub_describes_the_compiled_half():
    names = set()
    for name, found, item in described():
        names.add(name)
        wanted = ast.get_docstring(item)
        if wanted and not name.endswith("__init__"):
            assert inspect.cleandoc(found.__doc__) == wanted, name
    for kind in (mpic.Machine, mpic.Network, mpic.Deployment, mpic.lut.Table):
        public = {n for n in vars(kind) if not n.startswith("_")}
        assert public == {n.split(".")[1] for n in names if n.startswith(kind.__name__ + ".") and "__" not in n}


def test_signatures_are_those_of_the_stub():
    for name, found, item in described():
        if not isinstance(item, ast.FunctionDef) or item.decorator_list or "__" in name:
            continue
        arguments = [a.arg for a in [*item.args.posonlyargs, *item.args.args, *item.args.kwonlyargs]]
        assert list(inspect.signature(found).parameters) == arguments, name


def test_everything_public_is_described():
    for name in mpic.__all__:
        item = getattr(mpic, name)
        assert item.__doc__ and len(item.__doc__) > 20, name


def test_it_needs_nothing_of_the_system_but_glibc():
    library = next(FOLDER.glob("_mpic*.so"))
    needed = subprocess.run(["readelf", "-d", library], capture_output=True, text=True, check=True).stdout
    libraries = [line.split("[")[1].split("]")[0] for line in needed.splitlines() if "(NEEDED)" in line]
    glibc = {"libc.so.6", "libm.so.6", "libpthread.so.0", "libdl.so.2", "librt.so.1", "ld-linux-x86-64.so.2"}
    assert libraries and set(libraries) <= glibc | {"libgcc_s.so.1"}, libraries


def test_importing_is_light():
    code = "import sys, mpic; print([m for m in ('pandas', 'matplotlib', 'torch') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", ["nothing"])
def test_there_is_no_attribute_by_accident(name):
    with pytest.raises(AttributeError):
        getattr(mpic, name)
