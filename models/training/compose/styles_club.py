"""House, techno, trance, disco and their neighbours: four to the floor."""

from __future__ import annotations

from models.training.compose.style import Style

FLOOR = "x...x...x...x..."
OFF = "..x...x...x...x."
BACK = "....x.......x..."
OFFBASS = "..R-..R-..R-..R-"
ROLL = ".RRR.RRR.RRR.RRR"
PUMP = ("..x-..x-..x-..x-", "x--x--x-x--x--x-", "..x...x...x...x.", "x..x..x...x..x..", "pad", "arp")

STYLES = (
    Style(
        "house",
        (116, 130),
        (
            {"kick": FLOOR, "clap": BACK, "open_hat": OFF, "hat": "x.ox.xo.x.ox.xo?"},
            {"kick": FLOOR, "snare": BACK, "open_hat": OFF, "shaker": "oxoxoxoxoxoxoxox"},
            {
                "kick": FLOOR,
                "clap": "....x..?....x..x",
                "open_hat": OFF,
                "conga_hi": "..x..x...?.x..x.",
                "rim": "...x..?....x..?.",
            },
            {"kick": "x...x...x...x..?", "hat": OFF, "ride": "x.x.x.x.x.x.x.x.", "clap": BACK},
        ),
        (OFFBASS, "R..R..R.R..R..5.", "synco", "R-.R..8.R-.5..7.", "..R...R..8R...Rr"),
        PUMP,
        swing=(0.0, 0.25),
        weight=2.0,
    ),
    Style(
        "techno",
        (122, 150),
        (
            {"kick": FLOOR, "hat": OFF, "clap": BACK, "rim": "...x..x....x..x."},
            {"kick": FLOOR, "open_hat": OFF, "hat": "xxxxxxxxxxxxxxxx"},
            {"kick": FLOOR, "ride": OFF, "tom_lo": "...x..x..x..x...", "cowbell": "......x......?x."},
            {
                "kick": "x...x...x...x...|x...x...x...x.x.",
                "hat": "..xo..xo..xo..xo",
                "clap": "................|....x.......x...",
            },
        ),
        (ROLL, "..R...R...R...R.", ".R.R.R.R.R.R.R.R", "synco", "sub"),
        ("x..x..x...x..x..", "...x......x.....", "pad", "arp", "..x...x...x...x."),
        minor=0.9,
        lead=0.25,
        vocal=0.12,
        weight=1.6,
    ),
    Style(
        "trance",
        (128, 145),
        (
            {"kick": FLOOR, "open_hat": OFF, "clap": BACK, "hat": "xoxoxoxoxoxoxoxo"},
            {"kick": FLOOR, "open_hat": OFF, "snare": BACK, "ride": "x.x.x.x.x.x.x.x."},
        ),
        (ROLL, OFFBASS, "..RR..RR..RR..RR", ".R8R.R8R.R8R.R8R"),
        ("x..x..x..x..x.x.", "arp", "pad", "..x-..x-..x-..x-", "x.xx.xx.x.xx.xx."),
        lead=0.8,
        weight=1.5,
        plan="epic",
    ),
    Style(
        "hard_dance",
        (148, 185),
        (
            {"kick": FLOOR, "open_hat": OFF, "clap": BACK},
            {
                "kick": FLOOR,
                "crash": "x...............|................",
                "hat": OFF,
                "snare": "....x..x.x..x...",
            },
            {"kick": "X...X...X...X.X.", "ride": "..x...x...x...x.", "clap": BACK},
        ),
        (OFFBASS, "..RR..RR..RR..RR", ".RRR.RRR.RRR.RRR"),
        ("..x-..x-..x-..x-", "x..x..x..x..x.x.", "arp", "pad"),
        lead=0.8,
        weight=1.2,
        plan="epic",
    ),
    Style(
        "disco",
        (108, 132),
        (
            {"kick": FLOOR, "snare": BACK, "open_hat": OFF, "hat": "x.o.x.o.x.o.x.o."},
            {
                "kick": FLOOR,
                "clap": BACK,
                "hat": "xoxxxoxxxoxxxoxx",
                "tamb": OFF,
                "cowbell": "x..x..x.x..x..x.",
            },
            {"kick": FLOOR, "snare": "....x..g.g..x..g", "open_hat": OFF, "conga_hi": "..xx..x...xx..x."},
        ),
        ("R.8.R.8.R.8.R.8.", "R..RR.8.R..5R.8.", "R.R8.R8.R.58.78.", "synco"),
        ("..x...x...x...x.", "x..x..x.x..x..x.", "pad", "xoxxxoxxxoxxxoxx"),
        swing=(0, 0.1),
        human=0.006,
        drift=0.004,
        electronic=0.4,
        lead=0.6,
        vocal=0.5,
        plan="song",
    ),
    Style(
        "electro_pop",
        (100, 135),
        (
            {"kick": FLOOR, "snare": BACK, "hat": "x.x.x.x.x.x.x.x."},
            {"kick": "x.....x.x.......", "clap": BACK, "hat": "xoxoxoxoxoxoxoxo"},
            {"kick": "x..x..x...x.....", "snare": BACK, "hat": OFF},
        ),
        ("R.R.R.R.R.R.R.R.", "R.8.R.8.R.8.R.8.", "synco", "kick", OFFBASS),
        ("x-------x-------", "arp", "pad", "..x...x...x...x.", "x..x..x..x..x.x."),
        minor=0.5,
        lead=0.7,
        vocal=0.6,
        plan="song",
        weight=1.5,
    ),
    Style(
        "minimal",
        (118, 130),
        (
            {"kick": FLOOR, "rim": "..x..x....x..x.?", "hat": "..o...o...o...o."},
            {
                "kick": "x...x...x...x...",
                "clap": "............x...|....?.......x...",
                "shaker": "..x...x...x...xo",
                "conga_lo": ".....x.....?x...",
            },
        ),
        ("R.....R....R....", "...R......R..R..", "sub", "synco"),
        ("...x............", "......x.......x.", "pad", "..........x..x.."),
        swing=(0, 0.3),
        minor=0.8,
        lead=0.2,
        vocal=0.15,
    ),
    Style(
        "garage",
        (126, 138),
        (
            {
                "kick": "x.........x.....",
                "snare": BACK,
                "hat": "..x..xx...x..x.x",
                "open_hat": "..............x.",
            },
            {"kick": "x......x..x.....", "clap": BACK, "hat": "x.ox.xo.x.ox.xox", "rim": ".......g.x......"},
            {"kick": "x..x......x..?..", "snare": "....x.......x...", "hat": ".ox..ox..ox..ox."},
        ),
        ("R......R..R..5..", "synco", "sub", "..R-..R...R-...."),
        ("...x......x.....", "..x-....x.......", "pad", "x..x......x..x.."),
        swing=(0.15, 0.5),
        vocal=0.4,
    ),
)
