#!/bin/bash
# The files of events of a run for TensorBoard: their format, and the numbers of metrics.jsonl in them, also after the run
# went back to an earlier step; then the same with TensorBoard's own reader, where that is installed. And losses in the
# metrics are means. Needs $FADE, the program.
set -u
. tests/shell/cli_support.sh

small_run_files
logging=(--set train.schedule.kind=constant --set train.checkpoint_every=20 --set train.keep_checkpoints=0
  --set train.log_every=5 --set train.eval_every=20)
works "a run" train c.yaml --out plain "${logging[@]}" --set train.steps=20
holds "writes no events unless asked to" test -z "$(ls plain | grep tfevents)"
works "a run with events" train c.yaml --out run "${logging[@]}" --set train.steps=60 --set train.tensorboard=true
echo step-40 >run/latest
works "goes back, and on" train --resume run --set train.steps=80
works "without events for a while" train --resume run --set train.steps=90 --set train.tensorboard=false
works "and with them again" train --resume run --set train.steps=100 --set train.tensorboard=true
holds "each time with a file of its own" test "$(ls run/events.out.tfevents.* | wc -l)" -eq 3
works "a kind without spans has events" train c.yaml --out window --set model.kind=transformer_xl --set train.tensorboard=true

# A reader of its own, from the description of the format.
cat >events.py <<'PY'
import glob, json, os, struct

KEYS = {"train/bits_per_byte": "train_bpb", "train/auxiliary_loss": "aux", "train/gradient_norm": "grad_norm",
        "train/learning_rate": "lr", "train/skipped_steps": "skipped", "valid/bits_per_byte": "valid_bpb",
        "valid/rows": "valid_mean_rows", "valid/span": "valid_mean_span", "spans/mean": "mean_span",
        "memory/rows": "mean_rows", "memory/peak_bytes": "peak_bytes", "speed/tokens_per_s": "tokens_per_s",
        "speed/ms_per_step": "ms"}

def single(number):
    return struct.unpack("f", struct.pack("f", number))[0]

def expected(run, without=()):
    """{tag: [(step, value)]} of the lines of metrics.jsonl, except steps in `without`."""
    found = {}
    for line in map(json.loads, open(run + "/metrics.jsonl")):
        for tag, key in KEYS.items():
            if line.get(key) is not None and line["step"] not in without:
                found.setdefault(tag, []).append((line["step"], single(line[key])))
    return found

def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    return crc ^ 0xffffffff

def masked(data):
    crc = crc32c(data)
    return ((crc >> 15 | crc << 17) + 0xa282ead8) & 0xffffffff

def records(path):
    data = open(path, "rb").read()
    while data:
        length, crc = struct.unpack("<QI", data[:12])
        assert crc == masked(data[:8]), "a length's checksum"
        event, crc = data[12:12 + length], struct.unpack("<I", data[12 + length:16 + length])[0]
        assert len(event) == length and crc == masked(event), "an event's checksum"
        yield event
        data = data[16 + length:]

def fields(message):
    """[(number, value)]: of a varint an int, else bytes."""
    at = 0
    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = message[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value
    found = []
    while at < len(message):
        key = varint()
        if key & 7 == 0:
            found.append((key >> 3, varint()))
            continue
        size = {1: 8, 5: 4}[key & 7] if key & 7 != 2 else varint()
        found.append((key >> 3, message[at:at + size]))
        at += size
    assert at == len(message)
    return found

def read(run):
    found = {}
    for path in sorted(glob.glob(run + "/events.out.tfevents.*")):
        for i, record in enumerate(records(path)):
            event = dict(fields(record))
            time, step = struct.unpack("<d", event[1])[0], event[2]
            assert abs(time - os.path.getmtime(path)) < 3600, "the time of day"
            assert (event.get(3) == b"brain.Event:2") == (i == 0), "a file begins with its version"
            assert (7 in event) == (i == 1), "and the start of a session"
            if i == 1:
                assert fields(event[7]) == [(1, 1)]
                found = {tag: [p for p in points if p[0] < step] for tag, points in found.items()}
            for number, value in fields(event.get(5, b"")):
                value = dict(fields(value))
                assert number == 1 and set(value) == {1, 2}
                found.setdefault(value[1].decode(), []).append((step, struct.unpack("<f", value[2])[0]))
    return found
PY
same() { # READER RUN [STEPS without events]
  "$python" - "$@" >log 2>&1 <<'PY'
import sys
import events
reader, run, *without = sys.argv[1:]
expected = events.expected(run, without=set(map(int, without)))
if reader == "own":
    found = events.read(run)
else:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    loaded = EventAccumulator(run, size_guidance={"scalars": 0})
    loaded.Reload()
    found = {tag: [(s.step, s.value) for s in loaded.Scalars(tag)] for tag in loaded.Tags()["scalars"]}
assert found == expected, (found, expected)
assert len(found["train/bits_per_byte"]) > 0
PY
}
python=python3
holds "the events are the numbers of the metrics" same own run 85 90
holds "also of a kind without spans" same own window

for python in python3 "$tests/../build/tensorboard/bin/python" ""; do
  [ -n "$python" ] && "$python" -c 'import tensorboard' 2>/dev/null && break
done
if [ -n "$python" ]; then
  holds "TensorBoard reads the same" same tensorboard run 85 90
  holds "also of a kind without spans" same tensorboard window
else
  echo "skipped: TensorBoard is not installed (scripts/install_python_tools.sh installs it for this test)"
  skipped=1
fi

# Losses are means since the line before.
works "a run that logs each step" train c.yaml --out each "${logging[@]}" --set train.steps=12 --set train.log_every=1
works "the same that logs few" train c.yaml --out few "${logging[@]}" --set train.steps=12
python3 - >log 2>&1 <<'PY'
import json
def lines(run):
    return [line for line in map(json.loads, open(run + "/metrics.jsonl")) if "train_bpb" in line]
each, few = lines("each"), lines("few")
assert [line["step"] for line in few] == [5, 10, 12]
for begin, line in zip([0, 5, 10], few):
    part = each[begin:line["step"]]
    for key in "train_bpb", "aux":
        mean = sum(step[key] for step in part) / len(part)
        assert abs(line[key] - mean) < 1e-12 * abs(mean), (key, line[key], mean)
        assert line[key] != part[-1][key]
    for key in "grad_norm", "lr", "mean_span", "mean_rows":
        assert line[key] == part[-1][key], key
PY
holds "losses are means, other figures those of the line's step" test $? -eq 0
finish
