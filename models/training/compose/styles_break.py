"""Drum & bass, jungle, dubstep, breakbeat, trip-hop: broken beats. Tempo labels at the DJ's level."""

from __future__ import annotations

from models.training.compose.style import Style

BACK = "....x.......x..."
STYLES = (
    Style(
        "dnb",
        (160, 182),
        (
            {"kick": "x.........x.....", "snare": BACK, "hat": "x.x.x.x.x.x.x.x."},
            {
                "kick": "x.........x.....",
                "snare": "....x..g.g..x..g",
                "hat": "xoxoxoxoxoxoxoxo",
                "ride": "x...x...x...x...",
            },
            {"kick": "x..x......x.....", "snare": "....x.......x..?", "ride": "x.x.x.x.x.x.x.x."},
            {
                "kick": "x.....x...x.....|x.x.......xx....",
                "snare": "....X..g.g..X...",
                "hat": "..x...x...x...x.",
            },
            {"kick": "x...............", "snare": "........x.......", "hat": "x...x...x...x..."},
            {
                "kick": "x...............|..........x.....",
                "snare": "........x.......",
                "hat": "xoxoxoxoxoxoxoxo",
                "rim": "...x......x..x..",
            },
        ),
        ("sub", "synco", "R-----------R-..", "R-..R-....R-..5-", "R--R--R-....8-7-"),
        ("pad", "x...............", "...x......x.....", "x-----------x---", "arp"),
        minor=0.85,
        lead=0.4,
        plan="club",
        weight=2.2,
    ),
    Style(
        "jungle",
        (155, 175),
        (
            {
                "kick": "x.x.......xx....|x.x.......x.....",
                "snare": "....x..g.g..x..g|....x..g.g....x.",
                "ride": "x.x.x.x.x.x.x.x.",
            },
            {
                "kick": "x..x......x..x..|x......x..x.....",
                "snare": "....x..x.g..x...|....x.gx.g..x.x.",
                "hat": "x.x.x.x.x.x.x.x.",
            },
            {
                "kick": "x.x...x.........|..x.......x.x...",
                "snare": "..g.x..g.x..x..g|.g..x..g....x.xx",
                "hat": "xoxoxoxoxoxoxoxo",
            },
        ),
        ("sub", "R-----..R--5----", "..R---....R--7--", "synco", "R-..............|........5-....R-"),
        ("pad", "..x...x...x...x.", "x...............", "......x........."),
        swing=(0, 0.2),
        human=0.006,
        minor=0.85,
        weight=1.5,
    ),
    Style(
        "dubstep",
        (136, 146),
        (
            {"kick": "x...............", "snare": "........x.......", "hat": "x.x.x.x.x.x.x.x."},
            {
                "kick": "x.....x.........|x..x......x.....",
                "snare": "........X.......",
                "hat": "..x..x....x..xxx",
            },
            {
                "kick": "x..........x....",
                "clap": "........x.......",
                "rim": "...x......?...x.",
                "shaker": "x.ox.ox.x.ox.ox.",
            },
        ),
        ("sub", "R--R--R-R-------", "R-------R-R-R-R-", "synco", "R-R-R-R-R--R--R-"),
        ("pad", "x...............", "arp", "......x.......x."),
        minor=0.95,
        lead=0.4,
        swing=(0, 0.2),
        weight=1.2,
    ),
    Style(
        "breakbeat",
        (98, 140),
        (
            {"kick": "x.x.......xx....", "snare": "....x..g.g..x..g", "hat": "x.x.x.x.x.x.x.x."},
            {
                "kick": "x......x..x.....|x.x....x..x..x..",
                "snare": "....x.......x...|....x..g....x.g.",
                "hat": "xxxxxxxxxxxxxxxx",
            },
            {
                "kick": "x..x......x.....",
                "snare": "....x..x.x..x...",
                "ride": "x.x.x.x.x.x.x.x.",
                "tamb": "....x.......x...",
            },
            {
                "kick": "x.....x..x......",
                "snare": "....X..g....X.gg",
                "open_hat": "..............x.",
                "hat": "x.x.x.x.x.x.x...",
            },
        ),
        ("synco", "R..R..5...R.8...", "kick", "R-.R..R.....5.7.", "sub"),
        ("x.......x..x....", "pad", "..x...x...x...x.", "...x..x....x..x."),
        swing=(0, 0.3),
        human=0.006,
        electronic=0.6,
        weight=1.7,
    ),
    Style(
        "big_beat",
        (105, 135),
        (
            {
                "kick": "x..x..x...x.....",
                "snare": BACK,
                "open_hat": "x.x.x.x.x.x.x.x.",
                "tamb": "xoxoxoxoxoxoxoxo",
            },
            {"kick": "x.x....x.xx.....", "snare": "....x..g.g..x...", "hat": "x.x.x.x.x.x.x.x."},
        ),
        ("R.R.R.R.R.R.5.7.", "synco", "kick", "R..RR..RR..R8.7."),
        ("x..x..x.........", "pad", "x...............", "arp"),
        human=0.005,
        electronic=0.5,
    ),
    Style(
        "drumstep",
        (150, 175),
        (
            {"kick": "x.....x.........", "snare": "........X.......", "hat": "x.x.x.x.x.x.x.x."},
            {
                "kick": "x..x..x.........|x.........x.x...",
                "snare": "........X.......",
                "open_hat": "....x.......x...",
            },
        ),
        ("synco", "R-R-R--RR-R-R---", "sub"),
        ("pad", "x.......x.......", "arp"),
        minor=0.9,
        weight=0.7,
    ),
    Style(
        "triphop",
        (70, 98),
        (
            {"kick": "x......x..x.....", "snare": BACK, "hat": "x.x.x.x.x.x.x.x."},
            {"kick": "x..x...x.x......", "snare": "....x..g....x.g.", "ride": "x.x.x.x.x.x.x.x."},
        ),
        ("sub", "R.....R...5.....", "synco", "R..R......R..7.."),
        ("x...............", "pad", "......x.......x.", "x.......x......."),
        swing=(0.1, 0.5),
        human=0.01,
        electronic=0.5,
        minor=0.9,
        plan="song",
    ),
)
