"""Streams forget differently, and a step of N ranks takes as long as the slowest: by how much, from measured memories.

bench/results/rows-2026-11-27.json holds, for runs on the CPU, the rows in memory of each stream, summed over layers, after some
steps. A simulated stream has the rows of one of them, divided by their mean: so much of the mean memory of a larger model.
bench/scaling_model.py prints the tables.
"""
import heapq
import json
import random
import statistics
from pathlib import Path

MEASURED = Path(__file__).resolve().parent / "results" / "rows-2026-11-27.json"
RUNS = json.loads(MEASURED.read_text())["runs"]
BLOCK, HIDDEN, LAYERS = 512, 512, 12  # of configs/enwik8_12l.yaml, whose steps are simulated


def relative(run):
    """The rows of every stream after every step, as parts of their mean."""
    counts = [rows for after in run["rows"].values() for rows in after]
    mean = statistics.mean(counts)
    return [rows / mean for rows in counts]


def drawn(run):
    """A function that draws k memories from those of `run`."""
    pool = relative(run)
    return lambda dice, k: dice.choices(pool, k=k)


def spread(deviation):
    """A function that draws k memories of mean 1 from a gamma distribution: not measured, to see what it would take."""
    return lambda dice, k: [dice.gammavariate(deviation**-2, deviation**2) for _ in range(k)]


SOURCES = {run["name"]: drawn(run) for run in RUNS} | {f"deviation {d}, assumed": spread(d) for d in (0.25, 0.5)}


def times(model, memories, ranks, rows):
    """Seconds of each rank; rank r has the r-th part of the streams. rows: of a context, mean."""
    each = len(memories) // ranks
    contexts = [sum(BLOCK + (rows - BLOCK) * m for m in memories[r * each : (r + 1) * each]) for r in range(ranks)]
    return [model.fixed + each * model.per_stream + model.per_row * context for context in contexts]


def dealt(memories, ranks):
    """The order in which all ranks have as many streams and nearly as many rows: the longest memory left goes to the rank with
    the fewest rows among those with room."""
    each = len(memories) // ranks
    hands = [[] for _ in range(ranks)]
    heap = [(0.0, r) for r in range(ranks)]
    for stream in sorted(range(len(memories)), key=lambda s: -memories[s]):
        held, r = heapq.heappop(heap)
        hands[r].append(stream)
        if len(hands[r]) < each:
            heapq.heappush(heap, (held + memories[stream], r))
    return [stream for hand in hands for stream in hand]


def slow_down(seconds):
    return max(seconds) / statistics.mean(seconds)


def simulated(model, draw, ranks, each, rows):
    """Slowest over mean rank, streams in order and dealt: means over several draws of memories."""
    dice = random.Random(1)
    in_order, by_rows = [], []
    for _ in range(max(3, min(50, 4000 // (ranks * each)))):
        memories = draw(dice, ranks * each)
        in_order.append(slow_down(times(model, memories, ranks, rows)))
        by_rows.append(slow_down(times(model, [memories[s] for s in dealt(memories, ranks)], ranks, rows)))
    return statistics.mean(in_order), statistics.mean(by_rows)


def measured():
    """Table: how many rows of memory streams have, per layer."""
    rows = []
    for run in RUNS:
        for step, counts in run["rows"].items():
            if step in run["shown"]:
                c = sorted(x / run["layers"] for x in counts)
                deviation = statistics.pstdev(c) / statistics.mean(c)
                parts = [statistics.mean(c), *(c[round(q * (len(c) - 1))] for q in (0, 0.1, 0.5, 0.9, 1))]
                rows.append([run["name"], step, str(len(c)), *(f"{x:.0f}" for x in parts), f"{deviation:.2f}"])
    return ["run", "step", "streams", "mean", "least", "10 %", "median", "90 %", "most", "deviation / mean"], rows


def slowest(model):
    """Table: the slowest rank's time over the mean, streams in order / dealt."""
    rows = []
    for name, draw in SOURCES.items():
        for context, each in ((1024, 1), (1024, 64), (2048, 1), (2048, 16), (2048, 64)):
            cells = ["%.2f / %.2f" % simulated(model, draw, ranks, each, context) for ranks in (8, 64, 1024)]
            rows.append([name if (context, each) == (1024, 1) else "", str(context), str(each), *cells])
    return ["memories of", "rows", "streams per rank", "N = 8", "N = 64", "N = 1024"], rows


def dealing(model):
    """Table: what is left of a deal after some steps of the measured streams themselves."""
    rows = []
    for run in RUNS:
        series = {int(step): counts for step, counts in run["rows"].items()}
        mean = statistics.mean(x for counts in series.values() for x in counts)
        series = {step: [x / mean for x in counts] for step, counts in series.items()}
        ranks = len(next(iter(series.values()))) // 16

        def after(age, by_rows):
            """Slowest over mean, so many steps after a deal by the rows of then; streams in order if not by_rows."""
            found = []
            for step in series:
                if step + age in series:
                    order = dealt(series[step], ranks) if by_rows else range(len(series[step]))
                    found.append(slow_down(times(model, [series[step + age][s] for s in order], ranks, 1024)))
            return statistics.mean(found)

        rows.append([run["name"], str(ranks), f"{after(0, False):.3f}", *(f"{after(age, True):.3f}" for age in (0, 4, 8, 16, 32))])
    return ["memories of", "N", "in order", "dealt", *(f"{age} steps later" for age in (4, 8, 16, 32))], rows


def moving(model, networks):
    """Table: what it costs to deal all streams anew, and what the steps after it gain (N = 64, 2048 rows)."""
    rows = []
    for name, draw in SOURCES.items():
        for each in (4, 64):
            size = each * LAYERS * (2048 - BLOCK) * (2 * HIDDEN + 4)  # rows in bf16, and their ages
            in_order, by_rows = simulated(model, draw, 64, each, 2048)
            gain = (in_order - by_rows) * model.seconds(each, 2048)
            cost = [size / (net.cards * net.card / net.per_host) for net in networks]
            cells = [f"{1e3 * c:.0f} ms, {c / gain:.0f} steps" for c in cost]
            rows.append([name, str(each), f"{size / 1e6:.0f}", f"{1e3 * gain:.2f}", *cells])
    head = ["memories of", "streams per rank", "MB per rank", "gain per step, ms", *(f"over {net.name}" for net in networks)]
    return head, rows
