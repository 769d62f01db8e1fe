"""What counts as a definition and as a reference, and where it stands."""

from __future__ import annotations

import sys
import textwrap

import pytest

from longtask.examples.symbols import UNPARSABLE, parse, symbols


def found(source: str) -> set[tuple[str, str, str]]:
    """Role, kind and name of everything in a piece of code."""
    return {(s.role, s.kind, s.name) for s in symbols(parse(textwrap.dedent(source).encode()))}


def test_functions_classes_and_parameters_are_definitions() -> None:
    assert found("class A:\n    async def b(self, *c, d=1): ...\n") >= {
        ("definition", "class", "A"),
        ("definition", "function", "b"),
        ("definition", "parameter", "self"),
        ("definition", "parameter", "c"),
        ("definition", "parameter", "d"),
    }


def test_what_is_assigned_is_a_definition_and_what_is_read_is_a_reference() -> None:
    assert found("a.b = c.d") == {
        ("reference", "name", "a"),
        ("definition", "attribute", "b"),
        ("reference", "name", "c"),
        ("reference", "attribute", "d"),
    }


def test_what_is_deleted_is_a_reference() -> None:
    assert found("del a.b, c") == {
        ("reference", "name", "a"),
        ("reference", "attribute", "b"),
        ("reference", "name", "c"),
    }


def test_an_import_refers_to_the_module_and_defines_a_name() -> None:
    assert found("import os.path\nfrom sys import argv as words\n") == {
        ("reference", "import", "os.path"),
        ("definition", "import", "os"),
        ("reference", "module", "sys"),
        ("reference", "import", "argv"),
        ("definition", "import", "words"),
    }


def test_names_of_except_match_and_global_are_found() -> None:
    source = """
        try: pass
        except Exception as error: pass
        def f():
            global shared
        match value:
            case Point(x=0) as where: pass
            case [first, *rest]: pass
            case {"key": 1, **others}: pass
    """

    assert found(source) >= {
        ("definition", "variable", "error"),
        ("reference", "name", "shared"),
        ("reference", "attribute", "x"),
        ("definition", "variable", "where"),
        ("definition", "variable", "first"),
        ("definition", "variable", "rest"),
        ("definition", "variable", "others"),
    }


@pytest.mark.skipif(sys.version_info < (3, 12), reason="this syntax came with Python 3.12")
def test_type_parameters_are_definitions() -> None:
    assert found("def f[T, *U, **V](): ...") >= {
        ("definition", "type parameter", "T"),
        ("definition", "type parameter", "U"),
        ("definition", "type parameter", "V"),
    }


def test_a_symbol_has_line_column_and_the_scope_that_it_stands_in() -> None:
    source = "@outside\nclass A:\n    def b(self):\n        return self.size\n"

    places = {s.name: (s.scope, s.line, s.column) for s in symbols(parse(source.encode())) if s.name != "self"}

    assert places == {"outside": ("", 1, 1), "A": ("", 2, 0), "b": ("A", 3, 4), "size": ("A.b", 4, 15)}


def test_a_tree_deeper_than_the_stack_is_walked_to_its_end() -> None:
    source = "a" + " + a" * 800  # Python's own NodeVisitor gives up on this one

    assert sum(1 for _ in symbols(parse(source.encode()))) == 801


@pytest.mark.parametrize("source", [b"def half(:", b"\0", b"# coding: no-such\n", b"(" * 500 + b")" * 500])
def test_what_is_no_python_raises_one_of_the_known_errors(source: bytes) -> None:
    with pytest.raises(UNPARSABLE):
        parse(source)
