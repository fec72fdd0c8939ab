import hashlib
import json
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from features.errors import ModelError
from models.amount import Amount
from models.bundle import Bundle, load, row_covariates, save
from models.calibration import Calibration
from models.churn import CHURN
from models.intervals import COVARIATES, covariates, cumulative, matrix
from models.peers import Peers
from models.renewal import AtTermEnd
from training.fit import BoosterParams, fit_booster

FEATURES = ("usage__events__28d", "lifecycle__days_to_term_end", "lifecycle__term_months")


def rows_of(count: int, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "usage__events__28d": rng.poisson(20, count).astype(float),
            "lifecycle__days_to_term_end": rng.integers(0, 400, count).astype(float),
            "lifecycle__term_months": rng.choice([1.0, 12.0], count),
        }
    )


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    """A small model in which low use and a term that ends make a loss likelier."""
    rng = np.random.default_rng(1)
    cells = rng.normal(size=(4000, 6)).astype(np.float32)
    cells[:, 0] = rng.poisson(20, 4000)
    cells[:, 3] = rng.integers(0, 4, 4000)
    cells[:, 4] = rng.integers(0, 2, 4000)
    hazard = 1 / (1 + np.exp(3 + 0.2 * (cells[:, 0] - 20) - 1.5 * cells[:, 4]))
    outcomes = (rng.random(4000) < hazard).astype(float)
    text = fit_booster(cells, outcomes, (*FEATURES, *COVARIATES), BoosterParams(trees=100))
    return Bundle(
        question=CHURN,
        features=FEATURES,
        catalogue=({"column": "usage__events__28d", "text": {"level": "Ereignisse: {value} €"}},),
        features_fingerprint="abc",
        booster_text=text,
        calibration=Calibration((0.1, 0.2, -0.1, 0.0), 0.9),
        base_rates={30: 0.02, 90: 0.05, 180: 0.1, 365: 0.2},
        version="1",
        trained_at=datetime(2025, 1, 1),  # noqa: DTZ001 - naive UTC
        as_of_range=(date(2023, 1, 1), date(2024, 6, 1)),
    )


def test_it_comes_back_from_its_folder_and_predicts_the_same(
    bundle: Bundle, tmp_path: Path
) -> None:
    save(bundle, tmp_path / "model")
    again = load(tmp_path / "model")
    rows = rows_of(50)
    assert again == bundle
    assert (again.probabilities(rows) == bundle.probabilities(rows)).all()
    assert again.digest == bundle.digest


def test_how_losses_lie_around_renewals_comes_back(bundle: Bundle, tmp_path: Path) -> None:
    telling = replace(bundle, at_term_end=AtTermEnd(monthly=0.25, longer=0.75))
    save(telling, tmp_path)
    again, rows = load(tmp_path), rows_of(50)
    said = again.probabilities(rows)
    found = again.renewal_probabilities(rows, said)
    assert again == telling
    np.testing.assert_array_equal(found, telling.renewal_probabilities(rows, said))
    assert np.isfinite(found).sum() == (rows["lifecycle__days_to_term_end"] < 365).sum()
    assert telling.digest != bundle.digest


def test_a_bundle_of_an_older_release_loads_and_tells_no_renewal(
    bundle: Bundle, tmp_path: Path
) -> None:
    save(bundle, tmp_path)
    fields = json.loads((tmp_path / "bundle.json").read_text(encoding="utf-8"))
    del fields["at_term_end"], fields["peers"]
    text = json.dumps(fields)
    (tmp_path / "bundle.json").write_text(text, encoding="utf-8")
    sums = json.loads((tmp_path / "manifest.json").read_text(encoding="utf-8"))
    sums["bundle.json"] = hashlib.sha256(text.encode()).hexdigest()
    (tmp_path / "manifest.json").write_text(json.dumps(sums), encoding="utf-8")
    again, rows = load(tmp_path), rows_of(5)
    assert again.digest == bundle.digest
    assert np.isnan(again.renewal_probabilities(rows, again.probabilities(rows))).all()


def test_with_what_numbers_are_compared_comes_back(bundle: Bundle, tmp_path: Path) -> None:
    comparing = replace(bundle, peers=Peers({FEATURES[0]: (3.0, 5.0, 30.0, None)}))
    save(comparing, tmp_path)
    again = load(tmp_path)
    assert again == comparing
    assert again.digest == comparing.digest


@pytest.mark.parametrize(
    "exchanged",
    [
        {"base_rates": {30: 0.02, 90: 0.5, 180: 0.1, 365: 0.2}},
        {"amount": Amount({90: 0.9})},
        {"peers": Peers({FEATURES[0]: (3.0, 5.0, 30.0, 99.0)})},
        {"catalogue": ({"column": FEATURES[0], "text": {"level": "All is well: {value}"}},)},
        {"features_fingerprint": "another"},
        {"as_of_range": (date(2023, 1, 1), date(2026, 6, 1))},
        {"categories": {"plan": ("a",)}},
        {"at_term_end": AtTermEnd(monthly=0.25, longer=0.75)},
        {"calibration": Calibration((0.0,) * 4)},
        {"question": replace(CHURN, name="other")},
    ],
    ids=lambda exchanged: next(iter(exchanged)),
)
def test_nothing_that_is_served_can_be_exchanged_under_the_same_digest(
    bundle: Bundle, tmp_path: Path, exchanged: dict[str, object]
) -> None:
    own = replace(bundle, peers=Peers({}), amount=Amount({90: 0.2}))
    save(replace(own, **exchanged), tmp_path)  # with a manifest that fits
    assert load(tmp_path).digest != own.digest


def test_when_and_under_which_name_a_model_was_made_are_not_in_its_digest(bundle: Bundle) -> None:
    own = replace(bundle, peers=Peers({}))
    later = datetime(2026, 1, 1)  # noqa: DTZ001 - naive UTC
    assert replace(own, trained_at=later, version="7").digest == own.digest


def test_no_rows_give_no_renewals(bundle: Bundle) -> None:
    telling, none = replace(bundle, at_term_end=AtTermEnd(0.5, 0.5)), rows_of(0)
    assert telling.renewal_probabilities(none, telling.probabilities(none)).shape == (0,)


def test_its_folder_holds_text_and_json_only(bundle: Bundle, tmp_path: Path) -> None:
    save(bundle, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "booster.txt",
        "bundle.json",
        "manifest.json",
    ]
    for path in tmp_path.iterdir():
        path.read_text(encoding="utf-8")
    json.loads((tmp_path / "bundle.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", ["booster.txt", "bundle.json"])
def test_it_refuses_changed_bytes(bundle: Bundle, tmp_path: Path, name: str) -> None:
    save(bundle, tmp_path)
    content = bytearray((tmp_path / name).read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ModelError, match="got other bytes"):
        load(tmp_path)


@pytest.mark.parametrize("name", ["booster.txt", "bundle.json", "manifest.json"])
def test_it_refuses_a_folder_without_one_of_its_files(
    bundle: Bundle, tmp_path: Path, name: str
) -> None:
    save(bundle, tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(ModelError, match="Expected a model bundle"):
        load(tmp_path)


@pytest.mark.parametrize("manifest", ["[]", "{}", "not json"])
def test_it_refuses_a_manifest_that_vouches_for_nothing(
    bundle: Bundle, tmp_path: Path, manifest: str
) -> None:
    save(bundle, tmp_path)
    (tmp_path / "manifest.json").write_text(manifest)
    with pytest.raises(ModelError):
        load(tmp_path)


def test_the_order_of_columns_does_not_matter(bundle: Bundle) -> None:
    rows = rows_of(50)
    turned = rows[rows.columns[::-1]].assign(something_else="x")
    assert (bundle.probabilities(turned) == bundle.probabilities(rows)).all()
    assert (bundle.contributions(turned, 90) == bundle.contributions(rows, 90)).all()


def test_it_names_the_column_that_is_absent(bundle: Bundle) -> None:
    with pytest.raises(ModelError, match="without usage__events__28d"):
        bundle.probabilities(rows_of(3).drop(columns="usage__events__28d"))


def test_it_refuses_text_where_it_expects_numbers(bundle: Bundle) -> None:
    with pytest.raises(ModelError, match="usage__events__28d"):
        bundle.probabilities(rows_of(3).assign(usage__events__28d="many"))


def test_a_missing_value_is_no_error(bundle: Bundle) -> None:
    assert np.isfinite(bundle.probabilities(rows_of(3) * np.nan)).all()


def test_no_rows_give_no_probabilities(bundle: Bundle) -> None:
    assert bundle.probabilities(rows_of(0)).shape == (0, 4)
    assert bundle.contributions(rows_of(0), 90).shape == (0, 3)


def test_probabilities_never_fall_with_the_horizon(bundle: Bundle) -> None:
    found = bundle.probabilities(rows_of(500))
    assert (np.diff(found, axis=1) >= 0).all()
    assert ((found > 0) & (found < 1)).all()


def test_one_row_alone_gets_what_it_gets_among_others(bundle: Bundle) -> None:
    rows = rows_of(20)
    alone = np.vstack([bundle.probabilities(rows.iloc[[at]]) for at in range(20)])
    assert (alone == bundle.probabilities(rows)).all()


def test_its_probabilities_are_those_of_its_calibrated_hazards(bundle: Bundle) -> None:
    rows = rows_of(20)
    log_odds = np.array([0.1, 0.2, -0.1, 0.0]) + 0.9 * bundle.raw_log_odds(rows)
    expected = cumulative(1 / (1 + np.exp(-log_odds)))
    assert bundle.probabilities(rows) == pytest.approx(expected)


@pytest.mark.parametrize(("horizon", "intervals"), [(30, 1), (90, 2), (365, 4)])
def test_effects_and_baseline_add_up_to_the_mean_log_odds_of_the_hazard(
    bundle: Bundle, horizon: int, intervals: int
) -> None:
    rows = rows_of(40)
    log_odds = bundle.calibration.log_odds(bundle.raw_log_odds(rows))[:, :intervals]
    hazards = 1 / (1 + np.exp(-log_odds))
    expected = (hazards * log_odds).sum(axis=1) / hazards.sum(axis=1)
    explained = bundle.explained(rows, horizon)
    assert explained.effects.sum(axis=1) + explained.baseline == pytest.approx(expected)
    assert explained.log_odds == pytest.approx(expected)


def test_effects_are_treeshaps_on_the_calibrated_scale(bundle: Bundle) -> None:
    rows = rows_of(40)
    described = covariates(CHURN, *rows[list(FEATURES[1:])].to_numpy().T)
    cells = matrix(rows[list(FEATURES)].to_numpy(dtype=np.float32), described)
    first_interval = bundle.boosted.booster.predict(cells[::4], pred_contrib=True)
    use, days, months, number, ends, to_end, start = 0.9 * np.asarray(first_interval).T
    explained = bundle.explained(rows, 30)
    assert explained.effects[:, 0] == pytest.approx(use)
    assert explained.effects[:, 1] == pytest.approx(days + ends + to_end)
    assert explained.effects[:, 2] == pytest.approx(months)
    assert explained.baseline == pytest.approx(0.1 + start + number)


def test_low_use_raises_the_log_odds(bundle: Bundle) -> None:
    rows = rows_of(2).assign(usage__events__28d=[5.0, 35.0])
    effects = bundle.contributions(rows, 90)[:, 0]
    assert effects[0] > 0 > effects[1]


def test_a_term_that_ends_soon_counts_for_days_to_term_end(bundle: Bundle) -> None:
    rows = pd.concat([rows_of(1)] * 2, ignore_index=True).assign(
        lifecycle__days_to_term_end=[10.0, 300.0], lifecycle__term_months=12.0
    )
    effects = bundle.contributions(rows, 30)[:, 1]
    assert effects[0] > effects[1] + 0.5


def test_it_refuses_a_horizon_that_it_was_not_asked(bundle: Bundle) -> None:
    with pytest.raises(ModelError, match="60"):
        bundle.contributions(rows_of(1), 60)
    with pytest.raises(ModelError, match="60"):
        bundle.base_rate(60)


def test_bands_stand_against_the_base_rate_of_their_horizon(bundle: Bundle) -> None:
    assert bundle.bands(np.array([0.06, 0.03, 0.01]), 30) == ["high", "medium", "low"]
    assert bundle.bands(np.array([0.16, 0.06]), 90) == ["high", "low"]


def test_an_unknown_category_counts_as_missing(bundle: Bundle) -> None:
    model = replace(bundle, categories={"usage__events__28d": ("daily", "weekly")})
    rows = pd.concat([rows_of(1)] * 4, ignore_index=True)
    named = rows.assign(usage__events__28d=["weekly", "daily", "yearly", None])
    coded = rows.assign(usage__events__28d=[1.0, 0.0, np.nan, np.nan])
    assert (model.probabilities(named) == bundle.probabilities(coded)).all()


def test_its_digest_changes_with_what_it_computes_but_not_with_its_version(bundle: Bundle) -> None:
    assert bundle.with_version("2").digest == bundle.digest
    assert replace(bundle, calibration=Calibration((0.0,) * 4)).digest != bundle.digest


@pytest.mark.parametrize("slope", [0.0, -1.0, float("nan")])
def test_a_calibration_that_would_turn_the_order_is_refused(slope: float) -> None:
    with pytest.raises(ValueError, match="slope above 0"):
        Calibration((0.0,), slope)


def test_one_row_by_name_is_told_what_a_table_is_told(bundle: Bundle) -> None:
    rows = rows_of(50)
    rows.loc[::7, FEATURES[0]] = np.nan
    rows.loc[::11, FEATURES[1]] = np.nan
    records = rows.astype(object).where(rows.notna(), None).to_dict("records")
    alone = [bundle.probabilities_of(record) for record in records]
    np.testing.assert_array_equal(alone, bundle.probabilities(rows))


def test_the_categories_of_one_row_are_those_of_a_table(bundle: Bundle) -> None:
    telling = replace(bundle, categories={FEATURES[0]: ("basic", "pro")})
    rows = rows_of(4).assign(**{FEATURES[0]: ["pro", "basic", "unheard of", None]})
    alone = [telling.probabilities_of(record) for record in rows.to_dict("records")]
    np.testing.assert_array_equal(alone, telling.probabilities(rows))


@pytest.mark.parametrize("wrong", [{}, dict.fromkeys(FEATURES, "much")])
def test_one_row_without_its_numbers_is_refused(bundle: Bundle, wrong: dict[str, str]) -> None:
    with pytest.raises(ModelError, match=r"Expected the 3 features of the model 'churn'"):
        bundle.probabilities_of(wrong)


def test_columns_of_any_kind_of_number_are_read_as_the_same(bundle: Bundle) -> None:
    rows = rows_of(50)
    kinds = rows.astype({FEATURES[0]: "Int64", FEATURES[1]: "float32", FEATURES[2]: object})
    np.testing.assert_array_equal(bundle.probabilities(kinds), bundle.probabilities(rows))


def test_a_bundle_of_trees_that_the_loops_do_not_know_is_explained_by_lightgbm(
    bundle: Bundle,
) -> None:
    counts = next(x for x in bundle.booster_text.splitlines() if x.startswith("leaf_count="))
    first, *others = counts.removeprefix("leaf_count=").split()
    emptied = " ".join(["0" * len(first), *others])
    odd = replace(bundle, booster_text=bundle.booster_text.replace(counts, f"leaf_count={emptied}"))
    rows = rows_of(40)
    assert odd.boosted.forest is None
    np.testing.assert_array_equal(odd.probabilities(rows), bundle.probabilities(rows))
    explained = odd.explained(rows, 30)
    cells = matrix(rows[list(FEATURES)].to_numpy(np.float32), row_covariates(CHURN, rows))[::4]
    by_lightgbm = odd.boosted.booster.predict(cells, pred_contrib=True)
    np.testing.assert_array_equal(explained.effects[:, 0], by_lightgbm[:, 0] * 0.9)
