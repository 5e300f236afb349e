#!/usr/bin/env python3
"""Draws the diagrams of the guide that show no measured numbers, and writes them to book/src/pictures.

Usage: python book/diagrams.py
Needs nothing but Python. Numbers in cells are computed here."""
import os

PICTURES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "src", "pictures")
# The colours of hadal::plot.
TEXT, FAINT, GRID, BLUE, ORANGE, GREEN = "#222222", "#6e6e6e", "#e1e1e1", "#0072b2", "#d55e00", "#009e73"
LIGHT = {BLUE: "#d1e2f3", ORANGE: "#fbe0cc", GREEN: "#cdeee2"}
FONT = "Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif"


class Drawing:
    """An SVG picture on white, so that it can be read on dark pages, too."""

    def __init__(self, width, height, title):
        self.width, self.height = width, height
        self.parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
            f'font-family="{FONT}" role="img">',
            f"<title>{title}</title>",
            f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        ]

    def rect(self, x, y, width, height, fill="none", stroke=GRID, line=1, dash="", radius=0):
        dashes = f' stroke-dasharray="{dash}"' if dash else ""
        self.parts.append(
            f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="{radius}" fill="{fill}" stroke="{stroke}" '
            f'stroke-width="{line}"{dashes}/>'
        )

    def text(self, x, y, text, size=14, color=TEXT, anchor="middle", bold=False):
        weight = ' font-weight="bold"' if bold else ""
        self.parts.append(
            f'<text x="{x:g}" y="{y:g}" font-size="{size}" fill="{color}" text-anchor="{anchor}"{weight}>{text}</text>'
        )

    def line(self, points, color=FAINT, width=1.5, dash=""):
        dashes = f' stroke-dasharray="{dash}"' if dash else ""
        path = " ".join(f"{x:g},{y:g}" for x, y in points)
        self.parts.append(f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="{width}"{dashes}/>')

    def arrow(self, start, end, color=FAINT, width=1.6, dash=""):
        """Along a straight line."""
        (x, y), (u, v) = start, end
        length = ((u - x) ** 2 + (v - y) ** 2) ** 0.5
        dx, dy = (u - x) / length, (v - y) / length
        self.line([start, (u - 6 * dx, v - 6 * dy)], color, width, dash)
        left, right = (u - 9 * dx - 4 * dy, v - 9 * dy + 4 * dx), (u - 9 * dx + 4 * dy, v - 9 * dy - 4 * dx)
        path = " ".join(f"{a:.1f},{b:.1f}" for a, b in [end, left, right])
        self.parts.append(f'<polygon points="{path}" fill="{color}"/>')

    def grid(self, x, y, rows, columns, cell, numbers=None, fill=None, size=14):
        """Cells with numbers; `fill` gives the colour of a cell."""
        for row in range(rows):
            for column in range(columns):
                left, top = x + column * cell, y + row * cell
                self.rect(left, top, cell, cell, (fill and fill(row, column)) or "#ffffff", "#bdbdbd")
                if numbers:
                    self.text(left + cell / 2, top + cell / 2 + size * 0.36, f"{numbers[row][column]:g}".replace("-", "−"), size)

    def save(self, name):
        with open(os.path.join(PICTURES, name), "w", encoding="utf-8") as file:
            file.write("\n".join([*self.parts, "</svg>"]) + "\n")


def convolved(image, kernel):
    side = len(kernel)
    places = range(len(image) - side + 1)
    inner = range(side)
    return [[sum(kernel[i][j] * image[y + i][x + j] for i in inner for j in inner) for x in places] for y in places]


def sliding():
    """A kernel over a bright square at two places, and what it gives."""
    image = [[0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0], [0, 0, 2, 2, 2, 2], [0, 0, 2, 2, 2, 2], [0, 0, 2, 2, 2, 2], [0, 0, 2, 2, 2, 2]]
    kernel = [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]
    output = convolved(image, kernel)
    drawing = Drawing(760, 500, "A kernel slides over an image")
    cell = 34
    for panel, (row, column) in enumerate([(1, 0), (2, 3)]):
        top = 44 + panel * 236
        color = [ORANGE, BLUE][panel]
        within = lambda y, x: LIGHT[color] if row <= y < row + 3 and column <= x < column + 3 else None
        drawing.grid(20, top, 6, 6, cell, image, within)
        drawing.rect(20 + column * cell, top + row * cell, 3 * cell, 3 * cell, stroke=color, line=3)
        drawing.text(20 + 3 * cell, top - 12, "image, 6 × 6")
        drawing.text(262, top + 3 * cell + 8, "·", 30)
        drawing.grid(300, top + 1.5 * cell, 3, 3, cell, kernel, lambda y, x: LIGHT[color])
        drawing.text(300 + 1.5 * cell, top - 12, "kernel, 3 × 3")
        terms = [(kernel[i][j], image[row + i][column + j]) for i in range(3) for j in range(3)]
        shown = " + ".join(f"({a}) · {b}".replace("-", "−") if a < 0 else f"{a} · {b}" for a, b in terms if a and b)
        total = sum(a * b for a, b in terms)
        drawing.text(300 + 1.5 * cell, top + 5.2 * cell, shown.split(" + (")[0] if len(shown) < 32 else shown[: shown.rindex("(") - 3], 12)
        rest = f" = {total}" if len(shown) < 32 else f"+ {shown[shown.rindex('('):]} = {total}"
        drawing.text(300 + 1.5 * cell, top + 5.7 * cell, rest, 12)
        drawing.arrow((436, top + 3 * cell), (500, top + 3 * cell))
        mark = lambda y, x: LIGHT[color] if (y, x) == (row, column) else None
        drawing.grid(540, top + cell, 4, 4, cell, output, mark)
        drawing.rect(540 + column * cell, top + cell + row * cell, cell, cell, stroke=color, line=3)
        drawing.text(540 + 2 * cell, top - 12, "output, 4 × 4")
    drawing.save("sliding.svg")


def windows():
    """Where windows of three pixels lie along a line of seven, by the settings."""
    drawing = Drawing(760, 372, "Stride, padding and dilation")
    cell = 26
    settings = [("stride 1", 1, 0, 1), ("stride 2", 2, 0, 1), ("padding 1", 1, 1, 1), ("dilation 2", 1, 0, 2)]
    for index, (name, stride, padding, dilation) in enumerate(settings):
        left, top = 50 + index % 2 * 370, 34 + index // 2 * 176
        size, reach = 7, dilation * 2 + 1
        output = (size + 2 * padding - reach) // stride + 1
        drawing.text(left + 3.5 * cell, top - 10, f"{name}: {size} → {output}", 15, bold=True)
        for place in range(-padding, size + padding):
            inside = 0 <= place < size
            drawing.rect(left + place * cell, top, cell, cell, LIGHT[BLUE] if inside else "#ffffff", BLUE if inside else FAINT, 1, "" if inside else "3 2")
            if not inside:
                drawing.text(left + (place + 0.5) * cell, top + cell * 0.68, "0", 12, FAINT)
        for window in range(output):
            y = top + cell + 8 + window * 13
            first = window * stride - padding
            drawing.line([(left + (first + 0.5) * cell, y + 4), (left + (first + reach - 0.5) * cell, y + 4)], ORANGE, 1.2)
            for tap in range(3):
                drawing.rect(left + (first + tap * dilation) * cell + 5, y, cell - 10, 8, ORANGE, ORANGE)
            drawing.text(left + (size + padding) * cell + 16, y + 8, f"y{window}", 11, FAINT, "start")
    drawing.save("windows.svg")


def fields():
    """What one place of the third layer sees in the layers below, along a line."""
    drawing = Drawing(760, 300, "The receptive field of one place")
    cell = 34
    names = ["input", "first layer", "second layer", "third layer"]
    # Kernels of three, stride 1: one place above is three below.
    for level, name in enumerate(names):
        y = 240 - level * 70
        count = 17
        seen = range(8 - (3 - level), 8 + (3 - level) + 1)
        for place in range(count):
            color = LIGHT[ORANGE] if place in seen else "#ffffff"
            drawing.rect(130 + place * cell, y, cell, 26, color, ORANGE if place in seen else "#bdbdbd", 1.4 if place in seen else 1)
        width = len(seen)
        drawing.text(120, y + 18, name, 14, anchor="end")
        if level < 3:
            drawing.text(130 + 8.5 * cell, y + 18, f"{width}", 14, bold=True)
        if level:
            for place in seen:
                for below in (place - 1, place + 1):
                    drawing.line([(130 + (place + 0.5) * cell, y + 26), (130 + (below + 0.5) * cell, y + 70)], ORANGE, 0.8)
    drawing.text(130 + 8.5 * cell, 48, "1", 14, bold=True)
    drawing.save("fields.svg")


def box(drawing, x, y, text, color, width=66, height=40):
    drawing.rect(x - width / 2, y - height / 2, width, height, LIGHT[color], color, 1.6, radius=6)
    drawing.text(x, y + 5, text, 15)


def unrolled():
    """A recurrent cell, and the same cell along four steps."""
    drawing = Drawing(760, 270, "A recurrent network, unrolled")
    sub = lambda name, index: f'{name}<tspan dy="4" font-size="11">{index}</tspan>'
    box(drawing, 90, 130, "cell", BLUE)
    drawing.arrow((90, 215), (90, 150))
    drawing.text(90, 236, sub("x", "t"))
    drawing.arrow((90, 110), (90, 52))
    drawing.text(90, 40, sub("h", "t"))
    drawing.line([(90, 80), (150, 80), (150, 130), (132, 130)], ORANGE, 2)
    drawing.arrow((140, 130), (123, 130), ORANGE, 2)
    drawing.text(205, 136, "=", 26)
    for step in range(4):
        x = 300 + step * 125
        box(drawing, x, 130, "cell", BLUE)
        drawing.arrow((x, 215), (x, 150))
        drawing.text(x, 236, sub("x", step + 1))
        drawing.arrow((x, 110), (x, 52))
        drawing.text(x, 40, sub("h", step + 1))
        drawing.arrow((x - 92 if step else x - 70, 130), (x - 33, 130), ORANGE, 2)
        drawing.text(x - 62 if step else x - 76, 122 if step else 134, sub("h", step) if step else "0", 13, ORANGE)
    drawing.text(487, 262, "the same weights at every step", 14, FAINT)
    drawing.save("unrolled.svg")


def block():
    """A block of a transformer that normalizes first."""
    drawing = Drawing(760, 250, "A block of a transformer")
    y = 100
    drawing.text(28, y + 5, "x", 17)
    drawing.arrow((40, y), (90, y))
    for x, parts, color in [(92, ["LayerNorm", "attention"], ORANGE), (420, ["LayerNorm", "feedforward"], BLUE)]:
        for index, part in enumerate(parts):
            left = x + index * 122
            drawing.rect(left, y - 22, 104, 44, LIGHT[color] if index else "#ffffff", color, 1.6, radius=6)
            drawing.text(left + 52, y + 5, part)
            drawing.arrow((left + 104, y), (left + (120 if index == 0 else 132), y))
        plus = x + 266
        drawing.parts.append(f'<circle cx="{plus}" cy="{y}" r="12" fill="#ffffff" stroke="{TEXT}" stroke-width="1.6"/>')
        drawing.text(plus, y + 6, "+", 18)
        drawing.line([(x - 28, y), (x - 28, y - 60), (plus, y - 60)], FAINT)
        drawing.arrow((plus, y - 60), (plus, y - 13))
        drawing.arrow((plus + 12, y), (plus + 60 if plus < 500 else plus + 34, y))
    drawing.text(738, y + 5, "y", 17)
    drawing.text(206, y + 50, "places look at each other", 13, FAINT)
    drawing.text(534, y + 50, "each place by itself", 13, FAINT)
    drawing.text(380, 200, "x + attention(norm(x)), then x + W₂ gelu(W₁ norm(x)); the way along the top is the shortcut", 14)
    drawing.save("block.svg")


if __name__ == "__main__":
    sliding()
    windows()
    fields()
    unrolled()
    block()
