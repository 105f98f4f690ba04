"""Policies of the kind `image`: which image of a product is the main one, and which others a marketplace shows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import Field

from merx.engine.expression import (
    Call,
    Coalesce,
    Constant,
    Expression,
    ListOf,
    Local,
    Program,
    Step,
    number,
    substitute,
)
from merx.engine.hooks import Function, Signature, hookimpl
from merx.engine.nodes import call, compare, is_missing, noted, present, require, text, when
from merx.engine.policy import Context, Ensured, Expected, PolicyType, Problem, Settings
from merx.engine.types import FLAG, NUMBER, TEXT, TEXTS, Type

LARGEST = 2 * 1024 * 1024
"""Bytes that a default image may have."""

_MAGIC = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")
"""What JPG and PNG files start with, whatever they are called."""

_READ: Mapping[str, Type] = {"image": TEXT, "media_gallery": TEXTS, "parent_image": TEXT}
"""The attributes that images are read from."""


class ImageSettings(Settings):
    """The fields of `image`, in the order in which they are read, checked and carried out."""

    main: Expression | None = Field(
        None, description="The attribute or expression whose image becomes the main one; by default the product's own."
    )
    default: str | None = Field(
        None,
        description="What a product without any image shows: a URL, a media path of the store (it starts with `/`), or "
        "a JPG or PNG file of at most 2 MB.",
    )
    gallery: int | None = Field(
        None, description="How many images at most, the main one counted; by default as many as the marketplace takes."
    )
    ensure: tuple[Ensured, ...] = Field(
        (), description="Conditions over `main_image` and `images`; a false one holds them with its message."
    )


class Image(PolicyType):
    """`main`, `default` and `gallery`.

    A `default` that is a file is looked for from the working directory, as the command line is started in a project's.
    """

    kind = "image"
    applies_to = "product"
    fields = ImageSettings

    def expect(self, field: str, given: Mapping[str, Any], context: Context) -> Expected:
        if field == "main":
            return Expected((TEXT,), optional=True)
        return Expected((FLAG,), names={"main_image": TEXT.maybe(), "images": TEXTS})

    def problems(self, settings: ImageSettings, context: Context) -> Iterable[Problem]:
        for name, wanted in _READ.items():
            found = context.attribute(name, wanted).type
            if found.kind not in {wanted.kind, "unknown"}:
                help = f"declare it as `{wanted.maybe()}` in the `catalog` block"
                yield Problem("M350", f"`{name}` is a {found.kind}, and images are not read from that", None, help)
        if settings.gallery is not None and settings.gallery <= 0:
            help = "the main image counts: write `gallery = 1` for it alone, or leave it out for as many as may be"
            yield Problem("M351", "a gallery holds at least one image", "gallery", help)
        if settings.default is not None and is_file(settings.default):
            yield from file_problems(Path(settings.default))

    def program(self, settings: ImageSettings, context: Context) -> Program:
        found = Step(name="found", value=found_image(settings, context), label="first image", setting="main")
        images = Step(
            name="images",
            value=every_image(Local(type=found.value.type, name="found"), settings, context),
            label="images, the main one first",
            setting="gallery",
        )
        every: Expression = Local(type=TEXTS, name="images")
        main: Expression = call("first", TEXT.maybe(), every)
        for one in reversed(settings.ensure):
            condition = substitute(one.condition, {"main_image": main, "images": every})
            main = require(condition, one.message, main, one.span)
        chosen = Step(name="main_image", value=main, label="main image", setting="main")
        outcomes = (("main_image", Local(type=main.type, name="main_image")), ("images", every))
        return Program(outcome="images", steps=(found, images, chosen), outcomes=outcomes)


# --- which images


def found_image(settings: ImageSettings, context: Context) -> Expression:
    """The main image as the catalogue names it: `main`, the product's own, the gallery's first, its parent's."""
    gallery = context.attribute("media_gallery", TEXTS)
    found = (
        *((settings.main,) if settings.main is not None else ()),
        context.attribute("image", TEXT),
        call("first", TEXT.maybe(), gallery),
        context.attribute("parent_image", TEXT),
    )
    return Coalesce(type=TEXT.maybe(), operands=found)


def every_image(main: Expression, settings: ImageSettings, context: Context) -> Expression:
    """The main image, then the gallery by position, each once, as many as may be."""
    gallery = context.attribute("media_gallery", TEXTS)
    images = call("join", TEXTS, ListOf(type=TEXTS, items=(present(main),)), gallery)
    if context.media_base_url is not None:
        base = text(context.media_base_url)
        images = Call(type=TEXTS, function=MEDIA_URLS, arguments=(images, base))
    images = limited(call("distinct", TEXTS, images), settings.gallery, context)
    return when(is_missing(main), without_image(settings, context), images)


def limited(images: Expression, gallery: int | None, context: Context) -> Expression:
    """The first `gallery` images, and never more than the marketplace takes."""
    bounds = context.bounds.get("images")
    most = int(bounds.high) if bounds is not None and bounds.high is not None else None
    if bounds is None or most is None or (gallery is not None and gallery <= most):
        return images if gallery is None else call("take", TEXTS, images, number(gallery))
    more = compare(call("length", NUMBER, images), ">", most)
    return noted(f"{bounds.name} takes at most {most} images", call("take", TEXTS, images, number(most)), more)


def without_image(settings: ImageSettings, context: Context) -> Expression:
    if settings.default is None:
        return noted("the product has no image, and there is no `default`", Constant(type=TEXTS, value=()))
    default = settings.default
    if context.media_base_url is not None and not is_file(default):
        default = media_url(default, context.media_base_url)
    return noted("the product has no image: `default`", Constant(type=TEXTS, value=(default,)))


# --- what a default may be


def is_url(path: str) -> bool:
    return path.lower().startswith(("http://", "https://"))


def is_file(default: str) -> bool:
    """Neither a URL nor a media path."""
    return not is_url(default) and not default.startswith("/")


def file_problems(path: Path) -> Iterator[Problem]:
    """What keeps a file from being the default image. It is read here and nowhere else."""
    help = "a URL starts with `https://`, a media path of the store with `/`, a file stands below the working directory"
    try:
        if not path.is_file():
            yield Problem("M352", f"there is no file `{path}`", "default", help)
            return
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(8)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        yield Problem("M352", f"the file `{path}` cannot be read: {reason}", "default", help)
        return
    if not head.startswith(_MAGIC):
        yield Problem(
            "M352", f"`{path}` is neither a JPG nor a PNG image", "default", "what it holds counts, not its name"
        )
    if size > LARGEST:
        message = f"`{path}` has {size:,} bytes, and a default image has at most {LARGEST:,}"
        yield Problem("M352", message, "default", "make it smaller")


# --- media paths


def media_url(path: str, base: str) -> str:
    """Where a store serves a product's image; a URL stays as it is."""
    if is_url(path) or path.startswith("//"):
        return path
    return f"{base.rstrip('/')}/catalog/product/{path.lstrip('/')}"


def _media_urls(paths: tuple[str, ...], base: str) -> tuple[str, ...]:
    return tuple(media_url(path, base) for path in paths)


MEDIA_URLS = Function(
    "media_urls",
    Signature((TEXTS, TEXT), lambda _: TEXTS),
    "Image paths of the store as URLs below its media URL; what is a URL stays so: "
    '`media_urls(media_gallery, "https://shop.example.com/media")`.',
    _media_urls,
)


@hookimpl
def merx_policy_types() -> Iterable[PolicyType]:
    return [Image()]


@hookimpl
def merx_functions() -> Iterable[Function]:
    return [MEDIA_URLS]
