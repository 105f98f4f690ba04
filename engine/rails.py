"""A plan and the safety rails of merx.toml come in; the rails that it breaks go out.

Only what is published already counts: a first publication is no accident.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import polars as pl

from merx.engine.plan import Compared
from merx.engine.project import Safety

NAMES = ("changed", "price-move", "held")
"""As `--allow` names them."""

_PARTS = 1_000_000
_LARGE = 10**30


@dataclass(frozen=True, slots=True)
class Broken:
    """name: for `--allow`."""

    name: str
    message: str


def moves(items: pl.DataFrame) -> pl.Series:
    """By how many millionths the price of each changed product moves; null where no price is changed to another."""
    if "old:price" not in items.columns or not items.height:
        return pl.Series("move", [None], dtype=pl.Int128).new_from_index(0, items.height)
    scale = max(getattr(items.schema[name], "scale", 0) for name in ("old:price", "new:price"))
    units = items.select(
        (pl.col("action") == "change").alias("change"),
        *(pl.col(name).cast(pl.Decimal(38, scale)).reinterpret(dtype=pl.Int128).alias(name[:3]) for name in ("old:price", "new:price")),
    )  # fmt: skip
    old, difference = pl.col("old"), (pl.col("new") - pl.col("old")).abs()
    # Beyond, the product of the two would pass 128 bits, and the last digits do not matter.
    share = pl.when(old.is_between(1, _LARGE) & (difference <= _LARGE)).then(difference * _PARTS // old).otherwise(
        difference // pl.max_horizontal(old // _PARTS, pl.lit(1, dtype=pl.Int128))
    )  # fmt: skip
    asked = pl.col("change") & (difference > 0) & (old > 0)
    return units.select(pl.when(asked).then(share).alias("move")).to_series()


def share(part: int, whole: int) -> Decimal:
    return Decimal(part) / Decimal(whole) if whole else Decimal(0)


def broken(compared: Compared, safety: Safety) -> list[Broken]:
    """The rails that the plan breaks, in the order of `NAMES`."""
    items, published = compared.items, compared.published
    found: list[Broken] = []
    changed = int(items["action"].is_in(["change", "withdraw"]).sum())
    if safety.max_changed is not None and share(changed, published) > safety.max_changed:
        message = (
            f"{changed:,} of {published:,} published products would change, more than {percent(safety.max_changed)}"
        )
        found.append(Broken("changed", message))
    if safety.max_price_move is not None:
        moved = moves(items)
        far = moved > int(safety.max_price_move * _PARTS)
        count = int(far.sum())
        if count:
            worst = int(moved.arg_max() or 0)
            row = items.row(worst, named=True)
            found.append(
                Broken(
                    "price-move",
                    f"the price of {count:,} would move by more than {percent(safety.max_price_move)}: "
                    f"{row['sku']} from {row['old:price']} to {row['new:price']}",
                )
            )
    held = int(items.select((pl.col("shown") & (pl.col("reasons").list.len() > 0)).sum()).item())
    if safety.max_held is not None and share(held, published) > safety.max_held:
        message = f"{held:,} of {published:,} published products are held, more than {percent(safety.max_held)}"
        found.append(Broken("held", message))
    return found


def percent(part: Decimal) -> str:
    """`0.125` as `12.5%`."""
    text = format((part * 100).quantize(Decimal("0.01")), "f")
    return f"{text.rstrip('0').rstrip('.')}%"
