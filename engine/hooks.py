"""The hooks of merx: what a plugin can add, and the manager that finds it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pluggy
from pydantic import BaseModel, ConfigDict

from merx.engine.marketplace import Connect
from merx.engine.policy import Bounds, PolicyType
from merx.engine.types import Type, Value

if TYPE_CHECKING:
    import click

    from merx.engine.snapshot import Schema, Snapshot, StoreSettings

PROJECT = "merx"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@dataclass(frozen=True, slots=True)
class Signature:
    """parameters: their types, present; the last may repeat where variadic; `UNKNOWN` takes any.
    result: from the arguments' types; raises ValueError, worded to stand after the function's name, where they do not
    go together (`takes numbers or dates, not a text`)."""

    parameters: tuple[Type, ...]
    result: Callable[[tuple[Type, ...]], Type]
    variadic: bool = False


@dataclass(frozen=True, slots=True)
class Function:
    """A function of the language. Equality is by name: a rule set knows one function of a name.

    interpret: the definition, over present values (`Decimal str bool date tuple`). Raises nothing.
    columns: the same over `merx.engine.columns.Column`s, or None: then each distinct argument is given to `interpret`.
    """

    name: str
    signature: Signature | None = field(compare=False)
    doc: str = field(compare=False)
    interpret: Callable[..., Value] = field(compare=False)
    columns: Callable[..., Any] | None = field(default=None, compare=False)


class ProductSource(Protocol):
    """A kind of product file. `reads` sees the path and the file's first 64 kB; the most specific kind is asked first
    (`rank`, larger first)."""

    name: str
    rank: int

    def reads(self, path: Path, head: bytes) -> bool: ...

    def read(
        self,
        path: Path,
        *,
        declared: Schema | None = None,
        columns: Collection[str] | None = None,
        settings: StoreSettings | None = None,
    ) -> Snapshot:
        """declared: the types of a `catalog` block, which win over what the file looks like.
        columns: the attributes that are needed, None for all; `sku` always comes.
        Raises PolicyError for a file that cannot be read at all; single rows are rejected in the snapshot."""
        ...


@dataclass(frozen=True, slots=True)
class Status:
    """A status of an order. state: the store's state it belongs to, or the phase on a marketplace."""

    code: str
    meaning: str
    state: str


class AccountOptions(BaseModel):
    """What merx.toml may say of an account of a connector, under `[accounts.TITLE]`. A connector with options of its own
    has a subclass; a secret among them is a `merx.engine.secret.Secret`."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


@dataclass(frozen=True, slots=True)
class Marketplace:
    """What a marketplace knows, for checking, and how to talk with it.

    carriers: service names its shipments may have; empty is any. options: of its accounts in merx.toml.
    connect: opens an account (see `merx.engine.marketplace`); None for a vocabulary alone.
    """

    name: str
    doc: str
    statuses: tuple[Status, ...] = ()
    carriers: tuple[str, ...] = ()
    bounds: Mapping[str, Bounds] = field(default_factory=dict)
    options: type[AccountOptions] = AccountOptions
    connect: Connect | None = None


@dataclass(frozen=True, slots=True)
class Store:
    """What a store knows, for checking."""

    name: str
    doc: str
    statuses: tuple[Status, ...] = ()
    carriers: tuple[str, ...] = ()


Connector = ProductSource | Marketplace | Store


class Hooks:
    """The hookspecs. Each runs once a manager is made; plugins are asked in the order of registration, the built-in
    ones first, and a name that is offered twice is an error that names both plugins."""

    @hookspec
    def merx_policy_types(self) -> Iterable[PolicyType]:  # type: ignore[empty-body]
        """Kinds of block. May not read files or the network.

        @hookimpl
        def merx_policy_types():
            return [Shipping()]
        """

    @hookspec
    def merx_connectors(self) -> Iterable[Connector]:  # type: ignore[empty-body]
        """Product sources, marketplaces and stores. May not connect to anything when it is called.

        @hookimpl
        def merx_connectors():
            return [Marketplace(name="bazaar", doc="…", bounds={"price": Bounds("bazaar", Decimal(1), None)})]
        """

    @hookspec
    def merx_functions(self) -> Iterable[Function]:  # type: ignore[empty-body]
        """Functions of the language: pure, total over present arguments, the same for the same arguments.

        @hookimpl
        def merx_functions():
            return [Function("initials", Signature((TEXT,), lambda _: TEXT), "First letters.", initials)]
        """

    @hookspec
    def merx_commands(self) -> Iterable[click.Command]:  # type: ignore[empty-body]
        """Further commands of the command line; the name of a built-in command cannot be taken.

        @hookimpl
        def merx_commands():
            return [my_command]
        """
