#!/usr/bin/env python3
"""How long the dashboard takes in headless Chromium: to open a run of a million points, a history of a million epochs and a folder of 500 runs,
and to update.

Usage: python benches/peers/dashboard.py HADAL [ROUNDS]. Needs playwright, tensorboard and a Chromium (CHROMIUM, or /usr/bin/chromium). Opening
is from navigation to the last line that is drawn; an update from the page's first request after a file has grown to the last line."""
import os, re, shutil, statistics, subprocess, sys, tempfile

from playwright.sync_api import sync_playwright
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.summary.writer.record_writer import RecordWriter

hadal, rounds = os.path.abspath(sys.argv[1]), int((sys.argv[2:] or ["5"])[0])
POINTS, RUNS, EPOCHS = 1_000_000, 500, 50
# What is drawn and asked for, by the page's clock.
WATCH = """
window.drawn = 0; window.asked = [];
const stroke = CanvasRenderingContext2D.prototype.stroke;
CanvasRenderingContext2D.prototype.stroke = function (...a) { window.drawn = performance.now(); return stroke.apply(this, a); };
const ask = window.fetch;
window.fetch = (...a) => { window.asked.push(performance.now()); return ask(...a); };
"""


def add_points(path, first, count):
    with open(path, "ab") as file:
        writer = RecordWriter(file)
        for step in range(first, first + count):
            event = Event(wall_time=1.7e9 + step / 100, step=step)
            event.summary.value.add(tag="loss", simple_value=1 / (1 + step / 1e4) + (step * 7919 % 1000) / 1e4)
            writer.write(event.SerializeToString())


def add_epochs(folder, first, count):
    path = f"{folder}/history.csv"
    with open(path, "a") as file:
        if first == 1:
            file.write("epoch,loss,val_loss,learning_rate,dataset\n")
        for epoch in range(first, first + count):
            file.write(f"{epoch},{1 / epoch},{1.1 / epoch},0.001,t.csv\n")


def quiet(page):
    """Waits until nothing has been drawn for a second; the last time that it was."""
    while True:
        page.wait_for_timeout(300)
        if page.evaluate("window.drawn > 0 && performance.now() - window.drawn > 1000"):
            return page.evaluate("window.drawn")


def measure(browser, folder, home, grow, choose_all=False):
    server = subprocess.Popen([hadal, "dashboard", folder, "--port", "0"], stdout=subprocess.PIPE, text=True, env={**os.environ, "HOME": home})
    address = re.search(r"http://\S+/", server.stdout.readline()).group(0)
    page = browser.new_page(viewport={"width": 1280, "height": 860})
    page.add_init_script(WATCH)
    page.goto(address)
    opened = quiet(page)
    if choose_all:
        page.get_by_role("button", name="All", exact=True).click()
        quiet(page)
    updates = []
    for turn in range(3):
        page.evaluate("window.asked = []")
        grow(turn)
        while not page.evaluate("window.asked.length"):
            page.wait_for_timeout(20)
        last = quiet(page)
        # The first of the requests is that for the list of runs.
        updates.append(last - page.evaluate("window.asked[0]"))
    page.close()
    server.kill()
    server.wait()
    return opened, statistics.median(updates)


with tempfile.TemporaryDirectory() as home, sync_playwright() as playwright:
    long, many, table = f"{home}/long", f"{home}/many", f"{home}/table"
    os.makedirs(f"{long}/run")
    events = f"{long}/run/events.out.tfevents.1700000000.host.1.0"
    add_points(events, 1, POINTS)
    for run in range(RUNS):
        os.makedirs(f"{many}/run-{run}")
        add_epochs(f"{many}/run-{run}", 1, EPOCHS)
    os.makedirs(f"{table}/run")
    add_epochs(f"{table}/run", 1, POINTS)
    browser = playwright.chromium.launch(executable_path=os.environ.get("CHROMIUM", "/usr/bin/chromium"), args=["--no-sandbox"])
    points, epochs, lines = [POINTS], [EPOCHS], [POINTS]

    def grow_long(_):
        add_points(events, points[0] + 1, 100)
        points[0] += 100

    def grow_many(_, grown=1):
        for run in range(grown):
            add_epochs(f"{many}/run-{run}", epochs[0] + 1, 1)
        epochs[0] += 1

    def grow_table(_):
        add_epochs(f"{table}/run", lines[0] + 1, 1)
        lines[0] += 1

    print("| what | opens (ms) | updates (ms) |\n| --- | --- | --- |")
    for what, folder, grow, fresh, choose_all in [
        ("1,000,000 points, for the first time", long, grow_long, True, False),
        ("the same, read before", long, grow_long, False, False),
        ("a history of 1,000,000 epochs, for the first time", table, grow_table, True, False),
        ("the same, read before", table, grow_table, False, False),
        ("500 runs, as they are chosen at first", many, grow_many, False, False),
        ("500 runs, all chosen, one of which grows", many, grow_many, False, True),
        ("500 runs, all chosen, all of which grow", many, lambda turn: grow_many(turn, RUNS), False, True),
    ]:
        taken = []
        for _ in range(rounds):
            if fresh:
                shutil.rmtree(f"{home}/.cache", ignore_errors=True)
            taken.append(measure(browser, folder, home, grow, choose_all))
        opens, updates = zip(*taken)
        print(f"| {what} | {statistics.median(opens):.0f} | {statistics.median(updates):.0f} |", flush=True)
    browser.close()
