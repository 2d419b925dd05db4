#!/usr/bin/env python3
"""What nvcc made of the kernels: registers, stack, instructions, and accesses of 16 bytes, read by cuobjdump.

    compiled_code.py BUILD --check [LIMITS]   compares all kernels of engine, ops and nn with tests/data/compiled_code.csv
                                              (or LIMITS)
    compiled_code.py BUILD [SOURCE]           a table of the kernels that have rows there, of sources whose path has SOURCE

BUILD is a build of preset cuda with CMAKE_CUDA_ARCHITECTURES=90-real. cuobjdump and nvdisasm come with the CUDA toolkit
(scripts/install_python_tools.sh installs them where it has none). Exit status 1: a kernel is beyond a limit, or a row is of no
kernel; 77: there is nothing to compare (no cuobjdump, no code for compute capability 9.0, or another nvcc).
"""

import argparse
import csv
import os
import re
import shutil
import subprocess
import sys
from fnmatch import fnmatchcase
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LAYERS = ("engine", "ops", "nn")
NVCC = "13.0"  # the limits are of this release
AT_MOST = {
    "registers": "registers of a thread",
    "stack": "bytes of a thread's stack (spilled registers)",
    "instructions": "instructions",
    "narrow stores": "global stores of less than 16 bytes",
}
AT_LEAST = {"wide loads": "global loads of 16 bytes", "wide stores": "global stores of 16 bytes", "mma": "products on tensor cores"}


def end(code, message):
    print(f"compiled_code: {message}", file=sys.stderr)
    sys.exit(code)


def tool(name):
    folders = [os.environ["PATH"], "/usr/local/cuda/bin", *ROOT.glob("build/cuobjdump/lib/*/site-packages/nvidia/*/bin")]
    if found := shutil.which(name, path=os.pathsep.join(map(str, folders))):
        return found
    end(77, f"{name} is not installed (scripts/install_python_tools.sh installs it)")


def output(*command, **options):
    result = subprocess.run(command, capture_output=True, text=True, **options)
    if result.returncode != 0:
        end(1, f"{' '.join(map(str, command))}: {result.stderr.strip()}")
    return result.stdout


def objects(build):
    """The compiled kernels of the layers, by source."""
    compilers = list(build.glob("CMakeFiles/*/CMakeCUDACompiler.cmake"))
    if not compilers:
        end(1, f"{build} is no build of preset cuda")
    version = re.search(r'CMAKE_CUDA_COMPILER_VERSION "([^"]*)"', compilers[0].read_text())[1]
    if not version.startswith(f"{NVCC}."):
        end(77, f"{build} is compiled by nvcc {version}, the limits are of {NVCC}")
    found = {}
    for layer in LAYERS:
        for source in sorted(ROOT.glob(f"{layer}/**/*.cu")):
            name = str(source.relative_to(ROOT))
            found[name] = build / f"CMakeFiles/fade_{layer}_objects.dir/{name}.o"
            if not found[name].exists():
                end(1, f"{name} is not compiled in {build} (cmake --build {build} --target fade_tests)")
    return found


def resources(cuobjdump, path):
    """Registers and stack of each kernel of an object, by mangled name."""
    text = output(cuobjdump, "-res-usage", path)
    if text and "arch = sm_90" not in text:
        end(77, f"{path} has no code for compute capability 9.0 (CMAKE_CUDA_ARCHITECTURES=90-real)")
    found = re.findall(r"Function (\S+):\s+REG:(\d+) STACK:(\d+)", text)
    return {name: {"registers": int(registers), "stack": int(stack)} for name, registers, stack in found}


def count_instructions(cuobjdump, path, kernels):
    """Adds to each kernel what its code has."""
    options = {**os.environ, "PATH": f"{os.environ['PATH']}:{Path(cuobjdump).parent}"}  # it runs nvdisasm
    text = output(cuobjdump, "-sass", path, env=options)
    for function, code in re.findall(r"^\s+Function : (\S+)|^ +/\*[0-9a-f]{4,}\*/ +(?:@!?U?P\w+ +)?([A-Z][\w.]*)", text, re.M):
        if function:
            kernel = kernels[function]
            kernel.update(dict.fromkeys(["instructions", "narrow stores", *AT_LEAST], 0))
            continue
        name, *modifiers = code.split(".")
        kernel["instructions"] += 1
        if name in ("LDG", "STG") and "128" in modifiers:
            kernel["wide loads" if name == "LDG" else "wide stores"] += 1
        elif name == "STG":
            kernel["narrow stores"] += 1
        elif name == "HMMA":
            kernel["mma"] += 1


def readable(names):
    """Names without what all kernels have: forward<Fma<float, 64>, float>."""
    demangled = output("c++filt", input="\n".join(names)).splitlines()
    short = [re.sub(r"\(anonymous namespace\)::|\bfade::|\bspan_cuda::|\bmap_detail::", "", name) for name in demangled]
    return [re.sub(r"^void |\(.*", "", name.replace("((int)", "(")) for name in short]


def kernels_of(build, rows):
    """[(source, kernel, what it has, its row)]; instructions of sources that a row names."""
    cuobjdump = tool("cuobjdump")
    tool("nvdisasm")
    found = []
    for source, path in objects(build).items():
        kernels = resources(cuobjdump, path)
        if not kernels:
            continue
        if any(row["source"] == source for row in rows):
            count_instructions(cuobjdump, path, kernels)
        for name, kernel in zip(readable(kernels), kernels.values()):
            row = next((r for r in rows if fnmatchcase(source, r["source"]) and fnmatchcase(name, r["kernel"])), None)
            found.append((source, name, kernel, row))
    return found


def faults(found, rows, limits):
    for source, name, kernel, row in found:
        if row is None:
            yield f"{source}: {name} has no row in {limits}"
            continue
        for column, what in {**AT_MOST, **AT_LEAST}.items():
            if not row[column]:
                continue
            if column not in kernel:
                yield f"{limits}: row {row['source']}, {row['kernel']}: {column} needs the name of one source"
                continue
            limit, has, most = int(row[column]), kernel[column], column in AT_MOST
            if has > limit if most else has < limit:
                yield f"{source}: {name}: {has} {what}, allowed: at {'most' if most else 'least'} {limit}"
    matched = [id(row) for *_, row in found]
    for row in rows:
        if id(row) not in matched:
            yield f"{limits}: row {row['source']}, {row['kernel']} is of no kernel"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=Path)
    parser.add_argument("source", nargs="?", default="")
    parser.add_argument("--check", nargs="?", type=Path, const=ROOT / "tests/data/compiled_code.csv", metavar="LIMITS")
    arguments = parser.parse_args()
    limits = arguments.check or ROOT / "tests/data/compiled_code.csv"
    with open(limits, newline="") as file:
        rows = list(csv.DictReader((line for line in file if not line.startswith("#")), skipinitialspace=True))
    if not arguments.check:
        rows = [row for row in rows if arguments.source in row["source"]]
    found = kernels_of(arguments.build, rows)
    if arguments.check:
        wrong = list(faults(found, rows, limits.name))
        for fault in wrong:
            print(fault)
        print(f"{len(found)} kernels, {len(rows)} rows, {len(wrong)} faults")
        sys.exit(1 if wrong else 0)
    columns = list({**AT_MOST, **AT_LEAST})
    print("| kernel |", " | ".join(columns), "|\n|---|" + "---|" * len(columns))
    for source, name, kernel, row in found:
        if row and row["source"] == source:
            print(f"| `{name}` |", " | ".join(str(kernel[column]) for column in columns), "|")


if __name__ == "__main__":
    main()
