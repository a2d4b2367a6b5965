#!/bin/sh
# SPDX-License-Identifier: ISC
# Make ./configure. Needed after a fresh clone; a release tarball has it.
set -eu
cd "$(dirname "$0")"
exec autoreconf --install --force --warnings=all
