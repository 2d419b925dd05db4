#!/usr/bin/env bash
# Installs TensorBoard into build/tensorboard, for the test that reads a run's events with it, from the Python package index.
# Where that cannot be reached, says so, and the test is skipped.
set -euo pipefail
cd "$(dirname "$0")/.."
version=2.21.0
folder=build/tensorboard

installed() { "$folder/bin/python" -c "import tensorboard as t; assert t.__version__ == '$version'" 2>/dev/null; }
installed && exit 0
rm -rf "$folder"
if ! python3 -m venv "$folder" || ! "$folder/bin/pip" install --quiet --disable-pip-version-check --retries 1 --timeout 20 \
  "tensorboard==$version" "setuptools<81" || ! installed; then
  rm -rf "$folder"
  echo "TensorBoard $version could not be installed: the test that reads events with it is skipped" >&2
fi
