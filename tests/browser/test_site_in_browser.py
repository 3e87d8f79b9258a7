"""The site of the graph's results in a real browser: each page, link and picture is there, nothing from elsewhere."""

import json
import re
from urllib.parse import unquote, urldefrag, urlparse

import pytest

from sadanet_lab.reporting.parameters import list_notebooks
from sadanet_lab.reporting.site import build_site

LOADED = "() => [...document.images].every(image => image.complete)"
PICTURES = "images => images.map(image => [image.src, image.naturalWidth, image.alt])"


@pytest.fixture(scope="module")
def site(frozen, tmp_path_factory):
    """The site's folder."""
    out = tmp_path_factory.mktemp("built") / "site"
    build_site(frozen.parent, out)
    return out


@pytest.fixture
def page(browser, site):
    """A page of a narrow window; what it asks for must come, and from the site alone."""
    context = browser.new_context(viewport={"width": 400, "height": 800})
    page, asked, faults = context.new_page(), [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("requestfailed", lambda request: faults.append(request.url))
    page.on("console", lambda message: faults.append(message.text))
    page.on("pageerror", lambda error: faults.append(error.message))
    yield page
    assert faults == []
    assert [url for url in asked if not url.startswith((f"{site.as_uri()}/", "data:"))] == []
    context.close()


def file_of(address, site):
    """The site's file that a link leads to."""
    path = unquote(urlparse(urldefrag(address).url).path)
    assert path.startswith(f"{site}/"), address
    return path


def test_every_link_leads_to_something_and_every_page_can_be_reached(page, site):
    waiting, seen = [f"{site}/index.html"], set()
    while waiting:
        seen.add(name := waiting.pop())
        page.goto(f"file://{name}")
        for address in page.eval_on_selector_all("a, link", "found => found.map(e => e.href)"):
            if address.startswith("https://doi.org/") or address == "data:,":
                continue
            target = file_of(address, site)
            assert (site / target).is_file(), f"{name}: {address}"
            if target.endswith(".html") and target not in seen and target not in waiting:
                waiting.append(target)
    assert seen == {str(path) for path in site.rglob("*.html")}
    assert len(seen) == 1 + len(list_notebooks())


@pytest.mark.parametrize("name", [path.stem for path in list_notebooks()])
def test_an_article_has_all_its_figures_and_fits_a_narrow_window(name, page, site, frozen, screenshot):
    page.goto((site / frozen.name / f"{name}.html").as_uri())
    page.eval_on_selector_all("img", "images => images.forEach(image => { image.loading = 'eager' })")
    page.wait_for_function(LOADED)
    shown = page.eval_on_selector_all("img", PICTURES)
    files = json.loads((frozen / f"{name}.json").read_text())["files"]
    assert sorted(re.split(r"[/.]", source)[-2] for source, *_ in shown) == sorted(
        each.removesuffix(".png") for each in files if each.endswith(".png")
    )
    assert all(width > 0 and said for _, width, said in shown)
    assert page.locator("details.code").count() > 0
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    assert "$$" not in page.locator("main").inner_text()
    screenshot(page, f"site_{name}")


def test_the_first_page_shows_the_overview_and_formulas_are_drawn(page, site, frozen):
    page.goto((site / "index.html").as_uri())
    page.wait_for_function(LOADED)
    ((source, width, _),) = page.eval_on_selector_all("img", PICTURES)
    assert source.endswith("/overview.webp")
    assert width > 0
    assert "no claim about patients" in page.locator(".caveat").inner_text()
    page.goto((site / frozen.name / "03_table3_complexity.html").as_uri())
    fraction = page.locator("math mfrac").first.bounding_box()
    assert fraction["height"] > fraction["width"] > 0


def test_it_is_light(site):
    assert sum(path.stat().st_size for path in site.rglob("*.*")) <= 10 * 2**20
