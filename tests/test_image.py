"""The kind `image`, through rule text: the main image, the gallery, and what a default may be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from merx.engine.decide import Decision
from merx.engine.ruleset import Options, check_text
from merx.plugins.image import LARGEST, Image, media_url

ACCOUNT = 'account "main" { connector = aliexpress }'
TWENTY = tuple(f"/{index}.jpg" for index in range(1, 21))
PNG = b"\x89PNG\r\n\x1a\n"
JPG = b"\xff\xd8\xff\xe0"
MEDIA = "https://shop.example.com/media/"


def decide(body: str, *, bounded: bool = False, media: str | None = None, **product: Any) -> Decision:
    """What a policy of this body decides about a product."""
    text = f'{ACCOUNT}\nimage "p" {{ {body} }}\nlisting "all" {{ assign = yes  image = "p" }}'
    ruleset, problems = check_text(text, options=Options(media_base_url=media))
    assert [str(one) for one in problems if one.level == "error"] == []
    return ruleset.decide({"sku": "a", **product}, account="main" if bounded else None)


def images(body: str, **options: Any) -> tuple[Any, Any]:
    decision = decide(body, **options)
    assert decision.reasons == ()
    return decision.values["main_image"], decision.values["images"]


def problems(body: str, rules: str = "") -> list[tuple[str, str, str]]:
    """(code, level, underlined text) of what is wrong with a policy of this body."""
    _, found = check_text(f'{rules}\nimage "p" {{ {body} }}')
    return [(one.code, one.level, one.span.text if one.span else "") for one in found]


@pytest.mark.parametrize(
    ("product", "main"),
    [
        ({"shot": "/s.jpg", "image": "/i.jpg", "media_gallery": ("/g.jpg",), "parent_image": "/p.jpg"}, "/s.jpg"),
        ({"image": "/i.jpg", "media_gallery": ("/g.jpg",), "parent_image": "/p.jpg"}, "/i.jpg"),
        ({"media_gallery": ("/g.jpg", "/h.jpg"), "parent_image": "/p.jpg"}, "/g.jpg"),
        ({"media_gallery": (), "parent_image": "/p.jpg"}, "/p.jpg"),
        ({}, "/d.jpg"),
    ],
)
def test_the_main_image_is_the_first_there_is(product: dict[str, Any], main: str):
    assert images('main = shot  default = "/d.jpg"', **{"shot": None, **product})[0] == main


def test_without_a_policy_of_its_own_the_products_image_is_the_main_one():
    assert images("", image="/1.jpg", media_gallery=("/1.jpg", "/2.jpg")) == ("/1.jpg", ("/1.jpg", "/2.jpg"))


def test_the_main_image_goes_first_and_each_once():
    gallery = ("/1.jpg", "/2.jpg", "/3.jpg", "/2.jpg")

    assert images("main = shot", shot="/3.jpg", image="/1.jpg", media_gallery=gallery) == (
        "/3.jpg",
        ("/3.jpg", "/1.jpg", "/2.jpg"),
    )


def test_a_gallery_of_5_of_20_counts_the_main_image():
    assert images("gallery = 5", image="/20.jpg", media_gallery=TWENTY)[1] == (
        "/20.jpg", "/1.jpg", "/2.jpg", "/3.jpg", "/4.jpg",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("body", "bounded", "count"),
    [
        ("", False, 20), ("", True, 6), ("gallery = 9", True, 6), ("gallery = 9", False, 9), ("gallery = 2", True, 2),
        ("gallery = 1", True, 1),
    ],
)  # fmt: skip
def test_a_gallery_is_as_long_as_the_marketplace_takes(body: str, bounded: bool, count: int):
    assert images(body, bounded=bounded, image="/1.jpg", media_gallery=TWENTY) == ("/1.jpg", TWENTY[:count])


def test_clamping_is_noted():
    text = f'{ACCOUNT} image "p" {{ gallery = 9 }} listing "all" {{ assign = yes  image = "p" }}'
    trace = check_text(text)[0].explain({"sku": "a", "media_gallery": TWENTY}, account="main")

    assert "AliExpress takes at most 6 images" in str(trace.to_dict())


@pytest.mark.parametrize("gallery", ["0", "-1"])
def test_a_gallery_without_images_is_an_error(gallery: str):
    assert problems(f"gallery = {gallery}") == [("M351", "error", gallery)]


def test_a_product_without_any_image_has_none():
    assert images("", image=None) == (None, ())


def test_ensure_holds_the_images():
    decision = decide('ensure main_image is present "no picture"  ensure length(images) >= 2 "too few"', image="/1.jpg")
    empty = decide('ensure main_image is present "no picture"', image=None)

    assert [one.partition(" (<")[0] for one in decision.reasons] == ["images: too few"]
    assert [one.partition(" (<")[0] for one in empty.reasons] == ["images: no picture"]
    assert (empty.values["main_image"], empty.values["images"]) == (None, None)


# --- URLs


def test_paths_become_urls_where_the_media_url_is_known():
    assert images("", media=MEDIA, image="/1.jpg", media_gallery=("/1.jpg", "https://cdn.example.com/2.jpg")) == (
        "https://shop.example.com/media/catalog/product/1.jpg",
        ("https://shop.example.com/media/catalog/product/1.jpg", "https://cdn.example.com/2.jpg"),
    )


def test_a_path_and_its_url_are_one_image():
    url = "https://shop.example.com/media/catalog/product/1.jpg"

    assert images("", media=MEDIA, image=url, media_gallery=("/1.jpg",)) == (url, (url,))


@pytest.mark.parametrize(
    ("path", "url"),
    [
        ("/m/h/1.jpg", "https://x.example/media/catalog/product/m/h/1.jpg"),
        ("m/h/1.jpg", "https://x.example/media/catalog/product/m/h/1.jpg"),
        ("HTTPS://cdn.example/1.jpg", "HTTPS://cdn.example/1.jpg"),
        ("//cdn.example/1.jpg", "//cdn.example/1.jpg"),
    ],
)
def test_media_urls(path: str, url: str):
    assert media_url(path, "https://x.example/media") == media_url(path, "https://x.example/media/") == url


def test_the_language_has_media_urls_too():
    body = 'ensure media_urls(media_gallery, "https://x.example") has "https://x.example/catalog/product/1.jpg" "no"'

    assert images(body, image="/1.jpg", media_gallery=("/1.jpg",))[0] == "/1.jpg"


# --- defaults


def test_a_default_url_is_not_fetched_and_stays_as_it_is():
    url = "https://nowhere.invalid/placeholder.jpg"

    assert images(f'default = "{url}"', media=MEDIA, image=None) == (url, (url,))


def test_a_default_media_path_becomes_a_url_like_every_path():
    assert images('default = "/d.jpg"', image=None) == ("/d.jpg", ("/d.jpg",))
    assert (
        images('default = "/d.jpg"', media=MEDIA, image=None)[0]
        == "https://shop.example.com/media/catalog/product/d.jpg"
    )


def test_a_default_file_stays_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "placeholder.jpg").write_bytes(JPG)
    monkeypatch.chdir(tmp_path)

    assert images('default = "placeholder.jpg"', media=MEDIA, image=None)[0] == "placeholder.jpg"


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (PNG, []),
        (JPG + b"x" * (LARGEST - len(JPG)), []),
        (JPG + b"x" * LARGEST, ["M352"]),
        (b"GIF89a", ["M352"]),
        (b"", ["M352"]),
        (b"<html>" + b"x" * LARGEST, ["M352", "M352"]),
    ],
)
def test_a_default_file_is_a_jpg_or_png_of_2_mb(
    content: bytes, found: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "placeholder.png").write_bytes(content)
    monkeypatch.chdir(tmp_path)

    underlined = '"placeholder.png"'
    assert problems(f"default = {underlined}") == [(code, "error", underlined) for code in found]


def test_a_default_file_that_is_not_there_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "folder.jpg").mkdir()
    monkeypatch.chdir(tmp_path)

    assert problems('default = "nothing.jpg"') == [("M352", "error", '"nothing.jpg"')]
    assert problems('default = "folder.jpg"') == [("M352", "error", '"folder.jpg"')]
    assert problems(f'default = "{"x" * 5000}"') == [("M352", "error", f'"{"x" * 5000}"')]


# --- the model


def test_images_are_not_read_from_numbers():
    assert problems("", 'catalog "c" { image: number }') == [("M350", "error", 'image "p"')]
    assert problems("", 'catalog "c" { media_gallery: text }') == [("M350", "error", 'image "p"')]
    assert problems("main = qty", 'catalog "c" { qty: number }') == [("M307", "error", "qty")]


def test_every_field_says_what_it_is_for():
    assert [name for name, field in Image.fields.model_fields.items() if not field.description] == []
