# Two commands do everything: `make demo` and `make test`. Both need python3 with its venv.
PYTHON ?= python3
TORCH ?= torch==2.13.0
SOURCES := pyproject.toml $(shell find firmware_bridge device train export benchmarks -type f -not -name '*.pyc' 2>/dev/null)

# uv makes environments faster where it is there; torch always comes by pip, which finds local CPU builds.
UV := $(shell command -v uv 2>/dev/null)
ifneq ($(UV),)
venv = $(UV) venv -q --seed --python $(PYTHON) $(1)
pip = $(UV) pip install -q --python $(1)/bin/python
else
venv = $(PYTHON) -m venv $(1)
pip = $(1)/bin/python -m pip install -q --disable-pip-version-check
endif

.PHONY: dist test-aarch64 test-core test-core-oldest test-core-newest demo test dev docs lint bench clean

demo: .venv-demo/.installed
	@.venv-demo/bin/ecg-edge demo $(ARGS)

# The core and the monitor alone: no torch.
.venv-demo/.installed: $(SOURCES)
	@test -x .venv-demo/bin/python || { echo "setting up .venv-demo: some minutes …" >&2; $(call venv,.venv-demo); }
	@rm -rf build/lib build/bdist*
	@$(call pip,.venv-demo) ".[web]"
	@$(call pip,.venv-demo) --no-deps --force-reinstall .
	@touch $@

# What is tested is what users install: a wheel, not the tree.
dist/.built: $(SOURCES)
	@rm -rf build/lib build/bdist* dist
	@$(PYTHON) -m pip wheel -q --disable-pip-version-check --no-deps -w dist .
	@touch $@

test: .venv-test/.installed
	.venv-test/bin/ruff check .
	.venv-test/bin/ruff format --check .
	.venv-test/bin/mypy
	.venv-test/bin/python -m pytest -n auto $(ARGS)

.venv-test/.installed: dist/.built
	@test -x .venv-test/bin/python || { echo "setting up .venv-test: 2 GB, some minutes …" >&2; $(call venv,.venv-test); }
	@.venv-test/bin/python -m pip install -q --disable-pip-version-check "$(TORCH)"
	@$(call pip,.venv-test) "$$(ls dist/*.whl)[web,wfdb,edf,dicom,parquet,pandas,lsl,mqtt,plot,train,evaluate,export,dev]"
	@$(call pip,.venv-test) --no-deps --force-reinstall dist/*.whl
	@touch $@

# The core alone with the oldest dependencies on the oldest Python at hand, and with the newest on the newest.
OLDEST := $(firstword $(foreach v,10 11 12 13 14,$(wildcard $(HOME)/.pyenv/versions/3.$(v).*/bin/python) $(shell command -v python3.$(v))))
NEWEST := $(firstword $(foreach v,14 13 12 11 10,$(wildcard $(HOME)/.pyenv/versions/3.$(v).*/bin/python) $(shell command -v python3.$(v))))
test-core: test-core-oldest test-core-newest
test-core-oldest: dist/.built
	@rm -rf .venv-core/oldest
	tests/core_only.sh $(or $(OLDEST),$(PYTHON)) dist/*.whl .venv-core/oldest tests/oldest.txt
test-core-newest: dist/.built
	@rm -rf .venv-core/newest
	tests/core_only.sh $(or $(NEWEST),$(PYTHON)) dist/*.whl .venv-core/newest

# An editable environment. Run it again after adding a file.
dev:
	@test -x .venv/bin/python || $(call venv,.venv)
	@.venv/bin/python -m pip install -q --disable-pip-version-check "$(TORCH)"
	@rm -rf build
	@.venv/bin/python -m pip install -q --disable-pip-version-check -e ".[web,wfdb,edf,dicom,parquet,pandas,lsl,mqtt,plot,train,evaluate,export,dev]" --config-settings editable_mode=strict
	@echo "next: . .venv/bin/activate && ecg-edge -h" >&2

# Every figure of docs/benchmarks.md, from nothing but the repository: some minutes.
bench: .venv-test/.installed
	@$(call pip,.venv-test) matplotlib
	.venv-test/bin/ecg-edge bench --suite --out docs $(ARGS)

# The documentation as a site: build/site/index.html. The first build sets up the environment of the tests (2 GB);
# after that, building and reading need no network.
docs: .venv-test/.installed
	@$(call pip,.venv-test) "$$(ls dist/*.whl)[docs]"
	NO_MKDOCS_2_WARNING=1 .venv-test/bin/python -m mkdocs build --strict --quiet
	@echo "next: open build/site/index.html in a browser" >&2

# The device side on an emulated ARM: function, not speed. Debian: apt-get install qemu-user-static debootstrap.
test-aarch64: .venv-test/.installed
	@rm -rf .aarch64/wheel && .venv-test/bin/python -m pip wheel -q --no-deps -w .aarch64/wheel .
	tests/aarch64/emulate.sh .aarch64/wheel/*.whl .aarch64 .venv-test/bin/python

# Wheel and sdist for a release, the same bytes each time for one commit; checked as the package index checks them.
dist: .venv-dist/.installed
	@rm -f dist/*.whl dist/*.tar.gz
	@.venv-dist/bin/python packaging/build_dist.py dist
	@.venv-dist/bin/python -m twine check --strict dist/*.whl dist/*.tar.gz
	@cd dist && sha256sum *.whl *.tar.gz

.venv-dist/.installed:
	@test -x .venv-dist/bin/python || { echo "setting up .venv-dist …" >&2; $(call venv,.venv-dist); }
	@$(call pip,.venv-dist) "setuptools>=77" twine
	@touch $@

lint: .venv-test/.installed
	.venv-test/bin/ruff check . && .venv-test/bin/ruff format --check . && .venv-test/bin/mypy

clean:
	rm -rf .venv .venv-demo .venv-test .venv-dist build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
