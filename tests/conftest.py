"""Small companies, written as text, checked as any source is; and one Spark for all.

A test on Spark asks for the fixture `spark`: it starts Spark once for the tests of a module, and
`session(Engine.SPARK)` uses what is open. One process of the tests has it at a time. Planning is
most of the cost (seconds for each table of features, however small), so a test on Spark puts all
that it asks into one table.
"""

import csv
import fcntl
import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from features.checked import CheckedSource
from features.home import Home
from features.sources.check import check

Company = Callable[..., CheckedSource]

settings.register_profile("tenure", deadline=None, derandomize=True)  # no test is timed, or luck
settings.load_profile("tenure")


SMALL = {
    "spark.driver.memory": "2g",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
    "spark.log.level": "ERROR",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.python.sql.dataFrameDebugging.enabled": "false",  # asks the JVM thrice at every call
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.shuffle.partitions": "2",
    "spark.sql.codegen.wholeStage": "false",  # compiling takes longer than rows this few
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
}


@pytest.fixture(scope="module")
def one_spark() -> Iterator[None]:
    """The right to run Spark on this machine, which one process of the tests has at a time."""
    lock = Path(tempfile.gettempdir()) / "tenure-tests-spark.lock"
    with lock.open("w") as only:
        fcntl.flock(only, fcntl.LOCK_EX)
        yield


@pytest.fixture(scope="module")
def spark(one_spark: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:  # noqa: ARG001 - held while Spark runs
    """Spark on this machine, for the module's tests."""
    from pyspark.sql import SparkSession  # noqa: PLC0415 - the other tests do without Spark

    folder = tmp_path_factory.mktemp("spark")
    places = {"spark.local.dir": str(folder), "spark.sql.warehouse.dir": str(folder / "warehouse")}
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("PYSPARK_PYTHON", sys.executable)
        running = SparkSession.builder.master("local[2]").config(map=SMALL | places).getOrCreate()
        yield
        running.stop()


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


@pytest.fixture
def source_folder(tmp_path: Path) -> Callable[..., Path]:
    """A factory: text tables in, as `company` takes them, an unchecked source folder out."""
    numbers = count()

    def make(tables: Mapping[str, str], /, **toml: object) -> Path:
        folder = tmp_path / f"company{next(numbers)}"
        write_source(folder, tables, toml)
        return folder

    return make


@pytest.fixture
def company(source_folder: Callable[..., Path], home: Home) -> Company:
    """A factory: text tables in, a checked source out.

    A table is a heading and rows, aligned by white space. `-` is an empty cell, `2024-05-01T10:00`
    a time of day, `two_words` has no space. Other keywords go into `source.toml` as they are
    (`currency="EUR"`, `tables={"accounts": {"columns": {"tier": {"constant": True}}}}`).

        source = company(
            {
                "accounts": '''
                    account_id  created_at
                    a           2024-01-01
                ''',
                "subscriptions": '''
                    subscription_id  account_id  product  mrr  started_at  ended_at
                    s1               a           base     100  2024-01-01  -
                ''',
            },
            extracted_at="2024-12-31",
        )

    A broken row raises SourceError, unless `limit` (a share) allows it; `extracted_at=None` leaves
    the guess to the check.
    """

    def make(
        tables: Mapping[str, str],
        /,
        *,
        extracted_at: str | None = "2026-01-01",
        limit: float = 0.0,
        **toml: object,
    ) -> CheckedSource:
        said = {"extracted_at": extracted_at} if extracted_at else {}
        return check(str(source_folder(tables, **said, **toml)), home=home, limit=limit)

    return make


def write_source(folder: Path, tables: Mapping[str, str], toml: Mapping[str, Any]) -> None:
    folder.mkdir(parents=True)
    for name, text in tables.items():
        with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(
                ["" if cell == "-" else cell for cell in line.split()]
                for line in text.strip().splitlines()
                if line.strip()
            )
    lines = [f"{key} = {_toml(value)}" for key, value in toml.items()]
    (folder / "source.toml").write_text("\n".join(lines), encoding="utf-8")


def _toml(value: object) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{json.dumps(k)} = {_toml(v)}" for k, v in value.items()) + " }"
    return json.dumps(value)


@pytest.fixture(scope="session")
def stumps() -> Callable[..., Any]:
    """A factory of hand-made models: each stump adds one of two log odds, cut at a threshold.

    TreeSHAP gives such a column plus or minus half of the step, whichever side the row is on.
    """
    from models.bundle import Bundle  # noqa: PLC0415 - the tests of features do without LightGBM
    from models.calibration import identity  # noqa: PLC0415 - as above
    from models.intervals import COVARIATES  # noqa: PLC0415 - as above
    from models.questions import QUESTIONS  # noqa: PLC0415 - as above

    def make(
        *cuts: tuple[str, float, float, float], model: str = "churn", **fields: object
    ) -> Bundle:
        question = QUESTIONS[model]
        features = tuple(dict.fromkeys(name for name, *_ in cuts if name not in COVARIATES))
        columns = (*features, *COVARIATES)
        values: dict[str, Any] = {
            "question": question,
            "features": features,
            "catalogue": tuple({"column": name, "subject": name} for name in features),
            "features_fingerprint": "f" * 64,
            "booster_text": _stumps_text(columns, cuts),
            "calibration": identity(len(question.horizons_days)),
            "base_rates": dict.fromkeys(question.horizons_days, 0.1),
            "version": "1",
            "trained_at": datetime(2025, 1, 15),  # noqa: DTZ001 - naive UTC, as bundles keep it
            "as_of_range": (date(2023, 1, 1), date(2024, 6, 1)),
        }
        return Bundle(**(values | fields))

    return make


def _stumps_text(
    columns: tuple[str, ...], cuts: tuple[tuple[str, float, float, float], ...]
) -> str:
    head = f"""tree
version=v4
num_class=1
num_tree_per_iteration=1
label_index=0
max_feature_idx={len(columns) - 1}
objective=binary sigmoid:1
feature_names={" ".join(columns)}
feature_infos={" ".join(["[0:1]"] * len(columns))}
"""
    trees = [
        f"""Tree={number}
num_leaves=2
num_cat=0
split_feature={columns.index(column)}
split_gain=1
threshold={threshold}
decision_type=2
left_child=-1
right_child=-2
leaf_value={low} {high}
leaf_weight=1 1
leaf_count=1 1
internal_value={(low + high) / 2}
internal_weight=2
internal_count=2
is_linear=0
shrinkage=1

"""
        for number, (column, threshold, low, high) in enumerate(cuts)
    ]
    return "\n".join([head, *trees, "end of trees", ""])
