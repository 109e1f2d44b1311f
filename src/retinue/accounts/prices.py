"""What uses cost: whole nano-dollars, by the prices that are set."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import Protocol

from ..errors import ModelNotFound
from ..inference.models import Models
from ..settings import Settings

#: Nano-dollars of a dollar.
DOLLAR = 1_000_000_000
#: A dollar for a million tokens, in nano-dollars for a token.
_PER_MILLION = DOLLAR // 1_000_000
#: The most that one use costs: sums of it fit into a column.
_MOST = 2**53
#: Bytes times seconds of a GB for a day.
_GB_DAY = 2**30 * 86_400


class Prices(Protocol):
    """What uses cost."""

    @property
    def storage(self) -> Decimal:
        """Nano-dollars for keeping one byte in a vector store for one second."""
        ...

    def cost(self, endpoint: str, model: str, prompt: int, cached: int, completion: int, images: int) -> int:
        """Nano-dollars for one use, rounded once, half up.

        Args:
            endpoint: by which way: see `Endpoint`.
            model: the model that served; one that is not configured any more costs nothing.
            prompt: tokens of the prompt, cached ones included.
            cached: how many of them were cached.
            completion: tokens of the answer.
            images: pictures that were made.
        """
        ...


class SetPrices:
    """The prices of the settings; those of models are followed as the settings file changes."""

    def __init__(self, models: Models, settings: Settings) -> None:
        """`models` know the settings of each model."""
        self._models = models
        self.storage = settings.vector_storage_price * DOLLAR / _GB_DAY
        self._of_use = {
            "code_interpreter": _nano(settings.code_session_price),
            "file_search": _nano(settings.file_search_price),
            "web_search": _nano(settings.web_search_price),
        }

    def cost(self, endpoint: str, model: str, prompt: int, cached: int, completion: int, images: int) -> int:
        """See `Prices`."""
        if (price := self._of_use.get(endpoint)) is not None:
            return price
        try:
            prices = self._models.resolve(model).settings
        except ModelNotFound:
            return 0
        of_cached = prices.input_price if prices.cached_input_price is None else prices.cached_input_price
        tokens = (prompt - cached) * prices.input_price + cached * of_cached + completion * prices.output_price
        return _whole(tokens * _PER_MILLION + images * prices.image_price * DOLLAR)


class _Free:
    storage = Decimal(0)

    def cost(self, endpoint: str, model: str, prompt: int, cached: int, completion: int, images: int) -> int:
        return 0


#: Nothing costs anything.
FREE: Prices = _Free()


def dollars(nano: int) -> float:
    """An amount in dollars. What has less than sixteen digits comes back exactly, rounded to nine places."""
    return nano / DOLLAR


def _nano(dollars: Decimal) -> int:
    return _whole(dollars * DOLLAR)


def _whole(nano: Decimal) -> int:
    return min(int(nano.to_integral_value(ROUND_HALF_UP)), _MOST)
