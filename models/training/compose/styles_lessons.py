"""
Styles added after listening to what a first tracker got wrong on real recordings: electronic loops whose bar is
told by harmony and entries alone, sparse and chopped breaks, slow music full of sixteenths.
"""

from __future__ import annotations

from models.training.compose.style import Style

FLOOR = "x...x...x...x..."
BACK = "....x.......x..."
SIXT = "xoxoxoxoxoxoxoxo"

STYLES = (
    Style(
        "loop_floor",
        (96, 184),
        (
            {"kick": FLOOR},
            {"kick": FLOOR, "hat": "..x...x...x...x."},
            {"kick": FLOOR, "hat": SIXT},
            {"kick": FLOOR, "open_hat": "..x...x...x...x.", "clap": "....x.......x..."},
            {"kick": FLOOR, "crash": "x...............|................|................|................"},
            {"kick": "x...x...x...x...|x...x...x...x.x.", "shaker": "x.o.x.o.x.o.x.o."},
            {"kick": FLOOR, "snare": "................|................|................|............x.x."},
        ),
        ("R...R...R...R...", "R-------........", "..R...R...R...R.", "RRRRRRRRRRRRRRRR", "R-R-R-R-R-R-R-R-",
         "synco", "R..R..R...R..R..|R..R..R...5..8.."),
        ("arp", "x---------------", "x-------x-------", "x..x..x..x..x.x.", "pad",
         "x...............|................"),
        electronic=0.97,
        lead=0.8,
        vocal=0.1,
        plan="layers",
        weight=5.0,
    ),
    Style(
        "slow_sixteenths",
        (82, 114),
        (
            {"kick": "x.......x.......", "snare": BACK, "hat": SIXT},
            {"kick": FLOOR, "hat": "xxxxxxxxxxxxxxxx", "clap": BACK},
            {"kick": "x.....x.x.....x.", "snare": BACK, "shaker": SIXT, "hat": "x.x.x.x.x.x.x.x."},
            {"kick": "x.x.....x.x.....", "snare": BACK, "ride": "x.x.x.x.x.x.x.x."},
            {"kick": "x..x..x...x.....", "clap": BACK, "tamb": SIXT},
        ),
        ("RRRRRRRRRRRRRRRR", "R.RRR.RRR.RRR.RR", "R.8.R.8.R.8.R.8.", "synco", "R.R.R.R.R.R.R.R."),
        ("arp", "arp", "xxxxxxxxxxxxxxxx", "x.xx.xx.x.xx.xx.", "x-------x-------"),
        electronic=0.75,
        lead=0.6,
        plan="layers",
        weight=2.5,
    ),
    Style(
        "sparse_dnb",
        (158, 184),
        (
            {"kick": "x.........x.....", "snare": BACK},
            {"kick": "x..........x....", "snare": BACK},
            {"kick": "..x.......x.....", "snare": BACK},
            {"kick": "x.....x....x....|..........x.....", "snare": "....x.......x...|....x.......x..g"},
            {"kick": "x.........xx....", "snare": "....x..g.g..x..."},
            {"kick": "x.x.......x.....", "snare": "....x.......x...", "ride": "....x.......x..."},
        ),
        ("sub", "R-----------R-..", "synco", "..R---....R--7--", "R--R--R-....8-7-"),
        ("pad", "x...............", "x-----------x---", "arp", "......x........."),
        minor=0.85,
        lead=0.5,
        plan="layers",
        weight=2.0,
    ),
    Style(
        "chopped_break",
        (126, 182),
        (
            {"kick": "x.x.......xx....", "snare": "....x..x.x..x..x", "ride": "x.x.x.x.x.x.x.x."},
            {"kick": "x.x.......xx....|x.x.......xx....|x.x.......x.....|..xx......x.....",
             "snare": "....x..x.x..x..x|....x..x.x..x..x|....x..x.x....x.|.x..x..x.x....x."},
            {"kick": "x.x...x...x.....|..x.....x.x..x..", "snare": "....x..x....x.xx|x...x..x.x..x..."},
            {"kick": "x......xx.x.....|x.x.......x..x..", "snare": "..x.x..g.x..x..x|....xx.g.x..x.gg"},
            {"kick": "x..x.x....x.....", "snare": "....x..x.x..x.x.", "hat": "x.x.x.x.x.x.x.x."},
        ),
        ("sub", "synco", "R-----..R--5----", "R-..............|........5-....R-"),
        ("pad", "arp", "x...............", "x-------x-------", "..x...x...x...x."),
        swing=(0, 0.2),
        human=0.004,
        minor=0.8,
        lead=0.5,
        plan="layers",
        weight=2.5,
    ),
    Style(
        "laid_back_rock",
        (84, 130),
        (
            {"kick": "x.......x.......", "snare": BACK, "hat": "x.x.x.x.x.x.x.x."},
            {"kick": "x..x....x.x.....", "snare": "....x..g....x...", "open_hat": "x...x...x...x..."},
            {"kick": "x.....x..xx.....", "snare": "....X.......X..g", "ride": "x.x.x.x.x.x.x.x."},
            {"kick": "x.x.......x.x...", "snare": "....x.......x...", "tamb": SIXT, "hat": "x...x...x...x..."},
        ),
        ("R.R.R.R.R.R.R.R.", "kick", "R..R..R.R..R5.7.", "R.......R.....5.", "R.3.5.6.8.6.5.3."),
        ("x.x.x.x.x.x.x.x.", "x-------x-------", "x--x--x---x-x-x-", "x...x...x...x...", "..x...x...x...x."),
        swing=(0, 0.5),
        human=0.014,
        drift=0.02,
        electronic=0.05,
        minor=0.5,
        lead=0.5,
        vocal=0.6,
        plan="song",
        weight=2.5,
    ),
)  # fmt: skip
