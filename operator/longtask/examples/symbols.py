"""What a Python file defines and refers to, from its syntax tree. It must not know where that is kept."""

from __future__ import annotations

import ast
import warnings
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

DEFINITION, REFERENCE = "definition", "reference"


class Symbol(NamedTuple):
    """A name at a place.

    `scope` is the dotted name of the class or function that it stands in, empty in the module itself. `line` counts
    from 1, `column` from 0 in UTF-8 bytes, as everywhere in `ast`.
    """

    role: str
    kind: str
    name: str
    scope: str
    line: int
    column: int


def parse(source: bytes) -> ast.Module:
    """Parse a file. Raises SyntaxError, or one of its relatives in UNPARSABLE, for one that is no Python of today."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an invalid escape in somebody's library is no news here
        return ast.parse(source)


UNPARSABLE = (SyntaxError, ValueError, RecursionError, MemoryError)  # the last two: nested deeper than the parser goes


def symbols(tree: ast.Module) -> Iterator[Symbol]:
    """Yield every definition and reference. In no order: a stack instead of recursion, which deep trees overflow."""
    stack: list[tuple[ast.AST, str]] = [(tree, "")]
    while stack:
        node, scope = stack.pop()
        for role, kind, name in _found(node):
            yield Symbol(role, kind, name, scope, getattr(node, "lineno", 1), getattr(node, "col_offset", 0))
        if isinstance(node, _SCOPES):
            inner = f"{scope}.{node.name}" if scope else node.name
            outside = set(map(id, node.decorator_list))
            stack.extend((child, scope if id(child) in outside else inner) for child in ast.iter_child_nodes(node))
        else:
            stack.extend((child, scope) for child in ast.iter_child_nodes(node))


_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def _found(node: ast.AST) -> Iterable[tuple[str, str, str]]:
    """Return (role, kind, name) of what this node itself, without its children, defines and refers to."""
    match node:
        case ast.Name(id=name, ctx=ast.Store()):
            return [(DEFINITION, "variable", name)]
        case ast.Attribute(attr=name, ctx=ast.Store()):
            return [(DEFINITION, "attribute", name)]
        case ast.Name(id=name):
            return [(REFERENCE, "name", name)]
        case ast.Attribute(attr=name):
            return [(REFERENCE, "attribute", name)]
        case ast.arg(arg=name):
            return [(DEFINITION, "parameter", name)]
        case ast.keyword(arg=str(name)):
            return [(REFERENCE, "keyword", name)]
    return _found_in_statement(node)


def _found_in_statement(node: ast.AST) -> Iterable[tuple[str, str, str]]:
    match node:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
            return [(DEFINITION, "function", name)]
        case ast.ClassDef(name=name):
            return [(DEFINITION, "class", name)]
        case ast.alias(name=name, asname=other):
            return [(REFERENCE, "import", name), (DEFINITION, "import", other or name.partition(".")[0])]
        case ast.ImportFrom(module=str(name)):
            return [(REFERENCE, "module", name)]
        case ast.ExceptHandler(name=str(name)):
            return [(DEFINITION, "variable", name)]
        case ast.Global(names=names) | ast.Nonlocal(names=names):
            return [(REFERENCE, "name", name) for name in names]
    return _found_in_pattern(node)


def _found_in_pattern(node: ast.AST) -> Iterable[tuple[str, str, str]]:
    match node:
        case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)) | ast.MatchMapping(rest=str(name)):
            return [(DEFINITION, "variable", name)]
        case ast.MatchClass(kwd_attrs=names):
            return [(REFERENCE, "attribute", name) for name in names]
    if type(node).__name__ in _TYPE_PARAMETERS:
        return [(DEFINITION, "type parameter", vars(node)["name"])]
    return []


_TYPE_PARAMETERS = {"TypeVar", "ParamSpec", "TypeVarTuple"}  # nodes since Python 3.12
