"""A schema comes in; the `catalog` block that is written of it declares the same schema."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from merx.engine.catalog import schema_text, written
from merx.engine.ruleset import check_text
from merx.engine.snapshot import Schema
from merx.engine.types import DATE, FLAG, NUMBER, TEXT, TEXTS, Type, money


def declared(text: str) -> Schema:
    """The schema that a text's catalog block declares."""
    ruleset, problems = check_text(text, name="catalog.merx")
    assert not problems, "\n\n".join(str(one) for one in problems)
    assert ruleset.schema is not None
    return ruleset.schema


def test_standard_attributes_come_first_and_the_types_stand_below_each_other() -> None:
    schema = Schema(
        "luma",
        {
            "color": TEXT.maybe(), "price": money("EUR"), "in": FLAG.maybe(), "sku": TEXT, "source:eu_west": NUMBER.maybe(),
            "categories": TEXTS, "name": TEXT, "made on": DATE.maybe(),
        },
    )  # fmt: skip
    assert schema_text(schema) == (
        'catalog "luma" {\n'
        "  sku:              text\n"
        "  name:             text\n"
        "  categories:       list(text)\n"
        "  price:            money(EUR)\n"
        "  color:            text?\n"
        "  `in`:             flag?\n"
        "  `made on`:        date?\n"
        "  `source:eu_west`: number?\n"
        "}\n"
    )


def test_a_name_or_a_type_that_no_block_can_declare_is_left_out_and_said() -> None:
    prices = Type("list", item=money("EUR"))
    text = schema_text(
        Schema("x", {"sku": TEXT, "a`b": TEXT, "line\nbreak": TEXT, "prices": prices, "odd": Type("unknown")})
    )
    assert set(declared(text).attributes) == {"sku"}
    assert text.count("its name cannot be written") == 2
    assert text.count("its type cannot be written") == 2


_NAMES = st.one_of(
    st.text(max_size=12), st.from_regex(r"[a-z_][a-z0-9_]*", fullmatch=True),
    st.sampled_from(["if", "in", "on", "list", "text", "source:eu", "9lives", "catalog", "café", "x y", "-", "#", '"']),
)  # fmt: skip
_SIMPLE = st.sampled_from([NUMBER, TEXT, FLAG, DATE, money("EUR")])
_TYPES = st.one_of(_SIMPLE, _SIMPLE.map(Type.maybe), st.sampled_from([TEXTS, Type("list", item=DATE)]))


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=20), st.dictionaries(_NAMES, _TYPES, max_size=6))
def test_what_is_written_declares_the_same_schema(title: str, attributes: dict[str, Type]) -> None:
    schema = Schema(title, {"sku": TEXT, **attributes})
    writable = {name: type_ for name, type_ in schema.attributes.items() if written(name) is not None}
    assert dict(declared(schema_text(schema)).attributes) == writable
