"""The kind `order`, through rule text: every field is read and checked against what both sides know."""

from __future__ import annotations

from typing import Any

import pytest

from merx.engine.policy import Entries, Word
from merx.engine.ruleset import check_text
from merx.plugins.aliexpress import STATUSES as MARKETPLACE_STATUSES
from merx.plugins.magento import STATUSES as STORE_STATUSES
from merx.plugins.order import Order, OrderSettings, is_address

WHEN = "create_when = [WAIT_SELLER_SEND_GOODS]"


def problems(body: str, rules: str = "") -> list[tuple[str, str, str]]:
    """(code, level, underlined text) of what is wrong with a policy of this body."""
    _, found = check_text(f'{rules}\norder "p" {{ {body} }}')
    return [(one.code, one.level, one.span.text if one.span else "") for one in found]


def settings(body: str) -> Any:
    ruleset, found = check_text(f'order "p" {{ {body} }}')
    assert [str(one) for one in found if one.level == "error"] == []
    return ruleset.rules.policies["order", "p"].settings


def test_reads_every_field():
    found = settings("""
      create = yes  create_when = [WAIT_SELLER_SEND_GOODS, RISK_CONTROL]  sku = marketplace_sku
      if_product_missing = create  allow_out_of_stock = yes  allow_disabled = yes  taxes = on_top
      notify = "shop@example.com"  prefix = "AE-"  number = sequence  invoice = no  shipment = yes
      customer = same("orders@example.com")
      statuses { FINISH -> "complete"  else -> keep }
      carriers { "ups" -> "UPS"  else -> "OTHER_ES_LOCAL" }
    """)

    assert found.create_when == ("WAIT_SELLER_SEND_GOODS", "RISK_CONTROL")
    assert found.sku.name == "marketplace_sku"
    assert found.customer == Word("same", ("orders@example.com",))
    assert found.statuses == Entries((("FINISH", "complete"),), "keep")
    assert found.carriers == Entries((("ups", "UPS"),), "OTHER_ES_LOCAL")
    assert found.model_dump(exclude={"sku", "customer", "statuses", "carriers", "create_when", "active"}) == {
        "create": True,
        "if_product_missing": "create",
        "allow_out_of_stock": True,
        "allow_disabled": True,
        "taxes": "on_top",
        "notify": "shop@example.com",
        "prefix": "AE-",
        "number": "sequence",
        "invoice": False,
        "shipment": True,
        "email_domain": None,
    }


def test_what_is_left_out_has_the_safe_default():
    found = settings(WHEN)

    assert (found.if_product_missing, found.allow_out_of_stock, found.allow_disabled) == ("reject", False, False)
    assert (found.taxes, found.prefix, found.number, found.customer) == (
        "store",
        "ALIEXP-",
        "marketplace",
        Word("guest"),
    )
    assert (found.statuses, found.carriers) == (Entries((), "keep"), Entries(()))


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ("create = yes", ("M360", "error", 'order "p"')),
        ("create = yes  create_when = []", ("M360", "error", "[]")),
        ("create_when = [WAIT_SELLER_SEND_GODS]", ("M408", "error", "WAIT_SELLER_SEND_GODS")),
        (f"{WHEN} sku = lower(ean)", ("M361", "error", "lower(ean)")),
        (f"{WHEN} if_product_missing = ignore", ("M309", "error", "ignore")),
        (f"{WHEN} taxes = yes", ("M309", "error", "yes")),
        (f'{WHEN} notify = "nobody"', ("M363", "error", '"nobody"')),
        (f'{WHEN} prefix = "A E"', ("M362", "error", '"A E"')),
        (f'{WHEN} prefix = "É-"', ("M362", "error", '"É-"')),
        (f'{WHEN} prefix = ""  number = sequence', ("M362", "error", "sequence")),
        (f"{WHEN} customer = anybody", ("M309", "error", "anybody")),
        (f"{WHEN} customer = same", ("M309", "error", "same")),
        (f'{WHEN} customer = same("orders")', ("M363", "error", 'same("orders")')),
        (f"{WHEN} customer = real", ("M364", "error", "real")),
        (f'{WHEN} customer = real  email_domain = "me@example.com"', ("M363", "error", '"me@example.com"')),
        (f'{WHEN} email_domain = "example.com"', ("M365", "warning", '"example.com"')),
        (f'{WHEN} statuses {{ FINISH -> "completed"  else -> keep }}', ("M408", "error", '"completed"')),
        (f'{WHEN} statuses {{ FINISHED -> "complete"  else -> keep }}', ("M408", "error", "FINISHED")),
        (f'{WHEN} statuses {{ FINISH -> "complete" }}', ("M410", "error", "statuses")),
        (f'{WHEN} shipment = no  carriers {{ "ups" -> "UPS" }}', ("M366", "warning", 'carriers { "ups" -> "UPS" }')),
    ],
)
def test_a_wrong_field(body: str, found: tuple[str, str, str]):
    assert problems(body) == [found]


@pytest.mark.parametrize(
    "body",
    [
        "create = no",
        f'{WHEN} customer = real  email_domain = "buyers.example.com"',
        f'{WHEN} prefix = ""',
        f'{WHEN} carriers {{ "ups" -> "SPAIN_LOCAL_CORREOS" }}',
    ],
)
def test_a_right_one(body: str):
    assert problems(body) == []


def test_every_status_may_be_mapped_to_every_status():
    entries = "\n".join(
        f'{market.code} -> "{STORE_STATUSES[index % len(STORE_STATUSES)].code}"'
        for index, market in enumerate(MARKETPLACE_STATUSES)
    )

    assert problems(f"{WHEN} statuses {{ {entries} }}") == []


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("orders@example.com", True),
        ("a.b+c@mail.example.co.uk", True),
        ("orders", False),
        ("@example.com", False),
        ("orders@", False),
        ("orders@localhost", False),
        ("orders@example..com", False),
        (".orders@example.com", False),
        ("two words@example.com", False),
        ("orders@example.com\n", False),
        ("a@b@example.com", False),
        ("x" * 65 + "@example.com", False),
        ("orders@-example.com", False),
    ],
)
def test_addresses(text: str, is_one: bool):
    assert is_address(text) is is_one


def test_an_order_policy_decides_nothing_about_a_product():
    ruleset, _ = check_text(f'order "p" {{ {WHEN} }}')

    assert ruleset.rules.policies["order", "p"].program({}) is None


def test_every_field_says_what_it_is_for():
    assert [name for name, field in OrderSettings.model_fields.items() if not field.description] == []
    assert Order.applies_to == "order"


def test_the_vocabularies_name_each_status_once():
    for statuses in (MARKETPLACE_STATUSES, STORE_STATUSES):
        assert len({one.code for one in statuses}) == len(statuses)
        assert [one.code for one in statuses if not (one.meaning and one.state)] == []
