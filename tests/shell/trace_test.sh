#!/bin/bash
# fade trace: the tape of a step as a table, as JSON and as a picture. Needs $FADE, the program.
set -u
. tests/shell/cli_support.sh

small_run_files
works "a run" train c.yaml --out run

works "the trace of a configuration" trace c.yaml --live 24 --steps 3
holds "has a row per node, then the work that is not on the tape" sh -c \
  'grep -q "^   0  embedding  *embed " out && grep -q "^   -  other  *optimizer " out && grep -q "^  *total .* 100 %" out'
holds "and says what was live at the peak" grep -qE "^peak .* MiB, in (forward|backward)" out
works "folded" trace c.yaml --live 24 --steps 3 --fold
holds "a row per module" sh -c 'grep -q "^layers.0.attn  *\[" out && grep -q "^memory " out && ! grep -q "attn.query " out'

# The JSON, and what fade bench says of the same step.
works "bench" bench c.yaml --live 24 --steps 3 --json
cp out bench.json
works "the trace as JSON" trace c.yaml --live 24 --steps 3 --json
cp out trace.json
works "and folded" trace c.yaml --live 24 --steps 3 --json --fold
cp out folded.json
holds "has the promised keys, and the sums of the step" python3 - <<'PY'
import json
bench = json.load(open("bench.json"))
for name in "trace.json", "folded.json":
    trace = json.load(open(name))
    assert {"nodes", "step_ms", "peak_bytes"} <= trace.keys(), trace.keys()
    assert trace["peak_bytes"] == bench["peak_bytes"], (trace["peak_bytes"], bench["peak_bytes"])
    assert trace["live"] == 24 and trace["step_ms"] > 0
    total = 0
    for i, node in enumerate(trace["nodes"]):
        assert {"op", "module", "inputs", "shape", "saved_bytes", "forward_ms", "backward_ms"} <= node.keys(), node
        assert node["op"] and node["module"], node
        total += node["forward_ms"] + node["backward_ms"]
        if name == "trace.json":
            assert all(isinstance(x, str) or x < i for x in node["inputs"]), node
    assert abs(total - trace["traced_ms"]) < 1e-9 * total, (total, trace["traced_ms"])
nodes = json.load(open("trace.json"))["nodes"]
assert nodes[0]["op"] == "embedding" and nodes[0]["inputs"] == ["embed.weight", "tokens"][:len(nodes[0]["inputs"])]
assert [n for n in nodes if n["op"] == "span_attention"][0]["saved_bytes"] > 0
assert len({n["module"] for n in json.load(open("folded.json"))["nodes"]}) == len(json.load(open("folded.json"))["nodes"])
PY

# Every kind, both ways to compute attention, and double precision.
for kind in transformer_xl adaptive_span compressive expire_span; do
  for path in fused composed; do
    works "$kind, $path" trace c.yaml --steps 1 --set model.kind=$kind --set model.attention=$path --set dtype=f64 --fold
    holds "in f64" grep -q "; f64 on cpu$" out
  done
done

# A run: its weights, and the rows that it had in memory.
works "the trace of a run" trace run --steps 1 --json
holds "says which checkpoint it took" grep -qx "checkpoint: run/step-4, the best checkpoint of run" err
holds "with the rows that the run had in memory" python3 - <<'PY'
import json
assert 8 <= json.load(open("out"))["live"] <= 8 + 16
PY
works "of weights alone" trace run/step-4/model.safetensors --steps 1 --live 16
cp run/step-4/model.safetensors weights.safetensors
"$fade" trace - --steps 1 --live 16 <weights.safetensors >out 2>err
holds "and from standard input" grep -q "16 rows live" out

# The graph and its picture.
works "--dot -" trace c.yaml --steps 1 --dot -
holds "prints the graph, alone" sh -c 'head -n 1 out | grep -qx "digraph step {" && tail -n 1 out | grep -qx "}"'
if command -v dot >/dev/null; then
  holds "which Graphviz reads" sh -c 'dot -Tsvg out >drawn.svg && grep -q "span_attention" drawn.svg'
  works "--dot FILE" trace c.yaml --steps 1 --dot graph.dot
  holds "draws the picture beside it" sh -c 'grep -q "</svg>" graph.svg && grep -q "graph.svg: the picture of graph.dot" err'
  works "--dot of a folder" trace c.yaml --steps 1 --fold --dot ./-odd.gv
  holds "with an odd name" grep -q "</svg>" ./-odd.svg
else
  echo "skipped dot is not installed"
fi
mkdir broken
printf '#!/bin/sh\nexit 3\n' >broken/dot
chmod +x broken/dot
PATH=$PWD/broken:$PATH works "a dot that fails" trace c.yaml --steps 1 --dot lost.dot
holds "loses the picture only" sh -c 'grep -q "no picture: dot failed" err && grep -q total out && test -s lost.dot && ! test -e lost.svg'
mkdir none
PATH=$PWD/none works "without dot" trace c.yaml --steps 1 --dot lost.dot
holds "says what is missing" sh -c 'grep -q "no picture: dot cannot be run: .*graphviz" err && grep -q total out'
works "a device for the graph" trace c.yaml --steps 1 --dot /dev/null
holds "gets no picture" sh -c '! test -s err'

finish
