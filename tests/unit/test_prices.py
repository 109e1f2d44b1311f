"""What uses cost: exact, and rounded once."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from retinue.accounts.prices import SetPrices, dollars
from retinue.inference.models import Models
from retinue.model_settings import ModelSettings
from retinue.settings import Settings


def prices(tmp_path: Path, model: dict[str, Any], **settings: Any) -> SetPrices:
    """Of a model `m*`."""
    made = ModelSettings.model_validate({"base_url": "http://127.0.0.1:9/v1", **model})
    given = Settings(data=tmp_path, models={"m*": made}, **settings)
    return SetPrices(Models(given), given)


@pytest.mark.parametrize(
    ("model", "used", "cost"),
    [
        ({"input_price": 0.15, "output_price": 0.6}, (1000, 0, 500, 0), 150_000 + 300_000),
        ({"input_price": 0.15, "output_price": 0.6}, (1000, 400, 0, 0), 150_000),
        ({"input_price": 0.15, "cached_input_price": 0.075}, (1000, 400, 0, 0), 600 * 150 + 400 * 75),
        ({"input_price": 0.15, "cached_input_price": 0}, (1000, 400, 0, 0), 90_000),
        # Below a nano-dollar for a token: rounded for the whole call, half up.
        ({"input_price": "0.0005"}, (1, 0, 0, 0), 1),
        ({"input_price": "0.000499999"}, (1, 0, 0, 0), 0),
        ({"input_price": "0.000499999"}, (1001, 0, 0, 0), 500),
        ({"image_price": "0.04"}, (0, 0, 0, 3), 120_000_000),
        ({}, (10**6, 0, 10**6, 5), 0),
        ({"input_price": 1_000_000}, (10**300, 0, 0, 0), 2**53),
    ],
)
def test_models(tmp_path: Path, model: dict[str, Any], used: tuple[int, int, int, int], cost: int):
    assert prices(tmp_path, model).cost("chat.completions", "m-1", *used) == cost


def test_what_asks_no_model(tmp_path: Path):
    found = prices(tmp_path, {}, code_session_price="0.03", file_search_price="0.0025", web_search_price=0.01)
    costs = [found.cost(name, "", 0, 0, 0, 0) for name in ("code_interpreter", "file_search", "web_search")]
    assert costs == [30_000_000, 2_500_000, 10_000_000]
    assert prices(tmp_path, {}, vector_storage_price="0.1").storage * 2**30 * 86_400 == pytest.approx(Decimal(10**8))


def test_a_model_that_is_gone_costs_nothing(tmp_path: Path):
    assert prices(tmp_path, {"input_price": 5}).cost("runs", "other", 1000, 0, 1000, 0) == 0


@pytest.mark.parametrize("price", ["-1", "nan", "inf", "1000001", "0.0000000001", "much"])
def test_prices_that_make_no_sense(price: str):
    with pytest.raises(ValidationError):
        ModelSettings.model_validate({"base_url": "http://127.0.0.1:9/v1", "input_price": price})


def test_dollars_keep_every_nano_dollar():
    for nano in (0, 1, 123_456_789, 10**9 + 1, 2**53 - 1):
        assert round(dollars(nano) * 10**9) == nano
