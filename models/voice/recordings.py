"""Where recorded speech, music without voices and ambience lie in Debian's packages, and how to read them.

CARD.md lists the packages; each is unpacked with ``dpkg -x`` into a folder of its own. Game archives
(``.pk3``, ``.wz``, ``.zip``) are read where they lie. Formats that libsndfile does not read need PyAV.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile

from realtime.errors import UserError

F32 = npt.NDArray[np.float32]
ARCHIVES = (".pk3", ".wz", ".zip")
SOUNDS = (".ogg", ".opus", ".wav", ".flac", ".mp3", ".g722", ".gsm")

SPEECH = (
    (r"/asterisk/sounds/(?P<who>[^/]+(/[^/]+)?)/.*\.(g722|gsm|wav)$", "asterisk"),
    (r"/klettres/(?P<who>[^/]+)/", "klettres"),
    (r"/ktuberling/sounds/(?P<who>[^/]+)/", "ktuberling"),
    (r"/tuxpaint/.*_desc(?P<who>[^/]*)\.ogg$", "tuxpaint"),
    (r"/fillets-ng/sound/[^/]+/(?P<who>cs|nl|en)/[^/-]+-(?P<part>[mv])-[^/]*\.ogg$", "fillets"),
    (r"/fillets-ng/sound/(?P<part>[^/]+)/(?P<who>cs|nl|en)/(?P<role>[^/-]+-[^/-]+)-[^/]*\.ogg$", "fillets"),
    (r"/msu_ru_nsh_clunits/wav/(?P<who>ru)_[^/]*\.wav$", "festvox"),
    (r"/gcin-voice/ogg/[^/]+/(?P<who>\d+)\.ogg$", "gcin"),
    (r"/hedgewars/Data/Sounds/voices/(?P<who>[^/]+)/", "hedgewars"),
    (r"/megaglest/techs/.*/(?P<who>[a-z_]+?)_(ack|select)_?\d*\.(wav|ogg)$", "megaglest"),
    (r"/trigger-rally/.*sounds/codriver/(?P<who>[^/]+)/", "codriver"),
    (r"/nexuiz/.*sound/player/(?P<who>[^/]+)/coms/", "nexuiz"),
    (r"/nexuiz/.*sound/(?P<who>tutorial|announcer/male)/", "nexuiz"),
    (r"/0ad/.*audio/voice/(?P<who>[^/]+/civ/civ_(fe)?male)_[^/]*\.ogg$", "0ad"),
    (r"/warzone2100/base\.wz/audio/.*(?P<who>pcv|/com|/tut|/v-)[^/]*\.ogg$", "warzone"),
    (r"/openarena/missionpack/.*sound/voices/(?P<who>[^/]+)/", "openarena"),
    (r"/redeclipse/data/sounds/(?P<who>announcer)/", "redeclipse"),
    (r"/freedroidrpg/.*/(?P<who>voice_samples|tux_ingame_comments)/", "freedroid"),
    (r"/flightgear/Sounds/(?P<who>mk-viii|tcas/female)/", "flightgear"),
    (r"/pocketsphinx/test/data/(?P<who>[^/]+)/", "pocketsphinx"),
)  # fmt: skip
"""Paths that are speech, and what their speakers are called: this, and what the groups hold."""

MUSIC = (
    "amoebax-data", "asc-music", "blobwars-data", "boswars-data", "btanks-data", "caveexpress-data",
    "endless-sky-data", "extremetuxracer-data", "fb-music-high", "flare-game", "freedroidrpg-data",
    "frozen-bubble-data", "hedgewars-data", "hyperrogue-music", "krank", "lincity-ng-data", "lugaru-data",
    "marsshooter-data", "naev-data", "neverball-data", "nexuiz-music", "openclonk-data", "pathological",
    "pushover-data", "redeclipse-data", "singularity-music", "starfighter-data", "supertux-data",
    "supertuxkart-data", "trackballs-data", "trigger-rally-data", "ufoai-music", "warmux-data",
    "warzone2100-music", "wizznic-data", "xmoto-data", "zaz-data",
)  # fmt: skip
"""Packages with music in which nobody sings."""
SUNG = (
    r"vocal|voice|choir|lyric|song_|anthem|chant|pirate|/intro|speech|cutscene|ambien|/sfx|/sounds/|/titles/"
    r"|tutorial|\.pk3\.d/"
)
"""Names that may tell a voice, no music, or an archive that somebody unpacked beside itself."""
LEAST_MUSIC = 35.0

AMBIENCE = (
    r"/0ad/.*audio/ambient/",
    r"/0ad/.*audio/resource/(mining|construction|lumbering|foraging)/",
    r"/ufoai/.*sound/(ambience|weapons|impact|doors)/",
    r"/redeclipse/data/sounds/(ambience|weapons)/",
    r"/nexuiz/.*sound/(ambient|desertfactory|weapons)/",
    r"/warzone2100/base\.wz/audio/sfx/(weapons|vehicle|explons|interfce)/",
    r"/flightgear/Aircraft/c172p/Sounds/",
    r"/searchandrescue/sounds/",
    r"/sonic-pi/samples/(ambi_(?!choir|piano)|elec_|perc_|vinyl_|loop_(3d|industrial))",
    r"/tuxpaint/stamps/(animals|household|naturalforces|seasonal/newyears|vehicles)/(?!.*_desc).*\.ogg$",
)
"""Weather, water, machines, weapons, animals."""


@lru_cache(maxsize=8)
def _archive(path: Path) -> zipfile.ZipFile:
    """Kept open: a large one takes a second to open."""
    return zipfile.ZipFile(path)


@dataclass(frozen=True)
class Recording:
    """A file, or a member of an archive."""

    path: Path
    member: str = ""

    @property
    def name(self) -> str:
        """The path with the member behind it."""
        return f"{self.path}/{self.member}" if self.member else str(self.path)

    def open(self) -> Path | io.BytesIO:
        """What soundfile reads."""
        if not self.member:
            return self.path
        return io.BytesIO(_archive(self.path).read(self.member))

    def seconds(self) -> float:
        """Its length; 0 where it cannot be read."""
        try:
            return float(soundfile.info(self.open()).duration)
        except (OSError, RuntimeError):
            return 0.0

    def read(self, start: float = 0.0, seconds: float | None = None) -> tuple[F32, int] | None:
        """Mono samples and their rate; None where it cannot be read."""
        try:
            if Path(self.name).suffix.lower() in (".g722", ".gsm"):
                return _decode(self.path)
            with soundfile.SoundFile(self.open()) as file:
                file.seek(int(start * file.samplerate))
                count = -1 if seconds is None else int(seconds * file.samplerate)
                samples: F32 = file.read(count, dtype="float32", always_2d=True).mean(axis=1)
                return samples, int(file.samplerate)
        except (OSError, RuntimeError, ValueError):
            return None


def _decode(path: Path) -> tuple[F32, int]:
    try:
        import av
    except ImportError as error:
        raise UserError(f"{path}: needs PyAV; pip install 'sidechain[speech]', or leave such files out") from error
    with av.open(str(path)) as container:
        stream: Any = container.streams.audio[0]
        blocks = [frame.to_ndarray().reshape(-1) for frame in container.decode(stream)]
        rate = int(stream.rate)
    return np.concatenate(blocks).astype(np.float32) / 32768.0, rate


def recordings(folder: Path) -> Iterator[Recording]:
    """Every sound under `folder`, archives included, in order of their names."""
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        kind = path.suffix.lower()
        if kind in SOUNDS:
            yield Recording(path)
        elif kind in ARCHIVES and zipfile.is_zipfile(path):
            members = sorted(_archive(path).namelist())
            yield from (Recording(path, m) for m in members if Path(m).suffix.lower() in SOUNDS)


def speaker(name: str) -> str | None:
    """Who speaks in the recording of this name; None if it is not known to be speech."""
    for pattern, package in SPEECH:
        found = re.search(pattern, name)
        if found:
            return " ".join([package, *found.groupdict().values()])
    return None


def music(folder: Path) -> list[Recording]:
    """Music without voices in the packages under `folder`."""
    found = (r for package in MUSIC if (folder / package).is_dir() for r in recordings(folder / package))
    plain = (r for r in found if not re.search(SUNG, r.name.lower()) and not speaker(r.name))
    return [r for r in plain if r.seconds() >= LEAST_MUSIC]


def ambience(folder: Path) -> list[Recording]:
    """Noises in the packages under `folder`, half a second and longer."""
    found = (r for r in recordings(folder) if any(re.search(p, r.name) for p in AMBIENCE))
    return [r for r in found if r.seconds() >= 0.5]
