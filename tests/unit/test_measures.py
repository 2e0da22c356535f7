"""What `make measures` counts."""

from __future__ import annotations

import json
from pathlib import Path

from support.measures import (
    BLOCK,
    ROOT,
    c_functions,
    circles,
    imports,
    measured,
    repeated,
    unexecuted,
)

TEXT = '''"""A module."""
from typing import Any


def public(value: Any) -> int:
    """Documented."""
    # A remark.
    if value and value.there:
        return 1
    return 0


def _private() -> None: ...
'''


def module(root: Path, name: str, text: str) -> None:
    path = root / "agent" / "mcastd" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_functions_remarks_and_names_are_counted(tmp_path: Path) -> None:
    module(tmp_path, "one.py", TEXT)

    found = measured(tmp_path, ["agent/mcastd"])

    assert found.functions == {"one.py: public": 6, "one.py: _private": 1}
    assert found.complexity == [3, 1]
    assert (found.comments, found.code, found.any) == (3, 6, 1)
    assert (found.public, found.documented) == (1, 1)


def test_modules_that_import_one_another_are_a_circle(tmp_path: Path) -> None:
    module(tmp_path, "one.py", "from mcastd import two\n")
    module(tmp_path, "two.py", "def late():\n    from mcastd.one import x\n")
    module(tmp_path, "three.py", "from mcastd.one import x\n")
    module(tmp_path, "__init__.py", "")

    assert circles(imports(tmp_path)) == [{"mcastd.one", "mcastd.two"}]


def test_an_import_for_types_only_closes_no_circle(tmp_path: Path) -> None:
    module(tmp_path, "__init__.py", "")
    module(tmp_path, "one.py", "from mcastd import two\n")
    module(tmp_path, "two.py", "if TYPE_CHECKING:\n    from mcastd.one import x\n")

    assert circles(imports(tmp_path)) == []


def test_blocks_that_stand_twice_are_found(tmp_path: Path) -> None:
    block = "".join(f"first_{n} = {n}\n" for n in range(BLOCK))
    module(tmp_path, "one.py", block + "other = 1\n")
    module(tmp_path, "two.py", block)

    assert repeated(tmp_path) == (2 * BLOCK, 2 * BLOCK + 1)


def test_functions_of_c_end_with_a_brace_at_the_margin() -> None:
    text = "static int first(int a)\n{\n\tif (a) {\n\t}\n}\nvoid second(void) {\n}\n"
    assert list(c_functions(text)) == [("first", 4), ("second", 2)]


def test_what_no_test_ran_is_counted_in_one_folder(tmp_path: Path) -> None:
    summary = {"missing_lines": 3, "num_statements": 10}
    files = {"agent/mcastd/service/a.py": {"summary": summary}, "agent/b.py": {"summary": summary}}
    (tmp_path / "coverage.json").write_text(json.dumps({"files": files}))

    assert unexecuted(tmp_path / "coverage.json", "agent/mcastd/service") == (3, 10)


def test_no_modules_of_the_package_import_one_another() -> None:
    """Nor by an import in a function: such modules cannot be read one by one."""
    assert circles(imports(ROOT)) == []


def test_functions_of_the_package_stay_small() -> None:
    """Ten decisions and forty lines are the aim; a little more is no reason to cut badly."""
    found = measured(ROOT, ["agent/mcastd", "extras"])

    assert max(found.complexity) <= 12
    assert max(found.functions.values()) <= 50
