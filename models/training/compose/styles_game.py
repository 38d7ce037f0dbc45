"""Rhythm-game music and J-core, 160-280 BPM, with gimmick breaks; game-boy pieces; anime rock."""

from __future__ import annotations

from models.training.compose.style import Style

BACK = "....x.......x..."
FLOOR = "x...x...x...x..."
OFF = "..x...x...x...x."
STYLES = (
    Style(
        "jcore",
        (160, 230),
        (
            {"kick": FLOOR, "open_hat": OFF, "clap": BACK, "hat": "xoxoxoxoxoxoxoxo"},
            {"kick": "x...x...x...x.x.", "open_hat": OFF, "snare": "....x.......x..x"},
            {"kick": "x.x...x.x.x...x.", "snare": "....x..x.x..x...", "ride": "x...x...x...x..."},
            {"kick": "x.....x...x.....", "snare": BACK, "hat": "x.x.x.x.x.x.x.x."},
        ),
        ("..RR..RR..RR..RR", "..R-..R-..R-..R-", ".RRR.RRR.RRR.RRR", "synco", "R.8.R.8.R.8.R.8."),
        ("x..x..x..x..x.x.", "arp", "pad", "..x-..x-..x-..x-"),
        minor=0.7,
        lead=0.9,
        vocal=0.35,
        plan="game",
        weight=2.2,
    ),
    Style(
        "speedcore",
        (210, 280),
        (
            {"kick": FLOOR, "hat": OFF},
            {"kick": "X.X.X.X.X.X.X.X.", "snare": BACK, "crash": "x...............|................"},
            {"kick": FLOOR, "snare": "....x.......x...", "open_hat": OFF},
            {"kick": "x.......x.......", "snare": "....x.......x...", "hat": "x...x...x...x..."},
        ),
        (OFF.replace("x", "R"), "synco", "R...R...R...R..."),
        ("x.....x.....x...", "arp", "pad", "x-------x-------"),
        minor=0.85,
        lead=0.7,
        vocal=0.2,
        plan="game",
        weight=1.2,
    ),
    Style(
        "anime_rock",
        (150, 210),
        (
            {"kick": "x.....x.x.......", "snare": BACK, "open_hat": "x...x...x...x..."},
            {"kick": "x...x...x...x...", "snare": "..x...x...x...x.", "hat": "x.x.x.x.x.x.x.x."},
            {"kick": "x.x...x.x.x...x.", "snare": BACK, "ride": "x...x...x...x..."},
        ),
        ("R.R.R.R.R.R.R.R.", "kick", "R.R.R.8.R.R.5.a."),
        ("x.x.x.x.x.x.x.x.", "x-------x-------", "x--x--x---x-x-x-", "arp"),
        human=0.006,
        electronic=0.3,
        minor=0.5,
        lead=0.8,
        vocal=0.6,
        plan="game",
        weight=1.3,
    ),
    Style(
        "chiptune",
        (110, 200),
        (
            {"kick": "x.....x.x.......", "snare": BACK, "hat": "x.x.x.x.x.x.x.x."},
            {"kick": FLOOR, "snare": BACK, "hat": OFF},
            {"kick": "x..x..x.x..x....", "snare": "....x..x....x.xx"},
        ),
        ("R.8.R.8.R.8.R.8.", "R.R.R.R.R.R.R.R.", "synco", "R..8..R.5..8..5."),
        ("arp", "arp", "xxxxxxxxxxxxxxxx", "x..x..x.x..x..x."),
        electronic=1.0,
        lead=0.95,
        vocal=0.02,
        plan="game",
        weight=1.0,
    ),
    Style(
        "artcore",
        (165, 200),
        (
            {"kick": "x.........x.....", "snare": BACK, "hat": "x.x.x.x.x.x.x.x."},
            {"kick": "x.x.......xx....", "snare": "....x..g.g..x..g", "ride": "x.x.x.x.x.x.x.x."},
            {"kick": "x.....x...x...x.", "snare": "....x..x.g..x.gg", "hat": "xoxoxoxoxoxoxoxo"},
        ),
        ("sub", "synco", "R-....R-..R-5-..", "R.R.R.R.R.R.R.R."),
        ("arp", "x-------x-------", "pad", "x.xx.xx.x.xx.xx."),
        electronic=0.6,
        lead=0.9,
        plan="game",
        weight=1.2,
        fast_chords=0.4,
    ),
    Style(
        "game_orchestra",
        (120, 200),
        (
            {
                "tom_lo": "x..x..x.x..x..x.",
                "snare": "x.xxx.xxx.xxx.xx",
                "crash": "x...............|................",
            },
            {"kick": "x.......x.......", "snare": "....x..xx...x.xx", "tamb": "x...x...x...x..."},
        ),
        ("R.R.R.R.R.R.R.R.", "R-------5-------", "R..R..R.R..R..5."),
        ("arp", "x.x.x.x.x.x.x.x.", "pad", "x--x--x-x--x--x-"),
        human=0.007,
        drift=0.006,
        electronic=0.15,
        lead=0.9,
        vocal=0.1,
        plan="game",
        minor=0.7,
    ),
)
