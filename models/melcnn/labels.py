"""What the network answers: families of genres, and the parts that play, as rendered music knows them."""

from __future__ import annotations

GENRES = (
    "electronic",
    "breaks",
    "hiphop",
    "soul",
    "rock",
    "jazz",
    "latin",
    "reggae",
    "african",
    "folk",
    "pop",
    "ambient",
)
"""In the order of the network's answers. ``breaks``: drum & bass, jungle, breakbeat, dubstep and their kin;
``soul``: soul, funk, R&B, gospel, disco; ``folk``: country, acoustic, waltz, polka, march, jig; ``ambient``: also
orchestral music of games."""

PARTS = ("drums", "bass", "chords", "pad", "lead", "vocal")
"""Roles that a rendered piece may have, in the order of the network's answers."""

_STYLES = {
    "electronic": "house techno trance minimal psytrance hard_dance garage electro_pop synthwave afro_house "
    "loop_floor jcore speedcore artcore chiptune dance",
    "breaks": "dnb jungle dubstep breakbeat big_beat drumstep footwork triphop chopped_break sparse_dnb",
    "hiphop": "hiphop trap drill",
    "soul": "soul funk rnb gospel disco neworleans",
    "rock": "rock punk metal indie_half anime_rock laid_back_rock rockabilly shuffle blues",
    "jazz": "swing jazz",
    "latin": "bossa samba salsa cumbia tango latin_pop latin afrocuban reggaeton baile_funk soca",
    "reggae": "reggae dub dancehall ska",
    "african": "afrobeat afro_six highlife",
    "folk": "country acoustic acoustic_three waltz polka march jig ballad",
    "pop": "three_pop pop",
    "ambient": "ambient game_orchestra",
}
_FAMILY = {style: family for family, styles in _STYLES.items() for style in styles.split()}


def genre(style: str) -> int:
    """Index into ``GENRES`` of a style of the renderer; -1 where it belongs to none, or to several.

    Pop songs with drums of another style (``pop_house``) are pop; drummers (``groove_jazz``) are what they play.
    """
    family = "pop" if style.startswith("pop_") else _FAMILY.get(style.removeprefix("groove_"), "")
    return GENRES.index(family) if family else -1
