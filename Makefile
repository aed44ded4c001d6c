.PHONY: demo serve test check format lock chaos fresh-root

demo:            ## the whole thing on one machine, against the simulated Zoom and Recall
	@scripts/venv run
	@.venv/bin/dashboard demo $(ARGS)

serve:           ## web and worker in one process, with the settings in instance/.env
	@scripts/venv run
	@.venv/bin/dashboard serve $(ARGS)

test: check      ## everything CI runs
	@scripts/chromium >/dev/null
	@.venv/bin/python -m compileall -q dashboard  # once, not in each command the tests start
	@.venv/bin/python -m pytest -m "not browser" -n 3 --dist worksteal $(ARGS)
	@.venv/bin/python -m pytest -m "browser and not prompt" -n 2 --dist loadfile $(ARGS)
	@.venv/bin/python -m pytest -m prompt $(ARGS)

check:           ## style, types and floors
	@scripts/venv dev
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy
	@.venv/bin/lint-imports --no-cache
	@.venv/bin/djlint dashboard/templates dashboard/sandbox --check --lint

format:
	@scripts/venv dev
	@.venv/bin/ruff check --fix . ; .venv/bin/ruff format .
	@.venv/bin/djlint dashboard/templates dashboard/sandbox --reformat --quiet || true

lock:            ## newest versions into requirements/*.lock (needs uv)
	@scripts/lock

chaos:           ## minutes of chaos against the relay: ARGS="--database sqlite --minutes 10 --seed 1"
	@scripts/venv dev
	@.venv/bin/python -m tests.system.chaos $(ARGS)

fresh-root:      ## both README commands in a bare Debian 12 (as root): ARGS="--keep demo"
	@scripts/fresh-root $(ARGS)
