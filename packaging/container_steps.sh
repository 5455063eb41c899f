#!/bin/sh
# The steps of the Dockerfile, which run without a builder too: container_steps.sh build SOURCE TARGET | user
set -eu

build() {
    python3 -m venv "$2"
    # PIP_ARGS: where pip finds its packages, if not in the index.
    "$2/bin/pip" install --quiet --no-cache-dir --disable-pip-version-check ${PIP_ARGS:-} "$1[web,mqtt,edf]"
    "$2/bin/python" -m compileall -q "$2/lib"
    "$2/bin/ecg-edge" --version
}

user() {
    groupadd --gid 10001 ecg
    useradd --uid 10001 --gid ecg --groups dialout --no-create-home --home-dir /data --shell /usr/sbin/nologin ecg
    install -d -o ecg -g ecg -m 700 /data
}

"$@"
