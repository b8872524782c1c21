"""Public packs of photographs: where they are, what they must hash to, and how their labels are made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath


@dataclass(frozen=True)
class SourceFile:
    """One file of a pack.

    Attributes:
        source: its name below the pack's address.
        path: where it goes in the folder that is made, with forward slashes.
        sha256: of its content.
    """

    source: str
    path: str
    sha256: str


@dataclass(frozen=True)
class PublicPack:
    """A pack of labelled photographs that others have published.

    Attributes:
        name: for `sim2real get`.
        description: for people.
        homepage: page of the publisher.
        commit: version that the hashes belong to.
        address: folder of the files on the web; files are fetched from `address/source`.
        licence: its name and the copyright line that must stay with copies.
        rig: the shipped rig that reads it.
        files: what is fetched.
        labels: the text of labels.csv for the paths of the files.
    """

    name: str
    description: str
    homepage: str
    commit: str
    address: str
    licence: str
    rig: str
    files: tuple[SourceFile, ...]
    labels: Callable[[Sequence[str]], str]


# Photographs that do not show the whole cube, by grid row and column, as seen in the photographs.
_CLIPPED = {(2, 0), (4, 1), (4, 8), (5, 1), (5, 7)}
_OUTSIDE = {(4, 0)}


def cube_labels(paths: Sequence[str]) -> str:
    """Return labels.csv of the cube photographs.

    The source names a photograph by its place on a 15 cm grid, `row-column.jpg`. In the robot's frame the
    cube's centre is at x = -0.5 - 0.15 row, y = 0.61 - 0.15 column, z = 0.33, metres.
    """
    lines = ["file,grid_x,grid_y,x_m,y_m,z_m,visible"]
    for path in paths:
        row, column = (int(part) for part in PurePosixPath(path).stem.split("-"))
        place = (row, column)
        visible = "none" if place in _OUTSIDE else "clipped" if place in _CLIPPED else "full"
        x_m, y_m = -0.5 - 0.15 * row, 0.61 - 0.15 * column
        lines.append(f"{path},{row},{column},{x_m:.3f},{y_m:.3f},0.330,{visible}")
    return "\n".join(lines) + "\n"


_CUBE_COMMIT = "c7cc6252656d88836037b86cafd8a88021f64ce4"
_CUBE_SHA256 = {
    "0-0.jpg": "265119f138fa7f171ad15ad9ed870ca7315c8eadd82ef978644ef0327f6f54bb",
    "0-1.jpg": "3503294191bccd3247f0f526d93076f98cd521b2e69764d877fdcf8e363ff1c1",
    "0-3.jpg": "6b83a522c48473db3e7bc0272db5ae30e6f7a1e7f0a81bc946b0521ede7b0bc2",
    "0-4.jpg": "afa23e0d084172f01002a4b3f50ddc6cde9fb307c79e50cdccf50383a8314f0c",
    "0-5.jpg": "d1ac76c9f7ebee7d82aaed362be23d191d5b5df4e40d117fe0fa86bf78d2c8cd",
    "0-7.jpg": "f7d60f995622bddd0a75dcb00bd7ae735b6d6eceb51de1bff9c7b0f86ec2186e",
    "0-8.jpg": "047918e5b6c5cb7a3ac68593d88ac60f0cdbeb42100fd70c06dea38726827c08",
    "1-0.jpg": "80812b76e9eb975b9c21229d8b9683d3b867c3dc3876d510933ffa9a247f85a7",
    "1-1.jpg": "ede7d6ffd4eb3a4bf52937cfd45ba138bec23863cc921662f708586f277ca5c7",
    "1-3.jpg": "3a3f50e8248734a2ab43897f109a92d30f35ee35f9ec73c09de9e52af7b8e677",
    "1-4.jpg": "cadc8cfe5a8a2a348a3e6a2d0e191ce35a3de68ac18a2b406429fc474e908c71",
    "1-5.jpg": "825b19dddfe58aef4e2e12c95da769b0c8cbab90561003457a0d068e5f5af0f3",
    "1-7.jpg": "3ece3587f6d7a97d54e39e792dca8199cdd3b360727f063abd70dab98b557398",
    "1-8.jpg": "ca8f1f2a628034e1e9082808434b3d654a5d394bc6c45516b27811e684ab716c",
    "2-0.jpg": "2f5b8b9167a2eef717a6a16c544c61052fa87e8e152d3b9ec1844a28e7a9b5d9",
    "2-1.jpg": "97be0f245bd4181fc3d6cb86802f0f205276dfcffa87ee6d7f387a64ba7e96f1",
    "2-3.jpg": "6d22192f2b6250c8894b1dc39097c3a6665bf69c4fa9222da7cce21eadaca9b1",
    "2-4.jpg": "95c670fd50b7674dd9bb9417e7fbb3b68e9ba7d1fbf65bae9dd5383f7bfd496d",
    "2-5.jpg": "f50c2df2bfda82ed3a349701aea3c0cc251c3b30d42215e5e271df06de09a869",
    "2-7.jpg": "34aacc6736b70a5dcd831e07a444f806fb8958e96b9aefc149891cf1004ef52d",
    "2-8.jpg": "904911479614db91686fceb2a6089d47ca222a571994b94eb3bf0ea85bd5f8d4",
    "4-0.jpg": "d97658e15ff0058ffa9712366312610a07ad900ddbd2c4aa58bb622c8380f9bf",
    "4-1.jpg": "39c9f080c017cfc6157c8fb85c0bcce4d2cce10e983e9a3f4505d7ee2fac26b4",
    "4-3.jpg": "4d042c3f3feb8632b25947b704236618b672017ef1f97e26bae4ab9d02f0675f",
    "4-4.jpg": "9350174605d14826f34da9e398835ce2d83553fced09ba9d4a7c1f13a38fc4cc",
    "4-5.jpg": "889314f3db1b6fc503514e24b31cbb2530d981de04e762821856d003ac9e2b6b",
    "4-7.jpg": "5852289b1c1ac97eaf5f6cd017fc5c158f45e70b033cfe092858847f7894e591",
    "4-8.jpg": "30bec711d1ca8ef1ef85b4d7557229ada09eda5022079c83c12e19ba54161f83",
    "5-1.jpg": "cad7dcba55def5a3b1fc81fed27c9db0f7153e6e8fc7c23f0e79f33a49b048a9",
    "5-3.jpg": "ca7d3792d8c0242a2bfae4775a8089af0a2760a11d3d2bd635ee33b1d5ef1fec",
    "5-4.jpg": "db808e1f47456a5a566588b1384f236b62d0f44769a19f7066cd8bbf1305cc99",
    "5-5.jpg": "fed2c7eba98fbc01fbfc1e5d426764197e6084507658f7591f91d02b1a10ed3f",
    "5-7.jpg": "7734dd481636013cbc320215b0dd2d48a57c57faf5b34e1242f726fe2c7dbf22",
}

PACKS = (
    PublicPack(
        name="cube_on_table",
        description="33 photographs of a white cube on a table before a KUKA arm, with the cube's position",
        homepage="https://github.com/matwilso/domrand",
        commit=_CUBE_COMMIT,
        address=f"https://raw.githubusercontent.com/matwilso/domrand/{_CUBE_COMMIT}/data/real",
        licence="MIT, Copyright (c) 2018 Matthew Wilson",
        rig="cube_on_table",
        files=tuple(SourceFile(name, f"images/{name}", digest) for name, digest in _CUBE_SHA256.items()),
        labels=cube_labels,
    ),
)
