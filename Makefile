.PHONY: demo serve test test-rest test-browser soak check check-types check-style check-floors check-templates \
  check-dead-code \
  format lock sbom release chaos model questions fresh-root mutation

demo:            ## the whole thing on one machine, against the simulated Zoom and Recall
	@scripts/venv run
	@.venv/bin/dashboard demo $(ARGS)

serve:           ## web and worker in one process, with the settings in instance/.env
	@scripts/venv run
	@.venv/bin/dashboard serve $(ARGS)

test: check      ## everything that guards behaviour
	@scripts/chromium >/dev/null
	@.venv/bin/python -m compileall -q dashboard  # once, not in each command the tests start
	@$(MAKE) -j2 --no-print-directory test-rest test-browser ARGS="$(ARGS)"
	@.venv/bin/python -m pytest -m prompt $(ARGS)

test-rest:
	@.venv/bin/python -m pytest -m "not browser and not served" -n 2 --dist worksteal $(ARGS)

test-browser:
	@.venv/bin/python -m pytest -m "browser and not prompt" $(ARGS)

questions:       ## what support asks, of a real `dashboard serve`, with its answers; ten minutes
	@scripts/venv dev
	@.venv/bin/python -m pytest -s -m served tests/system $(ARGS)

soak:            ## the same at length, about an hour; as root also both commands in a bare Debian
	@scripts/venv dev
	@.venv/bin/python -m tests.system.chaos --database sqlite --minutes 10 --seed 1
	@.venv/bin/python -m tests.system.chaos --database postgresql --minutes 10 --seed 1
	@.venv/bin/python -m tests.system.refresh_races --runs 200 --seed 1
	@.venv/bin/python -m tests.system.sweep_at_size
	@.venv/bin/python -m tests.web.fuzz --database sqlite --requests 20000 --seed 1
	@.venv/bin/python -m tests.web.fuzz --database postgresql --requests 20000 --seed 1
	@.venv/bin/python -m tests.independent.model --days 100 --world simulated --seed 1
	@.venv/bin/python -m tests.independent.model --days 100 --world drawn --database postgresql --seed 1
	@[ "$$(id -u)" != 0 ] || scripts/fresh-root

check:           ## style, types and floors
	@scripts/venv dev
	@$(MAKE) -j2 --output-sync=target --no-print-directory check-types check-style check-floors check-templates \
	  check-dead-code

check-types:
	@.venv/bin/mypy

check-style:
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .

check-floors:
	@.venv/bin/lint-imports --no-cache

check-templates:
	@.venv/bin/djlint dashboard/templates dashboard/sandbox --check --lint

check-dead-code:
	@.venv/bin/python scripts/dead-code

format:
	@scripts/venv dev
	@.venv/bin/ruff check --fix . ; .venv/bin/ruff format .
	@.venv/bin/djlint dashboard/templates dashboard/sandbox --reformat --quiet || true

lock:            ## newest versions into requirements/*.lock (needs uv)
	@scripts/lock

release:         ## a wheel in dist/, which installs and serves from anywhere
	@scripts/venv run
	@.venv/bin/python -m flit_core.wheel --outdir dist

sbom:            ## a bill of what an installation consists of, CycloneDX JSON: ARGS="--output-file sbom.json"
	@scripts/venv sbom
	@.venv/bin/cyclonedx-py requirements requirements/run.lock --pyproject pyproject.toml $(ARGS)

chaos:           ## minutes of chaos against the relay: ARGS="--database sqlite --minutes 10 --seed 1"
	@scripts/venv dev
	@.venv/bin/python -m tests.system.chaos $(ARGS)

model:           ## months of simulated time, each page compared with the truth: ARGS="--days 100 --world independent --seed 1"
	@scripts/venv dev
	@.venv/bin/python -m tests.independent.model $(ARGS)

fresh-root:      ## both README commands in a bare Debian 12 (as root): ARGS="--keep demo"
	@scripts/fresh-root $(ARGS)

mutation:        ## break each guard a little and count what its tests notice: ARGS="dashboard.vault*"
	@scripts/venv mutation
	@.venv/bin/python scripts/mutation run $(ARGS)
