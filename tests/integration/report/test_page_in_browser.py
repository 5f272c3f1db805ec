# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page in a real browser: sizes, light and dark, print, with and without its script, and against hostile texts.

The pictures are left in .work/report-pictures, for people to look at.
"""

from __future__ import annotations

import json
import typing as t
from importlib import resources
from pathlib import Path

import pytest
import report_runs as runs
from browser import Browser, Page

from ansible_collections.fediops.mastodon.plugins.module_utils._text import shown_lines
from ansible_collections.fediops.mastodon.plugins.plugin_utils._report.document import RUNNING
from ansible_collections.fediops.mastodon.plugins.plugin_utils._report.history import reduced, with_history
from ansible_collections.fediops.mastodon.plugins.plugin_utils._report.page import page as render

CHECKOUT = Path(__file__).resolve().parents[3]
FIVE = ["social.example", "art.example", "books.example", "music.example", "games.example"]
DESK, PHONE = 1280, 390


@pytest.fixture(scope="session")
def pictures() -> Path:
    folder = CHECKOUT / ".work" / "report-pictures"
    folder.mkdir(parents=True, exist_ok=True)  # two workers make it
    return folder


def nights() -> dict[str, t.Any]:
    """A month of drift checks of a few hosts, the last of them with problems."""
    made = runs.rollout(FIVE, refused=["books.example"], unreachable=["games.example"]).document()
    seen = reduced(made)
    assert seen is not None
    for name in FIVE:
        seen["hosts"][name] = {"state": "in_order", "wrong": [["spf-missing", name]]}
    return with_history(made, [seen] * 40)


def mails() -> dict[str, t.Any]:
    """Mails of an outage that were retried, with every number that there can be."""
    retried = {name: 7 * place for place, name in enumerate(runs.RETRIED, 1)}
    return runs.look_at_mails(retried={**retried, "stopped": "failures"}).document()


@pytest.fixture(scope="session")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    made = {
        "one": runs.rollout(["social.example"]).document(),
        "five": runs.rollout(
            FIVE, crashed=["books.example"], unreachable=["games.example"], same=["art.example"]
        ).document(),
        "fleet": runs.fleet().document(),
        "dry": runs.rollout(FIVE, same=["art.example"], check_mode=True).document(),
        "unfinished": runs.rollout(FIVE, check_mode=True).document(RUNNING),
        "drift": runs.drift_check(False).document(),
        "rollback": runs.rollback().document(),
        "adopt": runs.adoption().document(),
        "hostile": runs.hostile().document(),
        "nothing": runs.Run().document(),
        "nights": nights(),
        "mails": mails(),
    }
    found = {}
    for name, document in made.items():
        found[name] = folder / f"{name}.html"
        found[name].write_bytes(render(document).encode("utf-8"))
    return found


@pytest.fixture(scope="session")
def browser() -> t.Iterator[Browser]:
    made = Browser()
    yield made
    made.close()


@pytest.fixture
def open_page(browser: Browser, pages: dict[str, Path]) -> t.Iterator[t.Callable[..., Page]]:
    opened: list[Page] = []

    def one(name: str, **settings: t.Any) -> Page:
        opened.append(browser.page(pages[name], **settings))
        return opened[-1]

    yield one
    for each in opened:
        each.close()


def shown(page: Page, selector: str) -> int:
    """How many of these elements take any room on the page."""
    return int(
        page.ask(
            f"[...document.querySelectorAll({json.dumps(selector)})].filter(e => e.getClientRects().length).length"
        )
    )


@pytest.mark.parametrize(
    "name",
    [
        "one",
        "five",
        "fleet",
        "dry",
        "unfinished",
        "drift",
        "rollback",
        "adopt",
        "hostile",
        "nothing",
        "nights",
        "mails",
    ],
)
@pytest.mark.parametrize("width", [DESK, PHONE], ids=["desk", "phone"])
def test_the_page_fits_its_width_and_complains_of_nothing(
    open_page: t.Callable[..., Page], pictures: Path, name: str, width: int
) -> None:
    page = open_page(name, width=width)
    assert page.ask("document.documentElement.scrollWidth") <= width
    assert page.events("Log.entryAdded") == [] and page.events("Runtime.exceptionThrown") == []
    # nothing but the file itself was asked for
    assert [one["request"]["url"][:5] for one in page.events("Network.requestWillBeSent")] == ["file:"]
    page.screenshot(
        pictures / f"{name}-{'desk' if width == DESK else 'phone'}.png", whole=name not in ("fleet", "hostile")
    )


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
def test_hostile_texts_run_no_script_and_make_no_element(open_page: t.Callable[..., Page], script: bool) -> None:
    page = open_page("hostile", script=script)
    assert page.ask("window.pwned") is None
    assert page.events("Page.javascriptDialogOpening") == [] and page.events("Runtime.exceptionThrown") == []
    known = page.ask("[...new Set([...document.querySelectorAll('*')].map(e => e.localName))].sort().join(' ')")
    assert not {"img", "iframe", "form", "object", "embed", "base"} & set(known.split())
    assert page.ask("document.scripts.length") == 1
    assert page.ask("document.querySelectorAll('svg [onload], [onerror], [onclick]').length") == 0
    # names stand there as they are, but for what cannot be seen
    seen = page.ask("[...document.querySelectorAll('#matrix tbody th')].map(e => e.textContent)")
    for text in runs.HOSTILE:
        visible = shown_lines(text)
        assert any(one.startswith(visible) for one in seen), visible


def test_even_a_script_that_got_in_would_not_run(browser: Browser, tmp_path: Path) -> None:
    text = render(runs.rollout(["a.example"]).document())
    broken = tmp_path / "broken.html"
    broken.write_text(
        text.replace("</main>", "<script>window.pwned=1</script><img src=x onerror='window.pwned=1'></main>")
    )
    page = browser.page(broken)
    assert page.ask("window.pwned") is None
    refusals = [one["entry"]["text"] for one in page.events("Log.entryAdded")]
    assert any("Content Security Policy" in one for one in refusals), refusals
    page.close()


@pytest.mark.parametrize(
    ("name", "dark", "rules"),
    [("five", False, ""), ("five", True, "color-contrast"), ("unfinished", True, "color-contrast")],
)
def test_axe_finds_no_barrier(
    open_page: t.Callable[..., Page], pictures: Path, name: str, dark: bool, rules: str
) -> None:
    page = open_page(name, dark=dark)
    page.call("Page.setBypassCSP", enabled=True)
    # One host of each kind in full is enough to look at.
    page.ask(
        "document.querySelectorAll('details.host:nth-of-type(-n+3), .same, .card details').forEach(e => e.open = true)"
    )
    page.ask(resources.files("axe_core_python").joinpath("axe.min.js").read_text(encoding="utf-8") + "\n;1")
    only = f"{{runOnly: ['{rules}']}}" if rules else "{}"
    found = page.ask(
        f"axe.run({only}).then(r => [r.violations.map(v => [v.id, v.nodes.slice(0, 3).map(n => n.html)]),"
        " r.passes.map(p => p.id)])"
    )
    assert found[0] == [] and "color-contrast" in found[1]
    page.screenshot(pictures / f"{name}-{'dark' if dark else 'light'}.png")


def test_the_state_is_said_in_words_and_by_a_drawing_besides_the_colour(open_page: t.Callable[..., Page]) -> None:
    page = open_page("five")
    cells = page.ask(
        "[...document.querySelectorAll('#matrix .cell:not(.none)')].map(e => "
        "[e.querySelector('.away').textContent.trim(), e.querySelector('use').getAttribute('href')])"
    )
    drawings = {said.split(": ")[1]: drawing for said, drawing in cells}
    assert set(drawings) == {"ok", "changed", "failed", "unreachable"}
    assert len(set(drawings.values())) == len(drawings)
    badges = page.ask("[...document.querySelectorAll('#matrix .badge')].map(e => e.textContent)")
    assert set(badges) == {"failed", "unreachable", "changed", "in order"}


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
def test_the_filter_by_state_works_with_and_without_the_script(open_page: t.Callable[..., Page], script: bool) -> None:
    page = open_page("fleet", script=script)
    assert shown(page, "#matrix tbody tr") == 200
    page.click("label[for=only-failed]")
    assert shown(page, "#matrix tbody tr") == 5 and shown(page, "details.host") == 5
    page.click("label[for=only-unreachable]")
    assert shown(page, "#matrix tbody tr") == 3
    page.click("label[for=only-all]")
    assert shown(page, "#matrix tbody tr") == 200
    # the search is the script's, so it is not there without
    assert shown(page, "#find") == (1 if script else 0)


def test_searching_for_a_host(open_page: t.Callable[..., Page]) -> None:
    page = open_page("fleet")
    page.click("#find")
    page.write("SOCIAL-04")
    assert (
        shown(page, "#matrix tbody tr") == 10
        and page.ask("document.querySelector('#found').textContent") == "10 of 200"
    )
    page.click("label[for=only-failed]")
    assert (
        shown(page, "#matrix tbody tr") == 4 and page.ask("document.querySelector('#found').textContent") == "4 of 200"
    )


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
def test_a_link_to_a_host_opens_its_details(open_page: t.Callable[..., Page], script: bool) -> None:
    page = open_page("fleet", script=script)
    opened = "document.getElementById('host-100').closest('details').open"
    assert page.ask(opened) is False
    page.click("#matrix a[href='#host-100']")
    page.wait_until(opened)
    top = page.ask("document.getElementById('host-100').getBoundingClientRect().top")
    assert -5 <= top <= page.ask("innerHeight")


def test_what_failed_is_open_and_the_rest_of_a_fleet_is_not(open_page: t.Callable[..., Page]) -> None:
    page = open_page("fleet")
    assert page.ask("[...document.querySelectorAll('details.host[open]')].every(e => e.dataset.state === 'failed')")
    assert page.ask("document.querySelectorAll('details.host[open]').length") == 5
    page.click("#unfold")
    assert page.ask("document.querySelectorAll('details.host[open]').length") == 200


def test_in_print_it_is_light_leaves_out_the_tools_and_only_what_is_open(
    open_page: t.Callable[..., Page], pictures: Path
) -> None:
    page = open_page("fleet", dark=True)
    paper = page.pdf()
    (pictures / "fleet.pdf").write_bytes(paper)
    # 200 hosts in full would be hundreds of pages
    assert 3 <= paper.count(b"/Type /Page\n") <= 25
    page.media("print", dark=True)
    assert shown(page, "#tools") == 0 and shown(page, "details.host") == 5
    assert page.ask("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.ask("getComputedStyle(document.body).color") == "rgb(29, 28, 36)"


@pytest.mark.parametrize("width", [DESK, PHONE])
def test_the_records_to_publish_are_copied_as_they_are(open_page: t.Callable[..., Page], width: int) -> None:
    page = open_page("one", width=width)
    visible = "document.querySelector('.zone').checkVisibility({contentVisibilityAuto: true})"
    assert not page.ask(visible)
    page.click(".card details summary")
    assert page.ask(visible)
    copied = page.ask(
        "(() => {getSelection().selectAllChildren(document.querySelector('.zone')); "
        "return getSelection().toString()})()"
    )
    assert copied.strip() == runs.DNS["sender_dns"][0]["zone"].strip()
    assert page.ask("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("width", [DESK, PHONE])
def test_the_strip_of_each_host_shows_every_run(open_page: t.Callable[..., Page], pictures: Path, width: int) -> None:
    page = open_page("nights", width=width)
    assert shown(page, ".strip svg") == len(FIVE) and shown(page, ".strip rect") == 14 * len(FIVE)
    assert "New since" in page.ask("document.querySelector('.since').innerText")
    page.screenshot(pictures / f"nights-{width}.png")
    assert page.ask("document.getElementById('matrix').offsetWidth") <= page.ask(
        "document.getElementById('matrix').parentElement.clientWidth"
    )
    fits = "[...document.querySelectorAll('.strip')].every(e => e.scrollWidth <= e.clientWidth + 1)"
    assert page.ask(fits) and page.ask("document.documentElement.scrollWidth") <= width
