from __future__ import annotations

import io
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
import soundfile

from models.voice.adventures import dialogue, unpack
from models.voice.recordings import Recording, ambience, music, recordings, speaker

RATE = 24_000


def tone(seconds: float) -> np.ndarray:
    return 0.3 * np.sin(2 * np.pi * 300 * np.arange(int(seconds * RATE)) / RATE)


def ogg(seconds: float) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, tone(seconds), RATE, format="OGG")
    return file.getvalue()


@pytest.mark.parametrize(
    ("name", "who"),
    [
        ("/p/asterisk/sounds/en_US_f_Allison/digits/7.g722", "asterisk en_US_f_Allison/digits"),
        ("/p/games/fillets-ng/sound/city/cs/vit-m-nebo.ogg", "fillets cs m"),
        ("/p/games/fillets-ng/sound/city/cs/vit-hs-klid1.ogg", "fillets city cs vit-hs"),
        ("/p/nexuiz/data/data.pk3/sound/player/marine/coms/taunt1.ogg", "nexuiz marine"),
        ("/p/nexuiz/data/data.pk3/sound/weapons/shot.ogg", None),
        ("/p/games/warzone2100/base.wz/audio/taunts/taunt3/hahaha3.ogg", None),
    ],
)
def test_who_speaks_is_in_the_path(name: str, who: str | None) -> None:
    assert speaker(name) == who


def test_archives_are_read_where_they_lie(tmp_path: Path) -> None:
    folder = tmp_path / "ufoai-music" / "ufoai"
    folder.mkdir(parents=True)
    with zipfile.ZipFile(folder / "0snd.pk3", "w") as archive:
        archive.writestr("sound/ambience/wind.ogg", ogg(1.0))
        archive.writestr("music/theme.ogg", ogg(36.0))
        archive.writestr("music/theme_vocals.ogg", ogg(36.0))
        archive.writestr("music/short.ogg", ogg(3.0))
        archive.writestr("read.me", "")
    (folder / "broken.ogg").write_bytes(b"OggS")
    assert len(list(recordings(tmp_path))) == 5
    assert [r.member for r in music(tmp_path)] == ["music/theme.ogg"]
    (wind,) = ambience(tmp_path)
    found = wind.read(0.5)
    assert found is not None
    assert (len(found[0]), found[1]) == (RATE // 2, RATE)
    assert Recording(folder / "broken.ogg").read() is None


class Packer:
    """Bits in little-endian words, whole bytes between them."""

    def __init__(self) -> None:
        self.out, self._word, self._used = bytearray(), 0, 16

    def bits(self, value: int, count: int) -> None:
        for k in range(count):
            if self._used == 16:
                self._word, self._used = len(self.out), 0
                self.out += b"\0\0"
            self.out[self._word + self._used // 8] |= (value >> k & 1) << (self._used % 8)
            self._used += 1

    def table(self, *lengths: int) -> None:
        self.bits(len(lengths), 5)
        for n in lengths:
            self.bits(n, 4)


def packed() -> bytes:
    """``abcde`` and then ``deded`` as a copy from two bytes before, and ``xyz``."""
    p = Packer()
    p.bits(0, 2)
    p.table(0, 0, 1, 1)  # literals: 2 or 3 is code 0, 4 to 7 is code 1
    p.table(0, 1)
    p.table(0, 0, 1)  # lengths 4 and 5
    p.bits(2, 16)
    p.bits(1, 1)
    p.bits(1, 2)
    p.out += b"abcde"
    p.bits(0, 1)
    p.bits(0, 1)
    p.bits(1, 1)
    p.bits(0, 1)
    p.bits(1, 1)
    p.out += b"xyz"
    return b"RNC\x01" + struct.pack(">IIHHBB", 13, len(p.out), 0, 0, 0, 1) + bytes(p.out)


def test_what_was_packed_is_unpacked() -> None:
    assert unpack(packed()) == b"abcdededed" + b"xyz"


def test_lines_of_the_adventures_and_their_speakers(tmp_path: Path) -> None:
    line = b"\0" * 22 + packed()
    entries = [(50_123, 16, len(line)), (40_000, 0, 16)]
    table = b"".join(
        struct.pack("<HI", n, at // 16 | 0x800000)[:5] + struct.pack("<I", size)[:3] for n, at, size in entries
    )
    (tmp_path / "sky.dnr").write_bytes(struct.pack("<I", 2) + table)
    (tmp_path / "sky.dsk").write_bytes(b"\0" * 16 + line)
    wav = io.BytesIO()
    soundfile.write(wav, tone(0.5), RATE, format="WAV")
    head = b"QTBLCEM10\0\0\0\x01" + struct.pack(">H", 3)
    names = (b"020001J1.SB", b"28SSSSSS.SB", b"Y320001P2.SB")
    rows = b"".join(struct.pack(">12sBII", n, 1, 15 + 3 * 21, len(wav.getvalue())) for n in names)
    (tmp_path / "queen.1c").write_bytes(head + rows + wav.getvalue())
    (tmp_path / "drascula" / "en").mkdir(parents=True)
    (tmp_path / "drascula" / "en" / "VB12.ALS").write_bytes(bytes([128, 255, 1]))
    found = list(dialogue(tmp_path))
    assert [who for *_, who in found] == ["steel-sky 501", "queen J", "queen 32", "drascula VB"]
    assert [rate for _, rate, _ in found] == [11_025, RATE, RATE, 11_025]
    assert len(found[0][0]) == 13
    assert found[3][0].tolist() == [0.0, 127 / 128, -127 / 128]
