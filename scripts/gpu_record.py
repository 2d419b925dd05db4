#!/usr/bin/env python3
"""The results of gpu_check.sh: one JSON, complete after every stage.

    gpu_record.py RESULTS --start KEY=VALUE... --stages NAME...   all of them are left out until they are recorded
    gpu_record.py RESULTS --stage NAME --code CODE --limit SECONDS --seconds SECONDS --log LOG [--stopped REASON]
    gpu_record.py RESULTS --stage NAME --left-out REASON
    gpu_record.py RESULTS --table
    gpu_record.py RESULTS --passed                                the names of the stages that passed
    gpu_record.py FOLDER --plan                                   of standard input's lines "STAGE LIMIT": how long they took
                                                                  in results of the folder

Exit status 1 after a stage that failed. A stage whose tool refuses the machine is left out, with the tool's words.
"""

import argparse
import csv
import json
import os
import re
import sys
from collections import defaultdict
from pathlib import Path

# How ncu and compute-sanitizer say that they do not work on this machine.
REFUSAL = re.compile(r"(?:ERR_NVGPUCTRPERM|Device not supported|Failed to initialize the profiler|No kernels were profiled).{0,100}")
# Where Python's packages and PyTorch's compiled code lie, in a traceback.
PACKAGES = re.compile(r"(?<![\w./-])/[^\s\"']*/(site-packages|torchinductor)(?:_\w+)?/")


def text_of(file):
    """What a stage printed, without the places where it ran: the folder of the results is RESULTS, the working folder `.`."""
    text = Path(file).read_text(errors="replace")
    places = {str(Path(sys.argv[1]).absolute().parent): "RESULTS", os.environ.get("PWD", os.getcwd()): "."}
    for place, name in places.items():
        text = re.sub(rf"(?<![\w./-]){re.escape(place)}(?![\w-]|\.\w)", name, text)
    return PACKAGES.sub(r"\1/", text)


# What is kept of ncu's details.
METRICS = {"Duration", "Executed Ipc Active", "Issue Slots Busy", "DRAM Throughput", "L2 Hit Rate", "No Eligible",
           "Eligible Warps Per Scheduler", "Registers Per Thread", "Dynamic Shared Memory Per Block", "Achieved Occupancy"}


def rows_of(text):
    """ncu's CSV among other lines, or None: its rows as dictionaries. A row may end before the last columns."""
    whole = text[: text.rfind("\n") + 1]  # the last line of a profile that was ended is not
    rows = list(csv.reader(line for line in whole.splitlines() if line.startswith('"')))
    if not rows or "Kernel Name" not in rows[0]:
        return None
    return [dict(zip(rows[0], row)) for row in rows[1:]]


def kernels(rows):
    """Of gpu__time_duration, one row per launch after one with units: [kernel, launches, total ms], the slowest first."""
    duration = "gpu__time_duration.sum"
    scale = {"ns": 1e-6, "nsecond": 1e-6, "us": 1e-3, "usecond": 1e-3, "ms": 1, "msecond": 1, "s": 1e3, "second": 1e3}[rows[0][duration]]
    spent = defaultdict(lambda: [0, 0.0])
    for row in rows[1:]:
        entry = spent[re.sub(r"\s+", " ", row["Kernel Name"])[:160]]
        entry[0] += 1
        entry[1] += float(row[duration].replace(",", "")) * scale
    return sorted(([k, n, round(ms, 4)] for k, (n, ms) in spent.items()), key=lambda row: -row[2])


def metrics(rows):
    """Of ncu's details, one row per launch and metric: {kernel: {metric: value with unit}}, its last launch."""
    found = defaultdict(dict)
    for row in rows:
        if row.get("Metric Name") in METRICS:
            name = re.sub(r"^(?:void )?(?:unnamed>::)?|\(.*", "", row["Kernel Name"])
            found[name][row["Metric Name"]] = f"{row['Metric Value']} {row['Metric Unit']}".strip()
    return found


def found(log):
    """What a stage printed: the kernels that ncu saw, its JSON, or its last lines (those of a training are on standard error)."""
    text = text_of(log + ".log")
    if rows := rows_of(text):
        return metrics(rows) if "Metric Name" in rows[0] else kernels(rows)
    for candidate in (text, *reversed(text.splitlines())):
        try:
            value = json.loads(candidate)
        except ValueError:
            continue
        if isinstance(value, dict):
            return value
    return text.splitlines()[-40:] or text_of(log + ".err").splitlines()[-5:]


def refusal_of(result, log):
    """Why the tool did not work on this machine; of suites, if it did for none."""
    if isinstance(result, dict) and "not_ended" in result:
        ran = result["passed"] or result["failed"] or result["not_ended"]
        return None if ran else next(iter(result["left_out"].values()), None)
    refusal = REFUSAL.search("\n".join(text_of(log + end) for end in (".log", ".err")))
    return refusal[0] if refusal else None


def failed(stage):
    return bool(stage.get("code")) and "left_out" not in stage


def passed(stage):
    return stage.get("code") == 0 and "left_out" not in stage


def timing(r):
    return f"{r['ms']:.1f} ms, {r['tokens_per_s']:.0f} tokens/s, {r['peak_bytes'] / 2**30:.2f} GiB"


def suites(r):
    parts = [f"{len(r['passed'])} passed"] * bool(r["passed"]) + [f"{name}: {why}" for name, why in r["failed"].items()]
    if r["not_ended"]:
        parts.append("not ended: " + ", ".join(r["not_ended"]))
    for why in sorted(set(r["left_out"].values())):
        parts.append(f"left out: {', '.join(name for name, of in r['left_out'].items() if of == why)} ({why})")
    return "; ".join(parts)


def summary(r):
    if isinstance(r, list) and r and isinstance(r[0], list):
        return f"{sum(ms for _, _, ms in r):.1f} ms of kernels, most of it {r[0][0][:60]} ({r[0][2]:.1f} ms)"
    if isinstance(r, list):
        return next((line.strip() for line in reversed(r) if re.search("bits per byte|bpb|NCCL version", line)), "")
    if not isinstance(r, dict):
        return ""
    if "not_ended" in r:
        return suites(r)
    if "results" in r:
        return "; ".join(f"{one['live']} rows: {timing(one)}" for one in r["results"])
    if "nodes" in r:
        return f"{sum(n['forward_ms'] + n['backward_ms'] for n in r['nodes']):.1f} ms in {len(r['nodes'])} rows"
    return timing(r) if "ms" in r and "peak_bytes" in r else json.dumps(r)[:200]


def result_of(stage):
    if "left_out" in stage:
        return "left out: " + stage["left_out"]
    text = summary(stage.get("found"))
    code = stage.get("code")
    if code:
        limit = f" (limit {stage['limit']} s)" if code in (124, 137) else ""
        return f"FAILED, exit {code}{limit}" + (f": {text}" if text else "")
    return text or "passed"


def stage_of(args):
    stage = {"stage": args.stage}
    if args.log:
        stage |= {"code": args.code, "limit": args.limit, "seconds": args.seconds, "found": found(args.log)}
        if reason := refusal_of(stage["found"], args.log):
            stage |= {"left_out": reason}
        elif not stage["code"] and stage["found"] == {}:
            stage |= {"code": 1, "error": [f"none of {', '.join(sorted(METRICS))} is in what ncu printed"]}
        if args.code:
            stage["error"] = text_of(args.log + ".err").splitlines()[-20:]
    reason = args.left_out or args.stopped
    return stage | ({"left_out": reason} if reason else {})


def print_table(report):
    print("\n| stage | s | result |\n|---|---|---|")
    for stage in report["stages"]:
        print(f"| {stage['stage']} | {stage.get('seconds', '')} | {result_of(stage)} |")
    counts = [sum(map(f, report["stages"])) for f in (passed, failed)]
    print(f"\n{counts[0]} stages passed, {counts[1]} failed, {len(report['stages']) - sum(counts)} were left out", flush=True)


def print_plan(folder):
    took, total = {}, 0
    for file in sorted(folder.glob("*.json")):
        report = json.loads(file.read_text())
        took |= {s["stage"]: s["seconds"] for s in report.get("stages", []) if passed(s)}
    print("| stage | limit, s | took, s |\n|---|---|---|")
    for line in sys.stdin:
        name, limit = line.split()
        seconds = took.get(name, took.get(name.replace("-f32", "")))  # (the first results do not name f32)
        print(f"| {name} | {limit} | {'' if seconds is None else seconds} |")
        total += seconds or 0
    print(f"\nthose that have run before: {total} s together")


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("results", type=Path)
    p.add_argument("--start", nargs="+")
    p.add_argument("--stages", nargs="*", default=[])
    for name in ("stage", "left-out", "stopped", "log"):
        p.add_argument("--" + name)
    for name in ("code", "limit", "seconds"):
        p.add_argument("--" + name, type=int)
    for name in ("table", "passed", "plan"):
        p.add_argument("--" + name, action="store_true")
    args = p.parse_args()

    if args.plan:
        return print_plan(args.results)
    if args.start:
        not_reached = [{"stage": name, "left_out": "not reached: the check was stopped before"} for name in args.stages]
        report = dict(pair.split("=", 1) for pair in args.start) | {"stages": not_reached}
    else:
        report = json.loads(args.results.read_text())
    if args.table:
        return print_table(report)
    if args.passed:
        return print(*(stage["stage"] for stage in report["stages"] if passed(stage)))
    stage = {}
    if args.stage:
        stage = stage_of(args)
        names = [s["stage"] for s in report["stages"]]
        report["stages"][names.index(args.stage)] = stage
        print(f"{args.stage:24} {result_of(stage)}", flush=True)
        for line in stage.get("error", [])[-3:]:
            print("    " + line, flush=True)
    whole = args.results.with_suffix(".new")  # a script that is stopped leaves the old file or the new one
    whole.write_text(json.dumps(report, indent=1) + "\n")
    os.replace(whole, args.results)
    return failed(stage)


if __name__ == "__main__":
    sys.exit(main())
