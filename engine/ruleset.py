"""The engine's front door: rule files come in as a `Ruleset`, which evaluates, explains and tests."""

from __future__ import annotations

import datetime
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from merx.engine import syntax
from merx.engine.check import check
from merx.engine.decide import Decision, decide
from merx.engine.diagnostic import Diagnostic, PolicyError
from merx.engine.explain import explain
from merx.engine.expression import attributes
from merx.engine.load import load_files, parse_text
from merx.engine.prepare import Prepared, prepare
from merx.engine.registry import Registry, registry
from merx.engine.rules import Rules
from merx.engine.runtest import TestResult, run_test
from merx.engine.snapshot import Schema
from merx.engine.standard import STANDARD, standard_type
from merx.engine.testblock import schema_of_tests, type_of
from merx.engine.types import Type, Value

if TYPE_CHECKING:
    import polars as pl

    from merx.engine.trace import Trace


@dataclass(frozen=True, slots=True, eq=False)
class Ruleset:
    """Checked rule files.

    Where they have a `catalog` block they are checked once; where they have none, each snapshot's schema stands, and
    they are checked against it when they meet it.

    diagnostics: the warnings. currency: of the amounts of snapshots that do not know theirs.
    """

    files: tuple[syntax.File, ...]
    rules: Rules
    registry: Registry
    diagnostics: tuple[Diagnostic, ...] = ()
    currency: str | None = None
    media_base_url: str | None = None
    timezone: str = "UTC"

    @property
    def schema(self) -> Schema | None:
        """The `catalog` block's, None without one."""
        return self.rules.schema

    @property
    def has_catalog(self) -> bool:
        return any(one.kind.name == "catalog" for file in self.files for one in file.declarations)

    def bind(self, schema: Schema) -> Ruleset:
        """The same rules over a snapshot's schema; unchanged where a `catalog` block says what the schema is.

        Raises PolicyError where the rules do not go with the schema.
        """
        if self.has_catalog:
            return self
        rules, problems = check(self.files, self.registry, schema, media_url=self.media_base_url)
        if any(one.level == "error" for one in problems):
            raise PolicyError(one for one in problems if one.level == "error")
        return replace(self, rules=rules, diagnostics=problems)

    def today(self) -> datetime.date:
        """The day in the store's time zone."""
        return datetime.datetime.now(ZoneInfo(self.timezone)).date()

    def prepare(self, as_of: datetime.date | None = None, account: str | None = None) -> Prepared:
        """What decides on the day (default: today). Raises PolicyError (M216) for an unknown account."""
        return prepare(self.rules, as_of or self.today(), account)

    def reads(self, prepared: Prepared) -> frozenset[str]:
        """The attributes that an evaluation may read."""
        queries = [one.assign for group in prepared.groups for one in group if one.assign is not None]
        programs = [one.program.attributes for one in prepared.programs.values()]
        return frozenset({"sku"}).union(*programs, *(attributes(query) for query in queries))

    def evaluate(
        self, frame: pl.DataFrame, *, as_of: datetime.date | None = None, account: str | None = None
    ) -> pl.DataFrame:
        """The outcome of every product.

        frame: one row a product. `sku` is a text; amounts and numbers are Decimal or integer columns, lists are List
        columns, null is missing. Standard attributes that are not there mean: enabled, stock managed, no backorders,
        no special price.
        as_of: the day to evaluate for, by default today. account: whose listings and marketplace bounds apply; None
        takes every listing, without bounds.
        Returns one row a product in the order of `frame`: sku, listing, status (`ready`, `held`, `unlisted`), reasons
        (list of texts), price, sale_price (Decimal), currency, quantity (Int64), main_image, images (list of texts),
        then what further policy types decide. Null is what nothing decided, or what is held.
        Raises PolicyError where the frame does not go with the rules: M601 for a Float column, by its name.
        """
        from merx.engine import frame as frames
        from merx.engine.evaluate import evaluate

        bound = self.bind(frames.schema_of(frame, self.currency))
        prepared = bound.prepare(as_of, account)
        assert bound.rules.schema is not None
        conformed = frames.conform(frame, bound.rules.schema, bound.reads(prepared))
        return evaluate(prepared, conformed)

    def decide(
        self, product: Mapping[str, Value], *, as_of: datetime.date | None = None, account: str | None = None
    ) -> Decision:
        """One product's outcome, by the definition of the language: exact, slow, the twin of `evaluate`."""
        bound = self.bind(self._schema_of(product))
        return decide(bound.prepare(as_of, account), product)

    def explain(
        self, product: Mapping[str, Value], *, as_of: datetime.date | None = None, account: str | None = None
    ) -> Trace:
        """How one product comes to its outcomes, step by step, and which conditions kept other listings from it.

        product: attribute → str, int, Decimal, bool, date, a tuple of these, or None where it is missing.
        Raises PolicyError where the product does not go with the rules: M601 for a float, by its name.
        """
        bound = self.bind(self._schema_of(product))
        return explain(bound.prepare(as_of, account), product)

    def _schema_of(self, product: Mapping[str, Value]) -> Schema:
        told: dict[str, Type] = {
            name: standard_type(name, self.currency) or type_of(value).maybe(True)
            for name, value in ((name, _exact(name, value)) for name, value in product.items())
        }
        for name in STANDARD:
            told.setdefault(name, standard_type(name, self.currency) or type_of(None))
        return Schema(str(product.get("sku", "product")), told)

    def run_tests(self) -> tuple[TestResult, ...]:
        """The outcome of every `test` block, in the order of the files."""
        bound = self
        if not self.has_catalog:
            bound = self.bind(Schema("the tests", schema_of_tests(self.rules.tests, self.currency)))
        return tuple(run_test(test, bound.rules, bound.today()) for test in bound.rules.tests)


def _exact(name: str, value: object) -> Value:
    if isinstance(value, float):
        help = "give a Decimal, an int or a text"
        raise PolicyError([Diagnostic("M601", "error", f"`{name}` is a float, which is not exact", None, help)])
    return value  # type: ignore[return-value]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a project says about its store, for checking and evaluating."""

    currency: str | None = None
    media_base_url: str | None = None
    timezone: str = "UTC"
    plugins: Iterable[object] = field(default=())


def check_paths(
    paths: Sequence[str | os.PathLike[str]], *, schema: Schema | None = None, options: Options | None = None
) -> tuple[Ruleset, tuple[Diagnostic, ...]]:
    """The rule set of the paths and every diagnostic. With an error among them it must not be evaluated.

    schema: of the products, for rules without a `catalog` block.
    """
    files, problems = load_files(paths)
    return _checked(files, problems, schema, options or Options())


def check_text(
    text: str, *, name: str = "<rules>", schema: Schema | None = None, options: Options | None = None
) -> tuple[Ruleset, tuple[Diagnostic, ...]]:
    """The same for rules in a text."""
    files, problems = parse_text(text, name)
    return _checked(files, problems, schema, options or Options())


def _checked(
    files: tuple[syntax.File, ...], problems: tuple[Diagnostic, ...], schema: Schema | None, options: Options
) -> tuple[Ruleset, tuple[Diagnostic, ...]]:
    known = registry(options.plugins)
    rules, found = check(files, known, schema, media_url=options.media_base_url)
    every = (*problems, *found)
    warnings = tuple(one for one in every if one.level == "warning")
    ruleset = Ruleset(files, rules, known, warnings, options.currency, options.media_base_url, options.timezone)
    return ruleset, every


def load(
    paths: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    *,
    currency: str | None = None,
    plugins: Iterable[object] = (),
) -> Ruleset:
    """The rule set of rule files and folders of them.

    currency: of the amounts of products that do not tell theirs; None leaves them plain numbers.
    plugins: further plugin objects, beside the installed ones.
    Raises PolicyError with every error there is.
    """
    several = [paths] if isinstance(paths, str | os.PathLike) else list(paths)
    ruleset, problems = check_paths(several, options=Options(currency=currency, plugins=tuple(plugins)))
    errors = [one for one in problems if one.level == "error"]
    if errors:
        raise PolicyError(errors)
    return ruleset
