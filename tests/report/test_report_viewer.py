"""The report in a real browser: nothing asked of a network, keys and toggles at work, fit for a phone."""

from dataclasses import replace

import pytest

from clisc_engine.report.write import Choice, write_report
from clisc_engine.running.control import Control
from clisc_engine.settings.keys import with_changes
from tests.support.browser import CHROMIUM, browser

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")

READY = "document.querySelector('[data-part=readout]').textContent !== ''"
PICTURE = "document.querySelector('[data-part=canvas]').toDataURL()"
READOUT = "document.querySelector('[data-part=readout]').textContent"
FOCUS = "document.querySelector('[data-part=canvas]').focus()"


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    """A headless Chromium for this file's tests."""
    with browser(tmp_path_factory.mktemp("profile")) as window:
        yield window


@pytest.fixture
def window(chromium, page):
    """The report, opened afresh on a desktop's screen."""
    chromium.size(1280, 900)
    chromium.theme("light")
    chromium.open("about:blank")
    chromium.open(page.as_uri())
    chromium.until(READY)
    return chromium


def z(window):
    """The slice shown."""
    return int(window.run(READOUT).split()[1])


def toggle(window, layer):
    window.run(f"document.querySelector('[data-layer={layer}]').click()")


def test_it_opens_without_complaint_and_asks_nothing_of_a_network(window, page):
    assert window.complaints() == []
    assert window.requests() == [page.as_uri()]


def test_the_slider_and_the_arrow_keys_change_the_slice(window):
    start, before = z(window), window.run(PICTURE)
    window.run(FOCUS)
    window.press("ArrowRight")
    assert z(window) == start + 1 and window.run(PICTURE) != before
    window.press("ArrowLeft")
    assert z(window) == start and window.run(PICTURE) == before
    window.press("Home")
    window.press("ArrowDown")
    assert z(window) == 0
    window.press("End")
    assert z(window) == 13
    slide = "(() => { const s = document.querySelector('[data-part=slice]'); s.value = 3; "
    window.run(slide + "s.dispatchEvent(new Event('input')); })()")
    assert z(window) == 3
    assert window.complaints() == []


def test_the_canvas_names_the_sides_and_the_layers_their_volumes(window):
    corner = (
        "(() => { const c = document.querySelector('[data-part=canvas]');"
        "const d = c.getContext('2d').getImageData(0, 0, 40, 40).data; let n = 0;"
        "for (let i = 0; i < d.length; i += 4) if (d[i] > 190) n += 1; return n; })()"
    )
    window.run(FOCUS)
    window.press("End")
    assert window.run(corner) > 20, "a letter stands in the empty corner of the last slice"
    assert window.run("document.querySelector('[data-part=told]').textContent").startswith("radiological")
    assert " ml, DSC " in window.run("document.querySelector('[data-figures=sam]').textContent")


def test_every_layer_of_the_case_is_drawn_and_taken_away(window):
    for layer in ("prompts", "sam", "final", "reference"):
        toggle(window, layer)
    bare = window.run(PICTURE)
    seen = {bare}
    for layer in ("cam", "amda", "prompts", "sam", "round1", "final", "reference"):
        toggle(window, layer)
        drawn = window.run(PICTURE)
        assert drawn not in seen, f"{layer} changes the picture in its own way"
        seen.add(drawn)
        toggle(window, layer)
        assert window.run(PICTURE) == bare, layer


def test_digits_toggle_layers_and_leave_other_shortcuts_alone(window):
    checked = "document.querySelector('[data-layer=sam]').checked"
    window.run(FOCUS)
    assert window.run(checked) is True
    window.press("4", "4")
    assert window.run(checked) is False
    window.call("Input.dispatchKeyEvent", type="keyDown", key="4", modifiers=2)
    assert window.run(checked) is False, "Ctrl+4 belongs to the browser"


def test_a_mask_is_filled_with_its_colour_and_as_strongly_as_wished(window):
    for layer in ("prompts", "final", "reference"):
        toggle(window, layer)

    def bluish():
        """How many pixels are bluer than red, as SAM's colour is and no brain."""
        return window.run(
            "(() => { const c = document.querySelector('[data-part=canvas]');"
            "const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data; let n = 0;"
            "for (let i = 0; i < d.length; i += 4) if (d[i + 2] - d[i] > 10) n += 1; return n; })()"
        )

    strong = bluish()
    slide = "(() => { const s = document.querySelector('[data-part=opacity]'); s.value = 0; "
    window.run(slide + "s.dispatchEvent(new Event('input')); })()")
    outline = bluish()
    toggle(window, "sam")
    assert strong > outline > 0 == bluish()


def test_a_layer_that_a_case_lacks_cannot_be_chosen(window):
    window.run("location.hash = '#view-1'")
    window.until(READOUT + " && document.querySelector('[data-layer=reference]').disabled")
    assert window.run("document.querySelector('[data-part=case]').value") == "1"
    window.press("7", "7")
    assert window.complaints() == []


def test_a_link_opens_a_case_at_a_slice_and_n_and_p_go_on(window):
    window.run("location.hash = '#view-2-4'")
    window.until("document.querySelector('[data-part=case]').value === '2'")
    window.until(READOUT + ".startsWith('z 4 ')")
    for key, case in (("n", 3), ("p", 2)):
        window.press(key, key)
        window.until(f"document.querySelector('[data-part=case]').value === '{case}'")
    window.run("location.hash = '#view-99'")
    assert window.run("document.querySelector('[data-part=case]').value") == "2"
    assert window.complaints() == []


def test_on_a_phone_nothing_is_wider_than_the_screen(window, page):
    window.size(390, 844, mobile=True)
    window.open(page.as_uri())
    window.until(READY)
    assert window.run("document.documentElement.scrollWidth") == 390
    width = window.run("document.querySelector('[data-part=canvas]').getBoundingClientRect().width")
    assert 300 < width <= 390


def test_long_names_and_reasons_do_not_widen_a_phone_s_page(chromium, copied, tmp_path):
    case = copied.case("p0")
    name = "patient" * 20
    copied.add_case(replace(case.info, name=name), case.read("image"), case.seal("image"))
    changes = {"label.tumour_prompts": ["x" * 300]}
    copied.change_settings(with_changes(copied.settings, changes, "test"), changes)
    path = tmp_path / "report.html"
    write_report(copied, path, Choice(cases=(name, "p4")), Control())
    chromium.size(390, 844, mobile=True)
    chromium.open(path.as_uri())
    chromium.until(READY)
    assert chromium.run("document.documentElement.scrollWidth") == 390


def test_dark_and_light_follow_the_user_s_wish(window):
    lightness = (
        "(() => getComputedStyle(document.body).backgroundColor.match(/\\d+/g)"
        ".reduce((sum, part) => sum + Number(part), 0))()"
    )
    assert window.run(lightness) > 600
    window.theme("dark")
    assert window.run(lightness) < 150


def test_paper_shows_no_controls(window):
    window.call("Emulation.setEmulatedMedia", media="print")
    try:
        for gone in ("nav", ".stage"):
            assert window.run(f"getComputedStyle(document.querySelector('{gone}')).display") == "none"
        assert window.run("getComputedStyle(document.querySelector('.print-only')).display") == "block"
    finally:
        window.call("Emulation.setEmulatedMedia", media="")
