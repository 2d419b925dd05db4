#!/usr/bin/env python3
"""The results of gpu_check.sh: one JSON, complete after every stage.

    gpu_record.py RESULTS --start KEY=VALUE...
    gpu_record.py RESULTS --stage NAME --code CODE --limit SECONDS --seconds SECONDS --log LOG
    gpu_record.py RESULTS --stage NAME --left-out REASON
    gpu_record.py RESULTS --table
"""

import argparse
import csv
import json
import os
import re
from collections import defaultdict
from pathlib import Path


def kernels(text):
    """ncu's CSV of gpu__time_duration: [kernel, launches, total ms], the slowest first."""
    rows = list(csv.reader(line for line in text.splitlines() if line.startswith('"')))
    if len(rows) < 3 or "Kernel Name" not in rows[0]:
        return None
    name, duration = rows[0].index("Kernel Name"), rows[0].index("gpu__time_duration.sum")
    scale = {"ns": 1e-6, "nsecond": 1e-6, "us": 1e-3, "usecond": 1e-3, "ms": 1, "msecond": 1, "s": 1e3, "second": 1e3}[rows[1][duration]]
    spent = defaultdict(lambda: [0, 0.0])
    for row in rows[2:]:
        if len(row) < len(rows[0]):  # the last line of a profile that was ended
            continue
        entry = spent[re.sub(r"\s+", " ", row[name])[:160]]
        entry[0] += 1
        entry[1] += float(row[duration].replace(",", "")) * scale
    return sorted(([k, n, round(ms, 4)] for k, (n, ms) in spent.items()), key=lambda row: -row[2])


def found(log):
    """What a stage printed: the kernels that ncu saw, its JSON, or its last lines."""
    text = Path(log + ".log").read_text(errors="replace")
    if profile := kernels(text):
        return profile
    for candidate in (text, *reversed(text.splitlines())):
        try:
            value = json.loads(candidate)
        except ValueError:
            continue
        if isinstance(value, dict):
            return value
    return text.splitlines()[-40:]


def result_of(stage):
    if "left_out" in stage:
        return "left out: " + stage["left_out"]
    if stage["code"]:
        return f"FAILED, exit {stage['code']}" + (f" (limit {stage['limit']} s)" if stage["code"] in (124, 137) else "")
    r = stage["found"]
    if isinstance(r, dict) and "results" in r:
        r = r["results"][0]
    if isinstance(r, dict) and "ms" in r:
        return f"{r['ms']:.1f} ms, {r['tokens_per_s']:.0f} tokens/s, {r['peak_bytes'] / 2**30:.2f} GiB"
    return json.dumps(r)[:200] if isinstance(r, dict) else "passed"


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("results", type=Path)
    p.add_argument("--start", nargs="+")
    p.add_argument("--stage")
    p.add_argument("--left-out")
    for name in ("code", "limit", "seconds"):
        p.add_argument("--" + name, type=int)
    p.add_argument("--log")
    p.add_argument("--table", action="store_true")
    args = p.parse_args()

    if args.start:
        report = dict(pair.split("=", 1) for pair in args.start) | {"stages": []}
    else:
        report = json.loads(args.results.read_text())
    if args.stage:
        stage = {"stage": args.stage}
        if args.left_out:
            stage |= {"left_out": args.left_out}
        else:
            stage |= {"code": args.code, "limit": args.limit, "seconds": args.seconds, "found": found(args.log)}
            if args.code:
                stage["error"] = Path(args.log + ".err").read_text(errors="replace").splitlines()[-20:]
        report["stages"].append(stage)
        print(f"{args.stage:24} {result_of(stage)}", flush=True)
        for line in stage.get("error", [])[-3:]:
            print("    " + line)
    if args.table:
        print("\n| stage | s | result |\n|---|---|---|")
        for stage in report["stages"]:
            print(f"| {stage['stage']} | {stage.get('seconds', '')} | {result_of(stage)} |")
    whole = args.results.with_suffix(".new")  # a script that is stopped leaves the old file or the new one
    whole.write_text(json.dumps(report, indent=1) + "\n")
    os.replace(whole, args.results)


if __name__ == "__main__":
    main()
