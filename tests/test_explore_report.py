"""The report, opened in headless Chromium: whole, quick, without a network, by keyboard."""

import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from cost.technology import gpus
from explore.report import report
from explore.result import Result, result_of
from explore.run import Plan, explore
from explore.space import read_space
from explore.workers import workers
from models.kept import Kept

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
ROOT = Path(__file__).parents[1]

needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is missing")


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Result:
    """Price the default space, with the committed perplexities; add a failure with markup."""
    folder, plan = tmp_path_factory.mktemp("kept"), Plan()
    progress = explore(
        read_space(), plan, ROOT / "docs/records/smollm2", Kept(folder),
        lambda: workers(0, None, folder),
    )  # fmt: skip
    progress.failed.append({
        "stage": "route", "what": "<b>x</b>", "reason": "</script><img src=x>", "log": "& more",
    })  # fmt: skip
    return Result(result_of(progress, plan))


@pytest.fixture(scope="module")
def file(result: Result, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(report(result), "utf-8")
    return path


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as play:
        yield play.chromium.launch(executable_path=CHROMIUM)


Scheme = Literal["light", "dark"]


def opened(browser: Browser, file: Path, scheme: Scheme = "light") -> tuple[Page, list[str]]:
    """Open the page; return it, and all that it complained of or asked the network for."""
    page, said = browser.new_page(color_scheme=scheme), list[str]()
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda asked: said.append(asked.url))
    page.goto(file.as_uri())
    page.wait_for_selector("html[data-ready=yes]", timeout=10_000)
    return page, [text for text in said if text != file.as_uri()]


def shown(result: Result) -> list[int]:
    """Points of the front that the page has: at most so many as have details."""
    return sorted(map(int, result.found["details"]))


def test_size(file: Path, result: Result) -> None:
    assert file.stat().st_size < 5e6
    text = file.read_text("utf-8")
    assert text.count("</script>") == 2
    inside = text.split('<script type="application/json" id="data">')[1].split("</script>")[0]
    assert len(json.loads(inside)["points"]) == len(shown(result))


@needs_browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_opens_whole_in_both_colors(browser: Browser, file: Path, scheme: Scheme) -> None:
    page, said = opened(browser, file, scheme)
    assert said == []
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    dark = sum(int(part) for part in paper.strip("rgb()").split(",")) < 384
    assert dark == (scheme == "dark")
    page.click("#theme")
    other = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert other != paper
    page.close()


@needs_browser
def test_opens_in_two_seconds(browser: Browser, file: Path) -> None:
    """The quickest of up to ten times: other programs may slow one down."""
    took = []
    while not took or (min(took) >= 2 and len(took) < 10):
        begin = time.perf_counter()
        page, _ = opened(browser, file)
        took.append(time.perf_counter() - begin)
        page.close()
    assert min(took) < 2, took


@needs_browser
def test_every_plot_has_all_points_and_references(
    browser: Browser, file: Path, result: Result
) -> None:
    page, _ = opened(browser, file)
    assert page.locator("#charts svg").count() == 3
    for number in range(3):
        plot = page.locator("#charts svg").nth(number)
        assert plot.locator("[data-point]").count() == len(shown(result))
        assert plot.locator(".float").count() == 1
    plot, on_gpus = page.locator("#charts svg").first, on_gpus_of(result)
    assert plot.locator(".gpu").count() == len(on_gpus)
    assert plot.locator(".gpu.roofline").count() == 2 * (len(gpus()) - 1)
    assert page.locator("#front tbody tr").count() == len(shown(result))
    failed = page.locator("#failed summary")
    assert failed.inner_text() == "route of <b>x</b>: </script><img src=x>"
    page.close()


def on_gpus_of(result: Result) -> dict[str, set[str]]:
    """Return the evidence of what GPUs make of a model, by name."""
    return {
        one["name"]: {one["figures"][name]["evidence"] for name in ("joules_per_token",
                                                                    "tokens_per_second")}
        for one in result.found["references"] if "joules_per_token" in one["figures"]
    }  # fmt: skip


def test_gpus_are_measured_where_there_are_records(result: Result) -> None:
    """The H100, in FP16 and in two planes; others by their roofline, in FP16 alone."""
    found = on_gpus_of(result)
    for text in ("FP16", "signs:k=2,group=36,coef_bits=8"):
        for batch in (1, 64):
            assert found.pop(f"h100, {text}, batch {batch}, measured") == {"measured"}
    assert len(found) == 2 * (len(gpus()) - 1)
    for name, evidence in found.items():
        assert name.endswith(", roofline")
        assert evidence == {"modelled"}


def test_gpus_without_records(result: Result, tmp_path: Path) -> None:
    """All by their roofline."""
    space, folder = read_space(), tmp_path / "kept"
    progress = explore(
        space, Plan(), tmp_path, Kept(folder), lambda: workers(0, None, folder)
    )  # fmt: skip
    found = on_gpus_of(Result(result_of(progress, Plan(), tmp_path)))
    assert len(found) == 2 * len(gpus())
    assert all(name.endswith(", roofline") for name in found)


@needs_browser
def test_by_keyboard(browser: Browser, file: Path, result: Result) -> None:
    page, _ = opened(browser, file)

    def chosen() -> int:
        (number,) = page.eval_on_selector_all(
            "#front tr[aria-selected=true]", "rows => rows.map(row => Number(row.dataset.point))"
        )
        return number

    plot = page.locator("#charts svg").nth(1)
    plot.focus()
    page.keyboard.press("Home")
    first = chosen()
    seen = {first}
    for _ in shown(result):
        page.keyboard.press("ArrowRight")
        seen.add(chosen())
    assert seen == set(shown(result))
    last = chosen()
    page.keyboard.press("ArrowLeft")
    assert chosen() != last
    page.keyboard.press("End")
    assert chosen() == last
    point = result.points[last]
    assert f"Point {last}:" in page.locator("#detail h3").first.inner_text()
    command = page.locator("#command").inner_text()
    assert command == result.found["details"][str(last)]["command"]
    assert point.candidate.spec in command
    price = page.locator("#price").inner_text()
    assert price == result.found["details"][str(last)]["price"]
    assert "--technology asap7" in price
    row = page.locator("#front tbody tr").first
    row.focus()
    page.keyboard.press("Enter")
    assert chosen() == int(row.get_attribute("data-point") or -1)
    page.close()


def notes(result: Result) -> list[str]:
    inside = report(result).split('<script type="application/json" id="data">')[1]
    return json.loads(inside.split("</script>")[0])["notes"]


def test_what_a_reader_must_know(result: Result) -> None:
    """What is left out, of which head perplexities are, what a host adds, what decides nothing."""
    *_, head, rotated = notes(result)
    assert "measured with the head in float; energy and speed are of a head in int8" in head
    assert rotated.startswith("Where inputs are rotated (rotate 64), a host adds log2(64) numbers")
    found, front = dict(result.found), result.found["front"]
    found["details"] = dict(list(found["details"].items())[:3])
    found["metrics"] = found["metrics"] | {"luts": [7.0] * len(result.points)}
    left_out, _, _, luts = notes(Result(found))
    assert left_out.startswith(f"Of {len(front)} points of the front 3 are shown")
    assert "With luts among the objectives they do" in luts


@needs_browser
def test_a_page_shows_notes(browser: Browser, file: Path) -> None:
    page, _ = opened(browser, file)
    assert "head in float" in page.locator("#notes").inner_text()
    page.close()


@needs_browser
def test_the_table_sorts(browser: Browser, file: Path) -> None:
    page, _ = opened(browser, file)
    heads = page.locator("#front th button")
    column = heads.all_inner_texts().index("speed, tokens/s")

    def speeds() -> list[float]:
        cells = page.locator(f"#front tbody td:nth-child({column + 1})").all_inner_texts()
        return [float(cell.split()[0]) for cell in cells]

    heads.nth(column).focus()
    page.keyboard.press("Enter")
    assert speeds() == sorted(speeds())
    page.keyboard.press("Enter")
    assert speeds() == sorted(speeds(), reverse=True)
    assert page.evaluate("document.activeElement.tagName") == "BUTTON"
    page.close()


@needs_browser
def test_the_energy_adds_up(browser: Browser, file: Path, result: Result) -> None:
    page, _ = opened(browser, file)
    texts = page.locator("#detail .card").nth(1).locator(".bar > span:last-child").all_inner_texts()
    whole, *parts = (float(text.split()[0]) for text in texts)
    assert abs(sum(parts) - whole) < 2e-3 * whole
    page.close()


@needs_browser
def test_narrow_pages_do_not_scroll_sideways(browser: Browser, file: Path) -> None:
    page, _ = opened(browser, file)
    page.set_viewport_size({"width": 480, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 480
    page.screenshot(path=str(file.with_suffix(".png")), full_page=True)
    page.close()
