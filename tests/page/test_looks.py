"""How the page looks and is reached: contrast, narrow screens, the keyboard alone, hundreds of services."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from browser_tabs import Tabs
from live_cluster import ALIGNMENT, DOCUMENT, TOKEN, LiveCluster, deployment, node
from playwright.sync_api import expect

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

SCREENS = {
    "desktop": {"viewport": {"width": 1280, "height": 800}, "color_scheme": "light"},
    "narrow": {"viewport": {"width": 360, "height": 740}, "color_scheme": "light", "has_touch": True},
    "dark": {"viewport": {"width": 1280, "height": 800}, "color_scheme": "dark"},
}
VIEWS = ("services", "services/default/detector", "nodes", "nodes/edge-01", "templates", "meshes", "deploy")
# WCAG 2.2, 1.4.3: 4.5:1, or 3:1 of large text; what is disabled is exempt.
CONTRAST = (Path(__file__).parent / "contrast.js").read_text(encoding="utf-8")


def test_the_judge_of_contrast_finds_what_is_hard_to_read(tabs: Tabs) -> None:
    page = tabs.open()
    page.evaluate("document.querySelector('h1').style.color = '#aaa'")
    ((text, *_, ratio),) = page.evaluate(CONTRAST)
    assert (text, round(ratio, 1)) == ("Who are you?", 2.1)


def settled(page: Page) -> None:
    """Wait until nothing loads any more."""
    expect(page.locator("h1")).to_be_visible()
    expect(page.get_by_text("Loading…")).to_have_count(0)


@pytest.mark.parametrize("screen", SCREENS)
def test_every_view_can_be_read(tabs: Tabs, cluster: LiveCluster, screen: str, screenshots: Path) -> None:
    tabs.refused |= {422}
    long = "a-service-with-a-name-that-is-very-long"
    cluster.add(node("edge-01", ALIGNMENT), deployment("detector"), deployment(long, ready=False))
    page = tabs.open(token=TOKEN, **SCREENS[screen])
    for view in VIEWS:
        page.goto(f"{tabs.address}/#/{view}")
        settled(page)
        if view == "deploy":
            page.get_by_role("textbox", name="Document").fill(DOCUMENT.replace("replicas: 2", "replicas: many"))
            page.get_by_role("button", name="Check").click()
            expect(page.locator("#problems li")).to_be_visible()
        page.screenshot(path=screenshots / f"{screen}-{view.replace('/', '-')}.png", full_page=True)
        assert page.evaluate(CONTRAST) == [], view
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), view
    page.goto(f"{tabs.address}/#/services/default/detector")
    settled(page)
    page.get_by_role("button", name="Delete…").click()
    page.screenshot(path=screenshots / f"{screen}-delete.png")
    assert page.evaluate(CONTRAST) == []


def test_the_theme_is_the_systems_until_one_is_chosen(tabs: Tabs) -> None:
    page = tabs.open(color_scheme="dark")
    ground = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(ground)
    page.get_by_label("Theme").select_option("Light")
    assert page.evaluate(ground) != dark
    page.reload()
    assert page.evaluate(ground) != dark
    page.get_by_label("Theme").select_option("System theme")
    assert page.evaluate(ground) == dark


def tab_to(page: Page, name: str) -> None:
    """Press Tab until something of a name has the focus, which must be seen."""
    for _ in range(60):
        page.keyboard.press("Tab")
        text, outline = page.evaluate(
            """() => {
                const focused = document.activeElement;
                const outlined = focused.closest(".editor") ?? focused;
                return [focused.textContent || focused.id, getComputedStyle(outlined).outlineStyle];
            }"""
        )
        assert outline != "none", text
        if text == name:
            return
    raise AssertionError(f"{name} is not reached by Tab")


def test_by_keyboard_alone(tabs: Tabs, cluster: LiveCluster) -> None:
    cluster.add(deployment("detector"), deployment("tracker"), node("edge-01"))
    page = tabs.open()
    page.keyboard.type(TOKEN)
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="tracker")).to_be_visible()
    page.reload()
    expect(page.get_by_role("link", name="tracker")).to_be_visible()
    tab_to(page, "Skip to the content")
    page.keyboard.press("Enter")
    tab_to(page, "tracker")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="tracker")).to_be_focused()
    settled(page)
    expect(page.get_by_role("button", name="Scale…")).to_be_visible()
    tab_to(page, "Delete…")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Type tracker to confirm")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_role("button", name="Delete…")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.type("tracker")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Services")).to_be_focused()
    expect(page.get_by_role("link", name="tracker")).to_have_count(0)
    expect(page.get_by_role("link", name="detector")).to_be_visible()
    page.reload()
    tab_to(page, "Deploy")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Deploy")).to_be_focused()
    tab_to(page, "document")
    page.keyboard.insert_text(DOCUMENT.replace("detector", "counter"))
    for button, told in (("Check", "The document is right"), ("Fit", "Fit of counter"), ("Deploy", "default/counter")):
        tab_to(page, button)
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name=told)).to_be_visible()
        expect(page.get_by_role("button", name=button, exact=True)).to_be_focused()
    tab_to(page, "Watch it")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="counter")).to_be_focused()


@pytest.mark.parametrize("name", ["Check", "Fit", "Deploy"])
def test_the_focus_stays_at_a_button_that_waits_or_fails(tabs: Tabs, cluster: LiveCluster, name: str) -> None:
    tabs.refused |= {422}
    cluster.add(node("edge-01"))
    page = tabs.open("#/deploy", token=TOKEN)
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/gse/v1/namespaces/default/**", hold)
    page.get_by_role("textbox", name="Document").fill(DOCUMENT.replace("replicas: 2", "replicas: many"))
    button = page.get_by_role("button", name=name, exact=True)
    button.focus()
    page.keyboard.press("Enter")
    expect(button).to_be_disabled()
    page.keyboard.press("Enter")
    expect(button).to_be_focused()
    held[0].continue_()
    expect(page.locator("#problems li")).to_be_visible()
    expect(button).to_be_enabled()
    expect(button).to_be_focused()
    assert len(held) == 1


def test_the_focus_stays_at_a_dialogs_button(tabs: Tabs, cluster: LiveCluster) -> None:
    tabs.refused |= {409}
    cluster.add(node("edge-01"))
    page = tabs.open("#/deploy", token=TOKEN)
    editor = page.get_by_role("textbox", name="Document")
    button = page.get_by_role("button", name="Deploy", exact=True)
    editor.fill(DOCUMENT)
    button.press("Enter")
    expect(page.get_by_role("link", name="Watch it")).to_be_visible()
    editor.fill(DOCUMENT.replace("detector:1.4", "detector:1.5"))
    button.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(button).to_be_focused()


def test_the_focus_stays_at_the_button_that_stops_a_log(tabs: Tabs, cluster: LiveCluster) -> None:
    cluster.add(deployment("detector"))
    said: list[bytes | None] = [b"INFO begun\n"]
    cluster.logs["/api/v1/namespaces/default/pods/detector-7d9c8-000"] = said
    page = tabs.open("#/services/default/detector", token=TOKEN)
    expect(page.get_by_label("Pod")).to_have_value("detector-7d9c8-000")
    button = page.get_by_role("button", name="Stop")
    expect(button).to_be_disabled()
    page.get_by_role("button", name="Show log").press("Enter")
    expect(page.get_by_role("log")).to_contain_text("begun")
    button.press("Enter")
    expect(page.get_by_text("Stopped.")).to_be_visible()
    expect(button).to_be_disabled()
    expect(button).to_be_focused()
    said.append(None)


def test_the_focus_stays_where_it_is_while_the_list_changes(tabs: Tabs, cluster: LiveCluster) -> None:
    cluster.add(deployment("detector"), deployment("tracker"))
    page = tabs.open(token=TOKEN)
    page.get_by_role("link", name="tracker").focus()
    path, item = deployment("tracker", ready=False)
    cluster.add((path, item), deployment("alpha"))
    cluster.objects.pop(deployment("detector")[0])
    expect(page.locator(".count")).to_have_text("2 services1 not ready")
    expect(page.get_by_role("link", name="tracker")).to_be_focused()


def test_hundreds_of_services_and_fifty_nodes(
    tabs: Tabs, cluster: LiveCluster, screenshots: Path, record_property: Callable[[str, object], None]
) -> None:
    """How long it took is told, and asserted nowhere: `paints.json` beside the screenshots."""
    cluster.add(*(deployment(f"service-{number:03d}", ready=number % 20 != 0) for number in range(500)))
    cluster.add(*(node(f"edge-{number:02d}", ALIGNMENT, ready=number != 7) for number in range(50)))
    page = tabs.open(token=TOKEN)
    expect(page.locator("tbody tr")).to_have_count(500)
    expect(page.locator(".count")).to_have_text("500 services25 not ready")
    page.screenshot(path=screenshots / "five-hundred.png")
    paints = dict(page.evaluate("performance.getEntriesByType('paint').map((entry) => [entry.name, entry.startTime])"))
    timed = page.evaluate(
        """() => new Promise((resolve) => {
            const begun = performance.now();
            const input = document.querySelector('input[type=search]');
            new MutationObserver(() => requestAnimationFrame(() => resolve(performance.now() - begun)))
                .observe(document.querySelector('tbody'), { childList: true });
            input.value = '49';
            input.dispatchEvent(new Event('input'));
        })"""
    )
    expect(page.locator("tbody tr")).to_have_count(15)
    told = {**paints, "filter of 500": timed}
    record_property("milliseconds", told)
    (screenshots / "paints.json").write_text(json.dumps(told, indent=1), encoding="utf-8")
    page.get_by_role("link", name="Nodes").click()
    expect(page.locator("tbody tr")).to_have_count(50)
    expect(page.locator(".count")).to_have_text("50 nodes1 not ready")
