"""The registry of comparison methods, found from the files of this folder: to add one, write ``<name>.py`` with a
``METHOD`` (see ``shared.method``). A method's name is its file's, with dashes.
"""

from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from sadanet_lab.errors import BadInput

if TYPE_CHECKING:
    from sadanet_lab.methods.shared.method import Method


def method_names() -> list[str]:
    """Every method's name, alphabetically; loads no torch, so that the command line's help can show them."""
    files = sorted(Path(__file__).parent.glob("*.py"))
    return [path.stem.replace("_", "-") for path in files if path.stem != "__init__"]


@cache
def registry() -> "dict[str, Method]":
    """Method name -> Method: those of Table I in its order, then those that only Table II has, then any others."""
    methods = {}
    for name in method_names():
        module = import_module(f"{__name__}.{name.replace('-', '_')}")
        methods[name] = replace(module.METHOD, name=name)
    order = sorted(methods, key=lambda name: sorted(methods[name].places.items()) or [("z", 0)])
    return {name: methods[name] for name in order}


def find_method(name: str) -> "Method":
    """The method of that name; raises ``BadInput`` naming those there are."""
    if name not in registry():
        raise BadInput(f"method {name!r} is unknown; expected one of {', '.join(registry())}")
    return registry()[name]


def table_methods(table: str) -> list[str]:
    """Names of the methods of "table-1" or "table-2", in its order."""
    places = {name: method.places[table] for name, method in registry().items() if table in method.places}
    return sorted(places, key=places.__getitem__)


def expand_names(names: Iterable[str]) -> list[str]:
    """Method names, with "table-1", "table-2" and "all" replaced by those that they stand for.

    Where such a group is among them each method stands once; a name given twice beside no group stays twice, for the
    caller to refuse. Raises ``BadInput`` for an unknown name.
    """
    groups = {"all": list(registry())}
    groups |= {table: table_methods(table) for method in registry().values() for table in method.places}
    expanded = [each for name in names for each in groups.get(name, [name])]
    for name in expanded:
        if name not in registry():
            raise BadInput(f"method {name!r} is unknown; expected one of {', '.join([*registry(), *groups])}")
    return list(dict.fromkeys(expanded)) if any(name in groups for name in names) else expanded
