"""``bin/check``: all checks of the code, each of them also when an earlier one has failed."""

from __future__ import annotations

import subprocess
import sys
import time

CHECKS = {
    "ruff format --check": ["-m", "ruff", "format", "--check", "."],
    "ruff check": ["-m", "ruff", "check", "."],
    "mypy": ["-m", "mypy"],
    # It has no module to run, and its script would name the folder that it was installed in.
    "lint-imports": ["-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"],
    "sqlfluff lint include/sql": ["-m", "sqlfluff", "lint", "include/sql"],
}


def main() -> int:
    """Run the checks."""
    failed = [name for name, arguments in CHECKS.items() if not _passes(name, arguments)]
    if failed:
        print(f"\nFailed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def _passes(name: str, arguments: list[str]) -> bool:
    print(f"\n$ {name}", flush=True)
    started = time.monotonic()
    result = subprocess.run([sys.executable, *arguments], check=False)
    print(
        f"  {'passed' if result.returncode == 0 else 'FAILED'} in {time.monotonic() - started:.1f} s",
        flush=True,
    )
    return result.returncode == 0


if __name__ == "__main__":
    sys.exit(main())
