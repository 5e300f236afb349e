"""Opens the dashboard in headless Chromium: what it shows, and what its buttons do.

python browser.py --check        whether a browser can be opened
python browser.py URL            the test; with HADAL_SHOTS=FOLDER it leaves screenshots there
"""

import os
import re
import shutil
import sys
import time

from playwright.sync_api import sync_playwright

WIDTHS = [360, 768, 1280]


def launch(play):
    try:
        return play.chromium.launch()
    except Exception:
        path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
        return play.chromium.launch(executable_path=path, args=["--no-sandbox"])


def wait_for(what, ask, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = ask()
        if value:
            return value
        time.sleep(0.1)
    raise AssertionError(f"{what}: not after {seconds} s")


def shot(page, name):
    if folder := os.environ.get("HADAL_SHOTS"):
        os.makedirs(folder, exist_ok=True)
        page.screenshot(path=os.path.join(folder, name + ".png"))


def figure(page, title):
    return page.locator("figure", has=page.get_by_role("heading", name=title, exact=True))


def last_step(page, title):
    """The step of the last value of the live run in the table of a chart."""
    cell = figure(page, title).locator("tbody tr", has_text="live").first.locator("td").last
    found = re.search(r"at (\d+)", cell.text_content() if cell.count() else "")
    return int(found.group(1)) if found else 0


def step(page):
    return page.evaluate("fetch('/api/control').then(answer => answer.json()).then(status => status.step)")


def test(page, url, faults):
    page.goto(url)
    wait_for("charts", lambda: page.locator("figure").count() > 5)
    assert "token" not in page.url, page.url
    assert page.locator("#runs li").count() == 4
    assert page.locator("#runs", has_text="<img src=x onerror=alert(1)>").count() == 1, "the name is shown as it is"
    assert page.locator("img[src='x']").count() == 0, "and is no markup"

    # Curves grow.
    wait_for("the curve of batches", lambda: figure(page, "loss/batch").count())
    figure(page, "loss/batch").get_by_role("button", name="as a table").click()
    first = wait_for("a value of the live run", lambda: last_step(page, "loss/batch"))
    wait_for("a later value", lambda: last_step(page, "loss/batch") > first)

    # Zoom by keyboard and by drag; values are read out.
    loss = figure(page, "loss")
    plot = loss.locator(".plot")
    plot.focus()
    page.keyboard.press("ArrowRight")
    assert "step" in loss.locator("[aria-live]").text_content()
    page.keyboard.press("+")
    assert loss.get_by_role("button", name="Show all").is_visible()
    page.keyboard.press("0")
    assert not loss.get_by_role("button", name="Show all").is_visible()
    box = plot.bounding_box()
    page.mouse.move(box["x"] + 100, box["y"] + 50)
    page.mouse.down()
    page.mouse.move(box["x"] + 200, box["y"] + 80)
    page.mouse.up()
    assert loss.get_by_role("button", name="Show all").is_visible()
    loss.get_by_role("button", name="Show all").click()

    # What all charts share.
    page.select_option("#x", "epoch")
    page.locator("#weight").fill("0.9")
    page.locator("#log").check()
    page.select_option("#group", "*")
    wait_for("groups", lambda: loss_rows(page) >= 2)
    assert page.locator("#groups li").count() >= 1
    page.select_option("#group", "")
    assert page.locator("#groups li").count() == 0
    page.select_option("#x", "step")
    page.locator("#weight").fill("0")
    page.locator("#log").uncheck()
    page.fill("#filter", "ended learning_rate=0.1")
    assert page.locator("#runs li:visible").count() == 1
    page.fill("#filter", "")
    assert page.locator("tr.differs", has_text="optimizer.learning_rate ≠").count() == 1
    wait_for("a histogram", lambda: page.locator("figure", has_text="histograms, steps").count())

    classes_and_samples(page)

    # Pause, another learning rate, on, stop.
    page.get_by_role("button", name="Pause").click()
    wait_for("the pause", lambda: page.get_by_role("button", name="Go on").is_visible())
    time.sleep(0.3)
    paused = step(page)
    time.sleep(0.5)
    assert step(page) == paused, "training is paused"
    page.fill("#rate", "0.005")
    page.get_by_role("button", name="Set").click()
    wait_for("the answer", lambda: "0.005" in page.locator("#status").text_content())
    page.get_by_role("button", name="Go on").click()
    wait_for("training", lambda: step(page) > paused)
    page.get_by_role("button", name="Stop after a checkpoint").click()
    wait_for("the end", lambda: not page.locator("#control").is_visible())
    assert not faults, faults


def section(page, title):
    found = page.locator("details.section", has=page.get_by_role("heading", name=title, exact=True))
    found.scroll_into_view_if_needed()
    return found


def classes_and_samples(page):
    """What is shown of the machine, of classes, of samples, and of texts."""
    assert page.locator("#runs li", has_text="health: dead units").count() == 3
    found = section(page, "Health").locator("li").first.text_content()
    assert "epoch 3, step 150: three quarters of <b>layer 0</b> are dead" in found and "Try a smaller" in found, found
    assert section(page, "Dead units").locator("figure").count() >= 1
    machine = section(page, "Memory and processor")
    memory = machine.locator("figure", has=page.get_by_role("heading", name="memory", exact=True))
    memory.get_by_role("button", name="as a table").click()
    wait_for("mebibytes", lambda: "MiB at 500" in memory.locator("tbody").text_content())
    memory.get_by_role("button", name="as a table").click()

    choose(section(page, "Classes"))
    matrix = figure(page, "confusion_matrix")
    matrix.scroll_into_view_if_needed()
    wait_for("counts", lambda: matrix.locator("td").count() == 4)
    assert matrix.get_by_role("columnheader", name="<img src=x onerror=alert(2)>").count() == 1
    for title, drawn in [("precision and recall", "AP"), ("calibration", "error")]:
        part = figure(page, title)
        part.scroll_into_view_if_needed()
        wait_for("classes", lambda: part.locator(".classes button").count() >= 10)
        button = part.locator(".classes button", has_text="class 3")
        assert "class 3" in button.text_content() and drawn in button.text_content(), button.text_content()
        button.focus()
        page.keyboard.press("Enter")
        assert button.get_attribute("aria-pressed") == "true"
        assert part.locator(".class").count() - part.locator(".class.faint").count() == 1
        page.keyboard.press("Enter")
        part.get_by_role("button", name="as a table").click()
        assert part.locator("tbody tr").count() >= 10
        part.get_by_role("button", name="as a table").click()

    samples = section(page, "Samples")
    choose(samples)
    wait_for("mistakes", lambda: samples.locator(".sample img").count() == 16)
    assert samples.get_by_text("sample 1 is 4, predicted <b>9</b>").count() == 1
    wait_for("pixels", lambda: samples.locator(".sample img").first.evaluate("image => image.naturalWidth") == 28)
    text = section(page, "Text").locator("figure", has=page.get_by_role("heading", name="notes", exact=True))
    wait_for("the text", lambda: text.locator("strong").count() == 1)
    assert "<script>alert(1)</script>" in text.text_content()
    links = text.locator("a")
    assert links.count() == 1 and links.get_attribute("href") == "https://a.example/"
    assert "noopener" in links.get_attribute("rel")


def choose(part):
    """A run that has ended, in each figure of a section."""
    for select in part.locator("figcaption select").all():
        if select.is_visible():
            option = select.locator("option", has_text="ended-1-0.1").get_attribute("value")
            select.select_option(option)


def loss_rows(page):
    table = figure(page, "loss")
    if table.locator(".scroll").is_hidden():
        table.get_by_role("button", name="as a table").click()
    rows = table.locator("tbody tr").count()
    table.get_by_role("button", name="as a table").click()
    return rows


def look(browser, url):
    """The page at all widths, light and dark: nothing sticks out."""
    for scheme in ["light", "dark"]:
        for width in WIDTHS:
            context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
            page = context.new_page()
            page.goto(url)
            wait_for("charts", lambda: page.locator("figure").count() > 5)
            time.sleep(0.8)
            shot(page, f"page-{width}-{scheme}")
            over = page.evaluate("document.documentElement.scrollWidth - innerWidth")
            assert over <= 0, f"the page is {over} pixels wider than {width}"
            if width == 360:
                page.get_by_role("button", name="Runs").click()
                shot(page, f"runs-{width}-{scheme}")
                page.get_by_role("button", name="Runs").click()
            for title in ["Health", "Memory and processor", "Classes", "Samples", "Histograms", "Text", "Settings"]:
                # Ended runs have all of it.
                choose(section(page, title))
                time.sleep(0.7)
                section(page, title).evaluate("part => part.scrollIntoView()")
                page.mouse.wheel(0, -60)
                time.sleep(0.5)
                shot(page, f"{title.split()[0].lower()}-{width}-{scheme}")
                over = page.evaluate("document.documentElement.scrollWidth - innerWidth")
                assert over <= 0, f"{title}: the page is {over} pixels wider than {width}"
            context.close()


def main():
    with sync_playwright() as play:
        browser = launch(play)
        if sys.argv[1] == "--check":
            return
        url = sys.argv[1]
        server = url.split("#")[0]
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        faults = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda message: message.type == "error" and faults.append(message.text))
        page.on("dialog", lambda dialog: faults.append("a dialog"))
        page.on("request", lambda request: request.url.startswith((server, "blob:")) or faults.append(request.url))
        look(browser, url)
        test(page, url, faults)


main()
