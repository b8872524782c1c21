import numpy as np
import pytest
from scipy import stats

from sim2real.philox import philox4x32, stream_keys, uniforms

# Known answers of the authors' library Random123, kat_vectors, philox4x32-10.
ANSWERS = [
    ([0] * 4, [0] * 2, [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]),
    ([0xFFFFFFFF] * 4, [0xFFFFFFFF] * 2, [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]),
    (
        [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344],
        [0xA4093822, 0x299F31D0],
        [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1],
    ),
]


@pytest.mark.parametrize(("counter", "key", "answer"), ANSWERS)
def test_known_answers(counter: list[int], key: list[int], answer: list[int]) -> None:
    c0, c1, c2, c3 = (np.array([v], np.uint64) for v in counter)
    k0, k1 = (np.array([v], np.uint64) for v in key)
    assert [int(v[0]) for v in philox4x32((c0, c1, c2, c3), (k0, k1))] == answer


def numbers(names: list[str], seed: int, indices: list[int], block: int = 0, slot: int = 0) -> np.ndarray:
    blocks = np.full(len(names), block, np.uint64)
    return uniforms(stream_keys(names, seed), blocks, np.array(indices, np.uint64), np.array([slot], np.uint64))


def test_every_part_of_the_address_counts_and_nothing_else() -> None:
    plain = numbers(["a", "b"], 1, [5, 6, 2**40])
    assert np.unique(plain).size == plain.size
    np.testing.assert_array_equal(numbers(["b"], 1, [2**40, 5])[0], plain[1, [2, 0]])
    others = [numbers(["a", "b"], s, [5, 6, 2**40], b, t) for s, b, t in ((2, 0, 0), (1, 1, 0), (1, 0, 1), (-1, 0, 0))]
    both = np.stack([plain, *others])
    assert np.unique(both).size == both.size


def test_numbers_are_uniform_and_never_0_or_1() -> None:
    u = numbers([f"path {k}" for k in range(50)], 3, list(range(1000)))
    assert stats.kstest(u.ravel(), "uniform").pvalue > 1e-3
    assert 0 < u.min() < 1e-3
    assert 1 - 1e-3 < u.max() < 1
    # Sums of 16 cells in two dimensions: the two numbers of a pair, and neighbours in index.
    for x, y in ((u[..., 0], u[..., 1]), (u[:, 1:, 0], u[:, :-1, 0]), (u[1:, :, 0], u[:-1, :, 0])):
        cells = np.histogram2d(x.ravel(), y.ravel(), 4, [[0, 1], [0, 1]])[0]
        assert stats.chisquare(cells.ravel()).pvalue > 1e-3
