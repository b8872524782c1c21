"""The bodies of a running PyBullet client as shapes and poses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibration.errors import InputError
from envs.meshes.cache import mesh_levels
from envs.meshes.mesh import Mesh, MeshLevels, Part
from envs.meshes.primitives import box, capsule, cylinder, sphere
from envs.meshes.urdf import painted

Float = NDArray[np.float32]
Int = NDArray[np.int32]

# Half a side of what is drawn of an infinite plane, metres; its texture repeats every metre.
PLANE_M = 100.0

# PyBullet's numbers of geometries.
_SPHERE, _BOX, _CYLINDER, _MESH, _PLANE, _CAPSULE = 2, 3, 4, 5, 6, 7


def _rotation_table() -> NDArray[np.float64]:
    """Return (16, 9), which turns the products of a unit quaternion's xyzw with itself into its rotation matrix."""
    x, y, z, w = range(4)
    table = np.zeros((4, 4, 9))
    # Row by row: the diagonal has squares, the rest twice a product and twice one with w.
    for k, (plus, minus) in {0: ((x, w), (y, z)), 4: ((y, w), (x, z)), 8: ((z, w), (x, y))}.items():
        for one in plus:
            table[one, one, k] = 1
        for one in minus:
            table[one, one, k] = -1
    for k, one, two, third, sign in (
        (1, x, y, z, -1),
        (2, x, z, y, 1),
        (3, x, y, z, 1),
        (5, y, z, x, -1),
        (6, x, z, y, -1),
        (7, y, z, x, 1),
    ):
        table[one, two, k] = 2
        table[third, w, k] = 2 * sign
    return table.reshape(16, 9)


_ROTATION = _rotation_table()


def _matrices(pose: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (N, 3, 4) of positions and quaternions (N, 7)."""
    turn = pose[:, 3:]
    rotation = ((turn[:, :, None] * turn[:, None, :]).reshape(-1, 16) @ _ROTATION).reshape(-1, 3, 3)
    return np.concatenate([rotation, pose[:, :3, None]], axis=2)


class ClientShapes:
    """What the bodies of a client look like, read once, and where they are, read at every step.

    Bodies that come later are not seen, and none may be removed; then make another one.

    Attributes:
        shapes: each different shape once.
        shape: (I,), index into `shapes` of each instance.
        body: (I,), PyBullet's number of its body.
        link: (I,), PyBullet's number of its link, -1 for the base.
        rgb: (I, 3), colour, multiplied with the colour of each part.
        left_out: what is not among the instances, and why.
    """

    shapes: list[MeshLevels]
    shape: Int
    body: Int
    link: Int
    rgb: Float
    left_out: tuple[str, ...]

    def __init__(self, pybullet_module: Any, client_id: int) -> None:
        """Read the visual shapes of all bodies; those with an alpha of 0 are invisible and left out.

        Raises:
            InputError: a mesh file is not there or cannot be used.
        """
        self._pybullet, self._client = pybullet_module, client_id
        self.shapes = []
        known: dict[tuple[object, ...], int] = {}
        instances: list[tuple[int, int, int, tuple[float, ...]]] = []
        frame_from_visual: list[NDArray[np.float64]] = []
        left_out: list[str] = []
        for number in range(pybullet_module.getNumBodies(physicsClientId=client_id)):
            body = pybullet_module.getBodyUniqueId(number, physicsClientId=client_id)
            base = self._base_from_inertial(body)
            for data in pybullet_module.getVisualShapeData(body, physicsClientId=client_id):
                _, link, kind, size, file, position, turn, rgba = data[:8]
                name = file.decode(errors="replace")
                key = (kind, size, name)
                if rgba[3] == 0.0:
                    left_out.append(f"body {body}, link {link}: its alpha is 0")
                    continue
                if key not in known:
                    levels = _levels(kind, size, name)
                    if levels is None:
                        left_out.append(f"body {body}, link {link}: PyBullet does not tell its geometry ({kind})")
                        continue
                    known[key] = len(self.shapes)
                    self.shapes.append(levels)
                instances.append((known[key], body, link, rgba[:3]))
                visual = _square(_matrices(np.array([[*position, *turn]])))[0]
                # PyBullet gives the pose of a base's inertial frame, but the visual in the frame of the link.
                frame_from_visual.append(np.linalg.inv(base) @ visual if link < 0 else visual)
        self.left_out = tuple(left_out)
        self.shape = np.array([i[0] for i in instances], np.int32)
        self.body = np.array([i[1] for i in instances], np.int32)
        self.link = np.array([i[2] for i in instances], np.int32)
        self.rgb = np.array([i[3] for i in instances], np.float32).reshape(-1, 3)
        self._frame_from_visual = np.array(frame_from_visual, np.float64).reshape(-1, 4, 4)
        self._queries, self._row = self._plan()

    def poses(self) -> Float:
        """Return world_from_instance (I, 3, 4) as the bodies are now."""
        p, client = self._pybullet, self._client
        rows: list[tuple[float, ...]] = []
        for body, has_base, links in self._queries:
            if has_base:
                position, turn = p.getBasePositionAndOrientation(body, physicsClientId=client)
                rows.append(position + turn)
            if links:
                rows += [state[4] + state[5] for state in p.getLinkStates(body, links, physicsClientId=client)]
        if not rows:
            return np.zeros((0, 3, 4), np.float32)
        world_from_frame = _matrices(np.array(rows))[self._row]
        poses = world_from_frame[:, :, :3] @ self._frame_from_visual[:, :3]
        poses[:, :, 3] += world_from_frame[:, :, 3]
        return np.asarray(poses, np.float32)

    def _base_from_inertial(self, body: int) -> NDArray[np.float64]:
        """Return the inertial frame of a body's base in the base's own frame, (4, 4)."""
        found = self._pybullet.getDynamicsInfo(body, -1, physicsClientId=self._client)
        return np.asarray(_square(_matrices(np.array([[*found[3], *found[4]]])))[0])

    def _plan(self) -> tuple[list[tuple[int, bool, list[int]]], NDArray[np.int64]]:
        """Return what to ask of each body, base and links, and in which row of the answers each instance is."""
        queries = []
        row_of: dict[tuple[int, int], int] = {}
        for body in dict.fromkeys(self.body.tolist()):
            links = sorted(set(self.link[self.body == body].tolist()))
            for link in links:
                row_of[body, link] = len(row_of)
            queries.append((body, links[0] < 0, [link for link in links if link >= 0]))
        pairs = zip(self.body.tolist(), self.link.tolist(), strict=True)
        return queries, np.array([row_of[pair] for pair in pairs], np.int64)


def _square(matrices: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (N, 4, 4) of (N, 3, 4)."""
    last = np.tile([[[0.0, 0.0, 0.0, 1.0]]], (len(matrices), 1, 1))
    return np.concatenate([matrices, last], axis=1)


def _levels(kind: int, size: tuple[float, float, float], file: str) -> MeshLevels | None:
    """Return the shape that PyBullet describes in these words, or None where they do not suffice."""
    if kind == _BOX:
        return box(size)
    if kind == _SPHERE:
        return sphere(size[0])
    if kind == _CYLINDER:
        return cylinder(size[1], size[0])
    if kind == _CAPSULE:
        return capsule(size[1], size[0])
    if kind == _PLANE:
        return _plane()
    if kind == _MESH and file not in ("", "unknown_file"):
        return painted(mesh_levels(_found(file), size), Part())
    return None


def _found(file: str) -> Path:
    path = Path(file)
    if not path.is_file() and not path.is_absolute():
        # A client does not tell its search path; this folder is the one that is usually on it.
        import pybullet_data

        path = Path(pybullet_data.getDataPath()) / file
    if not path.is_file():
        raise InputError(f"a mesh of a PyBullet body must be a file, got '{file}', which is not there")
    return path


def _plane() -> MeshLevels:
    """Return a large square in z = 0 that faces upwards."""
    corners = PLANE_M * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], np.float32)
    mesh = Mesh(
        np.column_stack([corners, np.zeros(4, np.float32)]),
        np.tile(np.array([0, 0, 1], np.float32), (4, 1)),
        corners,
        np.array([[0, 1, 2], [0, 2, 3]], np.int32),
        np.zeros(2, np.int32),
    )
    return MeshLevels((mesh,))
