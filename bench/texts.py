#!/usr/bin/env python3
"""How near `fade train TEXT --minutes T` comes to the best settings for a text and a time.

Trains on each text with the settings that fade chooses, and again, for the same time, with one of them given: the model
a size smaller and larger, dropout less and more, no input noise and more, learning rate higher and lower, no turns, twice
the streams, and the `--try` of the call. What fade chooses besides follows what is given. Each run has one thread, and
several run at a time: nothing else should. Prints a line per text, and writes a JSON file with all runs.

  bench/texts.py novel.txt program.c --minutes 1 --out texts.json

The bits per byte are those of the run's best checkpoint, on up to 200,000 bytes of the validation split, or on those of
TEXT.next, where there is such a file: what follows a text that is too short for a sure figure. The standard library of
Python is enough.
"""
import argparse
import json
import math
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from recipe import Results, cpu_model, fade_version

PLAN = Path(__file__).parent.parent / "train/config/text_plan.cpp"
DROPOUTS = [0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5]
EVALUATED = 200_000  # bytes, at most


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("texts", nargs="+", metavar="TEXT")
    parser.add_argument("--fade", default="build/fade", help="the program (default: %(default)s)")
    parser.add_argument("--minutes", type=float, default=1, help="of each run (default: %(default)s)")
    parser.add_argument("--try", dest="tried", nargs="+", default=[], metavar="KEY=VALUE",
                        help="further runs, each with a setting (several: KEY=VALUE,KEY=VALUE)")
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)),
                        help="runs at a time (default: a run per core)")
    parser.add_argument("--out", required=True, help="JSON file of the results; runs that it holds are not repeated")
    return parser.parse_args()


def sizes():
    """Layers, width and learning rate of the models that fade chooses among."""
    ladder = re.search(r"kLadder = .*?;", PLAN.read_text(), re.S).group()
    return [(int(n), int(h), float(lr)) for n, h, lr in re.findall(r"\{(\d+), (\d+), ([-.e\d]+)\}", ladder)]


def evaluated(text):
    """The bytes that runs of a text are compared on."""
    if Path(text + ".next").exists():
        return Path(text + ".next").read_bytes()[:EVALUATED]
    data = Path(text).read_bytes()
    return data[len(data) * 90 // 100:len(data) * 95 // 100][:EVALUATED]


def order0(data):
    """Entropy of single bytes, in bits."""
    return sum(-n / len(data) * math.log2(n / len(data)) for n in Counter(data).values())


def train(args, text, settings):
    """One run: its bits per byte, and what it was trained with."""
    with tempfile.TemporaryDirectory() as folder:
        run, part = f"{folder}/run", Path(folder) / "part"
        part.write_bytes(evaluated(text))
        call = [args.fade, "train", text, "--minutes", str(args.minutes), "--out", run, "--device", "cpu"]
        for setting in ["threads=1", *settings]:
            call += ["--set", setting]
        for command in (call, [args.fade, "eval", run, "--data", str(part), "--streams", "8", "--json"]):
            process = subprocess.run(command, capture_output=True, text=True)
            if process.returncode:
                return {"error": (process.stderr.strip().splitlines() or [f"status {process.returncode}"])[-1]}
        bits = json.loads(process.stdout)["bits_per_byte"]
        lines = [json.loads(line) for line in Path(f"{run}/metrics.jsonl").read_text().splitlines()]
        config = Path(f"{run}/config.yaml").read_text()
    found = {key: float(re.search(rf"^ +{key}: ([-+.e\d]+)$", config, re.M).group(1))
             for key in ("layers", "hidden", "dropout", "input_noise", "weight_decay", "lr", "batch", "turns")}
    return {"bits": round(bits, 4), "steps": lines[-1]["step"], "seconds": round(lines[-1]["seconds"], 1), **found}


def neighbours(plan):
    """Settings next to those of a run: {name: [key=value, ..]}."""
    ladder = sizes()
    size = min(range(len(ladder)), key=lambda i: abs(ladder[i][1] - plan["hidden"]) + abs(ladder[i][0] - plan["layers"]))
    drop = min(range(len(DROPOUTS)), key=lambda i: abs(DROPOUTS[i] - plan["dropout"]))
    tried = {}
    for name, i in (("smaller model", size - 1), ("larger model", size + 1)):
        if 0 <= i < len(ladder):
            layers, hidden, lr = ladder[i]
            tried[name] = [f"model.layers={layers}", f"model.hidden={hidden}", f"model.ff={4 * hidden}",
                           f"train.optimizer.lr={lr}"]
    for name, i in (("less dropout", drop - 1), ("more dropout", drop + 1)):
        if 0 <= i < len(DROPOUTS):
            tried[name] = [f"model.dropout={DROPOUTS[i]}"]
    if plan["input_noise"] > 0:
        tried["no input noise"] = ["train.input_noise=0"]
    tried["more input noise"] = [f"train.input_noise={plan['input_noise'] + 0.05:.2g}"]
    tried["higher learning rate"] = [f"train.optimizer.lr={plan['lr'] * 1.5:.3g}"]
    tried["lower learning rate"] = [f"train.optimizer.lr={plan['lr'] / 1.5:.3g}"]
    if plan["turns"] > 1:
        tried["no turns"] = ["train.turns=1", "train.chunk_bytes=0"]
    tried["twice the streams"] = [f"train.batch={int(2 * plan['batch'])}"]
    return tried


def main():
    args = arguments()
    header = {"fade": fade_version(args.fade), "cpu": cpu_model(), "minutes": args.minutes, "threads": 1}
    results = Results(args.out, header, "texts")

    def run_all(jobs):
        def run(job):
            text, name, settings = job
            runs = results.rows[text]["runs"]
            if "bits" in runs.get(name, {}):
                return
            found = {"settings": settings, **train(args, text, settings)}
            results.add(runs, name, found)
            print(f"{text}: {name}: {found.get('bits', found.get('error'))}", file=sys.stderr)

        with ThreadPoolExecutor(args.jobs) as pool:
            list(pool.map(run, jobs))

    for text in args.texts:
        results.rows.setdefault(
            text, {"bytes": os.path.getsize(text), "order0": round(order0(evaluated(text)), 4), "runs": {}})
    run_all([(text, "as chosen", []) for text in args.texts])
    jobs = []
    for text in args.texts:
        plan = results.rows[text]["runs"]["as chosen"]
        tried = neighbours(plan) if "bits" in plan else {}
        tried |= {setting: setting.split(",") for setting in args.tried}
        jobs += [(i, text, name, settings) for i, (name, settings) in enumerate(tried.items())]
    run_all([job[1:] for job in sorted(jobs, key=lambda job: job[0])])  # a change of all texts, then the next change

    print("| text | bytes | order 0 | as chosen | best of the sweep | with |\n|---|---|---|---|---|---|")
    for text in args.texts:
        row = results.rows[text]
        bits = {name: run["bits"] for name, run in row["runs"].items() if "bits" in run}
        if "as chosen" not in bits:
            print(f"| {Path(text).name} | {row['bytes']:,} | {row['order0']:.3f} | "
                  f"{row['runs']['as chosen']['error']} | | |")
            continue
        best = min(bits, key=bits.get)
        print(f"| {Path(text).name} | {row['bytes']:,} | {row['order0']:.3f} | {bits['as chosen']:.3f} "
              f"| {bits[best]:.3f} | {best} |")


if __name__ == "__main__":
    main()
