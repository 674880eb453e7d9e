"""docs/firecracker-facts.md answers for every numbered fact, with names that are there; the code cites no others."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[4]
PAGE = ROOT / "docs" / "firecracker-facts.md"
FACTS = range(1, 43)


def rows() -> dict[int, str]:
    found = re.findall(r"^\| (\d+) \| (.*) \|$", PAGE.read_text(), flags=re.MULTILINE)
    return {int(number): row for number, row in found}


def test_every_fact_has_its_answer() -> None:
    assert sorted(rows()) == list(FACTS)
    assert all(len(row.split(" | ")) == 2 for row in rows().values())


def test_what_the_answers_name_is_there() -> None:
    driver = ROOT / "src/nexus/agent/vmm/firecracker"
    places = (driver, Path(__file__).parent, driver.parents[1], driver.parents[2], ROOT)
    named = set(re.findall(r"`([a-z_/]+\.py)`", PAGE.read_text()))
    assert {name for name in named if not any((place / name).exists() for place in places)} == set()


def test_the_code_cites_facts_that_are_there() -> None:
    cited = {
        int(number)
        for path in (ROOT / "src/nexus/agent").rglob("*.py")
        for words in re.findall(r"\(facts?,? ([\d, to]+)", path.read_text())
        for number in re.findall(r"\d+", words)
    }
    assert len(cited) >= 15
    assert cited <= set(FACTS)
