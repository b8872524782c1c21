"""Kernels of tool kinematics: forward pose with its Jacobian, and damped least squares on it."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from envs.rendering.cpu.compiled import inlined, kernel

Float = NDArray[np.float64]

# Metres of tool error that one radian of its orientation counts as, about half the length of a hand.
_RADIAN_M = 0.1
# Damping, relative to metres a radian; small, since control steps are short and limits are clamped.
_DAMPING = 0.01
# Share of the way to the rest position that a step takes in the directions that the pose leaves free.
_TO_REST = 0.2
# Horizontal part of the tool's z axis above which it counts as tilted.
_FLAT = 0.1
# Longest step of a joint in one iteration, radians.
_LONGEST_STEP = 0.4


@kernel
def tool_pose(
    offset: Float,
    kind: NDArray[np.int64],
    axis: Float,
    point: Float,
    q: Float,
    rotation: Float,
    position: Float,
    jacobian: Float,
) -> None:
    """Fill the tool's rotation, position and Jacobian for joint positions (J,).

    Args:
        offset: (L, 3, 4), parent_from_child of each link at zero.
        kind: (L,), 0 fixed, 1 revolute, 2 prismatic.
        axis: (L, 3), of the joint in the child's frame.
        point: (3,), the tool's point in the last link.
        q: joint positions.
        rotation: result (3, 3).
        position: result (3,).
        jacobian: result (6, J), linear, then angular.
    """
    r00, r01, r02, r10, r11, r12, r20, r21, r22 = 1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0
    px, py, pz = 0.0, 0.0, 0.0
    joint = 0
    for k in range(len(kind)):
        o = offset[k]
        px += r00 * o[0, 3] + r01 * o[1, 3] + r02 * o[2, 3]
        py += r10 * o[0, 3] + r11 * o[1, 3] + r12 * o[2, 3]
        pz += r20 * o[0, 3] + r21 * o[1, 3] + r22 * o[2, 3]
        a00 = r00 * o[0, 0] + r01 * o[1, 0] + r02 * o[2, 0]
        a01 = r00 * o[0, 1] + r01 * o[1, 1] + r02 * o[2, 1]
        a02 = r00 * o[0, 2] + r01 * o[1, 2] + r02 * o[2, 2]
        a10 = r10 * o[0, 0] + r11 * o[1, 0] + r12 * o[2, 0]
        a11 = r10 * o[0, 1] + r11 * o[1, 1] + r12 * o[2, 1]
        a12 = r10 * o[0, 2] + r11 * o[1, 2] + r12 * o[2, 2]
        a20 = r20 * o[0, 0] + r21 * o[1, 0] + r22 * o[2, 0]
        a21 = r20 * o[0, 1] + r21 * o[1, 1] + r22 * o[2, 1]
        a22 = r20 * o[0, 2] + r21 * o[1, 2] + r22 * o[2, 2]
        r00, r01, r02, r10, r11, r12, r20, r21, r22 = a00, a01, a02, a10, a11, a12, a20, a21, a22
        if kind[k] == 0:
            continue
        x, y, z = axis[k, 0], axis[k, 1], axis[k, 2]
        wx = r00 * x + r01 * y + r02 * z
        wy = r10 * x + r11 * y + r12 * z
        wz = r20 * x + r21 * y + r22 * z
        angle = q[joint]
        # For now the joint's axis, and its origin for a revolute one; finished when the tool is known.
        jacobian[3, joint], jacobian[4, joint], jacobian[5, joint] = wx, wy, wz
        jacobian[0, joint], jacobian[1, joint], jacobian[2, joint] = px, py, pz
        joint += 1
        if kind[k] == 2:
            px += wx * angle
            py += wy * angle
            pz += wz * angle
            continue
        s, c = math.sin(angle), math.cos(angle)
        d = 1.0 - c
        m00, m01, m02 = c + x * x * d, x * y * d - z * s, x * z * d + y * s
        m10, m11, m12 = y * x * d + z * s, c + y * y * d, y * z * d - x * s
        m20, m21, m22 = z * x * d - y * s, z * y * d + x * s, c + z * z * d
        a00, a01, a02 = (
            r00 * m00 + r01 * m10 + r02 * m20,
            r00 * m01 + r01 * m11 + r02 * m21,
            r00 * m02 + r01 * m12 + r02 * m22,
        )
        a10, a11, a12 = (
            r10 * m00 + r11 * m10 + r12 * m20,
            r10 * m01 + r11 * m11 + r12 * m21,
            r10 * m02 + r11 * m12 + r12 * m22,
        )
        a20, a21, a22 = (
            r20 * m00 + r21 * m10 + r22 * m20,
            r20 * m01 + r21 * m11 + r22 * m21,
            r20 * m02 + r21 * m12 + r22 * m22,
        )
        r00, r01, r02, r10, r11, r12, r20, r21, r22 = a00, a01, a02, a10, a11, a12, a20, a21, a22
    px += r00 * point[0] + r01 * point[1] + r02 * point[2]
    py += r10 * point[0] + r11 * point[1] + r12 * point[2]
    pz += r20 * point[0] + r21 * point[1] + r22 * point[2]
    rotation[0, 0], rotation[0, 1], rotation[0, 2] = r00, r01, r02
    rotation[1, 0], rotation[1, 1], rotation[1, 2] = r10, r11, r12
    rotation[2, 0], rotation[2, 1], rotation[2, 2] = r20, r21, r22
    position[0], position[1], position[2] = px, py, pz
    joint = 0
    for k in range(len(kind)):
        if kind[k] == 0:
            continue
        wx, wy, wz = jacobian[3, joint], jacobian[4, joint], jacobian[5, joint]
        if kind[k] == 2:
            jacobian[0, joint], jacobian[1, joint], jacobian[2, joint] = wx, wy, wz
            jacobian[3, joint], jacobian[4, joint], jacobian[5, joint] = 0.0, 0.0, 0.0
        else:
            lx, ly, lz = px - jacobian[0, joint], py - jacobian[1, joint], pz - jacobian[2, joint]
            jacobian[0, joint] = wy * lz - wz * ly
            jacobian[1, joint] = wz * lx - wx * lz
            jacobian[2, joint] = wx * ly - wy * lx
        joint += 1


@inlined
def _cholesky_solve(a: Float, b: Float, n: int) -> None:
    """Solve a x = b for both columns of b (n, 2) in place; a (n, n) is positive definite and is overwritten."""
    for i in range(n):
        for j in range(i + 1):
            total = a[i, j]
            for k in range(j):
                total -= a[i, k] * a[j, k]
            if i == j:
                a[i, i] = math.sqrt(total)
            else:
                a[i, j] = total / a[j, j]
    for column in range(2):
        for i in range(n):
            total = b[i, column]
            for k in range(i):
                total -= a[i, k] * b[k, column]
            b[i, column] = total / a[i, i]
        for i in range(n - 1, -1, -1):
            total = b[i, column]
            for k in range(i + 1, n):
                total -= a[k, i] * b[k, column]
            b[i, column] = total / a[i, i]


@kernel
def solve(
    offset: Float,
    kind: NDArray[np.int64],
    axis: Float,
    point: Float,
    start: Float,
    target: Float,
    target_rotation: Float,
    rest: Float,
    low: Float,
    high: Float,
    iterations: int,
    approach_only: bool,
    scratch: Float,
    result: Float,
) -> None:
    """Fill joint positions (J,) that bring the tool near a pose; see `ToolKinematics.reach`. At most 12 joints."""
    n = len(start)
    rotation = scratch[:9].reshape(3, 3)
    position = scratch[9:12]
    jacobian = scratch[12 : 12 + 6 * n].reshape(6, n)
    a = scratch[90 : 90 + n * n].reshape(n, n)
    b = scratch[240 : 240 + 2 * n].reshape(n, 2)
    error = scratch[270:276]
    for i in range(n):
        result[i] = start[i]
    for _ in range(iterations):
        tool_pose(offset, kind, axis, point, result, rotation, position, jacobian)
        for i in range(3):
            error[i] = target[i] - position[i]
            error[3 + i] = 0.0
        # Half the sum of the cross products of the axes is the rotation vector for small angles.
        for column in range(2 if approach_only else 0, 3):
            ux, uy, uz = rotation[0, column], rotation[1, column], rotation[2, column]
            vx, vy, vz = target_rotation[0, column], target_rotation[1, column], target_rotation[2, column]
            share = _RADIAN_M if approach_only else 0.5 * _RADIAN_M
            error[3] += share * (uy * vz - uz * vy)
            error[4] += share * (uz * vx - ux * vz)
            error[5] += share * (ux * vy - uy * vx)
        zx, zy, zz = rotation[0, 2], rotation[1, 2], rotation[2, 2]
        flat = math.sqrt(zx * zx + zy * zy)
        tilted = approach_only and flat > _FLAT and abs(target_rotation[2, 2]) < 1.0 - 0.5 * _FLAT * _FLAT
        if tilted:
            # Only the angle to the vertical counts: a turn about the horizontal (-zy, zx, 0) changes it.
            lowered = _RADIAN_M * (math.asin(min(max(zz, -1.0), 1.0)) - math.asin(target_rotation[2, 2])) / flat
            ux, uy, uz = rotation[0, 0], rotation[1, 0], rotation[2, 0]
            vx, vy, vz = target_rotation[0, 0], target_rotation[1, 0], target_rotation[2, 0]
            # And how far it is turned about its own axis, which the last joint can mend.
            turned = zx * (uy * vz - uz * vy) + zy * (uz * vx - ux * vz) + zz * (ux * vy - uy * vx)
            turned *= _RADIAN_M
            error[3], error[4], error[5] = turned * zx - lowered * zy, turned * zy + lowered * zx, turned * zz
        for j in range(n):
            if tilted:
                about = (zx * jacobian[4, j] - zy * jacobian[3, j]) / (flat * flat)
                along = zx * jacobian[3, j] + zy * jacobian[4, j] + zz * jacobian[5, j]
                jacobian[3, j], jacobian[4, j] = along * zx - about * zy, along * zy + about * zx
                jacobian[5, j] = along * zz
            elif approach_only:
                along = zx * jacobian[3, j] + zy * jacobian[4, j] + zz * jacobian[5, j]
                jacobian[3, j] -= along * zx
                jacobian[4, j] -= along * zy
                jacobian[5, j] -= along * zz
            for i in range(3, 6):
                jacobian[i, j] *= _RADIAN_M
        for i in range(n):
            b[i, 0] = 0.0
            b[i, 1] = 0.0
            for k in range(6):
                b[i, 0] += jacobian[k, i] * error[k]
            for j in range(n):
                total = 0.0
                for k in range(6):
                    total += jacobian[k, i] * jacobian[k, j]
                a[i, j] = total
                b[i, 1] += total * _TO_REST * (rest[j] - result[j])
        for i in range(n):
            a[i, i] += _DAMPING * _DAMPING
        _cholesky_solve(a, b, n)
        longest = _LONGEST_STEP
        for i in range(n):
            # (1 - A^-1 J'J) (rest - q): what the pose leaves free.
            b[i, 0] += _TO_REST * (rest[i] - result[i]) - b[i, 1]
            longest = max(longest, abs(b[i, 0]))
        for i in range(n):
            moved = result[i] + b[i, 0] * (_LONGEST_STEP / longest)
            result[i] = min(max(moved, low[i]), high[i])
