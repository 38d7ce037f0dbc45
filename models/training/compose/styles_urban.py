"""Hip-hop, trap, reggaeton, dancehall, reggae, dub, R&B."""

from __future__ import annotations

from models.training.compose.style import Style

BACK = "....x.......x..."
SKANK = "..x...x...x...x."
STYLES = (
    Style(
        "hiphop",
        (80, 112),
        (
            {"kick": "x.....x.x.......", "snare": BACK, "hat": "x.x.x.x.x.x.x.x."},
            {
                "kick": "x..x...x..x.....|x.x....x.xx.....",
                "snare": "....x..g....x...",
                "hat": "x.x.x.xxx.x.x.x.",
            },
            {"kick": "x.........xx....", "clap": BACK, "hat": "x.xxx.x.x.xxx.x.", "tamb": "....x.......x..."},
            {
                "kick": "x......xx.......",
                "snare": "....x.......x.gg",
                "open_hat": "......x.........",
                "hat": "x.x.x...x.x.x.x.",
            },
        ),
        ("sub", "synco", "kick", "R.....R.R.....5.", "R--....R..R-...."),
        ("x...............", "x.......x..x....", "pad", "..x...x...x...x.", "x---....x---...."),
        swing=(0.1, 0.6),
        human=0.008,
        electronic=0.6,
        minor=0.8,
        vocal=0.5,
        weight=1.6,
        plan="song",
    ),
    Style(
        "trap",
        (128, 170),
        (
            {
                "kick": "x.....x.........|x..x......x.....",
                "clap": "........x.......",
                "hat": "x.x.x.x.x.x.x.x.",
            },
            {
                "kick": "x.........x.....|......x...x.....",
                "snare": "........x.......",
                "hat": "x.x.x.x.xxx.x.x.|x.x.xxxxx.x.xoxo",
            },
            {
                "kick": "x......x..x.....",
                "clap": "........x......?",
                "hat": "x...x...x...x.xx",
                "open_hat": "..............x.",
                "rim": "...x..?.........",
            },
        ),
        ("kick", "sub", "R-----R-........|R--R------R-----", "synco"),
        ("x...............", "pad", "arp", "x...x...x...x...", "x---------------|"),
        minor=0.95,
        lead=0.6,
        vocal=0.5,
        weight=1.5,
        plan="song",
    ),
    Style(
        "reggaeton",
        (82, 104),
        (
            {"kick": "x...x...x...x...", "snare": "...x..x....x..x.", "hat": "x.x.x.x.x.x.x.x."},
            {
                "kick": "x...x...x...x...",
                "clap": "...x..x....x..x.",
                "shaker": "xoxoxoxoxoxoxoxo",
                "rim": "......?.......x.",
            },
        ),
        ("R--R--R-R--R--5-", "sub", "kick", "R..R..R.R..R..R."),
        ("x..x..x.x..x..x.", "pad", "..x...x...x...x.", "arp"),
        minor=0.75,
        vocal=0.5,
        weight=1.2,
        plan="song",
    ),
    Style(
        "dancehall",
        (88, 112),
        (
            {"kick": "x..x..x.x..x..x.", "snare": "......x.......x.", "hat": "x.x.x.x.x.x.x.x."},
            {"kick": "x.....x.x.....x.", "snare": "...x..x....x..x.", "rim": "...x......x....."},
            {"kick": "x..x....x..x....", "clap": "......x.......x.", "hat": SKANK},
        ),
        ("R..R..R.........", "synco", "kick", "R-....R-..R-..5-"),
        ("..x...x...x...x.", "x..x..x.........", "pad"),
        electronic=0.7,
        vocal=0.5,
        plan="song",
    ),
    Style(
        "reggae",
        (64, 92),
        (
            {"kick": "........x.......", "rim": "........x.......", "hat": "x.xox.xox.xox.xo"},
            {"kick": "x...x...x...x...", "snare": "........x.......", "hat": "..x...x...x...x."},
            {"kick": "x.......x.......", "rim": "....x.......x...", "hat": "x.x.x.x.x.x.x.x."},
        ),
        ("R-..R-5-....R-3-", "....R-..R-5-R---", "synco", "R--R--5-........", "R-----..5-3-R---"),
        (SKANK, "..xx..xx..xx..xx", "....x.......x...", SKANK),
        swing=(0, 0.6),
        human=0.008,
        drift=0.006,
        electronic=0.3,
        vocal=0.5,
        weight=1.3,
        plan="song",
    ),
    Style(
        "dub",
        (66, 96),
        (
            {"kick": "........x.......", "rim": "........x.....?.", "hat": "x.x.x.x.x.x.x.x."},
            {"kick": "x...x...x...x...", "snare": "........x.......", "open_hat": "..?...x...?...x."},
        ),
        ("R-----..R--5----", "R-..............", "....R-R-5-......", "sub"),
        (SKANK, "......x.........", "..x.............", "pad"),
        swing=(0, 0.4),
        human=0.006,
        minor=0.85,
        electronic=0.6,
    ),
    Style(
        "rnb",
        (60, 105),
        (
            {"kick": "x.....xx..x.....", "snare": BACK, "hat": "x.xxx.x.x.xxx.xx"},
            {"kick": "x..x....x.x.....", "clap": BACK, "hat": "xoxoxoxoxoxoxoxo", "rim": "..........x..x.."},
        ),
        ("sub", "synco", "R-....R-R-..5-7-"),
        ("x-------x-------", "x-----x---------", "pad", "arp", "...x......x....."),
        swing=(0, 0.5),
        human=0.007,
        minor=0.7,
        vocal=0.65,
        electronic=0.6,
        plan="song",
    ),
)
