"""The report in a real browser, Chromium from apt: from a file, without a network."""

import base64
import struct
import zlib

import pytest
from pages import every_kind
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from trainstation.bench.report import page

PHONE, LAPTOP = (390, 844), (1366, 768)
LINES = "figure svg [data-o='{}']"


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    made = tmp_path_factory.mktemp("report") / "report.html"
    page.write(every_kind(), made, command="trainstation report")
    return made


@pytest.fixture(scope="module")
def browser():
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    for option in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"):
        options.add_argument(option)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))
    yield driver
    driver.quit()


@pytest.fixture
def opened(browser, path):
    """The page, on a laptop, in light; afterwards nothing was complained of, and nothing was asked of a network."""
    for kind in ("browser", "performance"):
        browser.get_log(kind)
    show(browser, LAPTOP)
    browser.get(path.as_uri())
    yield browser
    complaints = [each for each in browser.get_log("browser") if each["level"] in ("SEVERE", "WARNING")]
    assert not complaints
    asked = [
        each["message"] for each in browser.get_log("performance") if "Network.requestWillBeSent" in each["message"]
    ]
    assert asked
    assert not [each for each in asked if '"url":"http' in each]


def show(browser, size, scheme="light", media=""):
    width, height = size
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": size == PHONE},
    )
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": features})


def pixels(png):
    """The colours of a PNG's pixels: bytes of 3 or 4 channels, a set."""
    width, height = struct.unpack(">II", png[16:24])
    channels = {2: 3, 6: 4}[png[25]]
    data, at = b"", 8
    while at < len(png):
        length, kind = struct.unpack(">I4s", png[at : at + 8])
        data += png[at + 8 : at + 8 + length] if kind == b"IDAT" else b""
        at += 12 + length
    raw, stride = zlib.decompress(data), width * channels + 1
    return {raw[row * stride + 1 :][:stride] for row in range(height)}


def visible(browser, selector):
    return [each.is_displayed() for each in browser.find_elements(By.CSS_SELECTOR, selector)]


def test_a_heading_sorts_numbers_as_numbers_and_misses_last(opened):
    tables = opened.find_elements(By.CSS_SELECTOR, "#results table")
    headings = [each.text for each in tables[0].find_elements(By.CSS_SELECTOR, "thead th")]
    place = next(n for n, text in enumerate(headings) if text.startswith("steps to target"))
    column = f"return [...arguments[0].tBodies[0].rows].map((row) => row.cells[{place}].dataset.v ?? null)"
    table = next(each for each in tables if 0 < opened.execute_script(column, each).count(None) < 6)  # has both
    heading = table.find_elements(By.CSS_SELECTOR, "thead th")[place]
    assert heading.get_attribute("aria-sort") == "none"
    for state, sign in (("ascending", 1), ("descending", -1)):
        heading.find_element(By.TAG_NAME, "button").click()
        assert heading.get_attribute("aria-sort") == state
        values = opened.execute_script(column, table)
        found = [float(value) for value in values if value is not None]
        assert found == sorted(found, key=lambda value: sign * value)
        assert values[: len(found)] == [value for value in values if value is not None]
        assert 0 < len(found) < len(values)


def test_a_heading_sorts_words_by_the_keyboard(opened):
    [table] = opened.find_elements(By.CSS_SELECTOR, "#results table")[:1]
    button = table.find_element(By.CSS_SELECTOR, "thead th button")
    names = "return [...arguments[0].tBodies[0].rows].map((row) => row.cells[0].textContent)"
    button.send_keys(Keys.ENTER)
    found = opened.execute_script(names, table)
    assert found == sorted(found)
    assert opened.execute_script("return getComputedStyle(document.activeElement).outlineStyle") == "solid"
    button.send_keys(Keys.SPACE)
    assert opened.execute_script(names, table) == found[::-1]


def test_a_check_box_toggles_an_optimizer_in_all_figures(opened):
    labels = opened.find_elements(By.CSS_SELECTOR, ".legend label")
    [label] = [each for each in labels if each.text == "adam"]
    key = label.find_element(By.TAG_NAME, "input").get_attribute("id").removeprefix("show-")
    shown = visible(opened, LINES.format(key))
    assert len(shown) > 10
    assert all(shown)
    label.click()
    assert not any(visible(opened, LINES.format(key)))
    assert any(visible(opened, "figure svg [data-o]"))
    opened.find_element(By.XPATH, "//button[text()='none']").click()
    assert not any(visible(opened, "figure svg [data-o]"))
    opened.find_element(By.XPATH, "//button[text()='all']").send_keys(Keys.ENTER)
    assert all(visible(opened, "figure svg [data-o]"))


def test_without_scripts_everything_is_there_and_toggles(opened, path):
    opened.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        opened.get(path.as_uri())
        assert not opened.find_elements(By.CSS_SELECTOR, "th button")
        assert all(visible(opened, "figure svg [data-o]"))
        opened.find_element(By.CSS_SELECTOR, ".legend label").click()
        assert not all(visible(opened, "figure svg [data-o]"))
    finally:
        opened.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


def test_light_and_dark(opened):
    colours = "return ['backgroundColor', 'color'].map((name) => getComputedStyle(document.body)[name])"
    tick = "return getComputedStyle(document.querySelector('#curves svg text')).fill"
    light, light_tick = opened.execute_script(colours), opened.execute_script(tick)
    show(opened, LAPTOP, "dark")
    dark, dark_tick = opened.execute_script(colours), opened.execute_script(tick)
    assert brightness(light[0]) - brightness(light[1]) > 150
    assert brightness(dark[1]) - brightness(dark[0]) > 150
    assert (light_tick, dark_tick) == (light[1], dark[1])


def brightness(colour):
    return sum(map(float, colour[colour.index("(") + 1 : -1].split(",")[:3])) / 3


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [PHONE, LAPTOP])
def test_it_fits_and_is_not_blank(opened, tmp_path, size, scheme):
    show(opened, size, scheme)
    wide, most = opened.execute_script("return [document.scrollingElement.scrollWidth, innerWidth]")
    assert wide <= most
    for section in ("verdict", "curves", "diagnostics"):
        opened.execute_script("document.getElementById(arguments[0]).scrollIntoView()", section)
        png = opened.get_screenshot_as_png()
        (tmp_path / f"{section}-{size[0]}-{scheme}.png").write_bytes(png)
        assert struct.unpack(">II", png[16:24]) == size
        assert len(pixels(png)) > size[1] / 10  # rows of pixels that differ


def test_it_prints(opened, tmp_path):
    made = opened.execute_cdp_cmd("Page.printToPDF", {"preferCSSPageSize": True, "printBackground": False})
    pdf = base64.b64decode(made["data"])
    (tmp_path / "report.pdf").write_bytes(pdf)
    assert pdf.startswith(b"%PDF")
    assert 3 < pdf.count(b"/Type /Page\n") + pdf.count(b"/Type /Page ") < 40
    show(opened, (794, 1123), media="print")
    png = opened.get_screenshot_as_png()
    (tmp_path / "print.png").write_bytes(png)
    assert len(pixels(png)) > 100
    assert not any(visible(opened, "nav, .legend button"))


def test_the_page_refuses_what_is_not_its_own(browser, path):
    """Were a row's words ever taken for markup, they could still run nothing, and load nothing."""
    browser.get(path.as_uri())
    browser.get_log("browser")
    bad = "<img src='data:image/png,x' onerror='document.title = 1'>"
    browser.execute_script("document.body.insertAdjacentHTML('beforeend', arguments[0])", bad)
    refused = [each["message"] for each in browser.get_log("browser") if "Content Security Policy" in each["message"]]
    assert any("img-src" in each for each in refused)
    assert any("inline event handler" in each for each in refused)
    assert browser.title == "Optimizers compared"
