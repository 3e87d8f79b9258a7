# Everything runs in .venv, made from requirements.lock. See README.md.
PYTHON  ?= python3
TESTERS ?= 2

# Of `make reproduce`, each as the option of that name of `sadanet reproduce`, which knows the defaults; of `make parity`,
# SA2NET: the folder of a clone of SA2Net's repository. Values are taken as they were typed and handed on by the
# environment: what stands in one is read neither by make nor by the shell.
SETTINGS = PROFILE DATA RESULTS SEEDS BACKBONE BACKBONE_WEIGHTS CORES GPUS GPU_SLOTS CLUSTER SA2NET
$(foreach name,$(SETTINGS),$(if $(value $(name)),$(eval override $(name) := $$(value $(name)))))
export $(SETTINGS)
# Where this is set, every start would compile the packages anew: 10 s each.
unexport PYTHONDONTWRITEBYTECODE

# Of JupyterLab: messages of up to 65 MiB, as fast as they come; a large picture and its files would be dropped.
LARGE_PICTURES = --ZMQChannelsWebsocketConnection.limit_rate=False \
    --ServerApp.tornado_settings='{"websocket_max_message_size": 68157440}'

PYTEST = .venv/bin/python -m pytest -n $(TESTERS) --dist loadgroup --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help reproduce site test test-fast test-browser benchmark parity assumptions install app lab lint lock
help: ## this list
	@sed -n 's/^\([a-z-]*\):.* ## /\1: /p' $(firstword $(MAKEFILE_LIST))

reproduce: install ## train what is not trained yet, then every notebook through papermill: see Snakefile
	@.venv/bin/sadanet reproduce $(if $(PROFILE),--profile "$$PROFILE") $(if $(DATA),--data "$$DATA") \
	    $(if $(RESULTS),--results "$$RESULTS") $(if $(SEEDS),--seeds "$$SEEDS") $(if $(CORES),--cores "$$CORES") \
	    $(if $(GPUS),--gpus "$$GPUS") $(if $(GPU_SLOTS),--gpu-slots "$$GPU_SLOTS") $(if $(CLUSTER),--cluster "$$CLUSTER") \
	    $(if $(BACKBONE),--backbone "$$BACKBONE") $(if $(BACKBONE_WEIGHTS),--backbone-weights "$$BACKBONE_WEIGHTS")

site: install ## the committed articles as pages: results/site/index.html
	@.venv/bin/sadanet site results/site

test: install ## all tests; those in a browser are skipped where there is no Chromium
	$(PYTEST)

test-fast: install ## the tests that take seconds
	$(PYTEST) -m "not slow and not notebook and not browser"

test-browser: install ## notebooks in a real JupyterLab; needs Chromium (apt-get install chromium)
	.venv/bin/python -m pytest tests/browser

benchmark: install ## how fast the attention explorer redraws, and patches are prepared
	.venv/bin/python tests/benchmarks/explorer.py
	.venv/bin/python tests/benchmarks/loader.py

parity: install ## every network beside the released code, with the same weights: docs/parity.md; fetches that code
	@.venv/bin/python -m tools.parity $(if $(SA2NET),--sa2net "$$SA2NET")

assumptions: install ## docs/assumptions.md, from the docstrings
	.venv/bin/python -m sadanet_lab.reporting.assumptions

install: .venv/installed ## the locked packages and this one into .venv

.venv/installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	    || { echo "$(PYTHON) is `$(PYTHON) -V 2>&1`; Python 3.11 or newer is needed: make PYTHON=python3.12"; exit 2; }
	@echo "Installing the locked packages into .venv: about 6 GB with PyTorch and its GPU libraries."
	@echo "Under a minute from a warm cache, otherwise as long as the download takes."
	@$(PYTHON) -m venv .venv
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check "`grep -o '^uv==[0-9.]*' requirements.lock`"
	.venv/bin/uv pip install --quiet --python .venv/bin/python --require-hashes -r requirements.lock
	@.venv/bin/uv pip install --quiet --python .venv/bin/python --no-deps --no-build-isolation --editable .
	@touch $@

app: install ## a page on this machine: drop a picture, read the report, download the files; APP="--no-browser"
	.venv/bin/python -m sadanet_lab.reporting.app $(APP)

lab: install ## JupyterLab on the notebooks
	.venv/bin/jupyter lab notebooks $(LARGE_PICTURES)

lint: install ## form and types
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/pyright

lock: install ## resolve pyproject.toml anew
	.venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	    --no-annotate --no-header --upgrade --extra dev pyproject.toml --output-file requirements.lock
