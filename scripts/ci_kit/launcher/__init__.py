"""From `scripts/ci-kit` to a verb: the kit's own environment, the time limit, and nothing of the consumer's Python.

One process tree, one interpreter start. `scripts/ci-kit` execs a *base* interpreter under `-I -S`: no `PYTHON*`, no
current folder, no site-packages, no `.pth` file, no `sitecustomize`. `start` puts `scripts/` and the environment, a
folder of wheels installed with `--target`, behind the standard library on `sys.path`. The folder holds what all rooms
need (PyYAML), and more only for a room that has a lock of its own: `pipeline plan` and `gate` are on a pull request's
critical path, and reading the index page of `coverage` takes pip longer than all the rest. There is no virtual
environment: it would cost a second interpreter start each time, and would isolate no better than `-I -S` does.

The supervisor forks before anything else runs, and the verb runs in the child, in a session of its own, so that a limit
or a cancellation ends all of it. `os.environ` stays as the caller set it, because a room starts the consumer's programs
with it. `docs/launcher.md` says what a user must know.
"""
