#!/usr/bin/env python3
"""Makes the screenshots of the guide's chapter on watching a run (book/src/watching.md) and writes them to book/src/pictures.

Usage: python book/screenshots.py HADAL
HADAL is the path of the command. Needs playwright, pillow, pyte and tensorboard from PyPI, and a Chromium: the one that CHROMIUM names, or
chromium, chromium-browser or google-chrome on the PATH. Takes about two minutes. The built-in digits are trained on, so no data is needed."""
import contextlib, fcntl, html, io, os, pty, re, shutil, socket, struct, subprocess, sys, tempfile, termios, time, urllib.request

import pyte
from PIL import Image
from playwright.sync_api import sync_playwright

PICTURES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "src", "pictures")
COLUMNS, ROWS = 80, 70
LARGEST = 100_000  # bytes of a picture
TRAIN = ["train", "digits", "--epochs", "8"]

# The sixteen colours as a dark and as a light terminal shows them; text and background.
NAMES = ["black", "red", "green", "brown", "blue", "magenta", "cyan", "white"]
DARK = dict(zip(NAMES, ["#2e3440", "#ff7b72", "#7ee787", "#e3b341", "#79c0ff", "#d2a8ff", "#56d4dd", "#e6edf3"]), text="#e6edf3", back="#0d1117")
LIGHT = dict(zip(NAMES, ["#24292f", "#b3261e", "#116329", "#7d4e00", "#0550ae", "#6639ba", "#1b7c83", "#57606a"]), text="#1f2328", back="#ffffff")


def save(png, name):
    """Writes a picture with as many colours as its size allows."""
    image = Image.open(io.BytesIO(png)).convert("RGB")
    for colors in [256, 128, 64, 32, 16]:
        out = io.BytesIO()
        image.quantize(colors, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(out, "png", optimize=True)
        if out.tell() < LARGEST:
            break
    else:
        sys.exit(f"{name} has {out.tell()} bytes, which is too much")
    with open(os.path.join(PICTURES, name), "wb") as file:
        file.write(out.getvalue())
    print(f"{name}: {image.width} x {image.height}, {colors} colours, {out.tell()} bytes", flush=True)


def terminal(command, home, moment):
    """Runs a command in a terminal; what the terminal shows when it first matches `moment`, and in the end."""
    child, output = pty.fork()
    if child == 0:
        os.chdir(home)
        os.execve(command[0], command, {**os.environ, "HOME": home, "TERM": "xterm-256color", "COLUMNS": "", "LINES": ""})
    fcntl.ioctl(output, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    screen = pyte.Screen(COLUMNS, ROWS)
    stream = pyte.ByteStream(screen)
    then = None
    while True:
        try:
            stream.feed(os.read(output, 256))
        except OSError:  # The command has ended.
            break
        if then is None and re.search(moment, "\n".join(screen.display)):
            then = lines(screen)
    _, status = os.waitpid(child, 0)
    if status or then is None:
        sys.exit(f"{' '.join(command)} ended with {status} and showed\n" + "\n".join(screen.display))
    return then, lines(screen)


def lines(screen):
    """The cells that are not empty, line by line: character, colour, whether it is bold."""
    rows = [[(cell.data, cell.fg, cell.bold) for cell in (screen.buffer[y][x] for x in range(COLUMNS))] for y in range(ROWS)]
    while rows and all(cell[0] == " " for cell in rows[-1]):
        rows.pop()
    return rows


def prompt(command):
    return [("$ " + " ".join(command), "default", False)]


def draw_terminal(browser, rows, colors, name):
    def cell(character, color, bold):
        color = colors.get(color) or ("#" + color if re.fullmatch("[0-9a-f]{6}", color) else colors["text"])
        return f'<i style="color:{color};font-weight:{"bold" if bold else "normal"}">{html.escape(character)}</i>'

    text = "\n".join("".join(cell(*one) for one in row) for row in rows)
    style = "margin:0;padding:14px;width:max-content;font:14px/1.2 'DejaVu Sans Mono',monospace;"
    page = browser.new_page(viewport={"width": 900, "height": 600})
    page.set_content(f'<style>i{{font-style:normal}}body{{margin:0}}</style><pre style="{style}background:{colors["back"]}">{text}</pre>')
    save(page.locator("pre").screenshot(), name)
    page.close()


def open_page(browser, address, width, height, scheme):
    page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
    page.goto(address)
    return page


@contextlib.contextmanager
def serving(command, **options):
    """Runs a command until what is done with it ends."""
    process = subprocess.Popen(command, **options)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def dashboard(browser, hadal, home):
    """All runs, wide and light; and a run while it trains, narrow and dark, with its buttons."""
    shown = {"cwd": home, "env": {**os.environ, "HOME": home}, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    with serving([hadal, "dashboard", "runs", "--port", "0"], **shown) as server:
        page = open_page(browser, address_in(server), 1280, 900, "light")
        page.locator("figure").nth(3).wait_for()
        page.get_by_role("button", name="All", exact=True).click()
        page.wait_for_timeout(3000)
        save(page.screenshot(), "dashboard.png")
        page.close()
    with serving([hadal, *TRAIN[:2], "--epochs", "200", "--dashboard", "--out", "live"], **shown) as server:
        page = open_page(browser, address_in(server), 360, 760, "dark")
        page.locator("figure").nth(3).wait_for()
        page.wait_for_timeout(15000)
        page.evaluate("window.scrollTo(0, 0)")
        save(page.screenshot(), "dashboard_phone.png")
        page.close()


def address_in(server):
    """The first address that a command prints."""
    for line in server.stdout:
        if found := re.search(r"http://\S+", line):
            return found.group(0)
    sys.exit("no address was printed")


def tensorboard(browser, home):
    port = free_port()
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", f"{home}/runs", "--port", str(port)]
    with serving(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL):
        address = f"http://127.0.0.1:{port}/"
        for _ in range(240):
            try:
                urllib.request.urlopen(address + "data/environment")
                break
            except OSError:
                time.sleep(0.25)
        page = open_page(browser, address + "#scalars&tagFilter=loss%7Clearning_rate", 1280, 900, "light")
        page.get_by_text("loss/validation").first.wait_for(timeout=60000)
        page.wait_for_timeout(5000)
        save(page.screenshot(), "tensorboard.png")
        page.close()


def report(browser, home):
    runs = sorted(os.listdir(f"{home}/runs"))
    path = f"{home}/runs/{runs[0]}/report.html"
    if not os.path.exists(path):
        print(f"report.png is left as it is: there is no report.html in {os.path.dirname(path)}")
        return
    page = open_page(browser, "file://" + path, 900, 1000, "light")
    page.wait_for_timeout(1000)
    save(page.screenshot(), "report.png")
    page.close()


def main():
    hadal = os.path.abspath(sys.argv[1])
    names = ["chromium", "chromium-browser", "google-chrome"]
    chromium = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    with tempfile.TemporaryDirectory() as home, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        while_training, ended = terminal([hadal, *TRAIN], home, r"epoch +4/8 .* 6\d%")
        draw_terminal(browser, [prompt(["hadal", *TRAIN]), *while_training], DARK, "terminal.png")
        last = next(y for y, row in enumerate(ended) if "epoch 8/8" in "".join(cell[0] for cell in row))
        draw_terminal(browser, ended[last:], LIGHT, "terminal_end.png")
        for seed in [2, 3]:
            for rate in ["0.001", "0.0001"]:
                switches = ["--seed", str(seed), "--lr", rate, "--quiet"]
                subprocess.run([hadal, *TRAIN, *switches], cwd=home, env={**os.environ, "HOME": home}, check=True, stdout=subprocess.DEVNULL)
        tensorboard(browser, home)
        dashboard(browser, hadal, home)
        report(browser, home)
        browser.close()


if __name__ == "__main__":
    main()
