#!/usr/bin/env bash
# Installs what two tests read files with, from the Python package index: TensorBoard (the events of a run) into
# build/tensorboard; and, where nvcc is and no cuobjdump, cuobjdump (compiled kernels) into build/cuobjdump. Where the index
# cannot be reached, says so, and the test is skipped.
set -euo pipefail
cd "$(dirname "$0")/.."

# install NAME CHECK PACKAGES...: CHECK is Python that fails where the packages are not installed
install() {
  local folder=build/$1 check=$2
  "$folder/bin/python" -c "$check" 2>/dev/null && return
  rm -rf "$folder"
  if ! python3 -m venv "$folder" ||
    ! "$folder/bin/pip" install --quiet --disable-pip-version-check --retries 1 --timeout 20 "${@:3}" ||
    ! "$folder/bin/python" -c "$check"; then
    rm -rf "$folder"
    echo "${*:3} could not be installed: the test that needs $1 is skipped" >&2
  fi
}

install tensorboard 'import tensorboard as t; assert t.__version__ == "2.21.0"' tensorboard==2.21.0 'setuptools<81'
if command -v nvcc >/dev/null && ! command -v cuobjdump >/dev/null; then
  packages=(nvidia-cuda-cuobjdump==13.5.37 nvidia-cuda-nvdisasm==13.5.37)
  install cuobjdump "from importlib.metadata import version as v
for p in '${packages[*]}'.split(): assert v(p.split('==')[0]) == p.split('==')[1]" "${packages[@]}"
fi
