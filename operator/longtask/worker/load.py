"""Finding the user's class: `module:Class`, or `path/file.py:Class` for code that is no package, as from a ConfigMap.

It must not know what is done with the class.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from longtask.worker.errors import UsageError
from longtask.worker.task import Task

if TYPE_CHECKING:
    from types import ModuleType


def load(target: str) -> type[Task]:
    """Import the class. Raises UsageError when there is none; errors of the user's own module pass through."""
    place, colon, name = target.rpartition(":")
    if not (place and colon and name):
        raise UsageError(f"{target!r} must be module:Class or path/file.py:Class")
    module = _load_file(Path(place)) if place.endswith(".py") else _load_module(place)
    found = getattr(module, name, None)
    if found is None:
        raise UsageError(f"{place} has no class {name}")
    if not (isinstance(found, type) and issubclass(found, Task)):
        raise UsageError(f"{target} is no class that extends longtask.Task")
    return found


def _load_module(name: str) -> ModuleType:
    """Import a module, also from the current folder, as `python -m` does."""
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and f"{name}.".startswith(f"{error.name}."):
            raise UsageError(f"there is no module {name}: {error}") from error
        raise  # the module is there, and something it imports is not


def _load_file(path: Path) -> ModuleType:
    """Import a file under its own name, so that what it defines can be pickled; its neighbours can be imported."""
    if not path.is_file():
        raise UsageError(f"there is no file {path}")
    name = path.stem
    if name in sys.modules or not name.isidentifier():
        name = f"longtask_target_{path.stem}"
    folder = str(path.parent.absolute())
    if folder not in sys.path:
        sys.path.insert(0, folder)
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise UsageError(f"{path} can't be imported")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
