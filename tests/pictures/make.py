#!/usr/bin/env python3
"""Draws the sample shop's pictures into static/images: the same bytes each time, nothing taken from elsewhere.

One room, one light: every thing stands on a table (BASE), lit from the left, and throws its own outline as a shadow to the right.
By day a window falls on the wall; lamps and candles stand at dusk and glow. A shelf has one palette; a picture stays
under LIMIT_BYTES, save the one of the home page.

Run: python3 tests/pictures/make.py
"""

import math
from pathlib import Path

OUT = Path(__file__).resolve().parents[2] / "static" / "images"
WIDTH, HEIGHT, TABLE, BASE, MIDDLE = 800, 1000, 690, 815, 400
LIMIT_BYTES = 6144
FLAT = 0.13  # height of a circle seen from the table, by its width

# wall above, wall below, table, and whether it is day
PALETTES = {
    "light": ("#243842", "#4f646b", "#7a4f37", False),
    "candles": ("#33222f", "#6b4550", "#55322d", False),
    "table": ("#e8c9b1", "#f5e6d7", "#b9754c", True),
    "textiles": ("#b9cad2", "#e3e9e8", "#94785c", True),
    "garden": ("#bccaa3", "#e8ecd5", "#84603f", True),
    "paper": ("#dcc0bb", "#f4e6e0", "#a56f5c", True),
    "pantry": ("#ecc877", "#f9ebc6", "#a5642f", True),
    "care": ("#afcdc4", "#e4f0ea", "#9a7b5b", True),
}


def mix(color, other, share):
    pair = [[int(c[i : i + 2], 16) for i in (1, 3, 5)] for c in (color, other)]
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in zip(*pair))


def light(color, share=0.3):
    return mix(color, "#fff6e4", share)


def dark(color, share=0.35):
    return mix(color, "#24160f", share)


def number(value):
    return f"{value:.1f}".rstrip("0").rstrip(".")


def smooth(points):
    """Cubic curves through `points` (Catmull-Rom), without the first move."""
    parts = []
    for i in range(len(points) - 1):
        a, b, c, d = points[max(i - 1, 0)], points[i], points[i + 1], points[min(i + 2, len(points) - 1)]
        one = (b[0] + (c[0] - a[0]) / 6, b[1] + (c[1] - a[1]) / 6)
        two = (c[0] - (d[0] - b[0]) / 6, c[1] - (d[1] - b[1]) / 6)
        parts.append("C" + " ".join(f"{v:.0f}" for p in (one, two, c) for v in p))
    return "".join(parts)


def lathe(*runs, middle=MIDDLE, flat=FLAT, cut=1):
    """Outline of something turned: runs of (half width, y) from top to bottom; a new run is a corner; `cut=0` leaves the mouth open."""
    right = [[(middle + r, y) for r, y in run] for run in runs]
    left = [[(middle - r, y) for r, y in reversed(run)] for run in reversed(runs)]
    top, bottom = runs[0][0], runs[-1][-1]
    path = f"M{number(left[-1][-1][0])} {number(top[1])}A{top[0]} {number(top[0] * flat)} 0 0 {cut} {number(middle + top[0])} {number(top[1])}"
    path += side(right)
    path += f"A{bottom[0]} {number(bottom[0] * flat)} 0 0 1 {number(middle - bottom[0])} {number(bottom[1])}"
    return path + side(left) + "z"


def side(runs):
    path, last = "", None
    for run in runs:
        if last and last != run[0]:
            path += f"L{number(run[0][0])} {number(run[0][1])}"
        path += smooth(run)
        last = run[-1]
    return path


def box(x, y, width, height, round_by=0):
    r = round_by
    return f"M{x + r} {y}h{width - 2 * r}q{r} 0 {r} {r}v{height - 2 * r}q0 {r}-{r} {r}h-{width - 2 * r}q-{r} 0-{r}-{r}v-{height - 2 * r}q0-{r} {r}-{r}z"


class Picture:
    def __init__(self, shelf):
        self.above, self.below, self.table, self.day = PALETTES[shelf]
        self.defs, self.parts, self.outlines, self.back = [], [], [], []
        self.gradients = {}
        self.width, self.view = WIDTH, "50 80 700 875"

    def gradient(self, stops, kind="x"):
        key = (tuple(stops), kind)
        if key not in self.gradients:
            name = f"g{len(self.gradients)}"
            self.gradients[key] = name
            tag, ends = {
                "x": ("linearGradient", ""),
                "y": ("linearGradient", ' x2="0" y2="1"'),
                "o": ("radialGradient", ""),
            }[kind]
            text = "".join(
                f'<stop offset="{number(at)}" stop-color="{color}"' + (f' stop-opacity="{number(seen)}"' if seen < 1 else "") + "/>"
                for at, color, seen in stops
            )
            self.defs.append(f'<{tag} id="{name}"{ends}>{text}</{tag}>')
        return f"url(#{self.gradients[key]})"

    def body(self, color, gloss=0.3):
        return self.gradient([(0, light(color, gloss * 0.6), 1), (0.3, light(color, gloss), 1), (0.6, color, 1), (1, dark(color), 1)])

    def raw(self, text):
        self.parts.append(text)

    def path(self, d, fill="none", **extra):
        more = "".join(f' {k.replace("_", "-")}="{v}"' for k, v in extra.items())
        self.raw(f'<path d="{d}" fill="{fill}"{more}/>')

    def line(self, d, color, width, **extra):
        self.path(d, "none", stroke=color, stroke_width=width, stroke_linecap="round", stroke_linejoin="round", **extra)

    def thing(self, d, color, gloss=0.3, shade=True, **extra):
        """A body with its shadow."""
        if shade:
            self.outlines.append(f'<path d="{d}"/>')
        self.path(d, self.body(color, gloss), **extra)

    def rod(self, d, color, width):
        """A round bar with its shadow."""
        self.outlines.append(f'<path d="{d}" fill="none" stroke="#000" stroke-width="{width}"/>')
        self.line(d, dark(color, 0.2), width)
        self.line(d, light(color, 0.35), width * 0.35, transform=f"translate(-{number(width * 0.16)} -{number(width * 0.1)})")

    def oval(self, x, y, rx, color, ry=None, **extra):
        more = "".join(f' {k.replace("_", "-")}="{v}"' for k, v in extra.items())
        self.raw(f'<ellipse cx="{number(x)}" cy="{number(y)}" rx="{number(rx)}" ry="{number(rx * FLAT if ry is None else ry)}" fill="{color}"{more}/>')

    def glow(self, x, y, size, strength=0.75, color="#ffd48a"):
        fill = self.gradient([(0, color, strength), (0.35, color, strength * 0.4), (1, color, 0)], "o")
        self.back.append(f'<circle cx="{x}" cy="{y}" r="{size}" fill="{fill}"/>')

    def flame(self, x, y, size=1.0):
        self.line(f"M{number(x)} {number(y)}v-{number(16 * size)}", "#2b1d18", 5)
        fill = self.gradient([(0, "#fff8dc", 1), (0.5, "#ffd36b", 1), (1, "#f08a33", 1)], "y")
        self.path(f"M{number(x)} {number(y - 100 * size)}c{number(30 * size)} {number(40 * size)} {number(30 * size)} {number(92 * size)} 0 {number(92 * size)}c-{number(30 * size)} 0-{number(30 * size)}-{number(52 * size)} 0-{number(92 * size)}z", fill)

    def leaf(self, x, y, size, turn, color):
        self.path(f"M0 0C{size * .3:.0f}-{size * .3:.0f} {size * .8:.0f}-{size * .3:.0f} {size} 0C{size * .8:.0f} {size * .3:.0f} {size * .3:.0f} {size * .3:.0f} 0 0z", color, transform=f"translate({x:.0f} {y:.0f})rotate({turn:.0f})")

    def svg(self):
        wall = self.gradient([(0, self.above, 1), (1, self.below, 1)], "y")
        top = self.gradient([(0, light(self.table, 0.28), 1), (1, dark(self.table, 0.12), 1)], "y")
        shadow = self.gradient([(0, dark(self.table, 0.9), 0), (0.55, dark(self.table, 0.9), 0.25), (1, dark(self.table, 0.9), 0.62)], "y")
        lean, low = 0.95, 0.2
        room = [f'<path d="M0 0h{self.width}v{TABLE}H0z" fill="{wall}"/>']
        if self.day:
            room.append('<g fill="#fffaf0" fill-opacity=".42"><path d="M90 0h150L520 690H370zM270 0h150l280 690H550z"/></g>')
        room += self.back
        table = f'<path d="M0 {TABLE}h{self.width}v{HEIGHT - TABLE}H0z" fill="{top}"/><path d="M0 {TABLE}h{self.width}v5H0z" fill="#fff" fill-opacity=".16"/>'
        if not self.day:
            pool = self.gradient([(0, "#ffcf85", 0.55), (1, "#ffcf85", 0)], "o")
            table += f'<ellipse cx="400" cy="830" rx="400" ry="130" fill="{pool}"/>'
        cast = ""
        if self.outlines:
            cast = (
                f'<g fill="{dark(self.table, 0.8)}" opacity=".3" filter="url(#s)"><g transform="matrix(1 0 {-lean} {low} {number(lean * BASE)} {number(BASE * (1 - low))})">'
                + "".join(self.outlines) + "</g></g>"
            )
            self.defs.append('<filter id="s" x="-.2" y="-.2" width="1.4" height="1.4"><feGaussianBlur stdDeviation="7"/></filter>')
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{self.width}" height="{HEIGHT}" viewBox="{self.view}"><defs>{"".join(self.defs)}</defs>'
            + "".join(room) + table + cast + "".join(self.parts) + "</svg>\n"
        )


BRASS, OAT, CREAM, CLAY, OAK, STEEL = "#c08f3e", "#dccbb0", "#f3e6cd", "#c2704a", "#c08a55", "#8d979a"
MOSS, INK, RUST, SLATE, LINEN, FERN = "#6f7d4a", "#34424e", "#b4552f", "#6f8290", "#e6dac4", "#4f7350"


# Light

def harbour_table_lamp(p):
    p.glow(400, 470, 430, 0.7)
    p.thing(lathe([(16, 540), (13, 620), (20, 700), (46, 760)], [(46, 760), (108, 782), (112, BASE)]), BRASS, 0.5)
    p.oval(400, 762, 46, light(BRASS, 0.4), 7)
    shade = lathe([(112, 255), (218, 555)], flat=0.1)
    p.outlines.append(f'<path d="{shade}"/>')
    p.path(shade, p.gradient([(0, "#fff1cf", 1), (0.4, "#ffe2a4", 1), (1, "#e3a657", 1)]))
    p.oval(400, 555, 218, "#fff4d6", 22)
    p.oval(400, 255, 112, "#d99c4f", 11)
    p.line("M400 255v-34", BRASS, 9)
    p.oval(400, 216, 11, light(BRASS), 11)


def pendant(color):
    def draw(p):
        p.glow(400, 560, 400, 0.6)
        p.line("M400 0v300", "#1c1512", 7)
        p.thing(lathe([(20, 290), (26, 318), (92, 345), (176, 418), (214, 520)]), color, 0.25, shade=False)
        p.oval(400, 520, 214, "#fff0c9", 30)
        p.oval(400, 524, 60, "#fffdf2", 12)
        p.path("M190 530L90 815h620L610 530z", p.gradient([(0, "#ffdf9b", 0.32), (1, "#ffdf9b", 0)], "y"))
        p.oval(400, 740, 120, dark(OAT, 0.3))
        for x, y, c in ((360, 722, "#c8573a"), (420, 716, "#d98a3d"), (452, 730, "#b8452f")):
            p.oval(x, y, 38, p.body(c, 0.5), 36)
        p.thing(lathe([(120, 740), (104, 780), (52, BASE)], cut=0), OAT, 0.4)
    return draw


def heron_reading_lamp(p):
    p.glow(560, 520, 330, 0.65)
    p.thing(lathe([(104, 786), (108, BASE)]), OAK, 0.4)
    p.oval(400, 786, 104, light(OAK, 0.35))
    p.rod("M396 780L372 470Q362 300 470 262Q540 240 572 300", "#2f3b3a", 15)
    p.thing("M540 296l74-30l76 150q-96 62-196 46z", "#e0b24f", 0.4)
    p.path("M494 462q100 16 196-46q-20 66-98 76q-66 6-98-30z", "#fff3cf")
    p.oval(372, 470, 17, BRASS, 17)
    p.path("M500 470L380 800h330L690 425z", p.gradient([(0, "#ffe3a5", 0.34), (1, "#ffe3a5", 0)], "y"))


def paper_moon_lamp(p):
    p.glow(400, 500, 420, 0.8)
    p.thing(lathe([(66, 740), (86, BASE)]), OAK, 0.4)
    p.outlines.append('<circle cx="400" cy="510" r="232"/>')
    p.oval(400, 510, 232, p.gradient([(0, "#fffbea", 1), (0.6, "#ffedbd", 1), (1, "#e9b869", 1)], "o"), 232)
    for y in range(-190, 200, 38):
        r = math.sqrt(232**2 - y * y)
        p.line(f"M{number(400 - r)} {510 + y}A{number(r)} {number(r * 0.12)} 0 0 0 {number(400 + r)} {510 + y}", "#c9923f", 2.5, opacity=".45")
    p.oval(400, 740, 66, light(OAK, 0.3))
    p.path("M334 740q66 16 132 0l4 14q-70 16-140 0z", dark(OAK, 0.2))


def storm_lantern(p):
    p.glow(400, 560, 380, 0.75)
    p.line("M330 262q0-120 70-120t70 120", STEEL, 11)
    p.thing(lathe([(40, 250), (60, 290)], [(60, 290), (172, 372)], [(172, 372), (172, 392)]), STEEL, 0.5)
    p.thing(lathe([(150, 392), (160, 770)]), "#e9b25c", 0.6, opacity=".35")
    p.thing(lathe([(62, 590), (62, 772)]), CREAM, 0.3, shade=False)
    p.oval(400, 590, 62, "#fff4cf", 9)
    p.flame(400, 588, 1.05)
    for x, t in ((250, -8), (550, 8)):
        p.line(f"M{x} 395l{t} 375", dark(STEEL, 0.25), 11)
    p.thing(lathe([(168, 764), (182, 790)], [(182, 790), (182, BASE)]), STEEL, 0.5)


# Candles

def beeswax_pillar(p):
    p.glow(400, 400, 400, 0.75)
    p.thing(lathe([(112, 450), (112, BASE)]), "#e2a53f", 0.45)
    p.oval(400, 450, 112, "#f6cd72", 17)
    p.oval(400, 452, 74, "#fff0b8", 10)
    p.path("M300 458q8 90 18 96t14-30q4-22 14-52z", "#f0bd5b")
    p.flame(400, 450, 1.3)


def dinner_tapers(p):
    p.glow(390, 320, 360, 0.65)
    for x, top, color, lit in ((228, 318, RUST, 1), (308, 366, "#efe2c4", 0), (388, 300, "#efe2c4", 1), (468, 352, MOSS, 0), (548, 400, MOSS, 1)):
        p.thing(lathe([(12, top), (19, BASE - 60)], middle=x), color, 0.35)
        if lit:
            p.flame(x, top + 3, 0.8)
        else:
            p.line(f"M{x} {top}v-20", "#2b1d18", 4)
        p.thing(lathe([(27, BASE - 78), (24, BASE - 22), (36, BASE)], middle=x), BRASS, 0.5)


def scented_candle(p):
    p.glow(400, 440, 380, 0.7)
    p.thing(lathe([(128, 545), (140, 640), (132, BASE)]), "#b9a38c", 0.4)
    p.path("M268 640q132 34 264 0l-2 60q-8 30-26 8t-34 14-44-2-46 20-40-14-50 10-22-36z", "#5d4b57", opacity=".9")
    p.oval(400, 545, 128, dark("#b9a38c", 0.3), 20)
    p.oval(400, 550, 114, "#fbe6b4", 15)
    p.flame(400, 552, 1.05)


def chamberstick(p):
    p.glow(400, 300, 370, 0.7)
    p.raw(f'<circle cx="640" cy="752" r="48" fill="none" stroke="{BRASS}" stroke-width="17"/>')
    p.thing(lathe([(200, 762), (176, 800), (150, BASE)]), BRASS, 0.5)
    p.oval(400, 762, 200, dark(BRASS, 0.25), 28)
    p.oval(400, 768, 176, BRASS, 22)
    p.thing(lathe([(30, 420), (36, 700)]), "#efe2c4", 0.35)
    p.thing(lathe([(52, 672), (40, 700), (40, 745), (70, 772)]), BRASS, 0.55)
    p.oval(400, 672, 52, dark(BRASS, 0.3), 8)
    p.path(lathe([(35, 640), (36, 672)], flat=0.15), p.body("#efe2c4", 0.35))
    p.flame(400, 420, 1.15)


def candle_snuffer(p):
    p.glow(300, 560, 300, 0.3)
    p.thing(lathe([(64, 560), (64, BASE)], middle=250), "#dcc9a6", 0.35)
    p.oval(250, 560, 64, "#f3e4c2", 10)
    p.line("M250 556v-22", "#2b1d18", 5)
    p.line("M252 520q-40-60 6-120t-6-140q-26-44 12-92", "#efe4da", 9, opacity=".35")
    p.rod("M440 640L664 240", "#2f2b2c", 13)
    p.thing(lathe([(10, 628), (26, 664), (62, 760)], middle=432), BRASS, 0.55, transform="rotate(20 432 690)")
    p.oval(666, 236, 17, p.body(BRASS, 0.5), 17)


# Table

def teapot(color):
    def draw(p):
        p.rod("M585 560q128-30 112 78t-142 112", dark(color, 0.1), 27)
        p.thing("M232 690q-66-40-88-128q-8-32-42-46l32-34q66 22 86 82q14 44 50 62z", color, 0.35)
        p.thing(lathe([(98, 500), (176, 560), (204, 660), (168, 770), (112, BASE)]), color, 0.4)
        p.oval(400, 502, 100, dark(color, 0.3), 13)
        p.thing(lathe([(22, 448), (92, 478), (104, 502)]), color, 0.45, shade=False)
        p.oval(400, 436, 24, p.body(color, 0.55), 21)
        p.path("M230 640q-4-80 70-116q-44 50-40 120z", "#fff", opacity=".28")
    return draw


def morning_cup(p):
    for x, y, glaze in ((520, 770, SLATE), (320, BASE, CLAY)):
        p.thing(lathe([(112, y - 215), (108, y - 120), (84, y)], middle=x), OAT, 0.4)
        p.path(f"M{x - 112} {y - 215}A112 14.6 0 0 0 {x + 112} {y - 215}q2 60-4 112q-40 22-104 18t-112-6q-8-60-4-124z", p.body(glaze, 0.35))
        p.oval(x, y - 215, 112, dark(OAT, 0.35), 16)
        p.oval(x, y - 208, 96, "#5a3420", 10)


def field_bowl(p):
    glaze, form = "#7d8a86", [[(264, 590), (238, 690), (150, 780), (104, 800)], [(104, 800), (100, BASE)]]
    p.oval(400, 590, 264, "#caa27a", 46)
    p.oval(400, 594, 246, dark(glaze, 0.45), 39)
    for x, y, c in ((290, 574, "#d9a441"), (386, 552, "#c8573a"), (486, 572, "#d98a3d"), (430, 588, "#b8452f")):
        p.oval(x, y, 62, p.body(c, 0.5), 56)
    p.path("M386 500q10-40 44-46q-4 34-44 46z", "#6b8048")
    p.thing(lathe(*form, flat=0.175, cut=0), glaze, 0.4)
    p.path("M136 590A264 46 0 0 0 664 590l-3 14A261 46 0 0 1 139 604z", "#caa27a")


def stems(p, x, y, tips, color):
    for tx, ty, bend in tips:
        p.line(f"M{x} {y}Q{x + bend} {(y + ty) // 2} {tx} {ty}", color, 6)


def long_vase(p):
    tips = ((290, 270, -20), (408, 212, 10), (530, 300, 30))
    stems(p, 400, 480, tips, "#6b7d4a")
    p.leaf(385, 380, 110, -150, "#7d8f58")
    p.leaf(420, 360, 120, -40, "#6b7d4a")
    for (x, y, _), turn, color in zip(tips, (-18, 2, 24), ("#c9573b", "#d9773f", "#b8482f")):
        p.path("M-44 0q-8-70 14-104q16 24 30 34q14-10 30-34q22 34 14 104q-44 44-88 0z", p.body(color, 0.4), transform=f"translate({x} {y + 20})rotate({turn})")
    p.thing(lathe([(38, 440), (34, 490), (60, 580), (108, 690), (96, 780), (74, BASE)]), "#e9dcc6", 0.4)
    p.oval(400, 440, 38, dark("#e9dcc6", 0.4), 6)


def bread_board(p):
    board = "M330 250h30v-92q40-44 80 0v92h30q84 0 84 84v396q0 84-84 84H330q-84 0-84-84V334q0-84 84-84z"
    p.thing(board, "#c89560", 0.35)
    p.oval(400, 190, 17, dark("#c89560", 0.6), 17)
    for x, bend in ((290, 12), (350, -10), (455, 14), (510, -8)):
        p.line(f"M{x} 290q{bend} 220 0 480", dark("#c89560", 0.2), 3, opacity=".4")
    p.line("M300 506v-84l36 56l36-56v84M412 422v84M446 506l34-84l34 84M458 478h44M318 556q82 20 164 0", "#5b361c", 8)
    p.thing("M120 760q0-86 130-86t130 86q0 55-130 55t-130-55z", "#b9743a", 0.45)
    for x in (190, 250, 310):
        p.line(f"M{x - 20} 742q18-44 40-48", "#f1d3a2", 11)


def water_carafe(p):
    d = lathe([(52, 400), (52, 470), (118, 600), (132, 700), (120, BASE)])
    p.outlines.append(f'<path d="{d}" opacity=".6"/>')
    p.path(lathe([(86, 545), (122, 610), (128, 700), (116, 810)]), p.gradient([(0, "#dff0ee", 0.9), (0.5, "#a9cfce", 0.75), (1, "#6fa3a6", 0.85)]))
    p.path(d, p.gradient([(0, "#ffffff", 0.65), (0.25, "#ffffff", 0.15), (0.75, "#9fc0bf", 0.3), (1, "#5d8c90", 0.6)]))
    p.oval(400, 545, 84, "#e9f6f4", 12, opacity=".85")
    p.path(lathe([(62, 300), (70, 440)]), p.gradient([(0, "#ffffff", 0.75), (0.3, "#ffffff", 0.2), (1, "#7fa9ab", 0.6)]))
    p.oval(400, 300, 62, "#f2fbfa", 9, opacity=".8")
    p.line("M312 630q-8 80 6 140", "#fff", 12, opacity=".7")


# Textiles

def tea_towels(p):
    for i, (y, color, stripe) in enumerate(((715, LINEN, "#a8462c"), (620, "#efe8da", "#3f5873"), (525, LINEN, "#7c8c62"))):
        x = 172 + i * 8
        p.thing(box(x, y, 440 - i * 14, 98, 38), color, 0.25)
        for dx in (60, 84, 330, 354):
            p.line(f"M{x + dx} {y + 4}v90", stripe, 10, opacity=".85")
        p.line(f"M{x + 30} {y + 34}h{370 - i * 14}M{x + 30} {y + 64}h{370 - i * 14}", dark(color, 0.25), 3, opacity=".5")
    p.line("M392 523v292", "#8a6a45", 7)
    p.line("M392 523q-60-52-78-20t78 20q60-52 78-20t-78 20", "#8a6a45", 7)


def tablecloth(p):
    p.thing(box(196, 700, 22, 150), "#6d4a30")
    p.thing(box(582, 700, 22, 150), "#6d4a30")
    cloth = "M96 486L190 430H610L704 486L716 742q-52 34-92-4t-104 18-122-6-118 8-100-16-96 2z"
    p.thing(cloth, "#cfd8dc", 0.5)
    p.path("M96 486L190 430H610L704 486z", light("#cfd8dc", 0.7))
    for x, t, bend in ((170, 735, -14), (262, 745, 10), (356, 748, -6), (448, 748, 8), (540, 742, -10), (640, 738, 14)):
        p.line(f"M{x} 494Q{x + bend} 620 {x + bend * 2} {t}", dark("#cfd8dc", 0.3), 9, opacity=".28")
    p.thing(lathe([(26, 330), (24, 352), (58, 420), (42, 462)], middle=330), CLAY, 0.4, shade=False)
    for x, y in ((300, 220), (340, 190), (372, 236)):
        p.line(f"M330 334Q{x + 10} 290 {x} {y}", "#6b7d4a", 5)
        p.oval(x, y, 22, p.body("#e0b04b", 0.5), 22)
    p.thing(lathe([(62, 436), (56, 456), (34, 466)], middle=500), "#efe6d6", 0.4, shade=False)


def throw(p):
    p.defs.append('<pattern id="w" width="36" height="36" patternUnits="userSpaceOnUse"><path d="M0 18L18 0L36 18M0 36L18 18L36 36" fill="none" stroke="#fff" stroke-width="4" opacity=".28"/></pattern>')
    for i, y in enumerate((690, 575, 460)):
        d = box(166 + i * 6, y, 470 - i * 12, 122, 56)
        p.thing(d, "#8c6d86", 0.3)
        p.path(d, "url(#w)")
    for x in range(190, 620, 22):
        p.line(f"M{x} 802q{6 if x % 44 else -6} 24 0 44", light("#8c6d86", 0.25), 6)


def cushion(p):
    d = "M190 420q-26-28 10-30q200 30 400 0q36 2 10 30q-24 180 0 360q22 36-14 36q-196-26-392 0q-36 0-14-36q24-180 0-360z"
    p.thing(d, "#7f97a3", 0.45)
    p.line("M222 424q178 24 356 0q-18 180 0 358q-178-22-356 0q18-180 0-358", "#fff", 3, opacity=".5", stroke_dasharray="10 9")
    for x in (292, 318, 482, 508):
        p.line(f"M{x} 420q{-10 if x < 400 else 10} 184 0 366", "#e6dac4", 9 if x in (318, 482) else 4, opacity=".75")


def apron(p):
    p.line("M400 120v40", OAK, 26)
    p.oval(400, 116, 24, p.body(OAK, 0.5), 24)
    p.line("M318 320Q330 170 400 150Q470 170 482 320", "#5d4632", 12)
    d = "M310 310q90 30 180 0q6 110 92 150l14 330q-196 40-392 0l14-330q86-40 92-150z"
    p.path(d, "#3d2c20", opacity=".16", transform="translate(34 16)")
    p.path(d, p.body("#a9714f", 0.35))
    p.path("M296 556q104 18 208 0l8 140q-112 26-224 0z", light("#a9714f", 0.14))
    p.line("M296 556q104 18 208 0M400 566v142", dark("#a9714f", 0.3), 4, opacity=".7")
    for x in (262, 538):
        p.line(f"M{x} 500q{-8 if x < 400 else 8} 150 0 290", dark("#a9714f", 0.3), 7, opacity=".22")
    p.thing(lathe([(60, 780), (52, BASE)], middle=650), OAT, 0.4)


# Garden

def watering_can(color):
    def draw(p):
        p.rod("M300 520Q250 330 150 470T230 770", dark(color, 0.1), 20)
        p.rod("M506 770Q600 720 610 560T676 350", color, 30)
        p.thing("M626 318l108 48l-16 32l-108-48z", BRASS, 0.5)
        p.line("M250 545Q360 380 505 545", dark(color, 0.1), 20)
        p.thing(lathe([(128, 540), (162, BASE)], middle=380), color, 0.45)
        p.oval(380, 540, 128, dark(color, 0.5), 18)
        p.path("M252 540A128 18 0 0 1 420 523L420 556A128 18 0 0 1 252 540z", light(color, 0.25))
        p.line("M238 660q142 34 284 0M222 790q158 36 316 0", dark(color, 0.3), 5, opacity=".45")
    return draw


def hand_trowel(p):
    p.outlines.append('<path d="M340 400h120v400H340z" transform="rotate(8 400 600)"/>')
    p.raw('<g transform="rotate(10 400 500)">')
    p.path("M368 120q32-34 64 0l10 210q-42 22-84 0z", p.body(OAK, 0.45))
    p.path("M362 318q38 18 76 0v34q-38 18-76 0z", p.body(BRASS, 0.5))
    p.path("M388 350h24l6 110h-36z", p.body("#697377", 0.5))
    p.path("M316 450q84-34 168 0q24 190-84 372q-108-182-84-372z", p.body("#8a9699", 0.55))
    p.path("M400 448q34 180 0 370q-34-190 0-370z", "#2d3436", opacity=".22")
    for y in (560, 610, 660):
        p.line(f"M440 {y}h28", "#2d3436", 4, opacity=".6")
    p.raw("</g>")
    p.path("M150 850q70-96 180-86t240-4t120 90q-260 40-540 0z", p.body("#5a3d2a", 0.15))
    for x, y in ((250, 800), (330, 830), (520, 812), (600, 836)):
        p.oval(x, y, 16, "#7a563c", 10)


def clay_pot(p):
    p.line("M400 600Q380 480 410 380", "#6d5238", 16)
    p.line("M404 470Q340 400 320 330M406 440Q480 380 500 300", "#6d5238", 9)
    for i in range(30):
        angle = i * 2.39996
        r = 27 * math.sqrt(i)
        x, y = 408 + r * math.cos(angle) * 1.15, 300 + r * math.sin(angle) * 1.05
        p.leaf(x, y, 78, i * 47 % 360, ("#70854f", "#8fa06b", "#5c7145", "#a9b688")[i % 4])
    p.outlines.append('<circle cx="408" cy="300" r="180"/>')
    p.thing(lathe([(148, 640), (110, 800)]), CLAY, 0.35)
    p.thing(lathe([(172, 590), (166, 648)]), CLAY, 0.4)
    p.oval(400, 590, 172, dark(CLAY, 0.3), 24)
    p.oval(400, 593, 154, "#4a3022", 18)
    p.line("M400 604V540", "#6d5238", 17)
    p.thing(lathe([(158, 796), (140, BASE)]), CLAY, 0.4)
    p.path(lathe([(113, 780), (110, 798)]), p.body(CLAY, 0.35))


def secateurs(p):
    p.outlines.append('<path d="M330 200h140v600H330z"/>')
    p.raw('<g transform="rotate(-14 400 480)">')
    p.path("M384 430q-120 120-96 360q8 34 40 24q22-10 18-44q-14-180 84-300z", p.body(RUST, 0.4))
    p.path("M420 430q120 120 96 360q-8 34-40 24q-22-10-18-44q14-180-84-300z", p.body(RUST, 0.4))
    p.path("M372 452q-56-150 4-312q86 130 60 300z", p.body("#a3adb0", 0.6))
    p.path("M440 452q70-120 40-258q-30 10-44 70q-20 96-60 160z", p.body("#77838a", 0.5))
    p.path("M388 160q60 140 36 270", "none", stroke="#fff", stroke_width=4, opacity=".6")
    p.oval(404, 446, 32, p.body(BRASS, 0.5), 32)
    p.oval(404, 446, 11, dark(BRASS, 0.5), 11)
    p.line("M350 560q54-50 108 0", "#4c5558", 9)
    p.raw("</g>")
    p.leaf(560, 800, 120, -24, "#7d9159")
    p.leaf(590, 812, 130, 8, "#6b8048")


def garden_twine(p):
    p.thing(lathe([(150, 770), (158, 782), (158, BASE)]), OAK, 0.4)
    p.oval(400, 772, 152, light(OAK, 0.35), 20)
    p.thing(lathe([(112, 490), (150, 560), (150, 700), (116, 768)]), "#5f7f4f", 0.35)
    for i in range(13):
        y = 516 + i * 19
        w = 118 + 32 * min(1, math.sin((i + 1.2) / 14.5 * math.pi) * 1.3)
        p.line(f"M{number(400 - w)} {y}q{number(w)} {44 if i % 2 else 30} {number(2 * w)}-6", "#c6d6a6" if i % 3 else "#34502c", 4, opacity=".5")
    p.thing(lathe([(146, 452), (152, 470)], [(152, 470), (152, 492)]), OAK, 0.4)
    p.oval(400, 452, 146, light(OAK, 0.4), 20)
    p.oval(400, 452, 30, dark(OAK, 0.6), 6)
    p.line("M540 690q90 30 60 90t80 40q60-6 50-40", "#5f7f4f", 8)


def seed_box(p):
    colors = (CLAY, "#d9b45a", "#7d8f58", "#b5656a", "#6f8290", "#d98a3d")
    for i, color in enumerate(colors):
        x, y = 196 + i * 68, 430 - (i * 37) % 58
        p.thing(f"M{x} {y}l76-10l14 260h-84z", mix(color, CREAM, 0.25), 0.25)
        p.oval(x + 40, y + 78, 25, CREAM, 25)
        p.leaf(x + 40, y + 96, 38, -90, color)
        p.line(f"M{x + 16} {y + 24}l46-6", "#fff", 7, opacity=".7")
    p.thing("M160 580h480l-12 235H172z", "#d0a56f", 0.35)
    p.line("M166 660h468M170 738h460", dark("#d0a56f", 0.3), 3, opacity=".5")
    p.path(box(330, 640, 140, 84, 8), "#f5ead2")
    p.line("M356 668h88M356 694h60", "#8a6a45", 6)


# Paper

def sewn_notebook(p):
    p.thing(box(140, 772, 480, 46, 10), "#4d5d6b", 0.3)
    p.path("M160 782h462v26H160z", "#f4ecdc")
    p.line("M164 791h452M164 800h452", "#c9bda7", 2)
    p.raw('<g transform="rotate(-5 400 560)">')
    d = box(250, 300, 330, 468, 16)
    p.path("M268 310h322v460H268z", "#f4ecdc")
    p.thing(d, RUST, 0.3)
    p.path("M250 316q0-16 16-16h36v468h-36q-16 0-16-16z", dark(RUST, 0.3))
    p.line("M312 318v430", "#f0cfae", 3, stroke_dasharray="14 10", opacity=".8")
    p.path(box(378, 380, 130, 86, 6), "#f6ead6")
    p.line("M402 410h82M402 436h52", dark(RUST, 0.2), 6)
    p.path("M528 300h22v196l-11-20l-11 20z", "#e3b65a")
    p.raw("</g>")


def letter_set(p):
    p.outlines.append('<path d="M170 420h430v390H170z"/>')
    for turn, color in ((-7, "#e2d3bd"), (4, "#efe3d0"), (-1, "#faf3e6")):
        p.raw(f'<g transform="rotate({turn} 400 620)">')
        p.path(box(150, 470, 490, 330, 8), p.body(color, 0.5))
        if turn == -1:
            p.path("M150 478L395 660L640 478V470H150z", dark(color, 0.08))
            p.line("M154 476L395 656L636 476M150 796L330 615M640 796L460 615", dark(color, 0.3), 4, opacity=".7")
            p.line("M150 720h490M250 470v330", "#9c6a4c", 6)
            p.oval(395, 650, 46, p.body("#a8382a", 0.35), 44)
            p.oval(395, 650, 30, "#8e2c20", 28)
            p.leaf(395, 672, 44, -90, "#d9836f")
        p.raw("</g>")


def twelve_pencils(p):
    for i, x in enumerate((262, 308, 354, 400, 446, 492)):
        top = 250 + (i * 53) % 70
        wood = ("#b9683f", "#c47748")[i % 2]
        p.outlines.append(f'<path d="M{x} {top}h44v{BASE - top}h-44z"/>')
        p.path(f"M{x} {top + 90}L{x + 22} {top}L{x + 44} {top + 90}z", "#ecd0a4")
        p.path(f"M{x + 14} {top + 32}L{x + 22} {top}L{x + 30} {top + 32}z", "#2c2a2b")
        p.path(f"M{x} {top + 90}q7-14 15 0q7-14 15 0q7-14 14 0V{BASE}H{x}z", p.body(wood, 0.3))
        p.line(f"M{x + 15} {top + 100}V{BASE - 4}M{x + 30} {top + 100}V{BASE - 4}", dark(wood, 0.3), 2, opacity=".5")
    p.path("M254 600q146 22 290 0v92q-146 22-290 0z", p.body("#f2e6cf", 0.3))
    p.line("M330 640h140M350 664h100", "#8d3d2a", 7)


def wall_calendar(p):
    p.line("M400 110L320 190M400 110L480 190", "#5d4632", 4)
    p.oval(400, 108, 9, "#4a3526", 9)
    p.path(box(204, 190, 420, 560, 4), "#6b3d33", opacity=".2", transform="translate(22 20)")
    p.path(box(190, 180, 420, 560, 4), "#fbf4e6")
    p.path("M184 172h432v26H184z", p.body(OAK, 0.4))
    p.path("M400 310q92-6 92 78q-6 70-92 138q-86-68-92-138q0-84 92-78z", p.body("#9a2f4c", 0.35))
    p.line("M400 526v42M334 370q66 30 132 0M346 420q54 26 108 0", "#6d1b34", 5, opacity=".7")
    for x, turn in ((372, -118), (398, -92), (424, -64)):
        p.leaf(x, 318, 112, turn, ("#5d7546", "#76905a", "#5d7546")[(x - 372) // 26])
    for row in range(4):
        for column in range(7):
            p.oval(240 + column * 53, 606 + row * 32, 5, "#9a2f4c" if (row, column) == (1, 4) else "#b9a68e", 5)
    p.thing(lathe([(52, 742), (44, BASE)], middle=640), CLAY, 0.4)
    p.leaf(640, 742, 90, -100, "#76905a")
    p.leaf(640, 742, 84, -60, "#5d7546")


def recipe_cards(p):
    for turn, color in ((7, "#e6d6bd"), (2, "#f1e6d2"), (-4, "#fdf7ea")):
        p.raw(f'<g transform="rotate({turn} 400 780)">')
        if turn == -4:
            p.outlines.append('<path d="M210 420h380v390H210z"/>')
        p.path(box(210, 420, 380, 350, 12), p.body(color, 0.4))
        p.raw("</g>")
    p.raw('<g transform="rotate(-4 400 780)">')
    p.line("M250 486h190", "#a8462c", 10)
    p.line("M250 540h300M250 584h270M250 628h290M250 672h220", "#c9b59a", 5)
    p.oval(520, 476, 27, "#e0a33c", 27)
    p.raw("</g>")
    p.thing("M170 738h460q14 0 14 14v63H156v-63q0-14 14-14z", OAK, 0.4)
    p.line("M190 752h420", dark(OAK, 0.5), 9)


# Pantry

def jar(p, content, top, label):
    p.thing(lathe([(112, 470), (140, 520), (142, 780), (124, BASE)]), content, 0.45)
    p.path(lathe([(112, 470), (140, 520), (142, 780), (124, BASE)]), p.gradient([(0, "#ffffff", 0.5), (0.2, "#ffffff", 0.05), (0.85, "#ffffff", 0), (1, "#ffffff", 0.3)]))
    if top:
        p.thing(lathe([(122, 408), (126, 420)], [(126, 420), (126, 472)]), top, 0.5)
        p.oval(400, 408, 122, light(top, 0.4), 15)
    p.path("M280 590q120 26 240 0v140q-120 26-240 0z", p.body("#fbf2dd", 0.2))
    label(p)


def lime_honey(p):
    def label(p):
        p.leaf(400, 690, 68, -90, "#7d8f58")
        p.leaf(400, 690, 56, -140, "#94a56c")
        p.leaf(400, 690, 56, -40, "#94a56c")
        p.line("M340 716q60 12 120 0", "#8a5a1c", 5)
    jar(p, "#d98b1e", BRASS, label)
    p.rod("M600 806L690 560", OAK, 14)
    for i in range(4):
        p.oval(598 - i * 3 + 4 * i, 800 - i * 17, 34 - i, p.body("#b5793c", 0.4), 11)


def plum_butter(p):
    def label(p):
        p.oval(384, 650, 32, p.body("#5b2f55", 0.4), 36)
        p.oval(426, 662, 28, p.body("#704068", 0.4), 32)
        p.leaf(400, 620, 52, -40, "#7d8f58")
    jar(p, "#4b1f33", None, label)
    p.thing("M270 470q-26-50 40-78q90-34 180 0q66 28 40 78q10 30-10 34q-20-26-46-8t-48-2-54 6-50-6-42 8q-22-4-10-32z", "#c8553d", 0.35)
    p.line("M288 456q112 26 224 0", "#f3e3c4", 8)
    for x, y in ((330, 420), (400, 408), (470, 420), (366, 436), (436, 436)):
        p.oval(x, y, 7, "#f7e6c8", 7)


def mountain_herb_tea(p):
    p.thing(lathe([(132, 380), (132, BASE)]), "#4f6a52", 0.4)
    p.thing(lathe([(126, 300), (136, 312)], [(136, 312), (136, 388)]), "#3d5541", 0.45)
    p.oval(400, 300, 126, light("#4f6a52", 0.3), 16)
    p.path("M268 470q132 28 264 0v230q-132 28-264 0z", p.body("#f6ecd3", 0.2))
    p.line("M400 680V520", "#4f6a52", 6)
    for i, y in enumerate((660, 620, 580, 545)):
        p.leaf(400, y, 64 - i * 8, -30, "#6f8a5c")
        p.leaf(400, y, 64 - i * 8, -150, "#86a06f")
    p.oval(400, 516, 11, "#9a7fb0", 17)
    p.oval(590, 800, 60, p.body("#6f7d4a", 0.3), 16)
    p.leaf(560, 790, 60, -20, "#86a06f")


def green_olive_oil(p):
    p.thing(lathe([(32, 300), (32, 420), (96, 520), (104, 600), (100, BASE)]), "#33472c", 0.4)
    p.thing(lathe([(28, 226), (30, 300)]), "#b98a58", 0.4)
    p.thing(lathe([(38, 288), (38, 320)]), "#22301d", 0.4, shade=False)
    p.path("M298 610q102 22 204 0v140q-102 22-204 0z", p.body("#f4ecd3", 0.2))
    p.leaf(400, 700, 70, -130, "#6f7d4a")
    p.leaf(400, 700, 70, -50, "#8a9860")
    p.oval(400, 690, 17, p.body("#4d5b2c", 0.5), 22)
    p.line("M322 560q-2 30 0 40", "#cfe0b0", 11, opacity=".6")
    for x, y in ((570, 800), (622, 790), (600, 828)):
        p.thing(f"M{x - 28} {y}a28 22 0 1 0 56 0a28 22 0 1 0-56 0z", "#66752f", 0.5)


def flake_salt(p):
    p.rod("M470 560L640 380", OAK, 20)
    p.oval(656, 364, 42, p.body(OAK, 0.4), 30, transform="rotate(-44 656 364)")
    p.thing(lathe([(158, 600), (170, 690), (138, BASE)]), "#e6dcc9", 0.4)
    p.oval(400, 600, 158, dark("#e6dcc9", 0.35), 24)
    p.path("M256 604q50-70 120-78q90-6 168 78q-144 44-288 0z", p.body("#ffffff", 0.3))
    for x, y in ((340, 566), (392, 548), (446, 572), (410, 590)):
        p.path(f"M{x} {y}l20-8l10 14l-18 10z", "#dfe8ea")
    p.path("M236 672q164 40 328 0l-4 36q-160 40-320 0z", "#4a6a80")


# Care

def olive_soap(p):
    for x, y, color in ((210, 690, "#b9b878"), (258, 562, "#c9c58a")):
        p.thing(f"M{x} {y + 34}q0-18 16-24l60-26h290q20 0 20 20v86q0 16-16 22l-50 22H{x + 26}q-26 0-26-26z", color, 0.35)
        p.path(f"M{x} {y + 40}q0-16 16-16h286q18 0 18 18v74q0 18-18 18H{x + 24}q-24 0-24-24z", p.body(light(color, 0.12), 0.4))
    p.path(box(322, 604, 194, 66, 33), "none", stroke="#8d8b4c", stroke_width=5)
    p.leaf(418, 638, 70, -12, "#97955a")
    p.leaf(418, 638, 70, 168, "#97955a")
    for x, y, r in ((600, 540, 34), (650, 480, 22), (582, 462, 15), (640, 580, 17)):
        p.oval(x, y, r, p.gradient([(0, "#ffffff", 0.1), (0.7, "#ffffff", 0.3), (1, "#ffffff", 0.75)], "o"), r)


def dish_brush(p):
    p.thing("M312 700h244q18 60 34 116q-156 24-312 0q16-56 34-116z", "#a9814e", 0.4)
    for i in range(19):
        p.line(f"M{324 + i * 12} 712L{300 + i * 15 - (i % 2) * 4} 816", ("#7c5d3a", "#cfae7a")[i % 2], 4, opacity=".55")
    p.thing(lathe([(64, 618), (128, 650), (134, 712)], middle=434), OAK, 0.45)
    p.rod("M434 630Q448 520 404 430T366 250", OAK, 40)
    p.raw('<circle cx="362" cy="206" r="32" fill="none" stroke="#6b5a4a" stroke-width="8"/>')
    p.line("M374 634q60 16 120 0", "#8f9a9c", 10)


def hand_balm(p):
    p.thing("M560 500m-150 0a150 150 0 1 0 300 0a150 150 0 1 0-300 0z", "#d8d3c6", 0.5, transform="translate(0 170)")
    p.raw('<g transform="translate(0 170)">')
    p.oval(550, 500, 126, "#e9dfc8", 128)
    p.leaf(550, 580, 130, -90, "#8b7fb0")
    p.leaf(550, 570, 90, -135, "#7d8f58")
    p.leaf(550, 570, 90, -45, "#94a56c")
    p.raw("</g>")
    p.thing(lathe([(176, 730), (180, BASE)], middle=310), "#c9c4b6", 0.6)
    p.oval(310, 730, 176, "#a39d8e", 28)
    p.oval(310, 731, 160, "#f0dfae", 23)
    p.path("M220 728q60-20 110-4t80-2q-30 20-90 18t-100-12z", "#fff4cf")


def linen_water(p):
    p.thing(lathe([(44, 440), (52, 470), (118, 540), (122, 600), (122, BASE)]), "#9a5a22", 0.45)
    p.thing(lathe([(48, 404), (48, 448)]), "#2f2a28", 0.4)
    p.thing("M352 330h120l-8 76H366zM352 330l-96 8v26l96 6z", "#2f2a28", 0.35)
    p.line("M372 410q-44 40-60 40", "#2f2a28", 13)
    p.path("M280 610q120 26 240 0v140q-120 26-240 0z", p.body("#f8f1e2", 0.2))
    p.line("M400 730v-84", "#7d8f58", 6)
    for i in range(5):
        p.oval(400 + (8 if i % 2 else -8), 650 - i * 9, 10, "#8b7fb0", 7)
    p.line("M306 560q-8 20-6 36", "#ffd9a0", 12, opacity=".7")
    for i in range(12):
        p.oval(232 - (i * 37) % 120, 344 + (i * 53) % 90 - 40, 4 + i % 3, "#ffffff", 4 + i % 3, opacity=".75")


# The window sill of the home page

def hero(p):
    p.width, p.view = 1200, "0 60 1200 900"
    sky = p.gradient([(0, "#31566a", 1), (0.5, "#c98f6c", 1), (0.8, "#f6c677", 1)], "y")
    p.back.append(f'<path d="{box(330, -40, 640, 700, 6)}" fill="{sky}"/><circle cx="842" cy="452" r="58" fill="#fff0c4"/>')
    p.back.append('<path d="M330 560q150-90 330-30t310-40v170H330z" fill="#5b6650"/><path d="M330 600q200-70 370 0t270-26v90H330z" fill="#3d4a3a"/>')
    for x, y, r in ((430, 570, 34), (470, 582, 26)):
        p.back.append(f'<path d="M{x} {y}v50" stroke="#2a3328" stroke-width="7"/><circle cx="{x}" cy="{y}" r="{r}" fill="#334233"/>')
    p.back.append('<path d="M330-40h640v700H330zM650-40v700M330 330h640" fill="none" stroke="#e9dcc6" stroke-width="22"/><path d="M300 650h700v44H300z" fill="#f3e8d5"/>')
    p.back.append('<path d="M0 0h300q-50 330-30 690H0zM1200 0h-200q60 330 20 690h180z" fill="#d9c3a0" fill-opacity=".3"/>')
    place(p, lambda q: (q.glow(190, 520, 400, 0.8), harbour_table_lamp(q)), -190, 1.0)
    del p.back[-1]
    place(p, long_vase, 170, 0.9)
    place(p, watering_can(FERN), 490, 0.78)


def place(p, draw, right, scale):
    """Draws a thing of another picture into this one, standing on the same table."""
    parts, outlines = len(p.parts), len(p.outlines)
    draw(p)
    move = f'<g transform="translate({right + MIDDLE * (1 - scale):.0f} {BASE * (1 - scale):.0f})scale({scale})">'
    for kept, start in ((p.parts, parts), (p.outlines, outlines)):
        kept[start:] = [move + "".join(kept[start:]) + "</g>"]


PICTURES = {
    "light": [hero, harbour_table_lamp, heron_reading_lamp, paper_moon_lamp, storm_lantern, ("dune-pendant", pendant(CLAY)), ("dune-pendant-moss", pendant(MOSS)), ("dune-pendant-chalk", pendant("#d9d2c4"))],
    "candles": [beeswax_pillar, dinner_tapers, ("smoke-and-fig-candle", scented_candle), chamberstick, candle_snuffer],
    "table": [("steady-teapot", teapot(OAT)), ("steady-teapot-ink", teapot(INK)), morning_cup, field_bowl, long_vase, bread_board, water_carafe],
    "textiles": [tea_towels, ("linen-tablecloth", tablecloth), ("lambswool-throw", throw), ("plain-cushion", cushion), ("kitchen-apron", apron)],
    "garden": [("long-neck-can", watering_can(STEEL)), ("long-neck-can-fern", watering_can(FERN)), hand_trowel, clay_pot, secateurs, garden_twine, seed_box],
    "paper": [sewn_notebook, letter_set, twelve_pencils, wall_calendar, recipe_cards],
    "pantry": [lime_honey, plum_butter, mountain_herb_tea, green_olive_oil, flake_salt],
    "care": [olive_soap, dish_brush, hand_balm, linen_water],
}


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    for shelf, drawings in PICTURES.items():
        for drawing in drawings:
            name, draw = drawing if isinstance(drawing, tuple) else (drawing.__name__.replace("_", "-"), drawing)
            picture = Picture(shelf)
            draw(picture)
            text = picture.svg()
            assert len(text.encode()) <= LIMIT_BYTES or name == "hero", f"{name} has {len(text.encode())} bytes"
            (OUT / f"{name}.svg").write_text(text)


if __name__ == "__main__":
    main()
