"""One simple polygon cut into triangles by ear clipping (Meisters 1975, Eberly 2008).

Why no area is lost: the sum of the triangles' signed indicator functions is the polygon's winding number, whichever
corners are clipped in whichever order. So it is enough that no clipped triangle is turned over. An ear is a corner
that turns left whose triangle holds no other corner. Corners that do not turn (on an edge, or the tip of a spike) can
always be clipped: their triangle is empty. Tips of spikes are at once: what would be left of the spike's two sides, one
on the other, looks like an ear from the wrong side.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque

import numpy as np

STRAIGHT = 1e-12  # a turn whose sine times the polygon's squared size is less, is rounding


def clip_ears(points: np.ndarray) -> np.ndarray:
    """int64 [T,3], T at most n - 2, indices of `points`, float64 [n,2] in counter-clockwise order."""
    return np.array(_Ring(points).clip(), dtype=np.int64).reshape(-1, 3)


class _Ring:
    """The corners that are left, as a linked ring. `doubtful` are those that may lie in an ear: the ones that do not
    turn left, in order of x, so that a search looks at few."""

    def __init__(self, points: np.ndarray) -> None:
        n = len(points)
        self.x, self.y = (points - points.min(0)).T.tolist()
        self.size = float(np.ptp(points, axis=0).max()) ** 2 * STRAIGHT
        self.before = [(i - 1) % n for i in range(n)]
        self.after = [(i + 1) % n for i in range(n)]
        self.turns = [self._turn(i) for i in range(n)]
        self.doubtful = sorted((self.x[i], i) for i in range(n) if self.turns[i] <= 0)
        self.left = n

    def clip(self) -> list[tuple[int, int, int]]:
        found = []
        for i in range(len(self.x)):
            self._drop_spikes(i)
        queue: deque[int] = deque()
        last = self.left + 1  # corners left at the last look at all of them
        at = next(i for i in range(len(self.x)) if self.after[i] >= 0)  # one of those left
        while self.left > 3:
            if queue:
                i = queue.popleft()
                if self.after[i] < 0 or not self._is_ear(i):
                    continue
            elif self.left < last:
                ring, last = self._ring(at), self.left
                queue.extend(ring[::2] + ring[1::2])  # not all at one place, which makes slivers
                continue
            else:
                i = self._way_out(at)
            a, c = self.before[i], self.after[i]
            found.append((a, i, c))
            self._remove(i)
            at = self._drop_spikes(c, a)
            queue.extend((self.before[at], at, self.after[at]))
        return found + [(self.before[at], at, self.after[at])]

    def _drop_spikes(self, *corners: int) -> int:
        """Take out corners at which the outline turns back on itself, and those that become so; one that is left."""
        at, todo = corners[0], list(corners)
        while todo and self.left > 3:
            i = todo.pop()
            if self.after[i] < 0 or self.turns[i] != 0:
                continue
            a, c, x, y = self.before[i], self.after[i], self.x, self.y
            back = (x[i] - x[a]) * (x[c] - x[i]) + (y[i] - y[a]) * (y[c] - y[i]) <= 0
            if back:
                self._remove(i)
                todo += [a, c]
                at = c if at == i else at
        return at

    def _ring(self, i: int) -> list[int]:
        ring = [i]
        while self.after[ring[-1]] != i:
            ring.append(self.after[ring[-1]])
        return ring

    def _turn(self, i: int) -> float:
        """Twice the area of the triangle at corner i; 0 where that is rounding."""
        area = self._area(self.before[i], i, self.after[i])
        return 0.0 if abs(area) <= self.size else area

    def _area(self, a: int, b: int, c: int) -> float:
        x, y = self.x, self.y
        return (x[b] - x[a]) * (y[c] - y[a]) - (x[c] - x[a]) * (y[b] - y[a])

    def _is_ear(self, i: int, closed: bool = True) -> bool:
        if self.turns[i] <= 0:
            return False
        a, c = self.before[i], self.after[i]
        x0, x1, x2 = self.x[a], self.x[i], self.x[c]
        y0, y1, y2 = self.y[a], self.y[i], self.y[c]
        low, high = min(y0, y1, y2), max(y0, y1, y2)
        bound = -self.size if closed else self.size
        first = bisect_left(self.doubtful, (min(x0, x1, x2), -1))
        last = bisect_left(self.doubtful, (max(x0, x1, x2), len(self.x)))
        for x, p in self.doubtful[first:last]:
            y = self.y[p]
            if not low <= y <= high or p in (a, i, c):
                continue
            if (x1 - x0) * (y - y0) - (x - x0) * (y1 - y0) < bound:
                continue
            if (x2 - x1) * (y - y1) - (x - x1) * (y2 - y1) < bound:
                continue
            if (x0 - x2) * (y - y2) - (x - x2) * (y0 - y2) < bound:
                continue
            if (x, y) == (x1, y1):
                if self._enters(p, a, i, c):
                    return False
            elif (x, y) not in ((x0, y0), (x2, y2)):  # the two sides of a cut meet there
                return False
        return True

    def _enters(self, p: int, a: int, i: int, c: int) -> bool:
        """Whether an edge from p, which lies on corner i, runs into the triangle of i."""
        return any(
            self._area(a, i, q) > self.size and self._area(i, c, q) > self.size
            for q in (self.before[p], self.after[p])
        )

    def _way_out(self, i: int) -> int:
        """A corner to clip where there is no ear: a straight one; else one whose triangle others only touch; else,
        in a polygon that crosses itself, the smallest that turns left."""
        ring = self._ring(i)
        for j in ring:
            if self.turns[j] == 0:
                return j
        for j in ring:
            if self._is_ear(j, closed=False):
                return j
        return min(ring, key=lambda j: (self.turns[j] <= 0, abs(self.turns[j])))

    def _remove(self, i: int) -> None:
        a, c = self.before[i], self.after[i]
        self.after[a], self.before[c], self.after[i] = c, a, -1
        self.left -= 1
        if self.turns[i] <= 0:
            del self.doubtful[bisect_left(self.doubtful, (self.x[i], i))]
        for j in (a, c):
            was, self.turns[j] = self.turns[j], self._turn(j)
            if was <= 0 < self.turns[j]:
                del self.doubtful[bisect_left(self.doubtful, (self.x[j], j))]
            elif self.turns[j] <= 0 < was:
                insort(self.doubtful, (self.x[j], j))
