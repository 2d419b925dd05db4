# Compares the metrics of two runs: same_figures.py A B TOLERANCE. Each line has the same figures, equal within the relative
# tolerance, apart from times and memory. Prints the first that is not, or the largest difference.
import json
import sys

NOT_COMPARED = {"tokens_per_s", "ms", "peak_bytes", "seconds", "cpu_seconds"}


def lines(path):
    with open(path) as file:
        return [{k: v for k, v in json.loads(line).items() if k not in NOT_COMPARED} for line in file]


tolerance = float(sys.argv[3])
a, b = map(lines, sys.argv[1:3])
if not a or len(a) != len(b):
    sys.exit(f"{len(a)} lines and {len(b)} lines")
largest = 0.0
for x, y in zip(a, b):
    if x.keys() != y.keys():
        sys.exit(f"other figures: {x} and {y}")
    for name in x:
        difference = abs(x[name] - y[name]) / max(abs(x[name]), abs(y[name])) if x[name] != y[name] else 0.0
        largest = max(largest, difference)
        if not difference <= tolerance:  # (true of NaN, too)
            sys.exit(f"step {x['step']}: {name} is {x[name]!r} and {y[name]!r}, a difference of {difference:.1e}")
print(f"largest difference {largest:.1e}")
