# The stages of scripts/gpu_check.sh, in the order of what they tell. A stage is: stage NAME LIMIT COMMAND..., with a limit in seconds;
# what it prints on standard output, and how scripts/gpu_record.py reads it, is in the results.
# shellcheck shell=bash
# shellcheck disable=SC2154  # of gpu_check.sh

bench() {  # NAME CONFIG LIVE [OPTIONS...]
  stage "bench-$1-$3" 60 "$fade" bench "$2" --live "$3" --device cuda --steps 10 --json "${@:4}" "${sets[@]}"
}
peer() {  # NAME LIMIT OPTIONS...: PyTorch's step at the sizes of bench b16
  ! has "peer-$1" PyTorch || stage "peer-$1" "$2" python3 bench/peer_pytorch.py --device cuda --live 1024 2048 --steps 10 --json \
    --config configs/enwik8_12l.yaml --batch 16 "${@:3}"
}
suites() {  # NAME LIMIT OPTIONS...: suites of the tests; a stage that runs out of time says which ended
  stage "$1" "$2" python3 scripts/gpu_suites.py --logs "$logs" "${@:3}"
}

stages() {
  local live precision tool operation names

  ! has card PyTorch || stage card 60 python3 bench/gpu_ceilings.py
  stage step 90 python3 scripts/gpu_step.py "$fade" "$text" ${FADE_GPU_SET:+--set $FADE_GPU_SET}
  mapfile -t names <device_suites
  suites suites 150 --limit 120 "$tests" "${names[@]}"
  [[ " ${names[*]} " != *" ranks_cuda "* ]] || stage ranks 20 env NCCL_DEBUG=VERSION "$tests" --run_test=ranks_cuda

  for precision in bf16 tf32 f32; do
    for live in 1024 2048 4096; do
      bench 12l-$precision configs/enwik8_12l.yaml $live --set train.batch=64 --set precision=$precision
    done
    for live in 1024 2048 4096; do bench small-$precision configs/enwik8_small.yaml $live --set precision=$precision; done
  done

  local one_layer=(bench configs/enwik8_12l.yaml --live 2048 --device cuda --steps 1 --json --set train.batch=64
    --set model.layers=1 "${sets[@]}")
  for precision in bf16 tf32 f32; do
    ! has profile-$precision ncu || stage profile-$precision 60 ncu --clock-control none --metrics gpu__time_duration.sum --csv \
      --page raw "$fade" "${one_layer[@]}" --set precision=$precision
  done
  stage trace 60 "$fade" trace configs/enwik8_12l.yaml --set train.batch=64 --set precision=bf16 --live 2048 --device cuda --fold --json "${sets[@]}"

  for precision in bf16 tf32 f32; do
    for live in 1024 2048; do
      bench b16-$precision configs/enwik8_12l.yaml $live --set train.batch=16 --set model.dropout=0 --set precision=$precision
    done
    peer $precision 60 --precision $precision
  done
  peer bf16-compiled 100 --precision bf16 --compile layers
  peer bf16-flex 100 --precision bf16 --compile layers --flex

  # Thinned: one kernel of each kind, few launches. A tool gets what time it has; what did not end in it is named.
  local thin=(cuda golden/f32_is_close span_attention_test/f32_is_naive span_attention_test/tf32_is_nearly_naive span_attention_test/bf16_is_nearly_naive
    optimizer/every_device_updates_many_tensors_alike)
  for operation in span_attention gather_rows layer_norm softmax cross_entropy masked_renorm reduce span_loss; do
    thin+=("ops/$operation")
  done
  for tool in racecheck synccheck memcheck initcheck; do
    ! has sanitizer-$tool compute-sanitizer || FADE_TEST_ELEMENTS=1 suites sanitizer-$tool 50 --tool $tool --limit 40 "$tests" "${thin[@]}"
  done

  # Under a profiler these kernels run some forty times, for one number each: what is known of their speed comes last.
  for precision in bf16 tf32 f32; do
    ! has attention-$precision ncu || stage attention-$precision 60 ncu --clock-control none --set full --csv --page details \
      --kernel-name 'regex:^(forward|backward_d)' --launch-skip 9 --launch-count 3 "$fade" "${one_layer[@]}" --set precision=$precision
  done

  local training=(--set "data.path=$text" --set precision=bf16 --set train.batch=16 --device cuda "${sets[@]}") run=$logs/run
  stage train 60 "$fade" train configs/enwik8_small.yaml "${training[@]}" --set train.eval_every=1000 --set train.steps=200 --out "$run"
  stage resume 60 "$fade" train --resume "$run" --set train.steps=300
  stage eval 60 "$fade" eval "$run" --json
  # What time is left, but for the last checkpoint.
  local rest=$((${deadline:-0} - SECONDS - 30))
  [ -z "$plan" ] || rest=600
  [ $rest -ge 5 ] || rest=5
  stage long-train $((rest + 30)) timeout -k 25 --preserve-status $rest "$fade" train configs/enwik8_small.yaml "${training[@]}" \
    --set train.eval_every=500 --out "$logs/long-run"
}
