#!/usr/bin/env python3
"""Runs suites of the tests, several at once, each in a process of its own with a time limit, alone or under a tool of
compute-sanitizer. Prints one JSON object: the suites that passed; those that failed, each with its first error; those that did
not end; those that the tool left out, each with its words. Exit status 1 if one failed. What a SIGTERM stops did not end.

    gpu_suites.py --logs DIR [--tool TOOL] [--limit SECONDS] [--jobs N] TESTS SUITE...

Without a tool, a suite that does not end has failed: it hangs. Under a tool it may be slow.
"""

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

from gpu_record import REFUSAL

SANITIZER = ["compute-sanitizer", "--report-api-errors", "no", "--error-exitcode", "9"]
OURS = ["--kernel-name", "kernel_substring=fade"]  # (initcheck must see what cuBLAS writes)
FAULT = re.compile(r"^.*(?:error:|fatal|=====.*(?:Error|Race|hazard|Uninit|Barrier|Invalid)).*$", re.M)
SUMMARY = re.compile(r"^========= \w+ SUMMARY: .*$", re.M)


class Runner:
    def __init__(self, args):
        self.args, self.stopped, self.running, self.lock = args, False, set(), threading.Lock()

    def stop(self, *_):
        self.stopped = True
        for process in list(self.running):
            kill(process)

    def run(self, suite):
        """(what became of the suite, why)"""
        args = self.args
        log = args.logs / f"{args.tool or 'suite'}-{suite.replace('/', '-')}.log"
        under = [*SANITIZER, "--tool", args.tool, *(OURS if args.tool != "initcheck" else [])] if args.tool else []
        command = [*under, args.tests, f"--run_test={suite}", "--color_output=no"]
        with open(log, "wb") as out:
            with self.lock:
                if self.stopped:
                    return "not_ended", ""
                process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, start_new_session=True)
                self.running.add(process)
            if self.stopped:  # before it was in the set
                kill(process)
            try:
                code = process.wait(args.limit)
            except subprocess.TimeoutExpired:
                kill(process)
                process.wait()
                return ("not_ended", "") if args.tool else ("failed", f"did not end in {args.limit} s")
            finally:
                self.running.discard(process)
        text = log.read_text(errors="replace")
        if self.stopped and code < 0:
            return "not_ended", ""
        if args.tool and (refusal := REFUSAL.search(text)):
            return "left_out", refusal[0]
        if code:
            fault = FAULT.search(text)
            return "failed", f"exit {code} {fault[0].strip() if fault else ''}".strip()
        if args.tool and not SUMMARY.search(text):
            return "left_out", f"{args.tool} printed no summary"
        return "passed", ""


def kill(process):
    """Does not wait: a second signal may come while the first one is handled."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--logs", type=Path, required=True)
    p.add_argument("--tool")
    p.add_argument("--limit", type=float, default=600)
    p.add_argument("--jobs", type=int, default=min(14, os.cpu_count()))
    p.add_argument("tests")
    p.add_argument("suites", nargs="*")
    args = p.parse_args()
    if not args.suites:
        raise SystemExit("there is no suite to run")
    runner = Runner(args)
    signal.signal(signal.SIGTERM, runner.stop)
    found = {"passed": [], "failed": {}, "not_ended": [], "left_out": {}}
    with ThreadPoolExecutor(args.jobs) as pool:
        ends = [pool.submit(runner.run, suite) for suite in args.suites]
        while wait(ends, timeout=1).not_done:
            pass  # Python handles a signal between two waits: one wait for all may miss it
        for suite, end in zip(args.suites, ends):
            what, why = end.result()
            found[what].append(suite) if isinstance(found[what], list) else found[what].update({suite: why})
    print(json.dumps(found))
    sys.exit(1 if found["failed"] else 0)


if __name__ == "__main__":
    main()
